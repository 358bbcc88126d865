//! The native format: records as they are.

use std::io::Cursor;

use grunddata_exchange::mapping::Key;
use grunddata_exchange::{Limits, code, native};
use grunddata_model::{ValidFrom, ValidTo};
use serde_json::{Value, json};

use crate::mappings::{Conversion, gathered};

fn load(file: &str, content: &str) -> Conversion {
    let context = native::Context {
        source: "test".into(),
        owner: "se-2480".into(),
    };
    let limits = Limits::default();
    gathered(|sink| native::convert(Cursor::new(content), file, &context, &limits, sink))
}

const ID: &str = "01990c3e-0000-7000-8000-0000000000a1";

/// A record as the API gives it.
fn envelope() -> Value {
    json!({
        "id": ID, "domain": "organisation", "owner": "se-2480", "controller": null, "model": "grunddata/1.0.0",
        "version": 3, "validFrom": "2026-01-01", "validTo": null,
        "recordedAt": "2026-11-21T10:15:30.123456Z", "changeKind": "change", "origin": {"kind": "own"},
        "data": {"name": {"sv": "Skolan"}, "kind": "unit"},
        "_links": [{"rel": "self", "href": "https://x.example/1", "method": "GET"}],
    })
}

#[test]
fn envelopes_and_bare_data_become_drafts() {
    let bare = json!({
        "domain": "role", "key": "employment:1", "validFrom": "unknown", "validTo": "2026-07-01",
        "data": {
            "kind": "employment",
            "person": {"identifier": {"scheme": "se-personal-identity-number", "value": "199001012385"}},
            "organisation": {"id": ID},
            "allocations": [{"organisation": {"identifier": {"scheme": "source:test", "value": "unit:1"}}, "share": "40"}],
        },
    });
    let gone = json!({"domain": "person", "key": {"scheme": "se-personal-identity-number", "value": "199001012385"}, "removed": true});
    let given = load("a.ndjson", &format!("{}\n{bare}\n\n{gone}\n", envelope())).validated();
    let [unit, employment, person] = given.drafts.as_slice() else {
        panic!("{given:#?}");
    };
    assert_eq!(unit.key, Key::Id(ID.parse().unwrap()));
    assert_eq!(unit.valid_to, Some(ValidTo::Open));
    assert_eq!(unit.data, json!({"name": {"sv": "Skolan"}, "kind": "unit"}));
    assert_eq!(&*unit.record, "organisation");

    assert_eq!(employment.key, Key::Source("employment:1".into()));
    assert_eq!(employment.valid_from, Some(ValidFrom::Unknown));
    assert_eq!(
        employment.data["identifiers"],
        json!([{"scheme": "source:test", "value": "employment:1"}])
    );
    let references: Vec<(&str, &Key)> = employment
        .references
        .iter()
        .map(|reference| (reference.pointer.as_str(), &reference.key))
        .collect();
    assert_eq!(
        references,
        [
            ("/allocations/0/organisation", &Key::Source("unit:1".into())),
            (
                "/person",
                &Key::Identifier {
                    scheme: "se-personal-identity-number".into(),
                    value: "199001012385".into()
                }
            ),
        ]
    );
    assert!(person.removed && person.valid_from.is_none());
    assert_eq!(given.outcome.unwrap().mapped, 3);
    // The same as a list, and a key that is an identifier already stands once.
    let list = load("a.json", &json!({"items": [], "data": [bare]}).to_string());
    assert_eq!(list.drafts[0].data, employment.data);
    let mut again = bare.clone();
    again["data"] = employment.data.clone();
    let list = load("a.json", &json!([again]).to_string());
    assert_eq!(list.drafts[0].data, employment.data);
}

#[test]
fn every_fault_of_a_line_is_told() {
    let mut wrong = envelope();
    wrong["owner"] = json!("se-9999");
    wrong["validTo"] = json!("900101-2385");
    wrong["validfrom"] = json!("2026-01-01");
    wrong["domain"] = json!("organisations");
    wrong["data"] = json!([]);
    wrong["key"] = json!("both");
    let given = load("a.ndjson", &wrong.to_string());
    let mut faults: Vec<(&str, &str)> = given
        .problems
        .iter()
        .map(|problem| (problem.place.column.as_deref().unwrap(), problem.code))
        .collect();
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            ("data", code::NATIVE),
            ("domain", code::NATIVE),
            ("key", code::NATIVE),
            ("owner", code::NATIVE),
            ("validTo", "invalid-date"),
            ("validfrom", code::NATIVE),
        ]
    );
    let all = format!("{:?}", given.problems);
    assert!(all.contains("\\\"validFrom\\\" meant"), "{all}");
    assert!(!all.contains("900101-2385"), "{all}");
    for (content, expected) in [
        (json!({"domain": "person", "key": "", "data": {}}), "key"),
        (
            json!({"domain": "person", "key": {"scheme": "email"}, "data": {}}),
            "key",
        ),
        (json!({"domain": "person", "id": "7", "data": {}}), "key"),
        (
            json!({"domain": "person", "key": "1", "removed": "yes", "data": {}}),
            "removed",
        ),
        (
            json!({"domain": "person", "key": "1", "removed": true, "data": {}}),
            "data",
        ),
        (
            json!({"domain": "person", "key": "1", "data": {}, "validFrom": "2026-02-01", "validTo": "2026-02-01"}),
            "validTo",
        ),
    ] {
        let given = load("a.ndjson", &content.to_string());
        assert_eq!(given.problems.len(), 1, "{content}");
        assert_eq!(
            given.problems[0].place.column.as_deref(),
            Some(expected),
            "{content}"
        );
    }
}

#[test]
fn a_table_needs_a_mapping() {
    let given = load("a.csv", "Namn;Ort\nA;B\n");
    assert_eq!(given.failed[0].code, code::UNKNOWN_FORMAT);
    assert!(given.failed[0].message.contains("mapping"));
}
