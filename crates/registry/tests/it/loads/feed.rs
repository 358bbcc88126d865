//! What the tests feed: sources of owner `a`, and files as lists of what they say.

use grunddata_model::{Domain, RecordId};
use grunddata_registry::{
    AssertedReference, Assertion, AssertionKey, At, Context, FileFacts, IfMatch, Load, LoadKind,
    LoadPace, LoadProgress, NewLoad, NewSource, PlanRowView, PlanRowsQuery, Refusal, Role,
    RowOutcome, SourceSettings,
};
use serde_json::{Value, json};

use crate::stack::{Stack, day, owner};

/// Puts a source of the owner that feeds everything.
pub(super) fn source(stack: &Stack, key: &str, change: impl FnOnce(&mut SourceSettings)) {
    let mut settings = SourceSettings::new(key.to_uppercase(), Domain::ALL);
    settings.authoritative.ends = true.into();
    change(&mut settings);
    put(stack, key, settings).unwrap();
}

pub(super) fn put(stack: &Stack, key: &str, settings: SourceSettings) -> Result<u32, Refusal> {
    let new = NewSource {
        owner: owner("a"),
        key: key.to_owned(),
        settings,
        if_match: Some(IfMatch::Any),
        reason: None,
    };
    let context = stack.as_actor("a", Role::Administrator);
    Ok(stack.registry.put_source(&context, new)?.version)
}

/// What a source says of a record with a key of its own.
pub(super) fn said(
    source: &str,
    row: u64,
    domain: Domain,
    key: &str,
    mut data: Value,
) -> Assertion {
    let own = json!({"scheme": format!("source:{source}"), "value": key});
    match data.get_mut("identifiers").and_then(Value::as_array_mut) {
        Some(list) => list.push(own),
        None => data["identifiers"] = json!([own]),
    }
    Assertion {
        file_row: row,
        record: domain.as_str().to_owned(),
        domain,
        key: AssertionKey::Source(key.to_owned()),
        removed: false,
        data,
        valid_from: None,
        valid_to: None,
        references: Vec::new(),
    }
}

/// A unit of the source `hr`.
pub(super) fn unit(row: u64, key: &str, name: &str) -> Assertion {
    let data = json!({"name": {"sv": name}, "kind": "unit"});
    said("hr", row, Domain::Organisation, key, data)
}

/// A person of a source, known by the number.
pub(super) fn person(row: u64, number: &str, data: Value) -> Assertion {
    let mut data = data;
    let scheme = "se-personal-identity-number";
    data["identifiers"] = json!([{"scheme": scheme, "value": number}]);
    Assertion {
        file_row: row,
        record: "person".to_owned(),
        domain: Domain::Person,
        key: AssertionKey::Identifier {
            scheme: scheme.to_owned(),
            value: number.to_owned(),
        },
        removed: false,
        data,
        valid_from: None,
        valid_to: None,
        references: Vec::new(),
    }
}

pub(super) fn from_to(mut said: Assertion, from: &str, to: Option<&str>) -> Assertion {
    said.valid_from = Some(from.parse().unwrap());
    said.valid_to = to.map(|to| to.parse().unwrap());
    said
}

/// A reference to a key of the source.
pub(super) fn refers(
    mut said: Assertion,
    source: &str,
    property: &str,
    domain: Domain,
    key: &str,
) -> Assertion {
    said.data[property] =
        json!({"identifier": {"scheme": format!("source:{source}"), "value": key}});
    said.references.push(AssertedReference {
        pointer: format!("/{property}"),
        domain,
        key: AssertionKey::Source(key.to_owned()),
    });
    said
}

pub(super) fn gone(mut said: Assertion) -> Assertion {
    said.removed = true;
    said
}

/// A file.
pub(super) struct File<'a> {
    pub(super) source: &'a str,
    pub(super) kind: LoadKind,
    pub(super) date: &'a str,
    pub(super) says: Vec<Assertion>,
}

pub(super) fn full(date: &str, says: Vec<Assertion>) -> File<'_> {
    File {
        source: "hr",
        kind: LoadKind::Full,
        date,
        says,
    }
}

pub(super) fn of<'a>(source: &'a str, file: File<'a>) -> File<'a> {
    File { source, ..file }
}

