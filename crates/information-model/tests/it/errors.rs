//! Errors say where, what, and what would have been right.

use grunddata_information_model::{CodeUse, Target, ValidationError};
use grunddata_model::Domain;
use serde_json::{Value, json};

use crate::MODEL;

fn errors(domain: Domain, data: Value) -> Vec<ValidationError> {
    MODEL.validate(domain, None, data).unwrap_err()
}

fn codes(errors: &[ValidationError]) -> Vec<(&str, &str)> {
    errors
        .iter()
        .map(|error| (error.pointer.as_str(), error.code))
        .collect()
}

fn organisation(extra: Value) -> Value {
    let mut data = json!({"name": {"sv": "Skolan"}, "kind": "unit"});
    if let (Value::Object(data), Value::Object(extra)) = (&mut data, extra) {
        data.extend(extra);
    }
    data
}

#[test]
fn the_nearest_name_code_scheme_and_package_are_named() {
    let found = errors(
        Domain::Organisation,
        organisation(json!({
            "kind": "municipalty", "costCenter": "1",
            "identifiers": [{"scheme": "se-organization-number", "value": "2120000142"}],
            "extensions": {"se-skole": {}}
        })),
    );
    let suggestions: Vec<_> = found
        .iter()
        .map(|error| {
            (
                error.pointer.as_str(),
                error.code,
                error.suggestion.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        suggestions,
        [
            ("/costCenter", "unknown-property", Some("costCentre")),
            (
                "/extensions/se-skole",
                "unknown-extension",
                Some("se-skola")
            ),
            (
                "/identifiers/0/scheme",
                "unknown-identifier-scheme",
                Some("se-organisation-number")
            ),
            ("/kind", "unknown-code", Some("municipality")),
        ]
    );
    let error = &found[0];
    assert!(error.message.contains("Did you mean \"costCentre\"?"));
    assert!(error.message_sv.contains("Menade du \"costCentre\"?"));
    let json = serde_json::to_value(error).unwrap();
    assert_eq!(json["messageSv"], error.message_sv.as_str());
    assert_eq!(json["property"], "costCenter");
    // A label leads to its code.
    let found = errors(
        Domain::Organisation,
        organisation(json!({"kind": "Kommun"})),
    );
    assert_eq!(found[0].suggestion.as_deref(), Some("municipality"));
}

#[test]
fn a_period_inside_the_data_ends_after_it_begins() {
    let held = |from: &str, to: Option<&str>| {
        let mut held = json!({"scheme": "source:hr", "value": "17", "validFrom": from});
        if let Some(to) = to {
            held["validTo"] = json!(to);
        }
        let data = organisation(json!({"identifiers": [held]}));
        match MODEL.validate(Domain::Organisation, None, data) {
            Ok(_) => Vec::new(),
            Err(errors) => errors
                .into_iter()
                .map(|error| (error.pointer, error.code))
                .collect(),
        }
    };
    let wrong = [("/identifiers/0/validTo".to_owned(), "invalid-period")];
    assert_eq!(held("2026-01-01", Some("2026-01-01")), wrong);
    assert_eq!(held("2026-01-01", Some("2025-12-31")), wrong);
    assert_eq!(held("2026-01-01", Some("2026-01-02")), []);
    assert_eq!(held("2026-01-01", None), []);
    // Of what is no day, that alone is said.
    let said = held("2026-02-30", Some("2025-12-31"));
    assert_eq!(
        said,
        [("/identifiers/0/validFrom".to_owned(), "invalid-date")]
    );
}

#[test]
fn all_errors_come_at_once_each_value_once() {
    let found = errors(
        Domain::Person,
        json!({
            "name": {}, "birthDate": "", "sex": 1, "registrationStatus": "",
            "identifiers": [{"scheme": "se-personal-identity-number", "value": "19900101-1234"}, {"value": "x"}],
            "residence": {}, "deathDate": "2026-02-30"
        }),
    );
    assert_eq!(
        codes(&found),
        [
            ("/birthDate", "empty-string"),
            ("/deathDate", "invalid-date"),
            ("/identifiers/0/value", "check-digit"),
            ("/identifiers/1", "required-property"),
            ("/name", "no-alternative"),
            ("/registrationStatus", "empty-string"),
            ("/residence", "reference-malformed"),
            ("/sex", "wrong-type"),
        ]
    );
    let alternative = found
        .iter()
        .find(|error| error.code == "no-alternative")
        .unwrap();
    for property in ["full", "family", "given"] {
        assert!(
            alternative.message.contains(property),
            "{}",
            alternative.message
        );
    }
    // No message repeats a number of a person.
    assert!(
        found
            .iter()
            .all(|error| !error.message.contains("19900101"))
    );
}

#[test]
fn what_is_not_an_object_is_of_the_wrong_type() {
    for data in [Value::Null, json!([]), json!("x"), json!(1)] {
        assert_eq!(codes(&errors(Domain::Service, data)), [("", "wrong-type")]);
    }
}

#[test]
fn depth_control_characters_and_great_numbers_are_refused() {
    let mut deep = json!("x");
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let found = errors(Domain::Person, json!({"name": {"full": "A"}, "deep": deep}));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, "too-deep");
    for bad in ["a\0", "a\rb", "a\u{7f}", "a\u{85}b"] {
        let found = errors(Domain::Person, json!({"name": {"full": bad}}));
        assert_eq!(codes(&found), [("/name/full", "control-character")]);
    }
    let multiline = json!({"name": {"full": "a\tb\nc §"}});
    assert!(MODEL.validate(Domain::Person, None, multiline).is_ok());
    let found = errors(
        Domain::Role,
        json!({"kind": "elected-office", "organisation": {"id": "temp:a"}, "seat": {"kind": "member", "order": u64::MAX}}),
    );
    assert_eq!(codes(&found), [("/seat/order", "out-of-range")]);
}

#[test]
fn references_are_checked_and_normalised_whatever_they_name() {
    let data = json!({
        "kind": "employment",
        "person": {"identifier": {"scheme": "se-personal-identity-number", "value": " 18900101-9802 "}, "display": "A"},
        "organisation": {"id": "01990C3E-0000-7000-8000-000000000311", "display": "B"},
        "employer": {"id": "temp:kommun"}
    });
    let validated = MODEL.validate(Domain::Role, None, data).unwrap();
    assert!(!validated.is_resolved());
    let found: Vec<_> = validated
        .references()
        .iter()
        .map(|reference| {
            (
                reference.pointer.as_str(),
                &*reference.relation,
                &reference.target,
            )
        })
        .collect();
    assert_eq!(found[0].2, &Target::Temporary("kommun".to_owned()));
    assert_eq!(found[1].0, "/organisation");
    assert!(matches!(found[2].2, Target::Identifier { value, .. } if value == "189001019802"));
    assert!(!format!("{validated:?}").contains("189001019802"));

    let id = "01990c3e-0000-7000-8000-00000000000a".parse().unwrap();
    let missing = validated
        .resolve(&mut |reference| (reference.pointer != "/employer").then_some(id))
        .unwrap_err();
    assert_eq!(missing.len(), 1);
    let resolved = validated.resolve(&mut |_| Some(id)).unwrap();
    assert_eq!(
        &**resolved.body(),
        r#"{"employer":{"id":"01990c3e-0000-7000-8000-00000000000a"},"kind":"employment","organisation":{"id":"01990c3e-0000-7000-8000-00000000000a"},"person":{"id":"01990c3e-0000-7000-8000-00000000000a"}}"#
    );
    assert_eq!(resolved.links().len(), 3);

    let scheme = errors(
        Domain::Role,
        json!({"kind": "employment", "organisation": {"identifier": {"scheme": "employee-number", "value": "1"}}}),
    );
    assert_eq!(
        codes(&scheme),
        [("/organisation/identifier/scheme", "scheme-not-for-domain")]
    );
    let both = errors(
        Domain::Role,
        json!({"kind": "employment", "organisation": {"id": "x", "identifier": {"scheme": "", "extra": 1}}}),
    );
    assert_eq!(codes(&both), [("/organisation", "reference-malformed")]);
}

#[test]
fn a_merged_target_gives_another_id_than_the_one_that_was_given() {
    let given = "01990c3e-0000-7000-8000-000000000001";
    let survivor = "01990c3e-0000-7000-8000-000000000002".parse().unwrap();
    let data = organisation(
        json!({"parent": {"id": given}, "identifiers": [{"scheme": "gln", "value": "7350000000009"}]}),
    );
    let validated = MODEL.validate(Domain::Organisation, None, data).unwrap();
    assert!(validated.is_resolved());
    let same = validated.resolve(&mut |_| given.parse().ok()).unwrap();
    let moved = validated.resolve(&mut |_| Some(survivor)).unwrap();
    assert_ne!(same, moved);
    assert_eq!(moved.links()[0].target, survivor);
    assert_eq!(moved.identifiers(), same.identifiers());
    assert!(moved.body().contains(&survivor.to_string()));
}

#[test]
fn an_unknown_model_is_refused_and_the_current_one_named() {
    let unknown = "grunddata/9.0.0".parse().unwrap();
    let found = MODEL
        .validate(Domain::Person, Some(&unknown), json!({}))
        .unwrap_err();
    assert_eq!(codes(&found), [("", "unknown-model")]);
    assert!(found[0].message.contains(&MODEL.current().to_string()));
    let other = "se-skola/0.1.0".parse().unwrap();
    assert!(
        MODEL
            .validate(Domain::Person, Some(&other), json!({}))
            .is_err()
    );
    let current = MODEL.current().clone();
    let data = json!({"name": {"full": "A"}});
    assert!(MODEL.validate(Domain::Person, Some(&current), data).is_ok());
}

#[test]
fn a_dated_code_says_its_day_and_its_successor() {
    let (list, code) = MODEL
        .code_lists()
        .flat_map(|list| list.codes().iter().map(move |code| (list, code)))
        .find(|(_, code)| code.valid_to.is_some() && !code.successors.is_empty())
        .unwrap();
    let used = CodeUse {
        pointer: "/kind".to_owned(),
        list: list.name().clone(),
        code: code.code.to_string(),
    };
    let end = code.valid_to.unwrap();
    let last = end.pred_opt().unwrap();
    assert!(
        MODEL
            .check_codes(std::slice::from_ref(&used), last)
            .is_empty()
    );
    let found = MODEL.check_codes(&[used], end);
    assert_eq!(codes(&found), [("/kind", "code-not-valid-at-date")]);
    assert!(found[0].message.contains(&*code.successors[0]));
    assert!(found[0].message.contains(&last.to_string()));
}

#[test]
fn a_stored_body_of_another_world_is_refused() {
    let reload = |model: &str, body: &str| MODEL.reload(Domain::Person, model, body.into());
    assert!(reload("grunddata/1.0.0", r#"{"name":{"full":"A"}}"#).is_ok());
    assert!(reload("grunddata/1.0.0+se-skola/0.1.0", "{}").is_ok());
    for (model, body) in [
        ("grunddata/9.0.0", "{}"),
        ("grunddata/1.0.0+se-skola/9.0.0", "{}"),
        ("other", "{}"),
        ("grunddata/1.0.0", "[]"),
        ("grunddata/1.0.0", "{"),
        ("grunddata/1.0.0", ""),
    ] {
        assert!(reload(model, body).is_err(), "{model} {body}");
    }
}
