//! Strategies of the five domains.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

use super::parts::{
    address, amount, any_of, code, codes, contact_point, decimal, extensions, geometry, identifier,
    lang_string, languages, legal_resource, opening_hours, parsed, partial_date, percent, quality,
    reference, short, since, text, until, url, validity,
};
use super::{Fill, with};
use crate::geography::{Coordinates, Geography, GeographySuccession, Holder};
use crate::organisation::{Activity, Affiliation, Organisation, OrganisationSuccession};
use crate::parts::{
    AffiliationKind, AttestationKind, AvailabilityState, ChannelKind, HolderKind, ProtectionLevel,
    ProtectionSource, RegistrationStatus, RelationshipKind, RoleKind, ServiceKind, ServiceStatus,
    Sex, SuccessionKind,
};
use crate::person::{FormerName, Person, PersonName, Protection, Relationship};
use crate::role::{
    Allocation, Attestation, AttestationLimit, Availability, CodingRange, Delegation, Role, Seat,
};
use crate::service::{Channel, Cost, Document, Service};

/// Persons. Their numbers are from the Swedish Tax Agency's list of test numbers.
pub fn person(fill: Fill) -> BoxedStrategy<Person> {
    let identifiers = identifier(
        fill,
        &[
            ("se-personal-identity-number", "189001019802"),
            ("se-personal-identity-number", "189001029819"),
            ("se-coordination-number", "191401682396"),
        ],
    );
    with! {
        person_name(fill).prop_map(Person::new);
        identifiers: fill.list(identifiers),
        former_names: fill.list(former_name(fill)),
        birth_date: fill.option(partial_date()),
        death_date: fill.option(partial_date()),
        sex: fill.option(any_of(Sex::ALL)),
        citizenships: fill.some_of(codes(&["SE", "FI", "NO", "stateless"])),
        registration_status: fill.option(any_of(RegistrationStatus::ALL)),
        registration_status_from: fill.option(since()),
        preferred_languages: languages(fill),
        protection: fill.option(protection(fill)),
        addresses: fill.list(address(fill)),
        contact_points: fill.list(contact_point(fill)),
        residence: fill.option(reference(fill)),
        relationships: fill.list(relationship(fill)),
        quality: fill.option(quality(fill)),
        extensions: extensions(),
    }
}

fn person_name(fill: Fill) -> BoxedStrategy<PersonName> {
    with! {
        Just(PersonName::new());
        family: text().prop_map(Some),
        given: fill.list(text()),
        preferred_given: fill.option(text()),
        middle: fill.option(text()),
        full: fill.option(text()),
        notification_name: fill.option(text()),
    }
}

fn former_name(fill: Fill) -> BoxedStrategy<FormerName> {
    with! {
        Just(FormerName::new());
        full: text().prop_map(Some),
        given: fill.list(text()),
        middle: fill.option(text()),
        family: fill.option(text()),
        until: fill.option(partial_date()),
    }
}

fn protection(fill: Fill) -> BoxedStrategy<Protection> {
    with! {
        any_of(ProtectionLevel::ALL).prop_map(Protection::new);
        source: fill.option(any_of(ProtectionSource::ALL)),
        from: fill.option(since()),
    }
}

fn relationship(fill: Fill) -> BoxedStrategy<Relationship> {
    with! {
        (any_of(RelationshipKind::ALL), reference(fill)).prop_map(|(kind, person)| Relationship::new(kind, person));
        scope: fill.option(text()),
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
    }
}

/// Roles.
pub fn role(fill: Fill) -> BoxedStrategy<Role> {
    with! {
        (reference(fill), any_of(RoleKind::ALL)).prop_map(|(organisation, kind)| Role::new(organisation, kind));
        identifiers: fill.list(identifier(fill, &[("employee-number", "12345")])),
        person: fill.option(reference(fill)),
        employer: fill.option(reference(fill)),
        based_on: fill.option(reference(fill)),
        employment_form: fill.option(code(&["permanent", "substitute"])),
        position: fill.option(text()),
        function: fill.option(code(&["head", "principal", "207008"])),
        title: fill.option(lang_string()),
        employment_rate: fill.option(percent()),
        availability: fill.option(availability(fill)),
        substitutes_for: fill.option(reference(fill)),
        primary: fill.option(any::<bool>()),
        workplace: fill.option(reference(fill)),
        allocations: fill.list(allocation(fill)),
        services: fill.list(reference(fill)),
        reports_to: fill.option(reference(fill)),
        contact_points: fill.list(contact_point(fill)),
        term_of_office: fill.option(validity(fill)),
        elected_by: fill.option(reference(fill)),
        seat: fill.option(seat(fill)),
        political_group: fill.option(code(&["s", "m", "bygdens-lista"])),
        remunerated: fill.option(any::<bool>()),
        delegations: fill.list(delegation(fill)),
        attestations: fill.list(attestation(fill)),
        quality: fill.option(quality(fill)),
        extensions: extensions(),
    }
}

