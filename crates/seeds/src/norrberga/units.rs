//! The municipality as organisations: bodies, committees, administrations, units, schools, care and companies.

use chrono::NaiveDate;
use grunddata_model::{Domain, ValidFrom};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::places::{self, Places};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, both, day, reference};
use crate::{SeedError, files};

/// When the municipality was formed, with its political bodies.
const FORMED: NaiveDate = day(1971, 1, 1);
/// When its present units were set up.
pub(super) const UNITS_FORMED: NaiveDate = day(2008, 1, 1);
/// Adapted compulsory school took over from compulsory school for pupils with learning disabilities.
const ADAPTED_SCHOOL: NaiveDate = day(2023, 7, 2);

/// A row of `units.csv`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Unit {
    pub(super) key: String,
    pub(super) parent: String,
    pub(super) kind: String,
    pub(super) name_sv: String,
    pub(super) name_en: String,
    /// The committee that answers for the personal data.
    pub(super) controller: String,
    pub(super) site: String,
}

/// All units, each after its parent.
#[derive(Debug)]
pub(super) struct Units(pub(super) Vec<Unit>);

/// The id of a unit.
pub(super) fn unit_id(key: &str) -> Uuid {
    seed_id(Domain::Organisation, &format!("norrberga/{key}"))
}

/// The municipality itself.
pub(super) fn municipality() -> Uuid {
    unit_id("kommun")
}

impl Unit {
    pub(super) fn id(&self) -> Uuid {
        unit_id(&self.key)
    }

    /// The controller of records about the people in the unit.
    pub(super) fn controller(&self) -> Uuid {
        match self.controller.as_str() {
            "" => unit_id("ks"),
            key => unit_id(key),
        }
    }

    /// A body or company of the municipality rather than a part of an administration.
    pub(super) fn is_body(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "municipality"
                | "assembly"
                | "drafting-committee"
                | "auditors"
                | "electoral-board"
                | "chief-guardian"
                | "executive-board"
                | "committee"
                | "subcommittee"
                | "joint-committee"
                | "company"
        )
    }

    /// The first day of the unit.
    pub(super) fn start(&self) -> NaiveDate {
        if self.is_body() { FORMED } else { UNITS_FORMED }
    }
}

impl Units {
    pub(super) fn load() -> Result<Self, SeedError> {
        files::UNITS.rows().map(Self)
    }

    pub(super) fn find(&self, key: &str) -> Option<&Unit> {
        self.0.iter().find(|unit| unit.key == key)
    }

    pub(super) fn operations(&self, places: &Places) -> Vec<SeedOperation> {
        let mut operations = Vec::new();
        for (index, unit) in self.0.iter().enumerate() {
            let data = self.data(index, unit, places);
            let start = ValidFrom::Date(unit.start());
            operations.push(SeedOperation::create(
                Domain::Organisation,
                unit.id(),
                data,
                start,
            ));
            if unit.key == "tallskolan" {
                let patch = school(
                    &["adapted-compulsory-school"],
                    &["1", "2", "3", "4", "5", "6", "7", "8", "9"],
                    60,
                );
                let patch = json!({ "extensions": { "se-skola": { "schoolForms": patch["schoolForms"] } } });
                operations.push(SeedOperation::amend(
                    Domain::Organisation,
                    unit.id(),
                    patch,
                    ADAPTED_SCHOOL,
                ));
            }
        }
        operations
    }

    fn data(&self, index: usize, unit: &Unit, places: &Places) -> Value {
        let mut data = json!({
            "identifiers": [{ "scheme": "source:org", "value": format!("NB-{:04}", 1000 + index * 10) }],
            "name": both(&unit.name_sv, &unit.name_en),
            "kind": unit.kind,
        });
        if unit.key == "kommun" {
            data["isLegalEntity"] = json!(true);
            data["legalForm"] = json!("82");
            data["responsibilityAreas"] = json!([reference(places::area())]);
            data["purpose"] = both(
                "Påhittad kommun som visar hur registret används.",
                "A fictional municipality that shows how the registry is used.",
            );
        } else if unit.kind == "company" {
            data["isLegalEntity"] = json!(true);
            data["legalForm"] = json!("49");
            data["affiliations"] = json!([{ "kind": "owned-by", "organisation": reference(municipality()), "share": "100" }]);
        } else {
            data["parent"] = reference(unit_id(&unit.parent));
            data["legalEntity"] = reference(municipality());
        }
        if unit.kind == "administration" {
            data["affiliations"] =
                json!([{ "kind": "answers-to", "organisation": reference(unit_id(&unit.parent)) }]);
        }
        if !unit.is_body() {
            data["costCentre"] = json!(format!("{}", 1000 + index * 10));
        }
        if !unit.site.is_empty() {
            data["sites"] = json!([reference(places::site(&unit.site))]);
            if let Some(address) = places.visiting(&unit.site) {
                data["addresses"] = json!([address]);
            }
        }
        let number = 400 + index % 100;
        data["contactPoints"] = json!([
            { "kind": "email", "value": format!("{}@norrberga.example", unit.key), "use": "work", "visibility": "public" },
            // 08-465 004 00 to 99 is reserved for fiction (PTS).
            { "kind": "phone", "value": format!("+4684650{number:04}"), "use": "work", "visibility": "public" },
        ]);
        if let Some(extension) = self.school_data(unit) {
            data["extensions"] = json!({ "se-skola": extension });
        }
        data
    }

    fn school_data(&self, unit: &Unit) -> Option<Value> {
        let lower = &["f", "1", "2", "3", "4", "5", "6"];
        let upper = &["7", "8", "9"];
        let all = &["f", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        Some(match unit.key.as_str() {
            "centralskolan" | "angsskolan" => school(&["compulsory-school"], upper, 330),
            "hedviksskolan" => school(&["preschool-class", "compulsory-school"], all, 280),
            "tallskolan" => school(
                &["compulsory-school-for-learning-disabilities"],
                &all[1..],
                60,
            ),
            "gymnasiet" => {
                let mut data = school(&["upper-secondary-school"], &["gy1", "gy2", "gy3"], 420);
                data["programmes"] = json!(["BF", "EE", "EK", "NA", "SA", "VO"]);
                data
            }
            _ if unit.kind == "school-unit" => {
                school(&["preschool-class", "compulsory-school"], lower, 220)
            }
            _ if unit.kind == "preschool-unit" => {
                json!({ "schoolForms": ["preschool"], "schoolUnitStatus": "active", "places": 60 })
            }
            _ => return None,
        })
    }
}

fn school(forms: &[&str], grades: &[&str], places: u32) -> Value {
    json!({ "schoolForms": forms, "gradesOffered": grades, "schoolUnitStatus": "active", "places": places })
}
