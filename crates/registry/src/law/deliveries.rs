//! Deliveries to an archive: what is preserved may leave the registry once it is there.

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey};
use grunddata_store::DeliveryRow;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::rules::{Keeping, RetentionRule};
use super::{REFERENCE, must_be_administrator, must_be_steward};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Code, Context, Refusal, Registry, fact};

/// A delivery to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Whose records.
    pub owner: OwnerKey,
    /// The rule by which they are preserved.
    pub rule: Uuid,
    /// The archive; `None` = the one that the rule names.
    pub archive: Option<String>,
    /// Where the archive's receipt is to be found.
    pub reference: String,
    /// The day of the delivery.
    pub delivered: NaiveDate,
}

/// What was handed over to an archive: all that the rule preserves, had ended, and was last changed before the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The id.
    pub id: Uuid,
    /// Whose records.
    pub owner: OwnerKey,
    /// The rule by which they are preserved.
    pub rule: Uuid,
    /// The archive.
    pub archive: String,
    /// Where the archive's receipt is to be found.
    pub reference: String,
    /// The day of the delivery.
    pub delivered: NaiveDate,
    /// When it was noted.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
}

impl From<DeliveryRow> for Delivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            rule: row.rule,
            archive: row.archive,
            reference: row.reference,
            delivered: row.delivered,
            created_at: row.created_at,
            created_by: row.created_by,
        }
    }
}

impl Registry {
    /// Notes that what a rule preserves was handed over to the archive. From then on a plan erases what had ended and was
    /// last changed before that day.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the owner; [`Code::NotFound`] for a rule that the owner does not
    /// have; [`Code::InvalidParameter`] for one that preserves nothing, a delivery without an archive, and a day that lies
    /// ahead; [`Code::InvalidText`].
    pub fn put_delivery(&self, context: &Context, new: NewDelivery) -> Result<Delivery, Refusal> {
        let told = json!({"rule": new.rule, "archive": new.archive, "reference": new.reference, "delivered": new.delivered});
        context.disclosed.acted([new.owner.clone()], told);
        must_be_administrator(context, &new.owner)?;
        let wrong = |parameter: &str, detail: &str| {
            Refusal::new(Code::InvalidParameter, detail).fact(fact::PARAMETER, parameter)
        };
        let rules: Vec<RetentionRule> = self.retention_rules(context, &new.owner)?;
        let rule = rules.into_iter().find(|rule| rule.id == new.rule);
        let named = match rule.map(|rule| rule.keeping) {
            None => {
                return Err(Refusal::new(
                    Code::NotFound,
                    format!(
                        "{} has no retention rule {}: the list of rules shows which there are.",
                        new.owner, new.rule
                    ),
                ));
            }
            Some(Keeping::Erase { .. }) => {
                return Err(wrong(
                    "rule",
                    "The rule preserves nothing: a delivery is about what a rule preserves.",
                ));
            }
            Some(Keeping::Preserve { archive }) => archive,
        };
        let archive = new.archive.or(named).ok_or_else(|| {
            wrong(
                "archive",
                "The rule names no archive: say which one received the delivery.",
            )
        })?;
        check_text("archive", &archive, REFERENCE)?;
        check_text("reference", &new.reference, REFERENCE)?;
        if new.delivered > context.today {
            return Err(wrong(
                "delivered",
                "delivered lies ahead: note a delivery when it has been made.",
            ));
        }
        let row = DeliveryRow {
            owner: new.owner,
            id: Uuid::now_v7(),
            rule: new.rule,
            archive,
            reference: new.reference,
            delivered: new.delivered,
            created_at: context.now,
            created_by: context.actor.name.clone(),
        };
        self.inner.store.put_delivery(&row).map_err(refuse_store)?;
        context.disclosed.acted([], json!({"delivery": row.id}));
        Ok(row.into())
    }

    /// The deliveries of an owner's records to archives, in the order in which they were noted.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who is no steward of the owner.
    pub fn deliveries(
        &self,
        context: &Context,
        owner: &OwnerKey,
    ) -> Result<Vec<Delivery>, Refusal> {
        must_be_steward(context, owner)?;
        let rows = self
            .inner
            .store
            .read(|reader| reader.deliveries(owner))
            .map_err(refuse_store)?;
        Ok(rows.into_iter().map(Delivery::from).collect())
    }
}
