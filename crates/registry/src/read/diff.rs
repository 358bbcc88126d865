//! What differs between two versions of a record, as periods of valid time with JSON Patch operations.

use grunddata_information_model::Resolved;
use grunddata_model::Timeline;
use serde_json::{Value, json};

use super::view::{DiffKind, DiffPeriod};

/// The differences, by valid time; neighbours with the same operations are one.
pub(crate) fn diff(from: &Timeline<Resolved>, to: &Timeline<Resolved>) -> Vec<DiffPeriod> {
    let mut periods: Vec<DiffPeriod> = Vec::new();
    for difference in from.diff(to) {
        let (kind, operations) = match (difference.before, difference.after) {
            (None, Some(new)) => (
                DiffKind::Added,
                json!([{"op": "add", "path": "", "value": new.value()}]),
            ),
            (Some(_), None) => (DiffKind::Removed, json!([{"op": "remove", "path": ""}])),
            (Some(old), Some(new)) => {
                let patch = json_patch::diff(&old.value(), &new.value());
                (
                    DiffKind::Changed,
                    serde_json::to_value(patch).unwrap_or(Value::Null),
                )
            }
            (None, None) => continue,
        };
        match periods.last_mut() {
            Some(last)
                if last.kind == kind
                    && last.operations == operations
                    && last.period.to() == difference.period.from() =>
            {
                if let Ok(joined) =
                    grunddata_model::Period::new(last.period.from(), difference.period.to())
                {
                    last.period = joined;
                }
            }
            _ => periods.push(DiffPeriod {
                period: difference.period,
                kind,
                operations,
            }),
        }
    }
    periods
}
