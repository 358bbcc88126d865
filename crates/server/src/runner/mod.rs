//! What the server does by itself: takes up the work on loads whose process has ended, collects the files of sources when it
//! is time, notices sources that are silent, removes the rows of old loads, tells in the logs what begins and ends as planned,
//! looks for references that lead somewhere by now, and delivers subscriptions (`hooks`).
//!
//! One thread decides what is due and hands it to others; what it decides from stands in the database, so that several
//! processes on one database share the work and whatever a process leaves undone is done by the next.

mod calendar;
mod logged;
mod old;
mod references;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as Stopwatch};

use crossbeam_channel::{Receiver, Sender, bounded};
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{
    Code, CollectState, Context, LeftTask, LoadStatus, LoadTaskKind, Refusal, Registry, Source,
    SourceState,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::calendar::Calendar;
pub(crate) use self::logged::log;
use self::logged::with;
use self::references::References;
use crate::app::{App, LOADS_WAITING};
use crate::hooks::Hooks;
use crate::loads::collect::{
    self, Came, Collector, Extent, Heart, Outcome, Stillness, apply_noted, gives_way, may_apply,
};
use crate::loads::going::kept;
use crate::loads::uploads::remove;
use crate::loads::{self, Run};

/// Work that was begun so often without coming to an end is not begun again.
const ATTEMPTS: u32 = 3;
/// After so long a plan whose file is not on this machine is given up, in microseconds.
const ELSEWHERE: i64 = 10 * 60 * 1_000_000;
/// A folder that cannot be read is looked at again after so long, in microseconds.
const FOLDER_AGAIN: i64 = 60 * 1_000_000;
/// How often rows of old loads are looked for.
const PRUNED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a stop waits for work to come to a place from which it can be gone on with.
const PATIENCE: Duration = Duration::from_secs(10);
/// An hour in microseconds.
const HOUR: i64 = 60 * 60 * 1_000_000;

/// A source of which nothing has been heard for too long.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Silent {
    pub(crate) owner: OwnerKey,
    pub(crate) key: String,
}

/// The thread that decides.
#[derive(Debug)]
pub(crate) struct Runner {
    app: Arc<App>,
    wake: Sender<()>,
    thread: JoinHandle<()>,
    hooks: Hooks,
    heart: Heart,
}

impl Runner {
    pub(crate) fn start(app: &Arc<App>) -> std::io::Result<Self> {
        let (wake, woken) = bounded(1);
        let heart = Heart::start(app.vault.vitals(), &app.worker)?;
        let hooks = Hooks::start(app)?;
        let mut round = Round {
            app: Arc::clone(app),
            stillness: Arc::default(),
            busy: Arc::default(),
            known: Vec::new(),
            warned: HashMap::new(),
            pruned: None,
            calendar: Arc::default(),
            references: Arc::default(),
        };
        let thread = thread::Builder::new()
            .name("runner".to_owned())
            .spawn(move || round.run(&woken))?;
        Ok(Self {
            app: Arc::clone(app),
            wake,
            thread,
            hooks,
            heart,
        })
    }

    /// Asks everything in the background to stop.
    pub(crate) fn stop(&self) {
        self.app.worker.stop();
        self.wake.try_send(()).ok();
    }

    /// Waits until it has, for a while: what does not stop by then is taken up again when its lease has run out.
    pub(crate) fn end(self) {
        let Self {
            app,
            wake,
            thread,
            hooks,
            heart,
        } = self;
        drop(wake);
        hooks.end();
        if thread.join().is_err() {
            tracing::error!("the thread that decides what is due panicked");
        }
        let begun = Stopwatch::now();
        let working = || {
            [&app.loading, &app.collecting]
                .iter()
                .any(|pool| pool.busy() > 0)
        };
        while working() && begun.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
        if working() {
            tracing::warn!(
                "loads are still being worked on: they are taken up again when the server runs"
            );
            heart.leave();
        }
    }
}

