//! Reading loads: what they are, what their rows do, what was found on the way.

use std::collections::HashMap;

use chrono::NaiveDate;
use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId};
use grunddata_store::{
    Form, LoadKind, LoadRow, LoadStatus, PlanRow, Reached, RowFilter, RowOutcome, RowState, Seen,
    Visibility,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::apply::KeptFinding;
use super::assertion::AssertionKey;
use super::content::{Content, FileFacts, GuardHit, LoadCounts, LoadFailure, Signature};
use super::must_load;
use super::rehearse::Follows;
use super::row::{Planned, RowContent, RowDifference, RowProblem};
use crate::registry::refuse_store;
use crate::{Code, Context, Refusal, Registry};

/// A load.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// The id.
    pub id: Uuid,
    /// Whose records.
    pub owner: OwnerKey,
    /// The key of the source.
    pub source: String,
    /// The version of its settings that the plan was made by.
    pub source_version: u32,
    /// `full`, `delta` or `reversal`.
    #[serde(serialize_with = "kind_text")]
    pub kind: LoadKind,
    /// How far it is.
    #[serde(serialize_with = "status_text")]
    pub status: LoadStatus,
    /// The load that it takes back.
    pub reverses: Option<Uuid>,
    /// The file.
    pub file: FileFacts,
    /// The day from which what the file says without a date holds.
    pub reference_date: NaiveDate,
    /// What its rows come to.
    pub counts: LoadCounts,
    /// The guards that stopped it.
    pub guards: Vec<GuardHit>,
    /// Who had the plan made.
    pub planned: Signature,
    /// Whether somebody else must approve it.
    pub needs_approval: bool,
    /// Who did.
    pub approved: Option<Signature>,
    /// Who gave it up.
    pub cancelled: Option<Signature>,
    /// Why its file was refused.
    pub refused: Vec<RowProblem>,
    /// Why its plan could not be made, or why it is not applied further.
    pub failed: Option<LoadFailure>,
    /// When its rows were removed because they were old.
    pub pruned: Option<Instant>,
    /// Whether it was found out what its rows do beyond their own records. Not of a plan that does too much for that, nor
    /// before the plan is made.
    pub foreseen: bool,
    /// Rows of the plan.
    pub rows: u64,
    /// Rows that the load has passed.
    pub done: u64,
    /// How many batches are applied.
    pub batches: u32,
    /// When it was begun.
    pub created_at: Instant,
    /// When it was last changed.
    pub changed_at: Instant,
}

fn kind_text<S: Serializer>(kind: &LoadKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.as_str())
}

pub(super) fn status_text<S: Serializer>(
    status: &LoadStatus,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.as_str())
}

fn outcome_text<S: Serializer>(outcome: &RowOutcome, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(outcome.as_str())
}

impl Load {
    pub(super) fn of(row: &LoadRow) -> Result<Self, Refusal> {
        let content = Content::of(row)?;
        Ok(Self {
            id: row.id,
            owner: row.owner.clone(),
            source: row.source.clone(),
            source_version: row.source_version,
            kind: row.kind,
            status: row.status,
            reverses: row.reverses,
            file: content.file,
            reference_date: content.reference_date,
            counts: content.counts,
            guards: content.guards,
            planned: content.planned,
            needs_approval: content.needs_approval,
            approved: content.approved,
            cancelled: content.cancelled,
            refused: content.refused,
            failed: content.failed,
            pruned: content.pruned,
            foreseen: content.rehearsed,
            rows: content.rows,
            done: content.done,
            batches: row.batches,
            created_at: row.created_at,
            changed_at: row.changed_at,
        })
    }
}

/// A page of loads, the latest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadPage {
    /// The loads.
    pub items: Vec<Load>,
    /// What continues the page (`before`), if there is more.
    pub next: Option<Uuid>,
}

/// How far a row of a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanRowState {
    /// It is still to be applied.
    Planned,
    /// It is applied.
    Applied,
    /// It is not applied: its problems say why.
    SetAside,
}

