//! Giving a load up: nothing more of it is applied. What was applied stays, and can be taken back by a reversal.

use grunddata_model::OwnerKey;
use grunddata_store::{LoadRow, LoadStatus};
use serde_json::json;
use uuid::Uuid;

use super::content::{Content, Signature};
use super::must_load;
use super::read::{Load, known, wrong_state};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Context, Refusal, Registry};

/// The load as it is when it is given up.
pub(super) fn cancelled(
    context: &Context,
    load: &LoadRow,
    reason: Option<String>,
) -> Result<LoadRow, Refusal> {
    let mut content = Content::of(load)?;
    content.cancelled = Some(Signature::of(context, reason));
    Ok(LoadRow {
        status: LoadStatus::Cancelled,
        content: content.written()?,
        changed_at: context.now,
        ..load.clone()
    })
}

impl Registry {
    /// Gives an open load up. The rows that it has not reached are removed: they hold what was never accepted.
    ///
    /// # Errors
    /// [`Code::Forbidden`](crate::Code::Forbidden), [`Code::UnknownLoad`](crate::Code::UnknownLoad);
    /// [`Code::LoadState`](crate::Code::LoadState) when the load is not open.
    pub fn cancel_load(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        reason: Option<String>,
    ) -> Result<Load, Refusal> {
        context
            .disclosed
            .acted([owner.clone()], json!({"load": id, "cancel": true}));
        must_load(context, owner)?;
        if let Some(reason) = &reason {
            check_text("reason", reason, 1_000)?;
        }
        let changed = self
            .inner
            .store
            .change_load(owner, id, |found| -> Result<LoadRow, Refusal> {
                let load = known(owner, id, found)?;
                if !load.status.is_open() {
                    return Err(wrong_state(&load, "It is not open any more."));
                }
                cancelled(context, &load, reason)
            })
            .map_err(refuse_store)??;
        self.inner
            .store
            .clear_plan(owner, id, changed.reached)
            .map_err(refuse_store)?;
        Load::of(&changed)
    }
}
