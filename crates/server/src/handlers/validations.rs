//! Checking records without storing them.

use std::sync::Arc;

use actix_web::http::StatusCode;
use grunddata_registry::ValidationDraft;
use serde_json::{Value, json};

use super::page;
use super::records::content;
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
    let valid = outcomes.iter().filter(|errors| errors.is_empty()).count();
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

/// What is said of one record.
fn outcome(mut errors: Vec<Value>) -> Value {
    let truncated = errors.len() > MOST_ERRORS;
    errors.truncate(MOST_ERRORS);
    let mut outcome = json!({"valid": errors.is_empty(), "errors": errors});
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
fn check(caller: &Authorised<Read>, items: Vec<Value>) -> Result<Vec<Vec<Value>>, Problem> {
    let mut outcomes: Vec<Vec<Value>> = Vec::with_capacity(items.len());
    let (mut drafts, mut places) = (Vec::new(), Vec::new());
    let nothing = items.is_empty();
    for (at, item) in items.into_iter().enumerate() {
        match draft(item) {
            Ok(draft) => {
                drafts.push(draft);
                places.push(at);
                outcomes.push(Vec::new());
            }
            Err(faults) => outcomes.push(faults),
        }
    }
    if !drafts.is_empty() || nothing {
        let found = caller
            .registry()
            .validate(caller.context(), drafts)
            .map_err(refused)?;
        for (faults, at) in found.into_iter().zip(places) {
            if let Some(outcome) = outcomes.get_mut(at) {
                *outcome = faults
                    .into_iter()
                    .map(|fault| fault.below("/data"))
                    .filter_map(|fault| serde_json::to_value(fault).ok())
                    .collect();
            }
        }
    }
    Ok(outcomes)
}

fn draft(item: Value) -> Result<ValidationDraft, Vec<Value>> {
    let mut fields = Fields::new(item, "", &["collection", "data", "model", "validFrom"])
        .map_err(Problem::into_errors)?;
    let domain = writing::collection(&mut fields);
    let content = content(&mut fields);
    let valid_from = fields.valid_from("validFrom");
    fields.faults()?;
    domain
        .map(|domain| ValidationDraft {
            domain,
            content,
            valid_from,
        })
        .ok_or_else(Vec::new)
}
