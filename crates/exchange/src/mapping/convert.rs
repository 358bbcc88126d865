//! From a cell to a value of the kind that the mapping says.
//!
//! Must never guess: what cannot be read exactly is a problem that says what to write.

use chrono::NaiveDate;
use grunddata_model::identifiers::{
    CoordinationNumber, OrganisationNumber, PartialDate, PersonalIdentityNumber, PhoneNumber,
    PostalCode, TemporarySchoolNumber,
};
use grunddata_model::{FormatError, FormatErrorKind};
use serde_json::{Value, json};

use super::number::{decimal, shortest};
use super::value::{DateFormat, date_of_time};
use super::{Context, DecimalSign, Kind, TenDigits, Values};
use crate::code;
use crate::formats::geometry::{self, Crs};
use crate::rows::Cell;

/// What is wrong with a value, before anybody says where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) message_sv: String,
}

impl Fault {
    pub(crate) fn new(
        code: &'static str,
        message: impl Into<String>,
        message_sv: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            message_sv: message_sv.into(),
        }
    }
}

/// A value, and what was put right to get it.
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) value: Value,
    pub(crate) note: Option<Fault>,
}

impl From<Value> for Converted {
    fn from(value: Value) -> Self {
        Self { value, note: None }
    }
}

/// How values are written, and what the load knows.
pub(crate) struct Rules<'r> {
    pub(crate) values: &'r Values,
    pub(crate) dates: &'r [DateFormat],
    pub(crate) times: Option<f64>,
    pub(crate) crs: Crs,
    pub(crate) context: &'r Context,
}

/// Converts a cell that is not blank.
pub(crate) fn convert(cell: &Cell, kind: Kind, rules: &Rules<'_>) -> Result<Converted, Fault> {
    let text = || cell.as_text().map(|text| text.trim().to_owned());
    let checked = |result: Result<String, FormatError>| {
        result
            .map(|value| Converted::from(Value::from(value)))
            .map_err(|error| of_format(&error))
    };
    match kind {
        Kind::Json => Ok(match cell {
            Cell::Json(value) => value.clone(),
            Cell::Boolean(value) => Value::from(*value),
            Cell::Integer(number) => Value::from(*number),
            other => Value::from(other.as_text().unwrap_or_default()),
        }
        .into()),
        Kind::Date => Ok(json!(date(cell, rules)?.to_string()).into()),
        // The caller knows whether ends are inclusive.
        Kind::EndDate => Ok(json!(date(cell, rules)?.to_string()).into()),
        Kind::PartialDate => partial_date(cell, rules),
        Kind::Decimal => number(cell, rules),
        Kind::Integer => integer(cell, rules),
        Kind::Boolean => boolean(cell),
        Kind::PersonalIdentifier => personal(cell, rules),
        Kind::OrganisationNumber => {
            let text = exact_text(cell)?;
            // Some systems write the century 16 before it.
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let bare = match digits.strip_prefix("16") {
                Some(bare) if digits.len() == 12 => bare.to_owned(),
                _ => text,
            };
            checked(OrganisationNumber::parse(&bare).map(|number| number.expose().to_owned()))
        }
        Kind::Phone => {
            let text = exact_text(cell)?;
            checked(PhoneNumber::parse(&text).map(|number| number.expose().to_owned()))
        }
        Kind::PostalCode => {
            let text = exact_text(cell)?;
            checked(PostalCode::parse(&text).map(|number| number.expose().to_owned()))
        }
        Kind::Digits => {
            let text = exact_text(cell)?;
            let digits: String = text
                .chars()
                .filter(|char| !char.is_whitespace() && *char != '-')
                .collect();
            if digits.bytes().all(|byte| byte.is_ascii_digit()) {
                Ok(Value::from(digits).into())
            } else {
                Err(Fault::new(
                    code::WRONG_KIND,
                    "Digits are expected here.",
                    "Här väntas siffror.",
                ))
            }
        }
        Kind::Geometry => Ok(geometry::to_wgs84(&geometry_of(cell)?, rules.crs)?.into()),
        Kind::Coordinates => Ok(geometry::to_sweref(&geometry_of(cell)?, rules.crs)?.into()),
        Kind::Text => match text() {
            Some(text) => Ok(Value::from(text).into()),
            None => Err(Fault::new(
                code::WRONG_KIND,
                "A list or an object stands where a text is expected; use each, or a path into it.",
                "En lista eller ett objekt står där en text väntas; använd each eller en sökväg in i det.",
            )),
        },
    }
}

