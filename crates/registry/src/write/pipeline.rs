//! From a request to the combiner and back: for whom, may they, read and validate, submit.

use std::collections::BTreeMap;
use std::sync::Arc;

use grunddata_model::{OwnerKey, RecordId, TransactionId};
use grunddata_store::Lookup;
use sha2::{Digest as _, Sha256};

use super::apply::{Job, JobContext};
use super::outcome::{TransactionWritten, Written};
use super::prepare::{Prepared, Target, check_name, prepare};
use super::request::{Command, Idempotency, Operation, Subject, Transaction};
use crate::access::Rights;
use crate::registry::{refuse_store, refuse_write};
use crate::{Action, Code, Context, Refusal, Registry};

/// Commands that have been authorised, read and validated, ready to be applied.
pub struct PreparedBatch {
    pub(super) job: Job,
}

/// Below this many commands a second thread costs more than it gives.
const PARALLEL_FROM: usize = 512;
/// Faults of a list of commands are no longer collected when there are more.
const MOST_FAULTS: usize = 100;

impl Registry {
    /// One write. Returns when it is durable.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was stored.
    pub async fn write(
        &self,
        context: &Context,
        command: Command,
        idempotency: Option<Idempotency>,
    ) -> Result<Written, Refusal> {
        let job = self.job(context, None, vec![command], idempotency, false)?;
        let mut written = self.submit(job).await?;
        written.items.pop().ok_or_else(Refusal::internal)
    }

    /// A list of writes that succeed or fail as one. Returns when it is durable.
    ///
    /// # Errors
    /// [`Refusal`] with the errors of all operations; nothing was stored.
    pub async fn transact(
        &self,
        context: &Context,
        transaction: Transaction,
        idempotency: Option<Idempotency>,
    ) -> Result<TransactionWritten, Refusal> {
        let batch = self.prepare_transaction(context, transaction, idempotency)?;
        self.submit_batch(batch).await
    }

    /// The first half of [`transact`](Self::transact): authorises, reads and validates. It takes long for a long list and
    /// blocks; it may run on any thread.
    ///
    /// # Errors
    /// [`Refusal`] with the errors of all operations.
    pub fn prepare_transaction(
        &self,
        context: &Context,
        transaction: Transaction,
        idempotency: Option<Idempotency>,
    ) -> Result<PreparedBatch, Refusal> {
        let Transaction { owner, commands } = transaction;
        let job = self.job(context, owner, commands, idempotency, true)?;
        Ok(PreparedBatch { job })
    }

    /// The second half of [`transact`](Self::transact). Returns when everything is durable.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was stored.
    pub async fn submit_batch(&self, batch: PreparedBatch) -> Result<TransactionWritten, Refusal> {
        self.submit(batch.job).await
    }

    /// Authorises, reads and validates the commands of a load. May run on any thread; several batches at once.
    ///
    /// # Errors
    /// [`Refusal`] with the errors of all commands.
    pub fn prepare_batch(
        &self,
        context: &Context,
        owner: &OwnerKey,
        commands: Vec<Command>,
    ) -> Result<PreparedBatch, Refusal> {
        let job = self.job(context, Some(owner.clone()), commands, None, true)?;
        Ok(PreparedBatch { job })
    }

    /// Applies a prepared batch as one transaction, and waits until it is durable. Blocks the thread.
    ///
    /// # Errors
    /// [`Refusal`]; nothing was stored.
    pub fn apply_batch(&self, batch: PreparedBatch) -> Result<TransactionWritten, Refusal> {
        let job = batch.job;
        let (owner, needs) = (job.context.owner.clone(), job.needs());
        let mut written = self
            .inner
            .store
            .write_blocking(&owner, needs, move |tx| job.run(tx))
            .map_err(refuse_write)?;
        self.settle_after(&owner, std::mem::take(&mut written.met));
        Ok(written)
    }

