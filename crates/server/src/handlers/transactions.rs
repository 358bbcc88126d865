//! Many writes that succeed or fail as one, and their reversal.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_model::{OwnerKey, RecordId, SchemeCode, TransactionId, ValidFrom};
use grunddata_registry::{
    Amend, Command, Create, End, IfMatch, Note, Operation, Replace, Retract, Revert, Revive,
    Subject, Transaction, TransactionWritten, nearest,
};
use serde_json::{Value, json};

use super::records::{content, envelope_of};
use super::writing::{self, outcome};
use super::{amendments, page};
use crate::access::{Authorised, Write};
use crate::body::{self, JSON};
use crate::call::Call;
use crate::config::Limits;
use crate::fields::{self, Fields};
use crate::problem::{MOST_ERRORS, Problem};
use crate::reply::{Reply, refused};

const OPERATIONS: [&str; 7] = [
    "create", "replace", "amend", "end", "revive", "retract", "revert",
];

const MEMBERS: [&str; 23] = [
    "op",
    "collection",
    "id",
    "tempId",
    "ifMatch",
    "match",
    "data",
    "model",
    "controller",
    "origin",
    "owner",
    "patch",
    "operations",
    "version",
    "validFrom",
    "validTo",
    "overwritePlanned",
    "onUncovered",
    "onUnresolved",
    "reason",
    "changeKind",
    "corrects",
    "source",
];

/// `POST /transactions`
pub(crate) async fn commit(caller: Authorised<Write>, mut call: Call) -> Reply {
    call.no_query()?;
    let (_, bytes) = call.bytes(&[JSON]).await?;
    let (app, repeatable, worker) = (
        Arc::clone(&call.app),
        writing::repeatable(&call)?,
        caller.clone(),
    );
    // Reading and validating a long list takes long: on a thread of the pool, while the worker goes on answering.
    let batch = call
        .app
        .pool
        .run(move || {
            let limits = &app.config.limits;
            let transaction = read(body::parse(&bytes, limits)?, limits)?;
            let idempotency = repeatable.map(|repeatable| repeatable.with_body(&bytes));
            worker
                .registry()
                .prepare_transaction(worker.context(), transaction, idempotency)
                .map_err(refused)
        })
        .await?;
    let written = caller
        .registry()
        .submit_batch(batch)
        .await
        .map_err(refused)?;
    Ok(answer(&call, &written))
}

/// The transaction in a body.
fn read(body: Value, limits: &Limits) -> Result<Transaction, Problem> {
    let mut fields = Fields::new(body, "", &["operations", "owner", "reason", "source"])?;
    let owner = fields.parse::<OwnerKey>("owner", "invalid-format");
    let (reason, source) = (fields.text("reason"), fields.text("source"));
    let operations = fields.list("operations").unwrap_or_default();
    if operations.is_empty() {
        fields.reject(
            "operations",
            "required-property",
            "Give at least one operation.".to_owned(),
            "Ange minst en operation.".to_owned(),
        );
    }
    let most = limits.list_length;
    if operations.len() > most {
        return Err(Problem::new(
            "too-many-items",
            format!(
                "A transaction holds at most {most} operations; this one has {}. Split the list.",
                operations.len()
            ),
        )
        .fact("limit", most));
    }
    fields.finish()?;
    let mut commands = Vec::with_capacity(operations.len());
    let mut faults = Vec::new();
    for (at, operation) in operations.into_iter().enumerate() {
        if faults.len() > MOST_ERRORS {
            break;
        }
        match command(
            operation,
            &format!("/operations/{at}"),
            reason.as_ref(),
            source.as_ref(),
        ) {
            Ok(command) => commands.push(command),
            Err(problem) if problem.errors.is_empty() => return Err(problem),
            Err(problem) => faults.extend(problem.into_errors()),
        }
    }
    if !faults.is_empty() {
        return Err(fields::problem(faults));
    }
    Ok(Transaction { owner, commands })
}

