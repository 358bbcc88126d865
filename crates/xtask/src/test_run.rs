//! `cargo xtask test`: everything, on both engines, counted.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use xtask::numbers::TestNumbers;

use crate::cluster::Cluster;
use crate::shell;

/// Runs the tests and prints, last, `N passed, N failed`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let cluster = Cluster::start()?;
    println!("Tests run on SQLite and on {}.", cluster.about);
    let everything = arguments.is_empty();
    let nextest = shell::works("cargo", &["nextest", "--version"]);
    let mut command = shell::cargo();
    if nextest {
        command.args([
            "nextest",
            "run",
            "--no-fail-fast",
            "--status-level=pass",
            "--final-status-level=none",
            "--color=never",
        ]);
        command.arg("--no-tests=pass");
    } else {
        command.args(["test", "--no-fail-fast"]);
        if everything {
            command.args(["--lib", "--bins", "--tests"]);
        }
    }
    let selects_package = |argument: &String| {
        argument.starts_with("-p") || argument.starts_with("--package") || argument == "--workspace"
    };
    if !arguments.iter().any(selects_package) {
        command.arg("--workspace");
    }
    command
        .args(arguments)
        .env("TEST_DATABASE_URL", &cluster.url);
    if let Some(program) = program().filter(|_| !arguments.iter().any(selects_package)) {
        command.env("GRUNDDATA_BIN", program);
    }
    let mut tally = Tally {
        numbers: TestNumbers::read(&xtask::structure::root())?,
        ..Tally::default()
    };
    let mut succeeded = observe(&mut command, &mut tally)?;
    if everything {
        let mut command = shell::cargo();
        command
            .args(["test", "--doc", "--workspace", "--no-fail-fast"])
            .env("TEST_DATABASE_URL", &cluster.url);
        succeeded &= observe(&mut command, &mut tally)?;
    }
    drop(cluster);
    let mut verdict = tally.verdict(everything);
    for line in &tally.leaks {
        verdict.push(format!(
            "a personal identity number in the output of the tests: {line}"
        ));
    }
    for test in &tally.failed {
        println!("failed: {test}");
    }
    println!(
        "SQLite: {} passed, PostgreSQL: {} passed",
        tally.sqlite.len(),
        tally.postgres.len()
    );
    for line in &verdict {
        println!("{line}");
    }
    println!("{} passed, {} failed", tally.passed, tally.failed.len());
    if !succeeded || !tally.failed.is_empty() || !verdict.is_empty() {
        bail!("the tests did not pass");
    }
    Ok(())
}

/// Where cargo puts the program when it builds the tests of the whole workspace. It does so only because the program
/// has an integration test of its own; without one the end-to-end tests build it themselves.
pub(crate) fn program() -> Option<std::path::PathBuf> {
    let metadata = xtask::structure::metadata().ok()?;
    let package = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "grunddata")?;
    package.targets.iter().find(|target| target.is_test())?;
    Some(
        metadata
            .target_directory
            .join("debug/grunddata")
            .into_std_path_buf(),
    )
}

/// Shows what the command writes, and counts.
fn observe(command: &mut Command, tally: &mut Tally) -> Result<bool> {
    // libtest reports on standard output, nextest on standard error: the other is passed on as it is.
    let nextest = command
        .get_args()
        .next()
        .is_some_and(|first| first == "nextest");
    command.stdin(Stdio::null());
    let mut child = if nextest {
        command.stderr(Stdio::piped()).spawn()?
    } else {
        command.stdout(Stdio::piped()).spawn()?
    };
    let reader: Box<dyn std::io::Read> = match (child.stdout.take(), child.stderr.take()) {
        (Some(stdout), _) => Box::new(stdout),
        (None, Some(stderr)) => Box::new(stderr),
        (None, None) => bail!("the output of the tests cannot be read"),
    };
    let mut stdout = std::io::stdout().lock();
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("the output of the tests cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(stdout, "{line}")?;
        tally.read(&line);
    }
    Ok(child.wait()?.success())
}

/// What ran.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    /// Names without `::sqlite`.
    sqlite: BTreeSet<String>,
    /// Names without `::postgres`.
    postgres: BTreeSet<String>,
    /// What may stand in no output.
    numbers: TestNumbers,
    /// The lines in which one of them stood.
    leaks: Vec<String>,
    /// The binary that libtest runs at the moment: its lines do not name it.
    binary: String,
}

