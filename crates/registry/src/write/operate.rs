//! One command on one record: precondition, guards, references, timeline, and whether anything changed at all.

use std::sync::Arc;

use grunddata_information_model::{Resolved, Uniqueness, Validated};
use grunddata_model::{
    AmendError, Domain, Period, RecordId, ReplacePeriod, State, Timeline, TimelineError, ValidTo,
};
use grunddata_store::{
    ChangeKind as StoredKind, Operation as StoredOperation, RecordImage, RecordStatus, StagedWrite,
    StoreError,
};

use super::apply::Run;
use super::outcome::Outcome;
use super::prepare::{Bound, Prepared, PreparedAction, Target, invalid_period, period};
use super::request::{ChangeKind, IfMatch};
use crate::{Code, Fault, Refusal, fact};

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
struct Change {
    after: Timeline<Resolved>,
    operation: StoredOperation,
    period: Option<Period>,
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
                return Err(Refusal::new(
                    Code::PreconditionFailed,
                    format!("There is no record {id}, so that no version of it can match. Leave If-Match out to create it."),
                )
                .into());
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
        (_, Some(image)) => change(run, index, command, &image),
    }
}

fn unknown_temporary(name: &str) -> Refusal {
    Refusal::new(
        Code::UnknownTemporaryId,
        format!("No operation of this transaction creates the tempId {name:?}."),
    )
}

