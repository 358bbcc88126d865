//! The lines of the file as values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::NaiveDate;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId, TransactionId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::tables::{
    AssertionContentLine, AssertionLine, CopyBatchLine, FormerHeadLine, LoadBatchLine, LoadLine,
    LoadRowLine, PeerLine, SourceLine, TransferLine, TransferRecordLine,
};

/// A line. The name of the kind is its only member.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line<'a> {
    Header(Header),
    Token(TokenLine),
    Grant(GrantLine),
    LogKey(LogKeyLine),
    Owner(OwnerLine),
    #[serde(borrow)]
    Geometry(GeometryLine<'a>),
    RetentionRule(RuleLine),
    Disposal(DisposalLine),
    Delivery(DeliveryLine),
    Outcome(OutcomeLine),
    #[serde(borrow)]
    Record(RecordLine<'a>),
    Mark(MarkLine),
    FormerHead(FormerHeadLine),
    Source(SourceLine),
    Load(LoadLine),
    LoadRow(LoadRowLine),
    LoadBatch(LoadBatchLine),
    Assertion(AssertionLine),
    AssertionContent(AssertionContentLine),
    Peer(PeerLine),
    CopyBatch(CopyBatchLine),
    Transfer(TransferLine),
    TransferRecord(TransferRecordLine),
    End(End),
}

/// The kinds of lines between the header and the end, as the header lists them: a reader that does not know one of them
/// must not take the file for whole.
pub(super) const SECTIONS: [&str; 22] = [
    "token",
    "grant",
    "logKey",
    "owner",
    "geometry",
    "retentionRule",
    "disposal",
    "delivery",
    "outcome",
    "record",
    "mark",
    "formerHead",
    "source",
    "load",
    "loadRow",
    "loadBatch",
    "assertion",
    "assertionContent",
    "peer",
    "copyBatch",
    "transfer",
    "transferRecord",
];

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Header {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) made_at: Instant,
    /// The version of the program that wrote it.
    pub(super) program: String,
    /// Only these owners; absent = the whole installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owners: Option<Vec<OwnerKey>>,
    /// The packages of the information model that were loaded.
    pub(super) models: Vec<String>,
    pub(super) sections: Vec<String>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct End {
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OwnerLine {
    pub(super) key: OwnerKey,
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) organisation: Option<RecordId>,
    pub(super) open_data: bool,
    /// As the registry wrote it; empty = the default.
    pub(super) protection_policy: String,
    pub(super) position: i64,
    pub(super) last_instant: Instant,
    pub(super) created_at: Instant,
    /// How far it is told what time itself does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told_day: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told_record: Option<RecordId>,
    /// The epochs of its log after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) epochs: Vec<EpochLine>,
    /// The head of its log, signed (`docs/log.md`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) log_head: Option<String>,
}

/// Where a log began to be another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EpochLine {
    pub(super) epoch: i64,
    pub(super) fork_position: i64,
    pub(super) begun_at: Instant,
}

