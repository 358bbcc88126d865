//! One request as handlers see it: path, parameters, body and base address, each with its own refusals.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use grunddata_model::{Domain, RecordId};
use grunddata_registry::{At, Context, CoordinateParameters};
use serde_json::Value;

use crate::app::App;
use crate::body;
use crate::links::Base;
use crate::operations::Operation;
use crate::parameters::Parameters;
use crate::problem::Problem;
use crate::reply::refused;

/// Bodies of more bytes are parsed on a thread of the pool.
const PARSED_INLINE: usize = 256 * 1024;

/// A request to one operation of the table.
pub struct Call {
    pub(crate) http: HttpRequest,
    pub(crate) app: Arc<App>,
    pub(crate) operation: usize,
    payload: Option<Payload>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

impl Call {
    pub(crate) fn new(
        http: HttpRequest,
        payload: Payload,
        app: Arc<App>,
        operation: usize,
    ) -> Self {
        Self {
            http,
            app,
            operation,
            payload: Some(payload),
        }
    }

    pub(crate) fn operation(&self) -> Option<&Operation> {
        self.app.operations.get(self.operation)
    }

    /// What every operation asks of a request, whatever it does.
    ///
    /// # Errors
    /// `address-too-long`, `headers-too-large`, `not-acceptable`.
    pub(crate) fn screen(&self) -> Result<(), Problem> {
        let limits = &self.app.config.limits;
        let uri = self.http.uri();
        let length = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
        if length > limits.address_length {
            return Err(Problem::new(
                "address-too-long",
                format!(
                    "The address has {length} characters; at most {} are read. Send long queries as a body with POST …/search.",
                    limits.address_length
                ),
            )
            .fact("limit", limits.address_length));
        }
        let headers: usize = self
            .http
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum();
        if headers > limits.header_bytes {
            return Err(Problem::new(
                "headers-too-large",
                format!("The headers hold {headers} bytes; at most {} are read. Send fewer or shorter ones.", limits.header_bytes),
            )
            .fact("limit", limits.header_bytes));
        }
        match self.http.headers().get(header::ACCEPT) {
            None => Ok(()),
            Some(accept) => {
                let accept = accept.to_str().unwrap_or_default();
                let produces: Vec<&str> = self.operation().map_or_else(
                    || vec![body::JSON],
                    |operation| operation.media_types().collect(),
                );
                if produces.iter().any(|produced| accepts(accept, produced)) {
                    Ok(())
                } else {
                    let produces = produces.join(", ");
                    Err(Problem::new(
                        "not-acceptable",
                        format!("This address answers with {produces}. Accept that, or */*."),
                    )
                    .fact("available", produces))
                }
            }
        }
    }

    /// The query, with nothing in it that the operation does not know.
    ///
    /// # Errors
    /// Those of [`Parameters`].
    pub(crate) fn query(&self) -> Result<Parameters<'_>, Problem> {
        let Some(query) = self.http.uri().query() else {
            return Ok(Parameters::default());
        };
        let parameters = Parameters::parse(query)?;
        if let Some(operation) = self.operation()
            && !operation.open_query
        {
            parameters.only(&operation.query_names())?;
        }
        Ok(parameters)
    }

    /// Refuses any query: for operations that are read by their path alone.
    ///
    /// # Errors
    /// Those of [`Parameters`].
    pub(crate) fn no_query(&self) -> Result<(), Problem> {
        match self.http.uri().query() {
            None => Ok(()),
            Some(_) => self.query().map(drop),
        }
    }

    /// The coordinate in the query.
    ///
    /// # Errors
    /// Those of the registry.
    pub(crate) fn at(&self, context: &Context, parameters: &Parameters<'_>) -> Result<At, Problem> {
        let given = CoordinateParameters {
            valid_at: parameters.get("validAt"),
            known_at: parameters.get("knownAt"),
            known_by: parameters.get("knownBy"),
            as_of: parameters.get("asOf"),
        };
        At::parse(context, given).map_err(refused)
    }

