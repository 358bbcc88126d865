//! Municipalities, regions and state agencies as organisations.

use grunddata_model::{Domain, ValidFrom};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::areas::{municipality_formed, since};
use super::{AGENCIES_FROM, AREAS_FROM, Municipality, county_area, municipality_area};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, day, reference, swedish};
use crate::{SeedError, files};

/// The courts share the organisation number of the courts administration; it is an identifier of that agency alone.
const COURTS_NUMBER: &str = "202100-2742";
const COURTS_ADMINISTRATION: &str = "DOMSTOLSVERKET";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    county_code: String,
    name: String,
    organisation_number: String,
}

#[derive(Debug, Deserialize)]
struct Agency {
    namn: String,
    organisationsnummer: String,
    webbplats: String,
    epost: String,
    telefon: String,
    besoksadress: String,
    besoks_postnr: String,
    besoks_ort: String,
    instruktion_sfs: String,
}

pub(super) fn all(municipalities: &[Municipality]) -> Result<Vec<SeedOperation>, SeedError> {
    let mut operations = Vec::new();
    let (formed, old): (Vec<_>, Vec<_>) = municipalities
        .iter()
        .partition(|municipality| municipality_formed(&municipality.code).is_some());
    operations.extend(old.into_iter().chain(formed).map(municipality));

    let regions: Vec<Region> = files::REGIONS.rows()?;
    // Region Gotland is the municipality of Gotland, which is there already.
    operations.extend(
        regions
            .iter()
            .filter(|region| region.county_code != "09")
            .map(region),
    );

    let mut agencies: Vec<Agency> = files::STATE_AGENCIES.rows()?;
    // The courts refer to the courts administration.
    agencies.sort_by_key(|agency| agency.namn != COURTS_ADMINISTRATION);
    operations.extend(agencies.iter().map(agency));
    Ok(operations)
}

fn municipality_body(code: &str) -> Uuid {
    seed_id(Domain::Organisation, &format!("municipality/{code}"))
}

fn municipality(municipality: &Municipality) -> SeedOperation {
    let code = municipality.code.as_str();
    let mut alternatives = vec![swedish(&municipality.short_name)];
    if code == "0980" {
        alternatives.push(swedish("Region Gotland"));
    }
    let mut data = json!({
        "name": swedish(&municipality.name),
        "alternativeNames": alternatives,
        "kind": "municipality",
        "isLegalEntity": true,
        "legalForm": "82",
        "responsibilityAreas": [reference(municipality_area(code))],
    });
    number(&mut data, &municipality.organisation_number);
    let formed = municipality_formed(code);
    if let Some((_, from)) = formed {
        data["succeeds"] =
            json!([{ "organisation": reference(municipality_body(from)), "kind": "split" }]);
    }
    SeedOperation::create(
        Domain::Organisation,
        municipality_body(code),
        data,
        since(formed.map(|(date, _)| date)),
    )
    .copied(AREAS_FROM)
}

fn region(region: &Region) -> SeedOperation {
    let code = region.county_code.as_str();
    let mut data = json!({
        "name": swedish(&region.name),
        "kind": "region",
        "isLegalEntity": true,
        "legalForm": "84",
        "responsibilityAreas": [reference(county_area(code))],
    });
    number(&mut data, &region.organisation_number);
    // Region Skåne and Västra Götalandsregionen began with 1999.
    let start = matches!(code, "12" | "14").then(|| day(1999, 1, 1));
    let id = seed_id(Domain::Organisation, &format!("region/{code}"));
    SeedOperation::create(Domain::Organisation, id, data, since(start)).copied(AREAS_FROM)
}

fn agency_id(name: &str) -> Uuid {
    seed_id(Domain::Organisation, &format!("state-agency/{name}"))
}

fn agency(agency: &Agency) -> SeedOperation {
    let mut data = json!({
        "name": swedish(&agency.namn),
        "kind": "state-agency",
        "legalForm": "81",
    });
    if agency.organisationsnummer == COURTS_NUMBER && agency.namn != COURTS_ADMINISTRATION {
        data["legalEntity"] = reference(agency_id(COURTS_ADMINISTRATION));
    } else {
        number(&mut data, &agency.organisationsnummer);
    }
    let contacts = contact_points(agency);
    if !contacts.is_empty() {
        data["contactPoints"] = Value::Array(contacts);
    }
    if let Some(address) = visiting_address(agency) {
        data["addresses"] = json!([address]);
    }
    if !agency.instruktion_sfs.is_empty() {
        data["legalBasis"] = json!([{
            "title": swedish(&format!("Instruktion, SFS {}", agency.instruktion_sfs)),
            "reference": format!("SFS {}", agency.instruktion_sfs),
        }]);
    }
    SeedOperation::create(
        Domain::Organisation,
        agency_id(&agency.namn),
        data,
        ValidFrom::Unknown,
    )
    .copied(AGENCIES_FROM)
}

fn contact_points(agency: &Agency) -> Vec<Value> {
    let mut contacts = Vec::new();
    let mut add =
        |kind: &str, value: String| contacts.push(json!({ "kind": kind, "value": value }));
    if !agency.epost.is_empty() {
        add("email", agency.epost.clone());
    }
    // A number without its leading zero has lost something on the way: left out rather than repaired.
    if let Some(national) = agency.telefon.strip_prefix('0')
        && (7..=11).contains(&national.len())
        && national.bytes().all(|digit| digit.is_ascii_digit())
    {
        add("phone", format!("+46{national}"));
    }
    if !agency.webbplats.is_empty() {
        add("web", format!("https://{}", agency.webbplats));
    }
    contacts
}

fn visiting_address(agency: &Agency) -> Option<Value> {
    if agency.besoksadress.trim().is_empty() {
        return None;
    }
    let street = agency
        .besoksadress
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let mut address = json!({ "kind": "visiting", "lines": [street] });
    let postal_code: String = agency
        .besoks_postnr
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    if postal_code.len() == 5 && postal_code != "00000" {
        address["postalCode"] = json!(postal_code);
    }
    if !agency.besoks_ort.is_empty() {
        address["locality"] = json!(agency.besoks_ort);
    }
    Some(address)
}

fn number(data: &mut Value, number: &str) {
    if !number.is_empty() {
        data["identifiers"] =
            json!([{ "scheme": "se-organisation-number", "value": number.replace('-', "") }]);
    }
}
