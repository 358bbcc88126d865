//! Four eyes: a plan is approved by somebody other than the one who had it made.

use grunddata_model::OwnerKey;
use grunddata_store::{LoadRow, LoadStatus};
use serde_json::json;
use uuid::Uuid;

use super::content::{Content, Signature};
use super::must_load;
use super::read::{Load, known, wrong_state};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Code, Context, Refusal, Registry};

impl Registry {
    /// Approves a plan.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownLoad`]; [`Code::LoadState`] when there is nothing to approve;
    /// [`Code::SamePerson`] for who had the plan made.
    pub fn approve_load(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        reason: Option<String>,
    ) -> Result<Load, Refusal> {
        context
            .disclosed
            .acted([owner.clone()], json!({"load": id, "approve": true}));
        must_load(context, owner)?;
        if let Some(reason) = &reason {
            check_text("reason", reason, 1_000)?;
        }
        let changed = self
            .inner
            .store
            .change_load(owner, id, |found| -> Result<LoadRow, Refusal> {
                let mut load = known(owner, id, found)?;
                let mut content = Content::of(&load)?;
                if !matches!(load.status, LoadStatus::Planned | LoadStatus::Stopped) {
                    return Err(wrong_state(&load, "Only a plan that is still to be applied can be approved."));
                }
                let signature = Signature::of(context, reason);
                if signature.is_same_person(&content.planned) {
                    return Err(Refusal::new(
                        Code::SamePerson,
                        "You had this plan made: somebody else who may load for the owner approves it.",
                    ));
                }
                content.approved = Some(signature);
                load.content = content.written()?;
                load.changed_at = context.now;
                Ok(load)
            })
            .map_err(refuse_store)??;
        Load::of(&changed)
    }
}
