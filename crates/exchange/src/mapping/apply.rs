//! Applying a mapping to a row.

use std::sync::Arc;

use grunddata_model::{Domain, Period, PeriodError, ValidFrom, ValidTo};
use serde_json::{Map, Value};

use super::condition::Condition;
use super::convert::{Fault, date};
use super::{
    Bound, Complete, Draft, DraftReference, Each, ItemSpec, Key, ListSpec, Mapped, Named,
    RecordSpec, Rejected, ValueSpec,
};
use crate::rows::{Cell, Content, Row};
use crate::{Place, Problem, code};

/// A problem of this row has been noted; what needed the value is left out.
pub(super) struct Noted;

/// One row while it is mapped.
pub(super) struct Work<'b> {
    pub(super) bound: &'b Bound,
    pub(super) row: &'b Row,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<Problem>,
    /// Records of this row that others can refer to.
    pub(super) made: Vec<(Arc<str>, Domain, Key)>,
    /// References of the draft that is being made.
    pub(super) references: Vec<DraftReference>,
    /// Whether the row is about something that it does not name.
    unknown: bool,
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
            unknown: false,
        };
        // Keys first, so that a record can refer to one that stands after it.
        for record in self.records() {
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
        work.unknown = false;
        let mut drafts = Vec::new();
        let mut complete = Vec::new();
        for record in self.records() {
            match &record.each {
                None => drafts.extend(work.record(record, None)),
                Some(each) => {
                    complete.extend(work.complete(record, each));
                    for item in work.items(each, None) {
                        drafts.extend(work.record(record, Some(&item)));
                    }
                }
            }
        }
        complete.retain(|_| work.problems.is_empty());
        let Work {
            mut problems,
            mut notes,
            unknown,
            ..
        } = work;
        // One cell that several properties use is wrong once.
        unique(&mut problems);
        unique(&mut notes);
        Mapped {
            file: Arc::clone(&self.place.file),
            row: row.number,
            outcome: if problems.is_empty() {
                Ok(drafts)
            } else {
                Err(Rejected {
                    problems,
                    // A draft is made even of a record with whose values something is wrong.
                    about: (!unknown).then(|| drafts.into_iter().map(Named::from).collect()),
                })
            },
            notes,
            complete,
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
    pub(super) fn place(&self, label: &str) -> Place {
        let place = self.bound.place.at_row(self.row.number);
        if label.is_empty() {
            place
        } else {
            place.at_column(label)
        }
    }

    pub(super) fn fault(&mut self, label: &str, value: Option<&str>, fault: Fault) -> Noted {
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

    /// Whether all conditions hold. A cell that cannot be read is a problem of the row: nobody knows what it says.
    pub(super) fn holds(&mut self, conditions: &[Condition], item: Option<&Value>) -> bool {
        let bound = self.bound;
        conditions.iter().all(|condition| {
            let cell = bound.cell(condition.column, self.row, item);
            if let Cell::Refused(problem) = &*cell {
                self.problems.push((**problem).clone());
                self.unknown = true;
            }
            condition.test.holds(&cell, &bound.mapping.values.empty)
        })
    }

    /// What the row says of all records of this name that it has, where it has a list of them: an object without one says
    /// nothing.
    fn complete(&self, spec: &RecordSpec, each: &Each) -> Option<Complete> {
        let start = self.template(spec.complete.as_ref()?, None);
        let cell = self.bound.cell(each.column, self.row, None);
        let is_list = match &self.row.content {
            Content::Cells(_) => !matches!(&*cell, Cell::Refused(_)),
            Content::Object(_) => matches!(&*cell, Cell::Json(Value::Array(_))),
        };
        // What is asked of the row and not of an item.
        let of_row = spec.when.iter().filter(|condition| {
            let column = self.bound.mapping.columns.get(condition.column);
            column.is_some_and(|column| !column.name.starts_with('@'))
        });
        let empty = &self.bound.mapping.values.empty;
        let holds = of_row.into_iter().all(|condition| {
            let cell = self.bound.cell(condition.column, self.row, None);
            condition.test.holds(&cell, empty)
        });
        let start = start.as_text().filter(|start| !start.is_empty())?;
        (is_list && holds).then(|| Complete {
            record: Arc::clone(&spec.name),
            start,
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
                self.unknown = true;
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
        self.unknown |= key.is_none();
        if !spec.removed.is_empty() && self.holds(&spec.removed, item) {
            return Some(Draft {
                record: Arc::clone(&spec.name),
                domain: spec.domain,
                key: key?,
                removed: true,
                data: Value::Object(Map::new()),
                valid_from: None,
                valid_to: None,
                references: Vec::new(),
            });
        }
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
        append_identifier(&mut data, &key, &self.bound.context.source);
        Some(Draft {
            record: Arc::clone(&spec.name),
            domain: spec.domain,
            key,
            removed: false,
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
        let (cell, _) = self.source(&spec.source, item);
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
}

/// A source's own key is an identifier of the record, unless it is there already.
pub(crate) fn append_identifier(data: &mut Value, key: &Key, source: &str) {
    if let Key::Source(_) = key
        && let Some(own) = key.identifier(source)
    {
        let path = ["identifiers".to_owned()];
        let there = data
            .get("identifiers")
            .and_then(Value::as_array)
            .is_some_and(|known| known.contains(&own));
        if !there {
            append(data, &path, own);
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
