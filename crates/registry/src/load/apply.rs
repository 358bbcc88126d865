//! Applying a plan, batch by batch. Each batch is one transaction of the ordinary pipeline; what the source says from then
//! on, the rows that are set aside and how far the load is are written in it too. Between two batches anything may
//! happen: others write, the process is killed, somebody else goes on. While one batch is written the next is prepared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use grunddata_model::{OwnerKey, RecordId};
use grunddata_store::{
    AssertionRow, KeyHash, LoadRow, LoadStatus, Needs, PlanRow, Reached, RowState, WriteError,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::batch::{Batch, Done, assertion_of, set_aside, set_aside_faults};
use super::commands::commands_of;
use super::content::Content;
use super::must_load;
use super::read::{known, wrong_state};
use super::rehearse::TOGETHER;
use super::row::{Effect, RowContent, RowProblem};
use super::settings::{SourceSettings, StaleRows};
use crate::registry::{refuse_store, refuse_write};
use crate::write::{Failure, Job};
use crate::{Code, Command, Context, Refusal, Registry};

/// Rows of the first batch.
const FIRST: usize = 100;
/// Rows of a batch.
const LEAST: usize = 10;
const MOST: usize = 2_000;
/// Rows that were tried together are applied together, unless a batch would hold up others for so many times too long.
const MOST_OVER: usize = 5;
/// Operations of a batch.
const OPERATIONS: usize = 5_000;
/// How long a batch may hold up others, with something in hand.
const AIM: Duration = Duration::from_millis(70);

/// How much is applied at once: kept from batch to batch, it finds out how much of it is written in less than 100 ms. It
/// keeps the next batch too, which is prepared while one is written.
#[derive(Default)]
pub struct LoadPace {
    rows: Rows,
    ahead: Option<Ahead>,
    /// Whether records came that references wait for. They are settled when the load is done: rows rest on the versions that
    /// their plan saw.
    met: bool,
}

/// How many rows a batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rows(usize);

impl Default for Rows {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Rows {
    fn took(&mut self, rows: usize, time: Duration) {
        // A short last batch tells nothing.
        if rows < self.0 / 2 {
            return;
        }
        let wanted = rows as f64 * AIM.as_secs_f64() / time.as_secs_f64().max(0.000_1);
        let most = self.0.saturating_mul(2);
        self.0 = (wanted as usize).clamp(LEAST.min(most), most).min(MOST);
    }
}

impl LoadPace {
    /// Batches of about so many rows to begin with.
    #[must_use]
    pub fn of(rows: usize) -> Self {
        Self {
            rows: Rows(rows.clamp(1, MOST)),
            ahead: None,
            met: false,
        }
    }
}

impl std::fmt::Debug for LoadPace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadPace")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

/// A batch that was prepared while the one before was written.
struct Ahead {
    load: Uuid,
    batch: Tried,
}

/// What came of writing a batch.
struct Written {
    outcome: Result<Done, Refusal>,
    took: Duration,
}

/// The rows of a batch, and what came of preparing them.
struct Tried {
    after: Reached,
    rows: Vec<PlanRow>,
    is_last: bool,
    attempt: Result<Attempt, (Refusal, Vec<i64>)>,
}

/// How far a load is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadProgress {
    /// The load.
    pub id: Uuid,
    /// `planned`, `applying`, `stopped` or `applied`.
    #[serde(serialize_with = "super::read::status_text")]
    pub status: LoadStatus,
    /// How many batches are applied.
    pub batches: u32,
    /// Rows of the plan.
    pub rows: u64,
    /// Rows that the load has passed, applied or not.
    pub done: u64,
    /// Rows that are applied.
    pub applied: u64,
    /// Rows that were set aside.
    pub set_aside: u64,
    /// Whether there is nothing more to do.
    pub finished: bool,
}

impl LoadProgress {
    fn of(load: &LoadRow, content: &Content) -> Self {
        Self {
            id: load.id,
            status: load.status,
            batches: load.batches,
            rows: content.rows,
            done: content.done,
            applied: content.counts.applied,
            set_aside: content.counts.set_aside,
            finished: !matches!(load.status, LoadStatus::Planned | LoadStatus::Applying),
        }
    }
}

/// A finding as it is kept with its batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptFinding {
    pub(super) row: i64,
    pub(super) record: RecordId,
    pub(super) problem: RowProblem,
}

