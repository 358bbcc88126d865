//! A plan says what applying it does beyond its own rows, and applying it does that and no more.

use grunddata_information_model::PrivacyClass;
use grunddata_model::Domain::{Geography, Organisation, Person, Role};
use grunddata_model::RecordId;
use grunddata_registry::Role::Steward;
use grunddata_registry::{
    Context, Grant, LoadStatus, OwnerScope, PlanRowState, PlanRowView, RowOutcome, problem,
};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    apply, codes, delta, full, person, plan, position, record, refers, rows, run, source, unit,
};
use crate::stack::{Stack, create, organisation, role, stack};

const NUMBERS: [&str; 3] = ["199001012385", "198112189876", "199205042394"];

fn persons(numbers: &[&str]) -> Vec<grunddata_registry::Assertion> {
    let named = (1..).zip(numbers);
    named
        .map(|(row, number)| {
            person(
                row,
                number,
                json!({"name": {"full": format!("Åsa {}", &number[8..])}}),
            )
        })
        .collect()
}

/// The records of three persons.
fn people(stack: &Stack) -> Vec<RecordId> {
    NUMBERS
        .iter()
        .map(|number| super::feed::found(stack, "se-personal-identity-number", number).unwrap())
        .collect()
}

fn sees_more(stack: &Stack) -> Context {
    let grant = Grant {
        ceiling: PrivacyClass::Protected,
        ..Grant::of(OwnerScope::Owner(crate::stack::owner("a")), Steward)
    };
    stack.with_grants("more", vec![grant])
}

fn followers(row: &PlanRowView) -> (Vec<RecordId>, Vec<RecordId>, u64) {
    let ids = |list: &[grunddata_registry::FollowedBy]| list.iter().map(|one| one.id).collect();
    let follows = &row.follows;
    (ids(&follows.end), ids(&follows.change), follows.more)
}

