//! Registries that an owner of this one is pushed to: which, and which process sends to whom.

use diesel::sql_types::{Integer, Nullable, SmallInt, Text};
use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

use super::{PeerStatus, free, leases};
use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::store::Store;
use crate::write::owner_key;

/// A registry to push to, or new settings of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPush {
    /// By which it is known here.
    pub name: String,
    /// The owner that is pushed.
    pub owner: OwnerKey,
    /// JSON, as the registry wrote it.
    pub settings: String,
    /// Who decides it.
    pub actor: String,
    /// When.
    pub now: Instant,
}

/// A registry that an owner is pushed to, and how that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushRow {
    /// By which it is known here.
    pub name: String,
    /// The owner that is pushed.
    pub owner: OwnerKey,
    /// The version of the settings, from 1.
    pub version: u32,
    /// JSON, as the registry wrote it.
    pub settings: String,
    /// When it was added.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// Whether it is sent to: never [`PeerStatus::Left`].
    pub status: PeerStatus,
    /// When it last answered.
    pub heard_at: Option<Instant>,
    /// How often in a row it has failed.
    pub failures: u32,
    /// Why, the last time.
    pub failure: Option<String>,
    /// The process that sends.
    pub holder: Uuid,
    /// Until when, unless it says more.
    pub held_until: Instant,
}

impl PushRow {
    /// Whether nobody holds it at that instant, where leases that begin then last until the other.
    #[must_use]
    pub fn is_free(&self, now: Instant, until: Instant) -> bool {
        leases::is_free(self.held_until, now, until)
    }
}

type Types = (
    Text,
    Text,
    Integer,
    Text,
    SqlMoment,
    Text,
    SmallInt,
    Nullable<SqlMoment>,
    Integer,
    Nullable<Text>,
    SqlId,
    SqlMoment,
);
type Parts = (
    String,
    String,
    i32,
    String,
    Moment,
    String,
    i16,
    Option<Moment>,
    i32,
    Option<String>,
    Id,
    Moment,
);

const COLUMNS: &str = "SELECT p.name, p.owner, p.version, p.settings, p.created_at, p.created_by, p.status, p.heard_at, \
     p.failures, p.failure, p.holder, p.held_until FROM push p";

fn row(parts: Parts) -> Result<PushRow, StoreError> {
    let (
        name,
        owner,
        version,
        settings,
        created_at,
        created_by,
        status,
        heard_at,
        failures,
        failure,
        holder,
        held_until,
    ) = parts;
    Ok(PushRow {
        name,
        owner: owner_key(&owner)?,
        version: u32::try_from(version).unwrap_or_default(),
        settings,
        created_at: created_at.0,
        created_by,
        status: PeerStatus::from_code(status)
            .ok_or_else(|| StoreError::disagrees("the status of a push"))?,
        heard_at: heard_at.map(|moment| moment.0),
        failures: u32::try_from(failures).unwrap_or_default(),
        failure,
        holder: holder.0,
        held_until: held_until.0,
    })
}

fn push(connection: &mut Connection, name: &str) -> Result<Option<PushRow>, StoreError> {
    let mut sql = Sql::<Types>::new(&format!("{COLUMNS} WHERE p.name = "));
    sql.text(name);
    connection.first::<Types, Parts>(&sql)?.map(row).transpose()
}

impl Reader<'_> {
    /// All registries that are pushed to, by name.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn pushes(&mut self) -> Result<Vec<PushRow>, StoreError> {
        let sql = Sql::<Types>::new(&format!("{COLUMNS} ORDER BY p.name"));
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter().map(row).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn push(&mut self, name: &str) -> Result<Option<PushRow>, StoreError> {
        push(self.connection, name)
    }
}

