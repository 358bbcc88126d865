//! Figures about the store for monitoring.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grunddata_model::OwnerKey;
use parking_lot::Mutex;

/// The upper bounds of the buckets of batch sizes, in jobs.
pub const BATCH_SIZES: [u64; 8] = [1, 2, 4, 8, 16, 64, 256, 1024];

/// Figures about the store since it was opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoreMetrics {
    /// Jobs that wait to be committed.
    pub queue_length: usize,
    /// Batches committed (those in which every job refused included).
    pub batches: u64,
    /// Jobs answered by them.
    pub jobs: u64,
    /// How many batches had at most [`BATCH_SIZES`] jobs; cumulative, and the last one without bound.
    pub batch_sizes: Vec<u64>,
    /// Seconds spent on batches, from taking the jobs to the commit.
    pub batch_seconds: f64,
    /// Seconds of them spent on the trees of the logs: leaves, their secrets, hashes and nodes.
    pub tree_seconds: f64,
    /// Batches that were repeated because the database was busy or lost.
    pub retries: u64,
    /// Connections that readers hold.
    pub reader_connections: usize,
    /// The last position of each owner that this process has written to.
    pub positions: BTreeMap<OwnerKey, u64>,
}

#[derive(Default)]
pub(crate) struct Metrics {
    batches: AtomicU64,
    jobs: AtomicU64,
    sizes: [AtomicU64; BATCH_SIZES.len() + 1],
    micros: AtomicU64,
    tree_nanos: AtomicU64,
    retries: AtomicU64,
    pub(crate) readers: AtomicU64,
    positions: Mutex<BTreeMap<OwnerKey, u64>>,
}

impl Metrics {
    pub(crate) fn batch(&self, jobs: usize, took: Duration) {
        let jobs = jobs as u64;
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.jobs.fetch_add(jobs, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        for (bound, bucket) in BATCH_SIZES.iter().chain([&u64::MAX]).zip(&self.sizes) {
            if jobs <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The tree of a log has taken so long in a batch.
    pub(crate) fn tree(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.tree_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn position(&self, owner: &OwnerKey, position: u64) {
        self.positions.lock().insert(owner.clone(), position);
    }

    pub(crate) fn snapshot(&self, queue_length: usize) -> StoreMetrics {
        StoreMetrics {
            queue_length,
            batches: self.batches.load(Ordering::Relaxed),
            jobs: self.jobs.load(Ordering::Relaxed),
            batch_sizes: self
                .sizes
                .iter()
                .map(|bucket| bucket.load(Ordering::Relaxed))
                .collect(),
            #[expect(clippy::cast_precision_loss, reason = "a figure for monitoring")]
            batch_seconds: self.micros.load(Ordering::Relaxed) as f64 / 1e6,
            #[expect(clippy::cast_precision_loss, reason = "a figure for monitoring")]
            tree_seconds: self.tree_nanos.load(Ordering::Relaxed) as f64 / 1e9,
            retries: self.retries.load(Ordering::Relaxed),
            reader_connections: usize::try_from(self.readers.load(Ordering::Relaxed))
                .unwrap_or_default(),
            positions: self.positions.lock().clone(),
        }
    }
}
