//! Drives loads: a file on disk becomes drafts (`grunddata-exchange`), drafts become what a source says, and what a source
//! says becomes a plan that is applied batch by batch (`grunddata-registry`). REST and the command line both go this way.
//!
//! Must never decide what a row comes to, nor who may load: that is the registry's. Must never hold a file in memory.

pub mod collect;
pub(crate) mod going;
mod mapping;
mod said;
pub mod table;
pub(crate) mod uploads;

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;
use grunddata_exchange::{Completeness, Converted, Limits, Outcome, Problem, native};
use grunddata_model::{Instant, OwnerKey};
use grunddata_registry::{
    Code, Context, FileFacts, Load, LoadKind, LoadPace, LoadPlanner, LoadProgress, LoadStatus,
    NewLoad, Refusal, Registry, RowProblem,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use mapping::{Mapped, check, read};

/// The most notes that are kept of one file.
const MOST_NOTES: usize = 100;
/// A file is read in pieces of so many bytes.
const PIECE: usize = 256 << 10;

/// A file that is to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it lies.
    pub path: PathBuf,
    /// What its sender calls it: stands in every message, and its ending decides between formats that look alike.
    pub name: String,
    /// The day on which it was made, where that is known.
    pub date: Option<NaiveDate>,
    /// Its SHA-256 in hexadecimal digits, where somebody has reckoned it already.
    pub sha256: Option<String>,
    /// Where the registry itself has collected it; `None` where it was sent.
    pub collected: Option<Collected>,
}

/// What is known of a file that the registry itself has collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// From where: `folder`, `url` or `ss12000`.
    pub from: &'static str,
    /// From when the next collecting is to ask for changes, once this file is applied.
    pub changes_after: Option<Instant>,
    /// What the server of the file calls this state of it.
    pub validators: grunddata_pull::Validators,
}

/// What is to be loaded, and as what.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Whose records.
    pub owner: OwnerKey,
    /// The key of the source.
    pub source: String,
    /// Full or delta.
    pub kind: LoadKind,
    /// The day from which what the file says without a date holds; otherwise as the source's settings say.
    pub reference_date: Option<NaiveDate>,
    /// Whether a plan of the source that has not been begun on is given up for this one.
    pub replace: bool,
}

/// A load whose plan is being made.
pub struct Planning {
    planner: LoadPlanner,
    mapping: Option<Mapped>,
    context: Rules,
    delivery: Delivery,
    kind: LoadKind,
    facts: FileFacts,
}

/// What a source's settings say of how its files are read.
struct Rules {
    owner: OwnerKey,
    source: String,
    tolerate_check_digits: bool,
}

impl std::fmt::Debug for Planning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planning")
            .field("load", &self.planner.id())
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

/// Begins a load: reads the source and its mapping, and takes the source's place, so that no other load of it is begun.
///
/// # Errors
/// Those of [`Registry::plan_load`]; [`Code::InvalidSettings`] when the mapping of the source cannot be read;
/// [`Code::Internal`] when the file cannot be.
pub fn begin(
    registry: &Registry,
    context: &Context,
    wanted: &Wanted,
    delivery: Delivery,
) -> Result<Planning, Refusal> {
    let source = registry.source(context, &wanted.owner, &wanted.source)?;
    let mapping = mapping::read(source.settings.mapping.as_deref())?;
    let (size, sha256) = measured(&delivery)?;
    let collected = delivery.collected.as_ref();
    let validators = collected.map(|collected| collected.validators.clone());
    let validators = validators.unwrap_or_default();
    let facts = FileFacts {
        name: Some(delivery.name.clone()),
        size: Some(size),
        sha256: Some(sha256),
        date: delivery.date,
        collected: collected.map(|collected| collected.from.to_owned()),
        changes_after: collected.and_then(|collected| collected.changes_after),
        etag: validators.etag,
        last_modified: validators.last_modified,
        ..FileFacts::default()
    };
    let planner = registry.plan_load(
        context,
        NewLoad {
            owner: wanted.owner.clone(),
            source: wanted.source.clone(),
            kind: wanted.kind,
            file: facts.clone(),
            reference_date: wanted.reference_date,
            replace: wanted.replace,
        },
    )?;
    Ok(Planning {
        planner,
        mapping,
        context: Rules {
            owner: wanted.owner.clone(),
            source: wanted.source.clone(),
            tolerate_check_digits: said::tolerates_check_digits(&source.settings),
        },
        delivery,
        kind: wanted.kind,
        facts,
    })
}

