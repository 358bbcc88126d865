//! `grunddata source`

use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use grunddata_exchange::ready::{ALL, Ready};
use grunddata_exchange::rows::{self, Event, Header, ReadOptions};
use grunddata_exchange::suggest::{SAMPLE_ROWS, suggest};
use grunddata_model::OwnerKey;
use grunddata_registry::{Context, IfMatch, NewSource, Registry, SourceSettings};
use grunddata_server::loads;
use serde_json::{Value, json};

use super::collect;
use crate::arguments::{OfSource, Source};
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// Keeps the sources of loads.
pub(crate) fn run(settings: &Settings, source: Source) -> Result<ExitCode, Failure> {
    if let Source::Suggest { file, ready, name } = source {
        return match (file, ready) {
            (Some(file), _) => propose(&file, name),
            (None, ready) => ready_made(ready.as_deref().unwrap_or_default()),
        };
    }
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let mut good = true;
    match source {
        Source::Put {
            key,
            owner,
            settings: file,
            mapping,
            reason,
        } => {
            let owner = owner_key(&owner)?;
            let given = settings_of(&file, mapping.as_deref())?;
            loads::check(&given)?;
            let act = Act::about("source-put", &owner, json!({"source": key}));
            let put = console::act(settings, &context, act, || {
                // Who is at the console means the settings as they are.
                let known = registry.source(&context, &owner, &key).ok();
                registry.put_source(
                    &context,
                    NewSource {
                        owner: owner.clone(),
                        key: key.clone(),
                        settings: given,
                        if_match: known.map(|_| IfMatch::Any),
                        reason,
                    },
                )
            })?;
            line(format!(
                "The source {} of {} has its settings in version {}.",
                put.key, put.owner, put.version
            ));
        }
        Source::List { owner } => {
            let owners = match owner {
                Some(owner) => vec![owner_key(&owner)?],
                None => owners(&registry, &context)?,
            };
            for owner in owners {
                for source in registry.sources(&context, &owner)? {
                    let retired = if source.settings.retired {
                        "  retired"
                    } else {
                        ""
                    };
                    let state = registry.source_state(&context, &source)?;
                    let state = collect::told(&state);
                    line(format!(
                        "{}  {}  version {}  {}{retired}{state}",
                        source.owner, source.key, source.version, source.settings.title
                    ));
                }
            }
        }
        Source::Show(named) => {
            let found = find(&registry, &context, &named)?;
            line(shown(&found.settings)?);
        }
        Source::History(named) => {
            let found = find(&registry, &context, &named)?;
            for version in registry.source_history(&context, &found.owner, &found.key)? {
                line(format!(
                    "{}  {}  {}  {}",
                    version.version,
                    version.created_at,
                    version.created_by,
                    version.reason.as_deref().unwrap_or("-")
                ));
            }
        }
        Source::Collect { source, dry_run } => {
            let found = find(&registry, &context, &source)?;
            good = collect::collect(settings, &registry, &context, &found, dry_run)?;
        }
        Source::Check { owner } => {
            let owner = owner.as_deref().map(owner_key).transpose()?;
            good = collect::check(&registry, owner.as_ref())?;
        }
        Source::Suggest { .. } => {}
    }
    registry.store().shutdown();
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Kind::Failed as u8)
    })
}

/// The source that is meant: of the owner that was named, or of the only one that has one of that key.
pub(super) fn find(
    registry: &Registry,
    context: &Context,
    named: &OfSource,
) -> Result<grunddata_registry::Source, Failure> {
    if let Some(owner) = &named.owner {
        return Ok(registry.source(context, &owner_key(owner)?, &named.key)?);
    }
    let mut found = Vec::new();
    for owner in owners(registry, context)? {
        let sources = registry.sources(context, &owner)?;
        found.extend(sources.into_iter().filter(|one| one.key == named.key));
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => Err(Failure::new(
            Kind::Usage,
            format!("there is no source {:?}", named.key),
        )
        .cure("`grunddata source list` shows those that there are, and `grunddata source put` adds one.")),
        (Some(_), false) => Err(Failure::new(
            Kind::Usage,
            format!("several owners have a source {:?}", named.key),
        )
        .cure("Say whose with --owner.")),
    }
}

