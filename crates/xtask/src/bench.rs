//! `cargo xtask bench`: builds the release, starts a durable PostgreSQL, and runs the comparisons on both engines.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::shell;

/// Runs the benchmark; its data stand below the target directory, on a disk rather than in memory.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    shell::run(shell::cargo().args([
        "build",
        "--release",
        "--package",
        "grunddata",
        "--package",
        "grunddata-bench",
    ]))?;
    let target = xtask::structure::metadata()?
        .target_directory
        .into_std_path_buf();
    // The socket of the cluster stands beside its data, and its path may have 107 bytes at most.
    let place = tempfile::Builder::new()
        .prefix("grunddata-bench-")
        .tempdir_in("/var/tmp")?;
    // The server runs as another user when we are root.
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755))?;
    let cluster = Cluster::durable(place.path())?;
    println!("Measured on SQLite and on {}.\n", cluster.about);
    let release = target.join("release");
    shell::run(
        std::process::Command::new(release.join("grunddata-bench"))
            .arg("run")
            .arg("--binary")
            .arg(release.join("grunddata"))
            .args(["--postgres", &cluster.url, "--directory"])
            .arg(place.path().join("files"))
            .args(arguments),
    )
    .context("the benchmark failed")
}
