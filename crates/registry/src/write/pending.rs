//! References by identifier that lead to no record yet. They are stored as they were given, and become references to the
//! record that gets the identifier: in a transaction of their own, right after the one that brought it, or when somebody looks
//! for those that were left (`docs/adr/0023-references-may-wait.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;
use grunddata_information_model::{
    OnTargetEnd, PendingUse, PrivacyClass, ReferenceUse, Resolved, Target as Referred, Uniqueness,
};
use grunddata_model::{Domain, OwnerKey, Period, RecordId, SchemeCode, State, TransactionId};
use grunddata_store::{Form, PendingPlace, RecordImage, Seen, StoreError};

use super::apply::{Failure, Job, JobContext, Run};
use super::check::subtract;
use super::operate::{Change, Done, Stop, finish};
use super::outcome::{Outcome, TransactionWritten};
use super::prepare::{Prepared, PreparedAction, PreparedNote, Target};
use super::request::{ChangeKind, Envelope, IfMatch, OnUncovered, OnUnresolved};
use crate::access::Rights;
use crate::registry::{refuse_store, refuse_write};
use crate::{Actor, Code, Context, Fault, Refusal, Registry};

/// What stands as the actor, and as the reason.
const ACTOR: &str = "references";
const REASON: &str = "A reference that was pending leads to a record now.";
/// How many records are settled in one transaction, so that other writes are not held up.
const TOGETHER: usize = 100;
/// How many transactions are made of it at most before the write that met it is answered: what is left is settled by
/// itself.
const AT_ONCE: usize = 4;
/// How many rows are looked at together.
const PAGE: i64 = 500;

/// Where references stand in data, and the records that they lead to.
type Places = BTreeMap<String, RecordId>;

/// How the references of a command are looked at.
#[derive(Default)]
pub(crate) struct Unresolved {
    /// Nothing more comes in this job that they could lead to.
    pub(crate) is_last: bool,
    on_unresolved: OnUnresolved,
    command: usize,
    /// What its record waits for already.
    held: BTreeSet<(SchemeCode, String)>,
}

impl Unresolved {
    /// Another command is run.
    pub(super) fn begin(&mut self, index: usize, command: &Prepared) {
        self.command = index;
        self.on_unresolved = command.on_unresolved;
        self.held.clear();
    }

    /// It is about this record.
    pub(super) fn holds(&mut self, image: Option<&RecordImage>) {
        let states = image.into_iter().flat_map(|image| image.timeline.states());
        self.held = states
            .flat_map(|state| state.value.pending())
            .map(|pending| (pending.scheme.clone(), pending.value.clone()))
            .collect();
    }

    /// Whether a reference that leads nowhere is kept: because the writer says so, or because it waits already and the write
    /// is about something else.
    pub(super) fn keeps(&self, reference: &ReferenceUse, why: Code) -> bool {
        let Referred::Identifier { scheme, value } = &reference.target else {
            return false;
        };
        let missing = why == Code::ReferenceNotFound;
        let asked = self.on_unresolved == OnUnresolved::Pending && self.is_last && missing;
        asked || self.is_held(scheme, value)
    }

    fn is_held(&self, scheme: &SchemeCode, value: &str) -> bool {
        !self.held.is_empty() && self.held.contains(&(scheme.clone(), value.to_owned()))
    }
}

