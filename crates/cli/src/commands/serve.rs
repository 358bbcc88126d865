//! `grunddata serve`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_registry::Registry;
use grunddata_server::{Running, run_until_signal, telemetry};

use serde_json::json;

use crate::console::{self, Act};
use crate::failure::{Failure, Kind};
use crate::settings::Settings;
use crate::{database, output};

/// The name of the first token.
const FIRST: &str = "admin";

/// Serves until a signal. Whoever has no token yet is given one at the first start.
pub(crate) fn run(settings: Settings, token_file: Option<PathBuf>) -> Result<ExitCode, Failure> {
    log(&settings, "info")?;
    let registry = database::open(&settings)?;
    first_token(&settings, &registry, token_file.as_deref())?;
    serve(&settings, registry, |running| {
        output::note(format!(
            "Serving on {}. Stop with Ctrl-C.",
            running.origin()
        ));
    })
}

/// Makes the first token of a registry to which nobody else is let in, and tells it once. Of several servers that start at
/// once, one does.
fn first_token(
    settings: &Settings,
    registry: &Registry,
    file: Option<&Path>,
) -> Result<(), Failure> {
    if !settings.identity.issuers.is_empty() || !registry.store().tokens()?.is_empty() {
        return Ok(());
    }
    // Before the token is made: it is shown once, and who cannot keep it must not lose it.
    if let Some(file) = file {
        let opened = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file);
        opened.map_err(|error| Failure::write(file, &error))?;
    }
    let context = console::context(registry);
    let mut act = Act::new(
        LogKind::Administration,
        "token-create",
        json!({"name": FIRST, "grants": ["*:administrator"], "first": true}),
    );
    let owners = registry.store().owners()?;
    act.owners = owners.into_iter().map(|owner| owner.key).collect();
    let made = console::act(settings, &context, act, || {
        registry.mint_first_token(&context, FIRST)
    })?;
    let Some(made) = made else {
        // Another server was first: it tells.
        return Ok(());
    };
    match file {
        Some(file) => {
            output::write_private(file, &format!("{}\n", made.secret))?;
            output::note(format!(
                "The first token, of an administrator of everything, is in {}.",
                file.display()
            ));
        }
        None => output::note(format!(
            "The first token, of an administrator of everything. It is shown once: keep it where only you can read it.\n  {}",
            made.secret
        )),
    }
    Ok(())
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
