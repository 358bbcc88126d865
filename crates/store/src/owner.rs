//! Owners: who answers for records.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey, RecordId};

/// An owner with the state of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerRow {
    /// The key, for good.
    pub key: OwnerKey,
    /// What it is called.
    pub name: String,
    /// The record that describes the organisation itself.
    pub organisation: Option<RecordId>,
    /// Whether anyone may read what the model classes as public.
    pub open_data: bool,
    /// What is shown of persons under protection: JSON, as the registry wrote it; empty = the default.
    pub protection_policy: String,
    /// The position of the last change; 0 before the first.
    pub position: u64,
    /// The recorded time of the last change (or the fence of a later pin). The instant of creation before the first.
    pub last_instant: Instant,
    /// When the owner was added.
    pub created_at: Instant,
    /// How far its log tells what time itself does.
    pub told: Told,
}

/// How far an owner's log tells of what began and ended as planned: days and, within the last of them, records in the order
/// of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The days before this one are told.
    pub day: NaiveDate,
    /// And of this day the records up to this one; the whole of it when none is said.
    pub record: Option<RecordId>,
}

/// Some owners or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OwnerSet {
    /// Every owner, those that come later included.
    All,
    /// Exactly these.
    Some(BTreeSet<OwnerKey>),
}

impl OwnerSet {
    /// One owner.
    #[must_use]
    pub fn one(owner: OwnerKey) -> Self {
        Self::Some(BTreeSet::from([owner]))
    }

    /// Whether the owner is among them.
    #[must_use]
    pub fn contains(&self, owner: &OwnerKey) -> bool {
        match self {
            Self::All => true,
            Self::Some(owners) => owners.contains(owner),
        }
    }
}

impl FromIterator<OwnerKey> for OwnerSet {
    fn from_iter<I: IntoIterator<Item = OwnerKey>>(owners: I) -> Self {
        Self::Some(owners.into_iter().collect())
    }
}
