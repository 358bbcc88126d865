//! Erasing records: what a job asks for. What is done to the rows stands in `scrub`.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use grunddata_information_model::InformationModel;
use grunddata_model::{Period, RecordId, Timeline, TransactionId};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::marks::MarkKind;
use crate::sql::LIST;
use crate::write::inbound::Inbound;
use crate::write::scrub::identifiers;
use crate::write::staged::{ChangeKind, Operation, RecordImage, RecordStatus, StagedWrite};
use crate::write::tx::WriteTx;
use crate::write::waited::{self, Pairs, any, is_one};

/// Records whose content is to be removed from all recorded time, in one transaction.
#[derive(Debug, Clone)]
pub struct Erasure {
    /// The records, all of the job's owner. One that is erased already is left as it is.
    pub records: Vec<RecordId>,
    /// The transaction that the erasure belongs to.
    pub transaction: TransactionId,
    /// Who erases.
    pub actor: Arc<str>,
    /// The decision that it rests on. It stays in the log for good, and must not hold what is erased.
    pub reason: Arc<str>,
}

/// What became of an [`Erasure`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erased {
    /// The records with the version that is their tombstone.
    Done(Vec<(RecordId, u32)>),
    /// Nothing is staged: a legal hold, or a restriction of processing, keeps these from being erased.
    Held(Vec<RecordId>),
    /// Nothing is staged: records that are not erased with them refer to them.
    StillReferenced(Vec<(RecordId, Inbound)>),
}

