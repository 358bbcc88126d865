//! Erasing: what a plan says, or single records by a decision of their own; and the record of the disposal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use grunddata_model::{Domain, Instant, OwnerKey, RecordId, TransactionId};
use grunddata_store::{DisposalRow, Erased, Erasure, Needs, StoreError, WriteError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{Decision, must_be_administrator, must_be_steward};
use crate::registry::{refuse_store, refuse_write};
use crate::write::Failure;
use crate::{Code, Context, Refusal, Registry, fact};

/// About how many records are erased in one transaction: other writers of the owner wait meanwhile.
const BATCH: usize = 200;
/// How many referrers a refusal lists.
const LISTED: usize = 100;

/// A record that was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DisposedRecord {
    /// The id, which is all that is left.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// Which of the decisions it was erased by, counted from 0.
    pub decision: usize,
}

/// The record of a disposal (gallringsprotokoll): what was erased, when, by whom and by which decisions. It holds no
/// personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disposal {
    /// The id, which also stands in the reason of each erasure in the log.
    pub id: Uuid,
    /// Whose records.
    pub owner: OwnerKey,
    /// When it was begun.
    pub begun_at: Instant,
    /// When it was done; `None` = it was broken off, and the log says what was erased by then.
    pub finished_at: Option<Instant>,
    /// Who had it done.
    pub actor: String,
    /// What was done.
    #[serde(flatten)]
    pub content: Content,
}

/// What is kept of a disposal as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The decisions.
    pub decisions: Vec<Decision>,
    /// How many records were to be erased.
    pub planned: u64,
    /// How many of each domain were.
    pub counts: BTreeMap<Domain, u64>,
    /// Which were.
    pub records: Vec<DisposedRecord>,
    /// Which were not, because a hold was put on them, or a reference to them was written, meanwhile.
    pub left: Vec<RecordId>,
}

impl TryFrom<DisposalRow> for Disposal {
    type Error = Refusal;

    fn try_from(row: DisposalRow) -> Result<Self, Refusal> {
        let content = serde_json::from_str(&row.content).map_err(|error| {
            tracing::error!(%error, disposal = %row.id, "a stored disposal cannot be read");
            Refusal::internal()
        })?;
        Ok(Self {
            id: row.id,
            owner: row.owner,
            begun_at: row.begun_at,
            finished_at: row.finished_at,
            actor: row.actor,
            content,
        })
    }
}

impl Disposal {
    fn row(&self) -> Result<DisposalRow, Refusal> {
        Ok(DisposalRow {
            owner: self.owner.clone(),
            id: self.id,
            begun_at: self.begun_at,
            finished_at: self.finished_at,
            actor: self.actor.clone(),
            content: serde_json::to_string(&self.content).map_err(|_| Refusal::internal())?,
        })
    }
}

/// What one transaction of the store did not do.
pub(super) enum Stopped {
    Held(Vec<RecordId>),
    Referenced(Vec<(RecordId, RecordId)>),
}

impl Registry {
    /// Carries out the plan that was looked at, and writes the record of the disposal. It takes as long as it takes, and
    /// blocks; on SQLite the database file is written anew at the end.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the owner; [`Code::PlanChanged`] when the plan is not the one that
    /// the token names: what is due has changed since.
    pub fn run_retention(
        &self,
        context: &Context,
        owner: &OwnerKey,
        token: &str,
    ) -> Result<Disposal, Refusal> {
        context
            .disclosed
            .acted([owner.clone()], json!({"plan": token}));
        must_be_administrator(context, owner)?;
        let plan = self.retention_plan(context, owner)?;
        if plan.token != token {
            return Err(Refusal::new(
                Code::PlanChanged,
                "What is due is not what the plan said that you looked at. Nothing was erased: look at the plan as it is now.",
            ));
        }
        let rules = self.retention_rules(context, owner)?;
        let mut decisions: Vec<Decision> = Vec::new();
        let mut places: BTreeMap<Uuid, usize> = BTreeMap::new();
        for rule in rules {
            if plan.erased.iter().any(|due| due.rule == rule.id) {
                places.insert(rule.id, decisions.len());
                decisions.push(rule.decision);
            }
        }
        let groups = plan.together.iter().map(|group| {
            let due = group.iter().filter_map(|place| plan.erased.get(*place));
            due.map(|due| DisposedRecord {
                id: due.id,
                domain: due.domain,
                decision: places.get(&due.rule).copied().unwrap_or_default(),
            })
            .collect()
        });
        let groups = groups.collect();
        // Written before anything is erased: what is broken off is seen.
        let mut disposal = begun(context, owner, decisions, plan.erased.len());
        self.keep(&disposal)?;
        Self::note_disposal(context, &disposal);
        for due in &plan.erased {
            context.disclosed.about(owner, due.id);
        }
        self.erase_groups(context, &mut disposal, groups)?;
        self.finish(disposal)
    }

