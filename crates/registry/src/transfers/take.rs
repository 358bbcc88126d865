//! The receiver's steps: what another registry offers, and the records as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grunddata_information_model::ModelError;
use grunddata_model::{OwnerKey, Period, RecordId, State, Timeline, TransactionId};
use grunddata_store::{
    ChangeKind, Needs, Operation, RecordStatus, StagedWrite, TransferKind, TransferRow,
    TransferSide, TransferState, TransferStep, WriteTx,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::content::{
    Received, RemoteOffer, Transfer, TransferContent, TransferItem, TransferPage, TransferRecord,
};
use super::forward::{at, renamed};
use super::give::{hexadecimal, present, step};
use super::{MOST_TRANSFERRED, must_administer, wrong_state};
use crate::registry::{refuse_store, refuse_write};
use crate::write::{Failure, Job, receive};
use crate::{Code, Context, Origin, Refusal, Registry};

/// Everything that one reception stages.
pub(super) struct Reception {
    row: TransferRow,
    before: Option<TransferState>,
    writes: Vec<StagedWrite>,
    geometries: Vec<(String, String)>,
    job: Job,
}

/// A record that comes cannot be read.
pub(super) fn unreadable(record: RecordId, error: ModelError) -> Refusal {
    match error {
        ModelError::UnknownVersion(name) => Refusal::new(
            Code::UnknownModel,
            format!(
                "The record {record} is of the model {name}, which this registry does not have: install the package and start again; then it goes on."
            ),
        ),
        other => Refusal::new(
            Code::OtherRegistry,
            format!("The record {record} cannot be read: {other}."),
        ),
    }
}

impl Registry {
    /// Notes an offer of another registry, so that whoever administers the receiver can look at it. Can be asked for again:
    /// while it is not accepted it is read anew.
    ///
    /// # Errors
    /// [`Code::Forbidden`]; [`Code::InvalidParameter`] when the offer is for another owner or says what cannot be;
    /// [`Code::UnknownOwner`].
    pub fn note_transfer(
        &self,
        context: &Context,
        owner: &OwnerKey,
        remote: RemoteOffer,
    ) -> Result<Transfer, Refusal> {
        let RemoteOffer {
            registry,
            token_file,
            log_keys,
            offer,
        } = remote;
        let id = offer.id;
        context.disclosed.acted(
            [owner.clone()],
            json!({"transfer": id, "giver": offer.giver, "registry": registry}),
        );
        must_administer(context, owner)?;
        let wrong = |what: String| Err(Refusal::new(Code::InvalidParameter, what));
        if offer.receiver != *owner {
            return wrong(format!("The offer is for {}.", offer.receiver));
        }
        let ids: BTreeSet<RecordId> = offer.content.items.iter().map(|item| item.to).collect();
        if ids.len() != offer.content.items.len() || ids.len() > MOST_TRANSFERRED {
            return wrong("The offer names too many records, or one twice.".to_owned());
        }
        let open = offer.state_of("giver") == Some(TransferState::Offered.as_str());
        let content = TransferContent {
            registry: Some(registry),
            client: None,
            client_id: None,
            token_file,
            log_keys,
            head: None,
            controller: None,
            ended: None,
            ..offer.content
        };
        let row = TransferRow {
            owner: owner.clone(),
            id,
            kind: TransferKind::Records,
            side: TransferSide::Receiver,
            state: TransferState::Offered,
            other: offer.giver,
            content: content.written()?,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            changed_at: context.now,
        };
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            match tx.transfer(id)? {
                None if open => tx.hand_over(step(row.clone(), None)),
                None => {
                    return Err(Refusal::new(
                        Code::TransferState,
                        "The giver does not offer it any more.",
                    )
                    .into());
                }
                Some(known) if known.state == TransferState::Offered && open => {
                    let row = TransferRow {
                        created_at: known.created_at,
                        created_by: known.created_by,
                        ..row.clone()
                    };
                    tx.hand_over(step(row, Some(TransferState::Offered)));
                }
                Some(_) => {}
            }
            Ok(())
        };
        self.inner
            .store
            .write_blocking(owner, Needs::default(), job)
            .map_err(refuse_write)?;
        self.transfer(context, id)
    }

    /// Notes that the giver holds the records, with the versions that it holds. Can be asked for again.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`], [`Code::TransferState`]; [`Code::NotFound`] for a controller that the
    /// receiver does not have.
    pub fn note_held(
        &self,
        context: &Context,
        id: Uuid,
        items: Vec<TransferItem>,
        controller: Option<RecordId>,
    ) -> Result<Transfer, Refusal> {
        let (row, _) = self.transfer_side(context, id, TransferSide::Receiver)?;
        must_administer(context, &row.owner)?;
        self.check_new_controller(&row.owner, controller)?;
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            let row = present(tx, id)?;
            match row.state {
                TransferState::Offered => {}
                TransferState::Accepted | TransferState::Received | TransferState::Done => {
                    return Ok(());
                }
                other => return Err(wrong_state(other, "ask for another one").into()),
            }
            let mut content = TransferContent::read(&row)?;
            let same = |one: &TransferItem, other: &TransferItem| {
                one.record == other.record && one.to == other.to && one.domain == other.domain
            };
            let agrees = content.items.len() == items.len()
                && content.items.iter().zip(&items).all(|(a, b)| same(a, b));
            if !agrees {
                return Err(Refusal::new(
                    Code::OtherRegistry,
                    "The giver holds other records than it has offered: nothing is received.",
                )
                .into());
            }
            content.items.clone_from(&items);
            content.controller = controller;
            let row = TransferRow {
                state: TransferState::Accepted,
                content: content.written()?,
                ..row
            };
            tx.hand_over(step(row, Some(TransferState::Offered)));
            Ok(())
        };
        self.inner
            .store
            .write_blocking(&row.owner, Needs::default(), job)
            .map_err(refuse_write)?;
        self.transfer(context, id)
    }

    pub(super) fn check_new_controller(
        &self,
        owner: &OwnerKey,
        controller: Option<RecordId>,
    ) -> Result<(), Refusal> {
        let Some(id) = controller else {
            return Ok(());
        };
        let whose = self
            .inner
            .store
            .read(|reader| reader.record_owner(id))
            .map_err(refuse_store)?;
        if whose.as_ref() == Some(owner) {
            Ok(())
        } else {
            Err(Refusal::not_found(id).fact(crate::fact::PARAMETER, "controller"))
        }
    }

    /// Stores the records that another registry has handed over, all of them. Can be asked for again.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`], [`Code::TransferState`]; [`Code::OtherRegistry`] when what came is not
    /// what was held; [`Code::UnknownModel`]; [`Code::IdentifierInUse`] and [`Code::HierarchyCycle`], all of them at once.
    pub fn receive_transfer(
        &self,
        context: &Context,
        id: Uuid,
        page: TransferPage,
    ) -> Result<Transfer, Refusal> {
        let (row, content) = self.transfer_side(context, id, TransferSide::Receiver)?;
        must_administer(context, &row.owner)?;
        if row.state == TransferState::Accepted {
            let before = Some(TransferState::Accepted);
            self.receive_records(context, row, content, before, page)?;
        } else if !matches!(row.state, TransferState::Received | TransferState::Done) {
            return Err(wrong_state(row.state, "it is not accepted"));
        }
        self.transfer(context, id)
    }

    /// Tries whether the records could be received: nothing is stored.
    ///
    /// # Errors
    /// As [`receive_transfer`](Self::receive_transfer).
    pub fn try_transfer(
        &self,
        context: &Context,
        id: Uuid,
        page: TransferPage,
    ) -> Result<(), Refusal> {
        let (row, content) = self.transfer_side(context, id, TransferSide::Receiver)?;
        must_administer(context, &row.owner)?;
        let reception = self.reception(context, row, content, None, page)?;
        self.rehearse_reception(&reception)
    }

    pub(super) fn rehearse_reception(&self, reception: &Reception) -> Result<(), Refusal> {
        let failed = |failure| refuse_write(grunddata_store::WriteError::Refused(failure));
        let store = &self.inner.store;
        let mut rehearsal = store.rehearse(&reception.row.owner).map_err(refuse_store)?;
        rehearsal
            .run(&Needs::default(), |tx| {
                receive(&reception.job, tx, reception.writes.clone())
            })
            .map_err(failed)
    }

    pub(super) fn receive_records(
        &self,
        context: &Context,
        row: TransferRow,
        content: TransferContent,
        before: Option<TransferState>,
        page: TransferPage,
    ) -> Result<(), Refusal> {
        let reception = self.reception(context, row, content, before, page)?;
        let owner = reception.row.owner.clone();
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            let known = tx.transfer(reception.row.id)?.map(|row| row.state);
            match (known, reception.before) {
                (Some(TransferState::Received | TransferState::Done), _) => return Ok(()),
                (Some(known), before) if Some(known) != before => {
                    return Err(wrong_state(known, "it is not accepted").into());
                }
                _ => {}
            }
            tx.hand_over(TransferStep {
                geometries: reception.geometries.clone(),
                ..step(reception.row.clone(), reception.before)
            });
            receive(&reception.job, tx, reception.writes.clone())
        };
        self.inner
            .store
            .write_blocking(&owner, Needs::default(), job)
            .map_err(refuse_write)
    }

    /// What comes, as first versions of the receiver's.
    pub(super) fn reception(
        &self,
        context: &Context,
        row: TransferRow,
        content: TransferContent,
        before: Option<TransferState>,
        page: TransferPage,
    ) -> Result<Reception, Refusal> {
        let rights = self.rights(context)?;
        let transaction = TransactionId::mint(context.now);
        let job = Job {
            context: self.job_context(context, row.owner.clone(), rights),
            transaction,
            commands: Vec::new(),
            temporary: BTreeMap::new(),
            idempotency: None,
            numbered: false,
        };
        let going: BTreeMap<RecordId, RecordId> = content
            .items
            .iter()
            .map(|item| (item.record, item.to))
            .collect();
        for (hash, body) in &page.geometries {
            let computed = hexadecimal(&Sha256::digest(body.as_bytes()));
            if computed != *hash {
                return Err(Refusal::new(
                    Code::OtherRegistry,
                    "A geometry came with another hash: nothing is received.",
                ));
            }
        }
        let mut came: BTreeMap<RecordId, TransferRecord> = page
            .records
            .into_iter()
            .map(|record| (record.record, record))
            .collect();
        let mut writes = Vec::with_capacity(content.items.len());
        for item in &content.items {
            let record = came
                .remove(&item.record)
                .filter(|record| before.is_none() || record.version == item.version)
                .filter(|record| record.domain == item.domain && !record.states.is_empty())
                .ok_or_else(|| {
                    Refusal::new(
                        Code::OtherRegistry,
                        format!(
                            "The record {} did not come as it was held: nothing is received.",
                            item.record
                        ),
                    )
                })?;
            context.disclosed.about(&row.owner, item.to);
            writes.push(self.coming(
                &row,
                &content,
                item,
                &record,
                &going,
                (&job.context.actor, transaction),
            )?);
        }
        let content = TransferContent {
            head: page.head,
            ..content
        };
        let row = TransferRow {
            state: TransferState::Received,
            content: content.written()?,
            ..row
        };
        Ok(Reception {
            row,
            before,
            writes,
            geometries: page.geometries,
            job,
        })
    }

    fn coming(
        &self,
        row: &TransferRow,
        content: &TransferContent,
        item: &TransferItem,
        record: &TransferRecord,
        going: &BTreeMap<RecordId, RecordId>,
        (actor, transaction): (&Arc<str>, TransactionId),
    ) -> Result<StagedWrite, Refusal> {
        let model = &self.inner.model;
        let refused = |error| unreadable(item.record, error);
        let mut states = Vec::with_capacity(record.states.len());
        for state in &record.states {
            let load = |body: &str| model.reload(item.domain, &state.model, Arc::from(body));
            let there = load(&state.data).map_err(refused)?;
            let targets = there.links().iter().map(|link| link.target);
            let here = load(&renamed(&state.data, targets, going)).map_err(refused)?;
            if here.protection() > 0 {
                return Err(Refusal::new(
                    Code::OtherRegistry,
                    format!(
                        "The record {} tells of somebody who is protected: it is not received.",
                        item.record
                    ),
                ));
            }
            states.push(State::new(state.period, here));
        }
        let after = Timeline::new(states).map_err(|error| {
            Refusal::new(
                Code::OtherRegistry,
                format!(
                    "The states of {} contradict each other: {error}.",
                    item.record
                ),
            )
        })?;
        let received = Received {
            owner: row.other.clone(),
            registry: content.registry.clone(),
            record: item.record,
            version: record.version,
            position: record.position,
            leaf: record.leaf.clone(),
            transfer: row.id,
        };
        let reason = format!(
            "Handed over by {}{} (hand-over {}), there {} version {} at position {}{}: {}",
            row.other,
            at(content.registry.as_deref()),
            row.id,
            item.record,
            record.version,
            record.position,
            record
                .leaf
                .as_deref()
                .map(|leaf| format!(", leaf {leaf}"))
                .unwrap_or_default(),
            content.reason
        );
        let origin =
            serde_json::to_string(&Origin::Received(received)).map_err(|_| Refusal::internal())?;
        // A controller that goes along stays it; any other is the giver's own.
        let controller = record
            .controller
            .and_then(|id| going.get(&id).copied())
            .or(content.controller);
        Ok(StagedWrite {
            id: item.to,
            domain: item.domain,
            fresh: false,
            controller,
            origin: Some(Arc::from(origin)),
            transaction,
            operation: Operation::Receive,
            change_kind: ChangeKind::Change,
            corrects: None,
            actor: Arc::clone(actor),
            reason: Some(Arc::from(reason)),
            source: None,
            touched: Period::ALWAYS,
            before: Timeline::empty(),
            after,
            status: RecordStatus::Current,
            forward_to: None,
        })
    }

    /// Notes that the giver's records lead here: the hand-over is done. Can be asked for again.
    ///
    /// # Errors
    /// [`Code::UnknownTransfer`], [`Code::Forbidden`], [`Code::TransferState`].
    pub fn finish_transfer(&self, context: &Context, id: Uuid) -> Result<Transfer, Refusal> {
        let (row, _) = self.transfer_side(context, id, TransferSide::Receiver)?;
        must_administer(context, &row.owner)?;
        let job = move |tx: &mut WriteTx<'_>| -> Result<(), Failure> {
            let row = present(tx, id)?;
            match row.state {
                TransferState::Received => {}
                TransferState::Done => return Ok(()),
                other => return Err(wrong_state(other, "its records have not come").into()),
            }
            let row = TransferRow {
                state: TransferState::Done,
                ..row
            };
            tx.hand_over(step(row, Some(TransferState::Received)));
            Ok(())
        };
        self.inner
            .store
            .write_blocking(&row.owner, Needs::default(), job)
            .map_err(refuse_write)?;
        self.transfer(context, id)
    }
}
