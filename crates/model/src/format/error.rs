//! Why a value does not have a format.

use std::fmt;

/// What kind of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FormatErrorKind {
    /// Not written as the format demands.
    Malformed,
    /// Written as a date, or holding one, that is not in the calendar.
    InvalidDate,
    /// The check digit is wrong: as a rule a digit was mistyped.
    CheckDigit,
    /// Well written, but no such value is possible.
    OutOfRange,
    /// The format itself is not known: a fault of the information model, not of the value.
    UnknownFormat,
}

/// Why a value does not have a format, and what to do about it. Never repeats the value: it may be somebody's number,
/// and messages reach logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FormatError {
    /// What kind of fault it is.
    pub kind: FormatErrorKind,
    /// English message.
    pub message: &'static str,
    /// Swedish message.
    pub message_sv: &'static str,
}

impl FormatError {
    /// The stable code of validation errors (`docs/annotations.md`, Validation errors).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.kind {
            FormatErrorKind::Malformed | FormatErrorKind::UnknownFormat => "invalid-format",
            FormatErrorKind::InvalidDate => "invalid-date",
            FormatErrorKind::CheckDigit => "check-digit",
            FormatErrorKind::OutOfRange => "out-of-range",
        }
    }

    /// The messages as sentences of their own, English and Swedish: `names no day` becomes `Names no day.`
    #[must_use]
    pub fn sentences(&self) -> (String, String) {
        (sentence(self.message), sentence(self.message_sv))
    }

    pub(crate) const fn malformed(message: &'static str, message_sv: &'static str) -> Self {
        Self {
            kind: FormatErrorKind::Malformed,
            message,
            message_sv,
        }
    }

    pub(crate) const fn invalid_date(message: &'static str, message_sv: &'static str) -> Self {
        Self {
            kind: FormatErrorKind::InvalidDate,
            message,
            message_sv,
        }
    }

    pub(crate) const fn check_digit(message: &'static str, message_sv: &'static str) -> Self {
        Self {
            kind: FormatErrorKind::CheckDigit,
            message,
            message_sv,
        }
    }

    pub(crate) const fn out_of_range(message: &'static str, message_sv: &'static str) -> Self {
        Self {
            kind: FormatErrorKind::OutOfRange,
            message,
            message_sv,
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for FormatError {}

fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}
