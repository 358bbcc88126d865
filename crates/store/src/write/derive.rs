//! What follows from a timeline: links, identifiers and index entries as canonical periods (one row for as long as
//! adjacent states say the same), and the hash of the whole.

use chrono::NaiveDate;
use grunddata_information_model::Resolved;
use grunddata_model::{Period, RecordId, Timeline};
use sha2::{Digest as _, Sha256};

/// A link of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkKey<'a> {
    pub(crate) relation: &'a str,
    pub(crate) target: RecordId,
    /// The bit of its privacy class.
    pub(crate) class: u8,
}

/// An identifier of the record. The status and the class are last: they tell rows apart in time, not at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdentifierKey<'a> {
    pub(crate) scheme: &'a str,
    pub(crate) value: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) status: &'a str,
    /// The bit of its privacy class.
    pub(crate) class: u8,
}

/// An index entry of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryKey<'a> {
    pub(crate) property: &'a str,
    pub(crate) mode: i16,
    pub(crate) value: &'a str,
}

/// Everything that follows from a timeline, each list sorted.
#[derive(Debug, Default)]
pub(crate) struct Derived<'a> {
    pub(crate) links: Vec<(LinkKey<'a>, Period)>,
    pub(crate) identifiers: Vec<(IdentifierKey<'a>, Period)>,
    pub(crate) entries: Vec<(EntryKey<'a>, Period)>,
}

/// Derives the rows of a timeline.
pub(crate) fn derived(timeline: &Timeline<Resolved>) -> Derived<'_> {
    let mut all = Derived::default();
    for state in timeline {
        push_links(&mut all.links, &state.value, state.period);
        push_identifiers(&mut all.identifiers, &state.value, state.period);
        all.entries
            .extend(state.value.entries().iter().map(|entry| {
                let key = EntryKey {
                    property: &entry.property,
                    mode: mode_code(entry.mode),
                    value: &entry.value,
                };
                (key, state.period)
            }));
    }
    coalesce(&mut all.links);
    coalesce(&mut all.identifiers);
    coalesce(&mut all.entries);
    all
}

/// The links alone, for the overlay.
pub(crate) fn links_of(timeline: &Timeline<Resolved>) -> Vec<(LinkKey<'_>, Period)> {
    let mut links = Vec::new();
    for state in timeline {
        push_links(&mut links, &state.value, state.period);
    }
    coalesce(&mut links);
    links
}

/// The identifiers alone, for the overlay.
pub(crate) fn identifiers_of(timeline: &Timeline<Resolved>) -> Vec<(IdentifierKey<'_>, Period)> {
    let mut identifiers = Vec::new();
    for state in timeline {
        push_identifiers(&mut identifiers, &state.value, state.period);
    }
    coalesce(&mut identifiers);
    identifiers
}

pub(crate) fn mode_code(mode: grunddata_information_model::IndexMode) -> i16 {
    mode as i16
}

fn push_links<'a>(links: &mut Vec<(LinkKey<'a>, Period)>, value: &'a Resolved, period: Period) {
    links.extend(value.links().iter().map(|link| {
        let key = LinkKey {
            relation: &link.relation,
            target: link.target,
            class: link.class,
        };
        (key, period)
    }));
}

/// The effective period of an identifier is that of its state cut by its own. Where a state names the same identifier
/// twice for the same days, the first one counts: at any day one row says who holds it.
fn push_identifiers<'a>(
    identifiers: &mut Vec<(IdentifierKey<'a>, Period)>,
    value: &'a Resolved,
    period: Period,
) {
    let begin = identifiers.len();
    for used in value.identifiers() {
        let key = IdentifierKey {
            scheme: used.scheme.as_str(),
            value: &used.value,
            issuer: used.issuer.as_deref().unwrap_or_default(),
            status: used.status.as_deref().unwrap_or("active"),
            class: used.class,
        };
        let from = used.valid_from.unwrap_or(Period::BEGINNING);
        let to = used.valid_to.unwrap_or(Period::OPEN);
        let Some(effective) = Period::new(from, to)
            .ok()
            .and_then(|own| own.intersect(&period))
        else {
            continue;
        };
        let mut free = vec![effective];
        for (earlier, taken) in identifiers.iter().skip(begin) {
            if (earlier.scheme, earlier.value, earlier.issuer)
                == (key.scheme, key.value, key.issuer)
            {
                free = free.iter().flat_map(|part| without(part, taken)).collect();
            }
        }
        identifiers.extend(free.into_iter().map(|part| (key, part)));
    }
}

/// What is left of a period without another.
pub(crate) fn without(period: &Period, taken: &Period) -> Vec<Period> {
    let before = Period::new(period.from(), taken.from().min(period.to()));
    let after = Period::new(taken.to().max(period.from()), period.to());
    before.into_iter().chain(after).collect()
}

/// Sorts, and joins the periods of one key that meet or overlap.
fn coalesce<K: Ord + Copy>(rows: &mut Vec<(K, Period)>) {
    rows.sort_unstable();
    rows.dedup_by(|next, kept| {
        if next.0 != kept.0 || next.1.from() > kept.1.to() {
            return false;
        }
        if let Ok(joined) = Period::new(kept.1.from(), kept.1.to().max(next.1.to())) {
            kept.1 = joined;
        }
        true
    });
}

