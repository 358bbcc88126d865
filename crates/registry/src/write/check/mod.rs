//! What must hold at the end of a job, under the owner's lock: consequences for referrers first, since they change
//! timelines, then the demands on every timeline that changed. Everything that is wrong is collected.

mod codes;
mod controllers;
mod cycles;
mod follow;
mod identifiers;
mod targets;
mod without;

use std::collections::BTreeMap;

use grunddata_information_model::{LinkUse, Resolved};
use grunddata_model::{Period, RecordId, Timeline};
use grunddata_store::Needs;

use super::apply::{Failure, Run};

/// Runs every check.
pub(super) fn all(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    follow::consequences(run)?;
    prefetch(run)?;
    targets::check(run)?;
    cycles::check(run)?;
    controllers::check(run)?;
    codes::check(run);
    identifiers::check(run)?;
    Ok(())
}

/// What must hold of records that were handed over: what they refer to may have stayed behind, and is not asked for.
pub(super) fn received(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    prefetch(run)?;
    cycles::check(run)?;
    identifiers::check(run)?;
    Ok(())
}

/// Fetches in few statements what the checks of a long list will ask for one by one.
fn prefetch(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    let mut needs = Needs::default();
    for touched in run.touched.values() {
        for state in touched.after.states() {
            needs
                .records
                .extend(state.value.links().iter().map(|link| link.target));
            needs.identifiers.extend(
                state
                    .value
                    .identifiers()
                    .iter()
                    .map(|identifier| (identifier.scheme.clone(), identifier.value.clone())),
            );
        }
    }
    needs.records.retain(|id| !run.touched.contains_key(id));
    needs.records.sort_unstable();
    needs.records.dedup();
    run.tx.prefetch(&needs)?;
    Ok(())
}

/// The parts of the period that none of the others holds, in order. The others are sorted.
pub(super) fn subtract(period: Period, others: &[Period]) -> Vec<Period> {
    let mut left = Vec::new();
    let mut from = period.from();
    for other in others.iter().filter(|other| other.overlaps(&period)) {
        left.extend(Period::new(from, other.from()).ok());
        from = from.max(other.to());
    }
    left.extend(Period::new(from, period.to()).ok());
    left
}

/// When each link of a timeline holds, whatever its class.
fn links(timeline: &Timeline<Resolved>) -> BTreeMap<LinkUse, Vec<Period>> {
    timeline.coalesce(|value| value.links().iter().map(classless).collect::<Vec<_>>())
}

fn classless(link: &LinkUse) -> LinkUse {
    LinkUse {
        class: 0,
        ..link.clone()
    }
}

/// The links that the job brought, with the periods that are new.
fn new_links(run: &Run<'_, '_, '_>, id: RecordId) -> Vec<(LinkUse, Vec<Period>)> {
    let Some(touched) = run.touched.get(&id) else {
        return Vec::new();
    };
    let before = links(&touched.before);
    links(&touched.after)
        .into_iter()
        .filter_map(|(link, periods)| {
            let known = before.get(&link).map(Vec::as_slice).unwrap_or_default();
            let new: Vec<Period> = periods
                .into_iter()
                .flat_map(|period| subtract(period, known))
                .collect();
            (!new.is_empty()).then_some((link, new))
        })
        .collect()
}

/// Where a link stands in the data that the command brought: for the pointer of an error.
fn pointer_of(run: &Run<'_, '_, '_>, id: RecordId, link: &LinkUse) -> String {
    let command = run
        .touched
        .get(&id)
        .and_then(|touched| touched.command)
        .and_then(|index| run.job.commands.get(index));
    let references = command
        .and_then(|command| command.value())
        .map(|value| value.references())
        .unwrap_or_default();
    let same_relation = || {
        references
            .iter()
            .filter(|reference| reference.relation == link.relation)
    };
    let exact = same_relation().find(|reference| {
        matches!(&reference.target, grunddata_information_model::Target::Id(id) if *id == link.target)
    });
    exact
        .or_else(|| same_relation().next())
        .map(|reference| reference.pointer.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: &str, to: &str) -> Period {
        Period::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    }

    #[test]
    fn subtracting_leaves_the_days_of_the_one_alone() {
        let year = period("2026-01-01", "2027-01-01");
        assert_eq!(subtract(year, &[]), [year]);
        assert_eq!(subtract(year, &[Period::ALWAYS]), []);
        assert_eq!(
            subtract(
                year,
                &[
                    period("2025-01-01", "2026-02-01"),
                    period("2026-03-01", "2026-04-01"),
                    period("2026-12-01", "2028-01-01"),
                ]
            ),
            [
                period("2026-02-01", "2026-03-01"),
                period("2026-04-01", "2026-12-01")
            ]
        );
    }
}
