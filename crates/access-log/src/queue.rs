//! Entries on their way to the writer.

use std::cell::RefCell;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::Entry;
use crate::error::AccessLogError;
use crate::receipt::{Batch, Receipt};
use crate::segment::contents::Staged;
use crate::segment::frame::{FrameKind, TooLong, append_frame};

/// What waits to be written.
pub(crate) struct Pending {
    /// The frames.
    pub(crate) bytes: Vec<u8>,
    pub(crate) staged: Staged,
    /// Whether the segment is to be closed after that.
    pub(crate) seal: bool,
    pub(crate) batch: Arc<Batch>,
}

impl Pending {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            staged: Staged::new(),
            seal: false,
            batch: Arc::default(),
        }
    }
}

/// A writer that went away must not leave anybody waiting for ever.
impl Drop for Pending {
    fn drop(&mut self) {
        self.batch.complete(Err(AccessLogError::ShutDown));
    }
}

/// The buffer between those who append and the writer.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    arrived: Condvar,
    /// Bytes that may wait.
    limit: usize,
}

struct Inner {
    pending: Pending,
    closed: bool,
}

#[derive(Default)]
struct Scratch {
    frame: Vec<u8>,
    terms: Vec<u64>,
}

thread_local! {
    /// Entries are encoded outside the lock, without an allocation for each.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                pending: Pending::new(Vec::new()),
                closed: false,
            }),
            arrived: Condvar::new(),
            limit,
        }
    }

    /// Puts the entry behind those that wait.
    pub(crate) fn push(&self, mut entry: Entry) -> Result<Receipt, AccessLogError> {
        entry.prepare()?;
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.frame.clear();
            append_frame(&mut scratch.frame, FrameKind::Entry, |buffer| {
                serde_json::to_writer(buffer, &entry)
                    .map_err(|error| AccessLogError::Encoding(error.to_string().into()))
            })?;
            entry.terms(&mut scratch.terms);
            self.push_encoded(&entry, scratch)
        })
    }

    fn push_encoded(&self, entry: &Entry, scratch: &Scratch) -> Result<Receipt, AccessLogError> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(AccessLogError::ShutDown);
        }
        let pending = &mut inner.pending;
        if pending.bytes.len() + scratch.frame.len() > self.limit {
            return Err(AccessLogError::Full);
        }
        let was_idle = pending.staged.is_empty() && !pending.seal;
        let receipt = pending.batch.receipt(pending.staged.count() as u64);
        pending
            .staged
            .add(pending.bytes.len() as u64, entry, &scratch.terms);
        pending.bytes.extend_from_slice(&scratch.frame);
        drop(inner);
        // The writer looks again before it sleeps, so that one call per batch is enough.
        if was_idle {
            self.arrived.notify_one();
        }
        Ok(receipt)
    }

    /// Has the segment closed after what waits now.
    pub(crate) fn seal(&self) -> Result<Receipt, AccessLogError> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(AccessLogError::ShutDown);
        }
        inner.pending.seal = true;
        let receipt = inner.pending.batch.receipt(0);
        drop(inner);
        self.arrived.notify_one();
        Ok(receipt)
    }

    /// Waits for work; `None` when the queue is closed and everything was taken. The buffer is used for what comes next.
    pub(crate) fn take(&self, mut buffer: Vec<u8>) -> Option<Pending> {
        buffer.clear();
        let mut inner = self.inner.lock();
        loop {
            if !inner.pending.staged.is_empty() || inner.pending.seal {
                return Some(std::mem::replace(&mut inner.pending, Pending::new(buffer)));
            }
            if inner.closed {
                return None;
            }
            self.arrived.wait(&mut inner);
        }
    }

    /// Takes no more entries.
    pub(crate) fn close(&self) {
        self.inner.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Closes, and refuses what waits: nobody is there to write it.
    pub(crate) fn abandon(&self) {
        self.close();
        let pending = std::mem::replace(&mut self.inner.lock().pending, Pending::new(Vec::new()));
        drop(pending);
    }
}

impl From<TooLong> for AccessLogError {
    fn from(_: TooLong) -> Self {
        Self::Encoding("an entry is longer than a frame can be".into())
    }
}