    /// Prepares and applies the commands of a load as one transaction. Blocks the thread.
    ///
    /// # Errors
    /// [`Refusal`] with the errors of all commands; nothing was stored.
    pub fn load_batch(
        &self,
        context: &Context,
        owner: &OwnerKey,
        commands: Vec<Command>,
    ) -> Result<TransactionWritten, Refusal> {
        let batch = self.prepare_batch(context, owner, commands)?;
        self.apply_batch(batch)
    }

    pub(crate) async fn submit(&self, job: Job) -> Result<TransactionWritten, Refusal> {
        let (owner, needs) = (job.context.owner.clone(), job.needs());
        let mut written = self
            .inner
            .store
            .write(&owner, needs, move |tx| job.run(tx))
            .await
            .map_err(refuse_write)?;
        self.settle(&owner, std::mem::take(&mut written.met)).await;
        Ok(written)
    }

    /// Everything before the combiner.
    pub(crate) fn job(
        &self,
        context: &Context,
        owner: Option<OwnerKey>,
        commands: Vec<Command>,
        idempotency: Option<Idempotency>,
        numbered: bool,
    ) -> Result<Job, Refusal> {
        let limit = self.inner.limits.operations;
        if commands.is_empty() || commands.len() > limit {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "A transaction holds 1 to {limit} operations; this one has {}. Split the list.",
                    commands.len()
                ),
            ));
        }
        let idempotency_key = idempotency.as_ref().map(check_idempotency).transpose()?;
        let owner = self.owner_of_job(context, owner, &commands, numbered)?;
        let temporary = temporary_ids(context, &commands)?;
        let prepared = self.prepare_all(context, commands, &temporary, numbered)?;
        let rights = self.rights(context)?;
        let idempotency = match (idempotency, idempotency_key) {
            (Some(given), Some(())) => Some((key_hash(context, &owner, &given), given.fingerprint)),
            _ => None,
        };
        Ok(Job {
            context: self.job_context(context, owner, rights),
            transaction: TransactionId::mint(context.now),
            commands: prepared,
            temporary,
            idempotency,
            numbered,
        })
    }

    /// In whose name a job runs.
    pub(crate) fn job_context(
        &self,
        context: &Context,
        owner: OwnerKey,
        rights: Arc<Rights>,
    ) -> JobContext {
        JobContext {
            administers: context.actor.may_for_whole(Action::Administer, &owner),
            model: self.inner.model.clone(),
            owner,
            actor: Arc::from(context.actor.name.as_str()),
            rights,
            feeds_copies: context.actor.feeds_copies,
            keeps_protection: context.actor.feeds_copies,
            today: context.today,
            protected_on: context.now.date_time().date_naive(),
            disclosed: context.disclosed.clone(),
            open: None,
        }
    }

    fn prepare_all(
        &self,
        context: &Context,
        commands: Vec<Command>,
        temporary: &BTreeMap<String, RecordId>,
        numbered: bool,
    ) -> Result<Vec<Prepared>, Refusal> {
        let model = &self.inner.model;
        let one = |command: Command| {
            let name = match &command.operation {
                Operation::Create(create) => create.temporary_id.clone(),
                _ => None,
            };
            let mut prepared = prepare(model, context, command)?;
            // Others refer to the record by the id that its temporary id stands for.
            if let (Some(name), Target::Fresh(id)) = (name, &mut prepared.target)
                && let Some(known) = temporary.get(&name)
            {
                *id = *known;
            }
            Ok(prepared)
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let results: Vec<Result<Prepared, Refusal>> =
            if commands.len() < PARALLEL_FROM || threads < 2 {
                commands.into_iter().map(one).collect()
            } else {
                in_parallel(commands, threads, &one)
            };
        let mut prepared = Vec::with_capacity(results.len());
        let mut refusals = Vec::new();
        let mut faults = 0;
        for (index, result) in results.into_iter().enumerate() {
            // Whoever sees that many needs no more to begin with.
            if faults > MOST_FAULTS {
                break;
            }
            faults += result
                .as_ref()
                .err()
                .map_or(0, |refusal| refusal.errors.len().max(1));
            match result {
                Ok(ready) => prepared.push(ready),
                Err(refusal) if numbered => refusals.push(refusal.in_operation(index)),
                Err(refusal) => refusals.push(refusal),
            }
        }
        match Refusal::together(refusals) {
            Some(refusal) => Err(refusal),
            None => Ok(prepared),
        }
    }

    /// For whom the job writes: what the transaction says, else what its records say; and whether the actor may.
    pub(super) fn owner_of_job(
        &self,
        context: &Context,
        said: Option<OwnerKey>,
        commands: &[Command],
        numbered: bool,
    ) -> Result<OwnerKey, Refusal> {
        if context.actor.is_anonymous() {
            return Err(Refusal::new(
                Code::Unauthenticated,
                "Writing needs a token: send Authorization: Bearer and the token that an administrator has given you.",
            ));
        }
        let mut owner = said;
        if let Some(owner) = &owner
            && !context.actor.may_change(owner)
        {
            return Err(Refusal::forbidden_owner(owner, "write"));
        }
        // A load says its owner, and its records are checked one by one inside the combiner.
        let known = owner.is_some();
        for (index, command) in commands.iter().enumerate() {
            let place = |refusal: Refusal| {
                if numbered {
                    refusal.in_operation(index)
                } else {
                    refusal
                }
            };
            let (subject, envelope) = parts(&command.operation);
            let said = envelope.and_then(|envelope| envelope.owner.as_ref());
            let existing = match subject {
                Some(id) if !known => self.owner_of(context, id)?,
                _ => None,
            };
            let this = match (existing, said) {
                (Some(existing), _) => {
                    if !context.actor.may_change(&existing) {
                        return Err(place(match subject {
                            Some(id) if envelope.is_some() => super::not_yours(id),
                            _ => Refusal::forbidden_owner(&existing, "write"),
                        }));
                    }
                    Some(existing)
                }
                (None, Some(said)) => {
                    if !context.actor.may_change(said) {
                        return Err(place(Refusal::forbidden_owner(said, "write")));
                    }
                    Some(said.clone())
                }
                (None, None) => None,
            };
            match (&owner, this) {
                (Some(owner), Some(this)) if *owner != this => {
                    return Err(place(Refusal::new(
                        Code::SeveralOwners,
                        format!(
                            "A transaction writes for one owner, and this one touches {owner} and {this}: make one for each."
                        ),
                    )));
                }
                (None, Some(this)) => owner = Some(this),
                _ => {}
            }
        }
        if let Some(owner) = owner {
            return Ok(owner);
        }
        match context.actor.only_owner() {
            Some(only) => Ok(only.clone()),
            None if context.actor.may_change_somewhere() => Err(Refusal::new(
                Code::OwnerRequired,
                "You write for several owners: say in owner for which one this is.",
            )),
            None => Err(Refusal::new(
                Code::Forbidden,
                "Your token may read only. Ask an administrator for one that may write.",
            )),
        }
    }

    /// The owner of a record that the actor may know of, whatever holds today. One that the actor may not know of is as
    /// good as none: what is refused later says no more.
    fn owner_of(&self, context: &Context, id: RecordId) -> Result<Option<OwnerKey>, Refusal> {
        let visibility = self.visibility(context)?;
        let found = self
            .inner
            .store
            .read(|reader| reader.find(id, grunddata_model::Period::BEGINNING, None, &visibility))
            .map_err(refuse_store)?;
        let owner = match found {
            Lookup::Unknown => None,
            Lookup::Found { row, .. } => Some(row.owner),
            Lookup::Absent(absent) => Some(absent.owner),
        };
        Ok(match owner {
            Some(owner) if context.actor.may_change(&owner) => Some(owner),
            Some(owner) if self.exists_for(context, id)? => Some(owner),
            _ => None,
        })
    }
}

