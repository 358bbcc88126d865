//! The access log: every read of personal data and every administrative act, in files that can only be added to.
//!
//! **What it is for.** Somebody must be able to answer, years later, who has seen a person's record, why and by which way,
//! and to prove that the answer was not changed afterwards. [`AccessLog::append`] takes an [`Entry`] and gives a
//! [`Receipt`]; the reply waits until the receipt says that the entry is durable. All entries that wait at the same time
//! become durable with one fdatasync, and none costs a row in a database. [`Archive`] reads: [`Archive::search`],
//! [`Archive::readers_of`], [`Archive::verify`], proofs, and [`Archive::remove_before`] for what was kept long enough.
//!
//! **What it must never do.** Acknowledge an entry that is not durable: when a write fails, every entry of its batch is
//! refused, and so is each later one until a batch is durable in a new segment. Skip silently what it cannot read: damage
//! is a [`Finding`], and an answer says when it is not complete. Hold a personal identity number or a value of a record:
//! records are named by id, and numbers of persons are masked in every text.
//!
//! Architecture invariant: no clock, no database, no HTTP, no asynchronous runtime; [`Receipt`] is a future that any
//! runtime can wait for. The instant comes in with the entry. Who may read the log is decided elsewhere, and that it was
//! read is logged by whoever reads it.
//!
//! The format of the files is told in [`segment`].
//!
//! ```
//! use grunddata_access_log::{AccessLog, Channel, Entry, Kind, Query, Settings};
//! use grunddata_model::{Instant, RecordId};
//!
//! # let directory = tempfile::tempdir()?;
//! let now = Instant::from_micros(1_767_225_600_000_000);
//! let log = AccessLog::open(Settings::new(directory.path()), now)?;
//! let record = RecordId::mint(now);
//! let mut entry = Entry::new(now, Kind::Read, "anna", Channel::Rest, "getPerson");
//! entry.records.push(record);
//! log.append(entry)?.wait()?;
//! let query = Query { record: Some(record), ..Query::default() };
//! assert_eq!(log.archive().search(&query)?.entries.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod code;
mod disk;
mod entry;
mod error;
mod finding;
mod log;
mod mask;
mod proof;
mod queue;
mod receipt;
mod recovery;
mod removal;
mod search;
pub mod segment;
mod series;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use archive::{Archive, Head};
pub use code::{Channel, Kind};
pub use entry::{
    DETAIL_LIMIT, Entry, NAME_LIMIT, OWNERS_LIMIT, Outcome, PURPOSE_LIMIT, QUERY_LIMIT,
    RECORDS_LIMIT,
};
pub use error::AccessLogError;
pub use finding::{Fault, Finding};
pub use grunddata_log_proof::merkle;
pub use log::{AccessLog, Metrics, Opening, Settings};
pub use proof::{ConsistencyProof, InclusionProof};
pub use receipt::{Position, Receipt};
pub use removal::{Removal, Removed};
pub use search::{
    Auditor, EXAMINED_DEFAULT, Logged, Order, PAGE_DEFAULT, PAGE_LIMIT, Page, Query, Reader,
    Readers,
};
pub use series::SeriesId;
pub use verify::{Scope, Verification};
