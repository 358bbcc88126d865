//! A registry that cannot be reached brings its changes itself. Where it is asked nobody listens: whatever comes has been
//! brought.

use std::net::SocketAddr;
use std::time::{Duration, Instant as Stopwatch};

use grunddata_model::OwnerKey;
use grunddata_registry::{Actor, Context, Grant, NewToken, OwnerScope, PushSettings, Role};
use grunddata_testing::{Engine, on_both};
use serde_json::{Value, json};

use super::site::Site;
use super::world::{World, cast};
use super::{other, pair, reader};
use crate::faults::proxy::Proxy;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What is brought to a registry: with which token, and its id.
pub(super) struct Brings {
    secret: String,
    id: String,
}

fn context(site: &Site) -> Context {
    Context::new(Actor::system("test"), site.registry.now(), "push")
}

/// A token that may do next to nothing else.
pub(super) fn brings(follower: &Site) -> Brings {
    let owner = OwnerKey::new("kommun").expect("key");
    let token = NewToken {
        name: "kommun".to_owned(),
        grants: vec![Grant::of(OwnerScope::Owner(owner), Role::OpenDataReader)],
        feeds_copies: false,
        unit: None,
        expires_at: None,
    };
    let made = follower.registry.mint_token(&context(follower), token);
    let made = made.expect("a token");
    Brings {
        secret: made.secret,
        id: made.token.id,
    }
}

/// The follower waits for it.
pub(super) fn awaits(follower: &Site, brings: &Brings, more: Value) -> Value {
    let mut settings = json!({"url": NOWHERE, "owner": "kommun", "pushedBy": brings.id});
    for (key, value) in more.as_object().into_iter().flatten() {
        settings[key] = value.clone();
    }
    let body = json!({"settings": settings});
    follower
        .send_with("PUT", "/peers/kommun", Some(body), "")
        .expect(201)
}

/// The origin brings it to an address, as it is shown to whoever has this token.
pub(super) fn pushes(origin: &Site, address: &str, brings: &Brings, shown: &str) {
    let file = |name: &str, text: &str| {
        let path = origin.tokens.path().join(name);
        std::fs::write(&path, text).expect("a token");
        path.to_str().expect("a path").to_owned()
    };
    let settings = PushSettings {
        url: address.to_owned(),
        owner: OwnerKey::new("kommun").expect("key"),
        peer: "kommun".to_owned(),
        token_file: file("there", &brings.secret),
        reader_token_file: file("here", shown),
    };
    let put = origin
        .registry
        .put_push(&context(origin), "nation", &settings);
    put.expect("a push");
}