/// A row that takes part in a batch.
pub(super) struct Ready {
    pub(super) number: i64,
    pub(super) record: Option<RecordId>,
    pub(super) base_version: Option<u32>,
    /// Whether it does something to its record.
    pub(super) acts: bool,
    pub(super) said: Saying,
    pub(super) content: RowContent,
}

/// What a row does to what its source says.
pub(super) enum Saying {
    Nothing,
    /// From now on it says this.
    Now(AssertionRow),
    /// It says it no more, not even as something of the past.
    NoMore(KeyHash),
}

/// One try at a batch.
pub(super) struct Attempt {
    pub(super) job: Option<Job>,
    /// The row of each command.
    pub(super) rows_of_commands: Vec<i64>,
    ready: Vec<Ready>,
}

impl Registry {
    /// Applies the next batch of a load, waits until it is durable, and says how far the load is. Call it until it says
    /// that it is finished. Rows that cannot be applied as they were planned are set aside. Blocks the thread.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownLoad`]; [`Code::LoadState`] when the load cannot be applied, or somebody else
    /// applies it at the same time; [`Code::ApprovalRequired`]; the store's, after which it is to be called again.
    pub fn apply_load(
        &self,
        context: &Context,
        owner: &OwnerKey,
        id: Uuid,
        pace: &mut LoadPace,
    ) -> Result<LoadProgress, Refusal> {
        context
            .disclosed
            .acted([owner.clone()], json!({"load": id}));
        must_load(context, owner)?;
        let load = known(owner, id, self.load_row(owner, id)?)?;
        let content = Content::of(&load)?;
        match load.status {
            LoadStatus::Planned | LoadStatus::Applying => {}
            LoadStatus::Applied | LoadStatus::Reversed => {
                return Ok(LoadProgress::of(&load, &content));
            }
            LoadStatus::Stopped => {
                let names: Vec<&str> = content.standing().map(|hit| hit.name.as_str()).collect();
                let names = names.join(", ");
                return Err(wrong_state(
                    &load,
                    &format!(
                        "Guards have stopped it ({names}): override them by name, or cancel it."
                    ),
                )
                .fact("guards", names));
            }
            _ => return Err(wrong_state(&load, "It cannot be applied.")),
        }
        if content.needs_approval && content.approved.is_none() {
            return Err(Refusal::new(
                Code::ApprovalRequired,
                format!(
                    "The plan of the load {id} waits for the approval of somebody other than {}.",
                    content.planned.by
                ),
            ));
        }
        let settings = self.settings_of(&load)?;
        let applied = self.apply_rows(context, &load, &content, &settings, pace)?;
        if applied.finished && std::mem::take(&mut pace.met) {
            self.settle_for(owner);
        }
        Ok(applied)
    }

    /// The settings that a load was planned by.
    pub(super) fn settings_of(&self, load: &LoadRow) -> Result<SourceSettings, Refusal> {
        let row = self
            .inner
            .store
            .read(|reader| reader.source_version(&load.owner, &load.source, load.source_version))
            .map_err(refuse_store)?
            .ok_or_else(Refusal::internal)?;
        Ok(super::source::Source::try_from(row)?.settings)
    }

    pub(super) fn load_row(&self, owner: &OwnerKey, id: Uuid) -> Result<Option<LoadRow>, Refusal> {
        self.inner
            .store
            .read(|reader| reader.load(owner, id))
            .map_err(refuse_store)
    }

