//! What is refused before and by the timeline: records that may not be written, versions that were not seen, and the
//! refusals of the timeline algebra, each with what to do.

use grunddata_information_model::{Package, PrivacyClass, Resolved, Validated};
use grunddata_model::{Domain, Period, RecordId, Timeline, TimelineError};
use grunddata_store::{RecordImage, RecordStatus};

use super::apply::Run;
use super::operate::Stop;
use super::prepare::{Bound, Prepared, PreparedAction, invalid_period};
use super::request::IfMatch;
use super::withheld::without;
use crate::transfers::is_copy;
use crate::{Code, Refusal, fact};

/// No such version.
pub(crate) fn unknown_version(id: RecordId, version: u32, latest: u32) -> Refusal {
    Refusal::new(
        Code::UnknownVersion,
        format!("The record {id} has no version {version}: its versions are 1 to {latest}."),
    )
    .fact(fact::VERSION, latest)
}

/// That what is written names no package that only explains another registry's records (`docs/adr/0021`): it may stay where the
/// record has it already.
pub(super) fn check_given(
    run: &Run<'_, '_, '_>,
    value: &Validated,
    image: Option<&RecordImage>,
) -> Result<(), Refusal> {
    let model = &run.job.context.model;
    let states = || image.into_iter().flat_map(|image| image.timeline.states());
    let foreign = value.model().split('+').find(|name| {
        let of_it = |package: &&Package| package.model_version().to_string() == **name;
        let foreign = model
            .packages()
            .find(of_it)
            .is_some_and(Package::is_foreign);
        foreign && !states().any(|state| state.value.model().split('+').any(|known| known == *name))
    });
    match foreign {
        None => Ok(()),
        Some(name) => Err(Refusal::new(
            Code::UnknownModel,
            format!(
                "The model {name} came with the records of another registry and explains those alone. Leave model out to use the current one, {}.",
                model.current()
            ),
        )
        .fact("current", model.current().to_string())),
    }
}

/// The controller that a command names is an organisation that the writer may know of.
pub(super) fn check_controller(run: &mut Run<'_, '_, '_>, command: &Prepared) -> Result<(), Stop> {
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

/// Whether the record is one that this writer may not know of, although it is the owner's: a person under protection,
/// or a record of a controller that is not the writer's.
pub(super) fn is_hidden(run: &Run<'_, '_, '_>, image: &RecordImage) -> bool {
    run.job.context.sight(image).is_none()
}

/// That the writer may write such a record under the controller.
pub(super) fn check_right(
    run: &Run<'_, '_, '_>,
    command: &Prepared,
    controller: Option<RecordId>,
) -> Result<(), Refusal> {
    let ends = matches!(
        command.action,
        PreparedAction::End { .. } | PreparedAction::Retract { .. }
    );
    let context = &run.job.context;
    if context
        .may_write(controller, command.domain, ends)
        .is_some()
    {
        return Ok(());
    }
    let what = if ends { "end" } else { "write" };
    Err(Refusal::new(
        Code::Forbidden,
        match controller {
            Some(id) => format!(
                "Your grants do not let you {what} {} of the controller {id}.",
                command.domain.collection()
            ),
            None => format!(
                "Your grants do not let you {what} {} that the owner itself is the controller of: name your own controller in _meta.controller, or ask an administrator for a wider grant.",
                command.domain.collection()
            ),
        },
    ))
}

/// Only sources make copies: nobody turns a record of their own into one.
pub(super) fn check_origin(run: &Run<'_, '_, '_>, command: &Prepared) -> Result<(), Refusal> {
    if command.origin.is_none() || run.job.context.feeds_copies {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        "Copies of other registers are fed by sources alone: leave origin out.",
    ))
}

/// That a copy, or a load whose source does not decide it, lowers no protection, on no day: what a source does not know of
/// does not end by that. Whoever may say that a record is a copy keeps protection, but for a source that is declared
/// authoritative for it.
pub(super) fn check_protection(
    run: &mut Run<'_, '_, '_>,
    image: &RecordImage,
    after: &Timeline<Resolved>,
) -> Result<(), Stop> {
    if !run.job.context.keeps_protection
        || image.protection.level == 0
        || *after == image.timeline
        || !run.tx.takes_back_protection(image.id, after)?
    {
        return Ok(());
    }
    Err(Refusal::new(
        Code::ProtectionLowered,
        format!(
            "The record {} is under protection, and this write of a copy or a load would lower it. Say the same level or a higher one on all its days; a steward takes a protection back, with a token that feeds no copies.",
            image.id
        ),
    )
    .into())
}

