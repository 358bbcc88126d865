//! The nightly file: the first one, the same again, one row changed, one missing, many missing.

use grunddata_model::Domain::Organisation;
use grunddata_registry::{Code, LoadStatus, PlanRowState, RowOutcome, problem};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    apply, apply_as, codes, delta, from_to, full, gone, new_load, outcomes, plan, plan_as,
    position, record, rows, run, said, source, steward, unit, version,
};
use crate::stack::{Stack, owner, stack};

fn units(count: u64) -> Vec<grunddata_registry::Assertion> {
    (1..=count)
        .map(|row| unit(row, &format!("u{row}"), &format!("Enhet {row}")))
        .collect()
}

on_both! {
    using stack;

    fn a_first_load_makes_what_it_says(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = plan(&stack, full("2026-03-01", units(20)));
        assert_eq!((load.status, load.counts.create, load.counts.said), (LoadStatus::Planned, 20, 20));
        assert_eq!(position(&stack), 0, "a plan changes nothing");
        let shown = rows(&stack, &load);
        assert_eq!(shown[4].operations[0]["data"]["name"]["sv"], "Enhet 5");
        assert_eq!((shown[4].file_rows.as_slice(), shown[4].state), ([5].as_slice(), PlanRowState::Planned));
        let load = apply(&stack, &load);
        assert_eq!((load.status, load.counts.applied, load.done), (LoadStatus::Applied, 20, 20));
        assert!(load.batches >= 2);
        let id = record(&stack, "hr", "u5");
        assert_eq!(stack.states(id), ["2026-03-01 → open Enhet 5"]);
        assert_eq!(Some(id), shown[4].record, "exactly what the plan said");
        assert!(rows(&stack, &load).iter().all(|row| row.state == PlanRowState::Applied));
        let context = stack.system();
        let history = stack.registry.history(&context, None, id, &grunddata_registry::At::now(&context), None, 5).unwrap();
        assert_eq!(history.items[0].source.as_deref(), Some("hr"));
        assert_eq!(history.items[0].reason.as_deref(), Some(format!("load {}", load.id).as_str()));
    }

    fn the_same_again_does_nothing(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(12)));
        let before = position(&stack);
        let load = run(&stack, full("2026-03-02", units(12)));
        assert_eq!((load.rows, load.counts.unchanged, load.status), (0, 12, LoadStatus::Applied));
        assert_eq!(position(&stack), before);
    }

    fn one_row_changed_is_one_change(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(12)));
        let mut says = units(12);
        says[3] = unit(4, "u4", "Nytt namn");
        let load = plan(&stack, full("2026-03-05", says));
        let shown = rows(&stack, &load);
        assert_eq!((shown.len(), shown[0].outcome, load.counts.unchanged), (1, RowOutcome::Change, 11));
        let difference = &shown[0].diff[0].properties[0];
        assert_eq!(difference.pointer, "/name/sv");
        assert_eq!((difference.from.clone(), difference.to.clone()), (Some(json!("Enhet 4")), Some(json!("Nytt namn"))));
        apply(&stack, &load);
        let id = record(&stack, "hr", "u4");
        assert_eq!(stack.states(id), ["2026-03-01 → 2026-03-05 Enhet 4", "2026-03-05 → open Nytt namn"]);
        assert_eq!(version(&stack, id), 2);
    }

    fn a_delta_ends_what_its_rows_leave_out_where_they_name_all_there_is(stack: Stack) {
        source(&stack, "hr", |settings| settings.authoritative.ends = true.into());
        let named = |group: &str, members: &[&str]| -> Vec<grunddata_registry::Assertion> {
            let member = |member: &&str| unit(1, &format!("{group}:{member}"), &format!("Medlem {member}"));
            members.iter().map(member).collect()
        };
        run(&stack, full("2026-03-01", [named("g1", &["a", "b", "c"]), named("g10", &["a"]), named("g2", &["a"])].concat()));
        let planned = |date: &str, says, of: &[(&str, &str)]| {
            stack.pass(1);
            let mut planner = stack.registry.plan_load(&steward(&stack), new_load(&delta(date, Vec::new()))).unwrap();
            for said in says {
                planner.push(said).unwrap();
            }
            for (record, start) in of {
                planner.complete(record, (*start).to_owned());
            }
            planner.finish(grunddata_registry::FileFacts::default()).unwrap()
        };
        let name = unit(1, "x", "X").record;
        // Of another record of the mapping, of another group, and of one that is named whole.
        let load = planned("2026-03-05", named("g1", &["a", "c"]), &[(&name, "g1:"), ("another", "g2:")]);
        let shown = rows(&stack, &load);
        assert_eq!((shown.len(), shown[0].outcome, load.counts.unchanged), (1, RowOutcome::End, 2));
        assert_eq!(shown[0].record, Some(record(&stack, "hr", "g1:b")));
        apply(&stack, &load);
        assert_eq!(stack.states(record(&stack, "hr", "g1:b")), ["2026-03-01 → 2026-03-05 Medlem b"]);
        // It is told once, and comes back as it went.
        let load = planned("2026-03-06", named("g1", &["a", "c"]), &[(&name, "g1:")]);
        assert_eq!((load.rows, load.counts.unchanged), (0, 2));
        apply(&stack, &load);
        let load = planned("2026-03-07", named("g1", &["a", "b"]), &[(&name, "g1:")]);
        assert_eq!((load.counts.revive, load.counts.end), (1, 1));
        apply(&stack, &load);
        // All of one group; the others have not been spoken of.
        let load = planned("2026-03-08", Vec::new(), &[(&name, "g1:")]);
        assert_eq!(load.counts.end, 2);
        apply(&stack, &load);
        for (key, states) in [("g10:a", 1), ("g2:a", 1)] {
            assert_eq!(stack.states(record(&stack, "hr", key)).len(), states);
            assert!(stack.states(record(&stack, "hr", key))[0].contains("open"), "{key}");
        }
    }

    fn one_row_missing_is_one_end(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(12)));
        let mut says = units(12);
        says.remove(6);
        let load = run(&stack, full("2026-03-05", says));
        assert_eq!((load.counts.end, load.counts.unchanged, load.rows), (1, 11, 1));
        let id = record(&stack, "hr", "u7");
        assert_eq!(stack.states(id), ["2026-03-01 → 2026-03-05 Enhet 7"]);
        // It is told once.
        let mut says = units(12);
        says.remove(6);
        assert_eq!(run(&stack, full("2026-03-06", says)).rows, 0);
        // A delta leaves out what is as it was.
        assert_eq!(run(&stack, delta("2026-03-07", vec![unit(1, "u1", "Enhet 1")])).rows, 0);
    }

    fn what_is_said_to_be_gone_ends(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(3)));
        let load = run(&stack, delta("2026-03-05", vec![gone(unit(1, "u2", "")), gone(unit(2, "never", ""))]));
        assert_eq!((load.counts.end, load.rows), (1, 1));
        assert_eq!(stack.states(record(&stack, "hr", "u2")), ["2026-03-01 → 2026-03-05 Enhet 2"]);
        assert_eq!(run(&stack, delta("2026-03-06", vec![gone(unit(1, "u2", ""))])).rows, 0);
    }

    fn many_missing_stop_the_load_until_somebody_says_so(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(20)));
        let before = position(&stack);
        let load = plan(&stack, full("2026-03-05", units(14)));
        assert_eq!(load.status, LoadStatus::Stopped);
        let names: Vec<&str> = load.guards.iter().map(|hit| hit.name.as_str()).collect();
        assert_eq!(names, ["ends"]);
        assert_eq!(apply_as(&stack, &steward(&stack), &load).unwrap_err().code, Code::LoadState);
        assert_eq!(position(&stack), before);
        let overriding = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            stack.registry.override_guards(&steward(&stack), &owner("a"), load.id, &names, "Skolan läggs ned")
        };
        assert_eq!(overriding(&["errors"]).unwrap_err().code, Code::InvalidParameter);
        let load = overriding(&["ends"]).unwrap();
        assert_eq!(load.status, LoadStatus::Planned);
        let signature = load.guards[0].overridden.clone().unwrap();
        assert_eq!((signature.by.as_str(), signature.reason.as_deref()), ("a-steward", Some("Skolan läggs ned")));
        assert_eq!(apply(&stack, &load).counts.end, 6);
    }

    fn a_file_that_is_older_shorter_or_lacks_a_column_is_stopped(stack: Stack) {
        source(&stack, "hr", |settings| settings.authoritative.ends = false.into());
        let file = full("2026-03-05", units(20));
        let mut new = new_load(&file);
        new.file.columns = vec!["Id".to_owned(), "Namn".to_owned()];
        let mut planner = stack.registry.plan_load(&steward(&stack), new.clone()).unwrap();
        for said in file.says {
            planner.push(said).unwrap();
        }
        new.file.rows = Some(20);
        let load = planner.finish(new.file.clone()).unwrap();
        apply(&stack, &load);
        new.file.date = Some(crate::stack::day("2026-03-04"));
        new.file.columns.pop();
        new.file.rows = Some(8);
        let planner = stack.registry.plan_load(&steward(&stack), new.clone()).unwrap();
        let load = planner.finish(new.file).unwrap();
        let mut names: Vec<&str> = load.guards.iter().map(|hit| hit.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["missing-column", "older", "shorter"]);
    }

    fn rows_that_are_wrong_are_told_with_everything(stack: Stack) {
        source(&stack, "hr", |_| {});
        let mut bad = unit(2, "u2", "Två");
        bad.data["kind"] = json!("unitt");
        bad.data["colour"] = json!("red");
        let load = run(&stack, full("2026-03-01", vec![unit(1, "u1", "Ett"), bad, unit(3, "u3", "Tre")]));
        assert_eq!((load.counts.create, load.counts.rejected, load.counts.applied), (2, 1, 2));
        let shown = rows(&stack, &load);
        let mut found = codes(&shown[1]);
        found.sort_unstable();
        assert_eq!(found, ["unknown-code", "unknown-property"]);
        assert_eq!(shown[1].file_rows, [2]);
        // It is told again every night until it is right.
        let mut bad = unit(2, "u2", "Två");
        bad.data["kind"] = json!("unitt");
        let load = run(&stack, full("2026-03-02", vec![unit(1, "u1", "Ett"), bad, unit(3, "u3", "Tre")]));
        assert_eq!((load.counts.rejected, load.counts.unchanged, load.counts.end), (1, 2, 0));
    }

    fn a_rule_that_only_warns_leaves_the_value_out(stack: Stack) {
        source(&stack, "hr", |settings| {
            settings.validation.insert("unknown-code".to_owned(), grunddata_registry::Level::Warning);
        });
        let mut bad = unit(1, "u1", "Ett");
        bad.data["contactPoints"] = json!([{"kind": "email", "value": "a@b.example"}, {"kind": "carrier-pigeon", "value": "x"}]);
        let load = run(&stack, full("2026-03-01", vec![bad.clone()]));
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, codes(&shown[0])), (RowOutcome::Create, vec!["unknown-code"]));
        assert!(shown[0].problems[0].warning);
        let data = stack.data(record(&stack, "hr", "u1"), "2026-03-02").unwrap();
        assert_eq!(data["contactPoints"], json!([{"kind": "email", "value": "a@b.example"}]));
        assert_eq!(run(&stack, full("2026-03-02", vec![bad])).rows, 0, "the same again says nothing");
    }

    fn rows_that_nobody_can_read_keep_everything_from_ending(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", units(3)));
        let file = full("2026-03-02", units(2));
        let mut planner = stack.registry.plan_load(&steward(&stack), new_load(&file)).unwrap();
        planner.reject(3, vec![grunddata_registry::RowProblem::new("column-missing", "No key.", "Nyckel saknas.")]).unwrap();
        for said in file.says {
            planner.push(said).unwrap();
        }
        let load = planner.finish(grunddata_registry::FileFacts::default()).unwrap();
        let load = apply(&stack, &load);
        let shown = rows(&stack, &load);
        assert_eq!((load.counts.rejected, load.counts.end, load.counts.set_aside), (1, 1, 1));
        let end = shown.iter().find(|row| row.outcome == RowOutcome::End).unwrap();
        assert_eq!((end.state, codes(end)), (PlanRowState::SetAside, vec![problem::ROWS_UNREADABLE]));
        assert_eq!(stack.states(record(&stack, "hr", "u3")), ["2026-03-01 → open Enhet 3"]);
        assert_eq!(run(&stack, full("2026-03-03", units(2))).counts.end, 1, "the next file ends it");
    }

    fn said_twice_is_once_and_contradictions_are_conflicts(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = vec![unit(1, "u1", "Ett"), unit(2, "u1", "Ett"), unit(3, "u2", "Två"), unit(4, "u2", "Tvåa")];
        let load = run(&stack, full("2026-03-01", says.clone()));
        assert_eq!((load.counts.create, load.counts.repeated, load.counts.conflict), (1, 1, 1));
        let shown = rows(&stack, &load);
        assert_eq!((codes(&shown[1]), shown[1].file_rows.as_slice()), (vec![problem::DUPLICATE_KEY], [3, 4].as_slice()));
        let told = &shown[1].problems[0];
        assert_eq!(told.pointer.as_deref(), Some("/name/sv"));
        assert!(told.message.contains("rows 3, 4") && told.message.contains("/name/sv"), "{}", told.message);
        // The same over chunks, and against what was accepted.
        let mut says = vec![unit(1, "u1", "Ett")];
        says.extend((2..=1_200).map(|row| unit(row, &format!("x{row}"), "X")));
        says.push(unit(1_201, "u1", "Annat"));
        says.push(unit(1_202, "x7", "Annat"));
        says.push(unit(1_203, "x8", "X"));
        let load = plan(&stack, full("2026-03-02", says));
        assert_eq!((load.counts.create, load.counts.conflict, load.counts.repeated), (1_198, 2, 1));
        let conflicts: Vec<Vec<u64>> = rows_of(&stack, &load).into_iter().map(|row| row.file_rows).collect();
        assert_eq!(conflicts, [vec![7, 1_202], vec![1, 1_201]]);
    }

    fn pieces_of_one_key_are_one_timeline(stack: Stack) {
        source(&stack, "hr", |_| {});
        let pieces = || vec![
            from_to(unit(1, "u1", "Gammal"), "2020-01-01", Some("2024-01-01")),
            from_to(unit(2, "u1", "Ny"), "2024-01-01", Some("open")),
        ];
        let load = run(&stack, full("2026-03-01", pieces()));
        assert_eq!(load.counts.create, 1);
        let id = record(&stack, "hr", "u1");
        assert_eq!(stack.states(id), ["2020-01-01 → 2024-01-01 Gammal", "2024-01-01 → open Ny"]);
        assert_eq!(version(&stack, id), 1);
        assert_eq!(run(&stack, full("2026-03-02", pieces())).rows, 0);
        let mut moved = pieces();
        moved[0] = from_to(unit(1, "u1", "Gammal"), "2020-01-01", Some("2025-01-01"));
        moved[1] = from_to(unit(2, "u1", "Ny"), "2025-01-01", Some("open"));
        let load = run(&stack, full("2026-03-03", moved));
        assert_eq!(load.counts.change, 1);
        assert_eq!(stack.states(id), ["2020-01-01 → 2025-01-01 Gammal", "2025-01-01 → open Ny"]);
    }

    fn a_source_has_one_open_load(stack: Stack) {
        source(&stack, "hr", |_| {});
        let first = plan(&stack, full("2026-03-01", units(3)));
        let refusal = plan_as(&stack, &steward(&stack), full("2026-03-01", units(3))).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["load"]), (Code::LoadOpen, &json!(first.id.to_string())));
        let mut new = new_load(&full("2026-03-01", Vec::new()));
        new.replace = true;
        let planner = stack.registry.plan_load(&steward(&stack), new).unwrap();
        let old = stack.registry.load(&steward(&stack), &owner("a"), first.id).unwrap();
        assert_eq!(old.status, LoadStatus::Cancelled);
        assert!(rows(&stack, &old).is_empty(), "what was never accepted is gone");
        let second = planner.id();
        drop(planner);
        let given_up = stack.registry.load(&steward(&stack), &owner("a"), second).unwrap();
        assert_eq!(given_up.status, LoadStatus::Failed, "a plan that is dropped is given up");
        let third = plan(&stack, full("2026-03-01", units(3)));
        stack.registry.cancel_load(&steward(&stack), &owner("a"), third.id, Some("fel fil".to_owned())).unwrap();
        assert_eq!(apply_as(&stack, &steward(&stack), &third).unwrap_err().code, Code::LoadState);
        let page = stack.registry.loads(&steward(&stack), &owner("a"), Some("hr"), None, 2).unwrap();
        assert_eq!((page.items[0].id, page.items.len(), page.next), (third.id, 2, Some(second)));
    }

    fn what_is_not_the_sources_to_end_is_released(stack: Stack) {
        source(&stack, "hr", |settings| settings.authoritative.ends = false.into());
        run(&stack, full("2026-03-01", units(2)));
        let load = run(&stack, full("2026-03-02", units(1)));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Release]);
        assert_eq!(codes(&rows(&stack, &load)[0]), [problem::NOT_AUTHORITATIVE]);
        assert_eq!(stack.states(record(&stack, "hr", "u2")), ["2026-03-01 → open Enhet 2"]);
    }

    fn a_domain_that_the_source_does_not_feed_is_rejected(stack: Stack) {
        source(&stack, "hr", |settings| settings.domains = [Organisation].into());
        let person = said("hr", 1, grunddata_model::Domain::Person, "p1", json!({"name": {"full": "A"}}));
        let load = plan(&stack, full("2026-03-01", vec![person]));
        assert_eq!(codes(&rows(&stack, &load)[0]), [problem::DOMAIN_NOT_FED]);
    }
}

fn rows_of(stack: &Stack, load: &grunddata_registry::Load) -> Vec<grunddata_registry::PlanRowView> {
    let query = grunddata_registry::PlanRowsQuery {
        outcomes: vec![RowOutcome::Conflict],
        limit: 100,
        ..Default::default()
    };
    stack
        .registry
        .plan_rows(&steward(stack), &owner("a"), load.id, &query)
        .unwrap()
        .items
}
