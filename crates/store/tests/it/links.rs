//! Links and hierarchies at a coordinate, within an owner and across owners.

use std::sync::Arc;

use grunddata_model::RecordId;
use grunddata_store::Visibility;
use grunddata_store::{Coordinate, Direction, OwnerSet};
use grunddata_testing::on_both;

use crate::world::{
    World, between, day, everything, latest, new_id, seen_by, since, timeline, unit, world,
};

fn parent() -> Vec<Arc<str>> {
    vec![Arc::from("parent")]
}

impl World {
    fn linked(
        &self,
        id: RecordId,
        direction: Direction,
        at: &str,
        visibility: &Visibility,
    ) -> Vec<RecordId> {
        let rows = self
            .store
            .read(|reader| {
                reader.links(
                    &[id],
                    direction,
                    &parent(),
                    &latest(at),
                    visibility,
                    100,
                    None,
                )
            })
            .unwrap();
        rows.iter().map(|row| row.cursor(direction).other).collect()
    }

    fn above(&self, id: RecordId, at: &str) -> Vec<(RecordId, u32)> {
        let rows = self
            .store
            .read(|reader| reader.ancestors(id, &parent(), &latest(at), &everything(), 10))
            .unwrap();
        rows.iter().map(|row| (row.id, row.depth)).collect()
    }

    fn below(&self, id: RecordId, at: &str) -> Vec<(RecordId, u32)> {
        let rows = self
            .store
            .read(|reader| reader.subtree(id, &parent(), &latest(at), &everything(), 10, 100, None))
            .unwrap();
        rows.iter().map(|row| (row.id, row.depth)).collect()
    }
}

on_both! {
    using world;

    fn links_hold_where_both_ends_do(world: World) {
        let top = world.create(unit("Topp", None));
        let other = world.create(unit("Annan", None));
        let leaf = new_id();
        world.set(leaf, timeline([(between("2021-01-01", "2024-01-01"), unit("Löv", Some(top))), (since("2024-01-01"), unit("Löv", Some(other)))]));
        assert_eq!(world.linked(leaf, Direction::Out, "2022-01-01", &everything()), [top]);
        assert_eq!(world.linked(leaf, Direction::Out, "2025-01-01", &everything()), [other]);
        assert_eq!(world.linked(top, Direction::In, "2022-01-01", &everything()), [leaf]);
        assert_eq!(world.linked(top, Direction::In, "2025-01-01", &everything()), []);
        assert_eq!(world.linked(leaf, Direction::Out, "2020-06-01", &everything()), []);
        let pin = world.store.read(|reader| reader.pin(&OwnerSet::All, None)).unwrap();
        // The target ends: the link does not hold after that, whatever the source says.
        world.set(other, timeline([(between("2020-01-01", "2025-06-01"), unit("Annan", None))]));
        assert_eq!(world.linked(leaf, Direction::Out, "2025-06-01", &everything()), []);
        let then = Coordinate { valid_at: day("2025-06-01"), known: pin };
        let rows = world.store.read(|reader| reader.links(&[leaf], Direction::Out, &[], &then, &everything(), 10, None)).unwrap();
        assert_eq!(rows.iter().map(|row| row.target).collect::<Vec<_>>(), [other]);
    }

    fn links_of_many_records_come_in_pages(world: World) {
        let tops = [world.create(unit("A", None)), world.create(unit("B", None))];
        for number in 0..5 {
            world.create(unit(&number.to_string(), Some(tops[number % 2])));
        }
        let coordinate = latest("2026-01-01");
        let links = |ids: &[RecordId], limit, after: Option<&grunddata_store::LinkCursor>| {
            world.store.read(|reader| reader.links(ids, Direction::In, &[], &coordinate, &everything(), limit, after)).unwrap()
        };
        let both = links(&tops, 2, None);
        assert_eq!(both.iter().map(|row| row.target).collect::<Vec<_>>(), [tops[0], tops[0], tops[1], tops[1]]);
        let first = links(&tops[..1], 2, None);
        let second = links(&tops[..1], 2, Some(&first[1].cursor(Direction::In)));
        let all: Vec<_> = first.iter().chain(&second).map(|row| row.source).collect();
        assert_eq!((all.len(), all.is_sorted()), (3, true));
        let counts = world.store.read(|reader| reader.link_counts(tops[0], Direction::In, &coordinate, &everything())).unwrap();
        assert_eq!(counts, [(Arc::from("parent"), 3)]);
    }

    fn hierarchies_are_followed_across_owners(world: World) {
        let other = world.add_owner("se-0180");
        let top = world.create(unit("Topp", None));
        let middle = new_id();
        world.set_of(&other, middle, timeline([(since("2020-01-01"), unit("Mitten", Some(top)))]));
        let leaf = world.create(unit("Löv", Some(middle)));
        assert_eq!(world.above(leaf, "2026-01-01"), [(middle, 1), (top, 2)]);
        assert_eq!(world.below(top, "2026-01-01"), [(middle, 1), (leaf, 2)]);
        assert_eq!(world.linked(top, Direction::In, "2026-01-01", &everything()), [middle]);
        // Who may not see the middle does not come past it.
        let ours = seen_by(OwnerSet::one(world.owner.clone()), 15, true);
        assert_eq!(world.linked(top, Direction::In, "2026-01-01", &ours), []);
        let rows = world.store.read(|reader| reader.ancestors(leaf, &parent(), &latest("2026-01-01"), &ours, 10)).unwrap();
        assert!(rows.is_empty());
        world.set_of(&other, middle, timeline([(between("2020-01-01", "2025-01-01"), unit("Mitten", Some(top)))]));
        assert_eq!(world.above(leaf, "2026-01-01"), []);
        assert_eq!(world.above(leaf, "2024-12-31").len(), 2);
    }

    fn a_subtree_comes_in_pages(world: World) {
        let top = world.create(unit("Topp", None));
        let mut above = top;
        for number in 0..6 {
            let next = world.create(unit(&number.to_string(), Some(above)));
            if number % 2 == 0 { above = next; }
        }
        let all = world.below(top, "2026-01-01");
        assert_eq!(all.len(), 6);
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let rows = world.store.read(|reader| reader.subtree(top, &parent(), &latest("2026-01-01"), &everything(), 10, 2, after)).unwrap();
            let Some(last) = rows.last() else { break };
            after = Some((last.depth, last.id));
            paged.extend(rows.iter().map(|row| (row.id, row.depth)));
        }
        assert_eq!(paged, all);
        let shallow = world.store.read(|reader| reader.subtree(top, &parent(), &latest("2026-01-01"), &everything(), 1, 100, None)).unwrap();
        assert!(shallow.iter().all(|row| row.depth == 1));
    }
}
