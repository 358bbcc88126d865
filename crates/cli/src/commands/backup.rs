//! `grunddata backup`

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_registry::{Context, OwnerSet, Registry};
use serde_json::json;
use tempfile::TempDir;

use super::export::{beside, encoder, keep, named, told};
use crate::archive::{ACCESS_LOG, FORMAT, Head, LOSSLESS, SQLITE, VERSION, Writer};
use crate::arguments::Backup;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{bar, grouped, line, note};
use crate::settings::Settings;

/// Writes database and access log to one file.
pub(crate) fn run(settings: &Settings, backup: Backup) -> Result<ExitCode, Failure> {
    if backup.file.exists() {
        return Err(Failure::new(
            Kind::Usage,
            format!("{} is there already", backup.file.display()),
        )
        .cure("Give each backup a name of its own, such as one with the date."));
    }
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    // That everything is taken out is noted before it is.
    let act = Act::new(
        LogKind::Export,
        "backup",
        json!({"file": named(&backup.file)}),
    );
    console::log(settings, &context, &act)?;
    let file = beside(&backup.file)?;
    let wrong = |error: std::io::Error| Failure::write(&backup.file, &error);
    let aside = aside(&backup.file)?;
    let (member, database) = copy(&registry, &context, aside.path(), backup.quiet)?;
    let head = Head {
        format: FORMAT.to_owned(),
        version: VERSION,
        made_at: context.now,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        database: member.to_owned(),
    };
    let encoder = encoder(BufWriter::with_capacity(1 << 20, file.as_file())).map_err(wrong)?;
    let mut writer = Writer::begin(encoder, &head).map_err(wrong)?;
    writer.add_file(member, &database).map_err(wrong)?;
    // After the database: whoever has read what stands in it stands in the log.
    let segments = segments(&settings.access_log())?;
    for path in &segments {
        let name = format!("{ACCESS_LOG}/{}", named(path));
        writer.add_file(&name, path).map_err(|error| {
            Failure::new(
                Kind::Failed,
                format!("cannot read {}: {error}", path.display()),
            )
        })?;
    }
    let (encoder, manifest) = writer.finish().map_err(wrong)?;
    let mut out = encoder.finish().map_err(wrong)?;
    out.flush().map_err(wrong)?;
    drop(out);
    keep(file, &backup.file)?;
    registry.store().shutdown();
    let bytes: u64 = manifest.members.iter().map(|member| member.bytes).sum();
    line(format!(
        "Backed up to {}: {} ({} bytes), {} files of the access log.",
        backup.file.display(),
        member,
        grouped(bytes),
        segments.len()
    ));
    note("Keep the list of erasures elsewhere, and make it anew: grunddata erasures export FILE");
    Ok(ExitCode::SUCCESS)
}

/// A directory beside the backup, which only its owner can read and which goes with this value.
fn aside(file: &Path) -> Result<TempDir, Failure> {
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".grunddata-")
        .tempdir_in(directory)
        .map_err(|error| Failure::write(file, &error))
}

/// The database as it is at one moment, in a file: what it is called in the backup, and where it lies.
fn copy(
    registry: &Registry,
    context: &Context,
    directory: &Path,
    quiet: bool,
) -> Result<(&'static str, PathBuf), Failure> {
    let path = directory.join(SQLITE);
    if registry.store().copy_into(&path)? {
        return Ok((SQLITE, path));
    }
    let path = directory.join(LOSSLESS);
    let wrong = |error: std::io::Error| Failure::write(&path, &error);
    let file = std::fs::File::create_new(&path).map_err(wrong)?;
    let mut encoder = encoder(BufWriter::with_capacity(1 << 20, file)).map_err(wrong)?;
    let bar = bar(0, "exporting", quiet);
    registry.export_lossless(context, &OwnerSet::All, &mut encoder, &mut |now| {
        told(&bar, now)
    })?;
    bar.finish_and_clear();
    let mut out = encoder.finish().map_err(wrong)?;
    out.flush().map_err(wrong)?;
    Ok((LOSSLESS, path))
}

/// The files of the access log but the locks, which belong to processes.
pub(crate) fn segments(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let wrong = |error: std::io::Error| {
        Failure::new(
            Kind::Failed,
            format!(
                "the access log in {} cannot be read: {error}",
                directory.display()
            ),
        )
    };
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for file in std::fs::read_dir(directory).map_err(wrong)? {
        let path = file.map_err(wrong)?.path();
        let counts = path
            .extension()
            .is_some_and(|extension| extension == "log" || extension == "removed");
        if counts {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
