//! Heads and proofs of logs over HTTP: whoever is shown the whole of an owner verifies every entry, and nobody else is told.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;

use grunddata_information_model::canonical_json;
use grunddata_log_proof::entry::verify_entry;
use grunddata_log_proof::head::{Head, PublicKey};
use grunddata_log_proof::merkle::{CompactRange, Hash, verify_consistency, verify_inclusion};
use grunddata_model::OwnerKey;
use grunddata_registry::{Grant, OwnerScope, Role};
use grunddata_testing::on_both;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http_records::server::{Answer, Http};

const LINES: &str = "/changes?owner=norrberga&content=states&proof=true&format=ndjson";

fn hash(value: &Value) -> Hash {
    value.as_str().expect("a hash").parse().expect("a hash")
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().expect("hashes").iter().map(hash).collect()
}

fn keys(http: &Http) -> Vec<PublicKey> {
    let keys = http.nobody().at_root("/.well-known/grunddata-log-keys");
    keys.expect(200);
    keys.json["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .map(|key| PublicKey::decoded(key["publicKey"].as_str().expect("a key")).expect("a key"))
        .collect()
}

fn head(http: &Http) -> (Answer, Head) {
    let answer = http.admin().get("/changes/head?owner=norrberga");
    answer.expect(200);
    let note = answer.json["note"].as_str().expect("a note").to_owned();
    let (head, key) = Head::verified(&note, &keys(http)).expect("a head that holds");
    assert_eq!(answer.json["keyId"], key.id());
    assert_eq!(answer.json["size"], head.size);
    assert_eq!(hash(&answer.json["rootHash"]), head.root);
    (answer, head)
}

fn lines(http: &Http) -> Vec<Value> {
    let answer = http.admin().get(LINES);
    answer.expect(200);
    let mut lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let last = lines.pop().expect("a last line");
    assert_eq!(last["_meta"]["count"], lines.len());
    lines
}

fn geometry(value: &Value) -> String {
    Hash(Sha256::digest(canonical_json(value).as_bytes()).into()).to_string()
}

/// The root over all entries, each of which is what its leaf commits to.
fn verified(entries: &[Value]) -> Hash {
    let mut tree = CompactRange::new(0);
    for (at, entry) in (1..).zip(entries) {
        let verified = verify_entry("norrberga", entry, &geometry)
            .unwrap_or_else(|error| panic!("{error}: {entry}"));
        assert_eq!((verified.position, verified.unproven.len()), (at, 0));
        tree.push(verified.leaf);
    }
    tree.root().expect("a tree")
}

/// Persons with several classes, a geography with its geometry, amendments, a protection, an end, and an erasure.
fn history(http: &Http) -> String {
    let made = |path: &str, data: Value| {
        let made = http.admin().post(path, json!({"owner": "norrberga", "data": data, "validFrom": "2026-01-01", "reason": "därför \"nu\""}));
        made.expect(201);
        made.json["id"].as_str().expect("id").to_owned()
    };
    let area = json!({"type": "Polygon", "coordinates": [[[18.0, 59.0], [18.125, 59.0], [18.1, 59.0000001], [18.0, 59.0]]]});
    made(
        "/geographies",
        json!({"name": {"sv": "Området"}, "kind": "catchment-area", "geometry": area}),
    );
    let (_, unit) = http.organisation("Enheten", "2026-01-01");
    let person = made(
        "/persons",
        json!({
            "name": {"full": "Ronja Exempel"},
            "identifiers": [{"scheme": "se-personal-identity-number", "value": "199205042394"}],
            "contactPoints": [
                {"kind": "email", "value": "ronja@exempel.example", "use": "work"},
                {"kind": "mobile", "value": "+46701740610", "use": "private", "visibility": "restricted"},
            ],
        }),
    );
    let birk = made("/persons", json!({"name": {"full": "Birk Exempel"}}));
    let amend = |path: &str, patch: Value| {
        http.admin()
            .with("if-match", "*")
            .post(
                &format!("{path}/amendments"),
                json!({"patch": patch, "validFrom": "2026-02-01"}),
            )
            .expect(200);
    };
    amend(&unit, json!({"name": {"sv": "Enheten, ny"}}));
    amend(
        &format!("/persons/{person}"),
        json!({"name": {"full": "Ronja Rövardotter"}}),
    );
    amend(
        &format!("/persons/{birk}"),
        json!({"protection": {"level": "confidentiality-marking"}}),
    );
    http.admin()
        .with("if-match", "*")
        .post(
            &format!("{unit}/endings"),
            json!({"validFrom": "2026-09-01"}),
        )
        .expect(200);
    person
}

fn erase(http: &Http, id: &str) {
    http.admin()
        .post(
            "/erasures",
            json!({"records": [id], "decision": "Gallringsbeslut", "reference": "Dnr 17"}),
        )
        .expect(201);
}

on_both! {
    using Http::start;

    fn every_entry_is_verified_up_to_the_signed_head(http: Http) {
        let person = history(&http);
        let entries = lines(&http);
        let (answer, old) = head(&http);
        assert_eq!(old.size, entries.len() as u64);
        assert_eq!(verified(&entries), old.root);
        assert_eq!((answer.json["epoch"].clone(), answer.json["epochs"].clone()), (json!(1), json!([])));
        assert!(entries.iter().any(|entry| entry["states"].to_string().contains("Polygon")));
        // Page by page it is the same.
        let page = http.admin().get("/changes?owner=norrberga&content=states&proof=true&limit=3");
        page.expect(200);
        assert_eq!(page.json["items"].as_array().expect("items")[..], entries[..3]);
        assert_eq!(page.json["_meta"]["epoch"], 1);
        // Without asking there is no proof.
        assert!(!http.admin().get("/changes?owner=norrberga&content=states").text.contains("\"proof\""));
        http.admin().get("/changes?owner=norrberga&proof=true").problem(400, "invalid-parameter");
        // After an erasure the old entries have the old leaves, and say what is left.
        erase(&http, &person);
        let after = lines(&http);
        assert!(after.len() > entries.len());
        let (_, new) = head(&http);
        assert_eq!(verified(&after), new.root);
        assert_eq!(verified(&after[..entries.len()]), old.root);
        let text = serde_json::to_string(&after).expect("JSON");
        assert!(!text.contains("Ronja") && text.contains("Birk"));
        // Each is proven by itself, in the head of now and in the one of then.
        for (entry, position) in after.iter().zip(1_u64..) {
            for (size, root) in [(old.size, old.root), (new.size, new.root)] {
                let proof = http.admin().get(&format!("/changes/{position}/proof?owner=norrberga&size={size}"));
                if position > size {
                    proof.problem(404, "not-found");
                    continue;
                }
                proof.expect(200);
                assert_eq!(proof.json["leaf"], entry["proof"]["leaf"]);
                verify_inclusion(position - 1, size, hash(&proof.json["leaf"]), &hashes(&proof.json["path"]), root).expect("it holds");
            }
        }
        let proof = http.admin().get(&format!("/changes/consistency?owner=norrberga&from={}", old.size));
        proof.expect(200);
        verify_consistency(old.size, new.size, old.root, new.root, &hashes(&proof.json["path"])).expect("it holds");
        assert_eq!(proof.json["head"]["note"].as_str().map(|note| Head::verified(note, &keys(&http)).expect("it holds").0), Some(new));
    }

    fn a_proof_does_not_name_somebody_elses_hidden_person(http: Http) {
        let person = http.admin().post("/persons", json!({"owner": "oppen", "validFrom": "2026-01-01",
            "data": {"name": {"full": "Ronja"}, "protection": {"level": "protected-registration"}}}));
        person.expect(201);
        let person = person.json["id"].as_str().expect("id").to_owned();
        let (unit, _) = http.organisation("Enheten", "2026-01-01");
        http.admin().post("/roles", json!({"owner": "norrberga", "validFrom": "2026-01-01",
            "data": {"kind": "employment", "person": {"id": person}, "organisation": {"id": unit}}})).expect(201);
        // Who reads the whole of the one owner is outside the other.
        let of_one = OwnerScope::Owner(OwnerKey::new("norrberga").expect("key"));
        let token = http.token_of("one", vec![Grant::of(of_one, Role::Administrator)]);
        let answer = http.with_token(&token).get(LINES);
        answer.expect(200);
        assert!(!answer.text.contains(&person), "{}", answer.text);
        let entries: Vec<Value> = answer.text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let classes = verify_entry("norrberga", &entries[1], &geometry).expect("it holds").unproven;
        assert_eq!(classes, ["public", "internal", "personal", "protected"]);
        // Who is shown both is shown it, and can prove it.
        let entries = lines(&http);
        assert!(entries[1].to_string().contains(&person));
        assert_eq!(verified(&entries), head(&http).1.root);
    }

    fn heads_and_proofs_are_for_readers_of_the_whole(http: Http) {
        http.organisation("Enheten", "2026-01-01");
        for path in ["/changes/head?owner=norrberga", "/changes/1/proof?owner=norrberga", "/changes/consistency?owner=norrberga&from=1", LINES] {
            http.reader().get(path).problem(403, "forbidden");
            http.nobody().get(path).problem(401, "unauthenticated");
            http.as_("owner-admin").get(path).expect(200);
            http.admin().get(path).expect(200);
            http.admin().get(&path.replace("norrberga", "ingen")).problem(404, "unknown-owner");
        }
        http.admin().get("/changes/head").problem(400, "owner-required");
        for bad in ["/changes/head?owner=norrberga&size=99", "/changes/head?owner=norrberga&size=0", "/changes/x/proof?owner=norrberga",
            "/changes/consistency?owner=norrberga", "/changes/consistency?owner=norrberga&from=2&to=1", "/changes?owner=norrberga&epoch=x"] {
            http.admin().get(bad).problem(400, "invalid-parameter");
        }
        http.admin().get("/changes/2/proof?owner=norrberga").problem(404, "not-found");
        // Of an empty log there is a head.
        let empty = http.admin().get("/changes/head?owner=oppen");
        empty.expect(200);
        assert_eq!((&empty.json["size"], empty.json["rootHash"].as_str()), (&json!(0), Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")));
    }

    fn a_place_from_a_branch_that_is_gone_is_refused(http: Http) {
        for name in ["Ett", "Två", "Tre"] {
            http.organisation(name, "2026-01-01");
        }
        let page = |address: &str| http.admin().get(&format!("/changes?owner=norrberga&{address}"));
        let cursor = http.reader().get("/changes?owner=norrberga").json["_meta"]["after"].as_str().expect("a cursor").to_owned();
        page("after=3&epoch=1").expect(200);
        // As a restore from a backup of position 3 does it. Position 4 of the lost branch is another entry than position 4 of this one.
        let epoch = http.begin_epoch("norrberga");
        http.organisation("Fyra", "2026-01-01");
        http.organisation("Fem", "2026-01-01");
        page("after=3&epoch=1").expect(200);
        let refused = page("after=4&epoch=1");
        refused.problem(410, "log-forked");
        assert_eq!((&refused.json["forkPosition"], &refused.json["epoch"]), (&json!(3), &json!(epoch)));
        assert!(refused.json["detail"].as_str().is_some_and(|detail| detail.contains(&format!("after=3&epoch={epoch}"))));
        let page_now = page(&format!("after=3&epoch={epoch}"));
        page_now.expect(200);
        assert_eq!((&page_now.json["_meta"]["epoch"], &page_now.json["_meta"]["count"]), (&json!(epoch), &json!(2)));
        page("after=1&epoch=77").problem(410, "log-forked");
        page("after=99").problem(410, "log-forked");
        http.admin().get(&format!("/changes/stream?owner=norrberga&wait=0&after=5&epoch={epoch}")).expect(200);
        http.admin().get("/changes/stream?owner=norrberga&wait=0&after=5&epoch=1").problem(410, "log-forked");
        // A cursor of before the fork goes on, whoever has it.
        let next = http.reader().get(&format!("/changes?owner=norrberga&after={cursor}"));
        next.expect(200);
        assert_eq!(next.json["_meta"]["count"], 2);
        let (answer, head) = head(&http);
        assert_eq!((head.epoch, head.size), (epoch, 5));
        assert_eq!(answer.json["epochs"][0]["forkPosition"], 3);
    }

    fn the_script_verifies_what_the_server_says(http: Http) {
        if let Err(error) = Command::new("python3").arg("--version").output() {
            eprintln!("NOT RUN: docs/verify_log.py needs python3, which is not here: {error}");
            return;
        }
        let person = history(&http);
        let directory = tempfile::tempdir().expect("a directory");
        let save = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("written");
            path.to_str().expect("UTF-8").to_owned()
        };
        let keys = save("keys", &http.nobody().at_root("/.well-known/grunddata-log-keys").text);
        let old = save("old", &http.admin().get("/changes/head?owner=norrberga").text);
        let before = http.admin().get(LINES).text;
        let before_file = save("before", &before);
        erase(&http, &person);
        let after = save("after", &http.admin().get(LINES).text);
        let new = save("new", &http.admin().get("/changes/head?owner=norrberga").text);
        let inclusion = http.admin().get("/changes/3/proof?owner=norrberga");
        let consistency = http.admin().get("/changes/consistency?owner=norrberga&from=8").text;
        let size = http.admin().get("/changes/head?owner=norrberga").json["size"].clone();
        let run = |arguments: &[&str]| {
            let script = xtask::structure::root().join("docs/verify_log.py");
            let output = Command::new("python3").arg("-B").arg(script).args(arguments).args(["--keys", &keys]).output().expect("python3");
            (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
        };
        let holds = |arguments: &[&str]| {
            let (good, said) = run(arguments);
            assert!(good, "{arguments:?}: {said}");
            said
        };
        let refused = |arguments: &[&str], why: &str| {
            let (good, said) = run(arguments);
            assert!(!good && said.contains("DOES NOT HOLD") && said.contains(why), "{arguments:?}: {said}");
        };
        assert!(holds(&["entries", &before_file, "--head", &old]).contains("of which 0 are"));
        assert!(holds(&["entries", &after, "--head", &new]).contains(&format!("{size} entries")));
        assert!(holds(&["entries", &after, "--head", &old]).contains("of which 2 are"), "the erased one has two entries under the old head");
        holds(&["inclusion", &save("inclusion", &inclusion.text)]);
        holds(&["consistency", &old, &save("consistency", &consistency)]);
        refused(&["entries", &before_file, "--head", &new], "covers");
        for (from, to) in [("Birk", "Bork"), ("\"kind\":\"amend\"", "\"kind\":\"replace\""), ("18.125", "18.126"), ("\"actor\":\"admin\"", "\"actor\":\"adman\"")] {
            assert!(before.contains(from), "{from}");
            let changed = save("changed", &before.replacen(from, to, 1));
            refused(&["entries", &changed, "--head", &old], "commits to");
        }
        let mut other: Value = inclusion.json.clone();
        other["position"] = json!(4);
        refused(&["inclusion", &save("other", &other.to_string())], "root");
        let forged = save("forged", &std::fs::read_to_string(&old).expect("read").replace("epoch 1", "epoch 2"));
        refused(&["entries", &before_file, "--head", &forged], "signature");
        let mut rewritten: BTreeMap<String, Value> = serde_json::from_str(&consistency).expect("JSON");
        let mut path = hashes(&rewritten["path"]);
        if let Some(first) = path.first_mut() {
            *first = Hash([7; 32]);
        }
        rewritten.insert("path".to_owned(), json!(path));
        refused(&["consistency", &old, &save("rewritten", &json!(rewritten).to_string())], "anew");
    }
}
