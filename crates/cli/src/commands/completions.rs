//! `grunddata completions`

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::failure::Failure;
use crate::output;

/// Prints the completions for a shell.
#[expect(clippy::unnecessary_wraps, reason = "all commands have one shape")]
pub(crate) fn run(completions: &Completions) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Arguments::command(),
        "grunddata",
        &mut script,
    );
    output::line(String::from_utf8_lossy(&script).trim_end());
    Ok(ExitCode::SUCCESS)
}
