//! Hand-overs of records from one owner to another, and hand-offs about persons: how each side's stands, and which records
//! are being handed over meanwhile.
//!
//! Architecture invariant: what a hand-over does to records and how it stands are written in one database transaction of
//! the one owner. Nothing here spans two owners: whoever goes from step to step asks each side how far it is.

mod step;
mod tasks;

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};
use uuid::Uuid;

pub use step::TransferStep;
pub(crate) use step::{insert_directory, write_transfers};
pub use tasks::TransferTask;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::write::owner_key;

stored_code! {
    /// What is handed over. The codes are stored and never change.
    TransferKind {
        /// Records, which go on under the receiver.
        Records = 1, "records";
        /// What the receiver needs to begin a record of its own about a person.
        Person = 2, "person";
    }
}

stored_code! {
    /// Whose row it is. The codes are stored and never change.
    TransferSide {
        /// The giver's.
        Giver = 1, "giver";
        /// The receiver's.
        Receiver = 2, "receiver";
    }
}

stored_code! {
    /// How far a hand-over is. The codes are stored and never change.
    TransferState {
        /// The giver has offered it.
        Offered = 1, "offered";
        /// The receiver has accepted it: nothing is written to its records until it is done.
        Accepted = 2, "accepted";
        /// The receiver has its records; the giver's do not lead there yet.
        Received = 3, "received";
        /// It is done.
        Done = 4, "done";
        /// The receiver has refused it.
        Refused = 5, "refused";
        /// The giver has withdrawn it.
        Withdrawn = 6, "withdrawn";
    }
}

/// A hand-over as one side keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// Whose side it is.
    pub owner: OwnerKey,
    /// The hand-over: the same on both sides.
    pub id: Uuid,
    /// What is handed over.
    pub kind: TransferKind,
    /// Which side it is.
    pub side: TransferSide,
    /// How far it is.
    pub state: TransferState,
    /// The owner on the other side.
    pub other: OwnerKey,
    /// What, with whom and how: JSON, as the registry wrote it.
    pub content: String,
    /// When the row was made.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When it last went on.
    pub changed_at: Instant,
}

/// A record as it is handed over: what is believed, and where that stands in the giver's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedRecord {
    /// The record of the giver.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Its version.
    pub version: u32,
    /// Its controller.
    pub controller: Option<RecordId>,
    /// Whether it is protected or restricted by now, or tells of somebody who is.
    pub hidden: bool,
    /// The position of that version in the giver's log.
    pub position: u64,
    /// The leaf of that entry in the tree of the log.
    pub leaf: Option<Vec<u8>>,
    /// Period, model and body of each state that is believed, by period.
    pub states: Vec<(Period, String, String)>,
}

type Types = (
    Text,
    SqlId,
    SmallInt,
    SmallInt,
    SmallInt,
    Text,
    Text,
    SqlMoment,
    Text,
    SqlMoment,
);
type Parts = (
    String,
    Id,
    i16,
    i16,
    i16,
    String,
    String,
    Moment,
    String,
    Moment,
);
type HeadTypes = (
    SqlId,
    SmallInt,
    Integer,
    Nullable<SqlId>,
    SmallInt,
    BigInt,
    Nullable<Binary>,
);
type HeadParts = (Id, i16, i32, Option<Id>, i16, i64, Option<Vec<u8>>);

const COLUMNS: &str = "SELECT t.owner, t.id, t.kind, t.side, t.state, t.other, t.content, t.created_at, t.created_by, t.changed_at FROM transfer t";

fn row(
    (owner, id, kind, side, state, other, content, created_at, created_by, changed_at): Parts,
) -> Result<TransferRow, StoreError> {
    let wrong = || StoreError::disagrees("the codes of a hand-over");
    Ok(TransferRow {
        owner: owner_key(&owner)?,
        id: id.0,
        kind: TransferKind::from_code(kind).ok_or_else(wrong)?,
        side: TransferSide::from_code(side).ok_or_else(wrong)?,
        state: TransferState::from_code(state).ok_or_else(wrong)?,
        other: owner_key(&other)?,
        content,
        created_at: created_at.0,
        created_by,
        changed_at: changed_at.0,
    })
}

pub(crate) fn transfer_of(
    connection: &mut Connection,
    owner: &OwnerKey,
    id: Uuid,
) -> Result<Option<TransferRow>, StoreError> {
    let mut sql = Sql::<Types>::new(COLUMNS);
    sql.push(" WHERE t.owner = ")
        .text(owner.as_str())
        .push(" AND t.id = ")
        .bind(Bind::Id(Id(id)));
    let found: Option<Parts> = connection.first(&sql)?;
    found.map(row).transpose()
}

/// Records of an owner that are being handed over, with the hand-over.
pub(crate) fn records_in_transfer(
    connection: &mut Connection,
    owner: &OwnerKey,
) -> Result<HashMap<RecordId, Uuid>, StoreError> {
    let mut sql = Sql::<(SqlId, SqlId)>::new(
        "SELECT t.record_id, t.transfer_id FROM transfer_record t WHERE t.owner = ",
    );
    sql.text(owner.as_str());
    let rows: Vec<(Id, Id)> = connection.load(&sql)?;
    Ok(rows
        .into_iter()
        .map(|(record, transfer)| (record.record(), transfer.0))
        .collect())
}

