//! What the academic sessions of OneRoster 1.2 (1EdTech, CSV binding) say of its other files: a class holds during its terms,
//! and an enrolment that has no dates of its own during those of its class.
//!
//! The days stand in two columns that are added to `classes.csv` and `enrollments.csv`, where a mapping uses them. What is held
//! in memory is a period for each term and for each class. Ends are exclusive, as the standard has them.

use std::cell::Cell as Counter;
use std::collections::HashMap;
use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::rc::Rc;

use chrono::NaiveDate;

use crate::mapping::Mapping;
use crate::rows::{self, Cell, Content, Event, Header, ReadOptions, Row, Sink};
use crate::{Place, Problem, code};

/// The columns that are added: the first day of the terms, and the first day after them.
const COLUMNS: [&str; 2] = ["term.begin", "term.end"];
/// The file of the terms.
pub(crate) const SESSIONS: &str = "academicsessions.csv";
const CLASSES: &str = "classes.csv";
const ENROLLMENTS: &str = "enrollments.csv";
/// The most terms and classes that are held.
const MOST: usize = 1_000_000;

type Days = (NaiveDate, NaiveDate);

/// The terms of a delivery.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    /// Of classes all of whose terms are known, the days; of others the delivery does not say until when they hold.
    classes: HashMap<String, Option<Days>>,
    /// How many terms there are; `None` without a file of them.
    terms: Option<usize>,
    /// How many of them have no period.
    undated: usize,
    /// How many classes name one that is not there.
    astray: usize,
}

impl Terms {
    /// Whether the mapping uses the columns that are added.
    pub(crate) fn are_wanted(mapping: &Mapping) -> bool {
        let mut columns = mapping.columns.iter();
        columns.any(|column| COLUMNS.contains(&column.name.as_str()))
    }

    /// Reads what the classes of a delivery have of its terms. `members` are its files, each with its name in lower case.
    pub(crate) fn read<R: Read + Seek>(
        input: &mut R,
        members: &[(String, &String)],
        options: &ReadOptions,
    ) -> Result<Self, Problem> {
        let mut found = Self::default();
        let named = |wanted: &str| {
            let mut members = members.iter();
            members.find_map(|(base, name)| (base == wanted).then_some(*name))
        };
        let mut terms: HashMap<String, Option<Days>> = HashMap::new();
        if let Some(sessions) = named(SESSIONS) {
            let wanted = ["sourcedId", "startDate", "endDate"];
            each(input, sessions, options, wanted, &mut |[id, start, end]| {
                let days = day(&start)
                    .zip(day(&end))
                    .filter(|(start, end)| start < end);
                found.undated += usize::from(days.is_none());
                terms.insert(id, days);
                terms.len()
            })?;
            found.terms = Some(terms.len());
        }
        let Some(classes) = named(CLASSES) else {
            return Ok(found);
        };
        let wanted = ["sourcedId", "termSourcedIds", ""];
        each(input, classes, options, wanted, &mut |[id, of, _]| {
            let names = of.split(',').map(str::trim).filter(|name| !name.is_empty());
            let all: Vec<Option<&Option<Days>>> = names.map(|name| terms.get(name)).collect();
            if all.iter().any(Option::is_none) {
                found.astray += 1;
                return found.classes.len();
            }
            let days = all.into_iter().flatten().flatten().copied();
            let whole =
                days.reduce(|(start, end), (other, until)| (start.min(other), end.max(until)));
            found.classes.insert(id, whole);
            found.classes.len()
        })?;
        Ok(found)
    }

    /// What is worth knowing of it, once.
    pub(crate) fn note(&self, place: &Place) -> Option<Problem> {
        let terms = self.terms?;
        let mut en = format!(
            "The {terms} academic sessions of the delivery say when classes hold, and enrolments without dates of their own. Their names, kinds, school years and order have no place in the information model and are left out."
        );
        let mut sv = format!(
            "Leveransens {terms} läsårsperioder (academicSessions) anger när klasser gäller, och inskrivningar utan egna datum. Deras namn, typer, läsår och ordning har ingen plats i informationsmodellen och utelämnas."
        );
        if self.undated > 0 {
            en.push_str(&format!(" {} of them have no period.", self.undated));
            sv.push_str(&format!(" {} av dem har ingen period.", self.undated));
        }
        if self.astray > 0 {
            en.push_str(&format!(
                " {} classes name one that is not in the delivery.",
                self.astray
            ));
            sv.push_str(&format!(
                " {} klasser anger en som inte finns i leveransen.",
                self.astray
            ));
        }
        Some(Problem::new(code::TERMS, place.clone(), en, sv))
    }

