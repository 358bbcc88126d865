//! The migrations, embedded; the same folder names for both databases.

use diesel::migration::Migration;
#[cfg(test)]
use diesel::migration::MigrationSource as _;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};

use crate::connection::Connection;
use crate::error::StoreError;

const SQLITE: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

type Result<T> = std::result::Result<T, StoreError>;

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Database(error.to_string().into())
}

fn names<DB: diesel::backend::Backend>(migrations: &[Box<dyn Migration<DB>>]) -> Vec<String> {
    migrations
        .iter()
        .map(|migration| migration.name().to_string())
        .collect()
}

/// The names of the migrations that the database lacks.
pub(crate) fn pending(connection: &mut Connection) -> Result<Vec<String>> {
    match connection {
        Connection::Sqlite(connection) => connection
            .pending_migrations(SQLITE)
            .map(|list| names(&list)),
        Connection::Postgres(connection) => connection
            .pending_migrations(POSTGRES)
            .map(|list| names(&list)),
    }
    .map_err(failed)
}

/// Runs what the database lacks; the names of what was run.
pub(crate) fn run(connection: &mut Connection) -> Result<Vec<String>> {
    let names = pending(connection)?;
    match connection {
        Connection::Sqlite(connection) => connection.run_pending_migrations(SQLITE).map(drop),
        Connection::Postgres(connection) => connection.run_pending_migrations(POSTGRES).map(drop),
    }
    .map_err(failed)?;
    Ok(names)
}

/// Takes every migration back, the last one first: all data is lost. For tests.
#[cfg(test)]
pub(crate) fn revert_all(connection: &mut Connection) -> Result<()> {
    match connection {
        Connection::Sqlite(connection) => connection.revert_all_migrations(SQLITE).map(drop),
        Connection::Postgres(connection) => connection.revert_all_migrations(POSTGRES).map(drop),
    }
    .map_err(failed)
}

