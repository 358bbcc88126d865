//! Forgetting a copy.

use diesel::sql_types::BigInt;
use grunddata_model::{Instant, OwnerKey};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, Sql};
use crate::sql_types::Moment;

/// The tables in which a copied owner has rows.
const TABLES: [&str; 17] = [
    "state",
    "former_head",
    "identifier",
    "link",
    "entry",
    "pending_reference",
    "waited_reference",
    "term",
    "term_variant",
    "geometry",
    "change",
    "accepted_transaction",
    "record_mark",
    "record",
    "copy_batch",
    "log_node",
    "raised_protection",
];

/// Removes every row that was copied, and has the peer begin again. Which owners refer to this one stays: what they refer to
/// is fetched anew. The log begins another epoch: who reads it by position or cursor learns that it was forgotten, and webhooks
/// begin again.
pub(super) fn wipe(
    connection: &mut Connection,
    owner: &OwnerKey,
    now: Instant,
) -> Result<(), StoreError> {
    // By keys: the directories are those of all owners.
    for sql in [
        "DELETE FROM directory_identifier WHERE (scheme, value, owner, record_id) IN \
         (SELECT i.scheme, i.value, i.owner, i.record_id FROM identifier i WHERE i.owner = ",
        "DELETE FROM directory_id WHERE id IN (SELECT r.id FROM record r WHERE r.owner = ",
    ] {
        let mut sql = Sql::<()>::new(sql);
        sql.text(owner.as_str()).push(")");
        connection.execute(&sql)?;
    }
    for table in TABLES {
        let mut sql = Sql::<()>::new(&format!("DELETE FROM {table} WHERE owner = "));
        sql.text(owner.as_str());
        connection.execute(&sql)?;
    }
    let mut sql = Sql::<()>::new("DELETE FROM owner_reference WHERE source = ");
    sql.text(owner.as_str());
    connection.execute(&sql)?;
    let mut sql =
        Sql::<(BigInt, BigInt)>::new("SELECT o.epoch, o.position FROM owner o WHERE o.key = ");
    sql.text(owner.as_str());
    let before: Option<(i64, i64)> = connection.first(&sql)?;
    let Some((mut epoch, position)) = before else {
        return Ok(());
    };
    if position > 0 {
        epoch = (epoch + 1).max(now.micros() / 1_000_000);
        let mut sql =
            Sql::<()>::new("INSERT INTO log_epoch (owner, epoch, fork_position, begun_at) VALUES ");
        sql.values([vec![
            Bind::Text(owner.as_str().into()),
            Bind::Big(epoch),
            Bind::Big(0),
            Bind::Moment(Moment(now)),
        ]]);
        connection.execute(&sql)?;
        let mut sql =
            Sql::<()>::new("UPDATE subscription SET position = 0, begun = NULL WHERE owner = ");
        sql.text(owner.as_str());
        connection.execute(&sql)?;
    }
    let mut sql = Sql::<()>::new("UPDATE owner SET position = 0, tree_size = 0, tree_nodes = ");
    sql.bytes(Vec::new())
        .push(", epoch = ")
        .big(epoch)
        .push(", last_instant = ")
        .moment(Instant::from_micros(0))
        .push(" WHERE key = ")
        .text(owner.as_str());
    connection.execute(&sql)?;
    let mut sql = Sql::<()>::new(
        "UPDATE peer SET place = '0', position = 0, complete_at = NULL, received_at = NULL, heard_at = NULL, \
         unproven_from = NULL, origin_epoch = NULL, \
         restarts = restarts + 1 WHERE owner = ",
    );
    sql.text(owner.as_str());
    connection.execute(&sql).map(drop)
}
