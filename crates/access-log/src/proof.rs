//! Proofs over the entries of a series.

use std::fs::File;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Entry;
use crate::archive::{Archive, Head, changed_index, open_closed};
use crate::error::AccessLogError;
use crate::finding::{Fault, Finding};
use crate::merkle::{
    CompactRange, Hash, ProofError, consistency_ranges, inclusion_ranges, leaf_hash,
    verify_consistency, verify_inclusion,
};
use crate::receipt::Position;
use crate::segment::frame::{Found, FrameKind, FrameReader};
use crate::segment::index::{IndexError, IndexReader};
use crate::series::{Chain, Link, SeriesId};

/// That an entry is in a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The number of the entry.
    pub sequence: u64,
    /// The tree that it is in.
    pub head: Head,
    /// The leaf hash of the entry.
    pub leaf: Hash,
    /// The hashes of the subtrees beside it, from the leaf upwards.
    pub path: Vec<Hash>,
}

/// That a series was only added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// The older tree.
    pub from: Head,
    /// The newer tree.
    pub to: Head,
    /// The hashes of subtrees, as RFC 9162 has them.
    pub path: Vec<Hash>,
}

impl InclusionProof {
    /// Checks the proof against a root that is known from elsewhere, and the entry as it stands in the file.
    ///
    /// # Errors
    /// [`ProofError`] when it is not shown.
    pub fn verify(&self, entry: &[u8], root: Hash) -> Result<(), ProofError> {
        if leaf_hash(entry) != self.leaf {
            return Err(ProofError::Root);
        }
        verify_inclusion(self.sequence, self.head.size, self.leaf, &self.path, root)
    }
}

impl ConsistencyProof {
    /// Checks the proof between the two heads.
    ///
    /// # Errors
    /// [`ProofError`] when it is not shown.
    pub fn verify(&self) -> Result<(), ProofError> {
        let (from, to) = (&self.from, &self.to);
        verify_consistency(from.size, to.size, from.root, to.root, &self.path)
    }
}

impl Archive {
    /// The entry at the position, with its bytes as they stand in the file.
    ///
    /// # Errors
    /// When it is not there (any more), or cannot be read.
    pub fn entry(&self, position: Position) -> Result<(Entry, Vec<u8>), AccessLogError> {
        let chain = self.chain(position.series)?;
        let link = self.link_of(&chain, position)?;
        let number = position.sequence - link.first;
        let (file, limit, offset) = match open_closed(&link.path)? {
            Some((mut file, footer)) => {
                let offsets = IndexReader::new(&mut file, &footer).offsets(number, number + 1);
                let offset = offsets
                    .map_err(|error| index_error(&link, error))?
                    .first()
                    .copied();
                (file, footer.bytes, offset)
            }
            None => {
                let contents = self.open_contents(chain.series, &link)?;
                let file = File::open(&link.path)
                    .map_err(|error| AccessLogError::io(&link.path, &error))?;
                let bytes = contents.as_ref().map_or(0, |contents| contents.bytes());
                (
                    file,
                    bytes,
                    contents.and_then(|contents| contents.offset(number)),
                )
            }
        };
        let wrong = |problem: &str| Finding::new(&link.path, offset, Fault::Changed, problem);
        let offset = offset.ok_or_else(|| wrong("the entry is missing"))?;
        let io = |error| AccessLogError::io(&link.path, &error);
        match FrameReader::new(file, offset, limit)
            .and_then(|mut reader| reader.next())
            .map_err(io)?
        {
            Found::Frame(frame) if frame.kind == FrameKind::Entry => {
                let entry = serde_json::from_slice(&frame.payload)
                    .map_err(|_| wrong("the entry cannot be read"))?;
                Ok((entry, frame.payload))
            }
            Found::Fault(problem) => Err(wrong(problem).into()),
            Found::Frame(_) | Found::End => Err(wrong("there is no entry").into()),
        }
    }

    /// Proves that the entry is in the series as it is now.
    ///
    /// # Errors
    /// When the entry is not there (any more), or files are damaged.
    pub fn inclusion_proof(&self, position: Position) -> Result<InclusionProof, AccessLogError> {
        let chain = self.chain(position.series)?;
        self.link_of(&chain, position)?;
        let head = self.known_head(&chain)?;
        let out = AccessLogError::OutOfRange {
            series: chain.series,
            size: head.size,
        };
        let sequence = position.sequence;
        let ranges = inclusion_ranges(sequence, head.size).ok_or(out)?;
        let leaf = self.subtree(&chain, sequence..sequence + 1)?;
        let path = self.subtrees(&chain, ranges)?;
        Ok(InclusionProof {
            sequence,
            head,
            leaf,
            path,
        })
    }

