//! An organisation or a part of one (`organisation.schema.json`; W3C ORG, Core Public Organisation, Core Business).

use chrono::NaiveDate;

use crate::parts::{
    Address, AffiliationKind, Code, ContactPoint, Decimal, Identifier, LangString, LegalResource,
    OpeningHours, Quality, Reference, SuccessionKind, model,
};

model! {
    /// An organisation or a part of one. Its id is an [`OrganisationId`](crate::OrganisationId).
    Organisation
    required {
        /// The name.
        name: LangString,
        /// Code list `organisation-kind`.
        kind: Code,
    }
    optional {
        /// Whether it is a legal entity of its own.
        is_legal_entity: bool,
        /// Code list `legal-form`.
        legal_form: Code,
        /// The one above in the line (→ Organisation).
        parent: Reference,
        /// The legal entity that it is part of (→ Organisation).
        legal_entity: Reference,
        /// Where it has its seat (→ Geography).
        seat: Reference,
        /// Kostnadsställe or ansvar.
        cost_centre: String,
        /// Verksamhetskod.
        activity_code: String,
        /// What it is for.
        purpose: LangString,
        /// What is known about the accuracy.
        quality: Quality,
    }
    lists {
        /// Numbers and keys.
        identifiers: Identifier,
        /// Other names.
        alternative_names: LangString,
        /// Ties beside the line.
        affiliations: Affiliation,
        /// What it takes over from.
        succeeds: OrganisationSuccession,
        /// Where it is (→ Geography).
        sites: Reference,
        /// Which areas it answers for (→ Geography).
        responsibility_areas: Reference,
        /// Each with its kind.
        addresses: Address,
        /// Switchboard, function mailboxes, e-invoice and the like.
        contact_points: ContactPoint,
        /// What it does, by SNI.
        activities: Activity,
        /// On what its tasks rest.
        legal_basis: LegalResource,
        /// When it is open.
        opening_hours: OpeningHours,
    }
    extensions {
        /// Properties of extension packages.
        extensions
    }
}

model! {
    /// A tie to another organisation beside the line.
    Affiliation
    required {
        /// What tie.
        kind: AffiliationKind,
        /// To whom (→ Organisation).
        organisation: Reference,
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
    /// The organisation that was before.
    OrganisationSuccession
    required {
        /// Which (→ Organisation).
        organisation: Reference,
    }
    optional {
        /// How.
        kind: SuccessionKind,
    }
}

model! {
    /// A line of business.
    Activity
    required {
        /// Code list `sni2007`, open to the other editions.
        code: Code,
    }
    optional {
        /// The edition: code list `activity-classification`.
        system: Code,
        /// Whether it is the main one.
        primary: bool,
    }
}
