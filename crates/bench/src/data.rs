//! Synthetic records of a realistic size: persons of about a kilobyte with two identifiers and two links, roles and
//! a tree of units. Everything follows from a number, so that two runs write the same records.

use serde_json::{Value, json};
use uuid::Uuid;

/// The day on which every synthetic record begins.
pub(crate) const FROM: &str = "2020-01-01";

/// What a synthetic id names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Person = 1,
    Role = 2,
    Unit = 3,
    Address = 4,
}

/// A UUID v7 shape whose time part rises with the number, as the ids that the registry mints do.
pub(crate) fn id(kind: Kind, number: u64) -> Uuid {
    let time = 1_700_000_000_000_u128 + u128::from(number);
    let tail = (u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15) & 0x3FFF_FFFF_FFFF) << 16
        | kind as u128;
    Uuid::from_u128((time << 80) | (0x7 << 76) | (0b10 << 62) | (tail & ((1 << 62) - 1)))
}

const GIVEN: [&str; 16] = [
    "Anna", "Erik", "Maria", "Lars", "Karin", "Anders", "Åsa", "Östen", "Zahra", "Ali", "Elin",
    "Johan", "Ylva", "Björn", "Sofia", "Mikael",
];
const FAMILY: [&str; 16] = [
    "Andersson",
    "Johansson",
    "Karlsson",
    "Nilsson",
    "Eriksson",
    "Larsson",
    "Åkesson",
    "Öberg",
    "Lindqvist",
    "Berg",
    "Hansson",
    "Sjöström",
    "Nyström",
    "Lund",
    "Wallin",
    "Ekström",
];
const STREET: [&str; 8] = [
    "Storgatan",
    "Kyrkvägen",
    "Ängsvägen",
    "Björkgatan",
    "Skolgatan",
    "Åvägen",
    "Torggatan",
    "Parkvägen",
];

fn pick<'a>(list: &[&'a str], number: u64) -> &'a str {
    let index = usize::try_from(number % list.len() as u64).unwrap_or_default();
    list.get(index).copied().unwrap_or_default()
}

/// A twelve-digit personal identity number with a right check digit. Unique up to 26 million.
pub(crate) fn personal_identity_number(number: u64) -> String {
    let day = number % 26_880;
    let birth_number = (number / 26_880) % 1_000;
    // 75 years of 12 months of 30 days at most: every date exists when the day stays within 28.
    let (year, month, day) = (1930 + day / 336 % 80, 1 + day / 28 % 12, 1 + day % 28);
    let ten = format!("{:02}{month:02}{day:02}{birth_number:03}", year % 100);
    let sum: u32 = ten
        .bytes()
        .enumerate()
        .map(|(index, byte)| {
            let product = u32::from(byte - b'0') * if index % 2 == 0 { 2 } else { 1 };
            product / 10 + product % 10
        })
        .sum();
    format!("{}{ten}{}", year / 100, (10 - sum % 10) % 10)
}

/// A person with two identifiers, a residence and an emergency contact: two links.
pub(crate) fn person(number: u64, addresses: u64) -> Value {
    let (given, family) = (pick(&GIVEN, number), pick(&FAMILY, number / 16));
    let birth = personal_identity_number(number);
    let date = format!(
        "{}-{}-{}",
        birth.get(..4).unwrap_or_default(),
        birth.get(4..6).unwrap_or_default(),
        birth.get(6..8).unwrap_or_default()
    );
    let contact = if number == 0 { 0 } else { number - 1 };
    json!({
        "identifiers": [
            {"scheme": "se-personal-identity-number", "value": birth, "status": "active"},
            {"scheme": "source:population", "value": format!("P{number:08}")}
        ],
        "name": {"given": [given, pick(&GIVEN, number / 7)], "preferredGiven": given, "family": family,
                 "full": format!("{given} {family}")},
        "birthDate": date,
        "sex": if number.is_multiple_of(2) { "female" } else { "male" },
        "registrationStatus": "resident",
        "addresses": [{"kind": "registered", "thoroughfare": pick(&STREET, number / 3),
            "number": (1 + number % 120).to_string(), "postalCode": format!("{}", 10_000 + number % 80_000),
            "locality": "Norrberga", "country": "SE"}],
        "contactPoints": [{"kind": "email", "value": format!("p{number}@example.org"), "use": "private"}],
        "residence": {"id": id(Kind::Address, number % addresses)},
        "relationships": if number == 0 { json!([]) } else {
            json!([{"kind": "emergency-contact", "person": {"id": id(Kind::Person, contact)}}]) }
    })
}

/// An address place that persons live at.
pub(crate) fn address(number: u64) -> Value {
    json!({"name": {"sv": format!("{} {}", pick(&STREET, number), 1 + number / 8)}, "kind": "address-place"})
}

/// A unit of a tree in which every unit has ten children.
pub(crate) fn unit(number: u64) -> Value {
    let mut value = json!({"name": {"sv": format!("Enhet {number}")}, "kind": "unit"});
    if number > 0
        && let Some(members) = value.as_object_mut()
    {
        members.insert(
            "parent".to_owned(),
            json!({"id": id(Kind::Unit, (number - 1) / 10)}),
        );
    }
    value
}

/// A role of one person in one unit.
pub(crate) fn role(number: u64, units: u64) -> Value {
    json!({
        "kind": "employment",
        "person": {"id": id(Kind::Person, number)},
        "organisation": {"id": id(Kind::Unit, number.wrapping_mul(7_919) % units)},
        "employmentForm": "permanent",
        "title": {"sv": "Handläggare", "en": "Case officer"},
        "employmentRate": "100.00"
    })
}
