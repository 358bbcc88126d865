//! From the commit of a change to whoever is told of it on loopback: a reader of server-sent events, a receiver of webhooks,
//! and a reader at another registry that follows this one. Writes come at half of what can be written.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::load::{self, Connection};
use crate::program::{self, Program};
use crate::report::{Spread, Table};
use crate::stream::{Stream, ages};
use crate::target::Target;
use crate::{create, registry};

const CONNECTIONS: usize = 16;
const ADDRESSES: u64 = 100;
/// How long it is measured what can be written.
const CAPACITY: Duration = Duration::from_secs(5);
/// How long is waited for the last of what was written.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the median and the 999th of 1,000 may take, in milliseconds.
const MEDIAN: f64 = 50.0;
const MOST: f64 = 2_000.0;

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    /// An empty database to find out what can be written, one for the registry, and one for whoever follows it.
    pub(crate) trial: &'a str,
    pub(crate) url: &'a str,
    pub(crate) copy: &'a str,
    pub(crate) changes: u64,
    /// Whether another process on the same database writes than the one that tells.
    pub(crate) apart: bool,
}

/// What somebody has heard.
type Heard = Arc<Mutex<Histogram<u64>>>;

fn heard() -> Result<Heard> {
    Ok(Arc::new(Mutex::new(Histogram::new(3)?)))
}

