//! `grunddata export`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::OwnerKey;
use grunddata_registry::{LosslessProgress, OwnerSet, Place};
use grunddata_server::{Aside, ExportStream};
use indicatif::ProgressBar;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::arguments::Export;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{bar, grouped, line};
use crate::settings::Settings;

/// How hard it is compressed: the fastest that still makes a tenth of JSON.
pub(crate) const LEVEL: i32 = 3;

/// Writes records, or everything without loss.
pub(crate) fn run(settings: &Settings, export: Export) -> Result<ExitCode, Failure> {
    match &export.lossless {
        Some(path) => lossless(settings, path, &export),
        None => records(settings, &export),
    }
}

fn lossless(settings: &Settings, path: &Path, export: &Export) -> Result<ExitCode, Failure> {
    let owners = owners(&export.owner)?;
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let file = beside(path)?;
    let compressed = path.extension().is_some_and(|extension| extension == "zst");
    let detail = json!({"file": named(path), "owners": export.owner});
    let act = Act::new(LogKind::Export, "export-lossless", detail);
    let bar = bar(0, "exporting", export.quiet);
    let wrong = |error: std::io::Error| Failure::write(path, &error);
    let mut out = BufWriter::with_capacity(1 << 20, file.as_file());
    let summary = if compressed {
        let mut encoder = encoder(&mut out).map_err(wrong)?;
        let summary = console::act(settings, &context, act, || {
            registry.export_lossless(&context, &owners, &mut encoder, &mut |now| told(&bar, now))
        })?;
        encoder.finish().map_err(wrong)?;
        summary
    } else {
        console::act(settings, &context, act, || {
            registry.export_lossless(&context, &owners, &mut out, &mut |now| told(&bar, now))
        })?
    };
    out.flush().map_err(wrong)?;
    drop(out);
    bar.finish_and_clear();
    registry.store().shutdown();
    keep(file, path)?;
    line(format!(
        "{} records with {} states and {} changes written to {}.",
        grouped(summary.count("record")),
        grouped(summary.count("state")),
        grouped(summary.count("change")),
        path.display()
    ));
    line(format!("SHA-256 of the content: {}", summary.sha256));
    Ok(ExitCode::SUCCESS)
}

/// Writes the records that answer a query. What each piece shows is in the access log before the piece is in the file.
fn records(settings: &Settings, export: &Export) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let pairs = parameters(export)?;
    let pairs = || {
        pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    };
    let server = settings.server();
    let api = server.public_address.map_or_else(
        || "/api/v1".to_owned(),
        |address| format!("{address}/api/v1"),
    );
    let frame = (api, String::new());
    let aside = Aside {
        directory: aside(export.out.as_deref()),
        most: u64::MAX,
    };
    let mut stream = ExportStream::begin(&registry, &context, pairs(), Place::Body, frame, &aside)?;
    let bar = bar(0, "exporting", export.quiet || export.out.is_none());
    let mut file = None;
    let wrong = |error: std::io::Error| match &export.out {
        Some(path) => Failure::write(path, &error),
        None => Failure::new(Kind::Write, format!("cannot write: {error}")),
    };
    let log = console::Reading::open(settings, &context)?;
    while let Some(piece) = stream.next_chunk()? {
        log.shown(&context, "export-records")?;
        bar.set_position(stream.count());
        if piece.is_empty() && stream.is_file() {
            // It grows elsewhere.
            continue;
        }
        if let (None, Some(path)) = (&file, &export.out) {
            file = Some(beside(path)?);
        }
        match &file {
            Some(file) => file.as_file().write_all(&piece),
            None => std::io::stdout().lock().write_all(&piece),
        }
        .map_err(wrong)?;
    }
    log.close();
    bar.finish_and_clear();
    registry.store().shutdown();
    if let (Some(file), Some(path)) = (file, &export.out) {
        keep(file, path)?;
        line(format!(
            "{} records written to {}.",
            grouped(stream.count()),
            path.display()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Where a file grows that cannot be written in one go: where it will lie, as there is room for it.
fn aside(out: Option<&Path>) -> PathBuf {
    match out.map(Path::parent) {
        Some(Some(parent)) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) => PathBuf::from("."),
        None => std::env::temp_dir(),
    }
}

/// What was written on the command line, as the parameters of the interface.
fn parameters(export: &Export) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs = vec![
        ("collection".to_owned(), export.collections.join(",")),
        ("format".to_owned(), export.format.clone()),
        ("history".to_owned(), export.history.to_string()),
        ("geometry".to_owned(), export.geometry.to_string()),
        ("bom".to_owned(), export.bom.to_string()),
    ];
    let given = [
        ("delimiter", &export.delimiter),
        ("validAt", &export.valid_at),
        ("knownAt", &export.known_at),
    ];
    for (name, value) in given {
        pairs.extend(value.clone().map(|value| (name.to_owned(), value)));
    }
    if !export.owner.is_empty() {
        pairs.push(("owner".to_owned(), export.owner.join(",")));
    }
    for pair in &export.wheres {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::new(Kind::Usage, format!("--where {pair}: there is no = in it"))
                .cure("Write NAME=VALUE, such as --where kind=unit.")
        })?;
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// The name of a file, without where it lies.
pub(crate) fn named(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Shows how far it is.
pub(crate) fn told(bar: &ProgressBar, now: LosslessProgress) {
    if now.verifying {
        bar.set_message("verifying");
    }
    bar.set_length(now.of.max(now.records));
    bar.set_position(now.records);
}

/// Compresses with a checksum of its own.
pub(crate) fn encoder<W: Write>(out: W) -> std::io::Result<zstd::Encoder<'static, W>> {
    let mut encoder = zstd::Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

fn owners(keys: &[String]) -> Result<OwnerSet, Failure> {
    if keys.is_empty() {
        return Ok(OwnerSet::All);
    }
    keys.iter()
        .map(|key| OwnerKey::new(key).map_err(|error| Failure::new(Kind::Usage, error)))
        .collect::<Result<Vec<_>, _>>()
        .map(|keys| keys.into_iter().collect())
}

/// A file beside the one that it will become, which only its owner can read.
pub(crate) fn beside(path: &Path) -> Result<NamedTempFile, Failure> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".grunddata-")
        .tempfile_in(directory)
        .map_err(|error| Failure::write(path, &error))
}

/// Puts a file in its place once it is on disk: who finds it there finds all of it.
pub(crate) fn keep(file: NamedTempFile, path: &Path) -> Result<(), Failure> {
    let wrong = |error: std::io::Error| Failure::write(path, &error);
    file.as_file().sync_all().map_err(wrong)?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    Ok(())
}