impl PlanRowState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Planned, Self::Applied, Self::SetAside];

    /// The word by which it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Applied => "applied",
            Self::SetAside => "set-aside",
        }
    }

    /// The state of a word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Which rows are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlanRowsQuery {
    /// One of these outcomes; empty = any.
    pub outcomes: Vec<RowOutcome>,
    /// This state.
    pub state: Option<PlanRowState>,
    /// After this number: what continues a page.
    pub after: i64,
    /// The most rows, 1 to 1,000.
    pub limit: u32,
}

/// A row of a plan, as the reader may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRowView {
    /// The number.
    pub number: i64,
    /// The rows of the file that it comes from; none for what the file leaves out.
    pub file_rows: Vec<u64>,
    /// What it comes to.
    #[serde(serialize_with = "outcome_text")]
    pub outcome: RowOutcome,
    /// How far it is. A rejected row, or one in conflict of which nothing is done, is `planned` until the load has passed it.
    pub state: PlanRowState,
    /// Whether the reader may not see what it is about: then there is nothing more.
    pub withheld: bool,
    /// The domain.
    pub domain: Option<Domain>,
    /// The name of the record in the mapping.
    pub record_name: Option<String>,
    /// The key in the source.
    pub key: Option<AssertionKey>,
    /// The record.
    pub record: Option<RecordId>,
    /// The version that it was worked out from.
    pub base_version: Option<u32>,
    /// What is done, exactly: a list of operations with their periods and data.
    pub operations: Value,
    /// What differs then, property by property.
    pub diff: Vec<RowDifference>,
    /// What is wrong, in the way, or worth a look.
    pub problems: Vec<RowProblem>,
    /// Which records without a row of their own end or change because they refer to what the row takes away.
    #[serde(skip_serializing_if = "Follows::is_empty")]
    pub follows: Follows,
}

/// A page of rows of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRowsPage {
    /// The rows, by number.
    pub items: Vec<PlanRowView>,
    /// What continues the page (`after`), if there is more.
    pub next: Option<i64>,
}

/// Something that a load let through but that is worth a look: as a rule a reference whose target does not hold then.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadFinding {
    /// The batch.
    pub batch: u32,
    /// The row of the plan.
    pub row: i64,
    /// The record.
    pub record: RecordId,
    /// What it is.
    pub problem: RowProblem,
}

/// The load, or that there is none.
pub(super) fn known(
    owner: &OwnerKey,
    id: Uuid,
    found: Option<LoadRow>,
) -> Result<LoadRow, Refusal> {
    found.ok_or_else(|| Refusal::new(Code::UnknownLoad, format!("{owner} has no load {id}.")))
}

/// The load is not in the state that is needed.
pub(super) fn wrong_state(load: &LoadRow, why: &str) -> Refusal {
    Refusal::new(
        Code::LoadState,
        format!("The load {} is {}. {why}", load.id, load.status.as_str()),
    )
    .fact("load", load.id.to_string())
    .fact("status", load.status.as_str())
}

/// What decides whether a reader sees a row.
struct RowSight<'a> {
    model: &'a InformationModel,
    visibility: &'a Visibility,
    owner: &'a OwnerKey,
    /// Of records that rows would make.
    controller: Option<RecordId>,
    heads: HashMap<RecordId, (Option<RecordId>, u8)>,
}

impl RowSight<'_> {
    fn sees(&self, domain: Domain, record: Option<RecordId>, level: u8, classes: u8) -> bool {
        let head = record.and_then(|id| self.heads.get(&id));
        let (controller, now) = head.copied().unwrap_or((self.controller, 0));
        let seen = Seen {
            owner: self.owner.as_str(),
            controller,
            domain,
            level: level.max(now),
        };
        self.visibility
            .sight(&seen)
            .is_some_and(|sight| sight.form == Form::Full && classes & !sight.classes == 0)
    }
}

