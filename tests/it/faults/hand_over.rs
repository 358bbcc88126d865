//! What a hand-over between two registries must survive: either side is killed wherever it is. Who has accepted asks again only
//! while nothing was begun; from then on it goes on by itself, until both sides are done and nothing is there twice.

use std::thread;
use std::time::{Duration, Instant};

use grunddata_testing::{Database, Dice, Engine, on_both};
use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::peers::{OWNER, Registry, written};
use super::{IMPATIENCE, engine_of, rounds, seed};
use crate::durability::PATIENCE;
use crate::program;

/// Records that are handed over.
const RECORDS: usize = 150;
/// How often somebody is killed in a round.
const KILLS: usize = 3;
const RECEIVER: &str = "friskola";

fn pair(engine: Engine) -> (Registry, Registry) {
    let other = match engine {
        Engine::Sqlite => Engine::Postgres,
        Engine::Postgres => Engine::Sqlite,
    };
    let (mut giver, mut receiver) = (Registry::new(engine), Registry::new(other));
    for (site, owner) in [(&mut giver, OWNER), (&mut receiver, RECEIVER)] {
        site.desk.done(&["owner", "add", owner, "--name", owner]);
        let grant = format!("{owner}:administrator");
        let made = site
            .desk
            .done(&["token", "create", "--name", "all", "--grant", &grant]);
        site.token = made.trim().to_owned();
    }
    let grant = format!("{OWNER}:open-data-reader");
    let token = giver
        .desk
        .done(&["token", "create", "--name", "grannen", "--grant", &grant]);
    receiver.desk.write("token", token.trim());
    giver.start();
    receiver.start();
    (giver, receiver)
}

/// A unit with units below it.
fn grow(giver: &Registry, round: usize) -> String {
    let address = format!("http://{}/api/v1", giver.proxies[1].address());
    let client = Client::builder().timeout(PATIENCE).build().expect("client");
    let root = json!({"owner": OWNER, "validFrom": "2026-01-01", "data": {"name": {"sv": "Skolan"}, "kind": "unit"}});
    let key = format!("root-{round}");
    let root = written(
        &client,
        &address,
        &giver.token,
        &key,
        "/organisations",
        &root,
    );
    let root = root["id"].as_str().expect("an id").to_owned();
    let operations: Vec<Value> = (1..RECORDS)
        .map(|number| json!({"op": "create", "collection": "organisations", "validFrom": "2026-01-01",
            "data": {"name": {"sv": format!("Klass {number}")}, "kind": "unit", "parent": {"id": root}}}))
        .collect();
    let body = json!({"owner": OWNER, "operations": operations});
    let key = format!("below-{round}");
    written(
        &client,
        &address,
        &giver.token,
        &key,
        "/transactions",
        &body,
    );
    root
}

/// The hand-over as a side tells of it.
fn shown(site: &Registry, client: &Client, id: &str) -> Value {
    let begun = Instant::now();
    loop {
        let (status, shown) = site.get(client, &format!("/transfers/{id}"));
        if status == 200 {
            return shown;
        }
        assert!(begun.elapsed() < PATIENCE, "{status}: {shown:#}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn accept(receiver: &Registry, id: &str) {
    let url = format!(
        "http://{}/api/v1/transfers/{id}/accept",
        receiver.proxies[1].address()
    );
    let token = receiver.token.clone();
    // Nobody waits for the answer: it may never come.
    thread::spawn(move || {
        let client = Client::builder().timeout(IMPATIENCE).build();
        let sent = client
            .expect("client")
            .post(url)
            .bearer_auth(token)
            .json(&json!({}))
            .send();
        drop(sent);
    });
}

fn carried_out(giver: &mut Registry, receiver: &mut Registry, dice: &mut Dice, round: usize) {
    let root = grow(giver, round);
    let client = Client::builder().timeout(PATIENCE).build().expect("client");
    let here = format!("http://{}", receiver.proxies[0].address());
    let said = giver.desk.done(&[
        "transfer",
        "offer",
        &root,
        "--owner",
        OWNER,
        "--receiver",
        RECEIVER,
        "--registry",
        &here,
        "--client",
        "grannen",
        "--reason",
        "Ny huvudman",
    ]);
    let id = said.split_whitespace().next().expect("an id").to_owned();
    let there = format!("http://{}", giver.proxies[0].address());
    let token = receiver.desk.path("token");
    receiver.desk.done(&[
        "transfer",
        "fetch",
        &id,
        "--owner",
        RECEIVER,
        "--registry",
        &there,
        "--token-file",
        &token,
    ]);
    accept(receiver, &id);
    for _ in 0..KILLS {
        thread::sleep(Duration::from_millis(dice.below(500) as u64));
        match dice.below(3) {
            0 => giver.kill(),
            1 => receiver.kill(),
            _ => {
                giver.kill();
                receiver.kill();
            }
        }
    }
    let begun = Instant::now();
    let (mut asked, mut last) = (1, Instant::now());
    let done = loop {
        let sides = [giver as &Registry, receiver].map(|site| shown(site, &client, &id));
        let state = |side: usize| {
            sides[side]["sides"][0]["state"]
                .as_str()
                .unwrap_or_default()
        };
        if (state(0), state(1)) == ("done", "done") && sides[1]["progress"].is_null() {
            break sides[1].clone();
        }
        let nothing = (state(0), state(1)) == ("offered", "offered");
        if nothing && sides[1]["progress"].is_null() && last.elapsed() > IMPATIENCE {
            accept(receiver, &id);
            (asked, last) = (asked + 1, Instant::now());
        }
        assert!(begun.elapsed() < PATIENCE, "{sides:#?}");
        thread::sleep(Duration::from_millis(50));
    };
    let items = done["items"].as_array().expect("items");
    assert_eq!(items.len(), RECORDS);
    let stays = Client::builder()
        .redirect(Policy::none())
        .timeout(PATIENCE)
        .build()
        .expect("client");
    for item in items {
        let text = |name: &str| item[name].as_str().expect("an id");
        let (status, record) = receiver.get(&client, &format!("/organisations/{}", text("to")));
        assert_eq!((status, &record["version"]), (200, &json!(1)), "{record:#}");
        let (status, _) = giver.get(&stays, &format!("/organisations/{}", text("record")));
        assert_eq!(status, 307);
    }
    let told = |site: &Registry, owner: &str, kind: &str| {
        let path = format!("/changes?owner={owner}&kind={kind}&limit=1000");
        let (_, page) = site.get(&client, &path);
        page["items"].as_array().map_or(0, Vec::len)
    };
    let all = RECORDS * (round + 1);
    assert_eq!(told(giver, OWNER, "transferred"), all);
    assert_eq!(told(receiver, RECEIVER, "received"), all);
    println!(
        "faults | hand-over | round {round} | {KILLS} kills | accepted {asked} times before anything was begun | {RECORDS} records once on each side"
    );
}

fn endure(db: &Database) {
    let seed = seed();
    let mut dice = Dice::new(seed);
    println!("faults | hand-over | {} | seed {seed}", engine_of(db));
    let (mut giver, mut receiver) = pair(db.engine);
    for round in 0..rounds() {
        carried_out(&mut giver, &mut receiver, &mut dice, round);
    }
    for site in [&mut giver, &mut receiver] {
        if let Some(program) = site.program.take() {
            assert!(program.stop().success());
        }
        program::assert_verified(&site.desk.db.url);
    }
}

on_both! {
    fn a_hand_over_survives_kills_of_either_side(db: Database) {
        endure(&db);
    }
}
