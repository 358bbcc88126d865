//! Subscriptions delivered: one task for each that this process holds, all on one thread. The log is the queue: a task holds no
//! more than one look at it, and nothing while it waits.
//!
//! Which process holds which stands in the database, as for loads (`docs/adr/0017`). What has come of deliveries is written by
//! a thread of its own, many together.

mod event;
mod lanes;
mod look;
mod news;
mod sent;
mod settings;
mod settler;
mod tend;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as Stopwatch};

use grunddata_model::{Instant, OwnerKey};
use grunddata_reach::Client;
use grunddata_registry::{Refusal, Registry, Subscription, SubscriptionState};
use parking_lot::RwLock;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;
use uuid::Uuid;

pub use settings::Sending;

use self::event::Origin;
use self::lanes::Lanes;
use self::news::News;
use self::settler::{Settle, Settler};
use self::tend::Tending;
use crate::app::App;
use crate::problem::Problem;

/// Threads that look at logs for subscriptions.
pub(crate) const READERS: usize = 2;
/// Looks that may wait for one of them.
pub(crate) const LOOKS_WAITING: usize = 8_192;
/// How often it is looked which subscriptions are silent.
const LISTENED_EVERY: Duration = Duration::from_secs(10);
/// Names that are resolved at once. What the system asks cannot be broken off, so that names of a dead name server hold on to
/// theirs for longer than anybody waits; they must not hold up the others.
const NAMES: usize = 512;
/// How long a stop waits for answers of targets.
const GRACE: Duration = Duration::from_secs(2);
/// An hour in microseconds.
const HOUR: i64 = 60 * 60 * 1_000_000;

/// What others may ask of deliveries, and tell them.
#[derive(Debug, Default)]
pub(crate) struct HookState {
    /// Told when somebody has made or changed a subscription.
    pub(crate) nudge: Notify,
    /// Requests that were accepted.
    pub(crate) accepted: AtomicU64,
    /// Requests that were not.
    pub(crate) failed: AtomicU64,
    /// Events in those that were accepted.
    pub(crate) events: AtomicU64,
    /// What stands where, when it was last looked.
    pub(crate) standing: RwLock<Counted>,
}

/// How many subscriptions there are, and which are silent.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counted {
    pub(crate) states: Vec<(&'static str, usize)>,
    pub(crate) silent: Vec<SilentHook>,
}

/// A subscription of which nothing was accepted for too long.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SilentHook {
    pub(crate) owner: OwnerKey,
    pub(crate) id: Uuid,
}

/// What all tasks share.
struct Shared {
    app: Arc<App>,
    client: Client,
    origin: Origin,
    lanes: Lanes,
    news: News,
    settle: mpsc::Sender<Settle>,
}

impl Shared {
    fn registry(&self) -> &Registry {
        self.app.vault.vitals()
    }

    fn sending(&self) -> &Sending {
        &self.app.config.subscriptions
    }

    fn is_closing(&self) -> bool {
        *self.app.closing.borrow()
    }
}

/// The threads that deliver.
pub(crate) struct Hooks {
    thread: JoinHandle<()>,
    settler: Settler,
    stopping: Arc<AtomicBool>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

impl Hooks {
    /// Begins to deliver. It ends when the server closes.
    pub(crate) fn start(app: &Arc<App>) -> std::io::Result<Self> {
        let sending = &app.config.subscriptions;
        let client = sending.client().map_err(std::io::Error::other)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let registry = app.vault.vitals().clone();
        let (settler, settle) = Settler::start(registry, app.worker.id(), Arc::clone(&stopping))?;
        let shared = Arc::new(Shared {
            client,
            origin: Origin::of(&app.config),
            lanes: Lanes::new(
                sending.at_once,
                sending.slow_at_once,
                sending.of_host_at_once,
            ),
            news: News::default(),
            settle,
            app: Arc::clone(app),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(NAMES)
            .thread_name("hooks-names")
            .build()?;
        let thread = thread::Builder::new()
            .name("hooks".to_owned())
            .spawn(move || {
                // What a task holds stays on this thread.
                tokio::task::LocalSet::new().block_on(&runtime, Dispatcher::new(shared).run());
                // Whoever still resolves a name is not waited for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            thread,
            settler,
            stopping,
        })
    }

    /// Waits until it has ended. The server closes already.
    pub(crate) fn end(self) {
        self.stopping.store(true, Ordering::SeqCst);
        if self.thread.join().is_err() {
            tracing::error!("the thread that delivers subscriptions panicked");
        }
        self.settler.end();
    }
}

struct Dispatcher {
    shared: Arc<Shared>,
    /// Which are tended, and in which version.
    tended: HashMap<Uuid, (u32, AbortHandle)>,
    listened: Option<Stopwatch>,
    /// When it was last said that a subscription is silent.
    warned: HashMap<SilentHook, Instant>,
}

impl Dispatcher {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            tended: HashMap::new(),
            listened: None,
            warned: HashMap::new(),
        }
    }

