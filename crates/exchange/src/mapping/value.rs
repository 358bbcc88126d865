//! Forms of dates.

use chrono::{NaiveDate, NaiveDateTime};

/// A form of a date: `YYYY`, `MM` and `DD` with fixed signs around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateFormat {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Sign(char),
}

impl DateFormat {
    /// `YYYY-MM-DD` and `YYYYMMDD`.
    pub(crate) fn usual() -> Vec<Self> {
        ["YYYY-MM-DD", "YYYYMMDD"]
            .into_iter()
            .filter_map(Self::parse)
            .collect()
    }

    /// Reads a form. `None` when a part is missing or stands twice, or other letters are in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (part, length) = if rest.starts_with("YYYY") {
                (Part::Year, 4)
            } else if rest.starts_with("MM") {
                (Part::Month, 2)
            } else if rest.starts_with("DD") {
                (Part::Day, 2)
            } else if first.is_alphanumeric() {
                return None;
            } else {
                (Part::Sign(first), first.len_utf8())
            };
            parts.push(part);
            rest = rest.get(length..)?;
        }
        let once = |part: &Part| parts.iter().filter(|known| *known == part).count() == 1;
        (once(&Part::Year) && once(&Part::Month) && once(&Part::Day)).then_some(Self { parts })
    }

    /// The date, when the text has this form. `Some(None)` when it has the form and the calendar has no such day.
    pub(crate) fn read(&self, text: &str) -> Option<Option<NaiveDate>> {
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut rest = text;
        for (index, part) in self.parts.iter().enumerate() {
            // `3/1/2026` is `DD/MM/YYYY` too: one digit is enough where a sign follows.
            let fixed = !matches!(self.parts.get(index + 1), Some(Part::Sign(_)) | None)
                || *part == Part::Year
                || index == 0 && self.parts.len() == 3;
            match part {
                Part::Year => year = i32::try_from(number(&mut rest, 4, true)?).ok()?,
                Part::Month => month = number(&mut rest, 2, fixed)?,
                Part::Day => day = number(&mut rest, 2, fixed)?,
                Part::Sign(sign) => rest = rest.strip_prefix(*sign)?,
            }
        }
        rest.is_empty()
            .then(|| NaiveDate::from_ymd_opt(year, month, day))
    }
}

/// Takes digits from the front: so many, or at most so many.
fn number(rest: &mut &str, most: usize, exactly: bool) -> Option<u32> {
    let digits = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if digits == 0 || (exactly && digits != most) {
        return None;
    }
    let (number, after) = rest.split_at_checked(digits)?;
    *rest = after;
    number.parse().ok()
}

/// A date with a time in JSON or XML. One with a zone is the day in Sweden at that instant.
pub(crate) fn date_of_time(text: &str) -> Option<NaiveDate> {
    if let Ok(instant) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(
            instant
                .with_timezone(&chrono_tz::Europe::Stockholm)
                .date_naive(),
        );
    }
    [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    .map(|time| time.date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_read_what_they_say() {
        for (form, text, date) in [
            ("YYYY-MM-DD", "2026-02-28", "2026-02-28"),
            ("YYYYMMDD", "20260228", "2026-02-28"),
            ("DD/MM/YYYY", "3/1/2026", "2026-01-03"),
            ("DD.MM.YYYY", "03.01.2026", "2026-01-03"),
        ] {
            let form = DateFormat::parse(form).unwrap();
            assert_eq!(form.read(text), Some(Some(date.parse().unwrap())), "{text}");
        }
        let form = DateFormat::parse("YYYY-MM-DD").unwrap();
        assert_eq!(form.read("2026-02-31"), Some(None));
        for other in ["2026-02-2x", "2026/02/02", "20260202", "2026-02-022", ""] {
            assert_eq!(form.read(other), None, "{other}");
        }
        for none in ["YYYY-MM", "YY-MM-DD", "YYYY-MM-DD hh", "YYYYYYYYMMDD", ""] {
            assert_eq!(DateFormat::parse(none), None, "{none}");
        }
    }

    #[test]
    fn an_instant_is_the_day_in_sweden() {
        let date = |text: &str| date_of_time(text).unwrap().to_string();
        assert_eq!(date("2025-12-31T23:30:00Z"), "2026-01-01");
        assert_eq!(date("2026-06-30T22:30:00Z"), "2026-07-01");
        assert_eq!(date("2026-06-30T22:30:00"), "2026-06-30");
        assert_eq!(date("2026-06-30 22:30:00"), "2026-06-30");
    }
}
