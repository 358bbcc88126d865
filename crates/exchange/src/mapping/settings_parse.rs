//! Reading what a mapping says of the file as a whole: `[input]`, `[values]`, `[codes]`.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::parse::{Parser, joined};
use super::value::DateFormat;
use super::{CodeTable, DecimalSign, EndDates, Input, TenDigits, Values, vocabulary};
use crate::rows::{Format, Merged};

impl Parser<'_> {
    pub(super) fn input(&mut self, table: &DeTable<'_>) -> Input {
        let Some(input) = table
            .get("input")
            .and_then(|node| self.table(node, "input"))
        else {
            return Input::default();
        };
        self.known(input, vocabulary::INPUT, "input");
        let format = self.word(input, "format", "input", vocabulary::FORMATS);
        let separator = self
            .optional_text(input, "separator", "input")
            .and_then(|text| match text.as_bytes() {
                [separator] => Some(*separator),
                _ => {
                    let at = input.get("separator").map_or(0, |node| node.span().start);
                    self.fault(
                        at,
                        "input.separator",
                        "Write one character, such as \";\" or \"\\t\".",
                        "Skriv ett tecken, till exempel \";\" eller \"\\t\".",
                    );
                    None
                }
            });
        Input {
            format: format.map(|format| match format {
                "delimited" => Format::Delimited,
                "spreadsheet" => Format::Spreadsheet,
                "json" => Format::Json,
                "ndjson" => Format::Ndjson,
                "paxml" => Format::Paxml,
                "geopackage" => Format::Geopackage,
                _ => Format::Sie,
            }),
            encoding: self.optional_text(input, "encoding", "input"),
            separator,
            sheet: self.optional_text(input, "sheet", "input"),
            header_row: input
                .get("header-row")
                .and_then(|node| self.integer(node, "input.header-row"))
                .and_then(|row| u64::try_from(row).ok()),
            records: self.optional_text(input, "records", "input"),
            merged: match self.word(input, "merged", "input", vocabulary::MERGED) {
                Some("fill") => Merged::Fill,
                _ => Merged::Refuse,
            },
            totals: self.texts(input, "totals", "input").unwrap_or_default(),
        }
    }

    pub(super) fn values(&mut self, table: &DeTable<'_>) -> Values {
        let mut values = Values::default();
        let Some(given) = table
            .get("values")
            .and_then(|node| self.table(node, "values"))
        else {
            return values;
        };
        self.known(given, vocabulary::VALUES, "values");
        if let Some(dates) = self.date_formats(given, "values") {
            values.dates = dates;
        }
        if self.word(given, "end-dates", "values", vocabulary::END_DATES) == Some("exclusive") {
            values.ends = EndDates::Exclusive;
        }
        if let Some(open) = self.texts(given, "open", "values") {
            values.open = open;
        }
        values.decimal = match self.word(given, "decimal", "values", vocabulary::DECIMAL) {
            Some("comma") => DecimalSign::Comma,
            Some("point") => DecimalSign::Point,
            _ => DecimalSign::Either,
        };
        if let Some(empty) = self.texts(given, "empty", "values") {
            values.empty = empty
                .iter()
                .map(|text| text.trim().to_lowercase())
                .collect();
        }
        if self.word(given, "ten-digit-numbers", "values", vocabulary::TEN_DIGITS) == Some("refuse")
        {
            values.ten_digits = TenDigits::Refuse;
        }
        values
    }

    pub(super) fn date_formats(
        &mut self,
        table: &DeTable<'_>,
        path: &str,
    ) -> Option<Vec<DateFormat>> {
        let at = table.get("dates")?.span().start;
        let formats = self.texts(table, "dates", path)?;
        let mut parsed = Vec::new();
        for format in formats {
            match DateFormat::parse(&format) {
                Some(format) => parsed.push(format),
                None => self.fault(
                    at,
                    &joined(path, "dates"),
                    format!("\"{format}\" is no form of a date; write YYYY, MM and DD with what stands between, such as DD/MM/YYYY."),
                    format!("\"{format}\" är ingen datumform; skriv YYYY, MM och DD med det som står mellan, till exempel DD/MM/YYYY."),
                ),
            }
        }
        Some(parsed)
    }

    pub(super) fn code_tables(&mut self, table: &DeTable<'_>) {
        let Some(tables) = table
            .get("codes")
            .and_then(|node| self.table(node, "codes"))
        else {
            return;
        };
        for (name, node) in tables {
            let name = name.get_ref().to_string();
            let path = format!("codes.{name}");
            let Some(codes) = self.table(node, &path) else {
                continue;
            };
            let mut translated = BTreeMap::new();
            for (from, to) in codes {
                if let Some(to) = self.text(to, &path) {
                    translated.insert(from.get_ref().trim().to_lowercase(), to);
                }
            }
            self.codes.push(CodeTable {
                name,
                codes: translated,
            });
        }
    }
}
