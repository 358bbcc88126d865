//! Runs of leaves as the fewest subtrees that cover them.

use super::{Hash, empty_root, node_hash};

/// The leaves `begin..end` of a tree as the hashes of the largest complete subtrees that cover them, from left to right:
/// at most two for each bit of the positions. A range that begins at 0 is the tree itself: push leaves and ask for the
/// [`root`](Self::root) at any time. Ranges that meet can be joined, so that the pieces of a tree (segments of a file,
/// say) can be hashed apart from each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactRange {
    begin: u64,
    end: u64,
    nodes: Vec<Hash>,
}

impl CompactRange {
    /// The range without leaves that begins at the given leaf.
    #[must_use]
    pub fn new(begin: u64) -> Self {
        Self {
            begin,
            end: begin,
            nodes: Vec::new(),
        }
    }

    /// A range from its [`nodes`](Self::nodes); `None` when the number of nodes is not the one such a range has.
    #[must_use]
    pub fn from_nodes(begin: u64, end: u64, nodes: Vec<Hash>) -> Option<Self> {
        (begin <= end && widths(begin, end).count() == nodes.len()).then_some(Self {
            begin,
            end,
            nodes,
        })
    }

    /// The first leaf.
    #[must_use]
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// The leaf after the last.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether there are no leaves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.begin == self.end
    }

    /// The hashes of the subtrees, from left to right.
    #[must_use]
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Adds the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(leaf, 1);
    }

    /// Adds the range that begins where this one ends; false, and nothing is added, when it begins elsewhere.
    #[must_use]
    pub fn append(&mut self, other: &Self) -> bool {
        if other.begin != self.end {
            return false;
        }
        for (width, node) in widths(other.begin, other.end).zip(&other.nodes) {
            self.push_subtree(*node, width);
        }
        true
    }

    /// The range over a part of the leaves; `None` when a border of the part lies inside one of the subtrees, whose halves
    /// are not known.
    #[must_use]
    pub fn part(&self, begin: u64, end: u64) -> Option<Self> {
        if begin < self.begin || end > self.end || begin > end {
            return None;
        }
        let mut part = Self::new(begin);
        let mut at = self.begin;
        for (width, node) in widths(self.begin, self.end).zip(&self.nodes) {
            if at >= begin && at + width <= end {
                part.push_subtree(*node, width);
            }
            at += width;
        }
        (part.end == end).then_some(part)
    }

    /// The hash of the (sub)tree that these leaves are; `None` for a range that is no subtree of any tree, because it
    /// begins in the middle of one.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        let mut before = u64::MAX;
        for width in widths(self.begin, self.end) {
            if width >= before {
                return None;
            }
            before = width;
        }
        let mut nodes = self.nodes.iter().rev();
        let Some(last) = nodes.next() else {
            return Some(empty_root());
        };
        Some(nodes.fold(*last, |right, left| node_hash(*left, right)))
    }

    /// Joins the subtree with its left neighbours as long as the two are the halves of a larger one.
    fn push_subtree(&mut self, hash: Hash, width: u64) {
        let (mut start, mut span, mut node) = (self.end, width, hash);
        while start & span != 0 && start - self.begin >= span {
            let Some(left) = self.nodes.pop() else { break };
            node = node_hash(left, node);
            start -= span;
            span *= 2;
        }
        self.nodes.push(node);
        self.end += width;
    }
}

/// The widths of the largest complete subtrees that cover the leaves, from left to right.
fn widths(begin: u64, end: u64) -> impl Iterator<Item = u64> {
    let mut at = begin;
    std::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|left| *left > 0)?;
        let fits = 1 << left.ilog2();
        let width = if at == 0 {
            fits
        } else {
            fits.min(1 << at.trailing_zeros())
        };
        at += width;
        Some(width)
    })
}
