//! The register extract of one person as a page to read and to print: in Swedish, of itself alone.

mod texts;

use std::collections::HashMap;

use askama::Template;
use grunddata_information_model::{InformationModel, Property};
use grunddata_model::{Domain, Period};
use grunddata_registry::{ExtractReader, LinkExtract, PersonExtract, RecordExtract, StateExtract};
use serde_json::Value;

use texts::{day, instant, operation, record_kind};

/// A table with a caption.
struct Table {
    caption: String,
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// A fact.
struct Row {
    label: String,
    value: String,
}

struct State {
    believed: bool,
    heading: String,
    recorded: String,
    rows: Vec<Row>,
}

struct Record {
    kind: &'static str,
    name: String,
    id: String,
    states: Vec<State>,
    tables: Vec<Table>,
}

struct Controller {
    name: String,
    records: Vec<Record>,
}

struct Shown {
    name: String,
    person: String,
    owner: String,
    made_at: String,
    controllers: Vec<Controller>,
    sources: Vec<String>,
    readers: Option<Table>,
    readers_complete: bool,
}

#[derive(Template)]
#[template(path = "extract.html")]
struct Page {
    page: Shown,
    style: &'static str,
}

/// The page's own style, to be allowed by its hash in a content security policy.
pub const EXTRACT_STYLE: &str = include_str!("../templates/extract.css");

/// Renders a register extract. Properties are called what the information model calls them.
///
/// # Errors
/// Those of the template engine.
pub fn extract_page(
    extract: &PersonExtract,
    model: &InformationModel,
) -> Result<String, askama::Error> {
    let labels = Labels::of(model);
    let controllers = extract.controllers.iter().map(|controller| Controller {
        name: controller.name.clone(),
        records: controller
            .records
            .iter()
            .map(|one| record(one, model, &labels))
            .collect(),
    });
    Page {
        page: Shown {
            name: extract
                .display
                .clone()
                .unwrap_or_else(|| extract.person.to_string()),
            person: extract.person.to_string(),
            owner: extract.owner_name.clone(),
            made_at: instant(extract.made_at),
            controllers: controllers.collect(),
            sources: extract.sources.clone(),
            readers: extract.readers.as_deref().map(readers),
            readers_complete: extract.readers_complete,
        },
        style: EXTRACT_STYLE,
    }
    .render()
}

/// What properties and their codes are called.
struct Labels<'a> {
    model: &'a InformationModel,
    /// By domain and name.
    properties: HashMap<(Domain, &'a str), &'a Property>,
}

impl<'a> Labels<'a> {
    fn of(model: &'a InformationModel) -> Self {
        let all = Domain::ALL.into_iter().flat_map(|domain| {
            let properties = model.domain(domain).properties().iter();
            properties.map(move |one| ((domain, &*one.name), one))
        });
        Self {
            model,
            properties: all.collect(),
        }
    }

    /// The property at a path; places in lists are not part of its name.
    fn property(&self, domain: Domain, path: &[String]) -> Option<&'a Property> {
        let parts: Vec<&str> = path
            .iter()
            .map(String::as_str)
            .filter(|part| part.parse::<usize>().is_err())
            .collect();
        let name = parts.join(".");
        self.properties.get(&(domain, name.as_str())).copied()
    }

    /// A value as a reader reads it: a code by its label.
    fn value(&self, domain: Domain, path: &[String], value: &Value) -> String {
        let code = || {
            let list = self.property(domain, path)?.codelist.as_deref()?;
            let code = self.model.code_list(list)?.get(value.as_str()?)?;
            Some(code.label.sv.clone())
        };
        code().unwrap_or_else(|| plain(value))
    }

    /// What a reference leads to, by its name where that is shown.
    fn reference(&self, domain: Domain, path: &[String], value: &Value) -> Option<String> {
        self.property(domain, path)?.relation.as_ref()?;
        let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        text("display").or_else(|| text("id"))
    }

    /// The path with each part that the model names by its label.
    fn path(&self, domain: Domain, path: &[String]) -> String {
        let mut name = String::new();
        let mut shown = Vec::with_capacity(path.len());
        for part in path {
            // A place in a list has no name of its own.
            if let Ok(place) = part.parse::<usize>() {
                shown.push(format!("({})", place.saturating_add(1)));
                continue;
            }
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(part);
            let property = self.properties.get(&(domain, name.as_str()));
            shown.push(property.map_or_else(|| part.clone(), |one| one.label.sv.clone()));
        }
        shown.join(" › ")
    }
}

fn record(one: &RecordExtract, model: &InformationModel, labels: &Labels<'_>) -> Record {
    let mut states: Vec<&StateExtract> = one.states.iter().collect();
    // What is believed comes first, the latest period at the top; then what has been put right.
    states.sort_by_key(|state| {
        (
            state.superseded_at.is_some(),
            std::cmp::Reverse(state.period.from()),
            state.recorded_at,
        )
    });
    Record {
        kind: record_kind(one.domain),
        name: one
            .display
            .clone()
            .unwrap_or_else(|| "utan namn".to_owned()),
        id: one.id.to_string(),
        states: states
            .into_iter()
            .map(|one_state| state(one_state, one.domain, labels))
            .collect(),
        tables: tables(one, model)
            .into_iter()
            .filter(|table| !table.rows.is_empty())
            .collect(),
    }
}

