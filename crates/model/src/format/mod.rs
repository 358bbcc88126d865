//! The own formats of the information model (`docs/annotations.md`, Formats), each implemented once.
//!
//! [`check`] takes values in their **canonical** form, the one that is stored, and refuses other spellings, so that one
//! number is never stored in two. Spellings are brought to the canonical form before: by the
//! [`Normalisation`](crate::Normalisation) of an identifier scheme, or by the `parse` of the type in
//! [`identifiers`](crate::identifiers).

mod error;
pub(crate) mod text;

pub use error::{FormatError, FormatErrorKind};

use crate::identifiers::{organisation, partial_date, personal, phone, places};

/// A rule on a canonical value.
type Rule = fn(&str) -> Result<(), FormatError>;

/// The names of all own formats.
pub const NAMES: [&str; 24] = [
    "se-personal-identity-number",
    "se-coordination-number",
    "se-temporary-school-number",
    "se-reserve-number",
    "se-organisation-number",
    "se-hsa-id",
    "gln",
    "se-cfar",
    "se-school-unit-code",
    "se-municipality-code",
    "se-county-code",
    "se-deso",
    "se-regso",
    "se-locality-code",
    "se-postal-code",
    "se-property-designation",
    "se-apartment-number",
    "partial-date",
    "e164",
    "bcp47",
    "iso3166-1",
    "decimal",
    "time-of-day",
    "iri",
];

/// The rule of a format.
fn rule(name: &str) -> Option<Rule> {
    Some(match name {
        "se-personal-identity-number" => personal::check_personal_identity_number,
        "se-coordination-number" => personal::check_coordination_number,
        "se-temporary-school-number" => personal::check_temporary_school_number,
        "se-reserve-number" => personal::check_reserve_number,
        "se-organisation-number" => organisation::check_organisation_number,
        "se-hsa-id" => organisation::check_hsa_id,
        "gln" => organisation::check_gln,
        "se-cfar" => organisation::check_cfar,
        "se-school-unit-code" => organisation::check_school_unit_code,
        "se-municipality-code" => places::check_municipality_code,
        "se-county-code" => places::check_county_code,
        "se-deso" => places::check_deso,
        "se-regso" => places::check_regso,
        "se-locality-code" => places::check_locality_code,
        "se-postal-code" => places::check_postal_code,
        "se-property-designation" => places::check_property_designation,
        "se-apartment-number" => places::check_apartment_number,
        "partial-date" => partial_date::check_partial_date,
        "e164" => phone::check_e164,
        "bcp47" => text::check_bcp47,
        "iso3166-1" => text::check_country,
        "decimal" => text::check_decimal,
        "time-of-day" => text::check_time_of_day,
        "iri" => text::check_iri,
        // Standard formats that identifier schemes name too.
        "date" => text::check_date,
        "email" => text::check_email,
        "uuid" => text::check_uuid,
        _ => return None,
    })
}

