//! Formats of languages, countries, numbers, times and names on the web.

use uuid::Uuid;

use super::FormatError;
use crate::{BoundError, parse_date};

/// A language tag, by its syntax only: RFC 5646 section 2.1 (BCP 47).
pub(crate) fn check_bcp47(value: &str) -> Result<(), FormatError> {
    let mut subtags = value.split('-');
    let first = subtags.next().unwrap_or_default();
    let alphanumeric = |subtag: &str| {
        (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let language =
        (2..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    let private = first.eq_ignore_ascii_case("x") && value.len() > 2;
    if value.len() <= 63 && (language || private) && subtags.all(alphanumeric) {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "not a language tag: write it as BCP 47, such as sv, en or se-FI",
            "inte en språkkod: skriv den enligt BCP 47, till exempel sv, en eller se-FI",
        ))
    }
}

/// A country: ISO 3166-1 alpha-2, or `stateless` or `unknown` for citizenships.
pub(super) fn check_country(value: &str) -> Result<(), FormatError> {
    let two_letters = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_uppercase());
    if two_letters || value == "stateless" || value == "unknown" {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "not a country: write the two upper-case letters of ISO 3166-1 (SE), or stateless or unknown",
            "inte ett land: skriv landets två versaler enligt ISO 3166-1 (SE), eller stateless eller unknown",
        ))
    }
}

/// A decimal number as text, so that no digit is lost: no leading zeros or plus sign, a point before decimals.
pub(crate) fn check_decimal(value: &str) -> Result<(), FormatError> {
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let (whole, decimals) = match unsigned.split_once('.') {
        Some((whole, decimals)) => (whole, Some(decimals)),
        None => (unsigned, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let no_leading_zero = whole == "0" || !whole.starts_with('0');
    if value.len() <= 40 && digits(whole) && no_leading_zero && decimals.is_none_or(digits) {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "not a decimal number: write it as text with digits and a point, such as \"12.50\", at most 40 characters",
            "inte ett decimaltal: skriv det som text med siffror och punkt, till exempel \"12.50\", högst 40 tecken",
        ))
    }
}

/// A time of day, `HH:MM`; `24:00` is the end of the day.
pub(crate) fn check_time_of_day(value: &str) -> Result<(), FormatError> {
    let malformed = FormatError::malformed(
        "not a time of day: write HH:MM, such as 08:30",
        "inte ett klockslag: skriv TT:MM, till exempel 08:30",
    );
    let [h1, h2, b':', m1, m2] = value.as_bytes() else {
        return Err(malformed);
    };
    let digits = [*h1, *h2, *m1, *m2];
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(malformed);
    }
    let number = |tens: u8, ones: u8| (tens - b'0') * 10 + (ones - b'0');
    match (number(*h1, *h2), number(*m1, *m2)) {
        (0..=23, 0..=59) | (24, 0) => Ok(()),
        _ => Err(FormatError::out_of_range(
            "no such time of day: it lies between 00:00 and 24:00",
            "det finns inget sådant klockslag: det ligger mellan 00:00 och 24:00",
        )),
    }
}

/// An absolute IRI: RFC 3987 with a scheme (RFC 3986 section 3.1) and something after it.
pub(super) fn check_iri(value: &str) -> Result<(), FormatError> {
    let malformed = FormatError::malformed(
        "not an absolute IRI: write it with its scheme, such as https://example.se/x or urn:oid:1.2.752",
        "inte en absolut IRI: skriv den med sitt schema, till exempel https://example.se/x eller urn:oid:1.2.752",
    );
    let Some((scheme, rest)) = value.split_once(':') else {
        return Err(malformed);
    };
    let valid_scheme = scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let forbidden =
        |char: char| char.is_whitespace() || char.is_control() || "<>\"{}|\\^`".contains(char);
    let empty = rest.trim_start_matches('/').is_empty();
    if value.len() <= 2048 && valid_scheme && !empty && !rest.contains(forbidden) {
        Ok(())
    } else {
        Err(malformed)
    }
}

/// A date, `YYYY-MM-DD`.
pub(super) fn check_date(value: &str) -> Result<(), FormatError> {
    match parse_date(value) {
        Ok(_) => Ok(()),
        Err(BoundError::OutOfRange { .. }) => Err(FormatError::out_of_range(
            "the date must lie between 1000-01-01 and 9999-12-30",
            "datumet ska ligga mellan 1000-01-01 och 9999-12-30",
        )),
        Err(_) => Err(FormatError::invalid_date(
            "not a date in the calendar: write YYYY-MM-DD",
            "inte ett datum i kalendern: skriv ÅÅÅÅ-MM-DD",
        )),
    }
}

/// An e-mail address, by its outline only: something, `@`, and a domain with a point (RFC 5321 section 4.1.2).
pub(super) fn check_email(value: &str) -> Result<(), FormatError> {
    let forbidden =
        |char: char| char.is_whitespace() || char.is_control() || "<>()[],;:\\\"@".contains(char);
    let valid = value.rsplit_once('@').is_some_and(|(local, domain)| {
        let local_valid = !local.is_empty()
            && local.len() <= 64
            && !local.contains(forbidden)
            && local.split('.').all(|part| !part.is_empty());
        let label = |part: &str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-');
        local_valid
            && domain.contains('.')
            && !domain.contains(forbidden)
            && domain.split('.').all(label)
    });
    if valid && value.len() <= 254 {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "not an e-mail address: write it as name@example.se",
            "inte en e-postadress: skriv den som namn@example.se",
        ))
    }
}

/// A UUID, lower-case and hyphenated.
pub(super) fn check_uuid(value: &str) -> Result<(), FormatError> {
    let canonical = value
        .parse::<Uuid>()
        .is_ok_and(|uuid| uuid.hyphenated().to_string() == value);
    if canonical {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "not a UUID: write it lower-case with hyphens, 8-4-4-4-12 hexadecimal digits",
            "inte ett UUID: skriv det med gemener och bindestreck, 8-4-4-4-12 hexadecimala siffror",
        ))
    }
}
