//! Numbers of persons.

use chrono::{Datelike, NaiveDate};

use super::identifier;
use crate::checksum::{digits, luhn};
use crate::normalisation::is_hyphen;
use crate::{FormatError, Normalisation};

/// The first eight characters and a mask: `19900101-****`.
fn mask(value: &str) -> String {
    value.chars().take(8).chain("-****".chars()).collect()
}

fn strip_separators(text: &str) -> String {
    Normalisation::Digits.normalise(text)
}

identifier! {
    masked mask,
    /// A personal identity number (personnummer), 12 digits `YYYYMMDDNNNC`: folkbokföringslagen (1991:481) 18 §. The
    /// date is in the calendar, the last ten digits pass Luhn. Says nothing of when or as what the person was born: the
    /// birth date and sex recorded may differ.
    PersonalIdentityNumber, strip_separators, check_personal_identity_number
}

identifier! {
    masked mask,
    /// A coordination number (samordningsnummer), 12 digits with 60 added to the day: lagen (2022:1697) om
    /// samordningsnummer. The month is 00 to 12 and the day 60 to 91 with no check against the calendar, since the
    /// Swedish Tax Agency gives numbers with unknown dates; the last ten digits pass Luhn.
    CoordinationNumber, strip_separators, check_coordination_number
}

identifier! {
    masked mask,
    /// A temporary number of a school (SS 12000: `20130101TF01`) or an interim number with a letter first among the last
    /// four. Local: never proof that two persons are one. Only its form is checked.
    TemporarySchoolNumber,
    |text| strip_separators(text).to_uppercase(),
    check_temporary_school_number
}

identifier! {
    masked |_| "****".to_owned(),
    /// A reserve number (reservnummer), national or of a region: 10 to 13 digits and upper-case letters, in forms that
    /// differ between issuers. Only its form is checked.
    ReserveNumber, |text| strip_separators(text).to_uppercase(), check_reserve_number
}

/// Adds the century to the ten-digit forms `YYMMDD-NNNC` and `YYMMDD+NNNC` (or none between): the plus replaces the
/// hyphen from the year in which the person turns 100. Twelve-digit forms are only stripped of separators.
fn with_century(text: &str, reference: NaiveDate) -> String {
    let text = text.trim();
    let stripped = strip_separators(text);
    let Some([y1, y2, ..]) = digits::<10>(&stripped) else {
        return stripped;
    };
    let hundred = text.chars().any(|char| char == '+') && !text.chars().any(is_hyphen);
    let year = i32::from(y1) * 10 + i32::from(y2);
    let latest = reference.year() - (reference.year() - year).rem_euclid(100);
    let century = (if hundred { latest - 100 } else { latest }) / 100;
    format!("{century:02}{stripped}")
}

impl PersonalIdentityNumber {
    /// As [`parse`](Self::parse), and takes ten-digit forms too: `YYMMDD-NNNC` is of the latest such year not after the
    /// reference date's, `YYMMDD+NNNC` (100 years or more) of a century earlier.
    ///
    /// # Errors
    /// [`FormatError`] with what is wrong and what to do.
    pub fn parse_at(text: &str, reference: NaiveDate) -> Result<Self, FormatError> {
        Self::parse(&with_century(text, reference))
    }

    /// The date in the number, which need not be the person's birth date.
    #[must_use]
    pub fn date(&self) -> Option<NaiveDate> {
        digits(&self.0).and_then(date_part)
    }
}

impl CoordinationNumber {
    /// As [`parse`](Self::parse), and takes ten-digit forms too, as [`PersonalIdentityNumber::parse_at`].
    ///
    /// # Errors
    /// [`FormatError`] with what is wrong and what to do.
    pub fn parse_at(text: &str, reference: NaiveDate) -> Result<Self, FormatError> {
        Self::parse(&with_century(text, reference))
    }
}

fn two(tens: u8, ones: u8) -> u32 {
    u32::from(tens) * 10 + u32::from(ones)
}

fn date_part(digits: [u8; 12]) -> Option<NaiveDate> {
    let [c1, c2, y1, y2, m1, m2, d1, d2, ..] = digits;
    let year = i32::try_from(two(c1, c2) * 100 + two(y1, y2)).ok()?;
    NaiveDate::from_ymd_opt(year, two(m1, m2), two(d1, d2))
}

