//! References from one record to another.

use serde::{Deserialize, Serialize};

use super::IdentifierKey;
use crate::RecordId;

/// What a reference points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A record, by its id.
    Id(RecordId),
    /// A record that the same transaction creates, by the name it gives it (`temp:NAME` without `temp:`).
    Temporary(String),
    /// A record, by one of its identifiers; resolved when the reference is written.
    Identifier(IdentifierKey),
}

/// A reference to another record. JSON: `{"id": "…"}` or `{"identifier": {"scheme": "…", "value": "…"}}`, never both,
/// and `display`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ReferenceJson", try_from = "ReferenceJson")]
pub struct Reference {
    /// What it points at.
    pub target: Target,
    /// The target's name, given by the registry to readers who may see it; ignored on the way in.
    pub display: Option<String>,
}

/// Why an object is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Neither or both of `id` and `identifier`.
    #[error("a reference has either id or identifier, not both")]
    NotOneTarget,
    /// Neither a UUID nor `temp:NAME`.
    #[error("the id of a reference is a UUID, or temp:NAME inside a transaction")]
    Id,
}

impl Reference {
    /// By id (of any domain: typed ids convert).
    #[must_use]
    pub fn to(id: impl Into<RecordId>) -> Self {
        Self {
            target: Target::Id(id.into()),
            display: None,
        }
    }

    /// By identifier.
    #[must_use]
    pub fn by_identifier(scheme: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            target: Target::Identifier(IdentifierKey::new(scheme.into(), value.into())),
            display: None,
        }
    }

    /// The id, where that is how it points.
    #[must_use]
    pub fn id(&self) -> Option<RecordId> {
        match self.target {
            Target::Id(id) => Some(id),
            Target::Temporary(_) | Target::Identifier(_) => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identifier: Option<IdentifierKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display: Option<String>,
}

impl From<Reference> for ReferenceJson {
    fn from(reference: Reference) -> Self {
        let (id, identifier) = match reference.target {
            Target::Id(id) => (Some(id.to_string()), None),
            Target::Temporary(name) => (Some(format!("temp:{name}")), None),
            Target::Identifier(key) => (None, Some(key)),
        };
        Self {
            id,
            identifier,
            display: reference.display,
        }
    }
}

impl TryFrom<ReferenceJson> for Reference {
    type Error = ReferenceError;

    fn try_from(json: ReferenceJson) -> Result<Self, Self::Error> {
        let target = match (json.id, json.identifier) {
            (Some(id), None) => match id.strip_prefix("temp:") {
                Some(name) => Target::Temporary(name.to_owned()),
                None => Target::Id(id.parse().map_err(|_| ReferenceError::Id)?),
            },
            (None, Some(key)) => Target::Identifier(key),
            _ => return Err(ReferenceError::NotOneTarget),
        };
        Ok(Self {
            target,
            display: json.display,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_one_way_only() {
        let read = |json: &str| serde_json::from_str::<Reference>(json);
        let by_id =
            read(r#"{"id": "0190a6b2-7c00-7abc-8def-0123456789ab", "display": "x"}"#).unwrap();
        assert!(by_id.id().is_some());
        assert_eq!(
            read(r#"{"id": "temp:a"}"#).unwrap().target,
            Target::Temporary("a".to_owned())
        );
        for bad in [
            "{}",
            r#"{"id": ""}"#,
            r#"{"id": "temp:a", "identifier": {"scheme": "gln", "value": "1"}}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
