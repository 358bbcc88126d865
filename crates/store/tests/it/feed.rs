//! The log as it is followed: dense at every moment, whoever is writing, and from another process too.

use std::sync::Arc;
use std::sync::mpsc;

use grunddata_model::Instant;
use grunddata_store::{ChangeFilter, ChangeScan, Needs, Operation, Store, StoreOptions};
use grunddata_testing::on_both;

use crate::world::{World, everything, model, new_id, put, since, timeline, unit, world};

/// Another process on the same database.
fn another(world: &World) -> Store {
    let clock = Arc::new(|| "2026-01-02T08:00:00Z".parse::<Instant>().unwrap());
    let options = StoreOptions {
        clock_jump_limit: None,
        ..StoreOptions::new(world.url(), clock)
    };
    Store::open(options, model()).unwrap()
}

/// How far the log has come, and the positions up to there.
fn log(world: &World) -> (u64, Vec<u64>) {
    world
        .store
        .read(|reader| {
            let (head, _) = reader.log_head(&world.owner)?.unwrap();
            let scan = ChangeScan {
                owner: &world.owner,
                after: 0,
                until: head,
                filter: &ChangeFilter::default(),
                limit: 10_000,
            };
            let changes = reader.scan_changes(&scan, &everything())?;
            Ok((head, changes.iter().map(|change| change.position).collect()))
        })
        .unwrap()
}

fn write(store: &Store, world: &World) {
    let id = new_id();
    store
        .write_blocking(&world.owner, Needs::default(), move |tx| {
            put(
                tx,
                id,
                timeline([(since("2020-01-01"), unit("Enhet", None))]),
            )
        })
        .unwrap();
}

on_both! {
    using world;

    fn the_log_has_no_holes_while_a_transaction_is_held_open(world: World) {
        write(&world.store, &world);
        let (holds, held) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let other = another(&world);
        std::thread::scope(|scope| {
            let world = &world;
            // It has taken the owner's row, begins early, and commits late.
            scope.spawn(move || {
                let id = new_id();
                world.job(move |tx| {
                    let version = put(tx, id, timeline([(since("2020-01-01"), unit("Sen", None))]))?;
                    holds.send(()).ok();
                    released.recv().ok();
                    Ok(version)
                }).unwrap();
            });
            held.recv().unwrap();
            let writers: Vec<_> = (0..3).map(|_| { let other = &other; scope.spawn(move || write(other, world)) }).collect();
            assert_eq!(log(world), (1, vec![1]));
            release.send(()).unwrap();
            drop(release);
            loop {
                let (head, positions) = log(world);
                assert_eq!(positions, (1..=head).collect::<Vec<u64>>());
                if writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                    break;
                }
            }
        });
        assert_eq!(log(&world), (5, (1..=5).collect()));
        other.shutdown();
    }

    fn a_follower_is_told_of_what_another_process_commits(world: World) {
        let other = another(&world);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut here = world.store.follow(&world.owner).unwrap();
        let mut there = other.follow(&world.owner).unwrap();
        for position in 0..3 {
            write(if position % 2 == 0 { &world.store } else { &other }, &world);
            runtime.block_on(here.beyond(position));
            runtime.block_on(there.beyond(position));
        }
        assert_eq!(log(&world).0, 3);
        other.shutdown();
    }

    fn a_scan_gives_what_is_chosen_of_its_part_alone(world: World) {
        let first = world.create(unit("Ett", None));
        world.create(unit("Två", None));
        world.set(first, timeline([(since("2020-01-01"), unit("Ett igen", None))]));
        world.set(first, timeline([]));
        let scan = |after, until, limit, filter: &ChangeFilter| {
            let scan = ChangeScan { owner: &world.owner, after, until, filter, limit };
            let changes = world.store.read(|reader| reader.scan_changes(&scan, &everything())).unwrap();
            changes.iter().map(|change| change.position).collect::<Vec<u64>>()
        };
        let every = ChangeFilter::default();
        assert_eq!(scan(0, 9, 9, &every), [1, 2, 3, 4]);
        assert_eq!(scan(1, 3, 9, &every), [2, 3]);
        assert_eq!(scan(0, 9, 2, &every), [1, 2]);
        let of_first = ChangeFilter { record: Some(first), ..every.clone() };
        assert_eq!(scan(0, 9, 9, &of_first), [1, 3, 4]);
        let created = ChangeFilter { operations: vec![Operation::Create], ..every };
        assert_eq!(scan(0, 9, 9, &created), [1, 2]);
        let states = world.store.read(|reader| reader.states_at_positions(&world.owner, &[1, 3, 4], &everything())).unwrap();
        let names: Vec<_> = states.iter().map(|(position, row)| (*position, row.display.clone().unwrap())).collect();
        assert_eq!(names, [(1, "Ett".to_owned()), (3, "Ett igen".to_owned())]);
    }

    fn the_key_of_a_feed_is_made_once_for_all_processes(world: World) {
        let other = another(&world);
        let key = world.store.feed_key(&world.owner, &[1; 32]).unwrap();
        assert_eq!(key, [1; 32]);
        assert_eq!(other.feed_key(&world.owner, &[2; 32]).unwrap(), key);
        let elsewhere = world.add_owner("se-0331");
        assert_eq!(other.feed_key(&elsewhere, &[3; 32]).unwrap(), [3; 32]);
        other.shutdown();
    }
}
