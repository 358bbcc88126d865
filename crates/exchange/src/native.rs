//! The native format: objects that are records already, in the envelope of the API or as `data` with a domain and a key. No
//! mapping is needed.
//!
//! Must never pass over a member that it does not know: a misspelt `validTo` would be a record without end.

use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::sync::Arc;

use grunddata_model::{Domain, Period, RecordId, ValidFrom, ValidTo};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::conversion::{Converted, Outcome, Progress};
use crate::mapping::{Draft, DraftReference, Key, Mapped, Named, Rejected, append_identifier};
use crate::rows::{self, Content, Event, ReadOptions, Row};
use crate::{Limits, Place, Problem, code, mask};

/// What is read.
const READ: [&str; 8] = [
    "domain",
    "id",
    "key",
    "data",
    "validFrom",
    "validTo",
    "removed",
    "owner",
];
/// What the envelope of the API has besides, which the registry gives itself.
const PASSED_OVER: [&str; 9] = [
    "controller",
    "model",
    "version",
    "recordedAt",
    "changeKind",
    "origin",
    "included",
    "_links",
    "_meta",
];

/// What a load knows of a file in the native format.
#[derive(Debug, Clone)]
pub struct Context {
    /// The name of the source in the registry: its keys are identifiers of the scheme `source:NAME`.
    pub source: String,
    /// The owner to whom the records go. One that states another is refused.
    pub owner: String,
}

