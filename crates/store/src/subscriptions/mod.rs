//! Subscriptions: who is sent the entries of an owner's log, how far each has come, and what was sent. What was sent is never
//! kept, only from where to where in the log it went.

mod change;
mod settle;

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, SmallInt, Text};
use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

pub use change::SubscriptionChange;
pub(crate) use change::stop_subscriptions;
pub use settle::{Settlement, SubscriptionWriter};

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::write::owner_key;

stored_code! {
    /// Where a subscription stands. The codes are stored and never change.
    SubscriptionState {
        /// Its target has not yet agreed to be sent to.
        Pending = 1, "pending";
        /// It is delivered.
        Active = 2, "active";
        /// Somebody has paused it.
        Paused = 3, "paused";
        /// It has ended; somebody may begin it again.
        Stopped = 4, "stopped";
    }
}

stored_code! {
    /// What was sent. The codes are stored and never change.
    SentKind {
        /// Entries of the log.
        Entries = 1, "entries";
        /// A test of the target.
        Test = 2, "test";
        /// A sign of life where there was nothing else to send.
        Alive = 3, "alive";
        /// That its reader is shown something else than before.
        AccessChanged = 4, "access-changed";
    }
}

/// A place in an owner's log, with what the feed must know of its reader to go on there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// Everything up to here has been looked at.
    pub position: u64,
    /// Since when its reader has followed.
    pub since: Instant,
    /// How far the log had come when its reader began to read on.
    pub begun: Option<Instant>,
    /// What its reader was shown.
    pub rights: [u8; 16],
}

/// What deliveries change of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: SubscriptionState,
    /// Why it is stopped.
    pub reason: Option<String>,
    /// When its target agreed.
    pub verified_at: Option<Instant>,
    /// Requests a minute that the target takes; `None` = any number.
    pub rate: Option<u32>,
    /// How far it has come.
    pub place: LogPlace,
    /// How often in a row it has failed.
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<Instant>,
    /// Why the last time.
    pub failure: Option<String>,
    /// Not before then it is tried again.
    pub next_at: Option<Instant>,
    /// When something was last accepted.
    pub succeeded_at: Option<Instant>,
    /// The delivery that is to be sent again.
    pub again: Option<u64>,
}

/// A subscription as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct SubscriptionRow {
    /// Whose log.
    pub owner: OwnerKey,
    /// The id.
    pub id: Uuid,
    /// Counted up by every change that somebody makes.
    pub version: u32,
    /// What is said of it: JSON.
    pub content: String,
    /// Whose access it has: JSON.
    pub reader: String,
    /// With what it is signed.
    pub secret: Vec<u8>,
    /// The secret before.
    pub former_secret: Option<Vec<u8>>,
    /// Until when that signs as well.
    pub former_until: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When somebody last changed it.
    pub changed_at: Instant,
    /// What deliveries change of it.
    pub standing: Standing,
    /// The process that delivers it.
    pub holder: Uuid,
    /// Until when that process is taken to be alive.
    pub held_until: Instant,
    /// The number of its last delivery.
    pub deliveries: u64,
}

impl std::fmt::Debug for SubscriptionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscriptionRow")
            .field("owner", &self.owner)
            .field("id", &self.id)
            .field("version", &self.version)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

/// What tells whether there is something to do for a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionMark {
    /// Whose log.
    pub owner: OwnerKey,
    /// The id.
    pub id: Uuid,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: SubscriptionState,
    /// The process that delivers it.
    pub holder: Uuid,
    /// Until when that process is taken to be alive.
    pub held_until: Instant,
}

/// Something that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentRow {
    /// Counted from 1 for each subscription. Given when it is stored.
    pub number: u64,
    /// What.
    pub kind: SentKind,
    /// When.
    pub sent_at: Instant,
    /// The delivery that it repeats.
    pub again_of: Option<u64>,
    /// The place after which its entries begin.
    pub from: LogPlace,
    /// The position of the last of them.
    pub to: u64,
    /// How many there were.
    pub entries: u32,
    /// The status that was answered; `None` = there was no answer.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub millis: u32,
    /// Why it was not accepted.
    pub failure: Option<String>,
}

