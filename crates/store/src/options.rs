//! How a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use grunddata_model::Instant;

use crate::error::StoreError;

/// What tells the time. The composition root reads the real clock; tests and seeds say what it is.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// What says how much time has passed, whatever the clock is set to. Only differences count.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A batch begins to commit within this time of its instant, or it is taken back and tried again with a later one. With
/// the commit itself, which the statement timeout bounds, nothing is ever recorded a minute after its instant: an answer
/// at an instant further back stays as it is.
pub const COMMITS_WITHIN: Duration = Duration::from_secs(25);

/// How a store is opened. [`StoreOptions::new`] has the defaults.
#[derive(Clone)]
pub struct StoreOptions {
    /// A path, `sqlite:PATH`, `sqlite:///absolute/path`, or `postgres://…` / `postgresql://…` (any libpq URL; several
    /// hosts with `target_session_attrs=read-write` included).
    pub url: String,
    /// Threads that commit. SQLite has one writer whatever is said; PostgreSQL serves this many owners at once.
    pub writers: usize,
    /// The most jobs that are committed together.
    pub batch: usize,
    /// The most jobs that wait per owner; more are refused as busy.
    pub queue: usize,
    /// The longest that one statement may take. PostgreSQL breaks it off (`statement_timeout`). SQLite has no such
    /// setting and its progress handler cannot be reached without `unsafe`: there the statements that may walk along many
    /// rows, those of searches and counts, ask row by row whether they may go on. What bounds the work of other reads are the
    /// limits on pages, depth and fan-out. On SQLite it bounds the waiting for a lock too.
    pub statement_timeout: Duration,
    /// What tells the time.
    pub clock: Clock,
    /// How far the clock may run ahead of the time that has passed since the store was opened before writes stop, until
    /// it is right again. A clock that jumps would poison the order of recorded time for good. `None` = no limit, for a
    /// clock that is moved on purpose (seeds, tests).
    pub clock_jump_limit: Option<chrono::Duration>,
    /// What says how much time has passed.
    pub stopwatch: Stopwatch,
}

impl StoreOptions {
    /// The defaults: 4 writers, batches of 256 jobs, 4,096 waiting jobs per owner, statements of 30 seconds, and a
    /// clock that may jump by 5 minutes.
    #[must_use]
    pub fn new(url: impl Into<String>, clock: Clock) -> Self {
        let started = std::time::Instant::now();
        Self {
            url: url.into(),
            writers: 4,
            batch: 256,
            queue: 4096,
            statement_timeout: Duration::from_secs(30),
            clock,
            clock_jump_limit: Some(chrono::Duration::minutes(5)),
            stopwatch: Arc::new(move || started.elapsed()),
        }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("StoreOptions")
            .field("writers", &self.writers)
            .field("batch", &self.batch)
            .field("queue", &self.queue)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Sqlite(String),
    Postgres(String),
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let path = match url.strip_prefix("sqlite:") {
            Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
            None if url.contains("://") => {
                return Err(StoreError::Url(
                    "the database URL must begin with postgres:// or sqlite:, or be the path of a file".to_owned(),
                ));
            }
            None => url,
        };
        if path.is_empty() || path == ":memory:" {
            return Err(StoreError::Url(
                "a SQLite database needs the path of a file: one in memory would be another one on every connection"
                    .to_owned(),
            ));
        }
        Ok(Self::Sqlite(path.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_choose_the_database() {
        let sqlite = |url: &str, path: &str| {
            assert!(Target::parse(url).unwrap() == Target::Sqlite(path.to_owned()))
        };
        sqlite("data/grunddata.sqlite", "data/grunddata.sqlite");
        sqlite("/srv/g.db", "/srv/g.db");
        sqlite("sqlite:///srv/g.db", "/srv/g.db");
        sqlite("sqlite:g.db", "g.db");
        assert!(matches!(
            Target::parse("postgres://a@b/c"),
            Ok(Target::Postgres(_))
        ));
        for bad in ["", ":memory:", "sqlite::memory:", "mysql://a/b"] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}