fn create(
    run: &mut Run<'_, '_, '_>,
    index: usize,
    command: &Prepared,
    id: RecordId,
    fresh: bool,
    value: &Validated,
    period: Period,
) -> Result<Done, Stop> {
    if command.origin.is_some() && !run.job.context.feeds_copies {
        return Err(Refusal::new(
            Code::Forbidden,
            "Copies of other registers are fed by sources alone: leave origin out.",
        )
        .into());
    }
    check_controller(run, command)?;
    let resolved = run.resolve(value, period)?;
    let before = Timeline::empty();
    let after = before
        .create(period, resolved)
        .map_err(|error| refuse_timeline(&error))?;
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

/// Finds the record by the identifier and replaces it, or creates it.
fn upsert(run: &mut Run<'_, '_, '_>, index: usize, command: &Prepared) -> Result<Done, Stop> {
    let (
        Target::Matching(scheme, fresh),
        PreparedAction::Create {
            value,
            period,
            valid_to,
        },
    ) = (&command.target, &command.action)
    else {
        return Err(Refusal::internal().into());
    };
    let mut given = value
        .identifiers()
        .iter()
        .filter(|identifier| identifier.scheme == *scheme)
        .map(|identifier| (identifier.value.clone(), identifier.issuer.clone()));
    let (identifier, issuer) = match (given.next(), given.next()) {
        (Some(only), None) => only,
        (first, _) => {
            let many = if first.is_some() { "several" } else { "none" };
            return Err(Refusal::new(
                Code::NoMatchIdentifier,
                format!("match={scheme} needs exactly one identifier of that scheme in data.identifiers; there is {many}."),
            )
            .into());
        }
    };
    let uniqueness = run
        .job
        .context
        .model
        .scheme(scheme.as_str())
        .map(|scheme| scheme.uniqueness());
    let claims = run.tx.claims(scheme, &identifier)?;
    let mut found: Vec<RecordId> = Vec::new();
    for at_first_day in [true, false] {
        for claim in &claims {
            let issued = uniqueness != Some(Uniqueness::PerIssuer) || claim.issuer == issuer;
            let holds = if at_first_day {
                claim.period.contains(period.from())
            } else {
                claim.period.overlaps(period) || uniqueness == Some(Uniqueness::Always)
            };
            if issued && holds && !found.contains(&claim.record) {
                found.push(claim.record);
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    match found.as_slice() {
        [] => create(run, index, command, *fresh, true, value, *period),
        [only] => {
            let image = run.tx.record(*only)?.ok_or_else(|| Refusal::not_found(only))?;
            guard(run, command, &image)?;
            check_controller(run, command)?;
            let request = ReplacePeriod::new(period.from(), *valid_to);
            let change = replace(run, &image, value, request, false)?;
            finish(run, index, command, &image, change)
        }
        several => Err(Refusal::new(
            Code::MatchAmbiguous,
            format!(
                "{} records have this {scheme}: an upsert needs a scheme by which one record is found. Write to one of them by its id.",
                several.len()
            ),
        )
        .into()),
    }
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
    let timeline = &image.timeline;
    let change = match &command.action {
        PreparedAction::Create { .. } => return Err(exists(run, image).into()),
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
        PreparedAction::Revert { version } => Change {
            after: run
                .tx
                .record_at_version(image.id, *version)?
                .ok_or_else(|| unknown_version(image.id, *version, image.version))?,
            operation: StoredOperation::Revert,
            period: None,
        },
    };
    finish(run, index, command, image, change)
}

/// No such version.
pub(crate) fn unknown_version(id: RecordId, version: u32, latest: u32) -> Refusal {
    Refusal::new(
        Code::UnknownVersion,
        format!("The record {id} has no version {version}: its versions are 1 to {latest}."),
    )
    .fact(fact::VERSION, latest)
}

/// The controller that a command names is an organisation that the writer may know of.
fn check_controller(run: &mut Run<'_, '_, '_>, command: &Prepared) -> Result<(), Stop> {
    let Some(id) = command.envelope.controller else {
        return Ok(());
    };
    let is_organisation = run
        .tx
        .record(id)?
        .is_some_and(|image| image.domain == Domain::Organisation && !image.timeline.is_empty());
    if is_organisation && run.sees(id)? {
        return Ok(());
    }
    Err(Refusal::new(
        Code::ReferenceNotFound,
        format!("The controller {id} is no organisation that you may see: name the committee or body that is responsible for the personal data, or leave controller out."),
    )
    .fact(fact::PARAMETER, "controller")
    .into())
}

/// What no write may do to this record.
fn guard(run: &Run<'_, '_, '_>, command: &Prepared, image: &RecordImage) -> Result<(), Refusal> {
    if image.owner != run.job.context.owner {
        return Err(not_yours(image.id));
    }
    if image.domain != command.domain {
        return Err(Refusal::not_found(image.id));
    }
    if command
        .envelope
        .owner
        .as_ref()
        .is_some_and(|owner| *owner != image.owner)
    {
        return Err(Refusal::new(
            Code::Forbidden,
            "A record keeps its owner for good: leave owner out.",
        ));
    }
    match image.status {
        RecordStatus::Merged => {
            return Err(Refusal::new(
                Code::Merged,
                "The record was merged into another: write to that one.",
            )
            .fact_if(fact::FORWARD_TO, image.forward_to.map(|id| id.to_string())));
        }
        RecordStatus::Erased => {
            return Err(Refusal::new(
                Code::Erased,
                "The record's content was erased; nothing can be written to it.",
            ));
        }
        RecordStatus::Retracted => {
            let comes_back = matches!(
                command.action,
                PreparedAction::Revive { .. }
                    | PreparedAction::Revert { .. }
                    | PreparedAction::Retract { bounds: None }
            );
            if !comes_back {
                return Err(Refusal::new(
                    Code::Retracted,
                    "The record was retracted (recorded in error): revive it, or revert to an earlier version, to use it again.",
                )
                .fact(fact::VERSION, image.version));
            }
        }
        RecordStatus::Current => {}
    }
    if image.origin.is_some() && !run.job.context.feeds_copies {
        return Err(Refusal::new(
            Code::ReadOnlyCopy,
            "The record is a copy and read-only here: change it at its origin.",
        )
        .fact_if(
            "origin",
            image
                .origin
                .as_deref()
                .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()),
        ));
    }
    Ok(())
}

/// Used for every id that belongs to somebody else, seen or hidden.
pub(crate) fn not_yours(id: RecordId) -> Refusal {
    Refusal::new(
        Code::Forbidden,
        format!(
            "You may not write under the id {id}. Check the id; for a new record choose another, or let the registry mint one."
        ),
    )
}

fn precondition(
    run: &mut Run<'_, '_, '_>,
    command: &Prepared,
    image: &RecordImage,
) -> Result<(), Refusal> {
    // Within one job the version that counts is the one before the job.
    let version = *run.versions.entry(image.id).or_insert(Some(image.version));
    let Some(version) = version else {
        return Ok(());
    };
    match command.if_match {
        Some(IfMatch::Any) => Ok(()),
        Some(IfMatch::Version(seen)) if seen == version => Ok(()),
        Some(IfMatch::Version(seen)) => Err(Refusal::new(
            Code::PreconditionFailed,
            format!("The record has version {version} now, not {seen}. Read it again, and decide on what you see there."),
        )
        .fact(fact::VERSION, version)),
        None => Err(Refusal::new(
            Code::PreconditionRequired,
            format!("A write to an existing record says which version it has seen: send If-Match with \"{version}\" after reading it, or * for whatever it is."),
        )
        .fact(fact::VERSION, version)),
    }
}

fn first_day(image: &RecordImage, bound: Bound) -> Result<chrono::NaiveDate, Refusal> {
    match bound {
        Bound::At(date) => Ok(date),
        Bound::Start => image.timeline.first_day().ok_or_else(|| {
            Refusal::new(
                Code::NothingValid,
                "The record has no first day: it was retracted.",
            )
        }),
    }
}

fn replace(
    run: &mut Run<'_, '_, '_>,
    image: &RecordImage,
    value: &Validated,
    request: ReplacePeriod,
    overwrite_planned: bool,
) -> Result<Change, Stop> {
    let period = image
        .timeline
        .resolve_replace(request)
        .map_err(|error| refuse_timeline(&error))?;
    let resolved = run.resolve(value, period)?;
    let (after, period) = image
        .timeline
        .replace_if(request, resolved, overwrite_planned, |old, new| {
            old.hash() == new.hash()
        })
        .map_err(|error| refuse_timeline(&error))?;
    Ok(Change {
        after,
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
    let values: Vec<serde_json::Value> = image
        .timeline
        .states()
        .iter()
        .filter(|state| state.period.overlaps(&period))
        .map(|state| state.value.value())
        .collect();
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
        let patched = patch.apply(&present).map_err(|fault| {
            Stop::from(
                Refusal::of_faults(vec![(Code::PatchFailed, fault)])
                    .unwrap_or_else(Refusal::internal),
            )
        })?;
        if patched == present {
            return Ok(state.value.clone());
        }
        let validated = run
            .job
            .context
            .model
            .validate(domain, None, patched)
            .map_err(|errors| {
                let faults: Vec<Fault> = errors
                    .into_iter()
                    .map(|error| {
                        Fault::from(error).with("validFrom", state.period.from().to_string())
                    })
                    .collect();
                Stop::from(Refusal::invalid_data(faults))
            })?;
        let resolved = run.resolve(&validated, state.period)?;
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
fn finish(
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

fn exists(run: &Run<'_, '_, '_>, image: &RecordImage) -> Refusal {
    if image.owner != run.job.context.owner {
        return not_yours(image.id);
    }
    Refusal::new(
        Code::RecordExists,
        format!(
            "There is a record {} already: replace or amend it, or leave id out to get a new one.",
            image.id
        ),
    )
    .fact(fact::VERSION, image.version)
}

/// The refusals of the timeline, each with what to do.
pub(crate) fn refuse_timeline(error: &TimelineError) -> Refusal {
    match error {
        TimelineError::Period(error) => invalid_period(error),
        TimelineError::Overlap { .. } => Refusal::internal(),
        TimelineError::AlreadyExists { .. } => {
            Refusal::new(Code::RecordExists, format!("{error}."))
        }
        TimelineError::EndedUseRevive { end } => Refusal::new(
            Code::RecordEnded,
            format!("{error}: POST to its revivals with data and validFrom."),
        )
        .fact(fact::ENDED, end.map(|end| end.to_string())),
        TimelineError::PlannedStates { states, ends } => {
            let states: Vec<serde_json::Value> = states
                .iter()
                .filter_map(|period| serde_json::to_value(period).ok())
                .collect();
            let ends: Vec<String> = ends.iter().map(ToString::to_string).collect();
            Refusal::new(
                Code::PlannedStates,
                format!("{error}. Give validTo to stop before them, amend instead to keep them, or say overwritePlanned=true."),
            )
            .fact("plannedStates", states)
            .fact("plannedEnds", ends)
        }
        TimelineError::NothingValid { period } => Refusal::new(
            Code::NothingValid,
            format!(
                "Nothing is valid in {period}: an amendment changes what holds and never creates validity. Replace, or revive, to make something hold then."
            ),
        ),
        TimelineError::NeverValid { .. } => Refusal::new(
            Code::NeverValid,
            "After this the record would never have been valid at all. If it was recorded in error, retract it: POST to its retractions.",
        ),
        TimelineError::NotEnded { end, .. } => Refusal::new(Code::NotEnded, format!("{error}."))
            .fact(fact::ENDED, (*end != Period::OPEN).then(|| end.to_string())),
    }
}
