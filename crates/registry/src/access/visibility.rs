//! From grants to the one predicate of every read, and to the ones of writing.
//!
//! Everyone reads what owners have declared open, of what the model classes as public. A grant shows the records of its
//! owners, controllers and domains up to its class; persons under protection are shown whole by grants that reach the
//! class `protected`, and by others in the form that the owner's policy gives to how near the grant is.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use grunddata_information_model::{InformationModel, PrivacyClass};
use grunddata_model::{Domain, Instant, OwnerKey, RecordId};
use grunddata_store::{
    ControllerSet, Coordinate, DomainSet, Forms, Known, OwnerSet, Store, StoreError, Visibility,
    VisibilityRule,
};

use super::policy::{ProtectionPolicy, Relation};
use super::{Action, ControllerScope, Grant, OwnerScope, stockholm_day};

/// How long a kept predicate holds, in microseconds: another process may have opened or closed an owner, or moved an
/// organisation below another.
const KEPT: i64 = 30_000_000;
/// The most predicates that are kept.
const MOST_KEPT: usize = 10_000;
/// The most organisations of a subtree that a grant covers.
pub(crate) const SUBTREE: usize = 10_000;
/// The relation that makes the subtrees of grants.
pub(crate) const SUBTREE_RELATION: &str = "parent";

/// What follows from a set of grants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rights {
    /// What is read.
    pub(crate) reads: Visibility,
    /// What is written.
    pub(crate) writes: Visibility,
    /// What is ended and retracted.
    pub(crate) ends: Visibility,
    /// What loads write and end.
    pub(crate) loads: Visibility,
}

impl Rights {
    /// The rights by which a load writes.
    pub(crate) fn loading(&self) -> Self {
        Self {
            reads: self.reads.clone(),
            writes: self.loads.clone(),
            ends: self.loads.clone(),
            loads: self.loads.clone(),
        }
    }
}

/// Predicates by grants, so that a read does not build its own.
#[derive(Default)]
pub(crate) struct Visibilities {
    kept: RwLock<Kept>,
}

#[derive(Default)]
struct Kept {
    /// How often everything was forgotten: what was read before that is not kept after it.
    forgotten: u64,
    since: Option<Instant>,
    owners: Arc<Vec<OwnerFacts>>,
    by_grants: HashMap<[u8; 32], Arc<Rights>>,
}

/// What an owner has decided.
#[derive(Debug, Clone)]
struct OwnerFacts {
    key: OwnerKey,
    open: bool,
    policy: ProtectionPolicy,
}

impl Visibilities {
    /// What the actor may see and write.
    pub(crate) fn of(
        &self,
        store: &Store,
        model: &InformationModel,
        grants: &super::Grants,
        now: Instant,
    ) -> Result<Arc<Rights>, StoreError> {
        let (fresh_owners, forgotten) = {
            let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
            if kept.is_fresh(now) {
                if let Some(found) = kept.by_grants.get(&grants.key()) {
                    return Ok(Arc::clone(found));
                }
                (Some(Arc::clone(&kept.owners)), kept.forgotten)
            } else {
                (None, kept.forgotten)
            }
        };
        let (owners, renewed) = match fresh_owners {
            Some(owners) => (owners, false),
            None => {
                let owners = store.owners()?.into_iter().map(|row| OwnerFacts {
                    policy: ProtectionPolicy::stored(model, &row.protection_policy),
                    key: row.key,
                    open: row.open_data,
                });
                (Arc::new(owners.collect::<Vec<_>>()), true)
            }
        };
        let grants_with_controllers = controllers(store, grants.list(), now)?;
        let rights = Arc::new(rights(model, &grants_with_controllers, &owners));
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.forgotten == forgotten {
            if renewed || kept.by_grants.len() >= MOST_KEPT {
                kept.by_grants.clear();
                kept.owners = owners;
                kept.since = Some(now);
            }
            kept.by_grants.insert(grants.key(), Arc::clone(&rights));
        }
        Ok(rights)
    }

    /// Forgets everything: an owner was added or changed.
    pub(crate) fn forget(&self) {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        *kept = Kept {
            forgotten: kept.forgotten + 1,
            ..Kept::default()
        };
    }
}

