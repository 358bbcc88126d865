//! Random histories of a record through the whole stack, against a naive model that keeps a value for every day, read at
//! random coordinates. The seed is fixed.

use grunddata_model::Domain::Organisation;
use grunddata_model::{Instant, RecordId};
use grunddata_registry::{Code, Command, From, Operation};
use grunddata_testing::on_both;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::stack::*;

/// The days of the model; the last one stands for all that follow.
const DAYS: usize = 24;

/// Name and cost centre on each day.
type Days = Vec<Option<(u8, u8)>>;

#[derive(Debug, Clone)]
enum Step {
    Replace { from: usize, to: End, name: u8 },
    Amend { from: usize, to: End, centre: u8 },
    End { from: usize, to: End },
    Retract { from: usize, to: End },
    RetractAll,
    Revive { from: usize, name: u8 },
    Revert { version: usize },
}

#[derive(Debug, Clone, Copy)]
enum End {
    Absent,
    Open,
    /// So many days after the start.
    After(usize),
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Absent),
        Just(End::Open),
        (1..12_usize).prop_map(End::After)
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let day = 0..DAYS - 1;
    let step = prop_oneof![
        4 => (day.clone(), ends(), 0..3_u8).prop_map(|(from, to, name)| Step::Replace { from, to, name }),
        4 => (day.clone(), ends(), 0..3_u8).prop_map(|(from, to, centre)| Step::Amend { from, to, centre }),
        3 => (day.clone(), ends()).prop_map(|(from, to)| Step::End { from, to }),
        1 => (day.clone(), ends()).prop_map(|(from, to)| Step::Retract { from, to }),
        1 => Just(Step::RetractAll),
        2 => (day, 0..3_u8).prop_map(|(from, name)| Step::Revive { from, name }),
        1 => (0..8_usize).prop_map(|version| Step::Revert { version }),
    ];
    vec(step, 1..14)
}

fn date(day: usize) -> String {
    (day_zero() + chrono::Days::new(day as u64)).to_string()
}

fn day_zero() -> chrono::NaiveDate {
    crate::stack::day("2026-01-01")
}

fn data(name: u8, centre: u8) -> Value {
    json!({"name": {"sv": format!("Namn {name}")}, "kind": "unit", "costCentre": centre.to_string()})
}

/// The days that a period covers, given what an absent end means.
fn range(from: usize, to: End, absent: usize) -> std::ops::Range<usize> {
    match to {
        End::Absent => from..absent,
        End::Open => from..DAYS,
        End::After(days) if from + days >= DAYS => from..DAYS,
        End::After(days) => from..from + days,
    }
}

/// The exclusive end of the record; beyond the model = open.
fn end_of(days: &Days) -> usize {
    let last = days.iter().rposition(Option::is_some);
    match last {
        None => 0,
        Some(last) if last == DAYS - 1 => usize::MAX,
        Some(last) => last + 1,
    }
}

/// What the step does to the days, or why it is refused.
fn model(days: &Days, versions: &[Days], step: &Step) -> Result<Days, Code> {
    let mut after = days.clone();
    let retracted = days.iter().all(Option::is_none);
    match step {
        Step::Revive { from, name } => {
            if *from < end_of(days) {
                return Err(Code::NotEnded);
            }
            after[*from..].fill(Some((*name, 0)));
        }
        Step::Revert { version } => {
            after = versions.get(*version).ok_or(Code::UnknownVersion)?.clone();
        }
        Step::RetractAll => after.fill(None),
        _ if retracted => return Err(Code::Retracted),
        Step::Replace { from, to, name } => {
            if *from >= end_of(days) {
                return Err(Code::RecordEnded);
            }
            let rest = &days[*from..];
            let length = if rest[0].is_some() {
                rest.iter().position(Option::is_none)
            } else {
                rest.iter().position(Option::is_some)
            };
            let absent = length.map_or(DAYS, |length| from + length);
            after[range(*from, *to, absent)].fill(Some((*name, 0)));
        }
        Step::Amend { from, to, centre } => {
            let range = range(*from, *to, DAYS);
            if days[range.clone()].iter().all(Option::is_none) {
                return Err(Code::NothingValid);
            }
            for day in after[range].iter_mut().flatten() {
                day.1 = *centre;
            }
        }
        Step::End { from, to } => {
            after[range(*from, *to, DAYS)].fill(None);
            if after.iter().all(Option::is_none) {
                return Err(Code::NeverValid);
            }
        }
        Step::Retract { from, to } => after[range(*from, *to, DAYS)].fill(None),
    }
    Ok(after)
}

