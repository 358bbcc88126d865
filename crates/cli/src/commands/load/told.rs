//! What is said of loads, for those who read it in the morning.

use grunddata_registry::{
    AssertionKey, Load, LoadStatus, PlanRowState, PlanRowView, PropertyChange, RowProblem,
};
use serde_json::{Value, json};

use super::some;
use crate::output::{grouped, line};

/// The most properties of a row that are shown.
const PROPERTIES: usize = 8;
/// The longest value that is shown whole, in characters.
const VALUE: usize = 60;

/// A load in one line.
pub(super) fn summary(load: &Load) {
    line(format!(
        "{}  {}  {}  {}  {}  {} of {} rows applied",
        load.id,
        load.planned.at,
        load.source,
        load.status.as_str(),
        load.file.name.as_deref().unwrap_or("-"),
        grouped(load.done),
        grouped(load.rows)
    ));
}

/// What a plan comes to, what stops it, and what is wrong with its file.
pub(in super::super) fn plan(load: &Load) {
    let counts = &load.counts;
    line(format!(
        "Load {} of {} for {}: {}, {} of {} as of {}",
        load.id,
        load.source,
        load.owner,
        load.status.as_str(),
        load.kind.as_str(),
        load.file.name.as_deref().unwrap_or("rows of another load"),
        load.reference_date
    ));
    let parts: Vec<String> = [
        some(counts.create, "to create"),
        some(counts.change, "to change"),
        some(counts.end, "to end"),
        some(counts.revive, "to revive"),
        some(counts.confirm, "found as they are"),
        some(counts.release, "no longer spoken of"),
        some(counts.unchanged, "unchanged"),
        some(counts.repeated, "said again in the file"),
        some(counts.rejected, "rejected"),
        some(counts.conflict, "in conflict"),
        some(counts.set_aside, "set aside"),
        some(counts.follow_end, "more that end with them"),
        some(counts.follow_change, "more that lose a reference"),
    ]
    .into_iter()
    .flatten()
    .collect();
    line(format!(
        "  {}",
        if parts.is_empty() {
            "nothing".to_owned()
        } else {
            parts.join(", ")
        }
    ));
    if load.status == LoadStatus::Planned && !load.foreseen {
        line("  it changes so much that it was not found out which records end or change with its rows".to_owned());
    }
    for guard in &load.guards {
        let passed = guard
            .overridden
            .as_ref()
            .map_or_else(String::new, |by| format!(" (overridden by {})", by.by));
        line(format!("  guard {}: {}{passed}", guard.name, guard.message));
    }
    if let Some(failed) = &load.failed {
        line(format!(
            "  failed while {} at {}: {}",
            failed.during, failed.at, failed.message
        ));
    }
    if let Some(pruned) = load.pruned {
        line(format!(
            "  its rows were removed at {pruned}, because they were old"
        ));
    }
    for problem in &load.refused {
        line(format!("  {}", told(problem)));
    }
    for problem in &load.file.notes {
        line(format!("  note: {}", told(problem)));
    }
}

/// What can be done with a load now.
pub(in super::super) fn next(load: &Load) {
    let named = format!("{} {}", load.owner, load.id);
    match load.status {
        LoadStatus::Planned if load.needs_approval && load.approved.is_none() => line(format!(
            "Somebody else has to approve it before it is applied: grunddata loads approve {named} --as NAME"
        )),
        LoadStatus::Planned => line(format!("Apply it with: grunddata loads apply {named}")),
        LoadStatus::Stopped => line(format!(
            "Nothing is applied. Look at the rows (grunddata loads rows {named}); if it is right all the same: grunddata loads override {named} --guard NAME --reason TEXT"
        )),
        LoadStatus::Applying => line(format!(
            "It was broken off. Go on with: grunddata loads apply {named}"
        )),
        _ => {}
    }
}

/// What came of an applied load.
pub(in super::super) fn applied(load: &Load) {
    let counts = &load.counts;
    let parts: Vec<String> = [
        some(counts.applied, "rows applied"),
        some(counts.set_aside, "set aside"),
        some(counts.findings, "findings"),
    ]
    .into_iter()
    .flatten()
    .collect();
    line(format!(
        "{}: {} in {} batches.",
        load.status.as_str(),
        if parts.is_empty() {
            "no rows".to_owned()
        } else {
            parts.join(", ")
        },
        load.batches
    ));
    if counts.set_aside > 0 {
        line(format!(
            "See what was set aside and why: grunddata loads rows {} {} --set-aside",
            load.owner, load.id
        ));
    }
}

