//! Codes and designations of areas, properties and addresses. Codes are text: leading zeros count.

use super::identifier;
use crate::checksum::digits;
use crate::{FormatError, Normalisation};

fn trim(text: &str) -> String {
    text.trim().to_owned()
}

fn upper(text: &str) -> String {
    text.trim().to_uppercase()
}

identifier! {
    /// A county code (länskod), 2 digits 01 to 25 (Statistics Sweden; 02, 11, 15 and 16 are no longer used).
    CountyCode, trim, check_county_code
}

identifier! {
    /// A municipality code (kommunkod), 4 digits of which the first two are the county (Statistics Sweden). Whether the
    /// municipality exists is for the code list to say.
    MunicipalityCode, trim, check_municipality_code
}

identifier! {
    /// A demographic statistical area (DeSO): municipality code, `A`, `B` or `C`, 4 digits (`1082A0010`).
    Deso, upper, check_deso
}

identifier! {
    /// A regional statistical area (RegSO): municipality code, `R`, 3 digits (`1082R001`).
    Regso, upper, check_regso
}

identifier! {
    /// A locality (tätort): municipality code, `TC` and 3 digits since 2018, `T` and 4 digits before; smaller
    /// localities (småort) with `SC` and `S`.
    LocalityCode, upper, check_locality_code
}

identifier! {
    /// A Swedish postal code, 5 digits, the first of which is 1 to 9.
    PostalCode, |text| Normalisation::Digits.normalise(text), check_postal_code
}

identifier! {
    /// A property designation (fastighetsbeteckning): municipality, tract or block name, and `[block:]unit` with an
    /// optional part `>n`. Kept with single spaces. It changes over time; the property's UUID does not.
    PropertyDesignation,
    |text| Normalisation::Squeeze.normalise(text),
    check_property_designation
}

identifier! {
    /// An apartment number (lägenhetsnummer), 4 digits: lagen (2006:378) om lägenhetsregister. `lgh` before it is taken
    /// away.
    ApartmentNumber,
    |text| {
        let text = text.trim();
        match text.get(..3) {
            Some(word) if word.eq_ignore_ascii_case("lgh") => text.chars().skip(3).collect::<String>().trim().to_owned(),
            _ => text.to_owned(),
        }
    },
    check_apartment_number
}

impl MunicipalityCode {
    /// The code of the municipality's county.
    #[must_use]
    pub fn county(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }
}

impl PostalCode {
    /// As people write it: `NNN NN`.
    #[must_use]
    pub fn spaced(&self) -> String {
        let (first, last) = self.0.split_at_checked(3).unwrap_or((&self.0, ""));
        format!("{first} {last}")
    }
}

fn in_a_county(tens: u8, ones: u8) -> Result<(), FormatError> {
    if (1..=25).contains(&(tens * 10 + ones)) {
        Ok(())
    } else {
        Err(FormatError::out_of_range(
            "the first two digits are the county, 01 to 25",
            "de två första siffrorna är länet, 01 till 25",
        ))
    }
}

/// Format `se-county-code`.
pub(crate) fn check_county_code(value: &str) -> Result<(), FormatError> {
    let [tens, ones] = digits(value).ok_or(FormatError::malformed(
        "write the county code as 2 digits, with its leading zero",
        "skriv länskoden med 2 siffror, med inledande nolla",
    ))?;
    in_a_county(tens, ones)
}

/// Format `se-municipality-code`.
pub(crate) fn check_municipality_code(value: &str) -> Result<(), FormatError> {
    let [tens, ones, ..] = digits::<4>(value).ok_or(FormatError::malformed(
        "write the municipality code as 4 digits, with its leading zero",
        "skriv kommunkoden med 4 siffror, med inledande nolla",
    ))?;
    in_a_county(tens, ones)
}

/// A municipality code, then what the function accepts.
fn in_a_municipality(
    value: &str,
    malformed: FormatError,
    area: impl Fn(&str) -> bool,
) -> Result<(), FormatError> {
    let (municipality, rest) = value.split_at_checked(4).ok_or(malformed)?;
    let [tens, ones, ..] = digits::<4>(municipality).ok_or(malformed)?;
    if !area(rest) {
        return Err(malformed);
    }
    in_a_county(tens, ones)
}

/// Format `se-deso`.
pub(crate) fn check_deso(value: &str) -> Result<(), FormatError> {
    let malformed = FormatError::malformed(
        "write the DeSO as the municipality code, A, B or C, and 4 digits, such as 1082A0010",
        "skriv DeSO som kommunkod, A, B eller C och 4 siffror, till exempel 1082A0010",
    );
    in_a_municipality(value, malformed, |area| {
        area.strip_prefix(['A', 'B', 'C'])
            .is_some_and(|number| digits::<4>(number).is_some())
    })
}

