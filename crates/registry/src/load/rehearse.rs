//! What a plan would do beyond its own rows, found out before anything is done: the rows are run through the ordinary
//! pipeline in memory, in the order in which they would be applied. What the pipeline refuses is set aside at once, and each
//! row says which records end or change because they refer to what it takes away.

use std::collections::BTreeMap;

use grunddata_model::{Domain, RecordId};
use grunddata_store::{Needs, PlanRow, Reached, Rehearsal, RowOutcome, RowState};
use serde::{Deserialize, Serialize};

use super::apply::Attempt;
use super::batch::set_aside_faults;
use super::planner::LoadPlanner;
use super::row::{RowContent, RowProblem, problem};
use crate::registry::refuse_store;
use crate::write::{Failure, Follower, Job, TransactionWritten};
use crate::{Code, Refusal};

/// Plans that do something to more records are not rehearsed: all that they would stage is held in memory.
const MOST: u64 = 10_000;
/// Rows that are tried together.
const TOGETHER: i64 = 500;
/// Followers of a row that are named.
const NAMED: usize = 1_000;

/// A record that follows a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedBy {
    /// The record.
    pub id: RecordId,
    /// Its domain.
    pub domain: Domain,
}

/// Records that follow a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Follows {
    /// Those that have days on which they do not hold any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub end: Vec<FollowedBy>,
    /// Those that only lose the reference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub change: Vec<FollowedBy>,
    /// How many more there are: who makes the plan may not see them, or they are too many to be named.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Follows {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, follower: &Follower) {
        let one = FollowedBy {
            id: follower.record,
            domain: follower.domain,
        };
        let room = self.end.len() + self.change.len() < NAMED;
        if !follower.seen || !room {
            self.more += 1;
        } else if follower.ends {
            self.end.push(one);
        } else {
            self.change.push(one);
        }
    }

    /// The records that are named.
    pub(super) fn named(&self) -> impl Iterator<Item = RecordId> {
        self.end.iter().chain(&self.change).map(|one| one.id)
    }

    /// Without the names of those that are not to be seen.
    pub(super) fn seen(mut self, sees: impl Fn(&FollowedBy) -> bool) -> Self {
        let before = self.end.len() + self.change.len();
        self.end.retain(&sees);
        self.change.retain(&sees);
        self.more += (before - self.end.len() - self.change.len()) as u64;
        self
    }

    /// Whether everything that follows now was foreseen.
    pub(super) fn foresees(&self, now: &Self) -> bool {
        let missing = |planned: &[FollowedBy], now: &[FollowedBy]| {
            now.iter().filter(|one| !planned.contains(one)).count() as u64
        };
        missing(&self.end, &now.end) + missing(&self.change, &now.change) + now.more <= self.more
    }
}

/// What follows each row, by the rows of the commands.
pub(super) fn follows_of(
    followers: &[Follower],
    rows_of_commands: &[i64],
) -> BTreeMap<i64, Follows> {
    let mut follows: BTreeMap<i64, Follows> = BTreeMap::new();
    for follower in followers {
        let rows = follower.commands.iter();
        let mut rows: Vec<i64> = rows
            .filter_map(|command| rows_of_commands.get(*command).copied())
            .collect();
        rows.dedup();
        for row in rows {
            follows.entry(row).or_default().add(follower);
        }
    }
    follows
}

impl LoadPlanner {
    /// Finds out what the rows that are written would do, and writes it down with them.
    pub(super) fn rehearse(&mut self) -> Result<(), Refusal> {
        let counts = self.writer.counts().map_err(refuse_store)?;
        let acting = counts.iter().filter(|(outcome, state, _)| {
            let acts = matches!(
                outcome,
                RowOutcome::Create | RowOutcome::Change | RowOutcome::End | RowOutcome::Revive
            );
            acts && *state == RowState::Ready
        });
        let acting: u64 = acting.map(|(.., count)| count).sum();
        self.content.rehearsed = acting <= MOST;
        if acting == 0 || acting > MOST {
            return Ok(());
        }
        let mut rehearsal = self
            .registry
            .inner
            .store
            .rehearse(&self.load.owner)
            .map_err(refuse_store)?;
        let mut after = Reached {
            turn: i32::MIN,
            number: 0,
        };
        loop {
            let (owner, load) = (&self.load.owner, self.load.id);
            let mut rows = self
                .registry
                .inner
                .store
                .read(|reader| reader.next_rows(owner, load, after, TOGETHER))
                .map_err(refuse_store)?;
            let tried = self.try_rows(&mut rehearsal, &mut rows)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Reached {
                turn: last.turn,
                number: last.number,
            };
            self.note(rows, tried)?;
        }
    }

