//! Records that pass to another owner, over HTTP: in one registry, and between two servers on loopback.

use std::net::SocketAddr;
use std::time::{Duration, Instant as Stopwatch};

use grunddata_model::OwnerKey;
use grunddata_registry::{Actor, Grant, OwnerScope, Role};
use grunddata_testing::{Engine, on_both};
use reqwest::blocking::{Client, Response};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::faults::proxy::Proxy;
use crate::peers::site::Site;

fn pair(engine: Engine) -> (Site, Site) {
    let other = match engine {
        Engine::Sqlite => Engine::Postgres,
        Engine::Postgres => Engine::Sqlite,
    };
    (
        Site::start(engine, &["kommun"]),
        Site::start(other, &["friskola"]),
    )
}

fn one(engine: Engine) -> Site {
    Site::start(engine, &["kommun", "friskola", "granne"])
}

fn token(site: &Site, owner: &str, role: Role) -> String {
    let scope = OwnerScope::Owner(OwnerKey::new(owner).expect("key"));
    site.token(vec![Grant::of(scope, role)])
}

/// The token of another registry that asks here.
fn neighbour(site: &Site) -> String {
    let scope = OwnerScope::Owner(OwnerKey::new("kommun").expect("key"));
    site.token_named("grannen", vec![Grant::of(scope, Role::Reader)])
}

/// An offer to the other registry, which that has fetched over this address: what it says, and where it is.
fn offered(origin: &Site, receiver: &Site, over: &str, root: &str) -> (Value, String) {
    let body = json!({
        "owner": "kommun", "receiver": "friskola", "registry": receiver.origin(), "client": "grannen",
        "records": [root], "reason": "Ny huvudman",
    });
    let offer = origin
        .send_with("POST", "/transfers", Some(body), "")
        .expect(201);
    let address = format!("/transfers/{}", offer["id"].as_str().unwrap());
    let place = json!({"owner": "friskola", "registry": over, "tokenFile": "kommun.token"});
    receiver
        .send_with("PUT", &address, Some(place), "")
        .expect(200);
    (offer, address)
}