impl Kept {
    fn is_fresh(&self, now: Instant) -> bool {
        self.since
            .is_some_and(|since| now >= since && now.micros().saturating_sub(since.micros()) < KEPT)
    }
}

/// The grants with the controllers that they cover today.
fn controllers<'a>(
    store: &Store,
    grants: &'a [Grant],
    now: Instant,
) -> Result<Vec<(&'a Grant, ControllerSet)>, StoreError> {
    let mut found = Vec::with_capacity(grants.len());
    for grant in grants {
        let some = |own: bool, ids: BTreeSet<RecordId>| ControllerSet::Some { own, ids };
        let set = match &grant.controller {
            ControllerScope::All => ControllerSet::All,
            ControllerScope::Own => some(true, BTreeSet::new()),
            ControllerScope::Organisation(id) => some(false, BTreeSet::from([*id])),
            ControllerScope::Subtree(id) => some(false, subtree(store, *id, now)?),
        };
        found.push((grant, set));
    }
    Ok(found)
}

fn subtree(store: &Store, top: RecordId, now: Instant) -> Result<BTreeSet<RecordId>, StoreError> {
    let relations = [Arc::from(SUBTREE_RELATION)];
    let coordinate = Coordinate {
        valid_at: stockholm_day(now),
        known: Known::latest(),
    };
    let everything = Visibility::everything();
    let below = store.read(|reader| {
        reader.subtree(
            top,
            &relations,
            &coordinate,
            &everything,
            u32::MAX,
            SUBTREE,
            None,
        )
    })?;
    Ok(below.into_iter().map(|row| row.id).chain([top]).collect())
}

fn rights(
    model: &InformationModel,
    grants: &[(&Grant, ControllerSet)],
    owners: &[OwnerFacts],
) -> Rights {
    let of = |action: Action| {
        let mut rules = Vec::new();
        for (grant, controllers) in grants.iter().filter(|(grant, _)| grant.allows(action)) {
            rules.extend(rules_of(model, grant, controllers, owners));
        }
        rules
    };
    let mut reads = of(Action::Read);
    reads.extend(open_rules(model, owners));
    let visibility = |rules| Visibility {
        rules: joined(rules),
    };
    Rights {
        reads: visibility(reads),
        writes: visibility(of(Action::Write)),
        ends: visibility(of(Action::End)),
        loads: visibility(of(Action::Load)),
    }
}

/// The mask of all classes up to one.
fn up_to(ceiling: PrivacyClass) -> u8 {
    PrivacyClass::ALL
        .into_iter()
        .filter(|class| *class <= ceiling)
        .fold(0, |mask, class| mask | class.bit())
}

/// The domains whose records readers of these classes may know of.
fn open_domains(model: &InformationModel, classes: u8) -> DomainSet {
    Domain::ALL
        .into_iter()
        .filter(|domain| model.is_open_to(*domain, classes))
        .collect()
}

fn rules_of(
    model: &InformationModel,
    grant: &Grant,
    controllers: &ControllerSet,
    owners: &[OwnerFacts],
) -> Vec<VisibilityRule> {
    let classes = up_to(grant.ceiling);
    let granted = if grant.domains.is_empty() {
        DomainSet::ALL
    } else {
        grant.domains.iter().copied().collect()
    };
    let rule = |owners: OwnerSet, forms: Forms| VisibilityRule {
        owners,
        controllers: controllers.clone(),
        domains: open_domains(model, classes).and(granted),
        classes,
        forms,
    };
    let relation = if *controllers == ControllerSet::All {
        Relation::SameOwner
    } else {
        Relation::SameController
    };
    match &grant.scope {
        OwnerScope::All if grant.ceiling == PrivacyClass::Protected => {
            vec![rule(OwnerSet::All, Forms::FULL)]
        }
        OwnerScope::Owner(owner) if grant.ceiling == PrivacyClass::Protected => {
            vec![rule(OwnerSet::one(owner.clone()), Forms::FULL)]
        }
        // Owners that come later have decided nothing yet.
        OwnerScope::All => {
            let mut rules = vec![rule(OwnerSet::All, Forms::HIDDEN)];
            for owner in owners {
                let forms = owner.policy.forms(Relation::Outside);
                if forms != Forms::HIDDEN {
                    rules.push(rule(OwnerSet::one(owner.key.clone()), forms));
                }
            }
            rules
        }
        OwnerScope::Owner(key) => {
            let policy = owners
                .iter()
                .find(|owner| owner.key == *key)
                .map(|owner| owner.policy)
                .unwrap_or_default();
            vec![rule(OwnerSet::one(key.clone()), policy.forms(relation))]
        }
    }
}

