//! The writes as values: what a caller asks for, before anything is checked. Bounds that are `None` were absent and
//! take the operation's default.

use grunddata_model::{Domain, ModelVersion, OwnerKey, RecordId, SchemeCode, ValidFrom, ValidTo};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::patch::Patch;
use crate::transfers::{Received, Transferred};

/// Whether a write reports a change in the world or puts right what was recorded wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The world changed.
    #[default]
    Change,
    /// The record was wrong.
    Correction,
}

impl ChangeKind {
    /// `change` or `correction`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ChangeKind::Change => "change",
            ChangeKind::Correction => "correction",
        }
    }
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    tag = "kind"
)]
pub enum Origin {
    /// The owner's own record.
    #[default]
    Own,
    /// A copy of a base register or of another registry: read-only here.
    Copy {
        /// The register or registry that it is a copy of, as a name or address.
        of: String,
        /// When it was copied.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        copied: Option<chrono::NaiveDate>,
        /// When this version came here, where the owner is copied from another registry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        received_at: Option<grunddata_model::Instant>,
    },
    /// The owner's own since another owner handed it over: where what was before is to be found.
    Received(Received),
    /// Another owner's since this one handed it over.
    Transferred(Transferred),
}

/// What a caller says about a write beside its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// Why, in words. At most 1,000 characters.
    pub reason: Option<String>,
    /// Change or correction.
    pub change_kind: ChangeKind,
    /// The version that a correction puts right.
    pub corrects: Option<u32>,
    /// The source system that the write comes from.
    pub source: Option<String>,
}

/// The version that the caller has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IfMatch {
    /// `*`: whatever it is now.
    Any,
    /// Exactly this version.
    Version(u32),
}

/// The record that an operation is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// By its id.
    Id(RecordId),
    /// By the temporary id that an earlier operation of the same transaction gave it.
    Temporary(String),
}

/// The first day of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum From {
    /// A date, or `unknown`.
    At(ValidFrom),
    /// `start`: the record's own first day. For corrections.
    Start,
}

/// The body of a new record or of a new state.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The domain's properties.
    pub data: Value,
    /// The model version to check against; the current one when absent.
    pub model: Option<ModelVersion>,
}

/// What a new record needs to be told beside its data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Envelope {
    /// Its owner; may be left out by a caller who writes for exactly one.
    pub owner: Option<OwnerKey>,
    /// The body that is responsible for its personal data: an organisation record.
    pub controller: Option<RecordId>,
    /// Own, or a copy.
    pub origin: Origin,
}

/// First version of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    /// The client's own UUID; minted when absent.
    pub id: Option<RecordId>,
    /// The name by which other operations of the transaction refer to it (`temp:NAME`, here without the prefix).
    pub temporary_id: Option<String>,
    /// Owner, controller, origin.
    pub envelope: Envelope,
    /// The data.
    pub content: Content,
    /// First day; today when absent.
    pub valid_from: Option<ValidFrom>,
    /// Exclusive end; open when absent.
    pub valid_to: Option<ValidTo>,
    /// Upsert: find the record by the identifier of this scheme in the data and replace it, or create it.
    pub matching: Option<SchemeCode>,
}

/// New data on a period. Creates the record where the id is unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct Replace {
    /// Which record.
    pub subject: Subject,
    /// For a record that is created thereby; an owner or controller that contradicts an existing record is refused.
    pub envelope: Envelope,
    /// The data.
    pub content: Content,
    /// First day; today when absent.
    pub valid_from: Option<From>,
    /// Exclusive end; when absent to the end of the unbroken stretch, or to the next state.
    pub valid_to: Option<ValidTo>,
    /// Whether planned states and ends may be overwritten.
    pub overwrite_planned: bool,
}

/// A patch to every state inside a period.
#[derive(Debug, Clone, PartialEq)]
pub struct Amend {
    /// Which record.
    pub subject: Subject,
    /// The patch.
    pub patch: Patch,
    /// First day; today when absent.
    pub valid_from: Option<From>,
    /// Exclusive end; open when absent.
    pub valid_to: Option<ValidTo>,
}

