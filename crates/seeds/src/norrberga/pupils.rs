//! Pupils: ten cohorts of the compulsory school, each with a new grade every August.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use grunddata_model::{Domain, ValidFrom};
use serde_json::json;
use uuid::Uuid;

use super::people::{People, STARTED};
use super::places;
use super::units::{Units, unit_id};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, day, reference};

/// Years of birth of the cohorts that have gone to school since the start.
const COHORTS: std::ops::RangeInclusive<i32> = 2008..=2020;

/// A pupil's enrolment in one school.
#[derive(Debug)]
pub(super) struct Pupil {
    id: Uuid,
    person: usize,
    pub(super) cohort: i32,
    school: &'static str,
}

/// Schools that have all or the lower grades. One school for all ten years keeps an enrolment one record.
const SCHOOLS: [&str; 9] = [
    "hedviksskolan",
    "norrbergaskolan",
    "lillasskolan",
    "vasterbyskolan",
    "centralskolan",
    "forsnasskolan",
    "bjorkskolan",
    "angsskolan",
    "sjoskolan",
];

/// How many of a year of birth go to school in the municipality: 1,600 in the ten cohorts of 2011 to 2020.
fn cohort_size(born: i32) -> usize {
    match born {
        2020 => 145,
        2011..=2016 => 162,
        2017..=2019 => 161,
        _ => 150,
    }
}

pub(super) fn enrolled(people: &People) -> Vec<Pupil> {
    let mut by_year: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (index, person) in people.all.iter().enumerate() {
        if COHORTS.contains(&person.born.year()) && !person.coordination {
            by_year.entry(person.born.year()).or_default().push(index);
        }
    }
    by_year
        .into_iter()
        .flat_map(|(cohort, children)| {
            children
                .into_iter()
                .take(cohort_size(cohort))
                .enumerate()
                .map(move |(turn, person)| Pupil {
                    id: seed_id(Domain::Role, &format!("norrberga/pupil/{cohort}/{turn}")),
                    person,
                    cohort,
                    // A few in the adapted school.
                    school: if turn % 40 == 7 {
                        "tallskolan"
                    } else {
                        SCHOOLS[turn % SCHOOLS.len()]
                    },
                })
        })
        .collect()
}

/// The first day of a school year.
fn school_start(year: i32) -> NaiveDate {
    day(year, 8, 17)
}

/// The day after the last day of grade 9 for a cohort.
fn school_end(cohort: i32) -> NaiveDate {
    day(cohort + 16, 6, 13)
}

fn grade(cohort: i32, year: i32) -> String {
    match year - cohort - 6 {
        0 => "f".to_owned(),
        grade => grade.to_string(),
    }
}

impl Pupil {
    /// The enrolment, as known from the school year in which it is first recorded.
    pub(super) fn creation(&self, people: &People, units: &Units) -> SeedOperation {
        // Before the start only the present school year is known.
        let year = (self.cohort + 6).max(STARTED.year());
        let form = match (self.school, grade(self.cohort, year).as_str()) {
            ("tallskolan", _) => "adapted-compulsory-school",
            (_, "f") => "preschool-class",
            _ => "compulsory-school",
        };
        let mut data = json!({
            "person": reference(people.all[self.person].id),
            "organisation": reference(unit_id(self.school)),
            "kind": "pupil",
            "extensions": { "se-skola": { "schoolForm": form, "grade": grade(self.cohort, year) } },
        });
        if let Some(school) = units.find(self.school) {
            data["workplace"] = reference(places::site(&school.site));
        }
        SeedOperation::create(
            Domain::Role,
            self.id,
            data,
            ValidFrom::Date(school_start(year)),
        )
        .under(Some(unit_id("bun")))
    }

    /// The move up to the grade of a school year.
    pub(super) fn moved_up(&self, year: i32) -> SeedOperation {
        let form = if self.school == "tallskolan" {
            "adapted-compulsory-school"
        } else {
            "compulsory-school"
        };
        let patch = json!({ "extensions": { "se-skola": { "schoolForm": form, "grade": grade(self.cohort, year) } } });
        SeedOperation::amend(Domain::Role, self.id, patch, school_start(year))
    }

    /// The end of school.
    pub(super) fn left(&self) -> SeedOperation {
        SeedOperation::end(Domain::Role, self.id, school_end(self.cohort))
    }

    /// Whether the pupil moves up in a school year that began in `year`.
    pub(super) fn moves_up(&self, year: i32) -> bool {
        let grade = year - self.cohort - 6;
        (1..=9).contains(&grade)
    }
}
