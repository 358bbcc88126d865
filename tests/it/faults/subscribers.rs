//! Subscribers and what goes wrong between them and the registry: it is killed while it delivers, they fail in every way and
//! are gone for a month, its clock jumps. Every change reaches every subscriber at least once; what comes again has the same
//! id, and without it all of them come in the order of the log.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grunddata_testing::{Database, Dice, Engine, on_both};
use serde_json::{Value, json};

use super::{Seen, Servers, WRITES, engine_of, rounds, seed, write_all};
use crate::durability::{PATIENCE, prepare};
use crate::program;
use crate::subscriptions::receiver::{Manner, Receiver};
use crate::subscriptions::world::World;

const MODES: [&str; 3] = ["structured", "binary", "batch"];

/// What tells an entry from others: its record and its version.
type Key = (String, u64);

fn key(entry: &Value) -> Key {
    let record = entry["record"].as_str().expect("a record").to_owned();
    (record, entry["version"].as_u64().expect("a version"))
}

/// The log of an owner as its reader is shown it.
fn log(address: SocketAddr, token: &str, owner: &str) -> Vec<Key> {
    let url = format!("http://{address}/api/v1/changes?owner={owner}&after=0&format=ndjson");
    let client = reqwest::blocking::Client::new();
    let answer = client
        .get(url)
        .bearer_auth(token)
        .send()
        .expect("an answer");
    let text = answer.text().expect("lines");
    let lines: Vec<&str> = text.lines().collect();
    let (last, entries) = lines.split_last().expect("a last line");
    assert!(last.contains("_meta"), "cut off: {last}");
    let read = |line: &&str| key(&serde_json::from_str(line).expect("JSON"));
    entries.iter().map(read).collect()
}

/// What a subscriber has of a log.
#[derive(Debug, Default)]
struct Told {
    lost: usize,
    /// Entries that came under another id as well.
    twice: usize,
    /// Events that came again, and can be known by their id.
    again: usize,
}

/// Compares what a subscriber has accepted with the log. What came first of each event is in order.
fn compare(receiver: &Receiver, path: &str, log: &[Key]) -> Told {
    let events = receiver.events(path);
    let mut ids = HashSet::new();
    let mut first = Vec::new();
    let mut names: BTreeMap<Key, HashSet<String>> = BTreeMap::new();
    for event in &events {
        let id = event["id"].as_str().expect("an id").to_owned();
        let entry = key(&event["data"]);
        names.entry(entry.clone()).or_default().insert(id.clone());
        if ids.insert(id) {
            first.push(entry);
        }
    }
    let known: HashSet<&Key> = first.iter().collect();
    let lost = log.iter().filter(|entry| !known.contains(entry)).count();
    if lost == 0 {
        assert_eq!(first, log, "{path}: not in the order of the log");
    }
    Told {
        lost,
        twice: names.values().map(|ids| ids.len() - 1).sum(),
        again: events.len() - ids.len(),
    }
}

/// Waits until the subscribers have everything, and adds up what they have.
fn settle(receiver: &Receiver, paths: &[String], log: &[Key], tick: impl Fn()) -> Told {
    let begun = Instant::now();
    let lacks = |path: &String| compare(receiver, path, log).lost > 0;
    while paths.iter().any(lacks) && begun.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(100));
        tick();
    }
    let mut all = Told::default();
    for path in paths {
        let told = compare(receiver, path, log);
        all.lost += told.lost;
        all.twice += told.twice;
        all.again += told.again;
    }
    all
}

fn report(what: &str, engine: &str, dice: &str, happened: &str, log: &[Key], told: &Told) {
    println!(
        "faults | {what} | {engine} | {dice} | {happened} | {} changes to each of {} subscribers, {} events came again | {} lost | {} twice",
        log.len(),
        MODES.len(),
        told.again,
        told.lost,
        told.twice,
    );
    assert_eq!((told.lost, told.twice), (0, 0), "{dice}");
}

/// How a subscriber behaves next.
fn manner(receiver: &Receiver, dice: &mut Dice) -> Manner {
    match dice.below(5) {
        0 => Manner::Answers(500),
        1 => Manner::Says(307, "location", receiver.at("/elsewhere")),
        2 => Manner::Waits(Duration::from_secs(3_600)),
        _ => Manner::Accepts,
    }
}

