//! The whole way: a file and a mapping to drafts.

use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::mapping::{Bound, Context, Mapped, Mapping};
use crate::rows::{self, Event, ReadOptions, Summary};
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
    /// What was read.
    pub summary: Summary,
    /// Rows that became drafts, none included (a row that no record's conditions take).
    pub mapped: u64,
    /// Rows with problems.
    pub rejected: u64,
}

/// Reads a file, maps its rows and gives them to the sink, one at a time. `file` is the name for messages.
///
/// # Errors
/// The problems that concern the file as a whole: it cannot be read to its end, or columns of the mapping are missing. What
/// the sink has been given before is then not all there is.
pub fn convert<R: Read + Seek>(
    input: R,
    file: &str,
    mapping: &Arc<Mapping>,
    context: &Context,
    limits: &Limits,
    sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
) -> Result<Outcome, Vec<Problem>> {
    let options = mapping.read_options(file, limits.clone());
    convert_with(input, &options, mapping, context, sink)
}

fn convert_with<R: Read + Seek>(
    input: R,
    options: &ReadOptions,
    mapping: &Arc<Mapping>,
    context: &Context,
    sink: &mut dyn FnMut(Converted) -> ControlFlow<()>,
) -> Result<Outcome, Vec<Problem>> {
    let mut bound: Option<Bound> = None;
    let mut missing = Vec::new();
    let (mut mapped, mut rejected) = (0, 0);
    let summary = rows::read(input, options, &mut |event| match event {
        Event::Header(header) => match mapping.bind(header, context) {
            Ok(found) => {
                bound = Some(found);
                ControlFlow::Continue(())
            }
            Err(problems) => {
                missing = problems;
                ControlFlow::Break(())
            }
        },
        Event::Row(row) => match &bound {
            Some(bound) => {
                let row = bound.map(&row);
                match &row.outcome {
                    Ok(_) => mapped += 1,
                    Err(_) => rejected += 1,
                }
                sink(Converted::Row(row))
            }
            // The header comes first; a reader that forgets it gives no rows.
            None => ControlFlow::Break(()),
        },
        Event::Refused(problem) => {
            rejected += 1;
            sink(Converted::Refused(problem))
        }
        Event::Note(note) => sink(Converted::Note(note)),
    });
    if !missing.is_empty() {
        return Err(missing);
    }
    Ok(Outcome {
        summary: summary.map_err(|problem| vec![problem])?,
        mapped,
        rejected,
    })
}
