//! A row whose record is not there yet.

use grunddata_information_model::{Resolved, Uniqueness};
use grunddata_model::{Period, RecordId};
use grunddata_store::{ALL_CLASSES, RowOutcome};

use super::assertion::AssertionKey;
use super::gather::Candidate;
use super::matching::{Surroundings, identifier_hash};
use super::merge::Merge;
use super::planner::{Claimed, LoadPlanner, short_number};
use super::row::{Effect, Planned, RowContent, RowProblem};
use super::settings::Level;
use super::work_out::{Step, Worked, not_allowed};
use crate::{Code, Fault, Refusal};

/// How often values that only warn are left out and the rest is tried again.
pub(super) const DROPS: usize = 20;

impl LoadPlanner {
    /// A record that is not there yet.
    pub(super) fn create(
        &mut self,
        candidate: &Candidate,
        mut worked: Worked,
        around: &Surroundings,
    ) -> Result<Step, Refusal> {
        let (domain, controller) = (candidate.domain, self.settings.controller);
        let Some(sight) = self.job.may_write(controller, domain, false) else {
            return Ok(worked.rejected(vec![not_allowed()]));
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
                return Ok(worked.rejected(invalid.into_iter().map(RowProblem::from).collect()));
            }
        };
        let beyond = !sight.classes & ALL_CLASSES;
        worked.see(states.iter().map(|(_, value)| value));
        if worked.row.classes & beyond != 0 {
            return Ok(worked.rejected(vec![not_allowed()]));
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
                let other = self.claimed.get(&hash).copied();
                if always && let Some(other) = other.filter(|other| other.record != id) {
                    return self.said_by_two(candidate, worked, other.row, other.record);
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
                    return Ok(worked.conflict(problem));
                }
            }
        }
        for hash in taken {
            let claimed = Claimed {
                record: id,
                turn: worked.row.turn,
                row: short_number(worked.row.number),
            };
            self.claimed.insert(hash, claimed);
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
        Ok(Step::Done(Box::new(worked)))
    }

    /// Leaves out what breaks rules that only warn. Whether that may help.
    pub(super) fn leave_out(&self, content: &mut RowContent, invalid: &[Fault]) -> bool {
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
}
