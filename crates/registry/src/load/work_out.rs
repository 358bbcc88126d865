//! From what is said to what is done: each row is matched with its record, its references are found, and what is new of it
//! is brought upon what is recorded. Rows whose targets are not worked out yet wait.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grunddata_information_model::{Resolved, Uniqueness};
use grunddata_model::{Domain, Period, RecordId, Timeline};
use grunddata_store::{
    ALL_CLASSES, AssertionRow, KeyHash, PlanRow, RecordImage, RecordStatus, RowOutcome, RowState,
};

use super::assertion::{AssertionKey, Said, in_order};
use super::matching::{Match, Surroundings, Target, hidden_in_use, identifier_hash};
use super::merge::{Merge, Merged, Other, differences, lowers_protection};
use super::planner::{Candidate, LoadPlanner, duplicate_key, read_said};
use super::row::{Before, Effect, Planned, RowContent, RowProblem, hex, problem};
use super::settings::Level;
use crate::registry::refuse_store;
use crate::{Code, Fault, Refusal};

/// How many waiting rows are worked out together.
const WAITING: i64 = 1_000;
/// How often values that only warn are left out and the rest is tried again.
const DROPS: usize = 20;
/// Turns of rows that take something away: after all others.
const ENDS: i32 = 10_000;
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
struct Worked {
    row: PlanRow,
    content: RowContent,
}

/// Whether the rows of this pass are done.
enum Step {
    Done(Box<Worked>),
    Pending,
}

