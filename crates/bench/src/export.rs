//! Everything out and in again, with the real program: a lossless file and a CSV file against reading the same rows raw,
//! and the import of the lossless file against the engine's own bulk path for the rows that come of it. Memory at most.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::StreamExt as _;

use crate::cluster::Cluster;
use crate::program::{self, Ran};
use crate::report::{Spread, Table};
use crate::{bulk, registry, replay};

/// How often each export and each raw scan is run, by turns.
const ROUNDS: usize = 3;
/// The tables whose rows are in a lossless file.
const FACTS: [&str; 4] = ["record", "state", "change", "directory_id"];

/// What is measured.
pub(crate) struct Setting<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) scratch: &'a Path,
    /// The database with the records.
    pub(crate) url: &'a str,
    /// An empty one for the import, and one for the raw writer.
    pub(crate) target: &'a str,
    pub(crate) raw: &'a str,
    pub(crate) records: u64,
    pub(crate) cluster: Option<&'a Cluster>,
}

/// Fills the database, takes everything out, and puts it into another.
pub(crate) async fn run(setting: &Setting<'_>, name: &str, table: &mut Table) -> Result<()> {
    let loaded = registry::open(setting.url)?;
    bulk::prepare(&loaded)?;
    bulk::persons(
        &loaded,
        setting.records,
        setting.cluster.map(|cluster| cluster.pid),
    )?;
    loaded.store().shutdown();
    drop(loaded);
    let lossless = setting.scratch.join("all.ndjson.zst");
    let csv = setting.scratch.join("persons.csv");
    let (mut outs, mut tables, mut scans, mut states) = (vec![], vec![], vec![], vec![]);
    let mut memory = [0_u64; 3];
    let rate = |wall: Duration| setting.records as f64 / wall.as_secs_f64();
    let raw = setting.scratch.join("raw");
    let scan = async |tables: &[&str]| {
        let statements: Vec<String> = tables.iter().map(|table| (*table).to_owned()).collect();
        scan(setting.cluster, setting.url, &statements, &raw).await
    };
    for _ in 0..ROUNDS {
        let out = program(
            setting,
            &["export", "--quiet", "--lossless"],
            Some(&lossless),
            setting.url,
        )?;
        scans.push(rate(scan(&FACTS).await?));
        let flat = program(
            setting,
            &["export", "persons", "--quiet", "--format", "csv", "--out"],
            Some(&csv),
            setting.url,
        )?;
        states.push(rate(scan(&["state"]).await?));
        outs.push(rate(out.wall));
        tables.push(rate(flat.wall));
        memory = [memory[0].max(out.memory), memory[1].max(flat.memory), 0];
    }
    let mut row = |what: &str, ours: &[f64], raw: &[f64], least: f64| {
        let (ours, raw) = (Spread::of(ours), Spread::of(raw));
        let ratio = ours.median / raw.median;
        table.row(
            &format!("{name}: {what}, records/s"),
            &ours,
            &raw,
            ratio,
            least,
        );
    };
    row(
        "lossless export against a raw scan of the same rows",
        &outs,
        &scans,
        0.5,
    );
    row(
        "CSV export of persons against a raw scan of the states",
        &tables,
        &states,
        0.5,
    );
    let import = program(
        setting,
        &["import", "--quiet", "--no-verify", "--lossless"],
        Some(&lossless),
        setting.target,
    )?;
    memory[2] = import.memory;
    registry::open(setting.raw)?.store().shutdown();
    let commits = bulk::commits(setting.records);
    let raw = replay::of(
        setting.url,
        setting.raw,
        commits,
        setting.cluster,
        setting.scratch,
    )
    .await?;
    row(
        "import of the lossless file against the engine's bulk path",
        &[rate(import.wall)],
        &[rate(raw.wall)],
        0.4,
    );
    let [out, flat, import] = memory.map(|bytes| bytes as f64 / 1e6);
    for (what, most) in [("lossless export", out), ("CSV export", flat)] {
        table.row(
            &format!("{name}: {what}, MB resident at most"),
            &Spread::of(&[most]),
            &Spread::of(&[100.0]),
            100.0 / most,
            1.0,
        );
    }
    let bytes = |path: &PathBuf| std::fs::metadata(path).map(|file| file.len() as f64 / 1e6);
    table.note(&format!(
        "{name}: {} persons: lossless file {:.0} MB, CSV {:.0} MB; import {:.0} MB resident at most",
        setting.records,
        bytes(&lossless)?,
        bytes(&csv)?,
        import
    ));
    Ok(())
}

/// Runs a command of the program to its end.
fn program(
    setting: &Setting<'_>,
    arguments: &[&str],
    file: Option<&PathBuf>,
    url: &str,
) -> Result<Ran> {
    let file = file.map(|file| file.display().to_string());
    let arguments: Vec<&str> = arguments.iter().copied().chain(file.as_deref()).collect();
    let log = setting.scratch.join("access-log");
    program::run(setting.binary, &arguments, url, &log)
}

/// Reads all rows of tables, or of statements in brackets, by the engine's own means and writes them to a file as they come.
pub(crate) async fn scan(
    cluster: Option<&Cluster>,
    url: &str,
    tables: &[String],
    path: &Path,
) -> Result<Duration> {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, File::create(path)?);
    let started = Instant::now();
    if cluster.is_some() {
        let from = crate::bare::connect(url).await?;
        for table in tables {
            let stream = from.copy_out(&format!("COPY {table} TO STDOUT")).await?;
            let mut stream = std::pin::pin!(stream);
            while let Some(bytes) = stream.next().await {
                file.write_all(&bytes?)?;
            }
        }
    } else {
        let from =
            rusqlite::Connection::open_with_flags(url, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        for table in tables {
            let mut read = from.prepare(&format!("SELECT * FROM {table}"))?;
            let columns = read.column_count();
            let mut rows = read.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    use rusqlite::types::ValueRef;
                    match row.get_ref(column)? {
                        ValueRef::Null => {}
                        ValueRef::Integer(number) => write!(file, "{number}")?,
                        ValueRef::Real(number) => write!(file, "{number}")?,
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => file.write_all(bytes)?,
                    }
                    file.write_all(b"\t")?;
                }
                file.write_all(b"\n")?;
            }
        }
    }
    file.flush()?;
    let wall = started.elapsed();
    std::fs::remove_file(path)?;
    Ok(wall)
}
