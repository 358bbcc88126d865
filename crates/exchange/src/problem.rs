//! What is wrong with a file, a row or a cell: where it is as the reader of the file sees it, and what to do about it, in
//! English and Swedish.
//!
//! Must never hold a personal identity number: every value passes [`mask`] on its way in.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// How many characters of a value are shown.
const SHOWN: usize = 60;

/// One thing that is wrong. The codes are those of [`code`] and are stable; the messages say what to do and may be
/// reworded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// One of [`code`], or a code of validation errors where a format of the model was not met.
    pub code: &'static str,
    /// Where.
    #[serde(flatten)]
    pub place: Box<Place>,
    /// The value, shortened, and masked when it looks like a personal identity number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong and what to do, in English.
    pub message: String,
    /// What is wrong and what to do, in Swedish.
    pub message_sv: String,
}

/// A place in a file, as somebody who has the file open sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The name of the file.
    pub file: Arc<str>,
    /// The sheet of a workbook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<Arc<str>>,
    /// The row from 1, headers counted: the row of a sheet, the line of a text file on which the row begins, or the
    /// number of the object in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The name of the column, or its letter where it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<Arc<str>>,
}

impl Place {
    /// A whole file.
    #[must_use]
    pub fn of_file(file: &str) -> Self {
        Self {
            file: Arc::from(file),
            ..Self::default()
        }
    }

    /// The same place with a row.
    #[must_use]
    pub fn at_row(&self, row: u64) -> Self {
        Self {
            row: Some(row),
            column: None,
            ..self.clone()
        }
    }

    /// The same place with a column.
    #[must_use]
    pub fn at_column(&self, column: &str) -> Self {
        Self {
            column: Some(Arc::from(column)),
            ..self.clone()
        }
    }

    /// The place in words: `hr.xlsx, sheet Staff, row 7, column Personnr`.
    fn words(&self, swedish: bool) -> String {
        let (sheet, row, column) = if swedish {
            ("bladet", "rad", "kolumnen")
        } else {
            ("sheet", "row", "column")
        };
        let mut words = self.file.to_string();
        if let Some(name) = &self.sheet {
            words.push_str(&format!(", {sheet} {name}"));
        }
        if let Some(number) = self.row {
            words.push_str(&format!(", {row} {number}"));
        }
        if let Some(name) = &self.column {
            words.push_str(&format!(", {column} {name}"));
        }
        words
    }
}

impl Problem {
    /// A problem without a value.
    pub fn new(
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        message_sv: impl Into<String>,
    ) -> Self {
        Self {
            code,
            place: Box::new(place),
            value: None,
            message: message.into(),
            message_sv: message_sv.into(),
        }
    }

    /// Adds the value, masked and shortened.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.value = Some(shown(value));
        self
    }

    /// The whole in one Swedish line.
    #[must_use]
    pub fn in_swedish(&self) -> String {
        let value = self
            .value
            .as_ref()
            .map(|value| format!(" (värdet är \"{value}\")"))
            .unwrap_or_default();
        format!("{}: {}{value}", self.place.words(true), self.message_sv)
    }
}

/// The whole in one English line.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place.words(false), self.message)?;
        match &self.value {
            Some(value) => write!(f, " (the value is \"{value}\")"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The value as a message may show it.
#[must_use]
pub fn shown(value: &str) -> String {
    let mut start: String = value.chars().take(SHOWN + 1).collect();
    let long = start.chars().count() > SHOWN;
    if long {
        start.pop();
    }
    // Control characters would break lines of reports.
    let mut shown = mask(&start.replace(char::is_control, " "));
    if long {
        shown.push('…');
    }
    shown
}

/// Replaces the last four digits of everything that looks like a personal identity number, a coordination number or a
/// temporary one: nine or more digits (a leading zero may be lost) with at most one separator between two of them.
#[must_use]
pub fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut masked = String::with_capacity(text.len());
    let mut rest = chars.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if !first.is_ascii_digit() {
            masked.push(*first);
            rest = after;
            continue;
        }
        let length = number_length(rest);
        let (number, after) = rest.split_at(length);
        let digits = number.iter().filter(|char| char.is_ascii_digit()).count();
        // `20130101TF01` and `20130101T001`: a letter or two among the last four.
        let temporary = digits == 8 && after.first().is_some_and(char::is_ascii_uppercase);
        if temporary {
            masked.extend(number);
            masked.push_str("****");
            rest = after.get(4..).unwrap_or_default();
            continue;
        }
        let kept = if digits >= 9 { digits - 4 } else { digits };
        let mut seen = 0;
        for char in number {
            seen += usize::from(char.is_ascii_digit());
            masked.push(if char.is_ascii_digit() && seen > kept {
                '*'
            } else {
                *char
            });
        }
        rest = after;
    }
    masked
}

/// How far the digits reach, with single separators between them.
fn number_length(chars: &[char]) -> usize {
    let mut length = 0;
    let mut previous_digit = false;
    for (index, char) in chars.iter().enumerate() {
        if char.is_ascii_digit() {
            length = index + 1;
            previous_digit = true;
        } else if previous_digit
            && "-+ .,\u{a0}\u{2010}\u{2011}\u{2012}\u{2013}\u{2212}".contains(*char)
        {
            previous_digit = false;
        } else {
            break;
        }
    }
    length
}