/// What anybody reads.
fn open_rules(model: &InformationModel, owners: &[OwnerFacts]) -> Vec<VisibilityRule> {
    let classes = up_to(PrivacyClass::Public);
    owners
        .iter()
        .filter(|owner| owner.open)
        .map(|owner| VisibilityRule {
            owners: OwnerSet::one(owner.key.clone()),
            controllers: ControllerSet::All,
            domains: open_domains(model, classes),
            classes,
            forms: owner.policy.forms(Relation::Outside),
        })
        .collect()
}

/// The same with as few rules as there are kinds of them: what a read costs does not depend on how many grants there are.
fn joined(rules: Vec<VisibilityRule>) -> Vec<VisibilityRule> {
    let mut few: Vec<VisibilityRule> = Vec::new();
    for rule in rules {
        if rule.domains == DomainSet::NONE {
            continue;
        }
        let same_kind = few.iter_mut().find(|kept| {
            (kept.domains, kept.classes, kept.forms) == (rule.domains, rule.classes, rule.forms)
                && (kept.controllers == rule.controllers || kept.owners == rule.owners)
        });
        match same_kind {
            Some(kept) if kept.controllers == rule.controllers => {
                kept.owners = both_owners(&kept.owners, &rule.owners);
            }
            Some(kept) => kept.controllers = both_controllers(&kept.controllers, &rule.controllers),
            None => few.push(rule),
        }
    }
    let all = few.clone();
    let mut place = 0;
    few.retain(|rule| {
        let covered = all.iter().enumerate().any(|(other, by)| {
            other != place && covers(by, rule) && (!covers(rule, by) || other < place)
        });
        place += 1;
        !covered
    });
    few
}

fn both_owners(one: &OwnerSet, other: &OwnerSet) -> OwnerSet {
    match (one, other) {
        (OwnerSet::Some(one), OwnerSet::Some(other)) => OwnerSet::Some(one | other),
        _ => OwnerSet::All,
    }
}

fn both_controllers(one: &ControllerSet, other: &ControllerSet) -> ControllerSet {
    match (one, other) {
        (
            ControllerSet::Some { own, ids },
            ControllerSet::Some {
                own: other_own,
                ids: other_ids,
            },
        ) => ControllerSet::Some {
            own: *own || *other_own,
            ids: ids | other_ids,
        },
        _ => ControllerSet::All,
    }
}

/// Whether the first rule shows everything that the second does.
fn covers(by: &VisibilityRule, rule: &VisibilityRule) -> bool {
    let owners = both_owners(&by.owners, &rule.owners) == by.owners;
    let controllers = both_controllers(&by.controllers, &rule.controllers) == by.controllers;
    let domains = by.domains.and(rule.domains) == rule.domains;
    let forms = (0..=u8::MAX).all(|level| by.forms.at(level) >= rule.forms.at(level));
    owners && controllers && domains && rule.classes & !by.classes == 0 && forms
}

#[cfg(test)]
mod tests {
    use grunddata_store::{Form, Seen};

    use super::super::Role;
    use super::*;

    fn model() -> InformationModel {
        InformationModel::embedded().unwrap()
    }

    fn owner(key: &str) -> OwnerKey {
        OwnerKey::new(key).unwrap()
    }

    fn facts(key: &str, open: bool) -> OwnerFacts {
        OwnerFacts {
            key: owner(key),
            open,
            policy: ProtectionPolicy::default(),
        }
    }

    fn grant(key: Option<&str>, role: Role) -> Grant {
        let scope = key.map_or(OwnerScope::All, |key| OwnerScope::Owner(owner(key)));
        Grant::of(scope, role)
    }