    /// A segment of the path.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.http.match_info().get(name).unwrap_or_default()
    }

    /// The domain of the collection in the path.
    ///
    /// # Errors
    /// `unknown-address`.
    pub(crate) fn domain(&self) -> Result<Domain, Problem> {
        Domain::from_collection(self.path("collection")).ok_or_else(|| {
            Problem::new(
                "unknown-address",
                "There is no such collection. See the documentation at /api/v1/docs.",
            )
        })
    }

    /// The id of the record in the path.
    ///
    /// # Errors
    /// `invalid-id`.
    pub(crate) fn id(&self) -> Result<RecordId, Problem> {
        record_id(self.path("id"))
    }

    /// The body as bytes; it must be of one of the media types.
    ///
    /// # Errors
    /// Those of [`body`].
    pub(crate) async fn bytes(
        &mut self,
        accepted: &[&'static str],
    ) -> Result<(&'static str, Bytes), Problem> {
        let media_type = body::media_type(&self.http, accepted)?;
        let payload = self
            .payload
            .take()
            .ok_or_else(|| Problem::internal("the body was read twice"))?;
        let bytes = body::read(&self.http, payload, &self.app.config.limits).await?;
        Ok((media_type, bytes))
    }

    /// The body as it comes, for whoever does not hold it in memory. It must not be compressed on the way.
    ///
    /// # Errors
    /// `unsupported-media-type`.
    pub(crate) fn payload(&mut self) -> Result<Payload, Problem> {
        body::not_encoded(&self.http)?;
        self.payload
            .take()
            .ok_or_else(|| Problem::internal("the body was read twice"))
    }

    /// The body as JSON, and its bytes (for the fingerprint of an idempotent request).
    ///
    /// # Errors
    /// Those of [`body`].
    pub(crate) async fn json(&mut self) -> Result<(Value, Bytes), Problem> {
        let (_, bytes) = self.bytes(&[body::JSON]).await?;
        Ok((self.parse(&bytes).await?, bytes))
    }

    /// A body as JSON. A large one is read on a thread of the pool, so that the worker goes on answering meanwhile.
    ///
    /// # Errors
    /// Those of [`body::parse`].
    pub(crate) async fn parse(&self, bytes: &Bytes) -> Result<Value, Problem> {
        if bytes.len() <= PARSED_INLINE {
            return body::parse(bytes, &self.app.config.limits);
        }
        let (app, bytes) = (Arc::clone(&self.app), bytes.clone());
        self.app
            .pool
            .run(move || body::parse(&bytes, &app.config.limits))
            .await
    }

    /// The address that links are built on.
    pub(crate) fn base(&self) -> Base {
        Base::of(&self.http, &self.app.config)
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.http
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    }
}

/// Reads an id.
///
/// # Errors
/// `invalid-id`. Only the usual form with hyphens is an id: one record, one address.
pub(crate) fn record_id(text: &str) -> Result<RecordId, Problem> {
    if text.len() == 36
        && let Ok(id) = text.parse::<RecordId>()
    {
        return Ok(id);
    }
    let shown: String = text.chars().take(60).collect();
    Err(Problem::new(
        "invalid-id",
        format!(
            "\"{shown}\" is not a record id. Give a UUID such as 01990c3e-7a5b-7000-8000-000000000001, or look the record up with /records?identifier=SCHEME:VALUE."
        ),
    ))
}

/// Whether an `Accept` header takes the media type or a problem about it (RFC 9110 section 12.5.1).
fn accepts(accept: &str, media_type: &str) -> bool {
    if accept.trim().is_empty() {
        return true;
    }
    let family = media_type.split('/').next().unwrap_or_default();
    accept.split(',').any(|part| {
        let mut pieces = part.split(';');
        let range = pieces.next().unwrap_or_default().trim();
        let refused = pieces.any(|piece| {
            piece
                .trim()
                .strip_prefix("q=")
                .is_some_and(|q| q.parse::<f32>().is_ok_and(|quality| quality == 0.0))
        });
        let holds = range == "*/*"
            || range.eq_ignore_ascii_case(media_type)
            || range
                .strip_suffix("/*")
                .is_some_and(|given| given.eq_ignore_ascii_case(family))
            || range.eq_ignore_ascii_case("application/problem+json");
        holds && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_is_read_as_the_standard_says() {
        for good in [
            "",
            "*/*",
            "application/json",
            "text/html, application/*;q=0.5",
            "Application/JSON; charset=utf-8",
        ] {
            assert!(accepts(good, body::JSON), "{good}");
        }
        for bad in ["text/html", "application/xml", "application/json;q=0"] {
            assert!(!accepts(bad, body::JSON), "{bad}");
        }
    }

    #[test]
    fn an_id_has_one_form() {
        record_id("01990c3e-7a5b-7000-8000-000000000001").expect("id");
        for bad in [
            "",
            "1",
            "01990c3e7a5b70008000000000000001",
            "{01990c3e-7a5b-7000-8000-000000000001}",
            "01990c3e-7a5b-7000-8000-00000000000g",
        ] {
            assert_eq!(record_id(bad).expect_err(bad).kind.code, "invalid-id");
        }
    }
}
