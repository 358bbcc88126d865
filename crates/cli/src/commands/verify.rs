//! `grunddata verify`

use std::process::ExitCode;

use crate::failure::Failure;
use crate::output::{grouped, line};
use crate::settings::Settings;
use crate::{database, output};

/// Checks the whole database.
pub(crate) fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let bar = output::bar(0, "checking", false);
    let findings = registry.store().verify(&mut |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.records);
    })?;
    bar.finish_and_clear();
    registry.store().shutdown();
    for finding in &findings {
        line(finding);
    }
    line(format!("{} problems", grouped(findings.len() as u64)));
    Ok(ExitCode::from(u8::from(!findings.is_empty())))
}
