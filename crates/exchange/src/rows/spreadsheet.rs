//! Workbooks: XLSX (read cell by cell), XLS and ODS (held in memory by the library, within its own limits and ours).
//!
//! Must never choose a hidden sheet by itself, nor take an empty cell of a merged area for a missing value.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use calamine::{
    Data, Dimensions, Ods, OdsError, Reader, Sheet, SheetType, SheetVisible, Xls, XlsError, Xlsx,
    XlsxError,
};

use super::bounded::{problem_of_io, truncated};
use super::compressed::password;
use super::sheet_table::Table;
use super::{Cell, ReadOptions, Sink, Summary, workbook_parts};
use crate::{Place, Problem, code};

pub(super) fn xlsx<R: Read + Seek>(
    mut input: R,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let file = Place::of_file(&options.file);
    let chosen = {
        let workbook: Xlsx<_> =
            Xlsx::new(&mut input).map_err(|error| problem_of_xlsx(error, &file))?;
        choose(workbook.sheets_metadata(), options, &file)?
    };
    rewind(&mut input, &file)?;
    let hidden = workbook_parts::hidden(&mut input, &chosen.name, options);
    rewind(&mut input, &file)?;
    let mut workbook: Xlsx<_> = Xlsx::new(input).map_err(|error| problem_of_xlsx(error, &file))?;
    let place = chosen.place(&file);
    let merged = workbook
        .merge_cells_by_sheet_name(&chosen.name)
        .map_err(|error| problem_of_xlsx(error, &place))?;
    let mut table = Table::new(place.clone(), merged, options, sink);
    if table.notes(chosen.note).is_break() {
        return Ok(table.finish_early());
    }
    let mut cells = workbook
        .worksheet_cells_reader(&chosen.name)
        .map_err(|error| problem_of_xlsx(error, &place))?;
    let mut current: Option<(u32, Vec<Cell>)> = None;
    loop {
        let next = cells.next_cell().map_err(|error| {
            let at = current.as_ref().map_or_else(
                || place.clone(),
                |(row, _)| place.at_row(u64::from(*row) + 1),
            );
            problem_of_xlsx(error, &at)
        })?;
        let Some(cell) = next else {
            break;
        };
        let (row, column) = cell.get_position();
        if current.as_ref().is_none_or(|(known, _)| *known != row)
            && let Some((row, cells)) = current.replace((row, Vec::new()))
            && table.row(row, cells)?.is_break()
        {
            return Ok(table.finish_early());
        }
        let data = Data::from(cell.get_value().clone());
        if let Some((_, cells)) = &mut current {
            table.put(cells, row, column, &data)?;
        }
    }
    if let Some((row, cells)) = current
        && table.row(row, cells)?.is_break()
    {
        return Ok(table.finish_early());
    }
    if let Some(note) = hidden
        && table.notes(Some(note)).is_break()
    {
        return Ok(table.finish_early());
    }
    table.finish(&file)
}

pub(super) fn xls<R: Read + Seek>(
    input: R,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let file = Place::of_file(&options.file);
    let mut workbook: Xls<_> = Xls::new(input).map_err(|error| match error {
        XlsError::Password => password(file.clone()),
        XlsError::Io(error) => problem_of_io(&error, &file),
        // A workbook of today that is encrypted has the outside of an old one.
        XlsError::Cfb(error) if error.to_string().contains("Workbook") => Problem::new(
            code::PASSWORD,
            file.clone(),
            "The file is protected by a password, or is no workbook; save it as XLSX without a password.",
            "Filen är skyddad med lösenord eller är ingen arbetsbok; spara den som XLSX utan lösenord.",
        ),
        other => damaged(&other.to_string(), &file),
    })?;
    let chosen = choose(workbook.sheets_metadata(), options, &file)?;
    let place = chosen.place(&file);
    let merged = workbook
        .merge_cells_by_sheet_name(&chosen.name)
        .unwrap_or_default();
    let range = workbook
        .worksheet_range(&chosen.name)
        .map_err(|error| damaged(&error.to_string(), &place))?;
    held(&range, chosen, merged, options, sink)
}

pub(super) fn ods<R: Read + Seek>(
    input: R,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let file = Place::of_file(&options.file);
    let mut workbook: Ods<_> = Ods::new(input).map_err(|error| match error {
        OdsError::Password => password(file.clone()),
        OdsError::Io(error) => problem_of_io(&error, &file),
        OdsError::Eof(_) => truncated(file.clone()),
        other => damaged(&other.to_string(), &file),
    })?;
    let chosen = choose(workbook.sheets_metadata(), options, &file)?;
    let range = workbook
        .worksheet_range(&chosen.name)
        .map_err(|error| damaged(&error.to_string(), &file))?;
    // The library does not tell of merged areas of ODS; their other cells are empty.
    held(&range, chosen, Vec::new(), options, sink)
}