/// Keys with the periods in which they hold.
pub(crate) type Dated<K> = Vec<(K, Period)>;

/// What two sorted lists do not have in common: only in the old one, only in the new one.
pub(crate) fn difference<K: Ord + Copy>(
    old: &[(K, Period)],
    new: &[(K, Period)],
) -> (Dated<K>, Dated<K>) {
    let (mut gone, mut come) = (Vec::new(), Vec::new());
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        match (old.peek(), new.peek()) {
            (Some(left), Some(right)) if left == right => {
                old.next();
                new.next();
            }
            (Some(left), Some(right)) if left < right => gone.extend(old.next()),
            (Some(_), Some(_)) | (None, Some(_)) => come.extend(new.next()),
            (Some(_), None) => gone.extend(old.next()),
            (None, None) => return (gone, come),
        }
    }
}

/// The protection that the states say.
pub(crate) fn protection(timeline: &Timeline<Resolved>) -> Protection {
    let states = timeline.states().iter();
    Protection::of_states(states.map(|state| (state.period, state.value.protection())))
}

/// Until when a record is under protection, and how strongly at most until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// The first day on which it is not any more.
    pub until: NaiveDate,
    /// The highest level until then; 0 = none.
    pub level: u8,
}

impl Protection {
    /// No protection, now or ever.
    pub const NONE: Self = Self {
        until: Period::BEGINNING,
        level: 0,
    };

    /// What states by valid time say, each with its level. A record whose last state is under protection stays so when it
    /// has ended: only a state that says otherwise takes it back.
    pub(crate) fn of_states(states: impl IntoIterator<Item = (Period, u8)>) -> Self {
        let states: Vec<(Period, u8)> = states.into_iter().collect();
        let last = states.iter().map(|(period, _)| period.to()).max();
        Self::of(states.into_iter().map(|(period, level)| Self {
            until: if Some(period.to()) == last {
                Period::OPEN
            } else {
                period.to()
            },
            level,
        }))
    }

    /// All of several.
    pub(crate) fn of(several: impl IntoIterator<Item = Self>) -> Self {
        several.into_iter().fold(Self::NONE, Self::and)
    }

    /// Both at once: the longer of the two, and the stronger.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        match (self.level, other.level) {
            (_, 0) => self,
            (0, _) => other,
            _ => Self {
                until: self.until.max(other.until),
                level: self.level.max(other.level),
            },
        }
    }

    /// Whether it is stronger or longer than the other.
    pub(crate) fn exceeds(self, other: Self) -> bool {
        other.and(self) != other
    }

    /// The level on a day.
    #[must_use]
    pub fn on(self, day: NaiveDate) -> u8 {
        if self.until > day { self.level } else { 0 }
    }
}

/// A hash over a canonical timeline: periods, models and the hashes of the bodies. It stands in the log, so that every
/// version can be checked against what its rows still say.
pub(crate) fn timeline_hash(timeline: &Timeline<Resolved>) -> [u8; 32] {
    use chrono::Datelike as _;
    let mut hasher = Sha256::new();
    for state in timeline {
        hasher.update(state.period.from().num_days_from_ce().to_be_bytes());
        hasher.update(state.period.to().num_days_from_ce().to_be_bytes());
        hasher.update(state.value.model().as_bytes());
        hasher.update([0]);
        hasher.update(state.value.hash());
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: u32, to: u32) -> Period {
        let day = |day| NaiveDate::from_ymd_opt(2026, 1, day).unwrap();
        Period::new(day(from), day(to)).unwrap()
    }

    #[test]
    fn rows_that_meet_become_one() {
        let mut rows = vec![
            ("b", period(1, 3)),
            ("a", period(5, 9)),
            ("a", period(1, 3)),
            ("a", period(3, 4)),
        ];
        coalesce(&mut rows);
        assert_eq!(
            rows,
            [
                ("a", period(1, 4)),
                ("a", period(5, 9)),
                ("b", period(1, 3))
            ]
        );
    }

    #[test]
    fn the_difference_is_what_changed() {
        let old = [("a", period(1, 4)), ("b", period(1, 3))];
        let new = [
            ("a", period(1, 5)),
            ("b", period(1, 3)),
            ("c", period(1, 2)),
        ];
        let (gone, come) = difference(&old, &new);
        assert_eq!(gone, [("a", period(1, 4))]);
        assert_eq!(come, [("a", period(1, 5)), ("c", period(1, 2))]);
    }

    #[test]
    fn a_period_without_another() {
        assert_eq!(
            without(&period(1, 9), &period(3, 5)),
            [period(1, 3), period(5, 9)]
        );
        assert_eq!(without(&period(1, 4), &period(3, 9)), [period(1, 3)]);
        assert_eq!(without(&period(3, 4), &period(1, 9)), []);
        assert_eq!(without(&period(1, 2), &period(5, 6)), [period(1, 2)]);
        assert_eq!(without(&period(7, 9), &period(5, 6)), [period(7, 9)]);
    }
}
