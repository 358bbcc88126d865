//! What a job sees of itself and of others, and what a refused one leaves behind: nothing.

use grunddata_model::SchemeCode;
use grunddata_store::{Needs, RecordStatus, StoreError, WriteError};
use grunddata_testing::on_both;

use crate::world::{
    World, between, everything, latest, new_id, numbered, put, since, staged, timeline, unit, world,
};

on_both! {
    using world;

    fn a_job_reads_its_own_writes(world: World) {
        let scheme = SchemeCode::new("source:ekonomi").unwrap();
        let (parent, child) = (new_id(), new_id());
        world
            .job(move |tx| {
                put(tx, parent, timeline([(since("2020-01-01"), numbered("Förälder", "1"))]))?;
                put(tx, child, timeline([(since("2021-01-01"), unit("Barn", Some(parent)))]))?;
                let claims = tx.claims(&scheme, "1")?;
                assert_eq!((claims.len(), claims[0].record, claims[0].period), (1, parent, since("2020-01-01")));
                let inbound = tx.inbound(parent)?;
                assert_eq!((inbound.len(), inbound[0].source, &*inbound[0].relation), (1, child, "parent"));
                // The number moves within the job: uniqueness is a matter of its end.
                put(tx, parent, timeline([(since("2020-01-01"), unit("Förälder", None))]))?;
                put(tx, child, timeline([(since("2021-01-01"), numbered("Barn", "1"))]))?;
                let claims = tx.claims(&scheme, "1")?;
                assert_eq!(claims.iter().map(|claim| claim.record).collect::<Vec<_>>(), [child]);
                assert!(tx.inbound(parent)?.is_empty());
                assert_eq!(tx.staged().count(), 2);
                Ok(())
            })
            .unwrap();
        // Written twice in one job: one version each.
        let changes = world.store.read(|reader| reader.changes(&world.owner, 0, 10, &everything())).unwrap();
        assert_eq!(changes.iter().map(|change| change.version).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(changes[0].recorded_at, changes[1].recorded_at);
    }

    fn a_refused_job_leaves_nothing(world: World) {
        let id = world.create(unit("Före", None));
        let other = new_id();
        let answer = world.job(move |tx| {
            put(tx, id, timeline([(since("2020-01-01"), unit("Efter", None))]))?;
            put(tx, other, timeline([(since("2020-01-01"), numbered("Ny", "9"))]))?;
            Err::<(), _>(StoreError::Busy)
        });
        assert!(matches!(answer, Err(WriteError::Refused(_))));
        assert_eq!(world.name(id, "2026-01-01", None).as_deref(), Some("Före"));
        assert_eq!(world.name(other, "2026-01-01", None), None);
        assert_eq!(world.store.owners().unwrap()[0].position, 1);
        let scheme = SchemeCode::new("source:ekonomi").unwrap();
        let claims = world.job(move |tx| tx.claims_anywhere(&scheme, "9")).unwrap();
        assert!(claims.is_empty());
    }

    fn jobs_of_one_batch_see_each_other(world: World) {
        // Many threads change one record: each sees what the one before it made, whatever batches they fall into.
        let id = world.create(unit("0", None));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    world
                        .job(move |tx| {
                            let image = tx.record(id)?.unwrap();
                            let seen: u32 = image.timeline.states()[0].value.display().unwrap().parse().unwrap();
                            assert_eq!(seen + 1, image.version);
                            put(tx, id, timeline([(since("2020-01-01"), unit(&(seen + 1).to_string(), None))]))
                        })
                        .unwrap()
                });
            }
        });
        assert_eq!(world.name(id, "2026-01-01", None).as_deref(), Some("16"));
        let versions: Vec<u32> = world
            .store
            .read(|reader| reader.history(id, &grunddata_store::Known::latest(), &everything(), None, 100))
            .unwrap()
            .iter()
            .map(|change| change.version)
            .collect();
        assert_eq!(versions, (1..=17).rev().collect::<Vec<_>>());
    }

    fn a_stale_before_is_refused(world: World) {
        let id = world.create(unit("Nu", None));
        let answer = world.job(move |tx| {
            let before = timeline([(since("2020-01-01"), unit("Då", None))]);
            tx.stage(staged(id, before, timeline([(since("2020-01-01"), unit("Sen", None))])))
        });
        assert!(matches!(answer, Err(WriteError::Refused(StoreError::Staged { record, .. })) if record == id));
    }

    fn one_job_is_one_transaction(world: World) {
        let answer = world.job(move |tx| {
            put(tx, new_id(), timeline([(since("2020-01-01"), unit("Ett", None))]))?;
            tx.stage(staged(new_id(), timeline([]), timeline([(since("2020-01-01"), unit("Två", None))])))
        });
        assert!(matches!(answer, Err(WriteError::Refused(StoreError::Staged { .. }))));
        assert_eq!(world.store.owners().unwrap()[0].position, 0);
    }

    fn versions_can_be_read_back_for_a_revert(world: World) {
        let id = world.create(unit("Ett", None));
        world.set(id, timeline([(between("2020-01-01", "2024-01-01"), unit("Ett", None)), (since("2024-01-01"), unit("Två", None))]));
        world
            .job(move |tx| {
                let first = tx.record_at_version(id, 1)?.unwrap();
                assert_eq!(first, timeline([(since("2020-01-01"), unit("Ett", None))]));
                assert_eq!(tx.record_at_version(id, 2)?.unwrap().states().len(), 2);
                put(tx, id, first)?;
                assert_eq!(tx.record_at_version(id, 3)?.unwrap().states().len(), 1);
                assert!(tx.record_at_version(id, 4)?.is_none());
                Ok(())
            })
            .unwrap();
        assert_eq!(world.name(id, "2025-01-01", None).as_deref(), Some("Ett"));
    }

    fn outcomes_are_remembered_for_a_day(world: World) {
        let key = [7; 32];
        let needs = || Needs { idempotency: Some(key), ..Needs::default() };
        let ask = |world: &World| {
            world
                .store
                .write_blocking(&world.owner, needs(), move |tx| {
                    let known = tx.idempotent(&key)?;
                    if known.is_none() {
                        tx.remember(key, [1; 32], format!("{}", tx.now()));
                    }
                    Ok::<_, StoreError>(known.map(|outcome| outcome.outcome))
                })
                .unwrap()
        };
        assert_eq!(ask(&world), None);
        let first = ask(&world).unwrap();
        world.set_clock("2026-01-02T07:59:00Z");
        assert_eq!(ask(&world), Some(first.clone()));
        world.set_clock("2026-01-02T08:01:00Z");
        assert_eq!(ask(&world), None);
        assert_ne!(ask(&world), Some(first));
        // An outcome alone is no change.
        assert_eq!(world.store.owners().unwrap()[0].position, 0);
    }

    fn a_merged_record_leads_to_the_other(world: World) {
        let (gone, kept) = (world.create(unit("Dubblett", None)), world.create(unit("Rätt", None)));
        world.tick();
        world
            .job(move |tx| {
                let before = tx.record(gone)?.unwrap().timeline.clone();
                let mut write = staged(gone, before.clone(), before);
                write.status = RecordStatus::Merged;
                write.forward_to = Some(kept);
                tx.stage(write)
            })
            .unwrap();
        match world.find(gone, "2026-01-01", None, &everything()) {
            grunddata_store::Lookup::Absent(absent) => assert_eq!((absent.status, absent.forward_to), (RecordStatus::Merged, Some(kept))),
            other => panic!("{other:?}"),
        }
        let rows = world.store.read(|reader| reader.records_at(&[kept], &latest("2026-01-01"), &everything())).unwrap();
        assert_eq!(rows.len(), 1);
    }
}
