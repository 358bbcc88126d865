//! Retention, holds, erasure and the register extract at the console.

use std::path::Path;
use std::process::{Command as Process, Output};
use std::sync::Arc;

use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId};
use grunddata_registry::{
    Actor, Command, Content, Create, Envelope, Limits, NewOwner, Operation, Registry,
};
use grunddata_store::{Clock, Store, StoreOptions};
use serde_json::{Value, json};

#[cfg(test)]
fn run(data: &Path, arguments: &[&str]) -> Output {
    let mut process = Process::new(env!("CARGO_BIN_EXE_grunddata"));
    // Settings of whoever runs the tests are not theirs.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GRUNDDATA_")) {
        process.env_remove(name);
    }
    let arguments = arguments.iter().copied();
    process.args(arguments).arg("--data").arg(data);
    process.output().unwrap()
}

#[cfg(test)]
fn told(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
        + &String::from_utf8(output.stderr.clone()).unwrap()
}

/// A registry with a person, and an employment, that both ended in 2010: their ids.
#[cfg(test)]
fn registry(data: &Path) -> (RecordId, RecordId) {
    let now: Instant = "2026-03-01T09:00:00Z".parse().unwrap();
    let clock: Clock = Arc::new(move || now);
    let model = InformationModel::embedded().unwrap();
    let url = data.join("grunddata.sqlite");
    let options = StoreOptions::new(url.to_str().unwrap(), Arc::clone(&clock));
    let store = Store::open(options, model.clone()).unwrap();
    store.migrate().unwrap();
    let registry = Registry::new(store, model, clock, Limits::default());
    let context = registry.context(Actor::system("test"), "test");
    let key = OwnerKey::new("se-2480").unwrap();
    let owner = NewOwner {
        key: key.clone(),
        name: "Umeå kommun".to_owned(),
        organisation: None,
        open_data: false,
        protection: None,
    };
    registry.put_owner(&context, owner).unwrap();
    let create = |domain, data: Value| {
        let create = Create {
            id: None,
            temporary_id: None,
            envelope: Envelope::default(),
            content: Content { data, model: None },
            valid_from: Some("2001-01-01".parse().unwrap()),
            valid_to: Some("2010-01-01".parse().unwrap()),
            matching: None,
        };
        let command = Command::new(domain, Operation::Create(create));
        let written = registry.load_batch(&context, &key, vec![command]).unwrap();
        written.items[0].id
    };
    let unit = create(
        Domain::Organisation,
        json!({"name": {"sv": "Skolan"}, "kind": "unit"}),
    );
    let person = create(Domain::Person, json!({"name": {"full": "Hemlige Henning"}}));
    let role = create(
        Domain::Role,
        json!({"kind": "employment", "person": {"id": person.to_string()}, "organisation": {"id": unit.to_string()}}),
    );
    registry.store().shutdown();
    (person, role)
}

#[test]
fn what_is_due_is_planned_and_erased_and_the_file_forgets_it() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let (person, role) = registry(data);
    let decided = ["--decision", "Gallras", "--reference", "KS 2026/17"];
    for domain in ["person", "role"] {
        let add = [
            "retention",
            "rule",
            "add",
            "se-2480",
            "--domain",
            domain,
            "--erase-after",
            "5",
        ];
        let output = run(data, &[&add[..], &decided].concat());
        assert!(output.status.success(), "{}", told(&output));
    }
    assert!(told(&run(data, &["retention", "rule", "list", "se-2480"])).contains("erased 5 years"));
    let held = run(
        data,
        &["hold", "add", &role.to_string(), "--reason", "Tvist"],
    );
    assert!(held.status.success(), "{}", told(&held));
    let plan = told(&run(data, &["retention", "plan", "se-2480"]));
    assert!(
        plan.contains("0 to erase, 1 held, 1 still referred to"),
        "{plan}"
    );
    let list = told(&run(data, &["hold", "list", "se-2480"]));
    let mark = list.split_whitespace().next().unwrap();
    let lifted = run(data, &["hold", "lift", "se-2480", mark]);
    assert!(lifted.status.success(), "{}", told(&lifted));

    let plan = told(&run(data, &["retention", "plan", "se-2480"]));
    let token = plan.split("--plan ").nth(1).unwrap().trim();
    let stale = run(data, &["retention", "run", "se-2480", "--plan", "0"]);
    assert_eq!(stale.status.code(), Some(1));
    let ran = run(data, &["retention", "run", "se-2480", "--plan", token]);
    assert!(
        told(&ran).contains("2 of 2 records erased"),
        "{}",
        told(&ran)
    );
    let verified = run(data, &["verify"]);
    assert!(
        told(&verified).contains("0 problems"),
        "{}",
        told(&verified)
    );
    for file in ["grunddata.sqlite", "grunddata.sqlite-wal"] {
        let bytes = std::fs::read(data.join(file)).unwrap_or_default();
        let name = b"Henning";
        assert!(
            !bytes.windows(name.len()).any(|window| window == name),
            "{file}"
        );
    }
    let gone = run(data, &["extract-person", &person.to_string()]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(told(&gone).contains("erased"), "{}", told(&gone));
}

#[test]
fn an_extract_is_json_or_a_page_and_is_logged() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let (person, role) = registry(data);
    let id = person.to_string();
    let output = run(data, &["extract-person", &id]);
    assert!(output.status.success(), "{}", told(&output));
    let extract: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        extract["controllers"][0]["records"][1]["id"],
        role.to_string()
    );
    assert!(extract.get("readers").is_none(), "there was no access log");
    let page = data.join("utdrag.html");
    let output = run(
        data,
        &["extract-person", &id, "--html", page.to_str().unwrap()],
    );
    assert!(output.status.success(), "{}", told(&output));
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("Registerutdrag för Hemlige Henning"));
    // The first extract stands in the access log by now.
    assert!(html.contains("Läsningar enligt åtkomstloggen"));
    let named = run(data, &["extract-person", &id, "--by-name"]);
    let extract: Value = serde_json::from_slice(&named.stdout).unwrap();
    assert_eq!(extract["readers"][0]["actor"], "console");
    assert_eq!(extract["readers"][0]["count"], 2);
}

#[test]
fn records_are_erased_by_a_decision_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let (person, role) = registry(data);
    let (person, role) = (person.to_string(), role.to_string());
    let decided = ["--decision", "Aldrig avsedd", "--reference", "KS 2026/31"];
    let alone = run(data, &[&["erase", &person][..], &decided].concat());
    assert_eq!(alone.status.code(), Some(1));
    assert!(told(&alone).contains("references"), "{}", told(&alone));
    let undecided = run(data, &["erase", &person, &role]);
    assert_eq!(undecided.status.code(), Some(2));
    let both = run(data, &[&["erase", &person, &role][..], &decided].concat());
    assert!(
        told(&both).contains("2 of 2 records erased"),
        "{}",
        told(&both)
    );
}
