//! Mappings that come with the program (`crates/exchange/mappings`).
//!
//! They lie beside the code that reads them, since they are released and tested with it; `schemas/` holds information
//! models and `seeds/` data. A source may start from one and keep its own copy.

use crate::Problem;
use crate::mapping::Mapping;

/// A mapping that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Its name, which is also the one that the file states.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! ready {
    ($($name:literal),+ $(,)?) => {
        &[$(Ready {
            name: $name,
            text: include_str!(concat!("../mappings/", $name, ".toml")),
        }),+]
    };
}

/// All of them, by name.
pub const ALL: &[Ready] = ready![
    "care-staff",
    "geojson-areas",
    "geopackage-areas",
    "hr-employments",
    "oneroster",
    "oneroster-classes",
    "oneroster-enrollments",
    "oneroster-orgs",
    "oneroster-roles",
    "oneroster-users",
    "paxml-personnel",
    "population-register",
    "school-pupils",
    "school-units",
    "scim-users",
    "sie-dimensions",
    "ss12000",
    "ss12000-duties",
    "ss12000-groups",
    "ss12000-organisations",
    "ss12000-persons",
    "ss12000-placements",
];

impl Ready {
    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|ready| ready.name == name)
    }

    /// Parses it.
    ///
    /// # Errors
    /// Never for the mappings of a released program: a test parses them all.
    pub fn mapping(&self) -> Result<Mapping, Vec<Problem>> {
        Mapping::parse(&format!("{}.toml", self.name), self.text)
    }
}
