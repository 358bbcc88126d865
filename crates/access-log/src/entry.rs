//! What is logged of one read or one act.

use std::borrow::Cow;

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey, RecordId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::AccessLogError;
use crate::{Channel, Kind, mask};

/// Bytes of a name: actor, unit, client, on whose behalf, operation, request id.
pub const NAME_LIMIT: usize = 200;
/// Bytes of a purpose.
pub const PURPOSE_LIMIT: usize = 1_000;
/// Bytes of a query.
pub const QUERY_LIMIT: usize = 16 * 1024;
/// Bytes of the detail of an administrative act, as JSON.
pub const DETAIL_LIMIT: usize = 64 * 1024;
/// Records of one entry.
pub const RECORDS_LIMIT: usize = 20_000;
/// Owners of one entry.
pub const OWNERS_LIMIT: usize = 5_000;

/// One read or one administrative act: who, on whose behalf, when, what, why, by which way.
///
/// Never a personal identity number, and no value of a record at all: records are named by id. Numbers of persons in any
/// of the texts and in `detail` are masked when the entry is appended; an identity provider that names its users by such
/// numbers must therefore be mapped to other names first, or its users cannot be told apart.
///
/// The serde form is the form in the file (see [`segment`](crate::segment)); `at` is there as microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    #[serde(with = "micros")]
    pub at: Instant,
    /// What was done.
    pub kind: Kind,
    /// Who, as the registry names users and clients.
    pub actor: String,
    /// The unit (controller) that the actor acted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// On whose behalf, when the actor is a system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// The client program that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The purpose that was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// By which way.
    pub channel: Channel,
    /// The operation id of the API.
    pub operation: String,
    /// The id of the request, to find it in other logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The owners whose records were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<OwnerKey>,
    /// The records that were shown, or that the act was about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordId>,
    /// The privacy classes that were read, as the store's mask of classes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub classes: u8,
    /// What a list was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// How many there were, where a number was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Outcome::is_ok")]
    pub outcome: Outcome,
    /// What an administrative act changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As asked.
    #[default]
    Ok,
    /// Refused, with the code of the refusal.
    Refused(String),
}

impl Outcome {
    /// Whether it was done.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        *self == Self::Ok
    }

    /// Whether it is what these words name: `ok`, `refused`, or the code of a refusal.
    #[must_use]
    pub(crate) fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Ok => wanted == "ok",
            Self::Refused(code) => wanted == "refused" || wanted == code,
        }
    }
}
fn is_zero(classes: &u8) -> bool {
    *classes == 0
}

mod micros {
    use grunddata_model::Instant;
    use serde::{Deserialize, Deserializer, Serializer};
    pub(super) fn serialize<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Instant, D::Error> {
        i64::deserialize(deserializer).map(Instant::from_micros)
    }
}

impl Entry {
    /// An entry with nothing but what each must have; set the other fields on it.
    #[must_use]
    pub fn new(
        at: Instant,
        kind: Kind,
        actor: impl Into<String>,
        channel: Channel,
        operation: impl Into<String>,
    ) -> Self {
        Self {
            at,
            kind,
            actor: actor.into(),
            unit: None,
            on_behalf_of: None,
            client: None,
            purpose: None,
            channel,
            operation: operation.into(),
            request_id: None,
            owners: Vec::new(),
            records: Vec::new(),
            classes: 0,
            query: None,
            count: None,
            outcome: Outcome::Ok,
            detail: None,
        }
    }

    /// The entry as it is for an auditor of this owner: when it is about others as well, without whose and which records,
    /// how many, what was asked for and what was done.
    #[must_use]
    pub(crate) fn shown_to(self, owner: &OwnerKey) -> Self {
        if self.owners.iter().all(|other| other == owner) {
            return self;
        }
        Self {
            owners: Vec::new(),
            records: Vec::new(),
            query: None,
            count: None,
            detail: None,
            ..self
        }
    }

