//! `grunddata openapi`

use std::process::ExitCode;

use crate::arguments::Openapi;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;
use crate::{database, output};

/// Prints or writes the OpenAPI document.
pub(crate) fn run(openapi: &Openapi, settings: &Settings) -> Result<ExitCode, Failure> {
    let model = database::model(&[])?;
    let origin = openapi.origin.trim_end_matches('/');
    let document = grunddata_server::openapi(&model, origin, &settings.server())
        .map_err(|error| Failure::new(Kind::Failed, error))?;
    match &openapi.out {
        None => output::line(document),
        Some(path) => {
            std::fs::write(path, document + "\n").map_err(|error| Failure::write(path, &error))?;
            output::note(format!("{} is written.", path.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
