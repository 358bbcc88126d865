//! The seed files, built into the program so that a demo needs no files beside it.

use serde::de::DeserializeOwned;

use crate::SeedError;

pub(crate) const MUNICIPALITIES: Embedded = embed(
    "municipalities.csv",
    include_str!("../../../seeds/municipalities.csv"),
);
pub(crate) const REGIONS: Embedded =
    embed("regions.csv", include_str!("../../../seeds/regions.csv"));
pub(crate) const STATE_AGENCIES: Embedded = embed(
    "state-agencies.csv",
    include_str!("../../../seeds/state-agencies.csv"),
);
pub(crate) const DESO: Embedded = embed(
    "deso-2018.csv",
    include_str!("../../../seeds/deso-2018.csv"),
);
pub(crate) const NAMES: Embedded =
    embed("names-sv.csv", include_str!("../../../seeds/names-sv.csv"));
pub(crate) const COUNTY_BOUNDARIES: Embedded = embed(
    "counties.geojson",
    include_str!("../../../seeds/counties.geojson"),
);
pub(crate) const MUNICIPALITY_BOUNDARIES: Embedded = embed(
    "municipalities.geojson",
    include_str!("../../../seeds/municipalities.geojson"),
);
pub(crate) const PERSONAL_IDENTITY_NUMBERS: Embedded = embed(
    "test-personal-identity-numbers.txt",
    include_str!("../../../seeds/test-personal-identity-numbers.txt"),
);
pub(crate) const COORDINATION_NUMBERS: Embedded = embed(
    "test-coordination-numbers.txt",
    include_str!("../../../seeds/test-coordination-numbers.txt"),
);
pub(crate) const UNITS: Embedded = embed(
    "norrberga/units.csv",
    include_str!("../../../seeds/norrberga/units.csv"),
);
pub(crate) const LOCALITIES: Embedded = embed(
    "norrberga/localities.csv",
    include_str!("../../../seeds/norrberga/localities.csv"),
);
pub(crate) const DISTRICTS: Embedded = embed(
    "norrberga/districts.csv",
    include_str!("../../../seeds/norrberga/districts.csv"),
);
pub(crate) const STREETS: Embedded = embed(
    "norrberga/streets.csv",
    include_str!("../../../seeds/norrberga/streets.csv"),
);
pub(crate) const SITES: Embedded = embed(
    "norrberga/sites.csv",
    include_str!("../../../seeds/norrberga/sites.csv"),
);
pub(crate) const POSITIONS: Embedded = embed(
    "norrberga/positions.csv",
    include_str!("../../../seeds/norrberga/positions.csv"),
);
pub(crate) const SERVICES: Embedded = embed(
    "norrberga/services.csv",
    include_str!("../../../seeds/norrberga/services.csv"),
);

/// A file of `seeds/`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedded {
    name: &'static str,
    pub(crate) text: &'static str,
}

const fn embed(name: &'static str, text: &'static str) -> Embedded {
    Embedded { name, text }
}

impl Embedded {
    /// The rows of a CSV file with a header.
    pub(crate) fn rows<T: DeserializeOwned>(self) -> Result<Vec<T>, SeedError> {
        csv::Reader::from_reader(self.text.as_bytes())
            .into_deserialize()
            .collect::<Result<_, csv::Error>>()
            .map_err(|error| self.malformed(error))
    }

    /// The content of a JSON file.
    pub(crate) fn json(self) -> Result<serde_json::Value, SeedError> {
        serde_json::from_str(self.text).map_err(|error| self.malformed(error))
    }

    /// The error for content that is not what it should be.
    pub(crate) fn malformed(self, cause: impl std::fmt::Display) -> SeedError {
        SeedError::File {
            name: self.name,
            cause: cause.to_string(),
        }
    }
}
