//! The state of one batch: what was read from the database, and what the accepted jobs have staged over it.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use grunddata_information_model::InformationModel;
use grunddata_model::{Instant, OwnerKey, RecordId, SchemeCode};
use uuid::Uuid;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::loads::LoadStep;
use crate::transfers::TransferStep;
use crate::write::claims::Claim;
use crate::write::derive::Protection;
use crate::write::effective::StagedEffective;
use crate::write::inbound::Inbound;
use crate::write::staged::{RecordImage, StagedWrite, StoredOutcome};

/// A batch: one owner, one database transaction.
pub(crate) struct Batch {
    pub(crate) connection: Connection,
    pub(crate) model: InformationModel,
    pub(crate) owner: OwnerKey,
    /// Records as the database has them; `None` = there is none.
    pub(crate) stored: HashMap<RecordId, Option<Arc<RecordImage>>>,
    /// Identifiers as the database has them, of all owners.
    pub(crate) stored_claims: HashMap<(SchemeCode, String), Vec<Claim>>,
    /// Links of this owner as the database has them.
    pub(crate) stored_inbound: HashMap<RecordId, Vec<Inbound>>,
    pub(crate) stored_outcomes: HashMap<[u8; 32], Option<StoredOutcome>>,
    /// Whether the database has records of this owner that wait for an identifier.
    pub(crate) any_pending: Option<bool>,
    /// What accepted jobs have staged.
    pub(crate) layer: Layer,
    pub(crate) accepted: Vec<AcceptedJob>,
    /// The first failure of the database inside a job. The job may have turned it into its own refusal, but the batch
    /// must be repeated, not refused.
    pub(crate) failure: Option<StoreError>,
    pub(crate) hasher: RandomState,
    /// Records of this owner that are being handed over, with the hand-over.
    pub(crate) in_transfer: HashMap<RecordId, Uuid>,
}

/// One job that was accepted: its writes take consecutive positions and share the instant.
pub(crate) struct AcceptedJob {
    pub(crate) instant: Instant,
    pub(crate) writes: Vec<(StagedWrite, u32)>,
    /// How its records were protected before, those that were.
    pub(crate) protected: HashMap<RecordId, Protection>,
    /// Its records whose controller or origin it changes, as they were.
    pub(crate) former: Vec<Arc<RecordImage>>,
    pub(crate) remembered: Option<([u8; 32], StoredOutcome)>,
    /// What it does to a load.
    pub(crate) step: Option<Box<LoadStep>>,
    /// What it tells of what time itself did.
    pub(crate) told: Option<Box<StagedEffective>>,
    /// What it does to a hand-over.
    pub(crate) transfer: Option<Box<TransferStep>>,
}

impl AcceptedJob {
    /// How many entries of the log it makes.
    pub(crate) fn entries(&self) -> usize {
        let told = self.told.as_ref().map_or(0, |told| told.entries.len());
        self.writes.len() + told
    }

    /// Whether it leaves nothing behind.
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && self.remembered.is_none()
            && self.step.is_none()
            && self.told.is_none()
            && self.transfer.is_none()
    }
}

/// Staged records with the way to them from identifiers and link targets.
#[derive(Default)]
pub(crate) struct Layer {
    pub(crate) records: HashMap<RecordId, Arc<RecordImage>>,
    /// Hash of scheme and value → records staged with it (or formerly staged with it: to be confirmed at the record).
    pub(crate) identifiers: HashMap<u64, Few>,
    /// Target → records staged with a link to it.
    pub(crate) links: HashMap<RecordId, Few>,
    /// Hash of scheme and value → records staged that wait for it (to be confirmed at the record).
    pub(crate) pending: HashMap<u64, Few>,
}

/// A few ids; nearly always one.
#[derive(Debug, Clone)]
pub(crate) enum Few {
    One(RecordId),
    Many(Vec<RecordId>),
}

impl Few {
    fn add(&mut self, id: RecordId) {
        match self {
            Self::One(only) if *only == id => {}
            Self::One(only) => *self = Self::Many(vec![*only, id]),
            Self::Many(ids) => {
                if ids.last() != Some(&id) {
                    ids.push(id);
                }
            }
        }
    }

    pub(crate) fn ids(&self) -> &[RecordId] {
        match self {
            Self::One(only) => std::slice::from_ref(only),
            Self::Many(ids) => ids,
        }
    }
}

impl Layer {
    pub(crate) fn put(&mut self, hasher: &RandomState, image: Arc<RecordImage>) {
        let id = image.id;
        for state in &image.timeline {
            for used in state.value.identifiers() {
                let key = hasher.hash_one((used.scheme.as_str(), used.value.as_str()));
                self.identifiers.entry(key).or_insert(Few::One(id)).add(id);
            }
            for pending in state.value.pending() {
                let key = hasher.hash_one((pending.scheme.as_str(), pending.value.as_str()));
                self.pending.entry(key).or_insert(Few::One(id)).add(id);
            }
            for link in state.value.links() {
                self.links
                    .entry(link.target)
                    .or_insert(Few::One(id))
                    .add(id);
            }
        }
        self.records.insert(id, image);
    }

    /// Takes over what a job staged.
    pub(crate) fn absorb(&mut self, job: Layer) {
        self.records.extend(job.records);
        for (key, few) in job.identifiers {
            absorb_few(self.identifiers.entry(key), few);
        }
        for (key, few) in job.links {
            absorb_few(self.links.entry(key), few);
        }
        for (key, few) in job.pending {
            absorb_few(self.pending.entry(key), few);
        }
    }
}

fn absorb_few<K>(entry: std::collections::hash_map::Entry<'_, K, Few>, few: Few) {
    use std::collections::hash_map::Entry;
    match entry {
        Entry::Vacant(vacant) => {
            vacant.insert(few);
        }
        Entry::Occupied(mut occupied) => {
            for id in few.ids() {
                occupied.get_mut().add(*id);
            }
        }
    }
}

impl Batch {
    pub(crate) fn new(connection: Connection, model: InformationModel, owner: OwnerKey) -> Self {
        Self {
            connection,
            model,
            owner,
            stored: HashMap::new(),
            stored_claims: HashMap::new(),
            stored_inbound: HashMap::new(),
            stored_outcomes: HashMap::new(),
            any_pending: None,
            layer: Layer::default(),
            accepted: Vec::new(),
            failure: None,
            hasher: RandomState::new(),
            in_transfer: HashMap::new(),
        }
    }
}
