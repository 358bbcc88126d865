//! Hierarchies never contain a circle at any valid date: per relation, and per kind of it.

use std::collections::{BTreeMap, BTreeSet};

use grunddata_information_model::LinkUse;
use grunddata_model::{Period, RecordId};

use super::{new_links, pointer_of};
use crate::write::apply::{Failure, Run};
use crate::{Code, Fault};

/// The most records that a search upwards visits.
const MAX_VISITED: usize = 100_000;

pub(super) fn check(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    // Nothing but this job can refer to a record that it created.
    let referred: BTreeSet<RecordId> = run
        .touched
        .values()
        .flat_map(|touched| touched.after.states())
        .flat_map(|state| state.value.links())
        .map(|link| link.target)
        .collect();
    for id in run.order.clone() {
        let created = matches!(run.versions.get(&id), Some(None));
        if created && !referred.contains(&id) {
            continue;
        }
        let Some((domain, command)) = run
            .touched
            .get(&id)
            .map(|touched| (touched.domain, touched.command))
        else {
            continue;
        };
        for (link, periods) in new_links(run, id) {
            let hierarchical = run
                .job
                .context
                .model
                .relation(domain, &link.relation)
                .is_some_and(|relation| relation.hierarchical);
            if !hierarchical {
                continue;
            }
            for period in periods {
                let found = circle(run, id, &link, period)?;
                if matches!(found, Above::TooMany) {
                    let fault = Fault::new(
                        pointer_of(run, id, &link),
                        Code::HierarchyCycle,
                        format!(
                            "Through {} more than {MAX_VISITED} records would stand above the record, so that it cannot be made sure that it does not stand above itself: choose another target.",
                            link.relation
                        ),
                        format!(
                            "Genom {} skulle fler än {MAX_VISITED} poster stå över posten, så att det inte kan säkras att den inte står över sig själv: välj ett annat mål.",
                            link.relation
                        ),
                    );
                    run.fault(command, Code::HierarchyCycle, fault);
                    break;
                }
                if let Above::Itself(when, through) = found {
                    // What stands in between and is not for this writer is not named.
                    let mut path: Vec<String> = Vec::with_capacity(through.len());
                    for id in through {
                        path.push(if run.sees(id)? {
                            id.to_string()
                        } else {
                            "…".to_owned()
                        });
                    }
                    let fault = Fault::new(
                        pointer_of(run, id, &link),
                        Code::HierarchyCycle,
                        format!(
                            "Through {} the record would stand above itself in {when} ({}): choose another target, or change the one in between first.",
                            link.relation,
                            path.join(" → ")
                        ),
                        format!("Genom {} skulle posten stå över sig själv under {when}.", link.relation),
                    )
                    .with("path", path)
                    .with("period", serde_json::json!(when));
                    run.fault(command, Code::HierarchyCycle, fault);
                    break;
                }
            }
        }
    }
    Ok(())
}

/// What stands above a record.
enum Above {
    /// The record does not.
    Others,
    /// The record itself, when, and the way there.
    Itself(Period, Vec<RecordId>),
    /// More than is looked through.
    TooMany,
}

/// Looks upwards from the target for the record itself, on the days of the period alone.
fn circle(
    run: &mut Run<'_, '_, '_>,
    id: RecordId,
    link: &LinkUse,
    period: Period,
) -> Result<Above, Failure> {
    let mut visited: BTreeMap<RecordId, Vec<Period>> = BTreeMap::new();
    let mut steps: Vec<(RecordId, Period, Option<usize>)> = vec![(link.target, period, None)];
    let mut next = 0;
    while let Some(&(node, when, _)) = steps.get(next) {
        if node == id {
            let mut path = vec![id];
            let mut at = Some(next);
            while let Some((node, _, before)) = at.and_then(|index| steps.get(index)) {
                path.push(*node);
                at = *before;
            }
            path.reverse();
            path.rotate_right(1);
            return Ok(Above::Itself(when, path));
        }
        if let Some(image) = run.tx.record(node)? {
            for state in image.timeline.states() {
                let Some(both) = state.period.intersect(&when) else {
                    continue;
                };
                for up in state
                    .value
                    .links()
                    .iter()
                    .filter(|up| up.relation == link.relation)
                {
                    let seen = visited.entry(up.target).or_default();
                    if !seen.iter().any(|seen| seen.covers(&both)) {
                        seen.push(both);
                        steps.push((up.target, both, Some(next)));
                    }
                }
            }
        }
        next += 1;
        if next > MAX_VISITED {
            return Ok(Above::TooMany);
        }
    }
    Ok(Above::Others)
}
