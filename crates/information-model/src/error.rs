//! What can go wrong: with a package ([`ModelError`]) and with the data of a record ([`ValidationError`]).

use std::path::PathBuf;

use serde::Serialize;

/// A package cannot be used, or a stored body does not fit the packages that are loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file or directory of a package cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file of a package is wrong; nothing is loaded until it is corrected.
    #[error("{package}: {file}: {problem}")]
    Invalid {
        /// `NAME/VERSION` of the package.
        package: String,
        /// The file inside the package, with a JSON Pointer after `#` where one applies.
        file: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
    /// Two packages cannot be loaded together.
    #[error("{package}: {problem}")]
    Conflict {
        /// `NAME/VERSION` of the package that was refused.
        package: String,
        /// What it clashes with.
        problem: String,
    },
    /// No loaded package has this name and version.
    #[error("the information model {0:?} is not loaded: add its package to the model directories")]
    UnknownVersion(String),
    /// No package with the core model is loaded, so there is nothing to validate against.
    #[error(
        "no core package is loaded: a package named \"grunddata\" with the schemas of all five domains is needed"
    )]
    NoCore,
    /// A stored body is not the JSON object that was written: the database has been changed from outside.
    #[error("a stored body is not a JSON object: {0}")]
    StoredBody(String),
}

/// One thing that is wrong with the data of a record. The codes are listed in `docs/annotations.md` and are stable;
/// the messages say what to do, and may be reworded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidationError {
    /// JSON Pointer (RFC 6901) into `data`.
    pub pointer: String,
    /// One of [`code`].
    pub code: &'static str,
    /// What to do, in English.
    pub message: String,
    /// What to do, in Swedish.
    pub message_sv: String,
    /// The property that is missing or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// The nearest name or code that would have been right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl ValidationError {
    pub(crate) fn new(
        pointer: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
        message_sv: impl Into<String>,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            code,
            message: message.into(),
            message_sv: message_sv.into(),
            property: None,
            suggestion: None,
        }
    }

    pub(crate) fn with_property(mut self, property: &str) -> Self {
        self.property = Some(property.to_owned());
        self
    }

    /// Adds the nearest right name to both messages, when there is one.
    pub(crate) fn with_suggestion(mut self, suggestion: Option<&str>) -> Self {
        if let Some(suggestion) = suggestion {
            self.message
                .push_str(&format!(" Did you mean \"{suggestion}\"?"));
            self.message_sv
                .push_str(&format!(" Menade du \"{suggestion}\"?"));
            self.suggestion = Some(suggestion.to_owned());
        }
        self
    }
}

/// The stable codes of [`ValidationError`], as in `docs/annotations.md`.
pub mod code {
    /// A required property is missing; the pointer is the object.
    pub const REQUIRED_PROPERTY: &str = "required-property";
    /// The property is not in the model.
    pub const UNKNOWN_PROPERTY: &str = "unknown-property";
    /// Another JSON type is expected.
    pub const WRONG_TYPE: &str = "wrong-type";
    /// `""` where a date, code or text is expected.
    pub const EMPTY_STRING: &str = "empty-string";
    /// The string is too short.
    pub const TOO_SHORT: &str = "too-short";
    /// The string is too long.
    pub const TOO_LONG: &str = "too-long";
    /// The list is too short.
    pub const TOO_FEW_ITEMS: &str = "too-few-items";
    /// The list is too long.
    pub const TOO_MANY_ITEMS: &str = "too-many-items";
    /// The object has too few properties.
    pub const TOO_FEW_PROPERTIES: &str = "too-few-properties";
    /// The object has too many properties.
    pub const TOO_MANY_PROPERTIES: &str = "too-many-properties";
    /// The list holds the same item twice.
    pub const DUPLICATE_ITEM: &str = "duplicate-item";
    /// The number is outside its range.
    pub const OUT_OF_RANGE: &str = "out-of-range";
    /// The pattern of the schema does not match.
    pub const PATTERN_MISMATCH: &str = "pattern-mismatch";
    /// The format does not match.
    pub const INVALID_FORMAT: &str = "invalid-format";
    /// No such calendar date, or not written as one.
    pub const INVALID_DATE: &str = "invalid-date";
    /// A period inside the data ends on its first day or before.
    pub const INVALID_PERIOD: &str = "invalid-period";
    /// The check digit of an identifier is wrong.
    pub const CHECK_DIGIT: &str = "check-digit";
    /// The code list has no such code.
    pub const UNKNOWN_CODE: &str = "unknown-code";
    /// The code does not hold on the first day it would be used.
    pub const CODE_NOT_VALID_AT_DATE: &str = "code-not-valid-at-date";
    /// No such identifier scheme.
    pub const UNKNOWN_IDENTIFIER_SCHEME: &str = "unknown-identifier-scheme";
    /// The identifier scheme is not for this domain.
    pub const SCHEME_NOT_FOR_DOMAIN: &str = "scheme-not-for-domain";
    /// No loaded package of that name extends this domain.
    pub const UNKNOWN_EXTENSION: &str = "unknown-extension";
    /// Neither `id` nor `identifier`, or both.
    pub const REFERENCE_MALFORMED: &str = "reference-malformed";
    /// Any other keyword of the schema.
    pub const NOT_ALLOWED: &str = "not-allowed";
    /// None or several of the alternatives match.
    pub const NO_ALTERNATIVE: &str = "no-alternative";
    /// NUL or another control character.
    pub const CONTROL_CHARACTER: &str = "control-character";
    /// Nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    pub const TOO_DEEP: &str = "too-deep";
    /// The request names a version of the model that is not loaded.
    pub const UNKNOWN_MODEL: &str = "unknown-model";
}
