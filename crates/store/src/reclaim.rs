//! Making what was erased unreadable in the files of the database.

use std::time::Duration;

use diesel::sql_types::Integer;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::store::Store;

/// The tables from which an erasure removes or in which it overwrites.
const TABLES: &str = "state, former_head, identifier, link, entry, pending_reference, waited_reference, term, term_variant, geometry, change, record, idempotency, directory_identifier, record_mark, transfer, load_row, assertion, assertion_content";
/// How often a checkpoint is tried that readers stand in the way of.
const TRIES: u32 = 20;

impl Store {
    /// Takes out of the database's files what was removed from its tables. Part of every erasure, when its last
    /// transaction is committed; it may be repeated at any time.
    ///
    /// SQLite: the file is written anew (`VACUUM`; as much free space as the file has is needed, and writers wait
    /// meanwhile) and the write-ahead log is emptied. Nothing of what was erased is left in the files after that.
    ///
    /// PostgreSQL: the dead rows are given back (`VACUUM`). Their bytes stay in the free space of pages until it is used
    /// again (or the tables are written anew with `VACUUM FULL`), and in the write-ahead log and its archive for as long
    /// as these are kept.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when readers keep the write-ahead log from being emptied; [`StoreError`] of the database.
    pub fn reclaim(&self) -> Result<(), StoreError> {
        let mut connection = self.connect()?;
        if let Connection::Postgres(_) = connection {
            return connection.batch(&format!("VACUUM {TABLES}"));
        }
        // The copy that VACUUM makes may be larger than the memory.
        connection.batch("PRAGMA temp_store = FILE; VACUUM;")?;
        for _ in 0..TRIES {
            let sql = Sql::<(Integer, Integer, Integer)>::new("PRAGMA wal_checkpoint(TRUNCATE)");
            let outcome: Option<(i32, i32, i32)> = connection.first(&sql)?;
            if matches!(outcome, Some((0, _, _))) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(StoreError::Busy)
    }
}