impl Run<'_, '_, '_> {
    /// Tells of a reference that is new and waits.
    pub(super) fn note_pending(&mut self, reference: &ReferenceUse) {
        let Referred::Identifier { scheme, value } = &reference.target else {
            return;
        };
        let command = Some(self.unresolved.command);
        let known = |(of, fault): &(Option<usize>, Fault)| {
            *of == command && fault.pointer == reference.pointer
        };
        if self.unresolved.is_held(scheme, value) || self.findings.iter().any(known) {
            return;
        }
        let fault = Fault::new(
            reference.pointer.clone(),
            Code::ReferenceNotFound,
            format!(
                "No record has this {scheme} yet: the reference is kept as it is, and leads to the record that gets it."
            ),
            "Ingen post har denna identitet ännu: hänvisningen behålls som den är, och leder till den post som får den.",
        );
        self.findings.push((command, fault));
    }

    /// Which records wait for identifiers that this job has brought.
    pub(super) fn met(&mut self) -> Result<Vec<(RecordId, Domain)>, StoreError> {
        let mut brought: BTreeSet<(SchemeCode, String)> = BTreeSet::new();
        for touched in self.touched.values() {
            let had: BTreeSet<(&SchemeCode, &str)> = touched
                .before
                .states()
                .iter()
                .flat_map(|state| state.value.identifiers())
                .map(|used| (&used.scheme, used.value.as_str()))
                .collect();
            let grows = || {
                let differences = touched.before.diff(&touched.after);
                differences
                    .iter()
                    .any(|difference| difference.before.is_none() && difference.after.is_some())
            };
            let longer = had.is_empty() || grows();
            let states = touched.after.states().iter();
            for used in states.flat_map(|state| state.value.identifiers()) {
                if longer || !had.contains(&(&used.scheme, used.value.as_str())) {
                    brought.insert((used.scheme.clone(), used.value.clone()));
                }
            }
        }
        if brought.is_empty() {
            return Ok(Vec::new());
        }
        self.tx.waiting_for(&brought)
    }

    /// The parts of a state on which references that are pending in it lead somewhere, each with where.
    fn arrived(&mut self, state: &State<Resolved>) -> Result<Vec<(Period, Places)>, StoreError> {
        let days = state.period;
        let mut found: Vec<(&PendingUse, RecordId, Vec<Period>)> = Vec::new();
        for pending in state.value.pending() {
            let Some(image) = self.arrival(pending, days)? else {
                continue;
            };
            let relation = self
                .job
                .context
                .model
                .relation(state.value.domain(), &pending.relation);
            // Where the target does not hold the reference goes on waiting.
            let holds = match relation.map(|relation| relation.on_target_end) {
                Some(OnTargetEnd::Keep) => vec![days],
                _ => subtract(days, &image.timeline.uncovered(&days)),
            };
            if !holds.is_empty() {
                found.push((pending, image.id, holds));
            }
        }
        let cuts: BTreeSet<NaiveDate> = found
            .iter()
            .flat_map(|(.., holds)| holds)
            .flat_map(|period| [period.from(), period.to()])
            .collect();
        let mut parts = Vec::new();
        for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
            let Ok(part) = Period::new(*from, *to) else {
                continue;
            };
            let here: Places = found
                .iter()
                .filter(|(.., holds)| holds.iter().any(|period| period.covers(&part)))
                .map(|(pending, id, _)| (pending.pointer.clone(), *id))
                .collect();
            if !here.is_empty() {
                parts.push((part, here));
            }
        }
        Ok(parts)
    }

    /// The one record that a pending reference means. Of other owners those alone that anybody may know of: who is whom
    /// between two owners is not decided by a number.
    fn arrival(
        &mut self,
        pending: &PendingUse,
        days: Period,
    ) -> Result<Option<Arc<RecordImage>>, StoreError> {
        let model = self.job.context.model.clone();
        let owner = self.job.context.owner.clone();
        let mut claims = Vec::new();
        for claim in self.tx.claims_anywhere(&pending.scheme, &pending.value)? {
            let open = match self.tx.record(claim.record)? {
                _ if claim.owner == owner => true,
                Some(image) => {
                    let seen = Seen {
                        owner: claim.owner.as_str(),
                        controller: image.controller,
                        domain: image.domain,
                        level: 0,
                    };
                    let shown = |rights: &Arc<Rights>| rights.reads.sight(&seen);
                    let sight = self.job.context.open.as_ref().and_then(shown);
                    let class = model
                        .scheme(pending.scheme.as_str())
                        .map_or(PrivacyClass::Protected, |scheme| scheme.class());
                    image.highest == 0
                        && sight.is_some_and(|sight| {
                            sight.form == Form::Full && sight.classes & class.bit() != 0
                        })
                }
                None => false,
            };
            if open {
                claims.push(claim);
            }
        }
        let always = model
            .scheme(pending.scheme.as_str())
            .is_some_and(|scheme| scheme.uniqueness() == Uniqueness::Always);
        let key = (&pending.scheme, pending.value.as_str());
        match self.candidates(claims, key, days, always)?.as_slice() {
            [(only, _)] => {
                let image = self.tx.record(*only)?;
                Ok(image.filter(|image| !image.timeline.is_empty()))
            }
            _ => Ok(None),
        }
    }
}

/// Makes references of what is pending in a record, as far as it leads somewhere.
pub(super) fn settle(
    run: &mut Run<'_, '_, '_>,
    index: usize,
    command: &Prepared,
    image: &RecordImage,
) -> Result<Done, Stop> {
    let mut after = image.timeline.clone();
    for state in image.timeline.states() {
        for (part, found) in run.arrived(state)? {
            let value = state
                .value
                .settled(&mut |pending| found.get(&pending.pointer).copied());
            after = after
                .amend(part, |_| Ok::<_, std::convert::Infallible>(value.clone()))
                .map_err(|_| Refusal::internal())?;
        }
    }
    finish(run, index, command, image, Change::amended(after))
}

