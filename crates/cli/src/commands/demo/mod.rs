//! `grunddata demo`

mod payroll;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use grunddata_registry::{Actor, Grant, NewToken, OwnerScope, Registry, Role};
use grunddata_seeds::{OWNERS, Progress, Seeds, Showcase};

use super::seed;
use super::serve;
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{grouped, line, write_private};
use crate::settings::Settings;

/// Makes the demo where there is none, and serves it.
pub(crate) fn run(settings: Settings, token_file: Option<PathBuf>) -> Result<ExitCode, Failure> {
    serve::log(&settings, "warn")?;
    // Before minutes are spent on data that could not be served.
    drop(
        std::net::TcpListener::bind(settings.listen).map_err(|source| {
            Failure::from(grunddata_server::ServerError::Listen {
                address: settings.listen,
                source,
            })
        })?,
    );
    let made = prepare(&settings)?;
    let registry = database::open(&settings)?;
    let counts = seed::counts(&registry)?;
    match &made {
        Some(made) => seed::told(made, &counts),
        None => {
            let total: u64 = counts.values().sum();
            line(format!(
                "The demo's data were found: {} records valid today.",
                grouped(total)
            ));
        }
    }
    let file = match token_file {
        Some(file) => file,
        None => {
            database::make_directory(&settings.data)?;
            settings.data.join("admin-token")
        }
    };
    let token = token(&registry, &file)?;
    database::make_directory(&settings.data)?;
    payroll::put_source(&registry)?;
    let extract = payroll::write(&registry, &settings.data)?;
    let showcase = Seeds::showcase();
    serve::serve(&settings, registry, |running| {
        let origin = settings
            .public_address
            .clone()
            .unwrap_or_else(|| running.origin());
        welcome(&origin, &token, &file, &showcase);
        line(format!(
            "\nAn extract of a payroll system, to load:\n  grunddata load hr '{}' --data '{}' --dry-run",
            extract.display(),
            settings.data.display()
        ));
    })
}

/// Sees to it that the data are there; `None` when they were.
fn prepare(settings: &Settings) -> Result<Option<seed::Made>, Failure> {
    let registry = database::open_any(settings, database::clock())?;
    registry.store().migrate()?;
    let strangers: Vec<String> = registry
        .store()
        .owners()?
        .into_iter()
        .map(|owner| owner.key.as_str().to_owned())
        .filter(|key| OWNERS.iter().all(|owner| owner.key != key))
        .collect();
    let progress = grunddata_seeds::progress(&registry).map_err(seed::failure)?;
    registry.store().shutdown();
    drop(registry);
    match progress {
        Progress::Complete => Ok(None),
        Progress::Absent if !strangers.is_empty() => Err(Failure::new(
            Kind::Failed,
            format!("the database {} holds other owners already: {}", settings.database(), strangers.join(", ")),
        )
        .cure("The demo wants a database of its own: choose another with --data or --database. To add its data here all the same, run `grunddata seed`.")),
        Progress::Absent | Progress::Started => seed::make(settings, false).map(Some),
    }
}

/// The token in the file if it is still good, or else a new one, which is written there.
fn token(registry: &Registry, file: &Path) -> Result<String, Failure> {
    if let Ok(kept) = std::fs::read_to_string(file)
        && registry.authenticate(kept.trim())?.is_some()
    {
        return Ok(kept.trim().to_owned());
    }
    let context = registry.context(Actor::system("console"), "demo");
    let made = registry.mint_token(
        &context,
        NewToken {
            name: "demo-admin".to_owned(),
            grants: vec![Grant::of(OwnerScope::All, Role::Administrator)],
            feeds_copies: false,
            unit: None,
            expires_at: None,
        },
    )?;
    write_private(file, &format!("{}\n", made.secret))?;
    Ok(made.secret)
}

/// Says where the demo is and what to try.
fn welcome(origin: &str, token: &str, file: &Path, showcase: &Showcase) {
    line(format!(
        "
Serving on {origin} - documentation at {origin}/api/v1/docs. Stop with Ctrl-C.

The administrator's token, also in {file}:
  {token}

Five commands to try:
{commands}",
        file = file.display(),
        commands = commands(origin, file, showcase).join("\n"),
    ));
}

fn commands(origin: &str, file: &Path, showcase: &Showcase) -> [String; 5] {
    let api = format!("{origin}/api/v1");
    let Showcase {
        heby,
        split_administration,
        moved_unit,
        renamed_person,
        ..
    } = showcase;
    // Units name internal things too, such as cost centres, and persons are never open data.
    let authorised = format!(
        "curl -H \"Authorization: Bearer $(cat '{}')\"",
        file.display()
    );
    [
        format!(
            "  # Heby by the code that it had until 2007\n  curl '{api}/geographies?identifier=se-municipality-code:1917&validAt=2006-12-31'"
        ),
        format!(
            "  # the same record today, with its present code and county\n  curl '{api}/geographies/{heby}'"
        ),
        format!(
            "  # a unit that gets a new parent on 2027-01-01\n  {authorised} '{api}/organisations/{moved_unit}?validAt=2027-02-01'"
        ),
        format!(
            "  # what belongs to the administration that is split that day\n  {authorised} '{api}/organisations/{split_administration}/links?direction=in&depth=2'"
        ),
        format!(
            "  # everything that was ever recorded about a person\n  {authorised} '{api}/persons/{renamed_person}/history'"
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_records_that_are_the_same_in_every_demo() {
        let commands = commands("http://127.0.0.1:8080", Path::new("t"), &Seeds::showcase());
        insta::assert_snapshot!(commands.join("\n"));
    }
}
