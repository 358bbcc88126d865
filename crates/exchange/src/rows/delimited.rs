//! Text with separators (CSV): the separator is found out, line ends may be mixed, a row stands on the line on which it
//! begins.
//!
//! Must never drop or invent a cell in silence: rows that do not fit the header are refused.

use std::cell::Cell as Counter;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, ReaderBuilder};

use super::bounded::{RecordBudget, problem_of_io};
use super::encoding::{Decided, Text, decode};
use super::header::{Header, letter};
use super::totals::Totals;
use super::{Cell, Content, Event, Format, ReadOptions, Row, Sink, Summary, empty, too_many_rows};
use crate::{Place, Problem, code};

/// The separators that are tried, the likeliest in Sweden first.
const SEPARATORS: [u8; 4] = *b";\t,|";
/// How many rows of the beginning are looked at.
const ROWS: usize = 50;
/// Bytes that the parser reads ahead of the record it is in.
const READ_AHEAD: u64 = 128 << 10;

pub(super) fn read(
    text: Text<'_>,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let mut encoding = text.encoding();
    let hint = separator_line(text.sample());
    let separator = options
        .separator
        .or(hint)
        .unwrap_or_else(|| separator(text.sample()));
    let limits = &options.limits;
    let (budget, refill) = RecordBudget::new(text.into_bytes(), limits.record_bytes + READ_AHEAD);
    let (lines, ended) = LineEnds::new(budget);
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(lines);
    let mut table = Table::default();
    let mut record = ByteRecord::new();
    let mut previous = 1;
    let mut rows = 0;
    loop {
        refill.next_record();
        let more = reader.read_byte_record(&mut record).map_err(|error| {
            let line = error.position().map_or(previous, csv::Position::line);
            problem_of_csv(error, &place.at_row(line))
        })?;
        if !more {
            break;
        }
        let number = first_line(&record, reader.position().line(), ended.get());
        previous = number;
        let skipped = (number == 1 && hint.is_some())
            || options.header_row.is_some_and(|header| number < header)
            || record.iter().all(|field| field.trim_ascii().is_empty());
        if skipped {
            continue;
        }
        if record.len() > limits.columns && table.header.is_none() {
            return Err(Problem::new(
                code::LIMIT,
                place.at_row(number),
                format!(
                    "The row has more than {} columns; is the separator right?",
                    limits.columns
                ),
                format!(
                    "Raden har fler än {} kolumner; är skiljetecknet rätt?",
                    limits.columns
                ),
            ));
        }
        let Some(header) = &table.header else {
            let header = table.start(&record, number, &mut encoding, &place, options);
            if sink(Event::Header(header)).is_break() {
                break;
            }
            if header
                .duplicates(number)
                .into_iter()
                .any(|note| sink(Event::Note(note)).is_break())
            {
                break;
            }
            continue;
        };
        rows += 1;
        if rows > limits.rows {
            return Err(too_many_rows(&place, limits));
        }
        let event = match fitted(header, &record, number) {
            Err(problem) => Event::Refused(problem),
            Ok(()) => {
                let cells = (0..header.names().len())
                    .map(|index| {
                        let bytes = record.get(index).unwrap_or_default();
                        cell(bytes, &mut encoding, options, || {
                            header
                                .place()
                                .at_row(number)
                                .at_column(&header.label(index))
                        })
                    })
                    .collect();
                Event::Row(Row {
                    number,
                    content: Content::Cells(cells),
                })
            }
        };
        if table.totals.pass(event, header.place(), sink).is_break() {
            break;
        }
    }
    let Some(header) = table.header else {
        return Err(empty(&place));
    };
    let held = table.totals.finish(header.place(), sink);
    Ok(Summary {
        format: Format::Delimited,
        rows: rows - held,
    })
}

/// What is known of the table once its header is read.
#[derive(Default)]
struct Table {
    header: Option<Header>,
    totals: Totals,
}

impl Table {
    fn start(
        &mut self,
        record: &ByteRecord,
        number: u64,
        encoding: &mut Decided,
        place: &Place,
        options: &ReadOptions,
    ) -> &Header {
        let names: Vec<String> = record
            .iter()
            .enumerate()
            .map(|(index, bytes)| {
                let at = || place.at_row(number).at_column(&letter(index));
                match cell(bytes, encoding, options, at) {
                    Cell::Text(text) => text,
                    // A header that cannot be read is no name that a mapping could use.
                    _ => String::new(),
                }
            })
            .collect();
        self.totals = Totals::new(&options.totals);
        self.header.insert(Header::new(place.clone(), names))
    }
}