/// The rows of a sheet that is in memory.
fn held(
    range: &calamine::Range<Data>,
    chosen: Chosen,
    merged: Vec<Dimensions>,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let file = Place::of_file(&options.file);
    let place = chosen.place(&file);
    let (height, width) = range.get_size();
    if (height as u64).saturating_mul(width as u64) > options.limits.held_cells {
        let most = options.limits.held_cells;
        return Err(Problem::new(
            code::LIMIT,
            place,
            format!(
                "The sheet spans more than {most} cells, too many for this kind of workbook; save it as XLSX or CSV."
            ),
            format!(
                "Bladet spänner över fler än {most} celler, för många för denna typ av arbetsbok; spara det som XLSX eller CSV."
            ),
        ));
    }
    let mut table = Table::new(place, merged, options, sink);
    if table.notes(chosen.note).is_break() {
        return Ok(table.finish_early());
    }
    let (top, left) = range.start().unwrap_or_default();
    for (row, values) in (top..).zip(range.rows()) {
        let mut cells = Vec::with_capacity(values.len());
        for (column, data) in (left..).zip(values) {
            table.put(&mut cells, row, column, data)?;
        }
        if table.row(row, cells)?.is_break() {
            return Ok(table.finish_early());
        }
    }
    table.finish(&file)
}

/// The sheet that is read, and what to say of the others.
struct Chosen {
    name: String,
    note: Option<Problem>,
}

impl Chosen {
    fn place(&self, file: &Place) -> Place {
        Place {
            sheet: Some(Arc::from(self.name.as_str())),
            ..file.clone()
        }
    }
}

fn choose(sheets: &[Sheet], options: &ReadOptions, file: &Place) -> Result<Chosen, Problem> {
    let tables: Vec<&Sheet> = sheets
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet)
        .collect();
    let names = |sheets: &[&Sheet]| {
        let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
        names.join(", ")
    };
    if let Some(wanted) = &options.sheet {
        return match tables.iter().find(|sheet| sheet.name == *wanted) {
            Some(sheet) => Ok(Chosen {
                name: sheet.name.clone(),
                note: None,
            }),
            None => Err(Problem::new(
                code::UNKNOWN_SHEET,
                file.clone(),
                format!(
                    "The workbook has no sheet \"{wanted}\"; it has: {}.",
                    names(&tables)
                ),
                format!(
                    "Arbetsboken har inget blad \"{wanted}\"; den har: {}.",
                    names(&tables)
                ),
            )),
        };
    }
    let visible: Vec<&Sheet> = tables
        .iter()
        .copied()
        .filter(|sheet| sheet.visible == SheetVisible::Visible)
        .collect();
    let Some(first) = visible.first() else {
        return Err(Problem::new(
            code::UNKNOWN_SHEET,
            file.clone(),
            format!(
                "Every sheet of the workbook is hidden ({}); say in the mapping which one to read.",
                names(&tables)
            ),
            format!(
                "Alla blad i arbetsboken är dolda ({}); ange i mappningen vilket som ska läsas.",
                names(&tables)
            ),
        ));
    };
    let note = (tables.len() > 1).then(|| {
        Problem::new(
            code::OTHER_SHEETS,
            file.clone(),
            format!(
                "The sheet \"{}\" is read, since the mapping names none; the workbook has: {}.",
                first.name,
                names(&tables)
            ),
            format!(
                "Bladet \"{}\" läses, eftersom mappningen inte anger något; arbetsboken har: {}.",
                first.name,
                names(&tables)
            ),
        )
    });
    Ok(Chosen {
        name: first.name.clone(),
        note,
    })
}

fn rewind<R: Seek>(input: &mut R, place: &Place) -> Result<(), Problem> {
    input
        .seek(SeekFrom::Start(0))
        .map(|_| ())
        .map_err(|error| problem_of_io(&error, place))
}

fn problem_of_xlsx(error: XlsxError, place: &Place) -> Problem {
    match error {
        XlsxError::Io(error) => problem_of_io(&error, place),
        XlsxError::XmlEof(_) => truncated(place.clone()),
        XlsxError::Password => password(place.clone()),
        other => damaged(&other.to_string(), place),
    }
}

pub(super) fn damaged(what: &str, place: &Place) -> Problem {
    Problem::new(
        code::UNREADABLE_FILE,
        place.clone(),
        format!(
            "The workbook cannot be read ({what}); open it, save it anew as XLSX and send that."
        ),
        format!(
            "Arbetsboken går inte att läsa ({what}); öppna den, spara den på nytt som XLSX och skicka den."
        ),
    )
}
