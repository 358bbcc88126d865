//! Applying: rows that have become stale, batches between which the process ends, and who goes on.

use grunddata_model::Domain::Organisation;
use grunddata_registry::{
    Code, LoadPace, LoadStatus, PlanRowState, PlanRowsQuery, RowOutcome, StaleRows, problem,
};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    apply, codes, full, plan, position, record, refers, rows, run, source, steward, unit,
};
use crate::stack::{Stack, amend, end, owner, stack};

fn units(count: u64, name: &str) -> Vec<grunddata_registry::Assertion> {
    (1..=count)
        .map(|row| unit(row, &format!("u{row}"), &format!("{name} {row}")))
        .collect()
}

on_both! {
    using stack;

    fn a_row_whose_record_has_changed_is_set_aside_and_the_others_go(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(5, "Enhet")));
        let load = plan(&stack, full("2026-03-02", units(5, "Avdelning")));
        let id = record(&stack, "hr", "u3");
        stack.write(amend(Organisation, id, json!({"costCentre": "9"}), "2026-03-02", None)).unwrap();
        let load = apply(&stack, &load);
        assert_eq!((load.counts.applied, load.counts.set_aside), (4, 1));
        let shown = rows(&stack, &load);
        assert_eq!((shown[2].state, codes(&shown[2])), (PlanRowState::SetAside, vec![problem::CHANGED_SINCE_PLAN]));
        assert_eq!(stack.data(id, "2026-03-03").unwrap()["name"]["sv"], "Enhet 3");
        // The next load says it again, because it was not accepted.
        let load = run(&stack, full("2026-03-03", units(5, "Avdelning")));
        assert_eq!((load.counts.unchanged, load.counts.change), (4, 1));
        let data = stack.data(id, "2026-03-04").unwrap();
        assert_eq!((&data["name"]["sv"], &data["costCentre"]), (&json!("Avdelning 3"), &json!("9")));
    }

    fn a_row_that_is_only_noted_is_set_aside_as_well(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "ad", |_| {});
        run(&stack, full("2026-03-01", units(2, "Enhet")));
        let ids = [record(&stack, "hr", "u1"), record(&stack, "hr", "u2")];
        for (place, id) in ids.into_iter().enumerate() {
            let key = format!("a{place}");
            stack.write(amend(Organisation, id, json!({"identifiers": [{"scheme": "source:hr", "value": format!("u{}", place + 1)}, {"scheme": "source:ad", "value": key}]}), "2026-03-01", None)).unwrap();
        }
        let says = |row: u64| super::feed::said("ad", row, Organisation, &format!("a{}", row - 1), json!({"name": {"sv": format!("Enhet {row}")}, "kind": "unit"}));
        let load = plan(&stack, super::feed::of("ad", full("2026-03-02", vec![says(1), says(2)])));
        assert_eq!(load.counts.confirm, 2);
        stack.write(amend(Organisation, ids[0], json!({"name": {"sv": "Annat"}}), "2026-03-02", None)).unwrap();
        let load = apply(&stack, &load);
        assert_eq!((load.counts.applied, load.counts.set_aside), (1, 1));
    }

    fn a_target_that_has_ended_takes_only_its_own_rows(stack: Stack) {
        source(&stack, "hr", |settings| settings.on_uncovered = grunddata_registry::OnUncovered::Reject);
        run(&stack, full("2026-03-01", vec![unit(1, "a", "A"), unit(2, "b", "B")]));
        let says = vec![
            unit(1, "a", "A"),
            unit(2, "b", "B"),
            refers(unit(3, "c", "C"), "hr", "parent", Organisation, "a"),
            refers(unit(4, "d", "D"), "hr", "parent", Organisation, "b"),
            refers(unit(5, "e", "E"), "hr", "parent", Organisation, "c"),
        ];
        let load = plan(&stack, full("2026-03-02", says));
        stack.write(end(Organisation, record(&stack, "hr", "a"), "2026-03-02", None)).unwrap();
        let load = apply(&stack, &load);
        let shown = rows(&stack, &load);
        let states: Vec<PlanRowState> = shown.iter().map(|row| row.state).collect();
        assert_eq!(states, [PlanRowState::SetAside, PlanRowState::Applied, PlanRowState::SetAside]);
        assert_eq!(codes(&shown[0]), ["reference-not-covered"]);
        assert_eq!(load.counts.set_aside, 2);
    }

    fn a_finding_is_told_with_its_row(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", vec![unit(1, "a", "A")]));
        let says = vec![unit(1, "a", "A"), refers(unit(2, "c", "C"), "hr", "parent", Organisation, "a")];
        let load = plan(&stack, full("2026-03-02", says));
        stack.write(end(Organisation, record(&stack, "hr", "a"), "2026-03-10", None)).unwrap();
        let load = apply(&stack, &load);
        assert_eq!((load.counts.applied, load.counts.findings), (1, 1));
        let found = stack.registry.load_findings(&steward(&stack), &owner("a"), load.id, 0, 100).unwrap();
        assert_eq!((found[0].row, found[0].record, &*found[0].problem.code), (1, record(&stack, "hr", "c"), "reference-not-covered"));
    }

    fn where_the_policy_says_so_a_stale_row_stops_the_load(stack: Stack) {
        source(&stack, "hr", |settings| settings.stale_rows = StaleRows::Stop);
        run(&stack, full("2026-03-01", units(20, "Enhet")));
        let load = plan(&stack, full("2026-03-02", units(20, "Avdelning")));
        // So many changes are a guard of their own.
        let load = stack.registry.override_guards(&steward(&stack), &owner("a"), load.id, &["changes".to_owned()], "nya namn").unwrap();
        stack.write(amend(Organisation, record(&stack, "hr", "u1"), json!({"costCentre": "9"}), "2026-03-02", None)).unwrap();
        let mut pace = LoadPace::of(5);
        let progress = stack.registry.apply_load(&steward(&stack), &owner("a"), load.id, &mut pace).unwrap();
        assert_eq!((progress.status, progress.done, progress.applied), (LoadStatus::Stopped, 5, 4));
        let refusal = stack.registry.apply_load(&steward(&stack), &owner("a"), load.id, &mut pace).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["guards"]), (Code::LoadState, &json!("stale-rows")));
        let load = stack.registry.override_guards(&steward(&stack), &owner("a"), load.id, &["stale-rows".to_owned()], "känt").unwrap();
        assert_eq!(load.status, LoadStatus::Applying);
        assert_eq!(apply(&stack, &load).counts.applied, 19);
    }

    fn whoever_is_killed_goes_on_after_the_last_batch(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = plan(&stack, full("2026-03-01", units(40, "Enhet")));
        let mut pace = LoadPace::of(9);
        let context = steward(&stack);
        let first = stack.registry.apply_load(&context, &owner("a"), load.id, &mut pace).unwrap();
        assert_eq!((first.status, first.done, first.rows), (LoadStatus::Applying, 9, 40));
        let stack = stack.reopened();
        let shown = |state| {
            let query = PlanRowsQuery { state: Some(state), limit: 100, ..PlanRowsQuery::default() };
            stack.registry.plan_rows(&steward(&stack), &owner("a"), load.id, &query).unwrap().items.len()
        };
        assert_eq!((shown(PlanRowState::Applied), shown(PlanRowState::Planned)), (9, 31));
        assert_eq!(position(&stack), 9);
        let load = apply(&stack, &load);
        assert_eq!((load.status, load.counts.applied, load.done), (LoadStatus::Applied, 40, 40));
        assert_eq!(position(&stack), 40, "each row once");
        assert_eq!(run(&stack, full("2026-03-02", units(40, "Enhet"))).counts.unchanged, 40);
    }

    fn a_load_that_is_cancelled_on_the_way_keeps_what_it_did(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = plan(&stack, full("2026-03-01", units(12, "Enhet")));
        let mut pace = LoadPace::of(5);
        stack.registry.apply_load(&steward(&stack), &owner("a"), load.id, &mut pace).unwrap();
        let load = stack.registry.cancel_load(&steward(&stack), &owner("a"), load.id, None).unwrap();
        assert_eq!((load.status, load.done), (LoadStatus::Cancelled, 5));
        let left = rows(&stack, &load);
        assert!(left.len() == 5 && left.iter().all(|row| row.state == PlanRowState::Applied));
        let load = run(&stack, full("2026-03-02", units(12, "Enhet")));
        assert_eq!((load.counts.unchanged, load.counts.create), (5, 7));
    }

    fn rows_are_filtered_and_paged(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(6, "Enhet")));
        let mut says = units(9, "Enhet");
        says[0] = unit(1, "u1", "Annat");
        let load = plan(&stack, full("2026-03-02", says));
        let query = |outcomes: &[RowOutcome], after| PlanRowsQuery { outcomes: outcomes.to_vec(), after, limit: 2, state: None };
        let context = steward(&stack);
        let page = stack.registry.plan_rows(&context, &owner("a"), load.id, &query(&[RowOutcome::Create], 0)).unwrap();
        assert_eq!((page.items.len(), page.next), (2, Some(3)));
        let page = stack.registry.plan_rows(&context, &owner("a"), load.id, &query(&[RowOutcome::Create], 3)).unwrap();
        assert_eq!((page.items.len(), page.next), (1, None));
        let page = stack.registry.plan_rows(&context, &owner("a"), load.id, &query(&[RowOutcome::Change, RowOutcome::End], 0)).unwrap();
        assert_eq!(page.items.len(), 1);
        let none = PlanRowsQuery::default();
        assert_eq!(stack.registry.plan_rows(&context, &owner("a"), load.id, &none).unwrap_err().code, Code::LimitOutOfRange);
    }
}