/// A geometry, or a point as two numbers: northing and easting, latitude and longitude.
fn geometry_of(cell: &Cell) -> Result<Value, Fault> {
    match cell {
        Cell::Json(value) => Ok(value.clone()),
        other => {
            let text = other.as_text().unwrap_or_default();
            let mut numbers = text
                .split([' ', ';'])
                .filter(|part| !part.is_empty())
                .map(|part| {
                    part.trim_end_matches(',')
                        .replace(',', ".")
                        .parse::<f64>()
                        .ok()
                });
            match (
                numbers.next().flatten(),
                numbers.next().flatten(),
                numbers.next(),
            ) {
                (Some(first), Some(second), None) => {
                    Ok(json!({"type": "Point", "coordinates": [second, first]}))
                }
                _ => Err(Fault::new(
                    code::WRONG_KIND,
                    "A geometry of GeoJSON is expected here, or a point as two numbers: northing and easting, or latitude and longitude.",
                    "Här väntas en geometri i GeoJSON, eller en punkt som två tal: nord och öst, eller latitud och longitud.",
                )),
            }
        }
    }
}

fn of_format(error: &FormatError) -> Fault {
    let (message, message_sv) = error.sentences();
    Fault::new(error.code(), message, message_sv)
}

/// A code or number as text: a floating-point number only where it is whole and exact.
fn exact_text(cell: &Cell) -> Result<String, Fault> {
    match cell {
        Cell::Number(_) => cell.exact_integer().ok_or_else(lost),
        other => {
            let text = other.as_text().unwrap_or_default().trim().to_owned();
            if is_scientific(&text) {
                Err(lost())
            } else {
                Ok(text)
            }
        }
    }
}

/// `1,99001E+11`: what a spreadsheet program shows for a long number, and saves to CSV.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let digits = |text: &str, signs: &str| {
        text.chars().any(|char| char.is_ascii_digit())
            && text
                .chars()
                .all(|char| char.is_ascii_digit() || signs.contains(char))
    };
    digits(mantissa, ".,") && digits(exponent, "+") && mantissa.contains(['.', ','])
}

fn lost() -> Fault {
    Fault::new(
        code::NUMBER_LOST,
        "The number was stored as a floating-point number and digits are lost; format the column as text in the source and fill it in again.",
        "Numret är lagrat som ett flyttal och siffror har gått förlorade; formatera kolumnen som text i källan och fyll i den på nytt.",
    )
}

/// The day that a cell holds.
pub(crate) fn date(cell: &Cell, rules: &Rules<'_>) -> Result<NaiveDate, Fault> {
    match cell {
        Cell::Date(date) => return Ok(*date),
        Cell::DateTime(time) => return Ok(time.date()),
        _ => {}
    }
    let text = match cell {
        // `20260101` typed as a number.
        Cell::Number(_) => cell.exact_integer().unwrap_or_default(),
        other => other.as_text().unwrap_or_default().trim().to_owned(),
    };
    for format in rules.dates {
        match format.read(&text) {
            Some(Some(date)) => return Ok(date),
            Some(None) => {
                return Err(Fault::new(
                    "invalid-date",
                    "The date is not in the calendar; compare with the source.",
                    "Datumet finns inte i kalendern; jämför med källan.",
                ));
            }
            None => {}
        }
    }
    date_of_time(&text).ok_or_else(|| {
        Fault::new(
            "invalid-date",
            "The date is written in none of the forms that the mapping allows (dates); write it as YYYY-MM-DD, or add its form to the mapping.",
            "Datumet är inte skrivet i någon av de former som mappningen tillåter (dates); skriv det som ÅÅÅÅ-MM-DD eller lägg till formen i mappningen.",
        )
    })
}

/// A date of which the day or month may be unknown: `1990`, `1990-02`, `19900200`.
fn partial_date(cell: &Cell, rules: &Rules<'_>) -> Result<Converted, Fault> {
    let text = match cell {
        Cell::Number(_) => cell.exact_integer(),
        other => other.as_text().map(|text| text.trim().to_owned()),
    }
    .unwrap_or_default();
    let whole = || {
        let known = match text.len() {
            // Registers write 00 for what is not known.
            8 if text.ends_with("0000") => text.get(..4).map(str::to_owned),
            8 if text.ends_with("00") => Some(format!("{}-{}", text.get(..4)?, text.get(4..6)?)),
            10 if text.ends_with("-00-00") => text.get(..4).map(str::to_owned),
            10 if text.ends_with("-00") => text.get(..7).map(str::to_owned),
            4 | 7 => Some(text.clone()),
            _ => None,
        };
        PartialDate::parse(&known?).ok()
    };
    match whole() {
        Some(date) => Ok(Value::from(date.to_string()).into()),
        None => Ok(Value::from(date(cell, rules)?.to_string()).into()),
    }
}

