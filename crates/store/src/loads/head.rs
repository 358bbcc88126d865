//! Loads as a whole: begun, changed, listed.

use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};
use grunddata_model::OwnerKey;
use uuid::Uuid;

use super::{BatchRow, LoadKind, LoadRow, LoadStatus, Reached};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::store::Store;
use grunddata_model::TransactionId;

pub(super) type Types = (
    (SqlId, Text, Integer, SmallInt, SmallInt, Nullable<SqlId>),
    (Integer, Integer, BigInt, Text, SqlMoment, Text, SqlMoment),
);
pub(super) type Parts = (
    (Id, String, i32, i16, i16, Option<Id>),
    (i32, i32, i64, String, Moment, String, Moment),
);
type BatchTypes = (
    Integer,
    Nullable<SqlId>,
    SqlMoment,
    Integer,
    BigInt,
    Integer,
    Nullable<Text>,
);
type BatchParts = (i32, Option<Id>, Moment, i32, i64, i32, Option<String>);

pub(super) const SELECTED: &str = "SELECT t.id, t.source, t.source_version, t.kind, t.status, t.reverses, t.batches, t.reached_turn, \
     t.reached_row, t.content, t.created_at, t.created_by, t.changed_at FROM load t WHERE t.owner = ";

pub(super) fn row(owner: &OwnerKey, (what, how): Parts) -> Result<LoadRow, StoreError> {
    let (id, source, source_version, kind, status, reverses) = what;
    let (batches, turn, number, content, created, created_by, changed) = how;
    Ok(LoadRow {
        owner: owner.clone(),
        id: id.0,
        source,
        source_version: u32::try_from(source_version).unwrap_or_default(),
        kind: LoadKind::from_code(kind)
            .ok_or_else(|| StoreError::disagrees("the kind of a load"))?,
        status: LoadStatus::from_code(status)
            .ok_or_else(|| StoreError::disagrees("the status of a load"))?,
        reverses: reverses.map(|id| id.0),
        batches: u32::try_from(batches).unwrap_or_default(),
        reached: Reached { turn, number },
        content,
        created_at: created.0,
        created_by,
        changed_at: changed.0,
    })
}

/// A load of the owner.
pub(super) fn load_of(
    connection: &mut Connection,
    owner: &OwnerKey,
    id: Uuid,
) -> Result<Option<LoadRow>, StoreError> {
    let mut sql = Sql::<Types>::new(SELECTED);
    sql.text(owner.as_str())
        .push(" AND t.id = ")
        .bind(Bind::Id(Id(id)));
    let found: Option<Parts> = connection.first(&sql)?;
    found.map(|parts| row(owner, parts)).transpose()
}

/// Writes what may change of a load.
pub(super) fn update(connection: &mut Connection, load: &LoadRow) -> Result<usize, StoreError> {
    let mut sql = Sql::<()>::new("UPDATE load SET status = ");
    sql.small(load.status.code())
        .push(", batches = ")
        .int(i32::try_from(load.batches).unwrap_or(i32::MAX))
        .push(", reached_turn = ")
        .int(load.reached.turn)
        .push(", reached_row = ")
        .big(load.reached.number)
        .push(", content = ")
        .text(load.content.as_str())
        .push(", changed_at = ")
        .moment(load.changed_at)
        .push(" WHERE owner = ")
        .text(load.owner.as_str())
        .push(" AND id = ")
        .bind(Bind::Id(Id(load.id)));
    connection.execute(&sql)
}

fn open_of(
    connection: &mut Connection,
    owner: &OwnerKey,
    source: &str,
) -> Result<Option<LoadRow>, StoreError> {
    let mut sql = Sql::<Types>::new(SELECTED);
    sql.text(owner.as_str())
        .push(" AND t.source = ")
        .text(source)
        .push(" AND t.status < 10");
    let found: Option<Parts> = connection.first(&sql)?;
    found.map(|parts| row(owner, parts)).transpose()
}

