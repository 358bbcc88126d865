//! Many subscriptions, a tenth of them dead: what the living wait for events with the dead and without, by turns.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde_json::json;

use crate::latency::{outward, subscribe, until_active};
use crate::load::{self, Connection};
use crate::program::Program;
use crate::report::{Spread, Table};
use crate::stream::ages;
use crate::target::Target;
use crate::{cpu, create, registry};

const ADDRESSES: u64 = 100;
/// Turns of each, and changes of each turn.
const ROUNDS: usize = 3;
const CHANGES: u64 = 8;
/// How often a change is written.
const EVERY: Duration = Duration::from_secs(1);
/// How long is waited for all to hear of a change.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) url: &'a str,
    pub(crate) subscriptions: u64,
}

/// Measures, and adds the row.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let token = registry::furnish(setting.url, ADDRESSES)?;
    let heard = Arc::new(Mutex::new(Histogram::<u64>::new(3)?));
    let kept = Arc::clone(&heard);
    let living = Target::start(Arc::new(move |body| {
        // A test event has no such instant.
        let _ = ages(body, &mut kept.lock());
    }))
    .await?;
    let mut dead = Vec::new();
    for _ in 0..3 {
        dead.push(Target::start(Arc::new(|_| {})).await?);
    }
    let mut ports: Vec<u16> = dead.iter().map(|target| target.address.port()).collect();
    ports.push(living.address.port());
    let settings = outward(setting.scratch, "hooks", &ports);
    let program = Program::with(setting.binary, setting.url, &settings)?;
    let mut connection = Connection::open(program.address).await?;
    let dying = setting.subscriptions / 10;
    let alive = setting.subscriptions - dying;
    let mut ids = Vec::new();
    for number in 0..alive {
        let target = format!("http://{}/{number}", living.address);
        ids.push(subscribe(&mut connection, &token, &target, json!({})).await?);
    }
    let mut dead_ids = Vec::new();
    for (number, target) in (0..dying).zip(dead.iter().cycle()) {
        let target = format!("http://{}/{number}", target.address);
        dead_ids.push(subscribe(&mut connection, &token, &target, json!({})).await?);
    }
    until_active(&mut connection, &token, &ids).await?;
    until_active(&mut connection, &token, &dead_ids).await?;
    for id in &dead_ids {
        turn(&mut connection, &token, id, "pause").await?;
    }
    // One is refused, one hangs, one answers 500.
    for (number, target) in dead.iter().enumerate() {
        if number % 2 == 0 {
            target.hang();
        } else {
            target.fail();
        }
    }
    dead.pop();
    let requests = create::requests(&token, 1, ADDRESSES);
    let mut next = 0;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for among_dead in [false, true] {
            for id in &dead_ids {
                let what = if among_dead { "resume" } else { "pause" };
                turn(&mut connection, &token, id, what).await?;
            }
            // What they have missed is tried now.
            tokio::time::sleep(EVERY * 2).await;
            heard.lock().reset();
            for count in 1..=CHANGES {
                let begun = Instant::now();
                connection.exchange(&requests(next)).await?;
                next += 1;
                while heard.lock().len() < count * alive {
                    ensure!(
                        begun.elapsed() < PATIENCE,
                        "{} of {} living have heard",
                        heard.lock().len(),
                        count * alive
                    );
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                tokio::time::sleep(EVERY.saturating_sub(begun.elapsed())).await;
            }
            let p99 = heard.lock().value_at_quantile(0.99) as f64 / 1e3;
            let list = if among_dead { &mut with } else { &mut without };
            list.push(p99);
        }
    }
    let (with, without) = (Spread::of(&with), Spread::of(&without));
    table.row(
        &format!("{name}: {alive} living webhooks and {dying} dead ones, p99 ms from commit to receiver, against the living alone"),
        &with,
        &without,
        without.median / with.median,
        0.83,
    );
    let (_, memory) = cpu::memory(program.pid())?;
    table.note(&format!(
        "{name}: {} subscriptions, a change each second: {:.0} MB resident at most",
        setting.subscriptions,
        memory as f64 / 1e6
    ));
    Ok(())
}

async fn turn(connection: &mut Connection, token: &str, id: &str, what: &str) -> Result<()> {
    let path = format!("/api/v1/subscriptions/{id}/{what}");
    connection.exchange(&load::post(&path, token, "")).await?;
    Ok(())
}
