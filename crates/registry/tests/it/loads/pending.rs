//! Sources whose references may wait.

use grunddata_model::Domain::{Organisation, Person, Role};
use grunddata_registry::{
    AssertedReference, Assertion, AssertionKey, Decision, OnUnresolved, PlanRowState,
    Role as Granted, RowOutcome,
};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    codes, delta, full, of, person, plan, position, record, refers, rows, run, said, source, unit,
    version,
};
use crate::lossless::out;
use crate::stack::{Stack, amend, create, stack};

const NUMBER: &str = "199001012385";

/// An employment of somebody who is known by a number.
fn employment(row: u64, key: &str, unit: &str, rate: &str) -> Assertion {
    let data = json!({"kind": "employment", "employmentRate": rate});
    let mut role = refers(
        said("hr", row, Role, key, data),
        "hr",
        "organisation",
        Organisation,
        unit,
    );
    let scheme = "se-personal-identity-number".to_owned();
    role.data["person"] = json!({"identifier": {"scheme": scheme, "value": NUMBER}});
    role.references.push(AssertedReference {
        pointer: "/person".to_owned(),
        domain: Person,
        key: AssertionKey::Identifier {
            scheme,
            value: NUMBER.to_owned(),
        },
    });
    role
}

fn pending(stack: &Stack) {
    source(stack, "hr", |settings| {
        settings.on_unresolved = OnUnresolved::Pending;
    });
}

on_both! {
    using stack;

    fn an_erasure_reaches_what_a_source_said_of_what_waited(stack: Stack) {
        pending(&stack);
        let says = || vec![unit(1, "u", "Enheten"), employment(2, "e1", "u", "100")];
        run(&stack, full("2026-03-01", says()));
        let role = record(&stack, "hr", "e1");
        let data = json!({"name": {"full": "Åsa Ek"}, "identifiers": [{"scheme": "se-personal-identity-number", "value": NUMBER}]});
        let gone = stack.id(create(Person, data, "2020-01-01"));
        assert_eq!(stack.data(role, "2026-04-01").unwrap()["person"]["id"], gone.to_string());
        stack.write(amend(Role, role, json!({"person": null}), "2026-03-01", None)).unwrap();
        let stands = || out(&stack).windows(NUMBER.len()).any(|window| window == NUMBER.as_bytes());
        assert!(stands());
        let admin = stack.as_actor("a", Granted::Administrator);
        let decision = Decision { text: "Gallras.".to_owned(), reference: "KS 2026/1".to_owned() };
        stack.registry.erase(&admin, &[gone], decision).unwrap();
        assert!(!stands(), "in a version, a plan or what the source said");
        // A source that goes on saying it brings it back: it is to be removed there first.
        let load = plan(&stack, delta("2026-03-02", says()));
        let shown = rows(&stack, &load);
        assert_eq!((shown.len(), shown[0].outcome), (1, RowOutcome::Change));
        assert_eq!(shown[0].record, Some(role), "it is the same record");
    }

    fn rows_whose_target_comes_later_are_loaded_and_cost_nothing_again(stack: Stack) {
        pending(&stack);
        let says = |rate| vec![unit(1, "u", "Enheten"), employment(2, "e1", "u", rate), employment(3, "e2", "nowhere", rate)];
        let load = plan(&stack, full("2026-03-01", says("100")));
        let shown = rows(&stack, &load);
        assert!(shown.iter().all(|row| (row.outcome, row.state) == (RowOutcome::Create, PlanRowState::Planned)));
        assert_eq!(codes(&shown[2]), ["reference-not-found", "reference-not-found"]);
        assert!(shown[2].problems.iter().all(|problem| problem.warning));
        let load = super::feed::apply(&stack, &load);
        assert_eq!((load.counts.applied, load.counts.set_aside, load.counts.findings), (3, 0, 3));
        let role = record(&stack, "hr", "e1");
        let waits = json!({"identifier": {"scheme": "se-personal-identity-number", "value": NUMBER}});
        assert_eq!(stack.data(role, "2026-03-02").unwrap()["person"], waits);
        // The same again: nothing is said, and nothing is written.
        let before = position(&stack);
        let load = run(&stack, full("2026-03-02", says("100")));
        assert_eq!((load.counts.unchanged, load.rows, position(&stack)), (3, 0, before));
        // Something else of the row changes; the reference goes on waiting.
        let load = run(&stack, full("2026-03-03", says("50")));
        assert_eq!((load.counts.change, load.counts.set_aside), (2, 0));
        let data = stack.data(role, "2026-03-04").unwrap();
        assert_eq!((&data["person"], &data["employmentRate"]), (&waits, &json!("50")));
        // Somebody comes with the number: another source, and a client.
        source(&stack, "persons", |_| {});
        run(&stack, of("persons", delta("2026-03-01", vec![person(1, NUMBER, json!({"name": {"full": "Åsa Ek"}}))])));
        let data = stack.data(role, "2026-03-04").unwrap();
        assert!(data["person"].get("id").is_some(), "{data}");
        let late = json!({"name": {"sv": "Sen"}, "kind": "unit", "identifiers": [{"scheme": "source:hr", "value": "nowhere"}]});
        let late = stack.id(create(Organisation, late, "2026-01-01"));
        let other = record(&stack, "hr", "e2");
        assert_eq!(stack.data(other, "2026-03-04").unwrap()["organisation"]["id"], late.to_string());
        // What the registry has settled is not new to the source.
        let versions = (version(&stack, role), version(&stack, other));
        let load = run(&stack, full("2026-03-05", says("50")));
        assert_eq!((load.counts.unchanged, load.rows), (3, 0));
        let load = run(&stack, full("2026-03-06", says("75")));
        assert_eq!((load.counts.change, load.counts.set_aside), (2, 0));
        assert_eq!((version(&stack, role), version(&stack, other)), (versions.0 + 1, versions.1 + 1));
        let data = stack.data(role, "2026-03-07").unwrap();
        assert!(data["person"].get("id").is_some() && data["employmentRate"] == "75", "{data}");
    }

    fn a_load_that_brings_what_its_own_records_wait_for_settles_them(stack: Stack) {
        pending(&stack);
        run(&stack, delta("2026-03-01", vec![employment(1, "e1", "u", "100")]));
        let role = record(&stack, "hr", "e1");
        // The employment changes in the same file, upon the version that its plan saw.
        let says = vec![unit(1, "u", "Enheten"), person(2, NUMBER, json!({"name": {"full": "Åsa Ek"}}))];
        let load = run(&stack, delta("2026-03-02", says));
        assert_eq!((load.counts.applied, load.counts.set_aside), (2, 0));
        // From the day on which its targets hold; the day before goes on waiting.
        let data = stack.data(role, "2026-03-02").unwrap();
        assert!(data["person"].get("id").is_some() && data["organisation"].get("id").is_some(), "{data}");
        assert!(stack.data(role, "2026-03-01").unwrap()["person"].get("identifier").is_some());
        let load = run(&stack, delta("2026-03-03", vec![employment(1, "e1", "u", "50")]));
        assert_eq!((load.counts.change, load.counts.set_aside), (1, 0));
    }

    fn without_the_setting_such_rows_are_rejected(stack: Stack) {
        source(&stack, "hr", |_| {});
        let load = run(&stack, delta("2026-03-01", vec![unit(1, "u", "Enheten"), employment(2, "e1", "u", "100")]));
        assert_eq!((load.counts.create, load.counts.rejected), (1, 1));
    }
}
