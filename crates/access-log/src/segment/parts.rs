//! Header, checkpoint, footer and trailer of a segment.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::frame::{FrameKind, TooLong, append_frame};
use crate::SeriesId;
use crate::merkle::{CompactRange, Hash};

/// The version of the format that this code writes, and the only one it reads.
pub(crate) const FORMAT: u32 = 1;

const CHECKPOINT_MAGIC: [u8; 8] = *b"gdcheck1";
const TRAILER_MAGIC: [u8; 8] = *b"gdclose1";

/// Bytes of the trailer.
pub(crate) const TRAILER: usize = 24;

/// The first frame of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) format: u32,
    pub(crate) series: SeriesId,
    /// The number of the segment in its series. It grows; a segment that could not be begun leaves a gap.
    pub(crate) ordinal: u64,
    /// The number of the first entry, which is how many the series had before.
    pub(crate) first: u64,
    /// The tree of the series before the first entry.
    pub(crate) peaks: Vec<Hash>,
    pub(crate) previous: Option<Previous>,
}

/// What the segment continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Previous {
    pub(crate) ordinal: u64,
    /// Where its last durable batch ends. What follows there, beside index and footer, was never acknowledged.
    pub(crate) bytes: u64,
    /// The root of the series there.
    pub(crate) root: Hash,
    /// Whether its index and footer were written; if not, it was given up after a failed write.
    pub(crate) closed: bool,
}

impl Header {
    /// The tree of the series before the first entry; `None` when the peaks do not fit.
    pub(crate) fn tree(&self) -> Option<CompactRange> {
        CompactRange::from_nodes(0, self.first, self.peaks.clone())
    }
}

/// The last frame of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// Where the batch begins in the file.
    pub(crate) batch: u64,
    /// How many entries the series has.
    pub(crate) size: u64,
    /// The root of the series.
    pub(crate) root: Hash,
}

impl Checkpoint {
    /// Payload bytes.
    pub(crate) const LENGTH: usize = 56;

    pub(crate) fn append_to(&self, buffer: &mut Vec<u8>) -> Result<(), TooLong> {
        append_frame(buffer, FrameKind::Checkpoint, |buffer| {
            buffer.extend_from_slice(&CHECKPOINT_MAGIC);
            buffer.extend_from_slice(&self.batch.to_le_bytes());
            buffer.extend_from_slice(&self.size.to_le_bytes());
            buffer.extend_from_slice(&self.root.0);
            Ok(())
        })
    }

    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let payload: &[u8; Self::LENGTH] = payload.try_into().ok()?;
        let (magic, rest) = payload.split_first_chunk::<8>()?;
        let (batch, rest) = rest.split_first_chunk::<8>()?;
        let (size, root) = rest.split_first_chunk::<8>()?;
        (*magic == CHECKPOINT_MAGIC).then_some(Self {
            batch: u64::from_le_bytes(*batch),
            size: u64::from_le_bytes(*size),
            root: Hash(root.try_into().ok()?),
        })
    }

    /// The beginning of every checkpoint frame: length, kind and the first bytes of the payload.
    pub(crate) fn beginning() -> Vec<u8> {
        let mut bytes = (Self::LENGTH as u32).to_le_bytes().to_vec();
        bytes.push(FrameKind::Checkpoint as u8);
        bytes.extend_from_slice(&CHECKPOINT_MAGIC);
        bytes
    }
}

/// The last frame of a closed segment: what must be known to skip it, to find something in it, and to go on after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Footer {
    pub(crate) format: u32,
    pub(crate) series: SeriesId,
    pub(crate) ordinal: u64,
    pub(crate) first: u64,
    /// How many entries the segment has: at least one.
    pub(crate) count: u64,
    /// The root of the series after the last of them.
    pub(crate) root: Hash,
    /// The tree of the series after the last of them.
    pub(crate) peaks: Vec<Hash>,
    /// The subtrees that cover the entries of this segment.
    pub(crate) range: Vec<Hash>,
    /// The earliest instant of an entry, in microseconds.
    pub(crate) from: i64,
    /// The latest instant of an entry, in microseconds.
    pub(crate) to: i64,
    /// The labels of all entries, sorted; `None` when there are too many to list.
    pub(crate) labels: Option<Vec<u64>>,
    /// Where the last batch ends and the index begins.
    pub(crate) bytes: u64,
    /// Pairs of term and entry in the index.
    pub(crate) postings: u64,
    /// The binary logarithm of the number of buckets in the index.
    pub(crate) bits: u32,
}

impl Footer {
    /// The tree of the series after the last entry; `None` when the peaks do not fit.
    pub(crate) fn tree(&self) -> Option<CompactRange> {
        let end = self.first.checked_add(self.count)?;
        CompactRange::from_nodes(0, end, self.peaks.clone())
    }

    /// The entries of the segment as a range.
    pub(crate) fn compact_range(&self) -> Option<CompactRange> {
        let end = self.first.checked_add(self.count)?;
        CompactRange::from_nodes(self.first, end, self.range.clone())
    }
}

/// The last bytes of a closed segment: where the footer begins.
pub(crate) fn trailer(footer: u64) -> Vec<u8> {
    let mut bytes = footer.to_le_bytes().to_vec();
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.extend_from_slice(&TRAILER_MAGIC);
    bytes
}

/// Where the footer begins; `None` when these bytes are no trailer.
pub(crate) fn parse_trailer(bytes: &[u8; TRAILER]) -> Option<u64> {
    let (footer, rest) = bytes.split_first_chunk::<8>()?;
    let (checksum, magic) = rest.split_first_chunk::<8>()?;
    (magic == TRAILER_MAGIC && u64::from_le_bytes(*checksum) == xxh3_64(footer))
        .then_some(u64::from_le_bytes(*footer))
}
