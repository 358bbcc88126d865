//! Identifiers: what names a record in the world or in a source system.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Assurance, IdentifierStatus};

/// The scheme and value of an identifier. `Debug` masks the numbers of persons.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifierKey {
    /// The code of the scheme.
    pub scheme: String,
    /// The value, normalised and checked by the rules of its scheme.
    pub value: String,
}

/// An identifier with its own validity and status. `Debug` masks the numbers of persons.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identifier {
    /// The code of the scheme.
    pub scheme: String,
    /// The value, normalised and checked by the rules of its scheme.
    pub value: String,
    /// The first day on which it holds; absent = from the start of the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<NaiveDate>,
    /// The first day on which it no longer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<NaiveDate>,
    /// Absent = active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<IdentifierStatus>,
    /// The identifier that has taken its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<IdentifierKey>,
    /// The key of the body that issued it: needed where values are unique only with their issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// How certain it is that the value belongs to this individual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Assurance>,
}

impl IdentifierKey {
    /// A scheme and a value.
    #[must_use]
    pub const fn new(scheme: String, value: String) -> Self {
        Self { scheme, value }
    }
}

impl Identifier {
    /// With scheme and value and nothing else.
    #[must_use]
    pub fn new(scheme: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            scheme: scheme.into(),
            value: value.into(),
            valid_from: None,
            valid_to: None,
            status: None,
            replaced_by: None,
            issuer: None,
            assurance: None,
        }
    }

    /// Scheme and value alone.
    #[must_use]
    pub fn key(&self) -> IdentifierKey {
        IdentifierKey::new(self.scheme.clone(), self.value.clone())
    }
}

/// Schemes whose values must not reach a log.
const MASKED: [&str; 5] = [
    "se-personal-identity-number",
    "se-coordination-number",
    "se-national-reserve-number",
    "se-regional-reserve-number",
    "se-temporary-school-number",
];

fn shown<'a>(scheme: &str, value: &'a str) -> &'a str {
    if MASKED.contains(&scheme) {
        "****"
    } else {
        value
    }
}

impl fmt::Debug for IdentifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.scheme, shown(&self.scheme, &self.value))
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identifier")
            .field("scheme", &self.scheme)
            .field("value", &shown(&self.scheme, &self.value))
            .field("valid_from", &self.valid_from)
            .field("valid_to", &self.valid_to)
            .field("status", &self.status)
            .field("replaced_by", &self.replaced_by)
            .field("issuer", &self.issuer)
            .field("assurance", &self.assurance)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_persons_do_not_show() {
        let mut identifier = Identifier::new("se-coordination-number", "191401682396");
        identifier.replaced_by =
            Some(Identifier::new("se-personal-identity-number", "189001019802").key());
        let shown = format!("{identifier:?}");
        assert!(
            !shown.contains("2396") && !shown.contains("9802"),
            "{shown}"
        );
        assert!(format!("{:?}", Identifier::new("gln", "735").key()).contains("735"));
    }
}