on_both! {
    using stack;

    fn what_follows_a_row_stands_with_it_and_nothing_else_follows(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.floor = 100);
        run(&stack, full("2026-03-01", persons(&NUMBERS)));
        let people = people(&stack);
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2020-01-01"));
        let employed = stack.id(create(Role, role(people[0], school), "2026-03-01"));
        // It loses a reference, and so does not end.
        let mut data = role(people[1], school);
        data["substitutesFor"] = json!({"id": employed.to_string()});
        let substitute = stack.id(create(Role, data, "2026-03-01"));
        let load = plan(&stack, full("2026-03-02", persons(&NUMBERS[1..])));
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, shown[0].record), (RowOutcome::End, Some(people[0])));
        assert_eq!(followers(&shown[0]), (vec![employed], vec![substitute], 0));
        assert_eq!((load.counts.end, load.counts.follow_end, load.counts.follow_change), (1, 1, 1));
        let before = position(&stack);
        let load = apply(&stack, &load);
        assert_eq!((load.counts.applied, load.counts.set_aside, position(&stack) - before), (1, 0, 3));
        assert!(stack.data(employed, "2026-03-03").is_err());
        assert_eq!(stack.data(substitute, "2026-03-03").unwrap().get("substitutesFor"), None);
    }

    fn whoever_refers_to_a_record_since_the_plan_sets_its_row_aside(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.floor = 100);
        run(&stack, full("2026-03-01", persons(&NUMBERS)));
        let people = people(&stack);
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2020-01-01"));
        let load = plan(&stack, full("2026-03-02", persons(&NUMBERS[..1])));
        assert_eq!((load.counts.end, load.counts.follow_end), (2, 0));
        let employed = stack.id(create(Role, role(people[1], school), "2026-03-01"));
        let load = apply(&stack, &load);
        assert_eq!((load.counts.applied, load.counts.set_aside), (1, 1));
        let aside: Vec<PlanRowView> = rows(&stack, &load).into_iter().filter(|row| row.state == PlanRowState::SetAside).collect();
        assert_eq!((aside.len(), aside[0].record, codes(&aside[0])), (1, Some(people[1]), vec![problem::MORE_FOLLOW]));
        assert!(stack.data(employed, "2026-03-03").is_ok());
        // The next plan foresees it.
        let load = plan(&stack, full("2026-03-03", persons(&NUMBERS[..1])));
        assert_eq!((load.counts.end, load.counts.follow_end), (1, 1));
        assert_eq!(apply(&stack, &load).counts.set_aside, 0);
        assert!(stack.data(employed, "2026-03-04").is_err());
    }

    fn what_a_file_says_is_gone_ends_before_what_it_refers_to(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.floor = 1_000);
        let below = |row, key: &str, parent: &str| refers(unit(row, key, "Enhet"), "hr", "parent", Organisation, parent);
        let mut says = vec![unit(1, "top", "Topp")];
        says.extend((2..20).map(|row| below(row, &format!("u{row}"), "top")));
        says.extend((20..40).map(|row| below(row, &format!("v{row}"), &format!("u{}", row % 18 + 2))));
        let load = run(&stack, full("2026-03-01", says.clone()));
        assert_eq!(load.counts.applied, 39);
        let gone = says.into_iter().map(super::feed::gone).collect();
        let load = plan(&stack, delta("2026-03-02", gone));
        assert_eq!((load.counts.end, load.counts.set_aside, load.foreseen), (39, 0, true));
        // In batches of seven rows.
        let load = apply(&stack, &load);
        assert_eq!((load.counts.applied, load.counts.set_aside), (39, 0));
    }

    fn what_was_tried_together_is_applied_together(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.changes = Default::default());
        let below = |row, key: String, parent: String| refers(unit(row, &key, "Enhet"), "hr", "parent", Organisation, &parent);
        let says = |upper: &str, lower: &str| {
            let mut says = vec![unit(1, "top", "Topp")];
            let under = |name: &str, index: u64, parent: &str| if parent == "top" { "top".to_owned() } else { format!("{name}{index}") };
            says.extend((0..45).map(|index| below(10 + index, format!("b{index}"), under("a", index, upper))));
            says.extend((0..45).map(|index| below(100 + index, format!("a{index}"), under("b", index, lower))));
            says
        };
        run(&stack, full("2026-03-01", says("top", "b")));
        // What stood above stands below: one by one that would be a circle.
        let load = plan(&stack, full("2026-03-02", says("a", "top")));
        assert_eq!((load.counts.change, load.counts.set_aside, load.foreseen), (90, 0, true));
        let mut pace = grunddata_registry::LoadPace::of(60);
        let context = super::feed::steward(&stack);
        while !stack.registry.apply_load(&context, &crate::stack::owner("a"), load.id, &mut pace).unwrap().finished {}
        let load = stack.registry.load(&context, &crate::stack::owner("a"), load.id).unwrap();
        assert_eq!((load.counts.applied, load.counts.set_aside), (90, 0));
    }

    fn who_may_not_be_seen_is_neither_named_nor_counted(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.floor = 100);
        let place = |row, key: &str| super::feed::said("hr", row, Geography, key, json!({"name": {"sv": "Lägenhet"}, "kind": "apartment"}));
        let sees_less = |name: &str| {
            let grant = Grant { ceiling: PrivacyClass::Personal, ..Grant::of(OwnerScope::Owner(crate::stack::owner("a")), Steward) };
            stack.with_grants(name, vec![grant])
        };
        let (less, more) = (sees_less("less"), sees_more(&stack));
        for (day, (planner, applier), seen) in [("2026-03-02", (&less, &less), 0), ("2026-03-03", (&less, &more), 0), ("2026-03-04", (&more, &less), 1)] {
            run(&stack, delta(day, vec![place(1, day)]));
            let at = record(&stack, "hr", day);
            let mut hidden = crate::stack::person("Åsa Ek");
            hidden["protection"] = json!({"level": "protected-registration"});
            hidden["residence"] = json!({"id": at.to_string()});
            let hidden = stack.id(create(Person, hidden, day));
            let load = super::feed::plan_as(&stack, planner, delta(day, vec![super::feed::gone(place(1, day))])).unwrap();
            let shown = super::feed::rows_as(&stack, planner, &load);
            assert_eq!((shown[0].follows.change.len() as u64, shown[0].follows.more, load.counts.follow_change), (seen, 0, seen), "{day}");
            let progress = super::feed::apply_as(&stack, applier, &load).unwrap();
            assert_eq!((progress.applied, progress.set_aside), (1, 0), "{day}");
            assert_eq!(stack.data(hidden, "2026-06-01").unwrap().get("residence"), None, "{day}");
        }
    }

    fn what_the_pipeline_will_refuse_is_set_aside_in_the_plan(stack: Stack) {
        source(&stack, "hr", |settings| {
            settings.guards.floor = 100;
            settings.on_uncovered = grunddata_registry::OnUncovered::Reject;
        });
        run(&stack, full("2026-03-01", vec![unit(1, "a", "A"), unit(2, "b", "B"), unit(3, "c", "C")]));
        let units = ["a", "b", "c"].map(|key| record(&stack, "hr", key));
        // Somebody else's unit lies below one that the file leaves out.
        stack.id(create(Organisation, crate::stack::unit("Kvar", units[2]), "2026-03-01"));
        let says = vec![
            // A circle, and a target that ends with the same file.
            refers(unit(1, "a", "A"), "hr", "parent", Organisation, "b"),
            refers(unit(2, "b", "B"), "hr", "parent", Organisation, "a"),
        ];
        let load = plan(&stack, full("2026-03-02", says));
        let shown = rows(&stack, &load);
        let of = |id: RecordId| shown.iter().find(|row| row.record == Some(id)).unwrap();
        assert_eq!((of(units[2]).outcome, of(units[2]).state), (RowOutcome::End, PlanRowState::SetAside));
        assert_eq!(codes(of(units[2])), ["still-referenced"]);
        let circle: Vec<_> = units[..2].iter().map(|id| of(*id)).filter(|row| row.state == PlanRowState::SetAside).collect();
        assert!(!circle.is_empty());
        assert!(circle.iter().all(|row| codes(row) == ["hierarchy-cycle"]), "{circle:#?}");
        let (aside, before) = (load.counts.set_aside, position(&stack));
        let load = apply(&stack, &load);
        assert_eq!((load.counts.set_aside, load.counts.applied), (aside, 3 - aside));
        assert_eq!(position(&stack) - before, 3 - aside);
    }

    fn what_is_let_through_is_said_before(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.floor = 100);
        run(&stack, full("2026-03-01", vec![unit(1, "a", "A")]));
        stack.write(crate::stack::end(Organisation, record(&stack, "hr", "a"), "2026-03-10", None)).unwrap();
        let says = vec![unit(1, "a", "A"), refers(unit(2, "c", "C"), "hr", "parent", Organisation, "a")];
        let load = plan(&stack, full("2026-03-02", says));
        let shown = rows(&stack, &load);
        let row = shown.iter().find(|row| row.outcome == RowOutcome::Create).unwrap();
        assert_eq!((codes(row), row.problems[0].warning, row.state), (vec!["reference-not-covered"], true, PlanRowState::Planned));
        assert_eq!(apply(&stack, &load).counts.findings, 1);
    }

    fn those_that_follow_count_for_the_guard(stack: Stack) {
        source(&stack, "hr", |settings| settings.guards.floor = 2);
        run(&stack, full("2026-03-01", persons(&NUMBERS)));
        let people = people(&stack);
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2020-01-01"));
        let mut plans = Vec::new();
        for roles in 0..4 {
            let load = plan(&stack, full("2026-03-02", persons(&NUMBERS[1..])));
            assert_eq!(load.counts.follow_end, roles);
            plans.push(load.status);
            stack.registry.cancel_load(&super::feed::steward(&stack), &crate::stack::owner("a"), load.id, None).unwrap();
            let mut data = role(people[0], school);
            data["kind"] = json!("assignment");
            stack.id(create(Role, data, "2026-03-01"));
        }
        assert_eq!((plans[0], plans[3]), (LoadStatus::Planned, LoadStatus::Stopped));
    }
}
