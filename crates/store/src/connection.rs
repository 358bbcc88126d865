//! One connection to either database.

use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager as _};
use diesel::query_dsl::methods::{ExecuteDsl, LoadQuery};
use diesel::{Connection as _, PgConnection, RunQueryDsl as _, SqliteConnection};

use crate::error::{StoreError, from_diesel};
use crate::options::{StoreOptions, Target};
use crate::sql::Sql;

/// A connection. The same typed statements run on both arms; each is compiled for its database.
pub(crate) enum Connection {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Read,
    Write,
    /// Migrations and verification: they take as long as they take.
    Maintain,
}

impl Connection {
    pub(crate) fn open(
        target: &Target,
        options: &StoreOptions,
        purpose: Purpose,
    ) -> Result<Self, StoreError> {
        match target {
            Target::Sqlite(path) => Self::open_sqlite(path, options.statement_timeout, purpose),
            Target::Postgres(url) if purpose == Purpose::Maintain => {
                Self::open_postgres(url, Duration::ZERO)
            }
            Target::Postgres(url) => Self::open_postgres(url, options.statement_timeout),
        }
    }

    fn open_sqlite(path: &str, timeout: Duration, purpose: Purpose) -> Result<Self, StoreError> {
        let mut connection = SqliteConnection::establish(path)
            .map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        // Negative: KiB. Many reader connections share the page cache of the operating system.
        let cache = match purpose {
            Purpose::Read => -8_000,
            Purpose::Write | Purpose::Maintain => -32_000,
        };
        // What is removed is overwritten with zeros: what was erased must not stand in the file.
        let secure_delete = if purpose == Purpose::Read {
            "OFF"
        } else {
            "ON"
        };
        let wait = timeout.as_millis().clamp(1_000, 30_000);
        // Pages of the log before it is brought into the file: 32 MB. A page of an index that every batch of a load touches
        // is then brought in once for many batches.
        connection
            .batch_execute(&format!(
                "PRAGMA busy_timeout = {wait};\
                 PRAGMA page_size = 8192;\
                 PRAGMA journal_mode = WAL;\
                 PRAGMA synchronous = FULL;\
                 PRAGMA foreign_keys = ON;\
                 PRAGMA temp_store = MEMORY;\
                 PRAGMA wal_autocheckpoint = 4000;\
                 PRAGMA journal_size_limit = 67108864;\
                 PRAGMA secure_delete = {secure_delete};\
                 PRAGMA cache_size = {cache};"
            ))
            .map_err(from_diesel)?;
        let longest = match purpose {
            Purpose::Maintain => Duration::MAX,
            Purpose::Read | Purpose::Write => timeout,
        };
        crate::patience::register(&mut connection, longest)?;
        Ok(Self::Sqlite(Box::new(connection)))
    }

    fn open_postgres(url: &str, timeout: Duration) -> Result<Self, StoreError> {
        let mut connection = PgConnection::establish(url)
            .map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        let timeout = timeout.as_millis();
        // An acknowledged write must be on disk: a server whose default is weaker is overruled, a stronger one is not.
        connection
            .batch_execute(&format!(
                "SET statement_timeout = {timeout};\
                 SET jit = off;\
                 SET client_min_messages = warning;\
                 SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
            ))
            .map_err(from_diesel)?;
        Ok(Self::Postgres(Box::new(connection)))
    }

    /// All rows of a statement.
    pub(crate) fn load<'a, 'q, ST, U>(&mut self, sql: &'q Sql<'a, ST>) -> Result<Vec<U>, StoreError>
    where
        &'q Sql<'a, ST>: LoadQuery<'q, SqliteConnection, U> + LoadQuery<'q, PgConnection, U>,
    {
        match self {
            Self::Sqlite(connection) => {
                crate::patience::begin();
                sql.load::<U>(&mut **connection)
            }
            Self::Postgres(connection) => sql.load::<U>(&mut **connection),
        }
        .map_err(from_diesel)
    }

    /// All rows of a statement whose text is fixed with its type.
    pub(crate) fn load_fixed<'q, Q, U>(&mut self, query: Q) -> Result<Vec<U>, StoreError>
    where
        Q: LoadQuery<'q, SqliteConnection, U> + LoadQuery<'q, PgConnection, U>,
        Q: diesel::RunQueryDsl<SqliteConnection> + diesel::RunQueryDsl<PgConnection>,
    {
        match self {
            Self::Sqlite(connection) => diesel::RunQueryDsl::load::<U>(query, &mut **connection),
            Self::Postgres(connection) => diesel::RunQueryDsl::load::<U>(query, &mut **connection),
        }
        .map_err(from_diesel)
    }

    /// The first row of a statement that has at most one.
    pub(crate) fn first<'a, 'q, ST, U>(
        &mut self,
        sql: &'q Sql<'a, ST>,
    ) -> Result<Option<U>, StoreError>
    where
        &'q Sql<'a, ST>: LoadQuery<'q, SqliteConnection, U> + LoadQuery<'q, PgConnection, U>,
    {
        Ok(self.load(sql)?.into_iter().next())
    }

    /// Runs a statement; the number of rows that it changed.
    pub(crate) fn execute<'a, 'q>(&mut self, sql: &'q Sql<'a, ()>) -> Result<usize, StoreError>
    where
        &'q Sql<'a, ()>: ExecuteDsl<SqliteConnection> + ExecuteDsl<PgConnection>,
    {
        match self {
            Self::Sqlite(connection) => sql.execute(&mut **connection),
            Self::Postgres(connection) => sql.execute(&mut **connection),
        }
        .map_err(from_diesel)
    }

    /// Runs statements without values and without rows, outside a transaction.
    pub(crate) fn batch(&mut self, text: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.batch_execute(text),
            Self::Postgres(connection) => connection.batch_execute(text),
        }
        .map_err(from_diesel)
    }

    /// Tells PostgreSQL's planner how large the tables are. SQLite's is not asked to choose: its statements are written so
    /// that it has no choice.
    pub(crate) fn analyse(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.batch("ANALYZE"),
        }
    }

    /// Begins a transaction that will write. On SQLite it takes the write lock at once (a deferred transaction that
    /// begins to write late fails instead of waiting); on PostgreSQL it is READ COMMITTED, and the owner's row is locked
    /// by the first statement.
    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                AnsiTransactionManager::begin_transaction_sql(&mut **connection, "BEGIN IMMEDIATE")
            }
            Self::Postgres(connection) => AnsiTransactionManager::begin_transaction_sql(
                &mut **connection,
                "BEGIN ISOLATION LEVEL READ COMMITTED",
            ),
        }
        .map_err(from_diesel)
    }

    /// Begins a transaction that only reads, and sees everything as it is when it first reads, however long it lasts.
    pub(crate) fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                AnsiTransactionManager::begin_transaction_sql(&mut **connection, "BEGIN")
            }
            Self::Postgres(connection) => AnsiTransactionManager::begin_transaction_sql(
                &mut **connection,
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            ),
        }
        .map_err(from_diesel)
    }

    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                AnsiTransactionManager::commit_transaction(&mut **connection)
            }
            Self::Postgres(connection) => {
                AnsiTransactionManager::commit_transaction(&mut **connection)
            }
        }
        .map_err(from_diesel)
    }

    pub(crate) fn rollback(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => {
                AnsiTransactionManager::rollback_transaction(&mut **connection)
            }
            Self::Postgres(connection) => {
                AnsiTransactionManager::rollback_transaction(&mut **connection)
            }
        }
        .map_err(from_diesel)
    }
}
