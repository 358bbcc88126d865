//! The one predicate that says what a reader may see. Every read that shows anything contains it: as SQL where rows are
//! chosen by the database, as [`Visibility::sight`] where one row is at hand. Both forms stand in this file.
//!
//! A record is seen by a rule that covers its owner, its controller and its domain, and whose classes include the one
//! that the domain gives to properties that say nothing of their own. What of it is seen is another matter: properties of
//! other classes are taken out of the body by whoever shows it, and rows that were derived from them (links, identifiers,
//! index entries) do not count.
//!
//! Of a record under protection a rule says by level in which [`Form`] it is shown.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use grunddata_model::{Domain, OwnerKey, RecordId};
use sha2::{Digest as _, Sha256};

use crate::owner::OwnerSet;
use crate::sql::Sql;

/// What a reader may see: the union of its rules. No rules, nothing visible.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visibility {
    /// Any rule that allows is enough.
    pub rules: Vec<VisibilityRule>,
}

/// What one rule shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibilityRule {
    /// Whose records.
    pub owners: OwnerSet,
    /// Of which controllers.
    pub controllers: ControllerSet,
    /// Of which domains.
    pub domains: DomainSet,
    /// The allowed classes, a bit mask: public 1, internal 2, personal 4, protected 8.
    pub classes: u8,
    /// In which form records under protection are shown.
    pub forms: Forms,
}

/// Some controllers or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ControllerSet {
    /// Every controller, and the owner itself.
    All,
    /// Exactly these.
    Some {
        /// Whether records without a controller of their own, for which the owner itself is responsible, are among them.
        own: bool,
        /// The organisations.
        ids: BTreeSet<RecordId>,
    },
}

impl ControllerSet {
    fn contains(&self, controller: Option<RecordId>) -> bool {
        match (self, controller) {
            (Self::All, _) => true,
            (Self::Some { own, .. }, None) => *own,
            (Self::Some { ids, .. }, Some(id)) => ids.contains(&id),
        }
    }
}

/// Some of the five domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DomainSet(u8);

impl DomainSet {
    /// All five.
    pub const ALL: Self = Self(u8::MAX);
    /// None.
    pub const NONE: Self = Self(0);

    /// With another domain.
    #[must_use]
    pub fn with(self, domain: Domain) -> Self {
        Self(self.0 | Self::bit(domain.code()))
    }

    /// Whether the domain is among them.
    #[must_use]
    pub fn contains(self, domain: Domain) -> bool {
        self.0 & Self::bit(domain.code()) != 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn bit(code: i16) -> u8 {
        u32::try_from(code)
            .ok()
            .and_then(|code| 1_u8.checked_shl(code))
            .unwrap_or_default()
    }
}

impl FromIterator<Domain> for DomainSet {
    fn from_iter<I: IntoIterator<Item = Domain>>(domains: I) -> Self {
        domains.into_iter().fold(Self::NONE, Self::with)
    }
}

/// How much of a record under protection is shown. The order is that of how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Nothing: it is answered like an id that does not exist.
    Hidden,
    /// That there is a record. It matches no condition and is reached by no link.
    Placeholder,
    /// A person's name; of another record what is public or internal. It matches no condition.
    NameOnly,
    /// Everything that the reader's classes allow.
    Full,
}

/// How many levels of protection there are, `none` included.
pub const LEVELS: usize = 4;

/// The form by level of protection, and behind them that of all higher ones: of a record whose processing is restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Forms([Form; LEVELS + 1]);

impl Forms {
    /// Protection makes no difference, nor does a restriction.
    pub const FULL: Self = Self([Form::Full; LEVELS + 1]);
    /// Nothing of what is under protection.
    pub const HIDDEN: Self = Self([
        Form::Full,
        Form::Hidden,
        Form::Hidden,
        Form::Hidden,
        Form::Hidden,
    ]);

    /// The forms of the levels 1 and up. Whatever they are, what is restricted is hidden: no policy speaks of it.
    #[must_use]
    pub fn of(levels: [Form; LEVELS - 1]) -> Self {
        let [first, second, third] = levels;
        Self([Form::Full, first, second, third, Form::Hidden])
    }

    /// The same with another form for a level; level 0 is no protection, and always full.
    #[must_use]
    pub fn with(mut self, level: usize, form: Form) -> Self {
        if (1..LEVELS).contains(&level)
            && let Some(of_level) = self.0.get_mut(level)
        {
            *of_level = form;
        }
        self
    }

    /// The form of a level.
    #[must_use]
    pub fn at(&self, level: u8) -> Form {
        let place = usize::from(level).min(LEVELS);
        self.0.get(place).copied().unwrap_or(Form::Hidden)
    }
}