/// Twelve digits of a century in which numbers exist, or the error.
fn twelve_digits(value: &str, malformed: FormatError) -> Result<[u8; 12], FormatError> {
    let digits: [u8; 12] = digits(value).ok_or(malformed)?;
    let [c1, c2, ..] = digits;
    if (18..=20).contains(&two(c1, c2)) {
        Ok(digits)
    } else {
        Err(FormatError::out_of_range(
            "the number must begin with the century 18, 19 or 20 (a number that begins with 16 is an organisation's)",
            "numret ska börja med århundradet 18, 19 eller 20 (ett nummer som börjar med 16 är en organisations)",
        ))
    }
}

fn luhn_of_last_ten(digits: [u8; 12]) -> Result<(), FormatError> {
    let [_, _, last_ten @ ..] = digits;
    if luhn(&last_ten) {
        Ok(())
    } else {
        Err(FormatError::check_digit(
            "the check digit does not fit: a digit is probably mistyped, compare with the source",
            "kontrollsiffran stämmer inte: troligen är en siffra felskriven, jämför med källan",
        ))
    }
}

/// Format `se-personal-identity-number`.
pub(crate) fn check_personal_identity_number(value: &str) -> Result<(), FormatError> {
    let digits = twelve_digits(
        value,
        FormatError::malformed(
            "write the personal identity number as 12 digits, YYYYMMDDNNNN",
            "skriv personnumret med 12 siffror, ÅÅÅÅMMDDNNNN",
        ),
    )?;
    let [_, _, _, _, _, _, d1, _, ..] = digits;
    if date_part(digits).is_none() {
        return Err(if d1 >= 6 {
            FormatError::invalid_date(
                "the day is 60 or more: this looks like a coordination number, use that scheme",
                "dagen är 60 eller mer: det ser ut som ett samordningsnummer, använd det schemat",
            )
        } else {
            FormatError::invalid_date(
                "the date in the number is not in the calendar: compare with the source",
                "datumet i numret finns inte i kalendern: jämför med källan",
            )
        });
    }
    luhn_of_last_ten(digits)
}

/// Format `se-coordination-number`.
pub(crate) fn check_coordination_number(value: &str) -> Result<(), FormatError> {
    let digits = twelve_digits(
        value,
        FormatError::malformed(
            "write the coordination number as 12 digits, YYYYMMDDNNNN with 60 added to the day",
            "skriv samordningsnumret med 12 siffror, ÅÅÅÅMMDDNNNN med 60 lagt till dagen",
        ),
    )?;
    let [_, _, _, _, m1, m2, d1, d2, ..] = digits;
    if two(m1, m2) > 12 || !(60..=91).contains(&two(d1, d2)) {
        return Err(FormatError::out_of_range(
            "a coordination number has a month of 00 to 12 and a day of 60 to 91 (the day plus 60)",
            "ett samordningsnummer har månad 00 till 12 och dag 60 till 91 (dagen plus 60)",
        ));
    }
    luhn_of_last_ten(digits)
}

/// Letters that stand first among the last four of an interim number.
const INTERIM_LETTERS: &[u8] = b"TRSUWXJKLMN";

/// Format `se-temporary-school-number`.
pub(crate) fn check_temporary_school_number(value: &str) -> Result<(), FormatError> {
    let well_formed = matches!(
        value.as_bytes(),
        [date @ .., letter, second, third, fourth]
            if date.len() == 8
                && date.iter().all(u8::is_ascii_digit)
                && INTERIM_LETTERS.contains(letter)
                && (second.is_ascii_digit() || (*letter == b'T' && *second == b'F'))
                && third.is_ascii_digit()
                && fourth.is_ascii_digit()
    );
    if well_formed {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "write the temporary number as YYYYMMDD followed by TF and two digits, or by a letter (T, R, S, U, W, X, J, K, L, M, N) and three digits",
            "skriv det tillfälliga numret som ÅÅÅÅMMDD följt av TF och två siffror, eller av en bokstav (T, R, S, U, W, X, J, K, L, M, N) och tre siffror",
        ))
    }
}

