//! The one function that applies commands, inside the combiner and under the owner's lock: a single write, a
//! transaction and a load of 10,000 are the same list.
//!
//! Order: idempotency → each command (record, precondition, guards, references, timeline, no-op, stage) → consequences
//! for referrers → end-of-transaction checks. A command whose references do not resolve yet waits until the others
//! have run, so that the order of a list does not matter for what it refers to. Every refusal is collected; any one
//! refuses the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grunddata_information_model::{InformationModel, Resolved};
use grunddata_model::{OwnerKey, RecordId, Timeline, TransactionId};
use grunddata_store::{Needs, StagedWrite, StoreError, WriteTx};

use super::check;
use super::operate::{self, Done};
use super::outcome::{Outcome, TransactionWritten, Written};
use super::pending::Unresolved;
use super::prepare::{Prepared, PreparedAction, Target};
use super::request::{OnUncovered, OnUnresolved};
use crate::access::Rights;
use crate::{Code, Disclosed, Fault, Refusal};

/// How many times the commands whose references did not resolve are tried again: how long a chain may stand in the
/// wrong order.
const MAX_ROUNDS: usize = 64;

/// Why a job did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Refused, with what to do about it.
    Refused(Box<Refusal>),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// In whose name a job runs; what the combiner's thread needs of the context.
pub(crate) struct JobContext {
    pub(crate) model: InformationModel,
    pub(crate) owner: OwnerKey,
    pub(crate) actor: Arc<str>,
    pub(crate) rights: Arc<Rights>,
    pub(crate) feeds_copies: bool,
    /// Whether the actor administers the owner as a whole.
    pub(crate) administers: bool,
    /// Whether no write of the job may lower a protection.
    pub(crate) keeps_protection: bool,
    pub(crate) today: chrono::NaiveDate,
    /// The day by which protection runs out: in UTC, as in reads, so that it ends late rather than early.
    pub(crate) protected_on: chrono::NaiveDate,
    /// Where it is noted what the outcome tells of others' records.
    pub(crate) disclosed: Disclosed,
    /// What anybody may see: of other owners' records those alone are led to without somebody having asked.
    pub(crate) open: Option<Arc<Rights>>,
}

/// A list of prepared commands for one owner.
pub(crate) struct Job {
    pub(crate) context: JobContext,
    pub(crate) transaction: TransactionId,
    pub(crate) commands: Vec<Prepared>,
    /// Temporary id → the id minted or given for it.
    pub(crate) temporary: BTreeMap<String, RecordId>,
    /// Hash of the idempotency key with its scope, and the fingerprint of the request.
    pub(crate) idempotency: Option<([u8; 32], [u8; 32])>,
    /// Whether errors are numbered by operation: a transaction, not a single write.
    pub(crate) numbered: bool,
}

/// A record that the job has changed so far.
pub(crate) struct Touched {
    pub(crate) id: RecordId,
    pub(crate) domain: grunddata_model::Domain,
    /// As believed before the job.
    pub(crate) before: Timeline<Resolved>,
    pub(crate) after: Timeline<Resolved>,
    /// The command that changed it last; `None` for a referrer that follows its target.
    pub(crate) command: Option<usize>,
    pub(crate) on_uncovered: OnUncovered,
    /// The staged write, for changing it again.
    pub(crate) staged: StagedWrite,
    pub(crate) version: u32,
}

/// What a running job has gathered.
pub(crate) struct Run<'job, 'tx, 'store> {
    pub(crate) job: &'job Job,
    pub(crate) tx: &'tx mut WriteTx<'store>,
    pub(crate) touched: BTreeMap<RecordId, Touched>,
    /// In the order in which they were first touched.
    pub(crate) order: Vec<RecordId>,
    /// The version before the job of every record that a command named; `None` = it did not exist.
    pub(crate) versions: BTreeMap<RecordId, Option<u32>>,
    /// Faults of the checks, with the command that they belong to.
    pub(crate) faults: Vec<(Option<usize>, Code, Fault)>,
    /// What was let through but belongs in a list of findings, by command.
    pub(crate) findings: Vec<(Option<usize>, Fault)>,
    /// Which records followed, each with the commands that it followed.
    pub(crate) followed: BTreeMap<RecordId, BTreeSet<usize>>,
    /// How the references of the command that is being run are looked at.
    pub(crate) unresolved: Unresolved,
}