/// What a read does with the rows that it finds, and so in which form they must be seen at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// They are shown as they are named: a placeholder is.
    Show,
    /// They are reached by a link.
    Follow,
    /// They are chosen or ordered by what they hold: that would tell it.
    Match,
}

impl Reach {
    const fn least(self) -> Form {
        match self {
            Self::Show => Form::Placeholder,
            Self::Follow => Form::NameOnly,
            Self::Match => Form::Full,
        }
    }
}

/// All four classes.
pub const ALL_CLASSES: u8 = 15;

/// Whose a record is, and how it is protected: all that the predicate asks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// The owner.
    pub owner: &'a str,
    /// The controller.
    pub controller: Option<RecordId>,
    /// The domain.
    pub domain: Domain,
    /// The level of protection that counts: the highest of the state's and of what the record has now.
    pub level: u8,
}

/// What a reader sees of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// In which form.
    pub form: Form,
    /// The classes of properties, a bit mask.
    pub classes: u8,
}

impl Visibility {
    /// Everything: for verification, loads and administration inside the process.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            rules: vec![VisibilityRule {
                owners: OwnerSet::All,
                controllers: ControllerSet::All,
                domains: DomainSet::ALL,
                classes: ALL_CLASSES,
                forms: Forms::FULL,
            }],
        }
    }

    /// Whether a record is shown less than whole, or not at all.
    pub(crate) fn hides(&self, seen: &Seen<'_>) -> bool {
        self.sight(seen).is_none_or(|sight| sight.form < Form::Full)
    }

    /// What is seen of a record: the best form that some rule gives, and the classes of all rules that give it. `None` =
    /// not even that it is there.
    #[must_use]
    pub fn sight(&self, seen: &Seen<'_>) -> Option<Sight> {
        let mut best: Option<Sight> = None;
        for rule in &self.rules {
            let covers = rule.sees_owner(seen.owner)
                && rule.controllers.contains(seen.controller)
                && rule.domains.contains(seen.domain);
            let form = rule.forms.at(seen.level);
            if !covers || form == Form::Hidden {
                continue;
            }
            let classes = rule.classes;
            best = Some(match best {
                Some(sight) if sight.form > form => sight,
                Some(sight) if sight.form == form => Sight {
                    form,
                    classes: sight.classes | classes,
                },
                _ => Sight { form, classes },
            });
        }
        best
    }

    /// The rules alone that show all of these classes.
    #[must_use]
    pub fn showing(&self, classes: u8) -> Self {
        let shows = |rule: &&VisibilityRule| classes & !rule.classes == 0;
        Self {
            rules: self.rules.iter().filter(shows).cloned().collect(),
        }
    }

    /// Whether some rules show other classes than others do.
    pub(crate) fn shows_various_classes(&self) -> bool {
        self.rules
            .windows(2)
            .any(|pair| matches!(pair, [one, other] if one.classes != other.classes))
    }

    /// Whether some rule shows something of the owner.
    #[must_use]
    pub fn sees_of(&self, owner: &OwnerKey) -> bool {
        self.rules.iter().any(|rule| rule.owners.contains(owner))
    }

    /// Whether some rule shows every class of all controllers and domains of the owner, protected persons included: who
    /// may be told what holes there are.
    #[must_use]
    pub fn sees_all_of(&self, owner: &OwnerKey) -> bool {
        self.rules.iter().any(|rule| {
            rule.owners.contains(owner)
                && rule.controllers == ControllerSet::All
                && Domain::ALL
                    .iter()
                    .all(|domain| rule.domains.contains(*domain))
                && rule.classes & ALL_CLASSES == ALL_CLASSES
                && rule.forms == Forms::FULL
        })
    }

    /// What tells the rules that concern an owner from others: as long as it stays the same, so does what is shown, as far
    /// as grants and the owner's decisions go. In whatever order the rules came.
    #[must_use]
    pub fn fingerprint(&self, owner: &OwnerKey) -> [u8; 16] {
        let rules = self.rules.iter().filter(|rule| rule.owners.contains(owner));
        let mut written: Vec<Vec<u8>> = rules.map(VisibilityRule::written).collect();
        written.sort_unstable();
        written.dedup();
        let mut hash = Sha256::new();
        for rule in written {
            hash.update((rule.len() as u64).to_be_bytes());
            hash.update(rule);
        }
        let mut first = [0; 16];
        first
            .iter_mut()
            .zip(hash.finalize())
            .for_each(|(to, from)| *to = from);
        first
    }

    /// The predicate as SQL over the aliases of a `state` and a `record`.
    pub(crate) fn push<'a, T>(
        &'a self,
        sql: &mut Sql<'a, T>,
        state: &str,
        record: &str,
        today: NaiveDate,
        reach: Reach,
    ) {
        self.push_by(sql, state, record, &[], today, reach);
    }

    /// The same where the record was found by derived rows, of which the reader must be allowed to know as well.
    pub(crate) fn push_by<'a, T>(
        &'a self,
        sql: &mut Sql<'a, T>,
        state: &str,
        record: &str,
        derived: &[&str],
        today: NaiveDate,
        reach: Reach,
    ) {
        if self.rules.is_empty() {
            sql.push("1 = 0");
            return;
        }
        sql.push("(");
        for (index, rule) in self.rules.iter().enumerate() {
            sql.push(if index > 0 { " OR (1 = 1" } else { "(1 = 1" });
            rule.push_whose(sql, record);
            rule.push_classes(sql, derived);
            rule.push_forms(sql, Some(state), record, today, reach);
            sql.push(")");
        }
        sql.push(")");
    }

    /// The predicate of a record of which no state is at hand, as SQL over the alias of a `record`.
    pub(crate) fn push_record<'a, T>(
        &'a self,
        sql: &mut Sql<'a, T>,
        record: &str,
        today: NaiveDate,
        reach: Reach,
    ) {
        if self.rules.is_empty() {
            sql.push("1 = 0");
            return;
        }
        sql.push("(");
        for (index, rule) in self.rules.iter().enumerate() {
            sql.push(if index > 0 { " OR (1 = 1" } else { "(1 = 1" });
            rule.push_whose(sql, record);
            rule.push_forms(sql, None, record, today, reach);
            sql.push(")");
        }
        sql.push(")");
    }
}

