//! What a copy must survive: both registries are killed wherever they are, during the first load and later, and the network
//! between them is cut, crawls and swallows. Afterwards the copy is what its origin is: the same log, the same tree, the same
//! answers at random coordinates, and nothing twice.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grunddata_testing::{Database, Dice, Engine, on_both};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::proxy::{Proxy, Way};
use super::{IMPATIENCE, engine_of, rounds, seed};
use crate::desk::Desk;
use crate::durability::PATIENCE;
use crate::peers::world::bare;
use crate::program::{self, Program};

/// Writes of a round.
const WRITES: usize = 80;
/// Records that are there before anybody follows.
const BEFORE: usize = 600;
/// Coordinates that are compared over all rounds.
const COORDINATES: usize = 1_000;
const SETTINGS: &str = "[peers]\nhttp_loopback = true\n[loads]\nlease_seconds = 1\n";
pub(super) const OWNER: &str = "se-test";

/// A registry that dies and comes back, behind addresses that stay.
pub(super) struct Registry {
    pub(super) desk: Desk,
    pub(super) program: Option<Program>,
    /// For the other registry, and for clients.
    pub(super) proxies: [Proxy; 2],
    pub(super) token: String,
}

impl Registry {
    pub(super) fn new(engine: Engine) -> Self {
        let mut desk = Desk::new(engine);
        desk.configure(SETTINGS);
        desk.done(&["migrate"]);
        Self {
            desk,
            program: None,
            proxies: [Proxy::start(), Proxy::start()],
            token: String::new(),
        }
    }

    fn take_token(&mut self) {
        let grant = format!("{OWNER}:administrator");
        let made = self
            .desk
            .done(&["token", "create", "--name", "all", "--grant", &grant]);
        self.token = made.trim().to_owned();
    }

    pub(super) fn start(&mut self) {
        let program = Program::start(&self.desk.arguments(&["serve"]), PATIENCE);
        for proxy in &self.proxies {
            proxy.lead_to([program.address()]);
        }
        self.program = Some(program);
    }

    pub(super) fn kill(&mut self) {
        if let Some(program) = self.program.take() {
            program.kill();
        }
        self.start();
    }

