//! Writing: requests, the pipeline, and what it answers.

mod outcome;
mod request;

pub use outcome::{Outcome, TransactionWritten, Written};
pub use request::{
    Amend, ChangeKind, Command, Content, Create, End, Envelope, From, Idempotency, IfMatch, Note,
    OnUncovered, Operation, Origin, Replace, Retract, Revert, Revive, Subject, Transaction,
};
