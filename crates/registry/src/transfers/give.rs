//! The giver's steps: the offer, the hold on what is accepted, what is handed over, and the forwarding.

use std::collections::BTreeSet;
use std::sync::Arc;

use grunddata_model::{Domain, RecordId, TransactionId};
use grunddata_store::{
    HandedRecord, Needs, RecordImage, StoreError, TransferKind, TransferRow, TransferSide,
    TransferState, TransferStep, WriteTx,
};
use serde_json::json;
use uuid::Uuid;

use super::content::{
    HandedState, NewTransfer, Transfer, TransferContent, TransferLeft, TransferPage,
    TransferRecord, TransferWhy,
};
use super::forward::{catch_up, forward};
use super::plan::{controlling, plan, why_not};
use super::within::receiving;
use super::{PAGE, administers, must_administer, wrong_state};
use crate::registry::{refuse_store, refuse_write};
use crate::tokens::AskingClient;
use crate::write::{Failure, check_text};
use crate::{Code, Context, Refusal, Registry};

/// The most records that are named in an offer.
const NAMED: usize = 500;
/// The longest reason, in characters.
const REASON: usize = 500;

impl Registry {
    /// Offers a hand-over: what it would be is worked out and kept. Nothing is done to the records. Blocks.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the owner; [`Code::UnknownOwner`] for a receiver that this registry
    /// does not have; [`Code::NotFound`]; [`Code::NothingToTransfer`] with why nothing can go; [`Code::TooManyItems`],
    /// [`Code::InvalidText`], [`Code::InvalidParameter`].
    pub fn offer_transfer(&self, context: &Context, new: NewTransfer) -> Result<Transfer, Refusal> {
        let id = RecordId::mint(context.now).uuid();
        context.disclosed.acted(
            [new.owner.clone()],
            json!({"transfer": id, "receiver": new.receiver, "records": new.records}),
        );
        must_administer(context, &new.owner)?;
        check_text("reason", &new.reason, REASON)?;
        let count = new.records.len();
        if count == 0 || count > NAMED || new.except.len() > NAMED {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "A hand-over begins from 1 to {NAMED} records, and leaves out up to {NAMED}."
                ),
            ));
        }
        let client = self.check_receiver(context, &new)?;
        let (model, now, actor) = (
            self.inner.model.clone(),
            context.now,
            context.actor.name.clone(),
        );
        let needs = Needs {
            records: new.records.clone(),
            inbound: new.records.clone(),
            ..Needs::default()
        };
        let owner = new.owner.clone();
        let job = move |tx: &mut WriteTx<'_>| -> Result<TransferRow, Failure> {
            let plan = plan(tx, &model, &new, now)?;
            let content = TransferContent {
                registry: new.registry.clone(),
                client: client.as_ref().map(|client| client.name.clone()),
                client_id: client.as_ref().map(|client| client.line.clone()),
                token_file: None,
                log_keys: Vec::new(),
                head: None,
                controller: None,
                reason: new.reason.clone(),
                ended: None,
                roots: new.records.clone(),
                items: plan.items,
                left: plan.left,
                references: plan.references,
            };
            let row = TransferRow {
                owner: new.owner.clone(),
                id,
                kind: TransferKind::Records,
                side: TransferSide::Giver,
                state: TransferState::Offered,
                other: new.receiver.clone(),
                content: content.written()?,
                created_at: now,
                created_by: actor.clone(),
                changed_at: now,
            };
            tx.hand_over(step(row.clone(), None));
            Ok(row)
        };
        let row = self
            .inner
            .store
            .write_blocking(&owner, needs, job)
            .map_err(refuse_write)?;
        for item in &TransferContent::read(&row)?.items {
            context.disclosed.about(&owner, item.record);
        }
        self.transfer(context, id)
    }

    fn check_receiver(
        &self,
        context: &Context,
        new: &NewTransfer,
    ) -> Result<Option<AskingClient>, Refusal> {
        if new.registry.is_none() {
            if new.receiver == new.owner {
                return Err(Refusal::new(
                    Code::InvalidParameter,
                    "The receiver is the giver: name another owner.",
                ));
            }
            let owners = self.inner.store.owners().map_err(refuse_store)?;
            if !owners.iter().any(|owner| owner.key == new.receiver) {
                return Err(refuse_store(StoreError::UnknownOwner(new.receiver.clone())));
            }
            return Ok(None);
        }
        self.asking_registry(context, new.client.as_deref())
            .map(Some)
    }

    /// The client by whose token the registry of a receiver asks.
    pub(super) fn asking_registry(
        &self,
        context: &Context,
        named: Option<&str>,
    ) -> Result<AskingClient, Refusal> {
        match named {
            Some(named) if !named.is_empty() => self.asking_client(context, named),
            _ => Err(Refusal::new(
                Code::InvalidParameter,
                "client is required where the receiver is in another registry: the name of the token by which that registry asks here, or its id.",
            )
            .fact(crate::fact::PARAMETER, "client")),
        }
    }

    /// Takes an offer back that was not accepted yet.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`]; [`Code::TransferState`] once it is accepted: then the receiver
    /// decides.
    pub fn withdraw_transfer(
        &self,
        context: &Context,
        id: Uuid,
        reason: &str,
    ) -> Result<Transfer, Refusal> {
        let (row, _) = self.transfer_side(context, id, TransferSide::Giver)?;
        must_administer(context, &row.owner)?;
        check_text("reason", reason, REASON)?;
        let from = [TransferState::Offered];
        self.end_transfer(context, &row, &from, TransferState::Withdrawn, reason)?;
        self.transfer(context, id)
    }

    /// Refuses what is offered, or lets go of what was accepted and has not come: its records can be written to again.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`]; [`Code::TransferState`] once the receiver has the records.
    pub fn refuse_transfer(
        &self,
        context: &Context,
        id: Uuid,
        reason: &str,
    ) -> Result<Transfer, Refusal> {
        check_text("reason", reason, REASON)?;
        let rows = self.transfer_rows(id)?;
        let refused = self.refuse_sides(context, id, &rows, reason)?;
        self.end_carrying(&refused.receiver, id)?;
        self.transfer(context, id)
    }

    fn refuse_sides(
        &self,
        context: &Context,
        id: Uuid,
        rows: &[TransferRow],
        reason: &str,
    ) -> Result<Transfer, Refusal> {
        let from = [TransferState::Offered, TransferState::Accepted];
        let received = rows.iter().find(|row| row.side == TransferSide::Receiver);
        if let Some(row) = received {
            let (row, _) = self.transfer_side(context, row.id, TransferSide::Receiver)?;
            must_administer(context, &row.owner)?;
            self.end_transfer(context, &row, &from, TransferState::Refused, reason)?;
        }
        let Some(row) = rows.iter().find(|row| row.side == TransferSide::Giver) else {
            return self.transfer(context, id);
        };
        let (row, content) = self.transfer_side(context, row.id, TransferSide::Giver)?;
        if content.registry.is_none() {
            must_administer(context, &row.other)?;
            if received.is_none() {
                // First where it would be received: what is just being received there then is not, or is and cannot be refused.
                self.refuse_to_receive(context, &row, &content, reason)?;
            }
        } else if !content.parties().is_asking(context) {
            return Err(Refusal::new(
                Code::Forbidden,
                "The receiver refuses: the token that the offer names is asked for.",
            ));
        }
        self.end_transfer(context, &row, &from, TransferState::Refused, reason)?;
        self.transfer(context, id)
    }

    /// Notes at the receiver, which is an owner of this registry and has no side yet, that it refuses.
    fn refuse_to_receive(
        &self,
        context: &Context,
        giver: &TransferRow,
        content: &TransferContent,
        reason: &str,
    ) -> Result<(), Refusal> {
        let mut content = content.clone();
        content.left.retain(|left| left.why.is_told_to_receiver());
        content.ended = Some(reason.to_owned());
        let row = TransferRow {
            state: TransferState::Refused,
            content: content.written()?,
            ..receiving(giver, context)
        };
        let owner = row.owner.clone();
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            match tx.transfer(row.id)?.map(|known| known.state) {
                None => {
                    tx.hand_over(step(row.clone(), None));
                    Ok(())
                }
                Some(TransferState::Refused) => Ok(()),
                Some(other) => Err(wrong_state(other, "the records are there already").into()),
            }
        };
        self.inner
            .store
            .write_blocking(&owner, Needs::default(), job)
            .map_err(refuse_write)
    }

    /// Ends a side, from one of the states in which that may be.
    fn end_transfer(
        &self,
        context: &Context,
        row: &TransferRow,
        from: &[TransferState],
        to: TransferState,
        reason: &str,
    ) -> Result<(), Refusal> {
        let (id, from, reason) = (row.id, from.to_vec(), reason.to_owned());
        let model = self.inner.model.clone();
        let (actor, transaction) = signed(context);
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            let row = present(tx, id)?;
            if row.state == to {
                return Ok(());
            }
            if !from.contains(&row.state) {
                return Err(wrong_state(row.state, "it can be ended before that alone").into());
            }
            let mut content = TransferContent::read(&row)?;
            content.ended = Some(reason.clone());
            let before = row.state;
            let row = TransferRow {
                state: to,
                content: content.written()?,
                ..row
            };
            tx.hand_over(TransferStep {
                releases: true,
                ..step(row.clone(), Some(before))
            });
            if row.side == TransferSide::Giver && before == TransferState::Accepted {
                catch_up(tx, &model, &row, &content, &actor, transaction)?;
            }
            Ok(())
        };
        self.inner
            .store
            .write_blocking(&row.owner, Needs::default(), job)
            .map_err(refuse_write)
    }

    /// Has the giver hold what is handed over: nothing else is written to it until it is done, or the receiver refuses. Can
    /// be asked for again.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`]; [`Code::TransferState`] when it was refused or withdrawn, or when
    /// something may not go any more (with which).
    pub fn hold_transfer(&self, context: &Context, id: Uuid) -> Result<Transfer, Refusal> {
        let (row, content) = self.transfer_side(context, id, TransferSide::Giver)?;
        self.must_receive(context, &row, &content)?;
        let tells_all = administers(context, &row.owner);
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            let row = present(tx, id)?;
            match row.state {
                TransferState::Offered => {}
                TransferState::Accepted | TransferState::Done => return Ok(()),
                other => return Err(wrong_state(other, "ask for another one").into()),
            }
            let mut content = TransferContent::read(&row)?;
            let mut left: Vec<TransferLeft> = Vec::new();
            for item in &mut content.items {
                let image = own(tx, item.record)?;
                match why_not(tx, &image, Some(id))? {
                    // What was written since the offer goes along.
                    None => item.version = image.version,
                    Some(why) => left.push(TransferLeft {
                        record: item.record,
                        domain: item.domain,
                        why,
                    }),
                }
            }
            let going = content.items.iter().map(|item| item.record).collect();
            let organisations = content.items.iter();
            let organisations: Vec<RecordId> = organisations
                .filter(|item| item.domain == Domain::Organisation)
                .map(|item| item.record)
                .collect();
            // What was written since may be answered for by one of them.
            for record in controlling(tx, &organisations, &going)? {
                left.push(TransferLeft {
                    record,
                    domain: Domain::Organisation,
                    why: TransferWhy::Controller,
                });
            }
            if !left.is_empty() {
                let told: Vec<TransferLeft> = left
                    .into_iter()
                    .filter(|left| tells_all || left.why.is_told_to_receiver())
                    .collect();
                let refusal = Refusal::new(
                    Code::TransferState,
                    "Some of the records cannot be handed over any more: the giver withdraws this offer and makes another.",
                );
                if told.is_empty() {
                    return Err(refusal.into());
                }
                let shown = serde_json::to_value(&told).map_err(|_| Refusal::internal())?;
                return Err(refusal.fact("left", shown).into());
            }
            let holds = content.items.iter().map(|item| item.record).collect();
            let row = TransferRow {
                state: TransferState::Accepted,
                content: content.written()?,
                ..row
            };
            tx.hand_over(TransferStep {
                holds,
                ..step(row, Some(TransferState::Offered))
            });
            Ok(())
        };
        let needs = Needs {
            records: content.items.iter().map(|item| item.record).collect(),
            ..Needs::default()
        };
        self.inner
            .store
            .write_blocking(&row.owner, needs, job)
            .map_err(refuse_write)?;
        self.transfer(context, id)
    }

    /// Whoever receives: who administers the receiver in this registry, or the client that the offer names.
    pub(super) fn must_receive(
        &self,
        context: &Context,
        row: &TransferRow,
        content: &TransferContent,
    ) -> Result<(), Refusal> {
        match &content.registry {
            None => must_administer(context, &row.other),
            Some(_) if content.parties().is_asking(context) => Ok(()),
            Some(_) => Err(Refusal::new(
                Code::Forbidden,
                "The receiver is in another registry, and accepts there.",
            )),
        }
    }

    /// Some of the records, as they are believed: of a hand-over that is accepted, or offered (to try it).
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`]; [`Code::TransferState`] when it is refused or withdrawn.
    pub fn transfer_records(
        &self,
        context: &Context,
        id: Uuid,
        after: usize,
    ) -> Result<TransferPage, Refusal> {
        let (row, content) = self.transfer_side(context, id, TransferSide::Giver)?;
        self.must_receive(context, &row, &content)?;
        if matches!(
            row.state,
            TransferState::Refused | TransferState::Withdrawn | TransferState::Done
        ) {
            return Err(wrong_state(row.state, "its records are not shown"));
        }
        let items = content.items.get(after..).unwrap_or_default();
        let (now, later) = items.split_at_checked(PAGE).unwrap_or((items, &[]));
        let ids: Vec<RecordId> = now.iter().map(|item| item.record).collect();
        for id in &ids {
            context.disclosed.about(&row.owner, *id);
        }
        let model = &self.inner.model;
        let (records, geometries) = self
            .inner
            .store
            .read(|reader| {
                let records = reader.handed_records(&row.owner, &ids)?;
                let mut hashes: BTreeSet<String> = BTreeSet::new();
                for record in &records {
                    for (_, release, body) in &record.states {
                        let value = model
                            .reload(record.domain, release, Arc::from(body.as_str()))
                            .map_err(|error| StoreError::Model(error.to_string().into()))?;
                        hashes.extend(value.geometry_uses().iter().cloned());
                    }
                }
                let hashes: Vec<String> = hashes.into_iter().collect();
                let geometries = reader.geometries(&row.owner, &hashes)?;
                Ok((records, geometries))
            })
            .map_err(refuse_store)?;
        // What came under protection since is not told of, nor which that is.
        if records.iter().any(|record| record.hidden) {
            return Err(Refusal::new(
                Code::TransferState,
                "Something of it cannot be handed over any more: refuse it, and have the giver make another offer.",
            ));
        }
        let mut geometries: Vec<(String, String)> = geometries.into_iter().collect();
        geometries.sort();
        let mut page = TransferPage {
            records: records.into_iter().map(handed).collect(),
            geometries,
            head: None,
            next: (!later.is_empty()).then_some(after + now.len()),
        };
        if content.registry.is_some() {
            self.prove(&row.owner, &mut page)?;
        }
        Ok(page)
    }

    /// Writes the forwarding, once the receiver has the records for good: an entry in the giver's log for each, after which
    /// nothing of it is believed there, and its id leads to the receiver's. What stays and refers to it follows. Can be asked
    /// for again.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`]; [`Code::TransferState`] when it was not accepted.
    pub fn confirm_transfer(&self, context: &Context, id: Uuid) -> Result<Transfer, Refusal> {
        let (row, content) = self.transfer_side(context, id, TransferSide::Giver)?;
        self.must_receive(context, &row, &content)?;
        let model = self.inner.model.clone();
        let (actor, transaction) = signed(context);
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            let row = present(tx, id)?;
            match row.state {
                TransferState::Accepted => {}
                TransferState::Done => return Ok(()),
                other => return Err(wrong_state(other, "it is not accepted").into()),
            }
            let content = TransferContent::read(&row)?;
            let done = TransferRow {
                state: TransferState::Done,
                ..row.clone()
            };
            tx.hand_over(TransferStep {
                releases: true,
                ..step(done, Some(TransferState::Accepted))
            });
            forward(tx, &model, &row, &content, &actor, transaction)
        };
        let ids: Vec<RecordId> = content.items.iter().map(|item| item.record).collect();
        let needs = Needs {
            records: ids.clone(),
            inbound: ids,
            ..Needs::default()
        };
        self.inner
            .store
            .write_blocking(&row.owner, needs, job)
            .map_err(refuse_write)?;
        self.transfer(context, id)
    }
}