/// The names of all migrations of each database, in order.
#[cfg(test)]
pub(crate) fn all() -> Result<(Vec<String>, Vec<String>)> {
    let sqlite: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> =
        SQLITE.migrations().map_err(failed)?;
    let postgres: Vec<Box<dyn Migration<diesel::pg::Pg>>> =
        POSTGRES.migrations().map_err(failed)?;
    Ok((names(&sqlite), names(&postgres)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use diesel::sql_types::{Integer, Text};
    use grunddata_model::Instant;
    use grunddata_testing::{Database, Engine, on_both};

    use super::*;
    use crate::connection::Purpose;
    use crate::options::{StoreOptions, Target};
    use crate::sql::Sql;

    fn connect(db: &Database) -> Connection {
        let options = StoreOptions::new(db.url.as_str(), Arc::new(|| Instant::from_micros(0)));
        Connection::open(&Target::parse(&db.url).unwrap(), &options, Purpose::Write).unwrap()
    }

    /// Table, column, type and whether it may be null, as the database has them.
    fn columns(connection: &mut Connection) -> Vec<(String, String, String, bool)> {
        if let Connection::Sqlite(_) = connection {
            let sql = Sql::<(Text, Text, Text, Integer)>::new(
                "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_master m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\' AND m.name NOT LIKE 'sqlite%' \
                 ORDER BY m.name, c.cid",
            );
            let rows: Vec<(String, String, String, i32)> = connection.load(&sql).unwrap();
            return rows
                .into_iter()
                .map(|(table, name, kind, not_null)| (table, name, kind, not_null == 0))
                .collect();
        }
        let sql = Sql::<(Text, Text, Text, Text)>::new(
            "SELECT c.table_name::text, c.column_name::text, c.data_type::text, c.is_nullable::text \
             FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name NOT LIKE '\\_\\_%' \
             ORDER BY c.table_name COLLATE \"C\", c.ordinal_position",
        );
        let rows: Vec<(String, String, String, String)> = connection.load(&sql).unwrap();
        rows.into_iter()
            .map(|(table, name, kind, null)| (table, name, kind, null == "YES"))
            .collect()
    }

    /// The same from the schema, in the types of the engine.
    fn declared(engine: Engine) -> Vec<(String, String, String, bool)> {
        let mut rows = Vec::new();
        let mut table = String::new();
        for line in crate::schema::TEXTS
            .into_iter()
            .flat_map(str::lines)
            .map(str::trim)
        {
            if let Some((name, kind)) = line.trim_end_matches(',').split_once(" -> ") {
                let nullable = kind.starts_with("Nullable<");
                let kind = kind.trim_start_matches("Nullable<").trim_end_matches('>');
                let (postgres, sqlite) = match kind {
                    "Text" => ("text", "TEXT"),
                    "SqlId" => ("uuid", "BLOB"),
                    "Binary" => ("bytea", "BLOB"),
                    "SmallInt" => ("smallint", "INTEGER"),
                    "Integer" => ("integer", "INTEGER"),
                    "BigInt" => ("bigint", "INTEGER"),
                    "SqlMoment" => ("timestamp with time zone", "INTEGER"),
                    "SqlDay" => ("date", "INTEGER"),
                    other => panic!("{other}"),
                };
                let kind = if engine == Engine::Sqlite {
                    sqlite
                } else {
                    postgres
                };
                rows.push((table.clone(), name.to_owned(), kind.to_owned(), nullable));
            } else if line.ends_with(") {") {
                table = line.split(' ').next().unwrap().to_owned();
            }
        }
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        rows
    }

    on_both! {
        fn migrations_go_up_down_and_up(db: Database) {
            let mut connection = connect(&db);
            let (sqlite, postgres) = all().unwrap();
            assert_eq!(sqlite, postgres, "the same folder names");
            assert_eq!(pending(&mut connection).unwrap(), sqlite);
            assert_eq!(run(&mut connection).unwrap(), sqlite);
            let up = columns(&mut connection);
            assert!(run(&mut connection).unwrap().is_empty());
            revert_all(&mut connection).unwrap();
            assert!(columns(&mut connection).is_empty());
            run(&mut connection).unwrap();
            assert_eq!(columns(&mut connection), up);
        }

        fn hand_overs_from_before_are_found_by_their_ids(db: Database) {
            let mut connection = connect(&db);
            run(&mut connection).unwrap();
            let (text, prefix, now) = match db.engine {
                Engine::Sqlite => (include_str!("../../../migrations/sqlite/0018_carrying/up.sql"), "x", "0"),
                Engine::Postgres => (include_str!("../../../migrations/postgres/0018_carrying/up.sql"), "uuid ", "now()"),
            };
            let id = |digit: &str| format!("{prefix}'{}'", digit.repeat(32));
            for (owner, id, side, other) in [("giver", id("1"), 1, "receiver"), ("receiver", id("1"), 2, "giver"), ("receiver", id("2"), 2, "elsewhere")] {
                connection.batch(&format!("INSERT INTO transfer VALUES ('{owner}', {id}, 1, {side}, 1, '{other}', '{{}}', {now}, 'x', {now})")).unwrap();
            }
            let statement = text.split(';').find(|statement| statement.contains("INSERT INTO directory_transfer")).unwrap();
            connection.batch(statement).unwrap();
            let sql = Sql::<(Text, Text)>::new("SELECT d.giver, d.receiver FROM directory_transfer d ORDER BY d.id");
            let found: Vec<(String, String)> = connection.load(&sql).unwrap();
            let pair = |giver: &str, receiver: &str| (giver.to_owned(), receiver.to_owned());
            assert_eq!(found, [pair("giver", "receiver"), pair("elsewhere", "receiver")]);
        }

        fn schema_agrees_with_the_database(db: Database) {
            let mut connection = connect(&db);
            run(&mut connection).unwrap();
            assert_eq!(columns(&mut connection), declared(db.engine));
        }

        fn every_key_leads_with_the_owner(db: Database) {
            let mut connection = connect(&db);
            run(&mut connection).unwrap();
            let without = ["access_grant", "directory_id", "directory_identifier", "directory_transfer", "log_key", "model_package", "owner", "owner_reference", "peer", "push", "token"];
            let leading: Vec<(String, String)> = if let Connection::Sqlite(_) = connection {
                let sql = Sql::<(Text, Text)>::new(
                    "SELECT m.name, i.name FROM sqlite_master m JOIN pragma_index_list(m.name) l \
                     JOIN pragma_index_info(l.name) i ON i.seqno = 0 WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\'",
                );
                connection.load(&sql).unwrap()
            } else {
                let sql = Sql::<(Text, Text)>::new(
                    "SELECT t.relname::text, a.attname::text FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid \
                     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] \
                     JOIN pg_namespace n ON n.oid = t.relnamespace WHERE n.nspname = 'public' AND t.relname NOT LIKE '\\_\\_%'",
                );
                connection.load(&sql).unwrap()
            };
            assert!(leading.len() >= 18, "{leading:?}");
            for (table, column) in leading {
                assert!(column == "owner" || without.contains(&table.as_str()), "{table} {column}");
            }
        }
    }
}
