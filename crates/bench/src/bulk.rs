//! Bulk: new persons through the whole pipeline in this process, the same persons again (unchanged), and the engine's
//! own bulk path for exactly the rows that came out.

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use grunddata_model::Domain;
use grunddata_registry::{Command, PreparedBatch, Registry};

use crate::data::{self, Kind};
use crate::replay::Replayed;
use crate::report::{Spread, Table};
use crate::{cpu, registry};

/// Addresses that the persons live at: written before the clock starts.
const ADDRESSES: u64 = 10_000;

/// What a load took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded {
    pub(crate) records: u64,
    pub(crate) wall: Duration,
    /// Processor time of this process without the making of the test data.
    pub(crate) own: Duration,
    /// Processor time of the database server; zero for SQLite, which runs in this process.
    pub(crate) server: Duration,
}

impl Loaded {
    pub(crate) fn per_second(&self) -> f64 {
        self.records as f64 / self.wall.as_secs_f64()
    }

    pub(crate) fn own_micros(&self) -> f64 {
        self.own.as_secs_f64() * 1e6 / self.records as f64
    }

    pub(crate) fn server_micros(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / self.records as f64
    }
}

/// Writes what the persons refer to.
pub(crate) fn prepare(registry: &Registry) -> Result<()> {
    registry::add_owner(registry)?;
    registry::load(
        registry,
        Domain::Geography,
        Kind::Address,
        ADDRESSES,
        data::address,
    )
}

/// New persons.
pub(crate) fn persons(registry: &Registry, count: u64, server: Option<u32>) -> Result<Loaded> {
    run(registry, count, server, |number| {
        registry::create(
            Domain::Person,
            data::id(Kind::Person, number),
            data::person(number, ADDRESSES),
        )
    })
}

/// The same persons once more: nothing changes.
pub(crate) fn unchanged(registry: &Registry, count: u64, server: Option<u32>) -> Result<Loaded> {
    run(registry, count, server, |number| {
        registry::replace(
            Domain::Person,
            data::id(Kind::Person, number),
            data::person(number, ADDRESSES),
        )
    })
}

/// Validation of one batch and the writing of the one before it overlap, as in every load.
fn run(
    registry: &Registry,
    count: u64,
    server: Option<u32>,
    make: impl Fn(u64) -> Command + Send + Sync,
) -> Result<Loaded> {
    let server_time = || server.map_or(Ok(Duration::ZERO), cpu::of_tree);
    let (own, remote) = (cpu::of_process(std::process::id())?, server_time()?);
    let started = Instant::now();
    let making = std::thread::scope(|scope| -> Result<Duration> {
        let (sender, receiver) = sync_channel::<PreparedBatch>(1);
        let preparing = scope.spawn(move || -> Result<Duration> {
            let (context, owner) = (registry::context(registry), registry::owner()?);
            let mut making = Duration::ZERO;
            let mut next = 0;
            while next < count {
                let until = (next + registry::BATCH).min(count);
                let begun = cpu::of_thread()?;
                let commands = (next..until).map(&make).collect();
                making += cpu::of_thread()?.saturating_sub(begun);
                let batch = registry
                    .prepare_batch(&context, &owner, commands)
                    .map_err(registry::refused)?;
                if sender.send(batch).is_err() {
                    break;
                }
                next = until;
            }
            Ok(making)
        });
        for batch in receiver {
            registry.apply_batch(batch).map_err(registry::refused)?;
        }
        preparing
            .join()
            .map_err(|_| anyhow!("the preparing thread panicked"))?
    })
    .context("the load failed")?;
    Ok(Loaded {
        records: count,
        wall: started.elapsed(),
        own: cpu::of_process(std::process::id())?.saturating_sub(own + making),
        server: server_time()?.saturating_sub(remote),
    })
}

/// How many commits a load of so many records makes.
pub(crate) fn commits(count: u64) -> u64 {
    count.div_ceil(registry::BATCH)
}

/// Adds the rows of a load, of the same load again, and of the raw writer.
pub(crate) fn report(
    name: &str,
    first: &Loaded,
    again: &Loaded,
    raw: &Replayed,
    postgres: bool,
    table: &mut Table,
) {
    let raw_rate = first.records as f64 / raw.wall.as_secs_f64();
    let one = |value: f64| Spread::of(&[value]);
    table.row(
        &format!("{name}: {} new persons in bulk, records/s", first.records),
        &one(first.per_second()),
        &one(raw_rate),
        first.per_second() / raw_rate,
        if postgres { 0.6 } else { 0.5 },
    );
    table.row(
        &format!("{name}: the same persons again (unchanged), records/s against first writes"),
        &one(again.per_second()),
        &one(first.per_second()),
        again.per_second() / first.per_second(),
        3.0,
    );
    if postgres {
        table.row(
            &format!("{name}: our CPU µs a record, parsed JSON to encoded rows"),
            &one(first.own_micros()),
            &one(15.0),
            15.0 / first.own_micros(),
            1.0,
        );
    }
    table.note(&format!(
        "{name}: bulk CPU µs a record: ours {:.1}, server {:.1}; raw writer {:.1}; unchanged: ours {:.1}, server {:.1}",
        first.own_micros(),
        first.server_micros(),
        raw.cpu.as_secs_f64() * 1e6 / first.records as f64,
        again.own_micros(),
        again.server_micros(),
    ));
}