/// Waits until a hand-over is as it should be, as this registry tells of it.
fn wait(site: &Site, address: &str, is: impl Fn(&Value) -> bool) -> Value {
    let begun = Stopwatch::now();
    loop {
        let shown: Value = site.get(address).expect(200).clone();
        if is(&shown) {
            return shown;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{shown:#}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a process leaves that has noted that it carries a hand-over out, and was ended then.
fn left_behind(site: &Site, transfer: &Value) {
    let context = site.registry.context(Actor::system("test"), "left");
    let (id, dead) = (transfer["id"].as_str().unwrap(), Uuid::from_u128(1));
    let begun =
        site.registry
            .begin_carrying(&context, id.parse().unwrap(), None, dead, context.now);
    assert_eq!(begun.unwrap(), Some(1));
}

/// A request that follows no redirect.
fn ask(site: &Site, token: &str, method: &str, path: &str, body: Option<Value>) -> Response {
    let client = Client::builder()
        .redirect(Policy::none())
        .build()
        .expect("client");
    let mut request = client
        .request(
            method.parse().expect("method"),
            format!("{}/api/v1{path}", site.origin()),
        )
        .bearer_auth(token);
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    request.send().expect("an answer")
}

/// A school with a class, in a municipality that stays; the ids of the three.
fn school(site: &Site) -> [String; 3] {
    let make = |data: Value| {
        site.create(
            "organisations",
            json!({"owner": "kommun", "data": data, "validFrom": "2026-01-01"}),
        )
    };
    let municipality = make(json!({"name": {"sv": "Kommunen"}, "kind": "municipality"}));
    let school = make(
        json!({"name": {"sv": "Skolan"}, "kind": "school-unit", "parent": {"id": municipality}}),
    );
    let class =
        make(json!({"name": {"sv": "Klass 1"}, "kind": "student-group", "parent": {"id": school}}));
    [municipality, school, class]
}

fn to(transfer: &Value, record: &str) -> String {
    let items = transfer["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["record"] == record);
    let item = item.unwrap_or_else(|| panic!("{transfer:#}"));
    item["to"].as_str().expect("id").to_owned()
}

fn location(answer: &Response) -> String {
    assert_eq!(answer.status(), 307);
    let location = answer.headers().get("location").expect("location");
    location.to_str().expect("text").to_owned()
}

on_both! {
    using one;

    fn in_one_registry_a_school_passes_and_its_address_leads_on(site: Site) {
        let [municipality, school, class] = school(&site);
        let known = site.get(&format!("/organisations/{school}")).expect(200)["recordedAt"].as_str().unwrap().to_owned();
        let (giver, receiver) = (token(&site, "kommun", Role::Administrator), token(&site, "friskola", Role::Administrator));
        let body = json!({"owner": "kommun", "receiver": "friskola", "records": [school], "reason": "Ny huvudman"});
        // Everything that is wrong is told at once.
        let wrong = ask(&site, &giver, "POST", "/transfers", Some(json!({"owner": "kommun", "records": ["x"], "whom": 1})));
        assert_eq!(wrong.status(), 400);
        let wrong: Value = serde_json::from_str(&wrong.text().unwrap()).unwrap();
        assert!(wrong["errors"].as_array().unwrap().len() >= 4, "{wrong:#}");
        assert_eq!(ask(&site, &receiver, "POST", "/transfers", Some(body.clone())).status(), 403);
        let offer = ask(&site, &giver, "POST", "/transfers", Some(body));
        assert_eq!(offer.status(), 201);
        let offer: Value = serde_json::from_str(&offer.text().unwrap()).unwrap();
        assert_eq!(offer["items"].as_array().unwrap().len(), 2);
        let address = format!("/transfers/{}", offer["id"].as_str().unwrap());
        let stranger = token(&site, "granne", Role::Administrator);
        assert_eq!(ask(&site, &stranger, "GET", &address, None).status(), 404);
        assert_eq!(ask(&site, &stranger, "POST", &format!("{address}/accept"), Some(json!({}))).status(), 404);
        assert_eq!(ask(&site, &giver, "POST", &format!("{address}/accept"), Some(json!({}))).status(), 403);
        let done = ask(&site, &receiver, "POST", &format!("{address}/accept"), Some(json!({})));
        assert_eq!(done.status(), 200);
        let new = to(&offer, &school);
        let answer = ask(&site, &giver, "GET", &format!("/organisations/{school}?validAt=2026-02-01"), None);
        assert!(location(&answer).ends_with(&format!("/api/v1/organisations/{new}?validAt=2026-02-01")));
        // Who was not shown it before is told nothing.
        assert_eq!(ask(&site, &stranger, "GET", &format!("/organisations/{school}"), None).status(), 404);
        let before = site.get(&format!("/organisations/{school}?knownAt={known}")).expect(200);
        assert_eq!(before["owner"], "kommun");
        let now = site.get(&format!("/organisations/{new}")).expect(200);
        assert_eq!((&now["owner"], &now["version"]), (&json!("friskola"), &json!(1)));
        let group = site.get(&format!("/organisations/{}", to(&offer, &class))).expect(200);
        assert_eq!(group["data"]["parent"]["id"], new.as_str());
        let found = site.get("/organisations?owner=kommun").expect(200);
        let ids: Vec<&str> = found["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(ids, [municipality.as_str()]);
        let write = ask(&site, &giver, "PUT", &format!("/organisations/{school}"), Some(json!({"data": {"name": {"sv": "Skolan"}, "kind": "school-unit"}})));
        assert_eq!(write.status(), 409);
    }
}

on_both! {
    using one;

    fn what_a_process_left_goes_on_by_itself(site: Site) {
        let [_, school, class] = school(&site);
        let body = json!({"owner": "kommun", "receiver": "friskola", "records": [school], "reason": "Ny huvudman"});
        let offer = site.send_with("POST", "/transfers", Some(body), "").expect(201);
        let address = format!("/transfers/{}", offer["id"].as_str().unwrap());
        left_behind(&site, &offer);
        let done = wait(&site, &address, |shown| {
            shown["sides"].as_array().unwrap().iter().filter(|side| side["state"] == "done").count() == 2 && shown["progress"].is_null()
        });
        assert_eq!(done["items"], offer["items"]);
        for old in [&school, &class] {
            assert_eq!(site.get(&format!("/organisations/{}", to(&offer, old))).expect(200)["owner"], "friskola");
        }
    }
}

on_both! {
    using pair;

    fn what_the_giver_does_not_answer_is_tried_again_and_said(pair: (Site, Site)) {
        let (origin, receiver) = pair;
        let [_, school, _] = school(&origin);
        std::fs::write(receiver.tokens.path().join("kommun.token"), neighbour(&origin)).unwrap();
        let proxy = Proxy::start();
        let socket: SocketAddr = origin.origin().trim_start_matches("http://").parse().unwrap();
        proxy.lead_to([socket]);
        let (offer, address) = offered(&origin, &receiver, &format!("http://{}", proxy.address()), &school);
        proxy.lead_to([]);
        proxy.cut();
        left_behind(&receiver, &offer);
        let shown = wait(&receiver, &address, |shown| shown["progress"]["attempts"].as_u64() > Some(2));
        assert_eq!(shown["sides"][0]["state"], "offered");
        let progress = &shown["progress"];
        assert!(progress["failure"].as_str().unwrap().starts_with("other-registry") && progress["nextAt"].is_string(), "{shown:#}");
        proxy.lead_to([socket]);
        let done = wait(&receiver, &address, |shown| shown["sides"][0]["state"] == "done" && shown["progress"].is_null());
        assert_eq!(done["items"], offer["items"]);
        assert_eq!(origin.get(&address).expect(200)["sides"][0]["state"], "done");
    }

    fn what_the_log_of_the_giver_does_not_prove_is_refused_and_told(pair: (Site, Site)) {
        let (origin, receiver) = pair;
        let [_, school, class] = school(&origin);
        std::fs::write(receiver.tokens.path().join("kommun.token"), neighbour(&origin)).unwrap();
        let (offer, address) = offered(&origin, &receiver, &origin.origin(), &school);
        let accept = || receiver.send_with("POST", &format!("{address}/accept"), Some(json!({})), "");
        let forged = |from: &str, to: &str| {
            let rows = origin.database.execute(&format!("UPDATE state SET body = replace(body, '{from}', '{to}') WHERE superseded_at > recorded_at"));
            assert!(rows > 0);
        };
        forged("Klass 1", "Klass 2");
        let refused = accept().expect(502);
        let why = refused["detail"].as_str().unwrap();
        assert!(why.contains(&class) && why.contains("is not what the log of kommun has"), "{why}");
        // Nothing was held, and nothing goes on by itself.
        assert_eq!(origin.get(&address).expect(200)["sides"][0]["state"], "offered");
        let shown = receiver.get(&address).expect(200);
        assert_eq!((&shown["sides"][0]["state"], &shown["progress"]), (&json!("offered"), &json!(null)));
        forged("Klass 2", "Klass 1");
        // Another key than that of when the offer was fetched, which that has not signed.
        origin.forge_log_key();
        let why = accept().expect(502)["detail"].as_str().unwrap().to_owned();
        assert!(why.contains("another key"), "{why}");
        // What somebody had begun of it ends as well: nothing is held.
        left_behind(&receiver, &offer);
        let shown = wait(&receiver, &address, |shown| shown["progress"].is_null());
        assert_eq!(shown["sides"][0]["state"], "offered");
        receiver.send_with("POST", &format!("{address}/refuse"), Some(json!({"reason": "Fel"})), "").expect(200);
        let mut origin = origin;
        origin.verified = false;
    }

    fn after_a_change_of_the_key_it_is_proven_with_the_next(pair: (Site, Site)) {
        let (origin, receiver) = pair;
        let [_, school, _] = school(&origin);
        std::fs::write(receiver.tokens.path().join("kommun.token"), neighbour(&origin)).unwrap();
        let (_, address) = offered(&origin, &receiver, &origin.origin(), &school);
        origin.store().rotate_log_key().unwrap();
        let done = receiver.send_with("POST", &format!("{address}/accept"), Some(json!({})), "").expect(200);
        assert_eq!(done["sides"][0]["state"], "done");
        // What it was proven to stays with it.
        assert!(done["head"].as_str().unwrap().starts_with("grunddata/kommun\n"), "{done:#}");
    }

    fn between_two_registries_it_goes_on_when_the_giver_answers_again(pair: (Site, Site)) {
        let (origin, receiver) = pair;
        let [_, school, class] = school(&origin);
        let known = origin.get(&format!("/organisations/{class}")).expect(200)["recordedAt"].as_str().unwrap().to_owned();
        let reads = neighbour(&origin);
        std::fs::write(receiver.tokens.path().join("kommun.token"), &reads).unwrap();
        let offer = origin.send_with("POST", "/transfers", Some(json!({
            "owner": "kommun", "receiver": "friskola", "registry": receiver.origin(), "client": "grannen",
            "records": [school], "reason": "Ny huvudman",
        })), "").expect(201);
        let address = format!("/transfers/{}", offer["id"].as_str().unwrap());
        let proxy = Proxy::start();
        let socket: SocketAddr = origin.origin().trim_start_matches("http://").parse().unwrap();
        proxy.lead_to([socket]);
        let place = json!({"owner": "friskola", "registry": format!("http://{}", proxy.address()), "tokenFile": "kommun.token"});
        let noted = receiver.send_with("PUT", &address, Some(place.clone()), "").expect(200);
        assert_eq!((&noted["items"], &noted["sides"][0]["state"]), (&offer["items"], &json!("offered")));
        // The giver's registry cannot be reached: nothing is lost, and it is said so.
        proxy.lead_to([]);
        proxy.cut();
        let failed = receiver.send_with("POST", &format!("{address}/accept"), Some(json!({})), "").expect(502);
        assert!(failed["type"].as_str().unwrap().ends_with("other-registry"));
        proxy.lead_to([socket]);
        let done = receiver.send_with("POST", &format!("{address}/accept"), Some(json!({})), "").expect(200);
        assert_eq!(done["sides"][0]["state"], "done");
        assert_eq!(origin.get(&address).expect(200)["sides"][0]["state"], "done");
        // Once more is the same.
        let again = receiver.send_with("POST", &format!("{address}/accept"), Some(json!({})), "").expect(200);
        assert_eq!(again, done);
        for old in [&school, &class] {
            let new = to(&offer, old);
            let answer = ask(&origin, &reads, "GET", &format!("/organisations/{old}"), None);
            assert_eq!(location(&answer), format!("{}/api/v1/organisations/{new}", receiver.origin()));
            let record = receiver.get(&format!("/organisations/{new}")).expect(200);
            assert_eq!(record["origin"]["record"], old.as_str());
            assert_eq!(record["version"], 1);
        }
        let before = origin.get(&format!("/organisations/{class}?knownAt={known}")).expect(200);
        assert_eq!(before["data"]["parent"]["id"], school.as_str());
        let feed = receiver.get("/changes?owner=friskola").expect(200);
        let kinds: Vec<&str> = feed["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["received", "received"]);
        let feed = origin.get("/changes?owner=kommun&kind=transferred").expect(200);
        assert_eq!(feed["items"].as_array().unwrap().len(), 2);
    }

    fn what_was_accepted_elsewhere_can_be_refused_until_it_has_come(pair: (Site, Site)) {
        let (origin, receiver) = pair;
        let [_, school, _] = school(&origin);
        let reads = neighbour(&origin);
        std::fs::write(receiver.tokens.path().join("kommun.token"), &reads).unwrap();
        let offer = origin.send_with("POST", "/transfers", Some(json!({
            "owner": "kommun", "receiver": "friskola", "registry": receiver.origin(), "client": "grannen",
            "records": [school], "reason": "Ny huvudman",
        })), "").expect(201);
        let address = format!("/transfers/{}", offer["id"].as_str().unwrap());
        let place = json!({"owner": "friskola", "registry": origin.origin(), "tokenFile": "kommun.token"});
        receiver.send_with("PUT", &address, Some(place), "").expect(200);
        // The giver holds it, and the receiver has been ended before it has noted that.
        let held = ask(&origin, &reads, "POST", &format!("{address}/hold"), Some(json!({})));
        assert_eq!(held.status(), 200);
        let patch = json!({"patch": {"name": {"sv": "Ny"}}, "validFrom": "2026-02-01"});
        origin.send("POST", &format!("/organisations/{school}/amendments"), Some(patch.clone())).expect(409);
        let refused = receiver.send_with("POST", &format!("{address}/refuse"), Some(json!({"reason": "Nej"})), "").expect(200);
        assert_eq!(refused["sides"][0]["state"], "refused");
        assert_eq!(origin.get(&address).expect(200)["sides"][0]["state"], "refused");
        origin.send("POST", &format!("/organisations/{school}/amendments"), Some(patch)).expect(200);
        receiver.send_with("POST", &format!("{address}/accept"), Some(json!({})), "").expect(409);
    }

    fn a_person_who_moves_gets_a_record_of_the_other_registry(pair: (Site, Site)) {
        let (origin, receiver) = pair;
        let person = origin.create("persons", json!({
            "owner": "kommun", "data": {"name": {"full": "Ronja Exempel"}, "birthDate": "2016-05-01"}, "validFrom": "2016-05-01",
        }));
        let reads = neighbour(&origin);
        std::fs::write(receiver.tokens.path().join("kommun.token"), &reads).unwrap();
        let made = origin.send_with("POST", "/hand-offs", Some(json!({
            "owner": "kommun", "receiver": "friskola", "registry": receiver.origin(), "client": "grannen", "person": person,
            "properties": ["name"], "basis": {"kind": "consent", "text": "Vårdnadshavare"}, "expires": "2099-12-31",
        })), "").expect(201);
        let address = format!("/hand-offs/{}", made["id"].as_str().unwrap());
        let place = json!({"owner": "friskola", "registry": origin.origin(), "tokenFile": "kommun.token"});
        for _ in 0..2 {
            let taken = receiver.send_with("POST", &format!("{address}/take"), Some(place.clone()), "").expect(200);
            assert_eq!((&taken["state"], &taken["to"]), (&json!("done"), &made["to"]));
        }
        assert_eq!(origin.get(&address).expect(200)["state"], "done");
        let own = receiver.get(&format!("/persons/{}", made["to"].as_str().unwrap())).expect(200);
        assert_eq!((&own["data"], &own["owner"], &own["version"]), (&json!({"name": {"full": "Ronja Exempel"}}), &json!("friskola"), &json!(1)));
        origin.get(&format!("/persons/{person}")).expect(200);
        // It tells nothing any more.
        assert_eq!(ask(&origin, &reads, "GET", &format!("{address}/content"), None).status(), 409);
    }
}
