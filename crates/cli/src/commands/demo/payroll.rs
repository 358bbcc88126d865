//! An extract of the municipality's payroll system, as its closed systems put one somewhere every night: what a load is
//! tried with. It is written from what the registry holds today, so that a first load finds every record it names.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use grunddata_model::{Domain, RecordId};
use grunddata_registry::{
    Actor, At, Context, Got, NewSource, Place, Refusal, Registry, SourceSettings,
};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output;

/// The mapping that reads it.
pub(super) const MAPPING: &str = include_str!("payroll.toml");

/// The columns, in the order of the mapping.
const HEADER: [&str; 10] = [
    "Personnummer",
    "Efternamn",
    "Förnamn",
    "Anställningsnummer",
    "Enhetskod",
    "Befattning",
    "Anställningsform",
    "Sysselsättningsgrad",
    "Anställd fr.o.m.",
    "Anställd t.o.m.",
];

/// What the forms of employment are called in such systems.
const FORMS: [(&str, &str); 5] = [
    ("permanent", "Tillsvidare"),
    ("substitute", "Vikariat"),
    ("special-fixed-term", "SÄVA"),
    ("probationary", "Provanställning"),
    ("intermittent", "Timavlönad"),
];

/// The key of the source.
const SOURCE: &str = "hr";

/// Adds the source, where there is none.
pub(super) fn put_source(registry: &Registry) -> Result<(), Failure> {
    let context = registry.context(Actor::system("console"), "demo");
    let owner = super::super::source::owner_key(grunddata_seeds::NORRBERGA)?;
    let known = registry.sources(&context, &owner)?;
    if known.iter().any(|source| source.key == SOURCE) {
        return Ok(());
    }
    let settings = SourceSettings::read(json!({
        "title": "Norrbergas personalsystem",
        "contact": "personalenheten@norrberga.example",
        "domains": ["person", "role"],
        "mapping": MAPPING,
        "authoritative": {"ends": ["role"]},
        "schedule": {"everyHours": 24},
    }))?;
    registry.put_source(
        &context,
        NewSource {
            owner,
            key: SOURCE.to_owned(),
            settings,
            if_match: None,
            reason: Some("The demo's payroll system".to_owned()),
        },
    )?;
    Ok(())
}

/// Writes the extract and its mapping where they are missing; gives the file of the extract.
pub(super) fn write(registry: &Registry, directory: &Path) -> Result<PathBuf, Failure> {
    let (file, mapping) = (directory.join("hr.csv"), directory.join("hr.toml"));
    if !file.exists() {
        let text = extract(registry)?;
        put(&file, &text)?;
    }
    if !mapping.exists() {
        put(&mapping, MAPPING)?;
    }
    Ok(file)
}

/// All of it or nothing: a file that is cut short would end employments. It is its owner's alone, as the persons in it
/// would be.
fn put(file: &Path, text: &str) -> Result<(), Failure> {
    let part = file.with_extension("part");
    output::write_private(&part, text)?;
    std::fs::rename(part, file).map_err(|error| Failure::write(file, &error))
}

/// One line for each employment of today, by its number.
fn extract(registry: &Registry) -> Result<String, Refusal> {
    let context = registry.context(Actor::system("console"), "demo");
    let mut lines = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut parameters = vec![
            ("kind", "employment"),
            ("owner", grunddata_seeds::NORRBERGA),
            ("limit", "1000"),
        ];
        if let Some(cursor) = &after {
            parameters.push(("after", cursor));
        }
        let query = registry.query(&context, Domain::Role, parameters, Place::Body)?;
        let page = registry.search(&context, &query)?;
        for role in &page.items {
            lines.push(line(registry, &context, role.id, &parsed(&role.data))?);
        }
        after = page.after;
        if after.is_none() {
            break;
        }
    }
    lines.sort_unstable();
    // As spreadsheets on Windows write it: a byte order mark, semicolons, lines that end with CR and LF.
    let mut text = format!("\u{feff}{}\r\n", HEADER.join(";"));
    for (_, line) in lines {
        text.push_str(&line);
        text.push_str("\r\n");
    }
    Ok(text)
}

/// The employment's number and its line.
fn line(
    registry: &Registry,
    context: &Context,
    id: RecordId,
    role: &Value,
) -> Result<(String, String), Refusal> {
    let person = of(registry, context, role, "person")?;
    let unit = of(registry, context, role, "organisation")?;
    let text = |value: &Value, pointer: &str| {
        let value = value.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let number = identifier(role, "employee-number");
    let form = text(role, "/employmentForm");
    let form = FORMS.iter().find(|(code, _)| *code == form);
    let given: Vec<String> = person
        .pointer("/name/given")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect();
    let (from, until) = extent(registry, context, id)?;
    let mut birth = identifier(&person, "se-personal-identity-number");
    if birth.is_empty() {
        birth = identifier(&person, "se-coordination-number");
    }
    let cells = [
        birth,
        text(&person, "/name/family"),
        given.join(" "),
        number.clone(),
        identifier(&unit, "source:org"),
        text(role, "/position"),
        form.map_or("", |(_, word)| word).to_owned(),
        text(role, "/employmentRate").replace('.', ","),
        from.map_or_else(String::new, |day| day.to_string()),
        until.map_or_else(String::new, |day| day.to_string()),
    ];
    let mut line = String::new();
    for (place, cell) in cells.iter().enumerate() {
        let separator = if place == 0 { "" } else { ";" };
        // Writing to a text does not fail.
        let _ = if cell.contains([';', '"', '\n']) {
            write!(line, "{separator}\"{}\"", cell.replace('"', "\"\""))
        } else {
            write!(line, "{separator}{cell}")
        };
    }
    Ok((number, line))
}

/// The data of the record that a reference leads to.
fn of(
    registry: &Registry,
    context: &Context,
    value: &Value,
    property: &str,
) -> Result<Value, Refusal> {
    let id = value.pointer(&format!("/{property}/id"));
    let Some(id) = id.and_then(Value::as_str).and_then(|id| id.parse().ok()) else {
        return Ok(Value::Null);
    };
    Ok(
        match registry.get(context, None, id, &At::now(context), None)? {
            Got::Found(found) => parsed(&found.record.data),
            Got::Merged { .. } | Got::Moved { .. } => Value::Null,
        },
    )
}

/// The first day of a record and its last one, where it has one.
fn extent(
    registry: &Registry,
    context: &Context,
    id: RecordId,
) -> Result<(Option<NaiveDate>, Option<NaiveDate>), Refusal> {
    let timeline = registry.timeline(context, None, id, &At::now(context))?;
    let first = timeline.items.first();
    let last = timeline.items.last();
    Ok((
        first.and_then(|state| state.period.valid_from()),
        last.and_then(|state| state.period.valid_to())
            .and_then(|end| end.pred_opt()),
    ))
}

fn parsed(data: &str) -> Value {
    serde_json::from_str(data).unwrap_or_default()
}

/// The value of the first identifier of a scheme.
fn identifier(value: &Value, scheme: &str) -> String {
    let all = value.pointer("/identifiers").and_then(Value::as_array);
    all.into_iter()
        .flatten()
        .find(|one| one.pointer("/scheme").and_then(Value::as_str) == Some(scheme))
        .and_then(|one| one.pointer("/value").and_then(Value::as_str))
        .unwrap_or_default()
        .to_owned()
}
