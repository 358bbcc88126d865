//! Numbers of organisations and their parts.

use super::identifier;
use crate::checksum::{digits, gs1, luhn};
use crate::{FormatError, Normalisation};

fn strip_separators(text: &str) -> String {
    Normalisation::Digits.normalise(text)
}

identifier! {
    /// An organisation number (organisationsnummer), 10 digits: lagen (1974:174) om identitetsbeteckning för juridiska
    /// personer m.fl. The third digit is 2 or more, Luhn. The form with a hyphen and the 12-digit form with the prefix
    /// 16 are taken. A sole trader's number is the owner's personal identity number and belongs there.
    OrganisationNumber,
    |text| {
        let stripped = strip_separators(text);
        match stripped.strip_prefix("16") {
            Some(ten) if ten.len() == 10 => ten.to_owned(),
            _ => stripped,
        }
    },
    check_organisation_number
}

identifier! {
    /// An HSA-id, `SE` + organisation number + `-` + letters and digits, at most 31 characters (HSA, Inera). Kept in
    /// upper case.
    HsaId, |text| text.trim().to_uppercase(), check_hsa_id
}

identifier! {
    /// A GLN (Global Location Number), 13 digits with the GS1 check digit.
    Gln, strip_separators, check_gln
}

identifier! {
    /// The number of a local unit (arbetsställenummer, CFAR) at Statistics Sweden, 8 digits.
    CfarNumber, strip_separators, check_cfar
}

identifier! {
    /// The code of a school unit (skolenhetskod) at the National Agency for Education, 8 digits.
    SchoolUnitCode, strip_separators, check_school_unit_code
}

impl OrganisationNumber {
    /// As people write it: `NNNNNN-NNNN`.
    #[must_use]
    pub fn hyphenated(&self) -> String {
        let (first, last) = self.0.split_at_checked(6).unwrap_or((&self.0, ""));
        format!("{first}-{last}")
    }

    /// The form of 12 digits, with the prefix 16.
    #[must_use]
    pub fn twelve_digits(&self) -> String {
        format!("16{}", self.0)
    }
}

fn organisation_digits(digits: [u8; 10]) -> Result<(), FormatError> {
    let [_, _, third, ..] = digits;
    if third < 2 {
        return Err(FormatError::out_of_range(
            "the third digit of an organisation number is 2 or more: a sole trader has a personal identity number",
            "tredje siffran i ett organisationsnummer är 2 eller mer: en enskild firma har ett personnummer",
        ));
    }
    if luhn(&digits) {
        Ok(())
    } else {
        Err(FormatError::check_digit(
            "the check digit does not fit: a digit is probably mistyped, compare with the source",
            "kontrollsiffran stämmer inte: troligen är en siffra felskriven, jämför med källan",
        ))
    }
}

/// Format `se-organisation-number`.
pub(crate) fn check_organisation_number(value: &str) -> Result<(), FormatError> {
    organisation_digits(digits(value).ok_or(FormatError::malformed(
        "write the organisation number as 10 digits, without the prefix 16",
        "skriv organisationsnumret med 10 siffror, utan inledande 16",
    ))?)
}

/// Format `se-hsa-id`.
pub(crate) fn check_hsa_id(value: &str) -> Result<(), FormatError> {
    let malformed = FormatError::malformed(
        "write the HSA-id as SE, the 10 digits of the organisation number, a hyphen and letters a-z or digits, at most 31 characters",
        "skriv HSA-id som SE, organisationsnumrets 10 siffror, bindestreck och bokstäver a-z eller siffror, högst 31 tecken",
    );
    let (number, unit) = value
        .strip_prefix("SE")
        .and_then(|rest| rest.split_once('-'))
        .ok_or(malformed)?;
    let valid_unit = !unit.is_empty() && unit.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !valid_unit || value.len() > 31 {
        return Err(malformed);
    }
    organisation_digits(digits(number).ok_or(malformed)?)
}

/// Format `gln`.
pub(crate) fn check_gln(value: &str) -> Result<(), FormatError> {
    let digits: [u8; 13] = digits(value).ok_or(FormatError::malformed(
        "write the GLN as 13 digits",
        "skriv GLN med 13 siffror",
    ))?;
    if gs1(&digits) {
        Ok(())
    } else {
        Err(FormatError::check_digit(
            "the check digit of the GLN does not fit: compare with the source",
            "kontrollsiffran i GLN stämmer inte: jämför med källan",
        ))
    }
}

fn eight_digits(value: &str, malformed: FormatError) -> Result<(), FormatError> {
    digits::<8>(value).map(|_| ()).ok_or(malformed)
}

/// Format `se-cfar`.
pub(crate) fn check_cfar(value: &str) -> Result<(), FormatError> {
    let malformed = FormatError::malformed(
        "write the local unit's CFAR number as 8 digits",
        "skriv arbetsställets CFAR-nummer med 8 siffror",
    );
    eight_digits(value, malformed)
}

/// Format `se-school-unit-code`.
pub(crate) fn check_school_unit_code(value: &str) -> Result<(), FormatError> {
    let malformed = FormatError::malformed(
        "write the school unit code as 8 digits",
        "skriv skolenhetskoden med 8 siffror",
    );
    eight_digits(value, malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn written_forms_become_one() {
        for text in [
            "5560360793",
            "556036-0793",
            "165560360793",
            "16 556036-0793",
            " 556036–0793 ",
        ] {
            let number = OrganisationNumber::parse(text).unwrap();
            assert_eq!(number.expose(), "5560360793");
            assert_eq!(number.hyphenated(), "556036-0793");
            assert_eq!(number.twelve_digits(), "165560360793");
            assert_eq!(number.to_string(), "5560360793");
        }
        // Ten digits that happen to begin with 16 are kept.
        assert_eq!(
            OrganisationNumber::parse("16").unwrap_err().code(),
            "invalid-format"
        );
        assert_eq!(
            HsaId::parse("se2321000016-a1b2").unwrap().expose(),
            "SE2321000016-A1B2"
        );
    }

    proptest! {
        #[test]
        fn exactly_one_check_digit_fits(first in 100u64..1000, rest in 0u64..1_000_000) {
            let nine = format!("{first}{rest:06}");
            let fitting = (0..10).filter(|digit| check_organisation_number(&format!("{nine}{digit}")).is_ok()).count();
            prop_assert_eq!(fitting, usize::from(first % 10 >= 2));
        }

        #[test]
        fn a_mistyped_gln_is_refused(twelve in "[0-9]{12}", place in 0usize..13, other in 1u8..10) {
            let gln = (0..10).map(|digit| format!("{twelve}{digit}")).find(|gln| check_gln(gln).is_ok()).unwrap();
            let mut bytes = gln.into_bytes();
            bytes[place] = (bytes[place] - b'0' + other) % 10 + b'0';
            prop_assert!(check_gln(std::str::from_utf8(&bytes).unwrap()).is_err());
        }
    }
}
