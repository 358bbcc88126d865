//! Which pages of other origins may call (the Fetch standard): none, unless their origins are configured. Never with
//! cookies: there are none, and a token in a header is the caller's own doing.

use actix_cors::Cors;
use actix_web::http::{Uri, header};

use crate::operations::{Operation, Place};

/// Headers that a page may send to every operation; those of single operations stand in the table of operations.
const SENT: [&str; 7] = [
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "traceparent",
    "tracestate",
    "x-purpose",
];
/// Headers of answers that a page may read.
const READ: [&str; 16] = [
    "accept-patch",
    "allow",
    "content-language",
    "content-location",
    "etag",
    "grunddata-as-of",
    "grunddata-outcome",
    "idempotency-replayed",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "traceparent",
    "vary",
    "www-authenticate",
];
/// How long a browser may remember what it was allowed.
const REMEMBERED_SECONDS: usize = 600;
/// The most origins.
const MOST: usize = 100;

/// What is wrong with the configured origins.
pub(crate) fn fault(origins: &[String]) -> Option<String> {
    if origins.len() > MOST {
        return Some(format!(
            "there are {}; at most {MOST} are taken",
            origins.len()
        ));
    }
    let wrong = origins.iter().find(|origin| !is_origin(origin))?;
    Some(format!(
        "\"{wrong}\" is no origin. Write scheme and host as the browser sends them, without a slash at the end: https://karta.example.se or http://localhost:5173"
    ))
}

/// `https://karta.example.se`: as browsers write it, and one alone. A pattern would let in who takes a name that fits.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    matches!(scheme, "http" | "https")
        && text.len() <= 255
        && authority.bytes().all(|byte| {
            byte.is_ascii_lowercase()
                || byte.is_ascii_digit()
                || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
        })
        && text.parse::<Uri>().is_ok_and(|uri| {
            let standard = if scheme == "http" { 80 } else { 443 };
            uri.host().is_some_and(|host| !host.is_empty()) && uri.port_u16() != Some(standard)
        })
}

/// What answers to pages of these origins.
pub(crate) fn middleware(origins: &[String], operations: &[Operation]) -> Cors {
    let own = operations
        .iter()
        .flat_map(|operation| &operation.parameters)
        .filter(|parameter| parameter.place == Place::Header)
        .map(|parameter| parameter.name);
    let sent = SENT
        .into_iter()
        .chain(own)
        .filter_map(|name| header::HeaderName::try_from(name).ok());
    let methods = operations.iter().map(|operation| operation.method.clone());
    let cors = Cors::default()
        .allowed_methods(methods.chain([actix_web::http::Method::HEAD]))
        .allowed_headers(sent)
        .expose_headers(READ)
        .max_age(REMEMBERED_SECONDS);
    origins
        .iter()
        .fold(cors, |cors, origin| cors.allowed_origin(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in [
            "https://karta.example.se",
            "http://localhost:5173",
            "https://[2001:db8::1]:8443",
        ] {
            assert_eq!(fault(&[good.to_owned()]), None, "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "https://",
            "https://*.example.se",
            "https://karta.example.se/",
            "https://Karta.example.se",
            "https://karta.example.se:443",
            "https://anna@karta.example.se",
            "karta.example.se",
            "file://karta",
        ] {
            let told = fault(&[bad.to_owned()]).expect(bad);
            assert!(told.contains("is no origin"), "{told}");
        }
        let many = vec!["https://karta.example.se".to_owned(); MOST + 1];
        assert!(fault(&many).is_some());
    }
}
