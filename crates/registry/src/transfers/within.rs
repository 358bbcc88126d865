//! A hand-over between two owners of this registry: the same steps as between two registries, one after the other.

use grunddata_model::RecordId;
use grunddata_store::{TransferRow, TransferSide, TransferState};
use uuid::Uuid;

use super::content::{Transfer, TransferContent, TransferLeft, TransferPage};
use super::wrong_state;
use crate::{Context, Refusal, Registry};

impl Registry {
    /// Accepts a hand-over between two owners of this registry, and carries it out. One that was broken off goes on from
    /// where it was. Blocks.
    ///
    /// # Errors
    /// Those of [`hold_transfer`](Self::hold_transfer), [`receive_transfer`](Self::receive_transfer) and
    /// [`confirm_transfer`](Self::confirm_transfer). What could not be received was tried before anything was held.
    pub fn accept_transfer(
        &self,
        context: &Context,
        id: Uuid,
        controller: Option<RecordId>,
    ) -> Result<Transfer, Refusal> {
        while self.advance_transfer(context, id, controller)? {}
        self.transfer(context, id)
    }

    /// The next step of such a hand-over; whether there was one.
    ///
    /// # Errors
    /// As [`accept_transfer`](Self::accept_transfer).
    pub fn advance_transfer(
        &self,
        context: &Context,
        id: Uuid,
        controller: Option<RecordId>,
    ) -> Result<bool, Refusal> {
        let (giver, content) = self.transfer_side(context, id, TransferSide::Giver)?;
        self.must_receive(context, &giver, &content)?;
        let rows = self.transfer_rows(id)?;
        let receiver = rows.iter().find(|row| row.side == TransferSide::Receiver);
        match (giver.state, receiver.map(|row| row.state)) {
            (TransferState::Offered, None) => {
                self.check_new_controller(&giver.other, controller)?;
                let page = self.all_records(context, id)?;
                let row = receiving(&giver, context);
                let content = TransferContent {
                    controller,
                    ..content
                };
                let reception = self.reception(context, row, content, None, page)?;
                self.rehearse_reception(&reception)?;
                self.hold_transfer(context, id)?;
            }
            (TransferState::Accepted, None) => {
                self.check_new_controller(&giver.other, controller)?;
                let page = self.all_records(context, id)?;
                let row = receiving(&giver, context);
                let content = TransferContent {
                    controller,
                    left: told_to_receiver(content.left),
                    ..content
                };
                self.receive_records(context, row, content, None, page)?;
            }
            (TransferState::Accepted, Some(TransferState::Received | TransferState::Done)) => {
                self.confirm_transfer(context, id)?;
            }
            (TransferState::Done, Some(TransferState::Received)) => {
                self.finish_transfer(context, id)?;
            }
            (TransferState::Done, _) => return Ok(false),
            (_, Some(TransferState::Refused)) => {
                return Err(wrong_state(
                    TransferState::Refused,
                    "ask the giver for another one",
                ));
            }
            (other, _) => return Err(wrong_state(other, "ask the giver for another one")),
        }
        Ok(true)
    }

    /// All records of a hand-over.
    fn all_records(&self, context: &Context, id: Uuid) -> Result<TransferPage, Refusal> {
        let mut all = TransferPage::default();
        let mut after = 0;
        loop {
            let page = self.transfer_records(context, id, after)?;
            all.records.extend(page.records);
            all.geometries.extend(page.geometries);
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        all.geometries.sort();
        all.geometries.dedup();
        Ok(all)
    }
}

/// What the receiver keeps of why records stay.
fn told_to_receiver(left: Vec<TransferLeft>) -> Vec<TransferLeft> {
    let told = left.into_iter();
    told.filter(|left| left.why.is_told_to_receiver()).collect()
}

/// The receiver's row of a hand-over of this registry.
pub(super) fn receiving(giver: &TransferRow, context: &Context) -> TransferRow {
    TransferRow {
        owner: giver.other.clone(),
        other: giver.owner.clone(),
        side: TransferSide::Receiver,
        created_at: context.now,
        created_by: context.actor.name.clone(),
        ..giver.clone()
    }
}