type RowTypes = (
    (Text, SqlId, Integer, SmallInt, Text, Text),
    (Binary, Nullable<Binary>, Nullable<SqlMoment>),
    (
        SqlMoment,
        Text,
        SqlMoment,
        Nullable<SqlMoment>,
        Nullable<Integer>,
        Nullable<Text>,
    ),
    (BigInt, SqlMoment, Nullable<SqlMoment>, Binary),
    (SqlId, SqlMoment, Integer),
    (
        Nullable<SqlMoment>,
        Nullable<Text>,
        Nullable<SqlMoment>,
        Nullable<SqlMoment>,
        BigInt,
        Nullable<BigInt>,
    ),
);
type RowParts = (
    (String, Id, i32, i16, String, String),
    (Vec<u8>, Option<Vec<u8>>, Option<Moment>),
    (
        Moment,
        String,
        Moment,
        Option<Moment>,
        Option<i32>,
        Option<String>,
    ),
    (i64, Moment, Option<Moment>, Vec<u8>),
    (Id, Moment, i32),
    (
        Option<Moment>,
        Option<String>,
        Option<Moment>,
        Option<Moment>,
        i64,
        Option<i64>,
    ),
);

const COLUMNS: &str = "SELECT t.owner, t.id, t.version, t.state, t.content, t.reader, \
     t.secret, t.former_secret, t.former_until, \
     t.created_at, t.created_by, t.changed_at, t.verified_at, t.rate, t.reason, \
     t.position, t.since, t.begun, t.rights, \
     t.holder, t.held_until, t.failures, \
     t.failing_since, t.failure, t.next_at, t.succeeded_at, t.deliveries, t.again \
     FROM subscription t";

fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn state(code: i16) -> Result<SubscriptionState, StoreError> {
    SubscriptionState::from_code(code)
        .ok_or_else(|| StoreError::disagrees("the state of a subscription"))
}

fn row(parts: RowParts) -> Result<SubscriptionRow, StoreError> {
    let (
        (owner, id, version, code, content, reader),
        (secret, former_secret, former_until),
        (created_at, created_by, changed_at, verified_at, rate, reason),
        (position, since, begun, rights),
        (holder, held_until, failures),
        (failing_since, failure, next_at, succeeded_at, deliveries, again),
    ) = parts;
    Ok(SubscriptionRow {
        owner: owner_key(&owner)?,
        id: id.0,
        version: u32::try_from(version).unwrap_or_default(),
        content,
        reader,
        secret,
        former_secret,
        former_until: former_until.map(|at| at.0),
        created_at: created_at.0,
        created_by,
        changed_at: changed_at.0,
        standing: Standing {
            state: state(code)?,
            reason,
            verified_at: verified_at.map(|at| at.0),
            rate: rate.and_then(|rate| u32::try_from(rate).ok()),
            place: LogPlace {
                position: natural(position),
                since: since.0,
                begun: begun.map(|at| at.0),
                rights: rights
                    .try_into()
                    .map_err(|_| StoreError::disagrees("the rights of a subscription"))?,
            },
            failures: u32::try_from(failures).unwrap_or_default(),
            failing_since: failing_since.map(|at| at.0),
            failure,
            next_at: next_at.map(|at| at.0),
            succeeded_at: succeeded_at.map(|at| at.0),
            again: again.map(natural),
        },
        holder: holder.0,
        held_until: held_until.0,
        deliveries: natural(deliveries),
    })
}

type MarkTypes = (Text, SqlId, Integer, SmallInt, SqlId, SqlMoment);
type MarkParts = (String, Id, i32, i16, Id, Moment);

type SentTypes = (
    (BigInt, SmallInt, SqlMoment, Nullable<BigInt>),
    (BigInt, SqlMoment, Nullable<SqlMoment>, BigInt),
    (Integer, Nullable<SmallInt>, Integer, Nullable<Text>),
);
type SentParts = (
    (i64, i16, Moment, Option<i64>),
    (i64, Moment, Option<Moment>, i64),
    (i32, Option<i16>, i32, Option<String>),
);

