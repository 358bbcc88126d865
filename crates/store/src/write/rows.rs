//! The rows of the tables, borrowed from what they were computed from, and how many are inserted at once.

use diesel::dsl::SqlTypeOf;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::Sqlite;

use crate::connection::Connection;
use crate::error::{StoreError, from_diesel};
use crate::schema;
use crate::sql_types::{Day, Id, Moment};

macro_rules! row {
    ($(#[$doc:meta])* $name:ident of $table:ident { $first:ident: $first_type:ty, $($field:ident: $type:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Insertable)]
        #[diesel(table_name = schema::$table, treat_none_as_default_value = false)]
        pub(crate) struct $name<'a> {
            pub(crate) $first: $first_type,
            $(pub(crate) $field: $type,)+
        }

        impl QueryId for One<'_, $name<'_>> {
            type QueryId = One<'static, $name<'static>>;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        row!(@fragment Sqlite, $name of $table { $first, $($field,)+ });
        row!(@fragment Pg, $name of $table { $first, $($field,)+ });

        impl Insert for $name<'_> {
            fn insert(connection: &mut Connection, rows: &[Self]) -> Result<(), StoreError> {
                match connection {
                    Connection::Sqlite(connection) => {
                        for row in rows {
                            One(row).execute(&mut **connection).map_err(from_diesel)?;
                        }
                    }
                    Connection::Postgres(connection) if rows.len() < COPY_FROM => {
                        for row in rows {
                            One(row).execute(&mut **connection).map_err(from_diesel)?;
                        }
                    }
                    Connection::Postgres(connection) => {
                        diesel::copy_from(schema::$table::table)
                            .from_insertable(rows)
                            .execute(&mut **connection)
                            .map_err(from_diesel)?;
                    }
                }
                Ok(())
            }
        }
    };
    (@fragment $database:ty, $name:ident of $table:ident { $first:ident, $($field:ident,)+ }) => {
        impl QueryFragment<$database> for One<'_, $name<'_>> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $database>) -> QueryResult<()> {
                use schema::$table as columns;
                out.push_sql(concat!("INSERT INTO ", stringify!($table), " (", stringify!($first)));
                $(out.push_sql(concat!(", ", stringify!($field)));)+
                out.push_sql(") VALUES (");
                out.push_bind_param::<SqlTypeOf<columns::$first>, _>(&self.0.$first)?;
                $(
                    out.push_sql(", ");
                    out.push_bind_param::<SqlTypeOf<columns::$field>, _>(&self.0.$field)?;
                )+
                out.push_sql(")");
                Ok(())
            }
        }
    };
}

/// The prepared insert of one row. It is told by its type, and walked for its values alone: most of what a batch does on
/// SQLite is this.
struct One<'r, R>(&'r R);

impl<R, C> RunQueryDsl<C> for One<'_, R> {}

/// From this many rows on PostgreSQL takes them by COPY; fewer go as prepared inserts, one round trip each.
const COPY_FROM: usize = 4;

/// A row that is inserted. On SQLite every row is one prepared insert (a longer statement is no faster there).
pub(crate) trait Insert: Sized {
    /// Inserts new rows, in the order given (key order is the fastest).
    fn insert(connection: &mut Connection, rows: &[Self]) -> Result<(), StoreError>;
}

row! {
    RecordRow of record {
        owner: &'a str,
        id: Id,
        domain: i16,
        controller: Option<Id>,
        origin: Option<&'a str>,
        version: i32,
        status: i16,
        protected_until: Day,
        protection: i16,
    }
}

row! {
    StateRow of state {
        owner: &'a str,
        record_id: Id,
        superseded_at: Moment,
        valid_from: Day,
        valid_to: Day,
        recorded_at: Moment,
        domain: i16,
        version: i32,
        change_kind: i16,
        model: &'a str,
        body: &'a str,
        hash: &'a [u8],
        display: Option<&'a str>,
        kind: Option<&'a str>,
        classes: i16,
        protection: i16,
        has_links: i16,
    }
}