impl Registry {
    /// The write that settles records.
    fn settling(&self, owner: &OwnerKey, waiting: &[Waiting]) -> Result<Job, Refusal> {
        let context = self.context(Actor::system(ACTOR), ACTOR);
        let rights = self.rights(&context)?;
        let note = PreparedNote {
            reason: Some(Arc::from(REASON)),
            source: None,
            change_kind: ChangeKind::Change,
            corrects: None,
        };
        let commands = waiting.iter().map(|(id, domain)| Prepared {
            domain: *domain,
            target: Target::Id(*id),
            action: PreparedAction::Settle,
            envelope: Envelope::default(),
            origin: None,
            if_match: Some(IfMatch::Any),
            note: note.clone(),
            on_uncovered: OnUncovered::Reject,
            on_unresolved: OnUnresolved::Reject,
        });
        let nobody = Context::new(Actor::anonymous(), context.now, "");
        let open = Some(self.rights(&nobody)?);
        Ok(Job {
            commands: commands.collect(),
            context: JobContext {
                open,
                ..self.job_context(&context, owner.clone(), rights)
            },
            transaction: TransactionId::mint(context.now),
            temporary: BTreeMap::new(),
            idempotency: None,
            numbered: true,
        })
    }

    /// After a write: settles what waited for it, as far as that is soon done. The rest is noted for
    /// [`settle_left`](Self::settle_left). Those of which something does not fit (the target is of the wrong kind, there would
    /// be a circle) stay as they are.
    pub(crate) async fn settle(&self, owner: &OwnerKey, waiting: Vec<Waiting>) {
        let mut left = self.at_once(owner, waiting);
        while let Some(some) = left.next_at_once() {
            let written = match self.settling(owner, &some) {
                Ok(job) => {
                    let needs = job.needs();
                    let store = &self.inner.store;
                    let written = store.write(owner, needs, move |tx| job.run(tx)).await;
                    written.map_err(refuse_write)
                }
                Err(refusal) => Err(refusal),
            };
            if let Err(refusal) = left.took(some, written) {
                self.note_left(owner);
                return told(owner, &refusal);
            }
        }
        if !left.parts.is_empty() {
            self.note_left(owner);
        }
    }

    /// What of this is settled before the write is answered. What is more is noted.
    fn at_once(&self, owner: &OwnerKey, mut waiting: Vec<Waiting>) -> Left {
        if waiting.len() > TOGETHER {
            waiting.truncate(TOGETHER);
            self.note_left(owner);
        }
        Left::of(waiting)
    }

    fn note_left(&self, owner: &OwnerKey) {
        self.inner.unsettled.lock().insert(owner.clone());
    }

    /// Whether writes have left references to be settled that lead to what they brought.
    #[must_use]
    pub fn has_left_references(&self) -> bool {
        !self.inner.unsettled.lock().is_empty()
    }

    /// Settles what writes have left, owner by owner; how many records have changed. Blocks the thread; stops between two
    /// transactions when it is asked to, and what is not done then is found by [`settle_references`](Self::settle_references).
    ///
    /// # Errors
    /// [`Refusal`] of the database; what was done until then is done.
    pub fn settle_left(&self, stop: &AtomicBool) -> Result<usize, Refusal> {
        let owners = std::mem::take(&mut *self.inner.unsettled.lock());
        let mut settled = 0;
        let mut failed = None;
        for owner in owners {
            match self.settle_references_of(&owner, stop) {
                Ok(records) => settled += records,
                Err(refusal) if refusal.code == Code::ReadOnlyCopy => {}
                Err(refusal) => failed = failed.or(Some(refusal)),
            }
        }
        failed.map_or(Ok(settled), Err)
    }

    /// Settles these on a thread that may wait, some at a time; how many have changed.
    fn settle_blocking(
        &self,
        owner: &OwnerKey,
        left: &mut Left,
        next: fn(&mut Left) -> Option<Vec<Waiting>>,
        stop: &AtomicBool,
    ) -> Result<usize, Refusal> {
        while let Some(some) = (!stop.load(Ordering::SeqCst)).then(|| next(left)).flatten() {
            let job = self.settling(owner, &some)?;
            let needs = job.needs();
            let written =
                self.inner
                    .store
                    .write_blocking(owner, needs, move |tx| -> Result<_, Failure> {
                        job.run(tx)
                    });
            left.took(some, written.map_err(refuse_write))?;
        }
        Ok(left.settled)
    }

    /// The same as [`settle`](Self::settle) on a thread that may wait. What fails is left for
    /// [`settle_references`](Self::settle_references).
    pub(crate) fn settle_after(&self, owner: &OwnerKey, waiting: Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        let mut left = self.at_once(owner, waiting);
        let never = AtomicBool::new(false);
        let done = self.settle_blocking(owner, &mut left, Left::next_at_once, &never);
        if done.is_err() || !left.parts.is_empty() {
            self.note_left(owner);
        }
        if let Err(refusal) = done {
            told(owner, &refusal);
        }
    }

