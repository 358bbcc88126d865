//! Reading a segment from begin to end with every check there is.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use memchr::memmem;

use super::contents::{Contents, Staged};
use super::frame::{Found, Frame, FrameKind, FrameReader};
use super::parts::{Checkpoint, FORMAT, Header, Previous};
use super::reader::read_footer;
use crate::Entry;
use crate::error::AccessLogError;
use crate::finding::{Fault, Finding};
use crate::merkle::leaf_hash;

/// A segment that was read.
pub(crate) struct Walk {
    /// All up to the last whole batch; `None` when there is none.
    pub(crate) contents: Option<Contents>,
    pub(crate) tail: Tail,
}

/// What follows the last whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing: the segment is still open.
    Open,
    /// Index, footer and trailer, exactly as the entries require them.
    Closed,
    /// The begin of something.
    Torn,
}

/// Reads the whole segment. `next` is what the following segment says of this one, if there is one: then nothing may be
/// torn before that place, and what follows it is not looked at unless the segment was closed.
pub(crate) fn walk(path: &Path, next: Option<&Previous>) -> Result<Walk, AccessLogError> {
    let io = |error| AccessLogError::io(path, &error);
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let limit = next.map_or(length, |next| next.bytes.min(length));
    let mut walker = Walker {
        path,
        reader: FrameReader::new(file, 0, limit).map_err(io)?,
        contents: None,
        staged: Staged::new(),
        entries_begin: 0,
        terms: Vec::new(),
    };
    let fault = walker.run().map_err(|stop| match stop {
        Stop::Io(error) => io(error),
        Stop::Finding(finding) => finding.into(),
    })?;
    let committed = walker.contents.as_ref().map_or(0, Contents::bytes);
    let mut contents = walker.contents.filter(|contents| contents.bytes() > 0);
    if let Some(next) = next {
        let changed =
            |offset, problem: &str| Finding::new(path, offset, Fault::Changed, problem.to_owned());
        if committed != next.bytes {
            let (offset, problem) = fault.unwrap_or((committed, "entries are missing at the end"));
            return Err(changed(offset, problem).into());
        }
        let root = contents
            .as_ref()
            .and_then(|contents| contents.tree().root());
        if root != Some(next.root) {
            return Err(Finding::new(
                path,
                committed,
                Fault::Contradiction,
                "the root is not the one that the next segment continues",
            )
            .into());
        }
        if !next.closed && length == committed {
            return Ok(Walk {
                contents,
                tail: Tail::Open,
            });
        }
    }
    let tail = match &mut contents {
        _ if length == committed => Tail::Open,
        Some(contents) => closing(path, contents, length)?,
        None => Tail::Torn,
    };
    let must_be_closed = next.is_some_and(|next| next.closed);
    if must_be_closed && tail != Tail::Closed {
        return Err(Finding::new(
            path,
            committed,
            Fault::Changed,
            "the segment was closed, but its index or footer is not whole",
        )
        .into());
    }
    if tail == Tail::Torn {
        let at = fault.map_or(committed, |(offset, _)| offset);
        let later = next.is_none() && later_checkpoint(path, at, committed).map_err(io)?;
        if later || was_closed(path, length).map_err(io)? {
            let problem = fault.map_or("bytes are changed", |(_, problem)| problem);
            return Err(Finding::new(path, at, Fault::Changed, problem).into());
        }
    }
    Ok(Walk { contents, tail })
}

enum Stop {
    Io(std::io::Error),
    Finding(Finding),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Finding(finding)
    }
}

struct Walker<'a> {
    path: &'a Path,
    reader: FrameReader,
    contents: Option<Contents>,
    staged: Staged,
    entries_begin: u64,
    terms: Vec<u64>,
}