impl Reader<'_> {
    /// A subscription of any owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn subscription(&mut self, id: Uuid) -> Result<Option<SubscriptionRow>, StoreError> {
        let mut sql = Sql::<RowTypes>::new(COLUMNS);
        sql.push(" WHERE t.id = ").bind(Bind::Id(Id(id)));
        let found: Option<RowParts> = self.connection.first(&sql)?;
        found.map(row).transpose()
    }

    /// A subscription of this owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn subscription_of(
        &mut self,
        owner: &OwnerKey,
        id: Uuid,
    ) -> Result<Option<SubscriptionRow>, StoreError> {
        let mut sql = Sql::<RowTypes>::new(COLUMNS);
        sql.push(" WHERE t.owner = ").text(owner.as_str());
        sql.push(" AND t.id = ").bind(Bind::Id(Id(id)));
        let found: Option<RowParts> = self.connection.first(&sql)?;
        found.map(row).transpose()
    }

    /// In which version a subscription of this owner is; `None` = there is none.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn subscription_version(
        &mut self,
        owner: &OwnerKey,
        id: Uuid,
    ) -> Result<Option<u32>, StoreError> {
        let mut sql =
            Sql::<(Integer,)>::new("SELECT t.version FROM subscription t WHERE t.owner = ");
        sql.text(owner.as_str());
        sql.push(" AND t.id = ").bind(Bind::Id(Id(id)));
        let found: Option<(i32,)> = self.connection.first(&sql)?;
        Ok(found.map(|(version,)| u32::try_from(version).unwrap_or_default()))
    }

    /// The subscriptions of an owner, or of all of them, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn subscriptions(
        &mut self,
        owner: Option<&OwnerKey>,
    ) -> Result<Vec<SubscriptionRow>, StoreError> {
        let mut sql = Sql::<RowTypes>::new(COLUMNS);
        if let Some(owner) = owner {
            sql.push(" WHERE t.owner = ").text(owner.as_str());
        }
        sql.push(" ORDER BY t.created_at, t.id");
        let rows: Vec<RowParts> = self.connection.load(&sql)?;
        rows.into_iter().map(row).collect()
    }

    /// Those that are to be delivered or verified, of all owners.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn subscriptions_going(&mut self) -> Result<Vec<SubscriptionMark>, StoreError> {
        let mut sql = Sql::<MarkTypes>::new(
            "SELECT t.owner, t.id, t.version, t.state, t.holder, t.held_until FROM subscription t WHERE t.state IN ",
        );
        let going = [SubscriptionState::Pending, SubscriptionState::Active];
        sql.smalls(going.map(SubscriptionState::code));
        let rows: Vec<MarkParts> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(owner, id, version, code, holder, held_until)| {
                Ok(SubscriptionMark {
                    owner: owner_key(&owner)?,
                    id: id.0,
                    version: u32::try_from(version).unwrap_or_default(),
                    state: state(code)?,
                    holder: holder.0,
                    held_until: held_until.0,
                })
            })
            .collect()
    }

    /// What was sent, the latest first: what comes before a number, and no more than so much.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn sent(
        &mut self,
        owner: &OwnerKey,
        id: Uuid,
        before: Option<u64>,
        limit: i64,
    ) -> Result<Vec<SentRow>, StoreError> {
        let mut sql = Sql::<SentTypes>::new(
            "SELECT t.number, t.kind, t.sent_at, t.again_of, t.from_position, t.from_since, t.from_begun, t.to_position, \
             t.entries, t.status, t.millis, t.failure FROM subscription_delivery t WHERE t.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND t.subscription_id = ")
            .bind(Bind::Id(Id(id)));
        if let Some(before) = before {
            sql.push(" AND t.number < ").big(big(before));
        }
        sql.push(" ORDER BY t.number DESC").limit(limit);
        let rows: Vec<SentParts> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(
                |(
                    (number, kind, sent_at, again_of),
                    (from, since, begun, to),
                    (entries, status, millis, failure),
                )| {
                    Ok(SentRow {
                        number: natural(number),
                        kind: SentKind::from_code(kind)
                            .ok_or_else(|| StoreError::disagrees("the kind of a delivery"))?,
                        sent_at: sent_at.0,
                        again_of: again_of.map(natural),
                        from: LogPlace {
                            position: natural(from),
                            since: since.0,
                            begun: begun.map(|at| at.0),
                            rights: [0; 16],
                        },
                        to: natural(to),
                        entries: u32::try_from(entries).unwrap_or_default(),
                        status: status.and_then(|status| u16::try_from(status).ok()),
                        millis: u32::try_from(millis).unwrap_or_default(),
                        failure,
                    })
                },
            )
            .collect()
    }
}
