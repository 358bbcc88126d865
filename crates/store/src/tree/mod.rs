//! Each owner's log as a Merkle tree (`docs/log.md`, `docs/adr/0018`).
//!
//! A leaf stands with its change; the frontier, from which the root follows, with the owner's counter, and both are written
//! in the transaction of the change. Of the nodes between only the roots of complete subtrees of 256, 65,536 … leaves are
//! stored: whatever a proof needs is hashed from at most 255 neighbours on each level.

mod content;
mod epoch;
mod erased;
mod frontier;
mod grow;
mod key;
mod read;
mod write;

pub(crate) use content::{Chosen, Facts, contents_of, for_entries};
pub(crate) use erased::{contents_of_record, keep_changed, keep_commitments, keep_without_reason};
pub(crate) use frontier::Frontier;
pub(crate) use grow::{frontier, grow_all};
pub(crate) use key::keys;
pub(crate) use write::{Given, Leaves, save};

pub use content::state_parts;
pub use epoch::EpochRow;
pub use key::LogKeyRow;
pub use read::{LogHead, TreeProof};

/// How many leaves, or subtrees of the level below, a stored node stands for.
pub(crate) const FAN: u64 = 256;
/// The highest level that is stored: of 256³ leaves.
pub(crate) const LEVELS: u32 = 3;
