//! Asks an issuer for its keys. Every answer has bounds: time, length, number; and no redirect is followed.

use std::time::Duration;

use serde::Deserialize;
use ureq::Agent;
use ureq::http::{HeaderMap, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use url::Url;

use crate::config::{ConfigError, Discovery, IdentityConfig, IssuerConfig};
use crate::key::{KeySet, KeySetError};
use grunddata_reach::address::{self, AddressError};

/// The longest document that is read, in bytes.
const LONGEST_DOCUMENT: u64 = 512 * 1024;

/// Why there are no keys. For the log alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{0}")]
    Http(#[from] ureq::Error),
    #[error("the issuer answers with status {0}")]
    Status(u16),
    #[error("the discovery document cannot be read")]
    Document,
    #[error("the discovery document is that of another issuer")]
    OtherIssuer,
    #[error("the discovery document names an address for keys that is not used: {0}")]
    Address(#[from] AddressError),
    #[error("{0}")]
    Keys(#[from] KeySetError),
}

/// Asks one issuer.
pub(crate) struct Client {
    agent: Agent,
    issuer: String,
    source: Source,
    allow_http_loopback: bool,
}

/// Without the agent, which knows the proxy.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Source {
    Keys(Url),
    Discovery(Url),
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Client {
    pub(crate) fn new(
        config: &IssuerConfig,
        identity: &IdentityConfig,
    ) -> Result<Self, ConfigError> {
        let wrong = |what: String| ConfigError::new(Some(config), what);
        let allow_http_loopback = identity.allow_http_loopback;
        let parse = |text: &str| {
            address::checked(text, allow_http_loopback).map_err(|error| wrong(error.to_string()))
        };
        let source = match &config.jwks_uri {
            Some(address) => Source::Keys(parse(address)?),
            None => Source::Discovery(discovery(parse(&config.issuer)?, config.discovery)),
        };
        let proxy = identity
            .proxy
            .as_deref()
            .map(proxy)
            .transpose()
            .map_err(wrong)?;
        let mut tls = TlsConfig::builder().provider(TlsProvider::Rustls);
        if let Some(pem) = &config.certificate_authorities {
            let certificates = certificates(pem).ok_or_else(|| {
                wrong("certificate_authorities: no certificates in PEM".to_owned())
            })?;
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let timeout = Duration::from_secs(config.timeout_seconds.into());
        let agent = Agent::config_builder()
            .timeout_global(Some(timeout))
            .https_only(!allow_http_loopback)
            .max_redirects(0)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent("grunddata")
            .proxy(proxy)
            .tls_config(tls.build())
            .build()
            .new_agent();
        Ok(Self {
            agent,
            issuer: config.issuer.clone(),
            source,
            allow_http_loopback,
        })
    }

    /// Fetches the keys, and for how long the issuer says that they are fresh.
    pub(crate) fn keys(&self) -> Result<(KeySet, Option<Duration>), FetchError> {
        let address = match &self.source {
            Source::Keys(address) => address.clone(),
            Source::Discovery(discovery) => {
                let (_, document) = self.get(discovery)?;
                let metadata: Metadata =
                    serde_json::from_slice(&document).map_err(|_| FetchError::Document)?;
                if metadata.issuer != self.issuer {
                    return Err(FetchError::OtherIssuer);
                }
                address::checked(&metadata.jwks_uri, self.allow_http_loopback)?
            }
        };
        let (headers, document) = self.get(&address)?;
        Ok((KeySet::read(&document)?, max_age(&headers)))
    }

    fn get(&self, address: &Url) -> Result<(HeaderMap, Vec<u8>), FetchError> {
        let mut response = self
            .agent
            .get(address.as_str())
            .header(header::ACCEPT, "application/json, application/jwk-set+json")
            .call()?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status(status));
        }
        let document = response
            .body_mut()
            .with_config()
            .limit(LONGEST_DOCUMENT)
            .read_to_vec()?;
        Ok((response.headers().clone(), document))
    }
}

/// Where an issuer describes itself. OpenID Connect puts the well-known part behind the issuer's path, RFC 8414 before.
fn discovery(mut issuer: Url, how: Discovery) -> Url {
    let path = issuer.path().trim_end_matches('/').to_owned();
    issuer.set_path(&match how {
        Discovery::Openid => format!("{path}/.well-known/openid-configuration"),
        Discovery::Oauth => format!("/.well-known/oauth-authorization-server{path}"),
    });
    issuer
}

fn proxy(address: &str) -> Result<ureq::Proxy, String> {
    Url::parse(address)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .and_then(|_| ureq::Proxy::new(address).ok())
        .ok_or_else(|| "proxy: it must be like http://proxy.example.se:3128".to_owned())
}

fn certificates(pem: &str) -> Option<Vec<Certificate<'static>>> {
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(pem.as_bytes()) {
        if let PemItem::Certificate(certificate) = item.ok()? {
            found.push(certificate);
        }
    }
    (!found.is_empty()).then_some(found)
}

/// `max-age` of `Cache-Control`. What forbids keeping counts as 0; the bounds are applied where it is used.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut told = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().ok()?.split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            if directive == "no-store" || directive == "no-cache" {
                return Some(Duration::ZERO);
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                told = seconds
                    .trim_matches('"')
                    .parse()
                    .ok()
                    .map(Duration::from_secs);
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::HeaderValue;

    #[test]
    fn the_two_well_known_places() {
        let place = |issuer: &str, how| discovery(Url::parse(issuer).unwrap(), how).to_string();
        for issuer in [
            "https://idp.example.se/realms/a",
            "https://idp.example.se/realms/a/",
        ] {
            assert_eq!(
                place(issuer, Discovery::Openid),
                "https://idp.example.se/realms/a/.well-known/openid-configuration"
            );
            assert_eq!(
                place(issuer, Discovery::Oauth),
                "https://idp.example.se/.well-known/oauth-authorization-server/realms/a"
            );
        }
        assert_eq!(
            place("https://idp.example.se", Discovery::Oauth),
            "https://idp.example.se/.well-known/oauth-authorization-server"
        );
    }

    #[test]
    fn the_age_is_read_from_cache_control() {
        for (value, seconds) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age=\"600\", must-revalidate", Some(600)),
            ("no-store", Some(0)),
            ("max-age=600, no-cache", Some(0)),
            ("s-maxage=600", None),
            ("max-age=soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
            assert_eq!(
                max_age(&headers),
                seconds.map(Duration::from_secs),
                "{value}"
            );
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }

    #[test]
    fn settings_that_cannot_be_used_are_found_at_the_start() {
        let mut config = IssuerConfig::new("a", "https://a.example", "x");
        config.certificate_authorities = Some("not PEM".to_owned());
        let identity = IdentityConfig::default();
        assert!(
            Client::new(&config, &identity)
                .unwrap_err()
                .to_string()
                .contains("PEM")
        );
        config.certificate_authorities = None;
        for (address, good) in [
            ("socks5://p", false),
            ("p:3128", false),
            ("http://p:3128", true),
        ] {
            let identity = IdentityConfig {
                proxy: Some(address.to_owned()),
                ..identity.clone()
            };
            assert_eq!(Client::new(&config, &identity).is_ok(), good, "{address}");
        }
    }
}