    /// Masks the numbers of persons and checks the limits.
    pub(crate) fn prepare(&mut self) -> Result<(), AccessLogError> {
        let day = self.at.date_time().date_naive();
        for (what, name) in [
            ("actor", Some(&mut self.actor)),
            ("unit", self.unit.as_mut()),
            ("onBehalfOf", self.on_behalf_of.as_mut()),
            ("client", self.client.as_mut()),
            ("operation", Some(&mut self.operation)),
            ("requestId", self.request_id.as_mut()),
        ] {
            prepare_text(what, name, day, NAME_LIMIT)?;
        }
        prepare_text("purpose", self.purpose.as_mut(), day, PURPOSE_LIMIT)?;
        prepare_text("query", self.query.as_mut(), day, QUERY_LIMIT)?;
        if let Outcome::Refused(code) = &mut self.outcome {
            prepare_text("outcome", Some(code), day, NAME_LIMIT)?;
        }
        limit("kind", self.kind.code().len(), NAME_LIMIT)?;
        limit("channel", self.channel.code().len(), NAME_LIMIT)?;
        limit("records", self.records.len(), RECORDS_LIMIT)?;
        limit("owners", self.owners.len(), OWNERS_LIMIT)?;
        if let Some(detail) = &mut self.detail {
            mask::value(detail, day);
            limit("detail", detail.to_string().len(), DETAIL_LIMIT)?;
        }
        Ok(())
    }

    /// What the entry can be found by without reading others: each as a hash, see [`Term`].
    pub(crate) fn terms(&self, into: &mut Vec<u64>) {
        into.clear();
        into.push(Term::Actor(&self.actor).hash());
        if let Some(other) = &self.on_behalf_of {
            into.push(Term::OnBehalfOf(other).hash());
        }
        if let Some(request) = &self.request_id {
            into.push(Term::Request(request).hash());
        }
        if self.kind.is_rare() {
            into.push(Term::Kind(&self.kind).hash());
        }
        into.extend(
            self.records
                .iter()
                .map(|record| Term::Record(*record).hash()),
        );
        into.sort_unstable();
        into.dedup();
    }

    /// What is the same for many entries of a segment: whole segments are skipped by it.
    pub(crate) fn labels(&self, mut label: impl FnMut(u64)) {
        label(Term::Kind(&self.kind).hash());
        label(Term::Operation(&self.operation).hash());
        if let Some(purpose) = &self.purpose {
            label(Term::Purpose(purpose).hash());
        }
        for owner in &self.owners {
            label(Term::Owner(owner).hash());
        }
    }
}

/// Something that entries are looked up by. Its XXH3 (64 bits, seeded with a letter for what it is) is what the index of a segment
/// holds; two with the same hash cost a look at an entry more and nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Term<'a> {
    Record(RecordId),
    Actor(&'a str),
    OnBehalfOf(&'a str),
    Request(&'a str),
    Kind(&'a Kind),
    Operation(&'a str),
    Purpose(&'a str),
    Owner(&'a OwnerKey),
}

impl Term<'_> {
    pub(crate) fn hash(self) -> u64 {
        let (letter, bytes): (u8, &[u8]) = match &self {
            Self::Record(record) => (b'r', record.0.as_bytes()),
            Self::Actor(name) => (b'a', name.as_bytes()),
            Self::OnBehalfOf(name) => (b'b', name.as_bytes()),
            Self::Request(id) => (b'q', id.as_bytes()),
            Self::Kind(kind) => (b'k', kind.code().as_bytes()),
            Self::Operation(name) => (b'o', name.as_bytes()),
            Self::Purpose(text) => (b'p', text.as_bytes()),
            Self::Owner(owner) => (b'w', owner.as_str().as_bytes()),
        };
        xxh3_64_with_seed(bytes, u64::from(letter))
    }
}

fn prepare_text(
    what: &'static str,
    text: Option<&mut String>,
    day: NaiveDate,
    most: usize,
) -> Result<(), AccessLogError> {
    let Some(text) = text else { return Ok(()) };
    limit(what, text.len(), most)?;
    if let Cow::Owned(masked) = mask::text(text, day) {
        *text = masked;
    }
    Ok(())
}

fn limit(what: &'static str, given: usize, limit: usize) -> Result<(), AccessLogError> {
    if given <= limit {
        Ok(())
    } else {
        Err(AccessLogError::Limit { what, given, limit })
    }
}