/// The public half of a key that heads of logs were signed with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogKeyLine {
    /// In base64.
    pub(super) public_key: String,
    pub(super) created_at: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retired_at: Option<Instant>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GeometryLine<'a> {
    /// SHA-256 of the body, in hexadecimal.
    pub(super) hash: String,
    #[serde(borrow)]
    pub(super) body: &'a RawValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RecordLine<'a> {
    pub(super) id: RecordId,
    pub(super) domain: Domain,
    #[serde(default)]
    pub(super) controller: Option<RecordId>,
    /// JSON as text, as the registry wrote it.
    #[serde(default)]
    pub(super) origin: Option<String>,
    pub(super) version: i32,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    #[serde(default)]
    pub(super) forward_to: Option<RecordId>,
    /// Until when and how strongly it is protected, by itself or by others: it may be more than its states say, never less.
    #[serde(default)]
    pub(super) protected_until: Option<NaiveDate>,
    #[serde(default)]
    pub(super) protection: i16,
    #[serde(borrow)]
    pub(super) changes: Vec<ChangeLine<'a>>,
    #[serde(borrow)]
    pub(super) states: Vec<StateLine<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ChangeLine<'a> {
    pub(super) position: i64,
    pub(super) version: i32,
    pub(super) recorded_at: Instant,
    pub(super) transaction: TransactionId,
    #[serde(borrow)]
    pub(super) operation: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) change_kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) corrects: Option<i32>,
    #[serde(borrow)]
    pub(super) actor: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Cow<'a, str>>,
    pub(super) valid_from: NaiveDate,
    pub(super) valid_to: NaiveDate,
    /// The hash of the timeline after it, in hexadecimal.
    #[serde(borrow)]
    pub(super) hash: Cow<'a, str>,
    /// Of an entry that is no write: the day on which something began or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) effective_on: Option<NaiveDate>,
    /// Its leaf in the tree of the log, in hexadecimal; absent in files from before there were trees.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) leaf: Option<Cow<'a, str>>,
    /// What opens the leaf, in hexadecimal: the secret, or what an erasure has left of it part by part.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) opening: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StateLine<'a> {
    pub(super) valid_from: NaiveDate,
    pub(super) valid_to: NaiveDate,
    pub(super) recorded_at: Instant,
    /// Absent = it is still believed.
    #[serde(default)]
    pub(super) superseded_at: Option<Instant>,
    #[serde(borrow)]
    pub(super) model: Cow<'a, str>,
    #[serde(default)]
    pub(super) protection: i16,
    #[serde(borrow)]
    pub(super) body: &'a RawValue,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TokenLine {
    /// SHA-256 of the token, in hexadecimal. The token itself is nowhere.
    pub(super) hash: String,
    pub(super) name: String,
    pub(super) grants: String,
    pub(super) created_at: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) revoked_at: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_used_at: Option<Instant>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct GrantLine {
    pub(super) id: Uuid,
    pub(super) subject_kind: i16,
    pub(super) subject: String,
    pub(super) content: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    pub(super) created_at: Instant,
    pub(super) created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended_by: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RuleLine {
    pub(super) id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) controller: Option<RecordId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<Domain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) years: Option<i32>,
    pub(super) decision: String,
    pub(super) reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) archive: Option<String>,
    pub(super) valid_from: NaiveDate,
    pub(super) valid_to: NaiveDate,
    pub(super) created_at: Instant,
    pub(super) created_by: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DisposalLine {
    pub(super) id: Uuid,
    pub(super) begun_at: Instant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finished_at: Option<Instant>,
    pub(super) actor: String,
    pub(super) content: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeliveryLine {
    pub(super) id: Uuid,
    pub(super) rule: Uuid,
    pub(super) archive: String,
    pub(super) reference: String,
    pub(super) delivered: NaiveDate,
    pub(super) created_at: Instant,
    pub(super) created_by: String,
}

/// What is remembered under an idempotency key: a late retry finds it here as well.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct OutcomeLine {
    pub(super) key_hash: String,
    pub(super) request_hash: String,
    pub(super) outcome: String,
    pub(super) created_at: Instant,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MarkLine {
    pub(super) record: RecordId,
    pub(super) kind: i16,
    pub(super) id: Uuid,
    pub(super) reason: String,
    pub(super) created_at: Instant,
    pub(super) created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lifted_at: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lifted_by: Option<String>,
}

impl Line<'_> {
    /// The name of the kind, as the end counts them.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Token(_) => "token",
            Self::Grant(_) => "grant",
            Self::LogKey(_) => "logKey",
            Self::Owner(_) => "owner",
            Self::Geometry(_) => "geometry",
            Self::RetentionRule(_) => "retentionRule",
            Self::Disposal(_) => "disposal",
            Self::Delivery(_) => "delivery",
            Self::Outcome(_) => "outcome",
            Self::Record(_) => "record",
            Self::Mark(_) => "mark",
            Self::FormerHead(_) => "formerHead",
            Self::Source(_) => "source",
            Self::Load(_) => "load",
            Self::LoadRow(_) => "loadRow",
            Self::LoadBatch(_) => "loadBatch",
            Self::Assertion(_) => "assertion",
            Self::AssertionContent(_) => "assertionContent",
            Self::Peer(_) => "peer",
            Self::CopyBatch(_) => "copyBatch",
            Self::Transfer(_) => "transfer",
            Self::TransferRecord(_) => "transferRecord",
            Self::End(_) => "end",
        }
    }
}
