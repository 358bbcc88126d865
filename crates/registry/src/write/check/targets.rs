//! The demands on what a record refers to, for the periods on which the job brought the reference: the target exists,
//! is of the right domain and kind, and holds all the while.

use std::collections::BTreeSet;

use grunddata_information_model::{LinkUse, OnTargetEnd, Relation};
use grunddata_model::{Period, RecordId};
use grunddata_store::RecordImage;
use serde_json::json;

use super::without::without;
use super::{new_links, pointer_of};
use crate::write::apply::{Failure, Run};
use crate::write::request::OnUncovered;
use crate::{Code, Fault};

pub(super) fn check(run: &mut Run<'_, '_, '_>) -> Result<(), Failure> {
    for id in run.order.clone() {
        geometries(run, id)?;
        let Some(touched) = run.touched.get(&id) else {
            continue;
        };
        let (domain, command, on_uncovered) =
            (touched.domain, touched.command, touched.on_uncovered);
        let mut clips: Vec<(LinkUse, Vec<Period>)> = Vec::new();
        for (link, periods) in new_links(run, id) {
            let Some(relation) = run
                .job
                .context
                .model
                .relation(domain, &link.relation)
                .cloned()
            else {
                continue;
            };
            let image = run.tx.record(link.target)?;
            let seen = image.filter(|image| run.job.context.may_refer(image));
            let Some(image) = seen.filter(|image| !image.timeline.is_empty()) else {
                let fault = not_found(run, id, &link);
                run.fault(command, Code::ReferenceNotFound, fault);
                continue;
            };
            if let Some(fault) = wrong_target(run, id, &link, &relation, &image, &periods) {
                run.fault(command, Code::ReferenceWrongTarget, fault);
                continue;
            }
            if relation.on_target_end == OnTargetEnd::Keep {
                continue;
            }
            let uncovered: Vec<Period> = periods
                .iter()
                .flat_map(|period| image.timeline.uncovered(period))
                .collect();
            if uncovered.is_empty() {
                continue;
            }
            let fault = not_covered(run, id, &link, &image, &uncovered);
            match on_uncovered {
                OnUncovered::Reject => run.fault(command, Code::ReferenceNotCovered, fault),
                OnUncovered::Flag => run.findings.push((command, fault)),
                OnUncovered::Clip => clips.push((link, uncovered)),
            }
        }
        clip(run, id, clips)?;
    }
    Ok(())
}

/// A body may refer to a geometry by its hash alone where the owner has that geometry.
fn geometries(run: &mut Run<'_, '_, '_>, id: RecordId) -> Result<(), Failure> {
    let Some(touched) = run.touched.get(&id) else {
        return Ok(());
    };
    let before: BTreeSet<&String> = touched
        .before
        .states()
        .iter()
        .flat_map(|state| state.value.geometry_uses())
        .collect();
    let mut used: Vec<&str> = Vec::new();
    for state in touched.after.states() {
        let came = |hash: &String| {
            state
                .value
                .geometries()
                .iter()
                .any(|(known, _)| known == hash)
        };
        let uses = state.value.geometry_uses().iter();
        used.extend(
            uses.filter(|hash| !before.contains(hash) && !came(hash))
                .map(String::as_str),
        );
    }
    if used.is_empty() {
        return Ok(());
    }
    let command = touched.command;
    let data: Vec<serde_json::Value> = touched
        .after
        .states()
        .iter()
        .map(|state| state.value.value())
        .collect();
    for hash in run.tx.unknown_geometries(&used)? {
        let text = format!("geometry:sha256-{hash}");
        let pointer = data.iter().find_map(|value| place(value, &text));
        let fault = Fault::new(
            pointer.unwrap_or_default(),
            Code::ReferenceNotFound,
            "There is no geometry with this hash: write the geometry itself, as GeoJSON.",
            "Det finns ingen geometri med denna hash: skriv geometrin själv, som GeoJSON.",
        );
        run.fault(command, Code::ReferenceNotFound, fault);
    }
    Ok(())
}

/// Where a text stands in the data.
fn place(value: &serde_json::Value, text: &str) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::String(found) if found == text => Some(String::new()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| place(item, text).map(|rest| format!("/{index}{rest}"))),
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let token = name.replace('~', "~0").replace('/', "~1");
            place(member, text).map(|rest| format!("/{token}{rest}"))
        }),
        _ => None,
    }
}