impl Walker<'_> {
    /// Reads batches; returns the place and kind of the fault that ended it, if it was one.
    fn run(&mut self) -> Result<Option<(u64, &'static str)>, Stop> {
        let mut at = 0;
        loop {
            let frame = match self.reader.next()? {
                Found::Frame(frame) => frame,
                Found::Fault(problem) => return Ok(Some((at, problem))),
                Found::End => {
                    let whole = self.staged.is_empty();
                    return Ok((!whole).then_some((at, "a batch has no checkpoint")));
                }
            };
            at = frame.end();
            match (frame.kind, self.contents.is_some()) {
                (FrameKind::Header, false) => self.header(&frame)?,
                (FrameKind::Entry, true) => self.entry(&frame)?,
                (FrameKind::Checkpoint, true) => self.checkpoint(&frame)?,
                (FrameKind::Index, true) if self.staged.is_empty() => return Ok(None),
                _ => {
                    let offset = frame.offset;
                    let problem = "a frame stands where none of its kind belongs";
                    return Err(self.finding(offset, Fault::Contradiction, problem).into());
                }
            }
        }
    }

    fn finding(&self, offset: u64, fault: Fault, problem: &str) -> Finding {
        Finding::new(self.path, offset, fault, problem)
    }

    fn header(&mut self, frame: &Frame) -> Result<(), Finding> {
        self.contents = parse_header(frame).and_then(Contents::new);
        self.entries_begin = frame.end();
        if self.contents.is_none() {
            return Err(self.finding(0, Fault::Contradiction, "the header cannot be read"));
        }
        Ok(())
    }

    fn entry(&mut self, frame: &Frame) -> Result<(), Finding> {
        let entry: Entry = serde_json::from_slice(&frame.payload).map_err(|error| {
            let problem = format!("an entry cannot be read: {error}");
            self.finding(frame.offset, Fault::Contradiction, &problem)
        })?;
        if self.staged.is_empty() {
            self.entries_begin = frame.offset;
        }
        entry.terms(&mut self.terms);
        self.staged
            .add(frame.offset - self.entries_begin, &entry, &self.terms);
        self.staged.leaves.push(leaf_hash(&frame.payload));
        Ok(())
    }

    fn checkpoint(&mut self, frame: &Frame) -> Result<(), Finding> {
        let wrong =
            |problem: &str| Finding::new(self.path, frame.offset, Fault::Contradiction, problem);
        let Some(contents) = &mut self.contents else {
            return Err(wrong("a checkpoint comes before the header"));
        };
        let checkpoint = Checkpoint::parse(&frame.payload)
            .ok_or_else(|| wrong("the checkpoint cannot be read"))?;
        if checkpoint.batch != contents.bytes() || self.staged.is_empty() {
            return Err(wrong("the checkpoint is of another batch"));
        }
        let tree = contents.tree_with(&self.staged);
        if checkpoint.size != tree.end() || Some(checkpoint.root) != tree.root() {
            return Err(wrong(
                "the entries do not have the root that the checkpoint says",
            ));
        }
        let staged = std::mem::replace(&mut self.staged, Staged::new());
        contents.commit(staged, tree, self.entries_begin, frame.end());
        Ok(())
    }
}

/// The header that the frame holds, when it is one of this format.
pub(crate) fn parse_header(frame: &Frame) -> Option<Header> {
    let header: Header = serde_json::from_slice(&frame.payload).ok()?;
    (frame.kind == FrameKind::Header && header.format == FORMAT).then_some(header)
}

/// Compares what follows the batches with what has to be there.
fn closing(path: &Path, contents: &mut Contents, length: u64) -> Result<Tail, AccessLogError> {
    let io = |error| AccessLogError::io(path, &error);
    let expected = contents.closing().map_err(|_| {
        Finding::new(
            path,
            None,
            Fault::Contradiction,
            "the index is longer than a frame",
        )
    })?;
    if length - contents.bytes() != expected.len() as u64 {
        return Ok(Tail::Torn);
    }
    let mut file = File::open(path).map_err(io)?;
    file.seek(SeekFrom::Start(contents.bytes())).map_err(io)?;
    let mut buffer = vec![0; 64 * 1024];
    for expected in expected.chunks(buffer.len()) {
        let Some(part) = buffer.get_mut(..expected.len()) else {
            break;
        };
        file.read_exact(part).map_err(io)?;
        if part != expected {
            return Ok(Tail::Torn);
        }
    }
    Ok(Tail::Closed)
}

/// Whether the segment ends like one that was closed: then nothing in it can be torn.
fn was_closed(path: &Path, length: u64) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    Ok(read_footer(&mut file, length)?.is_some())
}

/// Whether a batch that began after `committed` was written: a batch is written only when the one before it is durable, so
/// that then the damage is no torn tail.
fn later_checkpoint(path: &Path, from: u64, committed: u64) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    // As much as the segment is long at most, as the contents are while it is written.
    file.read_to_end(&mut bytes)?;
    let beginning = Checkpoint::beginning();
    for place in memmem::find_iter(&bytes, &beginning) {
        let mut reader = FrameReader::new(File::open(path)?, from + place as u64, length)?;
        if let Found::Frame(frame) = reader.next()?
            && Checkpoint::parse(&frame.payload).is_some_and(|found| found.batch > committed)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
