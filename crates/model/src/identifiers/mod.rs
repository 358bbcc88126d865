//! Swedish and general identifiers as types. `parse` takes the usual written forms and keeps the canonical one.
//!
//! Architecture invariant: an identifier of a person masks itself in `Display` and `Debug`, so that it cannot reach a
//! log by accident; `expose()` gives the whole value and is what a reviewer looks for. Serialising exposes as well:
//! data is what it is for. Errors never repeat a value.

pub mod organisation;
pub mod partial_date;
pub mod personal;
pub mod phone;
pub mod places;

pub use organisation::{CfarNumber, Gln, HsaId, OrganisationNumber, SchoolUnitCode};
pub use partial_date::PartialDate;
pub use personal::{
    CoordinationNumber, PersonalIdentityNumber, ReserveNumber, TemporarySchoolNumber,
};
pub use phone::PhoneNumber;
pub use places::{
    ApartmentNumber, CountyCode, Deso, LocalityCode, MunicipalityCode, PostalCode,
    PropertyDesignation, Regso,
};

/// A text that has passed the check of its format.
macro_rules! identifier {
    (@common $(#[$doc:meta])* $name:ident, $normalise:expr, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the usual written forms and keeps the canonical one.
            ///
            /// # Errors
            /// [`FormatError`](crate::FormatError) with what is wrong and what to do.
            pub fn parse(text: &str) -> Result<Self, $crate::FormatError> {
                let normalise: fn(&str) -> String = $normalise;
                let canonical = normalise(text);
                $check(&canonical)?;
                Ok(Self(canonical))
            }

            /// The whole value in its canonical form.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::FormatError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::FormatError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
    // Shown as it is.
    ($(#[$doc:meta])* $name:ident, $normalise:expr, $check:path) => {
        $crate::identifiers::identifier!(@common $(#[$doc])* $name, $normalise, $check);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
    // Of a person: shown as the given mask of it.
    (masked $mask:expr, $(#[$doc:meta])* $name:ident, $normalise:expr, $check:path) => {
        $crate::identifiers::identifier!(@common $(#[$doc])* $name, $normalise, $check);

        /// Masked; see [`expose`](Self::expose).
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mask: fn(&str) -> String = $mask;
                f.write_str(&mask(&self.0))
            }
        }
    };
}
pub(crate) use identifier;
