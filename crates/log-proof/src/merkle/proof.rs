//! What proofs consist of, and how they are checked: RFC 9162, sections 2.1.3 and 2.1.4.

use std::ops::Range;

use super::{Hash, node_hash};

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside the tree, or the trees are not the smaller and the larger.
    #[error("the positions do not fit the size of the tree")]
    Positions,
    /// Too few or too many hashes for these positions.
    #[error("the proof has not the number of hashes that these positions need")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The largest power of two that is smaller than the number of leaves, which is at least 2.
fn left_half(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// The runs of leaves whose subtree hashes, in this order, prove that the leaf `index` is in the tree of `size` leaves;
/// `None` when it lies outside.
#[must_use]
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut ranges = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + left_half(end - begin);
        if index < middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(begin..middle);
            begin = middle;
        }
    }
    ranges.reverse();
    Some(ranges)
}

/// The runs of leaves whose subtree hashes, in this order, prove that the tree of `to` leaves continues the one of `from`
/// leaves; `None` unless `0 < from <= to`. Nothing is needed when they are the same.
#[must_use]
pub fn consistency_ranges(from: u64, to: u64) -> Option<Vec<Range<u64>>> {
    if from == 0 || from > to {
        return None;
    }
    let mut ranges = Vec::new();
    let (mut begin, mut end) = (0, to);
    while end != from {
        let middle = begin + left_half(end - begin);
        if from <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(begin..middle);
            begin = middle;
        }
    }
    // The older tree itself is known to whoever asks; a part of it is not.
    if begin != 0 {
        ranges.push(begin..end);
    }
    ranges.reverse();
    Some(ranges)
}

/// Checks that the leaf `index` with this hash is in the tree of `size` leaves with this root (section 2.1.3.2).
///
/// # Errors
/// [`ProofError`] when it is not shown.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: Hash,
    path: &[Hash],
    root: Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Positions);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(*sibling, hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(hash, *sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    (hash == root).then_some(()).ok_or(ProofError::Root)
}

/// Checks that the tree of `to` leaves with `to_root` begins with the leaves of the tree of `from` leaves with `from_root`
/// (section 2.1.4.2).
///
/// # Errors
/// [`ProofError`] when it is not shown.
pub fn verify_consistency(
    from: u64,
    to: u64,
    from_root: Hash,
    to_root: Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if from == 0 || from > to {
        return Err(ProofError::Positions);
    }
    if from == to {
        if !path.is_empty() {
            return Err(ProofError::Length);
        }
        return (from_root == to_root).then_some(()).ok_or(ProofError::Root);
    }
    let (mut node, mut last) = (from - 1, to - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    // A tree that is complete is itself the first subtree of the larger one.
    let (first, rest) = if from.is_power_of_two() {
        (from_root, path)
    } else {
        let (first, rest) = path.split_first().ok_or(ProofError::Length)?;
        (*first, rest)
    };
    let (mut older, mut newer) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            older = node_hash(*sibling, older);
            newer = node_hash(*sibling, newer);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            newer = node_hash(newer, *sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    (older == from_root && newer == to_root)
        .then_some(())
        .ok_or(ProofError::Root)
}
