//! The API about itself, and what supervisors ask.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use grunddata_model::{Domain, OwnerKey};
use grunddata_registry::Action;
use serde_json::{Value, json};

use super::page;
use crate::access::{Admin, Authorised};
use crate::call::{Call, record_id};
use crate::etag;
use crate::links::Link;
use crate::metrics::Gauges;
use crate::problem::{self, Problem, ProblemType};
use crate::reply::{self, Reply};

/// Who asks whether the server is ready waits no longer.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// `GET /api/v1`
pub(crate) async fn root(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let mut links = vec![
        Link::get("self", api.clone()),
        Link::get("service-desc", format!("{api}/openapi.json")),
        Link::get("service-doc", format!("{api}/docs")),
        Link::get("status", format!("{}/readyz", call.base().origin())),
        Link::get("describedby", format!("{api}/models")),
    ];
    links.extend(
        Domain::ALL
            .iter()
            .map(|domain| Link::get("collection", format!("{api}/{}", domain.collection()))),
    );
    Ok(open(&json!({"_links": links})))
}

/// `GET /api-info`
pub(crate) async fn api_info(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    Ok(open(&json!({
        "apiName": "grunddata",
        "apiVersion": crate::API_VERSION,
        "apiReleased": crate::API_RELEASED,
        "apiDocumentation": format!("{api}/docs"),
        "apiStatus": "active",
        "apiOperator": call.app.config.operator.name,
        "_links": [Link::get("self", format!("{api}/api-info")), Link::get("service-desc", format!("{api}/openapi.json"))],
    })))
}

/// `GET /openapi.json`
pub(crate) async fn openapi(call: Call) -> Reply {
    call.no_query()?;
    let document = call.app.openapi(call.base().origin())?;
    let tag = etag::tag(1, &document);
    let unchanged = etag::matches_none(call.http.headers(), &tag);
    let mut response = if unchanged {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"));
    Ok(if unchanged {
        response.finish()
    } else {
        response.body(document)
    })
}

/// `GET /problems`
pub(crate) async fn problems(call: Call) -> Reply {
    call.no_query()?;
    let api = call.base().api();
    let items: Vec<Value> = problem::types()
        .iter()
        .map(|kind| described(kind, &api))
        .collect();
    Ok(open(
        &json!({"items": items, "_links": [Link::get("self", format!("{api}/problems"))]}),
    ))
}

/// `GET /problems/{code}`
pub(crate) async fn problem(call: Call) -> Reply {
    call.no_query()?;
    let code = call.path("code");
    let kind = problem::find(code).ok_or_else(|| {
        let near = grunddata_registry::nearest(code, problem::types().iter().map(|kind| kind.code));
        let problem = Problem::new(
            "not-found",
            "There is no such problem type. GET /problems lists them.",
        );
        match near {
            Some(near) => problem.fact("nearest", near),
            None => problem,
        }
    })?;
    let mut body = described(kind, &call.base().api());
    reply::set(&mut body, "_links", json!([page::this(&call)]));
    Ok(open(&body))
}

fn described(kind: &ProblemType, api: &str) -> Value {
    json!({
        "type": format!("{api}/problems/{}", kind.code),
        "code": kind.code,
        "status": kind.status,
        "title": {"sv": kind.title.sv, "en": kind.title.en},
        "cure": {"sv": kind.cure.sv, "en": kind.cure.en},
    })
}

/// `GET /id/{domain}/{uuid}`: the thing is not its representation (303).
pub(crate) async fn persistent(call: Call) -> Reply {
    call.no_query()?;
    let domain: Domain = call.path("domain").parse().map_err(|_| {
        Problem::new(
            "unknown-address",
            "There is no such domain: use person, role, organisation, geography or service.",
        )
    })?;
    let id = record_id(call.path("id"))?;
    Ok(HttpResponse::SeeOther()
        .insert_header((
            header::LOCATION,
            format!("{}/{}/{id}", call.base().api(), domain.collection()),
        ))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .finish())
}

/// `GET /healthz`
pub(crate) async fn health(call: Call) -> Reply {
    call.no_query()?;
    Ok(reply::value(StatusCode::OK, &json!({"status": "ok"})))
}

/// `GET /readyz`
pub(crate) async fn ready(call: Call) -> Reply {
    call.no_query()?;
    let app = std::sync::Arc::clone(&call.app);
    let silent = |cause: String| {
        let mut problem = Problem::new(
            "busy",
            "The database does not answer. Try again after the seconds in Retry-After.",
        );
        problem.cause = Some(cause);
        problem
    };
    let asked = call.app.readiness.run(move || {
        app.vault
            .vitals()
            .store()
            .owners()
            .map(drop)
            .map_err(|error| silent(error.to_string()))
    });
    tokio::time::timeout(READY_WITHIN, asked)
        .await
        .map_err(|_| silent("no answer in time".to_owned()))??;
    Ok(reply::value(StatusCode::OK, &json!({"status": "ok"})))
}

/// `GET /metrics`
pub(crate) async fn metrics(caller: Option<Authorised<Admin>>, call: Call) -> Reply {
    call.no_query()?;
    let app = &call.app;
    // Which owners there are is no secret of those alone that have declared their data open.
    let named = |owner: &OwnerKey| {
        caller
            .as_ref()
            .is_some_and(|caller| caller.context().actor.may(Action::Administer, owner))
    };
    let text = app
        .metrics
        .encode(
            &app.vault.vitals().store().metrics(),
            &Gauges {
                waiting: app.pool.waiting(),
                busy: app.pool.busy(),
                followers: app.places.count(),
                silent: &app.silent.read(),
                hooks: Some(&app.hooks),
                peers: &app.peers.read(),
                now: app.vault.vitals().now().micros(),
            },
            named,
        )
        .map_err(|error| Problem::internal(error.to_string()))?;
    Ok(HttpResponse::Ok()
        .insert_header((
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ))
        .body(text))
}

/// `GET /.well-known/security.txt` (RFC 9116). It expires, as the standard demands, so that nobody trusts an old one.
pub(crate) async fn security_text(call: Call) -> Reply {
    call.no_query()?;
    let expires = call.app.vault.vitals().now().date_time() + chrono::Duration::days(180);
    let text = format!(
        "Contact: {}\nExpires: {}\nPreferred-Languages: sv, en\nCanonical: {}/.well-known/security.txt\n",
        call.app.config.operator.security_contact,
        expires.format("%Y-%m-%dT00:00:00Z"),
        call.base().origin(),
    );
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
        .body(text))
}

/// What is the same for everybody.
fn open(body: &Value) -> HttpResponse {
    let mut response = reply::value(StatusCode::OK, body);
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("public, max-age=300"),
    );
    response
}
