//! Measures grunddata's paths against the raw engines beneath them, interleaved in one run, and prints the ratios.
//! `cargo xtask bench` builds it, starts a durable PostgreSQL and runs it; it is not shipped.

mod bare;
mod bulk;
mod cluster;
mod cpu;
mod create;
mod data;
mod during;
mod export;
mod feed;
mod footprint;
mod graph;
mod hooks;
mod idle;
mod latency;
mod load;
mod outward;
mod program;
mod read;
mod reconcile;
mod registry;
mod replay;
mod report;
mod stream;
mod sync;
mod target;
mod timing;
mod tree;
mod versions;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::cluster::Cluster;
use crate::report::Table;

#[derive(Parser)]
#[command(about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// All comparisons, or those named.
    Run(Run),
    /// The bare read handler; started by the read comparison.
    Bare {
        #[arg(long)]
        database: String,
        #[arg(long, default_value_t = 2)]
        workers: usize,
    },
}

#[derive(clap::Args)]
struct Run {
    /// The grunddata binary.
    #[arg(long)]
    binary: PathBuf,
    /// A PostgreSQL server with `fsync=on`, as a superuser; without it SQLite alone is measured.
    #[arg(long)]
    postgres: Option<String>,
    /// Where SQLite files and rows in between are kept; on the disk that is measured.
    #[arg(long)]
    directory: PathBuf,
    /// Persons of the bulk load.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Persons, roles and a thirtieth as many units of the graph.
    #[arg(long, default_value_t = 1_000_000)]
    graph: u64,
    /// Persons of the feed, of the first sync and of the tree.
    #[arg(long, default_value_t = 50_000)]
    log: u64,
    /// Changes whose way to their receivers is timed.
    #[arg(long, default_value_t = 10_000)]
    changes: u64,
    /// Webhooks, a tenth of them dead.
    #[arg(long, default_value_t = 1_000)]
    subscriptions: u64,
    /// Only these: bulk, read, create, versions, graph, timing, footprint, load, export, feed, latency, sync, subscriptions,
    /// idle, tree.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

impl Run {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Task::Bare { database, workers } => bare::serve(&database, workers),
        Task::Run(run) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(compare(&run))
        }
    }
}

async fn compare(run: &Run) -> Result<()> {
    std::fs::create_dir_all(&run.directory)?;
    let mut table = Table::default();
    table.note(&format!(
        "{} processors, load {} at the start, fsync p50 {:?} in {}",
        std::thread::available_parallelism()?,
        cpu::load_average(),
        cpu::fsync_p50(&run.directory)?,
        run.directory.display()
    ));
    let cluster = match &run.postgres {
        Some(url) => Some(Cluster::at(url).await?),
        None => None,
    };
    engine(run, None, &mut table).await?;
    if let Some(cluster) = &cluster {
        engine(run, Some(cluster), &mut table).await?;
    }
    table.note(&format!("load {} at the end", cpu::load_average()));
    table.finish();
    Ok(())
}

/// All comparisons on one engine.
async fn engine(run: &Run, cluster: Option<&Cluster>, table: &mut Table) -> Result<()> {
    let name = if cluster.is_some() {
        "PostgreSQL"
    } else {
        "SQLite"
    };
    let scratch = tempfile::tempdir_in(&run.directory)?;
    let database = async |label: &str| -> Result<String> {
        match cluster {
            Some(cluster) => cluster.create(label).await,
            None => Ok(scratch
                .path()
                .join(format!("{label}.sqlite"))
                .display()
                .to_string()),
        }
    };
    let server = cluster.map(|cluster| cluster.pid);
    if run.wants("bulk") || run.wants("read") {
        let url = database("bulk").await?;
        let records = if run.wants("bulk") {
            run.records
        } else {
            run.records.min(100_000)
        };
        let registry = registry::open(&url)?;
        bulk::prepare(&registry)?;
        let loaded = bulk::persons(&registry, records, server)?;
        let again = run
            .wants("bulk")
            .then(|| bulk::unchanged(&registry, records, server))
            .transpose()?;
        let token = registry::token(&registry)?;
        let [few, many] = [1, read::GRANTS].map(|count| read::token(&registry, count));
        let (few, many) = (few?, many?);
        registry.store().shutdown();
        drop(registry);
        if let Some(again) = again {
            let target = database("bulk_raw").await?;
            registry::open(&target)?.store().shutdown();
            let commits = bulk::commits(records);
            let raw = replay::of(&url, &target, commits, cluster, scratch.path()).await?;
            bulk::report(name, &loaded, &again, &raw, cluster.is_some(), table);
        }
        if run.wants("read") {
            let bare_url = match cluster {
                Some(_) => url.clone(),
                None => scratch.path().join("bare.sqlite").display().to_string(),
            };
            let setting = read::Setting {
                binary: &run.binary,
                url: &url,
                bare_url: &bare_url,
                token: &token,
                persons: records,
                server,
            };
            read::run(&setting, name, table).await?;
            let setting = read::Setting {
                token: &few,
                ..setting
            };
            read::grants(&setting, &many, name, table).await?;
        }
        remove(cluster, &["bulk", "bulk_raw"]).await?;
    }
    if run.wants("create") {
        let place = match cluster {
            Some(cluster) => create::Place::Postgres {
                databases: cluster,
                scratch: scratch.path(),
            },
            None => create::Place::Sqlite(scratch.path()),
        };
        create::run(&run.binary, &place, name, table).await?;
    }
    if run.wants("versions") {
        versions::run(&database("versions").await?, name, table)?;
    }
    if run.wants("graph") {
        let url = database("graph").await?;
        graph::run(&url, run.graph, name, table).await?;
        remove(cluster, &["graph"]).await?;
    }
    if run.wants("timing") {
        timing::run(&run.binary, &database("timing").await?, name, table).await?;
        remove(cluster, &["timing"]).await?;
    }
    if run.wants("export") {
        let setting = export::Setting {
            binary: &run.binary,
            scratch: scratch.path(),
            url: &database("export").await?,
            target: &database("export_target").await?,
            raw: &database("export_raw").await?,
            records: run.records,
            cluster,
        };
        export::run(&setting, name, table).await?;
        remove(cluster, &["export", "export_target", "export_raw"]).await?;
    }
    if run.wants("load") {
        let setting = reconcile::Setting {
            binary: &run.binary,
            scratch: scratch.path(),
            url: &database("load").await?,
            raw: &database("load_raw").await?,
            rows: run.records,
            cluster,
        };
        reconcile::run(&setting, name, table).await?;
        remove(cluster, &["load", "load_raw"]).await?;
    }
    if run.wants("footprint") && cluster.is_none() {
        footprint::run(&run.binary, scratch.path(), table).await?;
    }
    let place = outward::Place {
        run,
        cluster,
        scratch: scratch.path(),
        name,
    };
    outward::all(&place, table).await
}

pub(crate) async fn remove(cluster: Option<&Cluster>, names: &[&str]) -> Result<()> {
    if let Some(cluster) = cluster {
        for name in names {
            cluster.remove(name).await?;
        }
    }
    Ok(())
}
