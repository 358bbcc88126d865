//! Real, open reference data of Sweden: areas and public bodies, held as copies under the owner `se-scb`.
//!
//! What the files do not say is not made up (`seeds/SOURCES.md`): a boundary stands only on states from the day of
//! copying; before Skåne (1997) and Västra Götaland (1998) were formed, their municipalities lie within Sweden with no
//! county and no code; organisation numbers are given only where a public source showed one; statistical areas of the
//! middle level (RegSO) have no codes.

mod areas;
mod organisations;

use chrono::NaiveDate;
use grunddata_model::Domain;
use serde::Deserialize;
use uuid::Uuid;

use crate::identity::seed_id;
use crate::operation::{Origin, SeedOperation, SeedTransaction, at, day};
use crate::{BATCH, SCB, SeedError, files};

/// The day on which the reference data were copied, in the demo's time.
pub(crate) const COPIED: NaiveDate = day(2023, 11, 1);

/// Where areas come from.
const AREAS_FROM: Origin = Origin {
    name: "Statistiska centralbyrån, regionala indelningar",
    copied: COPIED,
};
/// Where agencies come from.
const AGENCIES_FROM: Origin = Origin {
    name: "Statistiska centralbyrån, allmänna myndighetsregistret",
    copied: COPIED,
};

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Municipality {
    code: String,
    name: String,
    short_name: String,
    county_code: String,
    county: String,
    organisation_number: String,
}

/// The id of the country.
pub(crate) fn sweden() -> Uuid {
    seed_id(Domain::Geography, "country/SE")
}

/// The id of a municipality's area, by its present code.
pub(crate) fn municipality_area(code: &str) -> Uuid {
    seed_id(Domain::Geography, &format!("municipality/{code}"))
}

/// The id of a county's area.
fn county_area(code: &str) -> Uuid {
    seed_id(Domain::Geography, &format!("county/{code}"))
}

/// The transactions of the reference data, in the order of recording.
pub(crate) fn transactions() -> Result<Vec<SeedTransaction>, SeedError> {
    let municipalities: Vec<Municipality> = files::MUNICIPALITIES.rows()?;
    let mut lists = vec![(
        areas::counties_and_municipalities(&municipalities)?,
        "Län och kommuner från SCB. Gränserna är kända från kopieringsdagen; länsreformerna före 1997 ingår inte.",
    )];
    let (regional, demographic) = areas::statistical_areas()?;
    lists.push((
        regional,
        "RegSO 2018 från SCB. Koderna finns inte i underlaget.",
    ));
    lists.push((demographic, "DeSO 2018 från SCB."));
    lists.push((
        organisations::all(&municipalities)?,
        "Kommuner, regioner och statliga myndigheter.",
    ));

    let mut transactions = Vec::new();
    for (operations, reason) in lists {
        for batch in operations.chunks(BATCH) {
            let minutes = 8 * 60 + i64::try_from(transactions.len()).unwrap_or(0);
            transactions.push(SeedTransaction {
                owner: SCB,
                recorded_at: at(COPIED, minutes),
                actor: "seed",
                source: "scb",
                reason: reason.to_owned(),
                operations: batch.to_vec(),
            });
        }
    }
    Ok(transactions)
}

/// An area that is copied.
fn area(operation: SeedOperation) -> SeedOperation {
    operation.copied(AREAS_FROM)
}