    async fn run(mut self) {
        let mut closing = self.shared.app.closing.subscribe();
        let poll = self.shared.sending().poll.max(Duration::from_millis(5));
        while !self.shared.is_closing() {
            if let Err(problem) = self.scan().await {
                tracing::warn!(
                    code = problem.kind.code,
                    why = problem.detail,
                    "it cannot be found out which subscriptions are to be delivered"
                );
            }
            if let Err(problem) = self.listen().await {
                tracing::debug!(
                    code = problem.kind.code,
                    "silent subscriptions are not looked for"
                );
            }
            tokio::select! {
                _ = closing.wait_for(|closing| *closing) => break,
                () = self.shared.app.hooks.nudge.notified() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
        // Who waits ends at once, who sends when it has an answer: what was accepted is then noted, and not sent again.
        let begun = Stopwatch::now();
        let busy = |tended: &HashMap<Uuid, (u32, AbortHandle)>| {
            tended.values().any(|(_, task)| !task.is_finished())
        };
        while busy(&self.tended) && begun.elapsed() < GRACE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for (_, task) in self.tended.into_values() {
            task.abort();
        }
    }

    /// Takes what nobody holds, and begins and ends tasks as the database says.
    async fn scan(&mut self) -> Result<(), Problem> {
        let app = Arc::clone(&self.shared.app);
        let known: HashMap<Uuid, u32> = self
            .tended
            .iter()
            .filter(|(_, (_, task))| !task.is_finished())
            .map(|(id, (version, _))| (*id, *version))
            .collect();
        let (mine, fresh) = self
            .shared
            .app
            .hook_readers
            .run(move || Ok(held(&app, &known)))
            .await?
            .map_err(crate::reply::refused)?;
        self.tended.retain(|id, (version, task)| {
            let stays = mine.contains(&(*id, *version)) && !task.is_finished();
            if !stays {
                task.abort();
            }
            stays
        });
        for subscription in fresh {
            let (id, version) = (subscription.id, subscription.version);
            let tending = Tending::new(Arc::clone(&self.shared), subscription);
            let task = tokio::task::spawn_local(tending.run());
            self.tended.insert(id, (version, task.abort_handle()));
        }
        Ok(())
    }

    /// Counts, and notices which are silent.
    async fn listen(&mut self) -> Result<(), Problem> {
        let every = LISTENED_EVERY.min(self.shared.sending().poll * 10);
        let fresh = self.listened.is_some_and(|at| at.elapsed() < every);
        if fresh {
            return Ok(());
        }
        self.listened = Some(Stopwatch::now());
        let app = Arc::clone(&self.shared.app);
        let all = self
            .shared
            .app
            .hook_readers
            .run(move || Ok(everything(app.vault.vitals())))
            .await?
            .map_err(crate::reply::refused)?;
        let now = self.shared.registry().now();
        let states = SubscriptionState::ALL.iter().map(|state| {
            let count = all.iter().filter(|one| one.standing.state == *state);
            (state.as_str(), count.count())
        });
        let mut counted = Counted {
            states: states.collect(),
            silent: Vec::new(),
        };
        for subscription in &all {
            let Some(since) = subscription.silent_since(now) else {
                continue;
            };
            let silent = SilentHook {
                owner: subscription.owner.clone(),
                id: subscription.id,
            };
            let hours = i64::from(subscription.settings.silent_after_hours.unwrap_or(24));
            let said = self.warned.get(&silent);
            let again = hours.saturating_mul(HOUR);
            if said.is_none_or(|said| now.micros().saturating_sub(said.micros()) >= again) {
                tracing::warn!(owner = %silent.owner, subscription = %silent.id, %since, "a subscription is silent: its target has accepted nothing for longer than it may");
                self.warned.insert(silent.clone(), now);
            }
            counted.silent.push(silent);
        }
        self.warned
            .retain(|silent, _| counted.silent.contains(silent));
        *self.shared.app.hooks.standing.write() = counted;
        Ok(())
    }
}

fn everything(registry: &Registry) -> Result<Vec<Subscription>, Refusal> {
    let rows = registry.store().read(|reader| reader.subscriptions(None));
    let rows = rows.map_err(unread)?.into_iter();
    // One that cannot be read says so in the log, and holds up no other.
    Ok(rows.filter_map(|row| row.try_into().ok()).collect())
}

fn unread(error: grunddata_store::StoreError) -> Refusal {
    tracing::debug!(%error, "subscriptions cannot be read just now");
    Refusal::new(
        grunddata_registry::Code::Busy,
        "Subscriptions cannot be read just now.",
    )
}

type Held = (HashSet<(Uuid, u32)>, Vec<Subscription>);

/// What this process holds, and of it what is not tended in its present version.
fn held(app: &App, known: &HashMap<Uuid, u32>) -> Result<Held, Refusal> {
    let (registry, worker) = (app.vault.vitals(), &app.worker);
    let going = |registry: &Registry| {
        registry
            .store()
            .read(|reader| reader.subscriptions_going())
            .map_err(unread)
    };
    let now = registry.now();
    let mut marks = going(registry)?;
    // Only when there is something to take: a look alone writes nothing.
    if marks.iter().any(|mark| mark.held_until <= now) {
        registry
            .store()
            .take_subscriptions(worker.id(), now, worker.until(registry))
            .map_err(unread)?;
        marks = going(registry)?;
    }
    let mut mine = HashSet::new();
    let mut fresh = Vec::new();
    for mark in marks {
        if mark.holder != worker.id() {
            continue;
        }
        if known.get(&mark.id) != Some(&mark.version) {
            let row = registry
                .store()
                .read(|reader| reader.subscription_of(&mark.owner, mark.id))
                .map_err(unread)?;
            let Some(row) = row else { continue };
            // One that cannot be read says so in the log, and holds up no other.
            let Ok(subscription) = Subscription::try_from(row) else {
                continue;
            };
            mine.insert((subscription.id, subscription.version));
            fresh.push(subscription);
        } else {
            mine.insert((mark.id, mark.version));
        }
    }
    Ok((mine, fresh))
}
