//! What is known of a segment besides its bytes: gathered while it is written, and again while it is read to check it.

use std::collections::BTreeSet;

use super::frame::{FrameKind, TooLong, append_frame};
use super::index;
use super::parts::{FORMAT, Footer, Header, trailer};
use crate::Entry;
use crate::merkle::{CompactRange, Hash};

/// More labels than this are not listed in the footer.
const LABELS: usize = 4_096;

/// Entries of a batch that is not durable (or not read to its checkpoint) yet.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Where each frame begins, counted from the begin of the entries of the batch.
    pub(crate) offsets: Vec<u64>,
    /// Leaf hashes.
    pub(crate) leaves: Vec<Hash>,
    /// Terms with the entry, counted from the first of the batch.
    postings: Vec<(u64, u32)>,
    labels: BTreeSet<u64>,
    from: i64,
    to: i64,
}

impl Staged {
    pub(crate) fn new() -> Self {
        Self {
            offsets: Vec::new(),
            leaves: Vec::new(),
            postings: Vec::new(),
            labels: BTreeSet::new(),
            from: i64::MAX,
            to: i64::MIN,
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.offsets.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Adds an entry with its terms, but for its leaf hash.
    pub(crate) fn add(&mut self, offset: u64, entry: &Entry, terms: &[u64]) {
        // The bytes of a batch are bounded far below 2^32.
        let number = u32::try_from(self.offsets.len()).unwrap_or(u32::MAX);
        self.offsets.push(offset);
        self.postings
            .extend(terms.iter().map(|term| (*term, number)));
        entry.labels(|label| {
            // Beyond that it does not matter which.
            if self.labels.len() <= LABELS {
                self.labels.insert(label);
            }
        });
        let micros = entry.at.micros();
        self.from = self.from.min(micros);
        self.to = self.to.max(micros);
    }
}

/// All of a segment that is durable.
#[derive(Debug)]
pub(crate) struct Contents {
    header: Header,
    /// The tree of the series after the last entry.
    tree: CompactRange,
    range: CompactRange,
    leaves: Vec<Hash>,
    offsets: Vec<u64>,
    postings: Vec<(u64, u32)>,
    labels: Option<BTreeSet<u64>>,
    from: i64,
    to: i64,
    bytes: u64,
}

impl Contents {
    /// Of a segment without entries; `None` when the peaks of the header do not fit.
    pub(crate) fn new(header: Header) -> Option<Self> {
        Some(Self {
            tree: header.tree()?,
            range: CompactRange::new(header.first),
            header,
            leaves: Vec::new(),
            offsets: Vec::new(),
            postings: Vec::new(),
            labels: Some(BTreeSet::new()),
            from: i64::MAX,
            to: i64::MIN,
            bytes: 0,
        })
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    pub(crate) fn tree(&self) -> &CompactRange {
        &self.tree
    }

    pub(crate) fn leaves(&self) -> &[Hash] {
        &self.leaves
    }

    /// Where the frame of an entry begins, counted from the first of the segment.
    pub(crate) fn offset(&self, number: u64) -> Option<u64> {
        self.offsets.get(usize::try_from(number).ok()?).copied()
    }

    /// The earliest instant of an entry, in microseconds.
    pub(crate) fn earliest(&self) -> i64 {
        self.from
    }

    /// The latest instant of an entry, in microseconds.
    pub(crate) fn latest(&self) -> i64 {
        self.to
    }

    /// Where the last batch ends.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tree as it will be with the staged entries.
    pub(crate) fn tree_with(&self, staged: &Staged) -> CompactRange {
        let mut tree = self.tree.clone();
        staged.leaves.iter().for_each(|leaf| tree.push(*leaf));
        tree
    }

    /// Takes a batch over whose entries begin at `begin` and which ends, with its checkpoint, at `end`.
    pub(crate) fn commit(&mut self, staged: Staged, tree: CompactRange, begin: u64, end: u64) {
        let before = u32::try_from(self.offsets.len()).unwrap_or(u32::MAX);
        staged.leaves.iter().for_each(|leaf| self.range.push(*leaf));
        self.tree = tree;
        self.leaves.extend(staged.leaves);
        self.offsets
            .extend(staged.offsets.iter().map(|offset| begin + offset));
        self.postings.extend(
            staged
                .postings
                .iter()
                .map(|(term, entry)| (*term, before.saturating_add(*entry))),
        );
        if let Some(labels) = &mut self.labels {
            labels.extend(staged.labels);
            if labels.len() > LABELS {
                self.labels = None;
            }
        }
        self.from = self.from.min(staged.from);
        self.to = self.to.max(staged.to);
        self.bytes = end;
    }

    /// What closes the segment: index, footer and trailer, always the same bytes for the same entries.
    pub(crate) fn closing(&mut self) -> Result<Vec<u8>, TooLong> {
        let mut buffer = Vec::new();
        append_frame(&mut buffer, FrameKind::Index, |buffer| {
            index::append_index(buffer, &self.leaves, &self.offsets, &mut self.postings);
            Ok::<_, TooLong>(())
        })?;
        let begin = self.bytes + buffer.len() as u64;
        let footer = self.footer();
        append_frame(&mut buffer, FrameKind::Footer, |buffer| {
            serde_json::to_writer(buffer, &footer).map_err(|_| TooLong)
        })?;
        buffer.extend_from_slice(&trailer(begin));
        Ok(buffer)
    }

    pub(crate) fn footer(&self) -> Footer {
        Footer {
            format: FORMAT,
            series: self.header.series,
            ordinal: self.header.ordinal,
            first: self.header.first,
            count: self.offsets.len() as u64,
            // A range that begins at 0 always has a root.
            root: self.tree.root().unwrap_or_else(crate::merkle::empty_root),
            peaks: self.tree.nodes().to_vec(),
            range: self.range.nodes().to_vec(),
            from: self.from,
            to: self.to,
            labels: self
                .labels
                .as_ref()
                .map(|labels| labels.iter().copied().collect()),
            bytes: self.bytes,
            postings: self.postings.len() as u64,
            bits: index::bits(self.postings.len()),
        }
    }
}
