//! Retention rules: put, listed, ended.

use chrono::NaiveDate;
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};
use grunddata_store::RetentionRuleRow;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{Decision, REFERENCE, Reach, must_be_administrator, no_administrator};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Code, Context, Refusal, Registry, fact};

/// The longest time after which something is erased, in years.
const MOST_YEARS: u32 = 500;
/// The longest code of a kind, in characters.
const KIND: usize = 100;

/// What becomes of records that have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Keeping {
    /// They are kept, here until they have been handed over to an archive.
    Preserve {
        /// The archive that they are to be delivered to.
        archive: Option<String>,
    },
    /// They are erased so many years after their end.
    Erase {
        /// The years.
        years: u32,
    },
}

/// A rule to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRetentionRule {
    /// Whose records.
    pub owner: OwnerKey,
    /// Of which controller; `None` = of any.
    pub controller: Option<RecordId>,
    /// Of which domain; `None` = of any.
    pub domain: Option<Domain>,
    /// Of which kind; `None` = of any.
    pub kind: Option<String>,
    /// What becomes of them.
    pub keeping: Keeping,
    /// The decision that it rests on.
    pub decision: Decision,
    /// The first day; `None` = today.
    pub valid_from: Option<NaiveDate>,
    /// The first day on which it does not hold any more; `None` = until further notice.
    pub valid_to: Option<NaiveDate>,
}

/// For how long some records of an owner are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionRule {
    /// The id.
    pub id: Uuid,
    /// Whose records.
    pub owner: OwnerKey,
    /// Of which controller; `None` = of any.
    pub controller: Option<RecordId>,
    /// Of which domain; `None` = of any.
    pub domain: Option<Domain>,
    /// Of which kind; `None` = of any.
    pub kind: Option<String>,
    /// What becomes of them.
    pub keeping: Keeping,
    /// The decision that it rests on.
    pub decision: Decision,
    /// When it holds.
    #[serde(flatten)]
    pub period: Period,
    /// When it was put.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
}

impl RetentionRule {
    /// Whether it speaks of such records.
    #[must_use]
    pub fn covers(&self, controller: Option<RecordId>, domain: Domain, kind: Option<&str>) -> bool {
        self.controller.is_none_or(|own| controller == Some(own))
            && self.domain.is_none_or(|own| own == domain)
            && self.kind.as_deref().is_none_or(|own| kind == Some(own))
    }

    /// Of several rules the one that says most counts; of two that say as much, the one that keeps longer.
    pub(super) fn weight(&self) -> (bool, bool, bool, u32) {
        let years = match self.keeping {
            Keeping::Preserve { .. } => u32::MAX,
            Keeping::Erase { years } => years,
        };
        (
            self.kind.is_some(),
            self.controller.is_some(),
            self.domain.is_some(),
            years,
        )
    }
}

impl From<RetentionRuleRow> for RetentionRule {
    fn from(row: RetentionRuleRow) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            controller: row.controller,
            domain: row.domain,
            kind: row.kind,
            keeping: match row.years {
                Some(years) => Keeping::Erase { years },
                None => Keeping::Preserve {
                    archive: row.archive,
                },
            },
            decision: Decision {
                text: row.decision,
                reference: row.reference,
            },
            period: row.period,
            created_at: row.created_at,
            created_by: row.created_by,
        }
    }
}