    /// The same for all of an owner, after a load.
    pub(crate) fn settle_for(&self, owner: &OwnerKey) {
        if let Err(refusal) = self.settle_references_of(owner, &AtomicBool::new(false)) {
            told(owner, &refusal);
        }
    }

    /// Looks through all references that are pending for those that lead somewhere now: what they wait for came with another
    /// owner or a copy, or the process ended that should have done it. How many records have changed. Blocks the thread;
    /// stops between two transactions when it is asked to.
    ///
    /// # Errors
    /// [`Refusal`] of the database; what was done until then is done.
    pub fn settle_references(&self, stop: &AtomicBool) -> Result<usize, Refusal> {
        let mut settled = 0;
        let mut failed = None;
        let copies = self.copies()?;
        for owner in self.inner.store.owners().map_err(refuse_store)? {
            // What is copied is settled by its origin.
            if copies.contains_key(&owner.key) {
                continue;
            }
            match self.settle_references_of(&owner.key, stop) {
                Ok(records) => settled += records,
                // It has become a copy just now.
                Err(refusal) if refusal.code == Code::ReadOnlyCopy => {}
                // The others are looked through all the same.
                Err(refusal) => failed = failed.or(Some(refusal)),
            }
        }
        failed.map_or(Ok(settled), Err)
    }

    fn settle_references_of(&self, owner: &OwnerKey, stop: &AtomicBool) -> Result<usize, Refusal> {
        let mut place = PendingPlace::default();
        let mut settled = 0;
        while !stop.load(Ordering::SeqCst) {
            let rows = self
                .inner
                .store
                .read(|reader| reader.pending_references(owner, &place, true, PAGE))
                .map_err(refuse_store)?;
            let Some(last) = rows.last() else {
                break;
            };
            place.after = Some((
                last.scheme.as_str().to_owned(),
                last.value.clone(),
                last.record,
            ));
            let waiting: BTreeMap<RecordId, Domain> =
                rows.iter().map(|row| (row.record, row.domain)).collect();
            let mut left = Left::of(waiting.into_iter().collect());
            settled += self.settle_blocking(owner, &mut left, Left::next, stop)?;
        }
        Ok(settled)
    }
}

/// A record that waits.
type Waiting = (RecordId, Domain);

/// What is still to be settled, some at a time.
struct Left {
    parts: Vec<Vec<Waiting>>,
    settled: usize,
    /// How many transactions were tried.
    tried: usize,
}

impl Left {
    fn of(waiting: Vec<Waiting>) -> Self {
        Self {
            parts: waiting.chunks(TOGETHER).map(<[Waiting]>::to_vec).collect(),
            settled: 0,
            tried: 0,
        }
    }

    fn next(&mut self) -> Option<Vec<Waiting>> {
        self.parts.pop()
    }

    /// The same as long as somebody may be kept waiting for it.
    fn next_at_once(&mut self) -> Option<Vec<Waiting>> {
        if self.tried == AT_ONCE {
            return None;
        }
        self.tried += 1;
        self.next()
    }

    /// What became of some: those that are refused are left out, and the others are tried again.
    fn took(
        &mut self,
        some: Vec<Waiting>,
        written: Result<TransactionWritten, Refusal>,
    ) -> Result<(), Refusal> {
        let refusal = match written {
            Ok(written) => {
                let changed = |outcome| outcome == Outcome::Updated;
                let items = written.items.iter();
                self.settled += items.filter(|item| changed(item.outcome)).count();
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        let copied = refusal.code == Code::ReadOnlyCopy && refusal.errors.is_empty();
        if refusal.is_of_no_record() || copied {
            return Err(refusal);
        }
        let at_fault = refusal.errors.iter().filter_map(Fault::operation);
        let at_fault: BTreeSet<usize> = at_fault.collect();
        if !at_fault.is_empty() {
            let others = some.into_iter().enumerate();
            let others: Vec<Waiting> = others
                .filter(|(index, _)| !at_fault.contains(index))
                .map(|(_, one)| one)
                .collect();
            self.parts.extend((!others.is_empty()).then_some(others));
            return Ok(());
        }
        // One of them is at fault, and nobody says which. Of a single one it is clear.
        if some.len() > 1 {
            let (one, other) = some.split_at(some.len() / 2);
            self.parts.extend([one.to_vec(), other.to_vec()]);
        }
        Ok(())
    }
}

fn told(owner: &OwnerKey, refusal: &Refusal) {
    tracing::warn!(
        %owner,
        code = refusal.code.as_str(),
        why = refusal.detail,
        "references that were pending could not be settled; it is tried again"
    );
}
