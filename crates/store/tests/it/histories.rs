//! Random histories, read at random coordinates, against a model that keeps every version whole.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use grunddata_information_model::Resolved;
use grunddata_model::{Instant, Period, RecordId, State, Timeline};
use grunddata_store::{Coordinate, Direction, Known, Lookup, OwnerSet};
use grunddata_testing::on_both;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::world::{World, everything, new_id, put, unit, world};

const DAYS: u64 = 12;

fn date(cell: u64) -> NaiveDate {
    match cell {
        0 => Period::BEGINNING,
        DAYS => Period::OPEN,
        _ => NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(cell),
    }
}

/// A version: for each cell of valid time which of a few values holds.
type Version = Vec<Option<u8>>;

fn versions() -> impl Strategy<Value = Vec<(usize, Version)>> {
    let cell = prop_oneof![1 => Just(None), 4 => (0..3_u8).prop_map(Some)];
    let version = proptest::collection::vec((1..5_usize, cell), 1..5).prop_map(|runs| {
        let cells = runs
            .into_iter()
            .flat_map(|(length, value)| std::iter::repeat_n(value, length));
        cells
            .chain(std::iter::repeat(None))
            .take(DAYS as usize)
            .collect()
    });
    proptest::collection::vec((0..3_usize, version), 1..12)
}

fn to_timeline(version: &Version, values: &[Resolved]) -> Timeline<Resolved> {
    let states = (0..DAYS).zip(version).filter_map(|(cell, value)| {
        let period = Period::new(date(cell), date(cell + 1)).unwrap();
        Some(State::new(period, values[usize::from((*value)?)].clone()))
    });
    Timeline::new(states).unwrap()
}

struct Written {
    instant: Instant,
    record: RecordId,
    version: Version,
}

fn check(world: &World, written: &[Written], values: &[Resolved], ids: &[RecordId]) {
    let pins: Vec<Instant> = written.iter().map(|written| written.instant).collect();
    for pin in pins {
        let known = Known::pinned(world.owner.clone(), pin);
        for id in ids {
            let version = written
                .iter()
                .rfind(|written| written.instant <= pin && written.record == *id);
            let count = written
                .iter()
                .filter(|written| written.instant <= pin && written.record == *id)
                .count();
            for cell in 0..DAYS {
                let valid_at = if cell == 0 {
                    date(1) - Days::new(3)
                } else {
                    date(cell)
                };
                let expected = version
                    .and_then(|written| written.version[cell as usize])
                    .map(|value| &values[usize::from(value)]);
                let found = world
                    .store
                    .read(|reader| reader.find(*id, valid_at, Some(&known), &everything()))
                    .unwrap();
                match (&found, expected) {
                    (Lookup::Found { row, .. }, Some(value)) => {
                        assert_eq!(row.body, **value.body());
                        assert_eq!(row.version as usize, count);
                    }
                    (Lookup::Absent(absent), None) => assert_eq!(absent.version as usize, count),
                    (Lookup::Unknown, None) => {
                        assert!(!written.iter().any(|written| written.record == *id))
                    }
                    other => panic!("{other:?} at {valid_at} {pin}"),
                }
                let coordinate = Coordinate {
                    valid_at,
                    known: known.clone(),
                };
                let rows = world
                    .store
                    .read(|reader| reader.records_at(&[*id], &coordinate, &everything()))
                    .unwrap();
                assert_eq!(
                    rows.first().map(|row| row.body.as_str()),
                    expected.map(|value| &**value.body())
                );
                let links = world
                    .store
                    .read(|reader| {
                        reader.links(
                            &[*id],
                            Direction::Out,
                            &[],
                            &coordinate,
                            &everything(),
                            10,
                            None,
                        )
                    })
                    .unwrap();
                assert_eq!(links.len(), expected.map_or(0, |value| value.links().len()));
            }
        }
    }
}

on_both! {
    using world;
    fn every_coordinate_tells_what_was_believed_then(world: World) {
        let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
        let top = world.create(unit("Topp", None));
        world.set(top, crate::world::timeline([(Period::ALWAYS, unit("Topp", None))]));
        let values = [unit("Ett", None), unit("Två", Some(top)), unit("Tre", Some(top))];
        runner
            .run(&versions(), |history| {
                let ids = [new_id(), new_id(), new_id()];
                let mut written: Vec<Written> = Vec::new();
                let mut last: BTreeMap<RecordId, Version> = BTreeMap::new();
                for (record, version) in history {
                    let record = ids[record];
                    let before = last.get(&record).cloned();
                    let empty = version.iter().all(Option::is_none);
                    if before.as_ref() == Some(&version) || (before.is_none() && empty) {
                        continue;
                    }
                    world.tick();
                    let after = to_timeline(&version, &values);
                    let instant = world
                        .job(move |tx| {
                            put(tx, record, after.clone())?;
                            Ok(tx.now())
                        })
                        .unwrap();
                    last.insert(record, version.clone());
                    written.push(Written { instant, record, version });
                }
                check(&world, &written, &values, &ids);
                // What is believed now, without a pin, is the last version.
                for (id, version) in &last {
                    for cell in 1..DAYS {
                        let found = world.store.read(|reader| reader.find(*id, date(cell), None, &everything())).unwrap();
                        let expected = version[cell as usize].map(|value| values[usize::from(value)].body().to_string());
                        let body = match found {
                            Lookup::Found { row, .. } => Some(row.body),
                            _ => None,
                        };
                        prop_assert_eq!(body, expected);
                    }
                }
                Ok(())
            })
            .unwrap();
        let known = world.store.read(|reader| reader.pin(&OwnerSet::All, None)).unwrap();
        assert_eq!(known.pins.len(), 1);
    }
}
