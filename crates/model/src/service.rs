//! A public or internal service (`service.schema.json`; CPSV-AP Public Service). Swedish: Tjänst (service).

use crate::identifiers::PhoneNumber;
use crate::parts::{
    Amount, ChannelKind, Code, Decimal, Identifier, LangString, LanguageTag, LegalResource,
    OpeningHours, Quality, Reference, ServiceKind, ServiceStatus, model,
};

model! {
    /// A service. Its id is a [`ServiceId`](crate::ServiceId).
    Service
    required {
        /// The name.
        name: LangString,
        /// For the public or internal.
        kind: ServiceKind,
        /// Who is responsible for it (→ Organisation).
        competent_authority: Reference,
    }
    optional {
        /// What it is.
        description: LangString,
        /// Where it is in its life.
        status: ServiceStatus,
        /// Who answers for it (→ Role).
        responsible_role: Reference,
        /// Code list `process`, open.
        process: Code,
        /// Of an internal service.
        price: Amount,
        /// What the price is for.
        unit: LangString,
        /// What is promised.
        service_level: LangString,
        /// ISO 8601 duration.
        processing_time: String,
        /// What is known about the accuracy.
        quality: Quality,
    }
    lists {
        /// Numbers and keys.
        identifiers: Identifier,
        /// Who delivers it (→ Organisation).
        delivered_by: Reference,
        /// For which areas (→ Geography).
        coverage: Reference,
        /// Where (→ Geography).
        delivery_places: Reference,
        /// How it is reached.
        channels: Channel,
        /// Code list `audience`.
        audiences: Code,
        /// Code list `life-event`.
        life_events: Code,
        /// Code list `business-event`.
        business_events: Code,
        /// Code list `theme`.
        themes: Code,
        /// In which languages.
        languages: LanguageTag,
        /// What must be handed in.
        inputs: Document,
        /// What comes out.
        outputs: Document,
        /// What it costs the user.
        costs: Cost,
        /// For whom an internal service is (→ Organisation).
        customers: Reference,
        /// On what it rests.
        legal_resources: LegalResource,
        /// What it needs first (→ Service).
        requires: Reference,
        /// What else may be of use (→ Service).
        related: Reference,
    }
    extensions {
        /// Properties of extension packages.
        extensions
    }
}

model! {
    /// A way to reach the service.
    Channel
    required {
        /// Unique within the service.
        id: String,
        /// What it is.
        kind: ChannelKind,
    }
    optional {
        /// Of an e-service or app.
        url: String,
        /// Of a phone.
        number: PhoneNumber,
        /// Of e-mail.
        email: String,
        /// The e-service platform.
        platform: String,
        /// Code list `authentication-level`.
        authentication_level: Code,
        /// Whether something is signed.
        signing: bool,
        /// Where to go (→ Geography).
        place: Reference,
    }
    lists {
        /// Code list `authentication-method`.
        authentication_methods: Code,
        /// When it is open.
        opening_hours: OpeningHours,
    }
}

model! {
    /// A document or other evidence.
    Document
    required {
        /// What it is called.
        title: LangString,
    }
    optional {
        /// What it is.
        description: LangString,
        /// Its number or key.
        identifier: String,
        /// Where it can be had.
        url: String,
    }
}

model! {
    /// What the service costs.
    Cost
    required {
        /// How much.
        value: Decimal,
    }
    optional {
        /// ISO 4217; absent = SEK.
        currency: String,
        /// What for.
        description: LangString,
        /// The id of the channel for which it holds.
        channel: String,
    }
}
