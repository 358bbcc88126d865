//! What may be done where: grants as data, and the named bundles of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_information_model::PrivacyClass;
use grunddata_model::{Domain, OwnerKey, RecordId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Whose records a grant covers.
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

/// Of which controllers within the owners a grant covers records.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ControllerScope {
    /// Of all, and those of the owner itself.
    #[default]
    All,
    /// Records without a controller of their own: those that the owner's parts share.
    Own,
    /// Of one organisation.
    Organisation(RecordId),
    /// Of an organisation and all that stand below it today.
    Subtree(RecordId),
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Read what the class ceiling shows.
    Read,
    /// Create, replace, amend, revive and revert records.
    Write,
    /// End and retract records.
    End,
    /// Apply loads.
    Load,
    /// Change owners, grants, tokens and settings.
    Administer,
    /// Search the access log.
    Audit,
    /// Publish models and open data. Nothing asks for it yet: a model is published with the program, and its open data by the
    /// owner's administrators.
    Publish,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Write,
        Self::End,
        Self::Load,
        Self::Administer,
        Self::Audit,
        Self::Publish,
    ];

    /// The word by which it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::End => "end",
            Self::Load => "load",
            Self::Administer => "administer",
            Self::Audit => "audit",
            Self::Publish => "publish",
        }
    }

    /// The action of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// A named bundle of actions with the highest privacy class that comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads what is public.
    OpenDataReader,
    /// Reads, personal data included.
    Reader,
    /// Reads and writes, personal data included.
    Editor,
    /// Reads, writes and loads everything, persons under protection included.
    Steward,
    /// Everything.
    Administrator,
    /// Searches the access log, and nothing else.
    Auditor,
    /// Publishes models and open data.
    Publisher,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 7] = [
        Self::OpenDataReader,
        Self::Reader,
        Self::Editor,
        Self::Steward,
        Self::Administrator,
        Self::Auditor,
        Self::Publisher,
    ];

    /// The word by which it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenDataReader => "open-data-reader",
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Steward => "steward",
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
            Self::Publisher => "publisher",
        }
    }

    /// The role of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it may do.
    #[must_use]
    pub fn actions(self) -> BTreeSet<Action> {
        match self {
            Self::OpenDataReader | Self::Reader => BTreeSet::from([Action::Read]),
            Self::Editor => BTreeSet::from([Action::Read, Action::Write, Action::End]),
            Self::Steward => {
                BTreeSet::from([Action::Read, Action::Write, Action::End, Action::Load])
            }
            Self::Administrator => Action::ALL.into(),
            Self::Auditor => BTreeSet::from([Action::Audit]),
            Self::Publisher => BTreeSet::from([Action::Read, Action::Publish]),
        }
    }

    /// The highest class that it reads and writes.
    #[must_use]
    pub const fn ceiling(self) -> PrivacyClass {
        match self {
            Self::OpenDataReader | Self::Auditor => PrivacyClass::Public,
            Self::Publisher => PrivacyClass::Internal,
            Self::Reader | Self::Editor => PrivacyClass::Personal,
            Self::Steward | Self::Administrator => PrivacyClass::Protected,
        }
    }

    /// The role of which a set of actions and a ceiling is the bundle.
    #[must_use]
    pub fn of(actions: &BTreeSet<Action>, ceiling: PrivacyClass) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.ceiling() == ceiling && role.actions() == *actions)
    }
}

/// One right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Whose records.
    pub scope: OwnerScope,
    /// Of which controllers.
    #[serde(default)]
    pub controller: ControllerScope,
    /// Of which domains; empty = all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub domains: BTreeSet<Domain>,
    /// What may be done.
    pub actions: BTreeSet<Action>,
    /// The highest privacy class that is read and written. `protected` shows persons under protection.
    pub ceiling: PrivacyClass,
    /// The purpose that a request must state for the grant to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The first day on which it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<NaiveDate>,
    /// The first day on which it does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<NaiveDate>,
}

