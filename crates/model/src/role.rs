//! What a person is in an organisation (`role.schema.json`; W3C ORG Membership and Post).

use chrono::NaiveDate;

use crate::parts::{
    AttestationKind, AvailabilityState, Code, ContactPoint, Decimal, Identifier, LangString,
    Quality, Reference, RoleKind, Validity, model,
};

model! {
    /// A role: an employment, a placement, an assignment, an office; without a person a vacant post. Its id is a
    /// [`RoleId`](crate::RoleId).
    Role
    required {
        /// Where the role is held (→ Organisation).
        organisation: Reference,
        /// What kind it is.
        kind: RoleKind,
    }
    optional {
        /// Who holds it (→ Person); absent = vacant.
        person: Reference,
        /// The legal entity that employs (→ Organisation).
        employer: Reference,
        /// The employment that a placement, duty or assignment rests on (→ Role).
        based_on: Reference,
        /// Code list `employment-form`.
        employment_form: Code,
        /// Befattning, as text.
        position: String,
        /// Code list `role-function`, open to AID and SSYK.
        function: Code,
        /// The title shown.
        title: LangString,
        /// Per cent, two decimals.
        employment_rate: Decimal,
        /// At work or not, never why.
        availability: Availability,
        /// Whom the holder stands in for (→ Role).
        substitutes_for: Reference,
        /// Whether it is the holder's main role.
        primary: bool,
        /// Where the work is done (→ Geography).
        workplace: Reference,
        /// The head (→ Role).
        reports_to: Reference,
        /// Of an elected office.
        term_of_office: Validity,
        /// Who elected (→ Organisation).
        elected_by: Reference,
        /// Chair, member, substitute and the like.
        seat: Seat,
        /// Code list `political-group`, open to local parties.
        political_group: Code,
        /// Whether the office is remunerated.
        remunerated: bool,
        /// What is known about the accuracy.
        quality: Quality,
    }
    lists {
        /// Numbers and keys, such as the employee number.
        identifiers: Identifier,
        /// How the cost is shared.
        allocations: Allocation,
        /// What the holder delivers (→ Service).
        services: Reference,
        /// At work.
        contact_points: ContactPoint,
        /// What may be decided on whose behalf.
        delegations: Delegation,
        /// What may be attested: another thing than a delegation.
        attestations: Attestation,
    }
    extensions {
        /// Properties of extension packages.
        extensions
    }
}

model! {
    /// Whether the holder is at work.
    Availability
    required {
        /// At work, on leave, suspended.
        state: AvailabilityState,
    }
    optional {
        /// To what extent, per cent.
        rate: Decimal,
    }
}

model! {
    /// A share of the cost.
    Allocation
    required {
        /// Per cent.
        share: Decimal,
    }
    optional {
        /// Who bears it (→ Organisation).
        organisation: Reference,
        /// On what cost centre.
        cost_centre: String,
    }
}

model! {
    /// The place in an elected body.
    Seat
    required {
        /// Code list `seat`.
        kind: Code,
    }
    optional {
        /// The order among substitutes, from 1.
        order: u16,
    }
}

model! {
    /// A right to decide on behalf of somebody.
    Delegation
    required {
        /// Code list `decision-type`, open.
        decision_type: Code,
    }
    optional {
        /// The item in the delegation order.
        item: String,
        /// The decision that delegates.
        decision_reference: String,
        /// Who delegates (→ Organisation).
        delegated_by: Reference,
        /// Whether it may be delegated further.
        may_sub_delegate: bool,
        /// The first day.
        valid_from: NaiveDate,
        /// The first day after.
        valid_to: NaiveDate,
    }
}

model! {
    /// A right to attest payments.
    Attestation
    required {
        /// What is attested.
        kind: AttestationKind,
    }
    optional {
        /// Up to what amount.
        limit: AttestationLimit,
        /// The first day.
        valid_from: NaiveDate,
        /// The first day after.
        valid_to: NaiveDate,
    }
    lists {
        /// Which parts of the code plan.
        coding_scope: CodingRange,
        /// Who may attest instead (→ Role).
        substitutes: Reference,
    }
}

model! {
    /// A range in one dimension of the code plan.
    CodingRange
    required {
        /// The dimension, such as `cost-centre`.
        dimension: String,
        /// The first code.
        from: String,
    }
    optional {
        /// The last code, inclusive; absent = the first alone.
        to: String,
    }
}

model! {
    /// The highest amount that may be attested.
    AttestationLimit
    required {
        /// How much.
        value: Decimal,
        /// Code list `limit-unit`.
        unit: Code,
    }
}
