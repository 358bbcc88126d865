//! What a write answers.

use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId, TransactionId};
use serde::{Deserialize, Serialize};

use crate::Fault;

/// What a write did to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There is a new record.
    Created,
    /// The record has a new version.
    Updated,
    /// The timeline is as it was: no version, no change.
    Unchanged,
}

impl Outcome {
    /// `created`, `updated` or `unchanged`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Created => "created",
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
        }
    }
}

/// The outcome for one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Its owner.
    pub owner: OwnerKey,
    /// Its version now.
    pub version: u32,
    /// What happened.
    pub outcome: Outcome,
    /// The period that the operation resolved to; `None` for a whole retraction or a revert.
    pub period: Option<Period>,
    /// Where the outcome comes from the kept outcome of an earlier identical request.
    #[serde(default)]
    pub replayed: bool,
    /// References that were stored although their target does not hold (`onUncovered=flag`), or cut (`clip`), and those
    /// that lead nowhere yet (`onUnresolved=pending`).
    #[serde(skip)]
    pub findings: Vec<Fault>,
}

/// The outcome of a transaction (a single write is one of one operation).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionWritten {
    /// Its id; `None` when nothing changed.
    pub transaction: Option<TransactionId>,
    /// The instant at which all of it is known.
    pub recorded_at: Option<Instant>,
    /// The outcome of each operation, in the order asked.
    pub items: Vec<Written>,
    /// Records that changed with it: referrers that ended or lost a reference with their target.
    pub also: Vec<Written>,
    /// Records with references that were pending and may lead somewhere now.
    #[serde(skip)]
    pub(crate) met: Vec<(RecordId, Domain)>,
}
