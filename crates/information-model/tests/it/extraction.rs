//! What is taken out of the data: identifiers, links, index entries, classes, display name, geometries.

use grunddata_information_model::{IndexMode, Resolved, fold};
use grunddata_model::Domain;
use serde_json::{Value, json};

use crate::MODEL;

fn resolved(domain: Domain, data: Value) -> Resolved {
    let validated = MODEL.validate(domain, None, data).unwrap();
    validated
        .resolve(&mut |_| "01990c3e-0000-7000-8000-0000000000ff".parse().ok())
        .unwrap()
}

fn entries(resolved: &Resolved) -> Vec<String> {
    resolved
        .entries()
        .iter()
        .map(|entry| format!("{} {:?} {}", entry.property, entry.mode, entry.value))
        .collect()
}

#[test]
fn a_person() {
    let person = resolved(
        Domain::Person,
        json!({
            "identifiers": [
                {"scheme": "se-personal-identity-number", "value": "18900101-9802", "validFrom": "1990-01-01", "status": "active"},
                {"scheme": "source:hr", "value": " P-1 "},
                {"scheme": "source:hr", "value": "P-1"}
            ],
            "name": {"given": ["Åsa", "Anna-Lena"], "preferredGiven": "Åsa", "family": "Öberg  Müller"},
            "birthDate": "1990-01",
            "registrationStatus": "resident",
            "protection": {"level": "confidentiality-marking"},
            "addresses": [{"kind": "registered", "postalCode": "90184", "locality": "Umeå", "municipalityCode": "2480"}],
            "relationships": [
                {"kind": "custodian", "person": {"id": "01990c3e-0000-7000-8000-000000000001"}},
                {"kind": "custodian", "person": {"id": "01990c3e-0000-7000-8000-000000000001"}}
            ]
        }),
    );
    assert_eq!(person.display(), Some("Åsa Öberg  Müller"));
    assert_eq!(person.kind(), None);
    assert_eq!(person.protection(), 2);
    assert_eq!(person.model(), "grunddata/1.0.0");
    let identifiers: Vec<_> = person
        .identifiers()
        .iter()
        .map(|identifier| {
            (
                identifier.scheme.as_str(),
                identifier.value.as_str(),
                identifier.valid_from,
                identifier.status.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        identifiers,
        [
            (
                "se-personal-identity-number",
                "189001019802",
                "1990-01-01".parse().ok(),
                Some("active")
            ),
            ("source:hr", "P-1", None, None),
        ]
    );
    assert_eq!(person.links().len(), 1);
    assert_eq!(&*person.links()[0].relation, "relationship.custodian");
    assert_eq!(
        entries(&person),
        [
            "addresses.locality Folded umeå",
            "addresses.municipalityCode Exact 2480",
            "addresses.postalCode Exact 90184",
            "birthDate Date 1990-01-01",
            "name.family Folded öberg muller",
            "name.family Word muller",
            "name.family Word öberg",
            "name.given Folded anna-lena",
            "name.given Folded åsa",
            "name.given Word anna",
            "name.given Word lena",
            "name.given Word åsa",
            "registrationStatus Exact resident",
        ]
    );
    // Personal, and protected because of the protection itself; the custodian is personal by the row of its code.
    assert_eq!(person.classes(), 4 | 8);
}

#[test]
fn classes_count_only_what_is_there() {
    let mut data = json!({"name": {"sv": "Skola"}, "kind": "school-unit"});
    assert_eq!(resolved(Domain::Organisation, data.clone()).classes(), 1);
    data["identifiers"] = json!([{"scheme": "se-organisation-number", "value": "16212000-0142"}]);
    let public = resolved(Domain::Organisation, data.clone());
    assert_eq!(public.classes(), 1);
    assert_eq!(public.identifiers()[0].value, "2120000142");
    // The scheme of an identifier may be stricter than the property that holds it.
    data["identifiers"] = json!([{"scheme": "source:hr", "value": "1"}]);
    assert_eq!(
        resolved(Domain::Organisation, data.clone()).classes(),
        1 | 2
    );
    data["quality"] = json!({"verifiedAt": "2026-01-01"});
    data["identifiers"] = json!([{"scheme": "email", "value": "A@B.se"}]);
    assert_eq!(resolved(Domain::Organisation, data).classes(), 1 | 2 | 4);

    let relationship = |kind: &str| {
        let person = json!({"id": "01990c3e-0000-7000-8000-000000000001"});
        let data =
            json!({"name": {"full": "A"}, "relationships": [{"kind": kind, "person": person}]});
        resolved(Domain::Person, data).classes()
    };
    assert_eq!(relationship("custodian"), 4);
    assert_eq!(relationship("god-man"), 4 | 8);
}

#[test]
fn a_language_string_is_one_property_and_codes_are_shown_by_their_label() {
    let organisation = resolved(
        Domain::Organisation,
        json!({"name": {"en": "The School", "sv": "Älvskolan"}, "kind": "school-unit", "isLegalEntity": false}),
    );
    assert_eq!(organisation.display(), Some("Älvskolan"));
    assert_eq!(organisation.kind(), Some("school-unit"));
    let folded = fold("Älvskolan");
    assert_eq!(
        entries(&organisation),
        [
            "isLegalEntity Exact false".to_owned(),
            "kind Exact school-unit".to_owned(),
            "name Folded the school".to_owned(),
            format!("name Folded {folded}"),
            "name Word school".to_owned(),
            "name Word the".to_owned(),
            format!("name Word {folded}"),
        ]
    );
    let role = resolved(
        Domain::Role,
        json!({"kind": "employment", "organisation": {"id": "temp:x"}, "employmentRate": "75.5"}),
    );
    let label = &MODEL
        .code_list("role-kind")
        .unwrap()
        .get("employment")
        .unwrap()
        .label
        .sv;
    assert_eq!(role.display(), Some(label.as_str()));
    assert!(entries(&role).contains(&"employmentRate Number 10275.5".to_owned()));
    let long = "å".repeat(300);
    let role = resolved(
        Domain::Role,
        json!({"kind": "employment", "organisation": {"id": "temp:x"}, "title": {"sv": long}}),
    );
    let entry = role
        .entries()
        .iter()
        .find(|entry| entry.mode == IndexMode::Folded && &*entry.property == "title");
    assert_eq!(entry.unwrap().value.chars().count(), 200);
}

#[test]
fn a_geometry_is_taken_out_by_its_hash_and_may_come_back_as_it_is_stored() {
    let mut data = json!({
        "name": {"sv": "Torget"}, "kind": "site",
        "geometry": {"type": "Point", "coordinates": [20.2630, 63.0]}
    });
    let first = resolved(Domain::Geography, data.clone());
    let [(hash, body)] = first.geometries() else {
        panic!("one geometry")
    };
    assert_eq!(&**body, r#"{"coordinates":[20.263,63],"type":"Point"}"#);
    assert_eq!(first.geometry_uses(), std::slice::from_ref(hash));
    assert!(
        first
            .body()
            .contains(&format!("\"geometry:sha256-{hash}\""))
    );

    let again = resolved(Domain::Geography, first.value());
    assert_eq!(again, first);
    assert!(again.geometries().is_empty());
    assert_eq!(again.geometry_uses(), first.geometry_uses());

    data["geometry"] = json!("geometry:sha256-zz");
    let errors = MODEL
        .validate(Domain::Geography, None, data.clone())
        .unwrap_err();
    assert_eq!(
        (errors[0].pointer.as_str(), errors[0].code),
        ("/geometry", "wrong-type")
    );
    // A geometry in its stored form does not hide the other errors.
    data["geometry"] = first.value()["geometry"].clone();
    data["kind"] = json!("");
    let errors = MODEL.validate(Domain::Geography, None, data).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(
        (errors[0].pointer.as_str(), errors[0].code),
        ("/kind", "empty-string")
    );
}

#[test]
fn extension_data_is_extracted_under_its_package_and_named_in_the_model() {
    let school = MODEL
        .packages()
        .find(|package| package.name() == "se-skola")
        .unwrap()
        .examples()[&(Domain::Organisation, "school-unit".to_owned())]
        .data
        .clone();
    let resolved = resolved(Domain::Organisation, school);
    assert_eq!(resolved.model(), "grunddata/1.0.0+se-skola/0.1.0");
    assert!(
        resolved
            .entries()
            .iter()
            .any(|entry| entry.property.starts_with("extensions.se-skola."))
    );
    let reloaded = MODEL
        .reload(
            Domain::Organisation,
            resolved.model(),
            resolved.body().clone(),
        )
        .unwrap();
    assert_eq!(reloaded.entries(), resolved.entries());
    assert_eq!(reloaded.links(), resolved.links());
    assert_eq!(reloaded.model(), resolved.model());
}
