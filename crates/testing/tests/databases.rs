//! The databases that tests get: separate, filled from a template once, gone afterwards.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use grunddata_testing::{Database, Engine, on_both};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn run(engine: Engine, url: &str, sql: &str) {
    match engine {
        Engine::Sqlite => diesel::sql_query(sql)
            .execute(&mut SqliteConnection::establish(url).unwrap())
            .map(drop),
        Engine::Postgres => diesel::sql_query(sql)
            .execute(&mut PgConnection::establish(url).unwrap())
            .map(drop),
    }
    .unwrap();
}

fn count(engine: Engine, url: &str) -> i64 {
    let query = diesel::sql_query("SELECT count(*) AS n FROM t");
    match engine {
        Engine::Sqlite => query.get_result::<Count>(&mut SqliteConnection::establish(url).unwrap()),
        Engine::Postgres => query.get_result::<Count>(&mut PgConnection::establish(url).unwrap()),
    }
    .unwrap()
    .n
}

on_both! {
    fn two_databases_are_apart(db: Database) {
        let other = Database::new(db.engine);
        run(db.engine, &db.url, "CREATE TABLE t (n INTEGER)");
        run(db.engine, &other.url, "CREATE TABLE t (n INTEGER)");
        run(db.engine, &db.url, "INSERT INTO t VALUES (1)");
        assert_eq!((count(db.engine, &db.url), count(db.engine, &other.url)), (1, 0));
    }

    fn a_template_is_built_once_and_copied(db: Database) {
        static BUILT: AtomicUsize = AtomicUsize::new(0);
        let engine = db.engine;
        let name = format!("once-{engine}-{}", std::process::id());
        let before = BUILT.load(Ordering::Relaxed);
        let make = || {
            Database::from_template(engine, &name, |url| {
                BUILT.fetch_add(1, Ordering::Relaxed);
                run(engine, url, "CREATE TABLE t (n INTEGER)");
                run(engine, url, "INSERT INTO t VALUES (1)");
            })
        };
        let (first, second) = (make(), make());
        run(engine, &first.url, "INSERT INTO t VALUES (2)");
        assert_eq!((count(engine, &first.url), count(engine, &second.url)), (2, 1));
        // The other engine's case may run in this process at the same time.
        assert!((1..=2).contains(&(BUILT.load(Ordering::Relaxed) - before)));
    }

    fn a_dropped_database_is_gone(db: Database) {
        let url = db.url.clone();
        let engine = db.engine;
        drop(db);
        match engine {
            Engine::Sqlite => assert!(!std::path::Path::new(&url).parent().unwrap().exists()),
            Engine::Postgres => assert!(PgConnection::establish(&url).is_err()),
        }
    }
}
