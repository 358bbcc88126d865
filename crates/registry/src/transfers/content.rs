//! What is said of a hand-over: as it is kept, and as it is shown.

use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};
use grunddata_store::{TransferRow, TransferSide};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::carrying::TransferProgress;
use super::proven::HandedProof;
use crate::{Context, Refusal};

/// A hand-over to be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransfer {
    /// Whose records.
    pub owner: OwnerKey,
    /// Who is to have them.
    pub receiver: OwnerKey,
    /// The address of the registry of the receiver; `None` = this one.
    pub registry: Option<String>,
    /// The token by which that registry asks: its name, or its id.
    pub client: Option<String>,
    /// The records from which it begins.
    pub records: Vec<RecordId>,
    /// Whether what is below them, and what they alone hold, goes with them.
    pub branch: bool,
    /// Records that stay, with what is below them.
    pub except: Vec<RecordId>,
    /// Why. It stands in both logs.
    pub reason: String,
}

/// Where a received record was before: in its origin, and in the reason of its first change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Received {
    /// The owner that handed it over.
    pub owner: OwnerKey,
    /// The address of that owner's registry; absent = this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The record there.
    pub record: RecordId,
    /// The version that was handed over.
    pub version: u32,
    /// Where that stands in the log of the giver.
    pub position: u64,
    /// The leaf of that entry in the tree of the giver's log, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    /// The hand-over.
    pub transfer: Uuid,
}

/// Where a record went.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Transferred {
    /// The owner that has it.
    pub owner: OwnerKey,
    /// The address of that owner's registry; absent = this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The record there.
    pub record: RecordId,
    /// The hand-over.
    pub transfer: Uuid,
}

/// A record that is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferItem {
    /// The record of the giver.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Its version.
    pub version: u32,
    /// The id that it has under the receiver.
    pub to: RecordId,
}

/// Why a record stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferWhy {
    /// It is a person: for one who moves there are hand-offs.
    Person,
    /// It, or a person whom it tells of, is protected.
    Protected,
    /// A legal hold keeps it.
    LegalHold,
    /// Its processing is restricted.
    Restricted,
    /// It is a copy of another register.
    Copy,
    /// It is responsible for records that stay.
    Controller,
    /// It is in another hand-over.
    InTransfer,
    /// Nothing of it is believed, or it was merged, erased or handed over.
    Gone,
}

impl TransferWhy {
    /// Whether the receiver may be told. That somebody is protected or restricted, or that a hold keeps something, is for
    /// the giver alone.
    pub(super) const fn is_told_to_receiver(self) -> bool {
        !matches!(self, Self::Protected | Self::Restricted | Self::LegalHold)
    }
}

/// A record that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferLeft {
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Why it stays.
    pub why: TransferWhy,
}

/// What becomes of references.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferReferences {
    /// Between records that are handed over: they are kept among the received.
    pub kept: usize,
    /// From records of the giver that stay, to what leaves: they follow it.
    pub following: usize,
    /// From what leaves, to what stays or belongs to others: in another registry they lead nowhere until that is copied there.
    pub outward: usize,
}

/// What is kept of a hand-over as JSON, on each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferContent {
    /// The address of the registry of the other side; absent = this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The name of the token by which the other registry asks; on the giver's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What tells its user from others, however often the secret is changed; told to the giver alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The file with the token for the other registry; on the receiver's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// The keys that the giver's registry signed its log with when the offer was fetched, in base64; on the receiver's side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_keys: Vec<String>,
    /// The giver's signed head to which what came was proven; on the receiver's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// The organisation of the receiver that is responsible for what was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<RecordId>,
    /// Why.
    pub reason: String,
    /// Why it was refused or withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// The records from which it begins.
    pub roots: Vec<RecordId>,
    /// What goes.
    pub items: Vec<TransferItem>,
    /// What stays, of what would go.
    pub left: Vec<TransferLeft>,
    /// What becomes of references.
    pub references: TransferReferences,
}

/// With whom it is.
pub(super) struct Parties {
    pub(super) registry: Option<String>,
    pub(super) client_id: Option<String>,
}

impl Parties {
    /// Whether the actor is the client by whose token the other registry asks. Its name says nothing: anybody may bear it.
    pub(super) fn is_asking(&self, context: &Context) -> bool {
        let named = self.client_id.as_deref();
        !context.actor.is_anonymous() && named == Some(context.actor.client.as_str())
    }
}

