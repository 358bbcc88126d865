//! What a row comes to: a three-way merge, day by day. What the source says now is held against what it said when it was
//! last accepted, and only what is new of it is brought upon what is recorded. So a steward's correction, and what another
//! source says, stand until this source itself says something else.
//!
//! Pure: what is recorded and what others say comes in; operations and the timeline after them come out.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use grunddata_information_model::{Found, InformationModel, Resolved, Target};
use grunddata_model::{Domain, Period, ReplacePeriod, SchemeCode, State, Timeline};
use grunddata_store::ALL_CLASSES;
use serde_json::{Map, Value};

use super::assertion::{Piece, Said};
use super::difference::{not_authoritative, still_asserted};
use super::leaves;
use super::row::{Planned, RowProblem};
use super::settings::{ChangesFrom, Precedence, SourceSettings, is_within};
use crate::patch::merge as merge_patch;
use crate::write::kept;
use crate::{Code, Fault, OnUnresolved};

/// What another source (or another row of this one) says of the record.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) source: String,
    pub(super) precedence: Precedence,
    /// Its data, references as ids.
    pub(super) data: Vec<Value>,
}

impl Other {
    pub(super) fn speaks_of(&self, pointer: &str) -> bool {
        self.data.iter().any(|data| {
            leaves::leaves(data)
                .keys()
                .any(|leaf| is_within(leaf, pointer) || is_within(pointer, leaf))
        })
    }
}

/// Everything that a merge rests on.
pub(super) struct Merge<'a> {
    pub(super) model: &'a InformationModel,
    pub(super) domain: Domain,
    pub(super) settings: &'a SourceSettings,
    pub(super) reference: NaiveDate,
    /// What others say of the record now.
    pub(super) others: &'a [Other],
    /// The classes that the writer does not reach.
    pub(super) beyond: u8,
    /// Properties of which nothing is to change.
    pub(super) skipped: BTreeSet<String>,
    /// Properties of which what is said holds already.
    pub(super) agreed: BTreeSet<String>,
    /// What was found on the way.
    pub(super) problems: Vec<RowProblem>,
    /// What the model says against a state: then nothing of the row goes.
    pub(super) invalid: Vec<Fault>,
    /// Properties that were left to somebody whose word counts more.
    pub(super) outranked: BTreeSet<String>,
    /// Properties of which something was new.
    pub(super) touched: BTreeSet<String>,
    /// What the record waits for already.
    waiting: BTreeSet<(SchemeCode, String)>,
}

/// What a merge comes to.
pub(super) struct Merged {
    pub(super) operations: Vec<Planned>,
    pub(super) after: Timeline<Resolved>,
    /// Days on which the source would change or claim something, but nothing holds and it may not make it hold.
    pub(super) nothing_holds: bool,
}

/// What is said of a stretch of days.
#[derive(Debug, Clone)]
struct Slice<'a> {
    from: NaiveDate,
    to: NaiveDate,
    piece: &'a Piece,
}

impl Slice<'_> {
    fn contains(&self, day: NaiveDate) -> bool {
        self.from <= day && day < self.to
    }
}

/// The pieces as slices; bounds that are not said are `None`.
type Open<'a> = Vec<(Option<NaiveDate>, Option<NaiveDate>, &'a Piece)>;

fn open(said: &Said) -> Open<'_> {
    said.pieces
        .iter()
        .map(|piece| (piece.start(), piece.end(), piece))
        .collect()
}

fn closed<'a>(open: Open<'a>, from: NaiveDate) -> Vec<Slice<'a>> {
    open.into_iter()
        .map(|(start, end, piece)| Slice {
            from: start.unwrap_or(from),
            to: end.unwrap_or(Period::OPEN),
            piece,
        })
        .collect()
}

