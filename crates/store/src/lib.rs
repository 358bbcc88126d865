//! The registry's database: bitemporal states with what follows from them, the change log, and reads at a coordinate, on
//! SQLite and on PostgreSQL.
//!
//! How a write goes: [`Store::write`] puts a job into the owner's queue; a committing thread takes the waiting jobs
//! together (module `combiner`), locks the owner's counter row, runs each job against an overlay in memory ([`WriteTx`]),
//! writes the rows of all accepted jobs set-wise, commits once, and answers.
//!
//! How a read goes: [`Store::read`] gives a [`Reader`] on a connection that belongs to the thread. [`Reader::pin`] fixes the
//! recorded time of the owners; as every row says from when until when it was believed, no database transaction is
//! needed for several statements to tell of the same moment.
//!
//! Architecture invariants: this is the only crate that knows diesel or SQL. It accepts [`Resolved`] data alone, which only
//! the information model can make, and never sees a JSON Schema, HTTP or a reader's identity: what may be seen comes in
//! as a [`Visibility`], and every read that shows anything contains it. Rows never leave the crate.
//!
//! [`Resolved`]: grunddata_information_model::Resolved

#[macro_use]
mod stored_code;

mod combiner;
mod connection;
mod coordinate;
mod copy;
mod deliveries;
mod dialect;
mod directory;
mod engine;
mod error;
mod feed_key;
mod follow;
mod grants;
mod loads;
mod lossless;
mod marks;
mod metrics;
mod migrations;
mod model_packages;
mod options;
mod owner;
mod patience;
mod peers;
mod read;
mod reclaim;
mod rehearsal;
mod retention;
mod schema;
mod sql;
mod sql_types;
mod store;
mod subscriptions;
mod transfers;
mod tree;
mod verify;
mod visibility;
mod write;

pub use coordinate::{Coordinate, Known};
pub use deliveries::DeliveryRow;
pub use directory::{NewOwner, TokenRow};
pub use error::{StoreError, WriteError};
pub use follow::LogWatch;
pub use grants::GrantRow;
pub use loads::{
    AssertionHead, AssertionRow, BatchRow, Believed, KeyHash, LoadKind, LoadRow, LoadStatus,
    LoadStep, PlanRow, PlanWriter, Reached, RowFilter, RowOutcome, RowState, SetAside, SourceRow,
    TaskKind, TaskRow, WatchRow,
};
pub use lossless::{
    LosslessError, LosslessProgress, LosslessSummary, ProvenLog, verify_lossless_logs,
};
pub use marks::{MarkKind, MarkRow};
pub use metrics::{BATCH_SIZES, StoreMetrics};
pub use model_packages::KeptPackage;
pub use options::{COMMITS_WITHIN, Clock, Stopwatch, StoreOptions};
pub use owner::{OwnerRow, OwnerSet, Told};
pub use peers::{
    CheckedChange, CopiedChange, CopiedState, CopyBatchRow, CopyError, CopyWriter, NewPeer,
    NewPush, Parcel, PeerRow, PeerStatus, PushRow,
};
pub use read::{
    Absent, ChangeEntry, ChangeFilter, ChangeKey, ChangeScan, Condition, CopyFacts, Count,
    Direction, ESTIMATE, Followed, FormerHead, HiddenEdges, HierarchyRow, IdentifierRow,
    LinkCondition, LinkCursor, LinkRow, Lookup, Matching, Page, RaisedRow, Reader, RecordRow,
    RecordedLink, SearchCursor, SortBy, SortKey, StoreSearch, Targets, TurnRow, WithdrawnRow,
};
pub use rehearsal::Rehearsal;
pub use retention::{DisposalRow, ErasedRow, RetentionCandidate, RetentionRuleRow};
pub use store::Store;
pub use subscriptions::{
    LogPlace, SentKind, SentRow, Settlement, Standing, SubscriptionChange, SubscriptionMark,
    SubscriptionRow, SubscriptionState, SubscriptionWriter,
};
pub use transfers::{
    HandedRecord, TransferKind, TransferRow, TransferSide, TransferState, TransferStep,
    TransferTask,
};
pub use tree::{EpochRow, LogHead, LogKeyRow, TreeProof, state_parts};
pub use verify::{Finding, Progress};
pub use visibility::{
    ALL_CLASSES, ControllerSet, DomainSet, Form, Forms, LEVELS, Seen, Sight, Visibility,
    VisibilityRule,
};
pub use write::{
    ChangeKind, Claim, Effective, Erased, Erasure, Inbound, Needs, Operation, PendingPlace,
    PendingRow, Protection, RecordImage, RecordStatus, StagedWrite, StoredOutcome, WriteTx,
};
