//! Evaluating the values of a mapping for a row: sources, conversions, references and keys.

use std::borrow::Cow;

use grunddata_model::{Domain, inclusive_end};
use serde_json::Value;

use super::apply::{Noted, Work};
use super::convert::{Fault, Rules, convert};
use super::{
    Case, ColumnId, DraftReference, EndDates, Key, Kind, Piece, Source, TargetSpec, Template,
    ValueSpec,
};
use crate::rows::Cell;
use crate::{Problem, code};

impl Work<'_> {
    pub(super) fn rules<'s>(&'s self, spec: &'s ValueSpec) -> Rules<'s> {
        let values = &self.bound.mapping.values;
        Rules {
            values,
            dates: spec.dates.as_deref().unwrap_or(&values.dates),
            times: spec.times,
            crs: spec.crs,
            context: &self.bound.context,
        }
    }

    /// The cell that a value is made of, and what messages call it.
    pub(super) fn source(&self, source: &Source, item: Option<&Value>) -> (Cell, String) {
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

    pub(super) fn source_label(&self, source: &Source) -> String {
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

    pub(super) fn target_label(&self, target: &TargetSpec) -> String {
        match target {
            TargetSpec::Key(template) | TargetSpec::Scheme(_, template) => {
                self.source_label(&Source::Template(template.clone()))
            }
            TargetSpec::Identifier(spec) => self.source_label(&spec.source),
            TargetSpec::Record(_) => String::new(),
        }
    }

    /// The text of a template; empty when one of its columns is.
    pub(super) fn template(&self, template: &Template, item: Option<&Value>) -> Cell {
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
    pub(super) fn value(
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
        let value = key.reference(&self.bound.context.source);
        self.references.push(DraftReference {
            pointer: pointer.to_owned(),
            domain: Some(domain),
            key,
        });
        Ok(Some(value))
    }

    /// What names a record; `None` when its columns are empty.
    pub(super) fn target(
        &mut self,
        target: &TargetSpec,
        item: Option<&Value>,
    ) -> Result<Option<Key>, Noted> {
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
