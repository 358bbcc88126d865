//! Reads by id over HTTP, as of today and with the access check, against the bare handler that answers the same bytes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use grunddata_model::RecordId;
use grunddata_registry::{ControllerScope, Grant, OwnerScope, Registry, Role};
use uuid::Uuid;

use crate::data::{self, Kind};
use crate::load::{self, Connection, Measured, Request, Requests};
use crate::program::Program;
use crate::report::{Spread, Table};
use crate::{bare, cpu, registry};

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

struct Side<'a> {
    program: &'a Program,
    requests: Requests,
    server: Option<u32>,
}

impl Side<'_> {
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

const PERSONS: &str = "/api/v1/persons/";

/// The persons that are read.
fn ids(persons: u64) -> Result<Vec<Uuid>> {
    let step = (persons / SAMPLE).max(1);
    Ok((0..persons)
        .step_by(usize::try_from(step)?)
        .map(|number| data::id(Kind::Person, number))
        .collect())
}

fn requests(ids: &[Uuid], path: &str, token: Option<&str>) -> Requests {
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
}

/// Requests per second and CPU microseconds per request of both sides, A B A B ….
async fn by_turns(sides: [&Side<'_>; 2], connections: usize) -> Result<[(Spread, Spread); 2]> {
    let mut measured: [(Vec<f64>, Vec<f64>); 2] = Default::default();
    for _ in 0..ROUNDS {
        for (side, (rates, costs)) in sides.iter().zip(&mut measured) {
            let (per_second, micros, _) = side.saturate(connections).await?;
            rates.push(per_second);
            costs.push(micros);
        }
    }
    Ok(measured.map(|(rates, costs)| (Spread::of(&rates), Spread::of(&costs))))
}

/// The same reads under one grant and under many: what the predicate costs must not depend on their number.
pub(crate) async fn grants(
    setting: &Setting<'_>,
    many_token: &str,
    name: &str,
    table: &mut Table,
) -> Result<()> {
    let program = Program::grunddata(setting.binary, setting.url)?;
    let ids = ids(setting.persons)?;
    let side = |token| Side {
        program: &program,
        requests: requests(&ids, PERSONS, Some(token)),
        server: setting.server,
    };
    let (few, many) = (side(setting.token), side(many_token));
    let [(few_rate, few), (many_rate, many)] = by_turns([&many, &few], 64)
        .await
        .map(|[many, few]| [few, many])?;
    table.row(
        &format!("{name}, 64 connections, {GRANTS} grants against 1: CPU µs per request"),
        &many,
        &few,
        few.median / many.median,
        0.95,
    );
    table.note(&format!(
        "{name}, {GRANTS} grants: requests/s {many_rate} against {few_rate} with one"
    ));
    Ok(())
}

/// As many grants as somebody may have who works for many bodies.
pub(crate) const GRANTS: usize = 200;

/// A token with so many grants: one for the owner's own records, which are read, and the others for single controllers.
pub(crate) fn token(registry: &Registry, grants: usize) -> Result<String> {
    let of = |controller| -> Result<Grant> {
        Ok(Grant {
            controller,
            ..Grant::of(OwnerScope::Owner(registry::owner()?), Role::Reader)
        })
    };
    let controllers = (1..grants as u64).map(|number| {
        let id = RecordId::from(data::id(Kind::Unit, 1_000_000 + number));
        ControllerScope::Organisation(id)
    });
    let all = controllers
        .chain([ControllerScope::Own])
        .map(of)
        .collect::<Result<Vec<_>>>()?;
    registry::token_of(registry, &format!("bench-{grants}"), all)
}

/// Runs the comparison and adds its rows.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let ours = Program::grunddata(setting.binary, setting.url)?;
    let ids = ids(setting.persons)?;
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
    let bare = Program::bare(setting.bare_url, 2)?;
    let ours = Side {
        program: &ours,
        requests: requests(&ids, PERSONS, Some(setting.token)),
        server: setting.server,
    };
    let bare = Side {
        program: &bare,
        requests: requests(&ids, "/r/", None),
        server: setting.server,
    };
    for connections in [1, 16, 64] {
        let [(rate, cost), (bare_rate, bare_cost)] = by_turns([&ours, &bare], connections).await?;
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
