//! Conditions: `when = [{ column = "Status", in = ["A"] }]`. All must hold.

use super::ColumnId;
use crate::rows::Cell;

/// A condition on a column. Texts are compared without regard to case and white space around.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    pub(crate) column: ColumnId,
    pub(crate) test: Test,
}

/// What a cell is tested for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    /// One of these, lower case.
    In(Vec<String>),
    /// None of these, lower case.
    NotIn(Vec<String>),
    /// Filled (`true`) or empty (`false`).
    Present(bool),
}

impl Test {
    /// Whether the cell passes. A cell that cannot be read passes only the test of being there.
    pub(crate) fn holds(&self, cell: &Cell, empty: &[String]) -> bool {
        let text = cell.as_text().map(|text| text.trim().to_lowercase());
        match self {
            Self::In(values) => text.is_some_and(|text| values.contains(&text)),
            Self::NotIn(values) => text.is_some_and(|text| !values.contains(&text)),
            Self::Present(present) => {
                let filled = text.is_none_or(|text| !text.is_empty() && !empty.contains(&text));
                filled == *present
            }
        }
    }
}
