//! Applying a plan, batch by batch. Each batch is one transaction of the ordinary pipeline; what the source says from then
//! on, the rows that are set aside and how far the load is are written in it too. Between two batches anything may
//! happen: others write, the process is killed, somebody else goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use grunddata_model::{OwnerKey, RecordId};
use grunddata_store::{
    AssertionRow, LoadRow, LoadStatus, LoadStep, Needs, PlanRow, Reached, RecordStatus, RowState,
    SetAside, WriteError, WriteTx,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::content::{Content, GuardHit};
use super::must_load;
use super::read::{known, wrong_state};
use super::row::{
    Before, Effect, Planned, RowContent, RowProblem, from_bound, problem, to_bound, unhex,
};
use super::settings::{SourceSettings, StaleRows};
use crate::registry::{refuse_store, refuse_write};
use crate::write::{Failure, Job};
use crate::{
    Amend, ChangeKind, Code, Command, Content as Body, Context, Create, End, Envelope, From,
    IfMatch, Note, Operation, Patch, Refusal, Registry, Replace, Retract, Revert, Revive, Subject,
    TransactionWritten,
};

/// Rows of the first batch.
const FIRST: usize = 100;
/// Rows of a batch.
const LEAST: usize = 10;
const MOST: usize = 2_000;
/// Operations of a batch.
const OPERATIONS: usize = 5_000;
/// How long a batch may hold up others, with something in hand.
const AIM: Duration = Duration::from_millis(70);
/// The most findings that are kept of a batch.
const FINDINGS: usize = 1_000;

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
struct Ready {
    row: PlanRow,
    content: RowContent,
    commands: Vec<Command>,
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

/// A batch as it runs under the owner's lock.
struct Batch {
    load: LoadRow,
    content: Content,
    stops: bool,
    is_last: bool,
    reached: Reached,
    passed: u64,
    ready: Vec<Ready>,
    rows_of_commands: Vec<i64>,
    set_aside: Vec<SetAside>,
}

impl Batch {
    fn run(&self, job: Option<&Job>, tx: &mut WriteTx<'_>) -> Result<(LoadRow, Content), Failure> {
        let now = known(&self.load.owner, self.load.id, tx.load(self.load.id)?)?;
        let as_it_was = now.batches == self.load.batches
            && now.reached == self.load.reached
            && matches!(now.status, LoadStatus::Planned | LoadStatus::Applying);
        if !as_it_was {
            return Err(wrong_state(
                &now,
                "Somebody else has gone on with it, or cancelled it. Read it again.",
            )
            .into());
        }
        let stale = self.stale(tx)?;
        let written = job.map(|job| job.run(tx)).transpose()?;
        let mut set_aside = self.set_aside.clone();
        let mut said: Vec<AssertionRow> = Vec::with_capacity(self.ready.len());
        let mut unsaid = Vec::new();
        let mut applied = 0;
        for ready in &self.ready {
            if stale.contains(&ready.row.number) {
                let problems = [changed_since()];
                let row = set_aside_row(ready, &problems)?;
                set_aside.push(row);
                continue;
            }
            applied += 1;
            match assertion_of(&self.load, ready)? {
                Some(row) => said.push(row),
                None if ready.content.effect == Effect::Restored => {
                    unsaid.push(ready.row.key_hash);
                }
                None => {}
            }
        }
        let (findings, found) = self.findings(written.as_ref())?;
        let mut content = self.content.clone();
        content.done += self.passed;
        content.counts.applied += applied;
        content.counts.set_aside += set_aside.len() as u64;
        content.counts.findings += found;
        let mut load = LoadRow {
            status: if self.is_last {
                LoadStatus::Applied
            } else {
                LoadStatus::Applying
            },
            batches: self.load.batches + 1,
            reached: self.reached,
            changed_at: tx.now(),
            ..self.load.clone()
        };
        if self.stops && !set_aside.is_empty() && !self.is_last {
            load.status = LoadStatus::Stopped;
            content.guards.push(stale_rows(set_aside.len()));
        }
        load.content = content.written()?;
        let reversed = match self
            .load
            .reverses
            .filter(|_| load.status == LoadStatus::Applied)
        {
            Some(original) => tx.load(original)?.map(|original| LoadRow {
                status: LoadStatus::Reversed,
                changed_at: tx.now(),
                ..original
            }),
            None => None,
        };
        tx.step(LoadStep {
            load: load.clone(),
            transaction: written.as_ref().and_then(|written| written.transaction),
            rows: u32::try_from(self.passed).unwrap_or(u32::MAX),
            findings,
            said,
            unsaid,
            set_aside,
            reversed,
        });
        Ok((load, content))
    }

    /// Rows without an operation whose record is another than the one that they were worked out from.
    fn stale(&self, tx: &mut WriteTx<'_>) -> Result<BTreeSet<i64>, Failure> {
        let mut stale = BTreeSet::new();
        for ready in self.ready.iter().filter(|ready| ready.commands.is_empty()) {
            let (Some(record), Some(version)) = (ready.row.record, ready.row.base_version) else {
                continue;
            };
            let as_it_was = tx.record(record)?.is_some_and(|image| {
                image.version == version && image.status != RecordStatus::Erased
            });
            if !as_it_was {
                stale.insert(ready.row.number);
            }
        }
        Ok(stale)
    }

    /// What was let through, as JSON, and how much of it there is.
    fn findings(
        &self,
        written: Option<&TransactionWritten>,
    ) -> Result<(Option<String>, u64), Failure> {
        let mut kept = Vec::new();
        let mut count = 0_u64;
        let items = written.into_iter().flat_map(|written| &written.items);
        for (item, row) in items.zip(&self.rows_of_commands) {
            for finding in &item.findings {
                count += 1;
                if kept.len() < FINDINGS {
                    kept.push(KeptFinding {
                        row: *row,
                        record: item.id,
                        problem: RowProblem::from(finding.clone()).as_warning(),
                    });
                }
            }
        }
        if kept.is_empty() {
            return Ok((None, count));
        }
        let text = serde_json::to_string(&kept).map_err(|_| Refusal::internal())?;
        Ok((Some(text), count))
    }
}

/// Sets aside the rows that a refusal is about; where it does not say, fewer are tried.
fn set_aside_faults(
    refusal: &Refusal,
    of_commands: &[i64],
    refused: &mut BTreeMap<i64, Vec<RowProblem>>,
    rows: &mut Vec<PlanRow>,
    is_last: &mut bool,
) -> Result<(), Refusal> {
    let not_of_rows = matches!(
        refusal.code,
        Code::Busy
            | Code::ClockJump
            | Code::Timeout
            | Code::Internal
            | Code::LoadState
            | Code::UnknownLoad
            | Code::UnknownOwner
            | Code::Unauthenticated
    );
    let nothing_to_blame = of_commands.is_empty();
    if not_of_rows || nothing_to_blame {
        return Err(refusal.clone());
    }
    let mut at_fault: BTreeMap<i64, Vec<RowProblem>> = BTreeMap::new();
    for fault in &refusal.errors {
        let index = fault
            .pointer
            .strip_prefix("/operations/")
            .and_then(|rest| rest.split('/').next()?.parse::<usize>().ok());
        if let Some(number) = index.and_then(|index| of_commands.get(index)) {
            let problem = if fault.code == Code::PreconditionFailed.as_str() {
                changed_since()
            } else {
                RowProblem::from(fault.clone())
            };
            at_fault.entry(*number).or_default().push(problem);
        }
    }
    if at_fault.is_empty() {
        let distinct: BTreeSet<i64> = of_commands.iter().copied().collect();
        match (distinct.first(), distinct.len()) {
            (Some(only), 1) => {
                at_fault.insert(*only, RowProblem::of_refusal(refusal));
            }
            _ => {
                // One of them is at fault, and nobody says which: half of them at a time.
                rows.truncate((rows.len() / 2).max(1));
                *is_last = false;
                return Ok(());
            }
        }
    }
    refused.extend(at_fault);
    Ok(())
}

fn changed_since() -> RowProblem {
    RowProblem::new(
        problem::CHANGED_SINCE_PLAN,
        "The record was changed after the plan was made: the next load works the row out anew.",
        "Posten ändrades efter att planen gjordes: nästa laddning räknar om raden.",
    )
}

fn set_aside(
    number: i64,
    mut content: RowContent,
    problems: &[RowProblem],
) -> Result<SetAside, Refusal> {
    content.problems.extend_from_slice(problems);
    content.problems.truncate(100);
    Ok(SetAside {
        number,
        content: content.written()?,
    })
}

fn set_aside_row(ready: &Ready, problems: &[RowProblem]) -> Result<SetAside, Refusal> {
    set_aside(ready.row.number, ready.content.clone(), problems)
}

fn stale_rows(count: usize) -> GuardHit {
    GuardHit {
        name: "stale-rows".to_owned(),
        message: format!(
            "{count} rows of the last batch could not be applied as they were planned. Look at them; to go on with the others, override the guard stale-rows."
        ),
        message_sv: format!(
            "{count} rader i den senaste omgången kunde inte genomföras som planerat. Granska dem; för att gå vidare med de andra, åsidosätt spärren stale-rows."
        ),
        overridden: None,
    }
}

/// What the source says once the row is applied; `None` where nothing is to be written.
fn assertion_of(load: &LoadRow, ready: &Ready) -> Result<Option<AssertionRow>, Refusal> {
    let (row, content) = (&ready.row, &ready.content);
    let assertion = |record: RecordId, said, hash: &str, present, first_load, of| {
        Ok(Some(AssertionRow {
            source: load.source.clone(),
            key_hash: row.key_hash,
            hash: unhex(hash),
            present,
            record,
            record_name: row.record_name.clone(),
            key: row.key.clone(),
            domain: row.domain,
            content: serde_json::to_string(said).map_err(|_| Refusal::internal())?,
            first_load,
            load: of,
        }))
    };
    let first = content
        .before
        .as_ref()
        .map_or(load.id, |before| before.first_load);
    match (content.effect, row.record, &content.before) {
        (Effect::Says, Some(record), _) => {
            assertion(record, &content.said, &content.hash, true, first, load.id)
        }
        (Effect::Silent, _, Some(Before { record, hash, .. })) => {
            assertion(*record, &content.said, hash, false, first, load.id)
        }
        (Effect::Restored, _, Some(before)) => assertion(
            before.record,
            &before.said,
            &before.hash,
            before.present,
            before.first_load,
            before.load,
        ),
        _ => Ok(None),
    }
}

/// The commands of a row.
fn commands_of(
    load: &LoadRow,
    settings: &SourceSettings,
    row: &PlanRow,
    content: &RowContent,
) -> Vec<Command> {
    let Some(id) = row.record else {
        return Vec::new();
    };
    let subject = || Subject::Id(id);
    let body = |data: serde_json::Value| Body { data, model: None };
    let mut commands = Vec::with_capacity(content.operations.len());
    for planned in &content.operations {
        let mut correction = false;
        let operation = match planned {
            Planned::Create { piece, from, to } => {
                let data = content
                    .said
                    .pieces
                    .get(*piece)
                    .map(|piece| piece.resolved());
                let content = body(data.unwrap_or_default());
                if commands.is_empty() {
                    Operation::Create(Create {
                        id: Some(id),
                        temporary_id: None,
                        envelope: Envelope {
                            owner: Some(load.owner.clone()),
                            controller: settings.controller,
                            ..Envelope::default()
                        },
                        content,
                        valid_from: Some(from_bound(*from)),
                        valid_to: Some(to_bound(*to)),
                        matching: None,
                    })
                } else {
                    Operation::Revive(Revive {
                        subject: subject(),
                        content,
                        valid_from: from_bound(*from),
                        valid_to: Some(to_bound(*to)),
                    })
                }
            }
            Planned::Amend {
                patch,
                from,
                to,
                correction: is_correction,
            } => {
                correction = *is_correction;
                Operation::Amend(Amend {
                    subject: subject(),
                    patch: Patch::Merge(patch.clone()),
                    valid_from: Some(From::At(from_bound(*from))),
                    valid_to: Some(to_bound(*to)),
                })
            }
            Planned::Fill {
                data,
                from,
                to,
                correction: is_correction,
            } => {
                correction = *is_correction;
                Operation::Replace(Replace {
                    subject: subject(),
                    envelope: Envelope::default(),
                    content: body(data.clone()),
                    valid_from: Some(From::At(from_bound(*from))),
                    valid_to: Some(to_bound(*to)),
                    overwrite_planned: true,
                })
            }
            Planned::Revive { data, from, to } => Operation::Revive(Revive {
                subject: subject(),
                content: body(data.clone()),
                valid_from: from_bound(*from),
                valid_to: Some(to_bound(*to)),
            }),
            Planned::End { from, to } => Operation::End(End {
                subject: subject(),
                valid_from: Some(From::At(from_bound(*from))),
                valid_to: to.map(to_bound),
            }),
            Planned::Retract { period } => Operation::Retract(Retract {
                subject: subject(),
                valid_from: period.map(|(from, _)| From::At(from_bound(from))),
                valid_to: period.map(|(_, to)| to_bound(to)),
            }),
            Planned::Revert { version } => Operation::Revert(Revert {
                subject: subject(),
                version: *version,
            }),
        };
        let mut command = Command::new(row.domain, operation).note(Note {
            reason: Some(format!("load {}", load.id)),
            change_kind: if correction {
                ChangeKind::Correction
            } else {
                ChangeKind::Change
            },
            corrects: None,
            source: Some(load.source.clone()),
        });
        command.on_uncovered = settings.on_uncovered;
        command.if_match = row.base_version.map(IfMatch::Version);
        commands.push(command);
    }
    commands
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