/// The stable codes of [`Problem`]. Where the format of a value is not met, the code is that of the model's validation
/// errors (`docs/annotations.md`): `invalid-format`, `invalid-date`, `check-digit`, `out-of-range`, `unknown-code`.
pub mod code {
    /// The file holds nothing.
    pub const EMPTY_FILE: &str = "empty-file";
    /// The file ends before it should.
    pub const TRUNCATED_FILE: &str = "truncated-file";
    /// The file cannot be read as what it is said or seems to be.
    pub const UNREADABLE_FILE: &str = "unreadable-file";
    /// What became of the academic sessions of OneRoster.
    pub const TERMS: &str = "academic-sessions";
    /// A page of HTML in the place of the file.
    pub const PAGE: &str = "html-page";
    /// Nobody can tell what kind of file it is.
    pub const UNKNOWN_FORMAT: &str = "unknown-format";
    /// The workbook or archive is protected by a password.
    pub const PASSWORD: &str = "password-protected";
    /// The archive does not hold exactly one file.
    pub const ARCHIVE: &str = "archive-content";
    /// More comes out of a compressed file than is allowed.
    pub const DECOMPRESSED_SIZE: &str = "decompressed-size";
    /// A limit on rows, columns, cells or objects.
    pub const LIMIT: &str = "limit-exceeded";
    /// Bytes that are not of the file's encoding.
    pub const ENCODING: &str = "wrong-encoding";
    /// Text that has been encoded twice.
    pub const DOUBLE_ENCODED: &str = "double-encoded";
    /// The workbook has no such sheet.
    pub const UNKNOWN_SHEET: &str = "unknown-sheet";
    /// The workbook has more sheets than the one that is read.
    pub const OTHER_SHEETS: &str = "other-sheets";
    /// A column that the mapping needs is missing.
    pub const MISSING_COLUMN: &str = "missing-column";
    /// A column that the mapping needs is there more than once.
    pub const DUPLICATE_COLUMN: &str = "duplicate-column";
    /// Fewer cells than headers.
    pub const ROW_TOO_SHORT: &str = "row-too-short";
    /// More cells than headers.
    pub const ROW_TOO_LONG: &str = "row-too-long";
    /// A row of totals, left out at the end or refused before it.
    pub const TOTALS_ROW: &str = "totals-row";
    /// A cell that belongs to a merged area and has no value of its own.
    pub const MERGED_CELL: &str = "merged-cell";
    /// Rows or columns that are hidden in the workbook and are read all the same.
    pub const HIDDEN: &str = "hidden-cells";
    /// A formula gave an error.
    pub const FORMULA_ERROR: &str = "formula-error";
    /// A number was stored as a floating-point number and could be restored exactly.
    pub const NUMBER_RESTORED: &str = "number-restored";
    /// A number was stored as a floating-point number and digits are lost.
    pub const NUMBER_LOST: &str = "number-lost-digits";
    /// The text is not JSON, or not where a list of objects is expected.
    pub const JSON: &str = "invalid-json";
    /// The text is not XML, or not of the kind expected.
    pub const XML: &str = "invalid-xml";
    /// The mapping needs a value, and the cell is empty.
    pub const MISSING_VALUE: &str = "missing-value";
    /// The value is not of the kind that the mapping says.
    pub const WRONG_KIND: &str = "wrong-kind";
    /// The translation table has no such value.
    pub const UNTRANSLATED: &str = "untranslated-value";
    /// The period ends before it begins.
    pub const PERIOD: &str = "empty-period";
    /// A file that the mapping needs is not in the delivery.
    pub const MISSING_FILE: &str = "missing-file";
    /// A file of the delivery that the mapping does not use.
    pub const UNUSED_FILE: &str = "unused-file";
    /// What the manifest says and what the delivery holds do not agree.
    pub const MANIFEST: &str = "invalid-manifest";
    /// A GeoPackage was copied while a program had it open.
    pub const OPEN_ELSEWHERE: &str = "open-elsewhere";
    /// A layer's reference system is not known.
    pub const REFERENCE_SYSTEM: &str = "unknown-reference-system";
    /// The object is not a record as the native format has them.
    pub const NATIVE: &str = "invalid-record";
    /// The mapping file is wrong.
    pub const MAPPING: &str = "invalid-mapping";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_identity_numbers_are_masked_however_they_are_written() {
        for (given, expected) in [
            ("189001019802", "18900101****"),
            ("18900101-9802", "18900101-****"),
            ("900101+9802", "900101+****"),
        ] {
            assert_eq!(mask(given), expected);
        }
        assert!(!mask("9001019802.0").contains("9802"));
        assert!(!mask("1.89001019802E11").contains("9802"));
        assert!(!mask("nr 18 90 01 01 98 02 i listan").contains("98 02"));
        assert_eq!(mask("20130101TF01"), "20130101****");
        for harmless in ["2026-11-22", "12345678", "Kyrkvägen 4 A", "104422", ""] {
            assert_eq!(mask(harmless), harmless);
        }
    }

    #[test]
    fn long_values_are_shortened_and_stay_on_one_line() {
        let shown = shown(&format!("a\nb{}", "x".repeat(1_000_000)));
        assert_eq!(shown.chars().count(), SHOWN + 1);
        assert!(shown.starts_with("a b") && shown.ends_with('…'));
    }

    #[test]
    fn a_problem_says_where_what_and_the_cure_in_both_languages() {
        let place = Place {
            sheet: Some("Personal".into()),
            ..Place::of_file("hr.xlsx")
        };
        let problem = Problem::new(
            code::MISSING_VALUE,
            place.at_row(7).at_column("Namn"),
            "The cell is empty; write a name.",
            "Cellen är tom; skriv ett namn.",
        )
        .with_value("189001019802");
        assert_eq!(
            problem.to_string(),
            "hr.xlsx, sheet Personal, row 7, column Namn: The cell is empty; write a name. (the value is \"18900101****\")"
        );
        assert_eq!(
            problem.in_swedish(),
            "hr.xlsx, bladet Personal, rad 7, kolumnen Namn: Cellen är tom; skriv ett namn. (värdet är \"18900101****\")"
        );
    }
}
