//! The coordinate of a read: a day of valid time and a pinned recorded time per owner.

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey};

/// The recorded time of each owner that a read concerns. Made by [`Reader::pin`](crate::Reader::pin), kept for every
/// statement, page and link of one request: rows carry their four times, so that no database transaction is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Owner and the instant up to and including which its changes are known. Sorted by owner.
    pub pins: Vec<(OwnerKey, Instant)>,
    /// The instant for owners without a pin; `None` = whatever is recorded now.
    pub others: Option<Instant>,
}

/// The last instant at which anything can be recorded: "everything recorded so far".
pub(crate) fn latest() -> Instant {
    Instant::from_micros(Instant::FOREVER.micros() - 1)
}

impl Known {
    /// Everything recorded now, without any pin: for reads that nobody needs to repeat.
    #[must_use]
    pub fn latest() -> Self {
        Self::default()
    }

    /// One instant for every owner.
    #[must_use]
    pub fn at(instant: Instant) -> Self {
        Self {
            pins: Vec::new(),
            others: Some(instant),
        }
    }

    /// Whether that is everything recorded now, without any pin.
    #[must_use]
    pub fn is_latest(&self) -> bool {
        self.pins.is_empty() && self.others.is_none()
    }

    /// One owner pinned, the others latest.
    #[must_use]
    pub fn pinned(owner: OwnerKey, instant: Instant) -> Self {
        Self {
            pins: vec![(owner, instant)],
            others: None,
        }
    }

    /// The instant that holds for the owner; [`None`] = whatever is recorded now.
    #[must_use]
    pub fn of(&self, owner: &OwnerKey) -> Option<Instant> {
        match self.pins.binary_search_by(|(key, _)| key.cmp(owner)) {
            Ok(found) => self.pins.get(found).map(|(_, instant)| *instant),
            Err(_) => self.others,
        }
    }

    pub(crate) fn others_instant(&self) -> Instant {
        self.others.unwrap_or_else(latest)
    }
}

/// Where in the two times a read stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coordinate {
    /// The day of valid time.
    pub valid_at: NaiveDate,
    /// The recorded time.
    pub known: Known,
}