struct Round {
    app: Arc<App>,
    stillness: Arc<Stillness>,
    /// Sources that this process is at.
    busy: Arc<Mutex<HashSet<Silent>>>,
    /// Sources as they were last read.
    known: Vec<Source>,
    /// When it was last said that a source is silent.
    warned: HashMap<Silent, Instant>,
    pruned: Option<Stopwatch>,
    calendar: Arc<Calendar>,
    references: Arc<References>,
}

impl Round {
    fn run(&mut self, woken: &Receiver<()>) {
        let poll = self.app.config.collect.poll.max(Duration::from_millis(100));
        while !self.stopping() {
            if let Err(refusal) = self.once() {
                tracing::warn!(
                    code = refusal.code.as_str(),
                    why = refusal.detail,
                    "what is due cannot be found out"
                );
            }
            if woken.recv_timeout(poll).is_ok() {
                return;
            }
        }
    }

    fn stopping(&self) -> bool {
        self.app
            .worker
            .stopping()
            .load(std::sync::atomic::Ordering::SeqCst)
    }

    fn registry(&self) -> &Registry {
        self.app.vault.vitals()
    }

    fn once(&mut self) -> Result<(), Refusal> {
        Calendar::turn(&self.calendar, &self.app);
        References::look(&self.references, &self.app);
        for task in self.registry().left_tasks()? {
            let load = task.load;
            if let Err(refusal) = self.take_up(task) {
                tracing::warn!(%load, code = refusal.code.as_str(), why = refusal.detail, "work on a load cannot be taken up");
            }
        }
        let failed = self.registry().fail_abandoned_plans()?;
        if failed > 0 {
            tracing::warn!(
                failed,
                "plans were given up whose making nobody goes on with"
            );
        }
        // Changes of a program from before there were trees, on the same database.
        let grown = self.registry().store().grow_trees(&|| !self.stopping());
        if let Err(error) = grown {
            tracing::warn!(%error, "the trees of the logs cannot grow just now");
        }
        let mut known = std::mem::take(&mut self.known);
        let sources = self.registry().every_source(&mut known);
        self.known = known;
        let sources = sources?;
        self.listen(&sources);
        for (source, state) in &sources {
            if self.stopping() {
                return Ok(());
            }
            if let Some(collect) = &state.collect {
                let due = is_due(collect, self.registry().now());
                // What is wrong with one source keeps no other from being collected.
                if let Err(refusal) = self.collect(source, state, due) {
                    tracing::warn!(owner = %source.owner, source = source.key, code = refusal.code.as_str(), why = refusal.detail, "a source cannot be collected");
                }
            }
        }
        self.prune();
        Ok(())
    }

    /// Goes on with work whose process has ended.
    fn take_up(&self, task: LeftTask) -> Result<(), Refusal> {
        let registry = self.registry();
        let path = kept(self.app.uploads.directory(), task.load);
        let lost = task.kind == LoadTaskKind::Plan && !path.exists();
        let silent = registry
            .now()
            .micros()
            .saturating_sub(task.held_until.micros());
        // The machine that has the file may come back.
        if lost && silent < ELSEWHERE || self.app.loading.waiting() >= LOADS_WAITING / 2 {
            return Ok(());
        }
        let worker = &self.app.worker;
        let taken = registry
            .store()
            .take_task(
                &task.owner,
                task.load,
                worker.id(),
                registry.now(),
                worker.until(registry),
            )
            .map_err(|error| {
                tracing::warn!(%error, "work on a load cannot be taken up");
                Refusal::internal()
            })?;
        if !taken {
            return Ok(());
        }
        let going = worker.going(registry, &task.owner, task.load);
        let why = if lost {
            Some(
                "The process that made the plan ended, and the file is not on this machine. Nothing was changed: send it again.",
            )
        } else if task.attempts >= ATTEMPTS {
            Some(
                "The work was begun several times, and each time the process ended before it was done. See what the log says of it.",
            )
        } else {
            None
        };
        if let Some(why) = why {
            let why = Refusal::new(Code::Internal, why);
            let request_id = &task.context.request_id;
            match task.kind {
                LoadTaskKind::Plan => {
                    registry.fail_plan(&task.owner, task.load, request_id, &why);
                    remove(&path);
                }
                LoadTaskKind::Apply => {
                    registry.note_apply_failure(&task.owner, task.load, request_id, &why)?;
                }
            }
            return Ok(());
        }
        tracing::info!(load = %task.load, work = task.kind.as_str(), "work on a load whose process has ended is taken up");
        let app = Arc::clone(&self.app);
        self.app.loading.begin(move || {
            let registry = app.vault.vitals();
            let left = match task.kind {
                LoadTaskKind::Plan => {
                    let left = plan_again(&app, registry, &task);
                    if !left {
                        remove(&path);
                    }
                    left
                }
                LoadTaskKind::Apply => {
                    !apply_noted(registry, &task.context, &task.owner, task.load, &app.worker)
                        .unwrap_or(true)
                }
            };
            if left {
                going.leave();
            }
        });
        Ok(())
    }

