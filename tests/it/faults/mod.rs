//! What a registry must survive: its process is killed, the network between it and its clients fails in every way, the disk
//! takes no more, a second process works on the same database. Clients do what clients should: each write has an
//! Idempotency-Key, and is repeated until it is answered. Afterwards nothing that was acknowledged is lost, and nothing is there
//! twice.
//!
//! `FAULTS_SEED` and `FAULTS_ROUNDS` say with which dice and how long; both are printed. `cargo xtask faults` runs them for
//! longer, and prints the table.

mod hand_over;
mod peers;
pub(crate) mod proxy;
mod subscribers;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grunddata_testing::{Database, Dice, Engine, on_both};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::durability::{PATIENCE, prepare};
use crate::program::{self, Program};
use proxy::{Proxy, Way};

const CLIENTS: usize = 6;
/// Writes of a round.
const WRITES: usize = 60;
/// After so long a client gives a request up and asks again.
const IMPATIENCE: Duration = Duration::from_millis(1_500);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Kill,
    Cut,
    Slow,
    HalfOpen,
}

fn seed() -> u64 {
    let given = std::env::var("FAULTS_SEED").ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_122)
}

fn rounds() -> usize {
    let given = std::env::var("FAULTS_ROUNDS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Servers that come and go on one database, behind an address that stays.
struct Servers<'a> {
    db: &'a Database,
    proxy: Proxy,
    running: Vec<Program>,
    /// Environment variables of the servers.
    settings: Vec<(&'static str, String)>,
}

impl<'a> Servers<'a> {
    fn start(db: &'a Database, count: usize) -> Self {
        Self::with(db, count, Vec::new())
    }

    fn with(db: &'a Database, count: usize, settings: Vec<(&'static str, String)>) -> Self {
        let mut servers = Self {
            db,
            proxy: Proxy::start(),
            running: Vec::new(),
            settings,
        };
        for _ in 0..count {
            servers.add();
        }
        servers
    }

    fn add(&mut self) {
        let mut command = program::command(&["serve", "--database", &self.db.url]);
        command.envs(self.settings.iter().map(|(name, value)| (*name, value)));
        let started = Program::start_as(command, PATIENCE);
        self.running.push(started);
        self.lead();
    }

    fn lead(&self) {
        let targets = self.running.iter().map(Program::address);
        self.proxy.lead_to(targets);
    }

    /// One of them dies, and comes back.
    fn kill(&mut self, dice: &mut Dice) {
        let place = dice.below(self.running.len());
        let dying = self.running.swap_remove(place);
        dying.kill();
        self.lead();
        self.add();
    }

    fn suffer(&mut self, fault: Fault, dice: &mut Dice) {
        let while_ = Duration::from_millis(50 + dice.below(400) as u64);
        match fault {
            Fault::Kill => self.kill(dice),
            Fault::Cut => self.proxy.cut(),
            Fault::Slow => {
                self.proxy.go(Way::Slow);
                thread::sleep(while_);
                self.proxy.go(Way::Open);
            }
            Fault::HalfOpen => {
                self.proxy.go(Way::HalfOpen);
                thread::sleep(while_);
                self.proxy.go(Way::Open);
                // What was swallowed is never answered.
                if dice.one_in(2) {
                    self.proxy.cut();
                }
            }
        }
    }
}

/// What clients saw.
#[derive(Debug, Default)]
struct Seen {
    acknowledged: Mutex<BTreeSet<String>>,
    /// Requests that had to be made again.
    repeated: AtomicUsize,
}

/// Writes each name until it is acknowledged.
fn write_all(address: SocketAddr, token: &str, names: &[String], seen: &Seen) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let client = reqwest::blocking::Client::builder()
                    .timeout(IMPATIENCE)
                    .build()
                    .unwrap();
                while let Some(name) = names.get(next.fetch_add(1, Ordering::SeqCst)) {
                    write(&client, address, token, name, seen);
                    seen.acknowledged.lock().insert(name.clone());
                }
            });
        }
    });
}

fn write(
    client: &reqwest::blocking::Client,
    address: SocketAddr,
    token: &str,
    name: &str,
    seen: &Seen,
) {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "{name} is never acknowledged");
        match post(client, address, token, name) {
            Ok((201 | 200, _)) => return,
            // Still in flight, or not now.
            Ok((409 | 503, _)) | Err(_) => {
                seen.repeated.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(20));
            }
            Ok((status, text)) => panic!("{name}: {status}: {text}"),
        }
    }
}

fn post(
    client: &reqwest::blocking::Client,
    address: SocketAddr,
    token: &str,
    name: &str,
) -> reqwest::Result<(u16, String)> {
    let answer = client
        .post(format!("http://{address}/api/v1/organisations"))
        .bearer_auth(token)
        .header("Idempotency-Key", name)
        .json(&json!({
            "owner": "se-test",
            "validFrom": "2026-01-01",
            "data": {"name": {"sv": name}, "kind": "unit"},
        }))
        .send()?;
    Ok((answer.status().as_u16(), answer.text()?))
}