impl Reader<'_> {
    /// The hand-overs of a kind of an owner, both those that it gives and those that it receives, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn transfers(
        &mut self,
        owner: &OwnerKey,
        kind: TransferKind,
        most: usize,
    ) -> Result<Vec<TransferRow>, StoreError> {
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.push(" WHERE t.owner = ")
            .text(owner.as_str())
            .push(" AND t.kind = ")
            .small(kind.code())
            .push(" ORDER BY t.created_at DESC, t.id")
            .limit(i64::try_from(most).unwrap_or(i64::MAX));
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(row).collect()
    }

    /// The hand-overs that other owners of this registry offer to an owner, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn transfers_to(
        &mut self,
        owner: &OwnerKey,
        kind: TransferKind,
        most: usize,
    ) -> Result<Vec<TransferRow>, StoreError> {
        let mut sql = Sql::<Types>::new(&format!(
            "{COLUMNS} JOIN directory_transfer d ON d.giver = t.owner AND d.id = t.id WHERE d.receiver = "
        ));
        sql.text(owner.as_str())
            .push(" AND t.other = ")
            .text(owner.as_str())
            .push(" AND t.kind = ")
            .small(kind.code())
            .push(" AND t.side = ")
            .small(TransferSide::Giver.code())
            .push(" ORDER BY t.created_at DESC, t.id")
            .limit(i64::try_from(most).unwrap_or(i64::MAX));
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(row).collect()
    }

    /// Both sides of a hand-over, as far as they are in this registry.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn transfer(&mut self, id: Uuid) -> Result<Vec<TransferRow>, StoreError> {
        let mut sql = Sql::<(Text, Text)>::new(
            "SELECT d.giver, d.receiver FROM directory_transfer d WHERE d.id = ",
        );
        sql.bind(Bind::Id(Id(id)));
        let owners: Vec<(String, String)> = self.connection.load(&sql)?;
        let mut owners: Vec<String> = owners.into_iter().flat_map(<[String; 2]>::from).collect();
        owners.sort_unstable();
        owners.dedup();
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.push(" WHERE t.id = ")
            .bind(Bind::Id(Id(id)))
            .push(" AND t.owner IN ")
            .texts(owners)
            .push(" ORDER BY t.side");
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(row).collect()
    }

    /// Records of an owner as they are handed over, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn handed_records(
        &mut self,
        owner: &OwnerKey,
        ids: &[RecordId],
    ) -> Result<Vec<HandedRecord>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(LIST) {
            let mut states = Sql::<(SqlId, SqlDay, SqlDay, Text, Text)>::new(
                "SELECT s.record_id, s.valid_from, s.valid_to, s.model, s.body FROM state s WHERE s.owner = ",
            );
            states
                .text(owner.as_str())
                .push(" AND s.superseded_at = ")
                .forever()
                .push(" AND s.record_id IN ")
                .ids(chunk.iter().copied())
                .push(" ORDER BY s.record_id, s.valid_from");
            let rows: Vec<(Id, Day, Day, String, String)> = self.connection.load(&states)?;
            let mut believed: HashMap<RecordId, Vec<(Period, String, String)>> = HashMap::new();
            for (id, from, to, model, body) in rows {
                let period = crate::write::period(from, to)?;
                believed
                    .entry(id.record())
                    .or_default()
                    .push((period, model, body));
            }
            let mut heads = Sql::<HeadTypes>::new(
                "SELECT r.id, r.domain, r.version, r.controller, r.protection, c.position, c.leaf FROM record r \
                 JOIN change c ON c.owner = r.owner AND c.record_id = r.id AND c.version = r.version AND c.effective_on = ",
            );
            heads
                .not_effective()
                .push(" WHERE r.owner = ")
                .text(owner.as_str())
                .push(" AND r.id IN ")
                .ids(chunk.iter().copied())
                .push(" ORDER BY r.id");
            let heads: Vec<HeadParts> = self.connection.load(&heads)?;
            for (id, domain, version, controller, level, position, leaf) in heads {
                let id = id.record();
                found.push(HandedRecord {
                    id,
                    domain: crate::write::domain(domain)?,
                    version: u32::try_from(version).unwrap_or_default(),
                    controller: controller.map(Id::record),
                    hidden: level > 0,
                    position: u64::try_from(position).unwrap_or_default(),
                    leaf,
                    states: believed.remove(&id).unwrap_or_default(),
                });
            }
        }
        Ok(found)
    }

    /// The instant just before the last change of a record, where it has had another before.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn before_last(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
    ) -> Result<Option<Instant>, StoreError> {
        let mut sql = Sql::<(SqlMoment,)>::new(
            "SELECT c.recorded_at FROM record r JOIN change c ON c.owner = r.owner AND c.record_id = r.id \
             AND c.version = r.version AND c.effective_on = ",
        );
        sql.not_effective()
            .push(" WHERE r.owner = ")
            .text(owner.as_str())
            .push(" AND r.id = ")
            .id(id);
        let found: Option<(Moment,)> = self.connection.first(&sql)?;
        Ok(found.map(|(at,)| Instant::from_micros(at.0.micros() - 1)))
    }

    /// Whose a record is; `None` when there is no such record here.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn record_owner(&mut self, id: RecordId) -> Result<Option<OwnerKey>, StoreError> {
        let mut sql = Sql::<(Text,)>::new("SELECT d.owner FROM directory_id d WHERE d.id = ");
        sql.id(id);
        let found: Option<(String,)> = self.connection.first(&sql)?;
        found.map(|(owner,)| owner_key(&owner)).transpose()
    }

    /// Where a record comes from, or was handed over to: JSON, as the registry wrote it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn origin_of(
        &mut self,
        owner: &OwnerKey,
        id: RecordId,
    ) -> Result<Option<String>, StoreError> {
        let mut sql =
            Sql::<(Nullable<Text>,)>::new("SELECT r.origin FROM record r WHERE r.owner = ");
        sql.text(owner.as_str()).push(" AND r.id = ").id(id);
        let found: Option<(Option<String>,)> = self.connection.first(&sql)?;
        Ok(found.and_then(|(origin,)| origin))
    }
}
