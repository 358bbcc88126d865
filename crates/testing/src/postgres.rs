//! PostgreSQL: `CREATE DATABASE` in the cluster of `TEST_DATABASE_URL`, dropped at the end of the test.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose database cannot be made must fail, with the cure"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::template::{TemplateName, hash};

const CURE: &str = "\n\
    Tests run on SQLite and on PostgreSQL. Either run them with `cargo xtask test [ARGS]`, which starts a\n\
    throwaway PostgreSQL, or keep one running with `cargo xtask postgres` in another terminal and set\n\
    TEST_DATABASE_URL to the address that it prints.\n";

/// Drops the database that it names.
pub(crate) struct Dropped {
    name: String,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        // Failing to clean up must not hide why a test failed; the throwaway cluster goes away anyway.
        drop(run(
            &mut admin(),
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        ));
    }
}

pub(crate) fn create(template: Option<&str>) -> (Dropped, String) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!(
        "gd_test_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let from = template.unwrap_or("template0");
    let mut connection = admin();
    // A database of an earlier process that had the same number and was killed.
    run(
        &mut connection,
        &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .expect("a left-over database can be dropped");
    run(
        &mut connection,
        &format!("CREATE DATABASE {name} TEMPLATE {from}"),
    )
    .unwrap_or_else(|error| {
        panic!("CREATE DATABASE failed (the role of TEST_DATABASE_URL needs CREATEDB): {error}")
    });
    let url = address_of(&name);
    (Dropped { name }, url)
}

/// Another database with the content of one that nobody has open.
pub(crate) fn copy(of: &Dropped) -> (Dropped, String) {
    cut(&mut admin(), &of.name);
    create(Some(&of.name))
}

/// Closes the connections to a database. A backend notices a little after its client that the connection was closed.
fn cut(connection: &mut PgConnection, name: &str) {
    for attempt in 0.. {
        run(
            connection,
            &format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ),
        )
        .expect("connections to a database can be closed");
        let left = diesel::sql_query(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1) AS found",
        )
        .bind::<Text, _>(name)
        .get_result::<Found>(connection)
        .expect("connections can be listed")
        .found;
        if !left {
            return;
        }
        assert!(attempt < 100, "somebody goes on connecting to {name}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

pub(crate) fn from_template(name: &str, build: impl FnOnce(&str)) -> (Dropped, String) {
    let name = TemplateName::of(name);
    ensure(&name, build);
    create(Some(&name.current))
}

/// One process builds, the others wait at the advisory lock. A template is complete when it has its final
/// name, so a builder that was killed leaves nothing that could be taken for one.
fn ensure(name: &TemplateName, build: impl FnOnce(&str)) {
    if exists(&mut admin(), &name.current) {
        return;
    }
    // Its own connection: the lock lives as long as the connection, and `build` may take long.
    let mut connection = connect();
    diesel::sql_query("SELECT pg_advisory_lock($1)")
        .bind::<BigInt, _>(i64::from_ne_bytes(hash(&name.family).to_ne_bytes()))
        .execute(&mut connection)
        .expect("the template lock can be taken");
    if exists(&mut connection, &name.current) {
        return;
    }
    for old in family(&mut connection, &name.family) {
        drop(run(
            &mut connection,
            &format!("DROP DATABASE IF EXISTS {old} WITH (FORCE)"),
        ));
    }
    let aside = format!("{}b", name.family);
    run(
        &mut connection,
        &format!("CREATE DATABASE {aside} TEMPLATE template0"),
    )
    .expect("a template can be created");
    build(&address_of(&aside));
    cut(&mut connection, &aside);
    for attempt in 0.. {
        match run(
            &mut connection,
            &format!("ALTER DATABASE {aside} RENAME TO {}", name.current),
        ) {
            Ok(()) => break,
            Err(_) if attempt < 100 => std::thread::sleep(std::time::Duration::from_millis(20)),
            Err(error) => panic!("the template cannot be put in place: {error}"),
        }
    }
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    datname: String,
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

fn exists(connection: &mut PgConnection, name: &str) -> bool {
    diesel::sql_query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS found")
        .bind::<Text, _>(name)
        .get_result::<Found>(connection)
        .expect("the databases can be listed")
        .found
}

fn family(connection: &mut PgConnection, prefix: &str) -> Vec<String> {
    diesel::sql_query(
        "SELECT datname::text AS datname FROM pg_database WHERE starts_with(datname::text, $1)",
    )
    .bind::<Text, _>(prefix)
    .load::<Name>(connection)
    .expect("the databases can be listed")
    .into_iter()
    .map(|row| row.datname)
    .collect()
}

fn run(connection: &mut PgConnection, sql: &str) -> QueryResult<()> {
    diesel::sql_query(sql).execute(connection).map(|_| ())
}

/// The maintenance connection of this process, for one short statement at a time.
fn admin() -> MutexGuard<'static, PgConnection> {
    static ADMIN: OnceLock<Mutex<PgConnection>> = OnceLock::new();
    ADMIN
        .get_or_init(|| Mutex::new(connect()))
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

fn connect() -> PgConnection {
    let url = base();
    PgConnection::establish(&url).unwrap_or_else(|error| {
        panic!("TEST_DATABASE_URL ({url}) cannot be reached: {error}\n{CURE}")
    })
}

fn base() -> String {
    std::env::var("TEST_DATABASE_URL")
        .unwrap_or_else(|_| panic!("TEST_DATABASE_URL is not set.\n{CURE}"))
}

/// `postgres://user@host/DATABASE?parameters` with another database.
fn address_of(name: &str) -> String {
    with_database(&base(), name)
        .unwrap_or_else(|| panic!("TEST_DATABASE_URL must be a postgres:// address.\n{CURE}"))
}

fn with_database(url: &str, name: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (place, parameters) = rest
        .split_once('?')
        .map_or((rest, None), |(place, parameters)| {
            (place, Some(parameters))
        });
    let server = place.split_once('/').map_or(place, |(server, _)| server);
    Some(match parameters {
        Some(parameters) => format!("{scheme}://{server}/{name}?{parameters}"),
        None => format!("{scheme}://{server}/{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_in_an_address_is_replaced() {
        let cases = [
            (
                "postgres://postgres@/postgres?host=/tmp/x",
                "postgres://postgres@/t?host=/tmp/x",
            ),
            (
                "postgres://u:p@db.example:5433/app",
                "postgres://u:p@db.example:5433/t",
            ),
            ("postgresql://u@db.example", "postgresql://u@db.example/t"),
            (
                "postgres://u@db.example?sslmode=require",
                "postgres://u@db.example/t?sslmode=require",
            ),
        ];
        for (given, wanted) in cases {
            assert_eq!(with_database(given, "t").as_deref(), Some(wanted));
        }
        assert_eq!(with_database("/var/lib/x.sqlite", "t"), None);
    }
}
