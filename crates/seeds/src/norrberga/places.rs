//! The fictional municipality as places: localities, districts, streets with addresses, and the sites of its units.

use std::collections::HashMap;

use grunddata_model::{Domain, ValidFrom};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dice::{Dice, Weighted};
use crate::identity::seed_id;
use crate::operation::{SeedOperation, both, reference, swedish};
use crate::reference::sweden;
use crate::{SeedError, files};

/// House numbers on every street.
const HOUSES: usize = 24;

#[derive(Debug, Deserialize)]
struct Locality {
    key: String,
    name: String,
    postal_code: String,
    postal_town: String,
    weight: usize,
}

#[derive(Debug, Deserialize)]
struct District {
    key: String,
    locality: String,
    name_sv: String,
}

#[derive(Debug, Deserialize)]
struct Street {
    locality: String,
    district: String,
    street: String,
}

#[derive(Debug, Deserialize)]
struct Site {
    key: String,
    locality: String,
    district: String,
    street: String,
    number: String,
    name_sv: String,
    name_en: String,
}

/// A house with an address.
#[derive(Debug)]
struct House {
    id: Uuid,
    street: usize,
    number: usize,
}

/// A home: a house, and the apartment in it where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    house: usize,
    apartment: usize,
}

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    localities: HashMap<String, Locality>,
    districts: Vec<District>,
    streets: Vec<Street>,
    sites: Vec<Site>,
    houses: Vec<House>,
    /// Houses by locality, drawn by the weight of the locality.
    draw: Weighted<Vec<usize>>,
}

/// The area of the municipality.
pub(super) fn area() -> Uuid {
    seed_id(Domain::Geography, "norrberga")
}

/// A site by its key.
pub(super) fn site(key: &str) -> Uuid {
    seed_id(Domain::Geography, &format!("norrberga/site/{key}"))
}

fn locality(key: &str) -> Uuid {
    seed_id(Domain::Geography, &format!("norrberga/locality/{key}"))
}

fn district(key: &str) -> Uuid {
    seed_id(Domain::Geography, &format!("norrberga/district/{key}"))
}

impl Places {
    pub(super) fn load() -> Result<Self, SeedError> {
        let localities: Vec<Locality> = files::LOCALITIES.rows()?;
        let streets: Vec<Street> = files::STREETS.rows()?;
        let houses: Vec<House> = streets
            .iter()
            .enumerate()
            .flat_map(|(street, row)| {
                (1..=HOUSES).map(move |number| House {
                    id: seed_id(
                        Domain::Geography,
                        &format!("norrberga/address/{} {number}", row.street),
                    ),
                    street,
                    number,
                })
            })
            .collect();
        let draw = Weighted::new(localities.iter().map(|locality| {
            let inside = (0..houses.len())
                .filter(|house| streets[houses[*house].street].locality == locality.key)
                .collect();
            (inside, locality.weight)
        }));
        Ok(Self {
            localities: localities
                .into_iter()
                .map(|locality| (locality.key.clone(), locality))
                .collect(),
            districts: files::DISTRICTS.rows()?,
            sites: files::SITES.rows()?,
            streets,
            houses,
            draw,
        })
    }

    /// A home somewhere in the municipality.
    pub(super) fn home(&self, dice: &mut Dice) -> Home {
        let houses = self.draw.draw(dice);
        Home {
            house: *dice.pick(houses),
            apartment: dice.below(8),
        }
    }

    /// The address-place of a home.
    pub(super) fn residence(&self, home: Home) -> Value {
        reference(self.houses[home.house].id)
    }

    /// The address of a home as the population register has it.
    pub(super) fn registered(&self, home: Home) -> Value {
        let house = &self.houses[home.house];
        let street = &self.streets[house.street];
        let mut address = self.address(
            "registered",
            street.locality.as_str(),
            &street.street,
            &house.number.to_string(),
        );
        // In the town there are blocks of flats, with apartment numbers of four digits: storey and door.
        if street.locality == "norrberga" {
            let (storey, door) = (home.apartment / 2, home.apartment % 2);
            address["apartmentNumber"] = json!(format!("1{storey}0{}", door + 1));
        }
        address["geography"] = reference(house.id);
        address
    }

    fn address(&self, kind: &str, locality: &str, street: &str, number: &str) -> Value {
        let mut address =
            json!({ "kind": kind, "thoroughfare": street, "number": number, "country": "SE" });
        if let Some(locality) = self.localities.get(locality) {
            address["postalCode"] = json!(locality.postal_code);
            address["locality"] = json!(locality.postal_town);
        }
        address
    }

    /// The visiting address of a site.
    pub(super) fn visiting(&self, key: &str) -> Option<Value> {
        let site = self.sites.iter().find(|site| site.key == key)?;
        let mut address = self.address("visiting", &site.locality, &site.street, &site.number);
        address["geography"] = reference(self::site(key));
        Some(address)
    }

    /// The places, in an order in which each is inside an earlier one.
    pub(super) fn operations(&self) -> Vec<SeedOperation> {
        let create =
            |id, data| SeedOperation::create(Domain::Geography, id, data, ValidFrom::Unknown);
        let mut operations = vec![create(
            area(),
            json!({
                "name": both("Norrberga (påhittad kommun)", "Norrberga (fictional municipality)"),
                "kind": "municipality",
                "within": [reference(sweden())],
            }),
        )];
        let mut localities: Vec<&Locality> = self.localities.values().collect();
        localities.sort_by(|a, b| a.key.cmp(&b.key));
        operations.extend(localities.into_iter().map(|row| {
            let data = json!({ "name": swedish(&row.name), "kind": "locality", "within": [reference(area())] });
            create(locality(&row.key), data)
        }));
        operations.extend(self.districts.iter().map(|row| {
            let data = json!({
                "name": swedish(&row.name_sv),
                "kind": "key-code-area",
                "within": [reference(area())],
                "overlaps": [reference(locality(&row.locality))],
            });
            create(district(&row.key), data)
        }));
        operations.extend(self.sites.iter().map(|row| {
            let data = json!({
                "name": both(&row.name_sv, &row.name_en),
                "kind": "site",
                "within": [reference(district(&row.district))],
                "address": self.address("visiting", &row.locality, &row.street, &row.number),
            });
            create(site(&row.key), data)
        }));
        operations.extend(self.houses.iter().map(|house| {
            let street = &self.streets[house.street];
            let number = house.number.to_string();
            let data = json!({
                "name": swedish(&format!("{} {number}", street.street)),
                "kind": "address-place",
                "within": [reference(district(&street.district))],
                "address": self.address("visiting", &street.locality, &street.street, &number),
            });
            create(house.id, data)
        }));
        operations
    }
}