    /// Gives on what is read of a file, with the columns added where it is one that has them. `base` is its name in lower case.
    pub(crate) fn added<T>(
        &self,
        base: &str,
        events: &mut Sink<'_>,
        read: impl FnOnce(&mut Sink<'_>) -> T,
    ) -> T {
        let is_class = base == CLASSES;
        if !is_class && base != ENROLLMENTS {
            return read(events);
        }
        let mut places = [None; 3];
        read(&mut |event| match event {
            Event::Header(header) if !header.is_objects() => {
                let wanted = match is_class {
                    true => ["sourcedId", "", ""],
                    false => ["classSourcedId", "beginDate", "endDate"],
                };
                places = wanted.map(|name| header.find(name).ok());
                let names = header.names().iter().map(|name| name.to_string());
                let names = names.chain(COLUMNS.map(str::to_owned));
                events(Event::Header(&Header::new(header.place().clone(), names)))
            }
            Event::Row(mut row) => {
                let [class, begin, end] = places.map(|at| text(&row, at));
                let known = self.classes.get(&class).copied();
                let days = known.flatten();
                let (from, to) = days.map_or((None, None), |days| within(days, &begin, &end));
                // Where nothing is known of the class, an end that the row leaves out is not said.
                let is_said = !is_class && (known.is_some() || !end.is_empty());
                let to = to.or_else(|| NaiveDate::from_ymd_opt(9999, 12, 31).filter(|_| is_said));
                if let Content::Cells(cells) = &mut row.content {
                    cells.extend([from, to].map(|day| day.map_or(Cell::Empty, Cell::Date)));
                }
                events(Event::Row(row))
            }
            other => events(other),
        })
    }
}

/// What is left for the terms to say where the row has dates of its own: nothing that they contradict.
fn within((start, end): Days, begin: &str, until: &str) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let from = match (begin, day(until)) {
        ("", Some(until)) => (start < until).then_some(start),
        ("", None) => Some(start),
        _ => None,
    };
    let to = match (until, day(begin)) {
        ("", Some(begin)) => (begin < end).then_some(end),
        ("", None) => Some(end),
        _ => None,
    };
    (from, to)
}

fn day(text: &str) -> Option<NaiveDate> {
    text.parse().ok()
}

fn text(row: &Row, at: Option<usize>) -> String {
    let Content::Cells(cells) = &row.content else {
        return String::new();
    };
    let cell = at.and_then(|at| cells.get(at));
    let text = cell.and_then(Cell::as_text).unwrap_or_default();
    text.trim().to_owned()
}

/// Gives the texts of three columns of a file, row by row; empty where there is none. Each call answers how much is held.
fn each<R: Read + Seek>(
    input: &mut R,
    name: &str,
    options: &ReadOptions,
    wanted: [&str; 3],
    take: &mut dyn FnMut([String; 3]) -> usize,
) -> Result<(), Problem> {
    let inner = ReadOptions {
        file: format!("{}/{name}", options.file),
        ..options.clone()
    };
    let mut places = [None; 3];
    let mut full = false;
    let out = Rc::new(Counter::new(0));
    rows::member(input, name, &inner, &out, &mut |event| {
        match event {
            Event::Header(header) => places = wanted.map(|name| header.find(name).ok()),
            Event::Row(row) => {
                let texts = places.map(|at| text(&row, at));
                full = !texts[0].is_empty() && take(texts) > MOST;
            }
            Event::Refused(_) | Event::Note(_) => {}
        }
        match full {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if full {
        return Err(Problem::new(
            code::LIMIT,
            Place::of_file(&inner.file),
            format!("The file names more than {MOST} classes or terms; divide the delivery."),
            format!(
                "Filen anger fler än {MOST} klasser eller läsårsperioder; dela upp leveransen."
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{day, within};

    #[test]
    fn own_dates_go_before_those_of_the_class() {
        let days = (day("2025-08-18").unwrap(), day("2026-06-13").unwrap());
        let told = |begin, until| {
            let (from, to) = within(days, begin, until);
            [from, to].map(|day| day.map(|day| day.to_string()))
        };
        let (start, end) = (Some("2025-08-18".to_owned()), Some("2026-06-13".to_owned()));
        assert_eq!(told("", ""), [start.clone(), end.clone()]);
        assert_eq!(told("2025-09-01", ""), [None, end.clone()]);
        assert_eq!(told("", "2026-01-01"), [start.clone(), None]);
        assert_eq!(told("2025-09-01", "2026-01-01"), [None, None]);
        assert_eq!(
            told("2026-08-01", ""),
            [None, None],
            "after the class has ended"
        );
        assert_eq!(told("", "2025-01-01"), [None, None], "before it begins");
        assert_eq!(
            told("2025-13-40", ""),
            [None, end],
            "the row says itself what is wrong with it"
        );
    }
}