/// Format `se-reserve-number`.
pub(crate) fn check_reserve_number(value: &str) -> Result<(), FormatError> {
    let well_formed = (10..=13).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        && value.bytes().filter(u8::is_ascii_digit).count() >= 6;
    if well_formed {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "write the reserve number as its 10 to 13 digits and upper-case letters, without separators",
            "skriv reservnumret med dess 10 till 13 siffror och versaler, utan skiljetecken",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FormatErrorKind;

    fn seed(name: &str) -> String {
        let path = format!("{}/../../seeds/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    /// Every check digit but the right one is refused, and so is every swap of neighbours that Luhn can see (all but 0
    /// with 9).
    fn assert_faults_are_seen(number: &str, check: fn(&str) -> Result<(), FormatError>) {
        let digits = number.as_bytes();
        for other in (b'0'..=b'9').filter(|digit| *digit != digits[11]) {
            let mut mistyped = digits.to_vec();
            mistyped[11] = other;
            let error = check(std::str::from_utf8(&mistyped).unwrap()).unwrap_err();
            assert_eq!(error.kind, FormatErrorKind::CheckDigit);
        }
        for place in 2..11 {
            let (left, right) = (digits[place], digits[place + 1]);
            if left == right || [left, right] == *b"09" || [left, right] == *b"90" {
                continue;
            }
            let mut swapped = digits.to_vec();
            swapped.swap(place, place + 1);
            assert!(
                check(std::str::from_utf8(&swapped).unwrap()).is_err(),
                "{number} {place}"
            );
        }
    }

    #[test]
    fn all_test_personal_identity_numbers_are_accepted_and_their_faults_seen() {
        let numbers = seed("test-personal-identity-numbers.txt");
        assert_eq!(numbers.lines().count(), 41_127);
        for number in numbers.lines() {
            let parsed = PersonalIdentityNumber::parse(number).expect(number);
            assert_eq!(parsed.expose(), number);
            assert!(parsed.date().is_some());
            assert_faults_are_seen(number, check_personal_identity_number);
        }
    }

    #[test]
    fn all_test_coordination_numbers_are_accepted_and_their_faults_seen() {
        let numbers = seed("test-coordination-numbers.txt");
        assert_eq!(numbers.lines().count(), 2_264);
        for number in numbers.lines() {
            assert_eq!(
                CoordinationNumber::parse(number).expect(number).expose(),
                number
            );
            assert!(PersonalIdentityNumber::parse(number).is_err());
            assert_faults_are_seen(number, check_coordination_number);
        }
    }

    #[test]
    fn ten_digit_forms_lead_back_to_the_number() {
        let numbers = seed("test-personal-identity-numbers.txt");
        let reference = NaiveDate::from_ymd_opt(2026, 6, 30).unwrap();
        for number in numbers.lines().filter(|number| *number < "2027") {
            let parsed = PersonalIdentityNumber::parse(number).unwrap();
            let year: i32 = number[..4].parse().unwrap();
            if reference.year() - year >= 200 {
                continue;
            }
            let sign = if reference.year() - year >= 100 {
                '+'
            } else {
                '-'
            };
            let short = format!("{}{sign}{}", &number[2..8], &number[8..]);
            assert_eq!(
                PersonalIdentityNumber::parse_at(&short, reference),
                Ok(parsed.clone()),
                "{short}"
            );
            let long = format!(" {}-{} ", &number[..8], &number[8..]);
            assert_eq!(
                PersonalIdentityNumber::parse_at(&long, reference),
                Ok(parsed.clone())
            );
            assert_eq!(PersonalIdentityNumber::parse(&long), Ok(parsed));
            assert!(PersonalIdentityNumber::parse(&short).is_err());
        }
    }

    #[test]
    fn numbers_mask_themselves() {
        let number = PersonalIdentityNumber::parse("18900101-9802").unwrap();
        assert_eq!(number.to_string(), "18900101-****");
        assert_eq!(
            format!("{number:?}"),
            "PersonalIdentityNumber(18900101-****)"
        );
        assert_eq!(number.expose(), "189001019802");
        assert_eq!(serde_json::to_string(&number).unwrap(), "\"189001019802\"");
        let refused = serde_json::from_str::<PersonalIdentityNumber>("\"189001019803\"")
            .unwrap_err()
            .to_string();
        assert!(!refused.contains("9803"), "{refused}");
        assert_eq!(
            ReserveNumber::parse("99 1990 123456").unwrap().to_string(),
            "****"
        );
        assert_eq!(
            TemporarySchoolNumber::parse("20130101-tf01")
                .unwrap()
                .expose(),
            "20130101TF01"
        );
    }
}