    fn reads(grants: &[Grant], owners: &[OwnerFacts]) -> Visibility {
        let grants: Vec<_> = grants
            .iter()
            .map(|grant| {
                let controllers = match grant.controller {
                    ControllerScope::Organisation(id) => ControllerSet::Some {
                        own: false,
                        ids: BTreeSet::from([id]),
                    },
                    ControllerScope::Own => ControllerSet::Some {
                        own: true,
                        ids: BTreeSet::new(),
                    },
                    _ => ControllerSet::All,
                };
                (grant, controllers)
            })
            .collect();
        rights(&model(), &grants, owners).reads
    }

    fn person(owner: &str, controller: Option<RecordId>, level: u8) -> Seen<'_> {
        Seen {
            owner,
            controller,
            domain: Domain::Person,
            level,
        }
    }

    #[test]
    fn anybody_sees_the_public_classes_of_open_owners_alone() {
        let visibility = reads(&[], &[facts("a", true), facts("b", false)]);
        let organisation = |owner| Seen {
            owner,
            controller: None,
            domain: Domain::Organisation,
            level: 0,
        };
        let sight = visibility.sight(&organisation("a")).unwrap();
        assert_eq!(sight.classes, PrivacyClass::Public.bit());
        assert_eq!(visibility.sight(&organisation("b")), None);
        assert_eq!(visibility.sight(&person("a", None, 0)), None);
        assert_eq!(reads(&[], &[facts("b", false)]).rules, []);
    }

    #[test]
    fn protection_is_shown_by_how_near_the_grant_is() {
        let school = RecordId::from(uuid::Uuid::from_u128(1));
        let of_school = Grant {
            controller: ControllerScope::Organisation(school),
            ..grant(Some("a"), Role::Reader)
        };
        let owners = [facts("a", false)];
        let form = |grant: &Grant, level| {
            reads(std::slice::from_ref(grant), &owners)
                .sight(&person("a", Some(school), level))
                .map(|sight| sight.form)
        };
        assert_eq!(form(&of_school, 0), Some(Form::Full));
        assert_eq!(form(&of_school, 2), Some(Form::NameOnly));
        assert_eq!(
            form(&grant(Some("a"), Role::Reader), 2),
            Some(Form::Placeholder)
        );
        assert_eq!(form(&grant(None, Role::Reader), 2), None);
        assert_eq!(form(&grant(None, Role::Reader), 0), Some(Form::Full));
        assert_eq!(form(&grant(Some("a"), Role::Steward), 3), Some(Form::Full));
        assert_eq!(form(&grant(Some("b"), Role::Steward), 0), None);
    }

    #[test]
    fn many_grants_of_one_kind_are_one_rule() {
        let many: Vec<Grant> = (0..200)
            .map(|number| Grant {
                controller: ControllerScope::Organisation(RecordId::from(uuid::Uuid::from_u128(
                    number,
                ))),
                ..grant(Some("a"), Role::Reader)
            })
            .collect();
        assert_eq!(reads(&many, &[facts("a", false)]).rules.len(), 1);
        let owners: Vec<Grant> = (0..200)
            .map(|number| grant(Some(&format!("o{number}")), Role::Reader))
            .collect();
        assert_eq!(reads(&owners, &[]).rules.len(), 1);
    }

    #[test]
    fn an_administrator_of_all_sees_all() {
        let visibility = reads(
            &[
                grant(None, Role::Administrator),
                grant(Some("a"), Role::Reader),
            ],
            &[facts("a", true)],
        );
        assert_eq!(visibility.rules.len(), 1);
        assert!(visibility.sees_all_of(&owner("z")));
    }

    #[test]
    fn below_a_domain_s_own_class_its_records_are_not_there() {
        let visibility = reads(
            &[Grant {
                ceiling: PrivacyClass::Internal,
                ..grant(Some("a"), Role::Reader)
            }],
            &[],
        );
        assert_eq!(visibility.sight(&person("a", None, 0)), None);
        let role = Seen {
            domain: Domain::Role,
            ..person("a", None, 0)
        };
        assert_eq!(visibility.sight(&role).unwrap().classes, 3);
    }
}