    /// Proves that the series of `from` entries became the one of `to` entries by adding alone.
    ///
    /// # Errors
    /// Unless `0 < from <= to` and the series is that long; when an entry that is needed was removed, or files are
    /// damaged.
    pub fn consistency_proof(
        &self,
        series: SeriesId,
        from: u64,
        to: u64,
    ) -> Result<ConsistencyProof, AccessLogError> {
        let chain = self.chain(series)?;
        let size = self.known_head(&chain)?.size;
        let out = AccessLogError::OutOfRange { series, size };
        if to > size {
            return Err(out);
        }
        let ranges = consistency_ranges(from, to).ok_or(out)?;
        let head = |size| {
            let root = self.subtree(&chain, 0..size)?;
            Ok::<_, AccessLogError>(Head { series, size, root })
        };
        Ok(ConsistencyProof {
            from: head(from)?,
            to: head(to)?,
            path: self.subtrees(&chain, ranges)?,
        })
    }

    fn known_head(&self, chain: &Chain) -> Result<Head, AccessLogError> {
        self.head(chain)?.ok_or(AccessLogError::OutOfRange {
            series: chain.series,
            size: 0,
        })
    }

    fn subtrees(
        &self,
        chain: &Chain,
        ranges: Vec<Range<u64>>,
    ) -> Result<Vec<Hash>, AccessLogError> {
        ranges
            .into_iter()
            .map(|range| self.subtree(chain, range))
            .collect()
    }

    /// The hash of the subtree over these entries: whole segments by their footers (or tombstones), only the first and the
    /// last by their leaves.
    fn subtree(&self, chain: &Chain, wanted: Range<u64>) -> Result<Hash, AccessLogError> {
        let mut range = CompactRange::new(wanted.start);
        for stone in &chain.removed {
            let footer = &stone.footer;
            let piece = footer
                .compact_range()
                .and_then(|piece| overlap(&piece, &wanted));
            if footer.first < wanted.end && footer.first + footer.count > wanted.start {
                let whole = piece.is_some_and(|piece| range.append(&piece));
                if !whole {
                    let first = chain
                        .removed
                        .last()
                        .map_or(0, |last| last.footer.first + last.footer.count);
                    return Err(AccessLogError::Removed {
                        series: chain.series,
                        first,
                    });
                }
            }
        }
        for link in &chain.links {
            let end = link.next.as_ref().map(|(_, first)| *first);
            if link.first >= wanted.end || end.is_some_and(|end| end <= range.end()) {
                continue;
            }
            let piece = self.piece(chain.series, link, range.end()..wanted.end)?;
            if !range.append(&piece) {
                break;
            }
        }
        range
            .root()
            .filter(|_| range.end() == wanted.end)
            .ok_or_else(|| match chain.findings.first() {
                Some(finding) => finding.clone().into(),
                None => AccessLogError::OutOfRange {
                    series: chain.series,
                    size: range.end(),
                },
            })
    }

    /// The part of the segment in the range, which begins in it or before.
    fn piece(
        &self,
        series: SeriesId,
        link: &Link,
        wanted: Range<u64>,
    ) -> Result<CompactRange, AccessLogError> {
        let begin = wanted.start.max(link.first);
        let mut piece = CompactRange::new(begin);
        if let Some((mut file, footer)) = open_closed(&link.path)? {
            let end = wanted.end.min(footer.first + footer.count);
            if begin == footer.first
                && end == footer.first + footer.count
                && let Some(whole) = footer.compact_range()
            {
                return Ok(whole);
            }
            IndexReader::new(&mut file, &footer)
                .leaves(begin - footer.first, end.max(begin) - footer.first)
                .map_err(|error| match error {
                    IndexError::Changed => changed_index(&link.path, &footer).into(),
                    IndexError::Io(error) => AccessLogError::io(&link.path, &error),
                })?
                .into_iter()
                .for_each(|leaf| piece.push(leaf));
        } else if let Some(contents) = self.open_contents(series, link)? {
            let skipped = usize::try_from(begin - link.first).unwrap_or(usize::MAX);
            let taken = usize::try_from(wanted.end.saturating_sub(begin)).unwrap_or(usize::MAX);
            contents
                .leaves()
                .iter()
                .skip(skipped)
                .take(taken)
                .for_each(|leaf| piece.push(*leaf));
        }
        Ok(piece)
    }
}

/// The nodes of a removed segment that lie in the range; `None` when the range cuts through one of them.
fn overlap(piece: &CompactRange, wanted: &Range<u64>) -> Option<CompactRange> {
    piece.part(wanted.start.max(piece.begin()), wanted.end.min(piece.end()))
}

fn index_error(link: &Link, error: IndexError) -> AccessLogError {
    match error {
        IndexError::Changed => {
            Finding::new(&link.path, None, Fault::Changed, "the index is changed").into()
        }
        IndexError::Io(error) => AccessLogError::io(&link.path, &error),
    }
}
