//! The lossless form of an installation: everything that its answers depend on, as text, whichever database it lies in.
//!
//! One JSON object on each line (NDJSON), in this order: the header; tokens and grants (of a whole installation only); the
//! public keys that heads of logs were signed with; and for each owner its own line with the signed head of its log, its
//! geometries, rules, disposals, deliveries, remembered outcomes, records, marks, sources, loads, and from where it is copied;
//! last
//! the end, with how many lines there were of each kind and the SHA-256 of all bytes before it. A record's line holds its
//! head, its changes with their positions, and its states in both times; a body stands in it byte for byte.
//!
//! What follows from the bodies is not in the file: hashes of bodies, names, kinds and classes, links, identifiers, index
//! entries, the vocabulary, both directories, transactions, and which owners refer to which. An import derives it anew
//! through the information model, version by version, as the write path did (`docs/adr/0014`).
//!
//! Architecture invariant: an import is one transaction into an empty database. Nothing is visible before the checksum, the
//! numbers, the hash of every version and (unless the caller waives it) all rules of `verify` have held.

mod derived;
mod export;
mod heads;
mod import;
mod insert;
mod lines;
mod log;
mod parse;
mod prove;
mod registers;
mod snapshot;
mod tables;

use std::collections::BTreeMap;
use std::io;

use grunddata_model::OwnerKey;

use crate::error::StoreError;
use crate::verify::Finding;

pub use prove::{ProvenLog, verify_lossless_logs};

/// What the file calls itself in its first line.
pub(crate) const FORMAT: &str = "grunddata-lossless";
/// The version of the form. A program reads this one and no other.
pub(crate) const VERSION: u32 = 1;
/// The longest line: a record with all that was ever recorded of it.
pub(crate) const LONGEST_LINE: usize = 512 * 1024 * 1024;

/// Why a lossless file could not be written or read. After an import that failed the database is as empty as before.
#[derive(Debug, thiserror::Error)]
pub enum LosslessError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error("the file cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// Something is in the database already.
    #[error(
        "the database is not empty (there are rows in {table}): a lossless file is imported into an empty database only, so that nothing is mixed"
    )]
    NotEmpty {
        /// Where something is.
        table: &'static str,
    },
    /// The file is something else.
    #[error("this is no lossless file of grunddata: {0}")]
    NoFormat(String),
    /// The file has another version.
    #[error(
        "the file has version {given} of the lossless form, and this program reads version {VERSION}: import it with the program that wrote it, and export from there with one that both know"
    )]
    Version {
        /// The version of the file.
        given: u64,
    },
    /// A line is not what it should be.
    #[error("line {line}: {problem}")]
    Line {
        /// Which line, counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// The file ends before its end.
    #[error("the file is cut off after line {line}: its end is missing, and nothing was imported")]
    Cut {
        /// The last line that was there.
        line: u64,
    },
    /// The checksum is another.
    #[error(
        "the file is damaged: its bytes have the SHA-256 {found}, and its end says {said}. Nothing was imported"
    )]
    Checksum {
        /// What the end says.
        said: String,
        /// What was computed.
        found: String,
    },
    /// The numbers are others.
    #[error("the file has {found} lines of {what}, and its end says {said}. Nothing was imported")]
    Count {
        /// Of what.
        what: String,
        /// What the end says.
        said: u64,
        /// What was counted.
        found: u64,
    },
    /// Some owners were chosen whose records refer to those of others.
    #[error(
        "the chosen owners refer to records of {}: export these owners together with them, or the whole installation, so that no link leads to nothing",
        list(.0)
    )]
    Incomplete(Vec<OwnerKey>),
    /// What was imported contradicts itself.
    #[error("what the file holds contradicts itself in {} places, and nothing was imported; the first is: {}", .0.len(), first(.0))]
    Findings(Vec<Finding>),
}

fn list(owners: &[OwnerKey]) -> String {
    let keys: Vec<&str> = owners.iter().map(OwnerKey::as_str).collect();
    keys.join(", ")
}

fn first(findings: &[Finding]) -> String {
    findings
        .first()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// How far an export or an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LosslessProgress {
    /// Records so far.
    pub records: u64,
    /// How many there are; 0 = not known.
    pub of: u64,
    /// Whether what was imported is being verified.
    pub verifying: bool,
}

/// What a lossless file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LosslessSummary {
    /// Lines of each kind, and the states and changes inside records, by name.
    pub counts: BTreeMap<String, u64>,
    /// SHA-256 of everything before the end, in hexadecimal.
    pub sha256: String,
}

impl LosslessSummary {
    /// How many of a kind.
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    /// Tables whose rows are lines, or parts of one.
    const CARRIED: [&str; 24] = [
        "access_grant",
        "owner",
        "record",
        "state",
        "geometry",
        "change",
        "idempotency",
        "token",
        "retention_rule",
        "record_mark",
        "disposal",
        "archive_delivery",
        "former_head",
        "source",
        "load",
        "load_row",
        "load_batch",
        "assertion",
        "assertion_content",
        "log_epoch",
        "peer",
        "copy_batch",
        "transfer",
        "transfer_record",
    ];
    /// Tables whose rows follow from the others.
    const DERIVED: [&str; 14] = [
        "identifier",
        "link",
        "entry",
        "pending_reference",
        "waited_reference",
        "term",
        "term_variant",
        "accepted_transaction",
        "directory_id",
        "directory_identifier",
        "directory_transfer",
        "owner_reference",
        "log_node",
        "raised_protection",
    ];

    /// Tables whose rows belong to one installation, or tell what its processes are doing: they mean nothing elsewhere.
    /// Of the keys that heads are signed with the public halves are lines, so that heads from before can be verified.
    /// Subscriptions are secrets and places in this installation's log: they are made anew where they are wanted.
    /// A hand-over that was accepted is accepted again where it is to go on.
    /// Packages from peers come again with the records that need them, or are given as directories.
    /// To whom changes are pushed goes with tokens that lie beside this installation.
    const LOCAL: [&str; 9] = [
        "feed_key",
        "log_key",
        "load_task",
        "model_package",
        "push",
        "source_watch",
        "subscription",
        "subscription_delivery",
        "transfer_task",
    ];

    /// A table that is added must be decided on here, or it is lost without a word.
    #[test]
    fn no_table_is_forgotten() {
        let mut known: Vec<&str> = CARRIED.into_iter().chain(DERIVED).chain(LOCAL).collect();
        known.sort_unstable();
        let mut there: Vec<&str> = crate::schema::TEXTS
            .into_iter()
            .flat_map(str::lines)
            .map(str::trim)
            .filter(|line| line.ends_with(") {"))
            .filter_map(|line| line.split(' ').next())
            .collect();
        there.sort_unstable();
        assert_eq!(there, known);
    }

    #[test]
    fn bytes_in_hexadecimal() {
        assert_eq!(super::hexadecimal(&[0, 15, 255]), "000fff");
    }
}
