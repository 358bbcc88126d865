//! Types and schemas held to each other in both directions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::*;
use crate::Domain;
use crate::geography::Geography;
use crate::organisation::Organisation;
use crate::person::Person;
use crate::role::Role;
use crate::service::Service;

fn package() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../schemas/grunddata/1.0.0"
    ))
}

fn schema(file: &str) -> Value {
    let path = package().join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The schema that a `$ref` leads to, or the schema itself.
fn resolved<'a>(schema: &'a Value, common: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let name = reference.rsplit('/').next().unwrap();
            let target = &common["$defs"][name];
            assert!(target.is_object(), "{reference}");
            resolved(target, common)
        }
        None => schema,
    }
}

/// The paths of all properties that the schema names, lists written as `[]`.
fn schema_paths(schema: &Value, common: &Value, path: &str, paths: &mut BTreeSet<String>) {
    let schema = resolved(schema, common);
    if let Some(items) = schema.get("items") {
        schema_paths(items, common, &format!("{path}[]"), paths);
    }
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&Map::new())
    {
        let path = format!("{path}/{name}");
        schema_paths(property, common, &path, paths);
        paths.insert(path);
    }
}

/// Notes the path of every property of the value that the schema names; one that it does not is a failure. What is
/// under open keys (languages, extensions) and inside coordinates has no names.
fn value_paths(
    value: &Value,
    schema: &Value,
    common: &Value,
    path: &str,
    paths: &mut BTreeSet<String>,
) {
    let schema = resolved(schema, common);
    match value {
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    value_paths(item, schema, common, &format!("{path}[]"), paths);
                }
            }
        }
        Value::Object(properties) => {
            let Some(known) = schema.get("properties").and_then(Value::as_object) else {
                assert!(
                    schema["additionalProperties"].is_object(),
                    "{path} is an object in the type only"
                );
                return;
            };
            for (name, property) in properties {
                let path = format!("{path}/{name}");
                let schema = known
                    .get(name)
                    .unwrap_or_else(|| panic!("{path} is not in the schema"));
                value_paths(property, schema, common, &path, paths);
                paths.insert(path);
            }
        }
        _ => {}
    }
}

fn samples<T: std::fmt::Debug>(strategy: &BoxedStrategy<T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// 17.0 and 17 are one number in JSON, and an empty list or object of ours says the same as an absent one.
fn canonical(value: Value) -> Value {
    let says_something = |value: &Value| {
        !matches!(value, Value::Array(items) if items.is_empty())
            && value != &Value::Object(Map::new())
    };
    match value {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(properties) => properties
            .into_iter()
            .map(|(name, value)| (name, canonical(value)))
            .filter(|(_, value)| says_something(value))
            .collect(),
        other => other,
    }
}

fn assert_round_trip<T: Serialize + DeserializeOwned>(value: Value, source: &str) {
    let typed: T =
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{source}: {error}"));
    assert_eq!(
        canonical(serde_json::to_value(&typed).unwrap()),
        canonical(value),
        "{source}"
    );
}

fn assert_agrees<T>(domain: Domain, strategy: fn(Fill) -> BoxedStrategy<T>)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let common = schema("common.schema.json");
    let schema = schema(&format!("{domain}.schema.json"));
    let mut in_schema = BTreeSet::new();
    schema_paths(&schema, &common, "", &mut in_schema);
    // Generated empty; that the type has it is seen by reading it.
    assert!(in_schema.remove("/extensions"));

    let mut in_type = BTreeSet::new();
    let full = samples(&strategy(Fill::All), 40);
    for value in full.iter().chain(&samples(&strategy(Fill::Some), 100)) {
        let json = serde_json::to_value(value).unwrap();
        value_paths(&json, &schema, &common, "", &mut in_type);
        assert_eq!(&serde_json::from_value::<T>(json.clone()).unwrap(), value);

        let mut extended = json.clone();
        extended["extensions"] = serde_json::json!({"se-skola": {"form": "GR"}});
        assert_round_trip::<T>(extended, "extensions");
        let mut unknown = json;
        unknown["unknownProperty"] = Value::Bool(true);
        assert!(serde_json::from_value::<T>(unknown).is_err());
    }
    let only_in_schema: Vec<_> = in_schema.difference(&in_type).collect();
    assert!(
        only_in_schema.is_empty(),
        "{domain}: in the schema but not in the type: {only_in_schema:?}"
    );

    for value in full.iter().take(5) {
        let json = serde_json::to_value(value).unwrap();
        let mut members = Vec::new();
        required_members(&json, &schema, &common, "", &mut members);
        for (pointer, required) in members {
            let (object, name) = pointer.rsplit_once('/').unwrap();
            let mut without = json.clone();
            without
                .pointer_mut(object)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(name);
            let accepted = serde_json::from_value::<T>(without).is_ok();
            assert_eq!(accepted, !required, "{domain}{pointer}");
        }
    }
}

/// JSON Pointers to all members of the value, with whether the schema requires them. A reference requires one of two,
/// which its own test sees to.
fn required_members(
    value: &Value,
    schema: &Value,
    common: &Value,
    pointer: &str,
    members: &mut Vec<(String, bool)>,
) {
    let schema = resolved(schema, common);
    if let (Value::Array(items), Some(schema)) = (value, schema.get("items")) {
        for (index, item) in items.iter().enumerate() {
            required_members(item, schema, common, &format!("{pointer}/{index}"), members);
        }
    }
    let Some(known) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (name, property) in value.as_object().into_iter().flatten() {
        let pointer = format!("{pointer}/{name}");
        required_members(property, &known[name], common, &pointer, members);
        if schema.get("oneOf").is_none() {
            let required = schema["required"]
                .as_array()
                .is_some_and(|names| names.iter().any(|one| one == name));
            members.push((pointer, required));
        }
    }
}

#[test]
fn person_agrees_with_its_schema() {
    assert_agrees(Domain::Person, person);
}

#[test]
fn role_agrees_with_its_schema() {
    assert_agrees(Domain::Role, role);
}

#[test]
fn organisation_agrees_with_its_schema() {
    assert_agrees(Domain::Organisation, organisation);
}

#[test]
fn geography_agrees_with_its_schema() {
    assert_agrees(Domain::Geography, geography);
}

#[test]
fn service_agrees_with_its_schema() {
    assert_agrees(Domain::Service, service);
}

#[test]
fn every_valid_example_of_the_package_is_read_and_written_back() {
    for domain in Domain::ALL {
        let folder = package().join("examples").join(domain.as_str());
        let mut seen = 0;
        for entry in std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            let example: Value =
                serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            if example.get("errors").is_some() {
                continue;
            }
            seen += 1;
            let (data, source) = (example["data"].clone(), path.display().to_string());
            match domain {
                Domain::Person => assert_round_trip::<Person>(data, &source),
                Domain::Role => assert_round_trip::<Role>(data, &source),
                Domain::Organisation => assert_round_trip::<Organisation>(data, &source),
                Domain::Geography => assert_round_trip::<Geography>(data, &source),
                Domain::Service => assert_round_trip::<Service>(data, &source),
            }
        }
        assert!(seen > 0, "{} holds no valid example", folder.display());
    }
}
