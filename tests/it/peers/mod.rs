//! Registries that copy each other's owners, with real servers on loopback: what is copied is what the origin has, whoever
//! is killed when, and what is taken away goes away.

mod keys;
mod many;
mod models;
mod parts;
mod pushed;
mod restored;
pub(crate) mod site;
pub(crate) mod world;

use std::net::SocketAddr;
use std::time::Duration;

use grunddata_model::{Domain, OwnerKey};
use grunddata_registry::{Grant, OwnerScope, Role};
use grunddata_testing::{Engine, on_both};
use serde_json::json;

use crate::desk::Desk;
use crate::faults::proxy::Proxy;
use crate::program::Program;
use site::Site;
use world::{World, cast};

fn other(engine: Engine) -> Engine {
    match engine {
        Engine::Sqlite => Engine::Postgres,
        Engine::Postgres => Engine::Sqlite,
    }
}

fn reader(owner: &str) -> Grant {
    Grant::of(
        OwnerScope::Owner(OwnerKey::new(owner).expect("key")),
        Role::Reader,
    )
}

/// An origin on one engine and a registry that follows on the other.
fn pair(engine: Engine) -> (Site, Site) {
    (
        Site::start(engine, &["kommun"]),
        Site::start(other(engine), &["nation"]),
    )
}

