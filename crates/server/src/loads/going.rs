//! Work on loads that goes on without whoever asked for it. It is noted in the database who does it and with whose rights,
//! so that another process takes it up when this one ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{Context, LoadTaskKind, Refusal, Registry};
use uuid::Uuid;

/// How long work is held without a sign of life of its process, where nothing else is said.
pub const LEASE: Duration = Duration::from_secs(60);
/// The shortest lease.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often a lease is renewed before it runs out.
const BEATS: u32 = 4;

/// A process that works on loads.
#[derive(Debug, Clone)]
pub struct Worker {
    /// By which its work is known in the database.
    id: Uuid,
    lease: Duration,
    stopping: Arc<AtomicBool>,
}

impl Worker {
    /// One whose work is taken up by another when there has been no sign of life of it for so long.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            id: Uuid::now_v7(),
            lease: lease.max(SHORTEST),
            stopping: Arc::default(),
        }
    }

    /// Until when what is taken now is held.
    pub(crate) fn until(&self, registry: &Registry) -> Instant {
        let lease = i64::try_from(self.lease.as_micros()).unwrap_or(i64::MAX);
        Instant::from_micros(registry.now().micros().saturating_add(lease))
    }

    /// How often what it holds is renewed.
    pub(crate) fn beat(&self) -> Duration {
        self.lease / BEATS
    }

    /// By which its work is known in the database.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether it has been asked to stop.
    #[must_use]
    pub fn stopping(&self) -> &AtomicBool {
        &self.stopping
    }

    /// Asks it to stop: work ends at the next place from which it can be gone on with.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Notes that work on a load is done by this process.
    pub(crate) fn take(
        &self,
        registry: &Registry,
        context: &Context,
        owner: &OwnerKey,
        load: Uuid,
        kind: LoadTaskKind,
    ) -> Result<Going, Refusal> {
        let until = self.until(registry);
        registry.note_task(context, owner, load, kind, self.id, until)?;
        Ok(self.going(registry, owner, load))
    }

    /// Work that is noted already as that of this process.
    pub(crate) fn going(&self, registry: &Registry, owner: &OwnerKey, load: Uuid) -> Going {
        Going {
            registry: registry.clone(),
            owner: owner.clone(),
            load,
            worker: self.id,
            left: false,
        }
    }
}

/// Renews what a process holds for as long as it lives. Dropped, it gives free what is still held: nobody works on it.
#[derive(Debug)]
pub struct Heart {
    end: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    /// Begins to beat.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(registry: &Registry, worker: &Worker) -> std::io::Result<Self> {
        let (end, ended) = bounded(0);
        let (registry, worker) = (registry.clone(), worker.clone());
        let thread = thread::Builder::new()
            .name("heart".to_owned())
            .spawn(move || {
                let renew = |until| {
                    if let Err(error) = registry.store().renew_leases(worker.id, until) {
                        tracing::warn!(%error, "the lease of work on loads cannot be renewed");
                    }
                };
                while ended.recv_timeout(worker.lease / BEATS) == Err(RecvTimeoutError::Timeout) {
                    renew(worker.until(&registry));
                }
                renew(registry.now());
            })?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }

    /// Ends without giving free what is held: somebody may still be at it, and it runs out by itself.
    pub(crate) fn leave(mut self) {
        self.thread = None;
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.end.send(()).ok();
            if thread.join().is_err() {
                tracing::error!("the thread that renews leases panicked");
            }
        }
    }
}

/// Work on a load. It has ended when this is dropped, unless it was left.
pub(crate) struct Going {
    registry: Registry,
    owner: OwnerKey,
    load: Uuid,
    worker: Uuid,
    left: bool,
}

impl Going {
    /// Leaves the work to whoever takes it up again.
    pub(crate) fn leave(mut self) {
        self.left = true;
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        let ended = self
            .registry
            .store()
            .end_task(&self.owner, self.load, self.worker);
        if let Err(error) = ended {
            tracing::warn!(%error, load = %self.load, "that work on a load has ended cannot be noted: it will be looked at again");
        }
    }
}

/// Where the file of a load lies while its plan is made.
pub(crate) fn kept(directory: &Path, load: Uuid) -> PathBuf {
    directory.join(format!("{load}.load"))
}
