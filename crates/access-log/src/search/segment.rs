//! The matching entries of one segment, some at a time, in either direction.

use std::fs::File;

use super::query::Conditions;
use crate::Entry;
use crate::archive::{Archive, changed_index, open_closed};
use crate::error::AccessLogError;
use crate::finding::{Fault, Finding};
use crate::segment::frame::{Found, FrameKind, FrameReader};
use crate::segment::index::{IndexError, IndexReader};
use crate::segment::parts::Footer;
use crate::series::{Link, SeriesId};

/// Entries that are read at once, if they are short.
const BLOCK: u64 = 256;
/// Bytes that are read at once, if more than one entry is.
const BLOCK_BYTES: u64 = 256 * 1024;
/// Entries found by the index that are read at once.
const LISTED: usize = 64;

/// Entries of one segment that may fit.
enum Candidates {
    /// All between two numbers, counted from the first of the segment.
    All { begin: u64, end: u64 },
    /// These, in the order in which they are wanted, the next one last.
    Listed(Vec<(u64, u64)>),
}

pub(crate) struct SegmentSearch {
    link: Link,
    file: File,
    /// Of a closed segment.
    footer: Option<Footer>,
    /// Where the entries end in the file.
    limit: u64,
    candidates: Candidates,
    newest_first: bool,
}

/// Matching entries with their numbers in the series, in the wanted order.
pub(crate) struct Block {
    pub(crate) found: Vec<(u64, Entry)>,
    /// Entries that were looked at.
    pub(crate) examined: u64,
    /// All wanted numbers on this side of it (from it on, newest first; before it, oldest first) were looked at.
    pub(crate) reached: Option<u64>,
}

impl SegmentSearch {
    /// The entries with numbers from `begin` to before `end`; `None` when none can fit.
    pub(crate) fn open(
        archive: &Archive,
        series: SeriesId,
        link: &Link,
        (begin, end): (u64, u64),
        conditions: &Conditions,
    ) -> Result<Option<Self>, AccessLogError> {
        let newest_first = conditions.newest_first();
        let begin = begin.max(link.first) - link.first;
        let closed = open_closed(&link.path)?;
        let must_be_closed = link.next.as_ref().is_some_and(|(next, _)| next.closed);
        let Some((mut file, footer)) = closed else {
            if must_be_closed {
                return Err(Finding::new(
                    &link.path,
                    None,
                    Fault::Changed,
                    "the segment was closed, but its footer is not whole",
                )
                .into());
            }
            return Self::scan(archive, series, link, (begin, end), conditions);
        };
        let end = end.saturating_sub(link.first).min(footer.count);
        let listed = |label: &u64| {
            footer
                .labels
                .as_ref()
                .is_none_or(|labels| labels.binary_search(label).is_ok())
        };
        if begin >= end
            || !conditions.touches(footer.from, footer.to)
            || !conditions.labels.iter().all(listed)
        {
            return Ok(None);
        }
        let mut index = IndexReader::new(&mut file, &footer);
        let error = |error| match error {
            IndexError::Changed => changed_index(&link.path, &footer).into(),
            IndexError::Io(error) => AccessLogError::io(&link.path, &error),
        };
        let mut common: Option<Vec<u32>> = None;
        for term in &conditions.terms {
            let with = index.find(*term).map_err(error)?;
            common = Some(match common {
                None => with,
                Some(before) => before
                    .into_iter()
                    .filter(|entry| with.binary_search(entry).is_ok())
                    .collect(),
            });
        }
        let candidates = match common {
            None => Candidates::All { begin, end },
            Some(entries) => {
                let mut entries: Vec<(u64, u64)> = entries
                    .into_iter()
                    .map(u64::from)
                    .filter(|entry| (begin..end).contains(entry))
                    .map(|entry| (entry, 0))
                    .collect();
                if !newest_first {
                    entries.reverse();
                }
                if entries.is_empty() {
                    return Ok(None);
                }
                Candidates::Listed(entries)
            }
        };
        Ok(Some(Self {
            link: link.clone(),
            file,
            limit: footer.bytes,
            footer: Some(footer),
            candidates,
            newest_first,
        }))
    }

