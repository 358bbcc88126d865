//! A plan while it is made: reads what it is worked out from, and writes its rows, on a connection of its own.
//!
//! Nothing here takes the owner's lock: a plan changes no record, and what it rests on is looked at again when it is
//! applied.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, SmallInt};
use grunddata_model::{OwnerKey, RecordId, SchemeCode};
use std::sync::Arc;
use uuid::Uuid;

use super::{
    AssertionHead, AssertionRow, KeyHash, LoadStatus, PlanRow, RowOutcome, RowState, assertions,
    rows,
};
use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::Id;
use crate::store::Store;
use crate::write::{Batch, Claim, Inbound, LoadRowInsert, RecordImage};

/// Makes the plan of one load.
pub struct PlanWriter {
    connection: Option<Connection>,
    store: Store,
    owner: OwnerKey,
    load: Uuid,
    source: String,
}

impl Store {
    /// What makes the plan of a load that has begun.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    pub fn plan_writer(
        &self,
        owner: &OwnerKey,
        load: Uuid,
        source: &str,
    ) -> Result<PlanWriter, StoreError> {
        Ok(PlanWriter {
            connection: Some(self.connect_for(Purpose::Write)?),
            store: self.clone(),
            owner: owner.clone(),
            load,
            source: source.to_owned(),
        })
    }
}