pub(super) fn owner_key(text: &str) -> Result<OwnerKey, Failure> {
    OwnerKey::new(text).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("\"{text}\" is no key of an owner: {error}"),
        )
        .cure("`grunddata owner list` shows the keys.")
    })
}

fn owners(registry: &Registry, context: &Context) -> Result<Vec<OwnerKey>, Failure> {
    let owners = registry.owners(context)?;
    Ok(owners.into_iter().map(|owner| owner.key).collect())
}

fn shown(settings: &SourceSettings) -> Result<String, Failure> {
    serde_json::to_string_pretty(settings).map_err(|error| {
        Failure::new(
            Kind::Failed,
            format!("the settings cannot be shown: {error}"),
        )
    })
}

/// The settings in a file, with the mapping that stands in one of its own.
fn settings_of(file: &Path, mapping: Option<&str>) -> Result<SourceSettings, Failure> {
    let text = read(file)?;
    let json = file.extension().is_some_and(|ending| ending == "json");
    let parsed: Result<Value, String> = if json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    let mut value = parsed.map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("{} cannot be read: {error}", file.display()),
        )
    })?;
    if let Some(mapping) = mapping {
        let text = if mapping.starts_with("ready:") {
            mapping.to_owned()
        } else {
            read(Path::new(mapping))?
        };
        if let Value::Object(members) = &mut value {
            members.insert("mapping".to_owned(), Value::String(text));
        }
    }
    Ok(SourceSettings::read(value)?)
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("{} cannot be read: {error}", file.display()),
        )
    })
}

/// Prints a mapping that comes with the program, or lists them all.
fn ready_made(name: &str) -> Result<ExitCode, Failure> {
    if name.is_empty() {
        for ready in ALL {
            let mapping = ready.mapping().ok();
            let title = mapping.as_ref().and_then(|mapping| mapping.title());
            let title = title.map_or("", |(_, en)| en);
            line(format!("{:<24} {title}", ready.name));
        }
        return Ok(ExitCode::SUCCESS);
    }
    match Ready::named(name) {
        Some(ready) => {
            line(ready.text.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        None => Err(Failure::new(
            Kind::Usage,
            format!("no mapping named \"{name}\" comes with the program"),
        )
        .cure("`grunddata source suggest --ready` lists them.")),
    }
}

/// Prints a mapping for a file. It needs no database.
fn propose(file: &Path, name: Option<String>) -> Result<ExitCode, Failure> {
    let name = name.unwrap_or_else(|| {
        file.file_stem().map_or_else(
            || "source".to_owned(),
            |stem| stem.to_string_lossy().to_lowercase(),
        )
    });
    let unreadable = |why: String| {
        Failure::new(
            Kind::Usage,
            format!("{} cannot be read: {why}", file.display()),
        )
    };
    let open = std::fs::File::open(file).map_err(|error| unreadable(error.to_string()))?;
    let options = ReadOptions {
        file: loads::name_of(file),
        ..ReadOptions::default()
    };
    let (mut header, mut sample): (Option<Header>, _) = (None, Vec::new());
    rows::read(BufReader::new(open), &options, &mut |event| {
        match event {
            Event::Header(found) => header = Some(found.clone()),
            Event::Row(row) => sample.push(row),
            Event::Refused(_) | Event::Note(_) => {}
        }
        if sample.len() < SAMPLE_ROWS {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .map_err(|problem| unreadable(problem.message))?;
    let header = header.ok_or_else(|| unreadable("it has no headers".to_owned()))?;
    if header.is_objects() {
        return Err(Failure::new(
            Kind::Usage,
            "a mapping is proposed for tables: CSV, workbooks and GeoPackage",
        )
        .cure("For JSON and XML begin with one that comes with the program: `grunddata source suggest --ready`."));
    }
    line(suggest(&name, &header, &sample).mapping.trim_end());
    Ok(ExitCode::SUCCESS)
}
