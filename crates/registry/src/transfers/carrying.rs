//! Hand-overs that were accepted here and are carried out: noted before anything is held, so that a process goes on with what
//! another one has left (ADR 0024).

use grunddata_model::{Instant, OwnerKey, RecordId};
use grunddata_store::{TransferSide, TransferState, TransferTask};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::content::{Transfer, TransferContent};
use super::{may_see, must_administer};
use crate::registry::refuse_store;
use crate::{Actor, Context, Grant, OwnerScope, Refusal, Registry, Role};

/// How far the carrying out of a hand-over has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferProgress {
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt that ended did not come to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it is tried again by itself. Where a process is at it now, when another one would take it up.
    pub next_at: Instant,
}

impl TransferProgress {
    pub(super) fn of(task: &TransferTask) -> Self {
        Self {
            attempts: task.attempts,
            failure: task.failure.clone(),
            next_at: task.held_until,
        }
    }
}

/// In whose name it is carried out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Caller {
    name: String,
    client: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// A hand-over that somebody has accepted and that nobody is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftTransfer {
    task: TransferTask,
}

impl LeftTransfer {
    /// The receiver.
    #[must_use]
    pub fn owner(&self) -> &OwnerKey {
        &self.task.owner
    }

    /// The hand-over.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.task.transfer
    }

    /// The organisation of the receiver that is to be responsible for what comes.
    #[must_use]
    pub fn controller(&self) -> Option<RecordId> {
        self.task.controller
    }

    /// How often it was tried before.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.task.attempts
    }
}

impl Registry {
    /// Notes that a hand-over is carried out by a process in the name of whoever accepts it; how often it was tried with this.
    /// `None` when the receiver is not here, or it is done.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`](crate::Code::UnknownTransfer), [`Code::Forbidden`](crate::Code::Forbidden).
    pub fn begin_carrying(
        &self,
        context: &Context,
        id: Uuid,
        controller: Option<RecordId>,
        holder: Uuid,
        until: Instant,
    ) -> Result<Option<u32>, Refusal> {
        let mut receiver = None;
        for row in self.transfer_rows(id)? {
            let content = TransferContent::read(&row)?;
            if !may_see(context, &row, &content.parties()) {
                continue;
            }
            match row.side {
                TransferSide::Receiver if row.state == TransferState::Done => return Ok(None),
                TransferSide::Receiver => receiver = Some(row.owner),
                TransferSide::Giver if content.registry.is_none() => receiver = Some(row.other),
                TransferSide::Giver => {}
            }
        }
        let Some(owner) = receiver else {
            return Ok(None);
        };
        must_administer(context, &owner)?;
        let caller = Caller {
            name: context.actor.name.clone(),
            client: context.actor.client.clone(),
            unit: context.actor.unit.clone(),
        };
        let store = &self.inner.store;
        let task = TransferTask {
            owner,
            transfer: id,
            caller: serde_json::to_string(&caller).map_err(|_| Refusal::internal())?,
            controller,
            attempts: 1,
            failure: None,
            holder,
            held_until: until,
        };
        store.put_transfer_task(&task).map_err(refuse_store)?;
        let known = self.carried(&task.owner, id)?;
        Ok(Some(known.map_or(1, |known| known.attempts)))
    }

    fn carried(&self, owner: &OwnerKey, id: Uuid) -> Result<Option<TransferTask>, Refusal> {
        let tasks = self
            .inner
            .store
            .read(|reader| reader.transfer_tasks(owner))
            .map_err(refuse_store)?;
        Ok(tasks.into_iter().find(|task| task.transfer == id))
    }

    /// How far the carrying out has come, for who administers the receiver.
    pub(super) fn progress(
        &self,
        context: &Context,
        shown: &Transfer,
    ) -> Result<Option<TransferProgress>, Refusal> {
        if must_administer(context, &shown.receiver).is_err() {
            return Ok(None);
        }
        let task = self.carried(&shown.receiver, shown.id)?;
        Ok(task.as_ref().map(TransferProgress::of))
    }

    /// Hand-overs that somebody has accepted here and that nobody is at, at this instant.
    ///
    /// # Errors
    /// [`Code::Busy`](crate::Code::Busy), [`Code::Internal`](crate::Code::Internal).
    pub fn left_transfers(&self, limit: u32) -> Result<Vec<LeftTransfer>, Refusal> {
        let now = self.now();
        let tasks = self
            .inner
            .store
            .read(|reader| reader.left_transfers(now, limit.into()))
            .map_err(refuse_store)?;
        Ok(tasks
            .into_iter()
            .map(|task| LeftTransfer { task })
            .collect())
    }

    /// Takes up such a hand-over for a process; in whose name it goes on, with the rights that this needs. `None` when another
    /// process was first.
    ///
    /// # Errors
    /// [`Code::Busy`](crate::Code::Busy), [`Code::Internal`](crate::Code::Internal).
    pub fn take_up_transfer(
        &self,
        left: &LeftTransfer,
        holder: Uuid,
        until: Instant,
    ) -> Result<Option<Actor>, Refusal> {
        let store = &self.inner.store;
        let taken = store.take_transfer(&left.task, holder, self.now(), until);
        if !taken.map_err(refuse_store)? {
            return Ok(None);
        }
        let caller: Caller = serde_json::from_str(&left.task.caller).map_err(|error| {
            tracing::error!(transfer = %left.task.transfer, %error, "in whose name a hand-over is carried out cannot be read");
            Refusal::internal()
        })?;
        // It was accepted with this right; what follows is no new decision.
        let scope = OwnerScope::Owner(left.task.owner.clone());
        Ok(Some(Actor {
            name: caller.name,
            client: caller.client,
            grants: vec![Grant::of(scope, Role::Administrator)].into(),
            feeds_copies: false,
            unit: caller.unit,
            expires_at: None,
        }))
    }

    /// Gives a hand-over back that could not be carried out just now.
    ///
    /// # Errors
    /// [`Code::Busy`](crate::Code::Busy), [`Code::Internal`](crate::Code::Internal).
    pub fn leave_carrying(
        &self,
        owner: &OwnerKey,
        id: Uuid,
        holder: Uuid,
        again: Instant,
        why: &Refusal,
    ) -> Result<(), Refusal> {
        let why = format!("{}: {}", why.code.as_str(), why.detail);
        let store = &self.inner.store;
        store
            .leave_transfer(owner, id, holder, again, &why)
            .map_err(refuse_store)
    }

    /// Notes that there is nothing more to be done for a hand-over.
    ///
    /// # Errors
    /// [`Code::Busy`](crate::Code::Busy), [`Code::Internal`](crate::Code::Internal).
    pub fn end_carrying(&self, owner: &OwnerKey, id: Uuid) -> Result<(), Refusal> {
        let store = &self.inner.store;
        store.end_transfer_task(owner, id).map_err(refuse_store)
    }
}
