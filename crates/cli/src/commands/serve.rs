//! `grunddata serve`

use std::process::ExitCode;

use grunddata_registry::Registry;
use grunddata_server::{Running, run_until_signal, telemetry};

use crate::failure::{Failure, Kind};
use crate::settings::Settings;
use crate::{database, output};

/// Serves until a signal.
pub(crate) fn run(settings: Settings) -> Result<ExitCode, Failure> {
    log(&settings, "info")?;
    let registry = database::open(&settings)?;
    serve(&settings, registry, |running| {
        output::note(format!(
            "Serving on {}. Stop with Ctrl-C.",
            running.origin()
        ));
    })
}

/// Sets up the log of a serving process.
pub(crate) fn log(settings: &Settings, filter: &str) -> Result<(), Failure> {
    telemetry::install(&settings.log(filter)).map_err(|error| Failure::new(Kind::Usage, error))
}

/// Serves a registry until a signal.
pub(crate) fn serve(
    settings: &Settings,
    registry: Registry,
    started: impl FnOnce(&Running),
) -> Result<ExitCode, Failure> {
    run_until_signal(settings.server(), registry, started)?;
    Ok(ExitCode::SUCCESS)
}
