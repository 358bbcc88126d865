//! Search: conditions, text, sorting, pages, and that it shows what a get would show.

use std::sync::Arc;
use std::time::Duration;

use grunddata_information_model::{IndexMode, fold, words};
use grunddata_model::{Domain, RecordId};
use grunddata_store::{
    Condition, Count, LinkCondition, Matching, OwnerSet, Page, SortBy, SortKey, StoreError,
    StoreOptions, StoreSearch,
};
use grunddata_testing::{Engine, on_both};
use serde_json::json;

use crate::world::{
    World, between, everything, latest, new_id, open, person, put, resolved, seen_by, since,
    timeline, unit, world,
};

fn all() -> StoreSearch {
    StoreSearch {
        domain: Domain::Organisation,
        owners: OwnerSet::All,
        controller: None,
        identifier: None,
        identifier_ever: false,
        classes: 0,
        conditions: Vec::new(),
        links: Vec::new(),
        text: Vec::new(),
        text_properties: vec!["name".into(), "alternativeNames".into()],
        sort: Vec::new(),
        after: None,
        offset: 0,
        limit: 100,
        count: Count::Exact,
    }
}

fn name(matching: Matching) -> Condition {
    Condition {
        property: "name".into(),
        mode: IndexMode::Folded,
        matching,
    }
}

fn kind(matching: Matching) -> Condition {
    Condition {
        property: "kind".into(),
        mode: IndexMode::Exact,
        matching,
    }
}

fn by_name(descending: bool) -> SortKey {
    SortKey {
        by: SortBy::Property {
            property: "name".into(),
            mode: IndexMode::Folded,
        },
        descending,
    }
}

impl World {
    fn search(&self, search: &StoreSearch, at: &str) -> Page {
        self.store
            .read(|reader| reader.search(search, &latest(at), &everything()))
            .unwrap()
    }

    fn names(&self, search: &StoreSearch, at: &str) -> Vec<String> {
        let page = self.search(search, at);
        assert_eq!(page.total, Some(page.rows.len() as u64));
        page.rows
            .into_iter()
            .map(|row| row.display.unwrap())
            .collect()
    }

    fn of_kind(&self, name: &str, kind: &str, parent: Option<RecordId>) -> RecordId {
        let mut data = json!({"name": {"sv": name}, "kind": kind});
        if let Some(parent) = parent {
            data["parent"] = json!({"id": parent.to_string()});
        }
        self.create(resolved(Domain::Organisation, data))
    }
}