impl PlanWriter {
    fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        if self.connection.is_none() {
            self.connection = Some(self.store.connect_for(Purpose::Write)?);
        }
        self.connection
            .as_mut()
            .ok_or_else(|| StoreError::Unavailable("no connection".into()))
    }

    /// Of these keys of the source what tells whether something new is said.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn heads(
        &mut self,
        keys: &[KeyHash],
    ) -> Result<HashMap<KeyHash, AssertionHead>, StoreError> {
        let (owner, source) = (self.owner.clone(), self.source.clone());
        assertions::heads(self.connection()?, owner.as_str(), &source, keys)
    }

    /// What the source still says, in the order of the keys, after one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn present_after(
        &mut self,
        after: Option<&KeyHash>,
        limit: i64,
    ) -> Result<Vec<AssertionHead>, StoreError> {
        let (owner, source) = (self.owner.clone(), self.source.clone());
        assertions::present_after(self.connection()?, owner.as_str(), &source, after, limit)
    }

    /// The keys of the source for records of a name, with how they are written, after one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn keys_after(
        &mut self,
        record_name: &str,
        after: Option<&KeyHash>,
        limit: i64,
    ) -> Result<Vec<(KeyHash, String)>, StoreError> {
        let (owner, source) = (self.owner.clone(), self.source.clone());
        let of = (owner.as_str(), &*source, record_name);
        assertions::keys_after(self.connection()?, of, after, limit)
    }

    /// All that these keys of the source say.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn said(&mut self, keys: &[KeyHash]) -> Result<HashMap<KeyHash, AssertionRow>, StoreError> {
        let (owner, source) = (self.owner.clone(), self.source.clone());
        assertions::of_keys(self.connection()?, owner.as_str(), &source, keys)
    }

    /// All that is said of these records, by whatever source of the owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn said_of(&mut self, records: &[RecordId]) -> Result<Vec<AssertionRow>, StoreError> {
        let owner = self.owner.clone();
        assertions::of_records(self.connection()?, owner.as_str(), records)
    }

    /// Rows of this plan with one of the keys.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn rows_of_keys(&mut self, keys: &[KeyHash]) -> Result<Vec<PlanRow>, StoreError> {
        let (owner, load) = (self.owner.clone(), self.load);
        rows::rows_of_keys(self.connection()?, owner.as_str(), load, keys)
    }

    /// A row of this plan that is written, by its number.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn row(&mut self, number: i64) -> Result<Option<PlanRow>, StoreError> {
        let (owner, load) = (self.owner.clone(), self.load);
        rows::row_of_number(self.connection()?, owner.as_str(), load, number)
    }

    /// Rows of this plan that wait for others, after a number.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn waiting_rows(&mut self, after: i64, limit: i64) -> Result<Vec<PlanRow>, StoreError> {
        let (owner, load) = (self.owner.clone(), self.load);
        rows::waiting_rows(self.connection()?, owner.as_str(), load, after, limit)
    }

    /// Records as believed now, of any owner, whoever may see them: what of it may be told is decided elsewhere.
    /// Identifiers, with who holds them, of all owners; links that lead to the records of this owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn believed(
        &mut self,
        records: &[RecordId],
        identifiers: &[(SchemeCode, String)],
        inbound: &[RecordId],
    ) -> Result<Believed, StoreError> {
        self.connection()?;
        let Some(connection) = self.connection.take() else {
            return Err(StoreError::Unavailable("no connection".into()));
        };
        let mut batch = Batch::new(connection, self.store.model().clone(), self.owner.clone());
        let loaded = batch
            .load_records(records)
            .and_then(|()| batch.load_claims(identifiers))
            .and_then(|()| batch.load_inbound(inbound));
        let Batch {
            connection,
            stored,
            stored_claims,
            stored_inbound,
            ..
        } = batch;
        // A connection that failed is opened anew.
        loaded?;
        self.connection = Some(connection);
        Ok(Believed {
            records: stored
                .into_iter()
                .filter_map(|(id, image)| image.map(|image| (id, image)))
                .collect(),
            claims: stored_claims,
            inbound: stored_inbound,
        })
    }

    /// Writes new rows and rows that were worked out since they were written, and notes that the plan is still being made.
    /// Whether it still is: not when the load has been cancelled.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn write(&mut self, new: &[PlanRow], changed: &[PlanRow]) -> Result<bool, StoreError> {
        let (owner, load) = (self.owner.clone(), self.load);
        let now = self.store.read(|reader| Ok(reader.now()))?;
        let connection = self.connection()?;
        connection.begin()?;
        let mut sql = Sql::<()>::new("UPDATE load SET changed_at = ");
        sql.moment(now)
            .push(" WHERE owner = ")
            .text(owner.as_str())
            .push(" AND id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND status = ")
            .small(LoadStatus::Planning.code());
        let done = connection.execute(&sql).and_then(|hit| {
            if hit == 0 {
                return Ok(false);
            }
            let inserted: Vec<LoadRowInsert<'_>> = new
                .iter()
                .map(|row| insert_of(owner.as_str(), load, row))
                .collect();
            crate::write::insert(connection, &inserted)?;
            for row in changed {
                update(connection, owner.as_str(), load, row)?;
            }
            Ok(true)
        });
        match done {
            Ok(true) => {
                connection.commit()?;
                Ok(true)
            }
            Ok(false) => {
                connection.rollback()?;
                Ok(false)
            }
            Err(error) => {
                // Dropped, the connection takes its work back.
                self.connection = None;
                Err(error)
            }
        }
    }

    /// Gives rows their turns: number and turn.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn set_turns(&mut self, turns: &[(i64, i32)]) -> Result<(), StoreError> {
        let (owner, load) = (self.owner.clone(), self.load);
        let connection = self.connection()?;
        for chunk in turns.chunks(1_000) {
            connection.begin()?;
            for (number, turn) in chunk {
                let mut sql = Sql::<()>::new("UPDATE load_row SET turn = ");
                sql.int(*turn)
                    .push(" WHERE owner = ")
                    .text(owner.as_str())
                    .push(" AND load_id = ")
                    .bind(Bind::Id(Id(load)))
                    .push(" AND number = ")
                    .big(*number);
                connection.execute(&sql)?;
            }
            connection.commit()?;
        }
        Ok(())
    }

    /// How many rows there are of each outcome and state.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn counts(&mut self) -> Result<Vec<(RowOutcome, RowState, u64)>, StoreError> {
        let (owner, load) = (self.owner.clone(), self.load);
        let mut sql = Sql::<(SmallInt, SmallInt, BigInt)>::new(
            "SELECT t.outcome, t.state, COUNT(*) FROM load_row t WHERE t.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND t.load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" GROUP BY t.outcome, t.state");
        let rows: Vec<(i16, i16, i64)> = self.connection()?.load(&sql)?;
        rows.into_iter()
            .map(|(outcome, state, count)| {
                let outcome = RowOutcome::from_code(outcome);
                let state = RowState::from_code(state);
                match (outcome, state) {
                    (Some(outcome), Some(state)) => {
                        Ok((outcome, state, u64::try_from(count).unwrap_or_default()))
                    }
                    _ => Err(StoreError::disagrees("the outcome of a row")),
                }
            })
            .collect()
    }

    /// Removes rows of which nothing is left to do.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn remove(&mut self, numbers: &[i64]) -> Result<(), StoreError> {
        let (owner, load) = (self.owner.clone(), self.load);
        let connection = self.connection()?;
        connection.begin()?;
        for number in numbers {
            let mut sql = Sql::<()>::new("DELETE FROM load_row WHERE owner = ");
            sql.text(owner.as_str())
                .push(" AND load_id = ")
                .bind(Bind::Id(Id(load)))
                .push(" AND number = ")
                .big(*number);
            connection.execute(&sql)?;
        }
        connection.commit()
    }
}

