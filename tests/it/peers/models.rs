//! Packages of the information model that a peer has: they come before the records that need them, stay, and nothing else of the
//! registry changes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use grunddata_information_model::InformationModel;
use grunddata_testing::{Database, Engine, on_both};
use serde_json::{Value, json};

use super::other;
use super::pushed::{awaits, brings, pushes};
use super::reader;
use super::site::Site;

/// A directory with an extension that adds one property to organisations.
fn package(version: &str, property: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("directory");
    write(root.path(), version, property);
    root
}

fn write(root: &Path, version: &str, property: &str) {
    let directory = root.join("own").join(version);
    std::fs::create_dir_all(directory.join("codelists")).expect("directory");
    let text = json!({"sv": "Eget", "en": "Own"});
    let manifest = json!({
        "name": "own", "version": version, "title": text, "description": text, "status": "published", "publisher": "us",
        "licence": "CC0-1.0", "namespace": "https://example.se/model/", "released": "2026-01-01",
        "dependsOn": {"grunddata": "^1.0"}, "codelists": []
    });
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("https://example.se/model/{version}/organisation.schema.json"),
        "x-label": text, "x-definition": text, "x-privacy": "internal", "type": "object", "additionalProperties": false,
        "properties": {property: {"x-label": text, "x-definition": text, "type": "string"}}
    });
    std::fs::write(directory.join("model.json"), manifest.to_string()).expect("a file");
    let path = directory.join("organisation.schema.json");
    std::fs::write(path, schema.to_string()).expect("a file");
}

fn model(packages: &tempfile::TempDir) -> InformationModel {
    InformationModel::load(&[packages.path().to_owned()]).expect("model")
}

fn database(engine: Engine) -> (Arc<Database>, Arc<tempfile::TempDir>) {
    let tokens = tempfile::tempdir().expect("directory");
    (Arc::new(Database::new(engine)), Arc::new(tokens))
}

fn with_packages(engine: Engine, packages: &tempfile::TempDir) -> Site {
    let (database, tokens) = database(engine);
    Site::with_model(database, tokens, model(packages), &["kommun"])
}

fn motto(site: &Site, property: &str) -> String {
    let data = json!({"name": {"sv": "Egen"}, "kind": "unit", "extensions": {"own": {property: "Tillsammans"}}});
    let body = json!({"owner": "kommun", "data": data, "validFrom": "2026-01-01"});
    site.create("organisations", body)
}

fn shown(site: &Site, id: &str) -> Value {
    site.get(&format!("/organisations/{id}")).expect(200)["data"]["extensions"]["own"].clone()
}

/// As it is.
fn engine(engine: Engine) -> Engine {
    engine
}