/// Whether the row has the cells that the header promises.
fn fitted(header: &Header, record: &ByteRecord, number: u64) -> Result<(), Problem> {
    let (cells, headers) = (record.len(), header.names().len());
    let place = header.place().at_row(number);
    if cells < headers {
        let open = record.iter().any(|field| field.contains(&b'\n'));
        let (en, sv) = if open {
            (
                " A quotation mark in it is probably not closed.",
                " Ett citattecken i den är troligen inte avslutat.",
            )
        } else {
            (
                " The file is cut off here, or the row is not part of the table.",
                " Filen är avklippt här, eller så hör raden inte till tabellen.",
            )
        };
        return Err(Problem::new(
            code::ROW_TOO_SHORT,
            place,
            format!("The row has {cells} cells and the header {headers}.{en}"),
            format!("Raden har {cells} celler och rubrikraden {headers}.{sv}"),
        ));
    }
    // Even when the last is empty: a stray separator has then moved all cells after it by one.
    if cells > headers {
        return Err(Problem::new(
            code::ROW_TOO_LONG,
            place,
            format!(
                "The row has {cells} cells and the header {headers}: a separator in a text is probably not within quotation marks."
            ),
            format!(
                "Raden har {cells} celler och rubrikraden {headers}: ett skiljetecken i en text står troligen inte inom citattecken."
            ),
        ));
    }
    Ok(())
}

fn cell(
    bytes: &[u8],
    encoding: &mut Decided,
    options: &ReadOptions,
    place: impl Fn() -> Place,
) -> Cell {
    match decode(bytes, encoding) {
        Err(undecodable) => Cell::Refused(Box::new(undecodable.problem(bytes, place()))),
        Ok(text) => limited(text, options, place),
    }
}

/// The text, unless it is longer than a cell may be.
pub(crate) fn limited(text: String, options: &ReadOptions, place: impl Fn() -> Place) -> Cell {
    let most = options.limits.cell_chars;
    // Bytes are never fewer than characters: most cells are settled without counting.
    if text.len() > most && text.chars().count() > most {
        return Cell::Refused(Box::new(
            Problem::new(
                code::LIMIT,
                place(),
                format!("The cell holds more than {most} characters; shorten it."),
                format!("Cellen innehåller fler än {most} tecken; förkorta den."),
            )
            .with_value(&text),
        ));
    }
    if text.is_empty() {
        Cell::Empty
    } else {
        Cell::Text(text)
    }
}

/// The line on which a record begins. The parser counts blank lines before a record as part of it, so it is reckoned
/// from the end: the line after it, less its own. A record that the end of the file cuts off has no line end of its own.
fn first_line(record: &ByteRecord, line_after: u64, cut_off: bool) -> u64 {
    let inside = record
        .iter()
        .map(|field| field.iter().filter(|byte| **byte == b'\n').count() as u64)
        .sum::<u64>();
    let own = if cut_off { inside } else { inside + 1 };
    line_after.saturating_sub(own).max(1)
}

/// The line `sep=;` that Excel reads.
fn separator_line(sample: &[u8]) -> Option<u8> {
    match sample.strip_prefix(b"sep=")? {
        [separator, b'\r' | b'\n', ..] => Some(*separator),
        _ => None,
    }
}

/// The separator that gives the most rows the same number of cells, more than one.
fn separator(sample: &[u8]) -> u8 {
    let mut best = (0, 0, b';');
    for separator in SEPARATORS {
        let mut reader = ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(sample);
        let widths: Vec<usize> = reader
            .byte_records()
            .take(ROWS)
            .map_while(Result::ok)
            .map(|record| record.len())
            .collect();
        let Some(width) = widths.iter().copied().max().filter(|width| *width > 1) else {
            continue;
        };
        let usual = widths
            .iter()
            .copied()
            .filter(|width| *width > 1)
            .max_by_key(|candidate| widths.iter().filter(|width| *width == candidate).count())
            .unwrap_or(width);
        let alike = widths.iter().filter(|width| **width == usual).count();
        if (alike, usual) > (best.0, best.1) {
            best = (alike, usual, separator);
        }
    }
    best.2
}

fn problem_of_csv(error: csv::Error, place: &Place) -> Problem {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => problem_of_io(&error, place),
        other => problem_of_io(
            &io::Error::new(io::ErrorKind::InvalidData, format!("{other:?}")),
            place,
        ),
    }
}

/// Every line end becomes `\n`, so that lines are counted as an editor does, and the last line gets one.
struct LineEnds<R> {
    inner: R,
    after_return: bool,
    last: u8,
    ended: Rc<Counter<bool>>,
}

impl<R: Read> LineEnds<R> {
    /// The reader, and whether its end has been seen.
    fn new(inner: R) -> (Self, Rc<Counter<bool>>) {
        let ended = Rc::new(Counter::new(false));
        let lines = Self {
            inner,
            after_return: false,
            last: b'\n',
            ended: Rc::clone(&ended),
        };
        (lines, ended)
    }
}

impl<R: Read> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.inner.read(buffer)?;
            if read == 0 {
                return Ok(match buffer.first_mut() {
                    Some(first) if self.last != b'\n' => {
                        *first = b'\n';
                        self.last = b'\n';
                        1
                    }
                    _ => {
                        self.ended.set(true);
                        0
                    }
                });
            }
            let mut kept = 0;
            for index in 0..read {
                let Some(byte) = buffer.get(index).copied() else {
                    break;
                };
                let second_half = byte == b'\n' && self.after_return;
                self.after_return = byte == b'\r';
                if second_half {
                    continue;
                }
                self.last = if byte == b'\r' { b'\n' } else { byte };
                if let Some(place) = buffer.get_mut(kept) {
                    *place = self.last;
                }
                kept += 1;
            }
            // Nothing but the second half of a line end: zero would mean the end of the file.
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}
