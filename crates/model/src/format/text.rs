//! Formats of languages, countries, numbers, times and names on the web.

use super::FormatError;

/// A language tag, by its syntax only: RFC 5646 section 2.1 (BCP 47).
pub(super) fn check_bcp47(value: &str) -> Result<(), FormatError> {
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
pub(super) fn check_decimal(value: &str) -> Result<(), FormatError> {
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
pub(super) fn check_time_of_day(value: &str) -> Result<(), FormatError> {
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