/// A record that was cut because it refers to what a command took away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Follower {
    /// The record.
    pub(crate) record: RecordId,
    /// Its domain.
    pub(crate) domain: grunddata_model::Domain,
    /// Whether there are days on which it does not hold any more; otherwise it has only lost the reference.
    pub(crate) ends: bool,
    /// Whether the writer may see it.
    pub(crate) seen: bool,
    /// The commands that it follows.
    pub(crate) commands: BTreeSet<usize>,
}

impl Job {
    /// What the job will ask for, so that the combiner can fetch it for a whole batch at once.
    pub(crate) fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for command in &self.commands {
            match &command.target {
                Target::Id(id) => {
                    needs.records.push(*id);
                    // These always take something away. Of the others that do, the referrers are asked for then.
                    if matches!(
                        command.action,
                        PreparedAction::End { .. } | PreparedAction::Retract { .. }
                    ) {
                        needs.inbound.push(*id);
                    }
                }
                Target::Fresh(_) | Target::Temporary(_) | Target::Matching(..) => {}
            }
            if let Some(value) = command.value() {
                for reference in value.references() {
                    match &reference.target {
                        grunddata_information_model::Target::Id(id) => needs.records.push(*id),
                        grunddata_information_model::Target::Identifier { scheme, value } => {
                            needs.identifiers.push((scheme.clone(), value.clone()));
                        }
                        grunddata_information_model::Target::Temporary(_) => {}
                    }
                }
                for identifier in value.identifiers() {
                    needs
                        .identifiers
                        .push((identifier.scheme.clone(), identifier.value.clone()));
                }
            }
        }
        needs.idempotency = self.idempotency.map(|(key, _)| key);
        needs
    }

    /// Runs the job. May be called again after a lost race: it keeps nothing between calls.
    pub(crate) fn run(&self, tx: &mut WriteTx<'_>) -> Result<TransactionWritten, Failure> {
        self.run_with_followers(tx).map(|(written, _)| written)
    }

    /// The same, and which records followed.
    pub(crate) fn run_with_followers(
        &self,
        tx: &mut WriteTx<'_>,
    ) -> Result<(TransactionWritten, Vec<Follower>), Failure> {
        if let Some((key, fingerprint)) = &self.idempotency
            && let Some(stored) = tx.idempotent(key)?
        {
            let replayed = replay(&stored.outcome, stored.request_hash == *fingerprint)?;
            return Ok((replayed, Vec::new()));
        }
        let mut run = Run {
            job: self,
            tx,
            touched: BTreeMap::new(),
            order: Vec::new(),
            versions: BTreeMap::new(),
            faults: Vec::new(),
            findings: Vec::new(),
            followed: BTreeMap::new(),
            unresolved: Unresolved::default(),
        };
        let items = run.commands()?;
        check::all(&mut run)?;
        if let Some(refusal) = run.refusal_of_faults() {
            return Err(refusal.into());
        }
        let mut written = run.written(items)?;
        written.met = run.met()?;
        if let Some((key, fingerprint)) = &self.idempotency {
            let outcome = serde_json::to_string(&written).map_err(|_| Refusal::internal())?;
            run.tx.remember(*key, *fingerprint, outcome);
        }
        let followers = run.followers()?;
        Ok((written, followers))
    }
}

fn replay(outcome: &str, same_request: bool) -> Result<TransactionWritten, Failure> {
    if !same_request {
        return Err(Refusal::new(
            Code::IdempotencyKeyReused,
            "This Idempotency-Key was used for another request. Use a new key for every new request, and the same one only to repeat it unchanged.",
        )
        .into());
    }
    let mut written: TransactionWritten =
        serde_json::from_str(outcome).map_err(|_| Refusal::internal())?;
    for item in written.items.iter_mut().chain(&mut written.also) {
        item.replayed = true;
    }
    Ok(written)
}

