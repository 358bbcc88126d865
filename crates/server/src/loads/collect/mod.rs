//! Collecting the files of sources: from a watched folder, from an address, from an SS 12000 server. What is found goes the
//! way of a file that is sent: a plan, guards, approval; it is applied by itself only where the source's settings say so.
//!
//! Must never reach what whoever runs the program has not named ([`Reach`]): what an owner writes into a source chooses
//! among it.

mod folder;
mod pulled;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{
    Actor, Apply, Code, Collect, CollectKind, CollectPlace, Context, Grant, Load, LoadKind,
    LoadStatus, LoadTaskKind, OwnerScope, Refusal, Registry, Role, Source,
};
use uuid::Uuid;

use super::going::kept;
pub use super::going::{Heart, LEASE, Worker};
pub use super::uploads::make as make_directory;
use super::{Delivery, Run, Wanted};
pub use folder::Stillness;

/// The name under which the registry itself plans and applies.
const NAME: &str = "collect";
/// From where a plan says that it was collected that was only tried: it is never applied by itself, and gives way to the next.
const TRIAL: &str = "trial";
/// A plan whose application broke off is gone on with after so long, in microseconds.
const AGAIN: i64 = 5 * 60 * 1_000_000;

/// What may be collected, and with what. Said by whoever runs the program.
#[derive(Debug, Clone)]
pub struct Collecting {
    /// How often folders are looked at, and whether something is due.
    pub poll: Duration,
    /// What the sources of an owner may reach.
    pub reaches: Vec<Reach>,
    /// Tokens that servers are shown.
    pub tokens: Vec<NamedToken>,
    /// Whether `http://` to this machine itself is allowed: for a proxy beside the program.
    pub http_loopback: bool,
    /// Certificates (PEM) of authorities, in place of the usual ones.
    pub certificate_authorities: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
}

impl Default for Collecting {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(10),
            reaches: Vec::new(),
            tokens: Vec::new(),
            http_loopback: false,
            certificate_authorities: None,
            proxy: None,
        }
    }
}

/// What the sources of an owner may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The owner.
    pub owner: OwnerKey,
    /// Directories below which, or which, folders may be watched.
    pub folders: Vec<PathBuf>,
    /// Hosts that may be asked.
    pub hosts: Vec<String>,
}

/// A token, and whom it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedToken {
    /// Its name in settings of sources.
    pub name: String,
    /// Whose sources may use it.
    pub owner: OwnerKey,
    /// The host that it is for.
    pub host: String,
    /// Where it is.
    pub secret: Secret,
}

/// Where a token is. It is read each time it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// What came of one file.
#[derive(Debug)]
pub enum Outcome {
    /// A load: planned, stopped, applied or refused.
    Load(Box<Load>),
    /// It is as the last one that was applied: no load was made.
    Same {
        /// Its name.
        file: String,
    },
    /// It was not looked at: the load that was made before is still open.
    Waits(Box<Load>),
    /// It is not whole yet, or its marker is missing.
    Unfinished {
        /// Its name.
        file: String,
    },
    /// It was asked to stop.
    Stopped,
}

/// How far it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// As the settings say.
    Settings,
    /// Only to the plan; files stay where they are.
    Plan,
}

/// Collects the files of sources.
pub struct Collector<'a> {
    /// The registry.
    pub registry: &'a Registry,
    /// What may be reached.
    pub collecting: &'a Collecting,
    /// Where files lie until they are loaded.
    pub directory: &'a Path,
    /// The process.
    pub worker: &'a Worker,
    /// What is known of files that were seen before.
    pub stillness: &'a Stillness,
    /// How far it goes.
    pub extent: Extent,
}

/// A file that lies in the directory of files to be loaded. It is removed when this is dropped.
#[derive(Debug)]
struct Staged {
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!(%error, "a file that was collected cannot be removed");
            }
            _ => {}
        }
    }
}

