//! The bounds of a valid period as a request writes them. An **absent** bound means the operation's default and is not
//! seen here; `null` for `validTo` means "until further notice", `"unknown"` for `validFrom` "as long as of interest".

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Period;

/// The first date that a user may write.
pub(crate) const EARLIEST_DATE: NaiveDate = match NaiveDate::from_ymd_opt(1000, 1, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};
/// The last date that a user may write.
pub(crate) const LATEST_DATE: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 30) {
    Some(date) => date,
    None => NaiveDate::MAX,
};

/// Why a text is not a bound. Every message says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoundError {
    /// The empty string, which could mean anything.
    #[error(
        "the date is an empty string: leave it out for the default, or write a date as YYYY-MM-DD{or}"
    )]
    Empty {
        /// What else may be written here.
        or: &'static str,
    },
    /// Not written as a date.
    #[error("{given:?} is not a date: write YYYY-MM-DD{or}")]
    Malformed {
        /// What was given.
        given: String,
        /// What else may be written here.
        or: &'static str,
    },
    /// Written as a date, but the calendar has no such day.
    #[error("{given:?} is not in the calendar")]
    NoSuchDay {
        /// What was given.
        given: String,
    },
    /// Before 1000-01-01 or after 9999-12-30.
    #[error("{given:?} is out of range: dates lie between 1000-01-01 and 9999-12-30{or}")]
    OutOfRange {
        /// What was given.
        given: String,
        /// What else may be written here.
        or: &'static str,
    },
}

/// A date that a user wrote: exactly `YYYY-MM-DD`, in the calendar, between 1000-01-01 and 9999-12-30.
///
/// # Errors
/// [`BoundError`] saying what is wrong.
pub fn parse_date(text: &str) -> Result<NaiveDate, BoundError> {
    parse_date_or(text, "")
}

fn parse_date_or(text: &str, or: &'static str) -> Result<NaiveDate, BoundError> {
    let given = || text.chars().take(40).collect::<String>();
    if text.is_empty() {
        return Err(BoundError::Empty { or });
    }
    let well_formed = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !well_formed {
        return Err(BoundError::Malformed { given: given(), or });
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| BoundError::NoSuchDay { given: given() })?;
    if (EARLIEST_DATE..=LATEST_DATE).contains(&date) {
        Ok(date)
    } else {
        Err(BoundError::OutOfRange { given: given(), or })
    }
}

/// The first day of a period as a request says it. JSON: `"2026-01-01"` or `"unknown"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValidFrom {
    /// From this day.
    Date(NaiveDate),
    /// For as long as the record has been of interest.
    Unknown,
}

/// The first day after a period as a request says it. JSON: `"2026-01-01"` or `null`.
///
/// In a struct whose bound may also be absent, write
/// `#[serde(default, deserialize_with = "grunddata_model::present")] valid_to: Option<ValidTo>`:
/// serde would otherwise take `null` for absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValidTo {
    /// Until the day before this one.
    Date(NaiveDate),
    /// Until further notice.
    Open,
}

const OR_UNKNOWN: &str = ", or \"unknown\" for as long as the record has been of interest";
const OR_NULL: &str = ", or null for until further notice";
const OR_OPEN: &str = ", or \"open\" for until further notice";

impl ValidFrom {
    /// The raw date, with the sentinel for unknown.
    #[must_use]
    pub const fn start(self) -> NaiveDate {
        match self {
            ValidFrom::Date(date) => date,
            ValidFrom::Unknown => Period::BEGINNING,
        }
    }

    /// The bound of a raw date that may be the sentinel.
    #[must_use]
    pub fn from_start(start: NaiveDate) -> Self {
        if start == Period::BEGINNING {
            Self::Unknown
        } else {
            Self::Date(start)
        }
    }
}

impl ValidTo {
    /// The raw date, with the sentinel for open.
    #[must_use]
    pub const fn end(self) -> NaiveDate {
        match self {
            ValidTo::Date(date) => date,
            ValidTo::Open => Period::OPEN,
        }
    }

    /// The bound of a raw date that may be the sentinel.
    #[must_use]
    pub fn from_end(end: NaiveDate) -> Self {
        if end == Period::OPEN {
            Self::Open
        } else {
            Self::Date(end)
        }
    }

