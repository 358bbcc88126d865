//! Periods that a source says, and that move.

use grunddata_model::Domain::Organisation;
use grunddata_registry::{ChangesFrom, RowOutcome, problem};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    codes, delta, from_to, full, gone, outcomes, record, rows, run, source, unit, version,
};
use crate::stack::{Stack, amend, create, end, organisation, stack};

fn says(name: &str, from: &str, to: Option<&str>) -> Vec<grunddata_registry::Assertion> {
    vec![from_to(unit(1, "u1", name), from, to)]
}

on_both! {
    using stack;

    fn the_first_word_of_a_source_leaves_what_was_and_what_is_planned(stack: Stack) {
        source(&stack, "hr", |_| {});
        let mut known = organisation("Ett", "unit");
        known["identifiers"] = json!([{"scheme": "source:hr", "value": "u1"}]);
        let id = stack.id(create(Organisation, known, "2025-01-01"));
        stack.write(amend(Organisation, id, json!({"costCentre": "1"}), "2025-01-01", Some("2026-01-01"))).unwrap();
        stack.write(amend(Organisation, id, json!({"costCentre": "2"}), "2026-01-01", Some("2027-01-01"))).unwrap();
        stack.write(amend(Organisation, id, json!({"costCentre": "3"}), "2027-01-01", None)).unwrap();
        let mut says = says("Ett", "2025-01-01", Some("open"));
        says[0].data["costCentre"] = json!("2");
        let load = run(&stack, full("2026-03-01", says.clone()));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Confirm]);
        let centre = |day: &str| stack.data(id, day).unwrap()["costCentre"].clone();
        assert_eq!((centre("2025-06-01"), centre("2026-06-01"), centre("2027-06-01")), (json!("1"), json!("2"), json!("3")));
        // What it says anew holds from then on.
        says[0].data["costCentre"] = json!("4");
        let load = run(&stack, full("2026-04-01", says));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Change]);
        assert_eq!((centre("2026-03-31"), centre("2026-06-01"), centre("2027-06-01")), (json!("2"), json!("4"), json!("4")));
    }

    fn a_longer_period_prolongs(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", says("Ett", "2026-01-01", Some("2026-07-01"))));
        let id = record(&stack, "hr", "u1");
        stack.write(amend(Organisation, id, json!({"costCentre": "9"}), "2026-02-01", Some("2026-07-01"))).unwrap();
        let load = run(&stack, full("2026-03-02", says("Ett", "2026-01-01", Some("2027-01-01"))));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Revive]);
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-02-01 Ett", "2026-02-01 → 2027-01-01 Ett"]);
        assert_eq!(stack.data(id, "2026-12-01").unwrap()["costCentre"], "9", "what others said goes on");
        run(&stack, full("2026-03-03", says("Ett", "2026-01-01", Some("open"))));
        assert_eq!(stack.states(id)[1], "2026-02-01 → open Ett");
    }

    fn a_shorter_period_ends(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", says("Ett", "2026-01-01", Some("open"))));
        let id = record(&stack, "hr", "u1");
        let load = run(&stack, full("2026-03-02", says("Ett", "2026-01-01", Some("2026-05-01"))));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::End]);
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-05-01 Ett"]);
        // Silence about the end is no new end.
        assert_eq!(outcomes(&stack, &run(&stack, full("2026-03-03", says("Ett", "2026-01-01", None)))), [RowOutcome::Confirm]);
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-05-01 Ett"]);
    }

    fn a_later_start_is_a_correction_and_an_earlier_one_fills(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", says("Ett", "2026-01-01", Some("open"))));
        let id = record(&stack, "hr", "u1");
        run(&stack, full("2026-03-02", says("Ett", "2026-02-01", Some("open"))));
        assert_eq!(stack.states(id), ["2026-02-01 → open Ett"]);
        run(&stack, full("2026-03-03", says("Ett", "2025-06-01", Some("open"))));
        assert_eq!(stack.states(id), ["2025-06-01 → open Ett"]);
        assert_eq!(version(&stack, id), 3);
        // The whole of it moves to where nothing was.
        run(&stack, full("2026-03-04", says("Ett", "2027-01-01", Some("2028-01-01"))));
        assert_eq!(stack.states(id), ["2027-01-01 → 2028-01-01 Ett"]);
    }

    fn a_change_in_a_period_that_stays_holds_from_the_date_of_the_file(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", says("Ett", "2026-01-01", Some("open"))));
        let id = record(&stack, "hr", "u1");
        run(&stack, full("2026-03-05", says("Två", "2026-01-01", Some("open"))));
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-03-05 Ett", "2026-03-05 → open Två"]);
    }

    fn or_of_the_whole_period_where_the_source_has_a_row_for_each_state(stack: Stack) {
        source(&stack, "hr", |settings| settings.changes = ChangesFrom::WholePeriod);
        run(&stack, full("2026-03-01", says("Ett", "2026-01-01", Some("open"))));
        let id = record(&stack, "hr", "u1");
        run(&stack, full("2026-03-05", says("Två", "2026-01-01", Some("open"))));
        assert_eq!(stack.states(id), ["2026-01-01 → open Två"]);
    }

    fn a_planned_difference_in_another_property_survives(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", vec![unit(1, "u1", "Ett")]));
        let id = record(&stack, "hr", "u1");
        stack.write(amend(Organisation, id, json!({"costCentre": "9"}), "2026-06-01", None)).unwrap();
        run(&stack, full("2026-03-05", vec![unit(1, "u1", "Två")]));
        assert_eq!(stack.states(id), ["2026-03-01 → 2026-03-05 Ett", "2026-03-05 → 2026-06-01 Två", "2026-06-01 → open Två"]);
        assert_eq!(stack.data(id, "2026-07-01").unwrap()["costCentre"], "9");
    }

    fn what_ended_and_is_said_again_holds_again(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", vec![unit(1, "u1", "Ett")]));
        let id = record(&stack, "hr", "u1");
        run(&stack, delta("2026-03-05", vec![gone(unit(1, "u1", ""))]));
        let load = run(&stack, full("2026-03-10", vec![unit(1, "u1", "Ett")]));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Revive]);
        assert_eq!(stack.states(id), ["2026-03-01 → 2026-03-05 Ett", "2026-03-10 → open Ett"]);
        // A period that is said covers the days on which the row was missing by mistake.
        run(&stack, full("2026-03-11", says("Ett", "2026-03-01", Some("open"))));
        run(&stack, full("2026-03-12", Vec::new()));
        run(&stack, full("2026-03-20", says("Ett", "2026-03-01", Some("open"))));
        assert_eq!(stack.states(id).last().unwrap(), "2026-03-10 → open Ett");
    }

    fn what_never_came_to_hold_is_retracted(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", says("Ett", "2026-09-01", Some("open"))));
        let id = record_of(&stack);
        let load = run(&stack, full("2026-03-02", Vec::new()));
        assert_eq!(load.counts.end, 1);
        assert_eq!(stack.data(id, "2026-10-01"), Err(grunddata_registry::Code::Retracted));
        let load = run(&stack, full("2026-03-03", says("Ett", "2026-09-01", Some("open"))));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Revive]);
        assert_eq!(stack.states(id), ["2026-09-01 → open Ett"]);
    }

    fn what_somebody_else_ended_is_not_brought_back_by_a_change(stack: Stack) {
        source(&stack, "hr", |_| {});
        run(&stack, full("2026-03-01", vec![unit(1, "u1", "Ett")]));
        let id = record(&stack, "hr", "u1");
        stack.write(end(Organisation, id, "2026-03-03", None)).unwrap();
        assert_eq!(run(&stack, full("2026-03-04", vec![unit(1, "u1", "Ett")])).rows, 0);
        let load = run(&stack, full("2026-03-05", vec![unit(1, "u1", "Två")]));
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, codes(&shown[0])), (RowOutcome::Conflict, vec![problem::NOTHING_HOLDS]));
        assert_eq!(stack.states(id), ["2026-03-01 → 2026-03-03 Ett"]);
    }

    fn an_empty_period_is_rejected(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = run(&stack, full("2026-03-01", says("Ett", "2026-05-01", Some("2026-05-01"))));
        assert_eq!(codes(&rows(&stack, &load)[0]), ["invalid-period"]);
        run(&stack, full("2026-03-01", says("Ett", "2026-01-01", Some("open"))));
        let load = run(&stack, full("2026-03-02", says("Ett", "2026-05-01", Some("2026-04-01"))));
        assert_eq!(codes(&rows(&stack, &load)[0]), ["invalid-period"]);
    }
}

/// The record of the only row, which holds only later.
fn record_of(stack: &Stack) -> grunddata_model::RecordId {
    super::feed::found(stack, "source:hr", "u1").unwrap()
}