/// Whether the value has the own format of that name, in its canonical form. Takes the standard formats `date`, `email`
/// and `uuid` as well, since the `check` of an identifier scheme may name them.
///
/// # Errors
/// [`FormatError`] with what is wrong and what to do; [`FormatErrorKind::UnknownFormat`] when there is no such format.
pub fn check(name: &str, value: &str) -> Result<(), FormatError> {
    match rule(name) {
        Some(rule) => rule(value),
        None => Err(FormatError {
            kind: FormatErrorKind::UnknownFormat,
            message: "the information model names a format that does not exist",
            message_sv: "informationsmodellen anger ett format som inte finns",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_rule_and_the_documentation_lists_no_other() {
        for name in NAMES {
            assert!(rule(name).is_some(), "{name}");
            // Whatever is given, a rule answers; nothing is valid that is empty.
            for value in ["", " ", "\0", "å", "🦀🦀🦀🦀", "-", "0", &"9".repeat(300)] {
                let outcome = check(name, value);
                assert!(
                    outcome.is_err() || (!value.trim().is_empty() && value != "\0"),
                    "{name} {value:?}"
                );
            }
        }
        let documentation = std::fs::read_to_string(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/annotations.md"
        ))
        .unwrap();
        let own = documentation.split("Own (implemented once").nth(1).unwrap();
        let own = own
            .split("\n## ")
            .next()
            .unwrap()
            .split_once("):")
            .unwrap()
            .1;
        let mut outside_brackets = String::new();
        let mut depth = 0;
        for char in own.chars() {
            match char {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ if depth == 0 => outside_brackets.push(char),
                _ => {}
            }
        }
        let documented: Vec<&str> = outside_brackets.split('`').skip(1).step_by(2).collect();
        assert!(documented.len() >= 22, "{documented:?}");
        for name in documented {
            assert!(NAMES.contains(&name), "{name}");
        }
        assert_eq!(
            check("no-such-format", "x").unwrap_err().kind,
            FormatErrorKind::UnknownFormat
        );
    }

    /// Format, values that have it, values that do not with the fault.
    #[test]
    fn examples_of_every_format() {
        use FormatErrorKind::{CheckDigit, InvalidDate, Malformed, OutOfRange};
        type Faults = &'static [(&'static str, FormatErrorKind)];
        let cases: &[(&str, &[&str], Faults)] = &[
            (
                "se-personal-identity-number",
                &["189001019802"],
                &[
                    ("18900101-9802", Malformed),
                    ("9001019802", Malformed),
                    ("189001019803", CheckDigit),
                    ("189002309802", InvalidDate),
                    ("191401682396", InvalidDate),
                    ("165560360793", OutOfRange),
                ],
            ),
            (
                "se-coordination-number",
                &["191401682396"],
                &[
                    ("191401682397", CheckDigit),
                    ("189001019802", OutOfRange),
                    ("191413682396", OutOfRange),
                    ("", Malformed),
                ],
            ),
            (
                "se-temporary-school-number",
                &["20130101TF01", "20130101T123"],
                &[("201301011234", Malformed), ("20130101AB12", Malformed)],
            ),
            (
                "se-reserve-number",
                &["991990123456", "19900101AB12"],
                &[("99199012", Malformed), ("å", Malformed)],
            ),
            (
                "se-organisation-number",
                &["2120000142", "5560360793"],
                &[
                    ("556036-0793", Malformed),
                    ("165560360793", Malformed),
                    ("5560360794", CheckDigit),
                    ("5510360793", OutOfRange),
                ],
            ),
            (
                "se-hsa-id",
                &["SE2321000016-1003", "SE2120000142-AB9z"],
                &[
                    ("SE2321000017-1003", CheckDigit),
                    ("SE2321000016", Malformed),
                    ("SE2321000016-å", Malformed),
                ],
            ),
            (
                "gln",
                &["7350000000009", "4006381333931"],
                &[("7350000000007", CheckDigit), ("735", Malformed)],
            ),
            ("se-cfar", &["12345678"], &[("1234567", Malformed)]),
            (
                "se-school-unit-code",
                &["12345678"],
                &[("1234567a", Malformed)],
            ),
            (
                "se-municipality-code",
                &["0114", "2480"],
                &[("9999", OutOfRange), ("114", Malformed)],
            ),
            (
                "se-county-code",
                &["01", "25"],
                &[("00", OutOfRange), ("26", OutOfRange), ("1", Malformed)],
            ),
            (
                "se-deso",
                &["1082A0010", "0114C1010"],
                &[("1082D0010", Malformed), ("9982A0010", OutOfRange)],
            ),
            ("se-regso", &["1082R001"], &[("1082R0010", Malformed)]),
            (
                "se-locality-code",
                &["0114TC101", "T0136"],
                &[("0114XX101", Malformed)],
            ),
            (
                "se-postal-code",
                &["90184"],
                &[("901 84", Malformed), ("01234", OutOfRange)],
            ),
            (
                "se-property-designation",
                &[
                    "UMEÅ STADSLIDEN 6:6",
                    "STOCKHOLM KVARNGÄRDET 12",
                    "VÄNNÄS BRATTBY S:3",
                    "UMEÅ STÖCKE GA:2",
                    "UMEÅ ÖN 1:2>3",
                    "GOTLAND VISBY S:T HANS 1",
                ],
                &[
                    ("1:2", Malformed),
                    ("UMEÅ ÖN", Malformed),
                    ("UMEÅ ÖN 1:", Malformed),
                    ("UMEÅ  ÖN 1", Malformed),
                ],
            ),
            (
                "se-apartment-number",
                &["1001"],
                &[("100", Malformed), ("lgh 1001", Malformed)],
            ),
            (
                "partial-date",
                &["1990", "1990-02", "2000-02-29"],
                &[
                    ("1990-13", InvalidDate),
                    ("1990-02-29", InvalidDate),
                    ("90", Malformed),
                    ("0999", OutOfRange),
                ],
            ),
            (
                "e164",
                &["+46901234567"],
                &[
                    ("0901234567", Malformed),
                    ("+0901234567", Malformed),
                    ("+46", Malformed),
                ],
            ),
            (
                "bcp47",
                &["sv", "sv-SE", "zh-Hant-TW", "fit", "x-own"],
                &[("s", Malformed), ("sv_SE", Malformed)],
            ),
            (
                "iso3166-1",
                &["SE", "stateless", "unknown"],
                &[("se", Malformed), ("SWE", Malformed)],
            ),
            (
                "decimal",
                &["0", "-1.50", "100", "0.00"],
                &[("01", Malformed), ("1,5", Malformed), ("1.", Malformed)],
            ),
            (
                "time-of-day",
                &["00:00", "23:59", "24:00"],
                &[
                    ("24:01", OutOfRange),
                    ("7:00", Malformed),
                    ("12:60", OutOfRange),
                ],
            ),
            (
                "iri",
                &["https://example.se/å", "urn:oid:2.5.4.97", "mailto:a@b.se"],
                &[
                    ("example.se", Malformed),
                    ("http:", Malformed),
                    ("http://a b", Malformed),
                    ("1a:b", Malformed),
                ],
            ),
        ];
        assert_eq!(cases.len(), NAMES.len());
        for (name, good, bad) in cases {
            for value in *good {
                assert_eq!(check(name, value), Ok(()), "{name} {value}");
            }
            for (value, kind) in *bad {
                let error = check(name, value).expect_err(value);
                assert_eq!(error.kind, *kind, "{name} {value}");
                assert!(!error.message.is_empty() && !error.message_sv.is_empty());
            }
        }
    }
}