    /// Hands the collecting of a source to another thread, where there is something to do.
    fn collect(&self, source: &Source, state: &SourceState, due: bool) -> Result<(), Refusal> {
        let name = Silent {
            owner: source.owner.clone(),
            key: source.key.clone(),
        };
        let registry = self.registry();
        let context = collect::context(registry, &source.owner);
        let open = match &state.open_load {
            None => None,
            Some(open) if open.status == LoadStatus::Planning => return Ok(()),
            Some(open) => Some(registry.load(&context, &source.owner, open.id)?)
                .filter(|load| !gives_way(load)),
        };
        let is_due = match (&open, &source.settings.collect) {
            // A load that waits for somebody comes first.
            (Some(open), Some(collect)) => may_apply(open, collect, registry.now()),
            _ => due,
        };
        let full = self.app.collecting.waiting() >= LOADS_WAITING / 2;
        if !is_due || full || !self.busy.lock().insert(name.clone()) {
            return Ok(());
        }
        let (app, source) = (Arc::clone(&self.app), source.clone());
        let (stillness, busy) = (Arc::clone(&self.stillness), Arc::clone(&self.busy));
        let before = state
            .collect
            .as_ref()
            .and_then(|state| state.failure.clone());
        let pulls = state
            .collect
            .as_ref()
            .is_some_and(|state| state.next_at.is_some());
        let at = Busy {
            busy,
            name: name.clone(),
        };
        self.app.collecting.begin(move || {
            let _at = at;
            let collector = Collector {
                registry: app.vault.vitals(),
                collecting: &app.config.collect,
                directory: app.uploads.directory(),
                worker: &app.worker,
                stillness: &stillness,
                extent: Extent::Settings,
            };
            // Most of the time there is nothing in a folder: then nothing is written.
            let quiet = !pulls && open.is_none() && before.is_none();
            if quiet && matches!(collector.has_files(&source), Ok(false)) {
                return;
            }
            collect_once(&app, &collector, &context, &source, before.as_deref());
        });
        Ok(())
    }

    /// Notices which sources are silent, and says so once for each time that they should have been heard.
    fn listen(&mut self, sources: &[(Source, SourceState)]) {
        let now = self.registry().now();
        let mut silent = Vec::new();
        for (source, state) in sources {
            let Some(since) = state.silent_since else {
                continue;
            };
            let name = Silent {
                owner: source.owner.clone(),
                key: source.key.clone(),
            };
            let hours = source
                .settings
                .schedule
                .as_ref()
                .and_then(grunddata_registry::Schedule::silent_after_hours)
                .unwrap_or(24);
            let again = i64::from(hours).saturating_mul(HOUR);
            let said = self.warned.get(&name);
            if said.is_none_or(|said| now.micros().saturating_sub(said.micros()) >= again) {
                tracing::warn!(owner = %name.owner, source = name.key, %since, "a source is silent: nothing of it has been accepted for longer than its schedule allows");
                self.warned.insert(name.clone(), now);
            }
            silent.push(name);
        }
        self.warned.retain(|name, _| silent.contains(name));
        *self.app.silent.write() = silent;
    }

