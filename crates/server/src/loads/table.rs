//! The rows of a plan as a table, for whoever decides about it: one line for each property that changes and each problem.

use grunddata_model::OwnerKey;
use grunddata_registry::{
    AssertionKey, Code, Context, LoadStatus, PlanRowView, PlanRowsPage, PlanRowsQuery, Refusal,
    Registry,
};
use serde_json::Value;
use uuid::Uuid;

/// The most lines; a table of more helps nobody.
pub const MOST: usize = 100_000;
/// Rows that are read at a time.
const PAGE: u32 = 1_000;

/// The language of headers and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Swedish.
    Swedish,
    /// English.
    English,
}

/// A line of the table: a row of the plan, or one of the properties that it changes.
type Line = [String; COLUMNS];

/// How many columns it has.
pub const COLUMNS: usize = 15;

const fn heads(language: Language) -> [&'static str; COLUMNS] {
    match language {
        Language::Swedish => [
            "Rad",
            "Rader i filen",
            "Utfall",
            "Läge",
            "Domän",
            "Post i mappningen",
            "Nyckel",
            "Post",
            "Gäller från",
            "Gäller t.o.m. dagen före",
            "Egenskap",
            "Från",
            "Till",
            "Kod",
            "Meddelande",
        ],
        Language::English => [
            "row",
            "rows of the file",
            "outcome",
            "state",
            "domain",
            "record of the mapping",
            "key",
            "record",
            "valid from",
            "valid to (first day after)",
            "property",
            "from",
            "to",
            "code",
            "message",
        ],
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    lines: Vec<Line>,
    language: Language,
}

impl Table {
    /// All rows that are asked for, as the reader may see them.
    ///
    /// # Errors
    /// Those of [`Registry::plan_rows`]; [`Code::LoadState`] while the plan is being made; [`Code::TooManyItems`].
    pub fn of(
        registry: &Registry,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        query: &PlanRowsQuery,
        language: Language,
    ) -> Result<Self, Refusal> {
        let load = registry.load(context, owner, id)?;
        if load.status == LoadStatus::Planning {
            return Err(Refusal::new(
                Code::LoadState,
                "The plan is still being made. Ask again when the load is planned.",
            ));
        }
        let mut query = PlanRowsQuery {
            limit: PAGE,
            ..query.clone()
        };
        let mut lines: Vec<Line> = Vec::new();
        loop {
            let PlanRowsPage { items, next } = registry.plan_rows(context, owner, id, &query)?;
            for row in &items {
                of_row(row, language, &mut lines);
            }
            if lines.len() > MOST {
                return Err(Refusal::new(
                    Code::TooManyItems,
                    format!(
                        "The table would have more than {MOST} lines. Ask for some outcomes alone, such as end, rejected and conflict."
                    ),
                ));
            }
            match next {
                Some(after) => query.after = after,
                None => return Ok(Self { lines, language }),
            }
        }
    }

    /// Its heads.
    #[must_use]
    pub const fn heads(&self) -> [&'static str; COLUMNS] {
        heads(self.language)
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = &[String]> {
        self.lines.iter().map(<[String; COLUMNS]>::as_slice)
    }

    /// As comma-separated values, as a Swedish spreadsheet program reads them.
    ///
    /// # Errors
    /// Never, as long as there is memory.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        written(&self.lines, self.language)
    }

    /// As a workbook.
    ///
    /// # Errors
    /// Never, as long as there is memory.
    pub fn xlsx(&self) -> Result<Vec<u8>, rust_xlsxwriter::XlsxError> {
        workbook(&self.lines, self.language)
    }
}

fn of_row(row: &PlanRowView, language: Language, lines: &mut Vec<Line>) {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let file_rows: Vec<String> = row.file_rows.iter().map(u64::to_string).collect();
    let key = match &row.key {
        None => String::new(),
        Some(AssertionKey::Source(key)) => key.clone(),
        Some(AssertionKey::Identifier { scheme, value }) => format!("{scheme}:{value}"),
        Some(AssertionKey::Id(id)) => id.to_string(),
    };
    let mut start: Line = Default::default();
    let cells = [
        row.number.to_string(),
        file_rows.join(", "),
        row.outcome.as_str().to_owned(),
        row.state.as_str().to_owned(),
        text(row.domain.map(|domain| domain.as_str())),
        text(row.record_name.as_deref()),
        key,
        row.record.map(|id| id.to_string()).unwrap_or_default(),
    ];
    for (place, cell) in start.iter_mut().zip(cells) {
        *place = cell;
    }
    let before = lines.len();
    for problem in &row.problems {
        let mut line = start.clone();
        let message = match language {
            Language::Swedish => &problem.message_sv,
            Language::English => &problem.message,
        };
        let place = problem.column.as_ref().or(problem.pointer.as_ref());
        fill(
            &mut line,
            8,
            [
                String::new(),
                String::new(),
                text(place.map(String::as_str)),
                String::new(),
                text(problem.value.as_deref()),
                problem.code.to_string(),
                message.clone(),
            ],
        );
        lines.push(line);
    }
    let follows = &row.follows;
    let (ends, loses, more) = match language {
        Language::Swedish => ("upphör också", "mister hänvisningen", "fler följer med"),
        Language::English => ("ends too", "loses the reference", "more follow"),
    };
    let named = [(&follows.end, ends), (&follows.change, loses)];
    let named = named.into_iter().flat_map(|(list, what)| {
        list.iter()
            .map(move |one| format!("{what}: {} {}", one.domain, one.id))
    });
    let more = (follows.more > 0).then(|| format!("{} {more}", follows.more));
    for message in named.chain(more) {
        let mut line = start.clone();
        fill(&mut line, 13, ["follows".to_owned(), message]);
        lines.push(line);
    }
    for (from, to, properties) in changes(row) {
        for (pointer, was, becomes) in properties {
            let mut line = start.clone();
            let cells = [from.clone(), to.clone(), pointer, was, becomes];
            fill(&mut line, 8, cells);
            lines.push(line);
        }
    }
    if lines.len() == before {
        lines.push(start);
    }
}

fn fill<const N: usize>(line: &mut Line, at: usize, cells: [String; N]) {
    for (place, cell) in line.iter_mut().skip(at).zip(cells) {
        *place = cell;
    }
}

/// A property, what it is and what it becomes.
type Change = (String, String, String);

/// What a row does, period by period. Of what is new or ends there is one line.
fn changes(row: &PlanRowView) -> Vec<(String, String, Vec<Change>)> {
    row.diff
        .iter()
        .map(|difference| {
            let period = serde_json::to_value(difference.period).unwrap_or_default();
            let bound = |name: &str| plain(period.get(name).unwrap_or(&Value::Null));
            let mut properties: Vec<Change> = difference
                .properties
                .iter()
                .map(|change| {
                    let shown = |value: &Option<Value>| value.as_ref().map(plain);
                    (
                        change.pointer.clone(),
                        shown(&change.from).unwrap_or_default(),
                        shown(&change.to).unwrap_or_default(),
                    )
                })
                .collect();
            if properties.is_empty() {
                properties.push(Default::default());
            }
            (bound("validFrom"), bound("validTo"), properties)
        })
        .collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn written(lines: &[Line], language: Language) -> Result<Vec<u8>, csv::Error> {
    // Spreadsheet programs read UTF-8 as such only with a mark; where Swedish is set they divide at semicolons.
    let mut out = "\u{feff}".as_bytes().to_vec();
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .from_writer(&mut out);
    writer.write_record(heads(language))?;
    for line in lines {
        let cells = line.iter().map(|cell| harmless(cell));
        writer.write_record(cells)?;
    }
    writer.flush()?;
    drop(writer);
    Ok(out)
}

/// A text that a spreadsheet program would take for a formula begins with an apostrophe.
fn harmless(cell: &str) -> String {
    match cell.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{cell}"),
        _ => cell.to_owned(),
    }
}

fn workbook(lines: &[Line], language: Language) -> Result<Vec<u8>, rust_xlsxwriter::XlsxError> {
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let bold = rust_xlsxwriter::Format::new().set_bold();
    let sheet = workbook.add_worksheet();
    sheet.set_name("Plan")?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, head) in (0..).zip(heads(language)) {
        sheet.write_string_with_format(0, column, head, &bold)?;
    }
    for (row, line) in (1..).zip(lines) {
        for (column, cell) in (0..).zip(line) {
            if cell.is_empty() {
                continue;
            }
            // Longer than a cell can be: the beginning tells what it is.
            let cell: String = cell.chars().take(32_767).collect();
            sheet.write_string(row, column, cell)?;
        }
    }
    workbook.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts() {
        assert_eq!(harmless("=1+1"), "'=1+1");
        assert_eq!(harmless("2026-01-01"), "2026-01-01");
        let line: Line = std::array::from_fn(|at| format!("@{at};å"));
        let text = written(&[line], Language::Swedish).expect("CSV");
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.starts_with("\u{feff}Rad;"), "{text}");
        assert!(text.contains("\"'@0;å\""), "{text}");
    }
}