impl VisibilityRule {
    /// All but whose records it shows.
    fn written(&self) -> Vec<u8> {
        let mut out = vec![self.domains.0, self.classes];
        out.extend(self.forms.0.map(|form| form as u8));
        if let ControllerSet::Some { own, ids } = &self.controllers {
            out.push(1 + u8::from(*own));
            for id in ids {
                out.extend_from_slice(id.uuid().as_bytes());
            }
        }
        out
    }

    fn sees_owner(&self, owner: &str) -> bool {
        match &self.owners {
            OwnerSet::All => true,
            OwnerSet::Some(owners) => owners.contains(owner),
        }
    }

    /// Owner, controller and domain.
    fn push_whose<'a, T>(&'a self, sql: &mut Sql<'a, T>, record: &str) {
        if let OwnerSet::Some(owners) = &self.owners {
            sql.push(" AND ").push(record).push(".owner IN ");
            sql.texts(owners.iter().map(OwnerKey::as_str));
        }
        if let ControllerSet::Some { own, ids } = &self.controllers {
            sql.push(" AND (").push(record).push(".controller IN ");
            sql.ids(ids.iter().copied());
            if *own {
                sql.push(" OR ").push(record).push(".controller IS NULL");
            }
            sql.push(")");
        }
        let hidden: Vec<String> = Domain::ALL
            .iter()
            .filter(|domain| !self.domains.contains(**domain))
            .map(|domain| domain.code().to_string())
            .collect();
        if !hidden.is_empty() {
            sql.push(" AND ")
                .push(record)
                .push(".domain NOT IN (")
                .push(&hidden.join(", "))
                .push(")");
        }
    }

    fn push_classes<T>(&self, sql: &mut Sql<'_, T>, derived: &[&str]) {
        for alias in derived {
            push_class(sql, alias, self.classes);
        }
    }

    fn push_forms<T>(
        &self,
        sql: &mut Sql<'_, T>,
        state: Option<&str>,
        record: &str,
        today: NaiveDate,
        reach: Reach,
    ) {
        if self.forms == Forms::FULL {
            return;
        }
        let shown: Vec<String> = (1..LEVELS)
            .filter_map(|level| u8::try_from(level).ok())
            .filter(|level| self.forms.at(*level) >= reach.least())
            .map(|level| level.to_string())
            .collect();
        // Most often nothing under protection is seen, and that is asked most cheaply.
        if shown.is_empty() {
            if let Some(state) = state {
                sql.push(" AND ").push(state).push(".protection = 0");
            }
            sql.push(" AND ")
                .push(record)
                .push(".protected_until <= ")
                .day(today);
            return;
        }
        sql.push(" AND CASE WHEN ")
            .push(record)
            .push(".protected_until > ")
            .day(today);
        if let Some(state) = state {
            sql.push(" AND ")
                .push(record)
                .push(".protection > ")
                .push(state)
                .push(".protection");
        }
        sql.push(" THEN ").push(record).push(".protection ELSE ");
        match state {
            Some(state) => sql.push(state).push(".protection"),
            None => sql.push("0"),
        };
        sql.push(" END IN (0, ").push(&shown.join(", ")).push(")");
    }
}

