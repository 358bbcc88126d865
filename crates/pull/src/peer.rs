//! Another registry of the same kind: its feed, page by page, and what it says of an owner.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use ureq::Body;
use ureq::http::Response;
use url::Url;

use crate::client::Client;
use crate::line::{RawAnswer, Way};
use crate::{Access, PullError, Settings};

/// The longest page that is read, in bytes: the registry ends a page with states at 8 MiB, with one entry at least.
pub(crate) const LONGEST_PAGE: u64 = 512 << 20;
/// The longest package of the information model that is read, in bytes.
const LONGEST_PACKAGE: u64 = 64 << 20;
/// How much longer than it may wait an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Below the address of a registry.
pub(crate) const API: &str = "/api/v1";

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It was not reached, or not understood.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// It refuses.
    #[error("the peer answers {status} {code}: {detail}")]
    Refused {
        /// The status.
        status: u16,
        /// The code of the problem.
        code: String,
        /// What it says.
        detail: String,
        /// After how long it may be asked again, where it says so.
        retry_after: Option<Duration>,
    },
}

/// Another registry.
pub struct Peer {
    pub(crate) way: Way,
    pub(crate) base: String,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").finish_non_exhaustive()
    }
}

/// Which part of a feed is asked for.
#[derive(Debug, Clone, Default)]
pub struct FeedQuery {
    /// The owner's key.
    pub owner: String,
    /// Where it goes on; `0` = from the beginning.
    pub after: String,
    /// How long to wait for the first entry.
    pub wait: Duration,
    /// Only of these domains, with commas.
    pub domains: Option<String>,
    /// Only of this controller.
    pub controller: Option<String>,
    /// In which epoch of the log `after` was given, where it is a position.
    pub epoch: Option<u64>,
}

/// Where a feed goes on.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedMeta {
    /// A position for readers of the whole owner, a sealed cursor for others.
    pub after: serde_json::Value,
    /// Whether there was nothing more just then.
    pub caught_up: bool,
    /// The epoch of the log.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Records that came under a stronger protection further on in the log.
    #[serde(default)]
    pub re_read: Vec<Reread>,
}

/// A record that came under a stronger protection further on in the log.
#[derive(Debug, Clone, Deserialize)]
pub struct Reread {
    /// The record.
    pub record: String,
}

/// An entry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedItem {
    /// Of readers of the whole owner.
    #[serde(default)]
    pub position: Option<u64>,
    /// Of all others.
    #[serde(default)]
    pub cursor: Option<String>,
    /// The record's id.
    pub record: String,
    /// Its domain.
    pub domain: String,
    /// What happened.
    pub kind: String,
    /// What is told of it, unless the record was withdrawn.
    #[serde(flatten)]
    pub change: Option<FeedItemChange>,
}

/// A write.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedItemChange {
    /// The version that it made.
    pub version: u32,
    /// When it was recorded.
    pub recorded_at: String,
    /// Its transaction.
    pub transaction: String,
    /// Change or correction.
    pub change_kind: String,
    /// The version that it corrects.
    #[serde(default)]
    pub corrects: Option<u32>,
    /// The part of valid time that it was about; absent where it is not told.
    #[serde(default)]
    pub valid_from: Option<String>,
    /// `None` = until further notice.
    #[serde(default)]
    pub valid_to: Option<String>,
    /// Who wrote.
    #[serde(default)]
    pub actor: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// From which source.
    #[serde(default)]
    pub source: Option<String>,
}

/// The part of an entry of which a copy is made. It is read by itself: its bodies must stay byte for byte what they are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedItemContent {
    /// The states, as they are stored.
    #[serde(default)]
    pub states: Vec<FeedItemState>,
    /// What belongs to them.
    pub copy: Option<FeedItemCopy>,
}

/// A state.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedItemState {
    /// `unknown` = for as long as it has been of interest.
    pub valid_from: String,
    /// `None` = until further notice.
    pub valid_to: Option<String>,
    /// The release of the information model.
    pub model: String,
    /// The body.
    pub data: Box<RawValue>,
}

/// What a copy needs beside the states.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedItemCopy {
    /// The controller of now.
    pub controller: Option<String>,
    /// Where the record comes from, where that is not the owner.
    #[serde(default)]
    pub origin: Option<serde_json::Value>,
    /// The record that it is merged into.
    #[serde(default)]
    pub forward_to: Option<String>,
    /// Whether it is erased by now.
    #[serde(default)]
    pub erased: bool,
    /// The hash of the timeline, in hexadecimal.
    #[serde(default)]
    pub hash: Option<String>,
    /// The geometries that the states name.
    #[serde(default)]
    pub geometries: Vec<FeedItemGeometry>,
    /// Its leaf in the tree of the log, in hexadecimal, for those who are shown and told all of it.
    #[serde(default)]
    pub leaf: Option<String>,
    /// What opens the leaf, in hexadecimal.
    #[serde(default)]
    pub opening: Option<String>,
}

/// A geometry.
#[derive(Debug, Deserialize)]
pub struct FeedItemGeometry {
    /// SHA-256 of the body, in hexadecimal.
    pub hash: String,
    /// JSON as text.
    pub body: String,
}

/// A page as it came: its entries are read one by one.
#[derive(Debug, Deserialize)]
pub struct RawPage {
    /// Where it goes on.
    #[serde(rename = "_meta")]
    pub meta: FeedMeta,
    /// The entries.
    pub items: Vec<Box<RawValue>>,
}

/// What a registry says of an owner.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerOwner {
    /// What it is called.
    pub name: String,
    /// How far its log is; for readers of the whole owner alone.
    #[serde(default)]
    pub position: Option<u64>,
}