    pub(super) fn get(&self, client: &Client, path: &str) -> (u16, Value) {
        let url = format!("http://{}/api/v1{path}", self.proxies[1].address());
        let answer = client
            .get(url)
            .bearer_auth(&self.token)
            .send()
            .expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().expect("a text");
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    fn position(&self, client: &Client) -> u64 {
        let owner = self.get(client, &format!("/owners/{OWNER}"));
        owner.1["position"].as_u64().unwrap_or_default()
    }

    /// The whole log with the states.
    fn log(&self, client: &Client) -> Vec<Value> {
        let (mut items, mut after) = (Vec::new(), 0);
        loop {
            let path = format!("/changes?owner={OWNER}&content=states&limit=1000&after={after}");
            let (status, page) = self.get(client, &path);
            assert_eq!(status, 200, "{page}");
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            after = page["_meta"]["after"].as_u64().expect("a position");
            if page["_meta"]["caughtUp"] == true {
                return items;
            }
        }
    }
}

/// Sends it until it is answered for good.
pub(super) fn written(
    client: &Client,
    origin: &str,
    token: &str,
    key: &str,
    path: &str,
    body: &Value,
) -> Value {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "{key} is never acknowledged");
        let sent = client
            .post(format!("{origin}{path}"))
            .bearer_auth(token)
            .header("Idempotency-Key", key)
            .header("If-Match", "*")
            .json(body)
            .send();
        if let Ok(answer) = sent {
            let status = answer.status().as_u16();
            let text = answer.text();
            if let (true, Ok(text)) = (status != 503 && status != 409, text) {
                return serde_json::from_str(&text).unwrap_or_default();
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Writes of every kind, one after the other.
fn write(origin: &str, token: &str, round: usize, dice: &mut Dice, known: &mut Vec<String>) {
    let client = Client::builder()
        .timeout(IMPATIENCE)
        .build()
        .expect("a client");
    for number in 0..WRITES {
        let key = format!("peers-{round}-{number}");
        let id = dice.of(known).clone();
        let (path, body) = match dice.below(8) {
            0..=2 => {
                let data = json!({"name": {"sv": key}, "kind": "unit", "parent": {"id": id}});
                let body = json!({"owner": OWNER, "validFrom": "2026-01-01", "data": data});
                ("/organisations".to_owned(), body)
            }
            3 => {
                let operations: Vec<Value> = (0..3)
                    .map(|part| json!({"op": "create", "collection": "organisations", "data": {"name": {"sv": format!("{key}-{part}")}, "kind": "unit"}, "validFrom": "2026-01-01"}))
                    .collect();
                (
                    "/transactions".to_owned(),
                    json!({"owner": OWNER, "operations": operations}),
                )
            }
            4 => {
                let body = json!({"validFrom": *dice.of(&["2026-07-01", "2027-01-01"])});
                (format!("/organisations/{id}/endings"), body)
            }
            _ => {
                let from = *dice.of(&["2026-02-01", "2026-05-01", "2027-03-01"]);
                let body =
                    json!({"patch": {"name": {"sv": key}}, "validFrom": from, "reason": key});
                (format!("/organisations/{id}/amendments"), body)
            }
        };
        let answer = written(&client, origin, token, &key, &path, &body);
        if let (true, Some(id)) = (path == "/organisations", answer["id"].as_str()) {
            known.push(id.to_owned());
        }
    }
}

/// Asks both the same, until the copy is as far as its origin, and then at random coordinates.
fn compare(
    origin: &Registry,
    follower: &Registry,
    times: usize,
    dice: &mut Dice,
    seed: u64,
) -> (usize, usize) {
    let client = Client::builder()
        .timeout(PATIENCE)
        .build()
        .expect("a client");
    let begun = Instant::now();
    while origin.position(&client) != follower.position(&client) {
        assert!(
            begun.elapsed() < PATIENCE,
            "seed {seed}: {} of {}\n{}",
            follower.position(&client),
            origin.position(&client),
            follower.desk.done(&["peer", "show", "nation"]),
        );
        thread::sleep(Duration::from_millis(50));
    }
    let (there, here) = (origin.log(&client), follower.log(&client));
    assert_eq!(there.len(), here.len(), "seed {seed}");
    for (one, other) in there.iter().zip(&here) {
        assert_eq!(one, other, "seed {seed}");
    }
    let places: BTreeSet<(String, u64)> = here
        .iter()
        .map(|entry| {
            (
                entry["record"].to_string(),
                entry["version"].as_u64().unwrap_or_default(),
            )
        })
        .collect();
    let twice = here.len() - places.len();
    let head = |site: &Registry| {
        let (_, head) = site.get(&client, &format!("/changes/head?owner={OWNER}"));
        (head["size"].clone(), head["rootHash"].clone())
    };
    assert_eq!(head(origin), head(follower), "seed {seed}");
    let days = [
        "2026-01-15",
        "2026-02-01",
        "2026-06-01",
        "2026-12-01",
        "2027-06-01",
    ];
    for _ in 0..times {
        let (of, at) = (dice.of(&here), dice.of(&here));
        let id = of["record"].as_str().expect("an id");
        let known = at["recordedAt"].as_str().expect("an instant");
        let coordinate = format!("validAt={}&knownAt={known}", *dice.of(&days));
        let path = match dice.below(6) {
            0 => format!("/organisations?owner={OWNER}&limit=50&{coordinate}"),
            1 => format!("/organisations/{id}/timeline?knownAt={known}"),
            2 => format!("/organisations/{id}/links?direction=both&{coordinate}"),
            3 => format!("/organisations/{id}/history?limit=50"),
            _ => format!("/organisations/{id}?{coordinate}"),
        };
        let (one, other) = (origin.get(&client, &path), follower.get(&client, &path));
        assert_eq!(
            (one.0, bare(&one.1)),
            (other.0, bare(&other.1)),
            "seed {seed}: {path}"
        );
    }
    (here.len(), twice)
}

/// The follower fetches.
fn fetch(origin: &Registry, follower: &Registry) {
    follower.desk.write("token", &origin.token);
    let url = format!("http://{}", origin.proxies[0].address());
    let token = follower.desk.path("token");
    let of = ["peer", "add", "nation", "--url", &url, "--owner", OWNER];
    let with = ["--token-file", &token];
    follower.desk.done(&[&of[..], &with[..]].concat());
}

/// The origin brings it, to a follower that could not fetch it: where it is said to be nobody listens.
fn push(origin: &Registry, follower: &Registry) {
    let desk = &follower.desk;
    let grant = format!("{OWNER}:open-data-reader");
    let made = desk.done(&["token", "create", "--name", "kommun", "--grant", &grant]);
    let listed = desk.done(&["token", "list"]);
    let id = listed.split_whitespace().next().expect("a token");
    let of = [
        "peer",
        "add",
        "nation",
        "--url",
        "http://127.0.0.1:9",
        "--owner",
        OWNER,
    ];
    desk.done(&[&of[..], &["--pushed-by", id]].concat());
    let desk = &origin.desk;
    desk.write("there", made.trim());
    desk.write("here", &origin.token);
    let (there, here) = (desk.path("there"), desk.path("here"));
    // What comes between the two comes between them here too.
    let url = format!("http://{}", follower.proxies[0].address());
    let of = [
        "peer", "add", "follower", "--push", "--as", "nation", "--url", &url, "--owner", OWNER,
    ];
    let with = ["--token-file", &there, "--reader-token-file", &here];
    desk.done(&[&of[..], &with[..]].concat());
    assert!(desk.done(&["peer", "list"]).contains("is pushed to"));
}

/// Who opens the connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opens {
    Follower,
    Origin,
}

fn endure(db: &Database, opens: Opens) {
    let (seed, rounds) = (seed(), rounds());
    let mut dice = Dice::new(seed);
    let mut origin = Registry::new(db.engine);
    origin
        .desk
        .done(&["owner", "add", OWNER, "--name", "Testkommunen"]);
    origin.take_token();
    origin.start();
    let address = format!("http://{}/api/v1", origin.proxies[1].address());
    let mut known = Vec::new();
    for part in 0..3 {
        let operations: Vec<Value> = (0..BEFORE / 3)
            .map(|number| json!({"op": "create", "collection": "organisations", "data": {"name": {"sv": format!("Enhet {part}-{number}")}, "kind": "unit"}, "validFrom": "2026-01-01"}))
            .collect();
        let client = Client::builder()
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        let body = json!({"owner": OWNER, "operations": operations});
        let made = written(
            &client,
            &address,
            &origin.token,
            &format!("before-{part}"),
            "/transactions",
            &body,
        );
        let items = made["items"]
            .as_array()
            .or_else(|| made["results"].as_array());
        known.extend(
            items
                .into_iter()
                .flatten()
                .filter_map(|item| Some(item["id"].as_str()?.to_owned())),
        );
    }
    if known.is_empty() {
        let client = Client::new();
        known.extend(
            origin
                .log(&client)
                .iter()
                .filter_map(|entry| Some(entry["record"].as_str()?.to_owned())),
        );
    }
    let engine = match db.engine {
        Engine::Sqlite => Engine::Postgres,
        Engine::Postgres => Engine::Sqlite,
    };
    let mut follower = Registry::new(engine);
    match opens {
        Opens::Follower => fetch(&origin, &follower),
        Opens::Origin => push(&origin, &follower),
    }
    follower.take_token();
    follower.start();
    let (mut suffered, mut compared, mut told, mut doubled) = (0, 0, 0, 0);
    for round in 0..rounds {
        let ended = AtomicBool::new(false);
        let mut writes = Dice::new(seed + 1 + round as u64);
        let token = origin.token.clone();
        thread::scope(|scope| {
            scope.spawn(|| {
                write(&address, &token, round, &mut writes, &mut known);
                ended.store(true, Ordering::SeqCst);
            });
            while !ended.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(20 + dice.below(300) as u64));
                suffer(&mut origin, &mut follower, opens, &mut dice);
                suffered += 1;
            }
        });
        let times = (COORDINATES / rounds).max(50);
        let (entries, twice) = compare(&origin, &follower, times, &mut dice, seed);
        (compared, told, doubled) = (compared + times, entries, doubled + twice);
    }
    println!(
        "faults | peers, opened by the {} | {} | seed {seed} | {suffered} faults | {told} entries copied, {compared} coordinates compared | 0 lost | {doubled} twice",
        if opens == Opens::Origin {
            "origin"
        } else {
            "follower"
        },
        engine_of(db),
    );
    assert_eq!(doubled, 0, "seed {seed}");
    for site in [&mut origin, &mut follower] {
        if let Some(program) = site.program.take() {
            assert!(program.stop().success());
        }
        program::assert_verified(&site.desk.db.url);
    }
}

fn suffer(origin: &mut Registry, follower: &mut Registry, opens: Opens, dice: &mut Dice) {
    let while_ = Duration::from_millis(50 + dice.below(400) as u64);
    let which = dice.below(6);
    match which {
        0 | 1 => return follower.kill(),
        2 => return origin.kill(),
        _ => {}
    }
    let called = match opens {
        Opens::Follower => origin,
        Opens::Origin => follower,
    };
    let between = |way: Way| {
        called.proxies[0].go(way);
        thread::sleep(while_);
        called.proxies[0].go(Way::Open);
    };
    match which {
        3 => called.proxies[0].cut(),
        4 => between(Way::Slow),
        _ => {
            between(Way::HalfOpen);
            // What was swallowed is never answered.
            called.proxies[0].cut();
        }
    }
}

on_both! {
    fn a_copy_survives_kills_and_the_network(db: Database) {
        endure(&db, Opens::Follower);
    }

    fn a_copy_that_is_brought_survives_kills_and_the_network(db: Database) {
        endure(&db, Opens::Origin);
    }
}
