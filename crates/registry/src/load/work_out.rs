//! From what is said to what is done: each row is matched with its record, its references are found, and what is new of it
//! is brought upon what is recorded. Rows whose targets are not worked out yet wait.

use std::collections::HashMap;

use grunddata_information_model::Resolved;
use grunddata_model::{Domain, RecordId};
use grunddata_store::{AssertionRow, KeyHash, PlanRow, RowOutcome, RowState};

use super::assertion::{AssertionKey, Said, in_order};
use super::gather::{Candidate, duplicate_key};
use super::matching::{Match, Outcome, Surroundings, Target};
use super::merge::Other;
use super::planner::{LoadPlanner, read_said};
use super::row::{Before, Effect, RowContent, RowProblem, hex, problem};
use crate::registry::refuse_store;
use crate::{Code, OnUnresolved, Refusal};

/// How many waiting rows are worked out together.
const WAITING: i64 = 1_000;
/// Turns of rows that take something away: after all others.
pub(super) const ENDS: i32 = 10_000;
/// Turns of one domain.
const DEPTH: i32 = 1_000;

/// The first turn of rows of a domain: targets before those who refer to them.
fn first_turn(domain: Domain) -> i32 {
    DEPTH
        * match domain {
            Domain::Geography => 0,
            Domain::Organisation => 1,
            Domain::Service => 2,
            Domain::Person => 3,
            Domain::Role => 4,
        }
}

/// The first turn of rows that end records of a domain: those who refer before what they refer to.
pub(super) fn ending_turn(domain: Domain) -> i32 {
    ENDS + 4 * DEPTH - first_turn(domain)
}

/// What was worked out of one row.
pub(super) struct Worked {
    pub(super) row: PlanRow,
    pub(super) content: RowContent,
}

/// Whether the rows of this pass are done.
pub(super) enum Step {
    Done(Box<Worked>),
    Pending,
}

/// The rows that were worked out in this pass.
type Done = HashMap<KeyHash, Outcome>;

impl LoadPlanner {
    /// Works rows out and writes them; those that wait for others are written as they are. In the last pass nothing waits.
    pub(super) fn work_out(
        &mut self,
        candidates: Vec<Candidate>,
        last: bool,
    ) -> Result<(), Refusal> {
        if candidates.is_empty() {
            return Ok(());
        }
        let around = self.surroundings(&candidates)?;
        let matches: Vec<Match> = candidates
            .iter()
            .map(|candidate| self.record_of(candidate, &around))
            .collect();
        let keys: Vec<KeyHash> = candidates
            .iter()
            .filter(|candidate| candidate.head.is_some())
            .map(|candidate| candidate.key_hash)
            .collect();
        let before = self.writer.said(&keys).map_err(refuse_store)?;
        let records: Vec<RecordId> = matches
            .iter()
            .filter_map(|found| match found {
                Match::Record(image) => Some(image.id),
                _ => None,
            })
            .collect();
        let said_of = self.said_of(&records)?;
        let mut waiting: Vec<(Candidate, Match)> = candidates.into_iter().zip(matches).collect();
        waiting.sort_by_key(|(candidate, _)| (first_turn(candidate.domain), candidate.number));
        let mut done: Done = HashMap::new();
        let mut changed: Vec<PlanRow> = Vec::new();
        let mut circle = false;
        loop {
            let count = waiting.len();
            let open: std::collections::HashSet<KeyHash> = waiting
                .iter()
                .map(|(candidate, _)| candidate.key_hash)
                .collect();
            let mut still = Vec::new();
            // Where nothing moves any more rows lead to each other, or to rows that come later in the file.
            for (mut candidate, found) in waiting {
                let own_key = candidate.key_hash;
                let is_open = |key: &KeyHash| {
                    !circle && *key != own_key && open.contains(key) && !done.contains_key(key)
                };
                let own = before.get(&candidate.key_hash);
                let step = self.one(
                    &mut candidate,
                    &found,
                    own,
                    &said_of,
                    &around,
                    (&done, &is_open),
                    last,
                )?;
                match step {
                    Step::Pending => still.push((candidate, found)),
                    Step::Done(worked) => {
                        let made =
                            (worked.row.outcome == RowOutcome::Create).then_some(worked.row.turn);
                        let refused = matches!(
                            worked.row.outcome,
                            RowOutcome::Rejected | RowOutcome::Conflict
                        );
                        let record = worked
                            .row
                            .record
                            .filter(|_| !refused || candidate.head.is_some());
                        let outcome = Outcome {
                            record,
                            turn: made,
                            file_row: worked.row.file_row,
                        };
                        done.insert(candidate.key_hash, outcome);
                        self.keep(*worked, &candidate, &mut changed)?;
                    }
                }
            }
            let stands = still.len() == count;
            waiting = still;
            // Rows that lead to each other alone: none of them comes first.
            let gives_up = stands && last && !circle;
            circle |= gives_up;
            if waiting.is_empty() || (stands && !gives_up) {
                break;
            }
        }
        for (candidate, _) in waiting {
            if candidate.waited {
                continue;
            }
            self.waiting += 1;
            let content = RowContent {
                rows: candidate.file_rows.iter().skip(1).copied().collect(),
                removed: candidate.removed,
                said: Said {
                    pieces: candidate.pieces.clone(),
                    ..Said::default()
                },
                ..RowContent::default()
            };
            let row = PlanRow {
                state: RowState::Waiting,
                content: content.written()?,
                ..self.row_of(&candidate)
            };
            if candidate.written {
                changed.push(row);
            } else {
                self.unwritten.push(row);
            }
        }
        self.write(changed)
    }

