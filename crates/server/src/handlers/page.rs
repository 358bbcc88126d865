//! What lists have in common: `_meta`, `_links`, and the coordinate that links carry on.

use grunddata_registry::AsOf;
use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::links::{Link, encode};
use crate::parameters::Parameters;
use crate::problem::Problem;

/// The largest page.
const LARGEST: u32 = 1_000;
/// The page when nothing is said (profile FNS.09).
const USUAL: u32 = 20;

/// `limit` of the query.
///
/// # Errors
/// `limit-out-of-range`.
pub(crate) fn limit(parameters: &Parameters<'_>) -> Result<u32, Problem> {
    match parameters.get("limit") {
        None => Ok(USUAL),
        Some(text) => text
            .parse::<i64>()
            .ok()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (1..=LARGEST).contains(number))
            .ok_or_else(|| {
                let shown: String = text.chars().take(20).collect();
                Problem::new(
                    "limit-out-of-range",
                    format!(
                        "limit must be a whole number from 1 to {LARGEST}; it was \"{shown}\"."
                    ),
                )
                .fact("parameter", "limit")
                .fact("minimum", 1)
                .fact("maximum", LARGEST)
            }),
    }
}

/// `page` of the query.
///
/// # Errors
/// `invalid-parameter`.
pub(crate) fn page(parameters: &Parameters<'_>) -> Result<u32, Problem> {
    Ok(parameters
        .read::<u32>("page", "a whole number from 1")?
        .unwrap_or(1))
}

/// Adds the resolved coordinate to `_meta`.
pub(crate) fn coordinate(meta: &mut Map<String, Value>, as_of: &AsOf) {
    meta.insert("validAt".into(), as_of.valid_at.to_string().into());
    meta.insert(
        "knownAt".into(),
        as_of.known_at().map(|instant| instant.to_string()).into(),
    );
    meta.insert("asOf".into(), as_of.token().into());
}

/// The coordinate as the request gave it, as a query: `?validAt=…&knownAt=…`, or empty.
pub(crate) fn carried(parameters: &Parameters<'_>) -> String {
    carried_of(|name| parameters.get(name))
}

/// The same, wherever the coordinate stands in the request.
pub(crate) fn carried_of<'a>(get: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::new();
    for name in ["validAt", "knownAt", "knownBy", "asOf"] {
        if let Some(value) = get(name) {
            out.push(if out.is_empty() { '?' } else { '&' });
            out.push_str(name);
            out.push('=');
            out.push_str(&encode(value));
        }
    }
    out
}

/// The address of this request with some parameters set anew (`None` removes one); all others are kept (FNS.12).
pub(crate) fn address(
    call: &Call,
    parameters: &Parameters<'_>,
    changed: &[(&str, Option<String>)],
) -> String {
    let mut out = format!("{}{}", call.base().origin(), call.http.path());
    let mut separator = '?';
    let mut add = |name: &str, value: &str| {
        out.push(separator);
        separator = '&';
        out.push_str(&encode(name));
        out.push('=');
        out.push_str(&encode(value));
    };
    for (name, value) in parameters.iter() {
        if !changed.iter().any(|(changed, _)| *changed == name) {
            add(name, value);
        }
    }
    for (name, value) in changed {
        if let Some(value) = value {
            add(name, value);
        }
    }
    out
}

/// `self`: the address as it was asked.
pub(crate) fn this(call: &Call) -> Link {
    let uri = call.http.uri();
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    Link::get(
        "self",
        format!("{}{}{query}", call.base().origin(), uri.path()),
    )
}

/// `self` of a request that is not read with GET.
pub(crate) fn this_as(call: &Call, method: &'static str) -> Link {
    Link {
        method,
        ..this(call)
    }
}

/// `_links` as a value.
pub(crate) fn links(links: &[Link]) -> Value {
    json!(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_limits() {
        let read = |query: &'static str| limit(&Parameters::parse(query).expect(query));
        assert_eq!(read("").expect("default"), 20);
        assert_eq!(read("limit=1000").expect("most"), 1000);
        for query in ["limit=0", "limit=10000", "limit=-1", "limit=", "limit=x"] {
            assert_eq!(
                read(query).expect_err(query).kind.code,
                "limit-out-of-range"
            );
        }
    }

    #[test]
    fn links_carry_the_coordinate_as_given() {
        let parameters =
            Parameters::parse("knownAt=2026-01-01T00:00:00%2B01:00&limit=3&validAt=2027-01-01")
                .expect("query");
        assert_eq!(
            carried(&parameters),
            "?validAt=2027-01-01&knownAt=2026-01-01T00:00:00%2B01:00"
        );
    }
}
