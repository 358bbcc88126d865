//! Hand-overs that were accepted here and are not done: which process carries them out, and how often it was tried. What is not
//! renewed may be taken by another process ([ADR 0017](../../../../docs/adr)).

use diesel::sql_types::{Integer, Nullable, Text};
use grunddata_model::{Instant, OwnerKey, RecordId};
use uuid::Uuid;

use crate::connection::Purpose;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::store::Store;
use crate::write::owner_key;

/// A hand-over that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferTask {
    /// The receiver.
    pub owner: OwnerKey,
    /// The hand-over.
    pub transfer: Uuid,
    /// In whose name: JSON, as the registry wrote it.
    pub caller: String,
    /// The organisation of the receiver that is to be responsible for what comes.
    pub controller: Option<RecordId>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt did not come to the end.
    pub failure: Option<String>,
    /// The process that is at it; nil = none.
    pub holder: Uuid,
    /// Nobody else tries it before.
    pub held_until: Instant,
}

type Types = (
    Text,
    SqlId,
    Text,
    Nullable<SqlId>,
    Integer,
    Nullable<Text>,
    SqlId,
    SqlMoment,
);
type Parts = (
    String,
    Id,
    String,
    Option<Id>,
    i32,
    Option<String>,
    Id,
    Moment,
);

const COLUMNS: &str = "SELECT t.owner, t.transfer_id, t.caller, t.controller, t.attempts, t.failure, t.holder, t.held_until FROM transfer_task t WHERE ";

fn task(
    (owner, transfer, caller, controller, attempts, failure, holder, until): Parts,
) -> Result<TransferTask, StoreError> {
    Ok(TransferTask {
        owner: owner_key(&owner)?,
        transfer: transfer.0,
        caller,
        controller: controller.map(Id::record),
        attempts: u32::try_from(attempts).unwrap_or_default(),
        failure,
        holder: holder.0,
        held_until: until.0,
    })
}

impl Reader<'_> {
    /// Hand-overs that an owner is to receive and that are being carried out.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn transfer_tasks(&mut self, owner: &OwnerKey) -> Result<Vec<TransferTask>, StoreError> {
        let mut sql = Sql::<Types>::new(&format!("{COLUMNS}t.owner = "));
        sql.text(owner.as_str());
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(task).collect()
    }

    /// Hand-overs of any owner that are to be carried out and that nobody is at, at an instant.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn left_transfers(
        &mut self,
        at: Instant,
        limit: i64,
    ) -> Result<Vec<TransferTask>, StoreError> {
        let mut sql = Sql::<Types>::new(&format!("{COLUMNS}t.held_until <= "));
        sql.moment(at)
            .push(" ORDER BY t.held_until, t.owner, t.transfer_id")
            .limit(limit);
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(task).collect()
    }
}

impl Store {
    /// Notes that a hand-over is carried out by a process, whoever was at it before.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_transfer_task(&self, task: &TransferTask) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new(
            "INSERT INTO transfer_task (owner, transfer_id, caller, controller, attempts, failure, holder, held_until) VALUES ",
        );
        sql.values([vec![
            Bind::Text(task.owner.as_str().into()),
            Bind::Id(Id(task.transfer)),
            Bind::Text(task.caller.as_str().into()),
            Bind::OptId(task.controller.map(Id::from)),
            Bind::Int(i32::try_from(task.attempts).unwrap_or(i32::MAX)),
            Bind::OptText(task.failure.as_deref().map(Into::into)),
            Bind::Id(Id(task.holder)),
            Bind::Moment(Moment(task.held_until)),
        ]]);
        sql.push(
            " ON CONFLICT (owner, transfer_id) DO UPDATE SET caller = excluded.caller, controller = excluded.controller, \
             attempts = transfer_task.attempts + 1, holder = excluded.holder, held_until = excluded.held_until",
        );
        self.connect_for(Purpose::Write)?.execute(&sql).map(drop)
    }

    /// Takes a hand-over that nobody is at. Whether it could be: of several that try one succeeds, and a process never takes
    /// over from itself, whose thread may only have slept.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn take_transfer(
        &self,
        task: &TransferTask,
        holder: Uuid,
        now: Instant,
        until: Instant,
    ) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new("UPDATE transfer_task SET attempts = attempts + 1, holder = ");
        sql.bind(Bind::Id(Id(holder)))
            .push(", held_until = ")
            .moment(until)
            .push(" WHERE owner = ")
            .text(task.owner.as_str())
            .push(" AND transfer_id = ")
            .bind(Bind::Id(Id(task.transfer)))
            .push(" AND held_until <= ")
            .moment(now)
            .push(" AND holder <> ")
            .bind(Bind::Id(Id(holder)));
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Gives a hand-over back that a process is at, until when nobody tries it again, and with why it did not come to its end.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn leave_transfer(
        &self,
        owner: &OwnerKey,
        transfer: Uuid,
        holder: Uuid,
        until: Instant,
        failure: &str,
    ) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new("UPDATE transfer_task SET holder = ");
        sql.bind(Bind::Id(Id(Uuid::nil())))
            .push(", held_until = ")
            .moment(until)
            .push(", failure = ")
            .bind(Bind::OptText(Some(failure.into())))
            .push(" WHERE owner = ")
            .text(owner.as_str())
            .push(" AND transfer_id = ")
            .bind(Bind::Id(Id(transfer)))
            .push(" AND holder = ")
            .bind(Bind::Id(Id(holder)));
        self.connect_for(Purpose::Write)?.execute(&sql).map(drop)
    }

    /// Notes that there is nothing more to be done for a hand-over.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn end_transfer_task(&self, owner: &OwnerKey, transfer: Uuid) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new("DELETE FROM transfer_task WHERE owner = ");
        sql.text(owner.as_str())
            .push(" AND transfer_id = ")
            .bind(Bind::Id(Id(transfer)));
        self.connect_for(Purpose::Write)?.execute(&sql).map(drop)
    }
}
