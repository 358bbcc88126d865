//! What the law asks of a registry: for how long things are kept, what is erased and by which decision, what must wait,
//! and what one person may be told of what is kept about them.

mod again;
mod deliveries;
mod erase;
mod extract;
mod marks;
mod plan;
mod rules;

use std::collections::BTreeSet;

use grunddata_information_model::PrivacyClass;
use grunddata_model::{Domain, OwnerKey, RecordId};
use grunddata_store::{Seen, Visibility};
use serde::{Deserialize, Serialize};

use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Action, Code, Context, Grant, OwnerScope, Refusal, Registry};

pub use again::{ErasedAgain, Erasures, PastErasure};
pub use deliveries::{Delivery, NewDelivery};
pub use erase::{Content as DisposalContent, Disposal, DisposedRecord};
pub use extract::{
    ControllerExtract, ExtractController, ExtractOptions, ExtractReader, IdentifierExtract,
    LinkExtract, PersonExtract, RecordExtract, StateExtract, VersionExtract,
};
pub use marks::{Mark, MarkKind};
pub use plan::{Due, PreservedRecords, RetentionPlan};
pub use rules::{Keeping, NewRetentionRule, RetentionRule};

/// The decision on which it rests that something is kept or erased.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What was decided, in a sentence. No personal data: it stands in the log for good.
    pub text: String,
    /// Where the decision is to be found: its number or its paragraph.
    pub reference: String,
}

/// The longest text of a decision, in characters.
const TEXT: usize = 1_000;
/// The longest reference, in characters.
const REFERENCE: usize = 200;

impl Decision {
    fn check(&self) -> Result<(), Refusal> {
        check_text("decision", &self.text, TEXT)?;
        check_text("reference", &self.reference, REFERENCE)
    }
}

/// Whether the actor looks after all of the owner's records, protected persons included: a steward or an administrator.
fn is_steward(context: &Context, owner: &OwnerKey) -> bool {
    [Action::Load, Action::Administer]
        .iter()
        .any(|action| context.actor.may_for_whole(*action, owner))
}

/// What the actor looks after of an owner.
pub(super) enum Reach {
    /// All of it.
    Whole,
    /// The records that this shows: those of some controllers.
    Some(Visibility),
}

/// Who looks after records, by day: what a steward of the whole may do, one of some controllers may do with theirs.
const STEWARDS: [Action; 2] = [Action::Load, Action::Administer];
/// Who decides.
const ADMINISTRATORS: [Action; 1] = [Action::Administer];

impl Registry {
    /// What the actor is a steward or an administrator of: the whole owner, or all that some controllers are responsible
    /// for. A committee is a controller of its own.
    fn stewardship(&self, context: &Context, owner: &OwnerKey) -> Result<Reach, Refusal> {
        self.reach(context, owner, &STEWARDS)?.ok_or_else(|| {
            Refusal::new(
                Code::Forbidden,
                format!("This is for stewards of {owner}, or of the controller whose records it is about: ask its administrator for a token with that role."),
            )
            .fact("owner", owner.as_str())
        })
    }

    /// What the actor administers.
    fn administration(&self, context: &Context, owner: &OwnerKey) -> Result<Reach, Refusal> {
        self.reach(context, owner, &ADMINISTRATORS)?
            .ok_or_else(|| no_administrator(owner))
    }

    fn reach(
        &self,
        context: &Context,
        owner: &OwnerKey,
        actions: &[Action],
    ) -> Result<Option<Reach>, Refusal> {
        if actions
            .iter()
            .any(|action| context.actor.may_for_whole(*action, owner))
        {
            return Ok(Some(Reach::Whole));
        }
        let held = context.actor.grants.list().iter().filter(|grant| {
            grant.scope.holds(owner)
                && grant.domains.is_empty()
                && grant.ceiling == PrivacyClass::Protected
                && actions.iter().any(|action| grant.allows(*action))
        });
        let held: Vec<Grant> = held
            .map(|grant| Grant {
                scope: OwnerScope::Owner(owner.clone()),
                actions: BTreeSet::from([Action::Load]),
                ..grant.clone()
            })
            .collect();
        if held.is_empty() {
            return Ok(None);
        }
        // Not what they read: that may be more, and what is open to anybody is among it.
        let inner = &self.inner;
        let rights = inner
            .visibilities
            .of(&inner.store, &inner.model, &held.into(), context.now)
            .map_err(refuse_store)?;
        Ok(Some(Reach::Some(rights.loads.clone())))
    }
}

impl Reach {
    /// Whether all that a controller is responsible for, or the owner itself, is within it.
    fn covers(&self, owner: &OwnerKey, controller: Option<RecordId>) -> bool {
        let Self::Some(visibility) = self else {
            return true;
        };
        let seen = Seen {
            owner: owner.as_str(),
            controller,
            domain: Domain::Person,
            level: 0,
        };
        visibility.sight(&seen).is_some()
    }
}

fn no_administrator(owner: &OwnerKey) -> Refusal {
    Refusal::new(
        Code::Forbidden,
        format!("This is for administrators of the whole of {owner}."),
    )
    .fact("owner", owner.as_str())
}

/// That the actor is a steward or an administrator of the owner.
fn must_be_steward(context: &Context, owner: &OwnerKey) -> Result<(), Refusal> {
    if is_steward(context, owner) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        format!("This is for stewards of the whole of {owner}: ask its administrator for a token with that role."),
    )
    .fact("owner", owner.as_str()))
}

/// That the actor is an administrator of the owner: what cannot be undone, and by which rules, is for them.
fn must_be_administrator(context: &Context, owner: &OwnerKey) -> Result<(), Refusal> {
    if context.actor.may_for_whole(Action::Administer, owner) {
        return Ok(());
    }
    Err(no_administrator(owner))
}
