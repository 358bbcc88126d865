//! Epochs: a log that was restored from a backup goes on as another one after the position that the backup had.

use diesel::sql_types::BigInt;
use grunddata_model::{Instant, OwnerKey};

use crate::error::StoreError;
use crate::peers::pause_pushes;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Moment, SqlMoment};
use crate::store::Store;
use crate::subscriptions::stop_subscriptions;

/// Where a log began to be another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochRow {
    /// The epoch: 1 is the first, later ones are the second (of Unix time) in which they began, so that two restores from
    /// one backup are told apart.
    pub epoch: u64,
    /// Up to here it is as in the epoch before.
    pub fork_position: u64,
    /// When it began.
    pub begun_at: Instant,
}

impl Reader<'_> {
    /// The epoch of the owner's log now; `None` = there is no such owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn log_epoch(&mut self, owner: &OwnerKey) -> Result<Option<u64>, StoreError> {
        let mut sql = Sql::<(BigInt,)>::new("SELECT o.epoch FROM owner o WHERE o.key = ");
        sql.text(owner.as_str());
        let row: Option<(i64,)> = self.connection.first(&sql)?;
        Ok(row.map(|(epoch,)| u64::try_from(epoch).unwrap_or_default()))
    }

    /// The epochs of an owner's log after the first, in order.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn log_epochs(&mut self, owner: &OwnerKey) -> Result<Vec<EpochRow>, StoreError> {
        let mut sql = Sql::<(BigInt, BigInt, SqlMoment)>::new(
            "SELECT e.epoch, e.fork_position, e.begun_at FROM log_epoch e WHERE e.owner = ",
        );
        sql.text(owner.as_str()).push(" ORDER BY e.epoch");
        let rows: Vec<(i64, i64, Moment)> = self.connection.load(&sql)?;
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(rows
            .into_iter()
            .map(|(epoch, fork, at)| EpochRow {
                epoch: number(epoch),
                fork_position: number(fork),
                begun_at: at.0,
            })
            .collect())
    }
}

impl Store {
    /// Begins a new epoch of an owner's log: what follows on its present position belongs to it. For after a restore from a
    /// backup, when positions may have been given to others that are gone. Subscriptions are stopped: their receivers may hold
    /// what is gone, and who restores elsewhere than where it was means nobody to be sent anything.
    ///
    /// # Errors
    /// [`StoreError::UnknownOwner`]; [`StoreError`] of the database.
    pub fn begin_epoch(&self, owner: &OwnerKey) -> Result<EpochRow, StoreError> {
        let now = (self.engine().options.clock)();
        self.under_lock(owner, |_, connection| {
            let mut sql = Sql::<(BigInt, BigInt)>::new(
                "SELECT o.epoch, o.position FROM owner o WHERE o.key = ",
            );
            sql.text(owner.as_str());
            let row: Option<(i64, i64)> = connection.first(&sql)?;
            let (before, position) = row.ok_or_else(|| StoreError::UnknownOwner(owner.clone()))?;
            let epoch = (before + 1).max(now.micros() / 1_000_000);
            let mut sql = Sql::<()>::new(
                "INSERT INTO log_epoch (owner, epoch, fork_position, begun_at) VALUES ",
            );
            sql.values([vec![
                Bind::Text(owner.as_str().into()),
                Bind::Big(epoch),
                Bind::Big(position),
                Bind::Moment(Moment(now)),
            ]]);
            connection.execute(&sql)?;
            let mut sql = Sql::<()>::new("UPDATE owner SET epoch = ");
            sql.big(epoch).push(" WHERE key = ").text(owner.as_str());
            connection.execute(&sql)?;
            stop_subscriptions(connection, owner)?;
            pause_pushes(connection, owner)?;
            Ok(EpochRow {
                epoch: u64::try_from(epoch).unwrap_or_default(),
                fork_position: u64::try_from(position).unwrap_or_default(),
                begun_at: now,
            })
        })
    }
}