    /// Erases records by a decision of their own, all or none, and writes the record of the disposal. Blocks.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::Forbidden`] for who does not administer their owner; [`Code::SeveralOwners`];
    /// [`Code::Erased`] when one is erased already; [`Code::LegalHold`]; [`Code::StillReferenced`] with the records that
    /// refer to them; [`Code::InvalidText`], [`Code::TooManyItems`].
    pub fn erase(
        &self,
        context: &Context,
        ids: &[RecordId],
        decision: Decision,
    ) -> Result<Disposal, Refusal> {
        context.disclosed.acted([], json!({"decision": decision}));
        decision.check()?;
        let ids: BTreeSet<RecordId> = ids.iter().copied().collect();
        let limit = self.inner.limits.operations;
        if ids.is_empty() || ids.len() > limit {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!("An erasure names 1 to {limit} records."),
            ));
        }
        let mut owner: Option<OwnerKey> = None;
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            let of = self.stewarded(context, id)?;
            must_be_administrator(context, &of)?;
            context.disclosed.about(&of, id);
            if owner.as_ref().is_some_and(|owner| *owner != of) {
                return Err(Refusal::new(
                    Code::SeveralOwners,
                    "An erasure is about records of one owner: make one for each.",
                ));
            }
            owner = Some(of);
            records.push(DisposedRecord {
                id,
                domain: self.domain_unless_erased(context, id)?,
                decision: 0,
            });
        }
        let owner = owner.ok_or_else(Refusal::internal)?;
        let mut disposal = begun(context, &owner, vec![decision], records.len());
        Self::note_disposal(context, &disposal);
        if let Some(stopped) = self.erase_together(context, &disposal, &records)? {
            return Err(refuse(stopped));
        }
        disposal.content.records = records;
        self.finish(disposal)
    }

    /// The records of disposals of an owner, the latest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who is no steward of the owner.
    pub fn disposals(&self, context: &Context, owner: &OwnerKey) -> Result<Vec<Disposal>, Refusal> {
        must_be_steward(context, owner)?;
        let rows = self
            .inner
            .store
            .read(|reader| reader.disposals(owner))
            .map_err(refuse_store)?;
        rows.into_iter().map(Disposal::try_from).collect()
    }

    /// The domain of a record that the actor may know of.
    pub(super) fn domain_unless_erased(
        &self,
        context: &Context,
        id: RecordId,
    ) -> Result<Domain, Refusal> {
        use grunddata_store::{Lookup, RecordStatus};
        let visibility = self.visibility(context)?;
        let found = self
            .inner
            .store
            .read(|reader| reader.find(id, context.today, None, &visibility))
            .map_err(refuse_store)?;
        match found {
            Lookup::Found { row, .. } => Ok(row.domain),
            Lookup::Absent(absent) if absent.status == RecordStatus::Erased => Err(Refusal::new(
                Code::Erased,
                format!("The content of the record {id} was erased already."),
            )),
            Lookup::Absent(absent) => Ok(absent.domain),
            Lookup::Unknown => Err(Refusal::not_found(id)),
        }
    }

    /// Notes for the access log which disposal it is.
    pub(super) fn note_disposal(context: &Context, disposal: &Disposal) {
        context
            .disclosed
            .acted([disposal.owner.clone()], json!({"disposal": disposal.id}));
    }

    pub(super) fn keep(&self, disposal: &Disposal) -> Result<(), Refusal> {
        let row = disposal.row()?;
        self.inner.store.put_disposal(&row).map_err(refuse_store)
    }

    pub(super) fn finish(&self, mut disposal: Disposal) -> Result<Disposal, Refusal> {
        for record in &disposal.content.records {
            *disposal.content.counts.entry(record.domain).or_default() += 1;
        }
        self.keep(&disposal)?;
        // What was erased is not gone before it is gone from the files.
        if !disposal.content.records.is_empty() {
            self.inner.store.reclaim().map_err(|error| {
                tracing::error!(%error, disposal = %disposal.id, "erased rows are still in the files");
                refuse_store(error)
            })?;
        }
        disposal.finished_at = Some(self.now());
        self.keep(&disposal)?;
        Ok(disposal)
    }

    /// Erases what hangs together in one transaction, small groups in one as well; what could not be erased, and why.
    pub(super) fn erase_groups(
        &self,
        context: &Context,
        disposal: &mut Disposal,
        groups: Vec<Vec<DisposedRecord>>,
    ) -> Result<Vec<(RecordId, Stopped)>, Refusal> {
        let mut batches: Vec<(usize, Vec<Vec<DisposedRecord>>)> = Vec::new();
        for group in groups {
            match batches.last_mut() {
                Some((size, last)) if *size + group.len() <= BATCH => {
                    *size += group.len();
                    last.push(group);
                }
                _ => batches.push((group.len(), vec![group])),
            }
        }
        let mut left = Vec::new();
        for (_, batch) in batches {
            let all = batch.concat();
            if self.erase_together(context, disposal, &all)?.is_none() {
                disposal.content.records.extend(all);
                continue;
            }
            // Something has changed since: each for itself, so that one hold does not keep the others.
            for group in batch {
                left.extend(self.erase_each(context, disposal, group)?);
            }
        }
        disposal.content.left.extend(left.iter().map(|(id, _)| *id));
        Ok(left)
    }

    /// A group as a whole; else one record after the other as long as any goes: what refers to another before that one.
    fn erase_each(
        &self,
        context: &Context,
        disposal: &mut Disposal,
        group: Vec<DisposedRecord>,
    ) -> Result<Vec<(RecordId, Stopped)>, Refusal> {
        if self.erase_together(context, disposal, &group)?.is_none() {
            disposal.content.records.extend(group);
            return Ok(Vec::new());
        }
        let mut waiting = group;
        loop {
            let before = waiting.len();
            let (mut again, mut left) = (Vec::new(), Vec::new());
            for record in waiting {
                match self.erase_together(context, disposal, std::slice::from_ref(&record))? {
                    None => disposal.content.records.push(record),
                    Some(stopped) => {
                        left.push((record.id, stopped));
                        again.push(record);
                    }
                }
            }
            if again.is_empty() || again.len() == before {
                return Ok(left);
            }
            waiting = again;
        }
    }

    /// One transaction; what it did not do and why.
    fn erase_together(
        &self,
        context: &Context,
        disposal: &Disposal,
        records: &[DisposedRecord],
    ) -> Result<Option<Stopped>, Refusal> {
        let mut references: Vec<&str> = records
            .iter()
            .filter_map(|record| disposal.content.decisions.get(record.decision))
            .map(|decision| decision.reference.as_str())
            .collect();
        references.sort_unstable();
        references.dedup();
        let ids: Vec<RecordId> = records.iter().map(|record| record.id).collect();
        let erasure = Erasure {
            records: ids.clone(),
            transaction: TransactionId::mint(context.now),
            actor: Arc::from(context.actor.name.as_str()),
            reason: Arc::from(format!(
                "{} (disposal {})",
                references.join("; "),
                disposal.id
            )),
        };
        let needs = Needs {
            records: ids.clone(),
            inbound: ids,
            ..Needs::default()
        };
        let done: Result<Erased, WriteError<StoreError>> =
            self.inner
                .store
                .write_blocking(&disposal.owner, needs, move |tx| tx.erase(&erasure));
        match done {
            Ok(Erased::Done(_)) => Ok(None),
            Ok(Erased::Held(ids)) => Ok(Some(Stopped::Held(ids))),
            Ok(Erased::StillReferenced(list)) => Ok(Some(Stopped::Referenced(
                list.into_iter()
                    .map(|(id, inbound)| (id, inbound.source))
                    .collect(),
            ))),
            Err(WriteError::Refused(error)) => Err(refuse_store(error)),
            Err(WriteError::Busy) => Err(refuse_write(WriteError::Busy)),
            Err(WriteError::ClockJump { expected, now }) => {
                Err(refuse_write(WriteError::<Failure>::ClockJump {
                    expected,
                    now,
                }))
            }
            Err(WriteError::Store(error)) => Err(refuse_store(error)),
        }
    }
}

