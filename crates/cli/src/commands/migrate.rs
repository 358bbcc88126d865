//! `grunddata migrate`

use std::process::ExitCode;

use crate::failure::Failure;
use crate::settings::Settings;
use crate::{database, output};

/// Brings the database to this version's tables.
pub(crate) fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let registry = database::open_any(settings, database::clock())?;
    let done = registry.store().migrate()?;
    registry.store().shutdown();
    if done.is_empty() {
        output::line("The tables are up to date.");
    }
    for migration in done {
        output::line(format!("migrated: {migration}"));
    }
    Ok(ExitCode::SUCCESS)
}
