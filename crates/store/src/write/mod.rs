//! What a job sees while it runs: the owner's records as believed now, overlaid with what this and earlier jobs of the
//! batch have staged.

mod claims;
mod derive;
mod effective;
mod erase;
mod flush;
mod inbound;
mod load;
mod lower;
mod overlay;
mod pending;
mod protection;
mod references;
mod rows;
mod said;
mod scrub;
mod staged;
mod statements;
mod tx;
mod vocabulary;
mod waited;

pub(crate) use derive::protection as own_protection;
pub(crate) use derive::{
    Derived, EntryKey, IdentifierKey, LinkKey, derived, difference, mode_code, timeline_hash,
};
pub(crate) use flush::{WORD, flush};
pub(crate) use load::{domain, owner_key, period, reload};
pub(crate) use lower::lower;
pub(crate) use overlay::{AcceptedJob, Batch};
pub(crate) use protection::{
    day_of, heads as protections, identifies, of_columns, raise_from, raise_heads, referrers,
};
pub(crate) use references::Known as KnownRows;
pub(crate) use rows::{
    AssertionContentInsert, AssertionInsert, ChangeRow, DirectoryIdRow, DirectoryIdentifierRow,
    EntryRow, IdentifierRow, Insert, LinkRow, LoadBatchInsert, LoadRowInsert, RaisedRow, RecordRow,
    StateRow, TransactionRow, insert,
};
pub(crate) use said::last_said;
pub(crate) use statements::insert_missing;
pub(crate) use vocabulary::{Vocabulary, deletions, is_eligible, write_words};

pub use claims::Claim;
pub use derive::Protection;
pub use effective::Effective;
pub use erase::{Erased, Erasure};
pub use inbound::Inbound;
pub(crate) use pending::Pending;
pub use pending::{PendingPlace, PendingRow};
pub use staged::{
    ChangeKind, Needs, Operation, RecordImage, RecordStatus, StagedWrite, StoredOutcome,
};
pub use tx::WriteTx;
pub(crate) use tx::remembered_since;
pub(crate) use waited::Pairs;
