//! `grunddata extract-person`

use std::path::Path;
use std::process::ExitCode;

use grunddata_access_log::{Archive, Kind as LogKind};
use grunddata_model::RecordId;
use grunddata_registry::{ExtractOptions, ExtractReader};
use grunddata_server::readers_of;
use serde_json::json;

use crate::arguments::ExtractPerson;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{line, note, write_private};
use crate::settings::Settings;

/// Prints everything that is kept about a person.
pub(crate) fn run(settings: &Settings, arguments: ExtractPerson) -> Result<ExitCode, Failure> {
    let id: RecordId = arguments.id.parse().map_err(|error| {
        Failure::new(Kind::Usage, format!("{}: {error}", arguments.id))
            .cure("Give the id of the person's record; GET /persons finds it.")
    })?;
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let (readers, complete) = readers(&settings.access_log(), id)?;
    if readers.is_none() {
        note(format!(
            "There is no access log in {}: the extract says that readers are not told.",
            settings.access_log().display()
        ));
    }
    let extract = registry.extract_person(
        &context,
        id,
        ExtractOptions {
            by_name: arguments.by_name,
            readers,
            readers_complete: complete,
        },
    )?;
    // It is logged before it is shown.
    let mut act = Act::new(LogKind::Extract, "extract-person", json!({}));
    act.owners = vec![extract.owner.clone()];
    console::log(settings, &context, &act)?;
    let failed = |error: String| Failure::new(Kind::Failed, error);
    match arguments.html {
        Some(path) => {
            let page = grunddata_server::extract_page(&extract, registry.model())
                .map_err(|error| failed(error.to_string()))?;
            write_private(&path, &page)?;
            line(format!("Written: {}", path.display()));
        }
        None => line(
            serde_json::to_string_pretty(&extract).map_err(|error| failed(error.to_string()))?,
        ),
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}

type Readers = (Option<Vec<ExtractReader>>, bool);

fn readers(directory: &Path, id: RecordId) -> Result<Readers, Failure> {
    if !directory.exists() {
        return Ok((None, false));
    }
    let (readers, complete) = readers_of(&Archive::open(directory), id).map_err(|error| {
        Failure::new(
            Kind::Failed,
            format!("the access log cannot be read: {error}"),
        )
    })?;
    Ok((Some(readers), complete))
}
