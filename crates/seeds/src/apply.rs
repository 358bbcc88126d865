//! Writing the seeds: every transaction goes through the ordinary write pipeline, under a clock that says what the
//! seeds say.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use grunddata_model::{Instant, KeyError, OwnerKey, RecordId};
use grunddata_registry::{
    Actor, Amend, ChangeKind, Command, Content, Context, Create, End, Envelope, From, IfMatch,
    NewOwner, Note, Operation, Origin, Patch, PreparedBatch, Refusal, Registry, Subject,
};
use grunddata_store::Clock;

use crate::{OWNERS, SeedAction, SeedError, SeedOperation, SeedTransaction, Seeds};

/// Batches that are prepared ahead of the one that is being committed.
const AHEAD: usize = 2;

/// The clock that is given to the store while seeds are written: it stands at the instant of the transaction.
#[derive(Debug, Clone, Default)]
pub struct SeedClock(Arc<AtomicI64>);

impl SeedClock {
    /// A clock that stands at the beginning of time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The clock as the store and the registry take it.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let micros = Arc::clone(&self.0);
        Arc::new(move || Instant::from_micros(micros.load(Ordering::SeqCst)))
    }

    fn set(&self, instant: Instant) {
        self.0.store(instant.micros(), Ordering::SeqCst);
    }
}

/// Why seeds could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The built-in files are malformed.
    #[error(transparent)]
    Seeds(#[from] SeedError),
    /// A transaction was refused.
    #[error("the seed transaction \"{reason}\" was refused: {detail}")]
    Refused {
        /// What the transaction was about.
        reason: String,
        /// What the registry said, with the first errors.
        detail: String,
    },
    /// The key of an owner of the seeds is no owner key.
    #[error(transparent)]
    Owner(#[from] KeyError),
    /// The thread that prepares the transactions ended early.
    #[error("the preparation of the seed transactions stopped")]
    Stopped,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Transactions that were written.
    pub transactions: usize,
    /// Operations in them.
    pub operations: usize,
    /// Operations that an earlier, interrupted run had written.
    pub present: usize,
}

/// How far the seeds are in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// There is none of it.
    Absent,
    /// An earlier run was interrupted: [`apply`] goes on where it stopped.
    Started,
    /// All of it is there.
    Complete,
}

/// Tells how far the seeds are, from the owners' logs alone.
///
/// # Errors
/// [`ApplyError::Refused`] if the registry cannot be read.
pub fn progress(registry: &Registry) -> Result<Progress, ApplyError> {
    let logs = logs(registry)?;
    let reached = OWNERS
        .iter()
        .filter(|owner| logs.contains_key(owner.key))
        .count();
    let complete = OWNERS.iter().all(|owner| {
        logs.get(owner.key)
            .is_some_and(|instant| *instant >= owner.last_recorded())
    });
    Ok(match (complete, reached) {
        (true, _) => Progress::Complete,
        (false, 0) => Progress::Absent,
        (false, _) => Progress::Started,
    })
}

/// The last recorded instant of each owner that has one.
fn logs(registry: &Registry) -> Result<HashMap<String, Instant>, ApplyError> {
    let owners = registry
        .store()
        .owners()
        .map_err(|error| refused("owners", &error))?;
    Ok(owners
        .into_iter()
        .filter(|owner| owner.position > 0)
        .map(|owner| (owner.key.as_str().to_owned(), owner.last_instant))
        .collect())
}

/// Writes the seeds, or the rest of them when an earlier run was interrupted. `clock` must be the clock of the
/// registry's store. `done` is told after every transaction how many operations are there.
///
/// # Errors
/// [`ApplyError`]; what was written before stays, and the next call goes on from there.
pub fn apply(
    seeds: &Seeds,
    registry: &Registry,
    clock: &SeedClock,
    done: &mut dyn FnMut(usize),
) -> Result<Applied, ApplyError> {
    write(seeds.transactions()?, registry, clock, done)
}