impl Reader<'_> {
    /// A load of the owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn load(&mut self, owner: &OwnerKey, id: Uuid) -> Result<Option<LoadRow>, StoreError> {
        load_of(self.connection, owner, id)
    }

    /// Loads of an owner, the latest first: those of a source where one is given, before a load where one is given.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn loads(
        &mut self,
        owner: &OwnerKey,
        source: Option<&str>,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<LoadRow>, StoreError> {
        let mut sql = Sql::<Types>::new(SELECTED);
        sql.text(owner.as_str().to_owned());
        if let Some(source) = source {
            sql.push(" AND t.source = ").text(source.to_owned());
        }
        if let Some(before) = before {
            sql.push(" AND t.id < ").bind(Bind::Id(Id(before)));
        }
        sql.push(" ORDER BY t.id DESC").limit(limit);
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(|parts| row(owner, parts)).collect()
    }

    /// The last load of a source that was applied, reversals left out.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn last_applied(
        &mut self,
        owner: &OwnerKey,
        source: &str,
    ) -> Result<Option<LoadRow>, StoreError> {
        let mut sql = Sql::<Types>::new(SELECTED);
        sql.text(owner.as_str())
            .push(" AND t.source = ")
            .text(source)
            .push(" AND t.status = ")
            .small(LoadStatus::Applied.code())
            .push(" AND t.kind <> ")
            .small(LoadKind::Reversal.code())
            .push(" ORDER BY t.id DESC")
            .limit(1);
        let found: Option<Parts> = self.connection.first(&sql)?;
        found.map(|parts| row(owner, parts)).transpose()
    }

    /// The batches of a load after a number, in order.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn load_batches(
        &mut self,
        owner: &OwnerKey,
        load: Uuid,
        after: u32,
        limit: i64,
    ) -> Result<Vec<BatchRow>, StoreError> {
        let mut sql = Sql::<BatchTypes>::new(
            "SELECT t.number, t.transaction_id, t.recorded_at, t.reached_turn, t.reached_row, t.row_count, t.findings \
             FROM load_batch t WHERE t.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND t.load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND t.number > ")
            .int(i32::try_from(after).unwrap_or(i32::MAX))
            .push(" ORDER BY t.number")
            .limit(limit);
        let rows: Vec<BatchParts> = self.connection.load(&sql)?;
        Ok(rows
            .into_iter()
            .map(
                |(number, transaction, recorded, turn, row, rows, findings)| BatchRow {
                    number: u32::try_from(number).unwrap_or_default(),
                    transaction: transaction.map(|id| TransactionId(id.0)),
                    recorded_at: recorded.0,
                    reached: Reached { turn, number: row },
                    rows: u32::try_from(rows).unwrap_or_default(),
                    findings,
                },
            )
            .collect())
    }

    /// Which loads transactions of the owner belong to.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn loads_of_transactions(
        &mut self,
        owner: &OwnerKey,
        transactions: &[TransactionId],
    ) -> Result<Vec<(TransactionId, Uuid)>, StoreError> {
        let mut found = Vec::new();
        for chunk in transactions.chunks(LIST) {
            let mut sql = Sql::<(SqlId, SqlId)>::new(
                "SELECT t.transaction_id, t.load_id FROM load_batch t WHERE t.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND t.transaction_id IN ")
                .ids(chunk.iter().map(|id| grunddata_model::RecordId(id.uuid())));
            let rows: Vec<(Id, Id)> = self.connection.load(&sql)?;
            found.extend(
                rows.into_iter()
                    .map(|(transaction, load)| (TransactionId(transaction.0), load.0)),
            );
        }
        Ok(found)
    }
}

impl Store {
    /// Begins a load, unless its source has an open one: then `displace` says what becomes of that. Given the open load it
    /// returns it changed, and no longer open, or `None` to leave it; in that case it is given back and nothing is stored.
    ///
    /// # Errors
    /// [`StoreError::UnknownOwner`]; [`StoreError`] of the database.
    pub fn begin_load(
        &self,
        load: &LoadRow,
        displace: impl FnOnce(&LoadRow) -> Option<LoadRow>,
    ) -> Result<Result<(), Box<LoadRow>>, StoreError> {
        self.under_lock(&load.owner, |_, connection| {
            if let Some(open) = open_of(connection, &load.owner, &load.source)? {
                let Some(changed) = displace(&open).filter(|changed| !changed.status.is_open())
                else {
                    return Ok(Err(Box::new(open)));
                };
                update(connection, &changed)?;
            }
            let mut sql = Sql::<()>::new(
                "INSERT INTO load (owner, id, source, source_version, kind, status, reverses, batches, reached_turn, reached_row, \
                 content, created_at, created_by, changed_at) VALUES (",
            );
            sql.text(load.owner.as_str())
                .push(", ")
                .bind(Bind::Id(Id(load.id)))
                .push(", ")
                .text(load.source.as_str())
                .push(", ")
                .int(i32::try_from(load.source_version).unwrap_or(i32::MAX))
                .push(", ")
                .small(load.kind.code())
                .push(", ")
                .small(load.status.code())
                .push(", ")
                .bind(Bind::OptId(load.reverses.map(Id)))
                .push(", ")
                .int(i32::try_from(load.batches).unwrap_or(i32::MAX))
                .push(", ")
                .int(load.reached.turn)
                .push(", ")
                .big(load.reached.number)
                .push(", ")
                .text(load.content.as_str())
                .push(", ")
                .moment(load.created_at)
                .push(", ")
                .text(load.created_by.as_str())
                .push(", ")
                .moment(load.changed_at)
                .push(")");
            connection.execute(&sql)?;
            Ok(Ok(()))
        })
    }

    /// Changes status, counts and the like of a load under the owner's lock: the function is given the load as it is, and
    /// says what it becomes. What it refuses is given back, and nothing is stored.
    ///
    /// # Errors
    /// [`StoreError::UnknownOwner`]; [`StoreError`] of the database.
    pub fn change_load<E>(
        &self,
        owner: &OwnerKey,
        id: Uuid,
        change: impl FnOnce(Option<LoadRow>) -> Result<LoadRow, E>,
    ) -> Result<Result<LoadRow, E>, StoreError> {
        self.under_lock(owner, |_, connection| {
            let found = load_of(connection, owner, id)?;
            match change(found) {
                Ok(changed) => {
                    update(connection, &changed)?;
                    Ok(Ok(changed))
                }
                Err(refused) => Ok(Err(refused)),
            }
        })
    }
}
