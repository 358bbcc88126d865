//! Who asks, and what they may do. One predicate decides what is shown; it is part of every read.

mod disclosed;
mod grant;
mod policy;
mod visibility;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use grunddata_information_model::PrivacyClass;
use grunddata_model::{Instant, OwnerKey};

pub use disclosed::{Disclosed, Shown};
pub use grant::{Action, ControllerScope, Grant, Grants, OwnerScope, Role};
pub use policy::{ProtectionPolicy, Relation};
pub(crate) use visibility::{Rights, SUBTREE, SUBTREE_RELATION, Visibilities};

/// The actions that change records.
const CHANGES: [Action; 3] = [Action::Write, Action::End, Action::Load];

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The name by which changes are signed: the name of the token.
    pub name: String,
    /// What tells clients apart for idempotency keys: the id of the token. Empty for the anonymous.
    pub client: String,
    /// Its rights.
    pub grants: Grants,
    /// Whether the actor feeds copies from elsewhere (base registers, other registries), which are read-only for all
    /// others.
    pub feeds_copies: bool,
    /// The unit that it acts for, where that is told: the access log keeps it. It gives no rights.
    pub unit: Option<String>,
    /// From when on it is not let in any more, where that is decided beforehand: the end of its token.
    pub expires_at: Option<Instant>,
}

impl Actor {
    /// Somebody who has not said who they are: reads what owners have declared open.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".to_owned(),
            client: String::new(),
            grants: Grants::none(),
            feeds_copies: false,
            unit: None,
            expires_at: None,
        }
    }

    /// The registry's own work (seeds, loads at the console): everything, copies included.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            client: format!("system:{name}"),
            grants: vec![Grant::of(OwnerScope::All, Role::Administrator)].into(),
            feeds_copies: true,
            unit: None,
            expires_at: None,
        }
    }

    /// Whether nobody is known to ask.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.client.is_empty()
    }

    /// Whether the actor may do this for the owner, of some controller and domain at least.
    #[must_use]
    pub fn may(&self, action: Action, owner: &OwnerKey) -> bool {
        self.granted(action).any(|grant| grant.scope.holds(owner))
    }

    /// Whether the actor may write, end or load something of the owner. Which records is asked of each.
    #[must_use]
    pub fn may_change(&self, owner: &OwnerKey) -> bool {
        CHANGES.iter().any(|action| self.may(*action, owner))
    }

    /// Whether the actor may write, end or load something somewhere.
    #[must_use]
    pub fn may_change_somewhere(&self) -> bool {
        CHANGES.iter().any(|action| self.may_somewhere(*action))
    }

    /// Whether the actor may do this for some owner.
    #[must_use]
    pub fn may_somewhere(&self, action: Action) -> bool {
        self.granted(action).next().is_some()
    }

    /// Whether the actor may do this for every owner, whatever the controller.
    #[must_use]
    pub fn may_everywhere(&self, action: Action) -> bool {
        self.granted(action)
            .any(|grant| grant.scope == OwnerScope::All && grant.controller == ControllerScope::All)
    }

    /// Whether the actor may do this for the owner as a whole: for every controller and domain, protected persons included.
    /// What concerns the whole of an owner is decided by those alone.
    #[must_use]
    pub fn may_for_whole(&self, action: Action, owner: &OwnerKey) -> bool {
        self.granted(action)
            .any(|grant| grant.scope.holds(owner) && grant.is_whole())
    }

    /// The same for every owner, those that come later included.
    #[must_use]
    pub fn may_for_everything(&self, action: Action) -> bool {
        self.granted(action)
            .any(|grant| grant.scope == OwnerScope::All && grant.is_whole())
    }

    /// Whether the actor works with the owner's records as a whole, so that it may be told who changed them and why.
    #[must_use]
    pub fn reads_changes_of(&self, owner: &OwnerKey) -> bool {
        self.granted(Action::Read).any(|grant| {
            grant.scope.holds(owner)
                && grant.controller == ControllerScope::All
                && grant.domains.is_empty()
                && grant.ceiling >= PrivacyClass::Personal
        })
    }

    fn granted(&self, action: Action) -> impl Iterator<Item = &Grant> {
        self.grants
            .list()
            .iter()
            .filter(move |grant| grant.allows(action))
    }

    /// The one owner for which the actor writes; `None` when there are none, several, or all.
    #[must_use]
    pub fn only_owner(&self) -> Option<&OwnerKey> {
        let mut owners = BTreeSet::new();
        for grant in self.grants.list() {
            if !CHANGES.iter().any(|action| grant.allows(*action)) {
                continue;
            }
            match &grant.scope {
                OwnerScope::All => return None,
                OwnerScope::Owner(owner) => owners.insert(owner),
            };
        }
        if owners.len() == 1 {
            owners.into_iter().next()
        } else {
            None
        }
    }
}