impl Registry {
    /// A load.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who may not load for the owner; [`Code::UnknownLoad`].
    pub fn load(&self, context: &Context, owner: &OwnerKey, id: Uuid) -> Result<Load, Refusal> {
        must_load(context, owner)?;
        Load::of(&known(owner, id, self.load_row(owner, id)?)?)
    }

    /// The loads of an owner, the latest first: of one source where it is given.
    ///
    /// # Errors
    /// [`Code::Forbidden`]; [`Code::LimitOutOfRange`].
    pub fn loads(
        &self,
        context: &Context,
        owner: &OwnerKey,
        source: Option<&str>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<LoadPage, Refusal> {
        must_load(context, owner)?;
        self.check_limit(limit)?;
        let mut rows = self
            .inner
            .store
            .read(|reader| reader.loads(owner, source, before, i64::from(limit) + 1))
            .map_err(refuse_store)?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        Ok(LoadPage {
            next: rows.last().map(|row| row.id).filter(|_| more),
            items: rows.iter().map(Load::of).collect::<Result<_, _>>()?,
        })
    }

    /// Rows of the plan of a load, as the reader may see them.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownLoad`]; [`Code::LimitOutOfRange`].
    pub fn plan_rows(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        query: &PlanRowsQuery,
    ) -> Result<PlanRowsPage, Refusal> {
        must_load(context, owner)?;
        self.check_limit(query.limit)?;
        let load = known(owner, id, self.load_row(owner, id)?)?;
        let filter = RowFilter {
            outcomes: query.outcomes.clone(),
            state: query.state.map(|state| match state {
                PlanRowState::SetAside => RowState::SetAside,
                PlanRowState::Planned | PlanRowState::Applied => RowState::Ready,
            }),
            reached: match query.state {
                Some(PlanRowState::Applied) => Some((true, load.reached)),
                Some(PlanRowState::Planned) => Some((false, load.reached)),
                _ => None,
            },
            record: None,
            after: query.after,
        };
        let mut rows = self
            .inner
            .store
            .read(|reader| reader.plan_rows(owner, id, &filter, i64::from(query.limit) + 1))
            .map_err(refuse_store)?;
        let more = rows.len() > query.limit as usize;
        rows.truncate(query.limit as usize);
        let next = rows.last().map(|row| row.number).filter(|_| more);
        let visibility = self.visibility(context)?;
        let rows = rows
            .into_iter()
            .map(|row| RowContent::read(&row.content).map(|content| (row, content)))
            .collect::<Result<Vec<_>, _>>()?;
        let ids = rows
            .iter()
            .flat_map(|(row, content)| row.record.into_iter().chain(content.follows.named()));
        let ids = ids.collect();
        let sight = self.row_sight(&visibility, &load, ids)?;
        let items = rows
            .into_iter()
            .map(|(row, content)| view(context, &row, content, load.reached, &sight))
            .collect::<Result<_, _>>()?;
        Ok(PlanRowsPage { items, next })
    }

    fn row_sight<'a>(
        &'a self,
        visibility: &'a Visibility,
        load: &'a LoadRow,
        ids: Vec<RecordId>,
    ) -> Result<RowSight<'a>, Refusal> {
        let controller = self.settings_of(load)?.controller;
        let heads = self
            .inner
            .store
            .read(|reader| reader.protection_of(&load.owner, &ids))
            .map_err(refuse_store)?;
        Ok(RowSight {
            model: &self.inner.model,
            visibility,
            owner: &load.owner,
            controller,
            heads,
        })
    }

    /// What a load let through but is worth a look, of batches after a number.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownLoad`]; [`Code::LimitOutOfRange`].
    pub fn load_findings(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        after_batch: u32,
        batches: u32,
    ) -> Result<Vec<LoadFinding>, Refusal> {
        must_load(context, owner)?;
        self.check_limit(batches)?;
        let load = known(owner, id, self.load_row(owner, id)?)?;
        let rows = self
            .inner
            .store
            .read(|reader| reader.load_batches(owner, id, after_batch, i64::from(batches)))
            .map_err(refuse_store)?;
        let mut found: Vec<(u32, KeptFinding)> = Vec::new();
        for batch in rows {
            let Some(text) = &batch.findings else {
                continue;
            };
            let kept: Vec<KeptFinding> =
                serde_json::from_str(text).map_err(|_| Refusal::internal())?;
            found.extend(kept.into_iter().map(|finding| (batch.number, finding)));
        }
        let visibility = self.visibility(context)?;
        let ids = found.iter().map(|(_, finding)| finding.record).collect();
        let sight = self.row_sight(&visibility, &load, ids)?;
        let settings = self.settings_of(&load)?;
        Ok(found
            .into_iter()
            .filter(|(_, finding)| {
                sight.heads.contains_key(&finding.record)
                    && settings
                        .domains
                        .iter()
                        .all(|domain| sight.sees(*domain, Some(finding.record), 0, 0))
            })
            .map(|(batch, finding)| LoadFinding {
                batch,
                row: finding.row,
                record: finding.record,
                problem: finding.problem,
            })
            .collect())
    }
}