row! {
    IdentifierRow of identifier {
        owner: &'a str,
        scheme: &'a str,
        value: &'a str,
        record_id: Id,
        issuer: &'a str,
        valid_from: Day,
        recorded_at: Moment,
        valid_to: Day,
        superseded_at: Moment,
        status: &'a str,
        class: i16,
    }
}

row! {
    LinkRow of link {
        owner: &'a str,
        source_id: Id,
        relation: &'a str,
        target_id: Id,
        valid_from: Day,
        recorded_at: Moment,
        valid_to: Day,
        superseded_at: Moment,
        source_domain: i16,
        class: i16,
    }
}

row! {
    EntryRow of entry {
        owner: &'a str,
        domain: i16,
        property: &'a str,
        mode: i16,
        value: &'a str,
        record_id: Id,
        valid_from: Day,
        recorded_at: Moment,
        valid_to: Day,
        superseded_at: Moment,
    }
}

row! {
    ChangeRow of change {
        owner: &'a str,
        position: i64,
        record_id: Id,
        domain: i16,
        version: i32,
        recorded_at: Moment,
        transaction_id: Id,
        operation: i16,
        change_kind: i16,
        corrects: Option<i32>,
        actor: &'a str,
        reason: Option<&'a str>,
        source: Option<&'a str>,
        valid_from: Day,
        valid_to: Day,
        hash: Vec<u8>,
        effective_on: Day,
        leaf: Option<Vec<u8>>,
        opening: Option<Vec<u8>>,
    }
}

row! {
    RaisedRow of raised_protection {
        owner: &'a str,
        position: i64,
        record_id: Id,
    }
}

row! {
    FormerHeadRow of former_head {
        owner: &'a str,
        record_id: Id,
        superseded_at: Moment,
        controller: Option<Id>,
        origin: Option<&'a str>,
    }
}

row! {
    TransactionRow of accepted_transaction {
        owner: &'a str,
        id: Id,
        first_position: i64,
        last_position: i64,
        recorded_at: Moment,
    }
}

row! {
    DirectoryIdRow of directory_id {
        id: Id,
        owner: &'a str,
        domain: i16,
        forward_to: Option<Id>,
        erased: i16,
    }
}

row! {
    DirectoryIdentifierRow of directory_identifier {
        scheme: &'a str,
        value: &'a str,
        owner: &'a str,
        record_id: Id,
    }
}

row! {
    LoadRowInsert of load_row {
        owner: &'a str,
        load_id: Id,
        number: i64,
        file_row: i64,
        record_name: &'a str,
        key: &'a str,
        key_hash: &'a [u8],
        domain: i16,
        outcome: i16,
        turn: i32,
        state: i16,
        record_id: Option<Id>,
        base_version: Option<i32>,
        classes: i16,
        protection: i16,
        content: &'a str,
    }
}

row! {
    LoadBatchInsert of load_batch {
        owner: &'a str,
        load_id: Id,
        number: i32,
        transaction_id: Option<Id>,
        recorded_at: Moment,
        reached_turn: i32,
        reached_row: i64,
        row_count: i32,
        findings: Option<&'a str>,
    }
}

row! {
    AssertionInsert of assertion {
        owner: &'a str,
        source: &'a str,
        key_hash: &'a [u8],
        hash: &'a [u8],
        present: i16,
        record_id: Id,
    }
}

row! {
    AssertionContentInsert of assertion_content {
        owner: &'a str,
        source: &'a str,
        key_hash: &'a [u8],
        record_name: &'a str,
        key: &'a str,
        domain: i16,
        content: &'a str,
        first_load: Id,
        load_id: Id,
    }
}

/// Inserts new rows.
pub(crate) fn insert<R: Insert>(connection: &mut Connection, rows: &[R]) -> Result<(), StoreError> {
    R::insert(connection, rows)
}
