//! Reading a request's body: size, time, media type, JSON syntax, depth and NUL are checked here, each with its own
//! problem, before anything looks at the content.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::config::Limits;
use crate::problem::Problem;

/// `application/json`
pub(crate) const JSON: &str = "application/json";
/// RFC 7396.
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";
/// RFC 6902.
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
/// One JSON value on each line.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// The media type of the body, which must be one of `accepted`.
///
/// # Errors
/// `unsupported-media-type`.
pub(crate) fn media_type(
    request: &HttpRequest,
    accepted: &[&'static str],
) -> Result<&'static str, Problem> {
    let given = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let charset = given.split(';').skip(1).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().trim_matches('"'))
    });
    let found = accepted
        .iter()
        .find(|one| one.eq_ignore_ascii_case(essence));
    match found {
        Some(found) if charset.is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8")) => {
            Ok(found)
        }
        _ => {
            let list = accepted.join(", ");
            let detail = if essence.is_empty() {
                format!("The request has no Content-Type. Send one of {list}.")
            } else {
                format!(
                    "The body cannot be read as it is declared. Send {list} in UTF-8, and say so in Content-Type."
                )
            };
            Err(Problem::new("unsupported-media-type", detail)
                .fact("supported", accepted.to_vec())
                .header(header::ACCEPT, &list))
        }
    }
}

/// That the body comes as it is.
///
/// # Errors
/// `unsupported-media-type` for a compressed one.
pub(crate) fn not_encoded(request: &HttpRequest) -> Result<(), Problem> {
    match request.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Problem::new(
                "unsupported-media-type",
                "Compressed bodies are not read. Send the body without Content-Encoding.",
            )
            .header(header::ACCEPT_ENCODING, "identity"))
        }
        _ => Ok(()),
    }
}

/// The whole body.
///
/// # Errors
/// `body-too-large`, `request-timeout`, `invalid-body` for a broken transfer, `unsupported-media-type` for a
/// compressed one.
pub(crate) async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limits: &Limits,
) -> Result<Bytes, Problem> {
    not_encoded(request)?;
    let limit = limits.body_bytes;
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > limit) {
        return Err(too_large(limit));
    }
    let receive = async {
        let mut body = BytesMut::with_capacity(declared.unwrap_or(0).min(limit).min(64 * 1024));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| {
                let mut problem = Problem::new(
                    "invalid-body",
                    "The body did not arrive whole. Send the request again.",
                );
                problem.cause = Some(error.to_string());
                problem
            })?;
            if body.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    match tokio::time::timeout(limits.request_timeout, receive).await {
        Ok(body) => body,
        Err(_) => Err(too_slow(limits.request_timeout)),
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        "body-too-large",
        format!(
            "The body is larger than {limit} bytes. Split what you send over several requests."
        ),
    )
    .fact("limit", limit)
    .header(header::CONNECTION, "close")
}

fn too_slow(limit: Duration) -> Problem {
    let seconds = limit.as_secs();
    Problem::new(
        "request-timeout",
        format!("The body did not arrive within {seconds} seconds. Send it again, or split it."),
    )
    .fact("seconds", seconds)
    .header(header::CONNECTION, "close")
}

/// Parses JSON.
///
/// # Errors
/// `missing-body`, `malformed-json` with line and column, `too-deep`, `nul-character`.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Problem> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::new(
            "missing-body",
            "This operation needs a JSON body, and none came. The documentation shows an example.",
        ));
    }
    let shape = scan(bytes);
    if shape.depth > limits.json_depth {
        return Err(Problem::new(
            "too-deep",
            format!(
                "The JSON is nested {} levels deep; at most {} are read. Flatten it.",
                shape.depth, limits.json_depth
            ),
        )
        .fact("limit", limits.json_depth)
        .fact("depth", shape.depth));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(
            "malformed-json",
            format!("The body is not JSON: {error}. Correct it there and send it again."),
        )
        .fact("line", error.line())
        .fact("column", error.column())
    })?;
    if shape.may_hold_nul
        && let Some(pointer) = find_nul(&value)
    {
        let message = "The text holds the character U+0000, which no text in the registry may hold. Remove it.";
        return Err(Problem::new("nul-character", message).error(crate::fields::fault(
            &pointer,
            "control-character",
            message.to_owned(),
            "Texten innehåller tecknet U+0000, som ingen text i registret får innehålla. Ta bort det.".to_owned(),
        )));
    }
    Ok(value)
}

struct Shape {
    depth: usize,
    may_hold_nul: bool,
}

/// One pass over the bytes: the depth (so that a deep body is refused before a recursive parser sees it) and
/// whether an escaped NUL may stand anywhere.
fn scan(bytes: &[u8]) -> Shape {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    Shape {
        depth: deepest,
        may_hold_nul: bytes.windows(6).any(|window| window == b"\\u0000"),
    }
}

fn find_nul(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| find_nul(item).map(|rest| format!("/{at}{rest}"))),
        Value::Object(members) => members.iter().find_map(|(name, item)| {
            if name.contains('\0') {
                return Some(String::new());
            }
            find_nul(item)
                .map(|rest| format!("/{}{rest}", name.replace('~', "~0").replace('/', "~1")))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Problem {
        parse(body.as_bytes(), &Limits::default()).expect_err(body)
    }

    #[test]
    fn bad_json_is_refused_with_its_place() {
        let problem = refused("{\n  \"data\": {,}\n}");
        assert_eq!(problem.kind.code, "malformed-json");
        assert_eq!(problem.facts["line"], 2);
        assert_eq!(problem.facts["column"], 12);
        assert_eq!(refused("  ").kind.code, "missing-body");
        assert_eq!(refused("{} {}").kind.code, "malformed-json");
        assert_eq!(refused("\"\u{0}\"").kind.code, "malformed-json");
    }

    #[test]
    fn depth_is_counted_outside_strings() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let problem = refused(&deep);
        assert_eq!(problem.kind.code, "too-deep");
        assert_eq!(problem.facts["depth"], 200);
        let text = format!("\"{}\\\"{}\"", "[".repeat(200), "[".repeat(200));
        parse(text.as_bytes(), &Limits::default()).expect("a string is not nested");
    }

    #[test]
    fn an_escaped_nul_is_found_and_an_escaped_backslash_is_none() {
        let problem = refused(r#"{"data": {"name": [{"sv": "a\u0000b"}]}}"#);
        assert_eq!(problem.kind.code, "nul-character");
        assert_eq!(problem.errors[0]["pointer"], "/data/name/0/sv");
        parse(br#"{"data": "\\u0000"}"#, &Limits::default()).expect("no NUL");
    }
}