    /// A segment without index is read from begin to end; what stays in memory is where the entries are that hold the
    /// right bytes.
    fn scan(
        archive: &Archive,
        series: SeriesId,
        link: &Link,
        (begin, end): (u64, u64),
        conditions: &Conditions,
    ) -> Result<Option<Self>, AccessLogError> {
        let io = |error| AccessLogError::io(&link.path, &error);
        let file = File::open(&link.path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let limit = link.next.as_ref().map_or(length, |(next, _)| next.bytes);
        let mut reader = FrameReader::new(file, 0, limit.min(length)).map_err(io)?;
        let (mut number, mut whole, mut committed) = (link.first, 0, 0);
        let mut found = Vec::new();
        loop {
            match reader.next().map_err(io)? {
                Found::Frame(frame) => match frame.kind {
                    FrameKind::Header => {}
                    FrameKind::Entry => {
                        let matching = conditions.matching(&frame.payload).map_err(|_| {
                            Finding::new(
                                &link.path,
                                frame.offset,
                                Fault::Changed,
                                "the entry cannot be read",
                            )
                        })?;
                        if (begin + link.first..end).contains(&number) && matching.is_some() {
                            found.push((number - link.first, frame.offset));
                        }
                        number += 1;
                    }
                    FrameKind::Checkpoint => {
                        whole = found.len();
                        committed = frame.end();
                    }
                    FrameKind::Index | FrameKind::Footer => break,
                },
                Found::End => break,
                Found::Fault(_) => {
                    // A batch that is being written, or torn; or damage, which only the thorough way can tell apart.
                    let next = link.next.as_ref().map(|(next, _)| next);
                    archive.walk_live(series, &link.path, next)?;
                    break;
                }
            }
        }
        if link
            .next
            .as_ref()
            .is_some_and(|(next, _)| next.bytes != committed)
        {
            return Err(Finding::new(
                &link.path,
                committed,
                Fault::Changed,
                "entries are missing at the end",
            )
            .into());
        }
        found.truncate(whole);
        // The next one is taken from the end.
        if !conditions.newest_first() {
            found.reverse();
        }
        if found.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            file: File::open(&link.path).map_err(io)?,
            link: link.clone(),
            footer: None,
            limit: committed,
            candidates: Candidates::Listed(found),
            newest_first: conditions.newest_first(),
        }))
    }

    /// The next entries; `None` at the end.
    pub(crate) fn next(
        &mut self,
        conditions: &Conditions,
    ) -> Result<Option<Block>, AccessLogError> {
        let wanted = match self.wanted()? {
            wanted if wanted.is_empty() => return Ok(None),
            wanted => wanted,
        };
        let io = |error| AccessLogError::io(&self.link.path, &error);
        let mut reader =
            FrameReader::new(self.file.try_clone().map_err(io)?, 0, self.limit).map_err(io)?;
        let examined = wanted.len() as u64;
        let mut found = Vec::new();
        let mut reached = None;
        for (number, offset) in wanted {
            let wrong =
                |problem: &str| Finding::new(&self.link.path, offset, Fault::Changed, problem);
            if offset >= self.limit {
                return Err(wrong("the index leads nowhere").into());
            }
            reader.seek(offset).map_err(io)?;
            let frame = match reader.next().map_err(io)? {
                Found::Frame(frame) if frame.kind == FrameKind::Entry => frame,
                Found::Fault(problem) => return Err(wrong(problem).into()),
                Found::Frame(_) | Found::End => return Err(wrong("there is no entry").into()),
            };
            let entry = conditions
                .matching(&frame.payload)
                .map_err(|_| wrong("the entry cannot be read"))?;
            let sequence = self.link.first + number;
            found.extend(entry.map(|entry| (sequence, entry)));
            let side = if self.newest_first {
                sequence
            } else {
                sequence + 1
            };
            reached = Some(match reached {
                None => side,
                Some(before) if self.newest_first => side.min(before),
                Some(before) => side.max(before),
            });
        }
        if self.newest_first {
            found.sort_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
        }
        Ok(Some(Block {
            found,
            examined,
            reached,
        }))
    }

    /// Numbers and offsets of the entries to look at next, in the order of the file where that is possible.
    fn wanted(&mut self) -> Result<Vec<(u64, u64)>, AccessLogError> {
        let error = |link: &Link, footer: &Footer, error| match error {
            IndexError::Changed => changed_index(&link.path, footer).into(),
            IndexError::Io(error) => AccessLogError::io(&link.path, &error),
        };
        match &mut self.candidates {
            Candidates::Listed(entries) => {
                let mut wanted = entries.split_off(entries.len().saturating_sub(LISTED));
                wanted.sort_unstable();
                if let Some(footer) = &self.footer {
                    let mut index = IndexReader::new(&mut self.file, footer);
                    for (number, offset) in &mut wanted {
                        let offsets = index.offsets(*number, *number + 1);
                        let offsets = offsets.map_err(|found| error(&self.link, footer, found))?;
                        *offset = offsets.first().copied().unwrap_or(u64::MAX);
                    }
                }
                Ok(wanted)
            }
            Candidates::All { begin, end } => {
                let Some(footer) = &self.footer else {
                    return Ok(Vec::new());
                };
                let (first, last) = if self.newest_first {
                    (end.saturating_sub(BLOCK).max(*begin), *end)
                } else {
                    (*begin, begin.saturating_add(BLOCK).min(*end))
                };
                if first >= last {
                    return Ok(Vec::new());
                }
                let offsets = IndexReader::new(&mut self.file, footer).offsets(first, last);
                let offsets = offsets.map_err(|found| error(&self.link, footer, found))?;
                let mut wanted: Vec<(u64, u64)> = (first..last).zip(offsets).collect();
                let near = |one: u64, other: u64| one.abs_diff(other) <= BLOCK_BYTES;
                if self.newest_first {
                    let latest = wanted.last().map_or(0, |(_, offset)| *offset);
                    let skipped = wanted.partition_point(|(_, offset)| !near(*offset, latest));
                    wanted.drain(..skipped);
                    *end = wanted.first().map_or(first, |(number, _)| *number);
                } else {
                    let earliest = wanted.first().map_or(0, |(_, offset)| *offset);
                    wanted.truncate(wanted.partition_point(|(_, offset)| near(*offset, earliest)));
                    *begin = wanted.last().map_or(last, |(number, _)| *number + 1);
                }
                Ok(wanted)
            }
        }
    }
}