/// A row of a plan, with what it changes and what is wrong with it.
pub(super) fn row(row: &PlanRowView) {
    let rows: Vec<String> = row.file_rows.iter().take(5).map(u64::to_string).collect();
    let place = if rows.is_empty() || rows == ["0"] {
        "not in the file".to_owned()
    } else {
        format!("row {}", rows.join(", "))
    };
    let state = match row.state {
        PlanRowState::Planned => "",
        PlanRowState::Applied => " (applied)",
        PlanRowState::SetAside => " (set aside)",
    };
    if row.withheld {
        line(format!(
            "{place}: {}{state}, not shown",
            row.outcome.as_str()
        ));
        return;
    }
    line(format!(
        "{place}: {}{state} {} {}{}",
        row.outcome.as_str(),
        row.record_name.as_deref().unwrap_or_default(),
        row.key.as_ref().map(key).unwrap_or_default(),
        row.record.map_or_else(String::new, |id| format!("  {id}"))
    ));
    for difference in &row.diff {
        for property in difference.properties.iter().take(PROPERTIES) {
            line(format!("    {}: {}", difference.period, change(property)));
        }
        let more = difference.properties.len().saturating_sub(PROPERTIES);
        if let Some(more) = some(more as u64, "properties more") {
            line(format!("    {}: {more}", difference.period));
        }
    }
    for problem in &row.problems {
        line(format!("    {}", told(problem)));
    }
    let follows = &row.follows;
    for (list, what) in [
        (&follows.end, "ends too"),
        (&follows.change, "loses the reference"),
    ] {
        for one in list.iter().take(PROPERTIES) {
            line(format!("    {what}: {} {}", one.domain, one.id));
        }
    }
    let named = follows.end.len().min(PROPERTIES) + follows.change.len().min(PROPERTIES);
    let more = (follows.end.len() + follows.change.len() - named) as u64 + follows.more;
    if let Some(more) = some(more, "more follow") {
        line(format!("    {more}"));
    }
}

/// A row with everything that is known of it.
pub(super) fn as_json(row: &PlanRowView) -> Value {
    let withheld = row.withheld;
    json!({
        "number": row.number,
        "fileRows": row.file_rows,
        "outcome": row.outcome.as_str(),
        "state": row.state.as_str(),
        "withheld": withheld,
        "domain": row.domain.map(|domain| domain.as_str()),
        "recordName": row.record_name,
        "key": row.key,
        "record": row.record,
        "baseVersion": row.base_version,
        "operations": row.operations,
        "diff": row.diff,
        "problems": row.problems,
        "follows": row.follows,
    })
}

/// A number that names a person is not written out beside the row: the record's id leads to it.
fn key(key: &AssertionKey) -> String {
    match key {
        AssertionKey::Source(key) => key.clone(),
        AssertionKey::Identifier { scheme, value } => {
            format!("{scheme} {}", grunddata_exchange::mask(value))
        }
        AssertionKey::Id(id) => id.to_string(),
    }
}

fn change(property: &PropertyChange) -> String {
    let shown = |value: &Option<Value>| match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => cut(text),
        Some(other) => cut(&other.to_string()),
    };
    format!(
        "{} {} -> {}",
        property.pointer,
        shown(&property.from),
        shown(&property.to)
    )
}

fn cut(text: &str) -> String {
    let short: String = text.chars().take(VALUE).collect();
    if short.len() < text.len() {
        format!("{short}…")
    } else {
        short
    }
}

fn told(problem: &RowProblem) -> String {
    let mut place = String::new();
    if let Some(row) = problem.file_row {
        place.push_str(&format!("row {row}, "));
    }
    if let Some(column) = &problem.column {
        place.push_str(&format!("column {column:?}, "));
    }
    let value = problem
        .value
        .as_ref()
        .map_or_else(String::new, |value| format!(" ({value:?})"));
    format!("{place}{}: {}{value}", problem.code, problem.message)
}
