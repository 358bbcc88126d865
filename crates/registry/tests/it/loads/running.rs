//! Work that goes on without whoever asked for it, sources that are silent, rows that are old.

use grunddata_model::Instant;
use grunddata_registry::{
    Action, Code, Collect, LoadKind, LoadStatus, LoadTaskKind, RowOutcome, Schedule,
};
use grunddata_testing::on_both;
use serde_json::json;
use uuid::Uuid;

use super::feed::{
    File, apply, apply_as, full, gone, new_load, outcomes, person, plan, put, record, rows, run,
    source, steward, unit,
};
use crate::stack::{Stack, owner, stack};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * 60;

fn units(count: u64) -> Vec<grunddata_registry::Assertion> {
    (1..=count)
        .map(|row| unit(row, &format!("u{row}"), &format!("Enhet {row}")))
        .collect()
}

fn later(stack: &Stack, seconds: i64) -> Instant {
    Instant::from_micros(stack.now().micros() + seconds * 1_000_000)
}

/// Begins a plan, says some rows and leaves it as a process does that is killed.
fn broken_off(stack: &Stack, count: u64) -> Uuid {
    stack.pass(1);
    let mut planner = stack
        .registry
        .plan_load(&steward(stack), new_load(&full("2026-03-01", Vec::new())))
        .unwrap();
    for said in units(count) {
        planner.push(said).unwrap();
    }
    let id = planner.id();
    planner.leave();
    id
}

fn load(stack: &Stack, id: Uuid) -> grunddata_registry::Load {
    stack
        .registry
        .load(&steward(stack), &owner("a"), id)
        .unwrap()
}

