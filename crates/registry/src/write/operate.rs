//! One command on one record: precondition, guards, references, timeline, and whether anything changed at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use grunddata_information_model::{Resolved, Validated};
use grunddata_model::{
    AmendError, Domain, Period, RecordId, ReplacePeriod, State, Timeline, ValidTo,
};
use grunddata_store::{
    ChangeKind as StoredKind, Operation as StoredOperation, RecordImage, RecordStatus, StagedWrite,
    StoreError,
};

use super::apply::Run;
use super::guards::{
    check_controller, check_copy, check_given, check_origin, check_protection, check_right, exists,
    first_day, guard, nothing_to_match, precondition, refuse_timeline, unknown_temporary,
    unknown_version,
};
use super::outcome::Outcome;
use super::pending::settle;
use super::prepare::{Bound, Prepared, PreparedAction, Target, period};
use super::request::ChangeKind;
use super::upsert::upsert;
use super::withheld::{
    beyond, check_withheld, keep_withheld, patched_as_seen, refuse_beyond, revalidate, visible,
};
use crate::{Code, Refusal};

/// What a command did.
pub(crate) struct Done {
    pub(crate) id: RecordId,
    pub(crate) domain: Domain,
    pub(crate) version: u32,
    pub(crate) outcome: Outcome,
    pub(crate) period: Option<Period>,
}