/// The record that an operation names by its id, and the envelope where it may create one.
fn parts(operation: &Operation) -> (Option<RecordId>, Option<&super::request::Envelope>) {
    let id = |subject: &Subject| match subject {
        Subject::Id(id) => Some(*id),
        Subject::Temporary(_) => None,
    };
    match operation {
        Operation::Create(create) => (create.id, Some(&create.envelope)),
        Operation::Replace(replace) => (id(&replace.subject), Some(&replace.envelope)),
        Operation::Amend(amend) => (id(&amend.subject), None),
        Operation::End(end) => (id(&end.subject), None),
        Operation::Revive(revive) => (id(&revive.subject), None),
        Operation::Retract(retract) => (id(&retract.subject), None),
        Operation::Revert(revert) => (id(&revert.subject), None),
    }
}

/// The ids that temporary ids stand for.
fn temporary_ids(
    context: &Context,
    commands: &[Command],
) -> Result<BTreeMap<String, RecordId>, Refusal> {
    let mut temporary = BTreeMap::new();
    for (index, command) in commands.iter().enumerate() {
        let Operation::Create(create) = &command.operation else {
            continue;
        };
        let Some(name) = &create.temporary_id else {
            continue;
        };
        check_name("tempId", name).map_err(|refusal| refusal.in_operation(index))?;
        if create.matching.is_some() {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "An upsert cannot have a tempId: refer to its record by the identifier that it matches.",
            )
            .in_operation(index));
        }
        let id = create.id.unwrap_or_else(|| RecordId::mint(context.now));
        if temporary.insert(name.clone(), id).is_some() {
            return Err(Refusal::new(
                Code::DuplicateInTransaction,
                format!("The tempId {name:?} is given twice: each new record needs its own."),
            )
            .in_operation(index));
        }
    }
    Ok(temporary)
}

