//! Addresses.

use super::{AddressKind, Code, Reference, model};
use crate::identifiers::{ApartmentNumber, MunicipalityCode, PostalCode, PropertyDesignation};

model! {
    /// A postal or visiting address, in parts where they are known and in `lines` where not.
    Address
    optional {
        /// What it is for; required on persons and organisations.
        kind: AddressKind,
        /// c/o.
        care_of: String,
        /// The street or the like, without the number.
        thoroughfare: String,
        /// The number on the street.
        number: String,
        /// The letter of the entrance.
        letter: String,
        /// Four digits.
        apartment_number: ApartmentNumber,
        /// For addresses that are a property.
        property_designation: PropertyDesignation,
        /// Box.
        po_box: String,
        /// Five digits.
        postal_code: PostalCode,
        /// Post town.
        locality: String,
        /// ISO 3166-1; absent = Sweden.
        country: Code,
        /// Four digits.
        municipality_code: MunicipalityCode,
        /// The address place or property as a record.
        geography: Reference,
    }
    lists {
        /// The address as lines, for foreign ones and those that cannot be taken apart.
        lines: String,
    }
}
