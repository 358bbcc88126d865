//! What a register extract tells.

use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};
use serde::Serialize;
use serde_json::Value;

use crate::ChangeKind;

/// Somebody who has read about the person, as the access log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtractReader {
    /// The unit that the reader acted for.
    pub unit: Option<String>,
    /// Who: only where the names are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// On whose behalf: only where the names are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// When for the first time.
    pub first: Instant,
    /// When for the last time.
    pub last: Instant,
    /// How many times.
    pub count: u64,
}

/// What an extract tells beside the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExtractOptions {
    /// Tells those who wrote and read by name. Only by decision: as a rule the unit and the time are told.
    pub by_name: bool,
    /// Whose records alone; `None` = those of every controller that the actor is a steward of.
    pub controller: Option<ExtractController>,
}

/// Who is responsible for the records of an extract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtractController {
    /// The owner itself.
    Own,
    /// An organisation of the owner, such as a committee.
    Organisation(RecordId),
}

impl std::str::FromStr for ExtractController {
    type Err = <RecordId as std::str::FromStr>::Err;

    /// `own`, or the id of an organisation.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "own" => Ok(Self::Own),
            id => id.parse().map(Self::Organisation),
        }
    }
}

/// Everything that is kept about a person.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PersonExtract {
    /// The person's record.
    pub person: RecordId,
    /// The display name, as believed last.
    pub display: Option<String>,
    /// Who answers for the records.
    pub owner: OwnerKey,
    /// What it is called.
    pub owner_name: String,
    /// When the extract was made.
    pub made_at: Instant,
    /// The records, by who is responsible for them.
    pub controllers: Vec<ControllerExtract>,
    /// The sources that have fed them.
    pub sources: Vec<String>,
    /// Who has read them; absent where the access log was not at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<Vec<ExtractReader>>,
    /// Whether all of the access log could be read.
    pub readers_complete: bool,
}

/// The records of one controller.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControllerExtract {
    /// The organisation; `None` = the owner itself.
    pub controller: Option<RecordId>,
    /// What it is called.
    pub name: String,
    /// The person's own record first, then those that are about the person.
    pub records: Vec<RecordExtract>,
}

/// All of one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordExtract {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// The display name, as believed last.
    pub display: Option<String>,
    /// Every state that was ever recorded.
    pub states: Vec<StateExtract>,
    /// Every version, the first one first.
    pub versions: Vec<VersionExtract>,
    /// Every identifier that it ever had.
    pub identifiers: Vec<IdentifierExtract>,
    /// What it refers to or referred to.
    pub links: Vec<LinkExtract>,
    /// What refers or referred to it.
    pub referrers: Vec<LinkExtract>,
}

/// A state in both times.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateExtract {
    /// When it holds.
    #[serde(flatten)]
    pub period: Period,
    /// The version that brought it.
    pub version: u32,
    /// Since when it was believed.
    pub recorded_at: Instant,
    /// Until when it was believed; absent = it still is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Instant>,
    /// The model that it follows.
    pub model: String,
    /// The data.
    pub data: Value,
}

/// A version with its change.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionExtract {
    /// The version.
    pub version: u32,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// Which operation it was.
    pub operation: String,
    /// Change or correction.
    pub change_kind: ChangeKind,
    /// The version that it put right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<u32>,
    /// From which source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who wrote: only where the names are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

/// An identifier that a record once had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentifierExtract {
    /// The scheme.
    pub scheme: String,
    /// The value.
    pub value: String,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether it is among what is believed now.
    pub believed: bool,
}

/// A link that was once recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkExtract {
    /// The relation.
    pub relation: String,
    /// The record at the other end.
    pub record: RecordId,
    /// What it is called, where the one who asked may see it and something holds today.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    /// When it holds.
    #[serde(flatten)]
    pub period: Period,
    /// Since when it was believed.
    pub recorded_at: Instant,
    /// Until when it was believed; absent = it still is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Instant>,
}
