//! Erasing: nothing is left of a record at any coordinate, and nothing of what others still have goes with it.

use grunddata_information_model::{IndexMode, Resolved};
use grunddata_model::{Domain, RecordId, SchemeCode};
use grunddata_store::{
    Condition, Count, Erased, Known, Lookup, Matching, Operation, OwnerSet, RecordStatus,
    StoreError, StoreSearch, WriteError,
};
use grunddata_testing::{Engine, on_both};
use serde_json::json;

use crate::world::{
    World, between, everything, latest, model, new_id, person, put, resolved, seen_by, since,
    staged, timeline, unit, world,
};

/// A person with a name and a personal identity number out of the series for tests.
fn numbered_person(given: &str, family: &str) -> Resolved {
    let data = json!({
        "name": {"given": [given], "family": family},
        "identifiers": [{"scheme": "se-personal-identity-number", "value": "199205042394"}],
    });
    resolved(Domain::Person, data)
}

fn called(text: &str) -> StoreSearch {
    StoreSearch {
        domain: Domain::Person,
        owners: OwnerSet::All,
        controller: None,
        identifier: None,
        identifier_ever: false,
        classes: 0,
        conditions: Vec::new(),
        links: Vec::new(),
        text: vec![text.to_owned()],
        text_properties: model()
            .domain(Domain::Person)
            .indexed_properties()
            .map(|property| property.name.clone())
            .collect(),
        sort: Vec::new(),
        after: None,
        offset: 0,
        limit: 100,
        count: Count::Exact,
    }
}

impl World {
    fn found(&self, text: &str) -> Vec<RecordId> {
        let search = called(text);
        let page = self
            .store
            .read(|reader| reader.search(&search, &latest("2026-06-01"), &everything()))
            .unwrap();
        page.rows.iter().map(|row| row.id).collect()
    }

    fn is_erased(&self, id: RecordId, at: &str, known: Option<&Known>) -> bool {
        let found = self.find(id, at, known, &everything());
        matches!(found, Lookup::Absent(absent) if absent.status == RecordStatus::Erased)
    }

    /// Every byte of the database's files. SQLite only.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for suffix in ["", "-wal", "-shm"] {
            bytes.extend(std::fs::read(format!("{}{suffix}", self.url())).unwrap_or_default());
        }
        bytes
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