/// Begins a plan anew whose making was broken off, from the file that was kept.
///
/// # Errors
/// Those of [`Registry::plan_again`]; [`Code::InvalidSettings`] when the mapping of the source cannot be read.
pub fn again(
    registry: &Registry,
    context: &Context,
    owner: &OwnerKey,
    id: Uuid,
    path: &Path,
) -> Result<Planning, Refusal> {
    let load = registry.load(context, owner, id)?;
    let source = registry
        .source_history(context, owner, &load.source)?
        .into_iter()
        .find(|source| source.version == load.source_version)
        .ok_or_else(Refusal::internal)?;
    let mapping = mapping::read(source.settings.mapping.as_deref())?;
    let planner = registry.plan_again(context, owner, id)?;
    Ok(Planning {
        planner,
        mapping,
        context: Rules {
            owner: owner.clone(),
            source: source.key,
            tolerate_check_digits: said::tolerates_check_digits(&source.settings),
        },
        delivery: Delivery {
            path: path.to_owned(),
            name: load.file.name.clone().unwrap_or_else(|| "file".to_owned()),
            date: load.file.date,
            sha256: load.file.sha256.clone(),
            collected: None,
        },
        kind: load.kind,
        facts: load.file,
    })
}

/// How the making of a plan ended.
#[derive(Debug)]
pub enum Run {
    /// With a load: planned, stopped by a guard, or its file refused.
    Done(Box<Load>),
    /// It was asked to stop, and left the load to be taken up again.
    Left,
}

impl Planning {
    /// Where the file lies now.
    pub(crate) fn moved(&mut self, path: PathBuf) {
        self.delivery.path = path;
    }

    /// The id of the load.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.planner.id()
    }

    /// Reads the file to its end and makes the plan. `tell` is told now and then how much has been said. A file that cannot
    /// be read to its end gives a load that is refused, with why. Blocks the thread.
    ///
    /// # Errors
    /// Those of the planner: the load was cancelled meanwhile, or the database cannot be reached.
    pub fn run(self, tell: &mut dyn FnMut(u64)) -> Result<Load, Refusal> {
        match self.run_until(tell, &AtomicBool::new(false))? {
            Run::Done(load) => Ok(*load),
            Run::Left => Err(Refusal::internal()),
        }
    }

    /// The same, unless it is asked to stop meanwhile. What goes wrong is said of the load as well, which has failed then.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_until(self, tell: &mut dyn FnMut(u64), stop: &AtomicBool) -> Result<Run, Refusal> {
        let registry = self.planner.registry().clone();
        let (owner, id) = (self.context.owner.clone(), self.planner.id());
        let request_id = self.planner.request_id().to_owned();
        let done = self.read(tell, stop);
        if let Err(refusal) = &done {
            registry.fail_plan(&owner, id, &request_id, refusal);
        }
        done
    }

    fn read(mut self, tell: &mut dyn FnMut(u64), stop: &AtomicBool) -> Result<Run, Refusal> {
        let file = File::open(&self.delivery.path).map_err(|error| unreadable(&error))?;
        let mut failed: Option<Refusal> = None;
        let mut notes: Vec<RowProblem> = Vec::new();
        let planner = &mut self.planner;
        let reference = planner.reference_date();
        let mut left = false;
        let mut sink = |converted: Converted| -> ControlFlow<()> {
            if stop.load(Ordering::Relaxed) {
                left = true;
                return ControlFlow::Break(());
            }
            let taken = take(planner, converted, &mut notes);
            let said = planner.said();
            if said.is_multiple_of(1_000) {
                tell(said);
            }
            match taken {
                Ok(()) => ControlFlow::Continue(()),
                Err(refusal) => {
                    failed = Some(refusal);
                    ControlFlow::Break(())
                }
            }
        };
        let input = BufReader::with_capacity(PIECE, file);
        let (name, limits) = (self.delivery.name.as_str(), Limits::default());
        let read = match &self.mapping {
            Some(mapping) => grunddata_exchange::convert(
                input,
                name,
                mapping.mapping(),
                &grunddata_exchange::mapping::Context {
                    source: self.context.source.clone(),
                    reference_date: Some(reference),
                    tolerate_check_digits: self.context.tolerate_check_digits,
                },
                &limits,
                &mut sink,
            ),
            None => native::convert(
                input,
                name,
                &native::Context {
                    source: self.context.source.clone(),
                    owner: self.context.owner.to_string(),
                },
                &limits,
                &mut sink,
            ),
        };
        if left {
            self.planner.leave();
            return Ok(Run::Left);
        }
        if let Some(refusal) = failed {
            return Err(refusal);
        }
        self.facts.notes = notes;
        match read.and_then(|outcome| whole(outcome, self.kind, name)) {
            Ok(outcome) => {
                self.facts.rows = Some(outcome.summary.rows);
                self.facts.columns = outcome.columns;
                self.planner.finish(self.facts)
            }
            Err(problems) => {
                let problems = problems.into_iter().map(said::problem).collect();
                self.planner.refuse(problems, self.facts)
            }
        }
        .map(|load| Run::Done(Box::new(load)))
    }
}

