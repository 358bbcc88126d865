//! Numbers of persons are taken out of every text before it is written.
//!
//! The log is kept for years and read by others than the registry's readers, so it must not become a second register of
//! personal identity numbers. A query string is where they come in: somebody searched for one.

use std::borrow::Cow;
use std::ops::Range;

use chrono::NaiveDate;
use grunddata_model::identifiers::{CoordinationNumber, PersonalIdentityNumber};
use serde_json::Value;
use uuid::Uuid;

/// What stands for a number that has the form but not the check digit. A mistyped number is still somebody's, nearly.
const MASKED: &str = "********-****";

/// At most so many separators between two digits of one number.
const SEPARATORS: usize = 3;

/// The text with everything masked that looks like a personal identity or coordination number of ten or twelve digits,
/// however it is grouped, also when the separators (or the digits) are percent-encoded as in a query string. UUIDs are
/// left alone. The day decides the century of a ten-digit number.
pub(crate) fn text(given: &str, day: NaiveDate) -> Cow<'_, str> {
    if given.bytes().filter(u8::is_ascii_digit).count() < 10 {
        return Cow::Borrowed(given);
    }
    let mut masked = String::new();
    let mut copied = 0;
    for (range, instead) in numbers(given, day) {
        masked.push_str(given.get(copied..range.start).unwrap_or_default());
        masked.push_str(&instead);
        copied = range.end;
    }
    if copied == 0 {
        return Cow::Borrowed(given);
    }
    masked.push_str(given.get(copied..).unwrap_or_default());
    Cow::Owned(masked)
}

