//! The index of a closed segment: leaf hashes, offsets, and which entries hold which terms.
//!
//! ```text
//! leaves    count × 32 bytes             leaf hash of each entry
//! offsets   count × u64                  where the frame of each entry begins; the upper 16 bits are a checksum
//! buckets   (2^bits + 1) × (u32, u32)    first pair of the bucket, and a checksum of its pairs
//! pairs     postings × (u64, u32)        term and entry (counted from the first of the segment), sorted
//! ```
//!
//! A term is in the bucket that its upper bits say, and a bucket holds some 32 pairs, so that a look-up takes two small
//! reads whatever the size. These parts are read without the whole frame, whose checksum therefore proves nothing for
//! them; each offset and each bucket has its own, so that a changed byte cannot hide an entry from a search.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::frame::PREFIX;
use super::parts::Footer;
use crate::merkle::Hash;

const LEAF: u64 = 32;
const OFFSET: u64 = 8;
const BUCKET: u64 = 8;
const PAIR: u64 = 12;

/// The binary logarithm of the number of buckets for so many pairs.
pub(crate) fn bits(postings: usize) -> u32 {
    (postings / 32).max(1).ilog2().min(24)
}

/// Writes the index; the terms are pairs of hash and entry, in any order.
pub(crate) fn append_index(
    buffer: &mut Vec<u8>,
    leaves: &[Hash],
    offsets: &[u64],
    postings: &mut [(u64, u32)],
) {
    leaves
        .iter()
        .for_each(|leaf| buffer.extend_from_slice(&leaf.0));
    for (number, offset) in (0..).zip(offsets) {
        buffer.extend_from_slice(&checked_offset(number, *offset).to_le_bytes());
    }
    postings.sort_unstable();
    let bits = bits(postings.len());
    let mut rest: &[(u64, u32)] = postings;
    let mut start = 0_u32;
    let mut pairs = Vec::with_capacity(postings.len() * 12);
    for bucket in 0..1_u64 << bits {
        let length = rest.partition_point(|(term, _)| bucket_of(*term, bits) == bucket);
        let (own, after) = rest.split_at(length);
        rest = after;
        let from = pairs.len();
        for (term, entry) in own {
            pairs.extend_from_slice(&term.to_le_bytes());
            pairs.extend_from_slice(&entry.to_le_bytes());
        }
        let check = bucket_check(bucket, start, pairs.get(from..).unwrap_or_default());
        buffer.extend_from_slice(&start.to_le_bytes());
        buffer.extend_from_slice(&check.to_le_bytes());
        start = start.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
    }
    buffer.extend_from_slice(&start.to_le_bytes());
    buffer.extend_from_slice(&0_u32.to_le_bytes());
    buffer.append(&mut pairs);
}

/// Bits of an offset; segments are far shorter.
const OFFSET_BITS: u32 = 48;

/// The offset with a checksum above it, that also holds for which entry it is.
fn checked_offset(number: u64, offset: u64) -> u64 {
    offset | xxh3_64_with_seed(&offset.to_le_bytes(), number) << OFFSET_BITS
}

fn bucket_of(term: u64, bits: u32) -> u64 {
    term.checked_shr(64 - bits).unwrap_or(0)
}

/// Binds the pairs to their bucket and place, so that pairs read from elsewhere do not pass.
fn bucket_check(bucket: u64, start: u32, pairs: &[u8]) -> u32 {
    let seed = bucket << 32 | u64::from(start);
    // The lower half is as good a checksum as any.
    xxh3_64_with_seed(pairs, seed) as u32
}

/// Reads parts of an index.
pub(crate) struct IndexReader<'a> {
    file: &'a mut File,
    footer: &'a Footer,
}

/// The index holds something else than was written.
#[derive(Debug)]
pub(crate) enum IndexError {
    Io(io::Error),
    Changed,
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Self::Changed
        } else {
            Self::Io(error)
        }
    }
}

impl<'a> IndexReader<'a> {
    pub(crate) fn new(file: &'a mut File, footer: &'a Footer) -> Self {
        Self { file, footer }
    }

    fn read(&mut self, offset: u64, length: usize) -> Result<Vec<u8>, IndexError> {
        let begin = self.footer.bytes + PREFIX as u64 + offset;
        self.file.seek(SeekFrom::Start(begin))?;
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The leaf hashes of entries of the segment, counted from its first.
    pub(crate) fn leaves(&mut self, begin: u64, end: u64) -> Result<Vec<Hash>, IndexError> {
        let length = usize::try_from((end - begin) * LEAF).map_err(|_| IndexError::Changed)?;
        let bytes = self.read(begin * LEAF, length)?;
        let (leaves, _) = bytes.as_chunks::<32>();
        Ok(leaves.iter().copied().map(Hash).collect())
    }

    /// Where the frames of entries begin.
    pub(crate) fn offsets(&mut self, begin: u64, end: u64) -> Result<Vec<u64>, IndexError> {
        let length = usize::try_from((end - begin) * OFFSET).map_err(|_| IndexError::Changed)?;
        let bytes = self.read(self.footer.count * LEAF + begin * OFFSET, length)?;
        let (words, _) = bytes.as_chunks::<8>();
        (begin..end)
            .zip(words)
            .map(|(number, word)| {
                let word = u64::from_le_bytes(*word);
                let offset = word & ((1 << OFFSET_BITS) - 1);
                (checked_offset(number, offset) == word)
                    .then_some(offset)
                    .ok_or(IndexError::Changed)
            })
            .collect()
    }

    /// The entries with the term, counted from the first of the segment, in order.
    pub(crate) fn find(&mut self, term: u64) -> Result<Vec<u32>, IndexError> {
        let (count, bits) = (self.footer.count, self.footer.bits);
        let bucket = bucket_of(term, bits);
        let buckets = count * (LEAF + OFFSET);
        let bytes = self.read(buckets + bucket * BUCKET, 16)?;
        let words: Vec<u32> = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .copied()
            .map(u32::from_le_bytes)
            .collect();
        let [start, check, end, _] = words.as_slice() else {
            return Err(IndexError::Changed);
        };
        if start > end || u64::from(*end) > self.footer.postings {
            return Err(IndexError::Changed);
        }
        let pairs = buckets + ((1 << bits) + 1) * BUCKET;
        let length =
            usize::try_from(u64::from(end - start) * PAIR).map_err(|_| IndexError::Changed)?;
        let bytes = self.read(pairs + u64::from(*start) * PAIR, length)?;
        if bucket_check(bucket, *start, &bytes) != *check {
            return Err(IndexError::Changed);
        }
        let mut found = Vec::new();
        for pair in bytes.as_chunks::<12>().0 {
            let Some((hash, entry)) = pair.split_first_chunk::<8>() else {
                continue;
            };
            if u64::from_le_bytes(*hash) == term {
                found.extend(entry.try_into().map(u32::from_le_bytes));
            }
        }
        Ok(found)
    }
}