impl Staged {
    /// A new file that nobody else may read.
    fn create(directory: &Path) -> io::Result<(Self, File)> {
        let path = directory.join(format!("{}.collect", Uuid::now_v7()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(&path)?;
        Ok((Self { path }, file))
    }

    /// The file from now on belongs to a load, whose plan may be taken up again from it.
    fn keep(&mut self, directory: &Path, load: Uuid) -> io::Result<()> {
        let path = kept(directory, load);
        fs::rename(&self.path, &path)?;
        self.path = path;
        Ok(())
    }

    /// Lets the file lie.
    fn leave(mut self) {
        self.path = PathBuf::new();
    }
}

/// In whose name the registry collects for a source: with all rights to the records of the owner, and to no others'.
#[must_use]
pub fn context(registry: &Registry, owner: &OwnerKey) -> Context {
    let mut actor = Actor::system(NAME);
    actor.feeds_copies = false;
    actor.grants = vec![Grant::of(
        OwnerScope::Owner(owner.clone()),
        Role::Administrator,
    )]
    .into();
    registry.context(actor, Uuid::now_v7().to_string())
}

impl Collector<'_> {
    /// Collects what there is of a source now: a pull only when it is `due`, otherwise only a plan that nobody has to look at
    /// is applied. `begin` is asked before a load is begun or applied, with the name of the file: nothing is done when it
    /// refuses. Blocks the thread.
    ///
    /// # Errors
    /// What is in the way, to be shown to whoever looks after the source: it holds no token and no address.
    pub fn collect(
        &self,
        context: &Context,
        source: &Source,
        due: bool,
        begin: &mut dyn FnMut(&str) -> Result<(), Refusal>,
    ) -> Result<Vec<Outcome>, String> {
        let Some(collect) = &source.settings.collect else {
            return Err(format!(
                "The source {} collects nothing: its settings have no collect.",
                source.key
            ));
        };
        if source.settings.retired {
            return Err(format!("The source {} is retired.", source.key));
        }
        let mut outcomes = Vec::new();
        let mut waits = None;
        if let Some(open) = self.open_load(context, source)? {
            if self.extent == Extent::Settings && may_apply(&open, collect, self.registry.now()) {
                begin(open.file.name.as_deref().unwrap_or_default()).map_err(said)?;
                let load = self.apply(context, &open)?;
                outcomes.push(Outcome::Load(Box::new(load)));
            } else if matches!(collect.place(), Some(CollectPlace::Folder(_))) {
                waits = Some(open);
            } else {
                return Ok(vec![Outcome::Waits(Box::new(open))]);
            }
        }
        match collect.place() {
            Some(CollectPlace::Folder(path)) => {
                self.folder(
                    context,
                    source,
                    collect,
                    Path::new(path),
                    begin,
                    &mut outcomes,
                )?;
            }
            Some(CollectPlace::Url(_) | CollectPlace::Ss12000(_)) => {
                // What has been applied just now was pulled just now.
                if outcomes.is_empty() && due {
                    outcomes.push(self.pull(context, source, collect, begin)?);
                }
            }
            None => return Err("The settings do not say where the files are.".to_owned()),
        }
        if let Some(open) = waits.filter(|_| outcomes.is_empty()) {
            outcomes.push(Outcome::Waits(Box::new(open)));
        }
        Ok(outcomes)
    }

    /// Whether there is something to do for a source whose files lie in a folder. Reads the folder alone.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub fn has_files(&self, source: &Source) -> Result<bool, String> {
        match source.settings.collect.as_ref() {
            Some(collect) => match collect.place() {
                Some(CollectPlace::Folder(path)) => self.any_file(source, collect, Path::new(path)),
                _ => Ok(false),
            },
            None => Ok(false),
        }
    }

    /// The load of the source that is still open.
    fn open_load(&self, context: &Context, source: &Source) -> Result<Option<Load>, String> {
        let open = self
            .latest(context, source)?
            .filter(|load| is_open(load.status) && !gives_way(load));
        Ok(open)
    }

    fn latest(&self, context: &Context, source: &Source) -> Result<Option<Load>, String> {
        let page = self
            .registry
            .loads(context, &source.owner, Some(&source.key), None, 1)
            .map_err(said)?;
        Ok(page.items.into_iter().next())
    }

    /// Makes the plan of a file.
    fn plan(
        &self,
        context: &Context,
        source: &Source,
        kind: LoadKind,
        mut delivery: Delivery,
        mut staged: Staged,
    ) -> Result<Option<Load>, String> {
        delivery.path.clone_from(&staged.path);
        if let Some(collected) = &mut delivery.collected
            && self.extent == Extent::Plan
        {
            collected.from = TRIAL;
        }
        let wanted = Wanted {
            owner: source.owner.clone(),
            source: source.key.clone(),
            kind,
            reference_date: None,
            replace: self
                .latest(context, source)?
                .is_some_and(|load| gives_way(&load)),
        };
        let mut planning = super::begin(self.registry, context, &wanted, delivery).map_err(said)?;
        let id = planning.id();
        // Another process may take it up from here.
        if staged.keep(self.directory, id).is_ok() {
            planning.moved(staged.path.clone());
        }
        let going = self
            .worker
            .take(
                self.registry,
                context,
                &source.owner,
                id,
                LoadTaskKind::Plan,
            )
            .map_err(said)?;
        match planning
            .run_until(&mut |_| {}, self.worker.stopping())
            .map_err(said)?
        {
            Run::Done(load) => Ok(Some(*load)),
            Run::Left => {
                going.leave();
                staged.leave();
                Ok(None)
            }
        }
    }

    /// Applies a plan, or goes on with it.
    fn apply(&self, context: &Context, load: &Load) -> Result<Load, String> {
        let going = self
            .worker
            .take(
                self.registry,
                context,
                &load.owner,
                load.id,
                LoadTaskKind::Apply,
            )
            .map_err(said)?;
        let progress = apply_noted(self.registry, context, &load.owner, load.id, self.worker)?;
        if !progress {
            going.leave();
        }
        self.registry
            .load(context, &load.owner, load.id)
            .map_err(said)
    }

