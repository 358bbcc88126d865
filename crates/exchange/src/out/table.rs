//! A record as a row: the columns of its envelope, and those that the model's schema gives its data.

use std::borrow::Cow;

use grunddata_model::{Domain, Instant, Period, RecordId};
use serde_json::Value;

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
pub const ENVELOPE: [&str; 12] = [
    "id",
    "domain",
    "owner",
    "controller",
    "display",
    "version",
    "validFrom",
    "validTo",
    "recordedAt",
    "changeKind",
    "origin",
    "model",
];

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
    /// A text, number or truth value.
    Value,
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
    /// What the registry itself writes: ids, dates, numbers, truth values.
    Plain(Cow<'a, str>),
    /// A number of the data.
    Number(f64, String),
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

fn envelope<'a>(record: &OutRecord<'a>) -> [Cell<'a>; 12] {
    let plain = |text: String| Cell::Plain(text.into());
    let known = |text: Option<&'a str>| text.map_or(Cell::Empty, |text| Cell::Plain(text.into()));
    let said = |text: Option<&'a str>| text.map_or(Cell::Empty, |text| Cell::Text(text.into()));
    let told = record.envelope;
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
    ] = match told {
        None => [const { Cell::Empty }; 9],
        Some(told) => [
            told.controller
                .map_or(Cell::Empty, |id| plain(id.to_string())),
            said(told.display),
            plain(told.version.to_string()),
            told.period
                .valid_from()
                .map_or(Cell::Plain("unknown".into()), |date| {
                    plain(date.to_string())
                }),
            told.period
                .valid_to()
                .map_or(Cell::Empty, |date| plain(date.to_string())),
            plain(told.recorded_at.to_string()),
            known(Some(told.change_kind)),
            said(told.origin),
            known(Some(told.model)),
        ],
    };
    [
        plain(record.id.to_string()),
        known(Some(record.domain.as_str())),
        known(Some(record.owner)),
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
        CellKind::OtherLanguages => {
            let others: serde_json::Map<String, Value> = value
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(language, _)| {
                    !matches!(language.as_str(), "sv" | "en" | "id" | "display")
                })
                .map(|(language, text)| (language.clone(), text.clone()))
                .collect();
            if others.is_empty() {
                Cell::Empty
            } else {
                Cell::Text(Value::Object(others).to_string().into())
            }
        }
        CellKind::Json => Cell::Text(value.to_string().into()),
        CellKind::Value => match value {
            Value::Null => Cell::Empty,
            Value::String(text) => Cell::Text(text.as_str().into()),
            Value::Bool(flag) => Cell::Plain(if *flag { "true" } else { "false" }.into()),
            Value::Number(number) => {
                Cell::Number(number.as_f64().unwrap_or_default(), number.to_string())
            }
            // The schema says a plain value, and an older model had something else there.
            other => Cell::Text(other.to_string().into()),
        },
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
        let data = json!({"name": {"sv": "Å", "en": "A", "fi": "O"}, "codes": ["a", "b"], "share": 0.5, "open": true, "none": null});
        let of = |path, kind| cell(&data, &column(path, kind));
        assert_eq!(of("name.sv", CellKind::Value), Cell::Text("Å".into()));
        assert_eq!(
            of("name", CellKind::OtherLanguages),
            Cell::Text(r#"{"fi":"O"}"#.into())
        );
        assert_eq!(
            of("codes", CellKind::Json),
            Cell::Text(r#"["a","b"]"#.into())
        );
        assert_eq!(
            of("share", CellKind::Value),
            Cell::Number(0.5, "0.5".to_owned())
        );
        assert_eq!(of("open", CellKind::Value), Cell::Plain("true".into()));
        assert_eq!(of("none", CellKind::Value), Cell::Empty);
        assert_eq!(of("name.other.deeper", CellKind::Value), Cell::Empty);
    }
}
