//! Valid time: half-open periods of civil dates (Europe/Stockholm).

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::bounds::{EARLIEST_DATE, LATEST_DATE, ValidFrom, ValidTo};

/// A non-empty half-open period `[from, to)` of civil dates. An unknown beginning and an open end are sentinels, so
/// that periods compare and sort as plain pairs of dates, in memory as in both databases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "PeriodJson", try_from = "PeriodJson")]
pub struct Period {
    from: NaiveDate,
    to: NaiveDate,
}

/// Why two dates are not a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The period would be empty or run backwards.
    #[error(
        "the period is empty: it ends {to} (exclusive: the first day on which it no longer holds), not after its first day {from}"
    )]
    NotRising {
        /// The first day.
        from: NaiveDate,
        /// The first day after.
        to: NaiveDate,
    },
    /// A date before 1000-01-01 or after 9999-12-30 that is no sentinel either.
    #[error("{date} is out of range: dates lie between 1000-01-01 and 9999-12-30")]
    OutOfRange {
        /// The date.
        date: NaiveDate,
    },
}

impl Period {
    /// The lower sentinel, 0001-01-01: "unknown", for as long as the record has been of interest.
    pub const BEGINNING: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 1) {
        Some(date) => date,
        None => NaiveDate::MIN,
    };

    /// The upper sentinel, 9999-12-31: until further notice.
    pub const OPEN: NaiveDate = match NaiveDate::from_ymd_opt(9999, 12, 31) {
        Some(date) => date,
        None => NaiveDate::MAX,
    };

    /// All of valid time.
    pub const ALWAYS: Period = Period {
        from: Self::BEGINNING,
        to: Self::OPEN,
    };

    /// The period `[from, to)`; either may be its sentinel.
    ///
    /// # Errors
    /// [`PeriodError`] when `from` is not before `to`, or a date lies outside 1000-01-01 to 9999-12-30.
    pub fn new(from: NaiveDate, to: NaiveDate) -> Result<Self, PeriodError> {
        let in_range = |date| (EARLIEST_DATE..=LATEST_DATE).contains(&date);
        if from != Self::BEGINNING && !in_range(from) {
            return Err(PeriodError::OutOfRange { date: from });
        }
        if to != Self::OPEN && !in_range(to) {
            return Err(PeriodError::OutOfRange { date: to });
        }
        if from < to {
            Ok(Self { from, to })
        } else {
            Err(PeriodError::NotRising { from, to })
        }
    }

    /// From the given day until further notice.
    ///
    /// # Errors
    /// [`PeriodError::OutOfRange`].
    pub fn since(from: NaiveDate) -> Result<Self, PeriodError> {
        Self::new(from, Self::OPEN)
    }

    /// A period between two cut points of existing periods. Callers know that `from < to`.
    pub(crate) fn between(from: NaiveDate, to: NaiveDate) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// The first day, or [`BEGINNING`](Self::BEGINNING).
    #[must_use]
    pub const fn from(&self) -> NaiveDate {
        self.from
    }

    /// The first day after the period, or [`OPEN`](Self::OPEN).
    #[must_use]
    pub const fn to(&self) -> NaiveDate {
        self.to
    }

    /// The first day; `None` = unknown.
    #[must_use]
    pub fn valid_from(&self) -> Option<NaiveDate> {
        (self.from != Self::BEGINNING).then_some(self.from)
    }

    /// The first day after the period; `None` = open.
    #[must_use]
    pub fn valid_to(&self) -> Option<NaiveDate> {
        (self.to != Self::OPEN).then_some(self.to)
    }

    /// Whether the period holds until further notice.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.to == Self::OPEN
    }

    /// The last day on which the period holds: the Swedish "till och med" (t.o.m.). `None` = open.
    #[must_use]
    pub fn last_day(&self) -> Option<NaiveDate> {
        self.valid_to().and_then(|to| to.pred_opt())
    }

    /// Whether the period holds on the day.
    #[must_use]
    pub fn contains(&self, date: NaiveDate) -> bool {
        self.from <= date && date < self.to
    }

    /// Whether there is a day on which both hold.
    #[must_use]
    pub fn overlaps(&self, other: &Period) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// The days on which both hold.
    #[must_use]
    pub fn intersect(&self, other: &Period) -> Option<Period> {
        Self::between(self.from.max(other.from), self.to.min(other.to))
    }

    /// Whether this period holds on every day of the other.
    #[must_use]
    pub fn covers(&self, other: &Period) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// Whether one ends on the very day on which the other begins.
    #[must_use]
    pub fn meets(&self, other: &Period) -> bool {
        self.to == other.from || other.to == self.from
    }
}

