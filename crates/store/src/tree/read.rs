//! Heads and proofs of a log, and what is needed to compute the leaves of its entries.

use std::collections::BTreeSet;
use std::ops::Range;

use diesel::sql_types::{BigInt, Binary, Nullable, SmallInt, SqlType};
use grunddata_log_proof::entry::{ACTOR, CLASSES, EntryProof, REASON, SOURCE};
use grunddata_log_proof::merkle::{
    CompactRange, Hash, consistency_ranges, empty_root, inclusion_ranges,
};
use grunddata_model::{Instant, OwnerKey};

use super::content::entries;
use super::grow::frontier;
use super::{FAN, LEVELS};
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{LIST, Sql};
use crate::sql_types::{Moment, SqlMoment};

/// A head of an owner's log, before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// The epoch of the log.
    pub epoch: u64,
    /// How many entries it covers.
    pub size: u64,
    /// The root over their leaves.
    pub root: Hash,
    /// When the last of them was recorded; of an empty log when the owner was added.
    pub at: Instant,
}

/// A proof of inclusion or of consistency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeProof {
    /// The leaf that is proven; `None` in a proof of consistency.
    pub leaf: Option<Hash>,
    /// The hashes, in the order of RFC 9162.
    pub path: Vec<Hash>,
}

impl Reader<'_> {
    /// The head of the owner's log as it is now, or as it was at an earlier size. `None` = the tree is not as large.
    ///
    /// # Errors
    /// [`StoreError::UnknownOwner`]; [`StoreError`] of the database.
    pub fn tree_head(
        &mut self,
        owner: &OwnerKey,
        size: Option<u64>,
    ) -> Result<Option<LogHead>, StoreError> {
        let mut sql = Sql::<(BigInt, BigInt, SqlMoment)>::new(
            "SELECT o.epoch, o.tree_size, o.created_at FROM owner o WHERE o.key = ",
        );
        sql.text(owner.as_str());
        let row: Option<(i64, i64, Moment)> = self.connection.first(&sql)?;
        let (epoch, grown, created) = row.ok_or_else(|| StoreError::UnknownOwner(owner.clone()))?;
        let grown = u64::try_from(grown).unwrap_or_default();
        let size = size.unwrap_or(grown);
        if size > grown {
            return Ok(None);
        }
        let root = if size == 0 {
            empty_root()
        } else {
            self.subtree_of(owner, &(0..size))?
        };
        let mut sql =
            Sql::<(SqlMoment,)>::new("SELECT c.recorded_at FROM change c WHERE c.owner = ");
        sql.text(owner.as_str())
            .push(" AND c.position = ")
            .big(number(size));
        let at: Option<(Moment,)> = self.connection.first(&sql)?;
        Ok(Some(LogHead {
            epoch: u64::try_from(epoch).unwrap_or_default(),
            size,
            root,
            at: at.map_or(created.0, |(at,)| at.0),
        }))
    }

    /// The proof that the entry at a position is in the tree of `size` entries. `None` = it is not, or the tree is not as
    /// large.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn inclusion_proof(
        &mut self,
        owner: &OwnerKey,
        position: u64,
        size: u64,
    ) -> Result<Option<TreeProof>, StoreError> {
        let Some(index) = position.checked_sub(1) else {
            return Ok(None);
        };
        let Some(ranges) = inclusion_ranges(index, size) else {
            return Ok(None);
        };
        if frontier(self.connection, owner)?.size() < size {
            return Ok(None);
        }
        Ok(Some(TreeProof {
            leaf: Some(self.subtree_of(owner, &(index..index + 1))?),
            path: self.subtrees(owner, &ranges)?,
        }))
    }

    /// The proof that the tree of `to` entries continues that of `from` entries. `None` unless `0 < from <= to`, or when
    /// the tree is not as large.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn consistency_proof(
        &mut self,
        owner: &OwnerKey,
        from: u64,
        to: u64,
    ) -> Result<Option<TreeProof>, StoreError> {
        let Some(ranges) = consistency_ranges(from, to) else {
            return Ok(None);
        };
        if frontier(self.connection, owner)?.size() < to {
            return Ok(None);
        }
        Ok(Some(TreeProof {
            leaf: None,
            path: self.subtrees(owner, &ranges)?,
        }))
    }

    /// What is needed to compute the leaves of the entries at these positions, in the order of the log. Only for readers of
    /// the whole owner; who is not `told` who wrote, why and from where gets the bare commitments to that, and everybody of
    /// the data at the positions `withheld`, something of which is hidden from the reader. Entries over which the tree has
    /// not grown are left out.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn entry_proofs(
        &mut self,
        owner: &OwnerKey,
        positions: &[u64],
        told: bool,
        withheld: &BTreeSet<u64>,
    ) -> Result<Vec<(u64, EntryProof)>, StoreError> {
        let model = self.model().clone();
        let mut proofs = Vec::with_capacity(positions.len());
        for chunk in positions.chunks(LIST) {
            let found = entries(self.connection, &model, owner, &|condition| {
                condition.positions(chunk);
            })?;
            for entry in found {
                if let (Some(leaf), Some(mut opening)) = (entry.leaf, entry.opening) {
                    let hides = withheld.contains(&entry.change.position);
                    if !told || hides {
                        let commitments = opening.commitments(&entry.contents);
                        opening = opening.without(&commitments, |part| match part {
                            ACTOR | REASON | SOURCE => !told,
                            CLASSES.. => hides,
                            _ => false,
                        });
                    }
                    let proof = EntryProof::new(leaf, &opening, entry.contents);
                    proofs.push((entry.change.position, proof));
                }
            }
        }
        Ok(proofs)
    }

    fn subtrees(
        &mut self,
        owner: &OwnerKey,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Hash>, StoreError> {
        ranges
            .iter()
            .map(|range| self.subtree_of(owner, range))
            .collect()
    }

    /// The hash of the subtree over a run of leaves, from the largest stored nodes that it consists of.
    fn subtree_of(&mut self, owner: &OwnerKey, range: &Range<u64>) -> Result<Hash, StoreError> {
        let mut joined = CompactRange::new(range.start);
        while joined.end() < range.end {
            let at = joined.end();
            // The highest level that fits here, and how many of its nodes follow each other.
            let level = (1..=LEVELS)
                .rev()
                .find(|level| {
                    let width = FAN.pow(*level);
                    at.is_multiple_of(width) && at + width <= range.end
                })
                .unwrap_or(0);
            let width = FAN.pow(level);
            let first = at / width;
            let mut count = (range.end - at) / width;
            if level < LEVELS {
                count = count.min(FAN - first % FAN);
            }
            let hashes = self.nodes(owner, level, first, count.min(FAN))?;
            if hashes.len() as u64 != count.min(FAN) {
                return Err(StoreError::disagrees(format!(
                    "the tree of the log of {owner} lacks nodes"
                )));
            }
            for hash in hashes {
                let begin = joined.end();
                let node = complete(begin, width, hash)
                    .ok_or_else(|| StoreError::disagrees("a node of a log's tree"))?;
                if !joined.append(&node) {
                    return Err(StoreError::disagrees("a node of a log's tree"));
                }
            }
        }
        joined
            .root()
            .ok_or_else(|| StoreError::disagrees("a subtree of a log's tree"))
    }

    fn nodes(
        &mut self,
        owner: &OwnerKey,
        level: u32,
        first: u64,
        count: u64,
    ) -> Result<Vec<Hash>, StoreError> {
        if level == 0 {
            let mut sql =
                Sql::<(Nullable<Binary>,)>::new("SELECT c.leaf FROM change c WHERE c.owner = ");
            between(&mut sql, owner, "c.position", first + 1, count);
            let rows: Vec<(Option<Vec<u8>>,)> = self.connection.load(&sql)?;
            return rows
                .into_iter()
                .map(|(leaf,)| hash(leaf.unwrap_or_default()))
                .collect();
        }
        let mut sql = Sql::<(SmallInt, Binary)>::new(
            "SELECT n.level, n.hash FROM log_node n WHERE n.level = ",
        );
        sql.small(i16::try_from(level).unwrap_or(i16::MAX))
            .push(" AND n.owner = ");
        between(&mut sql, owner, "n.number", first, count);
        let rows: Vec<(i16, Vec<u8>)> = self.connection.load(&sql)?;
        rows.into_iter().map(|(_, node)| hash(node)).collect()
    }
}

fn between<'q, T: SqlType>(
    sql: &mut Sql<'q, T>,
    owner: &'q OwnerKey,
    column: &str,
    first: u64,
    count: u64,
) {
    sql.text(owner.as_str())
        .push(&format!(" AND {column} >= "))
        .big(number(first))
        .push(&format!(" AND {column} < "))
        .big(number(first + count))
        .push(&format!(" ORDER BY {column}"));
}

fn hash(bytes: Vec<u8>) -> Result<Hash, StoreError> {
    bytes
        .try_into()
        .map(Hash)
        .map_err(|_| StoreError::disagrees("a node of a log's tree"))
}

/// A complete subtree as a range.
fn complete(begin: u64, width: u64, hash: Hash) -> Option<CompactRange> {
    CompactRange::from_nodes(begin, begin + width, vec![hash])
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
