//! The annotation keywords of `docs/annotations.md`, read from one schema, and the guard against misspelt keywords.

use std::fmt;
use std::sync::Arc;

use grunddata_model::Domain;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::text::{Text, nearest};

/// The privacy class of a property. The classes are ordered: a reader who may see one may not see a later one for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrivacyClass {
    /// Anyone may see it.
    Public,
    /// For those who work with the registry.
    Internal,
    /// Personal data.
    Personal,
    /// Protected personal data.
    Protected,
}

impl PrivacyClass {
    /// All classes, the most open first.
    pub const ALL: [PrivacyClass; 4] = [
        PrivacyClass::Public,
        PrivacyClass::Internal,
        PrivacyClass::Personal,
        PrivacyClass::Protected,
    ];

    /// The bit of the class in a mask of classes: 1, 2, 4 or 8.
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            PrivacyClass::Public => 1,
            PrivacyClass::Internal => 2,
            PrivacyClass::Personal => 4,
            PrivacyClass::Protected => 8,
        }
    }

    /// The name of the class, as in a schema.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PrivacyClass::Public => "public",
            PrivacyClass::Internal => "internal",
            PrivacyClass::Personal => "personal",
            PrivacyClass::Protected => "protected",
        }
    }

    /// The class of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

impl fmt::Display for PrivacyClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happens to a referrer when its target is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnTargetEnd {
    /// The cut is refused, with the list of referrers.
    Restrict,
    /// The referrer ends the same day.
    Cascade,
    /// The referrer is cut and loses the reference from that day.
    Unset,
    /// Nothing: the target needs only to have existed.
    Keep,
}

/// One domain that a relation may lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetRule {
    /// The domain of the target.
    pub domain: Domain,
    /// The kinds of target that are allowed; `None` = any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<Arc<str>>>,
}

/// How a property can be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchMode {
    /// By the value as it is.
    Exact,
    /// By the folded value: equality, prefix, sorting.
    Prefix,
    /// By words, for free text.
    Text,
    /// By date.
    Date,
    /// By number.
    Number,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReferenceAnnotation {
    pub(crate) relation: String,
    pub(crate) inverse: String,
    pub(crate) label: Text,
    pub(crate) inverse_label: Text,
    pub(crate) targets: Vec<TargetRule>,
    pub(crate) on_target_end: OnTargetEnd,
    #[serde(default)]
    pub(crate) hierarchical: bool,
    #[serde(default)]
    pub(crate) identifying: bool,
}

/// All annotations that can stand in a schema.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Annotations {
    #[serde(rename = "x-term")]
    pub(crate) term: Option<String>,
    #[serde(rename = "x-label")]
    pub(crate) label: Option<Text>,
    #[serde(rename = "x-definition")]
    pub(crate) definition: Option<Text>,
    #[serde(rename = "x-privacy")]
    pub(crate) privacy: Option<PrivacyClass>,
    #[serde(rename = "x-privacy-by")]
    pub(crate) privacy_by: Option<String>,
    #[serde(rename = "x-display")]
    pub(crate) display: Option<Vec<String>>,
    #[serde(rename = "x-reference")]
    pub(crate) reference: Option<ReferenceAnnotation>,
    #[serde(rename = "x-relation-by")]
    pub(crate) relation_by: Option<String>,
    #[serde(rename = "x-codelist")]
    pub(crate) codelist: Option<String>,
    #[serde(rename = "x-code-open")]
    pub(crate) code_open: Option<bool>,
    #[serde(rename = "x-index")]
    pub(crate) index: Option<Vec<SearchMode>>,
    #[serde(rename = "x-protection")]
    pub(crate) protection: Option<bool>,
    #[serde(rename = "x-geometry")]
    pub(crate) geometry: Option<bool>,
}

impl Annotations {
    /// Reads the annotations of one schema object; the error says what is wrong.
    pub(crate) fn read(schema: &Map<String, Value>) -> Result<Self, String> {
        let annotated: Map<String, Value> = schema
            .iter()
            .filter(|(keyword, _)| keyword.starts_with("x-"))
            .map(|(keyword, value)| (keyword.clone(), value.clone()))
            .collect();
        if annotated.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_value(Value::Object(annotated)).map_err(|error| error.to_string())
    }

