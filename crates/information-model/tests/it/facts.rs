//! What the model says about itself: properties, search names, relations, schemes, OpenAPI components.

use std::collections::BTreeSet;

use grunddata_information_model::{
    InformationModel, PackageStatus, PrivacyClass, SearchMode, Uniqueness,
};
use grunddata_model::Domain;
use serde_json::Value;

use crate::MODEL;

#[test]
fn every_property_has_texts_in_both_languages_and_names_resolve() {
    for domain in Domain::ALL {
        let facts = MODEL.domain(domain);
        assert_eq!(facts.domain(), domain);
        assert!(!facts.label().sv.is_empty() && facts.term().is_some());
        assert!(facts.properties().len() > 10);
        let mut names = BTreeSet::new();
        for property in facts.properties() {
            assert!(
                names.insert(property.name.clone()),
                "{} stands twice",
                property.name
            );
            assert!(!property.label.sv.is_empty() && !property.label.en.is_empty());
            assert!(!property.definition.sv.is_empty() && !property.definition.en.is_empty());
            if let Some(list) = &property.codelist {
                assert!(MODEL.code_list(list).is_some(), "{list}");
            }
            if let Some(relation) = &property.relation {
                assert!(facts.relation(relation).is_some(), "{relation}");
            }
            assert_eq!(
                !property.modes.is_empty(),
                facts.indexed(&property.name).is_some(),
                "{domain} {}",
                property.name
            );
        }
        for indexed in facts.indexed_properties() {
            assert!(names.contains(&indexed.name), "{}", indexed.name);
            assert!(!indexed.label.en.is_empty());
            assert_eq!(
                indexed.sortable,
                indexed
                    .modes
                    .iter()
                    .any(|mode| matches!(mode, SearchMode::Exact | SearchMode::Prefix))
            );
        }
        for relation in facts.relations() {
            assert_eq!(relation.domain, domain);
            assert!(!relation.targets.is_empty() && names.contains(&relation.property));
            for kind in relation.targets.iter().flat_map(|target| {
                let list = format!("{}-kind", target.domain);
                target
                    .kinds
                    .iter()
                    .flatten()
                    .map(move |kind| (list.clone(), kind))
            }) {
                assert!(
                    MODEL.code_list(&kind.0).unwrap().get(kind.1).is_some(),
                    "{kind:?}"
                );
            }
        }
        for pointers in facts.display() {
            assert!(!pointers.is_empty());
        }
    }
}

#[test]
fn the_properties_that_search_and_links_rely_on() {
    let organisation = MODEL.domain(Domain::Organisation);
    let name = organisation.indexed("name").unwrap();
    assert_eq!(name.modes, [SearchMode::Prefix, SearchMode::Text]);
    assert!(name.sortable && !name.repeated);
    assert_eq!(
        organisation.indexed("kind").unwrap().codelist.as_deref(),
        Some("organisation-kind")
    );
    assert!(organisation.indexed("addresses.locality").unwrap().repeated);
    assert!(organisation.indexed("name.sv").is_none());
    assert_eq!(
        organisation.nearest("addresses.localty"),
        Some("addresses.locality")
    );
    assert_eq!(organisation.class(), PrivacyClass::Public);
    assert_eq!(MODEL.domain(Domain::Person).class(), PrivacyClass::Personal);

    let parent = MODEL.relation(Domain::Organisation, "parent").unwrap();
    assert!(parent.hierarchical && parent.by.is_none());
    assert!(
        parent.allows(Domain::Organisation, Some("unit")) && !parent.allows(Domain::Person, None)
    );
    let relationship = MODEL
        .relation(Domain::Person, "relationship.custodian")
        .unwrap();
    assert_eq!(&*relationship.name, "relationship");
    assert_eq!(relationship.by.as_deref(), Some("relationship-kind"));
    assert!(MODEL.relation(Domain::Organisation, "parent.x").is_none());
    assert!(MODEL.relation(Domain::Role, "person").unwrap().identifying);
    let site = MODEL.relation(Domain::Organisation, "site").unwrap();
    assert!(site.allows(Domain::Geography, Some("room")));
    assert!(
        !site.allows(Domain::Geography, Some("county")) && !site.allows(Domain::Geography, None)
    );
    assert_eq!(organisation.nearest_relation("parents"), Some("parent"));
}

