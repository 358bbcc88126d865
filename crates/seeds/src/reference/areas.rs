//! The country, counties, municipalities and statistical areas, with the changes in time that are known.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use grunddata_model::{Domain, ValidFrom};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{COPIED, Municipality, area, county_area, municipality_area, sweden};
use crate::SeedError;
use crate::files::{self, Embedded};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, both, day, reference, swedish};

/// The edition of the statistical areas.
const EDITION_2018: NaiveDate = day(2018, 1, 1);
/// Heby moved from the county of Västmanland to that of Uppsala.
const HEBY_MOVED: NaiveDate = day(2007, 1, 1);
/// Kopparbergs län took the name of Dalarnas län.
const DALARNA_NAMED: NaiveDate = day(1997, 1, 1);

/// Since when a county exists, where it is younger than what the seeds look back to.
fn county_formed(code: &str) -> Option<NaiveDate> {
    match code {
        "12" => Some(day(1997, 1, 1)),
        "14" => Some(day(1998, 1, 1)),
        _ => None,
    }
}

/// Since when a municipality exists and which one it was formed from.
pub(super) fn municipality_formed(code: &str) -> Option<(NaiveDate, &'static str)> {
    match code {
        "0140" => Some((day(1999, 1, 1), "0181")),
        "0330" => Some((day(2003, 1, 1), "0380")),
        _ => None,
    }
}

/// From a date, or for as long as the record has been of interest.
pub(super) fn since(date: Option<NaiveDate>) -> ValidFrom {
    date.map_or(ValidFrom::Unknown, ValidFrom::Date)
}

pub(super) fn counties_and_municipalities(
    municipalities: &[Municipality],
) -> Result<Vec<SeedOperation>, SeedError> {
    let mut operations = vec![area(SeedOperation::create(
        Domain::Geography,
        sweden(),
        json!({ "name": both("Sverige", "Sweden"), "kind": "country" }),
        ValidFrom::Unknown,
    ))];
    let boundaries = boundaries(files::COUNTY_BOUNDARIES)?;
    let counties: BTreeMap<&str, &str> = municipalities
        .iter()
        .map(|municipality| {
            (
                municipality.county_code.as_str(),
                municipality.county.as_str(),
            )
        })
        .collect();
    for (code, name) in counties {
        county(code, name, &boundaries, &mut operations);
    }

    let boundaries = self::boundaries(files::MUNICIPALITY_BOUNDARIES)?;
    // What others were formed from comes first.
    let (formed, old): (Vec<_>, Vec<_>) = municipalities
        .iter()
        .partition(|municipality| municipality_formed(&municipality.code).is_some());
    for municipality in old.into_iter().chain(formed) {
        self::municipality(municipality, &boundaries, &mut operations);
    }
    Ok(operations)
}

fn county(
    code: &str,
    name: &str,
    boundaries: &HashMap<String, Value>,
    operations: &mut Vec<SeedOperation>,
) {
    let id = county_area(code);
    let first_name = if code == "20" {
        "Kopparbergs län"
    } else {
        name
    };
    let data = json!({
        "identifiers": [{ "scheme": "se-county-code", "value": code }],
        "name": swedish(first_name),
        "kind": "county",
        "within": [reference(sweden())],
    });
    operations.push(area(SeedOperation::create(
        Domain::Geography,
        id,
        data,
        since(county_formed(code)),
    )));
    if first_name != name {
        let patch = json!({ "name": swedish(name) });
        operations.push(SeedOperation::amend(
            Domain::Geography,
            id,
            patch,
            DALARNA_NAMED,
        ));
    }
    operations.extend(boundary(id, code, boundaries));
}

fn municipality(
    municipality: &Municipality,
    boundaries: &HashMap<String, Value>,
    operations: &mut Vec<SeedOperation>,
) {
    let code = municipality.code.as_str();
    let id = municipality_area(code);
    let identified = |code: &str| json!([{ "scheme": "se-municipality-code", "value": code }]);
    let present = json!({
        "identifiers": identified(code),
        "within": [reference(county_area(&municipality.county_code))],
    });
    let mut data = json!({ "name": swedish(&municipality.short_name), "kind": "municipality" });
    let mut change = None;
    if code == "0331" {
        data["identifiers"] = identified("1917");
        data["within"] = json!([reference(county_area("19"))]);
        change = Some(HEBY_MOVED);
    } else if let Some(formed) = county_formed(&municipality.county_code) {
        data["within"] = json!([reference(sweden())]);
        change = Some(formed);
    } else {
        data["identifiers"] = present["identifiers"].clone();
        data["within"] = present["within"].clone();
    }
    let formed = municipality_formed(code);
    if let Some((_, from)) = formed {
        data["succeeds"] =
            json!([{ "geography": reference(municipality_area(from)), "kind": "split" }]);
    }
    let start = since(formed.map(|(date, _)| date));
    operations.push(area(SeedOperation::create(
        Domain::Geography,
        id,
        data,
        start,
    )));
    if let Some(date) = change {
        operations.push(SeedOperation::amend(Domain::Geography, id, present, date));
    }
    operations.extend(boundary(id, code, boundaries));
}

/// The boundary as it was when it was copied: nothing is said about earlier days.
fn boundary(id: Uuid, code: &str, boundaries: &HashMap<String, Value>) -> Option<SeedOperation> {
    let geometry = boundaries.get(code)?;
    let patch = json!({ "geometry": geometry });
    Some(SeedOperation::amend(Domain::Geography, id, patch, COPIED))
}

#[derive(Deserialize)]
struct Feature {
    id: String,
    geometry: Value,
}

fn boundaries(file: Embedded) -> Result<HashMap<String, Value>, SeedError> {
    let mut collection = file.json()?;
    let features: Vec<Feature> = serde_json::from_value(collection["features"].take())
        .map_err(|error| file.malformed(error))?;
    Ok(features
        .into_iter()
        .map(|feature| (feature.id, feature.geometry))
        .collect())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatisticalArea {
    deso: String,
    municipality_code: String,
    regso_name: String,
}

/// The regional (RegSO) and the demographic (DeSO) statistical areas of 2018.
pub(super) fn statistical_areas() -> Result<(Vec<SeedOperation>, Vec<SeedOperation>), SeedError> {
    let rows: Vec<StatisticalArea> = files::DESO.rows()?;
    let mut seen = HashSet::new();
    let mut regional = Vec::new();
    let mut demographic = Vec::new();
    for row in &rows {
        let regso = seed_id(
            Domain::Geography,
            &format!("regso-2018/{}/{}", row.municipality_code, row.regso_name),
        );
        if seen.insert(regso) {
            let data = json!({
                "name": swedish(&row.regso_name),
                "kind": "regional-statistical-area",
                "within": [reference(municipality_area(&row.municipality_code))],
            });
            regional.push(dated(regso, data));
        }
        let deso = seed_id(Domain::Geography, &format!("deso-2018/{}", row.deso));
        let data = json!({
            "identifiers": [{ "scheme": "se-deso", "value": row.deso }],
            "name": swedish(&format!("DeSO {}", row.deso)),
            "kind": "demographic-statistical-area",
            "within": [reference(regso)],
        });
        demographic.push(dated(deso, data));
    }
    Ok((regional, demographic))
}

fn dated(id: Uuid, data: Value) -> SeedOperation {
    area(SeedOperation::create(
        Domain::Geography,
        id,
        data,
        ValidFrom::Date(EDITION_2018),
    ))
}
