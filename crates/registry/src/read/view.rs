//! What reads answer: values of the registry, without rows of a database and without HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId, SchemeCode, TransactionId};
use grunddata_store::Form;
use serde_json::Value;

use crate::{AsOf, ChangeKind, Copied, Origin};

/// One record at a coordinate, ready to be shown to the one who asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its id.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Its owner.
    pub owner: OwnerKey,
    /// The organisation responsible for its personal data. Of a placeholder neither this nor origin, version, period and
    /// instant are told: they are as if there were none.
    pub controller: Option<RecordId>,
    /// Own, or a copy.
    pub origin: Origin,
    /// The record's version known at the coordinate.
    pub version: u32,
    /// The period of the state shown.
    pub period: Period,
    /// When that state was recorded.
    pub recorded_at: Instant,
    /// Whether it was recorded as a change or a correction.
    pub change_kind: ChangeKind,
    /// The model version of the state, such as `grunddata/1.0.0`.
    pub model: Arc<str>,
    /// The display name.
    pub display: Option<String>,
    /// The data as JSON text: references with the display names that the reader may see, geometry where asked for,
    /// only the fields asked for.
    pub data: String,
    /// SHA-256 of the body, of the stored one where nothing of it is withheld.
    pub hash: [u8; 32],
    /// How much of it is shown, where it is under protection.
    pub form: Form,
    /// The properties that this reader is not shown, whether the record has them or not.
    pub withheld: Arc<[String]>,
    /// What this reader may do with it.
    pub offers: Offers,
    /// How far the copy is, where its owner is one.
    pub copied: Option<Copied>,
}

/// What may be done with a record, as far as its owner, controller and domain go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// Replace, amend, revive and revert it.
    pub write: bool,
    /// End and retract it.
    pub end: bool,
}

/// What reading one record gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Got {
    /// The record.
    Found(Box<Found>),
    /// It was merged into another, which answers for every coordinate from the merge on.
    Merged {
        /// The survivor.
        into: RecordId,
        /// Its domain, where it may be seen.
        domain: Option<Domain>,
    },
    /// It was handed over to another owner, under whose record it goes on.
    Moved {
        /// The record of the other owner.
        into: RecordId,
        /// Its domain.
        domain: Domain,
        /// The address of the registry of the other owner; `None` = this one.
        registry: Option<String>,
    },
}

/// A record and the coordinate at which it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// The resolved coordinate.
    pub as_of: AsOf,
}

/// One state of a timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineItem {
    /// When it holds.
    pub period: Period,
    /// Its data as JSON text.
    pub data: String,
    /// Its model version.
    pub model: Arc<str>,
}

/// A record's whole timeline at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineView {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Its owner.
    pub owner: OwnerKey,
    /// The version shown.
    pub version: u32,
    /// Every state by valid time.
    pub items: Vec<TimelineItem>,
    /// The resolved coordinate.
    pub as_of: AsOf,
}

/// One version with its change.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryItem {
    /// The version that the change made.
    pub version: u32,
    /// When.
    pub recorded_at: Instant,
    /// Which operation: `create`, `replace`, `amend`, `end`, `revive`, `retract`, `revert`, `follow` (cut with its target).
    pub operation: String,
    /// Change or correction.
    pub change_kind: ChangeKind,
    /// The version put right.
    pub corrects: Option<u32>,
    /// Who. Like reason and source only for readers of the owner.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// From which source.
    pub source: Option<String>,
    /// Under which transaction.
    pub transaction: TransactionId,
    /// The position in the owner's log; only for readers of the whole owner.
    pub position: Option<u64>,
    /// The period that the change touched; not of one that was about what is hidden from the reader.
    pub touched: Option<Period>,
}

/// A page of a record's history, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// The versions.
    pub items: Vec<HistoryItem>,
    /// The cursor of the next page (`before`), if there is one.
    pub next: Option<u32>,
    /// The resolved coordinate.
    pub as_of: AsOf,
}

/// What differs between two versions during one period.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffPeriod {
    /// When.
    pub period: Period,
    /// What kind of difference.
    pub kind: DiffKind,
    /// JSON Patch (RFC 6902) that turns the one into the other; an added or removed state as an operation on the
    /// whole document.
    pub operations: Value,
}

