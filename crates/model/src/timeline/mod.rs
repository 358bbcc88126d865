//! The timeline of a record: its states in valid time, and the algebra of the writes on them.
//!
//! Architecture invariant: pure. No clock (a "planned" state is one that begins after the date that the write names),
//! no versions, no recorded time: those belong to the store. A [`Timeline`] is always **canonical**: states sorted, not
//! overlapping, and adjacent states with equal values merged, so that equality of timelines is equality of what they
//! say on every day, and a write that changes nothing is seen by `==`.

mod compare;
mod error;
mod operations;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;

pub use compare::Difference;
pub use error::{AmendError, TimelineError};
pub use operations::ReplacePeriod;

use crate::Period;

/// What holds during one period.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State<T> {
    /// When it holds.
    pub period: Period,
    /// What holds.
    pub value: T,
}

impl<T> State<T> {
    /// A state.
    pub const fn new(period: Period, value: T) -> Self {
        Self { period, value }
    }
}

/// A canonical sequence of states.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Timeline<T> {
    states: Vec<State<T>>,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self { states: Vec::new() }
    }
}

impl<T: Clone + PartialEq> Timeline<T> {
    /// The timeline of the given states, in any order; adjacent equal ones become one.
    ///
    /// # Errors
    /// [`TimelineError::Overlap`] when two states hold on the same day.
    pub fn new(states: impl IntoIterator<Item = State<T>>) -> Result<Self, TimelineError> {
        let mut states: Vec<State<T>> = states.into_iter().collect();
        states.sort_by_key(|state| state.period);
        for (earlier, later) in states.iter().zip(states.iter().skip(1)) {
            if earlier.period.overlaps(&later.period) {
                return Err(TimelineError::Overlap {
                    first: earlier.period,
                    second: later.period,
                });
            }
        }
        Ok(Self::canonical(states))
    }

    /// A timeline on which nothing ever holds: that of a record retracted whole.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Merges adjacent equal states. The states are sorted and do not overlap.
    fn canonical(sorted: impl IntoIterator<Item = State<T>>) -> Self {
        let mut states: Vec<State<T>> = Vec::new();
        for state in sorted {
            match states.last_mut() {
                Some(last)
                    if last.period.to() == state.period.from() && last.value == state.value =>
                {
                    if let Some(joined) = Period::between(last.period.from(), state.period.to()) {
                        last.period = joined;
                    }
                }
                _ => states.push(state),
            }
        }
        Self { states }
    }

    /// The states in order.
    #[must_use]
    pub fn states(&self) -> &[State<T>] {
        &self.states
    }

    /// The states themselves, in order.
    #[must_use]
    pub fn into_states(self) -> Vec<State<T>> {
        self.states
    }

    /// The state that holds on the day.
    #[must_use]
    pub fn at(&self, date: NaiveDate) -> Option<&State<T>> {
        let after = self
            .states
            .partition_point(|state| state.period.from() <= date);
        self.states
            .get(after.checked_sub(1)?)
            .filter(|state| state.period.contains(date))
    }

    /// Whether nothing ever holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The first day of the first state ([`Period::BEGINNING`] = unknown); `None` when empty.
    #[must_use]
    pub fn first_day(&self) -> Option<NaiveDate> {
        self.states.first().map(|state| state.period.from())
    }

    /// The exclusive end of the last state ([`Period::OPEN`] = until further notice); `None` when empty.
    #[must_use]
    pub fn end_date(&self) -> Option<NaiveDate> {
        self.states.last().map(|state| state.period.to())
    }

    /// Whether some state holds on every day of the period.
    #[must_use]
    pub fn covers(&self, period: &Period) -> bool {
        self.stretch_at(period.from())
            .is_some_and(|stretch| stretch.covers(period))
    }

    /// The parts of the period on which nothing holds, in order.
    #[must_use]
    pub fn uncovered(&self, period: &Period) -> Vec<Period> {
        let mut gaps = Vec::new();
        let mut from = period.from();
        for state in self
            .states
            .iter()
            .filter(|state| state.period.overlaps(period))
        {
            gaps.extend(Period::between(from, state.period.from()));
            from = state.period.to();
        }
        gaps.extend(Period::between(from, period.to()));
        gaps
    }

    /// The unbroken stretches of states, in order: what is left when only "does it hold" counts.
    #[must_use]
    pub fn stretches(&self) -> Vec<Period> {
        let mut stretches: Vec<Period> = Vec::new();
        for state in &self.states {
            operations::append(&mut stretches, state.period);
        }
        stretches
    }

    /// The unbroken stretch of states that holds the day; `None` when nothing holds on it.
    #[must_use]
    pub fn stretch_at(&self, date: NaiveDate) -> Option<Period> {
        self.stretches()
            .into_iter()
            .find(|stretch| stretch.contains(date))
    }

    /// The first day of the first state that begins after the day.
    #[must_use]
    pub fn next_start_after(&self, date: NaiveDate) -> Option<NaiveDate> {
        self.states
            .iter()
            .map(|state| state.period.from())
            .find(|start| *start > date)
    }

    /// The timeline of what the function makes of each value; states that become equal are merged.
    pub fn map<U: Clone + PartialEq>(&self, mut f: impl FnMut(&T) -> U) -> Timeline<U> {
        Timeline::canonical(
            self.states
                .iter()
                .map(|state| State::new(state.period, f(&state.value))),
        )
    }
}

impl<'a, T> IntoIterator for &'a Timeline<T> {
    type Item = &'a State<T>;
    type IntoIter = std::slice::Iter<'a, State<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.states.iter()
    }
}
