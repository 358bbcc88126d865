//! The giver's forwarding: what left leads to what the receiver has, and what stays and refers to it follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grunddata_information_model::{InformationModel, Resolved};
use grunddata_model::{Period, RecordId, State, Timeline, TransactionId};
use grunddata_store::{
    ChangeKind, Needs, Operation, RecordImage, RecordStatus, StagedWrite, StoreError, TransferRow,
    WriteTx,
};

use super::content::{TransferContent, TransferItem, Transferred};
use super::give::own;
use crate::write::Failure;
use crate::{Origin, Refusal};

/// Stages what the giver's log gets, under the giver's lock.
pub(super) fn forward(
    tx: &mut WriteTx<'_>,
    model: &InformationModel,
    row: &TransferRow,
    content: &TransferContent,
    actor: &Arc<str>,
    transaction: TransactionId,
) -> Result<(), Failure> {
    let going: BTreeMap<RecordId, RecordId> = content
        .items
        .iter()
        .map(|item| (item.record, item.to))
        .collect();
    let reason: Arc<str> = Arc::from(format!(
        "Handed over to {}{} (hand-over {}): {}",
        row.other,
        at(content.registry.as_deref()),
        row.id,
        content.reason
    ));
    // Before anything is staged: what refers is asked for as it was.
    let mut followers: BTreeSet<RecordId> = BTreeSet::new();
    for item in &content.items {
        // Where the receiver's record is not known here, the old id leads there.
        if tx.record(item.to)?.is_some() {
            followers.extend(tx.inbound(item.record)?.iter().map(|link| link.source));
        }
    }
    followers.retain(|id| !going.contains_key(id));
    for item in &content.items {
        let image = own(tx, item.record)?;
        tx.stage(leaving(
            row,
            content,
            item,
            &image,
            actor,
            &reason,
            transaction,
        )?)?;
    }
    for id in followers {
        // What is in another hand-over leaves by itself, and two that refer to each other would wait for each other. Should it
        // come back, it follows then.
        if tx.in_transfer(id).is_some_and(|other| other != row.id) {
            continue;
        }
        let image = own(tx, id)?;
        follow(tx, model, &image, &going, actor, &reason, transaction)?;
    }
    Ok(())
}

/// Has records that are not handed over after all refer to where went what was handed over meanwhile, under the giver's lock.
pub(super) fn catch_up(
    tx: &mut WriteTx<'_>,
    model: &InformationModel,
    row: &TransferRow,
    content: &TransferContent,
    actor: &Arc<str>,
    transaction: TransactionId,
) -> Result<(), Failure> {
    let mut images = Vec::with_capacity(content.items.len());
    for item in &content.items {
        images.push(own(tx, item.record)?);
    }
    let links = images.iter().flat_map(|image| image.timeline.states());
    let links = links.flat_map(|state| state.value.links());
    let targets: BTreeSet<RecordId> = links.map(|link| link.target).collect();
    tx.prefetch(&Needs {
        records: targets.iter().copied().collect(),
        ..Needs::default()
    })?;
    let mut gone = BTreeMap::new();
    for target in targets {
        let image = tx.record(target)?;
        let into = image
            .filter(|image| image.owner == row.owner && image.status == RecordStatus::Transferred)
            .and_then(|image| image.forward_to);
        // Where the receiver's record is not known here, the old id leads there.
        if let Some(into) = into
            && tx.record(into)?.is_some()
        {
            gone.insert(target, into);
        }
    }
    let reason: Arc<str> = Arc::from(format!(
        "What it refers to was handed over while it was in the hand-over {}, which is off",
        row.id
    ));
    for image in images {
        follow(tx, model, &image, &gone, actor, &reason, transaction)?;
    }
    Ok(())
}

/// Stages a record with its references led to what the receiver has, if it has any.
fn follow(
    tx: &mut WriteTx<'_>,
    model: &InformationModel,
    image: &RecordImage,
    going: &BTreeMap<RecordId, RecordId>,
    actor: &Arc<str>,
    reason: &Arc<str>,
    transaction: TransactionId,
) -> Result<(), Failure> {
    let after = repointed(model, &image.timeline, going)?;
    if after == image.timeline {
        return Ok(());
    }
    tx.stage(StagedWrite {
        id: image.id,
        domain: image.domain,
        fresh: false,
        controller: image.controller,
        origin: image.origin.clone(),
        transaction,
        operation: Operation::Follow,
        change_kind: ChangeKind::Change,
        corrects: None,
        actor: Arc::clone(actor),
        reason: Some(Arc::clone(reason)),
        source: None,
        touched: Period::ALWAYS,
        before: image.timeline.clone(),
        after,
        status: image.status,
        forward_to: None,
    })?;
    Ok(())
}

fn leaving(
    row: &TransferRow,
    content: &TransferContent,
    item: &TransferItem,
    image: &RecordImage,
    actor: &Arc<str>,
    reason: &Arc<str>,
    transaction: TransactionId,
) -> Result<StagedWrite, Failure> {
    let origin = Origin::Transferred(Transferred {
        owner: row.other.clone(),
        registry: content.registry.clone(),
        record: item.to,
        transfer: row.id,
    });
    let origin = serde_json::to_string(&origin).map_err(|_| Refusal::internal())?;
    Ok(StagedWrite {
        id: image.id,
        domain: image.domain,
        fresh: false,
        controller: image.controller,
        origin: Some(Arc::from(origin)),
        transaction,
        operation: Operation::Transfer,
        change_kind: ChangeKind::Change,
        corrects: None,
        actor: Arc::clone(actor),
        reason: Some(Arc::clone(reason)),
        source: None,
        touched: Period::ALWAYS,
        before: image.timeline.clone(),
        after: Timeline::empty(),
        status: RecordStatus::Transferred,
        forward_to: Some(item.to),
    })
}

/// Where an owner is, in a sentence.
pub(super) fn at(registry: Option<&str>) -> String {
    registry
        .map(|address| format!(" at {address}"))
        .unwrap_or_default()
}

/// The timeline with its references to what was handed over as references to what the receiver has.
pub(super) fn repointed(
    model: &InformationModel,
    timeline: &Timeline<Resolved>,
    going: &BTreeMap<RecordId, RecordId>,
) -> Result<Timeline<Resolved>, Failure> {
    let mut states = Vec::with_capacity(timeline.states().len());
    for state in timeline.states() {
        let value = &state.value;
        let refers = value
            .links()
            .iter()
            .any(|link| going.contains_key(&link.target));
        let value = if refers {
            let body = renamed(
                value.body(),
                value.links().iter().map(|link| link.target),
                going,
            );
            let domain = value.domain();
            model
                .reload(domain, value.model(), Arc::from(body))
                .map_err(|error| StoreError::Model(error.to_string().into()))?
        } else {
            value.clone()
        };
        states.push(State::new(state.period, value));
    }
    Timeline::new(states).map_err(|_| Refusal::internal().into())
}

/// The body with the ids of references renamed. An id is written in one way, and is as long as another, so that the body
/// stays in its canonical form.
pub(super) fn renamed(
    body: &str,
    targets: impl Iterator<Item = RecordId>,
    going: &BTreeMap<RecordId, RecordId>,
) -> String {
    let targets: BTreeSet<RecordId> = targets.collect();
    let mut body = body.to_owned();
    for target in targets {
        if let Some(to) = going.get(&target) {
            body = body.replace(
                &format!("{{\"id\":\"{target}\"}}"),
                &format!("{{\"id\":\"{to}\"}}"),
            );
        }
    }
    body
}
