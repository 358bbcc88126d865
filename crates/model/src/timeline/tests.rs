//! The algebra against a naive model: one cell per day, sixty days, the first of which is the unknown beginning and the
//! last of which reaches to the open end. The model says what each operation means in the plainest way there is.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::*;
use crate::Period;

const CELLS: u64 = 60;

type Model = BTreeMap<u64, u8>;

/// The date of a cut point: 0 is the beginning, [`CELLS`] the open end.
fn day(cut: u64) -> NaiveDate {
    match cut {
        0 => Period::BEGINNING,
        CELLS => Period::OPEN,
        _ => NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(cut),
    }
}

fn period(from: u64, to: u64) -> Period {
    Period::new(day(from), day(to)).unwrap()
}

fn timeline(model: &Model) -> Timeline<u8> {
    Timeline::new(
        model
            .iter()
            .map(|(cell, value)| State::new(period(*cell, cell + 1), *value)),
    )
    .unwrap()
}

fn naive(timeline: &Timeline<u8>) -> Model {
    (0..CELLS)
        .filter_map(|cell| Some((cell, timeline.at(day(cell))?.value)))
        .collect()
}

fn assert_canonical(timeline: &Timeline<u8>) {
    for (earlier, later) in timeline
        .states()
        .iter()
        .zip(timeline.states().iter().skip(1))
    {
        assert!(earlier.period.to() <= later.period.from());
        assert!(!(earlier.period.to() == later.period.from() && earlier.value == later.value));
    }
}

/// A few runs, so that gaps, equal neighbours and single days are all common.
fn models() -> impl Strategy<Value = Model> {
    proptest::collection::vec(
        (0..CELLS, 1..=20u64, proptest::option::weighted(0.8, 0..3u8)),
        0..8,
    )
    .prop_map(|runs| {
        let mut model = Model::new();
        for (from, length, value) in runs {
            for cell in from..(from + length).min(CELLS) {
                match value {
                    Some(value) => model.insert(cell, value),
                    None => model.remove(&cell),
                };
            }
        }
        model
    })
}

/// Cut points of a period.
fn cuts() -> impl Strategy<Value = (u64, u64)> {
    (0..CELLS, 1..=CELLS).prop_map(|(from, length)| (from, (from + length).min(CELLS)))
}

fn put(model: &Model, from: u64, to: u64, value: u8) -> Model {
    let mut model = model.clone();
    model.extend((from..to).map(|cell| (cell, value)));
    model
}

fn clear(model: &Model, from: u64, to: u64) -> Model {
    model
        .iter()
        .filter(|(cell, _)| !(from..to).contains(*cell))
        .map(|(cell, value)| (*cell, *value))
        .collect()
}

fn end_of(model: &Model) -> Option<u64> {
    model.last_key_value().map(|(cell, _)| cell + 1)
}

