//! The writes: each takes the present timeline and gives the new one, exactly as the table of write operations in
//! `docs/concepts` says.

use chrono::NaiveDate;

use super::{AmendError, State, Timeline, TimelineError};
use crate::{Period, ValidTo};

/// The period of a replace as the request says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacePeriod {
    /// The first day, or [`Period::BEGINNING`].
    pub from: NaiveDate,
    /// The exclusive end: `None` = absent (the operation's default), `Some(None)` = open, explicitly until further
    /// notice, `Some(Some(date))` = exactly this date.
    pub to: Option<Option<NaiveDate>>,
}

impl ReplacePeriod {
    /// From bounds as a request holds them.
    #[must_use]
    pub fn new(from: NaiveDate, to: Option<ValidTo>) -> Self {
        Self {
            from,
            to: to.map(ValidTo::date),
        }
    }
}

/// Appends a period to sorted ones, joining it with the last where they meet.
pub(super) fn append(periods: &mut Vec<Period>, period: Period) {
    match periods.last_mut() {
        Some(last) if last.to() >= period.from() => {
            if let Some(joined) = Period::between(last.from(), last.to().max(period.to())) {
                *last = joined;
            }
        }
        _ => periods.push(period),
    }
}

impl<T: Clone + PartialEq> Timeline<T> {
    /// The states cut into those before, inside and after the period.
    fn cut(&self, period: &Period) -> [Vec<State<T>>; 3] {
        let [mut before, mut inside, mut after] = [const { Vec::new() }; 3];
        for state in self.states() {
            let piece =
                |part: Option<Period>| part.map(|part| State::new(part, state.value.clone()));
            let (from, to) = (state.period.from(), state.period.to());
            before.extend(piece(Period::between(from, to.min(period.from()))));
            inside.extend(piece(state.period.intersect(period)));
            after.extend(piece(Period::between(from.max(period.to()), to)));
        }
        [before, inside, after]
    }

    /// The timeline with nothing inside the period.
    fn without(&self, period: &Period) -> Self {
        let [before, _, after] = self.cut(period);
        Self::canonical(before.into_iter().chain(after))
    }

    /// First version of a record: one state.
    ///
    /// # Errors
    /// [`TimelineError::AlreadyExists`] when there are states already.
    pub fn create(&self, period: Period, value: T) -> Result<Self, TimelineError> {
        match (self.first_day(), self.end_date()) {
            (Some(first_day), Some(end)) => Err(TimelineError::AlreadyExists { first_day, end }),
            _ => Ok(Self::canonical([State::new(period, value)])),
        }
    }

    /// The period that a replace resolves to.
    ///
    /// # Errors
    /// [`TimelineError::EndedUseRevive`] when it begins at or after the record's end (or the record was retracted
    /// whole), [`TimelineError::Period`] when it is no period.
    pub fn resolve_replace(&self, request: ReplacePeriod) -> Result<Period, TimelineError> {
        let end = self.end_date();
        if end.is_none_or(|end| request.from >= end) {
            return Err(TimelineError::EndedUseRevive { end });
        }
        let to = match request.to {
            Some(to) => to.unwrap_or(Period::OPEN),
            None => match self.stretch_at(request.from) {
                Some(stretch) => stretch.to(),
                // In a gap or before the first state: there is a next one, since `from` lies before the end.
                None => self.next_start_after(request.from).unwrap_or(Period::OPEN),
            },
        };
        Ok(Period::new(request.from, to)?)
    }

    /// Puts one value on the period and gives the new timeline and the period that it resolved to. States outside
    /// stay. See [`replace_if`](Self::replace_if), of which this is the case that compares whole values.
    ///
    /// # Errors
    /// As [`replace_if`](Self::replace_if).
    pub fn replace(
        &self,
        request: ReplacePeriod,
        value: T,
        overwrite_planned: bool,
    ) -> Result<(Self, Period), TimelineError> {
        self.replace_if(request, value, overwrite_planned, |old, new| old == new)
    }

