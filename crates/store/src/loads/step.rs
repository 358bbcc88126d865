//! What a batch of a load does beside its records, in the same database transaction.

use std::collections::BTreeSet;

use diesel::sql_types::{BigInt, Integer};
use grunddata_model::TransactionId;
use uuid::Uuid;

use super::{AssertionRow, KeyHash, LoadRow, RowState, assertions, head};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment};
use crate::write::{
    AcceptedJob, AssertionContentInsert, AssertionInsert, LoadBatchInsert, WriteTx,
};

/// A row that a batch sets aside, with its content from then on: what it says of why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The number.
    pub number: i64,
    /// The content.
    pub content: String,
}

/// What a batch of a load does beside its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadStep {
    /// The load as it is after the batch: its number of batches is the number of this one.
    pub load: LoadRow,
    /// The transaction; `None` where no record changes.
    pub transaction: Option<TransactionId>,
    /// How many rows it takes.
    pub rows: u32,
    /// What is worth a look: JSON.
    pub findings: Option<String>,
    /// What the source says from now on.
    pub said: Vec<AssertionRow>,
    /// What it says no more, not even as something of the past: keys.
    pub unsaid: Vec<KeyHash>,
    /// Rows that are not applied.
    pub set_aside: Vec<SetAside>,
    /// The load that is taken back by this one, as it is when this is the last batch.
    pub reversed: Option<LoadRow>,
}

impl WriteTx<'_> {
    /// A load of this owner as it is, with what earlier jobs of the batch have staged.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn load(&mut self, id: Uuid) -> Result<Option<LoadRow>, StoreError> {
        let staged = self
            .batch
            .accepted
            .iter()
            .rev()
            .filter_map(|job| job.step.as_deref())
            .find(|step| step.load.id == id)
            .map(|step| step.load.clone());
        if staged.is_some() {
            return Ok(staged);
        }
        let owner = self.batch.owner.clone();
        let found = head::load_of(&mut self.batch.connection, &owner, id);
        self.noted(found)
    }

    /// The numbers of rows of a plan whose content was erased.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn erased_rows(&mut self, load: Uuid) -> Result<BTreeSet<i64>, StoreError> {
        let mut sql = Sql::<(BigInt,)>::new("SELECT t.number FROM load_row t WHERE t.owner = ");
        sql.text(self.batch.owner.as_str())
            .push(" AND t.load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND t.key_hash = ")
            .bytes([0_u8; 16].as_slice().to_vec())
            .push(" AND t.content = ''");
        let found: Result<Vec<(i64,)>, StoreError> = self.batch.connection.load(&sql);
        let found = self.noted(found)?;
        Ok(found.into_iter().map(|(number,)| number).collect())
    }

    /// Stages what the job does to a load. Once in a job.
    pub fn step(&mut self, step: LoadStep) {
        self.step = Some(Box::new(step));
    }
}

/// Writes what the jobs of a batch do to loads.
pub(crate) fn write_steps(
    connection: &mut Connection,
    owner: &str,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    for job in jobs {
        let Some(step) = job.step.as_deref() else {
            continue;
        };
        let source = step.load.source.as_str();
        let mut keys: Vec<KeyHash> = step.said.iter().map(|row| row.key_hash).collect();
        keys.extend(&step.unsaid);
        assertions::remove(connection, owner, source, &keys)?;
        let mut said: Vec<&AssertionRow> = step.said.iter().collect();
        said.sort_unstable_by_key(|row| row.key_hash);
        let heads: Vec<AssertionInsert<'_>> = said
            .iter()
            .map(|row| AssertionInsert {
                owner,
                source,
                key_hash: &row.key_hash,
                hash: &row.hash,
                present: i16::from(row.present),
                record_id: row.record.into(),
            })
            .collect();
        crate::write::insert(connection, &heads)?;
        let contents: Vec<AssertionContentInsert<'_>> = said
            .iter()
            .map(|row| AssertionContentInsert {
                owner,
                source,
                key_hash: &row.key_hash,
                record_name: &row.record_name,
                key: &row.key,
                domain: row.domain.code(),
                content: &row.content,
                first_load: Id(row.first_load),
                load_id: Id(row.load),
            })
            .collect();
        crate::write::insert(connection, &contents)?;
        for row in &step.set_aside {
            let mut sql = Sql::<()>::new("UPDATE load_row SET state = ");
            sql.small(RowState::SetAside.code())
                .push(", content = ")
                .text(row.content.as_str())
                .push(" WHERE owner = ")
                .text(owner)
                .push(" AND load_id = ")
                .bind(Bind::Id(Id(step.load.id)))
                .push(" AND number = ")
                .big(row.number)
                // What was erased since it was read stays so.
                .push(" AND content <> ''");
            connection.execute(&sql)?;
        }
        write_batch(connection, owner, step, job)?;
        if let Some(reversed) = &step.reversed {
            head::update(connection, reversed)?;
        }
    }
    Ok(())
}

fn write_batch(
    connection: &mut Connection,
    owner: &str,
    step: &LoadStep,
    job: &AcceptedJob,
) -> Result<(), StoreError> {
    let number = i32::try_from(step.load.batches).unwrap_or(i32::MAX);
    let batch = LoadBatchInsert {
        owner,
        load_id: Id(step.load.id),
        number,
        transaction_id: step.transaction.map(Id::from),
        recorded_at: Moment(job.instant),
        reached_turn: step.load.reached.turn,
        reached_row: step.load.reached.number,
        row_count: i32::try_from(step.rows).unwrap_or(i32::MAX),
        findings: step.findings.as_deref(),
    };
    crate::write::insert(connection, std::slice::from_ref(&batch))?;
    let mut sql = Sql::<(Integer,)>::new("SELECT t.batches FROM load t WHERE t.owner = ");
    sql.text(owner)
        .push(" AND t.id = ")
        .bind(Bind::Id(Id(step.load.id)));
    let before: Option<(i32,)> = connection.first(&sql)?;
    let follows = before.is_some_and(|(before,)| before.saturating_add(1) == number);
    if follows && head::update(connection, &step.load)? == 1 {
        Ok(())
    } else {
        Err(StoreError::disagrees("the progress of a load"))
    }
}