    /// Reads and prepares the rows after a place.
    fn prepare_rows(
        &self,
        context: &Context,
        load: &LoadRow,
        content: &Content,
        settings: &SourceSettings,
        after: Reached,
        limit: usize,
    ) -> Result<Tried, Refusal> {
        let read = |limit: usize| {
            let read = self.inner.store.read(|reader| {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                reader.next_rows(&load.owner, load.id, after, limit)
            });
            read.map_err(refuse_store)
        };
        let mut rows = read(limit)?;
        let mut is_last = rows.len() < limit;
        if let Some(cut) = rows.last().map(place).and_then(|last| content.cuts(last)) {
            let before = rows.iter().take_while(|row| place(row) <= cut.after);
            let before = before.count();
            if before > 0 {
                rows.truncate(before);
                is_last = false;
            } else if limit * MOST_OVER >= TOGETHER {
                rows = read(TOGETHER + 1)?;
                let whole = rows.iter().take_while(|row| place(row) <= cut.to).count();
                is_last = whole == rows.len() && whole <= TOGETHER;
                rows.truncate(whole);
            }
        }
        let none = BTreeMap::new();
        let attempt = self.attempt(context, load, settings, &mut rows, &none, &mut is_last);
        Ok(Tried {
            after,
            rows,
            is_last,
            attempt,
        })
    }

    fn apply_rows(
        &self,
        context: &Context,
        load: &LoadRow,
        content: &Content,
        settings: &SourceSettings,
        pace: &mut LoadPace,
    ) -> Result<LoadProgress, Refusal> {
        let ahead = pace
            .ahead
            .take()
            .filter(|ahead| ahead.load == load.id && ahead.batch.after == load.reached);
        let Tried {
            mut rows,
            mut is_last,
            mut attempt,
            ..
        } = match ahead {
            Some(ahead) => ahead.batch,
            None => {
                self.prepare_rows(context, load, content, settings, load.reached, pace.rows.0)?
            }
        };
        let mut refused: BTreeMap<i64, Vec<RowProblem>> = BTreeMap::new();
        loop {
            let (refusal, of_commands) = match attempt {
                Err(failed) => failed,
                Ok(attempt) => {
                    let of_commands = attempt.rows_of_commands.clone();
                    let (passed, after) = (rows.len(), last_of(&rows, load));
                    let limit = pace.rows.0;
                    let mut next = None;
                    let written = self.write_step(
                        load,
                        content,
                        settings,
                        &rows,
                        attempt,
                        &refused,
                        is_last,
                        || {
                            if !is_last {
                                next = self
                                    .prepare_rows(context, load, content, settings, after, limit)
                                    .ok();
                            }
                        },
                    )?;
                    pace.rows.took(passed, written.took);
                    match written.outcome {
                        Ok(Done {
                            load: written,
                            content,
                            met,
                        }) => {
                            pace.met |= met;
                            pace.ahead = next.map(|batch| Ahead {
                                load: load.id,
                                batch,
                            });
                            return Ok(LoadProgress::of(&written, &content));
                        }
                        Err(refusal) => (refusal, of_commands),
                    }
                }
            };
            set_aside_faults(
                &refusal,
                &of_commands,
                &mut refused,
                &mut rows,
                &mut is_last,
            )?;
            attempt = self.attempt(context, load, settings, &mut rows, &refused, &mut is_last);
        }
    }