on_both! {
    using engine;

    /// Also where nothing can be fetched, as the origin cannot be reached.
    fn a_package_is_brought_before_the_record_that_needs_it(engine: Engine) {
        let packages = package("0.2.0", "motto");
        let origin = with_packages(engine, &packages);
        let follower = Site::start(other(engine), &["nation"]);
        let own = motto(&origin, "motto");
        let token = brings(&follower);
        awaits(&follower, &token, json!({}));
        pushes(&origin, &follower.origin(), &token, &origin.admin);
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(shown(&follower, &own)["motto"], "Tillsammans");
        let digest = |site: &Site| site.get("/models/own/0.2.0").expect(200)["digest"].clone();
        assert_eq!(digest(&follower), digest(&origin));
    }

    fn a_package_comes_before_the_record_that_needs_it_and_stays(engine: Engine) {
        let packages = package("0.2.0", "motto");
        let origin = with_packages(engine, &packages);
        let follower = Site::start(other(engine), &["nation"]);
        // Another process on the same database reads it too.
        let beside = Site::beside(&follower);
        origin.unit("kommun", "Enheten");
        let own = motto(&origin, "motto");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let begun = std::time::Instant::now();
        while beside.get("/models/own/0.2.0").status != 200 {
            assert!(begun.elapsed() < Duration::from_secs(120), "the other process knows it too");
            std::thread::sleep(Duration::from_millis(10));
        }
        for site in [&follower, &beside] {
            assert_eq!(shown(site, &own)["motto"], "Tillsammans");
            let digest = |site: &Site| site.get("/models/own/0.2.0").expect(200)["digest"].clone();
            assert_eq!(digest(site), digest(&origin));
        }
        let state = follower.peer("kommun")["state"].clone();
        assert_eq!((&state["needsModel"], &state["restarts"]), (&json!(null), &json!(0)), "{state}");
        // The version of the core that is used here is the one that was.
        let current = |site: &Site| site.get("/models").expect(200)["current"].clone();
        assert_eq!(current(&follower), current(&origin));
        drop(beside);
        // It is there after a restart, with the origin gone, and a registry that follows from here gets it too.
        let (here, with) = (Arc::clone(&follower.database), Arc::clone(&follower.tokens));
        drop(follower.close());
        let follower = Site::with_model(here, with, InformationModel::embedded().expect("model"), &[]);
        assert_eq!(shown(&follower, &own)["motto"], "Tillsammans");
        let third = Site::start(engine, &[]);
        third.follow("via", &follower, "kommun", &follower.admin, json!({})).expect(201);
        third.wait_for("via", &follower, "kommun");
        assert_eq!(shown(&third, &own)["motto"], "Tillsammans");
    }

    /// The program that comes next has packages that one from a peer clashes with.
    fn a_package_that_clashes_is_set_aside_and_can_be_forgotten(engine: Engine) {
        let packages = package("0.2.0", "motto");
        let origin = with_packages(engine, &packages);
        let follower = Site::start(other(engine), &["nation"]);
        let plain = origin.unit("kommun", "Enheten");
        motto(&origin, "motto");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let (here, with) = (Arc::clone(&follower.database), Arc::clone(&follower.tokens));
        drop(follower.close());
        let mut follower = Site::with_model(Arc::clone(&here), Arc::clone(&with), model(&package("0.2.0", "slogan")), &[]);
        let aside = follower.store().set_aside();
        let (name, why) = aside.first_key_value().unwrap();
        assert_eq!((aside.len(), name.to_string()), (1, "own/0.2.0".to_owned()));
        assert!(why.contains("other content"), "{why}");
        follower.get(&format!("/organisations/{plain}")).expect(200);
        assert!(follower.store().names_package(name).unwrap());
        assert!(follower.store().forget_package(name).unwrap());
        assert!(!follower.store().forget_package(name).unwrap());
        assert!(!follower.store().load_packages().unwrap());
        assert!(follower.store().set_aside().is_empty());
        // What the record was written with is not here.
        follower.verified = false;
    }

    fn another_package_under_the_same_name_stops_the_copy(engine: Engine) {
        let (theirs, ours) = (package("0.2.0", "motto"), package("0.2.0", "slogan"));
        let origin = with_packages(engine, &theirs);
        let (database, tokens) = database(other(engine));
        let follower = Site::with_model(database, tokens, model(&ours), &["nation"]);
        let plain = origin.unit("kommun", "Enheten");
        let own = motto(&origin, "motto");
        // It can be read by its name and is not what is meant: the digest says so, before anything of it is stored.
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait("kommun", |state| state["failure"].as_str().is_some_and(|why| why.contains("other content")));
        let state = follower.peer("kommun")["state"].clone();
        assert_eq!(state["position"], 1, "{state}");
        assert!(state["needsModel"].as_str().is_some_and(|model| model.ends_with("+own/0.2.0")), "{state}");
        follower.get(&format!("/organisations/{plain}")).expect(200);
        assert_eq!(follower.get(&format!("/organisations/{own}")).status, 404);
    }

    /// The version that this registry was given stays the one that is meant where none is named.
    fn a_newer_version_from_a_peer_is_not_used_for_what_is_written_here(engine: Engine) {
        let (theirs, ours) = (package("0.3.0", "motto"), package("0.2.0", "slogan"));
        let origin = with_packages(engine, &theirs);
        let (database, tokens) = database(other(engine));
        let follower = Site::with_model(database, tokens, model(&ours), &["nation"]);
        let own = motto(&origin, "motto");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(shown(&follower, &own)["motto"], "Tillsammans");
        let data = json!({"name": {"sv": "Egen"}, "kind": "unit", "extensions": {"own": {"slogan": "Framåt"}}});
        let body = json!({"owner": "nation", "data": data, "validFrom": "2026-01-01"});
        let here = follower.create("organisations", body);
        assert_eq!(shown(&follower, &here)["slogan"], "Framåt");
    }

    /// Whoever runs the registry may want no package from elsewhere.
    fn a_model_that_is_missing_is_named_and_waited_for(engine: Engine) {
        let packages = package("0.2.0", "motto");
        let origin = with_packages(engine, &packages);
        let follower = Site::without_models(other(engine));
        let plain = origin.unit("kommun", "Enheten");
        let own = motto(&origin, "motto");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait("kommun", |state| state["needsModel"].is_string());
        let state = follower.peer("kommun")["state"].clone();
        assert!(state["needsModel"].as_str().is_some_and(|model| model.ends_with("+own/0.2.0")), "{state}");
        assert_eq!(state["position"], 1, "{state}");
        follower.get(&format!("/organisations/{plain}")).expect(200);
        assert_eq!(follower.get(&format!("/organisations/{own}")).status, 404);
        let said = follower.send_with("POST", "/peers/kommun/check", None, "").expect(200);
        assert!(said["summary"].as_str().is_some_and(|said| said.contains("own/0.2.0")), "{said}");
        // With the package it goes on by itself.
        let (here, with) = (Arc::clone(&follower.database), Arc::clone(&follower.tokens));
        drop(follower.close());
        let follower = Site::with_model(here, with, model(&packages), &[]);
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(shown(&follower, &own)["motto"], "Tillsammans");
        assert_eq!(follower.peer("kommun")["state"]["needsModel"], json!(null));
    }

    /// The copy cannot go on to the change that protects somebody: it hides them all the same, and what identifies them.
    fn a_protection_that_is_further_on_counts_at_once(engine: Engine) {
        let packages = package("0.2.0", "motto");
        let origin = with_packages(engine, &packages);
        let follower = Site::without_models(other(engine));
        let unit = origin.unit("kommun", "Skolan");
        let person = origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": "Ronja"}}, "validFrom": "2026-01-01"}));
        let data = json!({"kind": "employment", "title": {"sv": "Lärare"}, "organisation": {"id": unit}, "person": {"id": person}});
        let role = origin.create("roles", json!({"owner": "kommun", "data": data, "validFrom": "2026-02-01"}));
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let token = follower.token(vec![reader("kommun")]);
        let shown = |path: &str| follower.get_as(&token, path).expect(200)["data"].clone();
        let (person, role) = (format!("/persons/{person}"), format!("/roles/{role}"));
        assert_eq!(shown(&person)["name"]["full"], "Ronja");
        motto(&origin, "motto");
        let patch = json!({"patch": {"protection": {"level": "confidentiality-marking"}}, "validFrom": "start"});
        origin.send("POST", &format!("{person}/amendments"), Some(patch)).expect(200);
        let begun = std::time::Instant::now();
        while follower.get_as(&token, &person).status != 404 {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:#}", follower.peer("kommun"));
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(follower.get_as(&token, &role).status, 404);
        follower.wait("kommun", |state| state["needsModel"].is_string());
        // Who is shown everything is shown it as it was copied.
        assert_eq!(follower.get(&person).expect(200)["data"]["name"]["full"], "Ronja");
    }
}