impl Registry {
    /// Puts a retention rule.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who administers neither the owner nor the controller that the rule is for;
    /// [`Code::InvalidText`], [`Code::InvalidPeriod`],
    /// [`Code::InvalidParameter`], [`Code::UnknownOwner`].
    pub fn put_retention_rule(
        &self,
        context: &Context,
        new: NewRetentionRule,
    ) -> Result<RetentionRule, Refusal> {
        let told = json!({"controller": new.controller, "domain": new.domain, "kind": new.kind, "keeping": new.keeping, "decision": new.decision});
        context.disclosed.acted([new.owner.clone()], told);
        self.must_decide_for(context, &new.owner, new.controller)?;
        self.must_know_owner(&new.owner)?;
        new.decision.check()?;
        if let Some(kind) = &new.kind {
            check_text("kind", kind, KIND)?;
        }
        let (years, archive) = match new.keeping {
            Keeping::Preserve { archive } => (None, archive),
            Keeping::Erase { years } => (Some(years), None),
        };
        if let Some(archive) = &archive {
            check_text("archive", archive, REFERENCE)?;
        }
        if years.is_some_and(|years| years > MOST_YEARS) {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!(
                    "years is a number from 0 to {MOST_YEARS}: preserve what is to be kept longer."
                ),
            )
            .fact(fact::PARAMETER, "years"));
        }
        let period = Period::new(
            new.valid_from.unwrap_or(context.today),
            new.valid_to.unwrap_or(Period::OPEN),
        )
        .map_err(|error| Refusal::new(Code::InvalidPeriod, format!("{error}.")))?;
        let row = RetentionRuleRow {
            owner: new.owner,
            id: Uuid::now_v7(),
            controller: new.controller,
            domain: new.domain,
            kind: new.kind,
            years,
            decision: new.decision.text,
            reference: new.decision.reference,
            archive,
            period,
            created_at: context.now,
            created_by: context.actor.name.clone(),
        };
        self.inner
            .store
            .put_retention_rule(&row)
            .map_err(refuse_store)?;
        context.disclosed.acted([], json!({"rule": row.id}));
        Ok(row.into())
    }

    /// The retention rules of an owner, those that have ended included. Stewards of some controllers are told of those that
    /// are for these.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who is no steward of the owner or of a controller.
    pub fn retention_rules(
        &self,
        context: &Context,
        owner: &OwnerKey,
    ) -> Result<Vec<RetentionRule>, Refusal> {
        let reach = self.stewardship(context, owner)?;
        let mut rows = self
            .inner
            .store
            .read(|reader| reader.retention_rules(owner))
            .map_err(refuse_store)?;
        if let Reach::Some(_) = reach {
            rows.retain(|row| row.controller.is_some() && reach.covers(owner, row.controller));
        }
        Ok(rows.into_iter().map(RetentionRule::from).collect())
    }

    /// Ends a rule from a day on (today when nothing is said). A rule is never changed: put another in its place.
    ///
    /// # Errors
    /// [`Code::Forbidden`]; [`Code::NotFound`] when the owner has no such rule that would hold longer than that.
    pub fn end_retention_rule(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        from: Option<NaiveDate>,
    ) -> Result<(), Refusal> {
        context
            .disclosed
            .acted([owner.clone()], json!({"rule": id, "from": from}));
        let reach = self.administration(context, owner)?;
        let from = from.unwrap_or(context.today);
        let unknown = || {
            Refusal::new(
                Code::NotFound,
                format!(
                    "{owner} has no retention rule {id} that began before {from} and would hold longer."
                ),
            )
        };
        if let Reach::Some(_) = reach {
            let rules = self
                .inner
                .store
                .read(|reader| reader.retention_rules(owner))
                .map_err(refuse_store)?;
            let is_theirs = rules.iter().any(|rule| {
                rule.id == id && rule.controller.is_some() && reach.covers(owner, rule.controller)
            });
            if !is_theirs {
                return Err(unknown());
            }
        }
        let ended = self
            .inner
            .store
            .end_retention_rule(owner, id, from)
            .map_err(refuse_store)?;
        if ended { Ok(()) } else { Err(unknown()) }
    }

    /// That the actor decides for how long what a controller is responsible for is kept; `None` = the whole owner.
    fn must_decide_for(
        &self,
        context: &Context,
        owner: &OwnerKey,
        controller: Option<RecordId>,
    ) -> Result<(), Refusal> {
        if controller.is_none() {
            return must_be_administrator(context, owner);
        }
        let reach = self.administration(context, owner)?;
        if reach.covers(owner, controller) {
            return Ok(());
        }
        Err(no_administrator(owner))
    }

    /// That there is such an owner.
    pub(super) fn must_know_owner(&self, owner: &OwnerKey) -> Result<(), Refusal> {
        let known = self
            .inner
            .store
            .read(|reader| reader.owner(owner))
            .map_err(refuse_store)?;
        match known {
            Some(_) => Ok(()),
            None => Err(refuse_store(grunddata_store::StoreError::UnknownOwner(
                owner.clone(),
            ))),
        }
    }
}
