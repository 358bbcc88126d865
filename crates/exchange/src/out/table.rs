//! A record as a row: the columns of its envelope, and those that the model's schema gives its data.

use std::borrow::Cow;

use chrono::NaiveDate;
use grunddata_model::{Domain, Instant, Period, RecordId, parse_date};
use serde_json::{Map, Value};

/// A record with what stands around its data.
#[derive(Debug, Clone, Copy)]
pub struct OutRecord<'a> {
    /// The id.
    pub id: RecordId,
    /// The domain.
    pub domain: Domain,
    /// The key of the owner.
    pub owner: &'a str,
    /// The rest of the envelope; `None` = a placeholder, of which nothing more is told.
    pub envelope: Option<OutEnvelope<'a>>,
    /// The data as JSON.
    pub data: &'a str,
}

/// What stands around the data of a record that may be told about.
#[derive(Debug, Clone, Copy)]
pub struct OutEnvelope<'a> {
    /// The organisation that is responsible for the personal data.
    pub controller: Option<RecordId>,
    /// The model of the state.
    pub model: &'a str,
    /// The version at the coordinate.
    pub version: u32,
    /// When the state holds.
    pub period: Period,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// `change` or `correction`.
    pub change_kind: &'a str,
    /// Where the record comes from, when its origin is elsewhere.
    pub origin: Option<&'a str>,
    /// The display name.
    pub display: Option<&'a str>,
}

/// The columns of the envelope, before those of the data. `validTo` is the first day on which the state does not hold any
/// more; empty = until further notice.
pub const ENVELOPE: [(&str, CellKind); 12] = [
    ("id", CellKind::Text),
    ("domain", CellKind::Text),
    ("owner", CellKind::Text),
    ("controller", CellKind::Text),
    ("display", CellKind::Text),
    ("version", CellKind::Integer),
    ("validFrom", CellKind::Date),
    ("validTo", CellKind::Date),
    ("recordedAt", CellKind::Instant),
    ("changeKind", CellKind::Text),
    ("origin", CellKind::Text),
    ("model", CellKind::Text),
];

/// How many of them every record has, placeholders included.
pub(super) const ALWAYS: usize = 3;

/// The last column of formats whose columns have types: what did not have the type of its column, as a JSON object by the
/// names of the columns. As a rule empty: an older model had something else there.
pub(super) const MISFITS: &str = "misfits";

/// A column of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutColumn {
    /// The heading.
    pub name: String,
    /// The members that lead to the value.
    pub path: Vec<String>,
    /// What stands in it.
    pub kind: CellKind,
}

/// What stands in the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// A text, or a value of which the model leaves the kind open.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// A day.
    Date,
    /// An instant in UTC.
    Instant,
    /// Texts.
    TextList,
    /// JSON.
    Json,
    /// The members of an object but `sv` and `en`, as JSON.
    OtherLanguages,
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// A text that came from a record: never to be taken for a formula.
    Text(Cow<'a, str>),
    /// What the registry itself writes: ids, keys, names of kinds.
    Plain(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// A number, and how the record writes it.
    Number(f64, String),
    /// A truth value.
    Boolean(bool),
    /// A day.
    Date(NaiveDate),
    /// A day before all others: it has held for as long as is known.
    Unknown,
    /// An instant.
    Instant(Instant),
    /// Texts.
    List(Vec<&'a str>),
    /// Anything, as JSON.
    Json(String),
}

/// What stands between the texts of a list in one cell.
const BETWEEN: &str = " | ";

impl Cell<'_> {
    /// The cell as one text; `None` when it is empty.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Empty => return None,
            Self::Text(text) | Self::Plain(text) => Cow::Borrowed(text.as_ref()),
            Self::Number(_, text) | Self::Json(text) => Cow::Borrowed(text.as_str()),
            Self::Integer(number) => number.to_string().into(),
            Self::Boolean(true) => "true".into(),
            Self::Boolean(false) => "false".into(),
            Self::Date(date) => date.to_string().into(),
            Self::Unknown => "unknown".into(),
            Self::Instant(at) => at.to_string().into(),
            Self::List(texts) => joined(texts).into(),
        })
    }

    /// The cell as JSON.
    fn value(&self) -> Value {
        match self {
            Self::Json(text) | Self::Number(_, text) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
            }
            Self::Integer(number) => (*number).into(),
            Self::Boolean(flag) => (*flag).into(),
            Self::List(texts) => texts.clone().into(),
            other => other.text().into(),
        }
    }
}

