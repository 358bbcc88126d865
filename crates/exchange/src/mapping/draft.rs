//! What a row becomes.

use std::sync::Arc;

use grunddata_model::{Domain, RecordId, ValidFrom, ValidTo};
use serde::Serialize;
use serde_json::Value;

use crate::Problem;

/// A record as a source says it. Nothing is validated against the information model yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The name of the record in the mapping.
    pub record: Arc<str>,
    /// Where it belongs.
    pub domain: Domain,
    /// What names it in the source.
    pub key: Key,
    /// Whether the source says that the record is gone; there is then neither data nor a period.
    pub removed: bool,
    /// The record's data, with references as the model writes them: `{"identifier": {"scheme", "value"}}`.
    pub data: Value,
    /// From when; `None` where the source does not say.
    pub valid_from: Option<ValidFrom>,
    /// Until when, exclusive; `None` where the source does not say.
    pub valid_to: Option<ValidTo>,
    /// Every reference in `data`.
    pub references: Vec<DraftReference>,
}

/// What names a record in a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Key {
    /// The source's own key. The draft carries it as an identifier of the scheme `source:NAME`, and references to it are
    /// by that identifier.
    Source(String),
    /// An identifier of the world, such as a personal identity number: used where the source has no key of its own, so
    /// that the number does not become one.
    Identifier {
        /// The code of the scheme.
        scheme: String,
        /// The value: a personal number in its canonical form, any other as the file has it. Whoever looks it up
        /// normalises it by its scheme.
        value: String,
    },
    /// The id that the record has in the registry, or that it gets there. Only the native format has it.
    Id(RecordId),
}

impl Key {
    /// The identifier by which others refer to the record; `None` where they do by its id.
    #[must_use]
    pub fn identifier(&self, source: &str) -> Option<Value> {
        match self {
            Self::Source(key) => {
                Some(serde_json::json!({"scheme": format!("source:{source}"), "value": key}))
            }
            Self::Identifier { scheme, value } => {
                Some(serde_json::json!({"scheme": scheme, "value": value}))
            }
            Self::Id(_) => None,
        }
    }

    /// A reference to the record, as the model writes it.
    #[must_use]
    pub fn reference(&self, source: &str) -> Value {
        match (self, self.identifier(source)) {
            (Self::Id(id), _) => serde_json::json!({"id": id}),
            (_, identifier) => serde_json::json!({"identifier": identifier}),
        }
    }
}

impl From<Draft> for Named {
    fn from(draft: Draft) -> Self {
        Self {
            record: draft.record,
            domain: draft.domain,
            key: draft.key,
        }
    }
}

/// A reference in the data of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftReference {
    /// JSON Pointer into `data`.
    pub pointer: String,
    /// The domain of the target, where the mapping says it.
    pub domain: Option<Domain>,
    /// What names the target.
    pub key: Key,
}

/// A row with which something is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Everything that is.
    pub problems: Vec<Problem>,
    /// The records that it is about all the same: they are not missing from the file. `None` where nobody can tell.
    pub about: Option<Vec<Named>>,
}

/// A record that a row names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name of the record in the mapping.
    pub record: Arc<str>,
    /// Where it belongs.
    pub domain: Domain,
    /// What names it in the source.
    pub key: Key,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The file, as [`Place::file`](crate::Place::file): one of several in a package.
    pub file: Arc<str>,
    /// The row, as [`Place::row`](crate::Place::row).
    pub row: u64,
    /// All drafts of the row, or everything that is wrong with it.
    pub outcome: Result<Vec<Draft>, Rejected>,
    /// What was put right on the way.
    pub notes: Vec<Problem>,
    /// Of which records the row names all there are.
    pub complete: Vec<Complete>,
}

/// A row names all records of a name whose keys begin so: what the source had of them before and the row does not name is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// The name of the record in the mapping.
    pub record: Arc<str>,
    /// With what the source's own keys begin.
    pub start: String,
}
