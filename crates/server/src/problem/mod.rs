//! Errors as RFC 9457 problem details: one table of types, one way to write them.
//!
//! A handler gives a [`Problem`]; the dispatcher turns it into an answer, because only it knows the request's
//! address and trace. What went wrong inside (a lost connection, a broken row) is logged there once under the same
//! instance id and never reaches the client.

mod table;

use std::ops::{Deref, DerefMut};

use actix_web::http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

pub use table::{ProblemType, Text, find, types};

/// The most single errors that are told: whoever sees that many needs no more to begin with.
pub(crate) const MOST_ERRORS: usize = 100;

/// One refusal on its way to the client. Boxed, because it is the rare side of nearly every `Result` of this crate.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

/// What a [`Problem`] says.
#[derive(Debug)]
pub struct Parts {
    /// Which entry of the table.
    pub kind: &'static ProblemType,
    /// What is wrong with this request, and what to do.
    pub detail: String,
    /// Single errors (`pointer`, `code`, `message`, `messageSv`); of more than 100 the first are told.
    pub errors: Vec<Value>,
    /// Extension members: the present version, the referrers, the nearest known name …
    pub facts: Map<String, Value>,
    /// Headers that belong to the status (`Allow`, `Retry-After`, `WWW-Authenticate`, `ETag` …).
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What happened inside. Logged, never sent.
    pub cause: Option<String>,
}

impl Deref for Problem {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Parts {
        &mut self.0
    }
}

impl Problem {
    /// A problem of the type `code`; one that the table does not hold is an internal error.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let (kind, cause) = match find(code) {
            Some(kind) => (kind, None),
            None => (table::internal(), Some(format!("no problem type '{code}'"))),
        };
        let mut problem = Self(Box::new(Parts {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            facts: Map::new(),
            headers: Vec::new(),
            cause,
        }));
        if matches!(kind.status, 429 | 503) {
            problem.headers.push((
                actix_web::http::header::RETRY_AFTER,
                HeaderValue::from_static("1"),
            ));
        }
        if kind.status == 401 {
            problem.headers.push((
                actix_web::http::header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"grunddata\""),
            ));
        }
        problem
    }

    /// Something broke here: `cause` is for the log alone.
    pub fn internal(cause: impl Into<String>) -> Self {
        let mut problem = Self::new("internal", table::internal().cure.en);
        problem.cause = Some(cause.into());
        problem
    }

    /// Its single errors alone.
    #[must_use]
    pub fn into_errors(self) -> Vec<Value> {
        self.0.errors
    }

    /// Adds an extension member.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a single error.
    #[must_use]
    pub fn error(mut self, error: Value) -> Self {
        self.errors.push(error);
        self
    }

    /// Adds a header; one that cannot be written as a header value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The body, with `type` as an absolute address under `api` (`https://host/api/v1`).
    #[must_use]
    pub fn body(&self, api: &str, instance: &str) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert(
            "type".into(),
            format!("{api}/problems/{}", self.kind.code).into(),
        );
        body.insert("title".into(), self.kind.title.en.into());
        body.insert("status".into(), self.kind.status.into());
        body.insert("detail".into(), self.detail.clone().into());
        body.insert("instance".into(), instance.into());
        body.insert("code".into(), self.kind.code.into());
        if !self.errors.is_empty() {
            let told: Vec<Value> = self.errors.iter().take(MOST_ERRORS).cloned().collect();
            if told.len() < self.errors.len() {
                body.insert("errorsTruncated".into(), true.into());
            }
            body.insert("errors".into(), told.into());
        }
        for (name, value) in &self.facts {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
        body
    }
}
