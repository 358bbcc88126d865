//! The comparisons of what leaves the registry: the feed, subscriptions, peers and those who wait.

use std::path::Path;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::report::Table;
use crate::{Run, feed, hooks, idle, latency, sync, tree};

/// Where and with what they run.
pub(crate) struct Place<'a> {
    pub(crate) run: &'a Run,
    pub(crate) cluster: Option<&'a Cluster>,
    pub(crate) scratch: &'a Path,
    pub(crate) name: &'a str,
}

impl Place<'_> {
    /// A fresh database.
    async fn database(&self, label: &str) -> Result<String> {
        match self.cluster {
            Some(cluster) => cluster.create(label).await,
            None => Ok(self
                .scratch
                .join(format!("{label}.sqlite"))
                .display()
                .to_string()),
        }
    }
}

/// Those that are wanted, on one engine.
pub(crate) async fn all(place: &Place<'_>, table: &mut Table) -> Result<()> {
    let (run, cluster, scratch, name) = (place.run, place.cluster, place.scratch, place.name);
    let (binary, server) = (run.binary.as_path(), cluster.map(|cluster| cluster.pid));
    if run.wants("feed") {
        let setting = feed::Setting {
            binary,
            scratch,
            url: &place.database("feed").await?,
            records: run.log,
            cluster,
        };
        feed::run(&setting, name, table).await?;
        crate::remove(cluster, &["feed"]).await?;
    }
    if run.wants("latency") {
        // A SQLite file has one process.
        for apart in [false, true] {
            if apart && cluster.is_none() {
                continue;
            }
            let label = |what: &str| format!("latency_{what}_{}", u8::from(apart));
            let labels = [label("trial"), label("origin"), label("copy")];
            let [trial, origin, copy] = &labels;
            let setting = latency::Setting {
                binary,
                scratch,
                trial: &place.database(trial).await?,
                url: &place.database(origin).await?,
                copy: &place.database(copy).await?,
                changes: run.changes,
                apart,
            };
            latency::run(&setting, name, table).await?;
            crate::remove(cluster, &[trial, origin, copy]).await?;
        }
    }
    if run.wants("sync") {
        let setting = sync::Setting {
            binary,
            scratch,
            url: &place.database("sync_origin").await?,
            copy: &place.database("sync_copy").await?,
            records: run.log,
            server,
        };
        sync::run(&setting, name, table).await?;
        crate::remove(cluster, &["sync_origin", "sync_copy"]).await?;
    }
    if run.wants("subscriptions") {
        let setting = hooks::Setting {
            binary,
            scratch,
            url: &place.database("hooks").await?,
            subscriptions: run.subscriptions,
        };
        hooks::run(&setting, name, table).await?;
        crate::remove(cluster, &["hooks"]).await?;
    }
    if run.wants("idle") {
        let setting = idle::Setting {
            binary,
            scratch,
            url: &place.database("idle").await?,
            server,
        };
        idle::run(&setting, name, table).await?;
        crate::remove(cluster, &["idle"]).await?;
    }
    if run.wants("tree") {
        let setting = tree::Setting {
            binary,
            scratch,
            bulk: &place.database("tree_bulk").await?,
            url: &place.database("tree").await?,
            records: run.log,
            server,
        };
        tree::run(&setting, name, table).await?;
        crate::remove(cluster, &["tree_bulk", "tree"]).await?;
    }
    Ok(())
}
