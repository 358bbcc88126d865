//! Reads by id over HTTP, as of today and with the access check, against the bare handler that answers the same bytes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use uuid::Uuid;

use crate::data::{self, Kind};
use crate::load::{self, Connection, Measured, Request, Requests};
use crate::program::Program;
use crate::report::{Spread, Table};
use crate::{bare, cpu};

/// Distinct records that are read, spread over all.
const SAMPLE: u64 = 5_000;
/// A B A B …
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// Tails are compared below saturation, at the same rate for both.
const SHARE_OF_SATURATION: f64 = 0.6;

/// What a comparison needs to know.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) url: &'a str,
    /// Where the bare handler finds its table: a SQLite file of its own, or the same PostgreSQL database.
    pub(crate) bare_url: &'a str,
    pub(crate) token: &'a str,
    pub(crate) persons: u64,
    /// The postmaster, where there is one.
    pub(crate) server: Option<u32>,
}

struct Side {
    program: Program,
    requests: Requests,
    server: Option<u32>,
}

impl Side {
    fn time(&self) -> Result<Duration> {
        Ok(cpu::of_process(self.program.pid())?
            + self.server.map_or(Ok(Duration::ZERO), cpu::of_tree)?)
    }

    /// Requests per second and CPU microseconds per request at saturation.
    async fn saturate(&self, connections: usize) -> Result<(f64, f64, Measured)> {
        let before = self.time()?;
        let measured = load::saturate(
            self.program.address,
            connections,
            ROUND,
            Arc::clone(&self.requests),
        )
        .await?;
        let used = self.time()?.saturating_sub(before);
        Ok((
            measured.per_second(),
            used.as_secs_f64() * 1e6 / measured.requests as f64,
            measured,
        ))
    }

    async fn tail(&self, connections: usize, rate: f64) -> Result<f64> {
        let measured = load::at_rate(
            self.program.address,
            connections,
            rate,
            ROUND * 2,
            Arc::clone(&self.requests),
        )
        .await?;
        Ok(measured.latency.value_at_quantile(0.99) as f64)
    }
}

/// Runs the comparison and adds its rows.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let ours = Program::grunddata(setting.binary, setting.url)?;
    let step = (setting.persons / SAMPLE).max(1);
    let ids: Vec<Uuid> = (0..setting.persons)
        .step_by(usize::try_from(step)?)
        .map(|number| data::id(Kind::Person, number))
        .collect();
    let mut answers = Vec::new();
    let mut connection = Connection::open(ours.address).await?;
    for id in &ids {
        let request = load::get(&format!("/api/v1/persons/{id}"), Some(setting.token));
        answers.push((
            *id,
            String::from_utf8(connection.exchange(&request).await?)?,
        ));
    }
    drop(connection);
    if setting.bare_url.starts_with("postgres") {
        bare::fill_postgres(setting.bare_url, &answers).await?;
    } else {
        bare::fill_sqlite(Path::new(setting.bare_url), &answers)?;
    }
    let bytes = answers.iter().map(|(_, body)| body.len()).sum::<usize>() / answers.len().max(1);
    let requests = |path: &'static str, token: Option<&str>| -> Requests {
        let all: Vec<Request> = ids
            .iter()
            .map(|id| load::get(&format!("{path}{id}"), token))
            .collect();
        Arc::new(move |number| {
            // A stride that is coprime with the sample: neighbours in time are not neighbours on disk.
            let index = usize::try_from(number.wrapping_mul(2_654_435_761) % all.len() as u64)
                .unwrap_or_default();
            all.get(index).map_or_else(|| Arc::from([]), Arc::clone)
        })
    };
    let ours = Side {
        program: ours,
        requests: requests("/api/v1/persons/", Some(setting.token)),
        server: setting.server,
    };
    let bare = Side {
        program: Program::bare(setting.bare_url, 2)?,
        requests: requests("/r/", None),
        server: setting.server,
    };
    for connections in [1, 16, 64] {
        let (mut rate, mut cost, mut bare_rate, mut bare_cost) = Default::default();
        for _ in 0..ROUNDS {
            for (side, rates, costs) in [
                (&ours, &mut rate, &mut cost),
                (&bare, &mut bare_rate, &mut bare_cost),
            ] as [(&Side, &mut Vec<f64>, &mut Vec<f64>); 2]
            {
                let (per_second, micros, _) = side.saturate(connections).await?;
                rates.push(per_second);
                costs.push(micros);
            }
        }
        let (cost, bare_cost) = (Spread::of(&cost), Spread::of(&bare_cost));
        let (rate, bare_rate) = (Spread::of(&rate), Spread::of(&bare_rate));
        table.row(
            &format!("{name}, {connections} connections, {bytes} bytes: CPU µs per request"),
            &cost,
            &bare_cost,
            bare_cost.median / cost.median,
            0.75,
        );
        table.note(&format!(
            "{name}, {connections} connections: requests/s {rate} against {bare_rate}"
        ));
        let at = rate.median * SHARE_OF_SATURATION;
        let (mut tail, mut bare_tail) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            tail.push(ours.tail(connections, at).await?);
            bare_tail.push(bare.tail(connections, at).await?);
        }
        let (tail, bare_tail) = (Spread::of(&tail), Spread::of(&bare_tail));
        table.row(
            &format!("{name}, {connections} connections: p99 µs at {at:.0}/s (ratio at least 0.5)"),
            &tail,
            &bare_tail,
            bare_tail.median / tail.median,
            0.5,
        );
    }
    let (resident, highest) = cpu::memory(ours.program.pid())?;
    table.note(&format!(
        "{name}: server memory after 64 connections {:.1} MB resident, {:.1} MB at most; ready {} ms after start",
        resident as f64 / 1e6,
        highest as f64 / 1e6,
        ours.program.ready_after.as_millis()
    ));
    Ok(())
}
