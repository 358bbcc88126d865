//! Phone numbers.

use super::identifier;
use crate::FormatError;
use crate::normalisation::is_separator;

identifier! {
    /// A phone number, ITU-T E.164: `+`, country code and number, at most 15 digits. Spaces, hyphens and `(0)` are taken
    /// away; `00` means `+`, and a number that begins with a single `0` is Swedish.
    PhoneNumber, normalise, check_e164
}

fn normalise(text: &str) -> String {
    let text = text.trim().replace("(0)", "");
    let bare: String = text.chars().filter(|char| !is_separator(*char)).collect();
    if text.starts_with('+') {
        format!("+{bare}")
    } else if let Some(foreign) = bare.strip_prefix("00") {
        format!("+{foreign}")
    } else if let Some(swedish) = bare.strip_prefix('0') {
        format!("+46{swedish}")
    } else {
        bare
    }
}

/// Format `e164`.
pub(crate) fn check_e164(value: &str) -> Result<(), FormatError> {
    let valid = value.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    });
    if valid {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "write the phone number as + and country code and 7 to 15 digits in all, such as +46901234567",
            "skriv telefonnumret som + och landsnummer, sammanlagt 7 till 15 siffror, till exempel +46901234567",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_forms_become_one() {
        for text in [
            "+46901234567",
            "090-123 45 67",
            "0046 90 123 45 67",
            "+46 (0)90-123 45 67",
        ] {
            assert_eq!(PhoneNumber::parse(text).unwrap().expose(), "+46901234567");
        }
        assert!(PhoneNumber::parse("112").is_err());
        assert!(PhoneNumber::parse("+46 ring mig").is_err());
    }
}
