//! What the extract calls things.

use chrono::NaiveDate;
use grunddata_model::{Domain, Instant};

/// What a record of the domain is called.
pub(super) const fn record_kind(domain: Domain) -> &'static str {
    match domain {
        Domain::Person => "Person",
        Domain::Role => "Roll",
        Domain::Organisation => "Organisation",
        Domain::Geography => "Plats",
        Domain::Service => "Tjänst",
    }
}

/// What an operation did.
pub(super) fn operation(name: &str) -> &str {
    match name {
        "create" => "upplagd",
        "replace" => "ersatt",
        "amend" => "ändrad",
        "end" => "avslutad",
        "revive" => "återupptagen",
        "retract" => "återtagen som felaktig",
        "revert" => "återställd",
        "follow" => "följdändrad",
        "merge" => "sammanslagen",
        "erase" => "gallrad",
        other => other,
    }
}

/// A day as it is written in Swedish.
pub(super) fn day(day: NaiveDate) -> String {
    day.format("%Y-%m-%d").to_string()
}

/// An instant to the minute, in Swedish time.
pub(super) fn instant(at: Instant) -> String {
    at.date_time()
        .with_timezone(&chrono_tz::Europe::Stockholm)
        .format("%Y-%m-%d kl. %H.%M")
        .to_string()
}