/// Who writes, and in which transaction.
fn signed(context: &Context) -> (Arc<str>, TransactionId) {
    (
        Arc::from(context.actor.name.as_str()),
        TransactionId::mint(context.now),
    )
}

pub(super) fn step(row: TransferRow, before: Option<TransferState>) -> TransferStep {
    TransferStep {
        row,
        before,
        holds: Vec::new(),
        releases: false,
        geometries: Vec::new(),
    }
}

/// The row as it is under the owner's lock.
pub(super) fn present(tx: &mut WriteTx<'_>, id: Uuid) -> Result<TransferRow, Failure> {
    Ok(tx.transfer(id)?.ok_or_else(|| super::unknown(id))?)
}

pub(super) fn own(tx: &mut WriteTx<'_>, id: RecordId) -> Result<Arc<RecordImage>, Failure> {
    let owner = tx.owner().clone();
    let image = tx.record(id)?.filter(|image| image.owner == owner);
    Ok(image.ok_or_else(|| Refusal::not_found(id))?)
}

fn handed(record: HandedRecord) -> TransferRecord {
    TransferRecord {
        record: record.id,
        domain: record.domain,
        version: record.version,
        position: record.position,
        leaf: record.leaf.as_deref().map(hexadecimal),
        proof: None,
        controller: record.controller,
        states: record
            .states
            .into_iter()
            .map(|(period, model, data)| HandedState {
                period,
                model,
                data,
            })
            .collect(),
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
