//! JSON: a list of objects, an object that holds one, or one object a line.
//!
//! Must never hold more than one object of a list, nor take a property that stands twice for one.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;
use struson::reader::{
    JsonReader, JsonStreamReader, ReaderError, ReaderSettings, UnexpectedStructureKind, ValueType,
};

use super::bounded::{RecordBudget, Refill, problem_of_io, truncated};
use super::encoding::Text;
use super::header::Header;
use super::{Content, Event, Format, ReadOptions, Row, Sink, Summary, too_many_rows};
use crate::{Limits, Place, Problem, code};

/// Where the known formats keep their list: SS 12000, SCIM, GeoJSON.
const LISTS: [&str; 3] = ["data", "Resources", "features"];

/// Whether the first line is a whole object and others follow: NDJSON under any name.
pub(super) fn is_lines(sample: &[u8]) -> bool {
    let mut lines = sample.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let second = lines.find(|line| !line.trim_ascii().is_empty());
    second.is_some_and(|line| line.trim_ascii_start().starts_with(b"{"))
        && serde_json::from_slice::<Value>(first).is_ok()
}

pub(super) fn read(
    text: Text<'_>,
    format: Format,
    options: &ReadOptions,
    sink: &mut Sink<'_>,
) -> Result<Summary, Problem> {
    let place = Place::of_file(&options.file);
    let header = Header::of_objects(place.clone());
    let mut summary = Summary { format, rows: 0 };
    if sink(Event::Header(&header)).is_break() {
        return Ok(summary);
    }
    summary.rows = if format == Format::Ndjson {
        lines(text, options, &place, sink)?
    } else {
        list(text, options, &place, sink)?
    };
    Ok(summary)
}

fn lines(
    text: Text<'_>,
    options: &ReadOptions,
    place: &Place,
    sink: &mut Sink<'_>,
) -> Result<u64, Problem> {
    let limits = &options.limits;
    let most = usize::try_from(limits.record_bytes).unwrap_or(usize::MAX);
    let mut reader = BufReader::new(text.into_bytes());
    let (mut number, mut rows) = (0, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        number += 1;
        let at = place.at_row(number);
        // One more than allowed, so that a line that is exactly as long passes.
        let read = (&mut reader)
            .take(limits.record_bytes + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| problem_of_io(&error, &at))?;
        if read == 0 {
            return Ok(rows);
        }
        if line.len() > most {
            return Err(Problem::new(
                code::LIMIT,
                at,
                format!("The line is longer than {most} bytes; divide the object."),
                format!("Raden är längre än {most} byte; dela upp objektet."),
            ));
        }
        let content = line.trim_ascii();
        if content.is_empty() {
            continue;
        }
        rows += 1;
        if rows > limits.rows {
            return Err(too_many_rows(place, limits));
        }
        let event = match serde_json::from_slice::<Value>(content) {
            Ok(object @ Value::Object(_)) => match too_deep(&object, limits, &at) {
                None => Event::Row(Row {
                    number,
                    content: Content::Object(object),
                }),
                Some(problem) => Event::Refused(problem),
            },
            Ok(other) => Event::Refused(no_object(at, &other)),
            Err(error) if error.is_eof() && !line.ends_with(b"\n") => return Err(truncated(at)),
            Err(error) => Event::Refused(Problem::new(
                code::JSON,
                at,
                format!("The line is not JSON: {error}."),
                format!("Raden är inte JSON: {error}."),
            )),
        };
        if sink(event).is_break() {
            return Ok(rows);
        }
    }
}

fn list(
    text: Text<'_>,
    options: &ReadOptions,
    place: &Place,
    sink: &mut Sink<'_>,
) -> Result<u64, Problem> {
    let limits = &options.limits;
    let (budget, refill) = RecordBudget::new(text.into_bytes(), limits.record_bytes);
    let settings = ReaderSettings {
        max_nesting_depth: Some(limits.depth),
        ..ReaderSettings::default()
    };
    let mut reader = JsonStreamReader::new_custom(budget, settings);
    let pointer = options.records.as_deref();
    let fault = |error: &ReaderError, row: u64| problem_of_json(error, place, row);
    let kind = reader.peek().map_err(|error| fault(&error, 0))?;
    let mut rows = 0;
    let enough = match kind {
        ValueType::Array if pointer.is_none_or(str::is_empty) => {
            elements(&mut reader, &refill, options, place, &mut rows, sink)?
        }
        ValueType::Object => {
            let path: Vec<String> = match pointer {
                Some(pointer) => pointer
                    .split('/')
                    .skip(1)
                    .map(|step| step.replace("~1", "/").replace("~0", "~"))
                    .collect(),
                None => Vec::new(),
            };
            let found = descend(&mut reader, &refill, &path, options, place, &mut rows, sink)?;
            let Some(enough) = found else {
                return Err(Problem::new(
                    code::JSON,
                    place.clone(),
                    format!(
                        "There is no list of objects at {}; say in the mapping where it is (input.records).",
                        pointer.unwrap_or("/data, /Resources or /features")
                    ),
                    format!(
                        "Det finns ingen lista med objekt på {}; ange i mappningen var den finns (input.records).",
                        pointer.unwrap_or("/data, /Resources eller /features")
                    ),
                ));
            };
            enough
        }
        _ => {
            return Err(Problem::new(
                code::JSON,
                place.clone(),
                "The file must hold a list of objects, or an object with such a list.",
                "Filen ska innehålla en lista med objekt, eller ett objekt med en sådan lista.",
            ));
        }
    };
    if !enough {
        reader
            .consume_trailing_whitespace()
            .map_err(|error| fault(&error, 0))?;
    }
    Ok(rows)
}

