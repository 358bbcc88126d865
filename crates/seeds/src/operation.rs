//! What the generators give: transactions of operations, as values of their own, so that they can be looked at and
//! tested without a registry.

use chrono::{Days, NaiveDate, NaiveTime};
use grunddata_model::{Domain, Instant, ValidFrom, ValidTo};
use serde_json::{Value, json};
use uuid::Uuid;

/// Operations on records of one owner that are recorded together.
#[derive(Debug, Clone)]
pub struct SeedTransaction {
    /// The owner of every record in it.
    pub owner: &'static str,
    /// When it is recorded: what the injected clock says while it is written.
    pub recorded_at: Instant,
    /// Who writes.
    pub actor: &'static str,
    /// The system that the facts come from.
    pub source: &'static str,
    /// Why, for the change log.
    pub reason: String,
    /// The operations, in order: what is referred to comes before what refers to it.
    pub operations: Vec<SeedOperation>,
}

/// One write to one record.
#[derive(Debug, Clone)]
pub struct SeedOperation {
    /// The domain of the record.
    pub domain: Domain,
    /// The record.
    pub id: Uuid,
    /// What is done to it.
    pub action: SeedAction,
}

/// What is done to a record.
#[derive(Debug, Clone)]
pub enum SeedAction {
    /// The first version.
    Create {
        /// The body that is responsible for the personal data, an organisation of the same owner.
        controller: Option<Uuid>,
        /// Where the record comes from when it is a copy; `None` = own.
        origin: Option<Origin>,
        /// The data.
        data: Value,
        /// From when the data hold.
        valid_from: ValidFrom,
        /// Until when.
        valid_to: ValidTo,
    },
    /// A merge patch (RFC 7396) on every state inside the period.
    Amend {
        /// The patch.
        patch: Value,
        /// From when; `None` = from the start of the record, which is for corrections.
        valid_from: Option<NaiveDate>,
        /// Until when.
        valid_to: ValidTo,
        /// Whether it puts right what was recorded wrongly.
        correction: bool,
    },
    /// Nothing holds from this day.
    End {
        /// The first day on which nothing holds.
        valid_from: NaiveDate,
    },
}

/// Where a copied record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The register that answers for the facts.
    pub name: &'static str,
    /// The day of copying.
    pub copied: NaiveDate,
}

impl SeedOperation {
    pub(crate) fn create(domain: Domain, id: Uuid, data: Value, valid_from: ValidFrom) -> Self {
        Self {
            domain,
            id,
            action: SeedAction::Create {
                controller: None,
                origin: None,
                data,
                valid_from,
                valid_to: ValidTo::Open,
            },
        }
    }

    pub(crate) fn amend(domain: Domain, id: Uuid, patch: Value, from: NaiveDate) -> Self {
        Self {
            domain,
            id,
            action: SeedAction::Amend {
                patch,
                valid_from: Some(from),
                valid_to: ValidTo::Open,
                correction: false,
            },
        }
    }

    pub(crate) fn correct(domain: Domain, id: Uuid, patch: Value) -> Self {
        Self {
            domain,
            id,
            action: SeedAction::Amend {
                patch,
                valid_from: None,
                valid_to: ValidTo::Open,
                correction: true,
            },
        }
    }

    pub(crate) fn end(domain: Domain, id: Uuid, from: NaiveDate) -> Self {
        Self {
            domain,
            id,
            action: SeedAction::End { valid_from: from },
        }
    }

    /// The same operation with an end.
    pub(crate) fn until(mut self, end: NaiveDate) -> Self {
        if let SeedAction::Create { valid_to, .. } | SeedAction::Amend { valid_to, .. } =
            &mut self.action
        {
            *valid_to = ValidTo::Date(end);
        }
        self
    }

    /// The same creation under a controller.
    pub(crate) fn under(mut self, body: Option<Uuid>) -> Self {
        if let SeedAction::Create { controller, .. } = &mut self.action {
            *controller = body;
        }
        self
    }

    /// The same creation as a copy.
    pub(crate) fn copied(mut self, from: Origin) -> Self {
        if let SeedAction::Create { origin, .. } = &mut self.action {
            *origin = Some(from);
        }
        self
    }
}

/// A date that is written in the code.
pub(crate) const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

/// So many days later.
pub(crate) fn later(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_add_days(Days::new(days)).unwrap_or(date)
}

/// A moment on a day, in minutes after midnight UTC.
pub(crate) fn at(date: NaiveDate, minutes: i64) -> Instant {
    let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    Instant::from_micros(midnight + minutes * 60_000_000)
}

/// A reference to a record.
pub(crate) fn reference(id: Uuid) -> Value {
    json!({ "id": id })
}

/// A text in Swedish.
pub(crate) fn swedish(text: &str) -> Value {
    json!({ "sv": text })
}

/// A text in Swedish and English.
pub(crate) fn both(swedish: &str, english: &str) -> Value {
    json!({ "sv": swedish, "en": english })
}