/// The exclusive end of a period whose last day is given: Swedish "till och med" (t.o.m.) dates are inclusive, ours are
/// not. This is the only place where the day is added; pages and loads use it.
#[must_use]
pub fn inclusive_end(tom: NaiveDate) -> NaiveDate {
    match tom.succ_opt() {
        Some(next) if next < Period::OPEN => next,
        _ => Period::OPEN,
    }
}

/// `[2026-01-01, open)`
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.valid_from() {
            Some(from) => write!(f, "[{from}, ")?,
            None => f.write_str("[unknown, ")?,
        }
        match self.valid_to() {
            Some(to) => write!(f, "{to})"),
            None => f.write_str("open)"),
        }
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a period is written in JSON: both bounds always there, `"unknown"` and `null` for the sentinels.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PeriodJson {
    valid_from: ValidFrom,
    valid_to: ValidTo,
}

impl From<Period> for PeriodJson {
    fn from(period: Period) -> Self {
        Self {
            valid_from: ValidFrom::from_start(period.from),
            valid_to: ValidTo::from_end(period.to),
        }
    }
}

impl TryFrom<PeriodJson> for Period {
    type Error = PeriodError;

    fn try_from(json: PeriodJson) -> Result<Self, Self::Error> {
        Self::new(json.valid_from.start(), json.valid_to.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn period(from: &str, to: &str) -> Period {
        Period::new(date(from), date(to)).unwrap()
    }

    #[test]
    fn sentinels_are_what_they_should_be() {
        assert_eq!(Period::BEGINNING, date("0001-01-01"));
        assert_eq!(Period::OPEN, date("9999-12-31"));
        assert_eq!(Period::ALWAYS.valid_from(), None);
        assert_eq!(Period::ALWAYS.valid_to(), None);
        assert_eq!(Period::ALWAYS.to_string(), "[unknown, open)");
        assert!(Period::ALWAYS.is_open());
        assert_eq!(Period::ALWAYS.last_day(), None);
    }

    #[test]
    fn empty_backward_and_absurd_periods_are_refused() {
        let new = |from, to| Period::new(date(from), date(to));
        assert!(matches!(
            new("2026-01-01", "2026-01-01"),
            Err(PeriodError::NotRising { .. })
        ));
        assert!(matches!(
            new("2026-01-02", "2026-01-01"),
            Err(PeriodError::NotRising { .. })
        ));
        assert!(matches!(
            new("0999-12-31", "2026-01-01"),
            Err(PeriodError::OutOfRange { .. })
        ));
        assert!(matches!(
            new("9999-12-31", "9999-12-31"),
            Err(PeriodError::OutOfRange { .. })
        ));
        assert!(matches!(
            new("0001-01-01", "0001-01-01"),
            Err(PeriodError::OutOfRange { .. })
        ));
        assert!(new("9999-12-30", "9999-12-31").is_ok());
    }

    #[test]
    fn relations_between_periods() {
        let year = period("2026-01-01", "2027-01-01");
        assert!(year.contains(date("2026-12-31")) && !year.contains(date("2027-01-01")));
        assert_eq!(year.last_day(), Some(date("2026-12-31")));
        assert_eq!(inclusive_end(date("2026-12-31")), year.to());
        assert_eq!(inclusive_end(date("9999-12-30")), Period::OPEN);
        assert_eq!(inclusive_end(date("9999-12-31")), Period::OPEN);
        let next = period("2027-01-01", "2028-01-01");
        assert!(year.meets(&next) && next.meets(&year) && !year.overlaps(&next));
        assert_eq!(year.intersect(&next), None);
        let summer = period("2026-06-01", "2026-09-01");
        assert!(year.covers(&summer) && !summer.covers(&year));
        assert_eq!(year.intersect(&summer), Some(summer));
    }

    #[test]
    fn json_shows_both_bounds() {
        let open = Period::since(date("2026-01-01")).unwrap();
        assert_eq!(
            serde_json::to_string(&open).unwrap(),
            r#"{"validFrom":"2026-01-01","validTo":null}"#
        );
        for period in [open, Period::ALWAYS, period("2026-01-01", "2026-01-02")] {
            let json = serde_json::to_string(&period).unwrap();
            assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period);
        }
        assert!(serde_json::from_str::<Period>(r#"{"validFrom":"2026-01-01"}"#).is_err());
        assert!(
            serde_json::from_str::<Period>(r#"{"validFrom":"2026-01-01","validTo":""}"#).is_err()
        );
    }
}