/// Waits until sending fails like that.
#[track_caller]
fn fails(origin: &Site, with: &str) {
    let begun = Stopwatch::now();
    loop {
        let push = origin.registry.push(&context(origin), "nation");
        let push = push.expect("readable").expect("a push");
        if push
            .failure
            .as_deref()
            .is_some_and(|why| why.contains(with))
        {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{push:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn address(site: &Site) -> SocketAddr {
    let origin = site.origin();
    let text = origin.trim_start_matches("http://");
    text.parse().expect("an address")
}

fn tree(site: &Site) -> (Value, Value) {
    let head = site.get("/changes/head?owner=kommun").expect(200);
    (head["size"].clone(), head["rootHash"].clone())
}

on_both! {
    using pair;

    fn what_is_brought_is_what_would_have_been_fetched(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let (mut dice, mut world) = (cast(), World::default());
        world.grow(&origin, "kommun", &mut dice, 80);
        let token = brings(&follower);
        let peer = awaits(&follower, &token, json!({}));
        assert_eq!(peer["settings"]["pushedBy"], token.id, "{peer}");
        pushes(&origin, &follower.origin(), &token, &origin.admin);
        follower.wait_for("kommun", &origin, "kommun");
        world.compare(&origin, &follower, "kommun", &mut dice, 100);
        world.grow(&origin, "kommun", &mut dice, 60);
        follower.wait_for("kommun", &origin, "kommun");
        world.compare(&origin, &follower, "kommun", &mut dice, 100);
        // The same tree, over heads that were checked.
        assert_eq!(tree(&origin), tree(&follower));
        let state = &follower.peer("kommun")["state"];
        assert_eq!(state["trusts"].as_array().map(Vec::len), Some(1), "{state}");
        assert_eq!((&state["restarts"], state.get("unprovenFrom")), (&json!(0), None), "{state}");
        // What changes is there soon.
        let begun = Stopwatch::now();
        let id = origin.unit("kommun", "Ny");
        follower.wait_for("kommun", &origin, "kommun");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let read = follower.get(&format!("/organisations/{id}")).expect(200);
        assert_eq!(read["_meta"]["copyOf"], NOWHERE);
        // Both sides say how it goes.
        let check = follower.send("POST", "/peers/kommun/check", None).expect(200);
        assert_eq!(check["reachable"], true, "{check}");
        let push = origin.registry.push(&context(&origin), "nation").unwrap().unwrap();
        assert!(push.failure.is_none() && push.heard_at.is_some() && push.told(origin.registry.now()).1, "{push:?}");
    }

    /// Only whom a peer waits for brings anything, and it can do nothing else with its token.
    fn who_is_not_waited_for_brings_nothing(pair: (Site, Site)) {
        let (origin, follower) = pair;
        origin.unit("kommun", "Enheten");
        let (right, wrong) = (brings(&follower), brings(&follower));
        awaits(&follower, &right, json!({}));
        pushes(&origin, &follower.origin(), &wrong, &origin.admin);
        fails(&origin, "unknown-peer");
        assert_eq!(follower.peer("kommun")["state"]["position"], 0);
        // The same for a name that there is not, and for administrators.
        for path in ["/peers/kommun/exchange", "/peers/annan/exchange"] {
            let refused = follower.send("POST", path, Some(json!({})));
            assert_eq!((refused.status, &refused.json["code"]), (404, &json!("unknown-peer")), "{}", refused.json);
        }
        assert_eq!(follower.get_as(&right.secret, "/peers/kommun").status, 403);
        assert_eq!(follower.get_as(&right.secret, "/changes?owner=kommun&content=copy").json["items"], json!([]));
        // An answer that nobody has asked for is not read.
        pushes(&origin, &follower.origin(), &right, &origin.admin);
        follower.wait_for("kommun", &origin, "kommun");
        // Whoever is paused takes nothing, and goes on where it was.
        follower.send("POST", "/peers/kommun/pause", None).expect(200);
        fails(&origin, "peer-paused");
        origin.unit("kommun", "Två");
        assert_eq!(follower.peer("kommun")["state"]["position"], 1);
        follower.send("POST", "/peers/kommun/resume", None).expect(200);
        follower.wait_for("kommun", &origin, "kommun");
        // And so does who sends.
        origin.registry.follow_push(&context(&origin), "nation", false).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        origin.unit("kommun", "Tre");
        std::thread::sleep(Duration::from_millis(700));
        let had = follower.peer("kommun")["state"]["position"].clone();
        origin.registry.follow_push(&context(&origin), "nation", true).unwrap();
        follower.wait_for("kommun", &origin, "kommun");
        assert!(had == 2 || had == 3, "{had}");
        origin.registry.remove_push(&context(&origin), "nation").unwrap();
        assert!(origin.registry.pushes(&context(&origin)).unwrap().is_empty());
    }

    /// The same checks: another registry that has got hold of the token brings another history.
    fn another_history_is_refused_when_it_is_brought(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let kept = origin.unit("kommun", "Ett");
        let token = brings(&follower);
        awaits(&follower, &token, json!({}));
        pushes(&origin, &follower.origin(), &token, &origin.admin);
        follower.wait_for("kommun", &origin, "kommun");
        origin.registry.remove_push(&context(&origin), "nation").unwrap();
        // What it has asked there last may still be under way.
        std::thread::sleep(Duration::from_secs(1));
        let twin = Site::start(Engine::Sqlite, &["kommun"]);
        let other = twin.unit("kommun", "Annat");
        twin.unit("kommun", "Mer");
        pushes(&twin, &follower.origin(), &token, &twin.admin);
        follower.wait("kommun", |state| state["failure"].as_str().is_some_and(|why| why.contains("signed with another key")));
        let state = &follower.peer("kommun")["state"];
        assert_eq!((&state["position"], &state["restarts"]), (&json!(1), &json!(0)));
        follower.get(&format!("/organisations/{kept}")).expect(200);
        follower.get(&format!("/organisations/{other}")).expect(404);
        // The right one is back, and it goes on.
        twin.registry.remove_push(&context(&twin), "nation").unwrap();
        origin.unit("kommun", "Två");
        pushes(&origin, &follower.origin(), &token, &origin.admin);
        follower.wait_for("kommun", &origin, "kommun");
    }

    /// A part, as it is shown to a reader and as the follower wants it.
    fn a_part_is_brought_as_it_is_shown(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let shown = origin.token(vec![reader("kommun")]);
        let unit = origin.unit("kommun", "Enheten");
        let person = origin.create("persons", json!({"owner": "kommun", "data": {"name": {"full": "Kim Ek"}}, "validFrom": "2026-01-01"}));
        let token = brings(&follower);
        awaits(&follower, &token, json!({"domains": ["organisation"]}));
        pushes(&origin, &follower.origin(), &token, &shown);
        follower.wait("kommun", |state| state["position"] == 1 && state["heardAt"].is_string());
        follower.get(&format!("/organisations/{unit}")).expect(200);
        follower.get(&format!("/persons/{person}")).expect(404);
        assert_eq!(follower.peer("kommun")["state"]["whole"], false);
        let more = origin.unit("kommun", "Mer");
        follower.wait("kommun", |state| state["position"] == 2);
        follower.get(&format!("/organisations/{more}")).expect(200);
    }

    /// Whoever restores elsewhere, for practice, brings nobody another history; who means it resumes.
    fn a_restore_pauses_what_is_pushed(pair: (Site, Site)) {
        let (origin, follower) = pair;
        origin.unit("kommun", "Ett");
        let token = brings(&follower);
        awaits(&follower, &token, json!({}));
        pushes(&origin, &follower.origin(), &token, &origin.admin);
        follower.wait_for("kommun", &origin, "kommun");
        let kommun = OwnerKey::new("kommun").unwrap();
        origin.store().begin_epoch(&kommun).unwrap();
        let push = origin.registry.push(&context(&origin), "nation").unwrap().unwrap();
        assert_eq!(push.status, "paused");
        assert!(!push.told(origin.registry.now()).1, "{push:?}");
        origin.registry.follow_push(&context(&origin), "nation", true).unwrap();
        let id = origin.unit("kommun", "Två");
        follower.wait_for("kommun", &origin, "kommun");
        follower.get(&format!("/organisations/{id}")).expect(200);
        assert_eq!(tree(&origin), tree(&follower));
    }

    /// Several processes on one database, on either side: one sends, one follows, whichever it comes to.
    fn several_processes_share_the_work(pair: (Site, Site)) {
        let (origin, follower) = pair;
        let (more_origin, more_follower) = (Site::beside(&origin), Site::beside(&follower));
        let proxy = Proxy::start();
        proxy.lead_to([address(&follower), address(&more_follower)]);
        let token = brings(&follower);
        awaits(&follower, &token, json!({}));
        pushes(&origin, &format!("http://{}", proxy.address()), &token, &origin.admin);
        let (mut dice, mut world) = (cast(), World::default());
        for _ in 0..4 {
            world.grow(&origin, "kommun", &mut dice, 15);
            proxy.cut();
            follower.wait_for("kommun", &origin, "kommun");
        }
        assert_eq!(tree(&origin), tree(&follower));
        // One of each is gone.
        drop((more_origin, more_follower));
        proxy.lead_to([address(&follower)]);
        proxy.cut();
        world.grow(&origin, "kommun", &mut dice, 10);
        follower.wait_for("kommun", &origin, "kommun");
        assert_eq!(tree(&origin), tree(&follower));
        world.compare(&origin, &follower, "kommun", &mut dice, 50);
    }
}

/// Settings that contradict each other, and names that are taken.
#[test]
fn what_cannot_be_used_is_told() {
    let engine = Engine::Sqlite;
    let (origin, follower) = (
        Site::start(engine, &["kommun"]),
        Site::start(other(engine), &[]),
    );
    let token = brings(&follower);
    let put = |settings: Value| {
        follower.send_with(
            "PUT",
            "/peers/kommun",
            Some(json!({"settings": settings})),
            "",
        )
    };
    let both =
        put(json!({"url": NOWHERE, "owner": "kommun", "pushedBy": token.id, "tokenFile": "x"}));
    assert_eq!(
        (both.status, &both.json["errors"][0]["pointer"]),
        (422, &json!("/settings/tokenFile")),
        "{}",
        both.json
    );
    let unknown = put(json!({"url": NOWHERE, "owner": "kommun", "pushedBy": "nobody"}));
    assert_eq!(unknown.status, 404, "{}", unknown.json);
    awaits(&follower, &token, json!({}));
    let said = grunddata_server::peers::sync(
        &follower.registry,
        &follower.peering(),
        &grunddata_server::loads::collect::Worker::new(Duration::from_secs(1)),
        "kommun",
        &mut |_| {},
    );
    assert!(said.is_err_and(|why| why.contains("brings its changes itself")));
    let settings = |owner: &str, peer: &str| PushSettings {
        url: "ftp://x".to_owned(),
        owner: OwnerKey::new(owner).expect("key"),
        peer: peer.to_owned(),
        token_file: String::new(),
        reader_token_file: "/x".to_owned(),
    };
    let refused = origin
        .registry
        .put_push(&context(&origin), "nation", &settings("kommun", "Å"));
    let places: Vec<String> = refused
        .unwrap_err()
        .errors
        .into_iter()
        .map(|fault| fault.pointer)
        .collect();
    assert_eq!(
        places,
        ["/settings/url", "/settings/peer", "/settings/tokenFile"]
    );
    let mut good = settings("ingen", "kommun");
    (good.url, good.token_file) = (NOWHERE.to_owned(), "/x".to_owned());
    let refused = origin
        .registry
        .put_push(&context(&origin), "nation", &good)
        .unwrap_err();
    assert_eq!(refused.code.as_str(), "unknown-owner");
    let refused = follower
        .registry
        .put_push(&context(&follower), "kommun", &good)
        .unwrap_err();
    assert!(
        refused.detail.contains("another name"),
        "{}",
        refused.detail
    );
    // A host that nobody has allowed is not connected to.
    good.owner = OwnerKey::new("kommun").expect("key");
    good.url = "https://nation.example.se".to_owned();
    std::fs::write(origin.tokens.path().join("t"), "t").expect("a token");
    good.token_file = origin
        .tokens
        .path()
        .join("t")
        .to_str()
        .expect("a path")
        .to_owned();
    origin
        .registry
        .put_push(&context(&origin), "nation", &good)
        .unwrap();
    fails(&origin, "peers.hosts");
}
