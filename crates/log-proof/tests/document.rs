//! The example in `docs/log.md` is one.

use grunddata_log_proof::entry::verify_entry;
use grunddata_log_proof::head::{Head, PublicKey};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/log.md");

/// The blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    PAGE.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .collect()
}

#[test]
fn the_example_holds() {
    let entries = blocks("json");
    let parsed: Vec<Value> = entries
        .iter()
        .map(|block| serde_json::from_str(block).unwrap())
        .collect();
    assert_eq!(parsed.len(), 2, "the entry, and what an erasure leaves");
    let leaves: Vec<_> = parsed
        .iter()
        .map(|entry| verify_entry("se-2480", entry, &|_| String::new()).unwrap())
        .map(|verified| (verified.position, verified.leaf))
        .collect();
    assert_eq!(leaves[0], leaves[1]);
    assert!(!entries[1].contains("Ronja"));
    let key = PAGE.split("The key is `").nth(1).unwrap();
    let key = PublicKey::decoded(key.split('`').next().unwrap()).unwrap();
    let note = blocks("text").remove(0);
    let (head, _) = Head::verified(note, &[key]).unwrap();
    assert_eq!((head.owner.as_str(), head.size), ("se-2480", 1));
    assert_eq!(
        (1, head.root),
        leaves[0],
        "of one entry the leaf is the root"
    );
    for part in parsed[1]["proof"]["parts"].as_object().unwrap().values() {
        let hash = part["hash"].as_str().or(part["salt"].as_str()).unwrap();
        assert!(PAGE.matches(hash).count() >= 2, "it stands in the table");
    }
}