fn availability(fill: Fill) -> BoxedStrategy<Availability> {
    with! { any_of(AvailabilityState::ALL).prop_map(Availability::new); rate: fill.option(percent()) }
}

fn allocation(fill: Fill) -> BoxedStrategy<Allocation> {
    with! {
        percent().prop_map(Allocation::new);
        organisation: fill.option(reference(fill)),
        cost_centre: fill.option(short()),
    }
}

fn seat(fill: Fill) -> BoxedStrategy<Seat> {
    with! { code(&["chair", "member", "substitute"]).prop_map(Seat::new); order: fill.option(1..=999u16) }
}

fn delegation(fill: Fill) -> BoxedStrategy<Delegation> {
    with! {
        code(&["procurement", "personnel"]).prop_map(Delegation::new);
        item: fill.option(short()),
        decision_reference: fill.option(text()),
        delegated_by: fill.option(reference(fill)),
        may_sub_delegate: fill.option(any::<bool>()),
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
    }
}

fn attestation(fill: Fill) -> BoxedStrategy<Attestation> {
    let range = with! {
        (short(), short()).prop_map(|(dimension, from)| CodingRange::new(dimension, from));
        to: fill.option(short()),
    };
    let limit = (decimal(), code(&["sek", "price-base-amount"]));
    with! {
        any_of(AttestationKind::ALL).prop_map(Attestation::new);
        coding_scope: fill.list(range),
        limit: fill.option(limit.prop_map(|(value, unit)| AttestationLimit::new(value, unit))),
        substitutes: fill.list(reference(fill)),
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
    }
}

/// Organisations.
pub fn organisation(fill: Fill) -> BoxedStrategy<Organisation> {
    let kind = code(&[
        "municipality",
        "committee",
        "administration",
        "unit",
        "school-unit",
        "company",
    ]);
    let identifiers = identifier(
        fill,
        &[
            ("se-organisation-number", "2120000142"),
            ("gln", "7350000000009"),
        ],
    );
    with! {
        (lang_string(), kind).prop_map(|(name, kind)| Organisation::new(name, kind));
        identifiers: fill.list(identifiers),
        alternative_names: fill.list(lang_string()),
        is_legal_entity: fill.option(any::<bool>()),
        legal_form: fill.option(code(&["82", "49"])),
        parent: fill.option(reference(fill)),
        affiliations: fill.list(affiliation(fill)),
        legal_entity: fill.option(reference(fill)),
        succeeds: fill.list(organisation_succession(fill)),
        seat: fill.option(reference(fill)),
        sites: fill.list(reference(fill)),
        responsibility_areas: fill.list(reference(fill)),
        cost_centre: fill.option(short()),
        activity_code: fill.option(short()),
        addresses: fill.list(address(fill)),
        contact_points: fill.list(contact_point(fill)),
        activities: fill.list(activity(fill)),
        purpose: fill.option(lang_string()),
        legal_basis: fill.list(legal_resource(fill)),
        opening_hours: fill.list(opening_hours(fill)),
        quality: fill.option(quality(fill)),
        extensions: extensions(),
    }
}

fn affiliation(fill: Fill) -> BoxedStrategy<Affiliation> {
    let start = (any_of(AffiliationKind::ALL), reference(fill));
    with! {
        start.prop_map(|(kind, organisation)| Affiliation::new(kind, organisation));
        share: fill.option(percent()),
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
    }
}

fn organisation_succession(fill: Fill) -> BoxedStrategy<OrganisationSuccession> {
    with! { reference(fill).prop_map(OrganisationSuccession::new); kind: fill.option(any_of(SuccessionKind::ALL)) }
}

fn activity(fill: Fill) -> BoxedStrategy<Activity> {
    with! {
        code(&["01", "A", "84111"]).prop_map(Activity::new);
        system: fill.option(code(&["sni2007"])),
        primary: fill.option(any::<bool>()),
    }
}

