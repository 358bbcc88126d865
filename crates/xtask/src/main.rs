//! Developer tasks of grunddata: `cargo xtask --help`.
//!
//! Architecture invariant: nothing here is shipped, and no crate depends on it.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program talks to its user"
)]

mod bench;
mod check;
mod cluster;
mod faults;
mod guard;
mod shell;
mod test_run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer tasks of grunddata.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test on SQLite and on PostgreSQL (started for the run), and count them per engine.
    ///
    /// With arguments, only the tests that they select run and the two counts need not be equal.
    Test {
        /// Passed to `cargo nextest run`, or to `cargo test` where nextest is not installed.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check the structure of the repository: crate edges, licences, names, lengths, links.
    Check,
    /// Measure our paths against the raw engines beneath them, interleaved in one run, and print the ratios.
    Bench {
        /// Passed to the benchmark: `--only read,create`, `--records 100000`, `--graph 100000`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Kill servers, break the network and fill the disk while clients write, and count what is lost or there twice.
    Faults(faults::Arguments),
    /// Keep a throwaway PostgreSQL running until Ctrl-C, and print its TEST_DATABASE_URL.
    Postgres,
    /// Stop the cluster when the parent is gone (started by the other tasks, never by hand).
    #[command(hide = true)]
    Guard(guard::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Test { arguments } => test_run::run(&arguments),
        Task::Bench { arguments } => bench::run(&arguments),
        Task::Check => check::run(),
        Task::Faults(arguments) => faults::run(&arguments),
        Task::Postgres => cluster::keep_running(),
        Task::Guard(arguments) => guard::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
