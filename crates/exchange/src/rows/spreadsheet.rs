//! Workbooks: XLSX (read cell by cell), XLS and ODS (held in memory by the library, within its own limits and ours).
//!
//! Must never choose a hidden sheet by itself, nor take an empty cell of a merged area for a missing value.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use calamine::{
    Data, DataType, Dimensions, Ods, OdsError, Reader, Sheet, SheetType, SheetVisible, Xls,
    XlsError, Xlsx, XlsxError,
};

use super::bounded::{problem_of_io, truncated};
use super::compressed::password;
use super::delimited::limited;
use super::header::{Header, letter};
use super::totals::Totals;
use super::{
    Cell, Content, Event, Format, Merged, ReadOptions, Row, Sink, Summary, empty, too_many_rows,
    workbook_parts,
};
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
        XlsError::Cfb(error) if error.to_string().contains("Workbook") => password(file.clone()),
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

/// Rows of cells on their way to the sink.
struct Table<'o, 's, 'f> {
    place: Place,
    merged: Vec<Dimensions>,
    /// The values of the first cells of merged areas, in the order of `merged`.
    anchors: Vec<Option<Cell>>,
    options: &'o ReadOptions,
    sink: &'s mut Sink<'f>,
    header: Option<(Header, u32)>,
    /// The column of the first header: a table need not begin in A.
    left: usize,
    totals: Totals,
    rows: u64,
}

type Flow = std::ops::ControlFlow<()>;

impl<'o, 's, 'f> Table<'o, 's, 'f> {
    fn new(
        place: Place,
        merged: Vec<Dimensions>,
        options: &'o ReadOptions,
        sink: &'s mut Sink<'f>,
    ) -> Self {
        Self {
            place,
            anchors: vec![None; merged.len()],
            merged,
            options,
            sink,
            header: None,
            left: 0,
            totals: Totals::new(&options.totals),
            rows: 0,
        }
    }

    fn notes(&mut self, notes: impl IntoIterator<Item = Problem>) -> Flow {
        for note in notes {
            (self.sink)(Event::Note(note))?;
        }
        Flow::Continue(())
    }

    /// Puts a value in its column; columns between are empty.
    fn put(
        &self,
        cells: &mut Vec<Cell>,
        row: u32,
        column: u32,
        data: &Data,
    ) -> Result<(), Problem> {
        let index = column as usize;
        let most = self.options.limits.columns;
        // A formatted but empty cell far to the right is no reason to refuse the sheet.
        if matches!(data, Data::Empty) {
            return Ok(());
        }
        if index >= most {
            return Err(Problem::new(
                code::LIMIT,
                self.place
                    .at_row(u64::from(row) + 1)
                    .at_column(&letter(index)),
                format!(
                    "The sheet has more than {most} columns; remove what stands to the right of the table."
                ),
                format!(
                    "Bladet har fler än {most} kolumner; ta bort det som står till höger om tabellen."
                ),
            ));
        }
        while cells.len() < index {
            cells.push(Cell::Empty);
        }
        let at = || self.at(row, index);
        cells.push(cell(data, self.options, at));
        Ok(())
    }

    /// The place of a cell, by its header where there is one.
    fn at(&self, row: u32, index: usize) -> Place {
        let letters = letter(index);
        let column = match &self.header {
            Some((header, _)) => match header.names().get(index.wrapping_sub(self.left)) {
                Some(name) if !name.is_empty() => format!("{name} ({letters})"),
                _ => letters,
            },
            None => letters,
        };
        self.place.at_row(u64::from(row) + 1).at_column(&column)
    }

    /// A row is complete.
    fn row(&mut self, row: u32, mut cells: Vec<Cell>) -> Result<Flow, Problem> {
        let number = u64::from(row) + 1;
        let before_header = self
            .options
            .header_row
            .is_some_and(|header| number < header);
        if before_header || cells.iter().all(Cell::is_blank) {
            return Ok(Flow::Continue(()));
        }
        let Some((_, header_row)) = &self.header else {
            self.left = cells.iter().position(|cell| !cell.is_blank()).unwrap_or(0);
            let names = cells
                .iter()
                .skip(self.left)
                .map(|cell| cell.as_text().unwrap_or_default());
            let header = Header::new(self.place.clone(), names);
            let mut flow = (self.sink)(Event::Header(&header));
            for duplicate in header.duplicates(number) {
                if flow.is_continue() {
                    flow = (self.sink)(Event::Note(duplicate));
                }
            }
            self.header = Some((header, row));
            return Ok(flow);
        };
        // Rows come in order; one that comes again would be counted twice.
        if row <= *header_row {
            return Err(damaged("rows are not in order", &self.place.at_row(number)));
        }
        self.fill_merged(row, &mut cells);
        self.rows += 1;
        if self.rows > self.options.limits.rows {
            return Err(too_many_rows(&self.place, &self.options.limits));
        }
        let width = self
            .header
            .as_ref()
            .map_or(0, |(header, _)| header.names().len());
        let surplus = cells
            .iter()
            .skip(self.left + width)
            .any(|cell| !cell.is_blank());
        let event = if surplus {
            Event::Refused(Problem::new(
                code::ROW_TOO_LONG,
                self.place.at_row(number),
                "A cell to the right of the last header is filled; give its column a header, or empty it.",
                "En cell till höger om den sista rubriken är ifylld; ge kolumnen en rubrik eller töm cellen.",
            ))
        } else {
            let mut cells: Vec<Cell> = cells.into_iter().skip(self.left).take(width).collect();
            cells.resize(width, Cell::Empty);
            Event::Row(Row {
                number,
                content: Content::Cells(cells),
            })
        };
        Ok(self.totals.pass(event, &self.place, self.sink))
    }