impl<'a> Merge<'a> {
    pub(super) fn new(
        model: &'a InformationModel,
        domain: Domain,
        settings: &'a SourceSettings,
        reference: NaiveDate,
        others: &'a [Other],
        beyond: u8,
    ) -> Self {
        Self {
            model,
            domain,
            settings,
            reference,
            others,
            beyond,
            skipped: BTreeSet::new(),
            agreed: BTreeSet::new(),
            problems: Vec::new(),
            invalid: Vec::new(),
            outranked: BTreeSet::new(),
            touched: BTreeSet::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// Whether the source decides when the record holds: alone, or because it was declared to.
    fn may_bound(&self) -> bool {
        self.settings.authoritative.ends.holds(self.domain) || self.others.is_empty()
    }

    /// Brings what is said upon what is recorded. `last` is what the source said when it was last accepted.
    pub(super) fn merge(
        &mut self,
        timeline: &Timeline<Resolved>,
        last: Option<&Said>,
        said: &Said,
    ) -> Merged {
        let mut merged = Merged {
            operations: Vec::new(),
            after: timeline.clone(),
            nothing_holds: false,
        };
        let states = timeline.states().iter();
        self.waiting = states
            .flat_map(|state| state.value.pending())
            .map(|pending| (pending.scheme.clone(), pending.value.clone()))
            .collect();
        let (old, new, start_said) = self.claims(last, said);
        if let Some(wrong) = new.iter().find(|slice| slice.from >= slice.to) {
            self.problems.push(RowProblem::code(
                Code::InvalidPeriod,
                format!(
                    "The period is empty: it ends {} (exclusive), not after its first day {}.",
                    wrong.to, wrong.from
                ),
                format!(
                    "Perioden är tom: den slutar {} (exklusivt), inte efter första dagen {}.",
                    wrong.to, wrong.from
                ),
            ));
            self.invalid
                .push(Fault::new("", Code::InvalidPeriod, "", ""));
            return merged;
        }
        let cuts: BTreeSet<NaiveDate> = old
            .iter()
            .chain(&new)
            .flat_map(|slice| [slice.from, slice.to])
            .collect();
        for (from, to) in cuts.iter().zip(cuts.iter().skip(1)) {
            let before = old.iter().find(|slice| slice.contains(*from));
            let now = new.iter().find(|slice| slice.contains(*from));
            let Ok(days) = Period::new(*from, *to) else {
                continue;
            };
            match (before, now) {
                (Some(before), Some(now)) if before.piece.data == now.piece.data => {}
                (Some(before), Some(now)) => {
                    self.changed(&mut merged, Some(before.piece), now.piece, days);
                }
                (None, Some(now)) => {
                    let earlier = old.iter().rev().find(|slice| slice.from < *from);
                    let base = earlier.or_else(|| old.first()).map(|slice| slice.piece);
                    // What is said without a date is said of today.
                    let days = if start_said || days.from() >= self.reference {
                        Some(days)
                    } else {
                        Period::new(self.reference, days.to()).ok()
                    };
                    if let Some(days) = days {
                        self.claimed(&mut merged, base, now.piece, days);
                    }
                }
                (Some(_), None) => self.withdrawn(&mut merged, days),
                (None, None) => {}
            }
        }
        merged
    }

    /// What was and what is claimed, with the bounds filled in that one of them does not say: silence changes nothing.
    fn claims<'s>(
        &self,
        last: Option<&'s Said>,
        said: &'s Said,
    ) -> (Vec<Slice<'s>>, Vec<Slice<'s>>, bool) {
        let mut new = open(said);
        let Some(last) = last else {
            let start_said = new.first().is_some_and(|(start, ..)| start.is_some());
            return (Vec::new(), closed(new, self.reference), start_said);
        };
        let mut old = open(last);
        let mut start_said = true;
        if let (Some(before), Some(now)) = (old.first_mut(), new.first_mut()) {
            match (before.0, now.0) {
                (Some(start), None) => now.0 = Some(start),
                (None, Some(start)) => before.0 = Some(start),
                (None, None) => start_said = false,
                (Some(_), Some(_)) => {}
            }
        }
        if let (Some(before), Some(now)) = (old.last(), new.last_mut())
            && now.1.is_none()
            && before
                .1
                .is_some_and(|end| now.0.is_none_or(|start| start < end))
        {
            now.1 = before.1;
        }
        let mut old = closed(old, Period::BEGINNING);
        if let Some(absent) = last.absent_from {
            for slice in &mut old {
                slice.to = slice.to.min(absent);
            }
        }
        old.retain(|slice| slice.from < slice.to);
        (old, closed(new, Period::BEGINNING), start_said)
    }

    /// The source says something else of days of which it spoke before.
    fn changed(&mut self, merged: &mut Merged, base: Option<&Piece>, now: &Piece, days: Period) {
        let from = match self.settings.changes {
            ChangesFrom::WholePeriod => days.from(),
            // Of days that are all past it can only speak to put them right.
            ChangesFrom::ReferenceDate if days.to() <= self.reference => days.from(),
            ChangesFrom::ReferenceDate => days.from().max(self.reference),
        };
        let from = if from == Period::BEGINNING {
            self.reference.min(days.to())
        } else {
            from
        };
        let Ok(days) = Period::new(from, days.to()) else {
            return;
        };
        let held = merged
            .after
            .states()
            .iter()
            .any(|state| state.period.overlaps(&days));
        let correction = days.from() < self.reference;
        let differs = self.amend(merged, base, now, days, correction);
        if !held && differs {
            merged.nothing_holds = true;
        }
    }

    /// What holds already on the day from which the source speaks: of that it says nothing new, and what is planned
    /// otherwise for later stands.
    fn agreed_on(
        &mut self,
        timeline: &Timeline<Resolved>,
        now: &Piece,
        day: NaiveDate,
    ) -> BTreeSet<String> {
        let mut states = timeline.states().iter();
        let Some(state) =
            states.find(|state| state.period.from() <= day && day < state.period.to())
        else {
            return BTreeSet::new();
        };
        let seen = self.seen(&state.value);
        let new = self.patch(&seen, None, now);
        let said = leaves::leaves(&now.data).into_keys();
        said.filter(|pointer| new.pointer(pointer).is_none())
            .collect()
    }

    /// The source speaks of days of which it did not speak before.
    fn claimed(&mut self, merged: &mut Merged, base: Option<&Piece>, now: &Piece, days: Period) {
        // What stood there before it spoke for the first time is not its to put right, where its file says how it is now.
        let first = base.is_none() && self.settings.changes == ChangesFrom::ReferenceDate;
        let amended = if first && days.to() > self.reference {
            Period::new(days.from().max(self.reference), days.to()).unwrap_or(days)
        } else {
            days
        };
        if first {
            self.agreed = self.agreed_on(&merged.after, now, amended.from());
        }
        self.amend(merged, base, now, amended, false);
        self.agreed.clear();
        let gaps = merged.after.uncovered(&days);
        if gaps.is_empty() {
            return;
        }
        if !self.may_bound() {
            merged.nothing_holds |= gaps == [days];
            return;
        }
        for gap in gaps {
            let states = merged.after.states();
            let near = states
                .iter()
                .rev()
                .find(|state| state.period.to() <= gap.from())
                .or_else(|| states.first());
            let data = match near {
                Some(state) => {
                    let mut data = self.seen(&state.value);
                    let patch = self.patch(&data, base, now);
                    merge_patch(&mut data, &patch);
                    data
                }
                None => now.resolved(),
            };
            let Some(value) = self.settle(None, data.clone(), gap) else {
                return;
            };
            let (from, to) = (gap.from(), gap.to());
            let revives = merged.after.end_date().is_none_or(|end| from >= end);
            let after = if revives {
                merged.after.revive(gap, value).ok()
            } else {
                let request = ReplacePeriod {
                    from,
                    to: Some(Some(to)),
                };
                merged
                    .after
                    .replace(request, value, true)
                    .ok()
                    .map(|(after, _)| after)
            };
            let Some(after) = after else {
                merged.nothing_holds = true;
                return;
            };
            merged.after = after;
            merged.operations.push(if revives {
                Planned::Revive { data, from, to }
            } else {
                let correction = to <= self.reference;
                Planned::Fill {
                    data,
                    from,
                    to,
                    correction,
                }
            });
        }
    }

    /// The source does not speak any more of days of which it spoke.
    pub(super) fn withdrawn(&mut self, merged: &mut Merged, days: Period) {
        let held = |state: &State<Resolved>| state.period.overlaps(&days);
        if !merged.after.states().iter().any(held) {
            return;
        }
        if let Some(other) = self.others.first() {
            let source = other.source.clone();
            self.problems.push(still_asserted(&source).as_warning());
            return;
        }
        if !self.may_bound() {
            self.problems.push(not_authoritative().as_warning());
            return;
        }
        let left = merged.after.retract(Some(days));
        let (first, end) = (merged.after.first_day(), merged.after.end_date());
        let operation = if left.is_empty() {
            Planned::Retract { period: None }
        } else if end.is_some_and(|end| days.to() >= end) {
            Planned::End {
                from: days.from(),
                to: None,
            }
        } else if let Some(first) = first.filter(|first| days.from() <= *first) {
            Planned::Retract {
                period: Some((first, days.to())),
            }
        } else {
            Planned::End {
                from: days.from(),
                to: Some(days.to()),
            }
        };
        merged.operations.push(operation);
        merged.after = left;
    }

    /// Brings what is new upon every state in the days. Whether anything was new.
    fn amend(
        &mut self,
        merged: &mut Merged,
        base: Option<&Piece>,
        now: &Piece,
        days: Period,
        correction: bool,
    ) -> bool {
        for state in merged.after.clone().states() {
            let Some(part) = state.period.intersect(&days) else {
                continue;
            };
            let seen = self.seen(&state.value);
            let patch = self.patch(&seen, base, now);
            let mut data = seen.clone();
            merge_patch(&mut data, &patch);
            if data == seen {
                continue;
            }
            let Some(value) = self.settle(Some(&state.value), data, part) else {
                return true;
            };
            if value == state.value {
                continue;
            }
            let amended = merged
                .after
                .amend(part, |_| Ok::<_, std::convert::Infallible>(value.clone()));
            let Ok(after) = amended else {
                continue;
            };
            merged.after = after;
            push_amend(&mut merged.operations, patch, part, correction);
        }
        base.is_none_or(|base| base.data != now.data)
    }

    /// The state as the writer sees it.
    pub(super) fn seen(&self, state: &Resolved) -> Value {
        if state.classes() & self.beyond == 0 {
            return state.value();
        }
        self.model
            .withhold_from(
                self.domain,
                state.model(),
                state.body(),
                !self.beyond & ALL_CLASSES,
            )
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_else(|| Value::Object(Map::new()))
    }

    /// The state that follows when the writer says this in place of what it sees. `None` where the model refuses it.
    pub(super) fn settle(
        &mut self,
        old: Option<&Resolved>,
        data: Value,
        days: Period,
    ) -> Option<Resolved> {
        let whole = match old {
            Some(old) if old.classes() & self.beyond != 0 => {
                kept(&old.value(), &self.seen(old), data)
            }
            _ => data,
        };
        let validated = match self.model.validate(self.domain, None, whole) {
            Ok(validated) => validated,
            Err(errors) => {
                let from = days.from().to_string();
                self.invalid.extend(
                    errors
                        .into_iter()
                        .map(|error| Fault::from(error).with("validFrom", from.clone())),
                );
                return None;
            }
        };
        let resolved = validated.resolve_or_keep(&mut |reference| match &reference.target {
            Target::Id(id) => Found::Record(*id),
            Target::Identifier { scheme, value } => {
                let waits = self.settings.on_unresolved == OnUnresolved::Pending;
                let waited = self.waiting.contains(&(scheme.clone(), value.clone()));
                if waits || waited {
                    Found::Pending
                } else {
                    Found::Nothing
                }
            }
            Target::Temporary(_) => Found::Nothing,
        });
        match resolved {
            Ok(resolved) => Some(match old {
                Some(old) if old.hash() == resolved.hash() => old.clone(),
                _ => resolved,
            }),
            Err(missing) => {
                self.invalid.extend(missing.iter().map(|reference| {
                    Fault::new(
                        reference.pointer.clone(),
                        Code::ReferenceNotFound,
                        "The reference leads nowhere: the target is neither recorded nor in the file.",
                        "Hänvisningen leder ingenstans: målet finns varken i registret eller i filen.",
                    )
                }));
                None
            }
        }
    }
}

/// Adds an amendment, joined with the one before where it goes on with the same.
fn push_amend(operations: &mut Vec<Planned>, patch: Value, part: Period, correction: bool) {
    if let Some(Planned::Amend {
        patch: before,
        to,
        correction: was,
        ..
    }) = operations.last_mut()
        && *to == part.from()
        && *before == patch
        && *was == correction
    {
        *to = part.to();
        return;
    }
    operations.push(Planned::Amend {
        patch,
        from: part.from(),
        to: part.to(),
        correction,
    });
}