on_both! {
    using pair;

    /// Everything that there is, and what comes afterwards, at hundreds of coordinates.
    fn a_copy_answers_every_coordinate_as_its_origin(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let (mut dice, mut world) = (cast(), World::default());
        world.grow(&origin, "kommun", &mut dice, 120);
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        world.compare(&origin, &follower, "kommun", &mut dice, 150);
        world.grow(&origin, "kommun", &mut dice, 80);
        follower.wait_for("kommun", &origin, "kommun");
        world.compare(&origin, &follower, "kommun", &mut dice, 200);
        // The log is the same too, place by place.
        let log = |site: &Site| site.get("/changes?owner=kommun&limit=1000&content=states").expect(200)["items"].clone();
        assert_eq!(log(&origin), log(&follower));
        // And so is the tree over it, leaf by leaf, each signed with a key of its own.
        let head = |site: &Site| site.get("/changes/head?owner=kommun").expect(200);
        let heads = (head(&origin), head(&follower));
        assert_eq!((&heads.0["size"], &heads.0["rootHash"]), (&heads.1["size"], &heads.1["rootHash"]));
        assert_ne!(heads.0["keyId"], heads.1["keyId"]);
        assert_eq!(follower.peer("kommun")["state"]["restarts"], 0);
    }

    /// Another registry answers in the place of the origin, and has another history.
    fn a_log_that_was_rewritten_is_refused_and_told(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let proxy = Proxy::start();
        let address = |site: &Site| site.origin().trim_start_matches("http://").parse::<SocketAddr>().unwrap();
        proxy.lead_to([address(&origin)]);
        let kept = origin.unit("kommun", "Ett");
        let url = json!({"url": format!("http://{}", proxy.address())});
        follower.follow("kommun", &origin, "kommun", &origin.admin, url).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let twin = Site::start(Engine::Sqlite, &["kommun"]);
        let other = twin.unit("kommun", "Annat");
        let more = twin.unit("kommun", "Mer");
        std::fs::write(follower.tokens.path().join("kommun.token"), &twin.admin).unwrap();
        proxy.lead_to([address(&twin)]);
        proxy.cut();
        let fails = |with: &str| follower.wait("kommun", |state| state["failure"].as_str().is_some_and(|why| why.contains(with)));
        fails("signed with another key");
        // Also when its key is believed.
        follower.send("POST", "/peers/kommun/trust", None).expect(200);
        fails("was rewritten");
        let state = &follower.peer("kommun")["state"];
        assert_eq!((&state["position"], &state["restarts"]), (&json!(1), &json!(0)));
        follower.get(&format!("/organisations/{kept}")).expect(200);
        for id in [other, more] {
            follower.get(&format!("/organisations/{id}")).expect(404);
        }
        // The right one is back, and it goes on.
        std::fs::write(follower.tokens.path().join("kommun.token"), &origin.admin).unwrap();
        proxy.lead_to([address(&origin)]);
        proxy.cut();
        follower.send("POST", "/peers/kommun/trust", None).expect(200);
        origin.unit("kommun", "Två");
        follower.wait_for("kommun", &origin, "kommun");
    }

    fn a_copy_is_read_only_and_says_whose_it_is(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let id = origin.unit("kommun", "Enheten");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let read = follower.get(&format!("/organisations/{id}")).expect(200);
        assert_eq!(read["origin"]["kind"], "copy");
        assert_eq!(read["origin"]["of"], origin.origin());
        assert!(read["origin"]["receivedAt"].is_string(), "{read}");
        assert_eq!(read["_meta"]["copyOf"], origin.origin());
        assert_eq!(read["_meta"]["completeTo"]["position"], 1);
        assert_eq!(read["_meta"]["completeTo"]["recordedAt"], read["recordedAt"]);
        let patch = json!({"patch": {"name": {"sv": "Annat"}}, "validFrom": "2026-02-01"});
        let refused = follower.send("POST", &format!("/organisations/{id}/amendments"), Some(patch));
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("read-only-copy")), "{}", refused.json);
        let new = json!({"owner": "kommun", "data": {"name": {"sv": "Ny"}, "kind": "unit"}, "validFrom": "2026-01-01"});
        let refused = follower.send_with("POST", "/organisations", Some(new), "");
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("read-only-copy")), "{}", refused.json);
        assert_eq!(refused.json["origin"]["of"], origin.origin());
        let hold = follower.send_with("POST", "/holds", Some(json!({"record": id, "reason": "Prov"})), "");
        assert_eq!((hold.status, &hold.json["code"]), (409, &json!("read-only-copy")), "{}", hold.json);
        // Its own owner is written to as ever.
        follower.unit("nation", "Egen");
    }

    fn what_belongs_here_is_not_copied_and_nothing_is_copied_twice(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let refused = follower.follow("x", &origin, "nation", &origin.admin, json!({}));
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("owner-at-home")));
        follower.follow("a", &origin, "kommun", &origin.admin, json!({})).expect(201);
        let refused = follower.follow("b", &origin, "kommun", &origin.admin, json!({}));
        assert_eq!((refused.status, &refused.json["code"]), (409, &json!("owner-copied")));
        let bad = follower.send_with("PUT", "/peers/c", Some(json!({"settings": {"url": "ftp://x", "owner": "Å"}})), "");
        assert_eq!((bad.status, bad.json["errors"].as_array().map(Vec::len)), (422, Some(2)), "{}", bad.json);
        let needed = follower.follow("a", &origin, "kommun", &origin.admin, json!({}));
        assert_eq!(needed.status, 428, "{}", needed.json);
    }

    fn what_was_known_here_is_told_by_when_it_came(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let id = origin.unit("kommun", "Före");
        let before = origin.registry.now();
        std::thread::sleep(Duration::from_millis(5));
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let address = |more: &str| format!("/organisations/{id}?validAt=2026-06-01&knownAt={before}{more}");
        // The origin knew it by then, and this registry did not.
        follower.get(&address("")).expect(200);
        follower.get(&address("&knownBy=origin")).expect(200);
        let unknown = follower.get(&address("&knownBy=holder"));
        assert_eq!((unknown.status, &unknown.json["code"]), (404, &json!("not-known-then")), "{}", unknown.json);
        let now = follower.registry.now();
        follower.get(&format!("/organisations/{id}?knownAt={now}&knownBy=holder")).expect(200);
        let list = follower.get(&format!("/organisations?owner=kommun&knownAt={before}&knownBy=holder")).expect(200);
        assert_eq!(list["items"], json!([]));
        assert_eq!(follower.get("/organisations?knownBy=nobody").status, 400);
    }

    fn an_erasure_at_the_origin_erases_here(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let id = origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": "Zorro Hemlig"}}, "validFrom": "2026-01-01"}));
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        assert!(follower.get("/persons?q=Zorro").expect(200)["items"][0].is_object());
        origin.send("POST", "/erasures", Some(json!({"records": [id], "decision": "Prov", "reference": "KS 2026/1"}))).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(follower.get(&format!("/persons/{id}")).status, 410);
        assert_eq!(follower.get("/persons?q=Zorro").expect(200)["items"], json!([]));
        // Whoever begins later gets the tombstone and nothing of the content.
        let late = Site::start(origin.database.engine, &[]);
        late.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        late.wait_for("kommun", &origin, "kommun");
        assert_eq!(late.get(&format!("/persons/{id}")).status, 410);
        let log = |site: &Site| site.get("/changes?owner=kommun&limit=100&content=states").expect(200)["items"].clone();
        assert_eq!(log(&origin), log(&follower));
        assert_eq!(log(&origin), log(&late));
    }

    fn whoever_is_shown_a_part_gets_that_part_and_loses_what_is_hidden(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let unit = origin.unit("kommun", "Enheten");
        let person = |name: &str| origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": name}}, "validFrom": "2026-01-01"}));
        let (ida, per) = (person("Ida Öppen"), person("Per Dold"));
        let token = origin.token(vec![reader("kommun")]);
        follower.follow("kommun", &origin, "kommun", &token, json!({})).expect(201);
        follower.wait("kommun", |state| state["heardAt"].is_string() && state["position"] == 3);
        assert_eq!(follower.peer("kommun")["state"]["whole"], false);
        for path in [format!("/organisations/{unit}"), format!("/persons/{ida}"), format!("/persons/{per}")] {
            let read = follower.get(&path).expect(200);
            assert_eq!(read["_meta"]["completeTo"]["position"], json!(null), "no place of the origin is told: {read}");
        }
        let patch = json!({"patch": {"protection": {"level": "protected-registration"}}, "validFrom": "start"});
        origin.send("POST", &format!("/persons/{per}/amendments"), Some(patch)).expect(200);
        follower.wait("kommun", |state| state["position"] == 4);
        assert_ne!(follower.get(&format!("/persons/{per}")).status, 200);
        assert_eq!(follower.get("/persons?q=Dold").expect(200)["items"], json!([]));
        follower.get(&format!("/persons/{ida}")).expect(200);
        // A part is not passed on as if it were whole.
        let third = Site::start(origin.database.engine, &[]);
        third.follow("kommun", &follower, "kommun", &follower.admin, json!({})).expect(201);
        third.wait("kommun", |state| state["failures"].as_u64() > Some(0));
    }

    fn whoever_asks_for_a_domain_gets_no_other(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let unit = origin.unit("kommun", "Enheten");
        let person = origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": "Ida"}}, "validFrom": "2026-01-01"}));
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({"domains": ["organisation"]})).expect(201);
        follower.wait("kommun", |state| state["position"] == 1 && state["heardAt"].is_string());
        follower.get(&format!("/organisations/{unit}")).expect(200);
        assert_eq!(follower.get(&format!("/persons/{person}")).status, 404);
        // What is asked for changes: everything is fetched anew.
        let settings = json!({"settings": {"url": origin.origin(), "owner": "kommun", "tokenFile": "kommun.token", "domains": ["person"]}});
        follower.send("PUT", "/peers/kommun", Some(settings)).expect(200);
        follower.wait("kommun", |state| state["restarts"] == 1 && state["position"] == 1 && state["heardAt"].is_string());
        follower.get(&format!("/persons/{person}")).expect(200);
        assert_eq!(follower.get(&format!("/organisations/{unit}")).status, 404);
    }

    fn what_the_reader_may_see_no_more_goes_away(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let unit = origin.unit("kommun", "Enheten");
        let person = origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": "Ida"}}, "validFrom": "2026-01-01"}));
        let token = origin.token(vec![reader("kommun")]);
        follower.follow("kommun", &origin, "kommun", &token, json!({})).expect(201);
        follower.wait("kommun", |state| state["position"] == 2 && state["heardAt"].is_string());
        // The same peer with a token that is shown less: its cursor is another's.
        let less = origin.token(vec![Grant { domains: vec![Domain::Organisation].into_iter().collect(), ..reader("kommun") }]);
        let settings = json!({"title": "Kommunen"});
        follower.send("POST", "/peers/kommun/pause", None).expect(200);
        let put = {
            let got = follower.follow("kommun", &origin, "kommun", &less, settings);
            assert_eq!(got.status, 428);
            let body = json!({"settings": {"url": origin.origin(), "owner": "kommun", "tokenFile": "kommun.token", "title": "Kommunen"}});
            follower.send("PUT", "/peers/kommun", Some(body))
        };
        put.expect(200);
        follower.send("POST", "/peers/kommun/resume", None).expect(200);
        // It is told with the next answer that its access has changed, at the latest when something happens.
        origin.rename(&unit, "Enheten 2");
        follower.wait("kommun", |state| state["restarts"] == 1 && state["position"] == 2);
        follower.get(&format!("/organisations/{unit}")).expect(200);
        assert_eq!(follower.get(&format!("/persons/{person}")).status, 404);
    }

    fn a_follower_that_is_broken_off_goes_on(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let (mut dice, mut world) = (cast(), World::default());
        world.grow(&origin, "kommun", &mut dice, 60);
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        let mut follower = follower;
        for _ in 0..4 {
            // It is stopped in the midst of whatever it does, and another takes it up.
            world.grow(&origin, "kommun", &mut dice, 10);
            std::thread::sleep(Duration::from_millis(dice.below(30) as u64));
            let next = Site::beside(&follower);
            drop(follower.close());
            follower = next;
        }
        world.grow(&origin, "kommun", &mut dice, 10);
        follower.wait_for("kommun", &origin, "kommun");
        world.compare(&origin, &follower, "kommun", &mut dice, 100);
        follower.verified = true;
    }

    fn a_diamond_and_a_loop_converge(pair: (Site, Site)) {
        let (origin, nation) = pair;
        let id = origin.unit("kommun", "Enheten");
        nation.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        origin.follow("nation", &nation, "nation", &nation.admin, json!({})).expect(201);
        // A third follows through the one in the middle, and the origin is not its own copy.
        let third = Site::start(origin.database.engine, &[]);
        third.follow("via", &nation, "kommun", &nation.admin, json!({})).expect(201);
        let refused = third.follow("direct", &origin, "kommun", &origin.admin, json!({}));
        assert_eq!(refused.json["code"], "owner-copied");
        let refused = origin.follow("back", &nation, "kommun", &nation.admin, json!({}));
        assert_eq!(refused.json["code"], "owner-at-home");
        let geography = nation.create("geographies", json!({"owner": "nation", "data": {"name": {"sv": "Riket"}, "kind": "catchment-area"}, "validFrom": "2026-01-01"}));
        origin.rename(&id, "Enheten 2");
        nation.wait_for("kommun", &origin, "kommun");
        third.wait_for("via", &nation, "kommun");
        origin.wait_for("nation", &nation, "nation");
        origin.get(&format!("/geographies/{geography}")).expect(200);
        let read = third.get(&format!("/organisations/{id}")).expect(200);
        assert_eq!((&read["version"], &read["origin"]["of"]), (&json!(2), &json!(origin.origin())));
        assert_eq!(read["_meta"]["copyOf"], nation.origin());
    }

    fn a_peer_is_paused_resumed_checked_and_left(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let id = origin.unit("kommun", "Enheten");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        let checked = follower.send_with("POST", "/peers/kommun/check", None, "").expect(200);
        assert_eq!((&checked["reachable"], &checked["lagEntries"], &checked["lagSeconds"]), (&json!(true), &json!(0), &json!(0)), "{checked}");
        follower.send("POST", "/peers/kommun/pause", None).expect(200);
        origin.rename(&id, "Två");
        std::thread::sleep(Duration::from_millis(300));
        let checked = follower.send_with("POST", "/peers/kommun/check", None, "").expect(200);
        assert_eq!(checked["lagEntries"], 1, "{checked}");
        follower.send("POST", "/peers/kommun/resume", None).expect(200);
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(follower.send_with("DELETE", "/peers/kommun", None, "").status, 204);
        follower.get(&format!("/organisations/{id}")).expect(200);
        let new = json!({"owner": "kommun", "data": {"name": {"sv": "Ny"}, "kind": "unit"}, "validFrom": "2026-01-01"});
        assert_eq!(follower.send_with("POST", "/organisations", Some(new), "").json["code"], "read-only-copy");
        assert_eq!(follower.send_with("DELETE", "/peers/kommun?records=remove", None, "").status, 204);
        assert_eq!(follower.get(&format!("/organisations/{id}")).status, 404);
        assert_eq!(follower.get("/peers/kommun").status, 404);
        assert_eq!(follower.get("/owners/kommun").status, 404);
    }
}

