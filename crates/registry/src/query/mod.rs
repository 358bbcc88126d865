//! Search as a value: what every transport builds, whatever its syntax.
//!
//! What the interface describes but this version does not offer (`filter`, `include`, paths on over references) has
//! a name in the parser and is refused by it, never ignored.

mod parse;

pub use parse::{PARAMETERS, Place};
pub(crate) use parse::{identifier, normalise, read_fields};

use grunddata_model::{Domain, OwnerKey, RecordId, SchemeCode};

use crate::At;
use crate::read::Fields;

/// A search in one domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The domain.
    pub domain: Domain,
    /// The coordinate, for everything.
    pub at: At,
    /// Only these owners; empty = all.
    pub owners: Vec<OwnerKey>,
    /// Only records of this controller.
    pub controller: Option<RecordId>,
    /// Only records with this identifier (normalised).
    pub identifier: Option<(SchemeCode, String)>,
    /// Conditions on indexed properties, all of which must hold.
    pub conditions: Vec<Condition>,
    /// Conditions on references, all of which must hold.
    pub references: Vec<ReferenceCondition>,
    /// Text to be found, in order of relevance unless sorted otherwise.
    pub text: Option<String>,
    /// The order; by relevance or id when empty.
    pub sort: Vec<SortKey>,
    /// Only these properties of the data. Geometry is left out of lists unless it is named here.
    pub fields: Option<Fields>,
    /// Records of a page.
    pub limit: u32,
    /// Which page.
    pub page: PageChoice,
    /// Whether to count.
    pub count: CountMode,
}

/// A condition on a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The search name, such as `name.family`.
    pub property: String,
    /// What its value must be.
    pub test: Test,
}

/// A condition on where a reference leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceCondition {
    /// The search name of the reference, such as `organisation`.
    pub property: String,
    /// It leads to one of these; with `below` there is exactly one.
    pub targets: Vec<RecordId>,
    /// Or to anything below it in a hierarchy of its domain.
    pub below: bool,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// Equal to one of these.
    Equals(Vec<String>),
    /// Begins with this.
    Prefix(String),
}

/// One key of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// By what.
    pub by: SortBy,
    /// Whether the last comes first.
    pub descending: bool,
}

/// What can be sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortBy {
    /// An indexed property.
    Property(String),
    /// The first day of the state.
    ValidFrom,
    /// When the state was recorded.
    RecordedAt,
    /// The display name.
    Display,
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageChoice {
    /// By number, from 1.
    Number(u32),
    /// After a cursor of this query.
    After(String),
}

/// Whether to count the hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CountMode {
    /// No.
    #[default]
    None,
    /// Up to a bound, cheaply.
    Estimate,
    /// All of them.
    Exact,
}
