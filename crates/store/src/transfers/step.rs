//! What a job does to a hand-over beside its records, in the same database transaction.

use std::collections::{BTreeSet, HashMap};

use grunddata_model::RecordId;
use uuid::Uuid;

use super::{TransferRow, TransferSide, TransferState, transfer_of};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment, SqlId};
use crate::write::{AcceptedJob, RecordStatus, WriteTx, insert_missing};

/// What a job does to a hand-over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferStep {
    /// The hand-over as it is after the job. When it changed is filled in.
    pub row: TransferRow,
    /// How far it was before; `None` = the row is new.
    pub before: Option<TransferState>,
    /// Records of the job's owner to which nothing is written from now on but by this hand-over.
    pub holds: Vec<RecordId>,
    /// Whether what it holds may be written to again.
    pub releases: bool,
    /// Geometries that received records name, by SHA-256 in hexadecimal.
    pub geometries: Vec<(String, String)>,
}

impl TransferStep {
    /// For the jobs that follow in the same batch.
    pub(crate) fn note_in(&self, held: &mut HashMap<RecordId, Uuid>) {
        held.extend(self.holds.iter().map(|id| (*id, self.row.id)));
        if self.releases {
            held.retain(|_, transfer| *transfer != self.row.id);
        }
    }
}

impl WriteTx<'_> {
    /// A hand-over of this owner as it is, with what earlier jobs of the batch have staged.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn transfer(&mut self, id: Uuid) -> Result<Option<TransferRow>, StoreError> {
        let staged = self
            .batch
            .accepted
            .iter()
            .rev()
            .filter_map(|job| job.transfer.as_deref())
            .find(|step| step.row.id == id)
            .map(|step| step.row.clone());
        if staged.is_some() {
            return Ok(staged);
        }
        let owner = self.batch.owner.clone();
        let found = transfer_of(&mut self.batch.connection, &owner, id);
        self.noted(found)
    }

    /// The hand-over that a record of this owner is in.
    #[must_use]
    pub fn in_transfer(&self, id: RecordId) -> Option<Uuid> {
        self.batch.in_transfer.get(&id).copied()
    }

    /// Whether the organisation is the controller of a record of this owner that is not among these. What was retracted,
    /// merged, erased or handed over needs nobody any more.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn controls_others(
        &mut self,
        organisation: RecordId,
        these: &BTreeSet<RecordId>,
    ) -> Result<bool, StoreError> {
        let mut sql = Sql::<(SqlId,)>::new("SELECT r.id FROM record r WHERE r.owner = ");
        sql.text(self.batch.owner.as_str())
            .push(" AND r.controller = ")
            .id(organisation)
            .push(" AND r.status = ")
            .small(RecordStatus::Current.code())
            .limit(i64::try_from(these.len() + 1).unwrap_or(i64::MAX));
        let found: Result<Vec<(Id,)>, StoreError> = self.batch.connection.load(&sql);
        let found = self.noted(found)?;
        Ok(found.iter().any(|(id,)| !these.contains(&id.record())))
    }

    /// Stages what the job does to a hand-over. Once in a job, and before its records.
    pub fn hand_over(&mut self, step: TransferStep) {
        self.transfer = Some(Box::new(step));
    }
}

/// Notes where the rows of a hand-over are.
pub(crate) fn insert_directory(
    connection: &mut Connection,
    id: Uuid,
    side: TransferSide,
    owner: &str,
    other: &str,
) -> Result<(), StoreError> {
    let (giver, receiver) = match side {
        TransferSide::Giver => (owner, other),
        TransferSide::Receiver => (other, owner),
    };
    let row = vec![
        Bind::Id(Id(id)),
        Bind::Text(giver.to_owned().into()),
        Bind::Text(receiver.to_owned().into()),
    ];
    insert_missing(
        connection,
        "directory_transfer (id, giver, receiver)",
        vec![row],
    )
}

/// Writes what the jobs of a batch do to hand-overs.
pub(crate) fn write_transfers(
    connection: &mut Connection,
    owner: &str,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    for job in jobs {
        let Some(step) = job.transfer.as_deref() else {
            continue;
        };
        let row = &step.row;
        match step.before {
            None => {
                let mut sql = Sql::<()>::new(
                    "INSERT INTO transfer (owner, id, kind, side, state, other, content, created_at, created_by, changed_at) VALUES ",
                );
                sql.values([vec![
                    Bind::Text(owner.into()),
                    Bind::Id(Id(row.id)),
                    Bind::Small(row.kind.code()),
                    Bind::Small(row.side.code()),
                    Bind::Small(row.state.code()),
                    Bind::Text(row.other.as_str().into()),
                    Bind::Text(row.content.as_str().into()),
                    Bind::Moment(Moment(job.instant)),
                    Bind::Text(row.created_by.as_str().into()),
                    Bind::Moment(Moment(job.instant)),
                ]]);
                connection.execute(&sql)?;
                insert_directory(connection, row.id, row.side, owner, row.other.as_str())?;
            }
            Some(before) => {
                let mut sql = Sql::<()>::new("UPDATE transfer SET state = ");
                sql.small(row.state.code())
                    .push(", content = ")
                    .text(row.content.as_str())
                    .push(", changed_at = ")
                    .moment(job.instant)
                    .push(" WHERE owner = ")
                    .text(owner)
                    .push(" AND id = ")
                    .bind(Bind::Id(Id(row.id)))
                    .push(" AND state = ")
                    .small(before.code());
                if connection.execute(&sql)? != 1 {
                    return Err(StoreError::disagrees("how far a hand-over is"));
                }
            }
        }
        if step.releases {
            let mut sql = Sql::<()>::new("DELETE FROM transfer_record WHERE owner = ");
            sql.text(owner)
                .push(" AND transfer_id = ")
                .bind(Bind::Id(Id(row.id)));
            connection.execute(&sql)?;
        }
        let held = step.holds.iter().map(|id| {
            vec![
                Bind::Text(owner.into()),
                Bind::Id(Id::from(*id)),
                Bind::Id(Id(row.id)),
            ]
        });
        insert_missing(
            connection,
            "transfer_record (owner, record_id, transfer_id)",
            held.collect(),
        )?;
        let geometries = step.geometries.iter().map(|(hash, body)| {
            vec![
                Bind::Text(owner.into()),
                Bind::Text(hash.as_str().into()),
                Bind::Text(body.as_str().into()),
            ]
        });
        insert_missing(
            connection,
            "geometry (owner, hash, body)",
            geometries.collect(),
        )?;
    }
    Ok(())
}
