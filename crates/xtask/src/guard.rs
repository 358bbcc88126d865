//! The guard of a throwaway cluster: a process of its own that stops the cluster when its parent is gone.
//!
//! The parent holds the other end of the guard's standard input and never writes to it. However the parent
//! ends (normally, Ctrl-C, panic, SIGKILL), the operating system closes that end and the guard cleans up.
//! No signal handler is needed; a process group of its own keeps Ctrl-C in the terminal away from it.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

/// What the guard looks after.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The temporary directory, removed at the end.
    directory: PathBuf,
    /// `pg_ctl` of the running cluster.
    pg_ctl: PathBuf,
    /// User that the cluster runs as, where it is not our own.
    #[arg(long)]
    uid: Option<u32>,
    /// Its group.
    #[arg(long)]
    gid: Option<u32>,
}

/// Waits for the parent to go, then stops and removes the cluster.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // Nothing is ever written: this returns at the end of file.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    let mut stop = Command::new(&arguments.pg_ctl);
    stop.args(["stop", "--silent", "--wait", "--mode=immediate", "--pgdata"])
        .arg(arguments.directory.join("data"));
    stop.current_dir(&arguments.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(uid) = arguments.uid {
        stop.uid(uid);
    }
    if let Some(gid) = arguments.gid {
        stop.gid(gid);
    }
    // Removing the directory also ends a server that could not be told to stop: it notices its lost files.
    drop(stop.status());
    std::fs::remove_dir_all(&arguments.directory)?;
    Ok(())
}
