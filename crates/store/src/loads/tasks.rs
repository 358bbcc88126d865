//! What processes are doing just now: loads that are planned or applied in the background, and sources whose files are
//! collected. Each is held with a lease that its process renews; what is not renewed may be taken by another one.

use diesel::sql_types::{Integer, Nullable, SmallInt, Text};
use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

use crate::connection::Purpose;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::store::Store;
use crate::write::owner_key;

stored_code! {
    /// What is done with a load in the background. The codes are stored and never change.
    TaskKind {
        /// Its plan is made.
        Plan = 1, "plan";
        /// It is applied.
        Apply = 2, "apply";
    }
}

/// A load on which work goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Whose records.
    pub owner: OwnerKey,
    /// The load.
    pub load: Uuid,
    /// What is done with it.
    pub kind: TaskKind,
    /// In whose name and with which rights: JSON.
    pub caller: String,
    /// How often it has been begun.
    pub attempts: u32,
    /// The process that does it.
    pub holder: Uuid,
    /// Until when that process is taken to be alive.
    pub held_until: Instant,
}

/// How the collecting of a source's files stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchRow {
    /// Whose records.
    pub owner: OwnerKey,
    /// The source.
    pub source: String,
    /// When it was last looked for something; `None` = never.
    pub tried_at: Option<Instant>,
    /// When something came that was as the last that was accepted.
    pub same_at: Option<Instant>,
    /// How often in a row it has failed.
    pub failures: u32,
    /// Why the last time.
    pub failure: Option<String>,
}

type TaskTypes = (Text, SqlId, SmallInt, Text, Integer, SqlId, SqlMoment);
type TaskParts = (String, Id, i16, String, i32, Id, Moment);
type WatchTypes = (
    Text,
    Text,
    Nullable<SqlMoment>,
    Nullable<SqlMoment>,
    Integer,
    Nullable<Text>,
);
type WatchParts = (
    String,
    String,
    Option<Moment>,
    Option<Moment>,
    i32,
    Option<String>,
);

fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

impl Reader<'_> {
    /// Work on loads of any owner whose lease has run out at an instant.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn left_tasks(&mut self, at: Instant, limit: i64) -> Result<Vec<TaskRow>, StoreError> {
        let mut sql = Sql::<TaskTypes>::new(
            "SELECT t.owner, t.load_id, t.kind, t.caller, t.attempts, t.holder, t.held_until FROM load_task t WHERE t.held_until <= ",
        );
        sql.moment(at)
            .push(" ORDER BY t.owner, t.load_id")
            .limit(limit);
        let rows: Vec<TaskParts> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(owner, load, kind, caller, attempts, holder, until)| {
                Ok(TaskRow {
                    owner: owner_key(&owner)?,
                    load: load.0,
                    kind: TaskKind::from_code(kind)
                        .ok_or_else(|| StoreError::disagrees("the kind of a task"))?,
                    caller,
                    attempts: count(attempts),
                    holder: holder.0,
                    held_until: until.0,
                })
            })
            .collect()
    }

    /// Plans of any owner that have been made by nobody since an instant: without work that is known of.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn abandoned_plans(
        &mut self,
        since: Instant,
        limit: i64,
    ) -> Result<Vec<(OwnerKey, Uuid)>, StoreError> {
        let mut sql = Sql::<(Text, SqlId)>::new(
            "SELECT t.owner, t.id FROM load t WHERE t.status < 10 AND t.status = ",
        );
        sql.small(super::LoadStatus::Planning.code())
            .push(" AND t.changed_at <= ")
            .moment(since)
            .push(
                " AND NOT EXISTS (SELECT 1 FROM load_task w WHERE w.owner = t.owner AND w.load_id = t.id) ORDER BY t.owner, t.id",
            )
            .limit(limit);
        let rows: Vec<(String, Id)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(owner, id)| Ok((owner_key(&owner)?, id.0)))
            .collect()
    }

    /// Whether there is a load of that id, of any owner, whose plan is being made.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn is_planning(&mut self, load: Uuid) -> Result<bool, StoreError> {
        let mut sql =
            Sql::<(SqlId,)>::new("SELECT t.id FROM load t WHERE t.status < 10 AND t.status = ");
        sql.small(super::LoadStatus::Planning.code())
            .push(" AND t.id = ")
            .bind(Bind::Id(Id(load)));
        let found: Option<(Id,)> = self.connection.first(&sql)?;
        Ok(found.is_some())
    }

    /// How the collecting of the sources stands: of an owner, or of all of them.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn watches(&mut self, owner: Option<&OwnerKey>) -> Result<Vec<WatchRow>, StoreError> {
        let mut sql = Sql::<WatchTypes>::new(
            "SELECT t.owner, t.source, t.tried_at, t.same_at, t.failures, t.failure FROM source_watch t",
        );
        if let Some(owner) = owner {
            sql.push(" WHERE t.owner = ")
                .text(owner.as_str().to_owned());
        }
        let rows: Vec<WatchParts> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(owner, source, tried, same, failures, failure)| {
                Ok(WatchRow {
                    owner: owner_key(&owner)?,
                    source,
                    tried_at: tried.map(|at| at.0),
                    same_at: same.map(|at| at.0),
                    failures: count(failures),
                    failure,
                })
            })
            .collect()
    }

    /// Owner, key and present version of every source.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn source_versions(&mut self) -> Result<Vec<(OwnerKey, String, u32)>, StoreError> {
        let sql = Sql::<(Text, Text, Integer)>::new(
            "SELECT t.owner, t.key, MAX(t.version) FROM source t GROUP BY t.owner, t.key",
        );
        let rows: Vec<(String, String, i32)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(owner, key, version)| Ok((owner_key(&owner)?, key, count(version))))
            .collect()
    }
}

