//! What differs between two timelines, and the words for what stays.

use std::collections::BTreeSet;

use grunddata_information_model::Resolved;
use grunddata_model::Timeline;
use serde_json::Value;

use super::leaves::{self};
use super::row::{PropertyChange, RowDifference, RowProblem, problem};

/// Another source still speaks of the record.
pub(super) fn still_asserted(source: &str) -> RowProblem {
    RowProblem::new(
        problem::STILL_ASSERTED,
        format!("The source {source} speaks of the record too: it stays, and only what this source says of it goes."),
        format!("Källan {source} anger också posten: den blir kvar, och bara denna källas uppgift faller."),
    )
    .about(source)
}

/// The source does not decide when records end.
pub(super) fn not_authoritative() -> RowProblem {
    RowProblem::new(
        problem::NOT_AUTHORITATIVE,
        "The source does not decide when records end: the record stays. If it should, put authoritative.ends.",
        "Källan avgör inte när poster upphör: posten blir kvar. Ska den det, sätt authoritative.ends.",
    )
}

/// What differs between two timelines, property by property.
pub(super) fn differences(
    before: &Timeline<Resolved>,
    after: &Timeline<Resolved>,
) -> Vec<RowDifference> {
    before
        .diff(after)
        .into_iter()
        .map(|difference| {
            let properties = match (difference.before, difference.after) {
                (Some(old), Some(new)) => {
                    let (old, new) = (old.value(), new.value());
                    properties(&old, &new)
                }
                _ => Vec::new(),
            };
            RowDifference {
                period: difference.period,
                held: difference.before.is_some(),
                holds: difference.after.is_some(),
                properties,
            }
        })
        .collect()
}

fn properties(old: &Value, new: &Value) -> Vec<PropertyChange> {
    let (before, after) = (leaves::leaves(old), leaves::leaves(new));
    let pointers: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    pointers
        .into_iter()
        .filter(|pointer| before.get(*pointer) != after.get(*pointer))
        .map(|pointer| PropertyChange {
            pointer: pointer.clone(),
            from: before.get(pointer).map(|value| (*value).clone()),
            to: after.get(pointer).map(|value| (*value).clone()),
        })
        .collect()
}

/// Whether a day would be less protected than it is.
pub(super) fn lowers_protection(before: &Timeline<Resolved>, after: &Timeline<Resolved>) -> bool {
    before
        .diff(after)
        .iter()
        .any(|difference| match (difference.before, difference.after) {
            (Some(old), Some(new)) => new.protection() < old.protection(),
            _ => false,
        })
}
