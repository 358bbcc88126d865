//! CSV (RFC 4180): one heading, one line a record, every line ended by CR LF.

use grunddata_model::Domain;
use serde_json::Value;

use super::table::{Cell, ENVELOPE, OutColumn, OutRecord, cells};

/// What stands between the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delimiter {
    /// A comma.
    #[default]
    Comma,
    /// A semicolon: what Excel expects in Sweden.
    Semicolon,
    /// A tab.
    Tab,
}

impl Delimiter {
    /// All of them, with the words by which they are chosen.
    pub const ALL: [(&'static str, Self); 3] = [
        ("comma", Self::Comma),
        ("semicolon", Self::Semicolon),
        ("tab", Self::Tab),
    ];

    const fn char(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Tab => '\t',
        }
    }
}

/// A table of the records of one domain.
#[derive(Debug, Clone)]
pub struct Csv {
    columns: Vec<OutColumn>,
    delimiter: Delimiter,
    mark: bool,
}

impl Csv {
    /// With the columns of the domain's data. With `mark` the file begins with the byte order mark by which Excel knows
    /// UTF-8.
    #[must_use]
    pub fn new(columns: Vec<OutColumn>, delimiter: Delimiter, mark: bool) -> Self {
        Self {
            columns,
            delimiter,
            mark,
        }
    }

    /// The heading.
    pub fn head(&self, out: &mut Vec<u8>) {
        if self.mark {
            out.extend_from_slice("\u{feff}".as_bytes());
        }
        let names = ENVELOPE
            .into_iter()
            .map(|(name, _)| name)
            .chain(self.columns.iter().map(|column| column.name.as_str()));
        for (at, name) in names.enumerate() {
            self.separate(out, at);
            self.quoted(out, "", name);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// One record.
    pub fn record(&self, out: &mut Vec<u8>, record: &OutRecord<'_>) {
        // What was stored is JSON; what cannot be read has no cells.
        let data: Value = serde_json::from_str(record.data).unwrap_or(Value::Null);
        for (at, cell) in cells(record, &data, &self.columns).enumerate() {
            self.separate(out, at);
            let Some(text) = cell.text() else { continue };
            let before = match cell {
                Cell::Text(_) | Cell::List(_) | Cell::Json(_) => guard(&text),
                _ => "",
            };
            self.quoted(out, before, &text);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The name of a file of this domain.
    #[must_use]
    pub fn file_name(domain: Domain) -> String {
        format!("{}.csv", domain.collection())
    }

    fn separate(&self, out: &mut Vec<u8>, at: usize) {
        if at > 0 {
            let mut buffer = [0; 4];
            out.extend_from_slice(self.delimiter.char().encode_utf8(&mut buffer).as_bytes());
        }
    }

    fn quoted(&self, out: &mut Vec<u8>, before: &str, text: &str) {
        let special = |char| matches!(char, '"' | '\r' | '\n') || char == self.delimiter.char();
        if !text.contains(special) {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(b'"');
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    }
}

/// What goes before a text that a spreadsheet would take for a formula: an apostrophe makes it text.
fn guard(text: &str) -> &'static str {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        "'"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use grunddata_model::{Instant, Period};

    use super::super::table::{CellKind, OutEnvelope};
    use super::*;

    fn written(data: &str, delimiter: Delimiter, mark: bool) -> String {
        let column = |name: &str, kind| OutColumn {
            name: name.to_owned(),
            path: name.split('.').map(str::to_owned).collect(),
            kind,
        };
        let csv = Csv::new(
            vec![
                column("name.sv", CellKind::Text),
                column("tags", CellKind::TextList),
            ],
            delimiter,
            mark,
        );
        let record = OutRecord {
            id: "01990c3e-7a5b-7000-8000-000000000001".parse().unwrap(),
            domain: Domain::Organisation,
            owner: "a",
            envelope: Some(OutEnvelope {
                controller: None,
                model: "grunddata/1.0.0",
                version: 3,
                period: Period::since("2026-01-01".parse().unwrap()).unwrap(),
                recorded_at: Instant::from_micros(0),
                change_kind: "change",
                origin: None,
                display: Some("=1+1"),
            }),
            data,
        };
        let mut out = Vec::new();
        csv.head(&mut out);
        csv.record(&mut out, &record);
        csv.record(
            &mut out,
            &OutRecord {
                envelope: None,
                data: "{}",
                ..record
            },
        );
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_is_read_back_as_it_was_written() {
        let text = written(
            r#"{"name":{"sv":"En \"kort\", mening\nmed rad"},"tags":["a","b, c"]}"#,
            Delimiter::Comma,
            false,
        );
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(&rows[0][4], "'=1+1");
        assert_eq!(&rows[0][12], "En \"kort\", mening\nmed rad");
        assert_eq!(&rows[0][13], "a | b, c");
        assert_eq!((&rows[0][6], &rows[0][7]), ("2026-01-01", ""));
        assert_eq!(rows[1].iter().filter(|cell| !cell.is_empty()).count(), 3);
    }

    #[test]
    fn formulas_are_texts() {
        for bad in [
            "=cmd|' /C calc'!A0",
            "+46",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
        ] {
            let data = serde_json::json!({"name": {"sv": bad}}).to_string();
            let text = written(&data, Delimiter::Semicolon, true);
            assert!(text.starts_with("\u{feff}id;domain;owner;"));
            let body = text.trim_start_matches('\u{feff}');
            let mut reader = ::csv::ReaderBuilder::new()
                .delimiter(b';')
                .from_reader(body.as_bytes());
            let row = reader.records().next().unwrap().unwrap();
            assert_eq!(&row[12], format!("'{bad}"));
        }
    }
}