/// Measures, and adds the rows.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let capacity = capacity(setting).await?;
    let rate = capacity / 2.0;
    let token = registry::furnish(setting.url, ADDRESSES)?;
    let hook = heard()?;
    let kept = Arc::clone(&hook);
    let target = Target::start(Arc::new(move |body| {
        // A test event has no such instant, and what is not one is no entry.
        let _ = ages(body, &mut kept.lock());
    }))
    .await?;
    let teller = Program::with(
        setting.binary,
        setting.url,
        &outward(setting.scratch, "teller", &[target.address.port()]),
    )?;
    let mut connection = Connection::open(teller.address).await?;
    let made = subscribe(
        &mut connection,
        &token,
        &format!("http://{}/", target.address),
        json!({"mode": "batch"}),
    )
    .await?;
    until_active(&mut connection, &token, &[made]).await?;
    // Who delivers is settled: another process takes nothing over.
    let writer = setting
        .apart
        .then(|| {
            let settings = outward(setting.scratch, "writer", &[target.address.port()]);
            Program::with(setting.binary, setting.url, &settings)
        })
        .transpose()?;
    let peer = follow(setting, &teller, &token).await?;
    let reader = listen(&teller, &token).await?;
    let copy = listen(&peer.program, &peer.token).await?;
    let writing = writer.as_ref().unwrap_or(&teller).address;
    let lasting = Duration::from_secs_f64(setting.changes as f64 / rate);
    let requests = create::requests(&token, 1, ADDRESSES);
    let written = load::at_rate(writing, CONNECTIONS, rate, lasting, requests).await?;
    let processes = if setting.apart {
        "two processes"
    } else {
        "one process"
    };
    for (who, heard) in [
        ("SSE reader", &reader.heard),
        ("webhook receiver (batches)", &hook),
        ("SSE reader at a peer", &copy.heard),
    ] {
        let begun = Instant::now();
        while heard.lock().len() < written.requests {
            if begun.elapsed() > PATIENCE {
                bail!(
                    "{who} has heard of {} of {} changes",
                    heard.lock().len(),
                    written.requests
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let told = heard.lock().clone();
        let at = |quantile| told.value_at_quantile(quantile) as f64 / 1e3;
        let mut row = |what: &str, value: f64, limit: f64| {
            table.row(
                &format!("{name}, {processes}: commit → {who}, {what}, ms"),
                &Spread::of(&[value]),
                &Spread::of(&[limit]),
                limit / value,
                1.0,
            );
        };
        row("median", at(0.5), MEDIAN);
        row("p99.9", at(0.999), MOST);
        table.note(&format!(
            "{name}, {processes}: commit → {who}: median {:.1} ms, p99 {:.1}, p99.9 {:.1}, worst {:.1}; {} events of {} changes",
            at(0.5),
            at(0.99),
            at(0.999),
            told.max() as f64 / 1e3,
            told.len(),
            written.requests,
        ));
    }
    table.note(&format!(
        "{name}, {processes}: {:.0} changes/s were written, of {capacity:.0}/s that can be with nobody listening; latencies count from the instant of the transaction, the commit included",
        written.per_second()
    ));
    Ok(())
}

/// Creates a second, as fast as they go.
async fn capacity(setting: &Setting<'_>) -> Result<f64> {
    let token = registry::furnish(setting.trial, ADDRESSES)?;
    let settings = outward(setting.scratch, "trial", &[]);
    let program = Program::with(setting.binary, setting.trial, &settings)?;
    let requests = create::requests(&token, 1, ADDRESSES);
    let measured = load::saturate(program.address, CONNECTIONS, CAPACITY, requests).await?;
    Ok(measured.per_second())
}

/// Settings of a server that may send to these ports on loopback, and follow a registry there. `name` tells it from others.
pub(crate) fn outward(scratch: &Path, name: &str, ports: &[u16]) -> Vec<(&'static str, String)> {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let file = |what: &str| scratch.join(format!("{name}-{what}")).display().to_string();
    vec![
        ("GRUNDDATA_ACCESS_LOG", file("access-log")),
        ("GRUNDDATA_UPLOADS", file("uploads")),
        ("GRUNDDATA_SUBSCRIPTIONS_HOSTS", "127.0.0.1".to_owned()),
        ("GRUNDDATA_SUBSCRIPTIONS_PORTS", ports.join(",")),
        ("GRUNDDATA_SUBSCRIPTIONS_NETWORKS", "127.0.0.0/8".to_owned()),
        ("GRUNDDATA_SUBSCRIPTIONS_HTTP", "true".to_owned()),
        ("GRUNDDATA_PEERS_HOSTS", "127.0.0.1".to_owned()),
        ("GRUNDDATA_PEERS_HTTP_LOOPBACK", "true".to_owned()),
    ]
}

/// Makes a subscription to the benchmark's owner; its id.
pub(crate) async fn subscribe(
    connection: &mut Connection,
    token: &str,
    target: &str,
    more: Value,
) -> Result<String> {
    let mut body = json!({"owner": registry::OWNER, "name": "Bench", "target": target});
    if let (Some(members), Value::Object(more)) = (body.as_object_mut(), more) {
        members.extend(more);
    }
    let request = load::post("/api/v1/subscriptions", token, &body.to_string());
    let made: Value = serde_json::from_slice(&connection.exchange(&request).await?)?;
    let id = made.get("id").and_then(Value::as_str);
    Ok(id.context("a subscription without id")?.to_owned())
}

/// Waits until all of these have been verified.
pub(crate) async fn until_active(
    connection: &mut Connection,
    token: &str,
    ids: &[String],
) -> Result<()> {
    let begun = Instant::now();
    for id in ids {
        let request = load::get(&format!("/api/v1/subscriptions/{id}"), Some(token));
        loop {
            let shown: Value = serde_json::from_slice(&connection.exchange(&request).await?)?;
            if shown.get("state").and_then(Value::as_str) == Some("active") {
                break;
            }
            ensure!(
                begun.elapsed() < PATIENCE * 2,
                "a subscription is not verified: {shown}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}

/// A registry that follows another.
struct Peer {
    program: Program,
    token: String,
}

/// Starts a registry that copies the benchmark's owner, and waits until it has what there is.
async fn follow(setting: &Setting<'_>, origin: &Program, token: &str) -> Result<Peer> {
    let empty = registry::open(setting.copy)?;
    let own = registry::token(&empty)?;
    empty.store().shutdown();
    drop(empty);
    add_peer(setting.binary, setting.scratch, setting.copy, origin, token)?;
    let settings = outward(setting.scratch, "peer", &[]);
    let program = Program::with(setting.binary, setting.copy, &settings)?;
    let begun = Instant::now();
    while registry::position(setting.copy).await? < registry::position(setting.url).await? {
        ensure!(begun.elapsed() < PATIENCE, "the peer does not follow");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Peer {
        program,
        token: own,
    })
}

/// Has the registry in `url` follow the one that `origin` serves.
pub(crate) fn add_peer(
    binary: &Path,
    scratch: &Path,
    url: &str,
    origin: &Program,
    token: &str,
) -> Result<()> {
    let file = scratch.join("peer.token");
    std::fs::write(&file, token)?;
    let (file, address) = (
        file.display().to_string(),
        format!("http://{}", origin.address),
    );
    let arguments = [
        "peer",
        "add",
        "origin",
        "--url",
        &address,
        "--owner",
        registry::OWNER,
        "--token-file",
        &file,
    ];
    program::run_with(binary, &arguments, url, &outward(scratch, "console", &[]))?;
    Ok(())
}

/// Somebody who reads on until this is dropped.
struct Listening {
    heard: Heard,
    task: JoinHandle<Result<()>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads server-sent events from now on.
async fn listen(program: &Program, token: &str) -> Result<Listening> {
    let path = format!("/api/v1/changes/stream?owner={}&after=now", registry::OWNER);
    let mut stream = Stream::open(program.address, &load::get(&path, Some(token))).await?;
    let heard = heard()?;
    let kept = Arc::clone(&heard);
    let task = tokio::spawn(async move {
        // An event may come in two pieces: what follows the last line break waits.
        let mut rest = Vec::new();
        while let Some(piece) = stream.piece().await? {
            rest.extend_from_slice(&piece);
            let end = rest.iter().rposition(|byte| *byte == b'\n');
            let whole: Vec<u8> = rest.drain(..end.map_or(0, |end| end + 1)).collect();
            ages(&whole, &mut kept.lock())?;
        }
        Ok(())
    });
    Ok(Listening { heard, task })
}
