//! The rows of a plan: as JSON page by page, and as a table for whoever decides about it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use grunddata_registry::{
    AssertionKey, LoadStatus, PlanRowState, PlanRowView, PlanRowsPage, PlanRowsQuery, RowOutcome,
};
use serde_json::{Value, json};

use super::loads::{find, load_id};
use super::page;
use super::sources::given;
use crate::access::{Authorised, Feed};
use crate::call::Call;
use crate::links::Link;
use crate::parameters::{self, Parameters};
use crate::problem::Problem;
use crate::reply::{self, Reply, refused};

/// Comma-separated values.
pub(crate) const CSV: &str = "text/csv";
/// A workbook.
pub(crate) const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// The most rows of a table; a workbook of more helps nobody.
const MOST: usize = 100_000;
/// Rows that are read at a time for a table.
const PAGE: u32 = 1_000;

/// `GET /loads/{load}/rows`
pub(crate) async fn list(caller: Authorised<Feed>, call: Call) -> Reply {
    let parameters = call.query()?;
    let (given, id) = (given(&parameters)?, load_id(&call)?);
    let mut query = query(&parameters)?;
    query.limit = page::limit(&parameters)?;
    query.after = parameters
        .read("after", "the number of a row")?
        .unwrap_or_default();
    let limit = query.limit;
    let found = call
        .app
        .pool
        .run(move || {
            let (owner, _) = find(&caller, given, id)?;
            caller
                .registry()
                .plan_rows(caller.context(), &owner, id, &query)
                .map_err(refused)
        })
        .await?;
    let mut links = vec![page::this(&call)];
    if let Some(next) = found.next {
        let changed = [("after", Some(next.to_string()))];
        links.push(Link::get(
            "next",
            page::address(&call, &parameters, &changed),
        ));
    }
    Ok(reply::value(
        StatusCode::OK,
        &json!({
            "_meta": {"limit": limit, "count": found.items.len()},
            "_links": links,
            "items": found.items,
        }),
    ))
}

/// `GET /loads/{load}/rows.csv`
pub(crate) async fn csv(caller: Authorised<Feed>, call: Call) -> Reply {
    let (lines, language) = lines(caller, &call).await?;
    let text = call.app.pool.run(move || written(&lines, language)).await?;
    Ok(file(text, "text/csv; charset=utf-8", "plan.csv"))
}

/// `GET /loads/{load}/rows.xlsx`
pub(crate) async fn xlsx(caller: Authorised<Feed>, call: Call) -> Reply {
    let (lines, language) = lines(caller, &call).await?;
    let bytes = call
        .app
        .pool
        .run(move || workbook(&lines, language))
        .await?;
    Ok(file(bytes, XLSX, "plan.xlsx"))
}

fn file(bytes: Vec<u8>, media_type: &'static str, name: &str) -> HttpResponse {
    let mut response = reply::json(StatusCode::OK, bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

fn query(parameters: &Parameters<'_>) -> Result<PlanRowsQuery, Problem> {
    let mut outcomes = Vec::new();
    if let Some(text) = parameters.get("outcome") {
        for word in text.split(',').map(str::trim) {
            outcomes.push(RowOutcome::from_name(word).ok_or_else(|| {
                let words: Vec<&str> = RowOutcome::ALL.iter().map(|one| one.as_str()).collect();
                parameters::invalid(
                    "outcome",
                    word,
                    &format!("one of {}, or several with commas", words.join(", ")),
                )
            })?);
        }
    }
    let state =
        match parameters.get("state") {
            None => None,
            Some(word) => Some(PlanRowState::from_name(word).ok_or_else(|| {
                parameters::invalid("state", word, "planned, applied or set-aside")
            })?),
        };
    Ok(PlanRowsQuery {
        outcomes,
        state,
        after: 0,
        limit: PAGE,
    })
}

/// The language of headers and messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Swedish,
    English,
}

/// A line of the table: a row of the plan, or one of the properties that it changes.
type Line = [String; COLUMNS];

const COLUMNS: usize = 15;

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

/// All rows that are asked for, as lines.
async fn lines(caller: Authorised<Feed>, call: &Call) -> Result<(Vec<Line>, Language), Problem> {
    let parameters = call.query()?;
    let language = match parameters.get("lang") {
        None | Some("sv") => Language::Swedish,
        Some("en") => Language::English,
        Some(other) => return Err(parameters::invalid("lang", other, "sv or en")),
    };
    let (given, id) = (given(&parameters)?, load_id(call)?);
    let mut query = query(&parameters)?;
    call.app
        .pool
        .run(move || {
            let (owner, load) = find(&caller, given, id)?;
            if load.status == LoadStatus::Planning {
                return Err(Problem::new(
                    "load-state",
                    "The plan is still being made. Ask again when the load is planned.",
                )
                .fact("status", load.status.as_str()));
            }
            let mut lines: Vec<Line> = Vec::new();
            loop {
                let PlanRowsPage { items, next } = caller
                    .registry()
                    .plan_rows(caller.context(), &owner, id, &query)
                    .map_err(refused)?;
                for row in &items {
                    of_row(row, language, &mut lines);
                }
                if lines.len() > MOST {
                    return Err(Problem::new(
                        "too-many-items",
                        format!("The table would have more than {MOST} lines. Ask for some outcomes alone: ?outcome=end,rejected,conflict."),
                    )
                    .fact("limit", MOST));
                }
                match next {
                    Some(after) => query.after = after,
                    None => return Ok((lines, language)),
                }
            }
        })
        .await
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

fn written(lines: &[Line], language: Language) -> Result<Vec<u8>, Problem> {
    let failed = |error: csv::Error| Problem::internal(error.to_string());
    // Spreadsheet programs read UTF-8 as such only with a mark; where Swedish is set they divide at semicolons.
    let mut out = "\u{feff}".as_bytes().to_vec();
    let mut writer = csv::WriterBuilder::new()
        .delimiter(b';')
        .from_writer(&mut out);
    writer.write_record(heads(language)).map_err(failed)?;
    for line in lines {
        let cells = line.iter().map(|cell| harmless(cell));
        writer.write_record(cells).map_err(failed)?;
    }
    writer
        .flush()
        .map_err(|error| Problem::internal(error.to_string()))?;
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

fn workbook(lines: &[Line], language: Language) -> Result<Vec<u8>, Problem> {
    let failed = |error: rust_xlsxwriter::XlsxError| Problem::internal(error.to_string());
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let bold = rust_xlsxwriter::Format::new().set_bold();
    let sheet = workbook.add_worksheet();
    sheet.set_name("Plan").map_err(failed)?;
    sheet.set_freeze_panes(1, 0).map_err(failed)?;
    for (column, head) in (0..).zip(heads(language)) {
        sheet
            .write_string_with_format(0, column, head, &bold)
            .map_err(failed)?;
    }
    for (row, line) in (1..).zip(lines) {
        for (column, cell) in (0..).zip(line) {
            if cell.is_empty() {
                continue;
            }
            // Longer than a cell can be: the beginning tells what it is.
            let cell: String = cell.chars().take(32_767).collect();
            sheet.write_string(row, column, cell).map_err(failed)?;
        }
    }
    workbook.save_to_buffer().map_err(failed)
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
