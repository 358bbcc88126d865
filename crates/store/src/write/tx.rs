//! The transaction of one job, in memory: reads go through to the database once per batch, writes are staged. A job that
//! refuses leaves nothing behind; a job that is accepted becomes visible to the next one of the batch.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use diesel::sql_types::Text;
use grunddata_information_model::Resolved;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId, SchemeCode, Timeline};

use crate::error::StoreError;
use crate::loads::LoadStep;
use crate::marks::{MarkKind, marked};
use crate::sql::{LIST, Sql};
use crate::transfers::TransferStep;
use crate::write::claims::Claim;
use crate::write::derive::{Protection, identifiers_of, links_of, protection};
use crate::write::effective::StagedEffective;
use crate::write::inbound::Inbound;
use crate::write::load::{instant_of_version, timeline_at};
use crate::write::overlay::{AcceptedJob, Batch, Few, Layer};
use crate::write::pending::pending_of;
use crate::write::staged::{Needs, RecordImage, StagedWrite, StoredOutcome};

/// How long an idempotency key is remembered.
pub(crate) const REMEMBERED: i64 = 24 * 3600 * 1_000_000;

/// The transaction of one job.
pub struct WriteTx<'a> {
    pub(crate) batch: &'a mut Batch,
    now: Instant,
    layer: Layer,
    pub(super) writes: Vec<(StagedWrite, u32)>,
    places: HashMap<RecordId, usize>,
    /// Records as they were before this job.
    originals: HashMap<RecordId, Arc<RecordImage>>,
    remembered: Option<([u8; 32], StoredOutcome)>,
    /// What it does to a load.
    pub(crate) step: Option<Box<LoadStep>>,
    /// What it tells of what time itself did.
    pub(super) told: Option<Box<StagedEffective>>,
    /// What it does to a hand-over.
    pub(crate) transfer: Option<Box<TransferStep>>,
}

impl<'a> WriteTx<'a> {
    pub(crate) fn new(batch: &'a mut Batch, now: Instant) -> Self {
        Self {
            batch,
            now,
            layer: Layer::default(),
            writes: Vec::new(),
            places: HashMap::new(),
            originals: HashMap::new(),
            remembered: None,
            step: None,
            told: None,
            transfer: None,
        }
    }

    /// Takes the job's work into the batch.
    pub(crate) fn accept(self) {
        let batch = &mut *self.batch;
        batch.layer.absorb(self.layer);
        if let Some((key, outcome)) = &self.remembered {
            batch.stored_outcomes.insert(*key, Some(outcome.clone()));
        }
        if let Some(step) = &self.transfer {
            step.note_in(&mut batch.in_transfer);
        }
        let former = self.writes.iter().filter_map(|(write, _)| {
            let original = self.originals.get(&write.id)?;
            let same = write.controller == original.controller && write.origin == original.origin;
            (!same).then(|| Arc::clone(original))
        });
        let former = former.collect();
        let originals = self.originals.into_iter();
        batch.accepted.push(AcceptedJob {
            instant: self.now,
            writes: self.writes,
            former,
            protected: originals
                .filter(|(_, image)| image.protection.level > 0)
                .map(|(id, image)| (id, image.protection))
                .collect(),
            remembered: self.remembered,
            step: self.step,
            told: self.told,
            transfer: self.transfer,
        });
    }

    /// Notes a failure of the database: the batch is repeated, whatever the job makes of it.
    pub(crate) fn noted<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.batch.failure.get_or_insert_with(|| error.clone());
        }
        result
    }
}

