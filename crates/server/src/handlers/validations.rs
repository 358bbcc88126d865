//! Checking records without storing them.

use std::sync::Arc;

use actix_web::http::StatusCode;
use grunddata_model::RecordId;
use grunddata_registry::ValidationDraft;
use serde_json::{Value, json};

use super::page;
use super::records::{content, envelope_of};
use super::writing;
use crate::access::{Authorised, Read};
use crate::body::{self, JSON, NDJSON};
use crate::call::Call;
use crate::config::Limits;
use crate::fields::Fields;
use crate::problem::{MOST_ERRORS, Problem};
use crate::reply::{self, Reply, refused};

/// `POST /validations`
pub(crate) async fn validate(caller: Authorised<Read>, mut call: Call) -> Reply {
    call.no_query()?;
    let (media_type, bytes) = call.bytes(&[JSON, NDJSON]).await?;
    let app = Arc::clone(&call.app);
    let outcomes = call
        .app
        .pool
        .run(move || check(&caller, read(media_type, &bytes, &app.config.limits)?))
        .await?;
    let valid = outcomes.iter().filter(|one| one.errors.is_empty()).count();
    let items: Vec<Value> = outcomes.into_iter().map(outcome).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({
            "_meta": {"count": items.len(), "valid": valid, "invalid": items.len() - valid},
            "_links": [page::this_as(&call, "POST")],
            "items": items,
        }),
    ))
}

/// What was found about one record.
#[derive(Default)]
struct Found {
    errors: Vec<Value>,
    /// Whether it was tried as the write that it would be.
    rehearsed: bool,
}

/// What is said of one record.
fn outcome(found: Found) -> Value {
    let Found {
        mut errors,
        rehearsed,
    } = found;
    let truncated = errors.len() > MOST_ERRORS;
    errors.truncate(MOST_ERRORS);
    let mut outcome = json!({"valid": errors.is_empty(), "rehearsed": rehearsed, "errors": errors});
    if truncated {
        reply::set(&mut outcome, "errorsTruncated", true);
    }
    outcome
}

/// The records in a body, in either form.
fn read(media_type: &str, bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, Problem> {
    let most = limits.list_length;
    let too_many = |found: String| {
        Problem::new(
            "too-many-items",
            format!(
                "At most {most} records are checked at once; these are {found}. Split the list."
            ),
        )
        .fact("limit", most)
    };
    if media_type == NDJSON {
        let mut items = Vec::new();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if items.len() == most {
                return Err(too_many("more".to_owned()));
            }
            items.push(body::parse(line, limits).map_err(|problem| at_line(problem, number + 1))?);
        }
        return Ok(items);
    }
    let mut fields = Fields::new(body::parse(bytes, limits)?, "", &["items"])?;
    let items = fields.list("items");
    if items.is_none() {
        fields.reject(
            "items",
            "required-property",
            "Give the records to check as a list.".to_owned(),
            "Ange posterna som en lista.".to_owned(),
        );
    }
    fields.finish()?;
    let items = items.unwrap_or_default();
    if items.len() > most {
        return Err(too_many(items.len().to_string()));
    }
    Ok(items)
}

fn at_line(problem: Problem, line: usize) -> Problem {
    let detail = format!("Line {line}: {}", problem.detail);
    let mut problem = problem;
    problem.detail = detail;
    problem.facts.insert("line".into(), line.into());
    problem
}

/// The errors of each record. Faults of a record's own envelope are errors of the record, not of the request.
fn check(caller: &Authorised<Read>, items: Vec<Value>) -> Result<Vec<Found>, Problem> {
    let mut outcomes: Vec<Found> = Vec::with_capacity(items.len());
    let (mut drafts, mut places) = (Vec::new(), Vec::new());
    let nothing = items.is_empty();
    for (at, item) in items.into_iter().enumerate() {
        match draft(item) {
            Ok(draft) => {
                drafts.push(draft);
                places.push(at);
                outcomes.push(Found::default());
            }
            Err(errors) => outcomes.push(Found {
                errors,
                rehearsed: false,
            }),
        }
    }
    if !drafts.is_empty() || nothing {
        let found = caller
            .registry()
            .validate(caller.context(), drafts)
            .map_err(refused)?;
        for (validated, at) in found.into_iter().zip(places) {
            if let Some(outcome) = outcomes.get_mut(at) {
                outcome.rehearsed = validated.rehearsed;
                outcome.errors = validated
                    .faults
                    .into_iter()
                    .filter_map(|fault| serde_json::to_value(fault).ok())
                    .collect();
            }
        }
    }
    Ok(outcomes)
}

/// The members of a record to be checked: those of a new record, and its collection.
const MEMBERS: [&str; 9] = [
    "collection",
    "id",
    "owner",
    "controller",
    "origin",
    "data",
    "model",
    "validFrom",
    "validTo",
];

fn draft(item: Value) -> Result<ValidationDraft, Vec<Value>> {
    let mut fields = Fields::new(item, "", &MEMBERS).map_err(Problem::into_errors)?;
    let domain = writing::collection(&mut fields);
    let id = fields.parse::<RecordId>("id", "invalid-format");
    let envelope = envelope_of(&mut fields);
    let content = content(&mut fields);
    let (valid_from, valid_to) = (fields.valid_from("validFrom"), fields.valid_to("validTo"));
    fields.faults()?;
    domain
        .map(|domain| ValidationDraft {
            domain,
            id,
            envelope,
            content,
            valid_from,
            valid_to,
        })
        .ok_or_else(Vec::new)
}
