//! The values that go into and come out of a write.

use std::sync::Arc;

use grunddata_information_model::Resolved;
use grunddata_model::{Domain, OwnerKey, Period, RecordId, SchemeCode, Timeline, TransactionId};

use crate::write::derive::Protection;

stored_code! {
    /// Which operation a change was. The codes are stored and never change.
    Operation {
        /// The first version.
        Create = 1, "create";
        /// New data on a period.
        Replace = 2, "replace";
        /// A patch on every state of a period.
        Amend = 3, "amend";
        /// Nothing holds from a date, or in a gap.
        End = 4, "end";
        /// The record holds again after its end.
        Revive = 5, "revive";
        /// Recorded in error: no longer believed.
        Retract = 6, "retract";
        /// Back to an earlier version.
        Revert = 7, "revert";
        /// Cut because what it refers to was cut (`onTargetEnd`: cascade or unset).
        Follow = 8, "follow";
        /// Merged into another record.
        Merge = 9, "merge";
        /// Content removed for legal reasons.
        Erase = 10, "erase";
        /// No write: on this day something that was planned began, or something ended. It makes no version.
        Effective = 11, "effective";
        /// Handed over to another owner, under whose record it goes on.
        Transfer = 12, "transferred";
        /// The first version of a record that was handed over by another owner: the whole of what is believed.
        Receive = 13, "received";
    }
}

stored_code! {
    /// Whether the world changed or the record was wrong.
    ChangeKind {
        /// A change in the world.
        Change = 1, "change";
        /// A correction of what was recorded wrongly.
        Correction = 2, "correction";
    }
}

stored_code! {
    /// What a record is as a whole.
    RecordStatus {
        /// It has, had or will have states.
        Current = 1, "current";
        /// Recorded in error: no state is believed.
        Retracted = 2, "retracted";
        /// Merged into another record, to which its id leads.
        Merged = 3, "merged";
        /// Its content is removed for legal reasons.
        Erased = 4, "erased";
        /// Handed over to another owner, to whose record its id leads.
        Transferred = 5, "transferred";
    }
}

/// What a job will ask for, so that a batch can fetch it in few statements. Asking for more is allowed, and costs a
/// statement each time.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Records to be written or referred to.
    pub records: Vec<RecordId>,
    /// Identifiers to be claimed or referred to, normalised.
    pub identifiers: Vec<(SchemeCode, String)>,
    /// Records whose referrers will be asked for.
    pub inbound: Vec<RecordId>,
    /// The hash of the idempotency key.
    pub idempotency: Option<[u8; 32]>,
}

/// A record as believed now, with what is staged.
#[derive(Debug, Clone)]
pub struct RecordImage {
    /// The id.
    pub id: RecordId,
    /// The domain.
    pub domain: Domain,
    /// Who answers for it. A record of another owner can be read and referred to but not staged.
    pub owner: OwnerKey,
    /// The organisation inside or beside the owner that is responsible for the personal data.
    pub controller: Option<RecordId>,
    /// Where the record comes from when its origin is elsewhere: JSON, as the registry wrote it.
    pub origin: Option<Arc<str>>,
    /// The present version, counted from 1.
    pub version: u32,
    /// What it is as a whole.
    pub status: RecordStatus,
    /// The record that this one was merged into.
    pub forward_to: Option<RecordId>,
    /// How it is protected: by its own states, or with somebody whom it identifies.
    pub protection: Protection,
    /// The highest level of one of its states: its own, or that of somebody whom it identifies then.
    pub highest: u8,
    /// Its states as believed now.
    pub timeline: Timeline<Resolved>,
}

/// One write to one record.
#[derive(Debug, Clone)]
pub struct StagedWrite {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// The id was minted for this write, so that nothing can be stored under it: spares the look-up.
    pub fresh: bool,
    /// The controller from now on.
    pub controller: Option<RecordId>,
    /// The origin from now on (JSON).
    pub origin: Option<Arc<str>>,
    /// The transaction that the write belongs to.
    pub transaction: TransactionId,
    /// Which operation it is.
    pub operation: Operation,
    /// Change or correction.
    pub change_kind: ChangeKind,
    /// The version that it corrects.
    pub corrects: Option<u32>,
    /// Who writes.
    pub actor: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// The source that feeds it.
    pub source: Option<Arc<str>>,
    /// The part of valid time that the operation was about.
    pub touched: Period,
    /// The timeline that the write was computed from: exactly what [`WriteTx::record`](crate::WriteTx::record) gave.
    pub before: Timeline<Resolved>,
    /// The timeline after it. Equal to `before` only for a change of status, controller or origin.
    pub after: Timeline<Resolved>,
    /// What the record is afterwards.
    pub status: RecordStatus,
    /// Where its id leads, when merged.
    pub forward_to: Option<RecordId>,
}

/// The outcome that was remembered under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOutcome {
    /// The hash of the request that was made with the key.
    pub request_hash: [u8; 32],
    /// What the registry wrote.
    pub outcome: String,
}
