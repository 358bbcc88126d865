//! Absolute addresses (profile HYP.07–14): the base is the configured public address, or taken from `Forwarded` where a
//! proxy is trusted, or from the request's own `Host`.

use actix_web::HttpRequest;
use actix_web::http::header;
use serde::Serialize;

use crate::config::Config;

/// Path of the API root.
pub(crate) const API_ROOT: &str = "/api/v1";

/// Scheme and authority, without a slash at the end: `https://grunddata.example.se`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base(String);

impl Base {
    /// The base of one request.
    #[must_use]
    pub(crate) fn of(request: &HttpRequest, config: &Config) -> Self {
        if let Some(public) = &config.public_address {
            return Self(public.trim_end_matches('/').to_owned());
        }
        if let Some(base) = last_forwarded(request, config).and_then(forwarded) {
            return Self(base);
        }
        let scheme = if config.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let host = request
            .headers()
            .get(header::HOST)
            .and_then(|value| value.to_str().ok())
            .or_else(|| {
                request
                    .uri()
                    .authority()
                    .map(|authority| authority.as_str())
            })
            .filter(|host| is_authority(host));
        match host {
            Some(host) => Self(format!("{scheme}://{host}")),
            None => Self(format!("{scheme}://{}", config.listen)),
        }
    }

    /// `https://host`
    #[must_use]
    pub(crate) fn origin(&self) -> &str {
        &self.0
    }

    /// `https://host/api/v1`
    #[must_use]
    pub(crate) fn api(&self) -> String {
        format!("{}{API_ROOT}", self.0)
    }
}

/// What a `Host` or `Forwarded` header may hold: nothing that could leave the authority or a JSON string.
fn is_authority(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
        })
}

/// The last element of `Forwarded` (RFC 7239), where a proxy is trusted: the one that the proxy in front has added. All
/// before it may have been written by anybody.
pub(crate) fn last_forwarded<'a>(request: &'a HttpRequest, config: &Config) -> Option<&'a str> {
    if !config.trust_forwarded {
        return None;
    }
    let last = request.headers().get_all(header::FORWARDED).last()?;
    last.to_str().ok()?.rsplit(',').next()
}

/// Scheme and host of an element of `Forwarded`.
fn forwarded(element: &str) -> Option<String> {
    let (mut host, mut proto) = (None, "https");
    for pair in element.split(';') {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "host" if is_authority(value) => host = Some(value),
            "proto" if value.eq_ignore_ascii_case("http") => proto = "http",
            "proto" if value.eq_ignore_ascii_case("https") => proto = "https",
            _ => {}
        }
    }
    Some(format!("{proto}://{}", host?))
}

/// A Link Description Object (profile HYP.11).
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(crate) struct Link {
    /// IANA relation where one exists.
    pub(crate) rel: &'static str,
    /// Absolute address.
    pub(crate) href: String,
    /// HTTP method; always given (HYP.17).
    pub(crate) method: &'static str,
}

impl Link {
    /// A link to be followed with GET.
    #[must_use]
    pub(crate) fn get(rel: &'static str, href: String) -> Self {
        Self {
            rel,
            href,
            method: "GET",
        }
    }
}

/// Percent-encodes one query name or value (profile FNS.02, RFC 3986 unreserved stay).
#[must_use]
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b',' => {
                out.push(char::from(byte))
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn forwarded_counts_only_when_trusted() {
        let mut config = Config::default();
        let request = || {
            TestRequest::default()
                .insert_header(("Host", "inner:8080"))
                .insert_header(("Forwarded", "for=10.0.0.1;host=evil.example, for=192.0.2.1;host=\"data.norrberga.example\";proto=https"))
                .to_http_request()
        };
        assert_eq!(Base::of(&request(), &config).origin(), "http://inner:8080");
        config.trust_forwarded = true;
        assert_eq!(
            Base::of(&request(), &config).api(),
            "https://data.norrberga.example/api/v1"
        );
        config.public_address = Some("https://public.example/".to_owned());
        assert_eq!(
            Base::of(&request(), &config).origin(),
            "https://public.example"
        );
    }

    #[test]
    fn a_host_that_could_break_out_is_not_used() {
        let config = Config::default();
        let request = TestRequest::default()
            .insert_header(("Host", "evil\"/x"))
            .to_http_request();
        assert_eq!(
            Base::of(&request, &config).origin(),
            format!("http://{}", config.listen)
        );
    }

    #[test]
    fn encoding_keeps_what_may_stand() {
        assert_eq!(encode("Umeå*&kind=a b"), "Ume%C3%A5%2A%26kind%3Da%20b");
    }
}
