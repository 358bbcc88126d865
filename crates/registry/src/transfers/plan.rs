//! Which records go with those that are named, and which of them cannot.
//!
//! What cannot be without a record goes with it: whatever refers to it by a relation that restricts or cascades when its
//! target ends, and by a hierarchy or to nothing else by that relation. Places and services go when nothing else of the
//! owner refers to them. No property is known by its name here: the relations of the information model say all of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use grunddata_information_model::{InformationModel, OnTargetEnd};
use grunddata_model::{Domain, Instant, RecordId};
use grunddata_store::{MarkKind, Needs, RecordImage, RecordStatus, StoreError, WriteTx};

use super::content::{NewTransfer, TransferItem, TransferLeft, TransferReferences, TransferWhy};
use super::{MOST_TRANSFERRED, is_copy};
use crate::write::Failure;
use crate::{Code, Refusal};

/// How deep places may stand in one another to be taken along.
const DEPTH: usize = 8;

/// What goes and what stays.
pub(super) struct Plan {
    pub(super) items: Vec<TransferItem>,
    pub(super) left: Vec<TransferLeft>,
    pub(super) references: TransferReferences,
}

struct Branch<'run, 'tx> {
    tx: &'run mut WriteTx<'tx>,
    model: &'run InformationModel,
    except: BTreeSet<RecordId>,
    going: BTreeMap<RecordId, Arc<RecordImage>>,
    order: Vec<RecordId>,
    left: BTreeMap<RecordId, TransferLeft>,
    queue: VecDeque<RecordId>,
}

/// What a hand-over would be, as things are now.
pub(super) fn plan(
    tx: &mut WriteTx<'_>,
    model: &InformationModel,
    new: &NewTransfer,
    now: Instant,
) -> Result<Plan, Failure> {
    let owner = tx.owner().clone();
    let mut branch = Branch {
        tx,
        model,
        except: new.except.iter().copied().collect(),
        going: BTreeMap::new(),
        order: Vec::new(),
        left: BTreeMap::new(),
        queue: VecDeque::new(),
    };
    branch.tx.prefetch(&Needs {
        records: new.records.clone(),
        ..Needs::default()
    })?;
    loop {
        for id in &new.records {
            let image = branch.tx.record(*id)?;
            let Some(image) = image.filter(|image| image.owner == owner) else {
                return Err(Refusal::not_found(*id).into());
            };
            branch.join(image)?;
        }
        if new.branch {
            branch.grow()?;
        }
        // Each round leaves one organisation more, with what is below it.
        if !branch.controllers()? {
            return branch.finish(now);
        }
        branch.going.clear();
        branch.order.clear();
        branch.queue.clear();
    }
}

/// Why a record cannot be handed over.
pub(super) fn why_not(
    tx: &mut WriteTx<'_>,
    image: &RecordImage,
    itself: Option<uuid::Uuid>,
) -> Result<Option<TransferWhy>, StoreError> {
    let in_other = tx
        .in_transfer(image.id)
        .is_some_and(|transfer| Some(transfer) != itself);
    Ok(if image.status != RecordStatus::Current {
        Some(TransferWhy::Gone)
    } else if in_other {
        Some(TransferWhy::InTransfer)
    } else if image.domain == Domain::Person {
        Some(TransferWhy::Person)
    } else if is_copy(image.origin.as_deref()) {
        Some(TransferWhy::Copy)
    } else if !tx.marked(MarkKind::Restriction, &[image.id])?.is_empty() {
        Some(TransferWhy::Restricted)
    } else if image.protection.level > 0 || image.highest > 0 {
        Some(TransferWhy::Protected)
    } else if !tx.marked(MarkKind::Hold, &[image.id])?.is_empty() {
        Some(TransferWhy::LegalHold)
    } else {
        None
    })
}

/// Those of the organisations that are responsible for records of the owner that do not go.
pub(super) fn controlling(
    tx: &mut WriteTx<'_>,
    organisations: &[RecordId],
    going: &BTreeSet<RecordId>,
) -> Result<Vec<RecordId>, StoreError> {
    let mut found = Vec::new();
    for id in organisations {
        if tx.controls_others(*id, going)? {
            found.push(*id);
        }
    }
    Ok(found)
}