#[test]
fn schemes_normalise_and_check() {
    let scheme = |code: &str| MODEL.scheme(code).unwrap();
    let organisation = scheme("se-organisation-number");
    for written in [
        "212000-0142",
        "2120000142",
        "16212000-0142",
        " 212000\u{2013}0142 ",
    ] {
        assert_eq!(organisation.normalise(written), "2120000142");
    }
    assert!(organisation.check("2120000142").is_ok());
    assert_eq!(
        organisation.check("2120000143").unwrap_err().code(),
        "check-digit"
    );
    assert_eq!(organisation.uniqueness(), Uniqueness::Always);
    assert_eq!(
        scheme("se-hsa-id").normalise("se2321000016-1003"),
        "SE2321000016-1003"
    );
    assert_eq!(
        scheme("se-property-designation").normalise(" UMEÅ  ÖN 1:2"),
        "UMEÅ ÖN 1:2"
    );
    assert_eq!(scheme("email").normalise("A@B.se "), "a@b.se");
    assert!(scheme("email").check("a@b.se").is_ok() && scheme("email").check("a").is_err());
    assert!(
        scheme("entra-id")
            .check(&scheme("entra-id").normalise("{0190A6B2-7C00-7ABC-8DEF-0123456789AB}"))
            .is_ok()
    );
    assert!(scheme("entra-id").check("x").is_err());
    let source = scheme("source:hr");
    assert_eq!(source.code().as_str(), "source:*");
    assert_eq!(source.normalise(" 1 "), "1");
    assert!(source.check("").is_err());
    assert!(
        MODEL.scheme("source:").is_none()
            && MODEL.scheme("source:*").is_none()
            && MODEL.scheme("x").is_none()
    );
    assert_eq!(MODEL.nearest_scheme("hsa-id"), Some("se-hsa-id"));
    // Normalising a normal value changes nothing.
    for scheme in MODEL.schemes() {
        for value in [" A-1 ", "19900101-1234", "åÄö  x"] {
            let once = scheme.normalise(value);
            assert_eq!(scheme.normalise(&once), once, "{}", scheme.code());
        }
    }
}

#[test]
fn packages_say_what_they_are() {
    let core = MODEL.package(MODEL.current()).unwrap();
    assert_eq!(core.manifest().status, PackageStatus::Published);
    assert!(!core.is_extension() && core.common().is_some());
    assert_eq!(core.digest().len(), 64);
    assert!(
        core.files()
            .any(|(path, content)| path == "model.json" && !content.is_empty())
    );
    let school = MODEL
        .packages()
        .find(|package| package.name() == "se-skola")
        .unwrap();
    assert!(school.is_extension() && school.schema(Domain::Person).is_none());
    assert_eq!(InformationModel::class_names(5), ["public", "personal"]);
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members
                .values()
                .for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_of_the_openapi_components_leads_to_one() {
    let components = MODEL.openapi_components();
    let mut found = BTreeSet::new();
    for schema in components.values() {
        references(schema, &mut found);
        assert!(schema.get("$id").is_none() && schema.get("$defs").is_none());
    }
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(components.contains_key(name), "{reference}");
    }
    let organisation = &components["OrganisationData"];
    assert_eq!(
        organisation["properties"]["parent"]["$ref"],
        "#/components/schemas/Reference"
    );
    let extension = &organisation["properties"]["extensions"]["properties"]["se-skola"];
    assert_eq!(
        extension["$ref"],
        "#/components/schemas/SeSkolaOrganisationData"
    );
    for domain in Domain::ALL {
        let schema = MODEL.domain_schema_for_openapi(domain);
        assert!(
            schema["description"]
                .as_str()
                .is_some_and(|text| text.contains("\n\n"))
        );
        let example = schema["examples"][0].clone();
        assert!(MODEL.validate(domain, None, example).is_ok());
    }
}

#[test]
fn every_domain_is_a_table_of_its_own() {
    let model = &*MODEL;
    for domain in grunddata_model::Domain::ALL {
        let columns = model.domain(domain).columns();
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert!(names.len() > 5, "{domain}: {names:?}");
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "{domain}: a column stands twice");
        // The envelope has names of its own.
        for name in [
            "id",
            "domain",
            "owner",
            "controller",
            "display",
            "version",
            "validFrom",
            "validTo",
            "recordedAt",
            "changeKind",
            "origin",
            "model",
            "misfits",
            "fid",
            "geometry",
        ] {
            assert!(!names.contains(&name), "{domain}: {name}");
        }
        assert!(
            columns.iter().all(|column| !column.label.sv.is_empty()),
            "{domain}: {columns:?}"
        );
    }
    let columns = model.domain(grunddata_model::Domain::Role).columns();
    assert!(
        columns
            .iter()
            .any(|column| column.name == "person.id" && column.path == ["person", "id"])
    );
    let columns = model.domain(grunddata_model::Domain::Geography).columns();
    assert!(
        columns
            .iter()
            .all(|column| !column.name.starts_with("geometry"))
    );
}

#[test]
fn columns_have_the_kinds_of_the_schema() {
    use grunddata_information_model::ColumnKind::{Boolean, Date, Integer, Json, Text, TextList};
    use grunddata_model::Domain::{Organisation, Person, Role, Service};
    for (domain, name, kind) in [
        (Person, "name.given", TextList),
        (Person, "name.family", Text),
        (Person, "identifiers", Json),
        (Person, "registrationStatusFrom", Date),
        (Person, "birthDate", Text),
        (Organisation, "isLegalEntity", Boolean),
        (Organisation, "identifiers", Json),
        (Role, "primary", Boolean),
        (Role, "person.id", Text),
        (Service, "processingTime", Text),
        (Role, "seat.order", Integer),
    ] {
        let columns = MODEL.domain(domain).columns();
        let found = columns.iter().find(|column| column.name == name);
        assert_eq!(
            found.map(|column| column.kind),
            Some(kind),
            "{domain} {name}"
        );
    }
}
