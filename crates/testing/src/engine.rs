//! One database for one test.

use std::fmt;

use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection as _, RunQueryDsl as _};
use tempfile::TempDir;

use crate::{postgres, sqlite};

/// The two engines that every test of storage runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// A file in a temporary directory.
    Sqlite,
    /// A database of its own in the cluster that `TEST_DATABASE_URL` names.
    Postgres,
}

impl Engine {
    /// Both, in the order in which they are reported.
    pub const BOTH: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        })
    }
}

/// An empty (or migrated) database that disappears when this value is dropped, also when the test panics.
pub struct Database {
    /// What to open: a file path for SQLite, a `postgres://` address for PostgreSQL.
    pub url: String,
    /// Which engine it is.
    pub engine: Engine,
    /// Removes the database; dropped last.
    guard: Guard,
}

enum Guard {
    Directory(TempDir),
    Database(postgres::Dropped),
}

impl Database {
    /// A new, empty database.
    ///
    /// # Panics
    /// For PostgreSQL when `TEST_DATABASE_URL` is missing or cannot be reached: a test that cannot run is
    /// a failed test.
    #[must_use]
    pub fn new(engine: Engine) -> Database {
        match engine {
            Engine::Sqlite => Database::file(sqlite::empty()),
            Engine::Postgres => Database::created(postgres::create(None)),
        }
    }

    /// A copy of a template that `build` fills (migrates, seeds) the first time it is asked for.
    ///
    /// The template is built once per test binary, not once per test or process: a rebuilt binary builds
    /// it anew, and old ones are removed. `build` is given the address of the empty template, and must
    /// have closed every connection to it when it returns. Give different contents different `name`s.
    ///
    /// # Panics
    /// As [`Database::new`], and when `build` does.
    #[must_use]
    pub fn from_template(engine: Engine, name: &str, build: impl FnOnce(&str)) -> Database {
        match engine {
            Engine::Sqlite => Database::file(sqlite::from_template(name, build)),
            Engine::Postgres => Database::created(postgres::from_template(name, build)),
        }
    }

    /// Another database with the same content, as a restored back-up is one. Whoever has this one open must have closed it;
    /// connections that are left are cut.
    ///
    /// # Panics
    /// As [`Database::new`].
    #[must_use]
    pub fn copy(&self) -> Database {
        match &self.guard {
            Guard::Directory(directory) => Database::file(sqlite::copy(directory.path())),
            Guard::Database(dropped) => Database::created(postgres::copy(dropped)),
        }
    }

    /// Runs a statement past the program, as somebody would who tampers with the database; how many rows it changed.
    ///
    /// # Panics
    /// When the database refuses it.
    #[must_use]
    #[allow(clippy::panic)]
    pub fn execute(&self, statement: &str) -> usize {
        let query = diesel::sql_query(statement);
        let done = match self.engine {
            Engine::Sqlite => SqliteConnection::establish(&self.url)
                .map(|mut connection| query.execute(&mut connection)),
            Engine::Postgres => PgConnection::establish(&self.url)
                .map(|mut connection| query.execute(&mut connection)),
        };
        match done {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => panic!("{statement}: {error}"),
            Err(error) => panic!("{} cannot be opened: {error}", self.url),
        }
    }

    fn file((directory, url): (TempDir, String)) -> Database {
        Database {
            url,
            engine: Engine::Sqlite,
            guard: Guard::Directory(directory),
        }
    }

    fn created((dropped, url): (postgres::Dropped, String)) -> Database {
        Database {
            url,
            engine: Engine::Postgres,
            guard: Guard::Database(dropped),
        }
    }
}
