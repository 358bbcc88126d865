//! What can stand in a cell.

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::Value;

use crate::Problem;

/// A cell, with the type that the file gives it. A text file knows only texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// A text as it stands, not trimmed.
    Text(String),
    /// A whole number of JSON.
    Integer(i64),
    /// A number of a workbook or of JSON. Workbooks know no other: a personal identity number typed as digits is one.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A day.
    Date(NaiveDate),
    /// A day with a time.
    DateTime(NaiveDateTime),
    /// A list or object of JSON.
    Json(Value),
    /// A cell that cannot be read, and why.
    Refused(Box<Problem>),
}

/// Above this a floating-point number does not hold every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Cell {
    /// A text, or empty.
    #[must_use]
    pub fn text(text: &str) -> Self {
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// The cell of a JSON value.
    #[must_use]
    pub fn of_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Empty,
            Value::Bool(value) => Self::Boolean(*value),
            Value::String(text) => Self::text(text),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(float)) => Self::Number(float),
                (None, None) => Self::Text(number.to_string()),
            },
            Value::Array(_) | Value::Object(_) => Self::Json(value.clone()),
        }
    }

    /// Whether there is nothing in it: empty, or white space only.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }

    /// The cell as text: dates as `YYYY-MM-DD`, whole numbers without decimals. `None` for lists, objects and refused
    /// cells.
    #[must_use]
    pub fn as_text(&self) -> Option<String> {
        match self {
            Self::Empty => Some(String::new()),
            Self::Text(text) => Some(text.clone()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Number(number) => Some(number.to_string()),
            Self::Boolean(value) => Some(value.to_string()),
            Self::Date(date) => Some(date.to_string()),
            Self::DateTime(time) => Some(time.format("%Y-%m-%dT%H:%M:%S").to_string()),
            Self::Json(_) | Self::Refused(_) => None,
        }
    }

    /// The whole number that a floating-point cell holds exactly.
    #[must_use]
    pub fn exact_integer(&self) -> Option<String> {
        match self {
            Self::Integer(number) => Some(number.to_string()),
            Self::Number(number) if number.fract() == 0.0 && number.abs() < EXACT => {
                Some(number.to_string())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_come_back_only_when_exact() {
        assert_eq!(
            Cell::Number(189_001_019_802.0).exact_integer().as_deref(),
            Some("189001019802")
        );
        assert_eq!(Cell::Number(0.5).exact_integer(), None);
        assert_eq!(Cell::Number(1e17).exact_integer(), None);
        assert_eq!(Cell::Number(75.5).as_text().as_deref(), Some("75.5"));
    }

    #[test]
    fn json_values_keep_their_type() {
        assert_eq!(Cell::of_json(&serde_json::json!(7)), Cell::Integer(7));
        assert_eq!(Cell::of_json(&serde_json::json!(null)), Cell::Empty);
        assert_eq!(Cell::of_json(&serde_json::json!("")), Cell::Empty);
        assert!(Cell::of_json(&serde_json::json!("  ")).is_blank());
    }
}
