//! References between rows, in whatever order they come, and the order in which they are applied.

use grunddata_model::Domain::{Organisation, Role};
use grunddata_registry::{RowOutcome, problem};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    codes, full, outcomes, person, plan, record, refers, rows, run, said, source, unit,
};
use crate::stack::{Stack, stack};

const NUMBER: &str = "199001012385";

fn employment(row: u64, key: &str, unit: &str) -> grunddata_registry::Assertion {
    let role = said("hr", row, Role, key, json!({"kind": "employment"}));
    let mut role = refers(role, "hr", "organisation", Organisation, unit);
    role.data["person"] =
        json!({"identifier": {"scheme": "se-personal-identity-number", "value": NUMBER}});
    role.references.push(grunddata_registry::AssertedReference {
        pointer: "/person".to_owned(),
        domain: grunddata_model::Domain::Person,
        key: grunddata_registry::AssertionKey::Identifier {
            scheme: "se-personal-identity-number".to_owned(),
            value: NUMBER.to_owned(),
        },
    });
    role
}

on_both! {
    using stack;

    fn rows_refer_to_rows_in_any_order(stack: Stack) {
        source(&stack, "hr", |_| {});
        let mut says = vec![employment(1, "e1", "child")];
        says.push(refers(unit(2, "child", "Barn"), "hr", "parent", Organisation, "parent"));
        // So far from each other that they come in other chunks.
        says.extend((10..1_500).map(|row| unit(row, &format!("x{row}"), "X")));
        says.push(person(3, NUMBER, json!({"name": {"full": "Åsa Ek"}})));
        says.push(refers(unit(4, "parent", "Förälder"), "hr", "parent", Organisation, "top"));
        says.push(unit(5, "top", "Topp"));
        let load = run(&stack, full("2026-03-01", says));
        assert_eq!((load.counts.create, load.counts.applied, load.counts.set_aside), (1_495, 1_495, 0));
        let role = stack.data(record(&stack, "hr", "e1"), "2026-03-02").unwrap();
        assert_eq!(role["organisation"]["id"], record(&stack, "hr", "child").to_string());
        let child = stack.data(record(&stack, "hr", "child"), "2026-03-02").unwrap();
        assert_eq!(child["parent"]["id"], record(&stack, "hr", "parent").to_string());
    }

    fn a_reference_that_leads_nowhere_rejects_the_row_and_those_that_need_it(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = vec![
            refers(unit(1, "a", "A"), "hr", "parent", Organisation, "nowhere"),
            refers(unit(2, "b", "B"), "hr", "parent", Organisation, "a"),
            unit(3, "c", "C"),
        ];
        let load = run(&stack, full("2026-03-01", says));
        let shown = rows(&stack, &load);
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Rejected, RowOutcome::Rejected, RowOutcome::Create]);
        assert_eq!(codes(&shown[0]), ["reference-not-found"]);
        assert_eq!((codes(&shown[1]), shown[1].problems[0].pointer.as_deref()), (vec![problem::TARGET_MISSING], Some("/parent")));
        assert_eq!(shown[1].problems[0].other.as_deref(), Some("1"));
    }

    fn rows_that_lead_to_each_other_are_rejected_and_do_not_wait_for_ever(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = vec![
            refers(unit(1, "a", "A"), "hr", "parent", Organisation, "b"),
            refers(unit(2, "b", "B"), "hr", "parent", Organisation, "a"),
        ];
        let load = run(&stack, full("2026-03-01", says));
        assert_eq!((load.counts.rejected, load.rows, load.done), (2, 2, 2));
    }

    fn a_key_that_is_named_again_while_it_waits_is_worked_out_once(stack: Stack) {
        source(&stack, "hr", |_| {});
        let piece = |row, name, from, to| refers(super::feed::from_to(unit(row, "a", name), from, Some(to)), "hr", "parent", Organisation, "late");
        let mut says = vec![piece(1, "Ett", "2020-01-01", "2024-01-01"), unit(2, "b", "B")];
        says.extend((10..1_100).map(|row| unit(row, &format!("x{row}"), "X")));
        // The first was worked out, the other waits.
        says.push(super::feed::from_to(refers(unit(1_100, "b", "B2"), "hr", "parent", Organisation, "late"), "2025-01-01", Some("open")));
        says.push(piece(1_101, "Två", "2024-01-01", "open"));
        says.push(super::feed::from_to(unit(1_102, "late", "Sen"), "2000-01-01", Some("open")));
        let load = run(&stack, full("2026-03-01", says));
        assert_eq!((load.counts.create, load.counts.conflict, load.counts.set_aside), (1_092, 1, 0));
        assert_eq!(stack.states(record(&stack, "hr", "a")), ["2020-01-01 → 2024-01-01 Ett", "2024-01-01 → open Två"]);
    }

    fn what_goes_together_ends_in_the_order_that_is_allowed(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.ends = Default::default());
        let says = vec![
            unit(1, "top", "Topp"),
            refers(unit(2, "mid", "Mitt"), "hr", "parent", Organisation, "top"),
            refers(unit(3, "low", "Låg"), "hr", "parent", Organisation, "mid"),
            person(4, NUMBER, json!({"name": {"full": "Åsa Ek"}})),
            employment(5, "e1", "low"),
        ];
        run(&stack, full("2026-03-01", says));
        // One at a time, so that the order shows.
        let load = plan(&stack, full("2026-03-05", Vec::new()));
        assert_eq!(load.counts.end, 5);
        let mut pace = grunddata_registry::LoadPace::of(1);
        loop {
            stack.pass(1);
            let progress = stack.registry.apply_load(&super::feed::steward(&stack), &crate::stack::owner("a"), load.id, &mut pace).unwrap();
            assert_eq!(progress.set_aside, 0);
            if progress.finished {
                assert_eq!(progress.applied, 5);
                break;
            }
            pace = grunddata_registry::LoadPace::of(1);
        }
        assert_eq!(stack.states(record(&stack, "hr", "top")), ["2026-03-01 → 2026-03-05 Topp"]);
    }

    fn a_row_moves_to_another_target(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = |parent: &str| vec![unit(1, "a", "A"), unit(2, "b", "B"), refers(unit(3, "c", "C"), "hr", "parent", Organisation, parent)];
        run(&stack, full("2026-03-01", says("a")));
        let load = run(&stack, full("2026-03-05", says("b")));
        assert_eq!(load.rows, 1);
        let id = record(&stack, "hr", "c");
        let parent = |day: &str| stack.data(id, day).unwrap()["parent"]["id"].as_str().unwrap().to_owned();
        assert_eq!(parent("2026-03-04"), record(&stack, "hr", "a").to_string());
        assert_eq!(parent("2026-03-05"), record(&stack, "hr", "b").to_string());
    }

    fn two_rows_that_claim_one_number_are_a_conflict(stack: Stack) {
        source(&stack, "hr", |_| {});
        let with = |row, key| said("hr", row, grunddata_model::Domain::Person, key, json!({"name": {"full": "A"}, "identifiers": [{"scheme": "se-personal-identity-number", "value": NUMBER}]}));
        let load = run(&stack, full("2026-03-01", vec![with(1, "p1"), with(2, "p2")]));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Create, RowOutcome::Conflict]);
        assert_eq!(codes(&rows(&stack, &load)[1]), [problem::RECORD_CLAIMED_TWICE]);
    }
}
