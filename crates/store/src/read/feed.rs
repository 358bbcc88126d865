//! An owner's log from a position on, as far as a reader may see it.
//!
//! A window of positions is looked through by one statement, so that a reader who is shown little of a long log costs no
//! statement that goes on for minutes. A change is there for readers who are shown its record whole.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_log_proof::entry::Opening;
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId};

use crate::error::StoreError;
use crate::read::Reader;
use crate::read::changes::{COLUMNS, ChangeEntry, Parts, Types, entry, limit_of};
use crate::read::records::{
    HEAD, HeadParts, HeadTypes, RecordRow, STATE, StateParts, StateTypes, record_row,
};
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::{Reach, Seen, Visibility};
use crate::write::{Operation, RecordStatus, domain};

/// Which changes are asked for; what is empty or absent does not choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangeFilter {
    /// Of records of these domains.
    pub domains: Vec<Domain>,
    /// By these operations.
    pub operations: Vec<Operation>,
    /// Of this record.
    pub record: Option<RecordId>,
    /// Of records for which this organisation is responsible now.
    pub controller: Option<RecordId>,
}

/// A part of an owner's log.
#[derive(Debug, Clone, Copy)]
pub struct ChangeScan<'a> {
    /// Whose log.
    pub owner: &'a OwnerKey,
    /// Only what comes after this position.
    pub after: u64,
    /// And only up to this one.
    pub until: u64,
    /// Which changes.
    pub filter: &'a ChangeFilter,
    /// At most so many.
    pub limit: usize,
}

/// Where states begin and end, in both times, that a reader is not shown whole although it is shown the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HiddenEdges {
    /// When they were recorded and superseded: what the changes of those instants were about is not told.
    pub recorded: BTreeSet<(RecordId, Instant)>,
    /// On which days they begin and end: that something became effective then is not told.
    pub valid: BTreeSet<(RecordId, NaiveDate)>,
}

/// What a copy needs to know of a change beside the states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFacts {
    /// The record's controller of now.
    pub controller: Option<RecordId>,
    /// Where the record comes from: JSON, as the registry wrote it.
    pub origin: Option<String>,
    /// Whether it is erased by now.
    pub erased: bool,
    /// The record that it is merged into by now.
    pub forward_to: Option<RecordId>,
    /// The hash of the timeline after the change.
    pub hash: [u8; 32],
    /// Its leaf in the tree of the log, where that has grown over it.
    pub leaf: Option<Hash>,
    /// What opens the leaf.
    pub opening: Option<Opening>,
}

