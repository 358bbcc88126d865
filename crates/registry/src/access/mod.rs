//! Who asks, and what they may do. One predicate decides what is shown; it is part of every read.
//!
//! The access issue refines this (controllers, relations to the reader, levels of protection); the places are here.

mod visibility;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey};
use serde::{Deserialize, Serialize};

pub(crate) use visibility::Visibilities;

/// What a grant covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OwnerScope {
    /// Every owner.
    All,
    /// One owner.
    Owner(OwnerKey),
}

impl OwnerScope {
    /// Whether the scope holds the owner.
    #[must_use]
    pub fn holds(&self, owner: &OwnerKey) -> bool {
        match self {
            OwnerScope::All => true,
            OwnerScope::Owner(key) => key == owner,
        }
    }
}

/// What a grant allows. The higher include the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Read every class of property; protected persons not.
    Read,
    /// Read and write.
    Write,
    /// Everything, protected persons, owners and tokens included.
    Admin,
}

/// One right: an action within a scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Where.
    pub scope: OwnerScope,
    /// What.
    pub action: Action,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The name by which changes are signed: the name of the token.
    pub name: String,
    /// What tells clients apart for idempotency keys: the id of the token. Empty for the anonymous.
    pub client: String,
    /// Its rights.
    pub grants: Vec<Grant>,
    /// Whether the actor feeds copies from elsewhere (base registers, other registries), which are read-only for all
    /// others.
    pub feeds_copies: bool,
}

impl Actor {
    /// Somebody who has not said who they are: reads what owners have declared open.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: "anonymous".to_owned(),
            client: String::new(),
            grants: Vec::new(),
            feeds_copies: false,
        }
    }

    /// The registry's own work (seeds, loads at the console): everything, copies included.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            client: format!("system:{name}"),
            grants: vec![Grant {
                scope: OwnerScope::All,
                action: Action::Admin,
            }],
            feeds_copies: true,
        }
    }

    /// Whether nobody is known to ask.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.client.is_empty()
    }

    /// Whether the actor may do this for the owner.
    #[must_use]
    pub fn may(&self, action: Action, owner: &OwnerKey) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.action >= action && grant.scope.holds(owner))
    }

    /// Whether the actor may do this for every owner.
    #[must_use]
    pub fn may_everywhere(&self, action: Action) -> bool {
        self.grants
            .iter()
            .any(|grant| grant.action >= action && grant.scope == OwnerScope::All)
    }

    /// The one owner for which the actor writes; `None` when there are none, several, or all.
    #[must_use]
    pub fn only_owner(&self) -> Option<&OwnerKey> {
        let mut owners = BTreeSet::new();
        for grant in self
            .grants
            .iter()
            .filter(|grant| grant.action >= Action::Write)
        {
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
    /// What for, where the reader says so (the access log keeps it).
    pub purpose: Option<String>,
    /// The id under which the request is logged.
    pub request_id: String,
    /// The present instant.
    pub now: Instant,
    /// The present day in Europe/Stockholm: the default of `validAt` and of `validFrom`.
    pub today: NaiveDate,
}

impl Context {
    /// A context at an instant; the day follows from it.
    #[must_use]
    pub fn new(actor: Actor, now: Instant, request_id: impl Into<String>) -> Self {
        Self {
            actor,
            purpose: None,
            request_id: request_id.into(),
            now,
            today: stockholm_day(now),
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

    fn actor(grants: &[(&str, Action)]) -> Actor {
        Actor {
            grants: grants
                .iter()
                .map(|(key, action)| Grant {
                    scope: OwnerScope::Owner(owner(key)),
                    action: *action,
                })
                .collect(),
            ..Actor::anonymous()
        }
    }

    #[test]
    fn higher_actions_include_lower_ones_within_the_scope() {
        let writer = actor(&[("a", Action::Write)]);
        assert!(writer.may(Action::Read, &owner("a")) && writer.may(Action::Write, &owner("a")));
        assert!(!writer.may(Action::Admin, &owner("a")) && !writer.may(Action::Read, &owner("b")));
        assert!(Actor::system("seed").may(Action::Admin, &owner("b")));
    }

    #[test]
    fn the_only_owner_is_the_one_written_for() {
        assert_eq!(
            actor(&[("a", Action::Write), ("b", Action::Read)]).only_owner(),
            Some(&owner("a"))
        );
        assert_eq!(
            actor(&[("a", Action::Write), ("a", Action::Admin)]).only_owner(),
            Some(&owner("a"))
        );
        assert_eq!(
            actor(&[("a", Action::Write), ("b", Action::Write)]).only_owner(),
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