/// A delta that is loaded as everything there is would end all that has not changed.
fn whole(outcome: Outcome, kind: LoadKind, file: &str) -> Result<Outcome, Vec<Problem>> {
    if kind != LoadKind::Full || outcome.completeness != Some(Completeness::Delta) {
        return Ok(outcome);
    }
    Err(vec![Problem::new(
        "delta-delivery",
        grunddata_exchange::Place::of_file(file),
        "The delivery says of itself that it holds changes and not everything. Load it as delta.",
        "Leveransen anger själv att den innehåller ändringar och inte allt. Läs in den som delta.",
    )])
}

/// Hands on what was made of a row.
fn take(
    planner: &mut LoadPlanner,
    converted: Converted,
    notes: &mut Vec<RowProblem>,
) -> Result<(), Refusal> {
    let mut note = |problem: Problem| {
        if notes.len() < MOST_NOTES {
            notes.push(said::problem(problem));
        }
    };
    match converted {
        Converted::Note(problem) => note(problem),
        Converted::Refused(problem) => {
            let row = problem.place.row.unwrap_or_default();
            planner.reject(row, vec![said::problem(problem)])?;
        }
        Converted::Row(row) => {
            row.notes.into_iter().for_each(&mut note);
            match row.outcome {
                Ok(drafts) => {
                    for draft in drafts {
                        planner.push(said::assertion(draft, row.row))?;
                    }
                    for complete in row.complete {
                        planner.complete(&complete.record, complete.start);
                    }
                }
                Err(rejected) => {
                    let problems = rejected.problems.into_iter().map(said::problem).collect();
                    match rejected.about {
                        Some(about) => {
                            let about: Vec<_> = about.into_iter().map(said::named).collect();
                            planner.reject_named(row.row, &about, problems)?;
                        }
                        None => planner.reject(row.row, problems)?,
                    }
                }
            }
        }
    }
    Ok(())
}

/// Applies a load to its end, or until a batch stops it. Each batch is durable when it is told of; whoever is killed goes on
/// after the last one. Blocks the thread.
///
/// # Errors
/// Those of [`Registry::apply_load`].
pub fn apply(
    registry: &Registry,
    context: &Context,
    owner: &OwnerKey,
    id: Uuid,
    tell: &mut dyn FnMut(&LoadProgress),
) -> Result<LoadProgress, Refusal> {
    apply_until(registry, context, owner, id, tell, &AtomicBool::new(false))
}

/// The same, until it is asked to stop: then the load is left where it is, to be gone on with.
///
/// # Errors
/// Those of [`Registry::apply_load`].
pub fn apply_until(
    registry: &Registry,
    context: &Context,
    owner: &OwnerKey,
    id: Uuid,
    tell: &mut dyn FnMut(&LoadProgress),
    stop: &AtomicBool,
) -> Result<LoadProgress, Refusal> {
    let mut pace = LoadPace::default();
    loop {
        let progress = registry.apply_load(&now(registry, context), owner, id, &mut pace)?;
        tell(&progress);
        let stopping = stop.load(Ordering::Relaxed);
        if progress.finished || progress.status != LoadStatus::Applying || stopping {
            return Ok(progress);
        }
    }
}

/// The same caller at this moment: a load may take longer than a day is left.
fn now(registry: &Registry, context: &Context) -> Context {
    let mut present = Context::new(
        context.actor.clone(),
        registry.now(),
        context.request_id.clone(),
    );
    present.on_behalf_of.clone_from(&context.on_behalf_of);
    present.purpose.clone_from(&context.purpose);
    present
}

/// Size and SHA-256.
fn measured(delivery: &Delivery) -> Result<(u64, String), Refusal> {
    let size = std::fs::metadata(&delivery.path)
        .map_err(|error| unreadable(&error))?
        .len();
    let sha256 = match &delivery.sha256 {
        Some(sha256) => sha256.clone(),
        None => sha256(&delivery.path)?,
    };
    Ok((size, sha256))
}

/// The SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// [`Code::Internal`] when the file cannot be read.
pub fn sha256(path: &Path) -> Result<String, Refusal> {
    let mut file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; PIECE];
    loop {
        let read = file.read(&mut buffer).map_err(|error| unreadable(&error))?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(error: &std::io::Error) -> Refusal {
    tracing::error!(%error, "a file that was to be loaded cannot be read");
    Refusal::new(
        Code::Internal,
        "The file cannot be read where it was put. Send it again.",
    )
}

/// The name of a file without its folders.
#[must_use]
pub fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(
        || "file".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// A mapping that may be used by several loads.
pub(crate) type SharedMapping = Arc<grunddata_exchange::mapping::Mapping>;