/// What a registry says of itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerInfo {
    /// The version of its API.
    #[serde(default)]
    pub api_version: Option<String>,
}

/// The signed head of a log.
#[derive(Debug, Clone, Deserialize)]
pub struct PeerHead {
    /// The signed note.
    pub note: String,
}

/// A key that heads are signed with.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerKey {
    /// In base64.
    pub public_key: String,
    /// Since when nothing is signed with it any more.
    #[serde(default)]
    pub retired_at: Option<String>,
    /// What the key before it has signed of it, in base64.
    #[serde(default)]
    pub endorsement: Option<String>,
}

/// The files of a package of the information model.
#[derive(Debug, Clone, Deserialize)]
pub struct PeerPackage {
    /// SHA-256 over them, in hexadecimal.
    pub digest: String,
    /// By their paths inside the package, each in base64.
    pub files: std::collections::BTreeMap<String, String>,
}

/// A package as a registry lists it.
#[derive(Debug, Clone, Deserialize)]
pub struct PeerModel {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 over its files, in hexadecimal.
    pub digest: String,
}

#[derive(Debug, Deserialize)]
struct PeerModels {
    items: Vec<PeerModel>,
}

#[derive(Debug, Deserialize)]
struct PeerKeys {
    keys: Vec<PeerKey>,
}

impl Peer {
    /// A registry at an address, asked with a token.
    ///
    /// # Errors
    /// [`PullError::Address`], [`PullError::Settings`].
    pub fn new(settings: &Settings, access: &Access, wait: Duration) -> Result<Self, PullError> {
        let mut settings = settings.clone();
        settings.limits.request = wait + PATIENCE;
        let client = Client::within(&settings, access, wait + PATIENCE + PATIENCE)?;
        Ok(Self {
            base: settings.address.trim_end_matches('/').to_owned(),
            way: Way::Connection(Box::new(client)),
        })
    }

    /// The next page of a feed, as soon as there is something.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn page(&self, query: &FeedQuery) -> Result<RawPage, PeerError> {
        let wait = query.wait.as_secs().to_string();
        let mut pairs = vec![
            ("owner", query.owner.as_str()),
            ("content", "copy"),
            ("after", query.after.as_str()),
            ("limit", "1000"),
            ("wait", wait.as_str()),
        ];
        pairs.extend(query.domains.as_deref().map(|domains| ("domain", domains)));
        pairs.extend(query.controller.as_deref().map(|id| ("controller", id)));
        let epoch = query.epoch.map(|epoch| epoch.to_string());
        pairs.extend(epoch.as_deref().map(|epoch| ("epoch", epoch)));
        self.asked("/changes", &pairs)
    }

    /// The signed head of an owner's log when it had so many entries.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn head(&self, owner: &str, size: u64) -> Result<PeerHead, PeerError> {
        let size = size.to_string();
        self.asked(
            "/changes/head",
            &[("owner", owner), ("size", size.as_str())],
        )
    }

    /// The keys that it signs heads with, and those that it signed with before.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn keys(&self) -> Result<Vec<PeerKey>, PeerError> {
        let found: PeerKeys = self.asked_at("/.well-known/grunddata-log-keys", &[])?;
        Ok(found.keys)
    }

    /// The packages of the information model that it has.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn models(&self) -> Result<Vec<PeerModel>, PeerError> {
        let found: PeerModels = self.asked("/models", &[])?;
        Ok(found.items)
    }

    /// A package of the information model with all its files. `name` is `NAME/VERSION`.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn package(&self, name: &str) -> Result<PeerPackage, PeerError> {
        self.asked_within(&format!("{API}/models/{name}/files"), &[], LONGEST_PACKAGE)
    }

    /// What it says of an owner.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn owner(&self, key: &str) -> Result<PeerOwner, PeerError> {
        self.asked(&format!("/owners/{key}"), &[])
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn info(&self) -> Result<PeerInfo, PeerError> {
        self.asked("/api-info", &[])
    }

    pub(crate) fn asked<T: serde::de::DeserializeOwned>(
        &self,
        below: &str,
        pairs: &[(&str, &str)],
    ) -> Result<T, PeerError> {
        self.asked_at(&format!("{API}{below}"), pairs)
    }

    fn asked_at<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(&str, &str)],
    ) -> Result<T, PeerError> {
        self.asked_within(path, pairs, LONGEST_PAGE)
    }

    fn asked_within<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        pairs: &[(&str, &str)],
        limit: u64,
    ) -> Result<T, PeerError> {
        let mut url =
            Url::parse(&format!("{}{path}", self.base)).map_err(|_| PullError::Address {
                why: "it is not an absolute address",
            })?;
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        read_answer(self.way.ask(&url, limit)?)
    }
}

/// After how many seconds a server may be asked again, where it says so.
pub(crate) fn retry_after(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get("retry-after")?;
    value.to_str().ok()?.trim().parse().ok()
}

/// What an answer holds, or what its problem says.
pub(crate) fn read_answer<T: serde::de::DeserializeOwned>(
    answer: RawAnswer,
) -> Result<T, PeerError> {
    let RawAnswer {
        status,
        retry_after,
        body,
    } = answer;
    if status != 200 {
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| {
            let text = problem.get(name).and_then(serde_json::Value::as_str);
            text.unwrap_or_default()
                .chars()
                .take(300)
                .collect::<String>()
        };
        return Err(PeerError::Refused {
            status,
            code: text("code"),
            detail: text("detail"),
            retry_after: retry_after.map(Duration::from_secs),
        });
    }
    serde_json::from_slice(&body).map_err(|_| {
        PullError::Answer {
            place: "the peer".to_owned(),
            what: "is not what a registry of this kind says",
        }
        .into()
    })
}