impl Run<'_, '_, '_> {
    /// Runs every command; those whose references do not resolve yet again after the others.
    fn commands(&mut self) -> Result<Vec<Option<Done>>, Failure> {
        let job = self.job;
        let mut done: Vec<Option<Done>> = job.commands.iter().map(|_| None).collect();
        let mut refusals: Vec<(usize, Refusal)> = Vec::new();
        let mut waiting: Vec<(usize, &Prepared)> = job.commands.iter().enumerate().collect();
        let mut rounds = 0;
        self.unresolved.is_last = job.commands.len() == 1;
        loop {
            rounds += 1;
            let mut still: Vec<(usize, &Prepared)> = Vec::new();
            let mut held: BTreeSet<RecordId> = BTreeSet::new();
            let count = waiting.len();
            let last_chance = |still: &Vec<_>| still.len() == count;
            let mut deferred: Vec<(usize, Refusal)> = Vec::new();
            for (index, command) in waiting {
                // The operations of one record keep their order.
                let subject = self.subject_of(command);
                if subject.is_some_and(|id| held.contains(&id)) {
                    still.push((index, command));
                    continue;
                }
                self.unresolved.begin(index, command);
                match operate::operate(self, index, command) {
                    Ok(result) => {
                        if let Some(slot) = done.get_mut(index) {
                            *slot = Some(result);
                        }
                    }
                    Err(operate::Stop::Unresolved(refusal)) => {
                        held.extend(subject);
                        deferred.push((index, refusal));
                        still.push((index, command));
                    }
                    Err(operate::Stop::Refused(refusal)) => {
                        held.extend(subject);
                        refusals.push((index, *refusal));
                    }
                    Err(operate::Stop::Store(error)) => return Err(error.into()),
                }
            }
            if still.is_empty() {
                break;
            }
            if last_chance(&still) || job.commands.len() == 1 || rounds >= MAX_ROUNDS {
                // Nothing of this job is what they refer to: those that may, wait for something that is still to come.
                let mut may_wait = still.iter().map(|(_, command)| command.on_unresolved);
                if self.unresolved.is_last || !may_wait.any(|on| on == OnUnresolved::Pending) {
                    refusals.extend(deferred);
                    break;
                }
                self.unresolved.is_last = true;
                rounds = 0;
            }
            waiting = still;
        }
        refusals.sort_by_key(|(index, _)| *index);
        let refusals = refusals
            .into_iter()
            .map(|(index, refusal)| {
                if job.numbered {
                    refusal.in_operation(index)
                } else {
                    refusal
                }
            })
            .collect();
        match Refusal::together(refusals) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(done),
        }
    }

    fn subject_of(&self, command: &Prepared) -> Option<RecordId> {
        match &command.target {
            Target::Id(id) | Target::Fresh(id) => Some(*id),
            Target::Temporary(name) => self.job.temporary.get(name).copied(),
            Target::Matching(..) => None,
        }
    }

    /// Records a change of a record and stages it.
    pub(crate) fn stage(
        &mut self,
        staged: StagedWrite,
        command: Option<usize>,
        on_uncovered: OnUncovered,
    ) -> Result<u32, StoreError> {
        let id = staged.id;
        let version = self.tx.stage(staged.clone())?;
        match self.touched.get_mut(&id) {
            Some(touched) => {
                touched.after = staged.after.clone();
                touched.command = command.or(touched.command);
                if command.is_some() {
                    touched.on_uncovered = on_uncovered;
                }
                touched.staged = staged;
                touched.version = version;
            }
            None => {
                self.order.push(id);
                self.touched.insert(
                    id,
                    Touched {
                        id,
                        domain: staged.domain,
                        before: staged.before.clone(),
                        after: staged.after.clone(),
                        command,
                        on_uncovered,
                        staged,
                        version,
                    },
                );
            }
        }
        Ok(version)
    }

    /// Notes a fault of a check.
    pub(crate) fn fault(&mut self, command: Option<usize>, code: Code, fault: Fault) {
        self.faults.push((command, code, fault));
    }

    /// Those that followed.
    fn followers(&mut self) -> Result<Vec<Follower>, StoreError> {
        let mut followers = Vec::with_capacity(self.followed.len());
        for (record, commands) in std::mem::take(&mut self.followed) {
            let Some(touched) = self.touched.get(&record) else {
                continue;
            };
            if touched.before == touched.after {
                continue;
            }
            let changed = touched.before.diff(&touched.after);
            let ends = changed
                .iter()
                .any(|difference| difference.before.is_some() && difference.after.is_none());
            let domain = touched.domain;
            let image = self.tx.record(record)?;
            followers.push(Follower {
                record,
                domain,
                ends,
                seen: image.is_some_and(|image| self.job.context.allows(&image)),
                commands,
            });
        }
        Ok(followers)
    }

    pub(crate) fn refusal_of_faults(&mut self) -> Option<Refusal> {
        let numbered = self.job.numbered;
        let faults = std::mem::take(&mut self.faults)
            .into_iter()
            .map(|(command, code, fault)| {
                let fault = match command {
                    Some(index) if numbered => fault.below(&format!("/operations/{index}/data")),
                    _ => fault,
                };
                (code, fault)
            })
            .collect();
        Refusal::of_faults(faults)
    }

    fn written(&mut self, items: Vec<Option<Done>>) -> Result<TransactionWritten, Failure> {
        // What came back to what it was before the job is no change.
        let unchanged: BTreeSet<RecordId> = self.tx.drop_unchanged().into_iter().collect();
        let mut findings: BTreeMap<Option<usize>, Vec<Fault>> = BTreeMap::new();
        for (command, finding) in std::mem::take(&mut self.findings) {
            findings.entry(command).or_default().push(finding);
        }
        let mut named: BTreeSet<RecordId> = BTreeSet::new();
        let items: Vec<Written> = items
            .into_iter()
            .enumerate()
            .filter_map(|(index, done)| {
                let done = done?;
                named.insert(done.id);
                // A consequence of a later command may have changed the record again: one version all the same.
                let before = self.versions.get(&done.id).copied().flatten();
                let (version, outcome) = match (self.touched.get(&done.id), before) {
                    (Some(_), Some(before)) if unchanged.contains(&done.id) => {
                        (before, Outcome::Unchanged)
                    }
                    (Some(touched), _) => (touched.version, done.outcome),
                    (None, _) => (done.version, done.outcome),
                };
                Some(Written {
                    id: done.id,
                    domain: done.domain,
                    owner: self.job.context.owner.clone(),
                    version,
                    outcome,
                    period: done.period,
                    replayed: false,
                    findings: findings.remove(&Some(index)).unwrap_or_default(),
                })
            })
            .collect();
        let mut also = Vec::new();
        for id in &self.order {
            let Some(touched) = self.touched.get(id) else {
                continue;
            };
            // What followed although the writer may not see it is not named.
            let seen = !named.contains(id)
                && !unchanged.contains(id)
                && self
                    .tx
                    .record(*id)?
                    .is_some_and(|image| self.job.context.allows(&image));
            if seen {
                also.push(Written {
                    id: touched.id,
                    domain: touched.domain,
                    owner: self.job.context.owner.clone(),
                    version: touched.version,
                    outcome: Outcome::Updated,
                    period: None,
                    replayed: false,
                    findings: Vec::new(),
                });
            }
        }
        let changed = self.touched.len() > unchanged.len();
        Ok(TransactionWritten {
            transaction: changed.then_some(self.job.transaction),
            recorded_at: changed.then(|| self.tx.now()),
            items,
            also,
            met: Vec::new(),
        })
    }
}
