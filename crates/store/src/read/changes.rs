//! The log: the versions of a record, what a transaction did, and what happened after a position.

use std::collections::BTreeSet;

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId, TransactionId};

use crate::coordinate::Known;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::records::RecordRow;
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::{Reach, Seen, Visibility};
use crate::write::{ChangeKind, Operation, domain, owner_key, period};

/// One accepted write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEntry {
    /// Whose log it stands in.
    pub owner: OwnerKey,
    /// Its position in the log.
    pub position: u64,
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// The version that it made; where it is no write, the one that the record had come to.
    pub version: u32,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The transaction that it belongs to.
    pub transaction: TransactionId,
    /// Which operation it was.
    pub operation: Operation,
    /// Change or correction.
    pub change_kind: ChangeKind,
    /// The version that it corrects.
    pub corrects: Option<u32>,
    /// Who wrote.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// The source that fed it.
    pub source: Option<String>,
    /// The part of valid time that it was about.
    pub touched: Period,
}

pub(crate) type Types = (
    (Text, BigInt, SqlId, SmallInt, Integer, SqlMoment, SqlId),
    (
        SmallInt,
        SmallInt,
        Nullable<Integer>,
        Text,
        Nullable<Text>,
        Nullable<Text>,
        SqlDay,
        SqlDay,
    ),
);
pub(crate) type Parts = (
    (String, i64, Id, i16, i32, Moment, Id),
    (
        i16,
        i16,
        Option<i32>,
        String,
        Option<String>,
        Option<String>,
        Day,
        Day,
    ),
);

pub(crate) const COLUMNS: &str = "SELECT c.owner, c.position, c.record_id, c.domain, c.version, c.recorded_at, c.transaction_id, \
     c.operation, c.change_kind, c.corrects, c.actor, c.reason, c.source, c.valid_from, c.valid_to FROM ";

pub(crate) fn entry((place, content): Parts) -> Result<ChangeEntry, StoreError> {
    let (owner, position, record, domain_code, version, recorded_at, transaction) = place;
    let (operation, kind, corrects, actor, reason, source, from, to) = content;
    Ok(ChangeEntry {
        owner: owner_key(&owner)?,
        position: u64::try_from(position).unwrap_or_default(),
        record: record.record(),
        domain: domain(domain_code)?,
        version: u32::try_from(version).unwrap_or_default(),
        recorded_at: recorded_at.0,
        transaction: TransactionId(transaction.0),
        operation: Operation::from_code(operation)
            .ok_or_else(|| StoreError::disagrees("the operation of a change"))?,
        change_kind: ChangeKind::from_code(kind)
            .ok_or_else(|| StoreError::disagrees("the kind of a change"))?,
        corrects: corrects.and_then(|version| u32::try_from(version).ok()),
        actor,
        reason,
        source,
        touched: period(from, to)?,
    })
}

