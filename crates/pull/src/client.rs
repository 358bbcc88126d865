//! One request after the other, within the bounds.

use std::io::Read;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use ureq::http::{Response, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};
use url::Url;

use crate::{Access, Limits, PullError, Settings};

/// How long to wait for a server that says that it is busy and not for how long.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks one server.
pub(crate) struct Client {
    agent: Agent,
    pub(crate) address: Url,
    authorization: Option<String>,
    pub(crate) limits: Limits,
    begun: Instant,
    /// Bytes that have come.
    pub(crate) bytes: u64,
    /// What the server's clock said with its first answer.
    pub(crate) began: Option<DateTime<Utc>>,
}

impl Client {
    /// For answers that are read whole within the time of one request.
    pub(crate) fn new(settings: &Settings, access: &Access) -> Result<Self, PullError> {
        Self::within(settings, access, settings.limits.request)
    }

    /// For an answer that may take this time until its last byte; it begins within the time of one request.
    pub(crate) fn within(
        settings: &Settings,
        access: &Access,
        answer: Duration,
    ) -> Result<Self, PullError> {
        let address = access.checked(&settings.address)?;
        let mut tls = TlsConfig::builder().provider(TlsProvider::Rustls);
        if let Some(pem) = &settings.certificate_authorities {
            let certificates = certificates(pem).ok_or_else(|| {
                PullError::Settings("certificate_authorities: no certificates in PEM".to_owned())
            })?;
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates));
        }
        let proxy = match &settings.proxy {
            None => None,
            Some(address) => Some(ureq::Proxy::new(address).map_err(|_| {
                PullError::Settings(
                    "proxy: it must be like http://proxy.example.se:3128".to_owned(),
                )
            })?),
        };
        let agent = Agent::config_builder()
            .timeout_global(Some(answer))
            .timeout_connect(Some(settings.limits.request))
            .timeout_recv_response(Some(settings.limits.request))
            .https_only(address.scheme() == "https")
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent("grunddata")
            .proxy(proxy)
            .tls_config(tls.build())
            .build()
            .new_agent();
        Ok(Self {
            agent,
            address,
            authorization: settings
                .token
                .as_ref()
                .map(|token| format!("Bearer {}", token.expose())),
            limits: settings.limits.clone(),
            begun: Instant::now(),
            bytes: 0,
            began: None,
        })
    }

    /// Asks until there is an answer other than "busy". `place` is what messages call it.
    pub(crate) fn get(
        &mut self,
        url: &Url,
        accept: &str,
        place: &str,
    ) -> Result<Response<Body>, PullError> {
        self.get_if(url, accept, place, &[])
    }

    /// The same with conditions: where there are some, the answer may be that nothing has changed (304).
    pub(crate) fn get_if(
        &mut self,
        url: &Url,
        accept: &str,
        place: &str,
        conditions: &[(&'static str, &str)],
    ) -> Result<Response<Body>, PullError> {
        let mut left = self.limits.tries;
        loop {
            self.in_time(place, Duration::ZERO)?;
            let mut request = self.agent.get(url.as_str()).header(header::ACCEPT, accept);
            for (name, value) in conditions {
                request = request.header(*name, *value);
            }
            if let Some(authorization) = &self.authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let response = request.call().map_err(|error| broken(&error, place))?;
            let status = response.status().as_u16();
            let busy = matches!(status, 429 | 503);
            if busy && left > 0 {
                left -= 1;
                let pause = pause(&response);
                self.in_time(place, pause)?;
                std::thread::sleep(pause);
                continue;
            }
            if self.began.is_none() {
                let date = response.headers().get(header::DATE);
                self.began = date
                    .and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok())
                    .map(|date| date.to_utc());
            }
            return match status {
                200 => Ok(response),
                304 if !conditions.is_empty() => Ok(response),
                401 | 403 => Err(PullError::Unauthorised {
                    place: place.to_owned(),
                    status,
                }),
                _ => Err(PullError::Status {
                    place: place.to_owned(),
                    status,
                }),
            };
        }
    }

    /// Asks once, whatever the answer.
    pub(crate) fn ask(
        &self,
        url: &Url,
        accept: &str,
        place: &str,
    ) -> Result<Response<Body>, PullError> {
        let mut request = self.agent.get(url.as_str()).header(header::ACCEPT, accept);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.call().map_err(|error| broken(&error, place))
    }

    /// Sends JSON once, whatever the answer.
    pub(crate) fn send(
        &self,
        url: &Url,
        accept: &str,
        body: &[u8],
        place: &str,
    ) -> Result<Response<Body>, PullError> {
        let mut request = self
            .agent
            .post(url.as_str())
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.send(body).map_err(|error| broken(&error, place))
    }

    /// The body, no longer than it may be.
    pub(crate) fn body(
        &mut self,
        mut response: Response<Body>,
        place: &str,
    ) -> Result<Vec<u8>, PullError> {
        let most = self
            .limits
            .page_bytes
            .min(self.limits.bytes.saturating_sub(self.bytes));
        let mut body = Vec::new();
        response
            .body_mut()
            .as_reader()
            .take(most + 1)
            .read_to_end(&mut body)
            .map_err(|error| PullError::Connection {
                place: place.to_owned(),
                cause: error.to_string(),
            })?;
        let length = body.len() as u64;
        self.bytes += length;
        if length > most {
            return Err(PullError::Limit {
                place: place.to_owned(),
                limit: most,
                of: "bytes",
            });
        }
        Ok(body)
    }

    /// Whether there is time for this as well.
    pub(crate) fn in_time(&self, place: &str, more: Duration) -> Result<(), PullError> {
        if self.begun.elapsed() + more <= self.limits.whole {
            return Ok(());
        }
        Err(PullError::Limit {
            place: place.to_owned(),
            limit: self.limits.whole.as_secs(),
            of: "seconds",
        })
    }
}

/// What the server says in `Retry-After`, where it says it in seconds; no longer than a minute at a time.
fn pause(response: &Response<Body>) -> Duration {
    response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map_or(PAUSE, |seconds: u64| Duration::from_secs(seconds.min(60)))
}

/// What went wrong, without the address: it may hold what nobody else should see.
fn broken(error: &ureq::Error, place: &str) -> PullError {
    let cause = match error {
        ureq::Error::Timeout(_) => "it takes too long".to_owned(),
        ureq::Error::HostNotFound => "the host has no address".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::Tls(what) => format!("TLS: {what}"),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        _ => "the answer is not HTTP".to_owned(),
    };
    PullError::Connection {
        place: place.to_owned(),
        cause,
    }
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
