//! Bytes to rows: what kind of file it is, and its rows one after the other, whatever the kind.
//!
//! Must never hold more of a text or JSON file than one row, never read past a [limit](crate::Limits), and never guess a
//! value: a cell that cannot be read becomes [`Cell::Refused`] with its problem, so that it matters only to a mapping
//! that uses it.

mod bounded;
mod cell;
mod compressed;
mod delimited;
mod encoding;
mod header;
mod json;
mod page;
mod sheet_table;
mod spreadsheet;
mod totals;
mod workbook_parts;

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::ControlFlow;

pub use cell::Cell;
pub use header::{ColumnError, Header};
pub use page::is_page;

use crate::formats::geopackage;
use crate::{Limits, Place, Problem, code};
use bounded::problem_of_io;

/// What kind of content a file has, once it is decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text with a header and a separator between cells.
    Delimited,
    /// A workbook: XLSX, XLS or ODS.
    Spreadsheet,
    /// One JSON text: a list of objects, or an object that holds one.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// PAXml 2: the persons of a personnel file.
    Paxml,
    /// SIE 4: the objects of its dimensions.
    Sie,
    /// GeoPackage: the rows of one of its tables.
    Geopackage,
}

/// What to do with the empty cells of a merged area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Merged {
    /// A row that uses one is refused.
    #[default]
    Refuse,
    /// They take the value of the area's first cell.
    Fill,
}

/// How to read a file. What is `None` is found out from the content.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The name of the file as its sender knows it: stands in every message, and its ending decides between formats that
    /// look alike.
    pub file: String,
    /// The kind of content.
    pub format: Option<Format>,
    /// The label of a character encoding (WHATWG), such as `utf-8` or `windows-1252`.
    pub encoding: Option<String>,
    /// The separator between cells.
    pub separator: Option<u8>,
    /// The sheet of a workbook, otherwise the first that is not hidden; the table of a GeoPackage, otherwise the only one.
    pub sheet: Option<String>,
    /// The row of the headers, from 1; otherwise the first that is not empty.
    pub header_row: Option<u64>,
    /// JSON Pointer to the list of objects in a JSON text.
    pub records: Option<String>,
    /// What to do with merged cells.
    pub merged: Merged,
    /// Words that begin a row of totals, in addition to the usual Swedish and English ones.
    pub totals: Vec<String>,
    /// The limits.
    pub limits: Limits,
}

/// One row of a table, or one object of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The row as the reader of the file sees it; see [`Place::row`].
    pub number: u64,
    /// What stands in it.
    pub content: Content,
}

/// What stands in a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A cell for each header.
    Cells(Vec<Cell>),
    /// A JSON object.
    Object(serde_json::Value),
}

/// What a reader has to say, in this order: one header (an empty one for objects), then rows, with notes and refusals
/// among them.
#[derive(Debug)]
pub enum Event<'a> {
    /// The columns, and where the table stands. Comes once, before the first row.
    Header(&'a Header),
    /// A row.
    Row(Row),
    /// A row that cannot be read at all; the next may be.
    Refused(Problem),
    /// Something worth knowing that takes nothing away.
    Note(Problem),
}

/// Who takes the rows. `Break` ends the reading early.
pub type Sink<'s> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 's;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The kind of content.
    pub format: Format,
    /// Rows or objects given to the sink, refused ones not counted.
    pub rows: u64,
}

impl Summary {
    /// A delivery without a file to read.
    pub(crate) const fn nothing() -> Self {
        Self {
            format: Format::Delimited,
            rows: 0,
        }
    }
}

/// Reads a file to its end, compressed or not.
///
/// # Errors
/// [`Problem`] when the file as a whole cannot be read, or not to its end: what was given to the sink before is then not
/// all there is.
pub fn read<R: Read + Seek>(
    mut input: R,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let mut magic = [0_u8; 8];
    let length = fill(&mut input, &mut magic)
        .and_then(|length| input.seek(SeekFrom::Start(0)).map(|_| length))
        .map_err(|error| problem_of_io(&error, &place))?;
    match magic.get(..length).unwrap_or_default() {
        [] => Err(empty(&place)),
        [0x1f, 0x8b, ..] => compressed::gzip(input, options, sink),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => compressed::zstd(input, options, sink),
        magic if is_zip(magic) => compressed::zip(input, options, sink),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => spreadsheet::xls(input, options, sink),
        _ => read_stream(&mut input, options, sink),
    }
}

