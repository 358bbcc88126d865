//! What was shown under one request. Everything that is shown passes the two places that note it here; whoever carries
//! the answer out takes it from here for the access log, and does not answer before it is logged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grunddata_information_model::PrivacyClass;
use grunddata_model::{OwnerKey, RecordId};
use serde_json::Value;

/// The classes of which every reading is logged.
const LOGGED: u8 = PrivacyClass::Personal.bit() | PrivacyClass::Protected.bit();

/// What was shown of personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Which records, in the order in which they were shown; one may stand twice.
    pub records: Vec<RecordId>,
    /// Whose they are.
    pub owners: BTreeSet<OwnerKey>,
    /// The personal classes among what was shown, a bit mask.
    pub classes: u8,
    /// What a list was asked for, without the values that are personal.
    pub query: Option<String>,
    /// Whose personal data were searched: that there are none of somebody tells something as well.
    pub searched: BTreeSet<OwnerKey>,
    /// Whom an act of the administration is about.
    pub acted: BTreeSet<OwnerKey>,
    /// What an act of the administration is about: an object.
    pub detail: Option<Value>,
}

/// Gathers what is shown. Clones gather together.
#[derive(Debug, Clone, Default)]
pub struct Disclosed(Arc<Mutex<Shown>>);

impl Disclosed {
    /// Notes a record of which properties of these classes are shown.
    pub(crate) fn note(&self, owner: &OwnerKey, id: RecordId, classes: u8) {
        if classes & LOGGED == 0 {
            return;
        }
        let mut shown = self.shown();
        shown.records.push(id);
        shown.classes |= classes & LOGGED;
        if !shown.owners.contains(owner) {
            shown.owners.insert(owner.clone());
        }
    }

    /// Notes a record that an act is about, whatever was shown of it.
    pub(crate) fn about(&self, owner: &OwnerKey, id: RecordId) {
        let mut shown = self.shown();
        shown.records.push(id);
        if !shown.owners.contains(owner) {
            shown.owners.insert(owner.clone());
        }
    }

    /// Notes what a list was asked for, without the values that are personal.
    pub(crate) fn asked(&self, query: String) {
        self.shown().query = Some(query);
    }

    /// Notes whose personal data were searched, found or not.
    pub(crate) fn searched(&self, owners: impl IntoIterator<Item = OwnerKey>) {
        self.shown().searched.extend(owners);
    }

    /// Notes that somebody of the owner was asked for by what is of these classes, found or not.
    pub(crate) fn asked_for(&self, owner: &OwnerKey, classes: u8) {
        if classes & LOGGED != 0 {
            self.searched([owner.clone()]);
        }
    }

    /// Notes whom an act of the administration is about, and what: the members of an object, which come to those that were
    /// noted before. Noted before the act is tried, so that a refused one is found as well.
    pub fn acted(&self, owners: impl IntoIterator<Item = OwnerKey>, detail: Value) {
        let mut shown = self.shown();
        shown.acted.extend(owners);
        match (&mut shown.detail, detail) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (known, more) => *known = Some(more),
        }
    }

    /// Takes what was shown so far.
    #[must_use]
    pub fn take(&self) -> Shown {
        std::mem::take(&mut *self.shown())
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // A panic elsewhere must not lose what was noted.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Contexts are compared by who asks for what and when.
impl PartialEq for Disclosed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Disclosed {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_personal_data_are_noted() {
        let disclosed = Disclosed::default();
        let owner = OwnerKey::new("a").unwrap();
        let id = |number| RecordId::from(uuid::Uuid::from_u128(number));
        disclosed.note(&owner, id(1), 3);
        disclosed.clone().note(&owner, id(2), 7);
        disclosed.note(&owner, id(3), 8);
        let shown = disclosed.take();
        assert_eq!((shown.records, shown.classes), (vec![id(2), id(3)], 12));
        assert_eq!(disclosed.take(), Shown::default());
    }

    #[test]
    fn what_is_noted_of_an_act_comes_together() {
        let disclosed = Disclosed::default();
        let owner = |key| OwnerKey::new(key).unwrap();
        disclosed.acted([owner("a")], json!({"name": "x"}));
        disclosed.acted([owner("a"), owner("b")], json!({"token": "y"}));
        let shown = disclosed.take();
        assert_eq!(shown.acted, BTreeSet::from([owner("a"), owner("b")]));
        assert_eq!(shown.detail, Some(json!({"name": "x", "token": "y"})));
        assert!(shown.records.is_empty());
    }
}