/// `POST /transactions/{transaction}/reversal`
pub(crate) async fn reverse(caller: Authorised<Write>, mut call: Call) -> Reply {
    call.no_query()?;
    let id: TransactionId = call.path("transaction").parse().map_err(|_| {
        Problem::new("invalid-id", "That is not a transaction id. The history of a record shows the ids of its transactions.")
    })?;
    let (body, bytes) = call.json().await?;
    let mut fields = Fields::new(body, "", &["owner", "reason"])?;
    let owner = fields.parse::<OwnerKey>("owner", "invalid-format");
    let reason = fields.text("reason");
    fields.finish()?;
    let idempotency = writing::idempotency(&call, &bytes)?;
    let note = Note {
        reason,
        ..Note::default()
    };
    let worker = caller.clone();
    let batch = call
        .app
        .pool
        .run(move || {
            worker
                .registry()
                .prepare_reversal(worker.context(), owner, id, note, idempotency)
                .map_err(refused)
        })
        .await?;
    let written = caller
        .registry()
        .submit_batch(batch)
        .await
        .map_err(refused)?;
    Ok(answer(&call, &written))
}

fn answer(call: &Call, written: &TransactionWritten) -> HttpResponse {
    let api = call.base().api();
    let minimal = writing::minimal(call);
    let outcomes = |list: &[grunddata_registry::Written]| {
        list.iter()
            .map(|one| outcome(one, &api))
            .collect::<Vec<_>>()
    };
    let changed = if written.transaction.is_some() {
        "updated"
    } else {
        "unchanged"
    };
    let mut response = HttpResponse::build(if minimal {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::OK
    });
    response
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header(("Grunddata-Outcome", changed));
    if minimal {
        return response
            .insert_header(("Preference-Applied", "return=minimal"))
            .finish();
    }
    response
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(
            json!({
                "transaction": written.transaction,
                "recordedAt": written.recorded_at,
                "items": outcomes(&written.items),
                "also": outcomes(&written.also),
                "_links": [page::this_as(call, "POST")],
            })
            .to_string(),
        )
}

