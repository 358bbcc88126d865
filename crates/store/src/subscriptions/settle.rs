//! What deliveries come to: many together in one transaction.

use diesel::sql_types::BigInt;
use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

use super::change::stand;
use super::{SentRow, Standing, big, int, natural};
use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment};
use crate::store::Store;

/// How many deliveries of a subscription are kept.
const KEPT: u64 = 1_000;
/// After how many of them it is looked for those that are kept no longer.
const LOOKED_AFTER: u64 = 50;

/// How a subscription stands after deliveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Whose log.
    pub owner: OwnerKey,
    /// The subscription.
    pub id: Uuid,
    /// As it was when they were made: after a change by somebody, nothing is noted.
    pub version: u32,
    /// How it stands.
    pub standing: Standing,
    /// What was sent.
    pub sent: Vec<SentRow>,
}

/// Writes what deliveries come to, on a connection of its own.
pub struct SubscriptionWriter {
    store: Store,
    connection: Option<Connection>,
}

impl std::fmt::Debug for SubscriptionWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscriptionWriter").finish_non_exhaustive()
    }
}

impl Store {
    /// For the one thread that writes what deliveries come to.
    #[must_use]
    pub fn subscription_writer(&self) -> SubscriptionWriter {
        SubscriptionWriter {
            store: self.clone(),
            connection: None,
        }
    }
}

impl SubscriptionWriter {
    /// Writes all of them, or none. Of each, whether the subscription still was of that version and held by that process; of
    /// others nothing is written. Deliveries from before `old` are removed now and then.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn settle(
        &mut self,
        settlements: &[Settlement],
        holder: Uuid,
        old: Instant,
    ) -> Result<Vec<bool>, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.store.connect_for(Purpose::Write)?,
        };
        connection.begin()?;
        // In one order, so that two processes never wait for each other.
        let mut order: Vec<(usize, &Settlement)> = settlements.iter().enumerate().collect();
        order.sort_unstable_by_key(|(_, settlement)| (&settlement.owner, settlement.id));
        let mut written = vec![false; settlements.len()];
        for (at, settlement) in order {
            let done = write(&mut connection, settlement, holder, old)?;
            if let Some(written) = written.get_mut(at) {
                *written = done;
            }
        }
        connection.commit()?;
        // After an error the connection is closed, and its transaction taken back with it.
        self.connection = Some(connection);
        Ok(written)
    }
}

fn write(
    connection: &mut Connection,
    settlement: &Settlement,
    holder: Uuid,
    old: Instant,
) -> Result<bool, StoreError> {
    let owner = settlement.owner.as_str();
    let count = settlement.sent.len() as u64;
    let mut sql = Sql::<()>::new("UPDATE subscription SET deliveries = deliveries + ");
    sql.big(big(count));
    stand(&mut sql, &settlement.standing, true);
    sql.push(" WHERE owner = ")
        .text(owner)
        .push(" AND id = ")
        .bind(Bind::Id(Id(settlement.id)))
        .push(" AND version = ")
        .int(int(settlement.version))
        .push(" AND holder = ")
        .bind(Bind::Id(Id(holder)));
    if connection.execute(&sql)? == 0 {
        return Ok(false);
    }
    if count == 0 {
        return Ok(true);
    }
    let mut sql = Sql::<(BigInt,)>::new("SELECT t.deliveries FROM subscription t WHERE t.owner = ");
    sql.text(owner)
        .push(" AND t.id = ")
        .bind(Bind::Id(Id(settlement.id)));
    let last: Option<(i64,)> = connection.first(&sql)?;
    let last = last.map_or(0, |(last,)| natural(last));
    let first = last.saturating_sub(count);
    for (sent, number) in settlement.sent.iter().zip(first + 1..) {
        insert(connection, settlement, sent, number)?;
    }
    if first / LOOKED_AFTER != last / LOOKED_AFTER {
        let mut sql = Sql::<()>::new("DELETE FROM subscription_delivery WHERE owner = ");
        sql.text(owner)
            .push(" AND subscription_id = ")
            .bind(Bind::Id(Id(settlement.id)))
            .push(" AND (number <= ")
            .big(big(last.saturating_sub(KEPT)))
            .push(" OR sent_at < ")
            .moment(old)
            .push(")");
        connection.execute(&sql)?;
    }
    Ok(true)
}

fn insert(
    connection: &mut Connection,
    settlement: &Settlement,
    sent: &SentRow,
    number: u64,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new(
        "INSERT INTO subscription_delivery (owner, subscription_id, number, kind, sent_at, again_of, from_position, from_since, \
         from_begun, to_position, entries, status, millis, failure) VALUES ",
    );
    let status = sent.status.and_then(|status| i16::try_from(status).ok());
    sql.values([vec![
        Bind::Text(settlement.owner.as_str().into()),
        Bind::Id(Id(settlement.id)),
        Bind::Big(big(number)),
        Bind::Small(sent.kind.code()),
        Bind::Moment(Moment(sent.sent_at)),
        Bind::OptBig(sent.again_of.map(big)),
        Bind::Big(big(sent.from.position)),
        Bind::Moment(Moment(sent.from.since)),
        Bind::OptMoment(sent.from.begun.map(Moment)),
        Bind::Big(big(sent.to)),
        Bind::Int(int(sent.entries)),
        Bind::OptSmall(status),
        Bind::Int(int(sent.millis)),
        Bind::OptText(sent.failure.as_deref().map(Into::into)),
    ]]);
    connection.execute(&sql).map(drop)
}
