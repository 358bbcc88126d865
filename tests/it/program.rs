//! The real binary as a user runs it: its own process, an address to talk to, a way to end it without a warning.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::numbers::TestNumbers;

/// The binary under test: built by whoever runs the tests (`GRUNDDATA_BIN`), else built here, once.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("GRUNDDATA_BIN")
            .map(PathBuf::from)
            .filter(|path| path.is_file())
        {
            return given;
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--package",
                "grunddata",
                "--message-format=json",
            ])
            .current_dir(xtask::structure::root())
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo builds the program");
        assert!(built.status.success(), "the program does not build");
        String::from_utf8_lossy(&built.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .next_back()
            .expect("cargo says where the program is")
    })
}

/// Runs a command of the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the program starts")
}

/// A command of the program. The settings of whoever runs the tests do not reach it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments);
    prepared(command)
}

/// The same, with files that can grow to so many KiB and no more: as on a disk that is full.
pub(crate) fn cramped(arguments: &[&str], kib: u64) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2),
        ])
        .arg(binary())
        .args(arguments);
    prepared(command)
}

fn prepared(mut command: Command) -> Command {
    command.stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GRUNDDATA_") {
            command.env_remove(name);
        }
    }
    // A database elsewhere has no directory of its own for the log.
    static LOG: OnceLock<tempfile::TempDir> = OnceLock::new();
    let log = LOG.get_or_init(|| tempfile::tempdir().expect("a directory"));
    command.env("GRUNDDATA_ACCESS_LOG", log.path());
    command
}

/// The numbers that no log may hold.
pub(crate) fn test_numbers() -> &'static TestNumbers {
    static NUMBERS: OnceLock<TestNumbers> = OnceLock::new();
    NUMBERS.get_or_init(|| TestNumbers::read(&xtask::structure::root()).expect("the test numbers"))
}

/// A running server, killed when dropped.
pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    client: reqwest::blocking::Client,
    log: tempfile::NamedTempFile,
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the program said:\n{}", self.said());
            return;
        }
        // Whatever was asked of it, and with whatever numbers.
        let said = self.said();
        for line in said.lines() {
            assert!(
                test_numbers().first_in(line).is_none(),
                "a personal identity number stands in the log: {line}"
            );
        }
    }
}

impl Program {
    /// Starts `grunddata ARGUMENTS --listen ADDRESS` and waits until it is ready.
    pub(crate) fn start(arguments: &[&str], patience: Duration) -> Program {
        Self::start_as(command(arguments), patience)
    }

    /// The same with a command that somebody has prepared.
    pub(crate) fn start_as(mut command: Command, patience: Duration) -> Program {
        let address = free_address();
        let log = tempfile::NamedTempFile::new().expect("a file for the log");
        command.args(["--listen", &address.to_string()]);
        command
            .stdout(log.reopen().expect("the log"))
            .stderr(log.reopen().expect("the log"));
        let child = command.spawn().expect("the program starts");
        let client = reqwest::blocking::Client::builder()
            .timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(64)
            .build()
            .expect("a client");
        let mut program = Program {
            child,
            address,
            client,
            log,
        };
        let begun = Instant::now();
        while !program.ready() {
            let ended = program.child.try_wait().expect("the state of the program");
            assert!(
                ended.is_none(),
                "the program ended ({ended:?}):\n{}",
                program.said()
            );
            assert!(
                begun.elapsed() < patience,
                "not ready after {patience:?}:\n{}",
                program.said()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        program
    }

    fn ready(&self) -> bool {
        self.client
            .get(self.root("/readyz"))
            .send()
            .is_ok_and(|answer| answer.status().is_success())
    }

    /// What it wrote so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// `path` below the API root, `/persons?limit=1`.
    pub(crate) fn url(&self, path: &str) -> String {
        self.root(&format!("/api/v1{path}"))
    }

    /// `path` outside the API, `/metrics`.
    pub(crate) fn root(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn client(&self) -> &reqwest::blocking::Client {
        &self.client
    }

    /// Reads as JSON; anything but success fails the test with what was said.
    pub(crate) fn get(&self, token: &str, path: &str) -> Value {
        let answer = self
            .client
            .get(self.url(path))
            .bearer_auth(token)
            .send()
            .expect("an answer");
        let status = answer.status();
        let text = answer.text().expect("text");
        assert!(status.is_success(), "GET {path}: {status}\n{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("the end of the program");
    }

    /// Asks it to stop, as the service manager does, and gives its exit status.
    pub(crate) fn stop(mut self) -> std::process::ExitStatus {
        let asked = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.child.id())])
            .status();
        assert!(asked.expect("sh").success());
        self.child.wait().expect("the end of the program")
    }
}

/// Free a moment ago: asked from the operating system and given back.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}

/// Fails unless `grunddata verify` finds the whole database in order.
pub(crate) fn assert_verified(url: &str) {
    let verdict = run(&["verify", "--database", url]);
    let said = String::from_utf8_lossy(&verdict.stdout);
    let complaint = String::from_utf8_lossy(&verdict.stderr);
    assert!(verdict.status.success(), "{said}{complaint}");
    assert_eq!(said.lines().last(), Some("0 problems"), "{said}");
}