    /// Works out what waits, as often as something comes of it; then without waiting.
    pub(super) fn settle_waiting(&mut self) -> Result<(), Refusal> {
        let mut last = false;
        while self.waiting > 0 {
            let before = self.waiting;
            let mut after = 0;
            loop {
                let rows = self
                    .writer
                    .waiting_rows(after, WAITING)
                    .map_err(refuse_store)?;
                let Some(row) = rows.last() else {
                    break;
                };
                after = row.number;
                let keys: Vec<KeyHash> = rows.iter().map(|row| row.key_hash).collect();
                let heads = self.writer.heads(&keys).map_err(refuse_store)?;
                let candidates = rows
                    .iter()
                    .map(|row| Candidate::of_waiting(row, heads.get(&row.key_hash).copied()))
                    .collect::<Result<Vec<_>, _>>()?;
                self.work_out(candidates, last)?;
            }
            if last {
                break;
            }
            last = self.waiting == before;
        }
        Ok(())
    }

    /// What sources say of records, by record.
    pub(super) fn said_of(
        &mut self,
        records: &[RecordId],
    ) -> Result<HashMap<RecordId, Vec<AssertionRow>>, Refusal> {
        let mut by_record: HashMap<RecordId, Vec<AssertionRow>> = HashMap::new();
        for row in self.writer.said_of(records).map_err(refuse_store)? {
            by_record.entry(row.record).or_default().push(row);
        }
        Ok(by_record)
    }

    /// What others than this key say of a record now.
    pub(super) fn others(
        &self,
        record: RecordId,
        key: &KeyHash,
        said_of: &HashMap<RecordId, Vec<AssertionRow>>,
    ) -> Result<Vec<Other>, Refusal> {
        let rows = said_of.get(&record).into_iter().flatten();
        rows.filter(|row| row.present && !(row.source == self.load.source && row.key_hash == *key))
            .map(|row| {
                let said = read_said(&row.content)?;
                Ok(Other {
                    source: row.source.clone(),
                    precedence: self
                        .precedences
                        .get(&row.source)
                        .cloned()
                        .unwrap_or_default(),
                    data: said
                        .pieces
                        .iter()
                        .map(super::assertion::Piece::resolved)
                        .collect(),
                })
            })
            .collect()
    }

    fn keep(
        &mut self,
        worked: Worked,
        candidate: &Candidate,
        changed: &mut Vec<PlanRow>,
    ) -> Result<(), Refusal> {
        let Worked { mut row, content } = worked;
        row.content = content.written()?;
        if candidate.waited {
            self.waiting = self.waiting.saturating_sub(1);
        }
        if candidate.written {
            changed.push(row);
        } else {
            self.unwritten.push(row);
        }
        Ok(())
    }

