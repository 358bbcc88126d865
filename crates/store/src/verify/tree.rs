//! The tree of an owner's log: every leaf is what the rows of its change say, and the nodes and the frontier follow from the
//! leaves.

use diesel::sql_types::{BigInt, Binary, SmallInt, Text};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{OwnerKey, RecordId};

use crate::error::StoreError;
use crate::sql::Sql;
use crate::tree::{Chosen, Frontier, for_entries, frontier};
use crate::verify::Verifier;

/// How many changes are read at a time.
const PAGE: u64 = 500;

impl Verifier<'_> {
    pub(super) fn is_copied(&mut self, owner: &OwnerKey) -> Result<bool, StoreError> {
        let mut sql = Sql::<(Text,)>::new("SELECT p.name FROM peer p WHERE p.owner = ");
        sql.text(owner.as_str());
        let found: Option<(String,)> = self.connection.first(&sql)?;
        Ok(found.is_some())
    }

    pub(super) fn check_tree(&mut self, owner: &OwnerKey, position: i64) -> Result<(), StoreError> {
        let mut tree = Frontier::empty();
        let mut nodes = Vec::new();
        // Of a copy whose origin did not show everything that an entry leads to there is the leaf alone.
        let copied = self.is_copied(owner)?;
        let grown = frontier(self.connection, owner)?;
        if u64::try_from(position).ok() != Some(grown.size()) {
            let detail = format!(
                "the tree has {} leaves, the owner is at {position}",
                grown.size()
            );
            self.found(owner, None, "log-tree", detail);
        }
        loop {
            let size = tree.size();
            let until = grown.size().min(size + PAGE);
            let mut page: Vec<(u64, Option<Hash>, RecordId, Option<&str>)> = Vec::new();
            let chosen = |sql: &mut Chosen<'_>| sql.between(size, until);
            for_entries(
                self.connection,
                self.model,
                owner,
                &chosen,
                &mut |_, entry| {
                    let wrong = match (entry.leaf, &entry.opening) {
                        (Some(leaf), Some(opening)) if entry.computed(owner, opening) != leaf => {
                            Some("is not what its leaf commits to")
                        }
                        (Some(_), Some(opening))
                            if !opening.is_silent_where_bare(&entry.contents) =>
                        {
                            Some("says something of which its leaf keeps the commitment alone")
                        }
                        (Some(_), Some(_)) => None,
                        (Some(_), None) if copied => None,
                        _ => Some("has no leaf, or nothing that opens it"),
                    };
                    let leaf = entry.leaf.filter(|_| copied || entry.opening.is_some());
                    page.push((entry.change.position, leaf, entry.change.record, wrong));
                    Ok(())
                },
            )?;
            if page.is_empty() {
                break;
            }
            page.sort_unstable_by_key(|(position, ..)| *position);
            for (at, leaf, record, wrong) in page {
                if let Some(wrong) = wrong {
                    self.found(
                        owner,
                        Some(record),
                        "log-leaf",
                        format!("position {at} {wrong}"),
                    );
                }
                let Some(leaf) = leaf else {
                    return Ok(());
                };
                tree.push(leaf, &mut nodes);
            }
        }
        if tree != grown {
            let detail = format!(
                "the leaves give the root {}, the owner has {}",
                tree.root(),
                grown.root()
            );
            self.found(owner, None, "log-root", detail);
        }
        let mut sql = Sql::<(SmallInt, BigInt, Binary)>::new(
            "SELECT n.level, n.number, n.hash FROM log_node n WHERE n.owner = ",
        );
        sql.text(owner.as_str()).push(" ORDER BY n.level, n.number");
        let stored: Vec<(i16, i64, Vec<u8>)> = self.connection.load(&sql)?;
        let mut wanted: Vec<(i16, i64, Vec<u8>)> = nodes
            .into_iter()
            .map(|node| {
                (
                    i16::try_from(node.level).unwrap_or(i16::MAX),
                    i64::try_from(node.number).unwrap_or(i64::MAX),
                    node.hash.0.to_vec(),
                )
            })
            .collect();
        wanted.sort_unstable();
        if stored != wanted {
            let detail = "the stored nodes do not follow from the leaves";
            self.found(owner, None, "log-nodes", detail);
        }
        Ok(())
    }
}