    /// Makes the plan of a file, and applies it where the settings say so.
    fn load(
        &self,
        context: &Context,
        source: &Source,
        collect: &Collect,
        kind: LoadKind,
        delivery: Delivery,
        staged: Staged,
    ) -> Result<Option<Load>, String> {
        let Some(load) = self.plan(context, source, kind, delivery, staged)? else {
            return Ok(None);
        };
        if self.extent == Extent::Settings && may_apply(&load, collect, self.registry.now()) {
            return self.apply(context, &load).map(Some);
        }
        Ok(Some(load))
    }
}

/// Applies a load to its end and says of it what goes wrong. Whether it came to an end: not when it was asked to stop.
pub(crate) fn apply_noted(
    registry: &Registry,
    context: &Context,
    owner: &OwnerKey,
    id: Uuid,
    worker: &Worker,
) -> Result<bool, String> {
    let applied = super::apply_until(registry, context, owner, id, &mut |_| {}, worker.stopping());
    match applied {
        Ok(progress) => Ok(progress.finished || progress.status != LoadStatus::Applying),
        Err(refusal) => {
            note_failure(registry, context, owner, id, &refusal);
            Err(said(refusal))
        }
    }
}

/// Says of a load why it is not applied further.
pub(crate) fn note_failure(
    registry: &Registry,
    context: &Context,
    owner: &OwnerKey,
    id: Uuid,
    refusal: &Refusal,
) {
    tracing::warn!(load = %id, code = refusal.code.as_str(), why = refusal.detail, "a load is not applied further");
    // Somebody else may be at it: then it is theirs to say.
    if refusal.code == Code::LoadState {
        return;
    }
    if let Err(error) = registry.note_apply_failure(owner, id, &context.request_id, refusal) {
        tracing::error!(load = %id, why = error.detail, "why a load is not applied further cannot be noted");
    }
}

/// Whether a plan is applied without anybody asking for it. A plan without rows decides nothing.
pub(crate) fn may_apply(load: &Load, collect: &Collect, now: Instant) -> bool {
    let wanted = collect.apply == Apply::UnlessStopped || load.rows == 0;
    let approved = !load.needs_approval || load.approved.is_some();
    let from = load.file.collected.as_deref();
    let ours = from.is_some_and(|from| from != TRIAL) && load.guards.is_empty();
    let ready = match load.status {
        LoadStatus::Planned => true,
        LoadStatus::Applying => load
            .failed
            .as_ref()
            .is_some_and(|failed| now.micros().saturating_sub(failed.at.micros()) >= AGAIN),
        _ => false,
    };
    wanted && approved && ours && ready
}

/// Whether it is a plan that was only tried.
pub(crate) fn gives_way(load: &Load) -> bool {
    load.file.collected.as_deref() == Some(TRIAL)
        && matches!(load.status, LoadStatus::Planned | LoadStatus::Stopped)
}

fn is_open(status: LoadStatus) -> bool {
    matches!(
        status,
        LoadStatus::Planning | LoadStatus::Planned | LoadStatus::Stopped | LoadStatus::Applying
    )
}

fn kind_of(collect: &Collect) -> LoadKind {
    match collect.kind {
        CollectKind::Full => LoadKind::Full,
        CollectKind::Delta => LoadKind::Delta,
    }
}

/// Whether nothing of a load is left over: every row of it was taken.
fn is_clean(load: &Load) -> bool {
    let counts = &load.counts;
    counts.rejected + counts.conflict + counts.set_aside == 0
}

/// What a refusal says.
fn said(refusal: Refusal) -> String {
    let mut text = refusal.detail;
    for fault in refusal.errors.iter().take(3) {
        text.push(' ');
        text.push_str(&fault.message);
    }
    text
}

/// What is noted of a source after it was looked for something; by default nothing.
#[derive(Debug, Default)]
pub struct Came {
    tried: bool,
    same: bool,
    failure: Option<String>,
}

impl Came {
    /// From what came; `tried` says whether it was looked for something new.
    #[must_use]
    pub fn of(outcomes: &Result<Vec<Outcome>, String>, tried: bool) -> Self {
        let same = outcomes
            .iter()
            .flatten()
            .any(|outcome| matches!(outcome, Outcome::Same { .. }));
        Self {
            tried,
            same,
            failure: outcomes.as_ref().err().cloned(),
        }
    }
}

/// Takes the collecting of a source for this process while something is done. `None` when another one has it.
///
/// # Errors
/// Those of the store.
pub fn held<T>(
    registry: &Registry,
    source: &Source,
    worker: &Worker,
    work: impl FnOnce() -> (T, Came),
) -> Result<Option<T>, Refusal> {
    if !registry.take_collecting(source, worker.id(), worker.until(registry))? {
        return Ok(None);
    }
    // A mistake of ours must not keep the source for ever.
    let done = catch_unwind(AssertUnwindSafe(work));
    let (done, came) = match done {
        Ok((done, came)) => (Ok(Some(done)), came),
        Err(_) => {
            let why = Refusal::internal();
            let failure = Some(why.detail.clone());
            let came = Came {
                tried: true,
                same: false,
                failure,
            };
            (Err(why), came)
        }
    };
    registry.leave_collecting(source, worker.id(), came.tried, came.same, came.failure)?;
    done
}
