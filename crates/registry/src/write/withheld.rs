//! What a writer may not see it may not write either: neither set, nor change, nor lose by writing something else. To name
//! it is refused; otherwise it stays as it is, and no answer tells whether there is any.

use grunddata_information_model::{PrivacyClass, Resolved};
use grunddata_model::{AmendError, Domain, Period, RecordId, Timeline};
use grunddata_store::{ALL_CLASSES, RecordImage};
use serde_json::Value;

use super::apply::Run;
use super::guards::refuse_timeline;
use super::kept::kept;
use super::operate::Stop;
use super::prepare::{Prepared, PreparedAction};
use crate::{Code, Fault, Patch, Refusal};

/// That properties of classes beyond the writer's are after the write as they were before. To end a record is no change of
/// its properties, and what comes back with an earlier version was not said by the writer.
pub(super) fn check_withheld(
    run: &Run<'_, '_, '_>,
    command: &Prepared,
    controller: Option<RecordId>,
    before: &Timeline<Resolved>,
    after: &Timeline<Resolved>,
) -> Result<(), Stop> {
    let ends = matches!(
        command.action,
        PreparedAction::End { .. } | PreparedAction::Retract { .. }
    );
    let reverts = matches!(command.action, PreparedAction::Revert { .. });
    let context = &run.job.context;
    let Some(sight) = context.may_write(controller, command.domain, ends) else {
        return Err(Refusal::internal().into());
    };
    let beyond = !sight.classes & ALL_CLASSES;
    if beyond == 0 {
        return Ok(());
    }
    for difference in before.diff(after) {
        let Some(new) = difference.after else {
            continue;
        };
        let of_old = difference.before.map_or(0, Resolved::classes);
        if (of_old | new.classes()) & beyond == 0 || (reverts && difference.before.is_none()) {
            continue;
        }
        let hidden = |value: &Resolved| without(run, value, value.body(), !beyond & ALL_CLASSES);
        let old = difference.before.map(|old| superseded(old, new, beyond));
        let was = old.as_ref().map(hidden).transpose()?;
        if was.as_deref().unwrap_or("{}") != hidden(new)? {
            return Err(refuse_beyond(beyond).into());
        }
    }
    Ok(())
}

/// The old value with the references of the new one in place of those that waited by an identifier beyond the writer's classes:
/// that the record leads somewhere is of the class of the reference.
fn superseded(old: &Resolved, new: &Resolved, beyond: u8) -> Resolved {
    if old
        .pending()
        .iter()
        .all(|pending| pending.class & beyond == 0)
    {
        return old.clone();
    }
    let said = new.value();
    old.settled(&mut |pending| {
        let at = said
            .pointer(&pending.pointer)
            .filter(|_| pending.class & beyond != 0)?;
        at.get("id")?.as_str()?.parse().ok()
    })
}

/// The classes that the writer does not reach in records of the controller and the domain: what it may not write, and what
/// it may not read, for whether a write changes anything tells what there is.
pub(super) fn beyond(
    run: &Run<'_, '_, '_>,
    controller: Option<RecordId>,
    domain: Domain,
) -> Result<u8, Stop> {
    let context = &run.job.context;
    let Some(written) = context.may_write(controller, domain, false) else {
        return Err(Refusal::internal().into());
    };
    let read = context.may_read(controller, domain);
    Ok(!(written.classes & read) & ALL_CLASSES)
}

/// The timeline with what the writer does not see as it was: on each day that holds before and after.
pub(super) fn keep_withheld(
    run: &mut Run<'_, '_, '_>,
    image: &RecordImage,
    after: Timeline<Resolved>,
    beyond: u8,
) -> Result<Timeline<Resolved>, Stop> {
    if beyond == 0 {
        return Ok(after);
    }
    let mut with = after.clone();
    for difference in image.timeline.diff(&after) {
        let (Some(old), Some(new)) = (difference.before, difference.after) else {
            continue;
        };
        if (old.classes() | new.classes()) & beyond == 0 {
            continue;
        }
        let (was, seen) = (old.value(), visible(run, old, beyond)?);
        let data = kept(&was, &seen, visible(run, new, beyond)?);
        let value = if data == was {
            old.clone()
        } else {
            revalidate(run, image.domain, data, difference.period)?
        };
        with = with
            .amend(difference.period, |_| Ok(value.clone()))
            .map_err(|error| match error {
                AmendError::Timeline(error) => Stop::from(refuse_timeline(&error)),
                AmendError::Patch { error, .. } => error,
            })?;
    }
    Ok(with)
}

