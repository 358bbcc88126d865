//! What a plan would do beyond its own rows, found out before anything is done: the rows are run through the ordinary
//! pipeline in memory, in the order in which they would be applied. What the pipeline refuses is set aside at once, and each
//! row says which records end or change because they refer to what it takes away.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use grunddata_model::{Domain, RecordId};
use grunddata_store::{Needs, PlanRow, Reached, Rehearsal, RowOutcome, RowState};
use serde::{Deserialize, Serialize};

use super::apply::Attempt;
use super::batch::set_aside_faults;
use super::content::Together;
use super::planner::LoadPlanner;
use super::row::{RowContent, RowProblem, problem};
use crate::registry::refuse_store;
use crate::write::{Failure, Follower, Job, TransactionWritten};
use crate::{Code, Refusal};

/// Plans that do something to more records are not rehearsed: all that they would stage is held in memory.
const MOST: u64 = 10_000;
/// So many records may follow all in all: they are held in memory too.
const MOST_FOLLOWERS: usize = 20_000;
/// Rows that are tried together, and applied together.
pub(super) const TOGETHER: usize = 200;
/// Stretches of rows that are applied together are named with the load.
const MOST_TOGETHER: usize = 1_000;
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
    /// How many more there are: they are too many to be named.
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
        if self.end.len() + self.change.len() == NAMED {
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

    /// Without those that are not to be seen: nobody is told that there are any.
    pub(super) fn seen(mut self, sees: impl Fn(&FollowedBy) -> bool) -> Self {
        self.end.retain(&sees);
        self.change.retain(&sees);
        self
    }
}

/// What a row is expected to be followed by, when it is applied.
pub(super) struct Expected {
    end: HashSet<RecordId>,
    change: HashSet<RecordId>,
    /// How many more may follow that are not named.
    more: u64,
}

impl Expected {
    pub(super) fn of(content: &RowContent) -> Self {
        let both = [&content.follows, &content.follows_unseen];
        let ids = |list: fn(&Follows) -> &Vec<FollowedBy>| {
            let lists = both.iter().flat_map(|follows| list(follows));
            lists.map(|one| one.id).collect()
        };
        Self {
            end: ids(|follows| &follows.end),
            change: ids(|follows| &follows.change),
            more: both.iter().map(|follows| follows.more).sum(),
        }
    }

    /// Whether the plan names it, with what becomes of it.
    pub(super) fn names(&self, follower: &Follower) -> bool {
        let named = if follower.ends {
            &self.end
        } else {
            &self.change
        };
        named.contains(&follower.record)
    }

    /// Takes one of those that are not named, if there is one.
    pub(super) fn counts_one(&mut self) -> bool {
        let there = self.more > 0;
        self.more = self.more.saturating_sub(1);
        there
    }
}

/// What follows a row: what who makes the plan may see of it, and the rest.
type SeenAndUnseen = (Follows, Follows);

/// What follows each row, by the rows of the commands.
fn follows_of(followers: &[Follower], rows_of_commands: &[i64]) -> BTreeMap<i64, SeenAndUnseen> {
    let mut follows: BTreeMap<i64, SeenAndUnseen> = BTreeMap::new();
    for follower in followers {
        let rows = follower.commands.iter();
        let mut rows: Vec<i64> = rows
            .filter_map(|command| rows_of_commands.get(*command).copied())
            .collect();
        rows.dedup();
        for row in rows {
            let (seen, unseen) = follows.entry(row).or_default();
            if follower.seen {
                seen.add(follower);
            } else {
                unseen.add(follower);
            }
        }
    }
    follows
}

impl LoadPlanner {
    /// Finds out what the rows that are written would do, and writes it down with them. A plan of which that cannot be found
    /// out stands all the same, and says so.
    pub(super) fn rehearse(&mut self) -> Result<(), Refusal> {
        let Err(refusal) = self.try_plan() else {
            return Ok(());
        };
        // It was cancelled meanwhile.
        if refusal.code == Code::LoadState {
            return Err(refusal);
        }
        tracing::warn!(
            load = %self.load.id,
            code = refusal.code.as_str(),
            why = refusal.detail,
            "what a plan does beyond its rows could not be found out"
        );
        self.content.rehearsed = false;
        self.content.together.clear();
        Ok(())
    }