impl Reader<'_> {
    /// The versions of a record with their changes, the newest first, as known. `before` continues a page.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn history(
        &mut self,
        id: RecordId,
        known: &Known,
        visibility: &Visibility,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.push(
            "directory_id d JOIN record r ON r.owner = d.owner AND r.id = d.id \
             JOIN change c ON c.owner = d.owner AND c.record_id = d.id WHERE d.id = ",
        );
        sql.id(id)
            .push(" AND c.recorded_at <= ")
            .known("d.owner", known)
            .push(" AND c.effective_on = ")
            .not_effective();
        if let Some(before) = before {
            sql.push(" AND c.version < ")
                .int(i32::try_from(before).unwrap_or(i32::MAX));
        }
        sql.push(" AND ");
        visibility.push_record(&mut sql, "r", today, Reach::Match);
        sql.push(" ORDER BY c.version DESC").limit(limit_of(limit));
        self.connection
            .load::<_, Parts>(&sql)?
            .into_iter()
            .map(entry)
            .collect()
    }

    /// When states of a record were recorded or superseded that the reader is not shown whole, although it sees the record
    /// as it is now: what the changes of those instants were about is not told.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn hidden_instants(
        &mut self,
        id: RecordId,
        visibility: &Visibility,
    ) -> Result<BTreeSet<Instant>, StoreError> {
        type Types = (
            Text,
            SmallInt,
            Nullable<SqlId>,
            SmallInt,
            SqlMoment,
            SqlMoment,
        );
        type Parts = (String, i16, Option<Id>, i16, Moment, Moment);
        let mut sql = Sql::<Types>::new(
            "SELECT r.owner, r.domain, r.controller, s.protection, s.recorded_at, s.superseded_at FROM directory_id d \
             JOIN record r ON r.owner = d.owner AND r.id = d.id \
             JOIN state s ON s.owner = d.owner AND s.record_id = d.id WHERE s.protection > 0 AND d.id = ",
        );
        sql.id(id);
        let mut hidden = BTreeSet::new();
        for (owner, code, controller, level, recorded, superseded) in
            self.connection.load::<_, Parts>(&sql)?
        {
            let seen = Seen {
                owner: &owner,
                controller: controller.map(Id::record),
                domain: domain(code)?,
                level: u8::try_from(level).unwrap_or(u8::MAX),
            };
            if visibility.hides(&seen) {
                hidden.extend([recorded.0, superseded.0]);
            }
        }
        Ok(hidden)
    }

    /// Whether two versions of a record say the same of every day.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn same_timeline(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
        one: u32,
        other: u32,
    ) -> Result<bool, StoreError> {
        let number = |version: u32| i32::try_from(version).unwrap_or(i32::MAX);
        let mut sql = Sql::<(Binary,)>::new("SELECT c.hash FROM change c WHERE c.owner = ");
        sql.text(owner.as_str())
            .push(" AND c.record_id = ")
            .id(id)
            .push(" AND c.version IN (")
            .int(number(one))
            .push(", ")
            .int(number(other))
            .push(") AND c.effective_on = ")
            .not_effective();
        let rows: Vec<(Vec<u8>,)> = self.connection.load(&sql)?;
        Ok(match rows.as_slice() {
            [(one,), (other,)] => one == other,
            _ => one == other,
        })
    }

    /// One version of a record: its change, and the states as they were believed then. `None` when there is no such
    /// version or the reader may not know of the record.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn version(
        &mut self,
        id: RecordId,
        version: u32,
        visibility: &Visibility,
    ) -> Result<Option<(ChangeEntry, Vec<RecordRow>)>, StoreError> {
        let before = version.saturating_add(1);
        let mut changes = self.history(id, &Known::latest(), visibility, Some(before), 1)?;
        let Some(change) = changes.pop().filter(|change| change.version == version) else {
            return Ok(None);
        };
        let known = Known::pinned(change.owner.clone(), change.recorded_at);
        let states = self.timeline(id, &known, visibility)?;
        Ok(Some((change, states)))
    }

    /// What a transaction of the owner wrote, in the order of the log.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn transaction(
        &mut self,
        owner: &OwnerKey,
        transaction: TransactionId,
        visibility: &Visibility,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.push(
            "accepted_transaction t JOIN change c ON c.owner = t.owner AND c.position >= t.first_position \
             AND c.position <= t.last_position JOIN record r ON r.owner = c.owner AND r.id = c.record_id WHERE t.owner = ",
        );
        sql.text(owner.as_str().to_owned())
            .push(" AND t.id = ")
            .id(transaction)
            .push(" AND c.effective_on = ")
            .not_effective();
        sql.push(" AND ");
        visibility.push_record(&mut sql, "r", today, Reach::Match);
        sql.push(" ORDER BY c.position");
        self.connection
            .load::<_, Parts>(&sql)?
            .into_iter()
            .map(entry)
            .collect()
    }

    /// What happened in an owner's log after a position, in order. Only for readers of the whole owner: what is hidden
    /// from others leaves gaps here.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn changes(
        &mut self,
        owner: &OwnerKey,
        after: u64,
        limit: usize,
        visibility: &Visibility,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.push(
            "change c JOIN record r ON r.owner = c.owner AND r.id = c.record_id WHERE c.owner = ",
        );
        sql.text(owner.as_str().to_owned());
        sql.push(" AND c.position > ")
            .big(i64::try_from(after).unwrap_or(i64::MAX));
        sql.push(" AND ");
        visibility.push_record(&mut sql, "r", today, Reach::Match);
        sql.push(" ORDER BY c.position").limit(limit_of(limit));
        self.connection
            .load::<_, Parts>(&sql)?
            .into_iter()
            .map(entry)
            .collect()
    }
}

pub(crate) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
