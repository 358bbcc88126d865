//! Answers: what a handler gives, and how it becomes a response with the headers that every answer has.

use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use grunddata_registry::{Code, Refusal};
use serde_json::Value;

use crate::app::App;
use crate::compression;
use crate::links::Base;
use crate::problem::Problem;
use crate::trace_context::Trace;

/// What a handler gives.
pub(crate) type Reply = Result<HttpResponse, Problem>;

/// Media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal of the registry as a problem.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    let mut problem = Problem::new(refusal.code.as_str(), refusal.detail);
    problem.facts = refusal.facts;
    problem.errors = refusal
        .errors
        .iter()
        .filter_map(|fault| serde_json::to_value(fault).ok())
        .collect();
    if refusal.code == Code::PreconditionFailed
        && let Some(version) = problem.facts.get("version").and_then(Value::as_u64)
    {
        problem = problem.header(header::ETAG, &format!("\"{version}\""));
    }
    problem
}

/// A JSON answer that may not be kept by a cache that others share.
pub(crate) fn json(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ))
        .insert_header((
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-cache"),
        ))
        .body(body)
}

/// A JSON answer from a value.
pub(crate) fn value(status: StatusCode, body: &Value) -> HttpResponse {
    json(status, body.to_string().into_bytes())
}

/// Sets a member of an object.
pub(crate) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}

/// Turns what a handler gave into the response.
pub(crate) async fn finish(
    app: &App,
    http: &HttpRequest,
    trace: Trace,
    reply: Reply,
) -> HttpResponse {
    let mut response = match reply {
        Ok(response) => response,
        Err(problem) => self::problem(app, http, trace, &problem),
    };
    if let Some(value) = trace.header() {
        response
            .headers_mut()
            .insert(header::HeaderName::from_static("traceparent"), value);
    }
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if app.config.tls.is_some() {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if http.headers().contains_key(header::ACCEPT_ENCODING) {
        response = compressed(http, response).await;
    }
    response
}

async fn compressed(http: &HttpRequest, response: HttpResponse) -> HttpResponse {
    let encoded_already = response.headers().contains_key(header::CONTENT_ENCODING);
    let binary = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"image/png"));
    if encoded_already || binary {
        return response;
    }
    let (head, body) = response.into_parts();
    match body.try_into_bytes() {
        Ok(bytes) => {
            let (bytes, coding): (Bytes, _) = compression::apply(http, bytes).await;
            let mut response = head.set_body(bytes).map_into_boxed_body();
            let headers = response.headers_mut();
            headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            if let Some(coding) = coding {
                headers.insert(header::CONTENT_ENCODING, coding);
            }
            response
        }
        Err(body) => head.set_body(body),
    }
}

/// A problem as the response, noted in the log (a cause only there) and in the metrics.
fn problem(app: &App, http: &HttpRequest, trace: Trace, problem: &Problem) -> HttpResponse {
    let base = Base::of(http, &app.config);
    let request_id = trace.request_id();
    match &problem.cause {
        Some(cause) if problem.kind.status >= 500 => {
            tracing::error!(%request_id, code = problem.kind.code, cause, "request failed");
        }
        Some(cause) => {
            tracing::info!(%request_id, code = problem.kind.code, cause, "request refused")
        }
        None => tracing::debug!(%request_id, code = problem.kind.code, "request refused"),
    }
    app.metrics.problem(problem.kind.code);
    let body = problem.body(&base.api(), &format!("urn:uuid:{request_id}"));
    let status =
        StatusCode::from_u16(problem.kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON)))
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(Value::Object(body).to_string());
    for (name, value) in &problem.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    if problem.kind.status == 413 || problem.kind.status == 408 {
        // What is left of the body is not read: the connection cannot be used again.
        response
            .head_mut()
            .set_connection_type(actix_web::http::ConnectionType::Close);
    }
    response
}
