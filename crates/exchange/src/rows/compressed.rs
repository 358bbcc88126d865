//! Compressed files: gzip, zstd, zip with one file or, for a mapping that says so, several, and the workbooks that are zip
//! archives.
//!
//! Must never trust a size that the archive itself states.

use std::cell::Cell as Counter;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use ::zip::ZipArchive;
use ::zip::result::ZipError;

use super::bounded::{Counted, Decompressed, check_expansion, problem_of_io, truncated};
use super::{ReadOptions, Sink, Summary, fill, is_zip, read_stream, spreadsheet};
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
    let (mut archive, names, length) = open(&mut input, &place)?;
    let open_document = is_open_document(&names);
    if is_workbook(&names) || open_document {
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
    let mut files = names.iter().filter(|name| is_file(name));
    let (Some(only), None) = (files.next(), files.next()) else {
        let count = names.len();
        return Err(Problem::new(
            code::ARCHIVE,
            place,
            format!(
                "The archive must hold exactly one file, and has {count} entries; pack one file, without folders, or take a mapping whose records name their files."
            ),
            format!(
                "Arkivet ska innehålla exakt en fil och har {count} poster; packa en fil, utan mappar, eller ta en mappning vars poster namnger sina filer."
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

/// The files of an archive of several, in its order; `None` where the content is something else, a workbook included.
pub(crate) fn members<R: Read + Seek>(
    input: &mut R,
    options: &ReadOptions,
) -> Result<Option<Vec<String>>, Problem> {
    let place = Place::of_file(&options.file);
    let mut magic = [0_u8; 4];
    let length = fill(input, &mut magic)
        .and_then(|length| input.seek(SeekFrom::Start(0)).map(|_| length))
        .map_err(|error| problem_of_io(&error, &place))?;
    if !is_zip(magic.get(..length).unwrap_or_default()) {
        return Ok(None);
    }
    let (_, mut names, _) = open(&mut *input, &place)?;
    input
        .seek(SeekFrom::Start(0))
        .map_err(|error| problem_of_io(&error, &place))?;
    if is_workbook(&names) || is_open_document(&names) {
        return Ok(None);
    }
    names.retain(|name| is_file(name));
    Ok(Some(names))
}

/// Reads one file of an archive. `out` counts what has come out of all of them.
pub(crate) fn member<R: Read + Seek>(
    input: &mut R,
    name: &str,
    options: &ReadOptions,
    out: &Rc<Counter<u64>>,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let (mut archive, _, length) = open(input, &place)?;
    let member = archive
        .by_name(name)
        .map_err(|error| problem_of_zip(&error, &place))?;
    let compressed = Rc::new(Counter::new(length));
    let mut bounded = Decompressed::counting(member, compressed, Rc::clone(out), &options.limits);
    read_stream(&mut bounded, options, sink)
}

/// The archive, the names in it, and its length.
fn open<R: Read + Seek>(
    mut input: R,
    place: &Place,
) -> Result<(ZipArchive<R>, Vec<String>, u64), Problem> {
    let length = input
        .seek(SeekFrom::End(0))
        .map_err(|error| problem_of_io(&error, place))?;
    let archive = ZipArchive::new(input).map_err(|error| problem_of_zip(&error, place))?;
    if archive.len() > MEMBERS {
        return Err(Problem::new(
            code::ARCHIVE,
            place.clone(),
            format!("The archive holds more than {MEMBERS} files; send one file at a time."),
            format!("Arkivet innehåller fler än {MEMBERS} filer; skicka en fil i taget."),
        ));
    }
    let names = archive
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<Result<Vec<String>, _>>()
        .map_err(|error| problem_of_zip(&error, place))?;
    Ok((archive, names, length))
}

fn is_workbook(names: &[String]) -> bool {
    names.iter().any(|name| name.starts_with("xl/"))
}

fn is_open_document(names: &[String]) -> bool {
    let has = |name: &str| names.iter().any(|known| known == name);
    has("mimetype") && has("content.xml")
}

/// Not a folder, nor what file managers add of their own.
fn is_file(name: &str) -> bool {
    !name.ends_with('/') && !name.starts_with("__MACOSX/") && !name.ends_with(".DS_Store")
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