impl TransferContent {
    pub(super) fn read(row: &TransferRow) -> Result<Self, Refusal> {
        read(row)
    }

    pub(super) fn written(&self) -> Result<String, Refusal> {
        serde_json::to_string(self).map_err(|_| Refusal::internal())
    }

    pub(super) fn parties(&self) -> Parties {
        Parties {
            registry: self.registry.clone(),
            client_id: self.client_id.clone(),
        }
    }

    pub(super) fn giver(&self, row: &TransferRow) -> OwnerKey {
        giver(row).clone()
    }

    pub(super) fn receiver(&self, row: &TransferRow) -> OwnerKey {
        receiver(row).clone()
    }
}

pub(super) fn read<T: serde::de::DeserializeOwned>(row: &TransferRow) -> Result<T, Refusal> {
    serde_json::from_str(&row.content).map_err(|error| {
        tracing::error!(transfer = %row.id, %error, "a stored hand-over cannot be read");
        Refusal::internal()
    })
}

pub(super) fn giver(row: &TransferRow) -> &OwnerKey {
    match row.side {
        TransferSide::Giver => &row.owner,
        TransferSide::Receiver => &row.other,
    }
}

pub(super) fn receiver(row: &TransferRow) -> &OwnerKey {
    match row.side {
        TransferSide::Giver => &row.other,
        TransferSide::Receiver => &row.owner,
    }
}

/// How one side of a hand-over stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SideView {
    /// `giver` or `receiver`.
    pub side: String,
    /// `offered`, `accepted`, `received`, `done`, `refused` or `withdrawn`.
    pub state: String,
    /// Since when.
    pub changed_at: Instant,
}

/// A hand-over as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// The id, the same on both sides.
    pub id: Uuid,
    /// Whose records.
    pub giver: OwnerKey,
    /// Who is to have them.
    pub receiver: OwnerKey,
    /// How each side stands that is in this registry.
    pub sides: Vec<SideView>,
    /// When it came about.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// How far the carrying out has come, of what was accepted and is not done; told to the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<TransferProgress>,
    /// What is said of it.
    #[serde(flatten)]
    pub content: TransferContent,
}

impl Transfer {
    pub(super) fn of(row: &TransferRow, content: TransferContent) -> Self {
        let mut shown = Self {
            id: row.id,
            giver: giver(row).clone(),
            receiver: receiver(row).clone(),
            sides: Vec::new(),
            created_at: row.created_at,
            created_by: row.created_by.clone(),
            progress: None,
            content,
        };
        shown.add(row);
        shown
    }

    pub(super) fn add(&mut self, row: &TransferRow) {
        if self.sides.iter().any(|side| side.side == row.side.as_str()) {
            return;
        }
        self.sides.push(SideView {
            side: row.side.as_str().to_owned(),
            state: row.state.as_str().to_owned(),
            changed_at: row.changed_at,
        });
    }

    /// How a side stands, if it is in this registry.
    #[must_use]
    pub fn state_of(&self, side: &str) -> Option<&str> {
        let found = self.sides.iter().find(|found| found.side == side);
        found.map(|found| found.state.as_str())
    }
}

/// An offer of another registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOffer {
    /// The address of that registry.
    pub registry: String,
    /// The file with the token for it.
    pub token_file: Option<String>,
    /// The keys that it signs its log with now, in base64.
    pub log_keys: Vec<String>,
    /// What it says.
    pub offer: Transfer,
}

/// A state as it is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandedState {
    /// When it holds.
    pub period: Period,
    /// The release of the information model.
    pub model: String,
    /// The data, as it is stored: JSON as a text, so that it comes byte by byte.
    pub data: String,
}

/// A record as it is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferRecord {
    /// The record of the giver.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// The version that is handed over.
    pub version: u32,
    /// Where it stands in the giver's log.
    pub position: u64,
    /// The leaf of that entry, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    /// Its controller at the giver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<RecordId>,
    /// What is believed, by period.
    pub states: Vec<HandedState>,
    /// What proves it, where it goes to another registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<HandedProof>,
}

/// Some of the records of a hand-over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferPage {
    /// The records.
    pub records: Vec<TransferRecord>,
    /// The geometries that they name: SHA-256 in hexadecimal, and the geometry as a text.
    pub geometries: Vec<(String, String)>,
    /// The giver's signed head (C2SP checkpoint) to which the proofs lead, where it goes to another registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// From which record on there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<usize>,
}