/// What is there, by name, over all pages of the list.
fn stored(address: SocketAddr, token: &str) -> Vec<String> {
    let client = reqwest::blocking::Client::new();
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let url = format!("http://{address}/api/v1/organisations?limit=500&fields=name{after}");
        let answer = client.get(url).bearer_auth(token).send().unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().unwrap());
        let page: Value = answer.json().unwrap();
        let items = page["items"].as_array().unwrap();
        found.extend(
            items
                .iter()
                .map(|item| item["data"]["name"]["sv"].as_str().unwrap().to_owned()),
        );
        match page["_meta"]["after"].as_str() {
            Some(next) if !items.is_empty() => after = format!("&after={next}"),
            _ => return found,
        }
    }
}

/// Lets clients write while things go wrong, and looks what is there afterwards.
fn endure(db: &Database, what: &str, faults: &[Fault], processes: usize) {
    let (seed, rounds) = (seed(), rounds());
    let token = prepare(db);
    let mut dice = Dice::new(seed);
    let mut servers = Servers::start(db, processes);
    let (seen, address) = (Seen::default(), servers.proxy.address());
    let mut suffered = 0;
    for round in 0..rounds {
        let names: Vec<String> = (0..WRITES)
            .map(|number| format!("{what}-{round}-{number}"))
            .collect();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                write_all(address, &token, &names, &seen);
                ended.store(true, Ordering::SeqCst);
            });
            while !ended.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(20 + dice.below(250) as u64));
                let fault = *dice.of(faults);
                servers.suffer(fault, &mut dice);
                suffered += 1;
            }
        });
    }
    let acknowledged = seen.acknowledged.into_inner();
    assert_eq!(acknowledged.len(), rounds * WRITES);
    // A request that nobody waited for may still be on its way.
    for server in servers.running.drain(..) {
        assert!(server.stop().success());
    }
    servers.add();
    let there = stored(address, &token);
    let distinct: BTreeSet<&String> = there.iter().collect();
    let lost = acknowledged
        .iter()
        .filter(|name| !distinct.contains(name))
        .count();
    let doubled = there.len() - distinct.len();
    let engine = engine_of(db);
    println!(
        "faults | {what} | {engine} | seed {seed} | {suffered} faults | {} acknowledged, {} requests repeated | {lost} lost | {doubled} twice",
        acknowledged.len(),
        seen.repeated.into_inner(),
    );
    assert_eq!(
        (lost, doubled, distinct.len()),
        (0, 0, acknowledged.len()),
        "seed {seed}"
    );
    for server in servers.running.drain(..) {
        assert!(server.stop().success());
    }
    program::assert_verified(&db.url);
}

/// Lets clients write until the disk takes no more; what was acknowledged by then is there when it has room again.
fn fill(db: &Database) {
    let token = prepare(db);
    let size = std::fs::metadata(&db.url).unwrap().len() / 1_024;
    // The write-ahead log is a file of its own: it reaches the limit first.
    let program = Program::start_as(
        program::cramped(&["serve", "--database", &db.url], size + 4_000),
        PATIENCE,
    );
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for number in 0.. {
        let name = format!("full-{number}");
        let (status, text) = post(program.client(), program.address(), &token, &name).unwrap();
        match status {
            201 => acknowledged.push(name),
            503 => refused += 1,
            _ => panic!("{status}: {text}"),
        }
        assert!(number < 20_000, "the disk is never full");
        if refused == 5 {
            break;
        }
    }
    // What is there can be read all the same.
    assert_eq!(stored(program.address(), &token).len(), acknowledged.len());
    program.kill();
    let program = Program::start(&["serve", "--database", &db.url], PATIENCE);
    let there: BTreeSet<String> = stored(program.address(), &token).into_iter().collect();
    let lost = acknowledged
        .iter()
        .filter(|name| !there.contains(*name))
        .count();
    println!(
        "faults | disk full | SQLite | no dice | {refused} writes refused | {} acknowledged | {lost} lost | {} twice",
        acknowledged.len(),
        there.len() - acknowledged.len() + lost,
    );
    assert_eq!((lost, there.len()), (0, acknowledged.len()));
    let again = post(program.client(), program.address(), &token, "room-again").unwrap();
    assert_eq!(again.0, 201, "{}", again.1);
    assert!(program.stop().success());
    program::assert_verified(&db.url);
}

fn engine_of(db: &Database) -> &'static str {
    match db.engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    }
}

on_both! {
    fn the_server_is_killed(db: Database) {
        endure(&db, "killed", &[Fault::Kill], 1);
    }

    fn connections_are_cut_crawl_and_swallow(db: Database) {
        endure(&db, "network", &[Fault::Cut, Fault::Slow, Fault::HalfOpen], 1);
    }

    fn everything_at_once(db: Database) {
        // Two processes share a PostgreSQL; a SQLite file has one.
        let processes = if db.engine == Engine::Postgres { 2 } else { 1 };
        let faults = [Fault::Kill, Fault::Cut, Fault::Cut, Fault::Slow, Fault::HalfOpen];
        endure(&db, "everything", &faults, processes);
    }
}

/// Of a PostgreSQL the disk is the database server's own: it is not tried.
#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    fill(&Database::new(Engine::Sqlite));
}