impl WriteTx<'_> {
    /// Stages the erasure of records of this owner. When the batch is committed nothing is left of them but their heads,
    /// their rows in the log without anything that says what they were, and one more change, `erase`, with the decision.
    ///
    /// Records of this owner that are believed to refer to them, on whatever day, must be erased in the same call. What
    /// other owners refer to does not stop an erasure: their references lead to a tombstone from then on.
    ///
    /// Records of this owner of which some version waited for one by its identifier lose that there. Those that wait for it
    /// still get a version without the reference.
    ///
    /// # Errors
    /// [`StoreError::Staged`] for an id of which this owner has no record, or that the job has written; [`StoreError`] of the database.
    pub fn erase(&mut self, erasure: &Erasure) -> Result<Erased, StoreError> {
        let together: HashSet<RecordId> = erasure.records.iter().copied().collect();
        let mut images = Vec::with_capacity(together.len());
        let mut referenced = Vec::new();
        let mut seen = HashSet::with_capacity(together.len());
        for id in &erasure.records {
            if !seen.insert(*id) {
                continue;
            }
            let owner = self.owner().clone();
            let Some(image) = self.record(*id)?.filter(|image| image.owner == owner) else {
                return Err(StoreError::Staged {
                    record: *id,
                    problem: "the owner has no such record to erase".to_owned(),
                });
            };
            if image.status == RecordStatus::Erased {
                continue;
            }
            if self.staged().any(|write| write.id == *id) {
                return Err(StoreError::Staged {
                    record: *id,
                    problem: "a job that writes a record cannot erase it as well".to_owned(),
                });
            }
            for inbound in self.inbound(*id)? {
                if !together.contains(&inbound.source) {
                    referenced.push((*id, inbound));
                }
            }
            images.push(image);
        }
        let ids: Vec<RecordId> = images.iter().map(|image| image.id).collect();
        let now = images
            .iter()
            .flat_map(|image| image.timeline.states())
            .flat_map(|state| state.value.identifiers())
            .map(|used| (used.scheme.as_str().to_owned(), used.value.clone()))
            .collect::<Pairs>();
        let (waiters, pairs) = self.waiters(&ids, &now)?;
        let concerned = [ids.as_slice(), waiters.as_slice()].concat();
        let mut held = self.marked(MarkKind::Hold, &concerned)?;
        held.extend(self.marked(MarkKind::Restriction, &concerned)?);
        held.sort_unstable();
        held.dedup();
        if !held.is_empty() {
            return Ok(Erased::Held(held));
        }
        if !referenced.is_empty() {
            return Ok(Erased::StillReferenced(referenced));
        }
        for id in waiters {
            if let Some(image) = self.record(id)? {
                self.stage_without(erasure, &image, &pairs)?;
            }
        }
        let mut done = Vec::with_capacity(images.len());
        for image in images {
            let version = self.stage(StagedWrite {
                id: image.id,
                domain: image.domain,
                fresh: false,
                // Who may be told that it is erased depends on it.
                controller: image.controller,
                origin: None,
                transaction: erasure.transaction,
                operation: Operation::Erase,
                change_kind: ChangeKind::Change,
                corrects: None,
                actor: Arc::clone(&erasure.actor),
                reason: Some(Arc::clone(&erasure.reason)),
                source: None,
                touched: Period::ALWAYS,
                before: image.timeline.clone(),
                after: Timeline::empty(),
                status: RecordStatus::Erased,
                forward_to: None,
            })?;
            done.push((image.id, version));
        }
        Ok(Erased::Done(done))
    }

    /// The other records of this owner of which some version waits for one of these by an identifier, and the identifiers.
    fn waiters(
        &mut self,
        ids: &[RecordId],
        now: &Pairs,
    ) -> Result<(Vec<RecordId>, Pairs), StoreError> {
        let batch = &mut *self.batch;
        let (owner, model) = (batch.owner.clone(), batch.model.clone());
        let found = waiters(&mut batch.connection, &model, owner.as_str(), ids, now);
        self.noted(found)
    }

    /// Stages a version of a record without what it waits for.
    fn stage_without(
        &mut self,
        erasure: &Erasure,
        image: &RecordImage,
        pairs: &Pairs,
    ) -> Result<(), StoreError> {
        let mut after = image.timeline.clone();
        let mut touched: Option<Period> = None;
        for state in image.timeline.states() {
            let without = state
                .value
                .without_pending(&mut |pending| is_one(pairs, pending));
            let Some(value) = without else {
                continue;
            };
            after = after
                .amend(state.period, |_| Ok::<_, Infallible>(value.clone()))
                .map_err(|_| StoreError::Staged {
                    record: image.id,
                    problem: "what waits in it cannot be taken out".to_owned(),
                })?;
            let from = touched.map_or(state.period.from(), |touched| touched.from());
            touched = Period::new(from, state.period.to()).ok();
        }
        let Some(touched) = touched else {
            return Ok(());
        };
        self.stage(StagedWrite {
            id: image.id,
            domain: image.domain,
            fresh: false,
            controller: image.controller,
            origin: image.origin.clone(),
            transaction: erasure.transaction,
            operation: Operation::Amend,
            change_kind: ChangeKind::Change,
            corrects: None,
            actor: Arc::clone(&erasure.actor),
            reason: Some(Arc::clone(&erasure.reason)),
            source: None,
            touched,
            before: image.timeline.clone(),
            after,
            status: image.status,
            forward_to: image.forward_to,
        })
        .map(drop)
    }
}

fn waiters(
    connection: &mut Connection,
    model: &InformationModel,
    owner: &str,
    ids: &[RecordId],
    now: &Pairs,
) -> Result<(Vec<RecordId>, Pairs), StoreError> {
    if !any(connection, owner)? {
        return Ok(<(Vec<RecordId>, Pairs)>::default());
    }
    let mut pairs = Pairs::new();
    for chunk in ids.chunks(LIST) {
        pairs.extend(identifiers(connection, model, owner, chunk)?);
    }
    let pairs = waited::only_theirs(connection, owner, &pairs, now, ids)?;
    let mut found = waited::waiters(connection, owner, &pairs)?;
    found.retain(|id| !ids.contains(id));
    Ok((found.into_iter().collect(), pairs))
}
