//! Concurrent writers, refusals, races and limits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use grunddata_model::{OwnerKey, SchemeCode};
use grunddata_store::{COMMITS_WITHIN, Needs, StoreError, StoreOptions, WriteError};
use grunddata_testing::{Engine, on_both};

use crate::world::{World, everything, new_id, numbered, open, put, since, timeline, unit, world};

/// A store whose stopwatch stands still but for the first year after a long silence, in which it is right.
fn clock_guarded(engine: Engine) -> World {
    open(engine, |options| {
        let clock = Arc::clone(&options.clock);
        let opened = clock();
        let silence = chrono::Duration::days(365);
        StoreOptions {
            clock_jump_limit: Some(chrono::Duration::minutes(5)),
            stopwatch: Arc::new(move || {
                let passed = clock().date_time() - opened.date_time();
                passed
                    .clamp(chrono::Duration::zero(), silence)
                    .to_std()
                    .unwrap()
            }),
            ..options
        }
    })
}

/// A store whose stopwatch says what it is told to.
fn timed(engine: Engine) -> (World, Arc<AtomicU64>) {
    let seconds = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&seconds);
    let world = open(engine, |options| StoreOptions {
        clock_jump_limit: None,
        stopwatch: Arc::new(move || Duration::from_secs(told.load(Ordering::SeqCst))),
        ..options
    });
    (world, seconds)
}

on_both! {
    using timed;

    fn a_batch_that_took_too_long_gets_a_later_instant(timed: (World, Arc<AtomicU64>)) {
        let (world, seconds) = timed;
        let tries = Arc::new(AtomicUsize::new(0));
        let (id, tried) = (new_id(), Arc::clone(&tries));
        world
            .job(move |tx| {
                if tried.fetch_add(1, Ordering::SeqCst) == 0 {
                    seconds.fetch_add(COMMITS_WITHIN.as_secs() + 1, Ordering::SeqCst);
                }
                put(tx, id, timeline([(since("2020-01-01"), unit("Enhet", None))]))?;
                Ok::<_, StoreError>(())
            })
            .unwrap();
        assert_eq!(tries.load(Ordering::SeqCst), 2);
        let changes = world.store.read(|reader| reader.changes(&world.owner, 0, 10, &everything())).unwrap();
        assert_eq!(changes.iter().map(|change| change.position).collect::<Vec<_>>(), [1]);
    }
}

