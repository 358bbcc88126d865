//! One batch of a load, under the owner's lock: its records, what the source says from then on, what is set aside, and how
//! far the load is.

use std::collections::{BTreeMap, BTreeSet};

use grunddata_model::RecordId;
use grunddata_store::{
    AssertionRow, LoadRow, LoadStatus, LoadStep, PlanRow, Reached, RecordStatus, SetAside, WriteTx,
};

use super::apply::{KeptFinding, Ready, Saying};
use super::content::{Content, GuardHit};
use super::read::{known, wrong_state};
use super::rehearse::{Expected, not_foreseen};
use super::row::{Before, Effect, RowContent, RowProblem, problem, unhex};
use crate::write::{Failure, Follower, Job};
use crate::{Code, Refusal, TransactionWritten};

/// The most findings that are kept of a batch.
const FINDINGS: usize = 1_000;

/// A batch as it runs under the owner's lock.
pub(super) struct Batch {
    pub(super) load: LoadRow,
    pub(super) content: Content,
    pub(super) stops: bool,
    pub(super) is_last: bool,
    pub(super) reached: Reached,
    pub(super) passed: u64,
    pub(super) ready: Vec<Ready>,
    pub(super) rows_of_commands: Vec<i64>,
    pub(super) set_aside: Vec<SetAside>,
}

/// What has become of a batch.
pub(super) struct Done {
    pub(super) load: LoadRow,
    pub(super) content: Content,
    /// Whether references wait for a record that it brought.
    pub(super) met: bool,
}

impl Batch {
    pub(super) fn run(&self, job: Option<&Job>, tx: &mut WriteTx<'_>) -> Result<Done, Failure> {
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
        // What was erased after the batch was read must not come back with it.
        let erased = tx.erased_rows(self.load.id)?;
        if self
            .ready
            .iter()
            .any(|ready| erased.contains(&ready.number))
        {
            return Err(wrong_state(
                &now,
                "Something that its next rows hold was erased meanwhile. Apply it again.",
            )
            .into());
        }
        let mut stale = self.stale(tx)?;
        let done = job.map(|job| job.run_with_followers(tx)).transpose()?;
        let (written, followers) = done.unzip();
        self.is_foreseen(followers.unwrap_or_default())?;
        stale.extend(self.without_record(tx)?);
        let mut set_aside = self.set_aside.clone();
        let mut said: Vec<AssertionRow> = Vec::with_capacity(self.ready.len());
        let mut unsaid = Vec::new();
        let mut applied = 0;
        for ready in &self.ready {
            if stale.contains(&ready.number) {
                let problems = [changed_since()];
                let row = set_aside_row(ready, &problems)?;
                set_aside.push(row);
                continue;
            }
            applied += 1;
            match &ready.said {
                Saying::Now(row) => said.push(row.clone()),
                Saying::NoMore(key) => unsaid.push(*key),
                Saying::Nothing => {}
            }
        }
        let (findings, found) = self.findings(written.as_ref())?;
        let mut content = self.content.clone();
        content.done += self.passed;
        content.failed = None;
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
        let met = written.is_some_and(|written| !written.met.is_empty());
        Ok(Done { load, content, met })
    }

    /// A plan that was rehearsed says what follows its rows: where something else refers to them by now, the row is worked
    /// out anew.
    fn is_foreseen(&self, followers: Vec<Follower>) -> Result<(), Failure> {
        if !self.content.rehearsed || followers.is_empty() {
            return Ok(());
        }
        let planned = self.ready.iter();
        let mut planned: BTreeMap<i64, Expected> = planned
            .map(|ready| (ready.number, Expected::of(&ready.content)))
            .collect();
        let mut unforeseen: BTreeSet<usize> = BTreeSet::new();
        for follower in followers {
            // What follows two rows may stand with one of them alone: they need not have been tried together.
            let rows = follower.commands.iter();
            let rows: Vec<i64> = rows
                .filter_map(|command| self.rows_of_commands.get(*command).copied())
                .collect();
            let named = rows
                .iter()
                .any(|row| planned.get(row).is_some_and(|row| row.names(&follower)));
            let mut counted = || {
                let mut rows = rows.iter();
                rows.any(|row| planned.get_mut(row).is_some_and(Expected::counts_one))
            };
            if !named && !counted() {
                unforeseen.extend(follower.commands.first());
            }
        }
        match not_foreseen(unforeseen) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    /// Rows without an operation whose record is another than the one that they were worked out from.
    fn stale(&self, tx: &mut WriteTx<'_>) -> Result<BTreeSet<i64>, Failure> {
        let mut stale = BTreeSet::new();
        for ready in self.ready.iter().filter(|ready| !ready.acts) {
            let (Some(record), Some(version)) = (ready.record, ready.base_version) else {
                continue;
            };
            let as_it_was = tx.record(record)?.is_some_and(|image| {
                image.version == version && image.status != RecordStatus::Erased
            });
            if !as_it_was {
                stale.insert(ready.number);
            }
        }
        Ok(stale)
    }

    /// Rows that only say what another row of the plan says, where that one's record is not there after all.
    fn without_record(&self, tx: &mut WriteTx<'_>) -> Result<BTreeSet<i64>, Failure> {
        let mut without = BTreeSet::new();
        let says = |ready: &&Ready| !ready.acts && ready.content.effect == Effect::Says;
        for ready in self.ready.iter().filter(says) {
            let (Some(record), None) = (ready.record, ready.base_version) else {
                continue;
            };
            let image = tx.record(record)?;
            if image.is_none_or(|image| image.status == RecordStatus::Erased) {
                without.insert(ready.number);
            }
        }
        Ok(without)
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
pub(super) fn set_aside_faults(
    refusal: &Refusal,
    of_commands: &[i64],
    refused: &mut BTreeMap<i64, Vec<RowProblem>>,
    rows: &mut Vec<PlanRow>,
    is_last: &mut bool,
) -> Result<(), Refusal> {
    let nothing_to_blame = of_commands.is_empty();
    if refusal.is_of_no_record() || nothing_to_blame {
        return Err(refusal.clone());
    }
    let mut at_fault: BTreeMap<i64, Vec<RowProblem>> = BTreeMap::new();
    for fault in &refusal.errors {
        if let Some(number) = fault.operation().and_then(|index| of_commands.get(index)) {
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

pub(super) fn set_aside(
    number: i64,
    mut content: RowContent,
    problems: &[RowProblem],
) -> Result<SetAside, Refusal> {
    content.problems.splice(0..0, problems.iter().cloned());
    content.problems.truncate(100);
    Ok(SetAside {
        number,
        content: content.written()?,
    })
}

fn set_aside_row(ready: &Ready, problems: &[RowProblem]) -> Result<SetAside, Refusal> {
    set_aside(ready.number, ready.content.clone(), problems)
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

/// What the source says once the row is applied.
pub(super) fn assertion_of(
    load: &LoadRow,
    row: &PlanRow,
    content: &RowContent,
) -> Result<Saying, Refusal> {
    let assertion = |record: RecordId, said, hash: &str, present, first_load, of| {
        Ok(Saying::Now(AssertionRow {
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
        (Effect::Restored, _, None) => Ok(Saying::NoMore(row.key_hash)),
        _ => Ok(Saying::Nothing),
    }
}
