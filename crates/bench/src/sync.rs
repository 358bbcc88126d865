//! Another registry copies an owner: all that there is, against a local bulk load of the same records; then what is written at
//! the origin at full rate.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::latency::{add_peer, outward};
use crate::program::Program;
use crate::report::{Spread, Table};
use crate::{bulk, cpu, create, load, registry};

const CONNECTIONS: usize = 64;
/// Addresses that the persons of the bulk load live at.
const ADDRESSES: u64 = 10_000;
/// How long is written at full rate.
const TAIL: Duration = Duration::from_secs(10);
/// After so long without anything new the copy has stopped.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    pub(crate) url: &'a str,
    pub(crate) copy: &'a str,
    pub(crate) records: u64,
    pub(crate) server: Option<u32>,
}

/// Measures, and adds the rows.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let registry = registry::open(setting.url)?;
    let started = Instant::now();
    bulk::prepare(&registry)?;
    bulk::persons(&registry, setting.records, setting.server)?;
    let loaded = started.elapsed();
    let token = registry::token(&registry)?;
    registry.store().shutdown();
    drop(registry);
    registry::open(setting.copy)?.store().shutdown();
    let settings = |who: &str| outward(setting.scratch, who, &[]);
    let origin = Program::with(setting.binary, setting.url, &settings("origin"))?;
    add_peer(
        setting.binary,
        setting.scratch,
        setting.copy,
        &origin,
        &token,
    )?;
    let started = Instant::now();
    let copy = Program::with(setting.binary, setting.copy, &settings("copy"))?;
    let records = registry::position(setting.url).await?;
    until_copied(setting, records).await?;
    let rate = |took: Duration| records as f64 / took.as_secs_f64();
    let (ours, local) = (rate(started.elapsed()), rate(loaded));
    table.row(
        &format!(
            "{name}: first sync of {records} records to an empty peer, records/s, against a local bulk load of them"
        ),
        &Spread::of(&[ours]),
        &Spread::of(&[local]),
        ours / local,
        0.4,
    );
    let requests = create::requests(&token, setting.records, ADDRESSES);
    let started = Instant::now();
    let written = load::saturate(origin.address, CONNECTIONS, TAIL, requests).await?;
    let behind = registry::position(setting.url).await?;
    let behind = behind.saturating_sub(registry::position(setting.copy).await?);
    until_copied(setting, registry::position(setting.url).await?).await?;
    let rate = written.requests as f64 / started.elapsed().as_secs_f64();
    table.row(
        &format!("{name}: a peer keeps up with the origin's full write rate, changes/s"),
        &Spread::of(&[rate]),
        &Spread::of(&[written.per_second()]),
        rate / written.per_second(),
        0.95,
    );
    let (_, memory) = cpu::memory(copy.pid())?;
    table.note(&format!(
        "{name}: the peer was {behind} changes behind when the last of {} was written; {:.0} MB resident at most",
        written.requests,
        memory as f64 / 1e6
    ));
    Ok(())
}

/// Waits until the copy has come to this position.
async fn until_copied(setting: &Setting<'_>, position: u64) -> Result<()> {
    let (mut reached, mut since) = (0, Instant::now());
    while reached < position {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = registry::position(setting.copy).await?;
        if now > reached {
            (reached, since) = (now, Instant::now());
        }
        ensure!(
            since.elapsed() < PATIENCE,
            "the copy has stopped at {reached} of {position}"
        );
    }
    Ok(())
}