/// Data that was put together from what is stored and what a writer says, as a value for these days.
pub(super) fn revalidate(
    run: &mut Run<'_, '_, '_>,
    domain: Domain,
    data: Value,
    period: Period,
) -> Result<Resolved, Stop> {
    let model = &run.job.context.model;
    let validated = model.validate(domain, None, data).map_err(|errors| {
        let faults: Vec<Fault> = errors
            .into_iter()
            .map(|error| Fault::from(error).with("validFrom", period.from().to_string()))
            .collect();
        Stop::from(Refusal::invalid_data(faults))
    })?;
    run.resolve(&validated, period)
}

/// The data of a state without what is of classes beyond the writer's.
pub(super) fn visible(run: &Run<'_, '_, '_>, state: &Resolved, beyond: u8) -> Result<Value, Stop> {
    if state.classes() & beyond == 0 {
        return Ok(state.value());
    }
    let shown = without(run, state, state.body(), beyond)?;
    serde_json::from_str(&shown).map_err(|error| {
        tracing::error!(%error, "a state cannot be compared");
        Stop::from(Refusal::internal())
    })
}

/// The data of a state with the patch applied. A patch is what its writer may say of what the writer sees: it tests,
/// copies and removes nothing else, and whether it applies depends on nothing else.
pub(super) fn patched_as_seen(
    run: &Run<'_, '_, '_>,
    state: &Resolved,
    present: &Value,
    patch: &Patch,
    beyond: u8,
) -> Result<Value, Stop> {
    let apply = |data: &Value| {
        patch.apply(data).map_err(|fault| {
            Stop::from(
                Refusal::of_faults(vec![(Code::PatchFailed, fault)])
                    .unwrap_or_else(Refusal::internal),
            )
        })
    };
    if beyond == 0 {
        return apply(present);
    }
    let seen = apply(&visible(run, state, beyond)?)?;
    let canonical = |value: &Value, beyond| without(run, state, &value.to_string(), beyond);
    let named = match patch {
        Patch::Merge(patch) => filled(patch),
        Patch::Json(_) => Value::Null,
    };
    let names_beyond = !named.is_null() && canonical(&named, beyond)? != canonical(&named, 0)?;
    if names_beyond || canonical(&seen, beyond)? != canonical(&seen, 0)? {
        return Err(refuse_beyond(beyond).into());
    }
    Ok(kept(present, &visible(run, state, beyond)?, seen))
}

/// A merge patch as if it removed nothing, so that what it names can be seen.
fn filled(patch: &Value) -> Value {
    match patch {
        Value::Null => Value::Bool(true),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), filled(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// The text of a body without the classes.
pub(super) fn without(
    run: &Run<'_, '_, '_>,
    state: &Resolved,
    body: &str,
    beyond: u8,
) -> Result<String, Stop> {
    let model = &run.job.context.model;
    let shown = model.withhold_from(state.domain(), state.model(), body, !beyond & ALL_CLASSES);
    shown.map_err(|error| {
        tracing::error!(%error, "a state cannot be compared");
        Stop::from(Refusal::internal())
    })
}

/// Used for everything that reaches beyond the writer's classes.
pub(super) fn refuse_beyond(beyond: u8) -> Refusal {
    let classes: Vec<&str> = PrivacyClass::ALL
        .into_iter()
        .filter(|class| class.bit() & beyond != 0)
        .map(PrivacyClass::as_str)
        .collect();
    Refusal::new(
        Code::Forbidden,
        format!(
            "Your grants do not reach properties of the classes {}: leave them out. What the record has of them stays as it is, whatever you write of the others.",
            classes.join(", ")
        ),
    )
}