/// What no write may do to this record.
pub(super) fn guard(
    run: &Run<'_, '_, '_>,
    command: &Prepared,
    image: &RecordImage,
) -> Result<(), Refusal> {
    let hidden = is_hidden(run, image);
    let other = image.owner != run.job.context.owner;
    if hidden || other {
        // A replace could have meant to create: the id is taken, and nothing is said of by what. Anything else is
        // answered as if there were no such record.
        return Err(match command.action {
            // It could not have meant to create.
            PreparedAction::Replace { .. } if hidden && command.if_match.is_some() => {
                nothing_to_match(image.id)
            }
            PreparedAction::Replace { .. } => not_yours(image.id),
            _ if hidden => Refusal::not_found(image.id),
            _ => not_yours(image.id),
        });
    }
    if image.domain != command.domain {
        return Err(Refusal::not_found(image.id));
    }
    if !run.job.context.allows(image) {
        return Err(Refusal::new(
            Code::Forbidden,
            format!(
                "The record {} is under protection: it is written by those whose grants reach protected data.",
                image.id
            ),
        ));
    }
    check_right(run, command, image.controller)?;
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
    check_origin(run, command)?;
    match image.status {
        RecordStatus::Merged => {
            return Err(Refusal::new(
                Code::Merged,
                "The record was merged into another: write to that one.",
            )
            .fact_if(fact::FORWARD_TO, image.forward_to.map(|id| id.to_string())));
        }
        RecordStatus::Transferred => {
            return Err(crate::transfers::transferred(image.id, image.forward_to));
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
    if run.tx.in_transfer(image.id).is_some() {
        return Err(crate::transfers::in_transfer(image.id));
    }
    // What an amendment changes is seen when it is made.
    let amends = matches!(command.action, PreparedAction::Amend { .. });
    if is_copy(image.origin.as_deref()) && !run.job.context.feeds_copies && !amends {
        return Err(read_only(image));
    }
    Ok(())
}

fn read_only(image: &RecordImage) -> Refusal {
    Refusal::new(
        Code::ReadOnlyCopy,
        "The record is a copy and read-only here: change it at its origin. Only its protection is for the owner's stewards to decide, by an amendment of nothing else.",
    )
    .fact_if(
        "origin",
        image
            .origin
            .as_deref()
            .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok()),
    )
}

/// That of a copy nobody but its feeders changes anything but the protection: who needs it is the owner's to decide, and
/// who feeds the copy takes none back.
pub(super) fn check_copy(
    run: &Run<'_, '_, '_>,
    image: &RecordImage,
    after: &Timeline<Resolved>,
) -> Result<(), Stop> {
    if !is_copy(image.origin.as_deref()) || run.job.context.feeds_copies {
        return Ok(());
    }
    for difference in image.timeline.diff(after) {
        let decided = match (difference.before, difference.after) {
            (Some(old), Some(new)) if old.protection() != new.protection() => {
                let protected = PrivacyClass::Protected.bit();
                let rest = |value: &Resolved| without(run, value, value.body(), protected);
                rest(old)? == rest(new)?
            }
            _ => false,
        };
        if !decided {
            return Err(read_only(image).into());
        }
    }
    Ok(())
}

/// A version of a record that there is not.
pub(super) fn nothing_to_match(id: RecordId) -> Refusal {
    Refusal::new(
        Code::PreconditionFailed,
        format!(
            "There is no record {id}, so that no version of it can match. Leave If-Match out to create it."
        ),
    )
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

pub(super) fn precondition(
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

pub(super) fn first_day(image: &RecordImage, bound: Bound) -> Result<chrono::NaiveDate, Refusal> {
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

pub(super) fn exists(run: &Run<'_, '_, '_>, image: &RecordImage) -> Refusal {
    if image.owner != run.job.context.owner || is_hidden(run, image) {
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

pub(super) fn unknown_temporary(name: &str) -> Refusal {
    Refusal::new(
        Code::UnknownTemporaryId,
        format!("No operation of this transaction creates the tempId {name:?}."),
    )
}