    /// Removes the rows of old loads once a day, and files that nobody will load.
    fn prune(&mut self) {
        let fresh = self
            .pruned
            .is_some_and(|pruned| pruned.elapsed() < PRUNED_EVERY);
        if fresh {
            return;
        }
        self.pruned = Some(Stopwatch::now());
        let app = Arc::clone(&self.app);
        self.app.loading.begin(move || old::remove(&app));
    }
}

/// Whether it is time to collect.
fn is_due(collect: &CollectState, now: Instant) -> bool {
    match collect.next_at {
        Some(next) => next <= now,
        None => {
            let failed = collect.tried_at.filter(|_| collect.failures > 0);
            failed.is_none_or(|tried| now.micros().saturating_sub(tried.micros()) >= FOLDER_AGAIN)
        }
    }
}

/// A source for as long as this process is at it.
struct Busy {
    busy: Arc<Mutex<HashSet<Silent>>>,
    name: Silent,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.busy.lock().remove(&self.name);
    }
}

/// Makes a plan anew. Whether it was left again, because this process stops.
fn plan_again(app: &App, registry: &Registry, task: &LeftTask) -> bool {
    let path = kept(app.uploads.directory(), task.load);
    let planned = loads::again(registry, &task.context, &task.owner, task.load, &path)
        .and_then(|planning| planning.run_until(&mut |_| {}, app.worker.stopping()));
    match planned {
        Ok(Run::Left) => true,
        Ok(Run::Done(_)) => false,
        Err(refusal) => {
            tracing::warn!(load = %task.load, code = refusal.code.as_str(), why = refusal.detail, "a plan cannot be made anew");
            registry.fail_plan(&task.owner, task.load, &task.context.request_id, &refusal);
            false
        }
    }
}

/// Collects what there is of a source, unless another process is at it, and notes what came of it.
fn collect_once(
    app: &App,
    collector: &Collector<'_>,
    context: &Context,
    source: &Source,
    before: Option<&str>,
) {
    let registry = collector.registry;
    let about = |file: &str| json!({"source": source.key, "file": file});
    let mut logged: Option<Value> = None;
    let mut begin = |file: &str| {
        let detail = about(file);
        let begun = with(&detail, "begun", json!(true));
        log(
            app,
            context,
            "collectSource",
            std::slice::from_ref(&source.owner),
            begun,
            None,
        )?;
        logged = Some(detail);
        Ok(())
    };
    let held = collect::held(registry, source, &app.worker, || {
        // Another process may have done it since it was found to be due.
        let due = registry.source_state(context, source).is_ok_and(|state| {
            state
                .collect
                .is_some_and(|collect| is_due(&collect, registry.now()))
        });
        let outcomes = collector.collect(context, source, due, &mut begin);
        let came = Came::of(&outcomes, due);
        (outcomes, came)
    });
    let outcomes = match held {
        Ok(None) => return,
        Ok(Some(outcomes)) => outcomes,
        Err(refusal) => Err(refusal.detail),
    };
    if let Some(detail) = logged {
        let refusal = outcomes
            .as_ref()
            .err()
            .map(|why| Refusal::new(Code::LoadState, why.clone()));
        let loads: Vec<String> = outcomes
            .iter()
            .flatten()
            .filter_map(|outcome| match outcome {
                Outcome::Load(load) => Some(load.id.to_string()),
                _ => None,
            })
            .collect();
        let detail = with(&detail, "loads", json!(loads));
        let owners = std::slice::from_ref(&source.owner);
        drop(log(
            app,
            context,
            "collectSource",
            owners,
            detail,
            refusal.as_ref(),
        ));
    }
    match outcomes {
        Ok(outcomes) => {
            for outcome in outcomes {
                if let Outcome::Load(load) = outcome {
                    tracing::info!(owner = %source.owner, source = source.key, load = %load.id, status = load.status.as_str(), rows = load.rows, "collected");
                }
            }
        }
        // The same every minute would say nothing new.
        Err(why) if before == Some(why.as_str()) => {}
        Err(why) => {
            tracing::warn!(owner = %source.owner, source = source.key, why, "a source cannot be collected");
        }
    }
}
