//! Rows of totals at the end of a table.

use std::ops::ControlFlow;

use super::{Cell, Content, Event, Row, Sink};
use crate::{Place, Problem, code};

/// The words that begin a row of totals.
const WORDS: [&str; 9] = [
    "summa",
    "summering",
    "totalt",
    "total",
    "totalsumma",
    "delsumma",
    "sum",
    "subtotal",
    "grand",
];
const PHRASES: [&str; 3] = ["antal rader", "antal poster", "number of rows"];

/// Holds back a row that looks like totals until it is known whether it is the last.
#[derive(Default)]
pub(super) struct Totals {
    words: Vec<String>,
    held: Option<u64>,
}

impl Totals {
    pub(super) fn new(more: &[String]) -> Self {
        Self {
            words: more.iter().map(|word| word.to_lowercase()).collect(),
            held: None,
        }
    }

    /// Gives the event on, unless it is a row of totals. One that is followed by others is refused.
    pub(super) fn pass(
        &mut self,
        event: Event<'_>,
        place: &Place,
        sink: &mut Sink<'_>,
    ) -> ControlFlow<()> {
        if let Some(number) = self.held.take() {
            sink(Event::Refused(Problem::new(
                code::TOTALS_ROW,
                place.at_row(number),
                "The row looks like totals and stands among the others; remove it, or the word that it begins with.",
                "Raden ser ut som en summering och står bland de andra; ta bort den, eller ordet som den börjar med.",
            )))?;
        }
        match event {
            Event::Row(row) if self.is_totals(&row) => {
                self.held = Some(row.number);
                ControlFlow::Continue(())
            }
            other => sink(other),
        }
    }

    /// The table is over: the row that is held is the last. Returns how many rows were left out.
    pub(super) fn finish(&mut self, place: &Place, sink: &mut Sink<'_>) -> u64 {
        let Some(number) = self.held.take() else {
            return 0;
        };
        // Whether the sink wants more matters no longer: this is the last event.
        let _ = sink(Event::Note(Problem::new(
            code::TOTALS_ROW,
            place.at_row(number),
            "The last row holds totals and was left out.",
            "Den sista raden innehåller summor och lämnades utanför.",
        )));
        1
    }

    /// Begins with a word for totals, and nothing follows but numbers and empty cells.
    fn is_totals(&self, row: &Row) -> bool {
        let Content::Cells(cells) = &row.content else {
            return false;
        };
        let mut filled = cells.iter().filter(|cell| !cell.is_blank());
        let Some(Cell::Text(first)) = filled.next() else {
            return false;
        };
        let first = first.trim().to_lowercase();
        let word = first
            .split(|char: char| !char.is_alphanumeric())
            .next()
            .unwrap_or_default();
        let begins = WORDS.contains(&word)
            || PHRASES.iter().any(|phrase| first.starts_with(phrase))
            || self.words.iter().any(|own| first.starts_with(own.as_str()));
        // `Total Försvar AB` is a name; `Totalt antal: 7` is not.
        begins && filled.all(is_number) && filled_ratio_is_low(cells)
    }
}

/// A row of totals leaves most columns empty; in a table of two columns one is filled.
fn filled_ratio_is_low(cells: &[Cell]) -> bool {
    let filled = cells.iter().filter(|cell| !cell.is_blank()).count();
    filled * 2 <= cells.len().max(4)
}

fn is_number(cell: &Cell) -> bool {
    match cell {
        Cell::Integer(_) | Cell::Number(_) => true,
        Cell::Text(text) => {
            text.chars().any(|char| char.is_ascii_digit())
                && text
                    .chars()
                    .all(|char| char.is_ascii_digit() || " ,.-%\u{a0}".contains(char))
        }
        _ => false,
    }
}