/// In whose name and when a request is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Who asks.
    pub actor: Actor,
    /// In whose name, where the actor is a system that acts for somebody.
    pub on_behalf_of: Option<String>,
    /// What for, where the reader says so (the access log keeps it).
    pub purpose: Option<String>,
    /// The id under which the request is logged.
    pub request_id: String,
    /// The present instant.
    pub now: Instant,
    /// The present day in Europe/Stockholm: the default of `validAt` and of `validFrom`.
    pub today: NaiveDate,
    /// What has been shown of personal data, for the access log.
    pub disclosed: Disclosed,
}

impl Context {
    /// A context at an instant; the day follows from it.
    #[must_use]
    pub fn new(actor: Actor, now: Instant, request_id: impl Into<String>) -> Self {
        Self {
            actor,
            on_behalf_of: None,
            purpose: None,
            request_id: request_id.into(),
            now,
            today: stockholm_day(now),
            disclosed: Disclosed::default(),
        }
    }

    /// The same, for a look of which nothing is shown: what it notes is not logged.
    pub(crate) fn quiet(&self) -> Self {
        Self {
            disclosed: Disclosed::default(),
            ..self.clone()
        }
    }
}

/// The civil day in Europe/Stockholm at an instant.
#[must_use]
pub fn stockholm_day(at: Instant) -> NaiveDate {
    at.date_time()
        .with_timezone(&chrono_tz::Europe::Stockholm)
        .date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(key: &str) -> OwnerKey {
        OwnerKey::new(key).unwrap()
    }

    fn actor(grants: &[(&str, Role)]) -> Actor {
        let grants: Vec<Grant> = grants
            .iter()
            .map(|(key, role)| Grant::of(OwnerScope::Owner(owner(key)), *role))
            .collect();
        Actor {
            grants: grants.into(),
            ..Actor::anonymous()
        }
    }

    #[test]
    fn a_role_allows_its_actions_within_the_scope() {
        let writer = actor(&[("a", Role::Editor)]);
        assert!(writer.may(Action::Read, &owner("a")) && writer.may(Action::Write, &owner("a")));
        assert!(
            !writer.may(Action::Administer, &owner("a")) && !writer.may(Action::Read, &owner("b"))
        );
        assert!(Actor::system("seed").may(Action::Administer, &owner("b")));
    }

    #[test]
    fn the_only_owner_is_the_one_written_for() {
        assert_eq!(
            actor(&[("a", Role::Editor), ("b", Role::Reader)]).only_owner(),
            Some(&owner("a"))
        );
        assert_eq!(
            actor(&[("a", Role::Editor), ("a", Role::Administrator)]).only_owner(),
            Some(&owner("a"))
        );
        assert_eq!(
            actor(&[("a", Role::Editor), ("b", Role::Editor)]).only_owner(),
            None
        );
        assert_eq!(Actor::system("seed").only_owner(), None);
    }

    #[test]
    fn the_day_is_swedish() {
        let late: Instant = "2026-11-21T23:30:00Z".parse().unwrap();
        assert_eq!(stockholm_day(late).to_string(), "2026-11-22");
        let summer: Instant = "2026-07-01T21:59:59Z".parse().unwrap();
        assert_eq!(stockholm_day(summer).to_string(), "2026-07-01");
    }
}
