//! The five domains of the registry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the five domains. The order and the [codes](Domain::code) are stored and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// A natural person.
    Person,
    /// What a person is in an organisation: an employment, a placement, an assignment, an office.
    Role,
    /// An organisation or a part of one.
    Organisation,
    /// A place, area, property, building or address.
    Geography,
    /// A public or internal service.
    Service,
}

impl Domain {
    /// All domains, in the order of their codes.
    pub const ALL: [Domain; 5] = [
        Domain::Person,
        Domain::Role,
        Domain::Organisation,
        Domain::Geography,
        Domain::Service,
    ];

    /// The name in the singular, as in schemas and code lists: `person`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Domain::Person => "person",
            Domain::Role => "role",
            Domain::Organisation => "organisation",
            Domain::Geography => "geography",
            Domain::Service => "service",
        }
    }

    /// The name in the plural, as in addresses: `persons`.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Domain::Person => "persons",
            Domain::Role => "roles",
            Domain::Organisation => "organisations",
            Domain::Geography => "geographies",
            Domain::Service => "services",
        }
    }

    /// The domain of a collection name (`persons`), or `None`.
    #[must_use]
    pub fn from_collection(collection: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|domain| domain.collection() == collection)
    }

    /// The number by which the domain is stored, 1 to 5.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Domain::Person => 1,
            Domain::Role => 2,
            Domain::Organisation => 3,
            Domain::Geography => 4,
            Domain::Service => 5,
        }
    }

    /// The domain of a stored number, or `None`.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|domain| domain.code() == code)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no domain {given:?}: write person, role, organisation, geography or service")]
pub struct UnknownDomain {
    /// What was given.
    pub given: String,
}

impl FromStr for Domain {
    type Err = UnknownDomain;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|domain| domain.as_str() == name)
            .ok_or_else(|| UnknownDomain {
                given: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_collections_and_codes_lead_back_to_the_domain() {
        for domain in Domain::ALL {
            assert_eq!(domain.as_str().parse(), Ok(domain));
            assert_eq!(Domain::from_collection(domain.collection()), Some(domain));
            assert_eq!(Domain::from_code(domain.code()), Some(domain));
            assert_eq!(serde_json::to_value(domain).unwrap(), domain.as_str());
        }
        assert_eq!(Domain::ALL.map(Domain::code), [1, 2, 3, 4, 5]);
        assert!("persons".parse::<Domain>().is_err());
        assert_eq!(Domain::from_code(0), None);
    }
}
