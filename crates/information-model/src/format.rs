//! The formats of the model: the standard ones of JSON Schema, and our own from `grunddata_model::format`.

use std::sync::{Arc, OnceLock};

use grunddata_model::identifiers::OrganisationNumber;
use grunddata_model::{FormatError, FormatErrorKind};
use jsonschema::Validator;
use serde_json::{Value, json};

/// The standard formats that a package may use.
const STANDARD: &[&str] = &["date", "date-time", "email", "uri", "uuid", "duration"];

/// Whether a package may use the format.
pub(crate) fn is_known(name: &str) -> bool {
    STANDARD.contains(&name) || grunddata_model::format::NAMES.contains(&name)
}

/// Whether a value has a format, and if not, why.
pub(crate) fn check(name: &str, value: &str) -> Result<(), FormatError> {
    let (valid, message, message_sv) = match name {
        "uuid" => (
            value.parse::<uuid::Uuid>().is_ok(),
            "write a UUID of 32 hexadecimal digits in groups of 8-4-4-4-12",
            "skriv en UUID med 32 hexadecimala siffror i grupper om 8-4-4-4-12",
        ),
        "email" => (
            is_email(value),
            "write an e-mail address as name@domain",
            "skriv en e-postadress som namn@domän",
        ),
        own if !STANDARD.contains(&own) => return grunddata_model::format::check(own, value),
        // The validator has said no already when anyone asks why.
        "date" => (
            grunddata_model::parse_date(value).is_ok(),
            "write a date of the calendar as YYYY-MM-DD",
            "skriv ett datum som finns i kalendern, som ÅÅÅÅ-MM-DD",
        ),
        "date-time" => (
            chrono::DateTime::parse_from_rfc3339(value).is_ok(),
            "write date and time with time zone as 2026-01-31T12:00:00Z",
            "skriv datum och tid med tidszon som 2026-01-31T12:00:00Z",
        ),
        "duration" => (
            false,
            "write a duration as ISO 8601 does: P14D for 14 days, PT30M for 30 minutes",
            "skriv en varaktighet enligt ISO 8601: P14D för 14 dagar, PT30M för 30 minuter",
        ),
        _ => (
            false,
            "write an absolute address such as https://example.se/",
            "skriv en fullständig adress, till exempel https://example.se/",
        ),
    };
    let kind = if name == "date" {
        FormatErrorKind::InvalidDate
    } else {
        FormatErrorKind::Malformed
    };
    if valid {
        Ok(())
    } else {
        Err(FormatError {
            kind,
            message,
            message_sv,
        })
    }
}

/// E-mail addresses are checked by the same rule in an identifier scheme as in a schema.
fn is_email(value: &str) -> bool {
    static EMAIL: OnceLock<Option<Arc<Validator>>> = OnceLock::new();
    EMAIL
        .get_or_init(|| {
            jsonschema::options()
                .should_validate_formats(true)
                .build(&json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "format": "email"}))
                .ok()
                .map(Arc::new)
        })
        .as_ref()
        .is_some_and(|validator| validator.is_valid(&Value::String(value.to_owned())))
}

/// The canonical spelling of a value, for formats that know spellings which no normalisation by characters reaches.
pub(crate) fn canonical(name: &str, value: &str) -> Option<String> {
    match name {
        "se-organisation-number" => OrganisationNumber::parse(value)
            .ok()
            .map(|number| number.expose().to_owned()),
        _ => None,
    }
}
