//! Durable creates over HTTP with 64 connections, against a raw writer that commits exactly the same rows in as many
//! commits, and against one commit for each record.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::data::{self, Kind};
use crate::load::{self, Connection, Requests};
use crate::program::Program;
use crate::registry;
use crate::replay::{self, Replayed};
use crate::report::{Spread, Table};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 64;
const ADDRESSES: u64 = 100;

/// Where the rounds put their databases.
pub(crate) enum Place<'a> {
    /// Files in a directory.
    Sqlite(&'a Path),
    /// Databases of a server, made by name; its postmaster, and a directory for rows in between.
    Postgres {
        databases: &'a crate::cluster::Cluster,
        scratch: &'a Path,
    },
}

impl Place<'_> {
    /// An empty, migrated database.
    async fn database(&self, name: &str) -> Result<String> {
        Ok(match self {
            Place::Sqlite(directory) => directory
                .join(format!("{name}.sqlite"))
                .display()
                .to_string(),
            Place::Postgres { databases, .. } => databases.create(name).await?,
        })
    }

    async fn replay(&self, source: &str, target: &str, commits: u64) -> Result<Replayed> {
        let (cluster, scratch) = match self {
            Place::Sqlite(directory) => (None, *directory),
            Place::Postgres { databases, scratch } => (Some(*databases), *scratch),
        };
        replay::of(source, target, commits, cluster, scratch).await
    }
}

/// Runs the rounds and adds their rows.
pub(crate) async fn run(
    binary: &Path,
    place: &Place<'_>,
    name: &str,
    table: &mut Table,
) -> Result<()> {
    let (mut ours, mut raw, mut single, mut sizes) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let source = place.database(&format!("create_{round}")).await?;
        let token = registry::furnish(&source, ADDRESSES)?;
        let (created, commits, rate) = {
            let program = Program::grunddata(binary, &source)?;
            let requests = requests(&token, 1, ADDRESSES);
            let measured = load::saturate(program.address, CONNECTIONS, ROUND, requests).await?;
            (
                measured.requests,
                batches(&program).await?,
                measured.per_second(),
            )
        };
        let target = place.database(&format!("create_{round}_raw")).await?;
        registry::open(&target)?.store().shutdown();
        let replayed = place.replay(&source, &target, commits).await?;
        ours.push(rate);
        raw.push(created as f64 / replayed.wall.as_secs_f64());
        sizes.push(created as f64 / commits.max(1) as f64);
        let target = place.database(&format!("create_{round}_single")).await?;
        registry::open(&target)?.store().shutdown();
        let one_by_one = place.replay(&source, &target, created).await?;
        single.push(created as f64 / one_by_one.wall.as_secs_f64());
    }
    let (ours, raw, single) = (Spread::of(&ours), Spread::of(&raw), Spread::of(&single));
    table.row(
        &format!(
            "{name}: durable creates/s, {CONNECTIONS} connections, {} a commit",
            Spread::of(&sizes)
        ),
        &ours,
        &raw,
        ours.median / raw.median,
        0.6,
    );
    table.note(&format!(
        "{name}: {:.1} times the raw writer that commits one record at a time ({single} records/s)",
        ours.median / single.median
    ));
    Ok(())
}

/// Creates of persons from that number on, who live at some of so many addresses.
pub(crate) fn requests(token: &str, first: u64, addresses: u64) -> Requests {
    let token = token.to_owned();
    Arc::new(move |number| {
        let number = number + first;
        let mut data = data::person(number, addresses);
        // With 64 requests under way the person before may not be there yet: all refer to the first.
        if let Some(contact) = data.pointer_mut("/relationships/0/person/id") {
            *contact = json!(data::id(Kind::Person, 0));
        }
        let body = json!({"id": data::id(Kind::Person, number), "owner": registry::OWNER,
                          "validFrom": data::FROM, "data": data});
        load::post("/api/v1/persons", &token, &body.to_string())
    })
}

/// The batches that the server has committed, from its metrics.
async fn batches(program: &Program) -> Result<u64> {
    Ok(metric(program, "grunddata_write_batch_size_count").await? as u64)
}

/// One of the server's metrics.
pub(crate) async fn metric(program: &Program, name: &str) -> Result<f64> {
    let mut connection = Connection::open(program.address).await?;
    let text = String::from_utf8(connection.exchange(&load::get("/metrics", None)).await?)?;
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.with_context(|| format!("the server has no metric {name}"))?;
    let value = line.rsplit(' ').next().context("unexpected metric")?;
    Ok(value.parse()?)
}
