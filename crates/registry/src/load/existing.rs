//! A row whose record is there: the merge, and what keeps a load from writing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use grunddata_information_model::{Resolved, Uniqueness};
use grunddata_model::{Domain, RecordId, Timeline};
use grunddata_store::{ALL_CLASSES, RecordImage, RecordStatus, RowOutcome};

use super::assertion::{Piece, Said};
use super::create::DROPS;
use super::difference::{differences, lowers_protection};
use super::gather::{Candidate, differing, in_what};
use super::matching::{Surroundings, hidden_in_use, identifier_hash};
use super::merge::{Merge, Merged, Other};
use super::planner::{Claimed, LoadPlanner, short_number};
use super::row::{Effect, Planned, RowContent, RowProblem, problem};
use super::work_out::{Step, Worked, ending_turn, not_allowed};
use crate::registry::refuse_store;
use crate::{Code, Refusal};

impl LoadPlanner {
    /// A record that is there.
    pub(super) fn existing(
        &mut self,
        candidate: &Candidate,
        mut worked: Worked,
        image: &Arc<RecordImage>,
        others: &[Other],
        around: &Surroundings,
    ) -> Result<Step, Refusal> {
        worked.row.record = Some(image.id);
        worked.row.base_version = Some(image.version);
        if let Some(problem) = self.in_the_way(candidate, image) {
            worked.row.protection = self.level_of(image);
            return Ok(worked.conflict(problem));
        }
        worked.see(image.timeline.states().iter().map(|state| &state.value));
        worked.row.protection = worked.row.protection.max(self.level_of(image));
        if let Some(row) = self.targeted.get(&image.id).copied() {
            return self.said_by_two(candidate, worked, row, image.id);
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
                return Ok(worked.rejected(problems));
            }
        };
        worked.content.problems.extend(problems);
        if merged.nothing_holds {
            return Ok(worked.conflict(RowProblem::new(
                problem::NOTHING_HOLDS,
                "The row says something of days on which nothing of the record holds: somebody else has ended or retracted it. Revive it if the source is right, or have it removed there.",
                "Raden säger något om dagar då inget av posten gäller: någon annan har avslutat eller återkallat den. Återuppliva den om källan har rätt, eller låt den tas bort där.",
            )));
        }
        let after = &merged.after;
        if self.writes_beyond(image.domain, before, after, !written & ALL_CLASSES) {
            return Ok(worked.conflict(not_allowed()));
        }
        if let Some(problem) = self.newly_taken(image, before, after, around) {
            return Ok(worked.conflict(problem));
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
            self.note_ending(worked.row.number, image);
        }
        worked.content.operations = merged.operations;
        let row = short_number(worked.row.number);
        self.targeted.insert(image.id, row);
        if worked.row.outcome != RowOutcome::Confirm {
            for state in after.states() {
                for used in state.value.identifiers() {
                    if used.scheme.source().is_none() {
                        let hash = identifier_hash(used.scheme.as_str(), &used.value);
                        self.claimed.entry(hash).or_insert(Claimed {
                            record: image.id,
                            turn: i32::MIN / 2,
                            row,
                        });
                    }
                }
            }
        }
        Ok(Step::Done(Box::new(worked)))
    }

    /// A row about a record of which another row of this plan speaks. Where the two say the same, both say it; otherwise
    /// they contradict each other.
    pub(super) fn said_by_two(
        &mut self,
        candidate: &Candidate,
        mut worked: Worked,
        number: u32,
        record: RecordId,
    ) -> Result<Step, Refusal> {
        let number = i64::from(number);
        let unwritten = self.unwritten.iter().find(|row| row.number == number);
        let other = match unwritten {
            Some(row) => Some(row.clone()),
            None => self.writer.row(number).map_err(refuse_store)?,
        };
        let Some(other) = other else {
            return Ok(worked.conflict(claimed_twice(None, &[])));
        };
        let said = RowContent::read(&other.content)?;
        let hashes = |pieces: &[Piece]| pieces.iter().map(Piece::hash).collect::<Vec<_>>();
        let same = !said.removed
            && !said.said.pieces.is_empty()
            && hashes(&said.said.pieces) == hashes(&candidate.pieces);
        if !same {
            let differ = differing(said.said.pieces.iter().chain(&candidate.pieces));
            return Ok(worked.conflict(claimed_twice(Some(other.file_row), &differ)));
        }
        // It rests on what the other row makes of the record, and not on a version.
        worked.row.record = Some(record);
        worked.row.base_version = None;
        worked.row.turn = worked.row.turn.max(other.turn.saturating_add(1));
        worked.row.classes |= other.classes;
        worked.row.protection = worked.row.protection.max(other.protection);
        worked.row.outcome = RowOutcome::Confirm;
        worked.content.effect = Effect::Says;
        Ok(Step::Done(Box::new(worked)))
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
        if image.status == RecordStatus::Transferred {
            return Some(RowProblem::code(
                Code::Transferred,
                "The record was handed over to another owner: it is fed there now.",
                "Posten har överlämnats till en annan informationsägare: den matas där nu.",
            ));
        }
        let origin = image.origin.as_deref();
        let fed = |origin| self.context.actor.feeds_copies || self.settings.feeds(origin);
        if crate::transfers::is_copy(origin) && origin.is_some_and(|origin| !fed(origin)) {
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

/// Two rows are about one record and say different things.
fn claimed_twice(row: Option<i64>, differ: &[String]) -> RowProblem {
    let (which, which_sv) = match row {
        Some(row) if row > 0 => (format!("The row {row}"), format!("Rad {row}")),
        _ => ("Another row".to_owned(), "En annan rad".to_owned()),
    };
    let (what, what_sv) = in_what(differ, "They differ in", "De skiljer sig i");
    let problem = RowProblem::new(
        problem::RECORD_CLAIMED_TWICE,
        format!(
            "{which} of the file is about the same record, and says something else: two rows claim it. Correct one of them, or their keys; what the other row says is loaded.{what}"
        ),
        format!(
            "{which_sv} i filen gäller samma post men säger något annat. Rätta en av dem, eller nycklarna; det som den andra raden säger laddas.{what_sv}"
        ),
    );
    match row {
        Some(row) if row > 0 => problem.about(row.to_string()),
        _ => problem,
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