/// Whether a period came, went or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DiffKind {
    /// Valid only in the later version.
    Added,
    /// Valid only in the earlier version.
    Removed,
    /// Valid in both, with other data.
    Changed,
}

impl DiffKind {
    /// `added`, `removed` or `changed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DiffKind::Added => "added",
            DiffKind::Removed => "removed",
            DiffKind::Changed => "changed",
        }
    }
}

/// Which way links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// To what the record refers to.
    #[default]
    Out,
    /// To what refers to the record.
    In,
    /// Both.
    Both,
}

/// What is asked about links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinksRequest {
    /// Which way.
    pub direction: Direction,
    /// Only these relations; a name without suffix holds all its kinds (`relationship` = `relationship.custodian` …).
    pub relations: Vec<String>,
    /// How many steps, 1 to 10.
    pub depth: u32,
    /// The most links answered, 1 to 1,000.
    pub limit: u32,
    /// The page, from 1. Only with depth 1.
    pub page: u32,
    /// Whether the neighbours' records come along.
    pub include_records: bool,
}

impl Default for LinksRequest {
    fn default() -> Self {
        Self {
            direction: Direction::Out,
            relations: Vec::new(),
            depth: 1,
            limit: 100,
            page: 1,
            include_records: false,
        }
    }
}

/// One link at the coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The relation, with its kind where it has one: `relationship.custodian`.
    pub relation: Arc<str>,
    /// The name of the relation seen from the target.
    pub inverse: Option<String>,
    /// Where it starts.
    pub source: RecordId,
    /// The domain of the source.
    pub source_domain: Domain,
    /// Where it leads.
    pub target: RecordId,
    /// The domain of the target.
    pub target_domain: Domain,
    /// Which way it was followed.
    pub outward: bool,
    /// How many steps from the record that was asked about, from 1.
    pub depth: u32,
    /// When it holds.
    pub period: Period,
    /// The display name of the neighbour (the end that is further away).
    pub display: Option<String>,
}

/// The links of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct LinksPage {
    /// The links, breadth first.
    pub items: Vec<Link>,
    /// How many links of each relation the record itself has in each direction asked for (`out`, `in`).
    pub counts: BTreeMap<(&'static str, String), u64>,
    /// Whether there are more than were answered: at the limit, or at the cap on links of one node.
    pub more: bool,
    /// The neighbours, each once, where asked for.
    pub records: BTreeMap<RecordId, Record>,
    /// The resolved coordinate.
    pub as_of: AsOf,
}

/// One node of a hierarchy.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The node.
    pub record: Record,
    /// Steps from the record that was asked about, from 1.
    pub depth: u32,
    /// The node through which it was reached.
    pub via: RecordId,
}

/// What is above or below a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Hierarchy {
    /// The nodes, nearest first.
    pub items: Vec<Node>,
    /// Whether there are more than were answered.
    pub more: bool,
    /// The resolved coordinate.
    pub as_of: AsOf,
}

/// A record found by an identifier.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentifierHit {
    /// The scheme.
    pub scheme: SchemeCode,
    /// The normalised value.
    pub value: String,
    /// Whether the record no longer has the identifier at the coordinate (only for schemes unique `always`).
    pub superseded: bool,
    /// The record at the coordinate.
    pub record: Record,
}

/// The answer to a lookup of one or more identifiers, in the order asked.
#[derive(Debug, Clone, PartialEq)]
pub struct LookupAnswer {
    /// For each identifier asked, what was found.
    pub items: Vec<Vec<IdentifierHit>>,
    /// The resolved coordinate.
    pub as_of: AsOf,
}

/// A page of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchPage {
    /// The records.
    pub items: Vec<Record>,
    /// How many there are in all, where asked for.
    pub total: Option<Total>,
    /// The cursor of the next page, if there is one.
    pub after: Option<String>,
    /// The resolved coordinate.
    pub as_of: AsOf,
}

/// A count of hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// The number.
    pub records: u64,
    /// Whether it is exact; otherwise there are at least so many.
    pub exact: bool,
}