    /// Fills what is absent here from the schema that this one refers to or is composed of.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            term: self.term.or(other.term),
            label: self.label.or(other.label),
            definition: self.definition.or(other.definition),
            privacy: self.privacy.or(other.privacy),
            privacy_by: self.privacy_by.or(other.privacy_by),
            display: self.display.or(other.display),
            reference: self.reference.or(other.reference),
            relation_by: self.relation_by.or(other.relation_by),
            codelist: self.codelist.or(other.codelist),
            code_open: self.code_open.or(other.code_open),
            index: self.index.or(other.index),
            protection: self.protection.or(other.protection),
            geometry: self.geometry.or(other.geometry),
        }
    }
}

/// The keywords of JSON Schema 2020-12 that a package may use. Any other keyword without `x-` is a misspelling, which
/// JSON Schema itself would silently ignore.
const KEYWORDS: &[&str] = &[
    "$schema",
    "$id",
    "$ref",
    "$defs",
    "$anchor",
    "$comment",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "dependentSchemas",
    "items",
    "prefixItems",
    "contains",
    "unevaluatedItems",
    "unevaluatedProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "format",
    "title",
    "description",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "examples",
];

/// Keywords whose value is one schema, a list of schemas, or schemas by name.
const ONE_SCHEMA: &[&str] = &[
    "additionalProperties",
    "propertyNames",
    "items",
    "contains",
    "unevaluatedItems",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
];
const LIST_OF_SCHEMAS: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
const SCHEMAS_BY_NAME: &[&str] = &[
    "$defs",
    "properties",
    "patternProperties",
    "dependentSchemas",
];

/// Checks every keyword of a schema and the schemas inside it. The error is a JSON Pointer and what is wrong there.
pub(crate) fn check_keywords(schema: &Value, pointer: &str) -> Result<(), (String, String)> {
    let Value::Object(schema) = schema else {
        return if schema.is_boolean() {
            Ok(())
        } else {
            Err((
                pointer.to_owned(),
                "a schema is an object or a boolean".to_owned(),
            ))
        };
    };
    Annotations::read(schema).map_err(|problem| (pointer.to_owned(), problem))?;
    for (keyword, value) in schema {
        let at = format!("{pointer}/{}", crate::path::escape(keyword));
        if keyword.starts_with("x-") {
            continue;
        }
        if !KEYWORDS.contains(&keyword.as_str()) {
            let hint = nearest(keyword, KEYWORDS.iter().copied())
                .map(|name| format!(": did you mean {name:?}?"))
                .unwrap_or_default();
            return Err((at, format!("unknown keyword {keyword:?}{hint}")));
        }
        if ONE_SCHEMA.contains(&keyword.as_str()) {
            check_keywords(value, &at)?;
        } else if LIST_OF_SCHEMAS.contains(&keyword.as_str()) {
            for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                check_keywords(inner, &format!("{at}/{index}"))?;
            }
        } else if SCHEMAS_BY_NAME.contains(&keyword.as_str()) {
            for (name, inner) in value.as_object().into_iter().flatten() {
                check_keywords(inner, &format!("{at}/{}", crate::path::escape(name)))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn misspelt_keywords_are_refused_wherever_they_stand() {
        let good = json!({"type": "object", "properties": {"x-thing": {"type": "string", "x-index": ["exact"]}}});
        assert_eq!(check_keywords(&good, ""), Ok(()));
        let (at, problem) = check_keywords(
            &json!({"properties": {"a": {"items": {"x-indx": ["exact"]}}}}),
            "",
        )
        .unwrap_err();
        assert_eq!(at, "/properties/a/items");
        assert!(problem.contains("x-indx"), "{problem}");
        let (at, problem) =
            check_keywords(&json!({"anyOf": [true, {"requried": []}]}), "").unwrap_err();
        assert_eq!(at, "/anyOf/1/requried");
        assert!(problem.contains("required"), "{problem}");
        assert!(check_keywords(&json!({"x-index": ["exactly"]}), "").is_err());
        assert!(check_keywords(&json!({"x-privacy": "secret"}), "").is_err());
        assert!(check_keywords(&json!({"x-label": {"sv": "Namn"}}), "").is_err());
    }
}