impl Store {
    /// Notes work on a load, in the place of what was noted of it before. Whether it could be: not while somebody is at it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_task(&self, task: &TaskRow, now: Instant) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new(
            "INSERT INTO load_task (owner, load_id, kind, caller, attempts, holder, held_until) VALUES ",
        );
        sql.values([vec![
            Bind::Text(task.owner.as_str().into()),
            Bind::Id(Id(task.load)),
            Bind::Small(task.kind.code()),
            Bind::Text(task.caller.as_str().into()),
            Bind::Int(i32::try_from(task.attempts).unwrap_or(i32::MAX)),
            Bind::Id(Id(task.holder)),
            Bind::Moment(Moment(task.held_until)),
        ]]);
        sql.push(
            " ON CONFLICT (owner, load_id) DO UPDATE SET kind = excluded.kind, caller = excluded.caller, \
             attempts = excluded.attempts, holder = excluded.holder, held_until = excluded.held_until \
             WHERE load_task.held_until <= ",
        )
        .moment(now);
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Takes work over whose lease has run out. Whether it could be: of several that try one succeeds, and a process never
    /// takes over from itself, whose thread may only have slept.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn take_task(
        &self,
        owner: &OwnerKey,
        load: Uuid,
        holder: Uuid,
        now: Instant,
        until: Instant,
    ) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new("UPDATE load_task SET attempts = attempts + 1, holder = ");
        sql.bind(Bind::Id(Id(holder)))
            .push(", held_until = ")
            .moment(until)
            .push(" WHERE owner = ")
            .text(owner.as_str())
            .push(" AND load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND held_until <= ")
            .moment(now)
            .push(" AND holder <> ")
            .bind(Bind::Id(Id(holder)));
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Notes that work on a load has ended, unless another process has taken it over.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn end_task(&self, owner: &OwnerKey, load: Uuid, holder: Uuid) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new("DELETE FROM load_task WHERE owner = ");
        sql.text(owner.as_str())
            .push(" AND load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND holder = ")
            .bind(Bind::Id(Id(holder)));
        self.connect_for(Purpose::Write)?.execute(&sql).map(drop)
    }

    /// Says until when everything that a process holds is held. An instant that has passed gives it free.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn renew_leases(&self, holder: Uuid, until: Instant) -> Result<(), StoreError> {
        let mut connection = self.connect_for(Purpose::Write)?;
        for table in ["load_task", "source_watch", "transfer_task"] {
            let mut sql = Sql::<()>::new(&format!("UPDATE {table} SET held_until = "));
            sql.moment(until)
                .push(" WHERE holder = ")
                .bind(Bind::Id(Id(holder)))
                // What has been given back stays so.
                .push(" AND held_until > ")
                .moment(Instant::from_micros(0));
            connection.execute(&sql)?;
        }
        Self::renew_subscriptions(&mut connection, holder, until)
    }

    /// Takes the collecting of a source. Whether it could be: not while another process holds it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn take_watch(
        &self,
        owner: &OwnerKey,
        source: &str,
        holder: Uuid,
        now: Instant,
        until: Instant,
    ) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new(
            "INSERT INTO source_watch (owner, source, holder, held_until, failures) VALUES ",
        );
        sql.values([vec![
            Bind::Text(owner.as_str().into()),
            Bind::Text(source.into()),
            Bind::Id(Id(holder)),
            Bind::Moment(Moment(until)),
            Bind::Int(0),
        ]]);
        sql.push(
            " ON CONFLICT (owner, source) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until \
             WHERE source_watch.held_until <= ",
        )
        .moment(now);
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Gives the collecting of a source back, and says what came of it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn leave_watch(&self, watch: &WatchRow, holder: Uuid) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new("UPDATE source_watch SET held_until = ");
        sql.moment(Instant::from_micros(0))
            .push(", tried_at = ")
            .bind(Bind::OptMoment(watch.tried_at.map(Moment)))
            .push(", same_at = ")
            .bind(Bind::OptMoment(watch.same_at.map(Moment)))
            .push(", failures = ")
            .int(i32::try_from(watch.failures).unwrap_or(i32::MAX))
            .push(", failure = ")
            .bind(Bind::OptText(watch.failure.as_deref().map(Into::into)))
            .push(" WHERE owner = ")
            .text(watch.owner.as_str())
            .push(" AND source = ")
            .text(watch.source.as_str())
            .push(" AND holder = ")
            .bind(Bind::Id(Id(holder)));
        self.connect_for(Purpose::Write)?.execute(&sql).map(drop)
    }
}
