//! What is said of a hand-off: as it is kept, and as it is shown.

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey, RecordId};
use grunddata_store::TransferRow;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::content::{Parties, giver, receiver};
use crate::Refusal;

/// On what it rests that something is told to another owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basis {
    /// `consent` or `law`.
    pub kind: BasisKind,
    /// To what the person has agreed and when, or by which provision. It stands in both logs.
    pub text: String,
}

/// What kind of basis it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BasisKind {
    /// The person, or who speaks for them, has agreed.
    Consent,
    /// A provision demands or allows it.
    Law,
}

impl BasisKind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Law => "law",
        }
    }
}

/// A hand-off to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHandOff {
    /// Whose record.
    pub owner: OwnerKey,
    /// Who is to take it.
    pub receiver: OwnerKey,
    /// The address of the registry of the receiver; `None` = this one.
    pub registry: Option<String>,
    /// The token by which that registry asks: its name, or its id.
    pub client: Option<String>,
    /// The person.
    pub person: RecordId,
    /// Which properties of the data are told, as they are when it is taken.
    pub properties: Vec<String>,
    /// On what it rests.
    pub basis: Basis,
    /// The last day on which it can be taken.
    pub expires: NaiveDate,
    /// Whether a protected person may be told of. The protection goes along.
    pub protected: bool,
}

/// What is kept of a hand-off: nothing of what it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandOffContent {
    /// The address of the registry of the other side; absent = this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The name of the token by which the other registry asks; on the giver's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What tells its user from others, however often the secret is changed; told to the giver alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The person's record at the giver.
    pub person: RecordId,
    /// The person's record at the receiver.
    pub to: RecordId,
    /// Which properties.
    pub properties: Vec<String>,
    /// On what it rests.
    pub basis: Basis,
    /// The last day on which it can be taken.
    pub expires: NaiveDate,
    /// Whether a protected person may be told of.
    pub protected: bool,
    /// Why it was withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// A hand-off as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandOff {
    /// The id, the same on both sides.
    pub id: Uuid,
    /// Whose record.
    pub giver: OwnerKey,
    /// Who is to take it.
    pub receiver: OwnerKey,
    /// `offered`, `done` or `withdrawn`.
    pub state: String,
    /// When it was made.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When it last changed.
    pub changed_at: Instant,
    /// What is said of it.
    #[serde(flatten)]
    pub content: HandOffContent,
}

/// What a hand-off tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandOffPayload {
    /// The hand-off.
    pub hand_off: HandOff,
    /// The chosen properties, as they are today.
    pub data: Map<String, Value>,
}

pub(super) fn shown(row: &TransferRow, content: HandOffContent) -> HandOff {
    HandOff {
        id: row.id,
        giver: giver(row).clone(),
        receiver: receiver(row).clone(),
        state: row.state.as_str().to_owned(),
        created_at: row.created_at,
        created_by: row.created_by.clone(),
        changed_at: row.changed_at,
        content,
    }
}

impl HandOffContent {
    pub(super) fn parties(&self) -> Parties {
        Parties {
            registry: self.registry.clone(),
            client_id: self.client_id.clone(),
        }
    }

    pub(super) fn written(&self) -> Result<String, Refusal> {
        serde_json::to_string(self).map_err(|_| Refusal::internal())
    }
}

/// Whether somewhere in a value another record is referred to.
pub(super) fn refers(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.len() == 1 && members.get("id").is_some_and(Value::is_string)
                || members.values().any(refers)
        }
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}