/// Why a command did not run.
pub(crate) enum Stop {
    /// A reference does not resolve (yet).
    Unresolved(Refusal),
    /// Refused.
    Refused(Box<Refusal>),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// The new timeline, the operation that is recorded, and the period that it was about.
pub(super) struct Change {
    after: Timeline<Resolved>,
    operation: StoredOperation,
    period: Option<Period>,
}

impl Change {
    /// An amendment of several periods.
    pub(super) fn amended(after: Timeline<Resolved>) -> Self {
        Self {
            after,
            operation: StoredOperation::Amend,
            period: None,
        }
    }
}

/// Applies one command.
pub(crate) fn operate(
    run: &mut Run<'_, '_, '_>,
    index: usize,
    command: &Prepared,
) -> Result<Done, Stop> {
    let (id, fresh) = match &command.target {
        Target::Fresh(id) => (*id, true),
        Target::Id(id) => (*id, false),
        Target::Temporary(name) => match run.job.temporary.get(name) {
            Some(id) => (*id, false),
            None => return Err(unknown_temporary(name).into()),
        },
        Target::Matching(..) => return upsert(run, index, command),
    };
    let image = if fresh { None } else { run.tx.record(id)? };
    run.unresolved.holds(image.as_deref());
    match (&command.action, image) {
        (PreparedAction::Create { value, period, .. }, None) => {
            create(run, index, command, id, fresh, value, *period)
        }
        (PreparedAction::Create { .. }, Some(image)) => Err(exists(run, &image).into()),
        (
            PreparedAction::Replace {
                value, from, to, ..
            },
            None,
        ) => {
            if command.if_match.is_some() {
                return Err(nothing_to_match(id).into());
            }
            let Bound::At(from) = from else {
                return Err(Refusal::new(
                    Code::InvalidPeriod,
                    "validFrom start is the start of an existing record: give a date to create one.",
                )
                .into());
            };
            let period = period(*from, *to)?;
            create(run, index, command, id, false, value, period)
        }
        (_, None) => Err(Refusal::not_found(id).into()),
        (PreparedAction::Settle, Some(image)) => settle(run, index, command, &image),
        (_, Some(image)) => change(run, index, command, &image),
    }
}

pub(super) fn create(
    run: &mut Run<'_, '_, '_>,
    index: usize,
    command: &Prepared,
    id: RecordId,
    fresh: bool,
    value: &Validated,
    period: Period,
) -> Result<Done, Stop> {
    check_origin(run, command)?;
    check_right(run, command, command.envelope.controller)?;
    check_controller(run, command)?;
    check_given(run, value, None)?;
    let resolved = run.resolve(value, period)?;
    let before = Timeline::empty();
    let after = before
        .create(period, resolved)
        .map_err(|error| refuse_timeline(&error))?;
    check_withheld(run, command, command.envelope.controller, &before, &after)?;
    run.versions.insert(id, None);
    let staged = StagedWrite {
        id,
        domain: command.domain,
        fresh,
        controller: command.envelope.controller,
        origin: command.origin.clone(),
        transaction: run.job.transaction,
        operation: StoredOperation::Create,
        change_kind: stored_kind(command.note.change_kind),
        corrects: command.note.corrects,
        actor: Arc::clone(&run.job.context.actor),
        reason: command.note.reason.clone(),
        source: command.note.source.clone(),
        touched: period,
        before,
        after,
        status: RecordStatus::Current,
        forward_to: None,
    };
    let version = run.stage(staged, Some(index), command.on_uncovered)?;
    Ok(Done {
        id,
        domain: command.domain,
        version,
        outcome: Outcome::Created,
        period: Some(period),
    })
}

fn change(
    run: &mut Run<'_, '_, '_>,
    index: usize,
    command: &Prepared,
    image: &RecordImage,
) -> Result<Done, Stop> {
    guard(run, command, image)?;
    precondition(run, command, image)?;
    check_controller(run, command)?;
    if let Some(corrected) = command.note.corrects
        && !(1..=image.version).contains(&corrected)
    {
        return Err(unknown_version(image.id, corrected, image.version).into());
    }
    let timeline = &image.timeline;
    let change = match &command.action {
        PreparedAction::Create { .. } => return Err(exists(run, image).into()),
        PreparedAction::Settle => return settle(run, index, command, image),
        PreparedAction::Replace {
            value,
            from,
            to,
            overwrite_planned,
        } => {
            let request = ReplacePeriod::new(first_day(image, *from)?, *to);
            replace(run, image, value, request, *overwrite_planned)?
        }
        PreparedAction::Amend { patch, from, to } => {
            let period = period(first_day(image, *from)?, *to)?;
            Change {
                after: amend(run, image, patch, period)?,
                operation: StoredOperation::Amend,
                period: Some(period),
            }
        }
        PreparedAction::End { from, to } => {
            let from = first_day(image, *from)?;
            let period = period(from, *to)?;
            Change {
                after: timeline
                    .end(from, to.and_then(ValidTo::date))
                    .map_err(|error| refuse_timeline(&error))?,
                operation: StoredOperation::End,
                period: Some(period),
            }
        }
        PreparedAction::Revive { value, period } => {
            check_given(run, value, Some(image))?;
            let resolved = run.resolve(value, *period)?;
            Change {
                after: timeline
                    .revive(*period, resolved)
                    .map_err(|error| refuse_timeline(&error))?,
                operation: StoredOperation::Revive,
                period: Some(*period),
            }
        }
        PreparedAction::Retract { bounds } => {
            let period = match bounds {
                None => None,
                Some((from, to)) => Some(period(first_day(image, *from)?, *to)?),
            };
            Change {
                after: timeline.retract(period),
                operation: StoredOperation::Retract,
                period,
            }
        }
        PreparedAction::Revert { version } => {
            let then = run
                .tx
                .record_at_version(image.id, *version)?
                .ok_or_else(|| unknown_version(image.id, *version, image.version))?;
            let then = without_erased(then)?;
            let beyond = beyond(run, image.controller, image.domain)?;
            Change {
                after: keep_withheld(run, image, then, beyond)?,
                operation: StoredOperation::Revert,
                period: None,
            }
        }
    };
    finish(run, index, command, image, change)
}

/// A timeline of before as a version that follows: without what is left in it of references to what was erased.
fn without_erased(then: Timeline<Resolved>) -> Result<Timeline<Resolved>, Stop> {
    let mut after = then.clone();
    for state in then.states() {
        if let Some(value) = state.value.without_erased() {
            after = after
                .amend(state.period, |_| {
                    Ok::<_, std::convert::Infallible>(value.clone())
                })
                .map_err(|_| Refusal::internal())?;
        }
    }
    Ok(after)
}

pub(super) fn replace(
    run: &mut Run<'_, '_, '_>,
    image: &RecordImage,
    value: &Validated,
    request: ReplacePeriod,
    overwrite_planned: bool,
) -> Result<Change, Stop> {
    check_given(run, value, Some(image))?;
    let period = image
        .timeline
        .resolve_replace(request)
        .map_err(|error| refuse_timeline(&error))?;
    let resolved = run.resolve(value, period)?;
    // Whoever does not see it does not say it either: that it is so already would be told by the answer.
    let beyond = beyond(run, image.controller, image.domain)?;
    if resolved.classes() & beyond != 0 {
        return Err(refuse_beyond(beyond).into());
    }
    // A planned state is in the way by what the writer sees of it.
    let said = resolved.value();
    let mut same = BTreeSet::new();
    for state in image.timeline.states() {
        let hash = state.value.hash();
        if hash == resolved.hash()
            || (state.value.classes() & beyond != 0 && visible(run, &state.value, beyond)? == said)
        {
            same.insert(*hash);
        }
    }
    let (after, period) = image
        .timeline
        .replace_if(request, resolved, overwrite_planned, |old, _| {
            same.contains(old.hash())
        })
        .map_err(|error| refuse_timeline(&error))?;
    Ok(Change {
        after: keep_withheld(run, image, after, beyond)?,
        operation: StoredOperation::Replace,
        period: Some(period),
    })
}

fn amend(
    run: &mut Run<'_, '_, '_>,
    image: &RecordImage,
    patch: &crate::Patch,
    period: Period,
) -> Result<Timeline<Resolved>, Stop> {
    let beyond = beyond(run, image.controller, image.domain)?;
    let values = image
        .timeline
        .states()
        .iter()
        .filter(|state| state.period.overlaps(&period))
        .map(|state| visible(run, &state.value, beyond))
        .collect::<Result<Vec<_>, _>>()?;
    if let Err(faults) = patch.guard_positions(&values) {
        let faults = faults
            .into_iter()
            .map(|fault| (Code::PatchNeedsTest, fault))
            .collect();
        return Err(Refusal::of_faults(faults)
            .unwrap_or_else(Refusal::internal)
            .into());
    }
    let domain = image.domain;
    let amended = image.timeline.amend(period, |state: &State<Resolved>| {
        let present = state.value.value();
        let patched = patched_as_seen(run, &state.value, &present, patch, beyond)?;
        if patched == present {
            return Ok(state.value.clone());
        }
        let resolved = revalidate(run, domain, patched, state.period)?;
        // Patched to what it was, in another order: the old one keeps its model version.
        Ok(if resolved.hash() == state.value.hash() {
            state.value.clone()
        } else {
            resolved
        })
    });
    amended.map_err(|error| match error {
        AmendError::Timeline(error) => refuse_timeline(&error).into(),
        AmendError::Patch { error, .. } => error,
    })
}

/// Stages the change, if it is one.
pub(super) fn finish(
    run: &mut Run<'_, '_, '_>,
    index: usize,
    command: &Prepared,
    image: &RecordImage,
    change: Change,
) -> Result<Done, Stop> {
    run.versions.entry(image.id).or_insert(Some(image.version));
    let status = if change.after.is_empty() {
        RecordStatus::Retracted
    } else {
        RecordStatus::Current
    };
    let controller = command.envelope.controller.or(image.controller);
    if controller != image.controller {
        check_right(run, command, controller)?;
    }
    check_withheld(
        run,
        command,
        image.controller,
        &image.timeline,
        &change.after,
    )?;
    check_copy(run, image, &change.after)?;
    check_protection(run, image, &change.after)?;
    let unchanged =
        change.after == image.timeline && status == image.status && controller == image.controller;
    let done = |version, outcome| Done {
        id: image.id,
        domain: image.domain,
        version,
        outcome,
        period: change.period,
    };
    if unchanged {
        return Ok(done(image.version, Outcome::Unchanged));
    }
    let touched = change
        .period
        .unwrap_or_else(|| span(&image.timeline, &change.after));
    let staged = StagedWrite {
        id: image.id,
        domain: image.domain,
        fresh: false,
        controller,
        origin: command.origin.clone().or_else(|| image.origin.clone()),
        transaction: run.job.transaction,
        operation: change.operation,
        change_kind: stored_kind(command.note.change_kind),
        corrects: command.note.corrects,
        actor: Arc::clone(&run.job.context.actor),
        reason: command.note.reason.clone(),
        source: command.note.source.clone(),
        touched,
        before: image.timeline.clone(),
        after: change.after,
        status,
        forward_to: None,
    };
    let version = run.stage(staged, Some(index), command.on_uncovered)?;
    let outcome = match run.versions.get(&image.id) {
        Some(None) => Outcome::Created,
        _ => Outcome::Updated,
    };
    Ok(done(version, outcome))
}

/// From the first to the last day on which the two differ.
pub(crate) fn span(before: &Timeline<Resolved>, after: &Timeline<Resolved>) -> Period {
    let differences = before.diff(after);
    match (differences.first(), differences.last()) {
        (Some(first), Some(last)) => {
            Period::new(first.period.from(), last.period.to()).unwrap_or(Period::ALWAYS)
        }
        _ => Period::ALWAYS,
    }
}

/// How the store writes the kind of change.
pub(crate) fn stored_kind(kind: ChangeKind) -> StoredKind {
    match kind {
        ChangeKind::Change => StoredKind::Change,
        ChangeKind::Correction => StoredKind::Correction,
    }
}