/// The texts of a list in one cell, with ` | ` between them. As JSON where that could not be taken apart again: a cell that
/// begins with `[` is JSON, and in any other ` | ` stands between texts alone.
fn joined(texts: &[&str]) -> String {
    let apart = texts
        .iter()
        .all(|text| !text.is_empty() && !text.contains('|') && text.trim() == *text);
    match texts.first() {
        Some(first) if apart && !first.starts_with('[') => texts.join(BETWEEN),
        _ => Value::from(texts.to_vec()).to_string(),
    }
}

/// The cells of a record, in the order of [`ENVELOPE`] and then of the columns.
pub fn cells<'a>(
    record: &OutRecord<'a>,
    data: &'a Value,
    columns: &'a [OutColumn],
) -> impl Iterator<Item = Cell<'a>> + use<'a> {
    envelope(record)
        .into_iter()
        .chain(columns.iter().map(move |column| cell(data, column)))
}

/// The cells of a record, each of the type of its column, and as a JSON object what was not.
pub(super) fn typed<'a>(
    record: &OutRecord<'a>,
    data: &'a Value,
    columns: &'a [OutColumn],
) -> (Vec<Cell<'a>>, Map<String, Value>) {
    let mut misfits = Map::new();
    let kinds = ENVELOPE
        .into_iter()
        .chain(columns.iter().map(|column| (&*column.name, column.kind)));
    let found = cells(record, data, columns)
        .zip(kinds)
        .map(|(cell, (name, kind))| {
            fitting(cell, kind).unwrap_or_else(|cell| {
                misfits.insert(name.to_owned(), cell.value());
                Cell::Empty
            })
        })
        .collect();
    (found, misfits)
}

/// The largest whole number that every reader of numbers knows apart from its neighbours.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// The cell as one of the kind.
fn fitting(cell: Cell<'_>, kind: CellKind) -> Result<Cell<'_>, Cell<'_>> {
    match (kind, cell) {
        (_, Cell::Empty) | (CellKind::Date, Cell::Unknown) => Ok(Cell::Empty),
        (CellKind::Text, cell @ (Cell::Text(_) | Cell::Plain(_)))
        | (CellKind::Integer, cell @ Cell::Integer(_))
        | (CellKind::Number, cell @ Cell::Number(..))
        | (CellKind::Boolean, cell @ Cell::Boolean(_))
        | (CellKind::Date, cell @ Cell::Date(_))
        | (CellKind::Instant, cell @ Cell::Instant(_))
        | (CellKind::TextList, cell @ Cell::List(_))
        | (CellKind::Json | CellKind::OtherLanguages, cell @ Cell::Json(_)) => Ok(cell),
        (CellKind::Text, cell) => Ok(cell
            .text()
            .map_or(Cell::Empty, |text| Cell::Text(text.into_owned().into()))),
        // 5.0 is a whole number in a JSON schema.
        (CellKind::Integer, Cell::Number(number, _))
            if number.fract() == 0.0 && number.abs() <= EXACT =>
        {
            Ok(Cell::Integer(number as i64))
        }
        (CellKind::Number, Cell::Integer(number)) => {
            Ok(Cell::Number(number as f64, number.to_string()))
        }
        (_, cell) => Err(cell),
    }
}

fn envelope<'a>(record: &OutRecord<'a>) -> [Cell<'a>; 12] {
    let plain = |text: String| Cell::Plain(text.into());
    let known = |text: &'a str| Cell::Plain(text.into());
    let said = |text: Option<&'a str>| text.map_or(Cell::Empty, |text| Cell::Text(text.into()));
    let [
        controller,
        display,
        version,
        from,
        to,
        at,
        kind,
        origin,
        model,
    ] = match record.envelope {
        None => [const { Cell::Empty }; 9],
        Some(told) => [
            told.controller
                .map_or(Cell::Empty, |id| plain(id.to_string())),
            said(told.display),
            Cell::Integer(told.version.into()),
            told.period.valid_from().map_or(Cell::Unknown, Cell::Date),
            told.period.valid_to().map_or(Cell::Empty, Cell::Date),
            Cell::Instant(told.recorded_at),
            known(told.change_kind),
            said(told.origin),
            known(told.model),
        ],
    };
    [
        plain(record.id.to_string()),
        known(record.domain.as_str()),
        known(record.owner),
        controller,
        display,
        version,
        from,
        to,
        at,
        kind,
        origin,
        model,
    ]
}

fn cell<'a>(data: &'a Value, column: &OutColumn) -> Cell<'a> {
    let found = column
        .path
        .iter()
        .try_fold(data, |value, member| value.get(member.as_str()));
    let Some(value) = found else {
        return Cell::Empty;
    };
    match column.kind {
        CellKind::OtherLanguages => other_languages(value),
        CellKind::Json => Cell::Json(value.to_string()),
        CellKind::TextList => texts(value),
        kind => match value {
            Value::Null => Cell::Empty,
            Value::String(text) if kind == CellKind::Date => {
                parse_date(text).map_or_else(|_| Cell::Text(text.as_str().into()), Cell::Date)
            }
            Value::String(text) => Cell::Text(text.as_str().into()),
            Value::Bool(flag) => Cell::Boolean(*flag),
            Value::Number(number) => number.as_i64().map_or_else(
                || Cell::Number(number.as_f64().unwrap_or_default(), number.to_string()),
                Cell::Integer,
            ),
            // The schema says a plain value, and an older model had something else there.
            other => Cell::Json(other.to_string()),
        },
    }
}

