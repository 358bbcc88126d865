//! Strategies of the shared parts.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;
use uuid::Uuid;

use super::{Fill, with};
use crate::RecordId;
use crate::identifiers::PartialDate;
use crate::parts::{
    Address, AddressKind, Amount, Assurance, Code, ContactPoint, ContactPointKind, Decimal,
    Extensions, Geometry, Identifier, IdentifierKey, IdentifierStatus, LangString, LanguageTag,
    LegalResource, OpeningHours, Position, Quality, Reference, Target, TimeOfDay, Validity,
    Visibility, Weekday,
};

/// One of the texts, as the type that reads them.
pub(super) fn parsed<T>(texts: &[&'static str]) -> BoxedStrategy<T>
where
    T: std::str::FromStr + Clone + std::fmt::Debug + 'static,
{
    let values: Vec<T> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    assert_eq!(values.len(), texts.len(), "every text can be read");
    select(values).boxed()
}

pub(super) fn codes(codes: &[&'static str]) -> Vec<Code> {
    codes
        .iter()
        .filter_map(|code| Code::parse(code).ok())
        .collect()
}

pub(super) fn code(list: &[&'static str]) -> BoxedStrategy<Code> {
    parsed(list)
}

/// Any of a closed list.
pub(super) fn any_of<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> BoxedStrategy<T> {
    select(all).boxed()
}

/// A short text of letters as people and places have them, never blank.
pub(super) fn text() -> BoxedStrategy<String> {
    "[A-Za-zÅÄÖåäöéü0-9][A-Za-zÅÄÖåäöéü0-9 .,-]{0,18}[a-zåäö0-9]".boxed()
}

/// A few characters without spaces.
pub(super) fn short() -> BoxedStrategy<String> {
    "[A-Za-z0-9]{1,5}".boxed()
}

fn days(years: std::ops::Range<i32>) -> BoxedStrategy<NaiveDate> {
    (years, 1..=366u32)
        .prop_filter_map("not every year has a day 366", |(year, day)| {
            NaiveDate::from_yo_opt(year, day)
        })
        .boxed()
}

/// A first day: always before [`until`].
pub(super) fn since() -> BoxedStrategy<NaiveDate> {
    days(1900..2020)
}

/// A first day after.
pub(super) fn until() -> BoxedStrategy<NaiveDate> {
    days(2020..2100)
}

pub(super) fn partial_date() -> BoxedStrategy<PartialDate> {
    (days(1850..2026), 0..3usize)
        .prop_filter_map("each form can be read", |(date, parts)| {
            let text = date.to_string();
            PartialDate::parse(text.get(..[4, 7, 10].get(parts).copied()?)?).ok()
        })
        .boxed()
}

pub(super) fn decimal() -> BoxedStrategy<Decimal> {
    (0..100_000u32, 0..100u32)
        .prop_filter_map("each can be read", |(whole, cents)| {
            Decimal::parse(&format!("{whole}.{cents:02}")).ok()
        })
        .boxed()
}

/// Per cent, with two decimals.
pub(super) fn percent() -> BoxedStrategy<Decimal> {
    (0..100u32, 0..100u32)
        .prop_filter_map("each can be read", |(whole, cents)| {
            Decimal::parse(&format!("{whole}.{cents:02}")).ok()
        })
        .boxed()
}

pub(super) fn lang_string() -> BoxedStrategy<LangString> {
    proptest::collection::btree_map(
        select(vec!["sv", "en", "fi", "sv-FI"]).prop_map(str::to_owned),
        text(),
        1..3,
    )
    .prop_map(LangString)
    .boxed()
}

pub(super) const LANGUAGES: [&str; 4] = ["sv", "en", "se", "fit"];

pub(super) fn languages(fill: Fill) -> BoxedStrategy<Vec<LanguageTag>> {
    fill.some_of(
        LANGUAGES
            .iter()
            .filter_map(|tag| LanguageTag::parse(tag).ok())
            .collect(),
    )
}

pub(super) fn url() -> BoxedStrategy<String> {
    "https://[a-z]{1,10}\\.se/[a-z0-9]{0,8}".boxed()
}

fn key() -> BoxedStrategy<IdentifierKey> {
    let known = select(vec![
        ("se-organisation-number", "2120000142"),
        ("se-municipality-code", "2480"),
    ]);
    let known =
        known.prop_map(|(scheme, value)| IdentifierKey::new(scheme.to_owned(), value.to_owned()));
    let own = "[A-Z0-9]{1,12}".prop_map(|value| IdentifierKey::new("source:hr".to_owned(), value));
    prop_oneof![known, own].boxed()
}

pub(super) fn reference(fill: Fill) -> BoxedStrategy<Reference> {
    let target = prop_oneof![
        any::<u128>().prop_map(|bits| Target::Id(RecordId(Uuid::from_u128(bits)))),
        key().prop_map(Target::Identifier),
    ];
    with! { target.prop_map(|target| Reference { target, display: None }); display: fill.option(text()) }
}

/// An identifier of one of the given schemes with values, or a source's key.
pub(super) fn identifier(
    fill: Fill,
    known: &[(&'static str, &'static str)],
) -> BoxedStrategy<Identifier> {
    let known = select(known.to_vec()).prop_map(|(scheme, value)| Identifier::new(scheme, value));
    let own = "[A-Z0-9]{1,12}".prop_map(|value| Identifier::new("source:hr", value));
    with! {
        prop_oneof![known, own];
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
        status: fill.option(any_of(IdentifierStatus::ALL)),
        replaced_by: fill.option("[A-Z0-9]{1,9}".prop_map(|value| IdentifierKey::new("source:hr".to_owned(), value))),
        issuer: fill.option(select(vec!["se-2480".to_owned(), "se-0180".to_owned()])),
        assurance: fill.option(any_of(Assurance::ALL)),
    }
}

pub(super) fn opening_hours(fill: Fill) -> BoxedStrategy<OpeningHours> {
    with! {
        Just(OpeningHours::new());
        opens: fill.option(parsed::<TimeOfDay>(&["07:30", "08:00"])),
        closes: fill.option(parsed::<TimeOfDay>(&["16:00", "24:00"])),
        closed: fill.option(any::<bool>()),
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
        note: fill.option(lang_string()),
        days: fill.some_of(Weekday::ALL.to_vec()),
    }
}

pub(super) fn contact_point(fill: Fill) -> BoxedStrategy<ContactPoint> {
    let kinds = select(vec![
        (ContactPointKind::Email, "kommunen@example.se"),
        (ContactPointKind::Phone, "+46901234567"),
        (ContactPointKind::Web, "https://example.se/"),
    ]);
    with! {
        kinds.prop_map(|(kind, value)| ContactPoint::new(kind, value.to_owned()));
        usage: fill.option(code(&["work", "public"])),
        visibility: fill.option(any_of(Visibility::ALL)),
        label: fill.option(lang_string()),
        opening_hours: fill.list(opening_hours(fill)),
    }
}

/// An address with a kind, as persons and organisations must have it.
pub(super) fn address(fill: Fill) -> BoxedStrategy<Address> {
    with! {
        Just(Address::new());
        kind: any_of(AddressKind::ALL).prop_map(Some),
        care_of: fill.option(text()),
        thoroughfare: fill.option(text()),
        number: fill.option(short()),
        letter: fill.option("[A-H]"),
        apartment_number: fill.option(parsed(&["1001", "1102"])),
        property_designation: fill.option(parsed(&["UMEÅ STADSLIDEN 6:6", "VÄNNÄS BRATTBY S:3"])),
        po_box: fill.option(short()),
        postal_code: fill.option(parsed(&["90184", "11122"])),
        locality: fill.option(text()),
        country: fill.option(code(&["SE", "FI"])),
        municipality_code: fill.option(parsed(&["2480", "0180"])),
        geography: fill.option(reference(fill)),
        lines: fill.list(text()),
    }
}

fn position() -> BoxedStrategy<Position> {
    (
        10.0..25.0f64,
        55.0..69.0f64,
        proptest::option::of(0.0..2000.0f64),
    )
        .prop_map(|(longitude, latitude, height)| Position {
            longitude,
            latitude,
            height,
        })
        .boxed()
}

/// A closed triangle.
fn ring() -> BoxedStrategy<Vec<Position>> {
    (position(), 0.01..1.0f64)
        .prop_map(|(corner, side)| {
            let east = Position {
                longitude: corner.longitude + side,
                ..corner
            };
            let north = Position {
                latitude: corner.latitude + side,
                ..corner
            };
            vec![corner, east, north, corner]
        })
        .boxed()
}

pub(super) fn geometry() -> BoxedStrategy<Geometry> {
    let line = || proptest::collection::vec(position(), 2..5);
    prop_oneof![
        position().prop_map(Geometry::Point),
        line().prop_map(Geometry::MultiPoint),
        line().prop_map(Geometry::LineString),
        proptest::collection::vec(line(), 1..3).prop_map(Geometry::MultiLineString),
        ring().prop_map(|ring| Geometry::Polygon(vec![ring])),
        proptest::collection::vec(ring().prop_map(|ring| vec![ring]), 1..3)
            .prop_map(Geometry::MultiPolygon),
    ]
    .boxed()
}

pub(super) fn quality(fill: Fill) -> BoxedStrategy<Quality> {
    with! {
        Just(Quality::new());
        verified_at: fill.option(since()),
        under_investigation: fill.some_of(vec!["/name".to_owned(), "/identifiers/0".to_owned()]),
    }
}

/// Always empty: what an extension may hold is for its package to say.
pub(super) fn extensions() -> BoxedStrategy<Extensions> {
    Just(BTreeMap::new()).boxed()
}

/// At least one bound.
pub(super) fn validity(fill: Fill) -> BoxedStrategy<Validity> {
    with! {
        Just(Validity::new());
        valid_from: since().prop_map(Some),
        valid_to: fill.option(until()),
    }
}

pub(super) fn amount(fill: Fill) -> BoxedStrategy<Amount> {
    with! { decimal().prop_map(Amount::new); currency: fill.option("(SEK|EUR)") }
}

pub(super) fn legal_resource(fill: Fill) -> BoxedStrategy<LegalResource> {
    with! {
        lang_string().prop_map(LegalResource::new);
        reference: fill.option("(19|20)[0-9]{2}:[1-9][0-9]{0,3}"),
        provision: fill.option(text()),
        url: fill.option(url()),
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
    }
}