/// Whether a file that begins so is a zip archive: a workbook is one too.
const fn is_zip(magic: &[u8]) -> bool {
    matches!(magic, [b'P', b'K', 3 | 5, 4 | 6, ..])
}

/// Reads content that is no longer compressed and no workbook.
fn read_stream(
    input: &mut dyn Read,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let mut magic = [0_u8; geopackage::MAGIC.len()];
    let length = fill(input, &mut magic).map_err(|error| problem_of_io(&error, &place))?;
    let magic = magic.get(..length).unwrap_or_default();
    let mut whole = Cursor::new(magic).chain(input);
    if magic == geopackage::MAGIC {
        return geopackage::read(&mut whole, options, sink);
    }
    let text = encoding::open(&mut whole, options)?;
    if let Some(problem) = page::refused(text.sample(), &place) {
        return Err(problem);
    }
    let format = match options.format {
        Some(format) => format,
        None => sniff(text.sample(), &options.file),
    };
    match format {
        Format::Delimited => delimited::read(text, options, sink),
        Format::Json | Format::Ndjson => json::read(text, format, options, sink),
        Format::Paxml => {
            let encoding = text.settled();
            crate::formats::paxml::read(text.into_bytes(), encoding, options, sink)
        }
        Format::Sie => crate::formats::sie::read(text.into_bytes(), options, sink),
        Format::Spreadsheet => Err(Problem::new(
            code::UNREADABLE_FILE,
            place,
            "The file is not a workbook (XLSX, XLS or ODS); save it as one, or say what it is.",
            "Filen är ingen arbetsbok (XLSX, XLS eller ODS); spara den som en sådan eller ange vad den är.",
        )),
        Format::Geopackage => Err(Problem::new(
            code::UNREADABLE_FILE,
            place,
            "The file is not a GeoPackage; save it as one, or say what it is.",
            "Filen är inget GeoPackage; spara den som ett sådant eller ange vad den är.",
        )),
    }
}

/// The kind of text that begins like this.
fn sniff(sample: &[u8], file: &str) -> Format {
    let start = sample.trim_ascii_start();
    let ending = |endings: &[&str]| {
        let name = file.to_lowercase();
        let name = [".gz", ".zst", ".zip"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(&name);
        endings.iter().any(|ending| name.ends_with(ending))
    };
    match start {
        [b'<', ..] => Format::Paxml,
        [b'#', b'F', b'L', b'A', b'G', b'G', b'A', ..] => Format::Sie,
        [b'[', ..] => Format::Json,
        [b'{', ..] if ending(&[".ndjson", ".jsonl"]) || json::is_lines(start) => Format::Ndjson,
        [b'{', ..] => Format::Json,
        _ if ending(&[".se", ".si", ".sie"]) => Format::Sie,
        _ => Format::Delimited,
    }
}

/// Reads until the buffer is full or the input ends.
fn fill(input: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn empty(place: &Place) -> Problem {
    Problem::new(
        code::EMPTY_FILE,
        place.clone(),
        "The file is empty. Nothing was read, and nothing is taken to have ended; send the file again.",
        "Filen är tom. Inget lästes och inget räknas som avslutat; skicka filen igen.",
    )
}

/// The file has more rows than is allowed.
pub(crate) fn too_many_rows(place: &Place, limits: &Limits) -> Problem {
    Problem::new(
        code::LIMIT,
        place.clone(),
        format!("The file has more than {} rows; divide it.", limits.rows),
        format!("Filen har fler än {} rader; dela upp den.", limits.rows),
    )
}

pub(crate) use bounded::{RecordBudget, problem_of_io as io_problem, truncated};
pub(crate) use compressed::{member, members};
pub(crate) use delimited::limited;