impl Store {
    /// Adds a registry to push to, or changes its settings; whoever sends to it just now begins again with them.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_push(&self, new: &NewPush) -> Result<Option<PushRow>, StoreError> {
        let mut connection = self.connect_for(Purpose::Maintain)?;
        connection.begin()?;
        if push(&mut connection, &new.name)?.is_some() {
            let mut sql = Sql::<()>::new(
                "UPDATE push SET version = version + 1, failures = 0, failure = NULL, settings = ",
            );
            sql.text(new.settings.as_str())
                .push(", owner = ")
                .text(new.owner.as_str());
            freed(&mut sql);
            sql.push(" WHERE name = ").text(new.name.as_str());
            connection.execute(&sql)?;
        } else {
            let mut sql = Sql::<()>::new(
                "INSERT INTO push (name, owner, version, settings, created_at, created_by, status, failures, holder, held_until) VALUES ",
            );
            sql.values([vec![
                Bind::Text(new.name.as_str().into()),
                Bind::Text(new.owner.as_str().into()),
                Bind::Int(1),
                Bind::Text(new.settings.as_str().into()),
                Bind::Moment(Moment(new.now)),
                Bind::Text(new.actor.as_str().into()),
                Bind::Small(PeerStatus::Following.code()),
                Bind::Int(0),
                Bind::Id(Id(Uuid::nil())),
                Bind::Moment(Moment(free())),
            ]]);
            connection.execute(&sql)?;
        }
        let put = push(&mut connection, &new.name)?;
        connection.commit()?;
        Ok(put)
    }

    /// One registry that is pushed to, read on a connection of its own.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn find_push(&self, name: &str) -> Result<Option<PushRow>, StoreError> {
        push(&mut self.connect_for(Purpose::Read)?, name)
    }

    /// Sends to it, or pauses it. Whoever sends just now loses it. Whether there is such a one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn set_push_status(&self, name: &str, status: PeerStatus) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new(
            "UPDATE push SET version = version + 1, failures = 0, failure = NULL, status = ",
        );
        sql.small(status.code());
        freed(&mut sql);
        sql.push(" WHERE name = ").text(name);
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Pushes no more. Whether there was such a one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn remove_push(&self, name: &str) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new("DELETE FROM push WHERE name = ");
        sql.text(name);
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Takes the sending to a registry. Whether it could be: not while another process holds it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn take_push(
        &self,
        name: &str,
        holder: Uuid,
        now: Instant,
        until: Instant,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connect_for(Purpose::Write)?;
        let sql = leases::taken("push", &connection, name, holder, now, until);
        Ok(connection.execute(&sql)? == 1)
    }

    /// Says how sending goes, and until when it is held; [`None`] gives it back. Whether it is still held.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn note_push(
        &self,
        name: &str,
        holder: Uuid,
        until: Option<Instant>,
        heard: Option<Instant>,
        failure: Option<(u32, &str)>,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connect_for(Purpose::Write)?;
        let sql = leases::noted("push", name, holder, until, heard, failure);
        Ok(connection.execute(&sql)? == 1)
    }

    /// Renews what a process holds, however many there are.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn renew_pushes(
        &self,
        holder: Uuid,
        until: Instant,
        held: &[&str],
    ) -> Result<(), StoreError> {
        let mut connection = self.connect_for(Purpose::Write)?;
        for names in held.chunks(LIST) {
            connection.execute(&leases::renewed("push", holder, until, names))?;
        }
        Ok(())
    }
}

/// Takes it from whoever holds it.
fn freed(sql: &mut Sql<'_, ()>) {
    sql.push(", held_until = ")
        .moment(free())
        .push(", holder = ")
        .bind(Bind::Id(Id(Uuid::nil())));
}

/// Pauses all pushes of an owner: its log has been restored from a backup, perhaps elsewhere and for practice.
pub(crate) fn pause_pushes(
    connection: &mut Connection,
    owner: &OwnerKey,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new("UPDATE push SET version = version + 1, status = ");
    sql.small(PeerStatus::Paused.code())
        .push(", failure = ")
        .text("the registry was restored from a backup: see that the other one is to have it, and resume");
    freed(&mut sql);
    sql.push(" WHERE owner = ").text(owner.as_str());
    connection.execute(&sql).map(drop)
}
