//! Reads of records, versions, identifiers and counts, and what a reader may not see.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use grunddata_model::{Domain, OwnerKey, SchemeCode};
use grunddata_store::{
    ALL_CLASSES, Coordinate, Known, Lookup, OwnerSet, RecordStatus, StoreError, StoreOptions,
    TokenRow, Visibility,
};
use grunddata_testing::{Engine, on_both};

use crate::world::{
    World, between, day, everything, latest, new_id, numbered, open, person, put, seen_by, since,
    timeline, unit, world,
};

on_both! {
    using world;

    fn a_version_is_read_as_it_was_believed(world: World) {
        let id = world.create(unit("Ett", None));
        world.set(id, timeline([(between("2020-01-01", "2025-01-01"), unit("Ett", None)), (since("2025-01-01"), unit("Två", None))]));
        world.set(id, timeline([]));
        let (change, states) = world.store.read(|reader| reader.version(id, 2, &everything())).unwrap().unwrap();
        assert_eq!((change.version, states.len()), (2, 2));
        assert_eq!(states[1].display.as_deref(), Some("Två"));
        assert!(world.store.read(|reader| reader.version(id, 4, &everything())).unwrap().is_none());
        // Retracted now, believed then.
        match world.find(id, "2026-01-01", None, &everything()) {
            Lookup::Absent(absent) => assert_eq!((absent.status, absent.version), (RecordStatus::Retracted, 3)),
            other => panic!("{other:?}"),
        }
        let known = Known::at(change.recorded_at);
        assert_eq!(world.name(id, "2026-01-01", Some(&known)).as_deref(), Some("Två"));
        let all = world.store.read(|reader| reader.timeline(id, &known, &everything())).unwrap();
        assert_eq!(all.len(), 2);
        let transaction = world.store.read(|reader| reader.transaction(&world.owner, change.transaction, &everything())).unwrap();
        assert_eq!(transaction, [change]);
    }

    fn an_answer_at_an_instant_is_final(world: World) {
        let id = world.create(unit("Ett", None));
        let now = world.tick();
        let known = world.store.read(|reader| reader.pin(&OwnerSet::All, Some(now))).unwrap();
        assert_eq!(known.of(&world.owner), Some(now));
        // The clock stands still (or goes back): what is written now still comes later.
        world.set_clock("2026-01-01T00:00:00Z");
        world.job(move |tx| put(tx, id, timeline([(since("2020-01-01"), unit("Två", None))]))).unwrap();
        assert_eq!(world.name(id, "2026-01-01", Some(&known)).as_deref(), Some("Ett"));
        assert_eq!(world.name(id, "2026-01-01", None).as_deref(), Some("Två"));
        let unknown = OwnerSet::one(OwnerKey::new("nobody").unwrap());
        assert!(matches!(world.store.read(|reader| reader.pin(&unknown, None)), Err(StoreError::UnknownOwner(_))));
    }

    fn each_owner_is_pinned_by_itself(world: World) {
        let other = world.add_owner("se-0180");
        let (ours, theirs) = (world.create(unit("Vår", None)), new_id());
        world.set_of(&other, theirs, timeline([(since("2020-01-01"), unit("Deras", None))]));
        let known = world.store.read(|reader| reader.pin(&OwnerSet::All, None)).unwrap();
        world.set(ours, timeline([(since("2020-01-01"), unit("Vår nya", None))]));
        world.set_of(&other, theirs, timeline([(since("2020-01-01"), unit("Deras nya", None))]));
        let coordinate = Coordinate { valid_at: day("2026-01-01"), known: known.clone() };
        let names = world.store.read(|reader| reader.targets(&[ours, theirs], &coordinate, &everything())).unwrap().displays;
        assert_eq!((names[&ours].as_str(), names[&theirs].as_str()), ("Vår", "Deras"));
        // One owner pinned, the other as it is now.
        let known = Known::pinned(world.owner.clone(), known.of(&world.owner).unwrap());
        let coordinate = Coordinate { valid_at: day("2026-01-01"), known };
        let rows = world.store.read(|reader| reader.records_at(&[theirs, ours], &coordinate, &everything())).unwrap();
        let names: Vec<_> = rows.iter().map(|row| (row.display.clone().unwrap(), row.version)).collect();
        assert_eq!(names, [("Deras nya".to_owned(), 2), ("Vår".to_owned(), 1)]);
    }

    fn identifiers_lead_to_records(world: World) {
        let scheme = SchemeCode::new("source:ekonomi").unwrap();
        let id = new_id();
        world.set(id, timeline([(between("2020-01-01", "2024-01-01"), numbered("Gammal", "10")), (since("2024-01-01"), numbered("Ny", "11"))]));
        let find = |pairs: &[&str], ever, at: &str| {
            let pairs: Vec<_> = pairs.iter().map(|value| (scheme.clone(), (*value).to_owned())).collect();
            world.store.read(|reader| reader.identifiers(&pairs, ever, &latest(at), &everything())).unwrap()
        };
        let rows = find(&["11", "10", "12"], false, "2026-01-01");
        assert_eq!((rows.len(), rows[0].row.id, rows[0].current), (1, id, true));
        let rows = find(&["10", "11"], true, "2026-01-01");
        assert_eq!(rows.iter().map(|row| (row.value.as_str(), row.current)).collect::<Vec<_>>(), [("10", false), ("11", true)]);
        assert_eq!(rows[0].period, between("2020-01-01", "2024-01-01"));
        assert_eq!(find(&["10"], false, "2023-12-31").len(), 1);
        assert_eq!(find(&["10"], false, "2024-01-01").len(), 0);
    }

    fn nothing_is_seen_without_a_rule(world: World) {
        let other = world.add_owner("se-0180");
        let (open, secret, theirs) = (world.create(unit("Öppen", None)), world.create(person("Anna", "Ek", false)), new_id());
        world.set_of(&other, theirs, timeline([(since("2020-01-01"), unit("Deras", None))]));
        let ours = || OwnerSet::one(world.owner.clone());
        let seen = |visibility: &Visibility| {
            let ids = [open, secret, theirs];
            let coordinate = latest("2026-01-01");
            let rows = world.store.read(|reader| reader.records_at(&ids, &coordinate, visibility)).unwrap();
            let found: Vec<_> = ids.iter().filter(|id| matches!(world.find(**id, "2026-01-01", None, visibility), Lookup::Found { .. })).copied().collect();
            let listed: Vec<_> = rows.iter().map(|row| row.id).collect();
            assert_eq!(listed, found, "a list shows what a get shows");
            let counts = world.store.read(|reader| reader.counts(&coordinate, visibility)).unwrap();
            assert_eq!(counts.values().sum::<u64>(), found.len() as u64);
            let timelines = ids.iter().filter(|id| !world.store.read(|reader| reader.timeline(**id, &Known::latest(), visibility)).unwrap().is_empty());
            assert_eq!(timelines.count(), found.len());
            found
        };
        assert_eq!(seen(&Visibility::default()), []);
        assert_eq!(seen(&everything()), [open, secret, theirs]);
        assert_eq!(seen(&seen_by(OwnerSet::All, 1, false)), [open, theirs]);
        assert_eq!(seen(&seen_by(ours(), ALL_CLASSES, false)), [open, secret]);
        let mut both = seen_by(ours(), 0, true);
        both.rules.extend(seen_by(OwnerSet::All, 1, false).rules);
        assert_eq!(seen(&both), [open, theirs]);
        assert_eq!(world.find(theirs, "2026-01-01", None, &seen_by(ours(), ALL_CLASSES, true)), Lookup::Unknown);
        assert!(matches!(world.find(open, "2010-01-01", None, &seen_by(ours(), 1, false)), Lookup::Absent(_)));
        assert_eq!(world.find(open, "2010-01-01", None, &Visibility::default()), Lookup::Unknown);
    }

    fn protection_holds_for_every_coordinate(world: World) {
        let id = world.create(person("Anna", "Ek", false));
        let before = world.store.read(|reader| reader.pin(&OwnerSet::All, None)).unwrap();
        let public = seen_by(OwnerSet::All, ALL_CLASSES, false);
        let grant = seen_by(OwnerSet::All, ALL_CLASSES, true);
        assert!(matches!(world.find(id, "2026-01-01", None, &public), Lookup::Found { .. }));
        // From next year on: it protects what is shown today already, and what was known before.
        world.set(id, timeline([(between("2020-01-01", "2027-01-01"), person("Anna", "Ek", false)), (since("2027-01-01"), person("Anna", "Ek", true))]));
        for (valid_at, known) in [("2026-01-01", None), ("2026-01-01", Some(&before)), ("2027-01-01", None), ("2010-01-01", None)] {
            assert_eq!(world.find(id, valid_at, known, &public), Lookup::Unknown, "{valid_at}");
            assert_ne!(world.find(id, valid_at, known, &grant), Lookup::Unknown, "{valid_at}");
        }
        assert!(world.store.read(|reader| reader.history(id, &Known::latest(), &public, None, 9)).unwrap().is_empty());
        assert_eq!(world.store.read(|reader| reader.history(id, &Known::latest(), &grant, None, 9)).unwrap().len(), 2);
        // Taken back by somebody who may: what is believed now is open, what was believed before stays hidden.
        world.set(id, timeline([(since("2020-01-01"), person("Anna", "Ek", false))]));
        assert!(matches!(world.find(id, "2026-01-01", None, &public), Lookup::Found { .. }));
        assert_eq!(world.find(id, "2026-01-01", Some(&before), &public), Lookup::Unknown);
        // Protected in 2021 alone, said afterwards: the years around it are open, those days are not, in any version.
        let id = world.create(person("Anna", "Ek", false));
        let before = world.store.read(|reader| reader.pin(&OwnerSet::All, None)).unwrap();
        world.set(id, timeline([
            (between("2020-01-01", "2021-01-01"), person("Anna", "Ek", false)),
            (between("2021-01-01", "2022-01-01"), person("Anna", "Ek", true)),
            (since("2022-01-01"), person("Anna", "Ek", false)),
        ]));
        assert!(matches!(world.find(id, "2026-01-01", None, &public), Lookup::Found { .. }));
        assert_eq!(world.find(id, "2021-06-01", None, &public), Lookup::Unknown);
        assert_eq!(world.find(id, "2021-06-01", Some(&before), &public), Lookup::Unknown);
    }

    fn counts_are_per_domain(world: World) {
        world.create(unit("Ett", None));
        world.create(unit("Två", None));
        world.create(person("Anna", "Ek", false));
        let counts = world.store.read(|reader| reader.counts(&latest("2026-01-01"), &everything())).unwrap();
        assert_eq!((counts[&Domain::Organisation], counts[&Domain::Person], counts.len()), (2, 1, 2));
    }

    fn tokens_are_kept_by_their_hash(world: World) {
        let now = world.tick();
        let token = TokenRow {
            hash: [3; 32],
            name: "hr".to_owned(),
            grants: "[]".to_owned(),
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        world.store.put_token(&token).unwrap();
        assert!(world.store.put_token(&token).is_err());
        assert_eq!(world.store.find_token(&[3; 32]).unwrap(), Some(token));
        assert_eq!(world.store.find_token(&[4; 32]).unwrap(), None);
        world.store.touch_token(&[3; 32]).unwrap();
        assert!(world.store.revoke_token(&[3; 32]).unwrap());
        assert!(!world.store.revoke_token(&[3; 32]).unwrap());
        let token = world.store.tokens().unwrap().remove(0);
        assert_eq!((token.revoked_at, token.last_used_at), (Some(now), Some(now)));
    }
}

fn impatient(engine: Engine) -> World {
    open(engine, |options| StoreOptions {
        statement_timeout: Duration::from_secs(1),
        ..options
    })
}

on_both! {
    using impatient;

    /// A fence waits for the batch that is just being committed, but not for ever.
    fn a_statement_that_waits_too_long_is_broken_off(world: World) {
        let gate = Arc::new(Barrier::new(2));
        std::thread::scope(|scope| {
            let (world, inside) = (&world, Arc::clone(&gate));
            scope.spawn(move || {
                world.job(move |_| {
                    inside.wait();
                    inside.wait();
                    Ok(())
                })
            });
            gate.wait();
            let later = world.tick();
            let answer = world.store.read(|reader| reader.pin(&OwnerSet::All, Some(later)));
            gate.wait();
            match answer {
                // SQLite waits for its write lock and cannot break a statement off.
                Err(StoreError::Busy) => assert!(world.url().starts_with('/')),
                Err(StoreError::Timeout(after)) => assert_eq!(after, Duration::from_secs(1)),
                other => panic!("{other:?}"),
            }
        });
    }
}