    /// As [`replace`](Self::replace), where `same(old, new)` says whether two values are the same data. A piece whose
    /// data did not change keeps its old value (a state keeps the model version that it was validated against).
    ///
    /// **The guard for what is planned.** Where the request names no end date (absent or open), it must not silently
    /// undo what somebody planned after its first day. Planned is
    /// - a *state* that begins after `from` and would get other data. The state that holds `from` is not: replacing it
    ///   is what was asked for;
    /// - an *end* after `from` at which the record (or a stretch of it, before a gap) would stop but for this write.
    ///   With an absent end that cannot be, since the period stops there by itself; an explicit open end runs over it,
    ///   also when every state has the same data already.
    ///
    /// A gap before the next state, when `from` lies in it, is nothing planned: its beginning lies not after `from`.
    ///
    /// # Errors
    /// Those of [`resolve_replace`](Self::resolve_replace), and [`TimelineError::PlannedStates`] unless
    /// `overwrite_planned`.
    pub fn replace_if(
        &self,
        request: ReplacePeriod,
        value: T,
        overwrite_planned: bool,
        same: impl Fn(&T, &T) -> bool,
    ) -> Result<(Self, Period), TimelineError> {
        let period = self.resolve_replace(request)?;
        let names_a_date = matches!(request.to, Some(Some(date)) if date != Period::OPEN);
        if !names_a_date && !overwrite_planned {
            let states: Vec<Period> = self
                .states()
                .iter()
                .filter(|state| {
                    state.period.from() > period.from() && state.period.overlaps(&period)
                })
                .filter(|state| !same(&state.value, &value))
                .map(|state| state.period)
                .collect();
            let ends: Vec<NaiveDate> = self
                .stretches()
                .iter()
                .map(Period::to)
                .filter(|end| *end > period.from() && *end < period.to())
                .collect();
            if !states.is_empty() || !ends.is_empty() {
                return Err(TimelineError::PlannedStates { states, ends });
            }
        }
        let [before, inside, after] = self.cut(&period);
        let mut placed = Vec::new();
        let mut from = period.from();
        for kept in inside
            .into_iter()
            .filter(|state| same(&state.value, &value))
        {
            placed.extend(
                Period::between(from, kept.period.from())
                    .map(|piece| State::new(piece, value.clone())),
            );
            from = kept.period.to();
            placed.push(kept);
        }
        placed.extend(
            Period::between(from, period.to()).map(|piece| State::new(piece, value.clone())),
        );
        Ok((
            Self::canonical(before.into_iter().chain(placed).chain(after)),
            period,
        ))
    }

    /// Applies the function to every state inside the period, cut at its edges. Gaps stay gaps.
    ///
    /// # Errors
    /// [`TimelineError::NothingValid`] when nothing holds in the period; the first error of the function.
    pub fn amend<E>(
        &self,
        period: Period,
        mut f: impl FnMut(&State<T>) -> Result<T, E>,
    ) -> Result<Self, AmendError<E>> {
        let [before, inside, after] = self.cut(&period);
        if inside.is_empty() {
            return Err(TimelineError::NothingValid { period }.into());
        }
        let mut amended = Vec::with_capacity(inside.len());
        for state in inside {
            let value = f(&state).map_err(|error| AmendError::Patch {
                period: state.period,
                error,
            })?;
            amended.push(State::new(state.period, value));
        }
        Ok(Self::canonical(
            before.into_iter().chain(amended).chain(after),
        ))
    }

    /// Nothing holds from the day on; with `to` only until then, which makes a gap. Ending what has already ended
    /// gives an equal timeline.
    ///
    /// # Errors
    /// [`TimelineError::NeverValid`] when nothing at all would be left, [`TimelineError::Period`] when the dates are no
    /// period.
    pub fn end(&self, from: NaiveDate, to: Option<NaiveDate>) -> Result<Self, TimelineError> {
        let left = self.without(&Period::new(from, to.unwrap_or(Period::OPEN))?);
        match self.first_day() {
            Some(first_day) if left.is_empty() => Err(TimelineError::NeverValid { first_day }),
            _ => Ok(left),
        }
    }

    /// Brings an ended record back: one state at or after the record's end; anywhere when it was retracted whole.
    ///
    /// # Errors
    /// [`TimelineError::NotEnded`] when the period begins before the record's end.
    pub fn revive(&self, period: Period, value: T) -> Result<Self, TimelineError> {
        match self.end_date() {
            Some(end) if period.from() < end => Err(TimelineError::NotEnded {
                from: period.from(),
                end,
            }),
            _ => Ok(Self::canonical(
                self.states()
                    .iter()
                    .cloned()
                    .chain([State::new(period, value)]),
            )),
        }
    }

    /// No longer believes what was recorded for the period (`None` = at all). May leave the timeline empty.
    #[must_use]
    pub fn retract(&self, period: Option<Period>) -> Self {
        self.without(&period.unwrap_or(Period::ALWAYS))
    }
}