/// The clock of the origin is an hour ahead or behind: the order is that of its log, and its instants stay.
fn clocks(engine: Engine) -> (Engine, [i64; 2]) {
    (engine, [3_600, -3_600])
}

on_both! {
    using clocks;

    fn a_wrong_clock_at_the_origin_changes_nothing(given: (Engine, [i64; 2])) {
        let (engine, off) = given;
        for seconds in off {
            let origin = Site::start_off(engine, &["kommun"], seconds);
            let follower = Site::start(other(engine), &[]);
            let id = origin.unit("kommun", "Ett");
            follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
            follower.wait_for("kommun", &origin, "kommun");
            origin.rename(&id, "Två");
            follower.wait_for("kommun", &origin, "kommun");
            let path = format!("/organisations/{id}?validAt=2026-06-01");
            let (here, there) = (origin.get(&path).expect(200), follower.get(&path).expect(200));
            assert_eq!(here["recordedAt"], there["recordedAt"]);
            assert_eq!(there["data"]["name"]["sv"], "Två");
            let list = follower.get("/organisations?owner=kommun&validAt=2026-06-01").expect(200);
            assert_eq!(list["items"][0]["data"]["name"]["sv"], "Två");
        }
    }

    fn of_two_servers_on_one_database_one_follows(given: (Engine, [i64; 2])) {
        let (engine, _off) = given;
        let origin = Site::start(engine, &["kommun"]);
        let follower = Site::start(engine, &[]);
        let beside = Site::beside(&follower);
        let id = origin.unit("kommun", "Ett");
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        follower.wait_for("kommun", &origin, "kommun");
        for number in 0..20 {
            origin.rename(&id, &format!("Namn {number}"));
        }
        follower.wait_for("kommun", &origin, "kommun");
        let read = |site: &Site| site.get(&format!("/organisations/{id}?validAt=2026-06-01")).expect(200);
        assert_eq!(read(&follower)["version"], read(&beside)["version"]);
    }

    fn nothing_follows_by_itself_and_a_sync_fetches_what_there_is(given: (Engine, [i64; 2])) {
        let (engine, _off) = given;
        let origin = Site::start(engine, &["kommun"]);
        let follower = Site::quiet(other(engine));
        for number in 0..30 {
            origin.unit("kommun", &format!("Enhet {number}"));
        }
        follower.follow("kommun", &origin, "kommun", &origin.admin, json!({})).expect(201);
        let worker = grunddata_server::loads::collect::Worker::new(Duration::from_secs(2));
        let peering = follower.peering();
        let row = grunddata_server::peers::sync(&follower.registry, &peering, &worker, "kommun", &mut |_| {}).expect("in step");
        assert_eq!((row.position, row.whole), (30, true));
        let again = grunddata_server::peers::sync(&follower.registry, &peering, &worker, "kommun", &mut |_| {}).expect("in step");
        assert_eq!(again.position, 30);
    }
}