impl Branch<'_, '_> {
    fn join(&mut self, image: Arc<RecordImage>) -> Result<(), Failure> {
        let id = image.id;
        if self.going.contains_key(&id) || self.left.contains_key(&id) || self.except.contains(&id)
        {
            return Ok(());
        }
        if let Some(why) = why_not(self.tx, &image, None)? {
            // What is below it stays with it.
            let domain = image.domain;
            self.left.insert(
                id,
                TransferLeft {
                    record: id,
                    domain,
                    why,
                },
            );
            return Ok(());
        }
        if self.going.len() >= MOST_TRANSFERRED {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!("More than {MOST_TRANSFERRED} records would be handed over at once: hand over what is below first, in several hand-overs."),
            )
            .into());
        }
        self.going.insert(id, image);
        self.order.push(id);
        self.queue.push_back(id);
        Ok(())
    }

    fn own(&mut self, id: RecordId) -> Result<Option<Arc<RecordImage>>, StoreError> {
        let owner = self.tx.owner().clone();
        let image = self.tx.record(id)?;
        Ok(image.filter(|image| image.owner == owner))
    }

    fn grow(&mut self) -> Result<(), Failure> {
        loop {
            while let Some(id) = self.queue.pop_front() {
                self.below(id)?;
            }
            self.alone()?;
            if self.queue.is_empty() {
                return Ok(());
            }
        }
    }

    /// What cannot be without the record.
    fn below(&mut self, id: RecordId) -> Result<(), Failure> {
        let inbound = self.tx.inbound(id)?;
        self.tx.prefetch(&Needs {
            records: inbound.iter().map(|link| link.source).collect(),
            ..Needs::default()
        })?;
        for link in inbound {
            let Some(relation) = self.model.relation(link.source_domain, &link.relation) else {
                continue;
            };
            let needs_it = matches!(
                relation.on_target_end,
                OnTargetEnd::Restrict | OnTargetEnd::Cascade
            );
            let hierarchical = relation.hierarchical;
            if !needs_it {
                continue;
            }
            let Some(image) = self.own(link.source)? else {
                continue;
            };
            let only = || {
                image
                    .timeline
                    .states()
                    .last()
                    .into_iter()
                    .flat_map(|state| state.value.links())
                    .filter(|used| used.relation == link.relation)
                    .all(|used| self.going.contains_key(&used.target))
            };
            if hierarchical || only() {
                self.join(image)?;
            }
        }
        Ok(())
    }

    /// Places and services to which nothing else of the owner refers.
    fn alone(&mut self) -> Result<(), Failure> {
        let mut candidates: BTreeSet<RecordId> = BTreeSet::new();
        for image in self.going.values() {
            let links = image
                .timeline
                .states()
                .iter()
                .flat_map(|state| state.value.links());
            candidates.extend(links.map(|link| link.target));
        }
        candidates.retain(|id| {
            !self.going.contains_key(id) && !self.left.contains_key(id) && !self.except.contains(id)
        });
        for id in candidates {
            let Some(image) = self.own(id)? else {
                continue;
            };
            if matches!(image.domain, Domain::Geography | Domain::Service)
                && self.is_alone(id, &mut BTreeSet::new(), DEPTH)?
            {
                self.join(image)?;
            }
        }
        Ok(())
    }

    fn is_alone(
        &mut self,
        id: RecordId,
        seen: &mut BTreeSet<RecordId>,
        depth: usize,
    ) -> Result<bool, StoreError> {
        if depth == 0 || !seen.insert(id) {
            return Ok(depth > 0);
        }
        for link in self.tx.inbound(id)? {
            if self.going.contains_key(&link.source) || seen.contains(&link.source) {
                continue;
            }
            let relation = self.model.relation(link.source_domain, &link.relation);
            let below = relation.is_some_and(|relation| {
                relation.hierarchical && relation.on_target_end == OnTargetEnd::Restrict
            });
            if !below || !self.is_alone(link.source, seen, depth - 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An organisation that is responsible for records that stay cannot go. Whether there is one: then what joined because of
    /// it stays as well.
    fn controllers(&mut self) -> Result<bool, Failure> {
        let going: BTreeSet<RecordId> = self.going.keys().copied().collect();
        let organisations = self.going.values();
        let organisations: Vec<RecordId> = organisations
            .filter(|image| image.domain == Domain::Organisation)
            .map(|image| image.id)
            .collect();
        let left = controlling(self.tx, &organisations, &going)?;
        for record in &left {
            let left = TransferLeft {
                record: *record,
                domain: Domain::Organisation,
                why: TransferWhy::Controller,
            };
            self.left.insert(*record, left);
        }
        Ok(!left.is_empty())
    }

    fn finish(mut self, now: Instant) -> Result<Plan, Failure> {
        let mut references = TransferReferences::default();
        let mut items = Vec::with_capacity(self.going.len());
        for id in std::mem::take(&mut self.order) {
            let Some(image) = self.going.get(&id).cloned() else {
                continue;
            };
            let targets: BTreeSet<_> = image
                .timeline
                .states()
                .iter()
                .flat_map(|state| state.value.links())
                .map(|link| (link.relation.clone(), link.target))
                .collect();
            for (_, target) in targets {
                if self.going.contains_key(&target) {
                    references.kept += 1;
                } else {
                    references.outward += 1;
                }
            }
            let from: BTreeSet<_> = self
                .tx
                .inbound(id)?
                .into_iter()
                .map(|link| (link.relation, link.source))
                .collect();
            references.following += from
                .iter()
                .filter(|(_, source)| !self.going.contains_key(source))
                .count();
            items.push(TransferItem {
                record: id,
                domain: image.domain,
                version: image.version,
                to: RecordId::mint(now),
            });
        }
        let left: Vec<TransferLeft> = self.left.into_values().collect();
        if items.is_empty() {
            let shown = serde_json::to_value(&left).map_err(|_| Refusal::internal())?;
            return Err(Refusal::new(
                Code::NothingToTransfer,
                "None of these records can be handed over: left says why of each.",
            )
            .fact("left", shown)
            .into());
        }
        Ok(Plan {
            items,
            left,
            references,
        })
    }
}
