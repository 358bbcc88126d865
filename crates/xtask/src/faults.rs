//! `cargo xtask faults`: what a registry must survive, for as long as one likes, as a table.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::cluster::Cluster;
use crate::shell;

/// What stands before each line of the table.
const MARK: &str = "faults | ";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// With which dice; the same seed makes the same trouble.
    #[arg(long, default_value_t = 20_261_122)]
    seed: u64,
    /// How many rounds of 60 writes each kind of trouble lasts.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
}

/// Runs the tests of faults on both engines and prints what they counted.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let cluster = Cluster::start()?;
    println!(
        "Seed {}, {} rounds, on SQLite and on {}.\n",
        arguments.seed, arguments.rounds, cluster.about
    );
    // With all tests the program is built too, which one of its own needs.
    shell::run(shell::cargo().args(["test", "--quiet", "--workspace", "--no-run"]))?;
    let mut command = shell::cargo();
    if let Some(program) = crate::test_run::program() {
        command.env("GRUNDDATA_BIN", program);
    }
    let mut child = command
        .args([
            "test",
            "--quiet",
            "--workspace",
            "--test",
            "it",
            "--no-fail-fast",
        ])
        .args([
            "--",
            "--nocapture",
            "--test-threads=2",
            "--skip=subscriptions::",
            "faults::",
        ])
        .env("TEST_DATABASE_URL", &cluster.url)
        .env("FAULTS_SEED", arguments.seed.to_string())
        .env("FAULTS_ROUNDS", arguments.rounds.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be started")?;
    println!("| fault | engine | dice | what happened | what clients saw | lost | twice |");
    println!("|---|---|---|---|---|---|---|");
    let mut lines = 0;
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        if let Some((_, line)) = line?.split_once(MARK) {
            println!("| {line} |");
            lines += 1;
        }
    }
    let ended = child.wait()?;
    drop(cluster);
    if !ended.success() || lines == 0 {
        bail!("something was not survived: see above");
    }
    Ok(())
}
