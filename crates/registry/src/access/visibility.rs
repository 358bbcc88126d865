//! From grants to the one predicate of every read.
//!
//! Everyone reads what owners have declared open, of what the model classes as public. A grant to read shows every
//! class of its owners; persons under protection are shown to administrators alone, until the access issue refines it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{ALL_CLASSES, OwnerSet, Store, StoreError, Visibility, VisibilityRule};

use super::{Action, Actor, Grant, OwnerScope};

/// The class mask of what anybody may read.
const PUBLIC: u8 = 1;
/// How long a kept predicate holds, in microseconds: another process may have opened or closed an owner.
const KEPT: i64 = 30_000_000;
/// The most predicates that are kept.
const MOST_KEPT: usize = 10_000;

/// Predicates by grants, so that a read does not build its own.
#[derive(Default)]
pub(crate) struct Visibilities {
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    since: Option<Instant>,
    open: BTreeSet<OwnerKey>,
    by_grants: HashMap<Vec<Grant>, Arc<Visibility>>,
}

impl Visibilities {
    /// What the actor may see.
    pub(crate) fn of(
        &self,
        store: &Store,
        actor: &Actor,
        now: Instant,
    ) -> Result<Arc<Visibility>, StoreError> {
        if let Ok(kept) = self.kept.read()
            && kept.is_fresh(now)
            && let Some(found) = kept.by_grants.get(&actor.grants)
        {
            return Ok(Arc::clone(found));
        }
        let fresh_open = {
            let kept = self.kept.read().ok();
            kept.filter(|kept| kept.is_fresh(now))
                .map(|kept| kept.open.clone())
        };
        let (open, renewed) = match fresh_open {
            Some(open) => (open, false),
            None => {
                let owners = store.owners()?;
                let open = owners
                    .into_iter()
                    .filter(|owner| owner.open_data)
                    .map(|owner| owner.key)
                    .collect();
                (open, true)
            }
        };
        let visibility = Arc::new(rules(&actor.grants, &open));
        if let Ok(mut kept) = self.kept.write() {
            if renewed || kept.by_grants.len() >= MOST_KEPT {
                kept.by_grants.clear();
                kept.open = open;
                kept.since = Some(now);
            }
            kept.by_grants
                .insert(actor.grants.clone(), Arc::clone(&visibility));
        }
        Ok(visibility)
    }

    /// Forgets everything: an owner was added or changed.
    pub(crate) fn forget(&self) {
        if let Ok(mut kept) = self.kept.write() {
            *kept = Kept::default();
        }
    }
}

impl Kept {
    fn is_fresh(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now >= since && now.micros().saturating_sub(since.micros()) < KEPT)
    }
}

fn rules(grants: &[Grant], open: &BTreeSet<OwnerKey>) -> Visibility {
    let mut rules: Vec<VisibilityRule> = Vec::new();
    for protected in [true, false] {
        let granted = || {
            grants
                .iter()
                .filter(|grant| protected == (grant.action >= Action::Admin))
        };
        if granted().any(|grant| grant.scope == OwnerScope::All) {
            rules.push(VisibilityRule {
                owners: OwnerSet::All,
                classes: ALL_CLASSES,
                protected,
            });
            if protected {
                // Nothing can be added to everything.
                return Visibility { rules };
            }
            continue;
        }
        let owners: BTreeSet<OwnerKey> = granted()
            .filter_map(|grant| match &grant.scope {
                OwnerScope::Owner(owner) => Some(owner.clone()),
                OwnerScope::All => None,
            })
            .collect();
        if !owners.is_empty() {
            rules.push(VisibilityRule {
                owners: OwnerSet::Some(owners),
                classes: ALL_CLASSES,
                protected,
            });
        }
    }
    let sees_all = rules.iter().any(|rule| rule.owners == OwnerSet::All);
    if !sees_all && !open.is_empty() {
        rules.push(VisibilityRule {
            owners: OwnerSet::Some(open.clone()),
            classes: PUBLIC,
            protected: false,
        });
    }
    Visibility { rules }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(key: &str) -> OwnerKey {
        OwnerKey::new(key).unwrap()
    }

    fn grant(key: Option<&str>, action: Action) -> Grant {
        Grant {
            scope: key.map_or(OwnerScope::All, |key| OwnerScope::Owner(owner(key))),
            action,
        }
    }

    #[test]
    fn anybody_sees_the_public_classes_of_open_owners_alone() {
        let open = BTreeSet::from([owner("a")]);
        let visibility = rules(&[], &open);
        assert_eq!(visibility.rules.len(), 1);
        assert_eq!(visibility.rules[0].classes, PUBLIC);
        assert!(!visibility.rules[0].protected);
        assert!(
            visibility.rules[0].owners.contains(&owner("a"))
                && !visibility.rules[0].owners.contains(&owner("b"))
        );
        assert_eq!(rules(&[], &BTreeSet::new()).rules, []);
    }

    #[test]
    fn grants_show_their_owners_and_only_admin_shows_protected_persons() {
        let visibility = rules(
            &[
                grant(Some("a"), Action::Write),
                grant(Some("b"), Action::Admin),
            ],
            &BTreeSet::new(),
        );
        let sees = |key: &str, protected: bool| {
            visibility.rules.iter().any(|rule| {
                rule.owners.contains(&owner(key))
                    && rule.classes == ALL_CLASSES
                    && (rule.protected || !protected)
            })
        };
        assert!(sees("a", false) && !sees("a", true) && sees("b", true) && !sees("c", false));
    }

    #[test]
    fn an_administrator_of_all_sees_all() {
        let visibility = rules(
            &[grant(None, Action::Admin), grant(Some("a"), Action::Read)],
            &BTreeSet::from([owner("a")]),
        );
        assert_eq!(visibility, Visibility::everything());
        let reader = rules(&[grant(None, Action::Read)], &BTreeSet::from([owner("a")]));
        assert_eq!(reader.rules.len(), 1);
        assert!(!reader.rules[0].protected);
    }
}