/// Looks for the list along the path, or under one of the known names, and reads it. Whatever else is there is skipped.
/// Returns whether the sink has had enough; `None` when there is no such list.
fn descend<R: Read>(
    reader: &mut JsonStreamReader<R>,
    refill: &Refill,
    path: &[String],
    options: &ReadOptions,
    place: &Place,
    rows: &mut u64,
    sink: &mut Sink<'_>,
) -> Result<Option<bool>, Problem> {
    let fault = |error: ReaderError| problem_of_json(&error, place, 0);
    reader.begin_object().map_err(fault)?;
    let mut found = None;
    while reader.has_next().map_err(fault)? {
        refill.next_record();
        let name = reader.next_name_owned().map_err(fault)?;
        let kind = reader.peek().map_err(fault)?;
        let is_step = path.first() == Some(&name);
        let is_list = kind == ValueType::Array
            && match path {
                [] => LISTS.contains(&name.as_str()),
                [_] => is_step,
                _ => false,
            };
        if is_list && found.is_none() {
            if elements(reader, refill, options, place, rows, sink)? {
                return Ok(Some(true));
            }
            found = Some(false);
        } else if let Some((_, deeper)) = path.split_first()
            && is_step
            && !deeper.is_empty()
            && kind == ValueType::Object
        {
            found = descend(reader, refill, deeper, options, place, rows, sink)?;
            if found == Some(true) {
                return Ok(found);
            }
        } else {
            reader.skip_value().map_err(fault)?;
        }
    }
    reader.end_object().map_err(fault)?;
    Ok(found)
}

/// Reads a list. Returns whether the sink has had enough.
fn elements<R: Read>(
    reader: &mut JsonStreamReader<R>,
    refill: &Refill,
    options: &ReadOptions,
    place: &Place,
    rows: &mut u64,
    sink: &mut Sink<'_>,
) -> Result<bool, Problem> {
    let limits = &options.limits;
    reader
        .begin_array()
        .map_err(|error| problem_of_json(&error, place, 0))?;
    loop {
        refill.next_record();
        let number = *rows + 1;
        let fault = |error: ReaderError| problem_of_json(&error, place, number);
        if !reader.has_next().map_err(fault)? {
            break;
        }
        let value: Value = reader.deserialize_next().map_err(|error| match error {
            struson::serde::DeserializerError::ReaderError(error) => fault(error),
            other => invalid(&other.to_string(), &place.at_row(number)),
        })?;
        *rows = number;
        if number > limits.rows {
            return Err(too_many_rows(place, limits));
        }
        let event = match value {
            object @ Value::Object(_) => Event::Row(Row {
                number,
                content: Content::Object(object),
            }),
            other => Event::Refused(no_object(place.at_row(number), &other)),
        };
        if sink(event).is_break() {
            return Ok(true);
        }
    }
    reader
        .end_array()
        .map_err(|error| problem_of_json(&error, place, *rows))?;
    Ok(false)
}

fn no_object(place: Place, value: &Value) -> Problem {
    Problem::new(
        code::JSON,
        place,
        "An object, {…}, is expected here.",
        "Här väntas ett objekt, {…}.",
    )
    .with_value(&value.to_string())
}

fn too_deep(value: &Value, limits: &Limits, place: &Place) -> Option<Problem> {
    fn depth(value: &Value) -> u32 {
        match value {
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }
    (depth(value) > limits.depth).then(|| nested(limits.depth, place))
}

fn nested(depth: u32, place: &Place) -> Problem {
    Problem::new(
        code::LIMIT,
        place.clone(),
        format!("The object is nested deeper than {depth} levels."),
        format!("Objektet är nästlat djupare än {depth} nivåer."),
    )
}

fn problem_of_json(error: &ReaderError, place: &Place, row: u64) -> Problem {
    let place = if row > 0 {
        place.at_row(row)
    } else {
        place.clone()
    };
    match error {
        ReaderError::IoError { error, .. } => problem_of_io(error, &place),
        ReaderError::SyntaxError(error)
            if error.kind == struson::reader::SyntaxErrorKind::IncompleteDocument =>
        {
            truncated(place)
        }
        ReaderError::MaxNestingDepthExceeded {
            max_nesting_depth, ..
        } => nested(*max_nesting_depth, &place),
        ReaderError::UnexpectedStructure {
            kind: UnexpectedStructureKind::FewerElementsThanExpected,
            ..
        } => truncated(place),
        other => invalid(&other.to_string(), &place),
    }
}

fn invalid(what: &str, place: &Place) -> Problem {
    Problem::new(
        code::JSON,
        place.clone(),
        format!("The file is not JSON: {what}."),
        format!("Filen är inte JSON: {what}."),
    )
}