fn state(state: &StateExtract, domain: Domain, labels: &Labels<'_>) -> State {
    let mut rows = Vec::new();
    flatten(&state.data, &mut Vec::new(), &mut |path, value| {
        let shown = match value {
            Value::Object(_) => labels.reference(domain, path, value)?,
            Value::Array(items) => {
                let items = items.iter().map(|item| labels.value(domain, path, item));
                items.collect::<Vec<_>>().join(", ")
            }
            value => labels.value(domain, path, value),
        };
        rows.push(Row {
            label: labels.path(domain, path),
            value: shown,
        });
        Some(())
    });
    let believed = state.superseded_at.is_none();
    let recorded = match state.superseded_at {
        None => format!(
            "Version {}. Registrerad {}.",
            state.version,
            instant(state.recorded_at)
        ),
        Some(until) => format!(
            "Version {}. Registrerad {}. Ersatt eller rättad {}.",
            state.version,
            instant(state.recorded_at),
            instant(until)
        ),
    };
    let period = period(&state.period);
    State {
        believed,
        heading: if believed {
            format!("Gäller {period}")
        } else {
            format!("Tidigare uppgift, angiven gälla {period}")
        },
        recorded,
        rows,
    }
}

/// Every value with the way to it. An object is offered whole first: its members follow where it is not taken.
fn flatten(
    value: &Value,
    path: &mut Vec<String>,
    out: &mut impl FnMut(&[String], &Value) -> Option<()>,
) {
    match value {
        Value::Object(members) => {
            if out(path, value).is_some() {
                return;
            }
            for (name, member) in members {
                path.push(name.clone());
                flatten(member, path, out);
                path.pop();
            }
        }
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            out(path, value);
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                path.push(place.to_string());
                flatten(item, path, out);
                path.pop();
            }
        }
        _ => {
            out(path, value);
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "ja".to_owned(),
        Value::Bool(false) => "nej".to_owned(),
        Value::Null => "–".to_owned(),
        other => other.to_string(),
    }
}

fn tables(one: &RecordExtract, model: &InformationModel) -> [Table; 4] {
    let identifiers = one.identifiers.iter().map(|identifier| {
        let scheme = model.scheme(&identifier.scheme);
        vec![
            scheme.map_or_else(
                || identifier.scheme.clone(),
                |scheme| scheme.label().sv.clone(),
            ),
            identifier.value.clone(),
            identifier.issuer.clone().unwrap_or_default(),
            if identifier.believed { "ja" } else { "nej" }.to_owned(),
        ]
    });
    let versions = one.versions.iter().map(|version| {
        vec![
            version.version.to_string(),
            instant(version.recorded_at),
            operation(&version.operation).to_owned(),
            version.source.clone().unwrap_or_default(),
            version.reason.clone().unwrap_or_default(),
            version.actor.clone().unwrap_or_default(),
        ]
    });
    let out = |link: &LinkExtract| {
        let relation = model.relation(one.domain, &link.relation);
        relation.map_or_else(
            || link.relation.clone(),
            |relation| relation.label.sv.clone(),
        )
    };
    let inbound = |link: &LinkExtract| {
        let relation = Domain::ALL
            .into_iter()
            .find_map(|domain| model.relation(domain, &link.relation));
        relation.map_or_else(
            || link.relation.clone(),
            |relation| relation.inverse_label.sv.clone(),
        )
    };
    let heads = || vec!["Samband", "Post", "Period", "Registrerad", "Ersatt"];
    [
        Table {
            caption: "Identiteter".to_owned(),
            heads: vec!["Slag", "Värde", "Utfärdare", "Gällande uppgift"],
            rows: identifiers.collect(),
        },
        Table {
            caption: "Hänvisar till".to_owned(),
            heads: heads(),
            rows: one.links.iter().map(|one| link(one, out(one))).collect(),
        },
        Table {
            caption: "Hänvisas till av".to_owned(),
            heads: heads(),
            rows: one
                .referrers
                .iter()
                .map(|one| link(one, inbound(one)))
                .collect(),
        },
        Table {
            caption: "Versioner".to_owned(),
            heads: vec!["Version", "Registrerad", "Åtgärd", "Källa", "Skäl", "Av"],
            rows: versions.collect(),
        },
    ]
}

fn link(link: &LinkExtract, relation: String) -> Vec<String> {
    vec![
        relation,
        link.display
            .clone()
            .unwrap_or_else(|| link.record.to_string()),
        period(&link.period),
        instant(link.recorded_at),
        link.superseded_at.map(instant).unwrap_or_default(),
    ]
}

fn period(period: &Period) -> String {
    match (period.valid_from(), period.valid_to()) {
        (None, None) => "tills vidare".to_owned(),
        (Some(from), None) => format!("från och med {}", day(from)),
        (None, Some(to)) => format!("till {}", day(to)),
        (Some(from), Some(to)) => format!("från och med {} till {}", day(from), day(to)),
    }
}

fn readers(readers: &[ExtractReader]) -> Table {
    let named = readers.iter().any(|reader| reader.actor.is_some());
    let mut heads = vec!["Enhet", "Första gången", "Senaste gången", "Antal"];
    if named {
        heads.extend(["Vem", "För vem"]);
    }
    let rows = readers.iter().map(|reader| {
        let mut row = vec![
            reader
                .unit
                .clone()
                .unwrap_or_else(|| "ingen enhet angiven".to_owned()),
            instant(reader.first),
            instant(reader.last),
            reader.count.to_string(),
        ];
        if named {
            row.push(reader.actor.clone().unwrap_or_default());
            row.push(reader.on_behalf_of.clone().unwrap_or_default());
        }
        row
    });
    Table {
        caption: "Läsningar enligt åtkomstloggen".to_owned(),
        heads,
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests;
