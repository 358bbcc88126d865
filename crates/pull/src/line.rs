//! The same between two registries of which only one can open a connection: the one that is followed. It fetches the
//! questions of the one that follows, asks itself, and brings the answers. What is asked and answered is what it always is.

use std::collections::HashMap;
use std::fmt;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::client::Client;
use crate::peer::{API, LONGEST_PAGE, PATIENCE, Peer, PeerError, read_answer, retry_after};
use crate::{Access, PullError, Settings};

/// An answer as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// After how many seconds it may be asked again, where it says so.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// Whom a registry is asked through that cannot be connected to.
pub trait Ask: Send + Sync {
    /// Asks for what stands at an address, its path and query, and waits for the answer of at most so many bytes.
    ///
    /// # Errors
    /// [`PullError`].
    fn ask(&self, address: &str, limit: u64) -> Result<RawAnswer, PullError>;
}

/// How a registry is asked.
pub(crate) enum Way {
    /// Over a connection to it.
    Connection(Box<Client>),
    /// Over one that it has opened itself.
    Line(Arc<dyn Ask>),
}

impl Way {
    /// Asks once, whatever the answer.
    pub(crate) fn ask(&self, url: &Url, limit: u64) -> Result<RawAnswer, PullError> {
        match self {
            Self::Connection(client) => {
                raw(client.ask(url, "application/json", "the peer")?, limit)
            }
            Self::Line(line) => line.ask(&path_and_query(url), limit),
        }
    }

    /// The connection, where there is one.
    pub(crate) fn connection(&self) -> Result<&Client, PullError> {
        match self {
            Self::Connection(client) => Ok(client),
            Self::Line(_) => Err(PullError::Address {
                why: "the registry is not connected to: it brings its changes itself",
            }),
        }
    }
}

fn path_and_query(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// An answer of at most so many bytes.
pub(crate) fn raw(
    mut response: ureq::http::Response<ureq::Body>,
    limit: u64,
) -> Result<RawAnswer, PullError> {
    let place = "the peer";
    let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
    let mut body = Vec::new();
    response
        .body_mut()
        .as_reader()
        .take(limit + 1)
        .read_to_end(&mut body)
        .map_err(|error| PullError::Connection {
            place: place.to_owned(),
            cause: error.kind().to_string(),
        })?;
    if body.len() as u64 > limit {
        return Err(PullError::Limit {
            place: place.to_owned(),
            limit,
            of: "bytes",
        });
    }
    Ok(RawAnswer {
        status,
        retry_after,
        body,
    })
}

impl Peer {
    /// A registry that is asked over a line that it has opened.
    #[must_use]
    pub fn over(line: Arc<dyn Ask>) -> Self {
        Self {
            way: Way::Line(line),
            // Of it only path and query are told.
            base: "http://line.invalid".to_owned(),
        }
    }

    /// What stands at an address, its path and query, as it is answered.
    ///
    /// # Errors
    /// [`PullError`].
    pub fn raw(&self, address: &str) -> Result<RawAnswer, PullError> {
        let wrong = || PullError::Address {
            why: "it is not an absolute address",
        };
        let base = Url::parse(&self.base).map_err(|_| wrong())?;
        let url = Url::parse(&format!("{}{address}", self.base)).map_err(|_| wrong())?;
        if url.origin() != base.origin() {
            return Err(wrong());
        }
        self.way.ask(&url, LONGEST_PAGE)
    }
}

/// What the registry that follows asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Question {
    /// What its answer names.
    pub id: String,
    /// The path with the query.
    pub address: String,
}

impl Question {
    /// Whether it is one that whoever copies an owner asks: for its feed, for the heads and keys of its log, and for packages of
    /// the information model.
    #[must_use]
    pub fn is_of(&self, owner: &str) -> bool {
        asks_of(&self.address, owner)
    }
}