pub(super) fn begun(
    context: &Context,
    owner: &OwnerKey,
    decisions: Vec<Decision>,
    planned: usize,
) -> Disposal {
    Disposal {
        id: Uuid::now_v7(),
        owner: owner.clone(),
        begun_at: context.now,
        finished_at: None,
        actor: context.actor.name.clone(),
        content: Content {
            decisions,
            planned: planned as u64,
            ..Content::default()
        },
    }
}

fn refuse(stopped: Stopped) -> Refusal {
    match stopped {
        Stopped::Held(ids) => Refusal::new(
            Code::LegalHold,
            "A legal hold, or a restriction of processing, keeps what you name from being erased. Nothing was erased: lift it first, when its reason is gone.",
        )
        .fact("held", texts(ids)),
        Stopped::Referenced(list) => {
            let count = list.len();
            let sources: BTreeSet<RecordId> = list.into_iter().map(|(_, source)| source).collect();
            Refusal::new(
                Code::StillReferenced,
                format!("{count} references lead to what you name, on some day or other. Nothing was erased: erase the referrers with it, or retract or correct what refers to it."),
            )
            .fact(fact::REFERRERS, texts(sources))
        }
    }
}

fn texts(ids: impl IntoIterator<Item = RecordId>) -> Vec<String> {
    ids.into_iter()
        .take(LISTED)
        .map(|id| id.to_string())
        .collect()
}
