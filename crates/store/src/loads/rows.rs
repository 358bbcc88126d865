//! The rows of plans: read in pages, found by key and by turn, cleared of what was erased.

use std::collections::{BTreeSet, HashMap};

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_model::{OwnerKey, RecordId};
use uuid::Uuid;

use super::{KeyHash, PlanRow, Reached, RowOutcome, RowState};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::store::Store;
use crate::write::{domain, of_columns};

type Types = (
    (BigInt, BigInt, Text, Text, Binary, SmallInt, SmallInt),
    (
        Integer,
        SmallInt,
        Nullable<SqlId>,
        Nullable<Integer>,
        SmallInt,
        SmallInt,
        Text,
    ),
);
type Parts = (
    (i64, i64, String, String, Vec<u8>, i16, i16),
    (i32, i16, Option<Id>, Option<i32>, i16, i16, String),
);

const COLUMNS: &str = "SELECT t.number, t.file_row, t.record_name, t.key, t.key_hash, t.domain, t.outcome, t.turn, t.state, \
     t.record_id, t.base_version, t.classes, t.protection, t.content FROM load_row t WHERE t.owner = ";
/// How many rows of a plan that was given up are removed in one transaction.
const CLEARED: i64 = 2_000;
/// A value that is shorter is not looked for in the rows of plans when a record is erased: it would be found everywhere.
pub(super) const SHORTEST_TRACE: usize = 6;
/// How many values are looked for together.
const TRACES: usize = 64;

fn row((what, how): Parts) -> Result<PlanRow, StoreError> {
    let (number, file_row, record_name, key, key_hash, code, outcome) = what;
    let (turn, state, record, base_version, classes, protection, content) = how;
    Ok(PlanRow {
        number,
        file_row,
        record_name,
        key,
        key_hash: hash(key_hash)?,
        domain: domain(code)?,
        outcome: RowOutcome::from_code(outcome)
            .ok_or_else(|| StoreError::disagrees("the outcome of a row"))?,
        turn,
        state: RowState::from_code(state)
            .ok_or_else(|| StoreError::disagrees("the state of a row"))?,
        record: record.map(Id::record),
        base_version: base_version.and_then(|version| u32::try_from(version).ok()),
        classes: u8::try_from(classes).unwrap_or(u8::MAX),
        protection: u8::try_from(protection).unwrap_or(u8::MAX),
        content,
    })
}

pub(super) fn hash(bytes: Vec<u8>) -> Result<[u8; 16], StoreError> {
    <[u8; 16]>::try_from(bytes).map_err(|_| StoreError::disagrees("a hash of 16 bytes"))
}

/// Which rows of a plan are asked for. Everything that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowFilter {
    /// One of these outcomes; empty = any.
    pub outcomes: Vec<RowOutcome>,
    /// This state.
    pub state: Option<RowState>,
    /// Only rows that the load has reached (true) or not (false), up to the place.
    pub reached: Option<(bool, Reached)>,
    /// About this record.
    pub record: Option<RecordId>,
    /// After this number.
    pub after: i64,
}

/// ` AND (turn, number) <= place`, in a form that both databases plan by the index.
fn push_reached<'a, T>(sql: &mut Sql<'a, T>, reached: bool, place: Reached) {
    let operator = if reached { "<=" } else { ">" };
    sql.push(" AND (t.turn, t.number) ")
        .push(operator)
        .push(" (")
        .int(place.turn)
        .push(", ")
        .big(place.number)
        .push(")");
}

impl Reader<'_> {
    /// Rows of a plan, in the order of their numbers.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn plan_rows(
        &mut self,
        owner: &OwnerKey,
        load: Uuid,
        filter: &RowFilter,
        limit: i64,
    ) -> Result<Vec<PlanRow>, StoreError> {
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.text(owner.as_str().to_owned())
            .push(" AND t.load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND t.number > ")
            .big(filter.after);
        if !filter.outcomes.is_empty() {
            sql.push(" AND t.outcome IN (");
            for (place, outcome) in filter.outcomes.iter().enumerate() {
                if place > 0 {
                    sql.push(", ");
                }
                sql.small(outcome.code());
            }
            sql.push(")");
        }
        if let Some(state) = filter.state {
            sql.push(" AND t.state = ").small(state.code());
        }
        if let Some(record) = filter.record {
            sql.push(" AND t.record_id = ").id(record);
        }
        if let Some((reached, place)) = filter.reached {
            push_reached(&mut sql, reached, place);
        }
        sql.push(" ORDER BY t.number").limit(limit);
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(row).collect()
    }

    /// The next rows to be applied, in the order in which they are: those that are ready after a place.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn next_rows(
        &mut self,
        owner: &OwnerKey,
        load: Uuid,
        after: Reached,
        limit: i64,
    ) -> Result<Vec<PlanRow>, StoreError> {
        rows_by_turn(self.connection, owner, load, after, None, limit)
    }

    /// Rows in the order in which they are applied, between two places: after the one, up to and including the other.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn rows_between(
        &mut self,
        owner: &OwnerKey,
        load: Uuid,
        after: Reached,
        until: Reached,
    ) -> Result<Vec<PlanRow>, StoreError> {
        rows_by_turn(
            self.connection,
            owner,
            load,
            after,
            Some(until),
            i64::MAX / 2,
        )
    }
}

