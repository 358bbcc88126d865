//! What the domain types are made of: references, identifiers, texts, addresses, contact points, geometry. The shared
//! definitions of `schemas/grunddata/1.0.0/common.schema.json`.

mod address;
mod codes;
mod contact;
mod geometry;
mod identifier;
mod reference;
mod text;

use std::collections::BTreeMap;

use chrono::NaiveDate;

pub use address::Address;
pub use codes::{
    AddressKind, AffiliationKind, Assurance, AttestationKind, AvailabilityState, ChannelKind, Code,
    ContactPointKind, HolderKind, IdentifierStatus, ProtectionLevel, ProtectionSource,
    RegistrationStatus, RelationshipKind, RoleKind, ServiceKind, ServiceStatus, Sex,
    SuccessionKind, Visibility, Weekday,
};
pub use contact::{ContactPoint, OpeningHours};
pub use geometry::{Geometry, Position};
pub use identifier::{Identifier, IdentifierKey};
pub use reference::{Reference, ReferenceError, Target};
pub use text::{Decimal, LangString, LanguageTag, TimeOfDay};

/// Properties of extension packages, by the name of the package. Typed by the package, not here.
pub type Extensions = BTreeMap<String, serde_json::Map<String, serde_json::Value>>;

/// A struct of the information model: JSON names in camelCase, no unknown properties, what is absent or empty left out.
/// Gives `new` with the required properties; the rest is set with struct update syntax.
macro_rules! model {
    (
        $(#[$meta:meta])*
        $name:ident
        $(required { $($(#[$required_meta:meta])* $required:ident: $required_type:ty),+ $(,)? })?
        $(optional { $($(#[$optional_meta:meta])* $optional:ident: $optional_type:ty),+ $(,)? })?
        $(lists { $($(#[$list_meta:meta])* $list:ident: $list_type:ty),+ $(,)? })?
        $(extensions { $(#[$extensions_meta:meta])* $extensions:ident })?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            $($($(#[$required_meta])* pub $required: $required_type,)+)?
            $($(
                $(#[$optional_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $optional: Option<$optional_type>,
            )+)?
            $($(
                $(#[$list_meta])*
                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                pub $list: Vec<$list_type>,
            )+)?
            $(
                $(#[$extensions_meta])*
                #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
                pub $extensions: $crate::parts::Extensions,
            )?
        }

        impl $name {
            /// With what is required and nothing else.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "whether anything is required differs between structs")]
            pub const fn new($($($required: $required_type),+)?) -> Self {
                Self {
                    $($($required,)+)?
                    $($($optional: None,)+)?
                    $($($list: Vec::new(),)+)?
                    $($extensions: std::collections::BTreeMap::new(),)?
                }
            }
        }
    };
}
pub(crate) use model;

model! {
    /// A period in whole days; the end is not part of it. At least one bound.
    Validity
    optional {
        /// The first day.
        valid_from: NaiveDate,
        /// The first day after.
        valid_to: NaiveDate,
    }
}

model! {
    /// An amount of money.
    Amount
    required {
        /// The size.
        value: Decimal,
    }
    optional {
        /// ISO 4217, three upper-case letters; absent = SEK.
        currency: String,
    }
}

model! {
    /// A legal basis: an act, an ordinance, a decision.
    LegalResource
    required {
        /// What it is called.
        title: LangString,
    }
    optional {
        /// Its number, such as `2010:800`.
        reference: String,
        /// Where in it, such as `29 kap. 19 §`.
        provision: String,
        /// Where it can be read.
        url: String,
        /// The first day on which it applies.
        valid_from: NaiveDate,
        /// The first day on which it no longer applies.
        valid_to: NaiveDate,
    }
}

model! {
    /// What is known about the accuracy of the data.
    Quality
    optional {
        /// The day on which the data were last confirmed.
        verified_at: NaiveDate,
    }
    lists {
        /// JSON Pointers to the properties whose accuracy is being investigated.
        under_investigation: String,
    }
}