on_both! {
    using world;

    fn conditions_are_combined(world: World) {
        let top = world.of_kind("Åby kommun", "municipality", None);
        world.of_kind("Äldreboendet", "unit", Some(top));
        world.of_kind("Örnens förskola", "preschool-unit", Some(top));
        let nested = world.of_kind("Åsens skola", "school-unit", Some(top));
        world.of_kind("Åsens klass", "unit", Some(nested));
        let sorted = |conditions: Vec<Condition>| StoreSearch { conditions, sort: vec![by_name(false)], ..all() };
        let prefix = || name(Matching::Prefix(fold("ÅSENS")));
        assert_eq!(world.names(&sorted(vec![prefix()]), "2026-01-01"), ["Åsens klass", "Åsens skola"]);
        assert_eq!(world.names(&sorted(vec![kind(Matching::Equals("unit".into()))]), "2026-01-01"), ["Åsens klass", "Äldreboendet"]);
        assert_eq!(world.names(&sorted(vec![prefix(), kind(Matching::Equals("unit".into()))]), "2026-01-01"), ["Åsens klass"]);
        let one_of = kind(Matching::OneOf(vec!["school-unit".into(), "preschool-unit".into(), "x".into()]));
        assert_eq!(world.names(&sorted(vec![one_of]), "2026-01-01"), ["Åsens skola", "Örnens förskola"]);
        let range = name(Matching::Range { from: Some(fold("äl")), to: None });
        assert_eq!(world.names(&sorted(vec![kind(Matching::Equals("unit".into())), range]), "2026-01-01"), ["Äldreboendet"]);
        let link = |below: Vec<Arc<str>>| LinkCondition { relations: vec!["parent".into()], targets: vec![top], below };
        let children = StoreSearch { links: vec![link(vec![])], ..sorted(vec![]) };
        assert_eq!(world.names(&children, "2026-01-01").len(), 3);
        let below = StoreSearch { links: vec![link(vec!["parent".into()])], ..sorted(vec![]) };
        assert_eq!(world.names(&below, "2026-01-01").len(), 4);
        let both = StoreSearch { links: vec![link(vec![])], ..sorted(vec![prefix()]) };
        assert_eq!(world.names(&both, "2026-01-01"), ["Åsens skola"]);
        assert_eq!(world.names(&sorted(vec![]), "2026-01-01").len(), 5);
        assert!(world.names(&sorted(vec![]), "2010-01-01").is_empty());
        let desc = StoreSearch { sort: vec![by_name(true)], ..all() };
        assert_eq!(world.names(&desc, "2026-01-01")[0], "Örnens förskola");
    }

    fn a_condition_looks_at_the_state_of_the_day(world: World) {
        let id = new_id();
        world.set(id, timeline([(between("2020-01-01", "2024-01-01"), unit("Gamla namnet", None)), (since("2024-01-01"), unit("Nya namnet", None))]));
        let old = StoreSearch { conditions: vec![name(Matching::Prefix("gamla".into()))], ..all() };
        assert_eq!(world.names(&old, "2023-12-31"), ["Gamla namnet"]);
        assert!(world.names(&old, "2024-01-01").is_empty());
        let pin = world.store.read(|reader| reader.pin(&OwnerSet::All, None)).unwrap();
        world.set(id, timeline([(since("2020-01-01"), unit("Rättat", None))]));
        assert!(world.names(&old, "2023-12-31").is_empty());
        let then = grunddata_store::Coordinate { valid_at: crate::world::day("2023-12-31"), known: pin };
        let page = world.store.read(|reader| reader.search(&old, &then, &everything())).unwrap();
        assert_eq!((page.rows.len(), page.rows[0].version), (1, 1));
    }

    fn text_is_ranked_and_forgives_typing_errors(world: World) {
        for text in ["Björkens förskola", "Björkens skola", "Granens skola", "Skolan vid björken", "Björkhagens äldreboende"] {
            world.create(unit(text, None));
        }
        let ask = |q: &str| StoreSearch { text: words(q), ..all() };
        let found = world.names(&ask("BJÖRKENS skola"), "2026-01-01");
        assert_eq!(found[0], "Björkens skola");
        assert_eq!(found.len(), 4);
        // A prefix is found, and typing errors are forgiven.
        assert_eq!(world.names(&ask("björkha"), "2026-01-01"), ["Björkhagens äldreboende"]);
        for wrong in ["granesn", "grannens", "ganens", "gränens"] {
            assert_eq!(world.names(&ask(wrong), "2026-01-01"), ["Granens skola"], "{wrong}");
        }
        assert!(world.names(&ask("stadshuset"), "2026-01-01").is_empty());
        // Ranked hits are paged like any others.
        let mut paged = Vec::new();
        let mut search = StoreSearch { limit: 1, ..ask("björkens skola") };
        loop {
            let page = world.search(&search, "2026-01-01");
            paged.extend(page.rows.into_iter().map(|row| row.display.unwrap()));
            let Some(next) = page.next else { break };
            search.after = Some(next);
        }
        assert_eq!(paged, found);
    }

    fn pages_by_cursor_and_by_place_agree(world: World) {
        let names = ["Delta", "Alfa", "Alfa", "Charlie", "Bravo", "Echo", "Alfa"];
        for (number, text) in names.iter().enumerate() {
            world.of_kind(text, if number % 2 == 0 { "unit" } else { "department" }, None);
        }
        world.create(unit("Zulu", None));
        let sorts: Vec<Vec<SortKey>> = vec![
            vec![],
            vec![by_name(false)],
            vec![by_name(true)],
            vec![SortKey { by: SortBy::Property { property: "kind".into(), mode: IndexMode::Exact }, descending: true }, by_name(false)],
            vec![SortKey { by: SortBy::Property { property: "costCentre".into(), mode: IndexMode::Exact }, descending: false }, by_name(true)],
            vec![SortKey { by: SortBy::RecordedAt, descending: true }],
            vec![SortKey { by: SortBy::ValidFrom, descending: false }, SortKey { by: SortBy::Display, descending: true }],
        ];
        for sort in sorts {
            let whole: Vec<RecordId> = world.search(&StoreSearch { sort: sort.clone(), ..all() }, "2026-01-01").rows.iter().map(|row| row.id).collect();
            assert_eq!(whole.len(), 8);
            let mut search = StoreSearch { sort: sort.clone(), limit: 3, count: Count::None, ..all() };
            let mut paged = Vec::new();
            loop {
                let page = world.search(&search, "2026-01-01");
                assert_eq!(page.total, None);
                paged.extend(page.rows.iter().map(|row| row.id));
                let Some(next) = page.next else { break };
                search.after = Some(next);
            }
            assert_eq!(paged, whole, "{sort:?}");
            let second = world.search(&StoreSearch { sort, limit: 3, offset: 3, count: Count::Estimate, ..all() }, "2026-01-01");
            assert_eq!(second.rows.iter().map(|row| row.id).collect::<Vec<_>>(), whole[3..6]);
            assert_eq!((second.total, second.total_exact), (Some(8), true));
        }
    }

    /// Ids are read in stretches of 256: pages go on over their ends, also where a whole stretch is hidden.
    fn pages_go_over_the_ends_of_stretches(world: World) {
        let ids: Vec<RecordId> = (0..1_700)
            .map(|number| {
                // First some that are seen, then more than five stretches that are not, then some more.
                let hidden = (100..1_600).contains(&number);
                world.create(person("Anna", "Ek", hidden))
            })
            .collect();
        assert!(ids.is_sorted());
        let search = StoreSearch {
            domain: Domain::Person,
            conditions: vec![Condition {
                property: "name.family".into(),
                mode: IndexMode::Folded,
                matching: Matching::Equals(fold("Ek")),
            }],
            ..all()
        };
        for (sees_all, limit) in [(false, 30), (false, 150), (true, 300), (true, 1_000)] {
            let visibility = seen_by(OwnerSet::All, 15, sees_all);
            let mut search = StoreSearch { limit, ..search.clone() };
            let mut paged = Vec::new();
            loop {
                let page = world.store.read(|reader| reader.search(&search, &latest("2026-01-01"), &visibility)).unwrap();
                assert_eq!(page.total, Some(if sees_all { 1_700 } else { 200 }));
                assert!(page.rows.len() == limit || page.next.is_none());
                paged.extend(page.rows.iter().map(|row| row.id));
                let Some(next) = page.next else { break };
                search.after = Some(next);
            }
            let seen = ids.iter().enumerate().filter(|(number, _)| sees_all || !(100..1_600).contains(number));
            assert_eq!(paged, seen.map(|(_, id)| *id).collect::<Vec<_>>(), "{limit}");
        }
    }

    fn protected_persons_are_not_found(world: World) {
        world.create(person("Anna", "Ek", false));
        world.create(person("Anna", "Alm", true));
        let search = StoreSearch {
            domain: Domain::Person,
            text: words("anna"),
            text_properties: vec!["name.given".into(), "name.family".into(), "name.preferredGiven".into(), "name.full".into()],
            ..all()
        };
        let seen = |protected, classes| {
            let visibility = seen_by(OwnerSet::All, classes, protected);
            let page = world.store.read(|reader| reader.search(&search, &latest("2026-01-01"), &visibility)).unwrap();
            assert_eq!(page.total, Some(page.rows.len() as u64));
            page.rows.len()
        };
        assert_eq!((seen(true, 15), seen(false, 15), seen(true, 1)), (2, 1, 0));
    }
}

