//! A workbook with one sheet: the columns of CSV, with dates, numbers and truth values as such. Everything else is a text,
//! personal identity numbers and codes with leading zeros included.
//!
//! The rows go to a file without a name as they come, and into the workbook when all are there: a sheet has its number of
//! columns and its formats in front.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use chrono::NaiveDate;
use grunddata_model::Instant;
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use serde_json::Value;

use super::file::{Bounded, FileAbout, OutError};
use super::table::{Cell, CellKind, ENVELOPE, OutColumn, OutRecord, cells};

/// The rows of a sheet but the heading.
pub(super) const MOST_RECORDS: u32 = 1_048_575;
/// The characters of a cell, as UTF-16 counts them.
const LONGEST: usize = 32_767;
/// About what a cell takes beside its text, in bytes.
const MARKUP: u64 = 48;
/// From about here the cells of a sheet may need a larger kind of ZIP archive, in bytes.
const LARGE: u64 = 3 << 30;
/// Microseconds of a day.
const DAY: f64 = 86_400_000_000.0;

/// A workbook that is being written.
pub struct Xlsx {
    workbook: Workbook,
    sheet: Worksheet,
    file: Bounded,
    columns: Vec<OutColumn>,
    day: Format,
    instant: Format,
    /// Rows written, the heading included.
    rows: u32,
    /// About how many bytes the cells take.
    bytes: u64,
    most: u64,
}

impl fmt::Debug for Xlsx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Xlsx")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Xlsx {
    pub(super) fn begin(
        about: FileAbout,
        file: File,
        aside: &Path,
        most: u64,
    ) -> Result<Self, OutError> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(aside).map_err(refused)?;
        let mut sheet = workbook
            .new_worksheet_with_constant_memory()
            .map_err(refused)?;
        let columns = about.columns;
        guarded(|| {
            sheet.set_name(about.domain.collection())?;
            sheet.set_freeze_panes(1, 0)?;
            let bold = Format::new().set_bold();
            let all = ENVELOPE
                .into_iter()
                .chain(columns.iter().map(|column| (&*column.name, column.kind)));
            for (at, (name, kind)) in (0..).zip(all) {
                // What does not fit its width is shown as #### when it is a date.
                let width = match kind {
                    CellKind::Date => 12,
                    CellKind::Instant => 25,
                    CellKind::Integer | CellKind::Number | CellKind::Boolean => 10,
                    _ if name == "id" => 38,
                    _ => 20,
                };
                sheet.set_column_width(at, width)?;
                sheet.write_string_with_format(0, at, name, &bold)?;
            }
            Ok(())
        })?;
        Ok(Self {
            workbook,
            sheet,
            file: Bounded::new(file, most),
            columns,
            day: Format::new().set_num_format("yyyy-mm-dd"),
            instant: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss.000"),
            rows: 1,
            bytes: 0,
            most,
        })
    }

    pub(super) fn record(&mut self, record: &OutRecord<'_>) -> Result<(), OutError> {
        if self.rows > MOST_RECORDS {
            return Err(OutError::TooManyRows { most: MOST_RECORDS });
        }
        let data: Value = serde_json::from_str(record.data).unwrap_or(Value::Null);
        let (row, day, instant) = (self.rows, &self.day, &self.instant);
        for (at, cell) in (0_u16..).zip(cells(record, &data, &self.columns)) {
            self.bytes += MARKUP;
            let shown = match &cell {
                Cell::Date(date) => serial(*date).map(|number| (number, day)),
                Cell::Instant(at) => moment(*at).map(|number| (number, instant)),
                _ => None,
            };
            let sheet = &mut self.sheet;
            if let Some((number, format)) = shown {
                guarded(|| {
                    sheet
                        .write_number_with_format(row, at, number, format)
                        .map(drop)
                })?;
                continue;
            }
            let number = match &cell {
                Cell::Integer(number) => exact(*number),
                Cell::Number(number, _) if number.is_finite() => Some(*number),
                _ => None,
            };
            if let Some(number) = number {
                guarded(|| sheet.write_number(row, at, number).map(drop))?;
                continue;
            }
            if let Cell::Boolean(flag) = cell {
                guarded(|| sheet.write_boolean(row, at, flag).map(drop))?;
                continue;
            }
            let Some(text) = cell.text() else { continue };
            if text.len() > LONGEST && text.encode_utf16().count() > LONGEST {
                return Err(OutError::CellTooLong {
                    id: record.id,
                    column: self.name(at),
                    most: LONGEST,
                });
            }
            self.bytes += text.len() as u64;
            guarded(|| sheet.write_string(row, at, &*text).map(drop))?;
        }
        self.rows += 1;
        if self.bytes > self.most {
            return Err(OutError::TooLarge { most: self.most });
        }
        Ok(())
    }

    fn name(&self, at: u16) -> String {
        let at = usize::from(at);
        match ENVELOPE.get(at) {
            Some((name, _)) => (*name).to_owned(),
            None => self
                .columns
                .get(at - ENVELOPE.len())
                .map(|column| column.name.clone())
                .unwrap_or_default(),
        }
    }

    pub(super) fn finish(self) -> Result<File, OutError> {
        let Self {
            mut workbook,
            sheet,
            file,
            bytes,
            most,
            ..
        } = self;
        let mut out = BufWriter::with_capacity(256 * 1024, file);
        let saved = guarded(|| {
            workbook.push_worksheet(sheet);
            workbook.use_zip_large_file(bytes > LARGE);
            workbook.save_to_writer(&mut out)
        });
        let flushed = saved.and_then(|()| Ok(out.flush()?));
        if out.get_ref().full() {
            return Err(OutError::TooLarge { most });
        }
        flushed?;
        // Nothing is left in the buffer.
        Ok(out.into_parts().0.file)
    }
}

/// The library panics when the file with the rows cannot be written: a full disk is no mistake of ours.
fn guarded(work: impl FnOnce() -> Result<(), XlsxError>) -> Result<(), OutError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(refused),
        Err(_) => Err(OutError::Format(
            "the rows of the sheet cannot be written; is the disk full?".to_owned(),
        )),
    }
}

fn refused(error: XlsxError) -> OutError {
    match error {
        XlsxError::IoError(error) | XlsxError::TempFileError(_, error) => OutError::Io(error),
        error => OutError::Format(error.to_string()),
    }
}

/// The whole number, where a sheet has it exactly.
fn exact(number: i64) -> Option<f64> {
    (number.unsigned_abs() <= 1 << 53).then_some(number as f64)
}

/// The number by which a sheet knows the day; `None` before 1900-03-01, where the programs disagree.
fn serial(date: NaiveDate) -> Option<f64> {
    let first = NaiveDate::from_ymd_opt(1899, 12, 30)?;
    let days = i32::try_from((date - first).num_days()).ok()?;
    (61..2_958_466).contains(&days).then(|| days.into())
}

fn moment(at: Instant) -> Option<f64> {
    let time = at.date_time();
    let day = serial(time.date_naive())?;
    let micros = at.micros().rem_euclid(86_400_000_000);
    Some(day + micros as f64 / DAY)
}
