//! Entity tags: `"N-hash"`, the record's version and the hash of the representation. `If-Match` compares the
//! version alone, `If-None-Match` the whole.

use actix_web::http::header;
use actix_web::http::header::HeaderMap;

use grunddata_registry::IfMatch;

use crate::problem::Problem;

/// The tag of a representation.
#[must_use]
pub(crate) fn tag(version: u32, representation: &[u8]) -> String {
    format!(
        "\"{version}-{:016x}\"",
        xxhash_rust::xxh3::xxh3_64(representation)
    )
}

/// Whether `If-None-Match` holds the tag (RFC 9110 section 13.1.2: weak comparison, lists, `*`).
#[must_use]
pub(crate) fn matches_none(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .any(|value| {
            value
                .split(',')
                .map(str::trim)
                .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
        })
}

/// Reads `If-Match`. `None` when it is absent.
///
/// # Errors
/// `invalid-header` when it is neither `*` nor one tag that begins with a version.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let wrong = || {
        Problem::new(
            "invalid-header",
            "If-Match must be one tag as it was received in ETag, such as \"3-9c1f…\", only the version, such as \"3\", or *.",
        )
        .fact("header", "If-Match")
    };
    if values.next().is_some() {
        return Err(wrong());
    }
    let value = value.to_str().map_err(|_| wrong())?.trim();
    // A list would be read as its first tag: a write is made from one version.
    if value.contains(',') {
        return Err(wrong());
    }
    if value == "*" {
        return Ok(Some(IfMatch::Any));
    }
    let inner = value.strip_prefix("W/").unwrap_or(value);
    let inner = inner
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(inner);
    let version = inner.split('-').next().unwrap_or_default();
    version
        .parse()
        .ok()
        .filter(|version| *version > 0)
        .map(|version| Some(IfMatch::Version(version)))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("header"));
        headers
    }

    #[test]
    fn if_match_reads_the_version() {
        for (text, expected) in [
            ("\"3-9c1f\"", IfMatch::Version(3)),
            ("\"12\"", IfMatch::Version(12)),
            ("7", IfMatch::Version(7)),
            ("W/\"3-9c1f\"", IfMatch::Version(3)),
            ("*", IfMatch::Any),
        ] {
            assert_eq!(
                if_match(&headers(header::IF_MATCH, text)).expect(text),
                Some(expected)
            );
        }
        for text in [
            "\"\"",
            "abc",
            "\"0-1\"",
            "\"1\", \"2\"",
            "\"1-a\", \"2-b\"",
            "1-a,2-b",
        ] {
            assert_eq!(
                if_match(&headers(header::IF_MATCH, text))
                    .expect_err(text)
                    .kind
                    .code,
                "invalid-header"
            );
        }
        assert_eq!(if_match(&HeaderMap::new()).expect("absent"), None);
    }

    #[test]
    fn if_none_match_compares_the_whole() {
        let tag = tag(2, b"{}");
        assert!(tag.starts_with("\"2-") && tag.len() == 2 + 2 + 16);
        assert!(matches_none(
            &headers(header::IF_NONE_MATCH, &format!("\"x\", W/{tag}")),
            &tag
        ));
        assert!(matches_none(&headers(header::IF_NONE_MATCH, "*"), &tag));
        assert!(!matches_none(
            &headers(header::IF_NONE_MATCH, "\"2\""),
            &tag
        ));
    }
}
