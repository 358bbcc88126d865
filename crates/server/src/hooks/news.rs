//! What has come in logs of late, in memory and once for all: a subscription that chooses looks at the log only when something
//! has come that it may have chosen. So the work of a commit is in proportion to those whom it concerns.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use grunddata_model::OwnerKey;
use grunddata_registry::{ChangeKey, LogPlace, Subscription, is_of_whole};
use parking_lot::Mutex;

use super::Shared;

/// Entries that are kept of each log, and the most that are read at once.
const KEPT: usize = 4_096;

/// The logs of which subscriptions are tended.
#[derive(Default)]
pub(super) struct News {
    owners: Mutex<HashMap<OwnerKey, Weak<Recent>>>,
}

impl News {
    /// What has come in the log of an owner.
    pub(super) fn of(&self, owner: &OwnerKey) -> Arc<Recent> {
        let mut owners = self.owners.lock();
        if let Some(known) = owners.get(owner).and_then(Weak::upgrade) {
            return known;
        }
        owners.retain(|_, known| known.strong_count() > 0);
        let fresh = Arc::new(Recent::default());
        owners.insert(owner.clone(), Arc::downgrade(&fresh));
        fresh
    }
}

/// The last entries of a log without a hole, by what can be chosen of them. Who asks first reads them for all.
#[derive(Default)]
pub(super) struct Recent {
    entries: tokio::sync::Mutex<VecDeque<ChangeKey>>,
}

impl Recent {
    /// How far a subscription can go on from its place without a look, in a log that has come to `reached`: nothing up to there
    /// is what it has chosen. `None` = that is not known here.
    pub(super) async fn passed(
        &self,
        shared: &Shared,
        subscription: &Subscription,
        place: &LogPlace,
        reached: u64,
    ) -> Option<u64> {
        let settings = &subscription.settings;
        // Who is responsible for a record stands with the record.
        let chooses =
            !settings.domains.is_empty() || !settings.kinds.is_empty() || settings.record.is_some();
        if !chooses {
            return None;
        }
        let mut entries = self.entries.lock().await;
        let last = entries.back().map_or(place.position, |last| last.position);
        if last < reached {
            let (app, owner) = (Arc::clone(&shared.app), subscription.owner.clone());
            let read = move || {
                let store = app.vault.vitals().store();
                Ok(store.read(|reader| reader.change_keys(&owner, last, KEPT)))
            };
            let read = shared.app.hook_readers.run_anyway(read).await;
            add(&mut entries, last, read.ok()?.ok()?);
        }
        let whole = is_of_whole(place);
        passed(&entries, place.position, |entry| {
            let domain = settings.domains.is_empty() || settings.domains.contains(&entry.domain);
            let record = settings.record.is_none_or(|record| record == entry.record);
            // Who is not shown the whole is told of what is withdrawn, whatever kind is chosen.
            let kind = !whole
                || settings.kinds.is_empty()
                || settings.kinds.iter().any(|kind| kind == entry.kind);
            domain && record && kind
        })
    }
}

/// What follows on `last`, without a hole, as much as is kept.
fn add(entries: &mut VecDeque<ChangeKey>, last: u64, read: Vec<ChangeKey>) {
    if read.first().is_some_and(|first| first.position != last + 1) {
        entries.clear();
    }
    entries.extend(read);
    let over = entries.len().saturating_sub(KEPT);
    entries.drain(..over);
}

/// The last of the entries, when all that come after the position are known and none of them is chosen.
fn passed(
    entries: &VecDeque<ChangeKey>,
    position: u64,
    chosen: impl Fn(&ChangeKey) -> bool,
) -> Option<u64> {
    let (first, last) = (entries.front()?.position, entries.back()?.position);
    if first > position + 1 || last <= position {
        return None;
    }
    let mut later = entries.iter().filter(|entry| entry.position > position);
    (!later.any(chosen)).then_some(last)
}

#[cfg(test)]
mod tests {
    use grunddata_model::{Domain, RecordId};

    use super::*;

    fn key(position: u64, kind: &'static str) -> ChangeKey {
        ChangeKey {
            position,
            domain: Domain::Person,
            kind,
            record: RecordId::from(uuid::Uuid::nil()),
        }
    }

    #[test]
    fn only_what_is_known_without_a_hole_is_passed_over() {
        let ends = |entry: &ChangeKey| entry.kind == "end";
        let mut entries = VecDeque::new();
        assert_eq!(passed(&entries, 0, ends), None);
        add(&mut entries, 4, vec![key(5, "create"), key(6, "amend")]);
        // What comes before is not known.
        assert_eq!(passed(&entries, 3, ends), None);
        assert_eq!(passed(&entries, 4, ends), Some(6));
        assert_eq!(passed(&entries, 6, ends), None);
        add(&mut entries, 6, vec![key(7, "end")]);
        assert_eq!(passed(&entries, 4, ends), None);
        assert_eq!(passed(&entries, 7, ends), None);
        add(&mut entries, 7, vec![key(8, "amend")]);
        assert_eq!(passed(&entries, 7, ends), Some(8));
        // A log that was begun anew.
        add(&mut entries, 8, vec![key(20, "amend")]);
        assert_eq!(passed(&entries, 7, ends), None);
        assert_eq!(passed(&entries, 19, ends), Some(20));
        let many = (21..21 + 2 * KEPT as u64).map(|at| key(at, "amend"));
        add(&mut entries, 20, many.collect());
        assert_eq!(entries.len(), KEPT);
    }
}
