//! The whole way: a file and a mapping to drafts.

use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::mapping::{Bound, Context, Mapped, Mapping};
use crate::package::{self, Completeness};
use crate::rows::{self, Event, Sink, Summary};
use crate::{Limits, Problem};

/// What comes out, row by row.
#[derive(Debug)]
pub enum Converted {
    /// A row, with its drafts or its problems.
    Row(Mapped),
    /// A row that could not be read as a row.
    Refused(Problem),
    /// Something worth knowing about the file.
    Note(Problem),
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was read: of several files the format of the first, and the rows of all.
    pub summary: Summary,
    /// Rows that became drafts, none included (a row that no record's conditions take).
    pub mapped: u64,
    /// Rows with problems.
    pub rejected: u64,
    /// The columns of the file as it names them; of several files each with the name of its file before it. None of objects,
    /// whose properties differ from one to the next.
    pub columns: Vec<String>,
    /// What the delivery says of itself, where it does (a manifest of OneRoster). A delta must not be loaded as full.
    pub completeness: Option<Completeness>,
}

/// Reads a file, or the files of a package where the mapping names them, maps the rows and gives them to the sink, one at a
/// time. `file` is the name for messages.
///
/// # Errors
/// The problems that concern the file as a whole: it cannot be read to its end, or columns or files of the mapping are
/// missing. What the sink has been given before is then not all there is.
pub fn convert<R: Read + Seek>(
    input: R,
    file: &str,
    mapping: &Arc<Mapping>,
    context: &Context,
    limits: &Limits,
    sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
) -> Result<Outcome, Vec<Problem>> {
    if mapping.is_for_package() {
        return package::convert(input, file, mapping, context, limits, sink);
    }
    let options = mapping.read_options(file, limits.clone());
    let mut progress = Progress::default();
    let summary = progress.file(mapping, context, None, sink, |events| {
        rows::read(input, &options, events)
    })?;
    Ok(progress.outcome(summary, None))
}

/// What has been mapped so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    mapped: u64,
    rejected: u64,
    columns: Vec<String>,
    /// The sink wants no more.
    pub(crate) enough: bool,
}

impl Progress {
    /// Maps the rows of one file. `read` gives the events of the file to what it is handed.
    pub(crate) fn file(
        &mut self,
        mapping: &Arc<Mapping>,
        context: &Context,
        id: Option<usize>,
        sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
        read: impl FnOnce(&mut Sink<'_>) -> Result<Summary, Problem>,
    ) -> Result<Summary, Vec<Problem>> {
        let mut bound: Option<Bound> = None;
        let mut missing = Vec::new();
        let summary = read(&mut |event| match event {
            Event::Header(header) => {
                self.columns(header, id.is_some());
                match mapping.bind_file(header, context, id) {
                    Ok(found) => {
                        bound = Some(found);
                        ControlFlow::Continue(())
                    }
                    Err(problems) => {
                        missing = problems;
                        ControlFlow::Break(())
                    }
                }
            }
            Event::Row(row) => match &bound {
                Some(bound) => self.row(sink, bound.map(&row)),
                // The header comes first; a reader that forgets it gives no rows.
                None => ControlFlow::Break(()),
            },
            Event::Refused(problem) => self.refused(sink, problem),
            Event::Note(note) => self.hand(sink, Converted::Note(note)),
        });
        if !missing.is_empty() {
            return Err(missing);
        }
        summary.map_err(|problem| vec![problem])
    }

    fn columns(&mut self, header: &rows::Header, of_several: bool) {
        let file = &header.place().file;
        let file = file.rsplit('/').next().unwrap_or(file);
        let names = header.names().iter().filter(|name| !name.is_empty());
        self.columns.extend(names.map(|name| {
            if of_several {
                format!("{file}: {name}")
            } else {
                name.to_string()
            }
        }));
    }

    /// A row has been mapped.
    pub(crate) fn row(
        &mut self,
        sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
        row: Mapped,
    ) -> ControlFlow<()> {
        match &row.outcome {
            Ok(_) => self.mapped += 1,
            Err(_) => self.rejected += 1,
        }
        self.hand(sink, Converted::Row(row))
    }

    /// A row could not be read.
    pub(crate) fn refused(
        &mut self,
        sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
        problem: Problem,
    ) -> ControlFlow<()> {
        self.rejected += 1;
        self.hand(sink, Converted::Refused(problem))
    }

    fn hand(
        &mut self,
        sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
        converted: Converted,
    ) -> ControlFlow<()> {
        let flow = sink(converted);
        self.enough |= flow.is_break();
        flow
    }

    pub(crate) fn outcome(self, summary: Summary, completeness: Option<Completeness>) -> Outcome {
        Outcome {
            summary,
            mapped: self.mapped,
            rejected: self.rejected,
            columns: self.columns,
            completeness,
        }
    }
}
