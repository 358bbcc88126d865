//! Which process follows a peer, and until when unless it says more.

use grunddata_model::Instant;
use uuid::Uuid;

use super::{PeerRow, free};
use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Id, Moment};
use crate::store::Store;

impl PeerRow {
    /// Whether nobody holds it at that instant, where leases that begin then last until the other.
    #[must_use]
    pub fn is_free(&self, now: Instant, until: Instant) -> bool {
        is_free(self.held_until, now, until)
    }
}

pub(super) fn is_free(held_until: Instant, now: Instant, until: Instant) -> bool {
    held_until <= now || held_until > no_lease(until)
}

/// What takes a row of that table, unless somebody holds it.
pub(super) fn taken<'a>(
    table: &str,
    connection: &Connection,
    name: &'a str,
    holder: Uuid,
    now: Instant,
    until: Instant,
) -> Sql<'a, ()> {
    let mut sql = Sql::<()>::new(&format!("UPDATE {table} SET holder = "));
    sql.bind(Bind::Id(Id(holder)))
        .push(", held_until = ")
        .moment(until)
        .push(&format!(
            " WHERE name IN (SELECT p.name FROM {table} p WHERE p.name = "
        ))
        .text(name)
        .push(" AND (p.held_until <= ")
        .moment(now)
        .push(" OR p.held_until > ")
        .moment(no_lease(until))
        .push(")");
    // A row that somebody writes to is held, whatever it says.
    if let Connection::Postgres(_) = connection {
        sql.push(" FOR UPDATE SKIP LOCKED");
    }
    sql.push(")");
    sql
}

/// What says how it goes, and until when it is held.
pub(super) fn noted<'a>(
    table: &str,
    name: &'a str,
    holder: Uuid,
    until: Option<Instant>,
    heard: Option<Instant>,
    failure: Option<(u32, &'a str)>,
) -> Sql<'a, ()> {
    let mut sql = Sql::<()>::new(&format!("UPDATE {table} SET held_until = "));
    sql.moment(until.unwrap_or_else(free))
        .push(", heard_at = COALESCE(")
        .bind(Bind::OptMoment(heard.map(Moment)))
        .push(", heard_at), failures = ")
        .int(failure.map_or(0, |(count, _)| i32::try_from(count).unwrap_or(i32::MAX)))
        .push(", failure = ")
        .bind(Bind::OptText(failure.map(|(_, why)| why.into())))
        .push(" WHERE name = ")
        .text(name)
        .push(" AND holder = ")
        .bind(Bind::Id(Id(holder)));
    sql
}

/// What renews the rows of those names.
pub(super) fn renewed(
    table: &str,
    holder: Uuid,
    until: Instant,
    names: &[&str],
) -> Sql<'static, ()> {
    let mut sql = Sql::<()>::new(&format!("UPDATE {table} SET held_until = "));
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    sql.moment(until)
        .push(" WHERE holder = ")
        .bind(Bind::Id(Id(holder)))
        .push(" AND name IN ")
        .texts(names);
    sql
}

/// What is held beyond this was held when a clock was wrong.
fn no_lease(until: Instant) -> Instant {
    Instant::from_micros(until.micros().saturating_add(WRONG_CLOCK))
}

/// How far a lease may reach beyond one that begins now, in microseconds.
const WRONG_CLOCK: i64 = 300_000_000;

impl Store {
    /// Takes the following of a peer. Whether it could be: not while another process holds it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn take_peer(
        &self,
        name: &str,
        holder: Uuid,
        now: Instant,
        until: Instant,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connect_for(Purpose::Write)?;
        let sql = taken("peer", &connection, name, holder, now, until);
        Ok(connection.execute(&sql)? == 1)
    }

    /// Says what came of following for a while, and until when it is held; [`None`] gives it back. Whether it is still held.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn note_peer(
        &self,
        name: &str,
        holder: Uuid,
        until: Option<Instant>,
        heard: Option<Instant>,
        failure: Option<(u32, &str)>,
    ) -> Result<bool, StoreError> {
        let sql = noted("peer", name, holder, until, heard, failure);
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Renews what a process holds, and notes when the peers among them that had nothing new last said so: all in one transaction,
    /// however many there are.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn renew_peers(
        &self,
        holder: Uuid,
        until: Instant,
        held: &[&str],
        heard: &[(&str, Instant)],
    ) -> Result<(), StoreError> {
        if held.is_empty() && heard.is_empty() {
            return Ok(());
        }
        let mut connection = self.connect_for(Purpose::Write)?;
        connection.begin()?;
        for names in held.chunks(LIST) {
            connection.execute(&renewed("peer", holder, until, names))?;
        }
        for (name, at) in heard {
            let mut sql = Sql::<()>::new("UPDATE peer SET heard_at = ");
            sql.moment(*at)
                .push(" WHERE name = ")
                .text(*name)
                .push(" AND holder = ")
                .bind(Bind::Id(Id(holder)));
            connection.execute(&sql)?;
        }
        connection.commit()
    }
}