    /// Prepares the rows that are not set aside; what is refused, with the rows of the commands.
    pub(super) fn attempt(
        &self,
        context: &Context,
        load: &LoadRow,
        settings: &SourceSettings,
        rows: &mut Vec<PlanRow>,
        refused: &BTreeMap<i64, Vec<RowProblem>>,
        is_last: &mut bool,
    ) -> Result<Attempt, (Refusal, Vec<i64>)> {
        let mut ready = Vec::with_capacity(rows.len());
        let mut of_commands: Vec<i64> = Vec::new();
        let mut commands: Vec<Command> = Vec::new();
        let mut taken = rows.len();
        for (place, row) in rows.iter().enumerate() {
            if row.state != RowState::Ready || refused.contains_key(&row.number) {
                continue;
            }
            let content =
                RowContent::read(&row.content).map_err(|refusal| (refusal, Vec::new()))?;
            if content.effect == Effect::None {
                continue;
            }
            let own = commands_of(load, settings, row, &content);
            if !commands.is_empty() && commands.len() + own.len() > OPERATIONS {
                taken = place;
                break;
            }
            of_commands.extend(own.iter().map(|_| row.number));
            let said =
                assertion_of(load, row, &content).map_err(|refusal| (refusal, Vec::new()))?;
            ready.push(Ready {
                number: row.number,
                record: row.record,
                base_version: row.base_version,
                acts: !own.is_empty(),
                said,
                content,
            });
            commands.extend(own);
        }
        if taken < rows.len() {
            rows.truncate(taken);
            *is_last = false;
        }
        let job = if commands.is_empty() {
            None
        } else {
            let job = self.job(context, Some(load.owner.clone()), commands, None, true);
            let mut job = job.map_err(|refusal| (refusal, of_commands.clone()))?;
            job.context.rights = Arc::new(job.context.rights.loading());
            job.context.feeds_copies |= settings.copy_of.is_some();
            // The source decides, and not whoever applies the load: a copy's source may be the authority as well.
            job.context.keeps_protection = !settings.authoritative.protection;
            Some(job)
        };
        Ok(Attempt {
            job,
            rows_of_commands: of_commands,
            ready,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one batch, as it was prepared")]
    fn write_step(
        &self,
        load: &LoadRow,
        content: &Content,
        settings: &SourceSettings,
        rows: &[PlanRow],
        attempt: Attempt,
        refused: &BTreeMap<i64, Vec<RowProblem>>,
        is_last: bool,
        meanwhile: impl FnOnce(),
    ) -> Result<Written, Refusal> {
        let Attempt {
            job,
            rows_of_commands,
            ready,
        } = attempt;
        let mut needs = job.as_ref().map_or_else(Needs::default, Job::needs);
        // What is only noted is looked at as well: it was worked out from a version.
        let noted = ready.iter().filter(|ready| !ready.acts);
        needs.records.extend(noted.filter_map(|ready| ready.record));
        let mut batch = Batch {
            load: load.clone(),
            content: content.clone(),
            stops: settings.stale_rows == StaleRows::Stop,
            is_last,
            reached: last_of(rows, load),
            passed: rows.len() as u64,
            ready,
            rows_of_commands,
            set_aside: Vec::new(),
        };
        for row in rows {
            if let Some(problems) = refused.get(&row.number) {
                let content = RowContent::read(&row.content)?;
                batch
                    .set_aside
                    .push(set_aside(row.number, content, problems)?);
            }
        }
        let (outcome, took) = self.inner.store.write_meanwhile(
            &load.owner,
            needs,
            move |tx| batch.run(job.as_ref(), tx),
            meanwhile,
        );
        let outcome = outcome.map_err(|error: WriteError<Failure>| refuse_write(error));
        Ok(Written { outcome, took })
    }
}

/// Where a row stands.
fn place(row: &PlanRow) -> Reached {
    Reached {
        turn: row.turn,
        number: row.number,
    }
}

/// How far a load is with these rows.
fn last_of(rows: &[PlanRow], load: &LoadRow) -> Reached {
    rows.last().map_or(load.reached, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_the_time() {
        let mut pace = Rows::default();
        pace.took(100, Duration::from_millis(7));
        assert_eq!(pace, Rows(200));
        pace.took(200, Duration::from_millis(700));
        assert_eq!(pace, Rows(20));
        pace.took(5, Duration::from_millis(700));
        assert_eq!(pace, Rows(20));
        pace.took(20, Duration::from_secs(10));
        assert_eq!(pace, Rows(LEAST));
    }
}