/// What a replace with the bounds means, day by day: the resolved end, and whether the guard stops it.
fn naive_replace(model: &Model, from: u64, to: Option<Option<u64>>, value: u8) -> (u64, bool) {
    let held = |cell: u64| model.contains_key(&cell);
    let end = match to {
        Some(to) => to.unwrap_or(CELLS),
        None if held(from) => (from..CELLS).find(|cell| !held(*cell)).unwrap_or(CELLS),
        None => (from..CELLS).find(|cell| held(*cell)).unwrap(),
    };
    if matches!(to, Some(Some(_))) {
        return (end, false);
    }
    let same_state = (from..CELLS)
        .take_while(|cell| held(*cell) && model.get(cell) == model.get(&from))
        .count() as u64;
    let other_planned = (from + same_state.max(1)..end)
        .any(|cell| model.get(&cell).is_some_and(|old| *old != value));
    let planned_end = (from..end).any(|cell| held(cell) && cell + 1 < end && !held(cell + 1));
    (end, other_planned || planned_end)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn construction_is_canonical_and_says_the_same(model in models()) {
        let timeline = timeline(&model);
        assert_canonical(&timeline);
        prop_assert_eq!(naive(&timeline), model.clone());
        prop_assert_eq!(timeline.is_empty(), model.is_empty());
        prop_assert_eq!(timeline.first_day(), model.keys().next().map(|cell| day(*cell)));
        prop_assert_eq!(timeline.end_date(), end_of(&model).map(day));
    }

    #[test]
    fn overlap_is_refused(model in models(), (from, to) in cuts()) {
        let overlaps = model.keys().any(|cell| (from..to).contains(cell));
        let states = timeline(&model).into_states().into_iter().chain([State::new(period(from, to), 9)]);
        prop_assert_eq!(Timeline::new(states).is_err(), overlaps);
    }

    #[test]
    fn coverage((from, to) in cuts(), model in models(), cell in 0..CELLS) {
        let timeline = timeline(&model);
        let wanted = period(from, to);
        let missing: Vec<u64> = (from..to).filter(|cell| !model.contains_key(cell)).collect();
        prop_assert_eq!(timeline.covers(&wanted), missing.is_empty());
        let gaps = timeline.uncovered(&wanted);
        let in_gaps: Vec<u64> =
            (0..CELLS).filter(|cell| gaps.iter().any(|gap| gap.contains(day(*cell)))).collect();
        prop_assert_eq!(in_gaps, missing);
        prop_assert!(gaps.iter().zip(gaps.iter().skip(1)).all(|(one, next)| one.to() < next.from()));

        let stretch = model.contains_key(&cell).then(|| {
            let from = (0..=cell).rev().take_while(|cell| model.contains_key(cell)).last().unwrap();
            let to = (cell..CELLS).take_while(|cell| model.contains_key(cell)).last().unwrap() + 1;
            period(from, to)
        });
        prop_assert_eq!(timeline.stretch_at(day(cell)), stretch);
        let next = (cell + 1..CELLS).find(|next| {
            model.get(next).is_some_and(|value| model.get(&(next - 1)) != Some(value))
        });
        prop_assert_eq!(timeline.next_start_after(day(cell)), next.map(day));
    }

    #[test]
    fn replace(
        model in models(),
        (from, until) in cuts(),
        bound in 0..3u8,
        value in 0..3u8,
        overwrite_planned in any::<bool>(),
    ) {
        let before = timeline(&model);
        let to = match bound {
            0 => None,
            1 => Some(None),
            _ => Some(Some(until).filter(|until| *until < CELLS)),
        };
        let request = ReplacePeriod { from: day(from), to: to.map(|to| to.map(day)) };
        let outcome = before.replace(request, value, overwrite_planned);
        if end_of(&model).is_none_or(|end| from >= end) {
            let end = end_of(&model).map(day);
            prop_assert_eq!(outcome, Err(TimelineError::EndedUseRevive { end }));
            return Ok(());
        }
        let (to, guarded) = naive_replace(&model, from, to, value);
        if guarded && !overwrite_planned {
            prop_assert!(matches!(outcome, Err(TimelineError::PlannedStates { .. })), "{outcome:?}");
            return Ok(());
        }
        let (after, resolved) = outcome.unwrap();
        assert_canonical(&after);
        prop_assert_eq!(resolved, period(from, to));
        prop_assert_eq!(naive(&after), put(&model, from, to, value));
    }

    /// Values that are "the same data" (here: the same modulo 2) keep what they were.
    #[test]
    fn replace_keeps_pieces_with_the_same_data(model in models(), (from, to) in cuts(), value in 0..4u8) {
        prop_assume!(end_of(&model).is_some_and(|end| from < end));
        let request = ReplacePeriod { from: day(from), to: Some(Some(day(to))) };
        let same = |old: &u8, new: &u8| old % 2 == new % 2;
        let (after, _) = timeline(&model).replace_if(request, value, true, same).unwrap();
        let mut expected = model.clone();
        for cell in from..to {
            let kept = model.get(&cell).copied().filter(|old| same(old, &value));
            expected.insert(cell, kept.unwrap_or(value));
        }
        assert_canonical(&after);
        prop_assert_eq!(naive(&after), expected);
    }

    #[test]
    fn amend(model in models(), (from, to) in cuts(), value in 0..3u8, refuses in 0..4u8) {
        let mut seen = Vec::new();
        let outcome = timeline(&model).amend(period(from, to), |state| {
            seen.push(state.period);
            if state.value == refuses { Err("no") } else { Ok((state.value + value) % 3) }
        });
        let inside = |cell: &u64| (from..to).contains(cell);
        if !model.keys().any(inside) {
            let refused = TimelineError::NothingValid { period: period(from, to) };
            prop_assert_eq!(outcome, Err(AmendError::Timeline(refused)));
        } else if model.iter().any(|(cell, value)| inside(cell) && *value == refuses) {
            let refused = matches!(outcome, Err(AmendError::Patch { error: "no", .. }));
            prop_assert!(refused);
        } else {
            let after = outcome.unwrap();
            assert_canonical(&after);
            let expected: Model = model
                .iter()
                .map(|(cell, old)| (*cell, if inside(cell) { (old + value) % 3 } else { *old }))
                .collect();
            prop_assert_eq!(naive(&after), expected);
            prop_assert!(seen.iter().all(|piece| period(from, to).covers(piece)));
        }
    }

    #[test]
    fn end(model in models(), (from, until) in cuts(), gap in any::<bool>()) {
        let before = timeline(&model);
        let to = if gap { until } else { CELLS };
        let outcome = before.end(day(from), gap.then(|| day(until)));
        let left = clear(&model, from, to);
        if left.is_empty() && !model.is_empty() {
            let refused = matches!(outcome, Err(TimelineError::NeverValid { .. }));
            prop_assert!(refused);
        } else {
            let after = outcome.unwrap();
            assert_canonical(&after);
            prop_assert_eq!(naive(&after), left);
            if end_of(&model).is_none_or(|end| end <= from) {
                prop_assert_eq!(after, before);
            }
        }
    }

    #[test]
    fn revive(model in models(), (from, to) in cuts(), value in 0..3u8) {
        let outcome = timeline(&model).revive(period(from, to), value);
        if end_of(&model).is_some_and(|end| from < end) {
            let refused = matches!(outcome, Err(TimelineError::NotEnded { .. }));
            prop_assert!(refused);
        } else {
            let after = outcome.unwrap();
            assert_canonical(&after);
            prop_assert_eq!(naive(&after), put(&model, from, to, value));
        }
    }

    #[test]
    fn retract(model in models(), (from, to) in cuts()) {
        let before = timeline(&model);
        let after = before.retract(Some(period(from, to)));
        assert_canonical(&after);
        prop_assert_eq!(naive(&after), clear(&model, from, to));
        prop_assert!(before.retract(None).is_empty());
    }

    #[test]
    fn create((from, to) in cuts(), model in models()) {
        let outcome = timeline(&model).create(period(from, to), 1);
        match outcome {
            Ok(after) => prop_assert_eq!(naive(&after), put(&Model::new(), from, to, 1)),
            Err(_) => prop_assert!(!model.is_empty()),
        }
    }

    #[test]
    fn diff(one in models(), other in models()) {
        let (left, right) = (timeline(&one), timeline(&other));
        let differences = left.diff(&right);
        prop_assert_eq!(differences.is_empty(), left == right);
        for cell in 0..CELLS {
            let found = differences.iter().find(|difference| difference.period.contains(day(cell)));
            let (before, after) = (one.get(&cell), other.get(&cell));
            prop_assert_eq!(found.is_some(), before != after);
            if let Some(found) = found {
                prop_assert_eq!((found.before, found.after), (before, after));
            }
        }
        for (earlier, later) in differences.iter().zip(differences.iter().skip(1)) {
            prop_assert!(earlier.period.to() <= later.period.from());
            let alike = (earlier.before, earlier.after) == (later.before, later.after);
            prop_assert!(!(alike && earlier.period.meets(&later.period)));
        }
    }

    #[test]
    fn coalesce(model in models()) {
        // The values 0 to 2 hold the keys {0, 1}, {1, 2}, {2, 3}; a key said twice counts once.
        let rows = timeline(&model).coalesce(|value| [*value, value + 1, *value]);
        for key in 0..5u8 {
            let periods = rows.get(&key).cloned().unwrap_or_default();
            prop_assert!(periods.iter().zip(periods.iter().skip(1)).all(|(one, next)| one.to() < next.from()));
            for cell in 0..CELLS {
                let expected = model.get(&cell).is_some_and(|value| *value == key || value + 1 == key);
                prop_assert_eq!(periods.iter().any(|period| period.contains(day(cell))), expected);
            }
        }
    }

    #[test]
    fn map(model in models()) {
        let mapped = timeline(&model).map(|value| value / 2);
        assert_canonical(&mapped);
        let expected: Model = model.iter().map(|(cell, value)| (*cell, value / 2)).collect();
        prop_assert_eq!(naive(&mapped), expected);
    }
}