fn other_languages(value: &Value) -> Cell<'_> {
    let others: Map<String, Value> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(language, _)| !matches!(language.as_str(), "sv" | "en" | "id" | "display"))
        .map(|(language, text)| (language.clone(), text.clone()))
        .collect();
    if others.is_empty() {
        Cell::Empty
    } else {
        Cell::Json(Value::Object(others).to_string())
    }
}

fn texts(value: &Value) -> Cell<'_> {
    match value {
        Value::Null => Cell::Empty,
        Value::Array(items) => items
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<&str>>>()
            .map_or_else(|| Cell::Json(value.to_string()), Cell::List),
        other => Cell::Json(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn column(path: &str, kind: CellKind) -> OutColumn {
        OutColumn {
            name: path.to_owned(),
            path: path.split('.').map(str::to_owned).collect(),
            kind,
        }
    }

    #[test]
    fn each_kind_of_column_finds_its_value() {
        let data = json!({"name": {"sv": "Å", "en": "A", "fi": "O"}, "codes": ["a", "b"], "share": 0.5, "open": true, "none": null, "seats": 7, "since": "2026-01-31", "about": "2026"});
        let of = |path, kind| cell(&data, &column(path, kind));
        assert_eq!(of("name.sv", CellKind::Text), Cell::Text("Å".into()));
        assert_eq!(
            of("name", CellKind::OtherLanguages),
            Cell::Json(r#"{"fi":"O"}"#.to_owned())
        );
        assert_eq!(
            of("codes", CellKind::Json),
            Cell::Json(r#"["a","b"]"#.to_owned())
        );
        assert_eq!(of("codes", CellKind::TextList), Cell::List(vec!["a", "b"]));
        assert_eq!(
            of("share", CellKind::Number),
            Cell::Number(0.5, "0.5".to_owned())
        );
        assert_eq!(of("open", CellKind::Boolean), Cell::Boolean(true));
        assert_eq!(of("none", CellKind::Text), Cell::Empty);
        assert_eq!(of("seats", CellKind::Integer), Cell::Integer(7));
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).unwrap();
        assert_eq!(of("since", CellKind::Date), Cell::Date(day));
        assert_eq!(of("about", CellKind::Date), Cell::Text("2026".into()));
        assert_eq!(of("name.other.deeper", CellKind::Text), Cell::Empty);
    }

    #[test]
    fn a_list_in_a_cell_can_be_taken_apart_again() {
        for texts in [
            vec!["Anna", "Maria"],
            vec!["one"],
            vec![],
            vec!["a|b", "c"],
            vec!["[a", "b"],
            vec!["", "b"],
            vec!["a ", "b"],
            vec!["a", "[b"],
        ] {
            let cell = joined(&texts);
            let apart: Vec<String> = if cell.starts_with('[') {
                serde_json::from_str(&cell).unwrap()
            } else {
                cell.split(" | ").map(str::to_owned).collect()
            };
            assert_eq!(apart, texts, "{cell}");
        }
        assert_eq!(joined(&["Anna", "Maria"]), "Anna | Maria");
    }

    #[test]
    fn what_does_not_fit_its_column_is_kept_beside_it() {
        let data = json!({"seats": 5.0, "rooms": "many", "share": 3, "since": "2026", "codes": [1], "name": 7});
        let columns = [
            column("seats", CellKind::Integer),
            column("rooms", CellKind::Integer),
            column("share", CellKind::Number),
            column("since", CellKind::Date),
            column("codes", CellKind::TextList),
            column("name", CellKind::Text),
        ];
        let record = OutRecord {
            id: "01990c3e-7a5b-7000-8000-000000000001".parse().unwrap(),
            domain: Domain::Organisation,
            owner: "a",
            envelope: None,
            data: "",
        };
        let (cells, misfits) = typed(&record, &data, &columns);
        assert_eq!(
            cells[12..],
            [
                Cell::Integer(5),
                Cell::Empty,
                Cell::Number(3.0, "3".to_owned()),
                Cell::Empty,
                Cell::Empty,
                Cell::Text("7".into()),
            ]
        );
        assert_eq!(
            Value::Object(misfits),
            json!({"rooms": "many", "since": "2026", "codes": [1]})
        );
    }
}
