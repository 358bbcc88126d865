//! Writes what deliveries come to. However many there are at once, they are written together: a delivery does not wait for the
//! disk, and the disk is asked once for many of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use grunddata_model::Instant;
use grunddata_registry::{Registry, Settlement};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// How many may wait to be written.
const QUEUE: usize = 1_024;
/// For how long deliveries are kept, in microseconds.
const KEPT: i64 = 30 * 24 * 60 * 60 * 1_000_000;
/// How often it is tried to write the same while the server stops.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// What is to be written of one subscription.
pub(super) struct Settle {
    pub(super) settlement: Settlement,
    /// Set when the subscription was changed or taken over meanwhile: nothing was written.
    pub(super) lost: Arc<AtomicBool>,
    /// Told when it has been written.
    pub(super) done: Option<oneshot::Sender<()>>,
}

/// The thread that writes.
pub(super) struct Settler {
    thread: JoinHandle<()>,
}

impl Settler {
    pub(super) fn start(
        registry: Registry,
        holder: Uuid,
        stopping: Arc<AtomicBool>,
    ) -> std::io::Result<(Self, mpsc::Sender<Settle>)> {
        let (sender, inbox) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("hooks-settler".to_owned())
            .spawn(move || run(&registry, holder, &stopping, inbox))?;
        Ok((Self { thread }, sender))
    }

    /// Waits until everything is written; all senders must be gone.
    pub(super) fn end(self) {
        if self.thread.join().is_err() {
            tracing::error!("the thread that writes what deliveries come to panicked");
        }
    }
}

fn run(
    registry: &Registry,
    holder: Uuid,
    stopping: &AtomicBool,
    mut inbox: mpsc::Receiver<Settle>,
) {
    let mut writer = registry.store().subscription_writer();
    while let Some(first) = inbox.blocking_recv() {
        let mut waiting = vec![first];
        while waiting.len() < QUEUE
            && let Ok(next) = inbox.try_recv()
        {
            waiting.push(next);
        }
        let (settlements, tellers) = gathered(waiting);
        let mut tries = 0;
        loop {
            let old = Instant::from_micros(registry.now().micros().saturating_sub(KEPT));
            match writer.settle(&settlements, holder, old) {
                Ok(written) => {
                    for (written, tellers) in written.into_iter().zip(tellers) {
                        for (lost, done) in tellers {
                            if !written {
                                lost.store(true, Ordering::SeqCst);
                            }
                            // Dropped, it tells as well.
                            drop(done);
                        }
                    }
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, "what deliveries have come to cannot be written just now");
                    tries += 1;
                    if stopping.load(Ordering::SeqCst) && tries >= TRIES {
                        // They will be sent again: receivers know them by their id.
                        return;
                    }
                    thread::sleep(PAUSE);
                }
            }
        }
    }
}

type Tellers = Vec<(Arc<AtomicBool>, Option<oneshot::Sender<()>>)>;

/// What comes of the same subscription together: how it stands is what was said last.
fn gathered(waiting: Vec<Settle>) -> (Vec<Settlement>, Vec<Tellers>) {
    let mut settlements: Vec<Settlement> = Vec::new();
    let mut tellers: Vec<Tellers> = Vec::new();
    let mut places: HashMap<(Uuid, u32), usize> = HashMap::new();
    for settle in waiting {
        let Settle {
            settlement,
            lost,
            done,
        } = settle;
        let key = (settlement.id, settlement.version);
        let at = *places.entry(key).or_insert(settlements.len());
        match settlements.get_mut(at) {
            Some(known) => {
                known.standing = settlement.standing;
                known.sent.extend(settlement.sent);
            }
            None => settlements.push(settlement),
        }
        match tellers.get_mut(at) {
            Some(known) => known.push((lost, done)),
            None => tellers.push(vec![(lost, done)]),
        }
    }
    (settlements, tellers)
}
