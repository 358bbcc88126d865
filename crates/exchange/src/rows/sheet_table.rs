//! The cells of a sheet on their way to rows: header, merged areas, totals, types of cells.

use calamine::{Data, DataType, Dimensions};

use super::delimited::limited;
use super::header::{Header, letter};
use super::spreadsheet::damaged;
use super::totals::Totals;
use super::{
    Cell, Content, Event, Format, Merged, ReadOptions, Row, Sink, Summary, empty, too_many_rows,
};
use crate::{Place, Problem, code};

/// Rows of cells on their way to the sink.
pub(super) struct Table<'o, 's, 'f> {
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

pub(super) type Flow = std::ops::ControlFlow<()>;

impl<'o, 's, 'f> Table<'o, 's, 'f> {
    pub(super) fn new(
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

    pub(super) fn notes(&mut self, notes: impl IntoIterator<Item = Problem>) -> Flow {
        for note in notes {
            (self.sink)(Event::Note(note))?;
        }
        Flow::Continue(())
    }

    /// Puts a value in its column; columns between are empty.
    pub(super) fn put(
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
    pub(super) fn row(&mut self, row: u32, mut cells: Vec<Cell>) -> Result<Flow, Problem> {
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

    pub(super) fn finish(mut self, file: &Place) -> Result<Summary, Problem> {
        if self.header.is_none() {
            return Err(empty(file));
        }
        let held = self.totals.finish(&self.place, self.sink);
        self.rows -= held;
        Ok(self.finish_early())
    }

    pub(super) fn finish_early(&self) -> Summary {
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
