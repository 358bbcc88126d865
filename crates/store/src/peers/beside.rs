//! What is written beside the rows of a copy: geometries, which copies refer to which, and when which part came.

use std::collections::BTreeSet;

use diesel::sql_types::{BigInt, Text};
use grunddata_model::{Instant, OwnerKey, RecordId};

use super::check::CheckedChange;
use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::Moment;
use crate::write::{AcceptedJob, insert_missing};

pub(super) fn insert_geometries(
    connection: &mut Connection,
    owner: &OwnerKey,
    changes: &[CheckedChange],
) -> Result<(), StoreError> {
    let mut all: Vec<(&str, &str)> = changes
        .iter()
        .flat_map(|checked| &checked.change.geometries)
        .map(|(hash, body)| (hash.as_str(), body.as_str()))
        .collect();
    all.sort_unstable();
    all.dedup();
    let rows = all.into_iter().map(|(hash, body)| {
        vec![
            Bind::Text(owner.as_str().into()),
            Bind::Text(hash.into()),
            Bind::Text(body.into()),
        ]
    });
    insert_missing(connection, "geometry (owner, hash, body)", rows.collect())
}

/// Notes which copied owners refer to records that have come only now: a copy may come before what it refers to.
pub(super) fn refer(
    connection: &mut Connection,
    owner: &OwnerKey,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    let new: Vec<RecordId> = jobs
        .iter()
        .flat_map(|job| &job.writes)
        .filter(|(_, version)| *version == 1)
        .map(|(write, _)| write.id)
        .collect();
    for ids in new.chunks(LIST) {
        let mut sql =
            Sql::<(Text,)>::new("SELECT p.owner FROM peer p WHERE p.dangles = 1 AND p.owner <> ");
        sql.text(owner.as_str())
            .push(" AND NOT EXISTS (SELECT 1 FROM owner_reference f WHERE f.target = ")
            .text(owner.as_str())
            .push(" AND f.source = p.owner) AND EXISTS (SELECT 1 FROM link l WHERE l.owner = p.owner AND l.target_id IN ")
            .ids(ids.iter().copied())
            .push(")");
        let sources: Vec<(String,)> = connection.load(&sql)?;
        let rows = sources
            .into_iter()
            .map(|(source,)| vec![Bind::Text(owner.as_str().into()), Bind::Text(source.into())])
            .collect();
        insert_missing(connection, "owner_reference (target, source)", rows)?;
    }
    Ok(())
}

/// Notes whether what was written refers to records that are not here.
pub(super) fn dangle(
    connection: &mut Connection,
    name: &str,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    let writes = jobs.iter().flat_map(|job| &job.writes);
    let targets: BTreeSet<RecordId> = writes
        .flat_map(|(write, _)| write.after.states())
        .flat_map(|state| state.value.links())
        .map(|link| link.target)
        .collect();
    let targets: Vec<RecordId> = targets.into_iter().collect();
    let mut known = 0;
    for ids in targets.chunks(LIST) {
        let mut sql = Sql::<(BigInt,)>::new("SELECT COUNT(*) FROM directory_id d WHERE d.id IN ");
        sql.ids(ids.iter().copied());
        let counted: Option<(i64,)> = connection.first(&sql)?;
        known += counted.map_or(0, |(count,)| usize::try_from(count).unwrap_or_default());
    }
    if known == targets.len() {
        return Ok(());
    }
    let mut sql = Sql::<()>::new("UPDATE peer SET dangles = 1 WHERE name = ");
    sql.text(name);
    connection.execute(&sql).map(drop)
}

pub(super) fn note_batch(
    connection: &mut Connection,
    owner: &OwnerKey,
    position: i64,
    complete_at: Instant,
    received_at: Instant,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new(
        "INSERT INTO copy_batch (owner, position, complete_at, received_at) VALUES ",
    );
    sql.values([vec![
        Bind::Text(owner.as_str().into()),
        Bind::Big(position),
        Bind::Moment(Moment(complete_at)),
        Bind::Moment(Moment(received_at)),
    ]]);
    connection.execute(&sql).map(drop)
}