/// Prepares the transactions on a thread of its own, and commits them one by one.
fn write(
    transactions: impl Iterator<Item = SeedTransaction> + Send,
    registry: &Registry,
    clock: &SeedClock,
    done: &mut dyn FnMut(usize),
) -> Result<Applied, ApplyError> {
    let mut logs = logs(registry)?;
    let (sender, prepared) = mpsc::sync_channel::<Result<Ready, ApplyError>>(AHEAD);
    let mut applied = Applied::default();
    std::thread::scope(|scope| {
        let reader = registry.clone();
        let present = logs.clone();
        scope.spawn(move || {
            for transaction in transactions {
                let ready = match present.get(transaction.owner) {
                    Some(last) if transaction.recorded_at <= *last => {
                        Ok(Ready::there(&transaction))
                    }
                    _ => prepare(&reader, transaction),
                };
                if sender.send(ready).is_err() {
                    break;
                }
            }
        });
        for ready in prepared {
            let ready = ready?;
            if !logs.contains_key(ready.owner) {
                // An owner is older than its first transaction: no two things happen at one instant.
                clock.set(Instant::from_micros(
                    ready.recorded_at.micros() - 60_000_000,
                ));
                add_owner(registry, ready.owner)?;
                logs.insert(ready.owner.to_owned(), ready.recorded_at);
            }
            clock.set(ready.recorded_at);
            match ready.batch {
                Some(batch) => {
                    registry
                        .apply_batch(batch)
                        .map_err(|refusal| refuse(&ready.reason, &refusal))?;
                    applied.transactions += 1;
                    applied.operations += ready.operations;
                }
                None => applied.present += ready.operations,
            }
            done(applied.operations + applied.present);
        }
        Ok(applied)
    })
}

/// A transaction that waits to be committed.
struct Ready {
    owner: &'static str,
    recorded_at: Instant,
    reason: String,
    operations: usize,
    /// `None` when it is there already.
    batch: Option<PreparedBatch>,
}

impl Ready {
    fn there(transaction: &SeedTransaction) -> Self {
        Self {
            owner: transaction.owner,
            recorded_at: transaction.recorded_at,
            reason: transaction.reason.clone(),
            operations: transaction.operations.len(),
            batch: None,
        }
    }
}

fn add_owner(registry: &Registry, key: &str) -> Result<(), ApplyError> {
    let Some(seed) = OWNERS.iter().find(|owner| owner.key == key) else {
        return Ok(());
    };
    let context = registry.context(Actor::system("seed"), "seed");
    let owner = NewOwner {
        key: OwnerKey::new(key)?,
        name: seed.name.to_owned(),
        organisation: None,
        open_data: true,
        protection: None,
    };
    registry
        .put_owner(&context, owner)
        .map(drop)
        .map_err(|refusal| refuse(key, &refusal))
}

/// Validates a transaction; may run while an earlier one is being committed.
fn prepare(registry: &Registry, transaction: SeedTransaction) -> Result<Ready, ApplyError> {
    let mut ready = Ready::there(&transaction);
    let owner = OwnerKey::new(transaction.owner)?;
    let context = Context::new(
        Actor::system(transaction.actor),
        transaction.recorded_at,
        "seed",
    );
    let (reason, source) = (transaction.reason, transaction.source);
    let commands = transaction
        .operations
        .into_iter()
        .map(|operation| command(operation, &owner, &reason, source))
        .collect();
    let batch = registry
        .prepare_batch(&context, &owner, commands)
        .map_err(|refusal| refuse(&reason, &refusal))?;
    ready.batch = Some(batch);
    Ok(ready)
}

fn command(operation: SeedOperation, owner: &OwnerKey, reason: &str, source: &str) -> Command {
    let id = RecordId(operation.id);
    let subject = Subject::Id(id);
    let mut note = Note {
        reason: Some(reason.to_owned()),
        source: Some(source.to_owned()),
        ..Note::default()
    };
    let (what, existing) = match operation.action {
        SeedAction::Create {
            controller,
            origin,
            data,
            valid_from,
            valid_to,
        } => {
            let create = Create {
                id: Some(id),
                temporary_id: None,
                envelope: Envelope {
                    owner: Some(owner.clone()),
                    controller: controller.map(RecordId),
                    origin: origin.map_or(Origin::Own, |origin| Origin::Copy {
                        of: origin.name.to_owned(),
                        copied: Some(origin.copied),
                        received_at: None,
                    }),
                },
                content: Content { data, model: None },
                valid_from: Some(valid_from),
                valid_to: Some(valid_to),
                matching: None,
            };
            (Operation::Create(create), false)
        }
        SeedAction::Amend {
            patch,
            valid_from,
            valid_to,
            correction,
        } => {
            if correction {
                note.change_kind = ChangeKind::Correction;
                // The seeds correct what was wrong from the first.
                note.corrects = Some(1);
            }
            let amend = Amend {
                subject,
                patch: Patch::Merge(patch),
                valid_from: Some(valid_from.map_or(From::Start, |date| {
                    From::At(grunddata_model::ValidFrom::Date(date))
                })),
                valid_to: Some(valid_to),
            };
            (Operation::Amend(amend), true)
        }
        SeedAction::End { valid_from } => {
            let end = End {
                subject,
                valid_from: Some(From::At(grunddata_model::ValidFrom::Date(valid_from))),
                valid_to: None,
            };
            (Operation::End(end), true)
        }
    };
    let command = Command::new(operation.domain, what).note(note);
    if existing {
        command.if_match(IfMatch::Any)
    } else {
        command
    }
}

