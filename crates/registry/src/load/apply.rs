//! Applying a plan, batch by batch. Each batch is one transaction of the ordinary pipeline; what the source says from then
//! on, the rows that are set aside and how far the load is are written in it too. Between two batches anything may
//! happen: others write, the process is killed, somebody else goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use grunddata_model::{OwnerKey, RecordId};
use grunddata_store::{LoadRow, LoadStatus, Needs, PlanRow, Reached, RowState, WriteError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::batch::{Batch, set_aside, set_aside_faults};
use super::commands::commands_of;
use super::content::Content;
use super::must_load;
use super::read::{known, wrong_state};
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
/// Operations of a batch.
const OPERATIONS: usize = 5_000;
/// How long a batch may hold up others, with something in hand.
const AIM: Duration = Duration::from_millis(70);

/// How much is applied at once. Kept from batch to batch, it finds out how much of it takes less than 100 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadPace {
    rows: usize,
}

impl Default for LoadPace {
    fn default() -> Self {
        Self { rows: FIRST }
    }
}

impl LoadPace {
    /// Batches of about so many rows to begin with.
    #[must_use]
    pub fn of(rows: usize) -> Self {
        Self {
            rows: rows.clamp(1, MOST),
        }
    }

    fn took(&mut self, rows: usize, time: Duration) {
        // A short last batch tells nothing.
        if rows < self.rows / 2 {
            return;
        }
        let wanted = rows as f64 * AIM.as_secs_f64() / time.as_secs_f64().max(0.000_1);
        let most = self.rows.saturating_mul(2);
        self.rows = (wanted as usize).clamp(LEAST.min(most), most).min(MOST);
    }
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
#[derive(Clone)]
pub(super) struct Ready {
    pub(super) row: PlanRow,
    pub(super) content: RowContent,
    pub(super) commands: Vec<Command>,
}

/// One try at a batch.
struct Attempt {
    job: Option<Job>,
    /// The row of each command.
    rows_of_commands: Vec<i64>,
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
        let limit = pace.rows;
        let rows = self
            .inner
            .store
            .read(|reader| {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                reader.next_rows(owner, id, load.reached, limit)
            })
            .map_err(refuse_store)?;
        let watch = Stopwatch::now();
        let count = rows.len();
        let applied = self.apply_rows(context, &load, &content, &settings, rows, limit)?;
        pace.took(count, watch.elapsed());
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

    fn apply_rows(
        &self,
        context: &Context,
        load: &LoadRow,
        content: &Content,
        settings: &SourceSettings,
        mut rows: Vec<PlanRow>,
        limit: usize,
    ) -> Result<LoadProgress, Refusal> {
        let mut is_last = rows.len() < limit;
        let mut refused: BTreeMap<i64, Vec<RowProblem>> = BTreeMap::new();
        loop {
            let attempt =
                match self.attempt(context, load, settings, &mut rows, &refused, &mut is_last) {
                    Ok(attempt) => attempt,
                    Err((refusal, of_commands)) => {
                        set_aside_faults(
                            &refusal,
                            &of_commands,
                            &mut refused,
                            &mut rows,
                            &mut is_last,
                        )?;
                        continue;
                    }
                };
            let of_commands = attempt.rows_of_commands.clone();
            match self.write_step(load, content, settings, &rows, attempt, &refused, is_last) {
                Ok((load, content)) => return Ok(LoadProgress::of(&load, &content)),
                Err(refusal) => {
                    set_aside_faults(
                        &refusal,
                        &of_commands,
                        &mut refused,
                        &mut rows,
                        &mut is_last,
                    )?;
                }
            }
        }
    }

    /// Prepares the rows that are not set aside; what is refused, with the rows of the commands.
    fn attempt(
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
            commands.extend(own.iter().cloned());
            ready.push(Ready {
                row: row.clone(),
                content,
                commands: own,
            });
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
            job.context.keeps_protection |= !settings.authoritative.protection;
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
    ) -> Result<(LoadRow, Content), Refusal> {
        let Attempt {
            job,
            rows_of_commands,
            ready,
        } = attempt;
        let mut needs = job.as_ref().map_or_else(Needs::default, Job::needs);
        // What is only noted is looked at as well: it was worked out from a version.
        let noted = ready.iter().filter(|ready| ready.commands.is_empty());
        needs
            .records
            .extend(noted.filter_map(|ready| ready.row.record));
        let mut batch = Batch {
            load: load.clone(),
            content: content.clone(),
            stops: settings.stale_rows == StaleRows::Stop,
            is_last,
            reached: rows.last().map_or(load.reached, |row| Reached {
                turn: row.turn,
                number: row.number,
            }),
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
        self.inner
            .store
            .write_blocking(&load.owner, needs, move |tx| batch.run(job.as_ref(), tx))
            .map_err(|error: WriteError<Failure>| refuse_write(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_the_time() {
        let mut pace = LoadPace::default();
        pace.took(100, Duration::from_millis(7));
        assert_eq!(pace.rows, 200);
        pace.took(200, Duration::from_millis(700));
        assert_eq!(pace.rows, 20);
        pace.took(5, Duration::from_millis(700));
        assert_eq!(pace.rows, 20);
        pace.took(20, Duration::from_secs(10));
        assert_eq!(pace.rows, LEAST);
    }
}
