//! Ids of records and transactions. UUID version 7 when the registry mints them; a client may bring its own UUID.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

use crate::{Domain, Instant};

/// A version 7 UUID of the given instant with fresh random bits.
fn mint(at: Instant) -> Uuid {
    let micros = at.micros().max(0).unsigned_abs();
    let seconds = micros / 1_000_000;
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanos))
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id (UUID version 7) for the given instant. The clock is a parameter; the rest is random.
            #[must_use]
            pub fn mint(at: Instant) -> Self {
                Self(mint(at))
            }

            /// The UUID itself.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        /// Lower-case and hyphenated, as it is stored and shown.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

uuid_newtype! {
    /// The id of a record of any domain. Never reused, whatever happens to the record.
    RecordId
}
uuid_newtype! {
    /// The id of one transaction: the changes that were accepted as one.
    TransactionId
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $domain:ident) => {
        uuid_newtype! {
            $(#[$doc])*
            $name
        }

        impl $name {
            /// The domain that ids of this type belong to.
            pub const DOMAIN: Domain = Domain::$domain;
        }

        impl From<$name> for RecordId {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
    };
}

typed_id! {
    /// The id of a person.
    PersonId, Person
}
typed_id! {
    /// The id of a role.
    RoleId, Role
}
typed_id! {
    /// The id of an organisation.
    OrganisationId, Organisation
}
typed_id! {
    /// The id of a geography.
    GeographyId, Geography
}
typed_id! {
    /// The id of a service.
    ServiceId, Service
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_lower_case_with_hyphens() {
        let id: RecordId = "0190A6B2-7C00-7ABC-8DEF-0123456789AB".parse().unwrap();
        assert_eq!(id.to_string(), "0190a6b2-7c00-7abc-8def-0123456789ab");
        assert_eq!(
            serde_json::to_string(&id).unwrap(),
            "\"0190a6b2-7c00-7abc-8def-0123456789ab\""
        );
        assert_eq!(RecordId::from(PersonId(id.uuid())), id);
        assert_eq!(RoleId::DOMAIN, Domain::Role);
        assert!("".parse::<RecordId>().is_err());
    }

    #[test]
    fn minted_ids_are_version_7_and_sort_by_time() {
        let early = RecordId::mint(Instant::from_micros(1_700_000_000_000_000));
        let late = RecordId::mint(Instant::from_micros(1_700_000_001_000_000));
        assert_eq!(early.uuid().get_version_num(), 7);
        assert!(early < late);
    }
}
