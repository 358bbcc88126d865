//! The share of the tree of the log in the processor time of writes. The store itself tells how long leaves, their secrets,
//! hashes and nodes have taken; of that nearly all is processor time.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::latency::outward;
use crate::program::Program;
use crate::report::{Spread, Table};
use crate::{bulk, cpu, create, load, registry};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 64;
const ADDRESSES: u64 = 100;
/// Percent.
const MOST: f64 = 5.0;

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    /// For the bulk load, and for creates over HTTP.
    pub(crate) bulk: &'a str,
    pub(crate) url: &'a str,
    pub(crate) records: u64,
    pub(crate) server: Option<u32>,
}

/// Measures, and adds the rows.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let registry = registry::open(setting.bulk)?;
    bulk::prepare(&registry)?;
    let before = registry.store().metrics().tree_seconds;
    let loaded = bulk::persons(&registry, setting.records, setting.server)?;
    let spent = registry.store().metrics().tree_seconds - before;
    registry.store().shutdown();
    drop(registry);
    let all = (loaded.own + loaded.server).as_secs_f64();
    let mut row = |what: &str, shares: &[f64]| {
        let shares = Spread::of(shares);
        table.row(
            &format!("{name}: share of the log's tree in the processor time of {what}, %"),
            &shares,
            &Spread::of(&[MOST]),
            MOST / shares.median,
            1.0,
        );
    };
    row("a bulk load", &[spent / all * 100.0]);
    let token = registry::furnish(setting.url, ADDRESSES)?;
    let settings = outward(setting.scratch, "tree", &[]);
    let program = Program::with(setting.binary, setting.url, &settings)?;
    let taken = || -> Result<Duration> {
        let database = setting.server.map_or(Ok(Duration::ZERO), cpu::of_tree)?;
        Ok(cpu::of_process(program.pid())? + database)
    };
    let (mut shares, mut first) = (Vec::new(), 1);
    for _ in 0..ROUNDS {
        let before = create::metric(&program, "grunddata_write_tree_seconds_total").await?;
        let begun = taken()?;
        let requests = create::requests(&token, first, ADDRESSES);
        let measured = load::saturate(program.address, CONNECTIONS, ROUND, requests).await?;
        first += measured.requests + CONNECTIONS as u64;
        let all = taken()?.saturating_sub(begun).as_secs_f64();
        let spent = create::metric(&program, "grunddata_write_tree_seconds_total").await? - before;
        shares.push(spent / all * 100.0);
    }
    row("creates over HTTP", &shares);
    table.note(&format!(
        "{name}: {:.1} µs a record for leaves, hashes and nodes in a bulk load of {}, of {:.1}",
        spent * 1e6 / setting.records as f64,
        setting.records,
        all * 1e6 / setting.records as f64,
    ));
    Ok(())
}