impl Tally {
    fn read(&mut self, line: &str) {
        let line = line.trim();
        if self.numbers.first_in(line).is_some() {
            self.leaks.push(line.to_owned());
        }
        if let Some(binary) = line
            .strip_prefix("Running ")
            .or_else(|| line.strip_prefix("Doc-tests "))
        {
            self.binary = binary.to_owned();
        }
        let Some((name, passed)) = nextest_line(line).or_else(|| libtest_line(line)) else {
            return;
        };
        let full = if line.starts_with("test ") {
            format!("{} {name}", self.binary)
        } else {
            name
        };
        if !passed {
            self.failed.push(full);
            return;
        }
        self.passed += 1;
        if let Some(base) = full.strip_suffix("::sqlite") {
            self.sqlite.insert(base.to_owned());
        } else if let Some(base) = full.strip_suffix("::postgres") {
            self.postgres.insert(base.to_owned());
        }
    }

    /// Why the run cannot count as a run on both engines; nothing when it can.
    fn verdict(&self, everything: bool) -> Vec<String> {
        let mut lines: Vec<String> = self
            .sqlite
            .symmetric_difference(&self.postgres)
            .map(|name| format!("passed on one engine only: {name}"))
            .collect();
        if everything && self.sqlite.is_empty() {
            lines.push("no test ran on SQLite".to_owned());
        }
        if everything && self.postgres.is_empty() {
            lines.push("no test ran on PostgreSQL".to_owned());
        }
        if !everything {
            lines.clear();
        }
        lines
    }
}

/// `PASS [   0.005s] ( 1/20) grunddata-store::reads case::sqlite`: the outcome, the binary and the test.
fn nextest_line(line: &str) -> Option<(String, bool)> {
    let (status, rest) = line.split_once('[')?;
    let passed = match status.trim() {
        "PASS" | "LEAK" => true,
        "FAIL" | "TIMEOUT" | "ABORT" | "LEAK-FAIL" | "EXECFAIL" => false,
        signal if signal.starts_with("SIG") => false,
        _ => return None,
    };
    let name = rest.split_once(']')?.1.trim();
    let name = name
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map_or(name, |(_, name)| name.trim());
    Some((name.to_owned(), passed))
}

/// `test case::sqlite ... ok`
fn libtest_line(line: &str) -> Option<(String, bool)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    match outcome.split_whitespace().next()? {
        "ok" => Some((name.to_owned(), true)),
        "FAILED" => Some((name.to_owned(), false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read(line);
        }
        tally
    }

    #[test]
    fn outcomes_of_nextest_are_counted() {
        let tally = tally(&[
            "        PASS [   0.005s] ( 1/4) grunddata-store::reads find::sqlite",
            "        PASS [   0.035s] grunddata-store::reads find::postgres",
            "        FAIL [   0.001s] (3/4) grunddata-model period::tests::empty",
            "     SIGABRT [   0.001s] (4/4) grunddata-model period::tests::deep",
            "     Summary [   0.040s] 4 tests run: 2 passed, 2 failed, 0 skipped",
        ]);
        assert_eq!(
            (
                tally.passed,
                tally.failed.len(),
                tally.sqlite.len(),
                tally.postgres.len()
            ),
            (2, 2, 1, 1)
        );
        assert!(tally.verdict(true).is_empty());
    }

    #[test]
    fn outcomes_of_libtest_are_counted_per_binary() {
        let tally = tally(&[
            "     Running tests/a.rs (target/debug/deps/a-1)",
            "test find::sqlite ... ok",
            "test find::postgres ... ok",
            "test refused - should panic ... ok",
            "     Running tests/b.rs (target/debug/deps/b-1)",
            "test find::sqlite ... ok",
            "test find::postgres ... FAILED",
            "test slow ... ignored",
        ]);
        assert_eq!(
            (
                tally.passed,
                tally.failed.len(),
                tally.sqlite.len(),
                tally.postgres.len()
            ),
            (4, 1, 2, 1)
        );
        assert_eq!(
            tally.verdict(true).len(),
            1,
            "b's find passed on SQLite only"
        );
    }

    #[test]
    fn a_run_without_an_engine_is_no_run() {
        assert_eq!(tally(&["test a ... ok"]).verdict(true).len(), 2);
        assert!(tally(&["test a::sqlite ... ok"]).verdict(false).is_empty());
    }
}