fn number(cell: &Cell, rules: &Rules<'_>) -> Result<Converted, Fault> {
    let text = match cell {
        Cell::Number(number) => Some(shortest(number * rules.times.unwrap_or(1.0))),
        // Numbers of JSON have points whatever the texts have.
        Cell::Integer(number) => decimal(&number.to_string(), DecimalSign::Point, rules.times),
        other => other
            .as_text()
            .and_then(|text| decimal(&text, rules.values.decimal, rules.times)),
    };
    text.map(|text| Value::from(text).into()).ok_or_else(|| {
        Fault::new(
            code::WRONG_KIND,
            "A number is expected here, such as 75,5.",
            "Här väntas ett tal, till exempel 75,5.",
        )
    })
}

fn integer(cell: &Cell, rules: &Rules<'_>) -> Result<Converted, Fault> {
    let Converted { value, .. } = number(cell, rules)?;
    value
        .as_str()
        .and_then(|text| text.parse::<i64>().ok())
        .map(|number| Value::from(number).into())
        .ok_or_else(|| {
            Fault::new(
                code::WRONG_KIND,
                "A whole number is expected here.",
                "Här väntas ett heltal.",
            )
        })
}

fn boolean(cell: &Cell) -> Result<Converted, Fault> {
    let text = cell.as_text().unwrap_or_default().trim().to_lowercase();
    match text.as_str() {
        "true" | "ja" | "j" | "yes" | "y" | "1" | "x" | "sant" => Ok(Value::from(true).into()),
        "false" | "nej" | "n" | "no" | "0" | "falskt" => Ok(Value::from(false).into()),
        _ => Err(Fault::new(
            code::WRONG_KIND,
            "Yes or no is expected here: ja/nej, true/false, 1/0.",
            "Här väntas ja eller nej: ja/nej, true/false, 1/0.",
        )),
    }
}

/// A personal identity number, coordination number or temporary number, told apart by its form.
fn personal(cell: &Cell, rules: &Rules<'_>) -> Result<Converted, Fault> {
    let (text, repaired) = match cell {
        Cell::Number(_) | Cell::Integer(_) => {
            let digits = exact_text(cell)?;
            // A number loses its zeros: 0001019802 is kept as 1019802. The check digit tells whether they are right.
            let full = if digits.len() < 10 {
                format!("{digits:0>10}")
            } else {
                digits
            };
            (full, matches!(cell, Cell::Number(_)))
        }
        _ => (exact_text(cell)?, false),
    };
    let bare: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    if bare.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return TemporarySchoolNumber::parse(&text)
            .map(|number| identifier("se-temporary-school-number", number.expose()).into())
            .map_err(|error| of_format(&error));
    }
    let reference = rules.context.reference_date;
    let ten = bare.len() == 10;
    if ten && (rules.values.ten_digits == TenDigits::Refuse || reference.is_none()) {
        return Err(Fault::new(
            "invalid-format",
            "The number has no century; write 12 digits, or give the source a reference date by which ten digits are read.",
            "Numret saknar århundrade; skriv 12 siffror, eller ge källan ett referensdatum som tio siffror läses efter.",
        ));
    }
    // The day of a coordination number is 60 or more; its first digit is the fourth from the last four's beginning.
    let coordination = bare
        .len()
        .checked_sub(6)
        .and_then(|at| bare.as_bytes().get(at))
        .is_some_and(|digit| *digit >= b'6');
    let day = reference.unwrap_or(NaiveDate::MIN);
    let (scheme, parsed) = if coordination {
        let parsed = match ten {
            true => CoordinationNumber::parse_at(&text, day),
            false => CoordinationNumber::parse(&text),
        };
        let exposed = parsed.map(|number| number.expose().to_owned());
        ("se-coordination-number", exposed)
    } else {
        let parsed = match ten {
            true => PersonalIdentityNumber::parse_at(&text, day),
            false => PersonalIdentityNumber::parse(&text),
        };
        let exposed = parsed.map(|number| number.expose().to_owned());
        ("se-personal-identity-number", exposed)
    };
    match parsed {
        Ok(value) => Ok(Converted {
            value: identifier(scheme, &value),
            note: repaired.then(|| {
                Fault::new(
                    code::NUMBER_RESTORED,
                    "The number is stored as a floating-point number; its digits could be restored exactly. Format the column as text in the source.",
                    "Numret är lagrat som ett flyttal; siffrorna kunde återställas exakt. Formatera kolumnen som text i källan.",
                )
            }),
        }),
        // Never for a number that has been through a floating-point cell: there the check digit is the only proof.
        Err(error)
            if error.kind == FormatErrorKind::CheckDigit
                && rules.context.tolerate_check_digits
                && bare.len() == 12
                && !repaired =>
        {
            Ok(Converted {
                value: identifier(scheme, &bare),
                note: Some(of_format(&error)),
            })
        }
        Err(error) => Err(of_format(&error)),
    }
}

fn identifier(scheme: &str, value: &str) -> Value {
    json!({"scheme": scheme, "value": value})
}
