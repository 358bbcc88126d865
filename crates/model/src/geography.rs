//! A place, area, property, building or address (`geography.schema.json`; LOCN, GeoSPARQL).

use chrono::NaiveDate;

use crate::parts::{
    Address, Code, Decimal, Geometry, HolderKind, Identifier, LangString, Quality, Reference,
    SuccessionKind, model,
};

model! {
    /// A place or area. Its id is a [`GeographyId`](crate::GeographyId).
    Geography
    required {
        /// The name.
        name: LangString,
        /// Code list `geography-kind`.
        kind: Code,
    }
    optional {
        /// The address of an address place, building or site.
        address: Address,
        /// The boundary or point, WGS 84.
        geometry: Geometry,
        /// SWEREF 99 TM.
        coordinates: Coordinates,
        /// What is known about the accuracy.
        quality: Quality,
    }
    lists {
        /// Codes and keys.
        identifiers: Identifier,
        /// The areas that it lies wholly in (→ Geography).
        within: Reference,
        /// Areas that it crosses (→ Geography).
        overlaps: Reference,
        /// Who owns or leases a property.
        holders: Holder,
        /// What it takes over from.
        succeeds: GeographySuccession,
    }
    extensions {
        /// Properties of extension packages.
        extensions
    }
}

model! {
    /// A point in SWEREF 99 TM (EPSG:3006), metres.
    Coordinates
    required {
        /// N.
        northing: Decimal,
        /// E.
        easting: Decimal,
    }
    optional {
        /// Height, RH 2000.
        height: Decimal,
        /// Mean error.
        accuracy: Decimal,
    }
}

model! {
    /// A holder of a property.
    Holder
    required {
        /// By what right.
        kind: HolderKind,
        /// Who (→ Person or Organisation).
        holder: Reference,
    }
    optional {
        /// Per cent.
        share: Decimal,
        /// The first day.
        valid_from: NaiveDate,
        /// The first day after.
        valid_to: NaiveDate,
    }
}

model! {
    /// The geography that was before.
    GeographySuccession
    required {
        /// Which (→ Geography).
        geography: Reference,
    }
    optional {
        /// How.
        kind: SuccessionKind,
    }
}