impl Grant {
    /// A role within a scope, of all controllers and domains.
    #[must_use]
    pub fn of(scope: OwnerScope, role: Role) -> Self {
        Self {
            scope,
            controller: ControllerScope::All,
            domains: BTreeSet::new(),
            actions: role.actions(),
            ceiling: role.ceiling(),
            purpose: None,
            valid_from: None,
            valid_to: None,
        }
    }

    /// Whether it allows the action.
    #[must_use]
    pub fn allows(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Whether it counts on a day for a request with that purpose.
    #[must_use]
    pub fn counts(&self, today: NaiveDate, purpose: Option<&str>) -> bool {
        self.valid_from.is_none_or(|from| from <= today)
            && self.valid_to.is_none_or(|to| today < to)
            && self
                .purpose
                .as_deref()
                .is_none_or(|wanted| purpose == Some(wanted))
    }

    /// Whether it does not always count.
    fn is_conditional(&self) -> bool {
        self.purpose.is_some() || self.valid_from.is_some() || self.valid_to.is_some()
    }

    /// The same without its conditions: what it allows while it counts.
    fn unconditional(&self) -> Self {
        Self {
            purpose: None,
            valid_from: None,
            valid_to: None,
            ..self.clone()
        }
    }

    /// Whether it covers its owners as a whole: every controller, domain and class.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.controller == ControllerScope::All
            && self.domains.is_empty()
            && self.ceiling == PrivacyClass::Protected
    }

    /// Whether everything that the other allows is allowed by this one, on the same conditions or fewer: what somebody may
    /// hand on.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let purpose = self.purpose.is_none() || self.purpose == other.purpose;
        let from = |from| other.valid_from.is_some_and(|other| from <= other);
        let to = |to| other.valid_to.is_some_and(|other| other <= to);
        self.covers(other)
            && purpose
            && self.valid_from.is_none_or(from)
            && self.valid_to.is_none_or(to)
    }

    /// Whether everything that the other allows while it counts is allowed by this one while it counts.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let scope = self.scope == OwnerScope::All || self.scope == other.scope;
        let controller =
            self.controller == ControllerScope::All || self.controller == other.controller;
        let domains = self.domains.is_empty()
            || !other.domains.is_empty() && other.domains.is_subset(&self.domains);
        scope
            && controller
            && domains
            && other.actions.is_subset(&self.actions)
            && other.ceiling <= self.ceiling
    }
}

/// The rights of somebody. Cheap to clone and to compare, however many they are.
#[derive(Debug, Clone)]
pub struct Grants(Arc<Held>);

#[derive(Debug)]
struct Held {
    list: Vec<Grant>,
    /// Tells apart what sets of grants allow while they count.
    key: [u8; 32],
    conditional: bool,
}

impl Grants {
    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self::from(Vec::new())
    }

    /// One by one.
    #[must_use]
    pub fn list(&self) -> &[Grant] {
        &self.0.list
    }

    /// The key by which what follows from them is kept.
    pub(crate) fn key(&self) -> [u8; 32] {
        self.0.key
    }

    /// Those that count on a day for a request with that purpose. They keep their conditions: what somebody holds for a
    /// while or for a purpose is handed on for no longer and for nothing else.
    #[must_use]
    pub fn counting(&self, today: NaiveDate, purpose: Option<&str>) -> Self {
        if !self.0.conditional {
            return self.clone();
        }
        self.0
            .list
            .iter()
            .filter(|grant| grant.counts(today, purpose))
            .cloned()
            .collect::<Vec<_>>()
            .into()
    }
}

impl From<Vec<Grant>> for Grants {
    fn from(mut list: Vec<Grant>) -> Self {
        list.sort();
        list.dedup();
        let allowed: BTreeSet<Grant> = list.iter().map(Grant::unconditional).collect();
        // Plain data: cannot fail.
        let text = serde_json::to_vec(&allowed).unwrap_or_default();
        Self(Arc::new(Held {
            conditional: list.iter().any(Grant::is_conditional),
            key: Sha256::digest(text).into(),
            list,
        }))
    }
}

