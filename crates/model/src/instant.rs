//! Recorded time: UTC instants with microseconds.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 0001-01-01T00:00:00Z in microseconds since 1970.
const EARLIEST_MICROS: i64 = -62_135_596_800_000_000;
/// 9999-12-31T00:00:00Z in microseconds since 1970.
const FOREVER_MICROS: i64 = 253_402_214_400_000_000;

/// An instant in UTC, truncated to whole microseconds, between the years 1 and 9999. Both databases keep exactly this
/// precision, so that an instant that was stored equals the one that comes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(DateTime<Utc>);

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstantError {
    /// Not RFC 3339.
    #[error(
        "{given:?} is not an instant: write it as RFC 3339 with a zone, such as 2026-01-31T12:00:00Z"
    )]
    Malformed {
        /// What was given.
        given: String,
    },
    /// A leap second.
    #[error(
        "{given:?} is a leap second, which recorded time does not know: write the second before or after it"
    )]
    LeapSecond {
        /// What was given.
        given: String,
    },
    /// Before the year 1 or after [`Instant::FOREVER`].
    #[error("{given:?} is out of range: instants lie before 9999-12-31T00:00:00Z")]
    OutOfRange {
        /// What was given.
        given: String,
    },
}

impl Instant {
    /// The end of what is still believed: 9999-12-31T00:00:00Z.
    pub const FOREVER: Instant = Instant(match DateTime::from_timestamp_micros(FOREVER_MICROS) {
        Some(instant) => instant,
        None => DateTime::<Utc>::MAX_UTC,
    });

    /// The instant so many microseconds after (or before) 1970-01-01T00:00:00Z. What lies outside the years 1 to 9999
    /// becomes the nearest instant inside.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        DateTime::from_timestamp_micros(micros.clamp(EARLIEST_MICROS, FOREVER_MICROS))
            .map_or(Self::FOREVER, Self)
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// The smallest later instant (one microsecond on). [`FOREVER`](Self::FOREVER) stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_micros(self.micros().saturating_add(1))
    }

    /// The instant as chrono knows it.
    #[must_use]
    pub fn date_time(self) -> DateTime<Utc> {
        self.0
    }
}

/// Truncates to whole microseconds (towards the past).
impl From<DateTime<Utc>> for Instant {
    fn from(instant: DateTime<Utc>) -> Self {
        Self::from_micros(instant.timestamp_micros())
    }
}

/// RFC 3339 with six decimals and `Z`: sorts as text as it does in time.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Any zone of RFC 3339; more than six decimals are cut.
impl FromStr for Instant {
    type Err = InstantError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let given = || text.chars().take(60).collect::<String>();
        let parsed = DateTime::parse_from_rfc3339(text)
            .map_err(|_| InstantError::Malformed { given: given() })?
            .to_utc();
        if parsed.timestamp_subsec_nanos() >= 1_000_000_000 {
            return Err(InstantError::LeapSecond { given: given() });
        }
        let micros = parsed.timestamp_micros();
        if !(EARLIEST_MICROS..=FOREVER_MICROS).contains(&micros) {
            return Err(InstantError::OutOfRange { given: given() });
        }
        Ok(Self::from_micros(micros))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Instant;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 instant")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instant, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_written_with_six_decimals_and_z() {
        let instant: Instant = "2026-01-31T13:00:00.1234567+01:00".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-01-31T12:00:00.123456Z");
        assert_eq!(
            serde_json::to_string(&instant).unwrap(),
            "\"2026-01-31T12:00:00.123456Z\""
        );
        assert_eq!(instant.next().to_string(), "2026-01-31T12:00:00.123457Z");
        assert_eq!(Instant::FOREVER.to_string(), "9999-12-31T00:00:00.000000Z");
        assert_eq!(Instant::FOREVER.next(), Instant::FOREVER);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let error = |text: &str| text.parse::<Instant>().unwrap_err();
        assert!(matches!(error(""), InstantError::Malformed { .. }));
        assert!(matches!(
            error("2026-01-31T12:00:00"),
            InstantError::Malformed { .. }
        ));
        assert!(matches!(
            error("2026-02-30T12:00:00Z"),
            InstantError::Malformed { .. }
        ));
        assert!(matches!(
            error("2016-12-31T23:59:60Z"),
            InstantError::LeapSecond { .. }
        ));
        assert!(matches!(
            error("9999-12-31T00:00:00.000001Z"),
            InstantError::OutOfRange { .. }
        ));
        assert!(matches!(
            error("0000-12-31T00:00:00Z"),
            InstantError::OutOfRange { .. }
        ));
    }

    proptest! {
        #[test]
        fn text_and_micros_lead_back(micros in EARLIEST_MICROS..=FOREVER_MICROS) {
            let instant = Instant::from_micros(micros);
            prop_assert_eq!(instant.micros(), micros);
            prop_assert_eq!(instant.to_string().parse::<Instant>(), Ok(instant));
        }
    }
}