/// One operation of the list.
fn command(
    value: Value,
    prefix: &str,
    reason: Option<&String>,
    source: Option<&String>,
) -> Result<Command, Problem> {
    let mut fields = Fields::new(value, prefix, &MEMBERS)?;
    let op = fields.text("op").unwrap_or_default();
    let domain = writing::collection(&mut fields);
    let if_match = if_match(&mut fields);
    let id = fields.text("id");
    let temporary_id = fields.text("tempId");
    let operation = match op.as_str() {
        "create" => Some(Operation::Create(Create {
            id: id.as_deref().and_then(|id| own_id(&mut fields, id)),
            temporary_id,
            envelope: envelope_of(&mut fields),
            content: content(&mut fields),
            valid_from: fields.valid_from("validFrom"),
            valid_to: fields.valid_to("validTo"),
            matching: fields.parse::<SchemeCode>("match", "invalid-format"),
        })),
        "replace" => Some(Operation::Replace(Replace {
            subject: subject(&mut fields, id),
            envelope: envelope_of(&mut fields),
            content: content(&mut fields),
            valid_from: writing::from(&mut fields),
            valid_to: fields.valid_to("validTo"),
            overwrite_planned: fields.flag("overwritePlanned"),
        })),
        "amend" => {
            let subject = subject(&mut fields, id);
            let (valid_from, valid_to) = (writing::from(&mut fields), fields.valid_to("validTo"));
            amendments::patch(&mut fields)?.map(|patch| {
                Operation::Amend(Amend {
                    subject,
                    patch,
                    valid_from,
                    valid_to,
                })
            })
        }
        "end" => Some(Operation::End(End {
            subject: subject(&mut fields, id),
            valid_from: writing::from(&mut fields),
            valid_to: fields.valid_to("validTo"),
        })),
        "revive" => {
            let valid_from = fields.valid_from("validFrom");
            if valid_from.is_none() {
                fields.reject(
                    "validFrom",
                    "required-property",
                    "validFrom is required.".to_owned(),
                    "validFrom krävs.".to_owned(),
                );
            }
            Some(Operation::Revive(Revive {
                subject: subject(&mut fields, id),
                content: content(&mut fields),
                valid_from: valid_from.unwrap_or(ValidFrom::Unknown),
                valid_to: fields.valid_to("validTo"),
            }))
        }
        "retract" => Some(Operation::Retract(Retract {
            subject: subject(&mut fields, id),
            valid_from: writing::from(&mut fields),
            valid_to: fields.valid_to("validTo"),
        })),
        "revert" => {
            let version = writing::version(&mut fields, "version");
            if version.is_none() {
                fields.reject(
                    "version",
                    "required-property",
                    "version is required.".to_owned(),
                    "version krävs.".to_owned(),
                );
            }
            Some(Operation::Revert(Revert {
                subject: subject(&mut fields, id),
                version: version.unwrap_or(1),
            }))
        }
        other => {
            let near = nearest(other, OPERATIONS)
                .map(|near| format!(" Did you mean {near}?"))
                .unwrap_or_default();
            fields.reject(
                "op",
                "unknown-code",
                format!("op is one of {}.{near}", OPERATIONS.join(", ")),
                format!("op är något av {}.", OPERATIONS.join(", ")),
            );
            None
        }
    };
    let mut note = writing::note(&mut fields);
    note.reason = note.reason.or_else(|| reason.cloned());
    note.source = note.source.or_else(|| source.cloned());
    let on_uncovered = writing::on_uncovered(&mut fields);
    let on_unresolved = writing::on_unresolved(&mut fields);
    fields.finish()?;
    match (domain, operation) {
        (Some(domain), Some(operation)) => {
            let mut command = Command::new(domain, operation).note(note);
            command.if_match = if_match;
            command.on_uncovered = on_uncovered;
            command.on_unresolved = on_unresolved;
            Ok(command)
        }
        _ => Err(Problem::internal(
            "an operation without domain or kind was let through",
        )),
    }
}

/// The version that was seen: a number, `"3"`, the whole ETag, or `*`.
fn if_match(fields: &mut Fields) -> Option<IfMatch> {
    let text = match fields.take("ifMatch")? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        _ => String::new(),
    };
    let mut headers = header::HeaderMap::new();
    if let Ok(value) = header::HeaderValue::from_str(&text) {
        headers.insert(header::IF_MATCH, value);
    }
    match crate::etag::if_match(&headers) {
        Ok(Some(if_match)) => Some(if_match),
        _ => {
            fields.reject(
                "ifMatch",
                "invalid-format",
                "ifMatch is a version such as 3, an ETag, or *.".to_owned(),
                "ifMatch är en version som 3, en ETag, eller *.".to_owned(),
            );
            None
        }
    }
}

fn own_id(fields: &mut Fields, text: &str) -> Option<RecordId> {
    match crate::call::record_id(text) {
        Ok(id) => Some(id),
        Err(problem) => {
            fields.reject(
                "id",
                "invalid-format",
                problem.detail.clone(),
                "id är ett UUID.".to_owned(),
            );
            None
        }
    }
}

fn subject(fields: &mut Fields, id: Option<String>) -> Subject {
    match id {
        Some(id) => match id.strip_prefix("temp:") {
            Some(name) => Subject::Temporary(name.to_owned()),
            None => {
                own_id(fields, &id).map_or_else(|| Subject::Temporary(String::new()), Subject::Id)
            }
        },
        None => {
            fields.reject(
                "id",
                "required-property",
                "id is required: the record's UUID, or temp:NAME of an earlier operation."
                    .to_owned(),
                "id krävs: postens UUID, eller temp:NAMN från en tidigare operation.".to_owned(),
            );
            Subject::Temporary(String::new())
        }
    }
}