impl PartialEq for Grants {
    fn eq(&self, other: &Self) -> bool {
        self.0.list == other.0.list
    }
}

impl Eq for Grants {}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(key: &str) -> OwnerScope {
        OwnerScope::Owner(OwnerKey::new(key).unwrap())
    }

    #[test]
    fn roles_are_told_from_their_actions_and_ceiling() {
        for role in Role::ALL {
            assert_eq!(Role::of(&role.actions(), role.ceiling()), Some(role));
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        assert_eq!(Role::of(&BTreeSet::new(), PrivacyClass::Public), None);
    }

    #[test]
    fn a_grant_counts_in_its_period_and_for_its_purpose() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let grant = Grant {
            purpose: Some("school-attendance".to_owned()),
            valid_from: Some(day("2026-01-01")),
            valid_to: Some(day("2026-07-01")),
            ..Grant::of(owner("a"), Role::Reader)
        };
        let counts = |today: &str, purpose| grant.counts(day(today), purpose);
        assert!(counts("2026-01-01", Some("school-attendance")));
        assert!(!counts("2025-12-31", Some("school-attendance")));
        assert!(!counts("2026-07-01", Some("school-attendance")));
        assert!(!counts("2026-01-01", None) && !counts("2026-01-01", Some("else")));
        let grants = Grants::from(vec![grant.clone(), Grant::of(owner("b"), Role::Reader)]);
        let counting = grants.counting(day("2026-02-01"), None);
        assert_eq!(counting.list(), [Grant::of(owner("b"), Role::Reader)]);
        assert_ne!(counting, grants);
        assert_eq!(
            grants
                .counting(day("2026-02-01"), Some("school-attendance"))
                .list()
                .len(),
            2
        );
    }

    #[test]
    fn nobody_hands_on_more_than_is_held() {
        let all = Grant::of(OwnerScope::All, Role::Administrator);
        let of_a = Grant::of(owner("a"), Role::Administrator);
        let school = Grant {
            controller: ControllerScope::Own,
            ..Grant::of(owner("a"), Role::Steward)
        };
        assert!(all.includes(&of_a) && of_a.includes(&school) && school.includes(&school));
        assert!(!of_a.includes(&all) && !school.includes(&of_a));
        assert!(!of_a.includes(&Grant::of(owner("b"), Role::Reader)));
        let persons = Grant {
            domains: BTreeSet::from([Domain::Person]),
            ..of_a.clone()
        };
        assert!(of_a.includes(&persons) && !persons.includes(&of_a));
    }

    #[test]
    fn what_is_held_on_conditions_is_handed_on_with_them() {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let plain = Grant::of(owner("a"), Role::Administrator);
        let with = |purpose: Option<&str>, from: Option<&str>, to: Option<&str>| Grant {
            purpose: purpose.map(str::to_owned),
            valid_from: from.and_then(day),
            valid_to: to.and_then(day),
            ..plain.clone()
        };
        let month = with(None, Some("2026-01-01"), Some("2026-02-01"));
        let week = with(Some("x"), Some("2026-01-05"), Some("2026-01-12"));
        assert!(plain.includes(&month) && month.includes(&month) && month.includes(&week));
        for wider in [
            plain.clone(),
            with(None, Some("2026-01-01"), None),
            with(None, None, Some("2026-02-01")),
            with(None, Some("2025-12-31"), Some("2026-02-01")),
            with(None, Some("2026-01-01"), Some("2026-02-02")),
        ] {
            assert!(!month.includes(&wider) && month.covers(&wider), "{wider:?}");
        }
        let for_x = with(Some("x"), None, None);
        assert!(!for_x.includes(&plain) && !for_x.includes(&with(Some("y"), None, None)));
        // What they allow while they count is the same, and found under the same key.
        let counting = Grants::from(vec![month.clone()]).counting(day("2026-01-02").unwrap(), None);
        assert_eq!(counting.list(), [month]);
        assert_eq!(counting.key(), Grants::from(vec![plain]).key());
    }
}
