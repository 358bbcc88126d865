//! Readers who wait for changes that do not come: half of them in streams, half in long polls. What they take of memory and of
//! the processor.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::latency::outward;
use crate::load::{self, Connection};
use crate::program::Program;
use crate::report::{Spread, Table};
use crate::stream::Stream;
use crate::{cpu, registry};

/// Turns of each, and how long each is looked at: a stream gives a sign of life every 15 seconds.
const ROUNDS: usize = 3;
const WATCHED: Duration = Duration::from_secs(15);
/// After it the server knows at the latest that a client has gone.
const GONE: Duration = Duration::from_secs(16);
/// Of each kind: what one token may have at once by default.
const EACH: usize = 100;

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) url: &'a str,
    pub(crate) server: Option<u32>,
}

/// Measures, and adds the rows.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let streams = registry::furnish(setting.url, 100)?;
    let opened = registry::open(setting.url)?;
    let polls = registry::token(&opened)?;
    opened.store().shutdown();
    drop(opened);
    let settings = outward(setting.scratch, "idle", &[]);
    let program = Program::with(setting.binary, setting.url, &settings)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    let mut more = 0.0_f64;
    for _ in 0..ROUNDS {
        without.push(watch(setting, &program).await?);
        let (before, _) = cpu::memory(program.pid())?;
        let mut waiting = JoinSet::new();
        let owner = registry::OWNER;
        for _ in 0..EACH {
            let path = format!("/api/v1/changes/stream?owner={owner}&after=now");
            let request = load::get(&path, Some(&streams));
            let mut stream = Stream::open(program.address, &request).await?;
            waiting.spawn(async move {
                while stream.piece().await?.is_some() {}
                anyhow::Ok(())
            });
            let mut connection = Connection::open(program.address).await?;
            let path = format!("/api/v1/changes?owner={owner}&after=now&wait=15");
            let request = load::get(&path, Some(&polls));
            waiting.spawn(async move {
                loop {
                    connection.exchange(&request).await?;
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        with.push(watch(setting, &program).await?);
        let (after, _) = cpu::memory(program.pid())?;
        more = more.max(after.saturating_sub(before) as f64 / 1e6);
        // None of them may have ended before its time.
        if let Some(ended) = waiting.try_join_next() {
            ended??;
            anyhow::bail!("a stream has ended");
        }
        drop(waiting);
        tokio::time::sleep(GONE).await;
    }
    let (with, without) = (Spread::of(&with), Spread::of(&without));
    let added = (with.median - without.median).max(0.01);
    table.row(
        &format!("{name}: {} idle followers, % of one core more", 2 * EACH),
        &Spread::of(&[added]),
        &Spread::of(&[1.0]),
        1.0 / added,
        1.0,
    );
    let more = more.max(0.1);
    table.row(
        &format!("{name}: {} idle followers, MB resident more", 2 * EACH),
        &Spread::of(&[more]),
        &Spread::of(&[50.0]),
        50.0 / more,
        1.0,
    );
    table.note(&format!(
        "{name}: % of one core with {} idle followers {with}, without {without}, the database included",
        2 * EACH
    ));
    Ok(())
}

/// Percent of one core that server and database take.
async fn watch(setting: &Setting<'_>, program: &Program) -> Result<f64> {
    let taken = || -> Result<Duration> {
        let database = setting.server.map_or(Ok(Duration::ZERO), cpu::of_tree)?;
        Ok(cpu::of_process(program.pid())? + database)
    };
    let before = taken()?;
    tokio::time::sleep(WATCHED).await;
    let took = taken()?.saturating_sub(before);
    Ok(took.as_secs_f64() / WATCHED.as_secs_f64() * 100.0)
}
