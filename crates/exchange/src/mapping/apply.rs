//! Applying a mapping to a row.

use std::borrow::Cow;
use std::sync::Arc;

use grunddata_model::{Domain, Period, PeriodError, ValidFrom, ValidTo, inclusive_end};
use serde_json::{Map, Value};

use super::condition::Condition;
use super::convert::{Fault, Rules, convert, date};
use super::{
    Bound, Case, ColumnId, Draft, DraftReference, Each, EndDates, ItemSpec, Key, Kind, ListSpec,
    Mapped, Piece, RecordSpec, Source, TargetSpec, Template, ValueSpec,
};
use crate::rows::{Cell, Row};
use crate::{Place, Problem, code};

/// A problem of this row has been noted; what needed the value is left out.
struct Noted;

/// One row while it is mapped.
struct Work<'b> {
    bound: &'b Bound,
    row: &'b Row,
    problems: Vec<Problem>,
    notes: Vec<Problem>,
    /// Records of this row that others can refer to.
    made: Vec<(Arc<str>, Domain, Key)>,
    /// References of the draft that is being made.
    references: Vec<DraftReference>,
}

impl Bound {
    /// Makes the drafts of a row.
    #[must_use]
    pub fn map(&self, row: &Row) -> Mapped {
        let mut work = Work {
            bound: self,
            row,
            problems: Vec::new(),
            notes: Vec::new(),
            made: Vec::new(),
            references: Vec::new(),
        };
        // Keys first, so that a record can refer to one that stands after it.
        for record in &self.mapping.records {
            if record.each.is_none()
                && work.holds(&record.when, None)
                && let Ok(Some(key)) = work.target(&record.key, None)
            {
                work.made
                    .push((Arc::clone(&record.name), record.domain, key));
            }
        }
        // What was wrong with a key is said when the record is made.
        work.problems.clear();
        work.notes.clear();
        let mut drafts = Vec::new();
        for record in &self.mapping.records {
            match &record.each {
                None => drafts.extend(work.record(record, None)),
                Some(each) => {
                    for item in work.items(each, None) {
                        drafts.extend(work.record(record, Some(&item)));
                    }
                }
            }
        }
        let Work {
            mut problems,
            mut notes,
            ..
        } = work;
        // One cell that several properties use is wrong once.
        unique(&mut problems);
        unique(&mut notes);
        Mapped {
            row: row.number,
            outcome: if problems.is_empty() {
                Ok(drafts)
            } else {
                Err(problems)
            },
            notes,
        }
    }
}

fn unique(problems: &mut Vec<Problem>) {
    let mut seen: Vec<Problem> = Vec::with_capacity(problems.len());
    for problem in problems.drain(..) {
        if !seen.contains(&problem) {
            seen.push(problem);
        }
    }
    *problems = seen;
}

