//! Who refers to a record, as believed now and staged.

use std::sync::Arc;

use grunddata_model::{Domain, Period, RecordId};

/// A link of this owner to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The record that refers.
    pub source: RecordId,
    /// Its domain.
    pub source_domain: Domain,
    /// The relation.
    pub relation: Arc<str>,
    /// When the link holds on the source's side.
    pub period: Period,
}
