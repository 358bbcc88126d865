//! What can go wrong in the store. Small and free of any transport; internal causes are for the log, not for clients.

use std::sync::Arc;
use std::time::Duration;

use grunddata_model::{Instant, OwnerKey, RecordId};

/// An error of the store. Cheap to clone: one failed batch answers many waiting jobs.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database is locked, serialised or out of connections for longer than the retries last. Try again.
    #[error("the database is busy: try again")]
    Busy,
    /// The connection could not be opened or was lost.
    #[error("the database cannot be reached: {0}")]
    Unavailable(Arc<str>),
    /// The disk of the database is full, or broken.
    #[error("the disk of the database takes no more: {0}")]
    Full(Arc<str>),
    /// The statement took longer than the statement timeout.
    #[error("the statement took longer than {0:?}")]
    Timeout(Duration),
    /// The database has no (or not this version's) tables: migrate first.
    #[error("the database lacks the migrations {0:?}: run `grunddata migrate`")]
    NotMigrated(Vec<String>),
    /// The URL is neither `postgres://…` nor a path, `sqlite:…` or `sqlite://…`.
    #[error("{0}")]
    Url(String),
    /// No such owner.
    #[error("there is no owner {0}")]
    UnknownOwner(OwnerKey),
    /// The id already names a record of another owner.
    #[error("the id {0} already names a record")]
    IdTaken(RecordId),
    /// The record is being handed over: nothing is written to it until that is done or off.
    #[error("the record {0} is being handed over")]
    InTransfer(RecordId),
    /// The owner is copied from elsewhere: nobody but whoever follows its origin writes to it.
    #[error("the owner {owner} is a copy of the one at {of}: it is written to there")]
    Copied {
        /// The owner.
        owner: OwnerKey,
        /// The registry that it belongs to.
        of: Arc<str>,
    },
    /// `key` was given again with another request.
    #[error("the owner {0} exists already with other properties")]
    OwnerExists(OwnerKey),
    /// A list, page or depth is beyond the limit of the store.
    #[error("{what}: {given} is more than the limit {limit}")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// What was asked for.
        given: usize,
        /// The most there may be.
        limit: usize,
    },
    /// A staged write contradicts what is stored (a mistake in the caller).
    #[error("the staged write of {record} does not fit: {problem}")]
    Staged {
        /// The record.
        record: RecordId,
        /// What does not fit.
        problem: String,
    },
    /// The stored rows contradict each other; `verify` says where.
    #[error("the stored rows disagree ({what}): run `grunddata verify`")]
    Disagrees {
        /// Which rows.
        what: String,
    },
    /// A key is there already: somebody else was faster.
    #[error("a key is there already: {0}")]
    Duplicate(Arc<str>),
    /// Anything else the database said.
    #[error("the database refused a statement: {0}")]
    Database(Arc<str>),
    /// The information model could not read a stored body.
    #[error("a stored body cannot be read: {0}")]
    Model(Arc<str>),
    /// A package of the information model from another registry cannot be used.
    #[error("{0}")]
    Package(String),
    /// The store is shutting down and takes no more writes.
    #[error("the store is shutting down")]
    ShuttingDown,
}

impl StoreError {
    /// Whether the same call may succeed when it is made again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable(_))
    }

    pub(crate) fn disagrees(what: impl Into<String>) -> Self {
        Self::Disagrees { what: what.into() }
    }
}

/// How a write failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E> {
    /// The job itself refused; nothing was stored.
    #[error(transparent)]
    Refused(E),
    /// The queue of the owner is full. Nothing was stored; try again.
    #[error("the write queue is full: try again")]
    Busy,
    /// The clock has run ahead of the time that has passed since the store was opened, beyond the jump limit. Nothing was
    /// stored.
    #[error("the clock says {now}, where {expected} was expected from the time that has passed")]
    ClockJump {
        /// What it would say if it had not jumped.
        expected: Instant,
        /// What the clock says.
        now: Instant,
    },
    /// The store failed; nothing was stored (after [`StoreError::Unavailable`] the outcome of the commit may be unknown:
    /// repeat with the same idempotency key).
    #[error(transparent)]
    Store(StoreError),
}

/// What the driver said, as one of ours.
pub(crate) fn from_diesel(error: diesel::result::Error) -> StoreError {
    use diesel::result::{DatabaseErrorKind as Kind, Error};
    match error {
        Error::DatabaseError(Kind::SerializationFailure, _) => StoreError::Busy,
        Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, info) => {
            StoreError::Unavailable(info.message().into())
        }
        Error::DatabaseError(Kind::UniqueViolation, info) => {
            StoreError::Duplicate(info.message().into())
        }
        Error::DatabaseError(_, info) => from_message(info.message()),
        Error::BrokenTransactionManager => {
            StoreError::Unavailable("the transaction was broken off".into())
        }
        other => from_message(&other.to_string()),
    }
}

/// Neither driver hands out codes for these; the texts are fixed in both engines (PostgreSQL with `lc_messages = C`).
fn from_message(message: &str) -> StoreError {
    let busy = [
        "database is locked",
        "database table is locked",
        "deadlock detected",
        "could not serialize",
        "lock timeout",
        "too many clients",
        "too many connections",
    ];
    let lost = [
        "server closed the connection",
        "terminating connection",
        "no connection to the server",
        "connection not open",
        "could not connect",
        "the database system is",
        "SSL connection has been closed",
        "could not receive data",
        "could not send data",
        "connection refused",
        "Connection refused",
    ];
    let full = [
        "database or disk is full",
        "disk I/O error",
        "No space left on device",
        "could not extend file",
    ];
    if full.iter().any(|text| message.contains(text)) {
        StoreError::Full(message.into())
    } else if busy.iter().any(|text| message.contains(text)) {
        StoreError::Busy
    } else if lost.iter().any(|text| message.contains(text)) {
        StoreError::Unavailable(message.into())
    } else if message.contains("statement timeout") {
        StoreError::Timeout(Duration::ZERO)
    } else {
        StoreError::Database(message.into())
    }
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        from_diesel(error)
    }
}
