//! The one thread that writes a series.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{Disk, SegmentFile, remove};
use crate::error::AccessLogError;
use crate::merkle::{CompactRange, Hash, leaf_hash};
use crate::queue::{Pending, Queue};
use crate::receipt::Position;
use crate::segment::contents::Contents;
use crate::segment::frame::{FrameKind, PREFIX, SUFFIX, TooLong, append_frame};
use crate::segment::parts::{Checkpoint, FORMAT, Header, Previous};
use crate::series::{SeriesId, segment_path};

/// What the writer counts, for the metrics of whoever runs it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) entries: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) segments: AtomicU64,
    pub(crate) unclosed: AtomicU64,
}

/// When a segment is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: u64,
    /// Microseconds between its earliest and its latest entry.
    pub(crate) span: i64,
}

pub(crate) struct Writer {
    pub(crate) directory: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) series: SeriesId,
    pub(crate) bounds: Bounds,
    pub(crate) counters: Arc<Counters>,
    /// The tree of what is durable.
    pub(crate) tree: CompactRange,
    pub(crate) previous: Option<Previous>,
    pub(crate) next_ordinal: u64,
    pub(crate) segment: Option<Segment>,
    /// Held as long as the series is written.
    pub(crate) _lock: File,
}

/// The segment that is being written.
pub(crate) struct Segment {
    path: PathBuf,
    file: Box<dyn SegmentFile>,
    contents: Contents,
}

