//! The log as those see it who write it.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use grunddata_model::Instant;
use parking_lot::Mutex;

use crate::Entry;
use crate::archive::Archive;
use crate::disk::{Disk, FileSystem};
use crate::error::AccessLogError;
use crate::finding::Finding;
use crate::queue::Queue;
use crate::receipt::Receipt;
use crate::recovery::{Resume, recover};
use crate::series::{SeriesId, list, lock};
use crate::writer::{Bounds, Counters, Writer};

/// Where and how the log is written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory; made when it is not there. Several processes may share it if its file system has locks that hold
    /// between them.
    pub directory: PathBuf,
    /// Bytes after which a segment is closed. A segment is longer by at most one batch and its index.
    pub segment_bytes: u64,
    /// Time between the first and the last entry after which a segment is closed, so that it can be removed in time.
    pub segment_span: Duration,
    /// Bytes of entries that may wait to be written. As much again is being written meanwhile.
    pub buffer_bytes: usize,
}

impl Settings {
    /// 64 MiB or a day for each segment, 16 MiB that may wait.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: 64 * 1024 * 1024,
            segment_span: Duration::from_secs(24 * 60 * 60),
            buffer_bytes: 16 * 1024 * 1024,
        }
    }
}

/// What was found when the log was opened: tell it to an operator.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// What crashes tore off. Nothing of it was acknowledged.
    pub torn: Vec<Finding>,
    /// Damage. The series is left as it is and not continued.
    pub damaged: Vec<Finding>,
}

/// Numbers since the log was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Entries that are durable.
    pub entries: u64,
    /// Batches that were made durable, with one fdatasync each.
    pub batches: u64,
    /// Bytes of those batches.
    pub bytes: u64,
    /// Batches and segments that could not be written.
    pub failures: u64,
    /// Segments that were begun.
    pub segments: u64,
    /// Segments that were left without index and footer, which the next opening adds.
    pub unclosed: u64,
}

/// The log, open for writing. Clones share one writer; dropping the last one writes what waits and closes the segment.
#[derive(Clone)]
pub struct AccessLog {
    inner: Arc<Inner>,
}

struct Inner {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
    counters: Arc<Counters>,
    archive: Archive,
    series: SeriesId,
    opening: Opening,
}

impl AccessLog {
    /// Opens the log: brings the series that nobody writes in order, and goes on with the newest of them, or begins one
    /// whose id holds the instant.
    ///
    /// # Errors
    /// When the directory cannot be read and written, or the thread cannot be started. Damage found in a series is no
    /// error: see [`opening`](Self::opening).
    pub fn open(settings: Settings, now: Instant) -> Result<Self, AccessLogError> {
        Self::open_on(settings, now, Arc::new(FileSystem))
    }

    pub(crate) fn open_on(
        settings: Settings,
        now: Instant,
        disk: Arc<dyn Disk>,
    ) -> Result<Self, AccessLogError> {
        let directory = settings.directory;
        let io = |error| AccessLogError::io(&directory, &error);
        fs::create_dir_all(&directory).map_err(io)?;
        let mut opening = Opening::default();
        let mut found = None;
        for series in list(&directory)?.into_keys().rev() {
            let Some(lock) = lock(&directory, series)? else {
                continue;
            };
            match recover(&directory, series, &mut opening.torn) {
                Ok(resume) if found.is_none() => found = Some((series, lock, resume)),
                Ok(_) => {}
                Err(AccessLogError::Damaged(finding)) => opening.damaged.push((*finding).clone()),
                Err(other) => return Err(other),
            }
        }
        let (series, lock, resume) = match found {
            Some(found) => found,
            None => begin(&directory, now)?,
        };
        let queue = Arc::new(Queue::new(settings.buffer_bytes));
        let counters = Arc::new(Counters::default());
        let writer = Writer {
            directory: directory.clone(),
            disk,
            series,
            bounds: Bounds {
                bytes: settings.segment_bytes,
                span: i64::try_from(settings.segment_span.as_micros()).unwrap_or(i64::MAX),
            },
            counters: Arc::clone(&counters),
            tree: resume.tree,
            previous: resume.previous,
            next_ordinal: resume.next_ordinal,
            segment: None,
            _lock: lock,
        };
        let taken = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || writer.run(&taken))
            .map_err(io)?;
        Ok(Self {
            inner: Arc::new(Inner {
                queue,
                thread: Mutex::new(Some(thread)),
                counters,
                archive: Archive::open(directory),
                series,
                opening,
            }),
        })
    }

    /// Takes an entry and returns at once. The reply that it is about must wait for the receipt. Numbers of persons in its
    /// texts are masked.
    ///
    /// # Errors
    /// [`AccessLogError::Full`] when too much waits already, [`AccessLogError::Limit`] when a text or list is too long,
    /// [`AccessLogError::ShutDown`]. The entry is not logged then: refuse what it is about.
    pub fn append(&self, entry: Entry) -> Result<Receipt, AccessLogError> {
        self.inner.queue.push(entry)
    }

    /// Closes the segment that is being written, so that it can be archived or removed. The receipt tells when that is
    /// done; its position is where the log went on.
    ///
    /// # Errors
    /// [`AccessLogError::ShutDown`].
    pub fn seal(&self) -> Result<Receipt, AccessLogError> {
        self.inner.queue.seal()
    }

    /// Writes what waits, closes the segment and gives the series free. Later entries are refused.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }

    /// For reading: search, proofs, verification, removal.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.inner.archive
    }

    /// The series that this process writes.
    #[must_use]
    pub fn series(&self) -> SeriesId {
        self.inner.series
    }

    /// What was found when the log was opened.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.inner.opening
    }

    /// What was written since.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let counters = &self.inner.counters;
        Metrics {
            entries: counters.entries.load(Ordering::Relaxed),
            batches: counters.batches.load(Ordering::Relaxed),
            bytes: counters.bytes.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            segments: counters.segments.load(Ordering::Relaxed),
            unclosed: counters.unclosed.load(Ordering::Relaxed),
        }
    }
}

/// A series that nobody has.
fn begin(
    directory: &std::path::Path,
    now: Instant,
) -> Result<(SeriesId, fs::File, Resume), AccessLogError> {
    loop {
        let series = SeriesId::mint(now);
        if let Some(lock) = lock(directory, series)? {
            return Ok((series, lock, Resume::fresh()));
        }
    }
}

impl Inner {
    fn shutdown(&self) {
        self.queue.close();
        if let Some(thread) = self.thread.lock().take() {
            // It hands its own failures to those who wait.
            drop(thread.join());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog")
            .field("series", &self.inner.series)
            .finish_non_exhaustive()
    }
}
