//! What an erasure does to leaves: they stay, and so do the commitments; what could open them goes.

use grunddata_information_model::InformationModel;
use grunddata_log_proof::entry::{ACTOR, COUNT, ENTRY, Kept, Opening, REASON, commitment};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{OwnerKey, RecordId};
use serde_json::json;
use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Binary};

use super::content::{Chosen, for_entries};
use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::write::Operation;

/// Keeps of every change of these records, but for their erasures, the bare commitments to what is about to be removed.
/// To be called while all of it is still there.
pub(crate) fn keep_commitments(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    ids: &[RecordId],
) -> Result<(), StoreError> {
    let chosen = |sql: &mut Chosen<'_>| sql.records(ids);
    for_entries(
        connection,
        model,
        owner,
        &chosen,
        &mut |connection, entry| {
            let (Some(leaf), Some(opening)) = (entry.leaf, &entry.opening) else {
                // The tree will grow over what is left.
                return Ok(());
            };
            if entry.change.operation == Operation::Erase {
                return Ok(());
            }
            if entry.computed(owner, opening) != leaf {
                // What was tampered with is not covered up: its leaf stays, and `verify` finds it.
                tracing::error!(%owner, position = entry.change.position, "an erased change was not what its leaf commits to");
            }
            let commitments = opening.commitments(&entry.contents);
            let left = opening.without(&commitments, |part| part != ENTRY && part != ACTOR);
            replace(connection, owner, entry.change.position, &left)
        },
    )
}

/// The texts of the parts of every entry of a record, by position.
pub(crate) fn contents_of_record(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    id: RecordId,
) -> Result<BTreeMap<u64, [String; COUNT]>, StoreError> {
    let mut found = BTreeMap::new();
    let chosen = |sql: &mut Chosen<'_>| sql.records(&[id]);
    for_entries(connection, model, owner, &chosen, &mut |_, entry| {
        found.insert(entry.change.position, entry.contents);
        Ok(())
    })?;
    Ok(found)
}

/// Keeps of every change of a record, whose states have been changed, the bare commitments to the parts that say something else
/// now than they did `before`.
pub(crate) fn keep_changed(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &OwnerKey,
    id: RecordId,
    before: &BTreeMap<u64, [String; COUNT]>,
) -> Result<(), StoreError> {
    let chosen = |sql: &mut Chosen<'_>| sql.records(&[id]);
    for_entries(
        connection,
        model,
        owner,
        &chosen,
        &mut |connection, entry| {
            let position = entry.change.position;
            let (Some(_), Some(opening), Some(said)) =
                (entry.leaf, &entry.opening, before.get(&position))
            else {
                return Ok(());
            };
            if *said == entry.contents {
                return Ok(());
            }
            let left = opening.without(&opening.commitments(said), |part| {
                said.get(part) != entry.contents.get(part)
            });
            // What was bare before stays what it is.
            replace(connection, owner, position, &left)
        },
    )
}

/// Keeps of the changes at these positions, whose reason is about to be removed, the bare commitment to it.
pub(crate) fn keep_without_reason(
    connection: &mut Connection,
    owner: &OwnerKey,
    (first, last): (i64, i64),
    operation: Operation,
    reason: &str,
) -> Result<(), StoreError> {
    let mut sql = Sql::<(BigInt, Binary)>::new(
        "SELECT c.position, c.opening FROM change c WHERE c.opening IS NOT NULL AND c.owner = ",
    );
    sql.text(owner.as_str())
        .push(" AND c.position >= ")
        .big(first)
        .push(" AND c.position <= ")
        .big(last)
        .push(" AND c.operation = ")
        .small(operation.code())
        .push(" AND c.reason = ")
        .text(reason.to_owned());
    let rows: Vec<(i64, Vec<u8>)> = connection.load(&sql)?;
    let text = json!(reason).to_string();
    for (position, bytes) in rows {
        let opening = Opening::from_bytes(&bytes)
            .ok_or_else(|| StoreError::disagrees(format!("the leaf of position {position}")))?;
        let Kept::Salt(salt) = opening.part(REASON) else {
            continue;
        };
        let mut commitments = [Hash([0; 32]); COUNT];
        if let Some(place) = commitments.get_mut(REASON) {
            *place = commitment(&salt, &text);
        }
        let left = opening.without(&commitments, |part| part == REASON);
        let position = u64::try_from(position).unwrap_or_default();
        replace(connection, owner, position, &left)?;
    }
    Ok(())
}

fn replace(
    connection: &mut Connection,
    owner: &OwnerKey,
    position: u64,
    opening: &Opening,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new("UPDATE change SET opening = ");
    sql.bytes(opening.to_bytes())
        .push(" WHERE owner = ")
        .text(owner.as_str())
        .push(" AND position = ")
        .big(i64::try_from(position).unwrap_or(i64::MAX));
    connection.execute(&sql).map(drop)
}
