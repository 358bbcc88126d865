//! The tree over changes that have none yet: those from before there were trees, and those of an import.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use grunddata_information_model::InformationModel;
use grunddata_log_proof::entry::Opening;
use grunddata_log_proof::merkle::Hash;
use grunddata_model::OwnerKey;

use super::content::{Chosen, for_entries};
use super::frontier::Frontier;
use super::write::{save, secret};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{LIST, Sql};
use crate::store::Store;
use crate::write::owner_key;

/// How many changes are taken in one transaction.
const PAGE: u64 = 500;

/// The tree of an owner as it is stored.
pub(crate) fn frontier(
    connection: &mut Connection,
    owner: &OwnerKey,
) -> Result<Frontier, StoreError> {
    let mut sql = Sql::<(BigInt, Binary)>::new(
        "SELECT o.tree_size, o.tree_nodes FROM owner o WHERE o.key = ",
    );
    sql.text(owner.as_str());
    let row: Option<(i64, Vec<u8>)> = connection.first(&sql)?;
    let (size, nodes) = row.ok_or_else(|| StoreError::UnknownOwner(owner.clone()))?;
    Frontier::from_bytes(u64::try_from(size).unwrap_or_default(), &nodes)
}

/// Grows the tree over the next changes, under the lock of the owner. Leaves that are there stay as they are, the others
/// are made from what the rows say now. Whether there may be more.
pub(crate) fn grow(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
) -> Result<bool, StoreError> {
    let mut tree = frontier(connection, owner)?;
    let size = tree.size();
    let mut sql = Sql::<(BigInt, Nullable<Binary>)>::new(
        "SELECT c.position, c.leaf FROM change c WHERE c.owner = ",
    );
    sql.text(owner.as_str());
    sql.push(" AND c.position > ").big(number(size));
    sql.push(" AND c.position <= ").big(number(size + PAGE));
    sql.push(" ORDER BY c.position");
    let page: Vec<(i64, Option<Vec<u8>>)> = connection.load(&sql)?;
    if page.is_empty() {
        return Ok(false);
    }
    let without: Vec<u64> = page
        .iter()
        .filter(|(_, leaf)| leaf.is_none())
        .filter_map(|(position, _)| u64::try_from(*position).ok())
        .collect();
    let mut made = make(connection, model, owner, &without)?;
    let mut nodes = Vec::new();
    for (next, (position, leaf)) in (size + 1..).zip(page) {
        if position != number(next) {
            return Err(StoreError::disagrees(format!(
                "position {position} of {owner} follows on {}",
                next - 1
            )));
        }
        let wrong = || StoreError::disagrees(format!("the leaf of position {position}"));
        let leaf = match leaf {
            Some(leaf) => leaf.try_into().map(Hash).map_err(|_| wrong())?,
            None => made.remove(&next).ok_or_else(wrong)?,
        };
        tree.push(leaf, &mut nodes);
    }
    save(connection, owner, &nodes)?;
    let mut sql = Sql::<()>::new("UPDATE owner SET tree_size = ");
    sql.big(number(tree.size()))
        .push(", tree_nodes = ")
        .bytes(tree.to_bytes())
        .push(" WHERE key = ")
        .text(owner.as_str());
    connection.execute(&sql)?;
    Ok(true)
}

/// Makes the leaves at these positions from what the rows say now.
fn make(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    positions: &[u64],
) -> Result<HashMap<u64, Hash>, StoreError> {
    let mut made = HashMap::with_capacity(positions.len());
    let mut random = Vec::new();
    for chunk in positions.chunks(LIST) {
        let chosen = |sql: &mut Chosen<'_>| sql.positions(chunk);
        for_entries(
            connection,
            model,
            owner,
            &chosen,
            &mut |connection, entry| {
                let position = entry.change.position;
                let opening = Opening::Whole(secret(&mut random, positions.len() - made.len())?);
                let leaf = entry.computed(owner, &opening);
                let mut sql = Sql::<()>::new("UPDATE change SET leaf = ");
                sql.bytes(leaf.0.to_vec())
                    .push(", opening = ")
                    .bytes(opening.to_bytes())
                    .push(" WHERE owner = ")
                    .text(owner.as_str())
                    .push(" AND position = ")
                    .big(number(position));
                connection.execute(&sql)?;
                made.insert(position, leaf);
                Ok(())
            },
        )?;
    }
    Ok(made)
}

fn number(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

/// Owners whose trees have not grown over all of their changes.
fn behind(connection: &mut Connection) -> Result<Vec<OwnerKey>, StoreError> {
    let sql = Sql::<(Text,)>::new(
        "SELECT o.key FROM owner o WHERE o.tree_size < o.position ORDER BY o.key",
    );
    let keys: Vec<(String,)> = connection.load(&sql)?;
    keys.iter().map(|(key,)| owner_key(key)).collect()
}

/// All trees, in the open transaction of an import.
pub(crate) fn grow_all(
    connection: &mut Connection,
    model: &InformationModel,
) -> Result<(), StoreError> {
    for owner in behind(connection)? {
        while grow(connection, model, &owner)? {}
    }
    Ok(())
}

impl Store {
    /// Grows the trees of all logs over the changes that they do not have yet; of how many owners. Changes that were made
    /// before there were trees get their leaves here, from what is stored of them now. Each transaction takes some hundred
    /// changes; what is done stays done when it is broken off (`goes_on` is asked between them), and the next call goes on.
    ///
    /// # Errors
    /// [`StoreError`] of the database; [`StoreError::Disagrees`] when a log has a hole.
    pub fn grow_trees(&self, goes_on: &dyn Fn() -> bool) -> Result<usize, StoreError> {
        let owners = behind(&mut self.connect()?)?;
        for owner in &owners {
            while self.under_lock(owner, |store, connection| {
                grow(connection, store.model(), owner)
            })? {
                if !goes_on() {
                    return Ok(owners.len());
                }
            }
            tracing::info!(%owner, "the tree of the log has grown over all of its changes");
        }
        Ok(owners.len())
    }
}
