use std::collections::BTreeSet;

use super::*;
use crate::operations::table;

fn written() -> Value {
    let model = InformationModel::embedded().expect("model");
    document(&table(), &model, &Operator::default(), &Limits::default()).expect("document")
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .expect("methods")
                .iter()
                .map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

/// Addresses, methods, ids and statuses: a change of the contract shows here.
#[test]
fn the_contract_is_as_recorded() {
    let document = written();
    let lines: Vec<String> = operations(&document)
        .into_iter()
        .map(|(name, operation)| {
            let statuses: Vec<&str> = operation["responses"]
                .as_object()
                .expect("responses")
                .keys()
                .map(String::as_str)
                .collect();
            format!(
                "{name} {} {}",
                operation["operationId"].as_str().expect("id"),
                statuses.join(",")
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// What an operation answers with in every case is documented.
#[test]
fn the_document_says_what_is_answered() {
    let model = InformationModel::embedded().expect("model");
    let limits = Limits {
        list_length: 7,
        ..Limits::default()
    };
    let document = document(&table(), &model, &Operator::default(), &limits).expect("document");
    assert_eq!(
        document["components"]["schemas"]["Transaction"]["properties"]["operations"]["maxItems"],
        7
    );
    let paths = &document["paths"];
    assert!(
        paths["/transactions"]["post"]["description"]
            .as_str()
            .expect("text")
            .contains("At most 7 operations")
    );
    let reversion = &paths["/roles/{id}/reversions"]["post"]["responses"]["200"];
    let one_of = reversion["content"]["application/json"]["schema"]["oneOf"]
        .as_array()
        .expect("oneOf");
    assert_eq!(one_of.len(), 2);
    assert!(
        reversion["headers"]["Grunddata-Outcome"].is_object()
            && reversion["headers"]["ETag"].is_object()
    );
    assert_eq!(
        paths["/transactions/{transaction}/reversal"]["post"]["requestBody"]["required"],
        true
    );
    for (path, method) in [("/transactions", "post"), ("/roles/{id}", "delete")] {
        let responses = &paths[path][method]["responses"];
        assert!(
            responses["204"].is_object() && responses["405"]["headers"]["Allow"].is_object(),
            "{path}"
        );
        assert!(
            responses["429"]["headers"]["Retry-After"].is_object(),
            "{path}"
        );
        assert!(
            responses["400"]["content"]["application/problem+json"]["examples"]["invalid-header"]
                .is_object(),
            "{path}"
        );
    }
}

#[test]
fn no_component_hides_another() {
    let mut own: Map<String, Value> = serde_json::from_str(COMPONENTS).expect("JSON");
    let of_loads: Map<String, Value> = serde_json::from_str(LOAD_COMPONENTS).expect("JSON");
    let of_the_feed: Map<String, Value> = serde_json::from_str(FEED_COMPONENTS).expect("JSON");
    let of_subscriptions: Map<String, Value> =
        serde_json::from_str(SUBSCRIPTION_COMPONENTS).expect("JSON");
    let others = of_loads.into_iter().chain(of_the_feed);
    for (name, schema) in others.chain(of_subscriptions) {
        assert!(
            own.insert(name.clone(), schema).is_none(),
            "{name} stands twice"
        );
    }
    let model = InformationModel::embedded().expect("model");
    for name in model.openapi_components().keys() {
        assert!(
            !own.contains_key(name),
            "{name} is both ours and the model's"
        );
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = written();
    let mut found = BTreeSet::new();
    collect(&document, &mut found);
    assert!(found.len() > 40, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), value) {
                    ("$ref", Value::String(reference)) => {
                        found.insert(reference.clone());
                    }
                    ("value" | "example", _) => {}
                    _ => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// What the national profile and its linter ask of a specification (DOK.06, 08, 09, 15, SPA.02).
#[test]
fn the_profile_is_met() {
    let document = written();
    let text = document["info"]["description"]
        .as_str()
        .expect("description");
    for word in [
        "begränsningar",
        " och ",
        "limits",
        " and ",
        "Autentisering",
        "Servicenivå",
    ] {
        assert!(text.to_lowercase().contains(&word.to_lowercase()), "{word}");
    }
    for member in ["contact", "license", "termsOfService", "x-sla"] {
        assert!(!document["info"][member].is_null(), "{member}");
    }
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(
            ids.insert(operation["operationId"].as_str().expect("id").to_owned()),
            "{name}: the id is taken"
        );
        let parameters = operation["parameters"].as_array().expect("parameters");
        assert!(
            parameters
                .iter()
                .any(|one| one["name"] == "traceparent" && one["in"] == "header"),
            "{name}: traceparent"
        );
        for placeholder in name
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
        {
            assert!(
                parameters
                    .iter()
                    .any(|one| one["name"] == placeholder && one["in"] == "path"),
                "{name}: {placeholder}"
            );
        }
        let good = operation["responses"]
            .as_object()
            .expect("responses")
            .iter()
            .filter(|(status, _)| status.starts_with('2'));
        for content in good
            .map(|(_, answer)| &answer["content"])
            .chain([&operation["requestBody"]["content"]])
        {
            for (media_type, body) in content.as_object().into_iter().flatten() {
                let reference = body["examples"]["example"]["$ref"]
                    .as_str()
                    .expect("an example");
                let value = document
                    .pointer(&format!("{}/value", &reference[1..]))
                    .expect(reference);
                assert!(!value.is_null(), "{name} {media_type}: no example");
            }
        }
        assert!(
            !name.contains('_') && !name.chars().any(|letter| letter.is_ascii_uppercase()),
            "{name}: UFN.07"
        );
    }
}

#[test]
fn problem_types_of_the_table_exist() {
    for operation in table() {
        for code in &operation.problems {
            assert!(problem::find(code).is_some(), "{}: {code}", operation.id);
        }
        assert!(
            !operation.tag.is_empty()
                && !operation.summary.sv.is_empty()
                && !operation.description.en.is_empty(),
            "{}",
            operation.id
        );
        assert!(!operation.answers.is_empty(), "{}", operation.id);
    }
}

#[test]
fn parameters_are_well_formed() {
    for parameter in crate::operations::ALL_PARAMETERS {
        serde_json::from_str::<Value>(parameter.schema).expect(parameter.name);
        let plain = parameter.name.to_lowercase();
        for personal in [
            "pnr",
            "personnummer",
            "personnr",
            "personalidentitynumber",
            "ssn",
            "socialsecuritynumber",
        ] {
            assert_ne!(plain, personal, "RES.02");
        }
    }
}

/// The typed schemas accept the examples that the package gives, envelope and all.
#[test]
fn record_examples_have_their_envelope() {
    let document = written();
    for domain in Domain::ALL {
        let name = capitalised(domain.as_str());
        let schema = &document["components"]["schemas"][format!("{name}Record")];
        let example = &document["components"]["examples"][format!("{name}Record")]["value"];
        for required in schema["required"].as_array().expect("required") {
            assert!(
                example.get(required.as_str().expect("name")).is_some(),
                "{name}: {required}"
            );
        }
        assert!(
            example["data"]
                .as_object()
                .is_some_and(|data| data.len() > 5),
            "{name}: a full example"
        );
    }
}
