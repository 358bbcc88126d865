//! Comparing timelines, and turning one into the periods of what its values hold.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Timeline, operations};
use crate::Period;

/// A period on which two timelines say different things, the same two things all through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a, T> {
    /// When they differ.
    pub period: Period,
    /// What holds in the first; `None` = nothing.
    pub before: Option<&'a T>,
    /// What holds in the second; `None` = nothing.
    pub after: Option<&'a T>,
}

impl<T: Clone + PartialEq> Timeline<T> {
    /// Where and how the other timeline differs from this one: maximal periods, in order. Empty when they are equal.
    #[must_use]
    pub fn diff<'a>(&'a self, other: &'a Self) -> Vec<Difference<'a, T>> {
        let cuts: BTreeSet<NaiveDate> = self
            .into_iter()
            .chain(other)
            .flat_map(|state| [state.period.from(), state.period.to()])
            .collect();
        // Both are canonical, so that each cut point is a change in one of them: no two neighbours are alike.
        cuts.iter()
            .zip(cuts.iter().skip(1))
            .filter_map(|(from, to)| {
                let before = self.at(*from).map(|state| &state.value);
                let after = other.at(*from).map(|state| &state.value);
                let period = Period::between(*from, *to)?;
                (before != after).then_some(Difference {
                    period,
                    before,
                    after,
                })
            })
            .collect()
    }

    /// For every key that the function finds in the values, the coalesced periods during which it is there, in order:
    /// a link or an index entry that survives a change of something else stays one row.
    pub fn coalesce<K, I>(&self, mut keys: impl FnMut(&T) -> I) -> BTreeMap<K, Vec<Period>>
    where
        K: Ord + Clone,
        I: IntoIterator<Item = K>,
    {
        let mut periods: BTreeMap<K, Vec<Period>> = BTreeMap::new();
        for state in self {
            for key in keys(&state.value) {
                operations::append(periods.entry(key).or_default(), state.period);
            }
        }
        periods
    }
}
