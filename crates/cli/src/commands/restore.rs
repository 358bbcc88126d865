//! `grunddata restore`

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_registry::Registry;
use serde_json::json;

use super::backup::segments;
use super::export::{named, told};
use super::import::{self, ERASURES};
use crate::archive::{self, ACCESS_LOG, Broken, LOSSLESS, SQLITE};
use crate::arguments::Restore;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{bar, grouped, line, note};
use crate::settings::Settings;

/// Puts a backup back into an empty place, and verifies it.
pub(crate) fn run(settings: &Settings, restore: Restore) -> Result<ExitCode, Failure> {
    let input = File::open(&restore.file).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("cannot read {}: {error}", restore.file.display()),
        )
    })?;
    let log = settings.access_log();
    if !segments(&log)?.is_empty() {
        return Err(occupied(&format!("the access log in {}", log.display())));
    }
    // Beside what it will become, so that it can be put in place by renaming.
    database::make_directory(&log)?;
    let home = match file_of(settings) {
        Some(path) => parent(&path),
        None => parent(&log),
    };
    database::make_directory(&home)?;
    let staged = tempfile::Builder::new()
        .prefix(".grunddata-restore-")
        .tempdir_in(&home)
        .map_err(|error| Failure::write(&home, &error))?;
    // An empty database with its tables, or none: before hours are spent on unpacking.
    if file_of(settings).is_none_or(|path| path.exists()) {
        let registry = database::open_any(settings, database::clock())?;
        registry.store().migrate()?;
        let filled = registry.store().filled()?;
        registry.store().shutdown();
        if filled.is_some() {
            return Err(occupied(&format!("the database {}", shown(settings))));
        }
    }
    let decoder =
        zstd::Decoder::new(input).map_err(|error| broken(&restore, &error.to_string()))?;
    let head = archive::unpack(BufReader::new(decoder), staged.path(), |head| {
        if head.database == SQLITE && file_of(settings).is_none() {
            return Err(Restoring::Failed(
                Failure::new(
                    Kind::Usage,
                    "the backup holds a database of SQLite, and the target is PostgreSQL".to_owned(),
                )
                .cure("Restore it to SQLite with --data DIR, and take it over with `grunddata export --lossless` and `grunddata import --lossless`."),
            ));
        }
        Ok(())
    })
    .map_err(|error| match error {
        Restoring::Broken(problem) => broken(&restore, &problem),
        Restoring::Failed(failure) => failure,
    })?;
    let staged_log = segments(&staged.path().join(ACCESS_LOG))?;
    place_log(&staged_log, &log)?;
    let placed = place_database(settings, staged.path(), &head.database, restore.quiet);
    let registry = match placed {
        Ok(registry) => registry,
        Err(failure) => {
            for path in &staged_log {
                drop(fs::remove_file(log.join(named(path))));
            }
            return Err(failure);
        }
    };
    // What was written after the backup may have been told to others: they must learn that it is gone.
    let mut epochs = Vec::new();
    let copies = registry.copies()?;
    for owner in registry.store().owners()? {
        // The log of a copy is its origin's: it goes on from where the copy was.
        if copies.contains_key(&owner.key) {
            continue;
        }
        epochs.push((owner.key.clone(), registry.store().begin_epoch(&owner.key)?));
    }
    let context = console::context(&registry);
    let detail = json!({"file": named(&restore.file), "madeAt": head.made_at});
    console::log(
        settings,
        &context,
        &Act::new(LogKind::Administration, "restore", detail),
    )?;
    line(format!(
        "Restored {} as it was at {}, with {} files of the access log.",
        shown(settings),
        head.made_at,
        staged_log.len()
    ));
    for (owner, epoch) in epochs {
        line(format!(
            "The log of {owner} goes on after position {} as epoch {}.",
            epoch.fork_position, epoch.epoch
        ));
    }
    note(ERASURES);
    let code = verify(&registry, restore.quiet)?;
    registry.store().shutdown();
    Ok(code)
}

/// How unpacking fails.
enum Restoring {
    Broken(String),
    Failed(Failure),
}

impl From<Broken> for Restoring {
    fn from(Broken(problem): Broken) -> Self {
        Self::Broken(problem)
    }
}

fn broken(restore: &Restore, problem: &str) -> Failure {
    Failure::new(
        Kind::Failed,
        format!("{} is no whole backup: {problem}", restore.file.display()),
    )
    .cure("Nothing was restored. Take another backup.")
}

fn occupied(what: &str) -> Failure {
    Failure::new(Kind::Usage, format!("{what} is not empty")).cure(
        "A backup is restored into an empty place, so that nothing is overwritten or mixed: say another one with --data or --database, or move away what is there.",
    )
}

/// The file of the database; `None` = it is not one.
pub(super) fn file_of(settings: &Settings) -> Option<PathBuf> {
    let url = settings.database();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return None;
    }
    let path = url.strip_prefix("sqlite:").unwrap_or(&url);
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// The database without a password that may stand in its address.
fn shown(settings: &Settings) -> String {
    file_of(settings).map_or_else(
        || "of PostgreSQL".to_owned(),
        |path| path.display().to_string(),
    )
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn place_log(staged: &[PathBuf], log: &Path) -> Result<(), Failure> {
    for path in staged {
        let target = log.join(named(path));
        // The log may lie on another file system.
        fs::rename(path, &target)
            .or_else(|_| fs::copy(path, &target).map(drop))
            .and_then(|()| File::open(&target)?.sync_all())
            .map_err(|error| Failure::write(&target, &error))?;
    }
    Ok(())
}

/// Puts the database in place, brought to this version's tables.
fn place_database(
    settings: &Settings,
    staged: &Path,
    member: &str,
    quiet: bool,
) -> Result<Registry, Failure> {
    if member == LOSSLESS {
        let registry = database::open_any(settings, database::clock())?;
        registry.store().migrate()?;
        let context = console::context(&registry);
        let mut input = import::open(&staged.join(LOSSLESS))?;
        let bar = bar(0, "importing", quiet);
        // Verified below, as every restore is.
        registry.import_lossless(&context, &mut input, false, &mut |now| told(&bar, now))?;
        bar.finish_and_clear();
        return Ok(registry);
    }
    let Some(path) = file_of(settings) else {
        return Err(Failure::new(Kind::Usage, "the target is no file"));
    };
    let wrong = |error: std::io::Error| Failure::write(&path, &error);
    // What an empty database has left; it was looked at before.
    for suffix in ["-wal", "-shm"] {
        let mut name = path.clone().into_os_string();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong(error)),
            _ => {}
        }
    }
    fs::rename(staged.join(SQLITE), &path).map_err(wrong)?;
    File::open(parent(&path))
        .and_then(|directory| directory.sync_all())
        .map_err(wrong)?;
    let registry = database::open_any(settings, database::clock())?;
    registry.store().migrate()?;
    Ok(registry)
}

fn verify(registry: &Registry, quiet: bool) -> Result<ExitCode, Failure> {
    let bar = bar(0, "verifying", quiet);
    let findings = registry.store().verify(&mut |progress| {
        bar.set_length(progress.of);
        bar.set_position(progress.records);
    })?;
    bar.finish_and_clear();
    for finding in &findings {
        line(finding);
    }
    line(format!(
        "Verified: {} problems",
        grouped(findings.len() as u64)
    ));
    Ok(ExitCode::from(u8::from(!findings.is_empty())))
}
