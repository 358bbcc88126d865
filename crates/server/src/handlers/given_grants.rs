//! Grants to users, groups and clients of other issuers: given, listed, taken back.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_registry::{GivenGrant, GrantSubject, SubjectKind};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{grants, page};
use crate::access::{Admin, Authorised};
use crate::call::Call;
use crate::fields::{self, Fields};
use crate::links::Link;
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// `GET /grants`
pub(crate) async fn list(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let given = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .given_grants(caller.context())
                .map_err(refused)
        })
        .await?;
    let items: Vec<Value> = given.iter().map(|given| shown(given, &api)).collect();
    Ok(reply::value(
        StatusCode::OK,
        &json!({"items": items, "_links": [page::this(&call)]}),
    ))
}

/// `POST /grants`
pub(crate) async fn create(caller: Authorised<Admin>, mut call: Call) -> Reply {
    call.no_query()?;
    let (body, _) = call.json().await?;
    let mut fields = Fields::new(body, "", &["subject", "grant", "reason"])?;
    let reason = fields.text("reason");
    let subject = fields.required("subject");
    let grant = fields.required("grant");
    fields.finish()?;
    let mut faults = Vec::new();
    let subject = read_subject(subject)
        .map_err(|found| faults.extend(found))
        .ok();
    let grant = grants::read(grant, "/grant")
        .map_err(|found| faults.extend(found))
        .ok();
    let (Some(subject), Some(grant)) = (subject, grant) else {
        return Err(fields::problem(faults));
    };
    let given = call
        .app
        .pool
        .run(move || {
            caller
                .registry()
                .give_grant(caller.context(), subject, grant, reason)
                .map_err(refused)
        })
        .await?;
    // Whoever is remembered with fewer rights shall have them at once.
    call.app.vault.forget();
    let api = call.base().api();
    let mut response = reply::value(StatusCode::CREATED, &shown(&given, &api));
    if let Ok(address) = header::HeaderValue::from_str(&format!("{api}/grants/{}", given.id)) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    Ok(response)
}

fn read_subject(value: Value) -> Result<GrantSubject, Vec<Value>> {
    let mut fields =
        Fields::new(value, "/subject", &["kind", "name"]).map_err(Problem::into_errors)?;
    let kind = fields
        .text("kind")
        .and_then(|kind| SubjectKind::from_name(&kind));
    if kind.is_none() {
        let kinds = SubjectKind::ALL.map(SubjectKind::as_str).join(", ");
        fields.reject(
            "kind",
            "unknown-code",
            format!("kind is one of {kinds}."),
            format!("kind är något av {kinds}."),
        );
    }
    let name = fields.text("name").unwrap_or_default();
    fields.faults()?;
    match kind {
        Some(kind) => Ok(GrantSubject { kind, name }),
        None => Err(Vec::new()),
    }
}

/// `DELETE /grants/{grant}`
pub(crate) async fn end(caller: Authorised<Admin>, call: Call) -> Reply {
    call.no_query()?;
    let text = call.path("grant").to_owned();
    let id: Uuid = text.parse().map_err(|_| {
        Problem::new(
            "not-found",
            "There is no such grant that you administer. GET /grants lists those that you do.",
        )
    })?;
    call.app
        .pool
        .run(move || {
            caller
                .registry()
                .take_back_grant(caller.context(), id)
                .map_err(refused)
        })
        .await?;
    call.app.vault.forget();
    Ok(HttpResponse::NoContent().finish())
}

fn shown(given: &GivenGrant, api: &str) -> Value {
    json!({
        "id": given.id,
        "subject": {"kind": given.subject.kind.as_str(), "name": given.subject.name},
        "grant": grants::shown(&given.grant),
        "reason": given.reason,
        "createdAt": given.created_at,
        "createdBy": given.created_by,
        "endedAt": given.ended_at,
        "endedBy": given.ended_by,
        "_links": [Link::get("collection", format!("{api}/grants"))],
    })
}
