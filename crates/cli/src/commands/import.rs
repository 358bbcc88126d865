//! `grunddata import`

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _};
use std::path::Path;
use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use serde_json::json;

use super::export::{named, told};
use crate::arguments::Import;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{bar, grouped, line, note};
use crate::settings::Settings;

/// What a compressed file begins with.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What is to be done after something old has come back.
pub(crate) const ERASURES: &str = "What was erased after it was made has come back: run `grunddata erasures apply LIST` before anybody reads (docs/operations.md).";

/// Rebuilds an installation from a lossless file.
pub(crate) fn run(settings: &Settings, import: Import) -> Result<ExitCode, Failure> {
    let mut input = open(&import.lossless)?;
    let registry = database::open_any(settings, database::clock())?;
    registry.store().migrate()?;
    let context = console::context(&registry);
    let detail = json!({"file": named(&import.lossless)});
    let act = Act::new(LogKind::Administration, "import-lossless", detail);
    let bar = bar(0, "importing", import.quiet);
    let summary = console::act(settings, &context, act, || {
        registry.import_lossless(&context, &mut input, !import.no_verify, &mut |now| {
            told(&bar, now);
        })
    })?;
    bar.finish_and_clear();
    registry.store().shutdown();
    line(format!(
        "{} records with {} states and {} changes imported{}.",
        grouped(summary.count("record")),
        grouped(summary.count("state")),
        grouped(summary.count("change")),
        if import.no_verify {
            "; run `grunddata verify`"
        } else {
            " and verified: 0 problems"
        }
    ));
    note(ERASURES);
    Ok(ExitCode::SUCCESS)
}

/// Opens a lossless file, compressed or not.
pub(crate) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, Failure> {
    let wrong = |error: std::io::Error| {
        Failure::new(
            Kind::Usage,
            format!("cannot read {}: {error}", path.display()),
        )
    };
    let mut file = File::open(path).map_err(wrong)?;
    let mut first = Vec::with_capacity(ZSTD.len());
    file.by_ref()
        .take(ZSTD.len() as u64)
        .read_to_end(&mut first)
        .map_err(wrong)?;
    file.rewind().map_err(wrong)?;
    let plain = BufReader::with_capacity(1 << 20, file);
    if first != ZSTD {
        return Ok(Box::new(plain));
    }
    let decoder = zstd::Decoder::with_buffer(plain).map_err(wrong)?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, decoder)))
}
