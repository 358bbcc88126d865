//! What is sent, in which form, in which order, and with whose access.

use std::time::Duration;

use grunddata_registry::Role;
use grunddata_testing::on_both;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::receiver::{Got, Manner, events_of, until};
use super::world::{World, world};

/// Whether the public library of Standard Webhooks believes a request.
fn believes(secret: &str, got: &Got) -> bool {
    let webhook = Webhook::new(secret).expect("a secret");
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, got.header(name).parse().expect("a header"));
    }
    webhook.verify(&got.body, &headers).is_ok()
}

fn subjects(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["subject"].as_str().expect("subject"))
        .collect()
}

on_both! {
    using world;

    fn entries_are_sent_in_three_forms_and_signed(world: World) {
        let schema: Value = serde_json::from_str(include_str!("cloudevents-1.0.schema.json")).expect("JSON");
        let schema = jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema");
        let process = world.process();
        let secrets = ["structured", "binary", "batch"].map(|mode| {
            world.subscribe(&process, &world.admin, &format!("/{mode}"), json!({"mode": mode})).1
        });
        let first = world.unit(&process, "Ett");
        let second = world.unit(&process, "Två");
        world.rename(&process, &first, "Ett igen");
        let feed = world.ask(&process, &world.admin, "GET", "/changes?owner=norrberga", None).expect(200);
        let mut ids: Vec<Vec<Value>> = Vec::new();
        for (mode, secret) in ["structured", "binary", "batch"].iter().zip(&secrets) {
            let path = format!("/{mode}");
            let events = world.receiver.wait_for(&path, 3);
            assert_eq!(subjects(&events), [&first, &second, &first], "{mode}");
            for (event, entry) in events.iter().zip(feed["items"].as_array().expect("items")) {
                assert!(schema.is_valid(event), "{:?}: {event:#}", schema.iter_errors(event).map(|error| error.to_string()).collect::<Vec<_>>());
                assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("https://grunddata.example.se/api/v1/owners/norrberga")));
                assert_eq!(event["type"], format!("se.grunddata.organisation.{}.v1", entry["kind"].as_str().expect("kind")));
                assert_eq!((&event["data"], &event["time"]), (entry, &entry["recordedAt"]));
                assert_eq!(event["datacontenttype"], "application/json");
                assert!(event["dataschema"].as_str().expect("a schema").starts_with("https://grunddata.example.se/"));
            }
            ids.push(events.iter().map(|event| event["id"].clone()).collect());
            for got in world.receiver.all(&path).iter().filter(|got| got.method == "POST") {
                assert!(believes(secret, got), "{mode}: {:?}", got.headers);
                let mut forged = got.clone();
                forged.body.push(b' ');
                assert!(!believes(secret, &forged) && !believes(&secrets[usize::from(*mode == "structured")], got));
                let media = match *mode {
                    "structured" => "application/cloudevents+json",
                    "binary" => "application/json",
                    _ => "application/cloudevents-batch+json",
                };
                assert_eq!(got.header("content-type"), media);
                assert!(!got.header("host").is_empty() && got.header("authorization").is_empty());
            }
        }
        // The same entry has the same id, whoever is sent it and however often.
        assert!(ids.iter().all(|one| *one == ids[0]));
        assert!(ids[0][0] != ids[0][1] && ids[0][0] != ids[0][2]);
        // Before anything else the target was asked, and sent a test.
        let all = world.receiver.all("/structured");
        assert_eq!((all[0].method.as_str(), all[0].header("webhook-request-origin")), ("OPTIONS", "grunddata.example.se"));
        assert_eq!(events_of(&all[1])[0]["type"], "se.grunddata.subscription.test.v1");
        // A message is named by its one event.
        let sent = &world.receiver.sent("/structured")[0];
        assert_eq!(json!(sent.header("webhook-id")), ids[0][0]);
    }

    fn many_entries_come_in_bounded_batches_and_in_order(world: World) {
        let process = world.process();
        let ids: Vec<String> = (0..130).map(|number| world.unit(&process, &format!("Enhet {number}"))).collect();
        world.subscribe(&process, &world.admin, "/alla", json!({"mode": "batch", "after": "0"}));
        let events = world.receiver.wait_for("/alla", 130);
        assert_eq!(subjects(&events), ids);
        let sizes: Vec<usize> = world.receiver.sent("/alla").iter().map(|got| events_of(got).len()).collect();
        assert_eq!(sizes, [100, 30]);
        // With a filter, and with states.
        world.subscribe(&process, &world.admin, "/en", json!({"after": 0, "record": ids[7], "content": "states"}));
        let events = world.receiver.wait_for("/en", 1);
        assert_eq!((&events[0]["subject"], &events[0]["data"]["states"][0]["data"]["name"]["sv"]), (&json!(ids[7]), &json!("Enhet 7")));
        world.subscribe(&process, &world.admin, "/kinds", json!({"after": 0, "kinds": ["replace"], "domains": ["organisation"]}));
        world.rename(&process, &ids[3], "Nytt");
        let events = world.receiver.wait_for("/kinds", 1);
        assert_eq!(events[0]["type"], "se.grunddata.organisation.replace.v1");
    }

    fn what_the_reader_may_not_see_is_never_sent(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.reader, "/r", json!({"content": "states"}));
        let hidden = world.person(&process, "Birk Dold", Some("protected-registration"));
        let ronja = world.person(&process, "Ronja", None);
        let unit = world.unit(&process, "Ett");
        let events = world.receiver.wait_for("/r", 2);
        assert_eq!(subjects(&events), [&ronja, &unit]);
        assert!(events[0]["data"].get("position").is_none() && events[0]["data"]["cursor"].is_string());
        // One that comes under protection is withdrawn, and nothing else is said.
        let patch = json!({"patch": {"protection": {"level": "protected-registration"}}, "validFrom": "start"});
        world.ask(&process, &world.admin, "POST", &format!("/persons/{ronja}/amendments"), Some(patch)).expect(200);
        let events = world.receiver.wait_for("/r", 3);
        assert_eq!((&events[2]["type"], &events[2]["subject"]), (&json!("se.grunddata.person.withdrawn.v1"), &json!(ronja)));
        assert!(events[2].get("time").is_none() && events[2]["data"].get("version").is_none());
        let all = world.receiver.all("/r");
        assert!(all.iter().all(|got| !String::from_utf8_lossy(&got.body).contains(&hidden) && !String::from_utf8_lossy(&got.body).contains("Birk")));
        // What was shown of persons is in the access log, in the reader's name.
        let log = world.ask(&process, &world.admin, "GET", "/access-log?kind=export&limit=100", None).expect(200);
        let logged = log["items"].as_array().expect("items").iter().any(|entry| {
            entry["operation"] == "deliverSubscription" && entry["actor"] == "reader" && entry["records"].as_array().is_some_and(|records| records.contains(&json!(ronja)))
        });
        assert!(logged, "{log:#}");
        // The deliveries tell nothing of what was sent.
        let deliveries = world.ask(&process, &world.reader, "GET", &format!("/subscriptions/{id}/deliveries"), None).expect(200);
        let told = deliveries.to_string();
        assert!(!told.contains(&ronja) && !told.contains("Ronja"), "{told}");
    }

    fn a_raised_protection_is_sent_before_what_comes_earlier(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.admin, "/r", json!({}));
        let ronja = world.person(&process, "Ronja", None);
        let unit = world.unit(&process, "Ett");
        world.receiver.wait_for("/r", 2);
        world.receiver.behave(Manner::Answers(500));
        world.rename(&process, &unit, "Två");
        until("it has failed", || world.show(&process, &id)["failures"].as_u64() >= Some(1));
        let patch = json!({"patch": {"protection": {"level": "protected-registration"}}, "validFrom": "start"});
        world.ask(&process, &world.admin, "POST", &format!("/persons/{ronja}/amendments"), Some(patch)).expect(200);
        world.receiver.behave(Manner::Accepts);
        world.do_(&process, &id, "resume", None).expect(200);
        let events = world.receiver.wait_for("/r", 5);
        let told: Vec<_> = events[2..].iter().map(|event| (event["type"].clone(), event["subject"].clone())).collect();
        assert_eq!(told, [
            (json!("se.grunddata.person.re-read.v1"), json!(ronja)),
            (json!("se.grunddata.organisation.replace.v1"), json!(unit)),
            (json!("se.grunddata.person.amend.v1"), json!(ronja)),
        ]);
        assert_eq!(events[2]["data"], json!({"kind": "re-read", "record": ronja, "domain": "person"}));
        assert!(events.iter().filter(|event| event["id"] == events[2]["id"]).count() == 1);
    }

    fn a_reader_that_is_gone_ends_it_and_changed_access_is_told(world: World) {
        let process = world.process();
        let token = world.token(&process.registry, "tillfällig", world.norrberga(), Role::Reader);
        let (id, _) = world.subscribe(&process, &token, "/t", json!({}));
        let (other, _) = world.subscribe(&process, &world.reader, "/r", json!({}));
        world.unit(&process, "Ett");
        world.receiver.wait_for("/t", 1);
        world.receiver.wait_for("/r", 1);
        // The owner shows more of protected persons than before: the receiver hears that, and then what comes.
        let policy = json!({"name": "norrberga", "openData": false, "protection": {"confidentiality-marking": {"sameOwner": "full"}}});
        world.ask(&process, &world.admin, "PUT", "/owners/norrberga", Some(policy)).expect(200);
        world.unit(&process, "Två");
        world.receiver.wait_for("/r", 2);
        let types: Vec<String> = world.receiver.all("/r").iter().filter(|got| got.method == "POST").map(|got| got.json()["type"].as_str().expect("type").to_owned()).collect();
        let place = types.iter().position(|kind| kind == "se.grunddata.access.changed.v1");
        assert_eq!(place, Some(types.len() - 2), "{types:?}");
        // The token is revoked: what comes is not sent.
        world.receiver.wait_for("/t", 2);
        let tokens = world.ask(&process, &world.admin, "GET", "/tokens", None).expect(200);
        let named = tokens["items"].as_array().expect("items").iter().find(|one| one["name"] == "tillfällig").expect("the token");
        world.ask(&process, &world.admin, "DELETE", &format!("/tokens/{}", named["id"].as_str().expect("id")), None);
        world.unit(&process, "Tre");
        world.wait_for_state(&process, &id, "stopped");
        assert!(world.show(&process, &id)["reason"].as_str().expect("a reason").contains("revoked"));
        world.receiver.wait_for("/r", 3);
        assert_eq!(world.receiver.events("/t").len(), 2);
        assert_eq!(world.show(&process, &other)["state"], "active");
    }

    fn secrets_change_without_a_stop(world: World) {
        let process = world.process();
        let (id, old) = world.subscribe(&process, &world.reader, "/s", json!({}));
        let turned = world.do_(&process, &id, "rotations", Some(json!({"overlapDays": 1}))).expect(201);
        let new = turned["secret"].as_str().expect("secret").to_owned();
        assert!(new != old && new.starts_with("whsec_"));
        world.unit(&process, "Ett");
        world.receiver.wait_for("/s", 1);
        let both = &world.receiver.sent("/s")[0];
        assert!(believes(&old, both) && believes(&new, both));
        assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
        // Without an overlap the one before is gone at once.
        let turned = world.do_(&process, &id, "rotations", Some(json!({"overlapDays": 0}))).expect(201);
        let last = turned["secret"].as_str().expect("secret").to_owned();
        world.unit(&process, "Två");
        world.receiver.wait_for("/s", 2);
        let sent = &world.receiver.sent("/s")[1];
        assert!(believes(&last, sent) && !believes(&new, sent) && !believes(&old, sent));
        world.do_(&process, &id, "rotations", Some(json!({"overlapDays": 91}))).expect(400);
        // A secret is shown in no other answer.
        let shown = world.show(&process, &id).to_string();
        let listed = world.ask(&process, &world.admin, "GET", "/subscriptions", None).expect(200).to_string();
        for secret in [&old, &new, &last] {
            let inner = secret.trim_start_matches("whsec_");
            assert!(!shown.contains(inner) && !listed.contains(inner));
        }
    }

    fn what_was_sent_is_sent_again_and_replayed(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.reader, "/a", json!({}));
        let ids: Vec<String> = ["Ett", "Två", "Tre"].iter().map(|name| world.unit(&process, name)).collect();
        let first = world.receiver.wait_for("/a", 3);
        let path = format!("/subscriptions/{id}/deliveries");
        let listed = || world.ask(&process, &world.reader, "GET", &path, None).expect(200);
        until("all are noted", || listed()["items"].as_array().expect("items").len() == 4);
        let deliveries = listed();
        let second = deliveries["items"].as_array().expect("items").iter().rev().filter(|one| one["kind"] == "entries").nth(1).expect("the second").clone();
        assert_eq!((&second["status"], &second["entries"], &second["accepted"]), (&json!(204), &json!(1), &json!(true)));
        assert!(second["from"].is_string() && second["from"] != second["to"]);
        let number = second["number"].as_u64().expect("number");
        world.do_(&process, &id, &format!("deliveries/{number}/send-again"), None).expect(202);
        let events = world.receiver.wait_for("/a", 4);
        assert_eq!((&events[3]["id"], &events[3]["subject"]), (&first[1]["id"], &json!(ids[1])));
        until("it is noted", || listed()["items"][0]["againOf"] == number);
        until("nothing waits", || world.show(&process, &id)["sendingAgain"].is_null());
        // A test holds nothing of the log.
        world.do_(&process, &id, "deliveries/1/send-again", None).expect(409);
        world.do_(&process, &id, "deliveries/99/send-again", None).expect(404);
        // From where a delivery ended, and from the beginning. Who sees the whole has positions.
        world.do_(&process, &id, "replay", Some(json!({"after": second["to"]}))).expect(200);
        assert_eq!(world.receiver.wait_for("/a", 5)[4]["id"], first[2]["id"]);
        world.do_(&process, &id, "replay", Some(json!({"after": "0"}))).expect(200);
        let events = world.receiver.wait_for("/a", 8);
        assert_eq!(subjects(&events[5..]), ids);
        for (wrong, status) in [(json!({"after": "x"}), 400), (json!({"after": 2}), 410), (json!({}), 400), (json!({"after": [1]}), 400)] {
            world.do_(&process, &id, "replay", Some(wrong)).expect(status);
        }
        let positions = world.ask(&process, &world.admin, "GET", &path, None).expect(200);
        assert!(positions["items"][0]["to"].is_u64(), "{positions:#}");
        // A record that was erased is not sent again.
        let body = json!({"records": [ids[1]], "decision": "Prov", "reference": "KS 2026/1"});
        world.ask(&process, &world.admin, "POST", "/erasures", Some(body)).expect(201);
        until("the erasure is told", || world.receiver.events("/a").len() == 9);
        assert_eq!(world.receiver.events("/a")[8]["type"], "se.grunddata.organisation.erase.v1");
        world.receiver.behave(Manner::Accepts);
    }

    fn a_quiet_one_gives_signs_of_life_and_a_silent_one_is_told(world: World) {
        let process = world.process();
        let (id, _) = world.subscribe(&process, &world.reader, "/q", json!({"silentAfterHours": 2}));
        let alive = || world.receiver.all("/q").iter().filter(|got| got.method == "POST" && got.json()["type"] == "se.grunddata.subscription.alive.v1").count();
        assert_eq!(alive(), 0);
        world.pass(Duration::from_secs(61 * 60));
        until("there is a sign of life", || alive() == 1);
        world.receiver.behave(Manner::Answers(500));
        until("it is known", || world.metrics(&process).contains("grunddata_subscriptions{state=\"active\"} 1"));
        assert!(world.metrics(&process).contains("grunddata_subscriptions_silent 0"));
        for turn in 0..4 {
            world.pass(Duration::from_secs(40 * 60));
            if turn == 1 {
                until("the sign of life has failed", || world.show(&process, &id)["failures"].as_u64() >= Some(1));
            }
        }
        until("it is silent", || world.show(&process, &id)["silentSince"].is_string());
        until("the metric says so", || world.metrics(&process).contains(&format!("grunddata_subscription_silent{{owner=\"norrberga\",subscription=\"{id}\"}} 1")));
        world.receiver.behave(Manner::Accepts);
        world.do_(&process, &id, "resume", None).expect(200);
        until("it is heard again", || alive() >= 3 && world.show(&process, &id)["silentSince"].is_null());
        until("the metric says so, too", || world.metrics(&process).contains("grunddata_subscriptions_silent 0"));
    }
}