fn view(
    context: &Context,
    row: &PlanRow,
    content: RowContent,
    reached: Reached,
    sight: &RowSight<'_>,
) -> Result<PlanRowView, Refusal> {
    let place = Reached {
        turn: row.turn,
        number: row.number,
    };
    let first = u64::try_from(row.file_row).ok().filter(|row| *row > 0);
    let file_rows = first.into_iter().chain(content.rows.iter().copied());
    let mut shown = PlanRowView {
        number: row.number,
        file_rows: file_rows.collect(),
        outcome: row.outcome,
        state: match row.state {
            RowState::SetAside => PlanRowState::SetAside,
            _ if place <= reached => PlanRowState::Applied,
            _ => PlanRowState::Planned,
        },
        withheld: true,
        domain: None,
        record_name: None,
        key: None,
        record: None,
        base_version: None,
        operations: json!([]),
        diff: Vec::new(),
        problems: Vec::new(),
        follows: Follows::default(),
    };
    if !sight.sees(row.domain, row.record, row.protection, row.classes) {
        return Ok(shown);
    }
    match row.record.filter(|id| sight.heads.contains_key(id)) {
        Some(id) => context.disclosed.note(sight.owner, id, row.classes),
        None => context.disclosed.asked_for(sight.owner, row.classes),
    }
    shown.withheld = false;
    shown.domain = Some(row.domain);
    shown.record_name = Some(row.record_name.clone()).filter(|name| !name.is_empty());
    shown.key = serde_json::from_str(&row.key).ok();
    let refused = matches!(row.outcome, RowOutcome::Rejected | RowOutcome::Conflict);
    shown.record = row
        .record
        .filter(|id| !refused || sight.heads.contains_key(id));
    shown.base_version = row.base_version;
    shown.operations = operations(&content)?;
    shown.diff = content.diff;
    shown.problems = content.problems;
    shown.follows = content.follows.seen(|one| {
        let class = sight.model.domain(one.domain).class().bit();
        let seen = sight.sees(one.domain, Some(one.id), 0, class);
        if seen {
            context.disclosed.note(sight.owner, one.id, class);
        }
        seen
    });
    Ok(shown)
}

/// The operations with the data of those that are kept by reference.
fn operations(content: &RowContent) -> Result<Value, Refusal> {
    let mut list = Vec::with_capacity(content.operations.len());
    for planned in &content.operations {
        let mut value = serde_json::to_value(planned).map_err(|_| Refusal::internal())?;
        if let (Planned::Create { piece, .. }, Value::Object(members)) = (planned, &mut value) {
            members.remove("piece");
            let data = content
                .said
                .pieces
                .get(*piece)
                .map(|piece| piece.resolved());
            members.insert("data".to_owned(), data.unwrap_or_default());
        }
        list.push(value);
    }
    Ok(Value::Array(list))
}
