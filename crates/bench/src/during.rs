//! Reads by others while a file is loaded over HTTP, against the same reads before: nobody is to wait for a load.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use grunddata_registry::{Grant, OwnerScope, Role};
use serde_json::Value;

use crate::load::{self, Connection, Request, Requests};
use crate::program::Program;
use crate::registry;
use crate::report::{Spread, Table};

/// Readers, and how often they ask together: well below what the server can do.
const CONNECTIONS: usize = 16;
const PER_SECOND: f64 = 1_000.0;
/// How long is measured at once.
const ROUND: Duration = Duration::from_secs(3);

/// Measures over a database in which the source `register` has spoken of persons; `file` has something new to say of all of
/// them.
pub(crate) async fn run(
    binary: &Path,
    url: &str,
    file: &Path,
    name: &str,
    table: &mut Table,
) -> Result<()> {
    let registry = registry::open(url)?;
    let reader = vec![Grant::of(OwnerScope::All, Role::Reader)];
    let reader = registry::token_of(&registry, "others", reader)?;
    let loader = registry::token(&registry)?;
    registry.store().shutdown();
    let program = Program::grunddata(binary, url)?;
    let mut connection = Connection::open(program.address).await?;
    let requests = reads(&mut connection, &reader).await?;
    // Once to warm up.
    p99(&program, &requests).await?;
    let quiet = p99(&program, &requests).await?;
    let body = std::fs::read(file)?;
    let path = format!(
        "/api/v1/sources/register/loads?owner={}&kind=full&name=changed.csv",
        registry::OWNER
    );
    let begun = connection
        .exchange(&send(&path, &loader, "application/octet-stream", &body))
        .await?;
    let begun: Value = serde_json::from_slice(&begun)?;
    let id = begun
        .get("id")
        .and_then(Value::as_str)
        .context("a load without id")?;
    let load = format!("/api/v1/loads/{id}");
    let planning = until(
        &program,
        &requests,
        &mut connection,
        &load,
        &loader,
        "planning",
    )
    .await?;
    let apply = send(
        &format!("{load}/application"),
        &loader,
        "application/json",
        b"",
    );
    connection.exchange(&apply).await?;
    let applying = until(
        &program,
        &requests,
        &mut connection,
        &load,
        &loader,
        "applying",
    )
    .await?;
    for (what, during) in [("planned", planning), ("applied", applying)] {
        ensure!(
            !during.is_empty(),
            "the load was {what} before anybody read: give more rows"
        );
        let (during, quiet) = (Spread::of(&during), Spread::of(&[quiet]));
        let ratio = quiet.median / during.median;
        table.row(
            &format!("{name}: reads by others while a load is {what}, p99 µs against p99 without"),
            &during,
            &quiet,
            ratio,
            0.5,
        );
    }
    Ok(())
}

/// The p99 of each round until the load is not in this state any more; the last round, in which it may have left it, does
/// not count.
async fn until(
    program: &Program,
    requests: &Requests,
    connection: &mut Connection,
    load: &str,
    token: &str,
    state: &str,
) -> Result<Vec<f64>> {
    let mut rounds = Vec::new();
    loop {
        let measured = p99(program, requests).await?;
        let answer = connection.exchange(&load::get(load, Some(token))).await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        if answer.get("status").and_then(Value::as_str) != Some(state) {
            return Ok(rounds);
        }
        rounds.push(measured);
    }
}

async fn p99(program: &Program, requests: &Requests) -> Result<f64> {
    let measured = load::at_rate(
        program.address,
        CONNECTIONS,
        PER_SECOND,
        ROUND,
        Arc::clone(requests),
    )
    .await?;
    Ok(measured.latency.value_at_quantile(0.99) as f64)
}

/// Reads by id of some of the persons.
async fn reads(connection: &mut Connection, token: &str) -> Result<Requests> {
    let page = load::get("/api/v1/persons?limit=500", Some(token));
    let page: Value = serde_json::from_slice(&connection.exchange(&page).await?)?;
    let items = page.get("items").and_then(Value::as_array);
    let all: Vec<Request> = items
        .into_iter()
        .flatten()
        .filter_map(|item| item.get("id")?.as_str())
        .map(|id| load::get(&format!("/api/v1/persons/{id}"), Some(token)))
        .collect();
    ensure!(!all.is_empty(), "there are no persons");
    Ok(Arc::new(move |number| {
        let index = usize::try_from(number % all.len() as u64).unwrap_or_default();
        all.get(index).map_or_else(|| Arc::from([]), Arc::clone)
    }))
}

fn send(path: &str, token: &str, kind: &str, body: &[u8]) -> Request {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\n\
         Prefer: wait=0\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request.into()
}