    /// Gives the cells of merged areas their value, or the problem that they have none.
    fn fill_merged(&mut self, row: u32, cells: &mut Vec<Cell>) {
        for (area, anchor) in self.merged.iter().zip(&mut self.anchors) {
            if !(area.start.0..=area.end.0).contains(&row) {
                continue;
            }
            let (first, last) = (area.start.1 as usize, area.end.1 as usize);
            if area.start.0 == row {
                *anchor = cells.get(first).cloned();
            }
            let value = anchor.clone().unwrap_or(Cell::Empty);
            if value.is_blank() {
                continue;
            }
            for column in first..=last.min(self.options.limits.columns) {
                if (row, column) == (area.start.0, first) {
                    continue;
                }
                while cells.len() <= column {
                    cells.push(Cell::Empty);
                }
                let Some(cell) = cells.get_mut(column).filter(|cell| cell.is_blank()) else {
                    continue;
                };
                *cell = match self.options.merged {
                    Merged::Fill => value.clone(),
                    Merged::Refuse => Cell::Refused(Box::new(merged_cell(
                        self.place
                            .at_row(u64::from(row) + 1)
                            .at_column(&letter(column)),
                        area,
                    ))),
                };
            }
        }
    }

    fn finish(mut self, file: &Place) -> Result<Summary, Problem> {
        if self.header.is_none() {
            return Err(empty(file));
        }
        let held = self.totals.finish(&self.place, self.sink);
        self.rows -= held;
        Ok(self.finish_early())
    }

    fn finish_early(&self) -> Summary {
        Summary {
            format: Format::Spreadsheet,
            rows: self.rows,
        }
    }
}

fn merged_cell(place: Place, area: &Dimensions) -> Problem {
    let name = |(row, column): (u32, u32)| format!("{}{}", letter(column as usize), row + 1);
    let area = format!("{}:{}", name(area.start), name(area.end));
    Problem::new(
        code::MERGED_CELL,
        place,
        format!(
            "The cell is part of the merged area {area}, whose value stands only in its first cell; unmerge it and fill in every row, or set input.merged = \"fill\" in the mapping."
        ),
        format!(
            "Cellen ingår i det sammanfogade området {area}, vars värde bara står i den första cellen; dela området och fyll i varje rad, eller sätt input.merged = \"fill\" i mappningen."
        ),
    )
}

fn cell(data: &Data, options: &ReadOptions, place: impl Fn() -> Place) -> Cell {
    match data {
        Data::Empty => Cell::Empty,
        Data::String(text) => limited(text.clone(), options, place),
        Data::Int(number) => Cell::Integer(*number),
        Data::Float(number) => Cell::Number(*number),
        Data::Bool(value) => Cell::Boolean(*value),
        Data::DateTime(time) if time.is_datetime() => match data.as_datetime() {
            Some(time) if time.time() == chrono::NaiveTime::MIN => Cell::Date(time.date()),
            Some(time) => Cell::DateTime(time),
            None => Cell::Number(time.as_f64()),
        },
        // A duration is none of ours, but its number may be.
        Data::DateTime(time) => Cell::Number(time.as_f64()),
        Data::DateTimeIso(text) => match (text.parse(), text.parse()) {
            (Ok(date), _) => Cell::Date(date),
            (_, Ok(time)) => Cell::DateTime(time),
            _ => Cell::Text(text.clone()),
        },
        Data::DurationIso(text) => Cell::Text(text.clone()),
        Data::Error(error) => Cell::Refused(Box::new(
            Problem::new(
                code::FORMULA_ERROR,
                place(),
                format!("The formula gives the error {error}; correct it in the workbook, or paste values."),
                format!("Formeln ger felet {error}; rätta den i arbetsboken eller klistra in värden."),
            )
            .with_value(&error.to_string()),
        )),
        // `Data` may grow; what is new is shown as text.
        #[expect(unreachable_patterns, reason = "new kinds of later versions")]
        other => Cell::Text(other.to_string()),
    }
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

fn damaged(what: &str, place: &Place) -> Problem {
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
