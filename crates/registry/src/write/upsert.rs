//! Upsert: the record that has the identifier is replaced, or a new one created. Under the owner's lock, so that two at
//! once make one record.

use grunddata_information_model::Uniqueness;
use grunddata_model::{RecordId, ReplacePeriod};
use grunddata_store::ALL_CLASSES;

use super::apply::Run;
use super::guards::{check_controller, check_right, guard, precondition};
use super::operate::{Done, Stop, create, finish, replace};
use super::prepare::{Prepared, PreparedAction, Target};
use super::withheld::refuse_beyond;
use crate::read::class_of;
use crate::{Code, Refusal};

/// Finds the record by the identifier and replaces it, or creates it.
pub(super) fn upsert(
    run: &mut Run<'_, '_, '_>,
    index: usize,
    command: &Prepared,
) -> Result<Done, Stop> {
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
    // Whoever does not see such identifiers finds nothing by them.
    let context = &run.job.context;
    let sight = context.may_write(command.envelope.controller, command.domain, false);
    let read = context.may_read(command.envelope.controller, command.domain);
    let beyond = sight.map_or(0, |sight| !(sight.classes & read) & ALL_CLASSES);
    if value
        .identifiers()
        .iter()
        .any(|identifier| identifier.scheme == *scheme && identifier.class & beyond != 0)
    {
        return Err(refuse_beyond(beyond).into());
    }
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
    // Whichever way it ends, it tells whether there is such a record.
    let context = &run.job.context;
    let class = class_of(&context.model, scheme);
    context.disclosed.asked_for(&context.owner, class);
    for id in &found {
        context.disclosed.note(&context.owner, *id, class);
    }
    // What the writer does not see whole is in use, and nothing more is said: not which record it is, not how many.
    for id in &found {
        if !run.sees_identifier(*id, scheme, &identifier)? {
            check_right(run, command, command.envelope.controller)?;
            return Err(Refusal::new(
                Code::IdentifierInUse,
                format!("The {scheme} is in use. Check it; if it is right, ask the information steward of the owner."),
            )
            .into());
        }
    }
    match found.as_slice() {
        [] if command.if_match.is_some() => Err(Refusal::new(
            Code::PreconditionFailed,
            format!("No record has this {scheme}, so that no version of it can match. Leave If-Match out to create it."),
        )
        .into()),
        [] => create(run, index, command, *fresh, true, value, *period),
        [only] => {
            let image = run.tx.record(*only)?.ok_or_else(|| Refusal::not_found(only))?;
            run.unresolved.holds(Some(&image));
            guard(run, command, &image)?;
            if command.if_match.is_some() {
                precondition(run, command, &image)?;
            }
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