fn hurried(engine: Engine) -> World {
    open(engine, |options| StoreOptions {
        // To PostgreSQL less than a millisecond is no limit.
        statement_timeout: Duration::from_micros(1),
        ..options
    })
}

on_both! {
    using hurried;

    /// SQLite has no limit of its own: the statements that may walk along many rows keep to it.
    fn a_search_that_takes_too_long_is_broken_off(world: World) {
        world.tick();
        world.job(|tx| {
            for number in 0..200 {
                put(tx, new_id(), timeline([(since("2020-01-01"), unit(&format!("Enhet {number}"), None))]))?;
            }
            Ok(())
        }).unwrap();
        let searches = [
            all(),
            StoreSearch { conditions: vec![name(Matching::Prefix(fold("enhet")))], ..all() },
            StoreSearch { text: words("enhet"), ..all() },
        ];
        for search in searches {
            let found = world.store.read(|reader| reader.search(&search, &latest("2026-01-01"), &everything()));
            if world.url().starts_with('/') {
                assert!(matches!(found, Err(StoreError::Timeout(after)) if after == Duration::from_micros(1)), "{found:?}");
            } else {
                assert_eq!(found.unwrap().total, Some(200));
            }
        }
        // What does not walk goes on, on the same connection.
        assert_eq!(world.store.read(|reader| reader.log_epoch(&world.owner)).unwrap(), Some(1));
    }
}
