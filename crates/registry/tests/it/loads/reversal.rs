//! Taking an applied load back.

use grunddata_model::Domain::Organisation;
use grunddata_registry::{Code, LoadKind, LoadStatus, PlanRowState, RowOutcome, problem};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    apply, codes, full, of, outcomes, person, record, refers, rows, run, said, source, steward,
    unit,
};
use crate::stack::{Stack, amend, owner, stack};

fn reversal(stack: &Stack, load: &grunddata_registry::Load) -> grunddata_registry::Load {
    stack.pass(1);
    stack
        .registry
        .plan_reversal(&steward(stack), &owner("a"), load.id)
        .unwrap_or_else(|refusal| panic!("{refusal}"))
}

on_both! {
    using stack;

    fn everything_is_as_before(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.ends = Default::default());
        let before = vec![unit(1, "a", "A"), unit(2, "b", "B"), unit(3, "c", "C")];
        run(&stack, full("2026-03-01", before.clone()));
        let after = vec![unit(1, "a", "Ändrad"), unit(3, "c", "C"), unit(4, "d", "D")];
        let load = run(&stack, full("2026-03-05", after.clone()));
        assert_eq!((load.counts.change, load.counts.end, load.counts.create), (1, 1, 1));
        let new = record(&stack, "hr", "d");
        let back = reversal(&stack, &load);
        assert_eq!((back.kind, back.status, back.reverses), (LoadKind::Reversal, LoadStatus::Planned, Some(load.id)));
        let mut found = outcomes(&stack, &back);
        found.sort_unstable();
        assert_eq!(found, [RowOutcome::Change, RowOutcome::End, RowOutcome::Revive]);
        let back = apply(&stack, &back);
        assert_eq!((back.status, back.counts.applied), (LoadStatus::Applied, 3));
        assert_eq!(stack.registry.load(&steward(&stack), &owner("a"), load.id).unwrap().status, LoadStatus::Reversed);
        assert_eq!(stack.states(record(&stack, "hr", "a")), ["2026-03-01 → open A"]);
        assert_eq!(stack.states(record(&stack, "hr", "b")), ["2026-03-01 → open B"]);
        assert_eq!(stack.data(new, "2026-03-06"), Err(Code::Retracted));
        // What the sources say is as it was too: the old file says nothing, the new one all of it again.
        assert_eq!(run(&stack, full("2026-03-06", before)).rows, 0);
        let again = run(&stack, full("2026-03-07", after));
        assert_eq!((again.counts.change, again.counts.end, again.counts.create), (1, 1, 1));
        let refusal = stack.registry.plan_reversal(&steward(&stack), &owner("a"), load.id).unwrap_err();
        assert_eq!(refusal.code, Code::LoadState, "once is enough");
    }

    fn what_was_built_upon_is_a_conflict_and_the_rest_goes(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "ad", |_| {});
        let load = run(&stack, full("2026-03-01", vec![unit(1, "a", "A"), unit(2, "b", "B"), unit(3, "c", "C")]));
        stack.write(amend(Organisation, record(&stack, "hr", "a"), json!({"costCentre": "9"}), "2026-03-02", None)).unwrap();
        // Another source says the same of b: no version, but its word.
        let mut theirs = said("ad", 1, Organisation, "x", json!({"name": {"sv": "B"}, "kind": "unit", "identifiers": [{"scheme": "source:hr", "value": "b"}]}));
        theirs.key = grunddata_registry::AssertionKey::Identifier { scheme: "source:hr".to_owned(), value: "b".to_owned() };
        theirs.data["identifiers"] = json!([{"scheme": "source:hr", "value": "b"}]);
        let noted = run(&stack, of("ad", full("2026-03-02", vec![theirs])));
        assert_eq!(outcomes(&stack, &noted), [RowOutcome::Confirm]);
        let back = reversal(&stack, &load);
        let mut told: Vec<(RowOutcome, Vec<String>)> = rows(&stack, &back).iter().map(|row| (row.outcome, codes(row).into_iter().map(str::to_owned).collect())).collect();
        told.sort();
        assert_eq!(told, [
            (RowOutcome::End, vec![]),
            (RowOutcome::Conflict, vec!["revert-conflict".to_owned()]),
            (RowOutcome::Conflict, vec![problem::STILL_ASSERTED.to_owned()]),
        ]);
        let gone = record(&stack, "hr", "c");
        apply(&stack, &back);
        assert_eq!(stack.data(gone, "2026-03-03"), Err(Code::Retracted));
        assert!(stack.data(record(&stack, "hr", "a"), "2026-03-03").is_ok());
    }

    fn a_later_load_is_taken_back_first(stack: Stack) {
        source(&stack, "hr", |_| {});
        let first = run(&stack, full("2026-03-01", vec![unit(1, "a", "A")]));
        let second = run(&stack, full("2026-03-02", vec![unit(1, "a", "Två")]));
        let back = reversal(&stack, &first);
        assert_eq!(codes(&rows(&stack, &back)[0]), ["revert-conflict"]);
        stack.registry.cancel_load(&steward(&stack), &owner("a"), back.id, None).unwrap();
        for load in [second, first] {
            let back = reversal(&stack, &load);
            assert_eq!(apply(&stack, &back).counts.applied, 1);
        }
        assert_eq!(super::feed::found(&stack, "source:hr", "a"), None);
    }

    fn what_changes_between_is_set_aside(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = run(&stack, full("2026-03-01", vec![unit(1, "a", "A"), unit(2, "b", "B")]));
        let id = record(&stack, "hr", "a");
        let back = reversal(&stack, &load);
        stack.write(amend(Organisation, id, json!({"costCentre": "9"}), "2026-03-02", None)).unwrap();
        let back = apply(&stack, &back);
        assert_eq!((back.counts.applied, back.counts.set_aside), (1, 1));
        let aside = rows(&stack, &back).into_iter().find(|row| row.state == PlanRowState::SetAside).unwrap();
        assert_eq!((aside.record, codes(&aside)), (Some(id), vec![problem::CHANGED_SINCE_PLAN]));
    }

    fn targets_go_after_those_who_refer_to_them(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = vec![
            unit(1, "top", "T"),
            refers(unit(2, "low", "L"), "hr", "parent", Organisation, "top"),
            person(3, "199001012385", json!({"name": {"full": "A"}})),
        ];
        let load = run(&stack, full("2026-03-01", says));
        let back = reversal(&stack, &load);
        let mut pace = grunddata_registry::LoadPace::of(1);
        let mut progress;
        loop {
            stack.pass(1);
            progress = stack.registry.apply_load(&steward(&stack), &owner("a"), back.id, &mut pace).unwrap();
            if progress.finished { break; }
            pace = grunddata_registry::LoadPace::of(1);
        }
        assert_eq!((progress.applied, progress.set_aside), (3, 0));
    }
}
