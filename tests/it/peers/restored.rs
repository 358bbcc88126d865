//! A registry with a copy is restored from a backup: its own logs begin another epoch, and the copy goes on from where it was.

use grunddata_testing::{Database, Engine, on_both};
use serde_json::json;

use super::other;
use super::site::Site;
use crate::desk::Desk;
use crate::program;

fn engine(engine: Engine) -> Engine {
    engine
}

on_both! {
    using engine;

    fn a_backup_with_a_copy_is_restored_and_goes_on(engine: Engine) {
        let origin = Site::start(other(engine), &["kommun"]);
        let person = origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": "Ida Ek"}}, "validFrom": "2026-01-01"}));
        let mut desk = Desk::new(engine);
        desk.configure("[peers]\nhttp_loopback = true\n");
        desk.done(&["migrate"]);
        desk.done(&["owner", "add", "se-egen", "--name", "Egen"]);
        desk.write("token", &origin.admin);
        let (token, url) = (desk.path("token"), origin.origin());
        desk.done(&["peer", "add", "kommun", "--url", &url, "--owner", "kommun", "--token-file", &token]);
        desk.done(&["peer", "sync", "kommun"]);
        let backup = desk.path("backup.tar.zst");
        desk.done(&["backup", &backup]);
        origin.send("POST", "/erasures", Some(json!({"records": [person], "decision": "Prov", "reference": "KS 2026/1"}))).expect(201);
        desk.done(&["peer", "sync", "kommun"]);
        // What the origin has erased is told by the origin again.
        let list = desk.path("erasures.json");
        assert!(desk.done(&["erasures", "export", &list]).starts_with("0 erasures"));
        let restored = Database::new(engine);
        let (settings, log) = (desk.path("grunddata.toml"), desk.path("restored-log"));
        let run = |arguments: &[&str]| {
            let more = ["--database", &restored.url, "--config", &settings];
            let mut command = program::command(&[arguments, &more].concat());
            let output = command.env("GRUNDDATA_ACCESS_LOG", &log).output().expect("the program starts");
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{arguments:?}: {said}");
            said
        };
        let said = run(&["restore", &backup]);
        assert!(said.contains("The log of se-egen goes on after position 0"), "{said}");
        assert!(!said.contains("The log of kommun"), "{said}");
        run(&["erasures", "apply", &list]);
        run(&["peer", "sync", "kommun"]);
        let said = run(&["peer", "show", "kommun"]);
        assert!(said.contains("\"position\": 2") && said.contains("\"restarts\": 0"), "{said}");
        assert!(run(&["verify"]).contains("0 problems"));
    }
}