    /// One row.
    #[expect(
        clippy::too_many_arguments,
        reason = "everything that a row rests on, read in sets before"
    )]
    fn one(
        &mut self,
        candidate: &mut Candidate,
        found: &Match,
        before: Option<&AssertionRow>,
        said_of: &HashMap<RecordId, Vec<AssertionRow>>,
        around: &Surroundings,
        (done, open): (&Done, &dyn Fn(&KeyHash) -> bool),
        last: bool,
    ) -> Result<Step, Refusal> {
        let mut worked = Worked {
            row: self.row_of(candidate),
            content: RowContent {
                rows: candidate.file_rows.iter().skip(1).copied().collect(),
                removed: candidate.removed,
                hash: hex(&candidate.hash()),
                ..RowContent::default()
            },
        };
        if let Some(before) = before {
            worked.content.before = Some(Before::of(before)?);
        }
        let contradicts = candidate.removed && !candidate.pieces.is_empty();
        if contradicts || !in_order(&mut candidate.pieces) {
            let problem = duplicate_key(&candidate.file_rows, &candidate.pieces);
            return Ok(worked.conflict(problem));
        }
        if !self.settings.domains.contains(&candidate.domain) {
            let domain = candidate.domain;
            return Ok(worked.rejected(vec![RowProblem::new(
                problem::DOMAIN_NOT_FED,
                format!("The source does not feed the domain {domain}: correct the mapping, or add the domain to the source's settings."),
                format!("Källan matar inte domänen {domain}: rätta mappningen, eller lägg till domänen i källans inställningar."),
            )]));
        }
        if candidate.removed {
            let Match::Record(image) = found else {
                worked.content.effect = Effect::Silent;
                worked.row.outcome = RowOutcome::Release;
                return Ok(Step::Done(Box::new(worked)));
            };
            let others = self.others(image.id, &candidate.key_hash, said_of)?;
            self.ends(&mut worked.row, &mut worked.content, image, &others);
            return Ok(Step::Done(Box::new(worked)));
        }
        let mut turn = first_turn(candidate.domain);
        let mut waits = Vec::new();
        match self.references(candidate, around, done, open, (last, &mut waits)) {
            Err(None) => return Ok(Step::Pending),
            Err(Some(problems)) => return Ok(worked.rejected(problems)),
            Ok(after) => turn = turn.max(after).min(ENDS - 1),
        }
        worked.content.problems.extend(waits);
        worked.content.said.pieces = candidate.pieces.clone();
        worked.row.turn = turn;
        match found {
            Match::New => self.create(candidate, worked, around),
            Match::Ambiguous(ids) => {
                let seen: Vec<String> = ids
                    .iter()
                    .filter(|id| {
                        let image = around.believed.records.get(*id);
                        image.is_some_and(|image| self.job.allows(image))
                    })
                    .map(RecordId::to_string)
                    .collect();
                worked.row.record = ids.first().copied();
                let problem = RowProblem::code(
                    Code::MatchAmbiguous,
                    format!(
                        "The identifiers of the row belong to several records ({}): merge them, or correct the identifiers at their source.",
                        seen.join(", ")
                    ),
                    format!(
                        "Radens identiteter hör till flera poster ({}): slå ihop dem, eller rätta identiteterna vid källan.",
                        seen.join(", ")
                    ),
                );
                Ok(worked.conflict(problem))
            }
            Match::Record(image) => {
                let others = self.others(image.id, &candidate.key_hash, said_of)?;
                self.existing(candidate, worked, image, &others, around)
            }
        }
    }

    /// Finds the references of a row; the turn after those that this plan makes. `Err(None)`: it must wait.
    fn references(
        &self,
        candidate: &mut Candidate,
        around: &Surroundings,
        done: &Done,
        open: &dyn Fn(&KeyHash) -> bool,
        (last, waits): (bool, &mut Vec<RowProblem>),
    ) -> Result<i32, Option<Vec<RowProblem>>> {
        let mut turn = i32::MIN;
        let mut problems = Vec::new();
        let mut pending = false;
        for piece in &mut candidate.pieces {
            let day = piece.start().unwrap_or(self.reference);
            for (pointer, target) in &mut piece.targets {
                let value = piece.data.pointer(pointer);
                let key =
                    value.and_then(|value| AssertionKey::of_reference(value, &self.load.source));
                let Some(key) = key else {
                    continue;
                };
                match self.target_of(&key, day, around, done, open, last) {
                    Target::Found(record, made) => {
                        *target = Some(record);
                        turn = turn.max(made.map_or(i32::MIN, |made| made + 1));
                    }
                    Target::Pending => pending = true,
                    Target::Missing { .. }
                        if self.settings.on_unresolved == OnUnresolved::Pending =>
                    {
                        waits.push(target_to_come(pointer));
                    }
                    Target::Missing {
                        rejected: Some(row),
                    } => problems.push(target_refused(row).at(pointer.clone())),
                    Target::Missing { rejected: None } => problems.push(
                        RowProblem::code(
                            Code::ReferenceNotFound,
                            "The reference leads nowhere: the target is neither recorded nor in the file.",
                            "Hänvisningen leder ingenstans: målet finns varken i registret eller i filen.",
                        )
                        .at(pointer.clone()),
                    ),
                    Target::Ambiguous => problems.push(
                        RowProblem::code(
                            Code::ReferenceAmbiguous,
                            "The identifier of the reference names several records.",
                            "Hänvisningens identitet pekar ut flera poster.",
                        )
                        .at(pointer.clone()),
                    ),
                }
            }
        }
        if pending {
            return Err(None);
        }
        if problems.is_empty() {
            Ok(turn)
        } else {
            Err(Some(problems))
        }
    }
}