pub(super) fn delta(date: &str, says: Vec<Assertion>) -> File<'_> {
    File {
        kind: LoadKind::Delta,
        ..full(date, says)
    }
}

pub(super) fn new_load(file: &File<'_>) -> NewLoad {
    NewLoad {
        owner: owner("a"),
        source: file.source.to_owned(),
        kind: file.kind,
        file: FileFacts {
            name: Some(format!("{}.csv", file.source)),
            date: Some(day(file.date)),
            ..FileFacts::default()
        },
        reference_date: None,
        replace: false,
    }
}

pub(super) fn plan_as(stack: &Stack, context: &Context, file: File<'_>) -> Result<Load, Refusal> {
    stack.pass(1);
    let new = new_load(&file);
    let facts = FileFacts {
        rows: Some(file.says.len() as u64),
        ..new.file.clone()
    };
    let mut planner = stack.registry.plan_load(context, new)?;
    for said in file.says {
        planner.push(said)?;
    }
    planner.finish(facts)
}

pub(super) fn steward(stack: &Stack) -> Context {
    stack.as_actor("a", Role::Steward)
}

pub(super) fn plan(stack: &Stack, file: File<'_>) -> Load {
    stack.pass(1);
    plan_as(stack, &steward(stack), file).unwrap_or_else(|refusal| panic!("{refusal}"))
}

pub(super) fn apply_as(
    stack: &Stack,
    context: &Context,
    load: &Load,
) -> Result<LoadProgress, Refusal> {
    let mut pace = LoadPace::of(7);
    loop {
        stack.pass(1);
        let progress = stack
            .registry
            .apply_load(context, &owner("a"), load.id, &mut pace)?;
        if progress.finished {
            return Ok(progress);
        }
    }
}

/// Applies a plan and gives the load as it is then.
pub(super) fn apply(stack: &Stack, load: &Load) -> Load {
    apply_as(stack, &steward(stack), load).unwrap_or_else(|refusal| panic!("{refusal}"));
    stack
        .registry
        .load(&steward(stack), &owner("a"), load.id)
        .unwrap()
}

pub(super) fn run(stack: &Stack, file: File<'_>) -> Load {
    let load = plan(stack, file);
    apply(stack, &load)
}

pub(super) fn rows_as(stack: &Stack, context: &Context, load: &Load) -> Vec<PlanRowView> {
    let query = PlanRowsQuery {
        limit: 1_000,
        ..PlanRowsQuery::default()
    };
    stack
        .registry
        .plan_rows(context, &owner("a"), load.id, &query)
        .unwrap()
        .items
}

pub(super) fn rows(stack: &Stack, load: &Load) -> Vec<PlanRowView> {
    rows_as(stack, &steward(stack), load)
}

/// Outcomes of the rows, in their order.
pub(super) fn outcomes(stack: &Stack, load: &Load) -> Vec<RowOutcome> {
    rows(stack, load).iter().map(|row| row.outcome).collect()
}

/// The codes of the problems of a row.
pub(super) fn codes(row: &PlanRowView) -> Vec<&str> {
    row.problems.iter().map(|problem| &*problem.code).collect()
}

/// The record of a key of a source.
pub(super) fn record(stack: &Stack, source: &str, key: &str) -> RecordId {
    found(stack, &format!("source:{source}"), key).unwrap()
}

pub(super) fn found(stack: &Stack, scheme: &str, value: &str) -> Option<RecordId> {
    for date in ["2026-03-01", "2026-04-01", "2026-02-01", "2030-01-01"] {
        let pair = [(scheme.to_owned(), value.to_owned())];
        let answer = stack
            .registry
            .lookup(&stack.system(), &At::on(day(date)), &pair)
            .unwrap();
        if let Some(hit) = answer.items[0].first() {
            return Some(hit.record.id);
        }
    }
    None
}

pub(super) fn version(stack: &Stack, id: RecordId) -> u32 {
    let context = stack.system();
    let page = stack
        .registry
        .history(&context, None, id, &At::now(&context), None, 1)
        .unwrap();
    page.items[0].version
}

/// How far the log of the owner is.
pub(super) fn position(stack: &Stack) -> u64 {
    let owners = stack.registry.owners(&stack.system()).unwrap();
    owners
        .iter()
        .find(|known| known.key == owner("a"))
        .and_then(|known| known.position)
        .unwrap()
}