impl Reader<'_> {
    /// How far the owner's log has come, and when that was recorded. Everything up to there can be read: positions are
    /// given under the lock of the row that is read here. `None` = there is no such owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn log_head(&mut self, owner: &OwnerKey) -> Result<Option<(u64, Instant)>, StoreError> {
        let mut sql = Sql::<(BigInt, SqlMoment)>::new(
            "SELECT o.position, o.last_instant FROM owner o WHERE o.key = ",
        );
        sql.text(owner.as_str());
        let found: Option<(i64, Moment)> = self.connection.first(&sql)?;
        Ok(found.map(|(position, last)| (u64::try_from(position).unwrap_or_default(), last.0)))
    }

    /// The changes of a part of a log in order, of records that the reader is shown whole.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn scan_changes(
        &mut self,
        scan: &ChangeScan<'_>,
        visibility: &Visibility,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.push(
            "change c JOIN record r ON r.owner = c.owner AND r.id = c.record_id WHERE c.owner = ",
        );
        sql.text(scan.owner.as_str());
        sql.push(" AND c.position > ").big(position(scan.after));
        sql.push(" AND c.position <= ").big(position(scan.until));
        let filter = scan.filter;
        if !filter.domains.is_empty() {
            sql.push(" AND c.domain IN ")
                .smalls(filter.domains.iter().map(|domain| domain.code()));
        }
        if !filter.operations.is_empty() {
            let codes = filter.operations.iter().map(|operation| operation.code());
            sql.push(" AND c.operation IN ").smalls(codes);
        }
        if let Some(record) = filter.record {
            sql.push(" AND c.record_id = ").id(record);
        }
        if let Some(controller) = filter.controller {
            sql.push(" AND r.controller = ").id(controller);
        }
        sql.push(" AND ");
        visibility.push_record(&mut sql, "r", today, Reach::Match);
        sql.push(" ORDER BY c.position").limit(limit_of(scan.limit));
        self.connection
            .load::<_, Parts>(&sql)?
            .into_iter()
            .map(entry)
            .collect()
    }

    /// The states that were believed at each of these positions of the owner's log, of the record that the change was
    /// about: position by position, by valid time. Only those that the reader is shown whole.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn states_at_positions(
        &mut self,
        owner: &OwnerKey,
        positions: &[u64],
        visibility: &Visibility,
    ) -> Result<Vec<(u64, RecordRow)>, StoreError> {
        type RowTypes = (HeadTypes, Nullable<Integer>, StateTypes, BigInt);
        type RowParts = (HeadParts, Option<i32>, StateParts, i64);
        let today = self.today();
        let mut found = Vec::new();
        for chunk in positions.chunks(LIST) {
            let mut sql = Sql::<RowTypes>::new("SELECT ");
            sql.push(HEAD).push(", c.version, ").push(STATE).push(
                ", c.position FROM change c JOIN record r ON r.owner = c.owner AND r.id = c.record_id \
                 JOIN state s ON s.owner = c.owner AND s.record_id = c.record_id AND s.superseded_at > c.recorded_at \
                 AND s.recorded_at <= c.recorded_at WHERE c.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND c.position IN ")
                .bigs(chunk.iter().copied().map(position));
            sql.push(" AND ");
            visibility.push(&mut sql, "s", "r", today, Reach::Match);
            sql.push(" ORDER BY c.position, s.valid_from");
            for (head, version, state, at) in self.connection.load::<_, RowParts>(&sql)? {
                let row = record_row((head, version, state))?;
                found.push((u64::try_from(at).unwrap_or_default(), row));
            }
        }
        Ok(found)
    }

    /// What a copy needs to know of the records of these changes beside their states: the heads as they are now, and the
    /// hashes of the timelines after each change.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn copy_facts(
        &mut self,
        owner: &OwnerKey,
        positions: &[u64],
    ) -> Result<HashMap<u64, CopyFacts>, StoreError> {
        type RowTypes = (
            BigInt,
            Nullable<SqlId>,
            Nullable<Text>,
            SmallInt,
            Nullable<SqlId>,
            Binary,
            Nullable<Binary>,
            Nullable<Binary>,
        );
        type RowParts = (
            i64,
            Option<Id>,
            Option<String>,
            i16,
            Option<Id>,
            Vec<u8>,
            Option<Vec<u8>>,
            Option<Vec<u8>>,
        );
        let mut facts = HashMap::with_capacity(positions.len());
        for chunk in positions.chunks(LIST) {
            let mut sql = Sql::<RowTypes>::new(
                "SELECT c.position, r.controller, r.origin, r.status, d.forward_to, c.hash, c.leaf, c.opening FROM change c \
                 JOIN record r ON r.owner = c.owner AND r.id = c.record_id JOIN directory_id d ON d.id = c.record_id \
                 WHERE c.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND c.position IN ")
                .bigs(chunk.iter().copied().map(position));
            for (at, controller, origin, status, forward_to, hash, leaf, opening) in
                self.connection.load::<_, RowParts>(&sql)?
            {
                let wrong = || StoreError::disagrees(format!("the leaf of position {at}"));
                let leaf = leaf.map(|leaf| leaf.try_into().map(Hash).map_err(|_| wrong()));
                let opening =
                    opening.map(|opening| Opening::from_bytes(&opening).ok_or_else(wrong));
                let found = CopyFacts {
                    controller: controller.map(Id::record),
                    origin,
                    erased: status == RecordStatus::Erased.code(),
                    forward_to: forward_to.map(Id::record),
                    hash: hash
                        .try_into()
                        .map_err(|_| StoreError::disagrees("the hash of a change"))?,
                    leaf: leaf.transpose()?,
                    opening: opening.transpose()?,
                };
                facts.insert(u64::try_from(at).unwrap_or_default(), found);
            }
        }
        Ok(facts)
    }

    /// Of these records of the owner: the edges of states that the reader is not shown whole.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn hidden_edges(
        &mut self,
        owner: &OwnerKey,
        records: &[RecordId],
        visibility: &Visibility,
    ) -> Result<HiddenEdges, StoreError> {
        type RowTypes = (
            (SqlId, SmallInt, Nullable<SqlId>, SmallInt, Text),
            (SqlMoment, SqlMoment, SqlDay, SqlDay),
        );
        type RowParts = (
            (Id, i16, Option<Id>, i16, String),
            (Moment, Moment, Day, Day),
        );
        let mut hidden = HiddenEdges::default();
        for chunk in records.chunks(LIST) {
            let mut sql = Sql::<RowTypes>::new(
                "SELECT r.id, r.domain, r.controller, s.protection, r.owner, s.recorded_at, s.superseded_at, s.valid_from, \
                 s.valid_to FROM record r \
                 JOIN state s ON s.owner = r.owner AND s.record_id = r.id WHERE s.protection > 0 AND r.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND r.id IN ")
                .ids(chunk.iter().copied());
            for parts in self.connection.load::<_, RowParts>(&sql)? {
                let ((id, code, controller, level, owner), edges) = parts;
                let seen = Seen {
                    owner: &owner,
                    controller: controller.map(Id::record),
                    domain: domain(code)?,
                    level: u8::try_from(level).unwrap_or(u8::MAX),
                };
                if visibility.hides(&seen) {
                    let (recorded, superseded, from, to) = edges;
                    let id = id.record();
                    hidden
                        .recorded
                        .extend([(id, recorded.0), (id, superseded.0)]);
                    hidden.valid.extend([(id, from.0), (id, to.0)]);
                }
            }
        }
        Ok(hidden)
    }
}

pub(crate) fn position(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
