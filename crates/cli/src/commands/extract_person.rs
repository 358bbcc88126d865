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
    let controller = arguments.controller.as_deref().map(str::parse).transpose();
    let controller = controller.map_err(|_| {
        Failure::new(
            Kind::Usage,
            "--controller is own, or the id of an organisation",
        )
    })?;
    let by_name = arguments.by_name;
    let options = ExtractOptions {
        by_name,
        controller,
    };
    let mut extract = registry.extract_person(&context, id, options)?;
    match readers(&settings.access_log(), &extract.records())? {
        Some((readers, complete)) => extract = extract.with_readers(readers, complete, by_name),
        None => note(format!(
            "There is no access log in {}: the extract says that readers are not told.",
            settings.access_log().display()
        )),
    }
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

/// Who has read the records, and whether all of the log could be read; `None` when there is no log.
fn readers(
    directory: &Path,
    records: &[RecordId],
) -> Result<Option<(Vec<ExtractReader>, bool)>, Failure> {
    if !directory.exists() {
        return Ok(None);
    }
    let found = readers_of(&Archive::open(directory), records).map_err(|error| {
        Failure::new(
            Kind::Failed,
            format!("the access log cannot be read: {error}"),
        )
    })?;
    Ok(Some(found))
}