/// Only derived rows of these classes.
pub(crate) fn push_class<T>(sql: &mut Sql<'_, T>, alias: &str, classes: u8) {
    let refused = i16::from(!classes & ALL_CLASSES);
    if refused != 0 {
        sql.push(" AND (").push(alias).push(".class & ");
        sql.small(refused).push(") = 0");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(owner: &str, classes: u8, forms: Forms) -> VisibilityRule {
        VisibilityRule {
            owners: OwnerSet::one(OwnerKey::new(owner).unwrap()),
            controllers: ControllerSet::All,
            domains: DomainSet::ALL,
            classes,
            forms,
        }
    }

    fn seen(owner: &str, level: u8) -> Seen<'_> {
        Seen {
            owner,
            controller: None,
            domain: Domain::Person,
            level,
        }
    }

    #[test]
    fn rules_add_up_and_the_best_form_counts() {
        let names = Forms::of([Form::NameOnly, Form::Placeholder, Form::Hidden]);
        let visibility = Visibility {
            rules: vec![
                rule("a", 1, Forms::HIDDEN),
                rule("a", 2, names),
                rule("b", 15, Forms::FULL),
            ],
        };
        let sight = |owner, level| {
            visibility
                .sight(&seen(owner, level))
                .map(|sight| (sight.form, sight.classes))
        };
        assert_eq!(sight("a", 0), Some((Form::Full, 3)));
        assert_eq!(sight("a", 1), Some((Form::NameOnly, 2)));
        assert_eq!(sight("a", 2), Some((Form::Placeholder, 2)));
        assert_eq!(sight("a", 3), None);
        assert_eq!(sight("a", 200), None);
        assert_eq!(sight("b", 200), Some((Form::Full, 15)));
        assert_eq!(sight("c", 0), None);
    }

    #[test]
    fn the_fingerprint_is_of_what_is_shown_of_the_owner() {
        let of = |rules: Vec<VisibilityRule>| {
            Visibility { rules }.fingerprint(&OwnerKey::new("a").unwrap())
        };
        let (one, other) = (rule("a", 7, Forms::HIDDEN), rule("a", 3, Forms::FULL));
        let both = of(vec![one.clone(), other.clone()]);
        assert_eq!(both, of(vec![other.clone(), one.clone(), one.clone()]));
        assert_eq!(
            both,
            of(vec![one.clone(), rule("b", 15, Forms::FULL), other])
        );
        assert_ne!(both, of(vec![one.clone()]));
        for controllers in
            [(true, 0), (false, 1), (true, 1)].map(|(own, ids)| ControllerSet::Some {
                own,
                ids: (0..ids)
                    .map(|id| RecordId::from(uuid::Uuid::from_u128(id)))
                    .collect(),
            })
        {
            let mut narrow = one.clone();
            narrow.controllers = controllers;
            assert_ne!(of(vec![narrow]), of(vec![one.clone()]));
        }
    }

    #[test]
    fn no_policy_shows_what_is_restricted() {
        let every = Forms::of([Form::Full; LEVELS - 1]);
        let every = (0..9).fold(every, |forms, level| forms.with(level, Form::Full));
        assert_eq!(every.at(3), Form::Full);
        assert_eq!(every.at(4), Form::Hidden);
        assert_ne!(every, Forms::FULL);
        assert_eq!(Forms::FULL.at(4), Form::Full);
    }

    #[test]
    fn controllers_and_domains_limit_a_rule() {
        let school = RecordId::from(uuid::Uuid::from_u128(1));
        let care = RecordId::from(uuid::Uuid::from_u128(2));
        let mut only = rule("a", 7, Forms::HIDDEN);
        only.controllers = ControllerSet::Some {
            own: false,
            ids: BTreeSet::from([school]),
        };
        only.domains = DomainSet::from_iter([Domain::Role]);
        let visibility = Visibility { rules: vec![only] };
        let sees = |controller, domain| {
            let seen = Seen {
                owner: "a",
                controller,
                domain,
                level: 0,
            };
            visibility.sight(&seen).is_some()
        };
        assert!(sees(Some(school), Domain::Role));
        assert!(!sees(Some(care), Domain::Role));
        assert!(!sees(None, Domain::Role));
        assert!(!sees(Some(school), Domain::Person));
    }
}
