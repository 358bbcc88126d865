//! Loads: the sources that feed an owner, what they last said of each record, what a load is to do row by row, and how far
//! it is. What it all means is decided elsewhere: settings, plans and what was said come as JSON that the registry wrote.
//!
//! A batch of a load is a job of the combiner like any other write. What it does to the assertions, to the rows that are set
//! aside and to the progress of the load is staged beside its records ([`LoadStep`]) and written in the same database
//! transaction: whatever is on disk of a batch, all of it is.

mod assertions;
mod head;
mod plan;
mod prune;
mod rows;
mod sources;
mod step;
mod tasks;

use grunddata_model::{Domain, Instant, OwnerKey, RecordId, TransactionId};
use uuid::Uuid;

pub(crate) use assertions::{forget, redact};
pub use plan::{Believed, PlanWriter};
pub use rows::RowFilter;
pub(crate) use rows::{clear, clear_waiting};
pub(crate) use step::write_steps;
pub use step::{LoadStep, SetAside};
pub use tasks::{TaskKind, TaskRow, WatchRow};

/// What tells the keys of a source apart: the first 16 bytes of a SHA-256 over the name of the record and the key.
pub type KeyHash = [u8; 16];

stored_code! {
    /// What a file says of what it leaves out. The codes are stored and never change.
    LoadKind {
        /// Everything that the source has: what is missing is gone.
        Full = 1, "full";
        /// What is new.
        Delta = 2, "delta";
        /// Takes another load back.
        Reversal = 3, "reversal";
    }
}

stored_code! {
    /// How far a load is. The codes are stored and never change; below 10 it is open, and its source has no other open one.
    LoadStatus {
        /// Its rows are being worked out.
        Planning = 1, "planning";
        /// It can be applied.
        Planned = 2, "planned";
        /// A guard has stopped it.
        Stopped = 3, "stopped";
        /// Some of its batches are applied.
        Applying = 4, "applying";
        /// All of it is applied.
        Applied = 10, "applied";
        /// Given up before anything of it was applied, or on the way.
        Cancelled = 11, "cancelled";
        /// Its file could not be read.
        Refused = 12, "refused";
        /// Taken back by another load.
        Reversed = 13, "reversed";
        /// Its plan could not be made: the load says why.
        Failed = 14, "failed";
    }
}

impl LoadStatus {
    /// Whether something is still to come of it, so that its source can have no other load.
    #[must_use]
    pub const fn is_open(self) -> bool {
        (self as i16) < 10
    }
}

stored_code! {
    /// What a row of a plan comes to. The codes are stored and never change.
    RowOutcome {
        /// A new record.
        Create = 1, "create";
        /// The record says something else from some day on.
        Change = 2, "change";
        /// The record ends.
        End = 3, "end";
        /// The record holds again.
        Revive = 4, "revive";
        /// The record says so already: only what the source said is noted.
        Confirm = 5, "confirm";
        /// The source does not speak of the record any more; the record stays.
        Release = 6, "release";
        /// Something is wrong with the row.
        Rejected = 7, "rejected";
        /// Something else is in the way of the row.
        Conflict = 8, "conflict";
    }
}

stored_code! {
    /// Whether a row of a plan waits for something. The codes are stored and never change.
    RowState {
        /// It is applied when the load has reached it.
        Ready = 0, "ready";
        /// It is not applied: its content says why.
        SetAside = 1, "set-aside";
        /// Other rows of its plan must be worked out first.
        Waiting = 2, "waiting";
    }
}

/// One version of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRow {
    /// Whom it feeds.
    pub owner: OwnerKey,
    /// Its key.
    pub key: String,
    /// The version, counted from 1.
    pub version: u32,
    /// The settings: JSON.
    pub settings: String,
    /// When they were put.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// Why.
    pub reason: Option<String>,
}

/// A place in a plan: turn and number of a row. A load has reached every row up to and including it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Reached {
    /// The turn.
    pub turn: i32,
    /// The number within it.
    pub number: i64,
}

/// A load as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadRow {
    /// Whose records.
    pub owner: OwnerKey,
    /// The id.
    pub id: Uuid,
    /// The key of its source.
    pub source: String,
    /// The version of the settings that it was planned by.
    pub source_version: u32,
    /// What its file leaves out.
    pub kind: LoadKind,
    /// How far it is.
    pub status: LoadStatus,
    /// The load that it takes back.
    pub reverses: Option<Uuid>,
    /// How many batches are applied.
    pub batches: u32,
    /// How far they reach.
    pub reached: Reached,
    /// Facts, counts, guards: JSON.
    pub content: String,
    /// When it was begun.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When it was last changed.
    pub changed_at: Instant,
}

/// A row of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    /// The number, from 1, in the order in which the rows came.
    pub number: i64,
    /// The first row of the file that it comes from; 0 = none.
    pub file_row: i64,
    /// The name of the record in the mapping.
    pub record_name: String,
    /// The key, as JSON; empty where it is not to be kept.
    pub key: String,
    /// What tells the key apart.
    pub key_hash: KeyHash,
    /// The domain.
    pub domain: Domain,
    /// What it comes to.
    pub outcome: RowOutcome,
    /// When it is applied: after all rows with a lower turn.
    pub turn: i32,
    /// Whether it waits.
    pub state: RowState,
    /// The record that it is about.
    pub record: Option<RecordId>,
    /// The version of the record that it was worked out from; `None` where there is no record yet.
    pub base_version: Option<u32>,
    /// The privacy classes of what the content tells, a bit mask.
    pub classes: u8,
    /// The highest level of protection of what it tells.
    pub protection: u8,
    /// What it does and why: JSON.
    pub content: String,
}

/// A batch of a load that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// The number, from 1.
    pub number: u32,
    /// Its transaction; `None` where no record changed.
    pub transaction: Option<TransactionId>,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// How far it reached.
    pub reached: Reached,
    /// How many rows of the plan it took, those that were set aside included.
    pub rows: u32,
    /// What was let through but is worth a look: JSON.
    pub findings: Option<String>,
}

/// What a source last said of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionRow {
    /// The source.
    pub source: String,
    /// What tells the key apart.
    pub key_hash: KeyHash,
    /// What tells what was said apart: the first 16 bytes of a SHA-256.
    pub hash: [u8; 16],
    /// Whether it still says so.
    pub present: bool,
    /// The record.
    pub record: RecordId,
    /// The name of the record in the mapping.
    pub record_name: String,
    /// The key, as JSON.
    pub key: String,
    /// The domain.
    pub domain: Domain,
    /// What was said: JSON.
    pub content: String,
    /// The load that spoke of it first.
    pub first_load: Uuid,
    /// The load that said it last in other words.
    pub load: Uuid,
}

/// As much of an assertion as tells whether something new is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssertionHead {
    /// What tells the key apart.
    pub key_hash: KeyHash,
    /// What tells what was said apart.
    pub hash: [u8; 16],
    /// Whether the source still says so.
    pub present: bool,
    /// The record.
    pub record: RecordId,
}