/// Nothing holds from a day on; with an end, a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Which record.
    pub subject: Subject,
    /// First day on which nothing holds; today when absent.
    pub valid_from: Option<From>,
    /// The day on which it holds again.
    pub valid_to: Option<ValidTo>,
}

/// Brings an ended or retracted record back.
#[derive(Debug, Clone, PartialEq)]
pub struct Revive {
    /// Which record.
    pub subject: Subject,
    /// The data.
    pub content: Content,
    /// First day.
    pub valid_from: ValidFrom,
    /// Exclusive end; open when absent.
    pub valid_to: Option<ValidTo>,
}

/// No longer believed: a period, or the whole record when both bounds are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Retract {
    /// Which record.
    pub subject: Subject,
    /// First day; the record's start when only the end is given.
    pub valid_from: Option<From>,
    /// Exclusive end; open when only the start is given.
    pub valid_to: Option<ValidTo>,
}

/// Back to an earlier version.
#[derive(Debug, Clone, PartialEq)]
pub struct Revert {
    /// Which record.
    pub subject: Subject,
    /// The version whose timeline is believed again.
    pub version: u32,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// First version, or upsert.
    Create(Create),
    /// New data on a period.
    Replace(Replace),
    /// A patch on a period.
    Amend(Amend),
    /// End, or gap.
    End(End),
    /// Bring back.
    Revive(Revive),
    /// No longer believed.
    Retract(Retract),
    /// Back to a version.
    Revert(Revert),
}

/// What to do with a reference whose target does not hold during the whole time of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnUncovered {
    /// Refuse the write.
    #[default]
    Reject,
    /// Keep the reference only while the target holds.
    Clip,
    /// Store it, and list it under data quality.
    Flag,
}

/// What to do with a reference by identifier that leads to no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnresolved {
    /// Refuse the write.
    #[default]
    Reject,
    /// Store it as it was given: it becomes a reference to the record that gets the identifier.
    Pending,
}

impl OnUnresolved {
    /// By its word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "reject" => Some(Self::Reject),
            "pending" => Some(Self::Pending),
            _ => None,
        }
    }
}

/// One write with its conditions.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The domain of the record.
    pub domain: Domain,
    /// What to do.
    pub operation: Operation,
    /// What the caller has seen. Needed for an existing record, except for an upsert and within the transaction that
    /// created it.
    pub if_match: Option<IfMatch>,
    /// Reason and the like.
    pub note: Note,
    /// References whose target does not hold.
    pub on_uncovered: OnUncovered,
    /// References that lead to no record.
    pub on_unresolved: OnUnresolved,
}

impl Command {
    /// A write without conditions or note.
    #[must_use]
    pub fn new(domain: Domain, operation: Operation) -> Self {
        Self {
            domain,
            operation,
            if_match: None,
            note: Note::default(),
            on_uncovered: OnUncovered::Reject,
            on_unresolved: OnUnresolved::Reject,
        }
    }

    /// With a condition.
    #[must_use]
    pub fn if_match(mut self, if_match: IfMatch) -> Self {
        self.if_match = Some(if_match);
        self
    }

    /// With a note.
    #[must_use]
    pub fn note(mut self, note: Note) -> Self {
        self.note = note;
        self
    }
}

/// A list of operations on records of one owner that succeed or fail as one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transaction {
    /// The owner; may be left out by a caller who writes for exactly one, or where an existing record says it.
    pub owner: Option<OwnerKey>,
    /// The operations, in order.
    pub commands: Vec<Command>,
}

/// How a retry is recognised. The owner and the client are added by the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key: 1 to 255 visible characters.
    pub key: String,
    /// Method and path of the request.
    pub scope: String,
    /// SHA-256 over what was asked: same key and other fingerprint is refused.
    pub fingerprint: [u8; 32],
}