    /// Tries the rows, or the first of them; those that are refused are left out until the others go.
    fn try_rows(
        &self,
        rehearsal: &mut Rehearsal,
        rows: &mut Vec<PlanRow>,
    ) -> Result<Foreseen, Refusal> {
        let mut refused: BTreeMap<i64, Vec<RowProblem>> = BTreeMap::new();
        let mut is_last = false;
        loop {
            let attempt = self.registry.attempt(
                &self.context,
                &self.load,
                &self.settings,
                rows,
                &refused,
                &mut is_last,
            );
            let (refusal, of_commands) = match attempt {
                Err(failed) => failed,
                Ok(Attempt { job: None, .. }) => {
                    return Ok(Foreseen {
                        refused,
                        ..Foreseen::default()
                    });
                }
                Ok(Attempt {
                    job: Some(job),
                    rows_of_commands,
                    ..
                }) => match tried(rehearsal, &job) {
                    Ok((written, followers)) => {
                        return Ok(Foreseen {
                            refused,
                            warned: warnings(&written, &rows_of_commands),
                            follows: follows_of(&followers, &rows_of_commands),
                            ends: followers.iter().filter(|one| one.ends).count() as u64,
                            followers: followers.len() as u64,
                        });
                    }
                    Err(Failure::Refused(refusal)) => (*refusal, rows_of_commands),
                    Err(Failure::Store(error)) => return Err(refuse_store(error)),
                },
            };
            set_aside_faults(&refusal, &of_commands, &mut refused, rows, &mut is_last)?;
        }
    }

    /// Writes down what was found out.
    fn note(&mut self, rows: Vec<PlanRow>, mut foreseen: Foreseen) -> Result<(), Refusal> {
        let counts = &mut self.content.counts;
        counts.follow_end += foreseen.ends;
        counts.follow_change += foreseen.followers - foreseen.ends;
        let mut changed = Vec::new();
        for mut row in rows {
            let refused = foreseen.refused.remove(&row.number);
            let warned = foreseen.warned.remove(&row.number).unwrap_or_default();
            let follows = foreseen.follows.remove(&row.number).unwrap_or_default();
            if refused.is_none() && warned.is_empty() && follows.is_empty() {
                continue;
            }
            let mut content = RowContent::read(&row.content)?;
            if let Some(problems) = refused {
                row.state = RowState::SetAside;
                content
                    .problems
                    .extend(problems.into_iter().map(in_this_plan));
            }
            content.problems.extend(warned);
            content.problems.truncate(100);
            content.follows = follows;
            row.content = content.written()?;
            changed.push(row);
        }
        if changed.is_empty() {
            return Ok(());
        }
        self.write(changed)
    }
}

/// What a try has shown.
#[derive(Default)]
struct Foreseen {
    refused: BTreeMap<i64, Vec<RowProblem>>,
    warned: BTreeMap<i64, Vec<RowProblem>>,
    follows: BTreeMap<i64, Follows>,
    followers: u64,
    ends: u64,
}

fn tried(
    rehearsal: &mut Rehearsal,
    job: &Job,
) -> Result<(TransactionWritten, Vec<Follower>), Failure> {
    let needs: Needs = job.needs();
    rehearsal.run(&needs, |tx| job.run_with_followers(tx))
}

/// What would be let through but is worth a look.
fn warnings(
    written: &TransactionWritten,
    rows_of_commands: &[i64],
) -> BTreeMap<i64, Vec<RowProblem>> {
    let mut warned: BTreeMap<i64, Vec<RowProblem>> = BTreeMap::new();
    for (item, row) in written.items.iter().zip(rows_of_commands) {
        for finding in &item.findings {
            let problem = RowProblem::from(finding.clone()).as_warning();
            warned.entry(*row).or_default().push(problem);
        }
    }
    warned
}

/// A row of the same plan has changed the record first.
fn in_this_plan(problem: RowProblem) -> RowProblem {
    if problem.code != problem::CHANGED_SINCE_PLAN {
        return problem;
    }
    RowProblem::new(
        problem::CHANGED_SINCE_PLAN,
        "Another row of the plan ends or changes the record first, because it refers to what that row takes away: the next load works this one out anew.",
        "En annan rad i planen avslutar eller ändrar posten först, eftersom den hänvisar till det som den raden tar bort: nästa laddning räknar om denna.",
    )
}

/// The row would do more than its plan says.
pub(super) fn not_foreseen(command: usize) -> Refusal {
    let fault = crate::Fault::new(
        format!("/operations/{command}"),
        Code::PreconditionFailed,
        "More records follow than the plan foresees.",
        "Fler poster följer med än planen förutser.",
    );
    Refusal::of_faults(vec![(Code::PreconditionFailed, fault)]).unwrap_or_else(Refusal::internal)
}