on_both! {
    using world;

    fn an_erased_record_is_erased_at_every_coordinate(world: World) {
        let id = new_id();
        world.set(id, timeline([(since("2020-01-01"), numbered_person("Ada", "Ejmarkerad"))]));
        let pin = world.store.read(|reader| reader.pin(&OwnerSet::All, None)).unwrap();
        world.set(id, timeline([(since("2020-01-01"), numbered_person("Ada", "Nygift"))]));
        assert_eq!(world.found("nygift"), [id]);
        let done = world.erase(&[id]).unwrap();
        assert_eq!(done, Erased::Done(vec![(id, 3)]));
        assert!(world.is_erased(id, "2021-01-01", None) && world.is_erased(id, "2026-01-01", None));
        assert!(world.is_erased(id, "2021-01-01", Some(&pin)) && world.is_erased(id, "1999-01-01", Some(&pin)));
        // Nobody holds the number, and nobody ever did.
        let scheme = SchemeCode::new("se-personal-identity-number").unwrap();
        assert!(world.job(move |tx| tx.claims_anywhere(&scheme, "199205042394")).unwrap().is_empty());
        assert!(world.found("ejmarkerad").is_empty() && world.found("nygift").is_empty());
        let states = world.store.read(|reader| reader.timeline(id, &pin, &everything())).unwrap();
        assert!(states.is_empty());
        // The id is taken for good.
        let again = world.job(move |tx| tx.record(id).map(|image| image.map(|image| (image.status, image.version)))).unwrap();
        assert_eq!(again, Some((RecordStatus::Erased, 3)));
        // What is erased stays so.
        assert_eq!(world.erase(&[id]).unwrap(), Erased::Done(Vec::new()));
    }

    fn the_log_keeps_its_positions_and_tells_nothing(world: World) {
        let (id, other) = (new_id(), new_id());
        world
            .job(move |tx| {
                let mut write = staged(id, Default::default(), timeline([(since("1984-02-03"), person("Berit", "Borttagen", false))]));
                write.reason = Some("Berit flyttade in".into());
                write.source = Some("hr-berit".into());
                write.touched = since("1984-02-03");
                tx.stage(write.clone())?;
                // One that followed it has its reason from it; one that was written by itself has its own.
                let mut follows = staged(other, Default::default(), timeline([(since("2020-01-01"), unit("Enhet", None))]));
                follows.transaction = write.transaction;
                follows.operation = Operation::Follow;
                follows.reason = write.reason.clone();
                tx.stage(follows)
            })
            .unwrap();
        let kept = world.create(unit("Kvar", None));
        world.erase(&[id]).unwrap();
        let changes = world.store.read(|reader| reader.changes(&world.owner, 0, 10, &everything())).unwrap();
        assert_eq!(changes.iter().map(|change| change.position).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(changes.iter().map(|change| change.record).collect::<Vec<_>>(), [id, other, kept, id]);
        assert!(changes[..3].iter().all(|change| change.reason.is_none() && change.source.is_none()));
        assert!(changes[0].touched.valid_from().is_none() && changes[0].actor == "test");
        assert_eq!(changes[3].operation, Operation::Erase);
        assert_eq!((changes[3].reason.as_deref(), changes[3].actor.as_str()), (Some("Beslut 17/2026"), "arkivarie"));
    }

    fn what_is_referred_to_is_erased_with_its_referrers_or_not_at_all(world: World) {
        let top = world.create(unit("Topp", None));
        let below = new_id();
        // Long ended, and believed all the same.
        world.set(below, timeline([(between("2020-01-01", "2021-01-01"), unit("Under", Some(top)))]));
        let Erased::StillReferenced(referenced) = world.erase(&[top]).unwrap() else { panic!("erased") };
        assert_eq!(referenced.iter().map(|(id, inbound)| (*id, inbound.source)).collect::<Vec<_>>(), [(top, below)]);
        assert_eq!(world.name(top, "2026-01-01", None).as_deref(), Some("Topp"));
        assert_eq!(world.erase(&[top, below]).unwrap(), Erased::Done(vec![(top, 2), (below, 2)]));
        assert!(world.is_erased(top, "2026-01-01", None) && world.is_erased(below, "2020-06-01", None));
        // A reference that is believed no more does not stop it, nor does one of another owner.
        let target = world.create(unit("Mål", None));
        let former = world.create(unit("Tidigare", Some(target)));
        world.set(former, timeline([(since("2020-01-01"), unit("Tidigare", None))]));
        let elsewhere = world.add_owner("se-scb");
        let foreign = new_id();
        world.set_of(&elsewhere, foreign, timeline([(since("2020-01-01"), unit("Annans", Some(target)))]));
        assert_eq!(world.erase(&[target]).unwrap(), Erased::Done(vec![(target, 2)]));
        assert_eq!(world.name(foreign, "2026-01-01", None).as_deref(), Some("Annans"));
    }

    fn only_records_of_the_owner_are_erased(world: World) {
        let elsewhere = world.add_owner("se-scb");
        let foreign = new_id();
        world.set_of(&elsewhere, foreign, timeline([(since("2020-01-01"), unit("Annans", None))]));
        for id in [foreign, new_id()] {
            assert!(matches!(world.erase(&[id]), Err(WriteError::Refused(StoreError::Staged { .. }))));
        }
        assert_eq!(world.name(foreign, "2026-01-01", None).as_deref(), Some("Annans"));
    }

    fn words_go_with_the_last_who_has_them(world: World) {
        let first = world.create(person("Cecilia", "Ovanlig", false));
        let second = world.create(person("Cecilia", "Vanlig", false));
        assert_eq!(world.found("cecilja"), [first, second]);
        world.erase(&[first]).unwrap();
        assert_eq!(world.found("cecilja"), [second]);
        assert!(world.found("ovanlik").is_empty());
        // Whoever comes with the word later brings it to the vocabulary again.
        let third = world.create(person("Doris", "Ovanlig", false));
        assert_eq!(world.found("ovanlik"), [third]);
    }

    fn geometries_stay_while_somebody_has_them(world: World) {
        let place = |name: &str| {
            let data = json!({
                "name": {"sv": name},
                "kind": "municipality",
                "geometry": {"type": "Point", "coordinates": [13.0, 55.5]},
            });
            resolved(Domain::Geography, data)
        };
        let hash = place("A").geometries().first().map(|(hash, _)| hash.clone()).unwrap();
        let (one, other) = (world.create(place("A")), world.create(place("B")));
        let stored = |world: &World| {
            let hashes = [hash.clone()];
            world.store.read(|reader| reader.geometries(&world.owner, &hashes)).unwrap().len()
        };
        assert_eq!(stored(&world), 1);
        world.erase(&[one]).unwrap();
        assert_eq!(stored(&world), 1);
        world.erase(&[other]).unwrap();
        assert_eq!(stored(&world), 0);
    }

    fn a_late_retry_does_not_make_anew_what_was_erased(world: World) {
        let id = new_id();
        let outcome = json!({"items": [{"id": id.to_string(), "period": {"validFrom": "1984-02-03"}}]}).to_string();
        world
            .job(move |tx| {
                put(tx, id, timeline([(since("2020-01-01"), person("Eva", "Erik", false))]))?;
                tx.remember([1; 32], [2; 32], outcome.clone());
                Ok(())
            })
            .unwrap();
        world.erase(&[id]).unwrap();
        let kept = world.job(|tx| tx.idempotent(&[1; 32])).unwrap().unwrap();
        assert_ne!(kept.request_hash, [2; 32]);
        assert_eq!(kept.outcome, "");
    }

    fn who_might_not_know_of_the_record_is_not_told_of_its_erasure(world: World) {
        let id = world.create(person("Fia", "Fredad", true));
        world.erase(&[id]).unwrap();
        let outside = seen_by(OwnerSet::All, 7, false);
        assert_eq!(world.find(id, "2026-01-01", None, &outside), Lookup::Unknown);
        assert!(world.is_erased(id, "2026-01-01", None));
    }

    fn created_and_erased_in_one_batch(world: World) {
        let ids: Vec<RecordId> = (0..20).map(|_| new_id()).collect();
        std::thread::scope(|scope| {
            for id in &ids {
                let world = &world;
                scope.spawn(move || {
                    let value = person("Gunvor", &format!("Gemensam{id}"), false);
                    let id = *id;
                    let after = timeline([(since("2020-01-01"), value)]);
                    world.job(move |tx| put(tx, id, after.clone())).unwrap();
                    world.erase(&[id]).unwrap();
                });
            }
        });
        assert!(ids.iter().all(|id| world.is_erased(*id, "2026-01-01", None)));
        assert!(world.found("gunvor").is_empty());
    }

    fn the_bytes_are_gone_from_the_file(world: World) {
        let body = |family: &str| numbered_person("Hildur", family);
        let id = world.create(body("Hemlighetsfull"));
        world.set(id, timeline([(since("2020-01-01"), body("Omgiftnamn"))]));
        let kept = world.create(person("Ingrid", "Kvarboende", false));
        if world.url().starts_with("postgres") {
            world.erase(&[id]).unwrap();
            return world.store.reclaim().unwrap();
        }
        let before = world.bytes();
        let words = ["Hemlighetsfull", "hemlighetsfull", "hemlighetsful", "Omgiftnamn", "199205042394"];
        assert!(words.iter().all(|word| contains(&before, word)));
        world.erase(&[id]).unwrap();
        world.store.reclaim().unwrap();
        let after = world.bytes();
        for word in words {
            assert!(!contains(&after, word), "{word}");
        }
        assert!(contains(&after, "Kvarboende"));
        assert_eq!(world.name(kept, "2026-01-01", None).as_deref(), Some("Ingrid Kvarboende"));
    }
}

#[test]
fn a_condition_finds_nothing_of_an_erased_record() {
    let world = world(Engine::Sqlite);
    let id = world.create(unit("Avvecklad", None));
    world.erase(&[id]).unwrap();
    let search = StoreSearch {
        domain: Domain::Organisation,
        text: Vec::new(),
        conditions: vec![Condition {
            property: "name".into(),
            mode: IndexMode::Folded,
            matching: Matching::Equals("avvecklad".to_owned()),
        }],
        ..called("")
    };
    let page = world
        .store
        .read(|reader| reader.search(&search, &latest("2026-06-01"), &everything()))
        .unwrap();
    assert!(page.rows.is_empty());
    assert_eq!(page.total, Some(0));
}