/// Reads objects, one a line or in a list, and gives them to the sink. `file` is the name for messages.
///
/// # Errors
/// The problem that concerns the file as a whole: it cannot be read to its end, or is no JSON. What the sink has been given
/// before is then not all there is.
pub fn convert<R: Read + Seek>(
    input: R,
    file: &str,
    context: &Context,
    limits: &Limits,
    sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
) -> Result<Outcome, Vec<Problem>> {
    let options = ReadOptions {
        file: file.to_owned(),
        limits: limits.clone(),
        ..ReadOptions::default()
    };
    let mut progress = Progress::default();
    let mut place = Place::of_file(file);
    let mut table = false;
    let summary = rows::read(input, &options, &mut |event| match event {
        Event::Header(header) => {
            place = header.place().clone();
            table = !header.is_objects();
            if table {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
        Event::Row(row) => progress.row(sink, mapped(&row, &place, context)),
        Event::Refused(problem) => progress.refused(sink, problem),
        Event::Note(note) => sink(Converted::Note(note)),
    })
    .map_err(|problem| vec![problem])?;
    if table {
        return Err(vec![Problem::new(
            code::UNKNOWN_FORMAT,
            place,
            "The source has no mapping, so that the file must be JSON or NDJSON with records; for a table, give the source a mapping.",
            "Källan har ingen mappning, så filen ska vara JSON eller NDJSON med poster; för en tabell, ge källan en mappning.",
        )]);
    }
    Ok(progress.outcome(summary, None))
}

fn mapped(row: &Row, place: &Place, context: &Context) -> Mapped {
    let place = place.at_row(row.number);
    let mut work = Work {
        place,
        problems: Vec::new(),
    };
    let (draft, about) = match &row.content {
        Content::Object(Value::Object(members)) => work.draft(members, context),
        _ => (None, None),
    };
    Mapped {
        complete: Vec::new(),
        file: Arc::clone(&work.place.file),
        row: row.number,
        outcome: match draft {
            Some(draft) if work.problems.is_empty() => Ok(vec![draft]),
            _ => Err(Rejected {
                problems: work.problems,
                about: about.map(|about| vec![about]),
            }),
        },
        notes: Vec::new(),
    }
}

/// One object while it is read.
struct Work {
    place: Place,
    problems: Vec<Problem>,
}

impl Work {
    fn fault(
        &mut self,
        member: &str,
        code: &'static str,
        message: impl Into<String>,
        message_sv: impl Into<String>,
    ) {
        let place = if member.is_empty() {
            self.place.clone()
        } else {
            self.place.at_column(member)
        };
        self.problems
            .push(Problem::new(code, place, message, message_sv));
    }

    /// The draft, and what it is about where there is none.
    fn draft(
        &mut self,
        members: &Map<String, Value>,
        context: &Context,
    ) -> (Option<Draft>, Option<Named>) {
        self.unknown(members);
        let domain = self.domain(members);
        let key = self.key(members);
        if let Some(owner) = members.get("owner").filter(|owner| !owner.is_null())
            && owner.as_str() != Some(&context.owner)
        {
            self.fault(
                "owner",
                code::NATIVE,
                format!(
                    "The record is of another owner; the source feeds {} and no other.",
                    context.owner
                ),
                format!(
                    "Posten hör till en annan informationsägare; källan matar {} och ingen annan.",
                    context.owner
                ),
            );
        }
        let removed = match members.get("removed") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => {
                self.fault(
                    "removed",
                    code::WRONG_KIND,
                    "Write true or false.",
                    "Skriv true eller false.",
                );
                false
            }
        };
        let valid_from = self.bound::<ValidFrom>(members, "validFrom");
        let valid_to = self.bound::<ValidTo>(members, "validTo");
        self.period(valid_from, valid_to);
        let data = match members.get("data") {
            Some(data @ Value::Object(_)) if !removed => Some(data.clone()),
            None | Some(Value::Null) if removed => Some(Value::Object(Map::new())),
            _ if removed => {
                self.fault(
                    "data",
                    code::NATIVE,
                    "A record that is removed has no data; leave it out.",
                    "En post som är borttagen har inga data; utelämna dem.",
                );
                None
            }
            _ => {
                self.fault(
                    "data",
                    code::NATIVE,
                    "The record has no data: an object with the properties of its domain.",
                    "Posten saknar data: ett objekt med domänens egenskaper.",
                );
                None
            }
        };
        let (Some(domain), Some(key)) = (domain, key) else {
            return (None, None);
        };
        let record: Arc<str> = Arc::from(domain.as_str());
        let about = Named {
            record: Arc::clone(&record),
            domain,
            key: key.clone(),
        };
        let Some(mut data) = data else {
            return (None, Some(about));
        };
        let mut references = Vec::new();
        find_references(&data, &mut String::new(), &context.source, &mut references);
        if !removed {
            append_identifier(&mut data, &key, &context.source);
        }
        let draft = Draft {
            record,
            domain,
            key,
            removed,
            data,
            valid_from: valid_from.filter(|_| !removed),
            valid_to: valid_to.filter(|_| !removed),
            references,
        };
        (Some(draft), Some(about))
    }

    fn unknown(&mut self, members: &Map<String, Value>) {
        for name in members.keys() {
            if READ.contains(&name.as_str()) || PASSED_OVER.contains(&name.as_str()) {
                continue;
            }
            let nearest = READ
                .iter()
                .max_by(|one, other| {
                    let likeness = |known: &str| {
                        strsim::normalized_damerau_levenshtein(&name.to_lowercase(), known)
                    };
                    likeness(one).total_cmp(&likeness(other))
                })
                .copied()
                .unwrap_or_default();
            self.fault(
                name,
                code::NATIVE,
                format!(
                    "A record has no such member beside its data; is \"{nearest}\" meant? Properties go into data."
                ),
                format!(
                    "En post har ingen sådan medlem vid sidan av data; menas \"{nearest}\"? Egenskaper ska ligga i data."
                ),
            );
        }
    }

    fn domain(&mut self, members: &Map<String, Value>) -> Option<Domain> {
        let text = members.get("domain").and_then(Value::as_str);
        let domain = text.and_then(|text| text.parse().ok());
        if domain.is_none() {
            self.fault(
                "domain",
                code::NATIVE,
                "Write the domain: person, role, organisation, geography or service.",
                "Skriv domänen: person, role, organisation, geography eller service.",
            );
        }
        domain
    }

    fn key(&mut self, members: &Map<String, Value>) -> Option<Key> {
        let text = |value: &Value| {
            let text = value.as_str()?.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let key = match (members.get("key"), members.get("id")) {
            (Some(Value::Object(identifier)), None) => {
                let part = |name: &str| identifier.get(name).and_then(text);
                match (part("scheme"), part("value"), identifier.len()) {
                    (Some(scheme), Some(value), 2) => Some(Key::Identifier { scheme, value }),
                    _ => None,
                }
            }
            (Some(key), None) => text(key).map(Key::Source),
            (None, Some(id)) => text(id)
                .and_then(|id| id.parse::<RecordId>().ok())
                .map(Key::Id),
            _ => None,
        };
        if key.is_none() {
            self.fault(
                "key",
                code::NATIVE,
                "Write what names the record: key (the source's own, or {\"scheme\", \"value\"}), or id (a UUID, the record's own).",
                "Skriv vad som namnger posten: key (källans egen, eller {\"scheme\", \"value\"}) eller id (ett UUID, postens eget).",
            );
        }
        key
    }

    /// A bound as the API takes it: absent means that the source does not say.
    fn bound<T: for<'v> Deserialize<'v>>(
        &mut self,
        members: &Map<String, Value>,
        name: &str,
    ) -> Option<T> {
        match T::deserialize(members.get(name)?) {
            Ok(bound) => Some(bound),
            Err(error) => {
                self.fault(
                    name,
                    "invalid-date",
                    mask(&format!("The date cannot be read: {error}.")),
                    "Datumet går inte att läsa; skriv ÅÅÅÅ-MM-DD, eller null i validTo för tills vidare.",
                );
                None
            }
        }
    }

    fn period(&mut self, from: Option<ValidFrom>, to: Option<ValidTo>) {
        let start = from.map_or(Period::BEGINNING, ValidFrom::start);
        let end = to.map_or(Period::OPEN, ValidTo::end);
        if Period::new(start, end).is_err() {
            self.fault(
                "validTo",
                code::PERIOD,
                format!(
                    "The period ends before it begins: its first day is {start}, and {end} is the first day after it."
                ),
                format!(
                    "Perioden slutar innan den börjar: dess första dag är {start}, och {end} är första dagen efter den."
                ),
            );
        }
    }
}

/// Every reference by an identifier, at any depth. The model knows which domain each is to.
fn find_references(
    value: &Value,
    pointer: &mut String,
    source: &str,
    found: &mut Vec<DraftReference>,
) {
    let length = pointer.len();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                find_references(item, pointer, source, found);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            let part = |name: &str| members.get("identifier")?.get(name)?.as_str();
            if let Some((scheme, value)) = part("scheme").zip(part("value")) {
                let key = if scheme.strip_prefix("source:") == Some(source) {
                    Key::Source(value.to_owned())
                } else {
                    Key::Identifier {
                        scheme: scheme.to_owned(),
                        value: value.to_owned(),
                    }
                };
                found.push(DraftReference {
                    pointer: pointer.clone(),
                    domain: None,
                    key,
                });
                return;
            }
            for (name, member) in members {
                let step = name.replace('~', "~0").replace('/', "~1");
                pointer.push_str(&format!("/{step}"));
                find_references(member, pointer, source, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}
