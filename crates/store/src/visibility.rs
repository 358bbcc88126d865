//! The one predicate that says what a reader may see. Every read that shows anything contains it: as SQL where rows are
//! chosen by the database, as [`Visibility::allows`] where one row is at hand. Both forms stand in this file.

use chrono::NaiveDate;
use grunddata_model::OwnerKey;

use crate::owner::OwnerSet;
use crate::sql::Sql;

/// What a reader may see: the union of its rules. No rules, nothing visible.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visibility {
    /// Any rule that allows is enough.
    pub rules: Vec<VisibilityRule>,
}

/// States of these owners whose privacy classes are all among the allowed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibilityRule {
    /// The owners.
    pub owners: OwnerSet,
    /// The allowed classes, a bit mask: public 1, internal 2, personal 4, protected 8.
    pub classes: u8,
    /// Whether records under protection are seen.
    pub protected: bool,
}

/// All four classes.
pub const ALL_CLASSES: u8 = 15;

impl Visibility {
    /// Everything: for verification, loads and administration inside the process.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            rules: vec![VisibilityRule {
                owners: OwnerSet::All,
                classes: ALL_CLASSES,
                protected: true,
            }],
        }
    }

    /// Whether a state is seen. `protected_until` belongs to the record: the first day on which no believed state with a
    /// protection level holds any more. `today` is the real day, never that of the coordinate.
    #[must_use]
    pub(crate) fn allows(
        &self,
        owner: &str,
        classes: i16,
        protection: i16,
        protected_until: NaiveDate,
        today: NaiveDate,
    ) -> bool {
        let protected = protection > 0 || protected_until > today;
        self.rules.iter().any(|rule| {
            rule.sees_owner(owner)
                && classes & !i16::from(rule.classes) == 0
                && (rule.protected || !protected)
        })
    }

    /// Whether the existence of a record of the owner may be told when no state of it is at hand.
    #[must_use]
    pub(crate) fn allows_record(
        &self,
        owner: &str,
        protected_until: NaiveDate,
        today: NaiveDate,
    ) -> bool {
        let protected = protected_until > today;
        self.rules
            .iter()
            .any(|rule| rule.sees_owner(owner) && (rule.protected || !protected))
    }

    /// The predicate as SQL over the aliases of a `state` and a `record`.
    pub(crate) fn push<'a, T>(
        &'a self,
        sql: &mut Sql<'a, T>,
        state: &str,
        record: &str,
        today: NaiveDate,
    ) {
        if self.rules.is_empty() {
            sql.push("1 = 0");
            return;
        }
        sql.push("(");
        for (index, rule) in self.rules.iter().enumerate() {
            if index > 0 {
                sql.push(" OR ");
            }
            sql.push("(1 = 1");
            if let OwnerSet::Some(owners) = &rule.owners {
                sql.push(" AND ").push(state).push(".owner IN ");
                sql.texts(owners.iter().map(OwnerKey::as_str));
            }
            if rule.classes & ALL_CLASSES != ALL_CLASSES {
                let refused = i16::from(!rule.classes & ALL_CLASSES);
                sql.push(" AND (")
                    .push(state)
                    .push(".classes & ")
                    .small(refused)
                    .push(") = 0");
            }
            if !rule.protected {
                sql.push(" AND ").push(state).push(".protection = 0 AND ");
                sql.push(record).push(".protected_until <= ").day(today);
            }
            sql.push(")");
        }
        sql.push(")");
    }
}

impl Visibility {
    /// [`allows_record`](Self::allows_record) as SQL over the alias of a `record`.
    pub(crate) fn push_record<'a, T>(
        &'a self,
        sql: &mut Sql<'a, T>,
        record: &str,
        today: NaiveDate,
    ) {
        if self.rules.is_empty() {
            sql.push("1 = 0");
            return;
        }
        sql.push("(");
        for (index, rule) in self.rules.iter().enumerate() {
            sql.push(if index > 0 { " OR (1 = 1" } else { "(1 = 1" });
            if let OwnerSet::Some(owners) = &rule.owners {
                sql.push(" AND ").push(record).push(".owner IN ");
                sql.texts(owners.iter().map(OwnerKey::as_str));
            }
            if !rule.protected {
                sql.push(" AND ")
                    .push(record)
                    .push(".protected_until <= ")
                    .day(today);
            }
            sql.push(")");
        }
        sql.push(")");
    }
}

impl VisibilityRule {
    fn sees_owner(&self, owner: &str) -> bool {
        match &self.owners {
            OwnerSet::All => true,
            OwnerSet::Some(owners) => owners.iter().any(|key| key.as_str() == owner),
        }
    }
}