impl Reader<'_> {
    /// Controller and present level of protection of records of an owner, for the predicate.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn protection_of(
        &mut self,
        owner: &OwnerKey,
        ids: &[RecordId],
    ) -> Result<HashMap<RecordId, (Option<RecordId>, u8)>, StoreError> {
        let today = self.today();
        let mut found = HashMap::with_capacity(ids.len());
        for chunk in ids.chunks(LIST) {
            let mut sql = Sql::<(SqlId, Nullable<SqlId>, SqlDay, SmallInt)>::new(
                "SELECT r.id, r.controller, r.protected_until, r.protection FROM record r WHERE r.owner = ",
            );
            sql.text(owner.as_str())
                .push(" AND r.id IN ")
                .ids(chunk.iter().copied());
            let rows: Vec<(Id, Option<Id>, Day, i16)> = self.connection.load(&sql)?;
            for (id, controller, until, level) in rows {
                let level = of_columns(until, level).on(today);
                found.insert(id.record(), (controller.map(Id::record), level));
            }
        }
        Ok(found)
    }
}

fn rows_by_turn(
    connection: &mut Connection,
    owner: &OwnerKey,
    load: Uuid,
    after: Reached,
    until: Option<Reached>,
    limit: i64,
) -> Result<Vec<PlanRow>, StoreError> {
    let mut sql = Sql::<Types>::new(COLUMNS);
    sql.text(owner.as_str().to_owned())
        .push(" AND t.load_id = ")
        .bind(Bind::Id(Id(load)));
    push_reached(&mut sql, false, after);
    if let Some(until) = until {
        push_reached(&mut sql, true, until);
    }
    sql.push(" ORDER BY t.turn, t.number").limit(limit);
    let rows: Vec<Parts> = connection.load(&sql)?;
    rows.into_iter().map(row).collect()
}

/// Rows of a plan that have one of the keys.
pub(super) fn rows_of_keys(
    connection: &mut Connection,
    owner: &str,
    load: Uuid,
    keys: &[KeyHash],
) -> Result<Vec<PlanRow>, StoreError> {
    let mut found = Vec::new();
    for chunk in keys.chunks(LIST) {
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.text(owner)
            .push(" AND t.load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND t.key_hash IN ")
            .hashes(chunk);
        let rows: Vec<Parts> = connection.load(&sql)?;
        for parts in rows {
            found.push(row(parts)?);
        }
    }
    Ok(found)
}

/// A row of a plan by its number.
pub(super) fn row_of_number(
    connection: &mut Connection,
    owner: &str,
    load: Uuid,
    number: i64,
) -> Result<Option<PlanRow>, StoreError> {
    let mut sql = Sql::<Types>::new(COLUMNS);
    sql.text(owner)
        .push(" AND t.load_id = ")
        .bind(Bind::Id(Id(load)))
        .push(" AND t.number = ")
        .big(number);
    let found: Option<Parts> = connection.first(&sql)?;
    found.map(row).transpose()
}

/// Rows of a plan that wait for others, in the order of their numbers.
pub(super) fn waiting_rows(
    connection: &mut Connection,
    owner: &str,
    load: Uuid,
    after: i64,
    limit: i64,
) -> Result<Vec<PlanRow>, StoreError> {
    let mut sql = Sql::<Types>::new(COLUMNS);
    sql.text(owner)
        .push(" AND t.load_id = ")
        .bind(Bind::Id(Id(load)))
        .push(" AND t.state <> 0 AND t.state = ")
        .small(RowState::Waiting.code())
        .push(" AND t.number > ")
        .big(after)
        .push(" ORDER BY t.number")
        .limit(limit);
    let rows: Vec<Parts> = connection.load(&sql)?;
    rows.into_iter().map(row).collect()
}

