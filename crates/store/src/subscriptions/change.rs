//! What somebody changes of subscriptions.

use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

use super::{Standing, SubscriptionRow, SubscriptionState, big, int};
use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment};
use crate::store::Store;

/// A change of a subscription by somebody.
#[derive(Clone)]
pub struct SubscriptionChange {
    /// What is said of it: JSON.
    pub content: String,
    /// With what it is signed.
    pub secret: Vec<u8>,
    /// The secret before.
    pub former_secret: Option<Vec<u8>>,
    /// Until when that signs as well.
    pub former_until: Option<Instant>,
    /// When.
    pub changed_at: Instant,
    /// How it stands from now on.
    pub standing: Standing,
    /// Whether its place in the log is changed as well; otherwise it is where deliveries have brought it.
    pub moves: bool,
}

impl std::fmt::Debug for SubscriptionChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscriptionChange")
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

/// `, column = value` for everything that a delivery changes.
pub(super) fn stand(sql: &mut Sql<'_, ()>, standing: &Standing, moves: bool) {
    sql.push(", state = ")
        .small(standing.state.code())
        .push(", reason = ")
        .bind(Bind::OptText(standing.reason.clone().map(Into::into)))
        .push(", verified_at = ")
        .bind(Bind::OptMoment(standing.verified_at.map(Moment)))
        .push(", rate = ")
        .bind(Bind::OptInt(standing.rate.map(int)))
        .push(", failures = ")
        .int(int(standing.failures))
        .push(", failing_since = ")
        .bind(Bind::OptMoment(standing.failing_since.map(Moment)))
        .push(", failure = ")
        .bind(Bind::OptText(standing.failure.clone().map(Into::into)))
        .push(", next_at = ")
        .bind(Bind::OptMoment(standing.next_at.map(Moment)))
        .push(", succeeded_at = ")
        .bind(Bind::OptMoment(standing.succeeded_at.map(Moment)))
        .push(", again = ")
        .bind(Bind::OptBig(standing.again.map(big)));
    if moves {
        let place = &standing.place;
        sql.push(", position = ")
            .big(big(place.position))
            .push(", since = ")
            .moment(place.since)
            .push(", begun = ")
            .bind(Bind::OptMoment(place.begun.map(Moment)))
            .push(", rights = ")
            .bytes(place.rights.to_vec());
    }
}

