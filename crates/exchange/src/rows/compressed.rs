//! Compressed files: gzip, zstd, zip with one file, and the workbooks that are zip archives.
//!
//! Must never trust a size that the archive itself states.

use std::cell::Cell as Counter;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use super::bounded::{Counted, Decompressed, check_expansion, problem_of_io, truncated};
use super::{ReadOptions, Sink, Summary, read_stream, spreadsheet};
use crate::{Place, Problem, code};

/// More members than a workbook of this size has.
const MEMBERS: usize = 10_000;

pub(super) fn gzip<R: Read>(
    input: R,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let (counted, compressed) = Counted::new(input);
    let decoder = flate2::read::MultiGzDecoder::new(counted);
    let mut bounded = Decompressed::new(decoder, compressed, &options.limits);
    read_stream(&mut bounded, options, sink)
}

pub(super) fn zstd<R: Read>(
    input: R,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let (counted, compressed) = Counted::new(input);
    let mut decoder = ::zstd::stream::read::Decoder::new(counted)
        .map_err(|error| problem_of_io(&error, &place))?;
    // The window is memory that the file asks for: 128 MiB, what `zstd` itself accepts unasked.
    decoder
        .window_log_max(27)
        .map_err(|error| problem_of_io(&error, &place))?;
    let mut bounded = Decompressed::new(decoder, compressed, &options.limits);
    read_stream(&mut bounded, options, sink)
}

/// A workbook, or an archive of one file.
pub(super) fn zip<R: Read + Seek>(
    mut input: R,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let length = input
        .seek(SeekFrom::End(0))
        .map_err(|error| problem_of_io(&error, &place))?;
    let mut archive =
        ZipArchive::new(&mut input).map_err(|error| problem_of_zip(&error, &place))?;
    if archive.len() > MEMBERS {
        return Err(Problem::new(
            code::ARCHIVE,
            place,
            format!("The archive holds more than {MEMBERS} files; send one file at a time."),
            format!("Arkivet innehåller fler än {MEMBERS} filer; skicka en fil i taget."),
        ));
    }
    let names = archive
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<Result<Vec<String>, _>>()
        .map_err(|error| problem_of_zip(&error, &place))?;
    let has = |name: &str| names.iter().any(|known| known == name);
    let workbook = names.iter().any(|name| name.starts_with("xl/"));
    let open_document = has("mimetype") && has("content.xml");
    if workbook || open_document {
        check_members(&mut archive, length, options, &place)?;
        drop(archive);
        input
            .seek(SeekFrom::Start(0))
            .map_err(|error| problem_of_io(&error, &place))?;
        return if open_document {
            spreadsheet::ods(input, options, sink)
        } else {
            spreadsheet::xlsx(input, options, sink)
        };
    }
    let mut files = names.iter().filter(|name| {
        // What file managers add of their own.
        !name.ends_with('/') && !name.starts_with("__MACOSX/") && !name.ends_with(".DS_Store")
    });
    let (Some(only), None) = (files.next(), files.next()) else {
        let count = names.len();
        return Err(Problem::new(
            code::ARCHIVE,
            place,
            format!(
                "The archive must hold exactly one file, and has {count} entries; pack one file, without folders."
            ),
            format!(
                "Arkivet ska innehålla exakt en fil och har {count} poster; packa en fil, utan mappar."
            ),
        ));
    };
    let member = archive
        .by_name(only)
        .map_err(|error| problem_of_zip(&error, &place))?;
    let mut bounded = Decompressed::new(member, Rc::new(Counter::new(length)), &options.limits);
    // The name inside decides the format; both are shown.
    let inner = ReadOptions {
        file: format!("{}/{only}", options.file),
        ..options.clone()
    };
    read_stream(&mut bounded, &inner, sink)
}

/// Decompresses every member to nowhere, so that a workbook that is a bomb never reaches the library that would hold it.
fn check_members<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    compressed: u64,
    options: &ReadOptions,
    place: &Place,
) -> Result<(), Problem> {
    let mut out = 0_u64;
    let mut buffer = vec![0_u8; 64 << 10];
    for index in 0..archive.len() {
        let mut member = archive
            .by_index(index)
            .map_err(|error| problem_of_zip(&error, place))?;
        loop {
            let read = member
                .read(&mut buffer)
                .map_err(|error| problem_of_io(&error, place))?;
            if read == 0 {
                break;
            }
            out += read as u64;
            check_expansion(out, compressed, &options.limits)
                .map_err(|error| problem_of_io(&error, place))?;
        }
    }
    Ok(())
}

fn problem_of_zip(error: &ZipError, place: &Place) -> Problem {
    match error {
        ZipError::Io(error) => problem_of_io(error, place),
        ZipError::UnsupportedArchive(text) if *text == ZipError::PASSWORD_REQUIRED => {
            password(place.clone())
        }
        ZipError::InvalidArchive(_) => truncated(place.clone()),
        other => problem_of_io(&io::Error::other(other.to_string()), place),
    }
}

pub(super) fn password(place: Place) -> Problem {
    Problem::new(
        code::PASSWORD,
        place,
        "The file is protected by a password; save it without one.",
        "Filen är skyddad med lösenord; spara den utan.",
    )
}