/// The settings of servers that may send to this receiver, and that take over soon what a killed one held.
fn settings(receiver: &Receiver) -> Vec<(&'static str, String)> {
    let seconds = || "1".to_owned();
    vec![
        ("GRUNDDATA_SUBSCRIPTIONS_HOSTS", "127.0.0.1".to_owned()),
        ("GRUNDDATA_SUBSCRIPTIONS_PORTS", receiver.port().to_string()),
        ("GRUNDDATA_SUBSCRIPTIONS_NETWORKS", "127.0.0.0/8".to_owned()),
        ("GRUNDDATA_SUBSCRIPTIONS_HTTP", "true".to_owned()),
        ("GRUNDDATA_SUBSCRIPTIONS_ANSWER_SECONDS", seconds()),
        ("GRUNDDATA_SUBSCRIPTIONS_FIRST_RETRY_SECONDS", seconds()),
        ("GRUNDDATA_SUBSCRIPTIONS_LAST_RETRY_SECONDS", seconds()),
        ("GRUNDDATA_LOADS_LEASE_SECONDS", seconds()),
    ]
}

/// Subscribes over HTTP, and waits until nothing but the log is to be sent.
fn subscribe(address: SocketAddr, token: &str, receiver: &Receiver) -> Vec<String> {
    let client = reqwest::blocking::Client::new();
    let url = format!("http://{address}/api/v1/subscriptions");
    let subscribed = MODES.iter().map(|mode| {
        let path = format!("/{mode}");
        let body = json!({"owner": "se-test", "name": "Prov", "target": receiver.at(&path), "mode": mode, "after": "0"});
        let made = client.post(&url).bearer_auth(token).json(&body).send().expect("an answer");
        assert_eq!(made.status().as_u16(), 201, "{}", made.text().expect("text"));
        path
    });
    let paths: Vec<String> = subscribed.collect();
    let begun = Instant::now();
    loop {
        let listed = client
            .get(&url)
            .bearer_auth(token)
            .send()
            .expect("an answer");
        let listed: Value = listed.json().expect("JSON");
        let items = listed["items"].as_array().expect("items");
        if items.iter().all(|item| item["state"] == "active") {
            return paths;
        }
        assert!(begun.elapsed() < PATIENCE, "not verified: {listed:#}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Servers are killed while they deliver to subscribers that fail now and then.
fn kill_while_delivering(db: &Database, processes: usize) {
    let (seed, rounds) = (seed(), rounds());
    let token = prepare(db);
    let mut dice = Dice::new(seed);
    let receiver = Receiver::start();
    let mut servers = Servers::with(db, processes, settings(&receiver));
    let address = servers.proxy.address();
    let paths = subscribe(address, &token, &receiver);
    let (seen, mut kills, mut manners) = (Seen::default(), 0, 0);
    for round in 0..rounds {
        let names: Vec<String> = (0..WRITES)
            .map(|number| format!("told-{round}-{number}"))
            .collect();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                write_all(address, &token, &names, &seen);
                ended.store(true, Ordering::SeqCst);
            });
            // Deliveries go on after the last write: some of the kills come then.
            let mut after = 2;
            while after > 0 {
                receiver.behave(manner(&receiver, &mut dice));
                manners += 1;
                thread::sleep(Duration::from_millis(20 + dice.below(400) as u64));
                servers.kill(&mut dice);
                kills += 1;
                if ended.load(Ordering::SeqCst) {
                    after -= 1;
                }
            }
        });
    }
    receiver.behave(Manner::Accepts);
    let log = log(address, &token, "se-test");
    assert_eq!(log.len(), rounds * WRITES);
    let told = settle(&receiver, &paths, &log, || {});
    assert!(
        receiver.all("/elsewhere").is_empty(),
        "a redirect was followed"
    );
    let happened = format!("{kills} kills, subscribers changed {manners} times");
    report(
        "killed while it delivers",
        engine_of(db),
        &format!("seed {seed}"),
        &happened,
        &log,
        &told,
    );
    for server in servers.running.drain(..) {
        assert!(server.stop().success());
    }
    program::assert_verified(&db.url);
}

/// A world whose subscribers have everything; the address and paths of them.
fn subscribed(world: &World) -> (crate::subscriptions::world::Process, Vec<String>) {
    let process = world.process();
    let paths: Vec<String> = MODES.iter().map(|mode| format!("/{mode}")).collect();
    for (mode, path) in MODES.iter().zip(&paths) {
        world.subscribe(
            &process,
            &world.admin,
            path,
            json!({"mode": mode, "after": "0", "silentAfterHours": null}),
        );
    }
    (process, paths)
}

fn gone(engine: Engine) -> World {
    World::new(engine, |config| {
        config.subscriptions.last_retry = Duration::from_secs(60 * 60);
        config.subscriptions.answer = Duration::from_millis(400);
    })
    .of_any_time()
}

fn jumping(engine: Engine) -> World {
    World::new(engine, |config| {
        config.subscriptions.first_retry = Duration::from_millis(1);
        config.subscriptions.last_retry = Duration::from_millis(20);
    })
}