on_both! {
    using clocks;

    /// The program itself, killed wherever it is, again and again.
    fn a_follower_that_is_killed_goes_on_and_doubles_nothing(given: (Engine, [i64; 2])) {
        let (engine, _) = given;
        let mut dice = cast();
        let origin = Site::start(other(engine), &["kommun"]);
        for part in 0..4 {
            let operations: Vec<serde_json::Value> = (0..200)
                .map(|number| json!({"op": "create", "collection": "organisations", "data": {"name": {"sv": format!("Enhet {part}-{number}")}, "kind": "unit"}, "validFrom": "2026-01-01"}))
                .collect();
            origin.send("POST", "/transactions", Some(json!({"owner": "kommun", "operations": operations}))).expect(200);
            for number in 0..60 {
                origin.unit("kommun", &format!("Ensam {part}-{number}"));
            }
        }
        let mut desk = Desk::new(engine);
        desk.configure("[peers]\nhttp_loopback = true\n[loads]\nlease_seconds = 1\n");
        desk.done(&["migrate"]);
        desk.write("token", &origin.admin);
        let (token, url) = (desk.path("token"), origin.origin());
        desk.done(&["peer", "add", "kommun", "--url", &url, "--owner", "kommun", "--token-file", &token]);
        for _ in 0..4 {
            let program = Program::start(&desk.arguments(&["serve"]), Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(dice.below(700) as u64));
            drop(program);
        }
        // What a killed process held is free when its lease has run out.
        std::thread::sleep(Duration::from_millis(1_300));
        desk.done(&["peer", "sync", "kommun"]);
        desk.done(&["verify"]);
        let here = desk.done(&["changes", "kommun", "--after", "0"]);
        let there = origin.get("/changes?owner=kommun&after=0&format=ndjson").expect(200);
        let there = there.as_str().expect("lines").lines().filter(|line| !line.contains("_meta")).collect::<Vec<_>>();
        assert_eq!(here.lines().collect::<Vec<_>>(), there);
        assert_eq!(there.len(), 1_040);
        let said = desk.done(&["peer", "check"]);
        assert!(said.contains("The copy has everything"), "{said}");
        assert!(desk.done(&["peer", "list"]).contains("following"));
        assert!(desk.done(&["peer", "show", "kommun"]).contains("\"position\": 1040"));
    }
}
