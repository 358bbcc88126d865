//! Programs under measurement: started as processes of their own, so that their processor time and memory are theirs.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::cpu;

/// A running server; killed when it goes out of scope.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer.
    pub(crate) ready_after: Duration,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about it then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Our server over an existing database.
    pub(crate) fn grunddata(binary: &Path, url: &str) -> Result<Self> {
        Self::with(binary, url, &[])
    }

    /// The same with settings, given as environment variables.
    pub(crate) fn with(binary: &Path, url: &str, settings: &[(&str, String)]) -> Result<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0))?;
        let address = free.local_addr()?;
        drop(free);
        let started = Instant::now();
        let child = Command::new(binary)
            .args(["serve", "--listen", &address.to_string(), "--database", url])
            .env("GRUNDDATA_LOG_FILTER", "error")
            .envs(settings.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", binary.display()))?;
        let mut program = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        while !program.is_ready() {
            if let Some(status) = program.child.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            if started.elapsed() > Duration::from_secs(60) {
                bail!("the server does not answer on {address}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        program.ready_after = started.elapsed();
        Ok(program)
    }

    fn is_ready(&self) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return false;
        };
        let mut answer = [0_u8; 12];
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            .is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == *b"HTTP/1.1 200"
    }

    /// The bare handler of this program over `url`.
    pub(crate) fn bare(url: &str, workers: usize) -> Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["bare", "--database", url, "--workers", &workers.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port: u16 = line
            .trim()
            .strip_prefix("ready ")
            .context("the bare handler did not start")?
            .parse()?;
        Ok(Self {
            child,
            address: ([127, 0, 0, 1], port).into(),
            ready_after: started.elapsed(),
        })
    }
}

/// One run of the program.
pub(crate) struct Ran {
    /// With its start.
    pub(crate) wall: Duration,
    /// Resident memory at most, in bytes.
    pub(crate) memory: u64,
}

/// Runs a command of the program on a database to its end; what it took.
pub(crate) fn run(binary: &Path, arguments: &[&str], url: &str, access_log: &Path) -> Result<Ran> {
    let log = access_log.display().to_string();
    run_with(binary, arguments, url, &[("GRUNDDATA_ACCESS_LOG", log)])
}

/// The same with settings, given as environment variables.
pub(crate) fn run_with(
    binary: &Path,
    arguments: &[&str],
    url: &str,
    settings: &[(&str, String)],
) -> Result<Ran> {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .args(["--database", url])
        .envs(settings.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let mut memory = 0;
    let status = loop {
        if let Ok((_, most)) = cpu::memory(child.id()) {
            memory = memory.max(most);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if !status.success() {
        bail!("{arguments:?} ended with {status}");
    }
    Ok(Ran {
        wall: started.elapsed(),
        memory,
    })
}
