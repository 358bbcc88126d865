//! Dates of which only the year or the month may be known.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::{BoundError, FormatError, parse_date};

/// A date that is known to the year, the month or the day: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, from the year 1000 on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PartialDate {
    first: NaiveDate,
    precision: Precision,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Precision {
    Year,
    Month,
    Day,
}

const MALFORMED: FormatError = FormatError::malformed(
    "write the date as YYYY, YYYY-MM or YYYY-MM-DD, as much as is known",
    "skriv datumet som ÅÅÅÅ, ÅÅÅÅ-MM eller ÅÅÅÅ-MM-DD, så mycket som är känt",
);

impl PartialDate {
    /// A date that is known to the day.
    #[must_use]
    pub const fn day(date: NaiveDate) -> Self {
        Self {
            first: date,
            precision: Precision::Day,
        }
    }

    /// Reads the three forms.
    ///
    /// # Errors
    /// [`FormatError`]: malformed, not in the calendar, or out of range.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let (whole, precision) = match text.len() {
            4 => (format!("{text}-01-01"), Precision::Year),
            7 => (format!("{text}-01"), Precision::Month),
            10 => (text.to_owned(), Precision::Day),
            _ => return Err(MALFORMED),
        };
        match parse_date(&whole) {
            Ok(first) => Ok(Self { first, precision }),
            Err(BoundError::NoSuchDay { .. }) => Err(FormatError::invalid_date(
                "the date is not in the calendar",
                "datumet finns inte i kalendern",
            )),
            Err(BoundError::OutOfRange { .. }) => Err(FormatError::out_of_range(
                "the date must lie between 1000-01-01 and 9999-12-30",
                "datumet ska ligga mellan 1000-01-01 och 9999-12-30",
            )),
            Err(BoundError::Empty { .. } | BoundError::Malformed { .. }) => Err(MALFORMED),
        }
    }

    /// The first day that it can be.
    #[must_use]
    pub const fn first_day(&self) -> NaiveDate {
        self.first
    }

    /// The last day that it can be (inclusive).
    #[must_use]
    pub fn last_day(&self) -> NaiveDate {
        let first = self.first;
        let first_after = match self.precision {
            Precision::Day => return first,
            Precision::Month if first.month() < 12 => {
                NaiveDate::from_ymd_opt(first.year(), first.month() + 1, 1)
            }
            Precision::Month | Precision::Year => NaiveDate::from_ymd_opt(first.year() + 1, 1, 1),
        };
        first_after
            .and_then(|date| date.pred_opt())
            .unwrap_or(first)
    }

    /// Whether it is known to the day.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.precision == Precision::Day
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = (self.first.year(), self.first.month());
        match self.precision {
            Precision::Year => write!(f, "{year:04}"),
            Precision::Month => write!(f, "{year:04}-{month:02}"),
            Precision::Day => fmt::Display::fmt(&self.first, f),
        }
    }
}

impl fmt::Debug for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PartialDate {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PartialDate {
    type Error = FormatError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PartialDate> for String {
    fn from(date: PartialDate) -> Self {
        date.to_string()
    }
}

/// Format `partial-date`.
pub(crate) fn check_partial_date(value: &str) -> Result<(), FormatError> {
    PartialDate::parse(value).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_last_day() {
        let days = |text: &str| {
            let date = PartialDate::parse(text).unwrap();
            assert_eq!(date.to_string(), text);
            (date.first_day().to_string(), date.last_day().to_string())
        };
        assert_eq!(days("1990"), ("1990-01-01".into(), "1990-12-31".into()));
        assert_eq!(days("2000-02"), ("2000-02-01".into(), "2000-02-29".into()));
        assert_eq!(days("1999-12"), ("1999-12-01".into(), "1999-12-31".into()));
        assert_eq!(
            days("1999-12-24"),
            ("1999-12-24".into(), "1999-12-24".into())
        );
        assert!(PartialDate::parse("1999-").is_err());
    }
}