/// Geographies.
pub fn geography(fill: Fill) -> BoxedStrategy<Geography> {
    let kind = code(&[
        "municipality",
        "property",
        "address-place",
        "building",
        "locality",
    ]);
    let identifiers = identifier(
        fill,
        &[("se-municipality-code", "2480"), ("se-deso", "2480A0010")],
    );
    with! {
        (lang_string(), kind).prop_map(|(name, kind)| Geography::new(name, kind));
        identifiers: fill.list(identifiers),
        within: fill.list(reference(fill)),
        overlaps: fill.list(reference(fill)),
        address: fill.option(address(fill)),
        geometry: fill.option(geometry()),
        coordinates: fill.option(coordinates(fill)),
        holders: fill.list(holder(fill)),
        succeeds: fill.list(geography_succession(fill)),
        quality: fill.option(quality(fill)),
        extensions: extensions(),
    }
}

fn coordinates(fill: Fill) -> BoxedStrategy<Coordinates> {
    with! {
        (decimal(), decimal()).prop_map(|(northing, easting)| Coordinates::new(northing, easting));
        height: fill.option(decimal()),
        accuracy: fill.option(decimal()),
    }
}

fn holder(fill: Fill) -> BoxedStrategy<Holder> {
    with! {
        (any_of(HolderKind::ALL), reference(fill)).prop_map(|(kind, holder)| Holder::new(kind, holder));
        share: fill.option(percent()),
        valid_from: fill.option(since()),
        valid_to: fill.option(until()),
    }
}

fn geography_succession(fill: Fill) -> BoxedStrategy<GeographySuccession> {
    with! { reference(fill).prop_map(GeographySuccession::new); kind: fill.option(any_of(SuccessionKind::ALL)) }
}

/// Services.
pub fn service(fill: Fill) -> BoxedStrategy<Service> {
    let start = (lang_string(), any_of(ServiceKind::ALL), reference(fill));
    with! {
        start.prop_map(|(name, kind, authority)| Service::new(name, kind, authority));
        identifiers: fill.list(identifier(fill, &[("source:services", "17")])),
        description: fill.option(lang_string()),
        status: fill.option(any_of(ServiceStatus::ALL)),
        delivered_by: fill.list(reference(fill)),
        responsible_role: fill.option(reference(fill)),
        coverage: fill.list(reference(fill)),
        delivery_places: fill.list(reference(fill)),
        channels: fill.list(channel(fill)),
        audiences: fill.some_of(codes(&["residents", "children", "businesses"])),
        life_events: fill.some_of(codes(&["birth", "moving"])),
        business_events: fill.some_of(codes(&["starting-business", "hiring-staff"])),
        themes: fill.some_of(codes(&["education", "health"])),
        process: fill.option(code(&["education", "elections"])),
        languages: languages(fill),
        inputs: fill.list(document(fill)),
        outputs: fill.list(document(fill)),
        costs: fill.list(cost(fill)),
        price: fill.option(amount(fill)),
        unit: fill.option(lang_string()),
        service_level: fill.option(lang_string()),
        customers: fill.list(reference(fill)),
        processing_time: fill.option(select(vec!["P10D".to_owned(), "PT2H".to_owned()])),
        legal_resources: fill.list(legal_resource(fill)),
        requires: fill.list(reference(fill)),
        related: fill.list(reference(fill)),
        quality: fill.option(quality(fill)),
        extensions: extensions(),
    }
}

fn channel(fill: Fill) -> BoxedStrategy<Channel> {
    with! {
        (short(), any_of(ChannelKind::ALL)).prop_map(|(id, kind)| Channel::new(id, kind));
        url: fill.option(url()),
        number: fill.option(parsed(&["+46901234567"])),
        email: fill.option("[a-z]{1,9}@example\\.se"),
        platform: fill.option(text()),
        authentication_methods: fill.some_of(codes(&["e-identification", "none"])),
        authentication_level: fill.option(code(&["loa2", "loa3"])),
        signing: fill.option(any::<bool>()),
        place: fill.option(reference(fill)),
        opening_hours: fill.list(opening_hours(fill)),
    }
}

fn document(fill: Fill) -> BoxedStrategy<Document> {
    with! {
        lang_string().prop_map(Document::new);
        description: fill.option(lang_string()),
        identifier: fill.option(short()),
        url: fill.option(url()),
    }
}

fn cost(fill: Fill) -> BoxedStrategy<Cost> {
    with! {
        decimal().prop_map(Cost::new);
        currency: fill.option("(SEK|EUR)"),
        description: fill.option(lang_string()),
        channel: fill.option(short()),
    }
}