/// Format `se-regso`.
pub(crate) fn check_regso(value: &str) -> Result<(), FormatError> {
    let malformed = FormatError::malformed(
        "write the RegSO as the municipality code, R and 3 digits, such as 1082R001",
        "skriv RegSO som kommunkod, R och 3 siffror, till exempel 1082R001",
    );
    in_a_municipality(value, malformed, |area| {
        area.strip_prefix('R')
            .is_some_and(|number| digits::<3>(number).is_some())
    })
}

/// Format `se-locality-code`.
pub(crate) fn check_locality_code(value: &str) -> Result<(), FormatError> {
    let older = value.strip_prefix(['T', 'S']);
    if older.is_some_and(|number| digits::<4>(number).is_some()) {
        return Ok(());
    }
    let malformed = FormatError::malformed(
        "write the locality code as the municipality code, TC (or SC) and 3 digits, such as 0114TC101, or before 2018 as T and 4 digits",
        "skriv tätortskoden som kommunkod, TC (eller SC) och 3 siffror, till exempel 0114TC101, eller före 2018 som T och 4 siffror",
    );
    in_a_municipality(value, malformed, |area| {
        ["TC", "SC"].iter().any(|kind| {
            area.strip_prefix(kind)
                .is_some_and(|number| digits::<3>(number).is_some())
        })
    })
}

/// Format `se-postal-code`.
pub(crate) fn check_postal_code(value: &str) -> Result<(), FormatError> {
    let [first, ..] = digits::<5>(value).ok_or(FormatError::malformed(
        "write the postal code as 5 digits without a space",
        "skriv postnumret med 5 siffror utan mellanslag",
    ))?;
    if first == 0 {
        Err(FormatError::out_of_range(
            "the first digit of a Swedish postal code is 1 to 9",
            "första siffran i ett svenskt postnummer är 1 till 9",
        ))
    } else {
        Ok(())
    }
}

/// Format `se-property-designation`.
pub(crate) fn check_property_designation(value: &str) -> Result<(), FormatError> {
    let number = |text: &str| {
        (1..=5).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && !text.starts_with('0')
    };
    // Block: a number, or letters for joint property (S, FS), joint facilities (GA) and the like.
    let block = |text: &str| {
        number(text)
            || ((1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase()))
    };
    let unit = |text: &str| {
        let (whole, part) = text
            .split_once('>')
            .map_or((text, None), |(whole, part)| (whole, Some(part)));
        let valid = match whole.split_once(':') {
            Some((before, after)) => block(before) && number(after),
            None => number(whole),
        };
        valid && part.is_none_or(number)
    };
    let word = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|char| char.is_alphanumeric() || "-.:'´&/()".contains(char))
    };
    let words: Vec<&str> = value.split(' ').collect();
    let valid = match words.as_slice() {
        [names @ .., last] => names.len() >= 2 && names.iter().all(|name| word(name)) && unit(last),
        [] => false,
    };
    if valid && value.len() <= 120 {
        Ok(())
    } else {
        Err(FormatError::malformed(
            "write the property designation as municipality, tract or block name and unit, with single spaces, such as UMEÅ STADSLIDEN 6:6",
            "skriv fastighetsbeteckningen som kommun, trakt eller kvarter och enhet, med enkla mellanslag, till exempel UMEÅ STADSLIDEN 6:6",
        ))
    }
}

/// Format `se-apartment-number`.
pub(crate) fn check_apartment_number(value: &str) -> Result<(), FormatError> {
    digits::<4>(value).map(|_| ()).ok_or(FormatError::malformed(
        "write the apartment number as 4 digits, such as 1001",
        "skriv lägenhetsnumret med 4 siffror, till exempel 1001",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_forms_become_one() {
        assert_eq!(PostalCode::parse("901 84").unwrap().expose(), "90184");
        assert_eq!(PostalCode::parse("90184").unwrap().spaced(), "901 84");
        assert_eq!(MunicipalityCode::parse(" 2480").unwrap().county(), "24");
        assert_eq!(ApartmentNumber::parse("lgh 1001").unwrap().expose(), "1001");
        assert_eq!(Deso::parse("1082a0010").unwrap().expose(), "1082A0010");
        assert_eq!(
            PropertyDesignation::parse("UMEÅ  STADSLIDEN 6:6 ")
                .unwrap()
                .expose(),
            "UMEÅ STADSLIDEN 6:6"
        );
    }
}
