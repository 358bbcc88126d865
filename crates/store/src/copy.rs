//! What a backup and a restore ask of the database itself.

use std::path::Path;

use diesel::sql_types::Integer;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::store::Store;

/// What must have no rows in an empty registry.
const TABLES: [&str; 32] = [
    "owner",
    "record",
    "state",
    "change",
    "token",
    "access_grant",
    "directory_id",
    "directory_identifier",
    "identifier",
    "link",
    "entry",
    "pending_reference",
    "waited_reference",
    "term",
    "geometry",
    "accepted_transaction",
    "idempotency",
    "retention_rule",
    "record_mark",
    "disposal",
    "archive_delivery",
    "source",
    "load",
    "load_row",
    "load_batch",
    "assertion",
    "assertion_content",
    "peer",
    "push",
    "copy_batch",
    "transfer",
    "transfer_record",
];

/// A table in which there is something.
pub(crate) fn filled(connection: &mut Connection) -> Result<Option<&'static str>, StoreError> {
    for table in TABLES {
        let sql = Sql::<(Integer,)>::new(&format!("SELECT 1 FROM {table} LIMIT 1"));
        let found: Option<(i32,)> = connection.first(&sql)?;
        if found.is_some() {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

impl Store {
    /// A table in which there is something: `None` = nothing was ever put into this registry.
    ///
    /// # Errors
    /// [`StoreError::NotMigrated`]; [`StoreError`] of the database.
    pub fn filled(&self) -> Result<Option<&'static str>, StoreError> {
        let pending = self.pending_migrations()?;
        if !pending.is_empty() {
            return Err(StoreError::NotMigrated(pending));
        }
        filled(&mut self.connect()?)
    }

    /// Writes the database as it is at one moment to a new file, while writes go on, where the engine does that by itself:
    /// SQLite does (`VACUUM INTO`: without free pages, and so without what was removed), of PostgreSQL `false` is
    /// answered and nothing is done.
    ///
    /// # Errors
    /// [`StoreError`] of the database, a file that is there already included.
    pub fn copy_into(&self, path: &Path) -> Result<bool, StoreError> {
        let mut connection = self.connect()?;
        if let Connection::Postgres(_) = connection {
            return Ok(false);
        }
        let Some(path) = path.to_str() else {
            return Err(StoreError::Url("the path must be UTF-8".to_owned()));
        };
        // The copy that VACUUM makes may be larger than the memory.
        connection.batch("PRAGMA temp_store = FILE")?;
        let mut sql = Sql::<()>::new("VACUUM INTO ");
        sql.text(path);
        connection.execute(&sql)?;
        Ok(true)
    }
}
