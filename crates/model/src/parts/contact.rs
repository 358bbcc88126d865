//! How to reach somebody, and when.

use chrono::NaiveDate;

use super::{Code, ContactPointKind, LangString, TimeOfDay, Visibility, Weekday, model};

model! {
    /// Hours that recur on certain days, maybe during a period.
    OpeningHours
    optional {
        /// From this time of day.
        opens: TimeOfDay,
        /// Until this time of day.
        closes: TimeOfDay,
        /// Closed all day.
        closed: bool,
        /// The first day on which they apply.
        valid_from: NaiveDate,
        /// The first day on which they no longer apply.
        valid_to: NaiveDate,
        /// A remark.
        note: LangString,
    }
    lists {
        /// The days of the week.
        days: Weekday,
    }
}

model! {
    /// An e-mail address, a phone number or another way to reach somebody.
    ContactPoint
    required {
        /// What it is.
        kind: ContactPointKind,
        /// The address or number.
        value: String,
    }
    optional {
        /// What it is for (code list `contact-point-use`).
        #[serde(rename = "use")]
        usage: Code,
        /// Who may see it.
        visibility: Visibility,
        /// What to call it.
        label: LangString,
    }
    lists {
        /// When it is attended.
        opening_hours: OpeningHours,
    }
}