impl Work<'_> {
    fn place(&self, label: &str) -> Place {
        let place = self.bound.place.at_row(self.row.number);
        if label.is_empty() {
            place
        } else {
            place.at_column(label)
        }
    }

    fn fault(&mut self, label: &str, value: Option<&str>, fault: Fault) -> Noted {
        let problem = Problem::new(
            fault.code,
            self.place(label),
            fault.message,
            fault.message_sv,
        );
        self.problems.push(match value {
            Some(value) => problem.with_value(value),
            None => problem,
        });
        Noted
    }

    fn holds(&self, conditions: &[Condition], item: Option<&Value>) -> bool {
        conditions.iter().all(|condition| {
            let cell = self.bound.cell(condition.column, self.row, item);
            condition
                .test
                .holds(&cell, &self.bound.mapping.values.empty)
        })
    }

    /// The items of an `each`: those of a list, or the parts of a text.
    fn items(&mut self, each: &Each, outer: Option<&Value>) -> Vec<Value> {
        let cell = self.bound.cell(each.column, self.row, outer).into_owned();
        match cell {
            Cell::Json(Value::Array(items)) => items,
            Cell::Json(object) => vec![object],
            Cell::Refused(problem) => {
                self.problems.push(*problem);
                Vec::new()
            }
            other => {
                let text = other.as_text().unwrap_or_default();
                let parts: Vec<&str> = match &each.split {
                    Some(at) => text.split(at.as_str()).collect(),
                    None => vec![&text],
                };
                parts
                    .into_iter()
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .map(Value::from)
                    .collect()
            }
        }
    }

    fn record(&mut self, spec: &RecordSpec, item: Option<&Value>) -> Option<Draft> {
        if !self.holds(&spec.when, item) {
            return None;
        }
        self.references.clear();
        let key = match self.target(&spec.key, item) {
            Ok(Some(key)) => Some(key),
            Ok(None) => {
                let label = self.target_label(&spec.key);
                self.fault(
                    &label,
                    None,
                    Fault::new(
                        code::MISSING_VALUE,
                        format!("The key of the record \"{}\" is empty; fill the cell in, or leave the row out with a condition (when).", spec.name),
                        format!("Nyckeln för posten \"{}\" är tom; fyll i cellen eller utelämna raden med ett villkor (when).", spec.name),
                    ),
                );
                None
            }
            Err(Noted) => None,
        };
        let mut data = Value::Object(Map::new());
        for (path, value) in &spec.data {
            if let Ok(Some(value)) = self.value(value, item, &pointer(path)) {
                put(&mut data, path, value);
            }
        }
        for list in &spec.lists {
            self.list(list, item, &mut data);
        }
        let (valid_from, valid_to) = self.period(spec, item);
        let key = key?;
        if let Key::Source(_) = &key {
            let own = key.identifier(&self.bound.context.source);
            append(&mut data, &["identifiers".to_owned()], own);
        }
        Some(Draft {
            record: Arc::clone(&spec.name),
            domain: spec.domain,
            key,
            data,
            valid_from,
            valid_to,
            references: std::mem::take(&mut self.references),
        })
    }

    fn list(&mut self, list: &ListSpec, outer: Option<&Value>, data: &mut Value) {
        let items: Vec<Option<Value>> = match &list.each {
            None => vec![outer.cloned()],
            Some(each) => self.items(each, outer).into_iter().map(Some).collect(),
        };
        for item in &items {
            let item = item.as_ref();
            if !self.holds(&list.when, item) {
                continue;
            }
            let place = format!("{}/{}", pointer(&list.to), length(data, &list.to));
            match &list.item {
                ItemSpec::Value(spec) => match self.value(spec, item, &place) {
                    // A split gives several items.
                    Ok(Some(Value::Array(values))) => {
                        for value in values {
                            append(data, &list.to, value);
                        }
                    }
                    Ok(Some(value)) => append(data, &list.to, value),
                    Ok(None) | Err(Noted) => {}
                },
                ItemSpec::Object(properties) => {
                    let mut object = Value::Object(Map::new());
                    let mut told = properties.iter().all(|(_, spec)| spec.source.is_constant());
                    for (path, spec) in properties {
                        let at = format!("{place}{}", pointer(path));
                        if let Ok(Some(value)) = self.value(spec, item, &at) {
                            told |= !spec.source.is_constant();
                            put(&mut object, path, value);
                        }
                    }
                    // Constants alone say nothing of the row: `kind = "email"` without an address is no contact point.
                    if told {
                        append(data, &list.to, object);
                    } else {
                        let prefix = format!("{place}/");
                        self.references
                            .retain(|known| !known.pointer.starts_with(&prefix));
                    }
                }
            }
        }
    }

    /// The bounds, and whether they are a period.
    fn period(
        &mut self,
        spec: &RecordSpec,
        item: Option<&Value>,
    ) -> (Option<ValidFrom>, Option<ValidTo>) {
        let from = spec
            .valid_from
            .as_ref()
            .and_then(|value| self.bound_date(value, item, false));
        let to = spec
            .valid_to
            .as_ref()
            .and_then(|value| self.bound_date(value, item, true));
        let start = from.unwrap_or(Period::BEGINNING);
        let end = to.unwrap_or(Period::OPEN);
        match Period::new(start, end) {
            Ok(_) => {}
            Err(PeriodError::OutOfRange { date }) => {
                self.fault(
                    "",
                    None,
                    Fault::new(
                        "out-of-range",
                        format!("The date {date} is out of range: dates lie between 1000-01-01 and 9999-12-30. If it means \"until further notice\", add it to values.open in the mapping."),
                        format!("Datumet {date} är utanför gränserna: datum ligger mellan 1000-01-01 och 9999-12-30. Om det betyder \"tills vidare\", lägg till det i values.open i mappningen."),
                    ),
                );
            }
            Err(PeriodError::NotRising { .. }) => {
                let label = spec
                    .valid_to
                    .as_ref()
                    .map(|value| self.source_label(&value.source))
                    .unwrap_or_default();
                let last = end.pred_opt().unwrap_or(end);
                self.fault(
                    &label,
                    None,
                    Fault::new(
                        code::PERIOD,
                        format!("The period ends before it begins: its first day is {start} and its last {last}."),
                        format!("Perioden slutar innan den börjar: dess första dag är {start} och dess sista {last}."),
                    ),
                );
            }
        }
        (
            from.map(ValidFrom::from_start),
            to.map(|date| {
                if date == Period::OPEN {
                    ValidTo::Open
                } else {
                    ValidTo::Date(date)
                }
            }),
        )
    }

    /// A bound of the period as a date, with the sentinel for an open end.
    fn bound_date(
        &mut self,
        spec: &ValueSpec,
        item: Option<&Value>,
        end: bool,
    ) -> Option<chrono::NaiveDate> {
        if !self.holds(&spec.when, item) {
            return None;
        }
        let (cell, label) = self.source(&spec.source, item);
        if end && self.is_open(&cell) {
            return Some(Period::OPEN);
        }
        let value = self.value(spec, item, "").ok()??;
        let date: chrono::NaiveDate = value.as_str()?.parse().ok()?;
        // A text in another form of the same day: `20991231`.
        let open = end
            && self
                .bound
                .mapping
                .values
                .open
                .contains(&self.raw_date(&cell, spec)?);
        let _ = label;
        Some(if open { Period::OPEN } else { date })
    }

    fn is_open(&self, cell: &Cell) -> bool {
        let text = cell.as_text().unwrap_or_default();
        self.bound
            .mapping
            .values
            .open
            .iter()
            .any(|open| open.trim() == text.trim())
    }

    fn raw_date(&self, cell: &Cell, spec: &ValueSpec) -> Option<String> {
        date(cell, &self.rules(spec))
            .ok()
            .map(|date| date.to_string())
    }

    fn rules<'s>(&'s self, spec: &'s ValueSpec) -> Rules<'s> {
        let values = &self.bound.mapping.values;
        Rules {
            values,
            dates: spec.dates.as_deref().unwrap_or(&values.dates),
            times: spec.times,
            context: &self.bound.context,
        }
    }

    /// The cell that a value is made of, and what messages call it.
    fn source(&self, source: &Source, item: Option<&Value>) -> (Cell, String) {
        let label = self.source_label(source);
        let cell = |column: &ColumnId| self.bound.cell(*column, self.row, item);
        match source {
            Source::Column(column) => (cell(column).into_owned(), label),
            Source::First(columns) => {
                let found = columns
                    .iter()
                    .map(|column| (cell(column), column))
                    .find(|(cell, _)| !self.is_empty(cell));
                match found {
                    Some((cell, column)) => {
                        (cell.into_owned(), self.bound.label(*column).to_owned())
                    }
                    None => (Cell::Empty, label),
                }
            }
            Source::Join(columns, with) => {
                let mut parts = Vec::new();
                for column in columns {
                    let cell = cell(column);
                    if let Cell::Refused(_) = &*cell {
                        return (cell.into_owned(), label);
                    }
                    if !self.is_empty(&cell) {
                        parts.push(cell.as_text().unwrap_or_default().trim().to_owned());
                    }
                }
                (Cell::text(&parts.join(with)), label)
            }
            Source::Template(template) => (self.template(template, item), label),
            Source::Constant(value) => (Cell::of_json(value), label),
            Source::Reference(..) => (Cell::Empty, label),
        }
    }

    fn source_label(&self, source: &Source) -> String {
        let join = |columns: &[ColumnId]| {
            columns
                .iter()
                .map(|column| self.bound.label(*column))
                .collect::<Vec<_>>()
                .join(" + ")
        };
        match source {
            Source::Column(column) => self.bound.label(*column).to_owned(),
            Source::First(columns) | Source::Join(columns, _) => join(columns),
            Source::Template(template) => join(&template.columns()),
            Source::Constant(_) => String::new(),
            Source::Reference(_, target) => self.target_label(target),
        }
    }

    fn target_label(&self, target: &TargetSpec) -> String {
        match target {
            TargetSpec::Key(template) | TargetSpec::Scheme(_, template) => {
                self.source_label(&Source::Template(template.clone()))
            }
            TargetSpec::Identifier(spec) => self.source_label(&spec.source),
            TargetSpec::Record(_) => String::new(),
        }
    }

    /// The text of a template; empty when one of its columns is.
    fn template(&self, template: &Template, item: Option<&Value>) -> Cell {
        let mut text = String::new();
        for piece in &template.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Column(column) => {
                    let cell = self.bound.cell(*column, self.row, item);
                    match &*cell {
                        Cell::Refused(_) => return cell.into_owned(),
                        cell if self.is_empty(cell) => return Cell::Empty,
                        cell => text.push_str(cell.as_text().unwrap_or_default().trim()),
                    }
                }
            }
        }
        Cell::Text(text)
    }

    fn is_empty(&self, cell: &Cell) -> bool {
        let empty = &self.bound.mapping.values.empty;
        cell.is_blank()
            || !empty.is_empty()
                && cell
                    .as_text()
                    .is_some_and(|text| empty.contains(&text.trim().to_lowercase()))
    }

    /// A value for the property at the pointer; `None` when there is none.
    fn value(
        &mut self,
        spec: &ValueSpec,
        item: Option<&Value>,
        pointer: &str,
    ) -> Result<Option<Value>, Noted> {
        if !self.holds(&spec.when, item) {
            return Ok(None);
        }
        if let Source::Constant(value) = &spec.source {
            return Ok(Some(value.clone()));
        }
        if let Source::Reference(domain, target) = &spec.source {
            return self.reference(*domain, target, spec.required, item, pointer);
        }
        let (cell, label) = self.source(&spec.source, item);
        if let Cell::Refused(problem) = cell {
            self.problems.push(*problem);
            return Err(Noted);
        }
        if self.is_empty(&cell) {
            if let Some(default) = &spec.default {
                return Ok(Some(Value::from(default.clone())));
            }
            if spec.required {
                return Err(self.fault(
                    &label,
                    None,
                    Fault::new(
                        code::MISSING_VALUE,
                        "The cell is empty, and the mapping requires a value.",
                        "Cellen är tom, och mappningen kräver ett värde.",
                    ),
                ));
            }
            return Ok(None);
        }
        let Some(at) = &spec.split else {
            return self.single(spec, &cell, &label);
        };
        let text = cell.as_text().unwrap_or_default();
        let parts: Vec<&str> = text
            .split(at.as_str())
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        if let Some(part) = spec.part {
            let index = usize::try_from(part.unsigned_abs()).unwrap_or(usize::MAX);
            let index = if part > 0 {
                index.checked_sub(1)
            } else {
                parts.len().checked_sub(index)
            };
            return match index.and_then(|index| parts.get(index)) {
                Some(part) => self.single(spec, &Cell::text(part), &label),
                None => Ok(None),
            };
        }
        let mut values = Vec::new();
        for part in parts {
            values.extend(self.single(spec, &Cell::text(part), &label)?);
        }
        Ok((!values.is_empty()).then_some(Value::Array(values)))
    }

    /// One value of a cell that is not blank.
    fn single(
        &mut self,
        spec: &ValueSpec,
        cell: &Cell,
        label: &str,
    ) -> Result<Option<Value>, Noted> {
        let mut cell = Cow::Borrowed(cell);
        if let Some(case) = spec.case
            && let Some(text) = cell.as_text()
        {
            cell = Cow::Owned(Cell::Text(in_case(&text, case)));
        }
        if let Some(index) = spec.codes {
            let text = cell.as_text().unwrap_or_default();
            match self.translated(index, &text) {
                Some(translated) if translated.is_empty() => return Ok(None),
                Some(translated) => cell = Cow::Owned(Cell::Text(translated)),
                None => {
                    let fault = self.untranslated(index);
                    return Err(self.fault(label, Some(&text), fault));
                }
            }
        }
        let text = cell.as_text().unwrap_or_default();
        let converted = convert(&cell, spec.kind, &self.rules(spec));
        match converted {
            Err(fault) => Err(self.fault(label, Some(&text), fault)),
            Ok(converted) => {
                if let Some(note) = converted.note {
                    let note =
                        Problem::new(note.code, self.place(label), note.message, note.message_sv);
                    self.notes.push(note.with_value(&text));
                }
                Ok(Some(if spec.kind == Kind::EndDate {
                    self.end(converted.value)
                } else {
                    converted.value
                }))
            }
        }
    }

    /// The first day after, where the file gives the last day.
    fn end(&self, value: Value) -> Value {
        let date = value
            .as_str()
            .and_then(|text| text.parse::<chrono::NaiveDate>().ok());
        match (self.bound.mapping.values.ends, date) {
            (EndDates::Inclusive, Some(date)) => Value::from(inclusive_end(date).to_string()),
            _ => value,
        }
    }

    fn translated(&self, index: usize, text: &str) -> Option<String> {
        let table = self.bound.mapping.codes.get(index)?;
        let known = table.codes.get(&text.trim().to_lowercase());
        known.or_else(|| table.codes.get("*")).cloned()
    }

    fn untranslated(&self, index: usize) -> Fault {
        let table = self.bound.mapping.codes.get(index);
        let name = table.map_or("", |table| table.name.as_str());
        let known: Vec<&str> = table
            .into_iter()
            .flat_map(|table| table.codes.keys())
            .map(String::as_str)
            .take(20)
            .collect();
        Fault::new(
            code::UNTRANSLATED,
            format!(
                "The table codes.{name} of the mapping does not have the value; it has: {}. Add it there, or correct the cell.",
                known.join(", ")
            ),
            format!(
                "Mappningens tabell codes.{name} har inte värdet; den har: {}. Lägg till det där eller rätta cellen.",
                known.join(", ")
            ),
        )
    }

    fn reference(
        &mut self,
        domain: Domain,
        target: &TargetSpec,
        required: bool,
        item: Option<&Value>,
        pointer: &str,
    ) -> Result<Option<Value>, Noted> {
        let (domain, key) = match target {
            TargetSpec::Record(name) => match self.made.iter().find(|(made, ..)| made == name) {
                Some((_, domain, key)) => (*domain, Some(key.clone())),
                None => (domain, None),
            },
            other => (domain, self.target(other, item)?),
        };
        let Some(key) = key else {
            if required {
                let label = self.target_label(target);
                return Err(self.fault(
                    &label,
                    None,
                    Fault::new(
                        code::MISSING_VALUE,
                        "The reference is empty, and the mapping requires it.",
                        "Hänvisningen är tom, och mappningen kräver den.",
                    ),
                ));
            }
            return Ok(None);
        };
        let value = serde_json::json!({"identifier": key.identifier(&self.bound.context.source)});
        self.references.push(DraftReference {
            pointer: pointer.to_owned(),
            domain,
            key,
        });
        Ok(Some(value))
    }

    /// What names a record; `None` when its columns are empty.
    fn target(&mut self, target: &TargetSpec, item: Option<&Value>) -> Result<Option<Key>, Noted> {
        let of_template = |work: &mut Self, template: &Template| match work.template(template, item)
        {
            Cell::Refused(problem) => {
                work.problems.push(*problem);
                Err(Noted)
            }
            cell => Ok(cell.as_text().filter(|text| !text.trim().is_empty())),
        };
        Ok(match target {
            TargetSpec::Key(template) => of_template(self, template)?.map(Key::Source),
            TargetSpec::Scheme(scheme, template) => {
                of_template(self, template)?.map(|value| Key::Identifier {
                    scheme: scheme.clone(),
                    value,
                })
            }
            TargetSpec::Identifier(spec) => {
                let value = self.value(spec, item, "")?;
                let part = |name: &str| Some(value.as_ref()?.get(name)?.as_str()?.to_owned());
                match (part("scheme"), part("value")) {
                    (Some(scheme), Some(value)) => Some(Key::Identifier { scheme, value }),
                    _ => None,
                }
            }
            TargetSpec::Record(name) => self
                .made
                .iter()
                .find(|(made, ..)| made == name)
                .map(|(.., key)| key.clone()),
        })
    }
}