/// The rows that were worked out in this pass: their records, and the turn of those that are made.
type Done = HashMap<KeyHash, (Option<RecordId>, Option<i32>)>;

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
                    *key != own_key && open.contains(key) && !done.contains_key(key)
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
                        done.insert(candidate.key_hash, (record, made));
                        self.keep(*worked, candidate.written, &mut changed)?;
                    }
                }
            }
            if still.is_empty() || still.len() == count {
                waiting = still;
                break;
            }
            waiting = still;
        }
        for (candidate, _) in waiting {
            self.waiting += u64::from(!candidate.written);
            if candidate.written {
                continue;
            }
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
            self.unwritten.push(row);
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
        written: bool,
        changed: &mut Vec<PlanRow>,
    ) -> Result<(), Refusal> {
        let Worked { mut row, content } = worked;
        row.content = content.written()?;
        if written {
            if row.state != RowState::Waiting {
                self.waiting = self.waiting.saturating_sub(1);
            }
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
            let problem = duplicate_key(&candidate.file_rows);
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
        match self.references(candidate, around, done, open, last) {
            Err(None) => return Ok(Step::Pending),
            Err(Some(problems)) => return Ok(worked.rejected(problems)),
            Ok(after) => turn = turn.max(after).min(ENDS - 1),
        }
        worked.content.said.pieces = candidate.pieces.clone();
        worked.row.turn = turn;
        match found {
            Match::New => Ok(self.create(candidate, worked, around)),
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
                Ok(self.existing(candidate, worked, image, &others, around))
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
        last: bool,
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
                    Target::Missing { rejected: true } => problems.push(
                        RowProblem::new(
                            problem::TARGET_MISSING,
                            "The row refers to a record that this plan does not make, because its own row is rejected or in conflict.",
                            "Raden hänvisar till en post som planen inte skapar, eftersom dess egen rad är avvisad eller i konflikt.",
                        )
                        .at(pointer.clone()),
                    ),
                    Target::Missing { rejected: false } => problems.push(
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

    /// A record that is not there yet.
    fn create(&mut self, candidate: &Candidate, mut worked: Worked, around: &Surroundings) -> Step {
        let (domain, controller) = (candidate.domain, self.settings.controller);
        let Some(sight) = self.job.may_write(controller, domain, false) else {
            return worked.rejected(vec![not_allowed()]);
        };
        let model = self.registry.inner.model.clone();
        let settings = self.settings.clone();
        let mut drops = 0;
        let states = loop {
            let mut merge = Merge::new(&model, domain, &settings, self.reference, &[], 0);
            let mut states: Vec<(Period, Resolved)> = Vec::new();
            for piece in &worked.content.said.pieces {
                let from = piece.start().unwrap_or(self.reference);
                let days = Period::new(from, piece.end().unwrap_or(Period::OPEN));
                let days = match days {
                    Ok(days) => days,
                    Err(error) => {
                        let fault = Fault::new(
                            "",
                            Code::InvalidPeriod,
                            format!("The period of the row is wrong: {error}."),
                            "Radens period är fel: slutet ligger inte efter början.",
                        );
                        merge.invalid.push(fault);
                        break;
                    }
                };
                if let Some(value) = merge.settle(None, piece.resolved(), days) {
                    let codes = model.check_codes(
                        value.dated_codes(),
                        if from == Period::BEGINNING {
                            self.reference
                        } else {
                            from
                        },
                    );
                    merge.invalid.extend(codes.into_iter().map(Fault::from));
                    states.push((days, value));
                }
            }
            if merge.invalid.is_empty() {
                break states;
            }
            let invalid = std::mem::take(&mut merge.invalid);
            drops += 1;
            if drops > DROPS || !self.leave_out(&mut worked.content, &invalid) {
                return worked.rejected(invalid.into_iter().map(RowProblem::from).collect());
            }
        };
        let beyond = !sight.classes & ALL_CLASSES;
        worked.see(states.iter().map(|(_, value)| value));
        if worked.row.classes & beyond != 0 {
            return worked.rejected(vec![not_allowed()]);
        }
        let id = match &candidate.key {
            AssertionKey::Id(id) => *id,
            _ => RecordId::mint(self.context.now),
        };
        let mut taken = Vec::new();
        for (_, value) in &states {
            for used in value.identifiers() {
                let Some(scheme) = model.scheme(used.scheme.as_str()) else {
                    continue;
                };
                if scheme.uniqueness() == Uniqueness::None {
                    continue;
                }
                let hash = identifier_hash(used.scheme.as_str(), &used.value);
                let always = scheme.uniqueness() == Uniqueness::Always;
                if always
                    && self
                        .claimed
                        .get(&hash)
                        .is_some_and(|(other, _)| *other != id)
                {
                    return worked.conflict(RowProblem::code(
                        Code::IdentifierInUse,
                        format!("Another row of the file has this {}: two rows claim one identity.", used.scheme),
                        format!("En annan rad i filen har denna {}: två rader gör anspråk på en identitet.", used.scheme),
                    ));
                }
                taken.push(hash);
                let pair = (used.scheme.clone(), used.value.clone());
                let claims = around.believed.claims.get(&pair);
                let others = claims.into_iter().flatten();
                let other = others
                    .filter(|claim| claim.owner == self.load.owner)
                    .find(|claim| {
                        always
                            || (states.iter().any(|(days, _)| days.overlaps(&claim.period))
                                && (scheme.uniqueness() != Uniqueness::PerIssuer
                                    || claim.issuer == used.issuer))
                    });
                if let Some(other) = other {
                    let problem = self.in_use(&used.scheme, &used.value, other.record, around);
                    return worked.conflict(problem);
                }
            }
        }
        for hash in taken {
            self.claimed.insert(hash, (id, worked.row.turn));
        }
        worked.row.record = Some(id);
        worked.row.outcome = RowOutcome::Create;
        worked.content.effect = Effect::Says;
        for (piece, (days, _)) in states.iter().enumerate() {
            let (from, to) = (days.from(), days.to());
            worked
                .content
                .operations
                .push(Planned::Create { piece, from, to });
        }
        Step::Done(Box::new(worked))
    }

    /// A record that is there.
    fn existing(
        &mut self,
        candidate: &Candidate,
        mut worked: Worked,
        image: &Arc<RecordImage>,
        others: &[Other],
        around: &Surroundings,
    ) -> Step {
        worked.row.record = Some(image.id);
        worked.row.base_version = Some(image.version);
        if let Some(problem) = self.in_the_way(candidate, image) {
            worked.row.protection = self.level_of(image);
            return worked.conflict(problem);
        }
        worked.see(image.timeline.states().iter().map(|state| &state.value));
        worked.row.protection = worked.row.protection.max(self.level_of(image));
        if self.targeted.contains(&image.id) {
            return worked.conflict(RowProblem::new(
                problem::RECORD_CLAIMED_TWICE,
                "Another row of the file is about the same record: two rows claim it. Load the file again when that one is applied, or correct the keys.",
                "En annan rad i filen gäller samma post. Ladda filen igen när den är genomförd, eller rätta nycklarna.",
            ));
        }
        let (written, beyond) = self.classes_beyond(image);
        let last = worked
            .content
            .before
            .as_ref()
            .map(|before| before.said.clone());
        let before = &image.timeline;
        let mut drops = 0;
        let model = self.registry.inner.model.clone();
        let settings = self.settings.clone();
        let (merged, outranked, touched, problems) = loop {
            let mut merge = Merge::new(
                &model,
                image.domain,
                &settings,
                self.reference,
                others,
                beyond,
            );
            let merged = self.protected(&mut merge, before, last.as_ref(), &worked.content.said);
            if merge.invalid.is_empty() {
                let outranked = merge.was_outranked();
                break (merged, outranked, merge.touched, merge.problems);
            }
            let invalid = std::mem::take(&mut merge.invalid);
            drops += 1;
            if drops > DROPS || !self.leave_out(&mut worked.content, &invalid) {
                let mut problems: Vec<RowProblem> = merge.problems;
                problems.extend(
                    invalid
                        .into_iter()
                        .filter(|fault| !fault.message.is_empty())
                        .map(RowProblem::from),
                );
                return worked.rejected(problems);
            }
        };
        worked.content.problems.extend(problems);
        if merged.nothing_holds {
            return worked.conflict(RowProblem::new(
                problem::NOTHING_HOLDS,
                "The row says something of days on which nothing of the record holds: somebody else has ended or retracted it. Revive it if the source is right, or have it removed there.",
                "Raden säger något om dagar då inget av posten gäller: någon annan har avslutat eller återkallat den. Återuppliva den om källan har rätt, eller låt den tas bort där.",
            ));
        }
        let after = &merged.after;
        if self.writes_beyond(image.domain, before, after, !written & ALL_CLASSES) {
            return worked.conflict(not_allowed());
        }
        if let Some(problem) = self.newly_taken(image, before, after, around) {
            return worked.conflict(problem);
        }
        worked.see(after.states().iter().map(|state| &state.value));
        let mut origins = last
            .as_ref()
            .map(|last| last.origins.clone())
            .unwrap_or_default();
        if last.is_some() {
            origins.extend(touched.into_iter().map(|pointer| (pointer, self.load.id)));
        }
        worked.content.said.origins = origins;
        worked.content.effect = Effect::Says;
        worked.content.diff = differences(before, after);
        worked.row.outcome = outcome(&merged.operations, outranked);
        let takes_away = |operation: &Planned| {
            matches!(operation, Planned::End { .. } | Planned::Retract { .. })
        };
        if merged.operations.iter().any(takes_away) {
            worked.row.turn = ending_turn(image.domain);
        }
        worked.content.operations = merged.operations;
        self.targeted.insert(image.id);
        if worked.row.outcome != RowOutcome::Confirm {
            for state in after.states() {
                for used in state.value.identifiers() {
                    if used.scheme.source().is_none() {
                        let hash = identifier_hash(used.scheme.as_str(), &used.value);
                        self.claimed.entry(hash).or_insert((image.id, i32::MIN / 2));
                    }
                }
            }
        }
        Step::Done(Box::new(worked))
    }

    /// The merge, without lowering a protection that the source does not decide: the property is left as it is.
    fn protected(
        &self,
        merge: &mut Merge<'_>,
        before: &Timeline<Resolved>,
        last: Option<&Said>,
        said: &Said,
    ) -> Merged {
        let merged = merge.merge(before, last, said);
        if self.settings.authoritative.protection
            || !merge.invalid.is_empty()
            || !lowers_protection(before, &merged.after)
        {
            return merged;
        }
        let problem = |pointer: &str| {
            RowProblem::code(
                Code::ProtectionLowered,
                "The record is under protection, and the source does not decide that it is lowered: it stays. A steward lowers it, or the source's settings say authoritative.protection.",
                "Posten är skyddad, och källan avgör inte att skyddet sänks: det blir kvar. En informationsförvaltare sänker det, eller så anger källans inställningar authoritative.protection.",
            )
            .at(pointer)
            .as_warning()
        };
        let found = merge.problems.clone();
        for pointer in merge.touched.clone() {
            merge.skipped.insert(pointer.clone());
            merge.problems = found.clone();
            let again = merge.merge(before, last, said);
            if !lowers_protection(before, &again.after) {
                merge.problems.push(problem(&pointer));
                return again;
            }
            merge.skipped.remove(&pointer);
        }
        // Several together: nothing of the row goes.
        merge.skipped.clone_from(&merge.touched);
        merge.problems = found;
        merge.problems.push(problem(""));
        merge.merge(before, last, said)
    }

    /// Leaves out what breaks rules that only warn. Whether that may help.
    fn leave_out(&self, content: &mut RowContent, invalid: &[Fault]) -> bool {
        if invalid
            .iter()
            .any(|fault| self.settings.level(&fault.code) == Level::Error)
        {
            return false;
        }
        let mut left_out = false;
        // From the last place on, so that the others hold.
        let mut faults: Vec<&Fault> = invalid.iter().collect();
        faults.sort_by(|one, other| other.pointer.cmp(&one.pointer));
        for fault in faults {
            for piece in &mut content.said.pieces {
                if let Some(place) = piece.drop_at(&fault.pointer) {
                    left_out = true;
                    content.dropped.push(place);
                    content
                        .problems
                        .push(RowProblem::from(fault.clone()).as_warning());
                    break;
                }
            }
        }
        left_out
    }

    /// What keeps a load from writing a record whatever the row says.
    fn in_the_way(&self, candidate: &Candidate, image: &RecordImage) -> Option<RowProblem> {
        if !self.job.allows(image) {
            let key = candidate
                .key
                .identifier(&self.registry.inner.model, &self.load.source);
            return Some(match key {
                Some((scheme, _)) => hidden_in_use(&scheme),
                None => not_allowed(),
            });
        }
        if image.domain != candidate.domain {
            let (is, says) = (image.domain, candidate.domain);
            return Some(RowProblem::new(
                problem::OTHER_DOMAIN,
                format!(
                    "The key or an identifier belongs to a record of the domain {is}, and the row is of {says}."
                ),
                format!(
                    "Nyckeln eller en identitet hör till en post i domänen {is}, men raden gäller {says}."
                ),
            ));
        }
        if self
            .job
            .may_write(image.controller, image.domain, false)
            .is_none()
        {
            return Some(not_allowed());
        }
        if image.status == RecordStatus::Erased {
            return Some(RowProblem::code(
                Code::Erased,
                "The record's content was erased: nothing is written to it.",
                "Postens innehåll är gallrat: inget skrivs till den.",
            ));
        }
        if image.origin.is_some() && !self.context.actor.feeds_copies {
            return Some(RowProblem::code(
                Code::ReadOnlyCopy,
                "The record is a copy of another register and read-only here.",
                "Posten är en kopia från ett annat register och kan inte ändras här.",
            ));
        }
        let said_before = candidate.head.is_some_and(|head| head.present);
        if image.status == RecordStatus::Retracted && said_before {
            return Some(RowProblem::code(
                Code::Retracted,
                "The record was retracted as recorded in error: revive it if the source is right, or have it removed there.",
                "Posten är återkallad som felaktig: återuppliva den om källan har rätt, eller låt den tas bort där.",
            ));
        }
        None
    }

    fn level_of(&self, image: &RecordImage) -> u8 {
        image
            .protection
            .on(self.job.protected_on)
            .max(image.highest)
    }

    /// The classes that the writer writes in such a record, and those that it does not both read and write.
    fn classes_beyond(&self, image: &RecordImage) -> (u8, u8) {
        let written = self
            .job
            .may_write(image.controller, image.domain, false)
            .map_or(0, |sight| sight.classes);
        let read = self.job.may_read(image.controller, image.domain);
        (written, !(written & read) & ALL_CLASSES)
    }

    /// Whether something of the classes would differ.
    fn writes_beyond(
        &self,
        domain: Domain,
        before: &Timeline<Resolved>,
        after: &Timeline<Resolved>,
        beyond: u8,
    ) -> bool {
        if beyond == 0 {
            return false;
        }
        let model = &self.registry.inner.model;
        let only = |value: &Resolved| {
            model
                .withhold_from(domain, value.model(), value.body(), beyond)
                .unwrap_or_default()
        };
        before.diff(after).iter().any(|difference| {
            let Some(new) = difference.after else {
                return false;
            };
            let old = difference.before;
            let classes = old.map_or(0, Resolved::classes) | new.classes();
            classes & beyond != 0 && old.map_or_else(|| "{}".to_owned(), only) != only(new)
        })
    }

    /// An identifier that the record gets and another record has.
    fn newly_taken(
        &self,
        image: &RecordImage,
        before: &Timeline<Resolved>,
        after: &Timeline<Resolved>,
        around: &Surroundings,
    ) -> Option<RowProblem> {
        let held: BTreeMap<_, _> = before
            .states()
            .iter()
            .flat_map(|state| state.value.identifiers())
            .map(|used| ((&used.scheme, &used.value), ()))
            .collect();
        for state in after.states() {
            for used in state.value.identifiers() {
                if held.contains_key(&(&used.scheme, &used.value)) {
                    continue;
                }
                let scheme = self.registry.inner.model.scheme(used.scheme.as_str())?;
                let always = scheme.uniqueness() == Uniqueness::Always;
                if scheme.uniqueness() == Uniqueness::None {
                    continue;
                }
                let pair = (used.scheme.clone(), used.value.clone());
                let claims = around.believed.claims.get(&pair);
                let other = claims.into_iter().flatten().find(|claim| {
                    claim.owner == self.load.owner
                        && claim.record != image.id
                        && (always || claim.period.overlaps(&state.period))
                });
                if let Some(other) = other {
                    return Some(self.in_use(&used.scheme, &used.value, other.record, around));
                }
            }
        }
        None
    }
}

impl Worked {
    /// Notes what its content tells.
    fn see<'v>(&mut self, values: impl Iterator<Item = &'v Resolved>) {
        for value in values {
            self.row.classes |= value.classes();
            self.row.protection = self.row.protection.max(value.protection());
        }
    }

    fn rejected(mut self, problems: Vec<RowProblem>) -> Step {
        self.row.outcome = RowOutcome::Rejected;
        self.refuse(problems)
    }

    fn conflict(mut self, problem: RowProblem) -> Step {
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

fn outcome(operations: &[Planned], outranked: bool) -> RowOutcome {
    let ends = |operation: &Planned| {
        matches!(
            operation,
            Planned::End { to: None, .. } | Planned::Retract { period: None }
        )
    };
    if operations.is_empty() {
        if outranked {
            RowOutcome::Conflict
        } else {
            RowOutcome::Confirm
        }
    } else if operations
        .iter()
        .any(|operation| matches!(operation, Planned::Revive { .. }))
    {
        RowOutcome::Revive
    } else if operations.iter().all(ends) {
        RowOutcome::End
    } else {
        RowOutcome::Change
    }
}

/// The load may not write such a record.
pub(super) fn not_allowed() -> RowProblem {
    RowProblem::code(
        Code::Forbidden,
        "The one who makes the plan may not load such a record, or properties of such a class: ask an administrator for a wider grant, or leave them out of the mapping.",
        "Den som gör planen får inte ladda en sådan post, eller egenskaper av en sådan klass: be en administratör om en vidare behörighet, eller utelämna dem i mappningen.",
    )
}