/// As [`text`], for every text, name and number in the value.
pub(crate) fn value(given: &mut Value, day: NaiveDate) {
    match given {
        Value::String(string) => {
            if let Cow::Owned(masked) = text(string, day) {
                *string = masked;
            }
        }
        Value::Number(number) => {
            let written = number.to_string();
            if let Cow::Owned(masked) = text(&written, day) {
                *given = Value::String(masked);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|inner| value(inner, day)),
        Value::Object(members) => {
            let telling = |name: &String| matches!(text(name, day), Cow::Owned(_));
            let names: Vec<String> = members
                .keys()
                .filter(|name| telling(name))
                .cloned()
                .collect();
            for name in names {
                if let Some(member) = members.remove(&name) {
                    members.insert(text(&name, day).into_owned(), member);
                }
            }
            members.values_mut().for_each(|inner| value(inner, day));
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Digits that follow each other directly.
struct Group {
    digits: String,
    place: Range<usize>,
}

/// The places of the numbers, and what to write there.
fn numbers(given: &str, day: NaiveDate) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for run in runs(given) {
        let mut rest = run.as_slice();
        while let Some((_, after)) = rest.split_first() {
            if let Some((groups, place, instead)) = first_number(given, rest, day) {
                found.push((place, instead));
                rest = rest.get(groups..).unwrap_or_default();
            } else {
                rest = after;
            }
        }
    }
    found
}

/// The longest number that the first groups make together.
fn first_number(
    given: &str,
    groups: &[Group],
    day: NaiveDate,
) -> Option<(usize, Range<usize>, String)> {
    let first = groups.first()?;
    let mut digits = String::new();
    let mut best = None;
    for (count, group) in (1..).zip(groups) {
        digits.push_str(&group.digits);
        if digits.len() > 12 {
            break;
        }
        let place = first.place.start..group.place.end;
        let written = given.get(place.clone()).unwrap_or_default();
        if let Some(instead) = masked(&digits, written, day) {
            best = Some((count, place, instead));
        }
    }
    best
}

fn masked(digits: &str, written: &str, day: NaiveDate) -> Option<String> {
    let ten = match digits.len() {
        10 => digits,
        12 if matches!(digits.get(..2), Some("18" | "19" | "20")) => digits.get(2..)?,
        _ => return None,
    };
    let month: u32 = ten.get(2..4)?.parse().ok()?;
    let date: u32 = ten.get(4..6)?.parse().ok()?;
    if month > 12 || !(matches!(date, 1..=31) || matches!(date, 60..=91)) {
        return None;
    }
    // With a plus the person is a hundred years old or more.
    let full = match digits.len() {
        10 if written.contains('+') => format!("{}+{}", digits.get(..6)?, digits.get(6..)?),
        _ => digits.to_owned(),
    };
    Some(
        PersonalIdentityNumber::parse_at(&full, day)
            .map(|number| number.to_string())
            .or_else(|_| CoordinationNumber::parse_at(&full, day).map(|number| number.to_string()))
            .unwrap_or_else(|_| MASKED.to_owned()),
    )
}

/// Groups of digits with nothing but a few separators between them.
fn runs(given: &str) -> Vec<Vec<Group>> {
    let ids = ids(given);
    let mut runs: Vec<Vec<Group>> = Vec::new();
    let mut run: Vec<Group> = Vec::new();
    let mut separators = usize::MAX;
    let mut at = 0;
    while let Some((char, length)) = next_char(given, at) {
        let place = at..at + length;
        at = place.end;
        let id = ids.iter().any(|id| id.contains(&place.start));
        if char.is_ascii_digit() && !id {
            match run.last_mut() {
                Some(group) if separators == 0 => {
                    group.digits.push(char);
                    group.place.end = place.end;
                }
                _ => run.push(Group {
                    digits: char.to_string(),
                    place,
                }),
            }
            separators = 0;
        } else if !id && is_separator(char) && separators < SEPARATORS {
            separators += 1;
        } else {
            if !run.is_empty() {
                runs.push(std::mem::take(&mut run));
            }
            separators = usize::MAX;
        }
    }
    runs.push(run);
    runs
}

fn is_separator(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '-' | '+' | '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
}

/// The character there with its length in bytes. A percent-encoded one is decoded; beyond ASCII, where it takes several
/// escapes, it counts as a separator.
fn next_char(given: &str, at: usize) -> Option<(char, usize)> {
    let rest = given.get(at..)?;
    if let Some(decoded) = rest
        .strip_prefix('%')
        .and_then(|rest| rest.get(..2))
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
    {
        let char = if decoded.is_ascii() {
            decoded as char
        } else {
            '\u{ad}'
        };
        return Some((char, 3));
    }
    let char = rest.chars().next()?;
    Some((char, char.len_utf8()))
}

/// The places of hyphenated UUIDs, whose digits belong to nobody.
fn ids(given: &str) -> Vec<Range<usize>> {
    given
        .match_indices('-')
        .filter_map(|(hyphen, _)| {
            let start = hyphen.checked_sub(8)?;
            let place = start..start.checked_add(36)?;
            Uuid::try_parse(given.get(place.clone())?).ok()?;
            Some(place)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 6, 30).unwrap()
    }

    fn seed(name: &str) -> Vec<String> {
        let path = format!("{}/../../seeds/{name}", env!("CARGO_MANIFEST_DIR"));
        let content = std::fs::read_to_string(path).unwrap();
        content.lines().map(str::to_owned).collect()
    }

    #[test]
    fn test_numbers_are_masked_in_every_written_form() {
        let numbers = [
            seed("test-personal-identity-numbers.txt"),
            seed("test-coordination-numbers.txt"),
        ]
        .concat();
        for number in numbers.iter().step_by(53) {
            let (date, last) = number.split_at(8);
            let short = &date[2..];
            for written in [
                number.clone(),
                format!("{date}-{last}"),
                format!("{date}+{last}"),
                format!("{date} {last}"),
                format!("{date}%2D{last}"),
                format!("{date}%E2%80%93{last}"),
                format!("{}-{}-{}-{last}", &date[..4], &date[4..6], &date[6..]),
                format!("{short}{last}"),
                format!("{short}-{last}"),
                format!("{short}%2B{last}"),
            ] {
                for around in [
                    format!("identifier=se:{written}&limit=10"),
                    format!("x{written}"),
                    format!("{written},{written}"),
                    format!("{written} {written}"),
                    format!("7 {written} 12"),
                ] {
                    let masked = text(&around, day());
                    assert!(!masked.contains(last), "{around} became {masked}");
                }
            }
        }
    }

    #[test]
    fn a_number_keeps_its_date_and_a_mistyped_one_nothing() {
        assert_eq!(
            text("q=18900101-9802&x", day()),
            "q=18900101-****&x".to_owned()
        );
        assert_eq!(text("q=18900101-9803", day()), "q=********-****".to_owned());
    }

    #[test]
    fn what_is_no_number_of_a_person_stays() {
        for same in [
            "",
            "name=Norrberga*&validAt=2027-02-01&limit=1000",
            "organisation-number=212000-0142",
            "162120000142",
            "id=0190a6b2-7c00-7abc-8def-190001011234",
            "at=2026-01-31T12:00:00.123456Z",
            "1700000000000000",
        ] {
            assert!(matches!(text(same, day()), Cow::Borrowed(_)), "{same}");
        }
    }

    #[test]
    fn values_are_masked_everywhere_inside() {
        let mut detail = serde_json::json!({
            "189001019802": [{"number": 189_001_019_802_u64}, "18900101 9802"],
            "limit": 1000,
        });
        value(&mut detail, day());
        assert_eq!(
            detail,
            serde_json::json!({
                "18900101-****": [{"number": "18900101-****"}, "18900101-****"],
                "limit": 1000,
            })
        );
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_masking_again_changes_nothing(given in "[0-9+ %a-fåÅ-]{0,60}|.{0,40}") {
            let once = text(&given, day()).into_owned();
            let twice = text(&once, day()).into_owned();
            prop_assert_eq!(twice, once);
        }
    }
}