on_both! {
    using stack;

    fn a_plan_whose_process_was_killed_is_made_anew_with_the_same_rights(stack: Stack) {
        source(&stack, "hr", |_| {});
        let id = broken_off(&stack, 1_500);
        let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
        let note = |holder| stack.registry.note_task(&steward(&stack), &owner("a"), id, LoadTaskKind::Plan, holder, later(&stack, MINUTE));
        note(first).unwrap();
        assert_eq!(note(second).unwrap_err().code, Code::LoadState, "somebody is at it");
        assert!(stack.registry.left_tasks().unwrap().is_empty(), "its process lives");
        stack.pass(MINUTE - 5);
        stack.registry.store().renew_leases(first, later(&stack, MINUTE)).unwrap();
        stack.pass(MINUTE - 5);
        assert!(stack.registry.left_tasks().unwrap().is_empty(), "it has said so again");
        stack.pass(10);
        let left = stack.registry.left_tasks().unwrap();
        assert_eq!((left.len(), left[0].load, left[0].kind, left[0].attempts), (1, id, LoadTaskKind::Plan, 1));
        // In the name of whoever asked, with the rights of then.
        assert_eq!(left[0].context.actor.name, steward(&stack).actor.name);
        assert_eq!(left[0].context.actor.grants.list(), steward(&stack).actor.grants.list());
        assert!(!left[0].context.actor.may(Action::Administer, &owner("a")));
        // Of two processes one takes it, and never from itself.
        let take = |holder| stack.registry.store().take_task(&owner("a"), id, holder, stack.now(), later(&stack, MINUTE)).unwrap();
        assert_eq!([take(first), take(second), take(second)], [false, true, false]);
        let mut planner = stack.registry.plan_again(&left[0].context, &owner("a"), id).unwrap();
        for said in units(3) {
            planner.push(said).unwrap();
        }
        let planned = planner.finish(new_load(&full("2026-03-01", Vec::new())).file).unwrap();
        assert_eq!((planned.id, planned.status, planned.counts.create, planned.rows), (id, LoadStatus::Planned, 3, 3));
        // Who has lost it does not end it.
        stack.registry.store().end_task(&owner("a"), id, first).unwrap();
        stack.pass(MINUTE * 2);
        assert_eq!(stack.registry.left_tasks().unwrap().len(), 1);
        stack.registry.store().end_task(&owner("a"), id, second).unwrap();
        assert!(stack.registry.left_tasks().unwrap().is_empty());
        let applied = apply(&stack, &planned);
        assert_eq!((applied.status, applied.counts.applied), (LoadStatus::Applied, 3));
    }

    fn a_plan_that_nobody_makes_any_more_says_so(stack: Stack) {
        source(&stack, "hr", |_| {});
        let id = broken_off(&stack, 1_500);
        assert_eq!(stack.registry.fail_abandoned_plans().unwrap(), 0, "it may still be made");
        stack.pass(MINUTE * 11);
        // Work that is known of is not abandoned.
        let holder = Uuid::now_v7();
        stack.registry.note_task(&steward(&stack), &owner("a"), id, LoadTaskKind::Plan, holder, later(&stack, MINUTE)).unwrap();
        assert_eq!(stack.registry.fail_abandoned_plans().unwrap(), 0);
        stack.registry.store().end_task(&owner("a"), id, holder).unwrap();
        assert_eq!(stack.registry.fail_abandoned_plans().unwrap(), 1);
        let failed = load(&stack, id);
        assert_eq!(failed.status, LoadStatus::Failed);
        let why = failed.failed.as_ref().unwrap();
        assert_eq!(why.during, "planning");
        assert!(why.message.contains("load the file again"), "{why:?}");
        assert!(rows(&stack, &failed).is_empty());
        assert_eq!(apply_as(&stack, &steward(&stack), &failed).unwrap_err().code, Code::LoadState);
        // The source is free.
        assert_eq!(run(&stack, full("2026-03-01", units(2))).status, LoadStatus::Applied);
    }

    fn why_a_load_is_not_applied_further_stands_in_it_until_it_goes_on(stack: Stack) {
        source(&stack, "hr", |_| {});
        let planned = plan(&stack, full("2026-03-01", units(20)));
        let why = grunddata_registry::Refusal::new(Code::Internal, "The database was away.");
        stack.registry.note_apply_failure(&owner("a"), planned.id, "r-1", &why).unwrap();
        let failed = load(&stack, planned.id);
        let said = failed.failed.unwrap();
        assert_eq!((said.during.as_str(), said.message.as_str(), said.request_id.as_str()), ("applying", "The database was away.", "r-1"));
        assert_eq!(failed.status, LoadStatus::Planned);
        assert_eq!(apply(&stack, &planned).failed, None);
    }

    fn a_source_is_silent_when_nothing_was_accepted_in_time(stack: Stack) {
        source(&stack, "hr", |settings| {
            settings.schedule = Some(Schedule { every_hours: Some(24), warn_after_hours: None });
        });
        source(&stack, "other", |_| {});
        let state = |stack: &Stack, key: &str| {
            let context = steward(stack);
            let source = stack.registry.source(&context, &owner("a"), key).unwrap();
            stack.registry.source_state(&context, &source).unwrap()
        };
        let begun = stack.now();
        assert_eq!((state(&stack, "hr").silent_since, state(&stack, "hr").last_heard), (None, None));
        stack.pass(2 * DAY);
        // Twice the time between two files after it was put.
        assert_eq!(state(&stack, "hr").silent_since, Some(Instant::from_micros(begun.micros() + 2 * DAY * 1_000_000)));
        let planned = plan(&stack, full("2026-03-01", units(3)));
        assert!(state(&stack, "hr").silent_since.is_some(), "a plan is not accepted");
        assert_eq!(state(&stack, "hr").open_load.map(|open| open.id), Some(planned.id));
        let applied = apply(&stack, &planned);
        let heard = state(&stack, "hr");
        assert_eq!((heard.silent_since, heard.last_load, heard.last_heard), (None, Some(applied.id), Some(applied.changed_at)));
        stack.pass(2 * DAY + 1);
        let every = stack.registry.every_source(&mut Vec::new()).unwrap();
        let silent: Vec<&str> = every.iter().filter(|(_, state)| state.silent_since.is_some()).map(|(source, _)| source.key.as_str()).collect();
        assert_eq!(silent, ["hr"], "without a schedule nothing is expected");
        // What is collected and as it was is a sign of life.
        let source = stack.registry.source(&steward(&stack), &owner("a"), "hr").unwrap();
        let holder = Uuid::now_v7();
        assert!(stack.registry.take_collecting(&source, holder, later(&stack, MINUTE)).unwrap());
        assert!(!stack.registry.take_collecting(&source, Uuid::now_v7(), later(&stack, MINUTE)).unwrap(), "one at a time");
        stack.registry.leave_collecting(&source, holder, true, true, None).unwrap();
        assert_eq!(state(&stack, "hr").silent_since, None);
        // A source that takes nothing more is not expected to say something.
        stack.pass(3 * DAY);
        assert!(state(&stack, "hr").silent_since.is_some());
        let mut settings = source.settings.clone();
        settings.retired = true;
        put(&stack, "hr", settings).unwrap();
        assert_eq!(state(&stack, "hr").silent_since, None);
    }

    fn failures_of_collecting_are_counted_and_told(stack: Stack) {
        source(&stack, "hr", |settings| {
            settings.collect = Some(Collect {
                url: Some("https://hr.example.se/all.csv".to_owned()),
                every: Some("24h".to_owned()),
                ..Collect::default()
            });
        });
        let context = steward(&stack);
        let source = stack.registry.source(&context, &owner("a"), "hr").unwrap();
        let collect = || stack.registry.source_state(&steward(&stack), &source).unwrap().collect.unwrap();
        assert_eq!(collect().next_at, Some(source.created_at), "never tried: at once");
        let holder = Uuid::now_v7();
        for failures in 1..=2 {
            assert!(stack.registry.take_collecting(&source, holder, later(&stack, MINUTE)).unwrap());
            stack.registry.leave_collecting(&source, holder, true, false, Some("There is no answer.".to_owned())).unwrap();
            let state = collect();
            assert_eq!((state.failures, state.failure.as_deref()), (failures, Some("There is no answer.")));
            assert_eq!(state.next_at, Some(later(&stack, MINUTE * 5 * i64::from(failures))));
        }
        assert!(stack.registry.take_collecting(&source, holder, later(&stack, MINUTE)).unwrap());
        stack.registry.leave_collecting(&source, holder, true, false, None).unwrap();
        assert_eq!((collect().failures, collect().failure), (0, None));
        assert!(collect().next_at.unwrap() >= later(&stack, DAY));
    }

    fn rows_of_old_loads_go_and_what_they_did_stays(stack: Stack) {
        source(&stack, "hr", |_| {});
        let mut says = units(5);
        says.push(person(6, "191212121212", json!({"name": {"full": "Tolvan Tolvansson"}})));
        let old = run(&stack, full("2026-03-01", says));
        assert_eq!(old.counts.applied, 6, "{:?}", outcomes(&stack, &old));
        let id = record(&stack, "hr", "u3");
        stack.pass(100 * DAY);
        let recent = run(&stack, File { kind: LoadKind::Delta, ..full("2026-06-10", vec![unit(1, "u1", "Ny enhet")]) });
        let before = later(&stack, -90 * DAY);
        assert_eq!(stack.registry.prune_loads(&steward(&stack), before).unwrap_err().code, Code::Forbidden);
        // A reversal that is planned needs the rows.
        let reversal = stack.registry.plan_reversal(&steward(&stack), &owner("a"), old.id).unwrap();
        assert_eq!(stack.registry.prune_loads(&stack.system(), before).unwrap().loads, 0);
        stack.registry.cancel_load(&steward(&stack), &owner("a"), reversal.id, None).unwrap();
        let pruned = stack.registry.prune_loads(&stack.system(), before).unwrap();
        assert_eq!((pruned.loads, pruned.given_up), (1, 0));
        let left = load(&stack, old.id);
        assert!(rows(&stack, &left).is_empty() && !rows(&stack, &recent).is_empty());
        assert_eq!((left.status, left.counts, left.file.name), (LoadStatus::Applied, old.counts, old.file.name));
        assert_eq!((left.pruned, left.changed_at), (Some(stack.now()), old.changed_at));
        assert_eq!(stack.registry.prune_loads(&stack.system(), before).unwrap().loads, 0, "once");
        // Why a value is there is still told.
        let context = stack.system();
        let why = stack.registry.provenance(&context, None, id, &grunddata_registry::At::now(&context)).unwrap();
        let name = why.properties.iter().find(|one| one.pointer == "/name/sv").unwrap();
        assert_eq!(name.introduced.as_ref().unwrap().load, Some(old.id));
        assert_eq!(name.asserted[0].load, old.id);
        let refused = stack.registry.plan_reversal(&steward(&stack), &owner("a"), old.id).unwrap_err();
        assert_eq!(refused.code, Code::LoadState);
        assert!(refused.detail.contains("removed because they were old"), "{}", refused.detail);
        // The next file is worked out as ever.
        let next = plan(&stack, File { kind: LoadKind::Delta, ..full("2026-06-11", vec![unit(1, "u3", "Enhet 3"), gone(unit(2, "u4", "Enhet 4"))]) });
        assert_eq!((next.counts.unchanged, next.counts.end), (1, 1));
        assert_eq!(outcomes(&stack, &next), [RowOutcome::End]);
    }

    fn a_plan_that_nobody_decides_about_is_given_up(stack: Stack) {
        source(&stack, "hr", |_| {});
        let waiting = plan(&stack, full("2026-03-01", units(5)));
        stack.pass(91 * DAY);
        let pruned = stack.registry.prune_loads(&stack.system(), later(&stack, -90 * DAY)).unwrap();
        assert_eq!((pruned.loads, pruned.given_up), (1, 1));
        let left = load(&stack, waiting.id);
        assert_eq!(left.status, LoadStatus::Cancelled);
        assert!(left.cancelled.unwrap().reason.unwrap().contains("Nobody decided"));
        assert!(left.pruned.is_some());
    }
}