on_both! {
    using world;

    fn concurrent_writers_get_dense_positions_and_rising_instants(world: World) {
        let refused = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8_u32 {
                let (world, refused) = (&world, &refused);
                scope.spawn(move || {
                    for number in 0..12_u32 {
                        let id = new_id();
                        let value = unit(&format!("Enhet {thread} {number}"), None);
                        let answer = world.job(move |tx| {
                            put(tx, id, timeline([(since("2020-01-01"), value.clone())]))?;
                            if number % 4 == 3 { Err(StoreError::Busy) } else { Ok(()) }
                        });
                        if answer.is_err() {
                            assert!(matches!(answer, Err(WriteError::Refused(StoreError::Busy))));
                            refused.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert_eq!(refused.load(Ordering::SeqCst), 24);
        let changes = world.store.read(|reader| reader.changes(&world.owner, 0, 1_000, &everything())).unwrap();
        let positions: Vec<u64> = changes.iter().map(|change| change.position).collect();
        assert_eq!(positions, (1..=72).collect::<Vec<u64>>());
        assert!(changes.is_sorted_by(|one, next| one.recorded_at < next.recorded_at));
        let owner = world.store.owners().unwrap().remove(0);
        assert_eq!((owner.position, owner.last_instant), (72, changes[71].recorded_at));
        let metrics = world.store.metrics();
        assert_eq!((metrics.jobs, metrics.queue_length), (96, 0));
        assert!(metrics.batches <= 96 && metrics.positions[&world.owner] == 72);
    }

    fn one_of_many_wins_the_race_for_a_number(world: World) {
        let scheme = SchemeCode::new("source:ekonomi").unwrap();
        let won = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (id, scheme) = (new_id(), scheme.clone());
                    let answer = world.job(move |tx| {
                        if !tx.claims(&scheme, "77")?.is_empty() {
                            return Err(StoreError::Busy);
                        }
                        put(tx, id, timeline([(since("2020-01-01"), numbered("Vinnare", "77"))]))
                    });
                    won.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
                });
            }
        });
        assert_eq!(won.load(Ordering::SeqCst), 1);
    }

    fn a_job_that_cannot_be_flushed_does_not_take_the_others_with_it(world: World) {
        let taken = world.create(unit("Finns", None));
        let answers: Vec<bool> = std::thread::scope(|scope| {
            let jobs: Vec<_> = (0..6)
                .map(|number| {
                    let world = &world;
                    scope.spawn(move || {
                        // A lie: the id is not fresh, so that the directory refuses the row.
                        let id = if number == 3 { taken } else { new_id() };
                        let value = unit(&format!("Enhet {number}"), None);
                        let answer = world.job(move |tx| {
                            let mut write = crate::world::staged(id, timeline([]), timeline([(since("2020-01-01"), value.clone())]));
                            write.fresh = true;
                            tx.stage(write)
                        });
                        answer.is_ok()
                    })
                })
                .collect();
            jobs.into_iter().map(|job| job.join().unwrap()).collect()
        });
        assert_eq!(answers, [true, true, true, false, true, true]);
    }

    fn owners_do_not_share_ids(world: World) {
        let other = world.add_owner("se-0180");
        let id = world.create(unit("Vår", None));
        let answer = world.store.write_blocking(&other, Needs::default(), move |tx| {
            put(tx, id, timeline([(since("2020-01-01"), unit("Deras", None))]))
        });
        assert!(matches!(answer, Err(WriteError::Refused(StoreError::IdTaken(taken))) if taken == id));
        let nobody = OwnerKey::new("nobody").unwrap();
        let answer = world.store.write_blocking(&nobody, Needs::default(), |_| Ok::<_, StoreError>(()));
        assert!(matches!(answer, Err(WriteError::Store(StoreError::UnknownOwner(owner))) if owner == nobody));
    }

    fn two_owners_write_at_once(world: World) {
        let owners = [world.owner.clone(), world.add_owner("se-0180"), world.add_owner("se-1480")];
        std::thread::scope(|scope| {
            for owner in &owners {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for number in 0..10 {
                            world.set_of(owner, new_id(), timeline([(since("2020-01-01"), unit(&format!("E{number}"), None))]));
                        }
                    });
                }
            }
        });
        let positions: BTreeSet<u64> = world.store.owners().unwrap().iter().map(|owner| owner.position).collect();
        assert_eq!(positions, BTreeSet::from([20]));
    }

    fn an_async_write_answers_after_the_commit(world: World) {
        let id = new_id();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let version = runtime.block_on(world.store.write(&world.owner, Needs::default(), move |tx| {
            put(tx, id, timeline([(since("2020-01-01"), unit("Enhet", None))]))
        }));
        assert_eq!(version.unwrap(), 1);
        assert_eq!(world.name(id, "2026-01-01", None).as_deref(), Some("Enhet"));
    }

    fn what_was_taken_is_committed_at_shutdown(world: World) {
        let ids: Vec<_> = (0..20).map(|_| new_id()).collect();
        std::thread::scope(|scope| {
            for id in ids.clone() {
                let world = &world;
                scope.spawn(move || world.job(move |tx| put(tx, id, timeline([(since("2020-01-01"), unit("Sist", None))]))).is_ok());
            }
        });
        world.store.shutdown();
        let answer = world.job(|_| Ok(()));
        assert!(matches!(answer, Err(WriteError::Store(StoreError::ShuttingDown))));
        assert!(ids.iter().all(|id| world.name(*id, "2026-01-01", None).is_some()));
    }

    fn a_panicking_job_harms_nobody(world: World) {
        let answer = world.job(|_| -> Result<(), StoreError> { panic!("on purpose") });
        assert!(matches!(answer, Err(WriteError::Store(_))));
        world.create(unit("Efteråt", None));
    }
}

on_both! {
    using clock_guarded;

    fn a_clock_that_jumps_stops_the_writes(world: World) {
        let before = world.create(unit("Före", None));
        // A long silence is no jump.
        world.set_clock("2026-12-01T00:00:00Z");
        world.create(unit("Efter elva månader", None));
        world.set_clock("2027-02-01T00:00:00Z");
        let answer = world.job(|tx| put(tx, new_id(), timeline([(since("2020-01-01"), unit("Efter", None))])));
        assert!(matches!(answer, Err(WriteError::ClockJump { .. })));
        world.set_clock("2025-06-01T00:00:00Z");
        // A clock that goes back does not: instants rise none the less.
        let after = world.create(unit("Tillbaka", None));
        let history = |id| world.store.read(|reader| reader.history(id, &grunddata_store::Known::latest(), &everything(), None, 9)).unwrap();
        assert!(history(before)[0].recorded_at < history(after)[0].recorded_at);
    }
}

#[test]
fn a_full_queue_refuses() {
    let world = open(Engine::Sqlite, |options| StoreOptions {
        queue: 1,
        batch: 1,
        ..options
    });
    let gate = Arc::new(std::sync::Barrier::new(2));
    let (inside, release) = (Arc::clone(&gate), Arc::clone(&gate));
    std::thread::scope(|scope| {
        let world = &world;
        scope.spawn(move || {
            let mut first = true;
            world.job(move |_| {
                if std::mem::take(&mut first) {
                    inside.wait();
                    inside.wait();
                }
                Ok(())
            })
        });
        release.wait();
        let (sender, receiver) = std::sync::mpsc::channel();
        for _ in 0..2 {
            let sender = sender.clone();
            scope.spawn(move || sender.send(world.job(|_| Ok(())).is_err()).unwrap());
        }
        // One of them waits, the other is refused while the first job still runs.
        assert!(receiver.recv().unwrap());
        release.wait();
        assert!(!receiver.recv().unwrap());
    });
}
