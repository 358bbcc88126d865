//! What the two databases spell differently. Everything else is the same text (see also [`crate::sql_types`], the
//! inserts of [`crate::write`] and the pragmas and settings of [`crate::connection`]).

use crate::connection::Connection;
use crate::error::StoreError;

/// Locks the selected row until the end of the transaction. SQLite has taken its write lock at the beginning.
pub(crate) fn for_update(connection: &Connection) -> &'static str {
    match connection {
        Connection::Sqlite(_) => "",
        Connection::Postgres(_) => " FOR UPDATE",
    }
}

/// Keeps others from changing the selected rows of an alias until the end of the transaction.
pub(crate) fn for_share(connection: &Connection, alias: &str) -> String {
    match connection {
        Connection::Sqlite(_) => String::new(),
        Connection::Postgres(_) => format!(" FOR SHARE OF {alias}"),
    }
}

/// A join whose order the planner keeps. SQLite has no statistics to choose by and takes `CROSS JOIN` as the order;
/// PostgreSQL plans by statistics.
pub(crate) fn ordered_join(connection: &Connection) -> &'static str {
    match connection {
        Connection::Sqlite(_) => " CROSS JOIN ",
        Connection::Postgres(_) => " JOIN ",
    }
}

/// Asks whether a statement that may walk along many rows has taken too long: a condition on a small number of the table
/// that it walks along, so that it is asked of each of its rows. PostgreSQL breaks statements off by itself.
pub(crate) fn in_time(connection: &Connection) -> Option<&'static str> {
    match connection {
        Connection::Sqlite(_) => Some(" AND grunddata_in_time("),
        Connection::Postgres(_) => None,
    }
}

/// Keeps everybody else from adding owners, and so from writing anything, until the end of the transaction. SQLite has
/// taken its write lock at the beginning.
pub(crate) fn hold_owners(connection: &mut Connection) -> Result<(), StoreError> {
    match connection {
        Connection::Sqlite(_) => Ok(()),
        Connection::Postgres(_) => connection.batch("LOCK TABLE owner IN EXCLUSIVE MODE"),
    }
}
