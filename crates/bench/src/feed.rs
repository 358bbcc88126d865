//! The feed from its beginning, as lines over HTTP, thin and with states, against the engine's own scan of the same rows.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cluster::Cluster;
use crate::program::Program;
use crate::report::{Spread, Table};
use crate::stream::Stream;
use crate::{bulk, cpu, export, load, registry};

/// How often each is read, by turns.
const ROUNDS: usize = 3;
/// What a thin feed tells, and what comes with states; in the order of the log.
const THIN: &str = "(SELECT * FROM change WHERE owner = 'se-bench' ORDER BY position)";
const STATES: &str = "(SELECT * FROM change c JOIN state s ON s.owner = c.owner AND s.record_id = c.record_id \
     AND s.superseded_at > c.recorded_at AND s.recorded_at <= c.recorded_at WHERE c.owner = 'se-bench' ORDER BY c.position)";

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) url: &'a str,
    /// Persons; ten thousand addresses come before them in the log.
    pub(crate) records: u64,
    pub(crate) cluster: Option<&'a Cluster>,
}

/// Fills the database and reads its log.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let registry = registry::open(setting.url)?;
    bulk::prepare(&registry)?;
    let server = setting.cluster.map(|cluster| cluster.pid);
    bulk::persons(&registry, setting.records, server)?;
    let token = registry::token(&registry)?;
    registry.store().shutdown();
    drop(registry);
    let log = setting.scratch.join("access-log").display().to_string();
    let program = Program::with(
        setting.binary,
        setting.url,
        &[("GRUNDDATA_ACCESS_LOG", log)],
    )?;
    let entries = registry::position(setting.url).await?;
    let raw = setting.scratch.join("raw");
    for (what, content, statement) in [("thin", "thin", THIN), ("with states", "states", STATES)] {
        let path = format!(
            "/api/v1/changes?owner={}&after=0&format=ndjson&content={content}",
            registry::OWNER
        );
        // A tenth first: what the server holds then, it holds for all of it.
        read(&program, &path, &token, Some(entries / 10)).await?;
        let (_, tenth) = cpu::memory(program.pid())?;
        let (mut ours, mut scans) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (lines, took) = read(&program, &path, &token, None).await?;
            // The last line tells where the feed goes on.
            ensure!(lines == entries + 1, "{lines} lines of {entries} entries");
            ours.push(entries as f64 / took.as_secs_f64());
            let statements = [statement.to_owned()];
            let took = export::scan(setting.cluster, setting.url, &statements, &raw).await?;
            scans.push(entries as f64 / took.as_secs_f64());
        }
        let (_, whole) = cpu::memory(program.pid())?;
        let (ours, scans) = (Spread::of(&ours), Spread::of(&scans));
        table.row(
            &format!("{name}: feed from 0 of {entries} changes, {what}, entries/s, against a raw scan of the same rows"),
            &ours,
            &scans,
            ours.median / scans.median,
            0.5,
        );
        let (tenth, whole) = (tenth as f64 / 1e6, whole as f64 / 1e6);
        table.row(
            &format!("{name}: feed {what}, MB resident at most: all of it against a tenth of it"),
            &Spread::of(&[whole]),
            &Spread::of(&[tenth]),
            tenth / whole,
            0.8,
        );
    }
    Ok(())
}

/// How many lines came, and in which time; no more than so many.
async fn read(
    program: &Program,
    path: &str,
    token: &str,
    most: Option<u64>,
) -> Result<(u64, Duration)> {
    let started = Instant::now();
    let mut stream = Stream::open(program.address, &load::get(path, Some(token))).await?;
    let mut lines = 0;
    while let Some(piece) = stream.piece().await? {
        lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
        if most.is_some_and(|most| lines >= most) {
            break;
        }
    }
    Ok((lines, started.elapsed()))
}