fn address(process: &crate::subscriptions::world::Process) -> SocketAddr {
    let origin = process.origin();
    origin
        .trim_start_matches("http://")
        .parse()
        .expect("an address")
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

on_both! {
    fn the_server_is_killed_while_it_delivers(db: Database) {
        // Two processes share a PostgreSQL; a SQLite file has one.
        let processes = if db.engine == Engine::Postgres { 2 } else { 1 };
        kill_while_delivering(&db, processes);
    }
}

mod away {
    use super::*;

    on_both! {
        using gone;

        fn subscribers_are_gone_for_a_month(world: World) {
            let seed = seed();
            let mut dice = Dice::new(seed);
            let (process, paths) = subscribed(&world);
            let mut units = Vec::new();
            for day in 0..31 {
                let manner = match day % 4 {
                    0 => Manner::Answers(500),
                    1 => Manner::Says(308, "location", world.receiver.at("/elsewhere")),
                    2 => Manner::Says(503, "retry-after", "3600".to_owned()),
                    // Now and then it hangs.
                    _ if day % 8 == 3 => Manner::Waits(Duration::from_secs(3_600)),
                    _ => Manner::Answers(404),
                };
                world.receiver.behave(manner);
                units.push(world.unit(&process, &format!("Dag {day}")));
                if dice.one_in(2) {
                    let unit = dice.of(&units).clone();
                    world.rename(&process, &unit, &format!("Ändrad dag {day}"));
                }
                world.pass(DAY);
                thread::sleep(Duration::from_millis(60));
            }
            let failed = MODES.map(|mode| world.receiver.sent(&format!("/{mode}")).len()).iter().sum::<usize>();
            assert!(paths.iter().all(|path| world.receiver.events(path).is_empty()));
            world.receiver.behave(Manner::Accepts);
            world.pass(DAY);
            let log = log(address(&process), &world.admin, "norrberga");
            let told = settle(&world.receiver, &paths, &log, || world.pass(Duration::from_secs(60 * 60)));
            assert!(world.receiver.all("/elsewhere").is_empty(), "a redirect was followed");
            report("gone for a month", world.engine(), &format!("seed {seed}"), &format!("{failed} deliveries failed in 31 days"), &log, &told);
        }
    }
}

mod clocks {
    use super::*;

    /// Seconds by which the clock is put from where it is: within the five minutes that it may be ahead, and back.
    const WITHIN: [i64; 6] = [30, 200, -20, -900, 60, -3_600];
    /// Seconds by which it is ahead, beyond them.
    const BEYOND: [i64; 3] = [400, 7_200, 86_400 * 400];

    on_both! {
        using jumping;

        fn the_clock_jumps(world: World) {
            let seed = seed();
            let mut dice = Dice::new(seed);
            let (process, paths) = subscribed(&world);
            let (mut offset, mut refused, mut jumps, mut written) = (0, 0, 0, 0);
            let turns = 40 * rounds();
            for turn in 0..turns {
                let wrong = dice.one_in(4);
                let to = if wrong { *dice.of(&BEYOND) } else { offset + dice.of(&WITHIN) };
                let to = if !wrong && to > 250 { 0 } else { to };
                world.jump(to - offset);
                jumps += 1;
                world.receiver.behave(if dice.one_in(3) { Manner::Answers(500) } else { Manner::Accepts });
                let answer = world.try_unit(&process, &format!("Tur {turn}"));
                if wrong {
                    let told = answer.expect(503);
                    assert_eq!(told["code"], "clock-jump");
                    refused += 1;
                    // What is there can be read all the same.
                    world.ask(&process, &world.admin, "GET", "/organisations?limit=1", None).expect(200);
                    world.jump(offset - to);
                } else {
                    answer.expect(201);
                    written += 1;
                    offset = to;
                }
            }
            world.receiver.behave(Manner::Accepts);
            // What is to be tried again is tried by the clock, wherever it stands.
            world.jump(-offset);
            world.unit(&process, "Sist");
            let feed = world.ask(&process, &world.admin, "GET", "/changes?owner=norrberga&limit=1000", None).expect(200);
            let entries = feed["items"].as_array().expect("items");
            for (number, pair) in entries.windows(2).enumerate() {
                assert_eq!(pair[0]["position"], number as u64 + 1);
                let at = |entry: &Value| entry["recordedAt"].as_str().expect("an instant").to_owned();
                assert!(at(&pair[0]) < at(&pair[1]), "{pair:?}");
            }
            assert_eq!(entries.len().min(1_000), (written + 1).min(1_000));
            let log = log(address(&process), &world.admin, "norrberga");
            assert_eq!(log.len(), written + 1);
            let told = settle(&world.receiver, &paths, &log, || world.pass(Duration::from_secs(1)));
            report("clock jumps", world.engine(), &format!("seed {seed}"), &format!("{jumps} jumps, {refused} writes refused"), &log, &told);
        }
    }
}
