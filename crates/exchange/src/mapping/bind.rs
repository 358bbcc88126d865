//! Binding a mapping to the columns of a file.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Context, FileId, Mapping, RecordSpec};
use crate::rows::{Cell, ColumnError, Content, Header, Row};
use crate::{Place, Problem, code};

/// A mapping whose columns have been found in a file.
#[derive(Debug, Clone)]
pub struct Bound {
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) context: Context,
    pub(crate) place: Place,
    /// The file of a package that the rows are of.
    file: Option<FileId>,
    selectors: Vec<Selector>,
    labels: Vec<String>,
}

/// Where a column's value is.
#[derive(Debug, Clone)]
enum Selector {
    Cell(usize),
    Path(Vec<String>),
    Item(Vec<String>),
    /// An optional column that the file does not have, or a column of another file of the package.
    Nowhere,
}

impl Mapping {
    /// Finds the columns in the file.
    ///
    /// # Errors
    /// Every column that is missing or stands twice.
    pub fn bind(
        self: &Arc<Self>,
        header: &Header,
        context: &Context,
    ) -> Result<Bound, Vec<Problem>> {
        self.bind_file(header, context, None)
    }

    /// The same for the records of one file of a package.
    pub(crate) fn bind_file(
        self: &Arc<Self>,
        header: &Header,
        context: &Context,
        file: Option<FileId>,
    ) -> Result<Bound, Vec<Problem>> {
        let used: HashSet<usize> = self
            .records
            .iter()
            .filter(|record| record.file == file)
            .flat_map(|record| record.columns.iter().copied())
            .collect();
        let mut problems = Vec::new();
        let mut selectors = Vec::with_capacity(self.columns.len());
        let mut labels = Vec::with_capacity(self.columns.len());
        for (index, column) in self.columns.iter().enumerate() {
            let name = column.name.as_str();
            let mut label = name.to_owned();
            let selector = if !used.contains(&index) {
                Selector::Nowhere
            } else if let Some(path) = name.strip_prefix('@') {
                Selector::Item(steps(path))
            } else if header.is_objects() {
                Selector::Path(steps(name))
            } else {
                match header.find(name) {
                    Ok(index) => {
                        label = header.label(index);
                        Selector::Cell(index)
                    }
                    Err(ColumnError::Missing { .. }) if column.optional => Selector::Nowhere,
                    Err(error) => {
                        problems.push(missing(header.place(), name, error));
                        Selector::Nowhere
                    }
                }
            };
            selectors.push(selector);
            labels.push(label);
        }
        if problems.is_empty() {
            Ok(Bound {
                mapping: Arc::clone(self),
                context: context.clone(),
                place: header.place().clone(),
                file,
                selectors,
                labels,
            })
        } else {
            Err(problems)
        }
    }
}

impl Bound {
    /// The records that are made of the rows.
    pub(crate) fn records(&self) -> impl Iterator<Item = &RecordSpec> {
        self.mapping
            .records
            .iter()
            .filter(|record| record.file == self.file)
    }

    /// The value of a column in the row, or in the item of an `each`.
    pub(crate) fn cell<'r>(
        &self,
        column: usize,
        row: &'r Row,
        item: Option<&'r Value>,
    ) -> Cow<'r, Cell> {
        const NOTHING: Cell = Cell::Empty;
        let nothing = || Cow::Owned(NOTHING);
        match (self.selectors.get(column), &row.content) {
            (Some(Selector::Cell(index)), Content::Cells(cells)) => {
                cells.get(*index).map_or_else(nothing, Cow::Borrowed)
            }
            (Some(Selector::Path(path)), Content::Object(object)) => {
                follow(object, path).map_or_else(nothing, |value| Cow::Owned(Cell::of_json(value)))
            }
            (Some(Selector::Item(path)), _) => item
                .and_then(|item| follow(item, path))
                .map_or_else(nothing, |value| Cow::Owned(Cell::of_json(value))),
            _ => nothing(),
        }
    }

    /// The column as messages name it.
    pub(crate) fn label(&self, column: usize) -> &str {
        self.labels.get(column).map_or("", String::as_str)
    }
}

fn missing(place: &Place, name: &str, error: ColumnError) -> Problem {
    let place = place.at_column(name);
    match error {
        ColumnError::Missing { nearest } => {
            let (did, menade) = match nearest {
                Some(nearest) => (
                    format!(" The file has \"{nearest}\": is it the same?"),
                    format!(" Filen har \"{nearest}\": är det samma?"),
                ),
                None => (String::new(), String::new()),
            };
            Problem::new(
                code::MISSING_COLUMN,
                place,
                format!(
                    "The file has no column \"{name}\", which the mapping uses.{did} If titles stand above the headers, set input.header-row."
                ),
                format!(
                    "Filen har ingen kolumn \"{name}\", som mappningen använder.{menade} Om det står titlar ovanför rubrikerna, sätt input.header-row."
                ),
            )
        }
        ColumnError::Duplicate { letters } => Problem::new(
            code::DUPLICATE_COLUMN,
            place,
            format!(
                "The columns {} have the same header \"{name}\", which the mapping uses; rename all but one, or write # and the number of the column in the mapping.",
                letters.join(", ")
            ),
            format!(
                "Kolumnerna {} har samma rubrik \"{name}\", som mappningen använder; byt namn på alla utom en, eller skriv # och kolumnens nummer i mappningen.",
                letters.join(", ")
            ),
        ),
    }
}

/// `a.b`, or the JSON Pointer `/a/b` for names with points in them.
fn steps(path: &str) -> Vec<String> {
    match path.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => path
            .split('.')
            .filter(|step| !step.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

fn follow<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}
