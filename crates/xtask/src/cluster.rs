//! A throwaway PostgreSQL cluster from the installed binaries: unix socket only, in a temporary directory,
//! gone when this process is (see `guard`). For tests it trades every durability for speed; for benchmarks it is as
//! durable as a server in production.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;

const PREFIX: &str = "grunddata-pg-";

/// How much a cluster keeps when the machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Nothing: for tests.
    None,
    /// Everything that was committed, with the memory and log sizes of a small server: for benchmarks.
    Full,
}

impl Durability {
    fn settings(self) -> &'static str {
        match self {
            Durability::None => {
                "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=128MB -c max_wal_size=2GB"
            }
            Durability::Full => {
                "-c fsync=on -c full_page_writes=on -c synchronous_commit=on -c shared_buffers=2GB -c max_wal_size=8GB"
            }
        }
    }
}

/// A running cluster, or one that somebody else runs.
pub(crate) struct Cluster {
    /// The address of its maintenance database.
    pub(crate) url: String,
    /// What to tell the user about where it came from.
    pub(crate) about: String,
    guard: Option<Child>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(guard) = &mut self.guard {
            drop(guard.stdin.take());
            // An unclean end is told by the directory that stays, and swept at the next start.
            drop(guard.wait());
        }
    }
}

impl Cluster {
    /// A durable cluster for benchmarks, with its data below `directory`: on the disk that is measured.
    pub(crate) fn durable(directory: &Path) -> Result<Cluster> {
        let bin = match binaries() {
            Some(bin) => bin,
            None => install()?,
        };
        launch(&bin, directory, Durability::Full)
            .with_context(|| format!("PostgreSQL of {} could not be started", bin.display()))
    }

    /// `TEST_DATABASE_URL` when it is set; else a new cluster; else, as root on Debian, installs PostgreSQL
    /// first; else an error that says the one command to run.
    pub(crate) fn start() -> Result<Cluster> {
        if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            return Ok(Cluster {
                url,
                about: "TEST_DATABASE_URL".to_owned(),
                guard: None,
            });
        }
        let bin = match binaries() {
            Some(bin) => bin,
            None => install()?,
        };
        launch(&bin, Path::new("/tmp"), Durability::None)
            .with_context(|| format!("PostgreSQL of {} could not be started", bin.display()))
    }
}

/// `cargo xtask postgres`.
pub(crate) fn keep_running() -> Result<()> {
    let cluster = Cluster::start()?;
    println!(
        "PostgreSQL ({}) is running until Ctrl-C. In another terminal:\n",
        cluster.about
    );
    println!("export TEST_DATABASE_URL='{}'", cluster.url);
    loop {
        std::thread::park();
    }
}

/// Where `initdb`, `pg_ctl` and `postgres` lie: `PG_BIN`, else the newest of Debian's, else `PATH`.
fn binaries() -> Option<PathBuf> {
    let complete = |bin: &PathBuf| {
        ["initdb", "pg_ctl", "postgres"]
            .iter()
            .all(|program| bin.join(program).is_file())
    };
    if let Some(bin) = std::env::var_os("PG_BIN").map(PathBuf::from) {
        return Some(bin).filter(complete);
    }
    let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    packaged.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    packaged
        .into_iter()
        .rev()
        .map(|(_, bin)| bin)
        .chain(std::env::split_paths(&path))
        .find(complete)
}

fn install() -> Result<PathBuf> {
    const CURE: &str = "No PostgreSQL is installed, and the tests run on it. On Debian or Ubuntu:\n\n    \
        sudo apt-get update && sudo apt-get install -y postgresql\n\n\
        Elsewhere install it as usual and set PG_BIN to the directory of initdb and postgres, or set\n\
        TEST_DATABASE_URL to the address of a server whose role may create databases.";
    if !is_root()? || !shell::works("apt-get", &["--version"]) {
        bail!("{CURE}");
    }
    println!("No PostgreSQL is installed: installing it with apt-get.");
    shell::run(Command::new("apt-get").arg("update"))?;
    shell::run(
        Command::new("apt-get")
            .args(["install", "-y", "--no-install-recommends", "postgresql"])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    binaries().context(CURE)
}

fn launch(bin: &Path, place: &Path, durability: Durability) -> Result<Cluster> {
    sweep();
    let user = if is_root()? {
        Some(unprivileged()?)
    } else {
        None
    };
    // A socket's path may have 107 bytes at most: not below a long TMPDIR.
    let directory = tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir_in(place)?;
    if let Some((uid, gid)) = user {
        chown(directory.path(), Some(uid), Some(gid))?;
    }
    let program = |name: &str| {
        let mut command = Command::new(bin.join(name));
        command
            .current_dir(directory.path())
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        command
    };
    let data = directory.path().join("data");
    shell::output(
        program("initdb")
            .args([
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data),
    )?;
    let options = format!(
        "-k {} -c listen_addresses= {} -c max_connections=400 -c autovacuum_naptime=20s -c jit=off \
         -c max_locks_per_transaction=256",
        directory.path().display(),
        durability.settings()
    );
    // The guard comes first: from here on, whatever happens to us, somebody cleans up.
    let mut guard = Command::new(std::env::current_exe()?);
    guard
        .arg("guard")
        .arg(directory.path())
        .arg(bin.join("pg_ctl"))
        .stdin(Stdio::piped())
        .process_group(0);
    if let Some((uid, gid)) = user {
        guard.args(["--uid", &uid.to_string(), "--gid", &gid.to_string()]);
    }
    let guard = guard
        .spawn()
        .context("the guard of the cluster could not be started")?;
    fs::write(directory.path().join("guard.pid"), guard.id().to_string())?;
    let directory = directory.keep();
    let cluster = Cluster {
        url: format!("postgres://postgres@/postgres?host={}", directory.display()),
        about: shell::output(Command::new(bin.join("postgres")).arg("--version"))?
            .trim()
            .to_owned(),
        guard: Some(guard),
    };
    let mut start = Command::new(bin.join("pg_ctl"));
    start
        .args(["start", "--silent", "--wait", "--timeout=60", "-D"])
        .arg(&data)
        .arg("-l")
        .arg(directory.join("log"))
        .args(["-o", &options]);
    start
        .current_dir(&directory)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Its own group, so that Ctrl-C ends the tests first and the guard then stops the server.
    start.process_group(0);
    if let Some((uid, gid)) = user {
        start.uid(uid).gid(gid);
    }
    let begun = Instant::now();
    if let Err(error) = shell::run(&mut start) {
        let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
        bail!(
            "{error} after {:?}; its log says:\n{log}",
            begun.elapsed().max(Duration::from_millis(1))
        );
    }
    Ok(cluster)
}

/// Removes what a guard that was itself killed left behind.
fn sweep() {
    for entry in fs::read_dir("/tmp").into_iter().flatten().flatten() {
        let directory = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(pid) = fs::read_to_string(directory.join("guard.pid")) else {
            continue;
        };
        if Path::new("/proc/self").exists() && !Path::new("/proc").join(pid.trim()).exists() {
            drop(fs::remove_dir_all(&directory));
        }
    }
}

fn is_root() -> Result<bool> {
    Ok(shell::output(Command::new("id").arg("-u"))?.trim() == "0")
}

/// PostgreSQL refuses to run as root: the packaged user `postgres`, or `nobody`.
fn unprivileged() -> Result<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|wanted| {
            accounts.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == *wanted).then_some(())?;
                Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
            })
        })
        .context(
            "neither a user `postgres` nor `nobody` exists, and PostgreSQL does not run as root",
        )
}
