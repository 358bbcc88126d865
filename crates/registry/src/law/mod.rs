//! What the law asks of a registry: for how long things are kept, what is erased and by which decision, what must wait,
//! and what one person may be told of what is kept about them.

mod again;
mod deliveries;
mod erase;
mod extract;
mod marks;
mod plan;
mod rules;

use grunddata_model::OwnerKey;
use serde::{Deserialize, Serialize};

use crate::write::check_text;
use crate::{Action, Code, Context, Refusal};

pub use again::{ErasedAgain, Erasures, PastErasure};
pub use deliveries::{Delivery, NewDelivery};
pub use erase::{Content as DisposalContent, Disposal, DisposedRecord};
pub use extract::{
    ControllerExtract, ExtractOptions, ExtractReader, IdentifierExtract, LinkExtract,
    PersonExtract, RecordExtract, StateExtract, VersionExtract,
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
    Err(Refusal::new(
        Code::Forbidden,
        format!("This is for administrators of the whole of {owner}."),
    )
    .fact("owner", owner.as_str()))
}