impl WriteTx<'_> {
    /// The owner whose records are written.
    #[must_use]
    pub fn owner(&self) -> &OwnerKey {
        &self.batch.owner
    }

    /// The recorded time that this job gets when it is accepted: after every earlier one of the owner.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Reads what will be asked for, in few statements.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn prefetch(&mut self, needs: &Needs) -> Result<(), StoreError> {
        let since = remembered_since(self.now);
        let batch = &mut *self.batch;
        let result = batch
            .load_records(&needs.records)
            .and_then(|()| batch.load_claims(&needs.identifiers))
            .and_then(|()| batch.load_inbound(&needs.inbound))
            .and_then(|()| batch.load_outcomes(needs.idempotency.as_slice(), since));
        self.noted(result)
    }

    /// A record as believed now, of any owner, with what is staged; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn record(&mut self, id: RecordId) -> Result<Option<Arc<RecordImage>>, StoreError> {
        if let Some(staged) = self.layer.records.get(&id) {
            return Ok(Some(Arc::clone(staged)));
        }
        let batch = &mut *self.batch;
        if let Some(staged) = batch.layer.records.get(&id) {
            return Ok(Some(Arc::clone(staged)));
        }
        if let Some(stored) = batch.stored.get(&id) {
            return Ok(stored.clone());
        }
        let result = batch.load_records(&[id]);
        self.noted(result)?;
        Ok(self.batch.stored.get(&id).cloned().flatten())
    }

    /// The timeline of a record of this owner at an earlier version; `None` when there is no such version.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn record_at_version(
        &mut self,
        id: RecordId,
        version: u32,
    ) -> Result<Option<Timeline<Resolved>>, StoreError> {
        if let Some(image) = self.record(id)?
            && image.version == version
        {
            return Ok(Some(image.timeline.clone()));
        }
        let batch = &mut *self.batch;
        // A version that an earlier job of this batch made is not in the database yet.
        let staged = batch
            .accepted
            .iter()
            .flat_map(|job| &job.writes)
            .chain(&self.writes);
        let staged = staged
            .filter(|(write, made)| write.id == id && *made == version)
            .map(|(write, _)| write.after.clone())
            .next();
        if staged.is_some() {
            return Ok(staged);
        }
        let owner = batch.owner.clone();
        let result = instant_of_version(&mut batch.connection, &owner, id, version);
        let Some(instant) = self.noted(result)? else {
            return Ok(None);
        };
        let batch = &mut *self.batch;
        let result = timeline_at(&mut batch.connection, &batch.model, &owner, id, instant);
        self.noted(result).map(Some)
    }

    /// Who of this owner holds an identifier, as believed now and staged.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn claims(&mut self, scheme: &SchemeCode, value: &str) -> Result<Vec<Claim>, StoreError> {
        let owner = self.batch.owner.clone();
        let mut claims = self.claims_anywhere(scheme, value)?;
        claims.retain(|claim| claim.owner == owner);
        Ok(claims)
    }

    /// Who of any owner holds an identifier, as believed now and (for this owner) staged.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn claims_anywhere(
        &mut self,
        scheme: &SchemeCode,
        value: &str,
    ) -> Result<Vec<Claim>, StoreError> {
        use std::hash::BuildHasher as _;
        let pair = (scheme.clone(), value.to_owned());
        let batch = &mut *self.batch;
        if !batch.stored_claims.contains_key(&pair) {
            let result = batch.load_claims(std::slice::from_ref(&pair));
            self.noted(result)?;
        }
        let batch = &mut *self.batch;
        let staged = |id: &RecordId| {
            self.layer
                .records
                .get(id)
                .or_else(|| batch.layer.records.get(id))
        };
        let mut claims: Vec<Claim> = batch
            .stored_claims
            .get(&pair)
            .into_iter()
            .flatten()
            .filter(|claim| staged(&claim.record).is_none())
            .cloned()
            .collect();
        let key = batch.hasher.hash_one((scheme.as_str(), value));
        let layers = [
            batch.layer.identifiers.get(&key),
            self.layer.identifiers.get(&key),
        ];
        let mut holders: Vec<RecordId> = layers
            .into_iter()
            .flatten()
            .flat_map(|few| few.ids())
            .copied()
            .collect();
        holders.sort_unstable();
        holders.dedup();
        for image in holders.iter().filter_map(staged) {
            for (held, period) in identifiers_of(&image.timeline) {
                if held.scheme == scheme.as_str() && held.value == value {
                    claims.push(Claim {
                        owner: image.owner.clone(),
                        record: image.id,
                        period,
                        status: held.status.to_owned(),
                        issuer: Some(held.issuer.to_owned()).filter(|issuer| !issuer.is_empty()),
                    });
                }
            }
        }
        Ok(claims)
    }

    /// Which records of this owner refer to a record, as believed now and staged.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn inbound(&mut self, target: RecordId) -> Result<Vec<Inbound>, StoreError> {
        let batch = &mut *self.batch;
        if !batch.stored_inbound.contains_key(&target) {
            let result = batch.load_inbound(&[target]);
            self.noted(result)?;
        }
        let batch = &mut *self.batch;
        let staged = |id: &RecordId| {
            self.layer
                .records
                .get(id)
                .or_else(|| batch.layer.records.get(id))
        };
        let mut inbound: Vec<Inbound> = batch
            .stored_inbound
            .get(&target)
            .into_iter()
            .flatten()
            .filter(|link| staged(&link.source).is_none())
            .cloned()
            .collect();
        let layers = [
            batch.layer.links.get(&target),
            self.layer.links.get(&target),
        ];
        let mut sources: Vec<RecordId> = layers
            .into_iter()
            .flatten()
            .flat_map(|few| few.ids())
            .copied()
            .collect();
        sources.sort_unstable();
        sources.dedup();
        for image in sources.iter().filter_map(staged) {
            for (link, period) in links_of(&image.timeline) {
                if link.target == target {
                    inbound.push(Inbound {
                        source: image.id,
                        source_domain: image.domain,
                        relation: Arc::from(link.relation),
                        period,
                    });
                }
            }
        }
        Ok(inbound)
    }

    /// Which staged records wait for one of the identifiers.
    pub(super) fn staged_waiting(
        &self,
        identifiers: &BTreeSet<(SchemeCode, String)>,
    ) -> Vec<(RecordId, Domain)> {
        use std::hash::BuildHasher as _;
        let layers = [&self.layer, &self.batch.layer];
        if layers.iter().all(|layer| layer.pending.is_empty()) {
            return Vec::new();
        }
        let mut waiting = Vec::new();
        for (scheme, value) in identifiers {
            let key = self
                .batch
                .hasher
                .hash_one((scheme.as_str(), value.as_str()));
            let ids = layers.iter().filter_map(|layer| layer.pending.get(&key));
            for id in ids.flat_map(Few::ids) {
                let staged = self.layer.records.get(id);
                let image = staged.or_else(|| self.batch.layer.records.get(id));
                let pair = (scheme.as_str(), value.as_str());
                if let Some(image) = image
                    && pending_of(&image.timeline).contains(&pair)
                {
                    waiting.push((image.id, image.domain));
                }
            }
        }
        waiting
    }

    /// Stages a write of a record of this owner; the version that it makes. The same record twice in one job makes one
    /// version: the first `before`, the last `after` and the last of everything else.
    ///
    /// # Errors
    /// [`StoreError::IdTaken`] when another owner has the id, [`StoreError::Staged`] when `before` is not what is
    /// believed now, or the domain or the job's transaction is another; [`StoreError`] of the database.
    pub fn stage(&mut self, mut write: StagedWrite) -> Result<u32, StoreError> {
        let current = if write.fresh && !self.places.contains_key(&write.id) {
            None
        } else {
            self.record(write.id)?
        };
        let owner = self.batch.owner.clone();
        let refused = |problem: &str| StoreError::Staged {
            record: write.id,
            problem: problem.to_owned(),
        };
        let known = match &current {
            Some(image) if image.owner != owner => return Err(StoreError::IdTaken(write.id)),
            Some(image) if image.domain != write.domain => {
                return Err(refused("the record belongs to another domain"));
            }
            Some(image) => (image.timeline == write.before, image.version),
            None => (write.before.is_empty(), 0),
        };
        if !known.0 {
            return Err(refused("`before` is not what is believed now"));
        }
        let handed_over = self.batch.in_transfer.get(&write.id).copied();
        if handed_over.is_some() && handed_over != self.transfer.as_deref().map(|step| step.row.id)
        {
            return Err(StoreError::InTransfer(write.id));
        }
        // One job is one transaction: its changes share the instant, and the feed carries them under one id.
        if self
            .writes
            .first()
            .is_some_and(|(first, _)| first.transaction != write.transaction)
        {
            return Err(refused("the job belongs to another transaction"));
        }
        let place = self.places.get(&write.id).copied();
        let version = if place.is_some() {
            known.1
        } else {
            known.1 + 1
        };
        let image = RecordImage {
            id: write.id,
            domain: write.domain,
            owner,
            controller: write.controller,
            origin: write.origin.clone(),
            version,
            status: write.status,
            forward_to: write.forward_to,
            // What a write takes back is known when the batch is written: until then it holds.
            protection: current
                .as_ref()
                .map_or(Protection::NONE, |image| image.protection)
                .and(protection(&write.after)),
            highest: current
                .as_ref()
                .map_or(0, |image| image.highest)
                .max(protection(&write.after).level),
            timeline: write.after.clone(),
        };
        self.layer.put(&self.batch.hasher, Arc::new(image));
        match place.and_then(|place| self.writes.get_mut(place)) {
            Some((first, _)) => {
                std::mem::swap(&mut write.before, &mut first.before);
                write.fresh = first.fresh;
                if first.operation == crate::Operation::Create {
                    write.operation = first.operation;
                }
                *first = write;
            }
            None => {
                self.places.insert(write.id, self.writes.len());
                self.originals
                    .extend(current.map(|original| (write.id, original)));
                self.writes.push((write, version));
            }
        }
        Ok(version)
    }

    /// Takes back the writes that leave their record as it was before the job: they make no version. Which these are.
    pub fn drop_unchanged(&mut self) -> Vec<RecordId> {
        let (layer, originals) = (&mut self.layer, &self.originals);
        let mut dropped = Vec::new();
        self.writes.retain(|(write, _)| {
            let Some(original) = originals.get(&write.id) else {
                return true;
            };
            let unchanged = write.after == original.timeline
                && write.status == original.status
                && write.controller == original.controller
                && write.origin == original.origin
                && write.forward_to == original.forward_to;
            if unchanged {
                layer.records.insert(write.id, Arc::clone(original));
                dropped.push(write.id);
            }
            !unchanged
        });
        if !dropped.is_empty() {
            self.places = (0..)
                .zip(&self.writes)
                .map(|(place, (write, _))| (write.id, place))
                .collect();
        }
        dropped
    }

    /// Which of the geometries (SHA-256 in hexadecimal) the owner has neither stored nor staged.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn unknown_geometries(&mut self, hashes: &[&str]) -> Result<Vec<String>, StoreError> {
        let batch = &mut *self.batch;
        let staged: HashSet<&str> = batch
            .accepted
            .iter()
            .flat_map(|job| &job.writes)
            .chain(&self.writes)
            .flat_map(|(write, _)| write.after.states())
            .flat_map(|state| state.value.geometries())
            .map(|(hash, _)| hash.as_str())
            .collect();
        let mut unknown: Vec<String> = hashes
            .iter()
            .filter(|hash| !staged.contains(**hash))
            .map(|hash| (*hash).to_owned())
            .collect();
        let mut stored: HashSet<String> = HashSet::new();
        let owner = batch.owner.clone();
        for chunk in unknown.chunks(LIST) {
            let mut sql = Sql::<(Text,)>::new("SELECT g.hash FROM geometry g WHERE g.owner = ");
            sql.text(owner.as_str())
                .push(" AND g.hash IN ")
                .texts(chunk.iter().map(String::as_str));
            let result = batch.connection.load::<_, (String,)>(&sql);
            match result {
                Ok(rows) => stored.extend(rows.into_iter().map(|(hash,)| hash)),
                Err(error) => {
                    batch.failure.get_or_insert_with(|| error.clone());
                    return Err(error);
                }
            }
        }
        unknown.retain(|hash| !stored.contains(hash));
        Ok(unknown)
    }

    /// What this job has staged so far, for the checks at its end.
    pub fn staged(&self) -> impl Iterator<Item = &StagedWrite> {
        self.writes.iter().map(|(write, _)| write)
    }

    /// What is remembered under an idempotency key of the last 24 hours.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn idempotent(&mut self, key: &[u8; 32]) -> Result<Option<StoredOutcome>, StoreError> {
        let since = remembered_since(self.now);
        let result = self.batch.load_outcomes(&[*key], since);
        self.noted(result)?;
        Ok(self.batch.stored_outcomes.get(key).cloned().flatten())
    }

    /// Which of the records of this owner have a mark of the kind that has not been lifted.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn marked(
        &mut self,
        kind: MarkKind,
        ids: &[RecordId],
    ) -> Result<Vec<RecordId>, StoreError> {
        let batch = &mut *self.batch;
        let result = marked(&mut batch.connection, batch.owner.as_str(), kind, ids);
        self.noted(result)
    }

    /// Whether some record of this owner has the organisation as its controller, staged ones included.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn is_controller(&mut self, organisation: RecordId) -> Result<bool, StoreError> {
        let staged = [&self.layer, &self.batch.layer];
        if staged.iter().any(|layer| {
            let mut records = layer.records.values();
            records.any(|image| image.controller == Some(organisation))
        }) {
            return Ok(true);
        }
        let batch = &mut *self.batch;
        let mut sql = Sql::<Text>::new("SELECT r.owner FROM record r WHERE r.owner = ");
        sql.text(batch.owner.as_str())
            .push(" AND r.controller = ")
            .id(organisation)
            .push(" LIMIT 1");
        let found = batch.connection.first::<_, String>(&sql);
        Ok(self.noted(found)?.is_some())
    }

    /// Remembers the outcome of this job under an idempotency key.
    pub fn remember(&mut self, key: [u8; 32], request_hash: [u8; 32], outcome: String) {
        self.remembered = Some((
            key,
            StoredOutcome {
                request_hash,
                outcome,
            },
        ));
    }
}

/// The instant since which idempotency keys are remembered.
pub(crate) fn remembered_since(now: Instant) -> Instant {
    Instant::from_micros(now.micros() - REMEMBERED)
}
