//! What is written about the mapping language is true: the published schema and every example of `docs/mapping.md`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use grunddata_exchange::mapping::{Context, Draft, Key, Mapping, vocabulary};
use grunddata_model::{ValidFrom, ValidTo};
use serde_json::{Value, json};

use crate::mappings::{context, run_with};

fn document(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&document("mapping.schema.json")).unwrap()
}

/// The code blocks of the page, with their language.
fn blocks() -> Vec<(String, String)> {
    let page = document("mapping.md");
    let mut parts = page.split("```");
    parts.next();
    let mut blocks = Vec::new();
    while let Some(block) = parts.next() {
        let (language, content) = block.split_once('\n').unwrap();
        // Pieces of files that show a form and are no example by themselves.
        if language != "text" {
            blocks.push((language.to_owned(), content.to_owned()));
        }
        parts.next();
    }
    blocks
}

fn as_json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap()
}

#[test]
fn the_published_schema_has_the_words_of_the_parser() {
    let schema = schema();
    let names = |pointer: &str| -> BTreeSet<String> {
        let properties = schema.pointer(&format!("{pointer}/properties")).unwrap();
        properties.as_object().unwrap().keys().cloned().collect()
    };
    let words = |words: &[&str]| {
        words
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>()
    };
    for (pointer, known) in [
        ("", vocabulary::MAPPING),
        ("/$defs/title", vocabulary::TITLE),
        ("/$defs/input", vocabulary::INPUT),
        ("/$defs/values", vocabulary::VALUES),
        ("/$defs/record", vocabulary::RECORD),
        ("/$defs/list", vocabulary::LIST),
        ("/$defs/eachTable", vocabulary::EACH),
        ("/$defs/condition", vocabulary::CONDITION),
        ("/$defs/keyTable", vocabulary::KEY),
        ("/$defs/valueTable", vocabulary::VALUE),
    ] {
        assert_eq!(names(pointer), words(known), "{pointer}");
    }
    for (pointer, known) in [
        ("/$defs/input/properties/format", vocabulary::FORMATS),
        ("/$defs/input/properties/merged", vocabulary::MERGED),
        ("/$defs/values/properties/end-dates", vocabulary::END_DATES),
        ("/$defs/values/properties/decimal", vocabulary::DECIMAL),
        (
            "/$defs/values/properties/ten-digit-numbers",
            vocabulary::TEN_DIGITS,
        ),
        ("/$defs/valueTable/properties/as", vocabulary::KINDS),
        ("/$defs/valueTable/properties/case", vocabulary::CASES),
        ("/$defs/record/properties/domain", vocabulary::DOMAINS),
        ("/$defs/valueTable/properties/crs", vocabulary::CRS),
    ] {
        let listed = schema.pointer(&format!("{pointer}/enum")).unwrap();
        assert_eq!(listed, &json!(known), "{pointer}");
    }
}

#[test]
fn schema_and_parser_refuse_the_same_faults() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let good = blocks()
        .into_iter()
        .find(|(language, _)| language == "toml")
        .unwrap()
        .1;
    assert!(validator.is_valid(&as_json(&good)));
    assert!(Mapping::parse("a.toml", &good).is_ok());
    for (from, to) in [
        ("mapping = 1", "mapping = 2"),
        ("name = \"example\"", ""),
        ("decimal = \"comma\"", "decimal = \"dot\""),
        ("decimal = \"comma\"", "decimals = \"comma\""),
        ("domain = \"role\"", "domain = \"rolle\""),
        ("key = \"unit:{Enhet}\"", ""),
        ("key = \"unit:{Enhet}\"", "key = \"unit\""),
        (
            "{ column = \"Grad\", as = \"decimal\" }",
            "{ column = \"Grad\", as = \"number\" }",
        ),
        (
            "{ column = \"Grad\", as = \"decimal\" }",
            "{ as = \"decimal\" }",
        ),
        (
            "{ column = \"Grad\", as = \"decimal\" }",
            "{ column = \"Grad\", constant = \"x\" }",
        ),
        (
            "to = \"identifiers\"\nvalue",
            "to = \"identifiers\"\nvalues",
        ),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(!validator.is_valid(&as_json(&bad)), "schema: {to}");
        assert!(Mapping::parse("a.toml", &bad).is_err(), "parser: {to}");
    }
}

fn shown(draft: &Draft) -> Value {
    let key = match &draft.key {
        Key::Source(key) => json!({"source": key}),
        Key::Identifier { scheme, value } => {
            json!({"identifier": {"scheme": scheme, "value": value}})
        }
        Key::Id(id) => json!({"id": id}),
    };
    let mut shown = json!({"record": &*draft.record, "domain": draft.domain.as_str(), "key": key, "data": draft.data});
    if let Some(ValidFrom::Date(date)) = draft.valid_from {
        shown["validFrom"] = json!(date.to_string());
    }
    if let Some(ValidTo::Date(date)) = draft.valid_to {
        shown["validTo"] = json!(date.to_string());
    }
    shown
}

#[test]
fn every_example_gives_what_the_page_says() {
    let blocks = blocks();
    assert_eq!(blocks.len() % 3, 0, "mapping, file and result");
    let hr = Context {
        source: "hr".into(),
        ..context()
    };
    for example in blocks.chunks(3) {
        let [(_, mapping), (ending, file), (_, expected)] = example else {
            panic!("{example:?}");
        };
        let mapping = Mapping::parse("page", mapping).unwrap();
        let given = run_with(mapping, &format!("page.{ending}"), file.as_bytes(), &hr);
        assert_eq!((&given.failed, &given.problems), (&vec![], &vec![]));
        let drafts: Vec<Value> = given.drafts.iter().map(shown).collect();
        assert_eq!(
            json!(drafts),
            serde_json::from_str::<Value>(expected).unwrap()
        );
    }
}

#[test]
fn the_page_lists_the_ready_mappings() {
    let page = document("mapping.md");
    for ready in grunddata_exchange::ready::ALL {
        assert!(
            page.contains(&format!("`{}`", ready.name)),
            "{}",
            ready.name
        );
    }
}
