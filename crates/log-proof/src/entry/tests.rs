//! A leaf changes with everything that it commits to, and stays when something is erased.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn contents() -> [String; COUNT] {
    [
        r#"["01990c3e-7a5b-7000-8000-000000000001","person","create",1,"2026-11-21T10:15:30.123456Z","01990c3e-7a5b-7000-8000-00000000000a","change",null]"#,
        r#""desk""#,
        r#""moved in""#,
        "null",
        r#"["2026-01-01",null]"#,
        r#"[["2026-01-01",null,"grunddata/1.0.0"]]"#,
        "[[]]",
        r#"[[["/number",7]]]"#,
        r#"[[["/names/0/given","Anna"],["/area","geometry:sha256-aa"]]]"#,
        r#"[[["/names/1",{"given":"B"}]]]"#,
    ]
    .map(str::to_owned)
}

fn entry(opening: &Opening) -> Value {
    let leaf = leaf("se-2480", 1, &opening.commitments(&contents()));
    json!({
        "position": 1, "record": "01990c3e-7a5b-7000-8000-000000000001", "domain": "person", "kind": "create", "version": 1,
        "recordedAt": "2026-11-21T10:15:30.123456Z", "transaction": "01990c3e-7a5b-7000-8000-00000000000a", "changeKind": "change",
        "validFrom": "2026-01-01", "validTo": null, "actor": "desk", "reason": "moved in",
        "states": [{"validFrom": "2026-01-01", "validTo": null, "model": "grunddata/1.0.0",
            "data": {"number": 7, "area": {"type": "Point"}, "names": [{"given": "Anna"}, {"given": "B"}]}}],
        "proof": EntryProof::new(leaf, opening, contents())
    })
}

fn verify(entry: &Value) -> Result<VerifiedEntry, EntryError> {
    verify_entry("se-2480", entry, &|_| "aa".to_owned())
}

#[test]
fn an_entry_is_what_its_leaf_commits_to() {
    let whole = Opening::Whole(Secret([9; 32]));
    let shown = entry(&whole);
    let verified = verify(&shown).unwrap();
    assert_eq!((verified.position, verified.unproven.len()), (1, 0));
    let leaf = verified.leaf;
    for (pointer, value) in [
        ("/record", json!("01990c3e-7a5b-7000-8000-000000000002")),
        ("/version", json!(2)),
        ("/kind", json!("amend")),
        ("/actor", json!("other")),
        ("/reason", json!("another")),
        ("/validTo", json!("2027-01-01")),
        ("/states/0/validFrom", json!("2025-01-01")),
        ("/states/0/data/number", json!(8)),
        ("/states/0/data/names/0/given", json!("Eva")),
        ("/states/0/data/names", json!([{"given": "Anna"}])),
    ] {
        let mut other = shown.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert!(
            matches!(verify(&other), Err(EntryError::Content(_))),
            "{pointer}"
        );
    }
    let mut other = shown.clone();
    other["proof"]["parts"]["reason"]["content"] = json!("\"x\"");
    assert_eq!(verify(&other), Err(EntryError::Leaf));
    assert_eq!(
        verify_entry("se-2481", &shown, &|_| "aa".to_owned()),
        Err(EntryError::Leaf)
    );
    assert!(verify_entry("se-2480", &shown, &|_| "ab".to_owned()).is_err());
    // An erasure leaves the leaf.
    let commitments = whole.commitments(&contents());
    let erased = whole.without(&commitments, |part| part != ENTRY && part != ACTOR);
    let mut bare = contents();
    bare[REASON] = "null".to_owned();
    assert_eq!(super::leaf("se-2480", 1, &erased.commitments(&bare)), leaf);
    // Nothing can be said beside what cannot be opened any more.
    assert!(whole.is_silent_where_bare(&contents()) && !erased.is_silent_where_bare(&contents()));
    let nothing: [String; COUNT] = std::array::from_fn(|part| match part {
        ENTRY | ACTOR => contents()[part].clone(),
        REASON | SOURCE => "null".to_owned(),
        4 => "[\"unknown\",null]".to_owned(),
        _ => "[]".to_owned(),
    });
    assert!(erased.is_silent_where_bare(&nothing));
    let without_actor = whole.without(&commitments, |part| part == ACTOR);
    assert!(!without_actor.is_silent_where_bare(&nothing));
    let mut shown = shown;
    shown["proof"] = json!(EntryProof::new(leaf, &erased, bare));
    for (name, silent) in [
        ("reason", Value::Null),
        ("states", json!([])),
        ("validFrom", json!("unknown")),
    ] {
        assert!(
            matches!(verify(&shown), Err(EntryError::Content(_))),
            "{name}"
        );
        shown[name] = silent;
    }
    assert_eq!(verify(&shown).unwrap().leaf, leaf);
    assert!(!shown["proof"].to_string().contains("Anna"));
    shown["version"] = json!(2);
    assert_eq!(verify(&shown), Err(EntryError::Content("entry".to_owned())));
    let proof: EntryProof = serde_json::from_value(shown["proof"].clone()).unwrap();
    assert_eq!(proof.opening().unwrap(), erased);
}

#[test]
fn what_is_kept_is_read_as_it_was_written() {
    let whole = Opening::Whole(Secret([9; 32]));
    let commitments = whole.commitments(&contents());
    let parts = whole.without(&commitments, |part| part == REASON);
    for opening in [whole, parts] {
        let bytes = opening.to_bytes();
        assert_eq!(Opening::from_bytes(&bytes[1..]), None);
        assert_eq!(Opening::from_bytes(&bytes), Some(opening));
    }
    assert_eq!(Opening::from_bytes(&[2; 330]), None);
}

proptest! {
    #[test]
    fn a_leaf_changes_with_each_part_owner_position_and_secret(
        part in 0..COUNT, text in ".{0,40}", owner in "[a-z]{1,9}", position in 1_u64.., secret: [u8; 32],
    ) {
        let base = Opening::Whole(Secret([1; 32]));
        let of = |opening: &Opening, owner: &str, position, contents: &[String; COUNT]| {
            leaf(owner, position, &opening.commitments(contents))
        };
        let before = of(&base, "owner1", 0, &contents());
        prop_assert_ne!(of(&base, &owner, 0, &contents()), before);
        prop_assert_ne!(of(&base, "owner1", position, &contents()), before);
        let mut other = contents();
        if other[part] != text {
            other[part] = text;
            prop_assert_ne!(of(&base, "owner1", 0, &other), before);
        }
        if secret != [1; 32] {
            prop_assert_ne!(of(&Opening::Whole(Secret(secret)), "owner1", 0, &contents()), before);
        }
    }
}

#[test]
fn what_is_withheld_of_a_class_is_told_and_the_rest_is_compared() {
    let whole = Opening::Whole(Secret([9; 32]));
    let commitments = whole.commitments(&contents());
    let of_personal = whole.without(&commitments, |part| part == CLASSES + 2);
    let mut shown = entry(&whole);
    shown["proof"] = json!(EntryProof::new(
        super::leaf("se-2480", 1, &commitments),
        &of_personal,
        contents()
    ));
    assert_eq!(verify(&shown).unwrap().unproven, ["personal"]);
    // What another class says is still to be there.
    shown["states"][0]["data"]["number"] = json!(8);
    assert!(matches!(verify(&shown), Err(EntryError::Content(_))));
}