impl Writer {
    /// Writes until the queue is closed.
    pub(crate) fn run(mut self, queue: &Queue) {
        // Whatever ends this thread, nobody waits for it afterwards.
        struct Abandon<'a>(&'a Queue);
        impl Drop for Abandon<'_> {
            fn drop(&mut self) {
                self.0.abandon();
            }
        }
        let _abandon = Abandon(queue);
        let mut buffer = Vec::new();
        while let Some(mut pending) = queue.take(buffer) {
            let outcome = self.write(&mut pending);
            if pending.seal {
                // Whoever asked for it waits until it is done.
                self.close_segment();
                pending.batch.complete(outcome);
            } else {
                // The entries are durable: nobody waits for what closing a segment takes.
                pending.batch.complete(outcome);
                self.close_full_segment();
            }
            buffer = std::mem::take(&mut pending.bytes);
        }
        self.close_segment();
    }

    /// Makes the batch durable.
    fn write(&mut self, pending: &mut Pending) -> Result<Position, AccessLogError> {
        let position = Position {
            series: self.series,
            sequence: self.tree.end(),
        };
        if pending.staged.is_empty() {
            return Ok(position);
        }
        let mut segment = match self.segment.take() {
            Some(segment) => segment,
            None => self.begin_segment()?,
        };
        match segment.write(pending) {
            Ok(bytes) => {
                let fresh = segment.contents.leaves().len() as u64
                    == segment.contents.tree().end() - self.tree.end();
                if fresh && let Err(error) = self.disk.sync_directory(&self.directory) {
                    // The name may be gone after a crash, and the entries with it.
                    self.counters.failures.fetch_add(1, Ordering::Relaxed);
                    drop(remove(&segment.path));
                    return Err(not_written(&error));
                }
                let counters = &self.counters;
                counters.batches.fetch_add(1, Ordering::Relaxed);
                counters.bytes.fetch_add(bytes, Ordering::Relaxed);
                let entries = segment.contents.tree().end() - self.tree.end();
                counters.entries.fetch_add(entries, Ordering::Relaxed);
                self.tree = segment.contents.tree().clone();
                self.segment = Some(segment);
                Ok(position)
            }
            Err(error) => {
                self.counters.failures.fetch_add(1, Ordering::Relaxed);
                self.give_up(segment);
                Err(not_written(&error))
            }
        }
    }

    fn begin_segment(&mut self) -> Result<Segment, AccessLogError> {
        let ordinal = self.next_ordinal;
        let header = Header {
            format: FORMAT,
            series: self.series,
            ordinal,
            first: self.tree.end(),
            peaks: self.tree.nodes().to_vec(),
            previous: self.previous.clone(),
        };
        let path = segment_path(&self.directory, self.series, ordinal);
        // Never the same name twice, whatever comes of it.
        self.next_ordinal += 1;
        let file = self.disk.create(&path).map_err(|error| {
            self.counters.failures.fetch_add(1, Ordering::Relaxed);
            not_written(&error)
        })?;
        let contents = Contents::new(header)
            .ok_or_else(|| AccessLogError::NotWritten("the tree does not fit its size".into()))?;
        self.counters.segments.fetch_add(1, Ordering::Relaxed);
        Ok(Segment {
            path,
            file,
            contents,
        })
    }

    /// Leaves a segment whose last write failed: what the system says of the file afterwards cannot be trusted, so the
    /// next batch goes to a new one. That the file is cut or removed is tidiness, its success does not matter.
    fn give_up(&mut self, mut segment: Segment) {
        let bytes = segment.contents.bytes();
        if bytes == 0 {
            drop(remove(&segment.path));
        } else {
            drop(segment.file.truncate(bytes));
            self.leave(&segment.contents, false);
        }
    }

    fn leave(&mut self, contents: &Contents, closed: bool) {
        let root: Option<Hash> = contents.tree().root();
        self.previous = root.map(|root| Previous {
            ordinal: contents.header().ordinal,
            bytes: contents.bytes(),
            root,
            closed,
        });
        if !closed {
            self.counters.unclosed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn close_full_segment(&mut self) {
        let full = self.segment.as_ref().is_some_and(|segment| {
            let contents = &segment.contents;
            contents.bytes() >= self.bounds.bytes
                || contents.latest().saturating_sub(contents.earliest()) >= self.bounds.span
        });
        if full {
            self.close_segment();
        }
    }

    /// Writes index and footer. If that fails nothing is lost: the segment is read from begin to end instead, and the next
    /// opening of the log closes it.
    fn close_segment(&mut self) {
        let Some(mut segment) = self.segment.take() else {
            return;
        };
        let closed = segment.close().is_ok();
        if !closed {
            drop(segment.file.truncate(segment.contents.bytes()));
        }
        self.leave(&segment.contents, closed);
    }
}

impl Segment {
    /// Writes a batch and returns when it is durable; the contents hold it only then.
    fn write(&mut self, pending: &mut Pending) -> io::Result<u64> {
        hash_leaves(pending);
        let tree = self.contents.tree_with(&pending.staged);
        let batch = self.contents.bytes();
        let mut head = Vec::new();
        if batch == 0 {
            let header = self.contents.header();
            append_frame(&mut head, FrameKind::Header, |buffer| {
                serde_json::to_writer(buffer, header).map_err(io::Error::from)
            })?;
        }
        let begin = batch + head.len() as u64;
        let checkpoint = Checkpoint {
            batch,
            size: tree.end(),
            root: tree.root().unwrap_or_else(crate::merkle::empty_root),
        };
        checkpoint.append_to(&mut pending.bytes)?;
        if !head.is_empty() {
            // Once for each segment, so that the copy does not matter.
            head.append(&mut pending.bytes);
            pending.bytes = head;
        }
        self.file.append(&pending.bytes)?;
        self.file.sync()?;
        let bytes = pending.bytes.len() as u64;
        let staged =
            std::mem::replace(&mut pending.staged, crate::segment::contents::Staged::new());
        self.contents.commit(staged, tree, begin, batch + bytes);
        Ok(bytes)
    }

    fn close(&mut self) -> io::Result<()> {
        let closing = self.contents.closing()?;
        self.file.append(&closing)?;
        self.file.sync()
    }
}

/// Fills in the leaf hashes: on this thread, so that those who append do not pay for them.
fn hash_leaves(pending: &mut Pending) {
    let staged = &mut pending.staged;
    let mut ends = staged
        .offsets
        .iter()
        .skip(1)
        .copied()
        .chain([pending.bytes.len() as u64]);
    staged.leaves = staged
        .offsets
        .iter()
        .map(|offset| {
            let end = ends.next().unwrap_or(*offset) as usize;
            let payload = pending
                .bytes
                .get(*offset as usize + PREFIX..end.saturating_sub(SUFFIX));
            leaf_hash(payload.unwrap_or_default())
        })
        .collect();
}

fn not_written(error: &io::Error) -> AccessLogError {
    AccessLogError::NotWritten(error.to_string().into())
}

impl From<TooLong> for io::Error {
    fn from(_: TooLong) -> Self {
        Self::new(io::ErrorKind::FileTooLarge, "a frame would be too long")
    }
}