    /// The date; `None` = open.
    #[must_use]
    pub const fn date(self) -> Option<NaiveDate> {
        match self {
            ValidTo::Date(date) => Some(date),
            ValidTo::Open => None,
        }
    }
}

/// A date or `unknown`, as in JSON.
impl FromStr for ValidFrom {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "unknown" {
            Ok(Self::Unknown)
        } else {
            parse_date_or(text, OR_UNKNOWN).map(Self::Date)
        }
    }
}

/// A date or `open`: for query parameters and command lines, which have no `null`.
impl FromStr for ValidTo {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "open" {
            Ok(Self::Open)
        } else {
            parse_date_or(text, OR_OPEN).map(Self::Date)
        }
    }
}

impl fmt::Display for ValidFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValidFrom::Date(date) => date.fmt(f),
            ValidFrom::Unknown => f.write_str("unknown"),
        }
    }
}

impl fmt::Display for ValidTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValidTo::Date(date) => date.fmt(f),
            ValidTo::Open => f.write_str("open"),
        }
    }
}

impl Serialize for ValidFrom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for ValidTo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ValidTo::Date(date) => serializer.collect_str(date),
            ValidTo::Open => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for ValidFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bound;

        impl Visitor<'_> for Bound {
            type Value = ValidFrom;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date as YYYY-MM-DD, or \"unknown\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ValidFrom, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Bound)
    }
}

impl<'de> Deserialize<'de> for ValidTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bound;

        impl Visitor<'_> for Bound {
            type Value = ValidTo;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date as YYYY-MM-DD, or null for until further notice")
            }

            fn visit_unit<E: de::Error>(self) -> Result<ValidTo, E> {
                Ok(ValidTo::Open)
            }

            fn visit_none<E: de::Error>(self) -> Result<ValidTo, E> {
                Ok(ValidTo::Open)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ValidTo, E> {
                parse_date_or(text, OR_NULL)
                    .map(ValidTo::Date)
                    .map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Bound)
    }
}

/// For `#[serde(default, deserialize_with = …)]`: a bound that is written, `null` included, is `Some`; only an absent
/// one is `None`.
///
/// # Errors
/// Those of `T`.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Request {
        valid_from: Option<ValidFrom>,
        #[serde(default, deserialize_with = "present")]
        valid_to: Option<ValidTo>,
    }

    fn read(json: &str) -> Result<Request, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn absent_null_and_date_are_three_things() {
        let new_year = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
        assert_eq!(
            read("{}"),
            Ok(Request {
                valid_from: None,
                valid_to: None
            })
        );
        assert_eq!(
            read(r#"{"validFrom": "unknown", "validTo": null}"#),
            Ok(Request {
                valid_from: Some(ValidFrom::Unknown),
                valid_to: Some(ValidTo::Open)
            })
        );
        assert_eq!(
            read(r#"{"validFrom": "2026-01-01", "validTo": "2026-01-01"}"#),
            Ok(Request {
                valid_from: Some(ValidFrom::Date(new_year)),
                valid_to: Some(ValidTo::Date(new_year))
            })
        );
    }

    #[test]
    fn errors_say_what_to_write() {
        assert!(
            read(r#"{"validTo": ""}"#)
                .unwrap_err()
                .contains("empty string")
        );
        assert!(
            read(r#"{"validTo": "unknown"}"#)
                .unwrap_err()
                .contains("or null")
        );
        assert!(
            read(r#"{"validFrom": "2026-1-1"}"#)
                .unwrap_err()
                .contains("unknown")
        );
        assert!(
            read(r#"{"validFrom": "2026-02-30"}"#)
                .unwrap_err()
                .contains("calendar")
        );
        assert!(
            read(r#"{"validTo": "9999-12-31"}"#)
                .unwrap_err()
                .contains("or null")
        );
        assert!(
            read(r#"{"validFrom": "0999-12-31"}"#)
                .unwrap_err()
                .contains("out of range")
        );
        assert!(read(r#"{"validFrom": 20260101}"#).is_err());
        assert!("open".parse::<ValidTo>().is_ok());
        assert!("+026-01-01".parse::<ValidTo>().is_err());
    }
}
