//! Forgetting a copy.

use grunddata_model::{Instant, OwnerKey};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Sql;

/// The tables in which a copied owner has rows.
const TABLES: [&str; 17] = [
    "state",
    "identifier",
    "link",
    "entry",
    "pending_reference",
    "term",
    "term_variant",
    "geometry",
    "change",
    "accepted_transaction",
    "record_mark",
    "record",
    "directory_id",
    "directory_identifier",
    "copy_batch",
    "log_node",
    "log_epoch",
    "raised_protection",
];

/// Removes every row that was copied, and has the peer begin again. Which owners refer to this one stays: what they refer to
/// is fetched anew.
pub(super) fn wipe(connection: &mut Connection, owner: &OwnerKey) -> Result<(), StoreError> {
    for table in TABLES {
        let mut sql = Sql::<()>::new(&format!("DELETE FROM {table} WHERE owner = "));
        sql.text(owner.as_str());
        connection.execute(&sql)?;
    }
    let mut sql = Sql::<()>::new("DELETE FROM owner_reference WHERE source = ");
    sql.text(owner.as_str());
    connection.execute(&sql)?;
    let mut sql =
        Sql::<()>::new("UPDATE owner SET position = 0, epoch = 1, tree_size = 0, tree_nodes = ");
    sql.bytes(Vec::new())
        .push(", last_instant = ")
        .moment(Instant::from_micros(0))
        .push(" WHERE key = ")
        .text(owner.as_str());
    connection.execute(&sql)?;
    let mut sql = Sql::<()>::new(
        "UPDATE peer SET place = '0', position = 0, complete_at = NULL, received_at = NULL, heard_at = NULL, \
         restarts = restarts + 1 WHERE owner = ",
    );
    sql.text(owner.as_str());
    connection.execute(&sql).map(drop)
}