fn asks_of(address: &str, owner: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://line.invalid{address}")) else {
        return false;
    };
    if !address.starts_with('/') || url.host_str() != Some("line.invalid") {
        return false;
    }
    let pairs: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let its = || pairs.get("owner").is_some_and(|of| of == owner);
    let plain = |text: &str| {
        !text.is_empty()
            && text != ".."
            && text
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "-._+".contains(char))
    };
    if url.query_pairs().count() != pairs.len() {
        return false;
    }
    match url.path().strip_prefix("/api/v1") {
        None => url.path() == "/.well-known/grunddata-log-keys" && pairs.is_empty(),
        Some("/changes") => {
            its()
                && pairs
                    .get("content")
                    .is_some_and(|content| content == "copy")
        }
        Some("/changes/head") => its(),
        Some("/models") => pairs.is_empty(),
        Some(path) => {
            let files = path
                .strip_prefix("/models/")
                .and_then(|rest| rest.strip_suffix("/files"))
                .and_then(|rest| rest.split_once('/'));
            files.is_some_and(|(name, version)| plain(name) && plain(version)) && pairs.is_empty()
        }
    }
}

#[derive(Deserialize)]
struct Exchanged {
    question: Option<Question>,
}

/// A registry that follows, and that is connected to because it cannot connect itself.
pub struct Line {
    client: Client,
    base: String,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    /// A registry at an address, shown a token.
    ///
    /// # Errors
    /// [`PullError::Address`], [`PullError::Settings`].
    pub fn new(settings: &Settings, access: &Access, wait: Duration) -> Result<Self, PullError> {
        let mut settings = settings.clone();
        settings.limits.request = wait + PATIENCE;
        let client = Client::within(&settings, access, wait + PATIENCE + PATIENCE)?;
        Ok(Self {
            base: settings.address.trim_end_matches('/').to_owned(),
            client,
        })
    }

    /// Brings the answer to a question, where there is one, and waits for the next question. `None` = nothing is asked now.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn exchange(
        &self,
        peer: &str,
        wait: Duration,
        answer: Option<(&Question, &RawAnswer)>,
    ) -> Result<Option<Question>, PeerError> {
        let address = format!("{}{API}/peers/{peer}/exchange", self.base);
        let mut url = Url::parse(&address).map_err(|_| PullError::Address {
            why: "it is not an absolute address",
        })?;
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("wait", &wait.as_secs().to_string());
        if let Some((question, answer)) = answer {
            pairs
                .append_pair("answers", &question.id)
                .append_pair("status", &answer.status.to_string());
            if let Some(seconds) = answer.retry_after {
                pairs.append_pair("retryAfter", &seconds.to_string());
            }
        }
        drop(pairs);
        let body = answer.map_or(&b"{}"[..], |(_, answer)| answer.body.as_slice());
        let response = self
            .client
            .send(&url, "application/json", body, "the peer")?;
        let exchanged: Exchanged = read_answer(raw(response, LONGEST_QUESTION)?)?;
        Ok(exchanged.question)
    }
}

/// The longest question that is read, in bytes.
const LONGEST_QUESTION: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::asks_of;

    #[test]
    fn nothing_is_asked_but_what_a_copy_needs() {
        for good in [
            "/api/v1/changes?owner=se-1&content=copy&after=0&limit=1000&wait=20",
            "/api/v1/changes/head?owner=se-1&size=7",
            "/.well-known/grunddata-log-keys",
            "/api/v1/models",
            "/api/v1/models/grunddata/1.0.0/files",
        ] {
            assert!(asks_of(good, "se-1"), "{good}");
        }
        for bad in [
            "/api/v1/changes?owner=se-2&content=copy",
            "/api/v1/changes?owner=se-1&owner=se-2&content=copy",
            "/api/v1/changes?owner=se-1",
            "/api/v1/changes?content=copy",
            "/api/v1/changes/head?size=7",
            "/api/v1/persons?owner=se-1",
            "/api/v1/tokens",
            "/api/v1/models/../tokens/files",
            "/api/v1/models/a/b/c/files",
            "@evil.example/api/v1/models",
            ".evil.example/api/v1/models",
            "//evil.example/api/v1/models",
            "",
        ] {
            assert!(!asks_of(bad, "se-1"), "{bad}");
        }
    }
}