    fn try_plan(&mut self) -> Result<(), Refusal> {
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
        self.content.together.clear();
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
        let mut followers = 0;
        loop {
            let (owner, load) = (&self.load.owner, self.load.id);
            let mut rows = self
                .registry
                .inner
                .store
                .read(|reader| reader.next_rows(owner, load, after, TOGETHER as i64))
                .map_err(refuse_store)?;
            let tried = self.try_rows(&mut rehearsal, &mut rows)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            let to = Reached {
                turn: last.turn,
                number: last.number,
            };
            if tried.acting > 1 {
                self.content.together.push(Together { after, to });
            }
            after = to;
            followers += tried.followers.len();
            self.note(rows, tried, &rehearsal)?;
            if followers > MOST_FOLLOWERS || self.content.together.len() > MOST_TOGETHER {
                self.content.rehearsed = false;
                self.content.together.clear();
                return Ok(());
            }
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
                            acting: rows_of_commands.iter().collect::<HashSet<_>>().len(),
                            followers,
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
    fn note(
        &mut self,
        rows: Vec<PlanRow>,
        mut foreseen: Foreseen,
        rehearsal: &Rehearsal,
    ) -> Result<(), Refusal> {
        let counts = &mut self.content.counts;
        // Those that are not for who makes the plan are not counted either: a number would tell of them.
        for follower in foreseen.followers.iter().filter(|one| one.seen) {
            if follower.ends {
                counts.follow_end += 1;
            } else {
                counts.follow_change += 1;
            }
        }
        let mut changed = Vec::new();
        for mut row in rows {
            let refused = foreseen.refused.remove(&row.number);
            let warned = foreseen.warned.remove(&row.number).unwrap_or_default();
            let (follows, unseen) = foreseen.follows.remove(&row.number).unwrap_or_default();
            let follows_nothing = follows.is_empty() && unseen.is_empty();
            if refused.is_none() && warned.is_empty() && follows_nothing {
                continue;
            }
            let mut content = RowContent::read(&row.content)?;
            if let Some(problems) = refused {
                row.state = RowState::SetAside;
                let here = row.record.is_some_and(|record| rehearsal.has(record));
                let problems = problems
                    .into_iter()
                    .map(|problem| if here { in_this_plan(problem) } else { problem });
                // What keeps it from being applied goes before what is only worth a look.
                content.problems.splice(0..0, problems);
            }
            for problem in warned {
                let told = content.problems.iter().any(|known| {
                    (&known.code, &known.pointer) == (&problem.code, &problem.pointer)
                });
                content.problems.extend((!told).then_some(problem));
            }
            content.problems.truncate(100);
            content.follows = follows;
            content.follows_unseen = unseen;
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
    follows: BTreeMap<i64, SeenAndUnseen>,
    followers: Vec<Follower>,
    /// Rows that do something.
    acting: usize,
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

/// The rows would do more than their plan says: by their commands.
pub(super) fn not_foreseen(commands: impl IntoIterator<Item = usize>) -> Option<Refusal> {
    let faults = commands.into_iter().map(|command| {
        let mut fault = crate::Fault::new(
            format!("/operations/{command}"),
            Code::PreconditionFailed,
            "More records follow than the plan foresees, because something else refers to this one since: the next load works the row out anew.",
            "Fler poster följer med än planen förutser, eftersom något annat hänvisar till denna sedan dess: nästa laddning räknar om raden.",
        );
        fault.code = Cow::Borrowed(problem::MORE_FOLLOW);
        (Code::PreconditionFailed, fault)
    });
    Refusal::of_faults(faults.collect())
}