fn command(id: RecordId, step: &Step) -> Command {
    let bound = |from: usize, to: End| match to {
        End::Absent => None,
        End::Open => Some("open".to_owned()),
        End::After(days) if from + days >= DAYS => Some("open".to_owned()),
        End::After(days) => Some(date(from + days)),
    };
    match step {
        Step::Replace { from, to, name } => replaced(
            replace(Organisation, id, data(*name, 0), &date(*from)),
            |replace| {
                replace.valid_to = bound(*from, *to).map(|text| text.parse().unwrap());
                replace.overwrite_planned = true;
            },
        ),
        Step::Amend { from, to, centre } => amend(
            Organisation,
            id,
            json!({"costCentre": centre.to_string()}),
            &date(*from),
            bound(*from, *to).as_deref(),
        ),
        Step::End { from, to } => end(Organisation, id, &date(*from), bound(*from, *to).as_deref()),
        Step::Retract { from, to } => {
            let mut command = retract(Organisation, id, None);
            if let Operation::Retract(retract) = &mut command.operation {
                retract.valid_from = Some(From::At(date(*from).parse().unwrap()));
                retract.valid_to = bound(*from, *to).map(|text| text.parse().unwrap());
            }
            command
        }
        Step::RetractAll => retract(Organisation, id, None),
        Step::Revive { from, name } => revive(Organisation, id, data(*name, 0), &date(*from)),
        Step::Revert { version } => revert(Organisation, id, u32::try_from(*version).unwrap() + 1),
    }
}

fn check_history(
    stack: &Stack,
    first: usize,
    steps: &[Step],
    coordinates: &[(usize, prop::sample::Index)],
) {
    let id = stack.id(create(Organisation, data(0, 0), &date(first)));
    let mut days: Days = vec![None; DAYS];
    days[first..].fill(Some((0, 0)));
    let mut versions = vec![days.clone()];
    let mut known: Vec<(Instant, Days)> = vec![(stack.now(), days.clone())];
    for step in steps {
        stack.pass(90);
        let expected = model(&days, &versions, step);
        let written = stack.write(command(id, step));
        match (expected, written) {
            (Ok(after), Ok(written)) => {
                if after != days {
                    versions.push(after.clone());
                    days = after;
                }
                assert_eq!(written.version as usize, versions.len(), "{step:?}");
            }
            (Err(code), Err(refusal)) => assert_eq!(refusal.code, code, "{step:?}"),
            (expected, written) => panic!("{step:?}: expected {expected:?}, got {written:?}"),
        }
        known.push((stack.now(), days.clone()));
    }
    stack.pass(90);
    for (day, index) in coordinates {
        let (instant, days) = index.get(&known);
        let read = stack.data_known(id, &date(*day), *instant);
        let expected = days[*day].map(|(name, centre)| data(name, centre));
        assert_eq!(
            read.ok(),
            expected,
            "on {} as known at {instant}",
            date(*day)
        );
    }
    for (day, expected) in days.iter().enumerate() {
        let expected = expected.map(|(name, centre)| data(name, centre));
        assert_eq!(
            stack.data(id, &date(day)).ok(),
            expected,
            "on {}",
            date(day)
        );
    }
}

on_both! {
    using stack;

    fn random_histories_answer_like_the_naive_model(stack: Stack) {
        let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[17; 32]);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let coordinates = vec((0..DAYS, any::<prop::sample::Index>()), 12);
        runner
            .run(&(0..DAYS - 1, steps(), coordinates), |(first, steps, coordinates)| {
                check_history(&stack, first, &steps, &coordinates);
                Ok(())
            })
            .unwrap();
    }
}