/// `A` until 30, a gap, `B` from 40 to 50.
fn with_a_gap_and_an_end() -> Timeline<char> {
    Timeline::new([
        State::new(period(40, 50), 'B'),
        State::new(period(10, 30), 'A'),
    ])
    .unwrap()
}

fn replaced(
    from: u64,
    to: Option<Option<u64>>,
    value: char,
) -> Result<(Timeline<char>, Period), TimelineError> {
    let request = ReplacePeriod {
        from: day(from),
        to: to.map(|to| to.map(day)),
    };
    with_a_gap_and_an_end().replace(request, value, false)
}

#[test]
fn an_absent_end_stops_at_the_next_gap_or_the_next_start() {
    assert_eq!(replaced(20, None, 'X').unwrap().1, period(20, 30));
    assert_eq!(replaced(30, None, 'X').unwrap().1, period(30, 40));
    assert_eq!(replaced(5, None, 'X').unwrap().1, period(5, 10));
    assert_eq!(replaced(45, None, 'X').unwrap().1, period(45, 50));
    assert_eq!(
        replaced(50, None, 'X'),
        Err(TimelineError::EndedUseRevive { end: Some(day(50)) })
    );
}

#[test]
fn an_open_end_does_not_run_over_what_is_planned() {
    assert_eq!(
        replaced(20, Some(None), 'X'),
        Err(TimelineError::PlannedStates {
            states: vec![period(40, 50)],
            ends: vec![day(30), day(50)]
        })
    );
    // The same data all along, but the record was to end.
    assert_eq!(
        replaced(45, Some(None), 'B'),
        Err(TimelineError::PlannedStates {
            states: vec![],
            ends: vec![day(50)]
        })
    );
    // A date is taken as said.
    assert_eq!(
        replaced(45, Some(Some(55)), 'B').unwrap().0.end_date(),
        Some(day(55))
    );
    let message = replaced(20, Some(None), 'X').unwrap_err().to_string();
    assert!(
        message.contains("overwritePlanned=true") && message.contains("end 2026-02-20"),
        "{message}"
    );
}

#[test]
fn a_retracted_record_is_not_replaced() {
    let request = ReplacePeriod {
        from: day(3),
        to: None,
    };
    let refused = Timeline::<char>::empty().replace(request, 'X', true);
    assert_eq!(refused, Err(TimelineError::EndedUseRevive { end: None }));
    assert!(
        Timeline::<char>::empty()
            .end(day(3), None)
            .unwrap()
            .is_empty()
    );
}