fn refuse(reason: &str, refusal: &Refusal) -> ApplyError {
    let errors: Vec<String> = refusal
        .errors
        .iter()
        .take(5)
        .map(|error| format!("{} at {}: {}", error.code, error.pointer, error.message))
        .collect();
    ApplyError::Refused {
        reason: reason.to_owned(),
        detail: format!("{} {}", refusal.detail, errors.join("; ")),
    }
}

fn refused(reason: &str, error: &dyn std::fmt::Display) -> ApplyError {
    ApplyError::Refused {
        reason: reason.to_owned(),
        detail: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use grunddata_information_model::InformationModel;
    use grunddata_registry::Limits;
    use grunddata_store::{Store, StoreOptions};
    use grunddata_testing::{Database, Engine, on_both};

    use super::*;

    /// A database with its tables, and the clock of its seeds.
    struct Empty {
        registry: Registry,
        clock: SeedClock,
        _database: Database,
    }

    static MODEL: LazyLock<InformationModel> =
        LazyLock::new(|| InformationModel::embedded().unwrap());

    fn empty(engine: Engine) -> Empty {
        let database = Database::new(engine);
        let clock = SeedClock::new();
        let store = Store::open(
            StoreOptions {
                clock_jump_limit: None,
                ..StoreOptions::new(&database.url, clock.clock())
            },
            MODEL.clone(),
        )
        .unwrap();
        store.migrate().unwrap();
        let registry = Registry::new(store, MODEL.clone(), clock.clock(), Limits::default());
        Empty {
            registry,
            clock,
            _database: database,
        }
    }

    /// The areas of Sweden and the places and units of the municipality: what refers to one another, both owners.
    fn some() -> Vec<SeedTransaction> {
        let wanted = [
            "Län och kommuner",
            "Kommunens platser",
            "Kommunens organisation",
        ];
        Seeds::load()
            .unwrap()
            .transactions()
            .unwrap()
            .filter(|transaction| {
                wanted
                    .iter()
                    .any(|reason| transaction.reason.starts_with(reason))
            })
            .take(3)
            .collect()
    }

    on_both! {
        using empty;
        fn an_interrupted_run_is_gone_on_with_and_a_whole_one_changes_nothing_when_repeated(empty: Empty) {
            let Empty { registry, clock, .. } = &empty;
            let all = some();
            let operations: usize = all.iter().map(|transaction| transaction.operations.len()).sum();
            assert_eq!(progress(registry).unwrap(), Progress::Absent);
            let first = write(all.clone().into_iter().take(1), registry, clock, &mut |_| {}).unwrap();
            assert_eq!((first.transactions, first.present), (1, 0));
            assert_eq!(progress(registry).unwrap(), Progress::Started);

            let mut told = 0;
            let rest = write(all.clone().into_iter(), registry, clock, &mut |done| told = done).unwrap();
            assert_eq!(rest.transactions, 2);
            assert_eq!(rest.present, first.operations);
            assert_eq!((rest.operations + rest.present, told), (operations, operations));

            let again = write(all.clone().into_iter(), registry, clock, &mut |_| {}).unwrap();
            assert_eq!((again.transactions, again.present), (0, operations));
            let findings = registry.store().verify(&mut |_| {}).unwrap();
            assert!(findings.is_empty(), "{findings:?}");

            // The clock said exactly what the seeds say.
            let recorded = logs(registry).unwrap();
            for owner in OWNERS {
                let last = all.iter().rfind(|transaction| transaction.owner == owner.key).unwrap();
                assert_eq!(recorded[owner.key], last.recorded_at);
            }
        }
    }
}
