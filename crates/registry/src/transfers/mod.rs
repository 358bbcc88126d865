//! Hand-overs: records that go on under another owner, in this registry or in another one, as both have agreed.
//!
//! The giver offers, the receiver accepts. From then on nothing is written to the records until the receiver has them and
//! the giver's lead there. There is no transaction over both: each step is one in one owner, can be asked for again, and
//! says how far it is. The receiver's rows are durable before the giver's forwarding is written (ADR 0022).

mod carrying;
mod content;
mod forward;
mod give;
mod hand_off;
mod hand_off_content;
mod plan;
mod proven;
mod take;
mod within;

use grunddata_model::{OwnerKey, RecordId};
use grunddata_store::{TransferKind, TransferRow, TransferSide, TransferState};
use serde_json::json;
use uuid::Uuid;

use crate::registry::refuse_store;
use crate::{Action, Code, Context, Refusal, Registry, fact};

pub use carrying::{LeftTransfer, TransferProgress};
pub use content::{
    HandedState, NewTransfer, Received, RemoteOffer, SideView, Transfer, TransferContent,
    TransferItem, TransferLeft, TransferPage, TransferRecord, TransferReferences, TransferWhy,
    Transferred,
};

pub use proven::HandedProof;

pub use hand_off_content::{Basis, BasisKind, HandOff, HandOffContent, HandOffPayload, NewHandOff};

/// The most records of one hand-over: they go in one transaction of each owner.
pub const MOST_TRANSFERRED: usize = 5_000;
/// How many records come in one page.
const PAGE: usize = 200;
/// How many hand-overs a list shows.
const LISTED: usize = 500;

/// Whether an origin says that the record is a copy, and read-only.
pub(crate) fn is_copy(origin: Option<&str>) -> bool {
    origin.is_some_and(|text| !text.starts_with("{\"kind\":\"received\""))
}

/// The record is being handed over.
pub(crate) fn in_transfer(id: RecordId) -> Refusal {
    Refusal::new(
        Code::InTransfer,
        format!(
            "The record {id} is being handed over to another owner: nothing is written to it until that is done. GET /transfers says how far it is."
        ),
    )
}

/// The record was handed over.
pub(crate) fn transferred(id: RecordId, into: Option<RecordId>) -> Refusal {
    Refusal::new(
        Code::Transferred,
        format!("The record {id} was handed over to another owner, under whose record it goes on: GET it to be led there."),
    )
    .fact_if(fact::FORWARD_TO, into.map(|id| id.to_string()))
}

fn unknown(id: Uuid) -> Refusal {
    Refusal::new(
        Code::UnknownTransfer,
        format!(
            "There is no hand-over {id}, or it is not yours to see. GET /transfers lists them."
        ),
    )
}

fn wrong_state(state: TransferState, what: &str) -> Refusal {
    Refusal::new(
        Code::TransferState,
        format!("The hand-over is {}: {what}.", state.as_str()),
    )
    .fact("state", state.as_str())
}

fn administers(context: &Context, owner: &OwnerKey) -> bool {
    context.actor.may_for_whole(Action::Administer, owner)
}

/// A hand-over is for those who administer the owner.
fn must_administer(context: &Context, owner: &OwnerKey) -> Result<(), Refusal> {
    if administers(context, owner) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        format!("Hand-overs are for administrators of the whole of {owner}."),
    )
    .fact("owner", owner.as_str()))
}

/// Whether the actor may see a row: whoever administers its owner, whom it is offered to in this registry, and the client by
/// which the other registry asks.
fn may_see(context: &Context, row: &TransferRow, parties: &content::Parties) -> bool {
    administers(context, &row.owner)
        || row.side == TransferSide::Giver
            && match &parties.registry {
                None => administers(context, &row.other),
                Some(_) => parties.is_asking(context),
            }
}

/// What of a side is told to the actor: why records stay is for the giver where it tells of somebody.
fn told(context: &Context, row: &TransferRow, mut content: TransferContent) -> TransferContent {
    if row.side != TransferSide::Giver || !administers(context, &row.owner) {
        content.left.retain(|left| left.why.is_told_to_receiver());
        content.client_id = None;
    }
    content
}

impl Registry {
    /// The hand-overs of an owner, those that are offered to it included, the latest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn transfers(&self, context: &Context, owner: &OwnerKey) -> Result<Vec<Transfer>, Refusal> {
        must_administer(context, owner)?;
        let (mut rows, tasks) = self
            .inner
            .store
            .read(|reader| {
                let mut rows = reader.transfers(owner, TransferKind::Records, LISTED)?;
                rows.extend(reader.transfers_to(owner, TransferKind::Records, LISTED)?);
                Ok((rows, reader.transfer_tasks(owner)?))
            })
            .map_err(refuse_store)?;
        rows.sort_by_key(|row| (std::cmp::Reverse(row.created_at), row.id, row.side));
        let mut shown: Vec<Transfer> = Vec::new();
        for row in rows {
            let content = TransferContent::read(&row)?;
            if !may_see(context, &row, &content.parties()) {
                continue;
            }
            let content = told(context, &row, content);
            match shown.last_mut().filter(|last| last.id == row.id) {
                Some(last) => last.add(&row),
                None => shown.push(Transfer::of(&row, content)),
            }
        }
        for one in shown.iter_mut().filter(|one| one.receiver == *owner) {
            let task = tasks.iter().find(|task| task.transfer == one.id);
            one.progress = task.map(TransferProgress::of);
        }
        Ok(shown)
    }

    /// One hand-over, with each side that is in this registry.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`].
    pub fn transfer(&self, context: &Context, id: Uuid) -> Result<Transfer, Refusal> {
        let mut shown: Option<Transfer> = None;
        for row in self.transfer_rows(id)? {
            let content = TransferContent::read(&row)?;
            if !may_see(context, &row, &content.parties()) {
                continue;
            }
            let content = told(context, &row, content);
            match &mut shown {
                Some(shown) => shown.add(&row),
                None => shown = Some(Transfer::of(&row, content)),
            }
        }
        let mut shown = shown.ok_or_else(|| unknown(id))?;
        shown.progress = self.progress(context, &shown)?;
        Ok(shown)
    }

    fn transfer_rows(&self, id: Uuid) -> Result<Vec<TransferRow>, Refusal> {
        let mut rows = self
            .inner
            .store
            .read(|reader| reader.transfer(id))
            .map_err(refuse_store)?;
        rows.retain(|row| row.kind == TransferKind::Records);
        Ok(rows)
    }

    /// A side of a hand-over, for whoever may see it.
    fn transfer_side(
        &self,
        context: &Context,
        id: Uuid,
        side: TransferSide,
    ) -> Result<(TransferRow, TransferContent), Refusal> {
        let rows = self.transfer_rows(id)?;
        let row = rows.into_iter().find(|row| row.side == side);
        let row = row.ok_or_else(|| unknown(id))?;
        let content = TransferContent::read(&row)?;
        if !may_see(context, &row, &content.parties()) {
            return Err(unknown(id));
        }
        context.disclosed.acted(
            [row.owner.clone()],
            json!({"transfer": id, "giver": content.giver(&row), "receiver": content.receiver(&row)}),
        );
        Ok((row, content))
    }
}