impl Store {
    /// Removes the rows of a load that was given up which it has not reached. Those that it has say what was done.
    /// Some thousand at a time: nobody waits long for it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn clear_plan(
        &self,
        owner: &OwnerKey,
        load: Uuid,
        reached: Reached,
    ) -> Result<(), StoreError> {
        let mut connection = self.connect_for(crate::connection::Purpose::Write)?;
        loop {
            let mut last =
                Sql::<(BigInt,)>::new("SELECT t.number FROM load_row t WHERE t.owner = ");
            last.text(owner.as_str())
                .push(" AND t.load_id = ")
                .bind(Bind::Id(Id(load)));
            push_reached(&mut last, false, reached);
            last.push(" ORDER BY t.turn, t.number").limit(CLEARED);
            let numbers: Vec<(i64,)> = connection.load(&last)?;
            if numbers.is_empty() {
                return Ok(());
            }
            connection.begin()?;
            for (number,) in &numbers {
                let mut sql = Sql::<()>::new("DELETE FROM load_row WHERE owner = ");
                sql.text(owner.as_str())
                    .push(" AND load_id = ")
                    .bind(Bind::Id(Id(load)))
                    .push(" AND number = ")
                    .big(*number);
                connection.execute(&sql)?;
            }
            connection.commit()?;
        }
    }
}

/// Clears the rows of plans about a record that has waited for an erased one: those that came to something or nothing, and of
/// those that are still to be applied the ones that name one of its identifiers. The others say something else of it.
pub(crate) fn clear_waiting(
    connection: &mut Connection,
    owner: &str,
    id: RecordId,
    values: &BTreeSet<&str>,
) -> Result<(), StoreError> {
    let mut sql = emptied(owner);
    sql.push(" AND record_id = ")
        .id(id)
        .push(" AND (state <> 0");
    for value in values.iter().filter(|value| value.len() >= SHORTEST_TRACE) {
        let like = format!("%{value}%");
        sql.push(" OR key LIKE ").text(like.clone());
        sql.push(" OR content LIKE ").text(like);
    }
    sql.push(")").uncached();
    connection.execute(&sql).map(drop)
}

/// Empties rows of plans of the owner.
fn emptied(owner: &str) -> Sql<'static, ()> {
    let mut sql = Sql::<()>::new("UPDATE load_row SET content = ");
    sql.text("")
        .push(", key = ")
        .text("")
        .push(", key_hash = ")
        .bytes([0_u8; 16].as_slice().to_vec())
        .push(" WHERE owner = ")
        .text(owner.to_owned());
    sql
}

/// Clears the rows of plans of what they tell of erased records: of those that are about them, and of those that would
/// have made a record and hold one of their identifiers. Rows that came to nothing hold neither key nor data.
pub(crate) fn clear(
    connection: &mut Connection,
    owner: &str,
    ids: &[RecordId],
    values: &BTreeSet<&str>,
) -> Result<(), StoreError> {
    let begin = || emptied(owner);
    let mut sql = begin();
    sql.push(" AND record_id IN ").ids(ids.iter().copied());
    connection.execute(&sql)?;
    let values: Vec<&str> = values
        .iter()
        .copied()
        .filter(|value| value.len() >= SHORTEST_TRACE)
        .collect();
    if values.is_empty() {
        return Ok(());
    }
    let mut open =
        Sql::<(SqlId,)>::new("SELECT t.id FROM load t WHERE t.status < 10 AND t.owner = ");
    open.text(owner.to_owned());
    let open: Vec<(Id,)> = connection.load(&open)?;
    for chunk in values.chunks(TRACES) {
        let mut not_ready = begin();
        not_ready.push(" AND state <> 0");
        let mut places = vec![not_ready];
        for (load,) in &open {
            let mut planned = begin();
            planned
                .push(" AND load_id = ")
                .bind(Bind::Id(*load))
                .push(" AND outcome = ")
                .small(RowOutcome::Create.code());
            places.push(planned);
        }
        for mut sql in places {
            sql.push(" AND (key LIKE ").text("no key");
            for value in chunk {
                let like = format!("%{value}%");
                sql.push(" OR key LIKE ").text(like.clone());
                sql.push(" OR content LIKE ").text(like);
            }
            sql.push(")").uncached();
            connection.execute(&sql)?;
        }
    }
    Ok(())
}