impl Store {
    /// Stores a new subscription.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_subscription(&self, row: &SubscriptionRow) -> Result<(), StoreError> {
        let (standing, place) = (&row.standing, &row.standing.place);
        let mut sql = Sql::<()>::new(
            "INSERT INTO subscription (owner, id, version, state, content, reader, secret, former_secret, former_until, \
             created_at, created_by, changed_at, verified_at, rate, reason, position, since, begun, rights, holder, held_until, \
             failures, failing_since, failure, next_at, succeeded_at, deliveries, again) VALUES ",
        );
        sql.values([vec![
            Bind::Text(row.owner.as_str().into()),
            Bind::Id(Id(row.id)),
            Bind::Int(int(row.version)),
            Bind::Small(standing.state.code()),
            Bind::Text(row.content.as_str().into()),
            Bind::Text(row.reader.as_str().into()),
            Bind::Bytes(row.secret.as_slice().into()),
            Bind::OptBytes(row.former_secret.as_deref().map(Into::into)),
            Bind::OptMoment(row.former_until.map(Moment)),
            Bind::Moment(Moment(row.created_at)),
            Bind::Text(row.created_by.as_str().into()),
            Bind::Moment(Moment(row.changed_at)),
            Bind::OptMoment(standing.verified_at.map(Moment)),
            Bind::OptInt(standing.rate.map(int)),
            Bind::OptText(standing.reason.as_deref().map(Into::into)),
            Bind::Big(big(place.position)),
            Bind::Moment(Moment(place.since)),
            Bind::OptMoment(place.begun.map(Moment)),
            Bind::Bytes(place.rights.as_slice().into()),
            Bind::Id(Id(row.holder)),
            Bind::Moment(Moment(row.held_until)),
            Bind::Int(int(standing.failures)),
            Bind::OptMoment(standing.failing_since.map(Moment)),
            Bind::OptText(standing.failure.as_deref().map(Into::into)),
            Bind::OptMoment(standing.next_at.map(Moment)),
            Bind::OptMoment(standing.succeeded_at.map(Moment)),
            Bind::Big(big(row.deliveries)),
            Bind::OptBig(standing.again.map(big)),
        ]]);
        self.connect_for(Purpose::Write)?.execute(&sql).map(drop)
    }

    /// Changes a subscription of that version, and counts the version up. Whether it still was of that version.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn change_subscription(
        &self,
        owner: &OwnerKey,
        id: Uuid,
        version: u32,
        change: &SubscriptionChange,
    ) -> Result<bool, StoreError> {
        let mut sql = Sql::<()>::new("UPDATE subscription SET version = ");
        sql.int(int(version.saturating_add(1)))
            .push(", content = ")
            .text(change.content.as_str())
            .push(", secret = ")
            .bytes(change.secret.as_slice())
            .push(", former_secret = ")
            .bind(Bind::OptBytes(
                change.former_secret.as_deref().map(Into::into),
            ))
            .push(", former_until = ")
            .bind(Bind::OptMoment(change.former_until.map(Moment)))
            .push(", changed_at = ")
            .moment(change.changed_at);
        stand(&mut sql, &change.standing, change.moves);
        sql.push(" WHERE owner = ")
            .text(owner.as_str())
            .push(" AND id = ")
            .bind(Bind::Id(Id(id)))
            .push(" AND version = ")
            .int(int(version));
        Ok(self.connect_for(Purpose::Write)?.execute(&sql)? == 1)
    }

    /// Removes a subscription of that version with what is kept of its deliveries. Whether it still was of that version.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn remove_subscription(
        &self,
        owner: &OwnerKey,
        id: Uuid,
        version: u32,
    ) -> Result<bool, StoreError> {
        let mut connection = self.connect_for(Purpose::Write)?;
        connection.begin()?;
        let removed = of(
            &mut connection,
            "DELETE FROM subscription",
            owner,
            id,
            Some(version),
        )?;
        if removed == 0 {
            connection.rollback()?;
            return Ok(false);
        }
        of(
            &mut connection,
            "DELETE FROM subscription_delivery",
            owner,
            id,
            None,
        )?;
        connection.commit()?;
        Ok(true)
    }

    /// Takes what nobody holds. What was taken is among [`Reader::subscriptions_going`](crate::Reader::subscriptions_going)
    /// with this holder.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn take_subscriptions(
        &self,
        holder: Uuid,
        now: Instant,
        until: Instant,
    ) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new("UPDATE subscription SET holder = ");
        let mut connection = self.connect_for(Purpose::Write)?;
        sql.bind(Bind::Id(Id(holder)))
            .push(", held_until = ")
            .moment(until)
            .push(" WHERE (owner, id) IN (SELECT t.owner, t.id FROM subscription t WHERE t.held_until <= ")
            .moment(now)
            .push(unlocked(&connection))
            .push(")");
        connection.execute(&sql).map(drop)
    }

    /// Says until when the subscriptions that a process holds are held.
    pub(crate) fn renew_subscriptions(
        connection: &mut Connection,
        holder: Uuid,
        until: Instant,
    ) -> Result<(), StoreError> {
        let mut sql = Sql::<()>::new("UPDATE subscription SET held_until = ");
        sql.moment(until)
            .push(
                " WHERE (owner, id) IN (SELECT t.owner, t.id FROM subscription t WHERE t.holder = ",
            )
            .bind(Bind::Id(Id(holder)))
            // What has been given back stays so.
            .push(" AND t.held_until > ")
            .moment(Instant::from_micros(0))
            .push(unlocked(connection))
            .push(")");
        connection.execute(&sql).map(drop)
    }
}

/// Stops all subscriptions of an owner whose log is another one from now on.
pub(crate) fn stop_subscriptions(
    connection: &mut Connection,
    owner: &OwnerKey,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new(
        "UPDATE subscription SET version = version + 1, again = NULL, next_at = NULL, state = ",
    );
    sql.small(SubscriptionState::Stopped.code())
        .push(", reason = ")
        .text("The log was restored from a backup. Replay from 0, and resume.")
        .push(" WHERE owner = ")
        .text(owner.as_str());
    connection.execute(&sql).map(drop)
}

/// Leaves out rows that somebody writes just now: many rows are touched in an order of their own, and whoever writes several
/// in another order would wait for this one, and this one for them. They are come back to.
fn unlocked(connection: &Connection) -> &'static str {
    match connection {
        Connection::Sqlite(_) => "",
        Connection::Postgres(_) => " FOR UPDATE SKIP LOCKED",
    }
}

fn of(
    connection: &mut Connection,
    what: &str,
    owner: &OwnerKey,
    id: Uuid,
    version: Option<u32>,
) -> Result<usize, StoreError> {
    let mut sql = Sql::<()>::new(what);
    sql.push(" WHERE owner = ").text(owner.as_str());
    match version {
        Some(version) => {
            sql.push(" AND id = ")
                .bind(Bind::Id(Id(id)))
                .push(" AND version = ")
                .int(int(version));
        }
        None => {
            sql.push(" AND subscription_id = ").bind(Bind::Id(Id(id)));
        }
    }
    connection.execute(&sql)
}