/// What is believed now, for working a plan out.
#[derive(Debug, Default)]
pub struct Believed {
    /// The records that there are.
    pub records: HashMap<RecordId, Arc<RecordImage>>,
    /// Who holds the identifiers.
    pub claims: HashMap<(SchemeCode, String), Vec<Claim>>,
    /// What refers to the records.
    pub inbound: HashMap<RecordId, Vec<Inbound>>,
}

fn insert_of<'a>(owner: &'a str, load: Uuid, row: &'a PlanRow) -> LoadRowInsert<'a> {
    LoadRowInsert {
        owner,
        load_id: Id(load),
        number: row.number,
        file_row: row.file_row,
        record_name: &row.record_name,
        key: &row.key,
        key_hash: &row.key_hash,
        domain: row.domain.code(),
        outcome: row.outcome.code(),
        turn: row.turn,
        state: row.state.code(),
        record_id: row.record.map(Id::from),
        base_version: row
            .base_version
            .and_then(|version| i32::try_from(version).ok()),
        classes: i16::from(row.classes),
        protection: i16::from(row.protection),
        content: &row.content,
    }
}

fn update(
    connection: &mut Connection,
    owner: &str,
    load: Uuid,
    row: &PlanRow,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new("UPDATE load_row SET outcome = ");
    sql.small(row.outcome.code())
        .push(", turn = ")
        .int(row.turn)
        .push(", state = ")
        .small(row.state.code())
        .push(", record_id = ")
        .bind(Bind::OptId(row.record.map(Id::from)))
        .push(", base_version = ")
        .bind(Bind::OptInt(
            row.base_version
                .and_then(|version| i32::try_from(version).ok()),
        ))
        .push(", classes = ")
        .small(i16::from(row.classes))
        .push(", protection = ")
        .small(i16::from(row.protection))
        .push(", key = ")
        .text(row.key.as_str())
        .push(", content = ")
        .text(row.content.as_str())
        .push(" WHERE owner = ")
        .text(owner)
        .push(" AND load_id = ")
        .bind(Bind::Id(Id(load)))
        .push(" AND number = ")
        .big(row.number)
        .push(" AND key_hash = ")
        .bytes(row.key_hash.as_slice());
    // What was erased since it was read has no key any more, and stays as empty as it is.
    connection.execute(&sql).map(drop)
}

impl PlanRow {
    /// Whether it is applied when the load reaches it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state == RowState::Ready
    }
}