/// Runs the function over the commands on several threads, in order.
fn in_parallel<F>(commands: Vec<Command>, threads: usize, one: &F) -> Vec<Result<Prepared, Refusal>>
where
    F: Fn(Command) -> Result<Prepared, Refusal> + Sync,
{
    let size = commands.len().div_ceil(threads).max(1);
    let mut rest = commands.into_iter();
    let chunks: Vec<Vec<Command>> = std::iter::from_fn(|| {
        let chunk: Vec<Command> = rest.by_ref().take(size).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
    .collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = chunks
            .into_iter()
            .map(|chunk| {
                let count = chunk.len();
                (
                    count,
                    scope.spawn(move || chunk.into_iter().map(one).collect::<Vec<_>>()),
                )
            })
            .collect();
        running
            .into_iter()
            .flat_map(|(count, thread)| {
                // A panic in validation is a mistake of ours: it refuses its part of the list instead of the process.
                thread
                    .join()
                    .unwrap_or_else(|_| (0..count).map(|_| Err(Refusal::internal())).collect())
            })
            .collect()
    })
}

pub(super) fn check_idempotency(idempotency: &Idempotency) -> Result<(), Refusal> {
    let key = &idempotency.key;
    let visible =
        !key.is_empty() && key.len() <= 255 && key.bytes().all(|byte| byte.is_ascii_graphic());
    if visible {
        Ok(())
    } else {
        Err(Refusal::new(
            Code::InvalidIdempotencyKey,
            "An Idempotency-Key is 1 to 255 visible ASCII characters, such as a UUID.",
        ))
    }
}

/// The key with everything that it is scoped to.
pub(super) fn key_hash(context: &Context, owner: &OwnerKey, idempotency: &Idempotency) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [
        context.actor.client.as_str(),
        owner.as_str(),
        idempotency.scope.as_str(),
        idempotency.key.as_str(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}
