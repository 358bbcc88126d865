//! What the benchmarks print: a table of ratios, with the medians and spreads behind them.

use std::fmt;

/// Median, least and greatest of several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        Self {
            median: at(sorted.len() / 2),
            least: at(0),
            greatest: at(sorted.len().saturating_sub(1)),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} ({:.1}–{:.1})",
            self.median, self.least, self.greatest
        )
    }
}

/// The rows, printed as Markdown as they come.
#[derive(Default)]
pub(crate) struct Table {
    begun: bool,
    notes: Vec<String>,
    missed: usize,
}

#[expect(
    clippy::print_stdout,
    reason = "the table is the output of this program"
)]
impl Table {
    /// Ours against the ceiling. The ratio is above 1 where ours is better, whatever is measured.
    pub(crate) fn row(
        &mut self,
        name: &str,
        ours: &Spread,
        ceiling: &Spread,
        ratio: f64,
        at_least: f64,
    ) {
        if !self.begun {
            println!("| path | ours | ceiling | ratio | at least | |\n|---|---|---|---|---|---|");
            self.begun = true;
        }
        let verdict = if ratio >= at_least { "met" } else { "missed" };
        self.missed += usize::from(ratio < at_least);
        println!("| {name} | {ours} | {ceiling} | {ratio:.2} | {at_least} | {verdict} |");
    }

    /// A figure without a ratio; printed below the table.
    pub(crate) fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    pub(crate) fn finish(self) {
        println!();
        for note in &self.notes {
            println!("- {note}");
        }
        println!("- ratios missed: {}", self.missed);
    }
}
