//! What is withheld, shown, put back and unset in stored data.

use grunddata_model::{Domain, RecordId};
use serde_json::{Value, json};

use crate::MODEL;

const MODEL_TEXT: &str = "grunddata/1.0.0";

fn id(number: u8) -> RecordId {
    format!("01990c3e-0000-7000-8000-0000000000{number:02x}")
        .parse()
        .unwrap()
}

fn withhold(domain: Domain, mut data: Value, allowed: u8) -> (Value, Vec<String>) {
    let names = MODEL
        .withhold(domain, MODEL_TEXT, &mut data, allowed)
        .unwrap();
    (data, names)
}

#[test]
fn what_a_reader_may_not_see_is_removed_and_named() {
    let data = json!({
        "identifiers": [
            {"scheme": "se-organisation-number", "value": "2120000142"},
            {"scheme": "source:hr", "value": "1", "status": "active"}
        ],
        "kind": "unit", "name": {"sv": "Enheten"}, "quality": {"verifiedAt": "2026-01-01"},
        "addresses": [{"kind": "visiting", "locality": "Umeå"}]
    });
    let (seen, names) = withhold(Domain::Organisation, data.clone(), 1);
    assert_eq!(
        seen,
        json!({
            "identifiers": [{"scheme": "se-organisation-number", "value": "2120000142"}],
            "kind": "unit", "name": {"sv": "Enheten"}, "addresses": [{"kind": "visiting", "locality": "Umeå"}]
        })
    );
    assert_eq!(names, ["identifiers", "quality"]);
    let (seen, names) = withhold(Domain::Organisation, data.clone(), 1 | 2);
    assert_eq!((seen, names.len()), (data, 0));

    let person = json!({
        "name": {"full": "A"}, "protection": {"level": "none"},
        "relationships": [
            {"kind": "custodian", "person": {"id": id(1)}},
            {"kind": "god-man", "person": {"id": id(2)}, "scope": "x"}
        ]
    });
    let (seen, names) = withhold(Domain::Person, person.clone(), 1 | 2 | 4);
    assert_eq!(
        seen,
        json!({"name": {"full": "A"}, "relationships": [{"kind": "custodian", "person": {"id": id(1)}}]})
    );
    assert_eq!(names, ["protection", "relationships"]);
    let (seen, names) = withhold(Domain::Person, person, 0);
    assert_eq!(seen, json!({}));
    assert_eq!(names, ["name", "protection", "relationships"]);
}

#[test]
fn whatever_is_left_has_only_allowed_classes() {
    for package in MODEL.packages() {
        for ((domain, name), example) in package.examples() {
            let Ok(validated) = MODEL.validate(*domain, None, example.data.clone()) else {
                continue;
            };
            let resolved = validated.resolve(&mut |_| Some(id(1))).unwrap();
            for allowed in 0..16 {
                let mut data = resolved.value();
                let names = MODEL
                    .withhold(*domain, resolved.model(), &mut data, allowed)
                    .unwrap();
                let body = grunddata_information_model::canonical_json(&data);
                let left = MODEL
                    .reload(*domain, resolved.model(), body.into())
                    .unwrap();
                // An object that is left without members says nothing of any class but that of its domain.
                let empty = data.as_object().is_some_and(serde_json::Map::is_empty);
                assert!(
                    empty || left.classes() & !allowed == 0,
                    "{domain}/{name} {allowed}: {data}"
                );
                assert_eq!(
                    names.is_empty(),
                    resolved.classes() & !allowed == 0,
                    "{domain}/{name} {allowed}"
                );
            }
        }
    }
}

#[test]
fn a_reference_is_unset_with_the_item_that_requires_it() {
    let mut data = json!({
        "kind": "unit", "name": {"sv": "A"}, "seat": {"id": id(1)}, "sites": [{"id": id(1)}, {"id": id(2)}],
        "affiliations": [
            {"kind": "member-of", "organisation": {"id": id(1)}, "share": "50"},
            {"kind": "owned-by", "organisation": {"id": id(1)}}
        ],
        "addresses": [{"kind": "visiting", "geography": {"id": id(1)}}]
    });
    let mut unset = |relation: &str, target: RecordId| {
        let changed = MODEL
            .unset(
                Domain::Organisation,
                MODEL_TEXT,
                &mut data,
                relation,
                target,
            )
            .unwrap();
        (changed, data.clone())
    };
    assert!(!unset("seat", id(9)).0);
    assert_eq!(unset("seat", id(1)).1.get("seat"), None);
    assert_eq!(unset("site", id(1)).1["sites"], json!([{"id": id(2)}]));
    assert_eq!(
        unset("affiliation.member-of", id(1)).1["affiliations"],
        json!([{"kind": "owned-by", "organisation": {"id": id(1)}}])
    );
    let (changed, left) = unset("affiliation.owned-by", id(1));
    assert!(changed);
    assert_eq!(left.get("affiliations"), None);
    // The address does not require its geography, and stays without it.
    assert_eq!(
        unset("address-geography", id(1)).1["addresses"],
        json!([{"kind": "visiting"}])
    );
    assert!(
        MODEL
            .unset(
                Domain::Organisation,
                "grunddata/7.0.0",
                &mut json!({}),
                "seat",
                id(1)
            )
            .is_err()
    );
}