impl Worked {
    /// Notes what its content tells.
    pub(super) fn see<'v>(&mut self, values: impl Iterator<Item = &'v Resolved>) {
        for value in values {
            self.row.classes |= value.classes();
            self.row.protection = self.row.protection.max(value.protection());
        }
    }

    pub(super) fn rejected(mut self, problems: Vec<RowProblem>) -> Step {
        self.row.outcome = RowOutcome::Rejected;
        self.refuse(problems)
    }

    pub(super) fn conflict(mut self, problem: RowProblem) -> Step {
        self.row.outcome = RowOutcome::Conflict;
        self.refuse(vec![problem])
    }

    /// Nothing is done, nothing is kept of what the row says, and it is told again by the next load.
    fn refuse(mut self, problems: Vec<RowProblem>) -> Step {
        self.content.problems.extend(problems);
        self.content.problems.truncate(100);
        self.content.operations.clear();
        self.content.diff.clear();
        self.content.effect = Effect::None;
        self.content.said = Said::default();
        self.content.hash.clear();
        self.content.before = None;
        if self.row.record.is_none() {
            // Whose it is is not known, so that an erasure could not find it.
            self.row.key = masked(&self.row.key);
        }
        Step::Done(Box::new(self))
    }
}

/// The key of a row that comes to nothing: the source's own, or which scheme it is of.
fn masked(key: &str) -> String {
    match serde_json::from_str::<AssertionKey>(key) {
        Ok(AssertionKey::Identifier { scheme, .. }) => {
            super::row::written_key(&AssertionKey::Identifier {
                scheme,
                value: "…".to_owned(),
            })
        }
        _ => key.to_owned(),
    }
}

/// The row that would bring the target is refused.
fn target_refused(row: i64) -> RowProblem {
    let problem = RowProblem::new(
        problem::TARGET_MISSING,
        format!(
            "The row refers to a record that this plan does not make, because its own row ({row}) is rejected or in conflict."
        ),
        format!(
            "Raden hänvisar till en post som planen inte skapar, eftersom dess egen rad ({row}) är avvisad eller i konflikt."
        ),
    );
    problem.about(row.to_string())
}

/// The reference is kept although it leads nowhere.
fn target_to_come(pointer: &str) -> RowProblem {
    RowProblem::code(
        Code::ReferenceNotFound,
        "The reference leads nowhere yet: it is kept as it is, and leads to the record that gets the identifier.",
        "Hänvisningen leder ingenstans ännu: den behålls som den är, och leder till den post som får identiteten.",
    )
    .at(pointer)
    .as_warning()
}

/// The load may not write such a record.
pub(super) fn not_allowed() -> RowProblem {
    RowProblem::code(
        Code::Forbidden,
        "The one who makes the plan may not load such a record, or properties of such a class: ask an administrator for a wider grant, or leave them out of the mapping.",
        "Den som gör planen får inte ladda en sådan post, eller egenskaper av en sådan klass: be en administratör om en vidare behörighet, eller utelämna dem i mappningen.",
    )
}
