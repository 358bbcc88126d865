//! A natural person (`person.schema.json`; Core Person Vocabulary).

use chrono::NaiveDate;

use crate::identifiers::PartialDate;
use crate::parts::{
    Address, Code, ContactPoint, Identifier, LanguageTag, ProtectionLevel, ProtectionSource,
    Quality, Reference, RegistrationStatus, RelationshipKind, Sex, model,
};

model! {
    /// A natural person. Its id is a [`PersonId`](crate::PersonId).
    Person
    required {
        /// The present name.
        name: PersonName,
    }
    optional {
        /// As precisely as known; need not agree with a personal identity number.
        birth_date: PartialDate,
        /// As precisely as known.
        death_date: PartialDate,
        /// By the population register.
        sex: Sex,
        /// The standing in the population register.
        registration_status: RegistrationStatus,
        /// The day from which the standing holds.
        registration_status_from: NaiveDate,
        /// Protected personal data; absent = none known.
        protection: Protection,
        /// Where the person is registered (→ Geography).
        residence: Reference,
        /// What is known about the accuracy.
        quality: Quality,
    }
    lists {
        /// Numbers and keys.
        identifiers: Identifier,
        /// Names borne before.
        former_names: FormerName,
        /// ISO 3166-1, or `stateless` or `unknown` (code list `country`).
        citizenships: Code,
        /// The most preferred first.
        preferred_languages: LanguageTag,
        /// Each with its kind.
        addresses: Address,
        /// Private ones: those at work belong to the role.
        contact_points: ContactPoint,
        /// Custodians, god män and the like (→ Person).
        relationships: Relationship,
    }
    extensions {
        /// Properties of extension packages.
        extensions
    }
}

model! {
    /// A name; at least one of given, family and full.
    PersonName
    optional {
        /// Tilltalsnamn.
        preferred_given: String,
        /// Mellannamn.
        middle: String,
        /// Efternamn.
        family: String,
        /// The whole name as written, which then is the display name.
        full: String,
        /// Aviseringsnamn: shortened by the population register.
        notification_name: String,
    }
    lists {
        /// Förnamn.
        given: String,
    }
}

model! {
    /// A name that the person bore before; at least one property.
    FormerName
    optional {
        /// Mellannamn.
        middle: String,
        /// Efternamn.
        family: String,
        /// The whole name as written.
        full: String,
        /// Until when.
        until: PartialDate,
    }
    lists {
        /// Förnamn.
        given: String,
    }
}

model! {
    /// Protected personal data.
    Protection
    required {
        /// How strongly.
        level: ProtectionLevel,
    }
    optional {
        /// Who decided.
        source: ProtectionSource,
        /// Since when.
        from: NaiveDate,
    }
}

model! {
    /// What another person is to this one.
    Relationship
    required {
        /// What the other person is.
        kind: RelationshipKind,
        /// The other person (→ Person).
        person: Reference,
    }
    optional {
        /// What a mandate covers.
        scope: String,
        /// The first day.
        valid_from: NaiveDate,
        /// The first day after.
        valid_to: NaiveDate,
    }
}
