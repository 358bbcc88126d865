//! The right edge of a tree: what a leaf that is added is joined with.

use std::time::Duration;

use grunddata_log_proof::merkle::{CompactRange, Hash, empty_root};

use super::{FAN, LEVELS};
use crate::error::StoreError;

/// A complete subtree whose root is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    /// It has 256^level leaves.
    pub(crate) level: u32,
    /// How many of its size come before it.
    pub(crate) number: u64,
    pub(crate) hash: Hash,
}

/// A tree by its largest complete subtrees, those of the open tiles apart: leaves of the last 256, then their roots, and
/// so on; last what comes before all of them.
#[derive(Debug, Clone)]
pub(crate) struct Frontier {
    open: Vec<CompactRange>,
    /// How long leaves and nodes have taken since it was read: a figure for monitoring.
    pub(crate) spent: Duration,
}

impl PartialEq for Frontier {
    /// Whether they are the same tree.
    fn eq(&self, other: &Self) -> bool {
        self.open == other.open
    }
}

impl Eq for Frontier {}

impl Frontier {
    /// The tree without leaves.
    pub(crate) fn empty() -> Self {
        Self {
            open: vec![CompactRange::new(0); LEVELS as usize + 1],
            spent: Duration::ZERO,
        }
    }

    /// From what [`to_bytes`](Self::to_bytes) gave.
    pub(crate) fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let wrong = || StoreError::disagrees("the frontier of a log's tree");
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(wrong());
        }
        let nodes = hashes.iter().map(|hash| Hash(*hash)).collect();
        let whole = CompactRange::from_nodes(0, size, nodes).ok_or_else(wrong)?;
        let mut open = Vec::with_capacity(LEVELS as usize + 1);
        let mut end = size;
        for level in 1..=LEVELS {
            let begin = size - size % FAN.pow(level);
            open.push(whole.part(begin, end).ok_or_else(wrong)?);
            end = begin;
        }
        open.push(whole.part(0, end).ok_or_else(wrong)?);
        Ok(Self {
            open,
            spent: Duration::ZERO,
        })
    }

    fn whole(&self) -> CompactRange {
        let mut whole = CompactRange::new(0);
        for range in self.open.iter().rev() {
            let joined = whole.append(range);
            debug_assert!(joined, "the ranges meet");
        }
        whole
    }

    /// How many leaves it has.
    pub(crate) fn size(&self) -> u64 {
        self.open.first().map_or(0, CompactRange::end)
    }

    /// The root.
    pub(crate) fn root(&self) -> Hash {
        self.whole().root().unwrap_or_else(empty_root)
    }

    /// To be stored with the owner.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.whole()
            .nodes()
            .iter()
            .flat_map(|node| node.0)
            .collect()
    }

    /// Adds the next leaf, and tells of the subtrees that are complete with it.
    pub(crate) fn push(&mut self, leaf: Hash, complete: &mut Vec<Node>) {
        if let Some(leaves) = self.open.first_mut() {
            leaves.push(leaf);
        }
        let size = self.size();
        for level in 1..=LEVELS {
            let width = FAN.pow(level);
            if !size.is_multiple_of(width) {
                return;
            }
            let at = level as usize;
            let Some(full) = self.open.get_mut(at - 1) else {
                return;
            };
            let full = std::mem::replace(full, CompactRange::new(size));
            if let Some(hash) = full.root() {
                complete.push(Node {
                    level,
                    number: size / width - 1,
                    hash,
                });
            }
            if let Some(above) = self.open.get_mut(at) {
                let joined = above.append(&full);
                debug_assert!(joined, "the ranges meet");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use grunddata_log_proof::merkle::leaf_hash;

    use super::*;

    #[test]
    fn the_frontier_is_that_of_the_tree_and_tells_each_tile_once() {
        let mut frontier = Frontier::empty();
        let mut plain = CompactRange::new(0);
        let mut nodes = Vec::new();
        let mut tile = CompactRange::new(0);
        assert_eq!(frontier.root(), empty_root());
        for number in 0..(FAN * FAN + FAN + 3) {
            let leaf = leaf_hash(&number.to_be_bytes());
            let before = nodes.len();
            frontier.push(leaf, &mut nodes);
            plain.push(leaf);
            tile.push(leaf);
            if tile.end().is_multiple_of(FAN) {
                assert_eq!(nodes[before].hash, tile.root().unwrap());
                assert_eq!(
                    (nodes[before].level, nodes[before].number),
                    (1, number / FAN)
                );
                tile = CompactRange::new(number + 1);
            }
            if number.is_multiple_of(97) || number % FAN < 2 || number % FAN > FAN - 2 {
                assert_eq!(Some(frontier.root()), plain.root());
                let again = Frontier::from_bytes(number + 1, &frontier.to_bytes()).unwrap();
                assert_eq!(again, frontier);
            }
        }
        assert_eq!(nodes.len() as u64, FAN + 1 + 1);
        assert_eq!(nodes.iter().filter(|node| node.level == 2).count(), 1);
        assert!(Frontier::from_bytes(3, &[0; 32]).is_err());
        assert!(Frontier::from_bytes(1, &[0; 31]).is_err());
    }
}