/// The demands on domain and kind.
fn wrong_target(
    run: &Run<'_, '_, '_>,
    id: RecordId,
    link: &LinkUse,
    relation: &Relation,
    image: &RecordImage,
    periods: &[Period],
) -> Option<Fault> {
    let states = || image.timeline.states().iter();
    let rule = relation
        .targets
        .iter()
        .find(|target| target.domain == image.domain);
    let right = match rule {
        None => false,
        // Any kind will do: the bodies of the targets need not be read.
        Some(target) if target.kinds.is_none() => true,
        Some(_) if relation.on_target_end == OnTargetEnd::Keep => {
            states().any(|state| relation.allows(image.domain, state.value.kind()))
        }
        Some(_) => states()
            .filter(|state| periods.iter().any(|period| period.overlaps(&state.period)))
            .all(|state| relation.allows(image.domain, state.value.kind())),
    };
    if right {
        return None;
    }
    let kind = states()
        .last()
        .and_then(|state| state.value.kind())
        .unwrap_or("no kind");
    let allowed: Vec<String> = relation
        .targets
        .iter()
        .map(|target| match &target.kinds {
            Some(kinds) => format!("{} ({})", target.domain, kinds.join(", ")),
            None => target.domain.to_string(),
        })
        .collect();
    let fault = Fault::new(
        pointer_of(run, id, link),
        Code::ReferenceWrongTarget,
        format!(
            "{} may not lead to the {} {} ({kind}): it leads to {}.",
            link.relation,
            image.domain,
            link.target,
            allowed.join(" or ")
        ),
        format!(
            "{} får inte peka på {} {} ({kind}).",
            link.relation, image.domain, link.target
        ),
    );
    Some(
        fault
            .with("target", link.target.to_string())
            .with("allowed", allowed),
    )
}

fn not_found(run: &Run<'_, '_, '_>, id: RecordId, link: &LinkUse) -> Fault {
    Fault::new(
        pointer_of(run, id, link),
        Code::ReferenceNotFound,
        format!(
            "There is no record {} that {} could lead to: create it first, or in the same transaction.",
            link.target, link.relation
        ),
        format!("Det finns ingen post {} som {} kan peka på: skapa den först, eller i samma transaktion.", link.target, link.relation),
    )
    .with("target", link.target.to_string())
}

fn not_covered(
    run: &Run<'_, '_, '_>,
    id: RecordId,
    link: &LinkUse,
    image: &RecordImage,
    uncovered: &[Period],
) -> Fault {
    let when: Vec<String> = uncovered.iter().map(ToString::to_string).collect();
    let holds: Vec<String> = image
        .timeline
        .stretches()
        .iter()
        .map(ToString::to_string)
        .collect();
    Fault::new(
        pointer_of(run, id, link),
        Code::ReferenceNotCovered,
        format!(
            "{} leads to {}, which holds in {} and so not in {}. Shorten this record's period, or choose another target for those days.",
            link.relation,
            link.target,
            holds.join(", "),
            when.join(", ")
        ),
        format!("{} pekar på {}, som inte gäller under {}.", link.relation, link.target, when.join(", ")),
    )
    .with("target", link.target.to_string())
    .with("uncovered", json!(uncovered))
    .with("targetPeriods", json!(image.timeline.stretches()))
}

/// Takes the references out of the states on the days on which their targets do not hold.
fn clip(
    run: &mut Run<'_, '_, '_>,
    id: RecordId,
    clips: Vec<(LinkUse, Vec<Period>)>,
) -> Result<(), Failure> {
    for (link, periods) in clips {
        let Some(image) = run.tx.record(id)? else {
            continue;
        };
        let Some((mut staged, command, on_uncovered)) = run.touched.get(&id).map(|touched| {
            (
                touched.staged.clone(),
                touched.command,
                touched.on_uncovered,
            )
        }) else {
            continue;
        };
        let finding = not_covered(run, id, &link, &image, &periods);
        let model = run.job.context.model.clone();
        let mut after = image.timeline.clone();
        let mut failed = false;
        for period in &periods {
            let amended = after.amend(*period, |state| {
                without(&model, &state.value, &link.relation, link.target).ok_or(())
            });
            match amended {
                Ok(amended) => after = amended,
                Err(_) => failed = true,
            }
        }
        if failed {
            // The model demands the reference: it cannot be clipped.
            run.fault(command, Code::ReferenceNotCovered, finding);
            continue;
        }
        run.findings.push((command, finding));
        staged.before = image.timeline.clone();
        staged.after = after;
        run.stage(staged, command, on_uncovered)?;
    }
    Ok(())
}
