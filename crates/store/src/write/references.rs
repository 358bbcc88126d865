//! Between which owners there are links, so that "who refers to this" asks only the owners that can.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::sql_types::Text;
use grunddata_model::RecordId;
use parking_lot::Mutex;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Id, SqlId};
use crate::write::rows::LinkRow;
use crate::write::statements::insert_missing;
use crate::write::vocabulary::Vocabulary;

/// What this process knows to be stored already, so that it is not offered to the database with every batch.
pub(crate) struct Known {
    pub(crate) vocabulary: Vocabulary,
    /// Pairs of target owner and source owner.
    references: Mutex<HashSet<(String, String)>>,
    /// Owners of targets that were looked up lately: an id never changes its owner.
    owners: Mutex<HashMap<RecordId, String>>,
}

/// The most targets remembered; then they are forgotten and looked up again (a few MiB).
const TARGETS: usize = 50_000;

impl Known {
    pub(crate) fn new() -> Self {
        Self {
            vocabulary: Vocabulary::new(),
            references: Mutex::new(HashSet::new()),
            owners: Mutex::new(HashMap::new()),
        }
    }
}

/// Adds the pairs of owners between which the links lead. The pairs are remembered only when they were there before this
/// batch: if it is taken back, so are they.
pub(crate) fn note_owner_references(
    connection: &mut Connection,
    known: &Known,
    owner: &str,
    links: &[LinkRow<'_>],
) -> Result<(), StoreError> {
    let mut targets: Vec<RecordId> = Vec::new();
    let mut last = None;
    {
        let owners = known.owners.lock();
        for link in links {
            let target = link.target_id.record();
            if last.replace(target) != Some(target) && !owners.contains_key(&target) {
                targets.push(target);
            }
        }
    }
    targets.sort_unstable();
    targets.dedup();
    let mut found: Vec<(Id, String)> = Vec::with_capacity(targets.len());
    for chunk in targets.chunks(LIST) {
        let mut sql =
            Sql::<(SqlId, Text)>::new("SELECT d.id, d.owner FROM directory_id d WHERE d.id IN ");
        sql.ids(chunk.iter().copied());
        found.extend(connection.load::<_, (Id, String)>(&sql)?);
    }
    let mut pairs = BTreeSet::new();
    {
        let mut owners = known.owners.lock();
        for link in links {
            if let Some(target) = owners.get(&link.target_id.record()) {
                pairs.insert(target.clone());
            }
        }
        pairs.extend(found.iter().map(|(_, target)| target.clone()));
        if owners.len() + found.len() > TARGETS {
            owners.clear();
        }
        // A record of this owner may be new in this very batch, which may be taken back; one of another is committed.
        let others = found.into_iter().filter(|(_, target)| target != owner);
        owners.extend(others.map(|(id, target)| (id.record(), target)));
    }
    let references = known.references.lock();
    let missing: Vec<String> = pairs
        .into_iter()
        .filter(|target| !references.contains(&(target.clone(), owner.to_owned())))
        .collect();
    drop(references);
    if missing.is_empty() {
        return Ok(());
    }
    let mut stored =
        Sql::<(Text,)>::new("SELECT f.target FROM owner_reference f WHERE f.source = ");
    stored
        .text(owner)
        .push(" AND f.target IN ")
        .texts(missing.iter().map(String::as_str));
    let stored: Vec<(String,)> = connection.load(&stored)?;
    let rows = missing
        .iter()
        .filter(|target| !stored.iter().any(|(known,)| known == *target))
        .map(|target| vec![Bind::Text(target.as_str().into()), Bind::Text(owner.into())])
        .collect();
    insert_missing(connection, "owner_reference (target, source)", rows)?;
    let mut references = known.references.lock();
    references.extend(
        stored
            .into_iter()
            .map(|(target,)| (target, owner.to_owned())),
    );
    Ok(())
}
