//! Who may have which subscription, what is refused, and how a target is asked.

use std::time::Duration;

use grunddata_registry::Role;
use grunddata_testing::{Engine, on_both};
use serde_json::{Value, json};

use super::receiver::until;
use super::world::{World, world};

/// Names that lead to this machine are allowed, its network is not.
fn closed(engine: Engine) -> World {
    World::new(engine, |config| {
        let reach = &mut config.subscriptions.reach;
        reach.hosts = vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "10.0.0.1".to_owned(),
        ];
        reach.networks = Vec::new();
    })
}

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|error| error["pointer"].as_str().expect("pointer"))
        .collect()
}

on_both! {
    using world;

    fn all_that_is_wrong_is_told_at_once(world: World) {
        let process = world.process();
        let wrong = json!({"target": "http://metadata.example/latest", "mode": "xml", "domains": ["peson"], "after": [1], "wher": 1});
        let told = world.ask(&process, &world.reader, "POST", "/subscriptions", Some(wrong)).expect(422);
        assert_eq!(told["code"], "invalid-settings");
        assert_eq!(pointers(&told), ["/name", "/target", "/mode", "/domains/0", "/wher", "/owner", "/after"]);
        let body = |more: Value| {
            let mut body = json!({"owner": "norrberga", "name": "Prov", "target": world.receiver.at("/x")});
            for (name, value) in more.as_object().expect("an object") {
                body[name] = value.clone();
            }
            body
        };
        let ask = |token: &str, more: Value| world.ask(&process, token, "POST", "/subscriptions", Some(body(more)));
        for target in ["https://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "https://u:p@127.0.0.1/", "http://127.0.0.1:22/", "file:///etc/passwd", "https://[::1]/", "http://localhost/"] {
            assert_eq!(pointers(&ask(&world.reader, json!({"target": target})).expect(422)), ["/target"], "{target}");
        }
        assert_eq!(ask(&world.reader, json!({"owner": "finns-inte"})).expect(404)["code"], "unknown-owner");
        assert_eq!(ask(&world.reader, json!({"after": "x"})).expect(400)["code"], "invalid-cursor");
        assert_eq!(ask(&world.reader, json!({"after": 1})).expect(410)["code"], "access-changed");
        let auditor = world.token(&process.registry, "granskare", world.norrberga(), Role::Auditor);
        ask(&auditor, json!({})).expect(403);
        assert!(world.receiver.all("/x").is_empty());
    }

    fn a_subscription_is_its_readers_and_its_owners(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.reader, "/m", json!({"name": "Min"}));
        let other = world.token(&process.registry, "annan", world.norrberga(), Role::Reader);
        let path = format!("/subscriptions/{id}");
        for (method, below) in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("GET", "/deliveries"), ("POST", "/deliveries/1/send-again")] {
            let body = (method == "PUT").then(|| json!({"name": "x", "target": world.receiver.at("/m")}));
            world.ask(&process, &other, method, &format!("{path}{below}"), body).expect(404);
        }
        let listed = |token: &str| world.ask(&process, token, "GET", "/subscriptions?owner=norrberga", None).expect(200)["items"].as_array().expect("items").len();
        assert_eq!((listed(&world.reader), listed(&other), listed(&world.admin)), (1, 0, 1));
        // Changed with the version that was seen.
        let client = reqwest::blocking::Client::new();
        let address = format!("{}/api/v1{path}", process.origin());
        let put = |tag: Option<&str>| {
            let mut request = client.put(&address).bearer_auth(&world.reader).json(&json!({"name": "Ny", "target": world.receiver.at("/ny")}));
            if let Some(tag) = tag {
                request = request.header("if-match", tag);
            }
            request.send().expect("an answer").status().as_u16()
        };
        let got = client.get(&address).bearer_auth(&world.reader).send().expect("an answer");
        let tag = got.headers()["etag"].to_str().expect("a tag").to_owned();
        assert_eq!((put(None), put(Some("\"9\"")), put(Some(&tag)), put(Some(&tag))), (428, 412, 200, 412));
        // The new target is asked before anything goes there.
        world.wait_for_state(&process, &id, "active");
        world.unit(&process, "Ett");
        world.receiver.wait_for("/ny", 1);
        assert_eq!(world.receiver.all("/ny")[0].method, "OPTIONS");
        assert!(world.receiver.events("/m").is_empty());
        // What was done stands in the access log.
        let log = world.ask(&process, &world.admin, "GET", "/access-log?kind=administration&limit=100", None).expect(200);
        for operation in ["createSubscription", "putSubscription"] {
            assert!(log["items"].as_array().expect("items").iter().any(|entry| entry["operation"] == operation && entry["owners"] == json!(["norrberga"])), "{operation}: {log:#}");
        }
        assert!(!log.to_string().contains("whsec_"));
    }

    fn a_target_must_agree(world: World) {
        let process = world.process();
        world.receiver.agree(None);
        let made = world.make(&process, &world.reader, "/h", json!({"after": "0"}));
        let id = made["id"].as_str().expect("id");
        world.unit(&process, "Ett");
        until("it was asked", || world.show(&process, id)["failures"].as_u64() >= Some(1));
        let shown = world.show(&process, id);
        assert_eq!(shown["state"], "pending");
        assert!(shown["failure"].as_str().expect("a failure").contains("WebHook-Allowed-Origin: grunddata.example.se"));
        world.receiver.agree(Some("other.example.se"));
        world.do_(&process, id, "resume", None).expect(200);
        until("it was asked again", || world.receiver.all("/h").len() >= 2 && world.show(&process, id)["failures"].as_u64() >= Some(1));
        assert!(world.receiver.all("/h").iter().all(|got| got.method == "OPTIONS"));
        world.receiver.agree(Some("GRUNDDATA.example.se"));
        world.do_(&process, id, "resume", None).expect(200);
        world.receiver.wait_for("/h", 1);
        world.wait_for_state(&process, id, "active");
    }

    fn the_console_looks_after_subscriptions(world: World) {
        let process = world.process();
        let directory = tempfile::tempdir().expect("a directory");
        let settings = directory.path().join("grunddata.toml");
        let data = directory.path().join("data");
        std::fs::write(&settings, format!("data = {:?}\n[subscriptions]\nhosts = [\"127.0.0.1\"]\nports = [{}]\nnetworks = [\"127.0.0.0/8\"]\nhttp = true\n", data.to_str().expect("a path"), world.receiver.port())).expect("a file");
        let run = |arguments: &[&str]| {
            let all = [&["subscription"], arguments, &["--database", world.database_url(), "--config", settings.to_str().expect("a path")]].concat();
            let output = crate::program::run(&all);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            (output.status.code().unwrap_or(-1), said, String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let tokens = world.ask(&process, &world.admin, "GET", "/tokens", None).expect(200);
        let reader = tokens["items"].as_array().expect("items").iter().find(|one| one["name"] == "reader").expect("reader")["id"].as_str().expect("id").to_owned();
        let target = world.receiver.at("/c");
        let (code, secret, said) = run(&["add", "--owner", "norrberga", "--reader", &reader, "--name", "Konsol", "--target", &target, "--domain", "organisation"]);
        assert!(code == 0 && secret.starts_with("whsec_"), "{secret}{said}");
        let (_, listed, _) = run(&["list", "--owner", "norrberga"]);
        let id = listed.split_whitespace().next().expect("an id").to_owned();
        assert!(listed.contains("Konsol"), "{listed}");
        world.wait_for_state(&process, &id, "active");
        world.unit(&process, "Ett");
        world.receiver.wait_for("/c", 1);
        until("it is listed", || run(&["deliveries", &id]).1.lines().count() == 2);
        let (_, deliveries, _) = run(&["deliveries", &id]);
        assert!(deliveries.starts_with("2  ") && deliveries.contains("accepted"), "{deliveries}");
        assert_eq!(run(&["send-again", &id, "2"]).0, 0);
        world.receiver.wait_for("/c", 2);
        until("nothing waits", || world.show(&process, &id)["sendingAgain"].is_null());
        assert_eq!(run(&["replay", &id, "--after", "0"]).0, 0);
        world.receiver.wait_for("/c", 3);
        assert!(run(&["pause", &id]).1.contains("paused"));
        assert!(run(&["resume", &id]).1.contains("active"));
        assert!(run(&["rotate-secret", &id]).1.starts_with("whsec_"));
        assert!(run(&["show", &id]).1.contains("\"target\""));
        assert_eq!(run(&["remove", &id]).0, 0);
        assert_eq!(run(&["show", &id]).0, 1);
        let (code, _, said) = run(&["add", "--owner", "norrberga", "--reader", &reader, "--name", "Konsol", "--target", "https://169.254.169.254/"]);
        assert!(code == 1 && said.contains("target"), "{said}");
    }
}

mod closed_network {
    use super::*;

    on_both! {
        using closed;

        fn a_name_that_leads_inside_is_not_connected_to(world: World) {
            let process = world.process();
            let port = world.receiver.port();
            let target = format!("http://localhost:{port}/inside");
            let body = json!({"owner": "norrberga", "name": "Prov", "target": target});
            let made = world.ask(&process, &world.reader, "POST", "/subscriptions", Some(body)).expect(201);
            let id = made["id"].as_str().expect("id");
            until("it was refused", || world.show(&process, id)["failures"].as_u64() >= Some(1));
            assert!(world.show(&process, id)["failure"].as_str().expect("a failure").contains("may not send to"));
            std::thread::sleep(Duration::from_millis(50));
            assert!(world.receiver.all("/inside").is_empty());
            for target in [format!("http://127.0.0.1:{port}/inside"), format!("http://10.0.0.1:{port}/")] {
                let body = json!({"owner": "norrberga", "name": "Prov", "target": target});
                world.ask(&process, &world.reader, "POST", "/subscriptions", Some(body)).expect(422);
            }
        }
    }
}
