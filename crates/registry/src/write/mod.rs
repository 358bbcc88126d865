//! Writing: requests, the pipeline, and what it answers.

mod apply;
mod check;
mod guards;
mod kept;
mod operate;
mod outcome;
mod pending;
mod pipeline;
mod prepare;
mod receive;
mod request;
mod resolve;
mod reverse;
mod upsert;
mod validate;
mod withheld;

pub(crate) use apply::{Failure, Follower, Job, JobContext};
pub(crate) use guards::{not_yours, unknown_version};
pub(crate) use kept::kept;
pub(crate) use prepare::{check_name, check_text, unknown_scheme};
pub(crate) use receive::receive;

pub use outcome::{Outcome, TransactionWritten, Written};
pub use pipeline::PreparedBatch;
pub use request::{
    Amend, ChangeKind, Command, Content, Create, End, Envelope, From, Idempotency, IfMatch, Note,
    OnUncovered, OnUnresolved, Operation, Origin, Replace, Retract, Revert, Revive, Subject,
    Transaction,
};
pub use validate::{ValidationDraft, ValidationOutcome};