impl Template {
    fn columns(&self) -> Vec<ColumnId> {
        self.0
            .iter()
            .filter_map(|piece| match piece {
                Piece::Column(column) => Some(*column),
                Piece::Text(_) => None,
            })
            .collect()
    }
}

fn in_case(text: &str, case: Case) -> String {
    match case {
        Case::Upper => text.to_uppercase(),
        Case::Lower => text.to_lowercase(),
        Case::Title => {
            let mut start = true;
            text.chars()
                .flat_map(|char| {
                    let cased: Vec<char> = if start {
                        char.to_uppercase().collect()
                    } else {
                        char.to_lowercase().collect()
                    };
                    start = !char.is_alphanumeric() && char != '\'';
                    cased
                })
                .collect()
        }
    }
}

fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1")))
        .collect()
}

/// The value at the path, made of objects where there is nothing yet.
fn slot<'d>(data: &'d mut Value, path: &[String]) -> &'d mut Value {
    path.iter().fold(data, |value, step| {
        if !value.is_object() {
            *value = Value::Object(Map::new());
        }
        // An object always: indexing it by name makes the member.
        match value {
            Value::Object(members) => members.entry(step.as_str()).or_insert(Value::Null),
            other => other,
        }
    })
}

fn put(data: &mut Value, path: &[String], value: Value) {
    *slot(data, path) = value;
}

fn append(data: &mut Value, path: &[String], value: Value) {
    let list = slot(data, path);
    match list {
        Value::Array(items) => items.push(value),
        other => *other = Value::Array(vec![value]),
    }
}

fn length(data: &Value, path: &[String]) -> usize {
    data.pointer(&pointer(path))
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}
