//! Two sources on one record, a steward between them, and silence.

use grunddata_model::Domain::Person;
use grunddata_registry::{At, RowOutcome, problem};
use grunddata_testing::on_both;
use serde_json::json;

use super::feed::{
    codes, found, full, of, outcomes, person, plan, record, rows, run, said, source, unit, version,
};
use crate::stack::{Stack, amend, stack};

const NUMBER: &str = "199001012385";

fn mail(value: &str) -> serde_json::Value {
    json!([{"kind": "email", "value": value}])
}

on_both! {
    using stack;

    fn one_record_under_two_names_is_said_once(stack: Stack) {
        source(&stack, "hr", |_| {});
        let named = |row, name: &str, family: &str| {
            let mut said = person(row, NUMBER, json!({"name": {"family": family}}));
            said.record = name.to_owned();
            said
        };
        // A pupil and a guardian by one number: what both say is said by both.
        let says = || vec![named(1, "pupil", "Ek"), named(2, "guardian", "Ek")];
        let load = run(&stack, full("2026-03-01", says()));
        assert_eq!((outcomes(&stack, &load), load.counts.applied), (vec![RowOutcome::Create, RowOutcome::Confirm], 2));
        let load = run(&stack, full("2026-03-02", says()));
        assert_eq!((load.counts.unchanged, load.rows), (2, 0));
        // They change together, and then one of them says something else.
        let load = run(&stack, full("2026-03-03", vec![named(1, "pupil", "Alm"), named(2, "guardian", "Alm")]));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Change, RowOutcome::Confirm]);
        let load = run(&stack, full("2026-03-04", vec![named(1, "pupil", "Berg"), named(2, "guardian", "Gran")]));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Change, RowOutcome::Conflict]);
        let shown = rows(&stack, &load);
        assert_eq!((codes(&shown[1]), shown[1].problems[0].other.as_deref()), (vec![problem::RECORD_CLAIMED_TWICE], Some("1")));
        let told = &shown[1].problems[0].message;
        assert!(told.contains("row 1 ") && told.contains("/name/family"), "{told}");
        assert_eq!(stack.data(found(&stack, "se-personal-identity-number", NUMBER).unwrap(), "2026-03-05").unwrap()["name"]["family"], "Berg");
    }

    fn two_new_records_with_one_identifier_name_each_others_row(stack: Stack) {
        source(&stack, "hr", |_| {});
        let keyed = |row, key: &str, name: &str| {
            let data = json!({"name": {"family": name}, "identifiers": [{"scheme": "se-personal-identity-number", "value": NUMBER}]});
            said("hr", row, Person, key, data)
        };
        let load = run(&stack, full("2026-03-01", vec![keyed(4, "a", "Ek"), keyed(9, "b", "Ek")]));
        assert_eq!((load.counts.create, load.counts.conflict), (1, 1));
        let shown = rows(&stack, &load);
        assert_eq!((codes(&shown[1]), shown[1].problems[0].other.as_deref()), (vec![problem::RECORD_CLAIMED_TWICE], Some("4")));
    }

    fn two_sources_feed_one_record(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "ad", |settings| settings.authoritative.ends = false.into());
        run(&stack, full("2026-03-01", vec![person(1, NUMBER, json!({"name": {"family": "Ek", "given": ["Åsa"]}}))]));
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        // The directory knows neither name nor dates.
        let load = run(&stack, of("ad", full("2026-03-02", vec![person(1, NUMBER, json!({"contactPoints": mail("asa@x.example")}))])));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Change]);
        let data = stack.data(id, "2026-03-03").unwrap();
        assert_eq!((&data["name"]["family"], &data["contactPoints"][0]["value"]), (&json!("Ek"), &json!("asa@x.example")));
        // Each changes its own; what it is silent of stays.
        run(&stack, full("2026-03-03", vec![person(1, NUMBER, json!({"name": {"family": "Alm", "given": ["Åsa"]}}))]));
        let data = stack.data(id, "2026-03-04").unwrap();
        assert_eq!((&data["name"]["family"], &data["contactPoints"][0]["value"]), (&json!("Alm"), &json!("asa@x.example")));
        // HR says no more of her, the directory still does.
        let load = run(&stack, full("2026-03-05", Vec::new()));
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, codes(&shown[0])), (RowOutcome::Release, vec![problem::STILL_ASSERTED]));
        assert!(stack.data(id, "2026-03-06").is_ok());
    }

    fn the_higher_word_counts_and_the_rest_of_the_row_goes(stack: Stack) {
        source(&stack, "hr", |settings| { settings.precedence.properties.insert("/name".to_owned(), 10); });
        source(&stack, "ad", |_| {});
        run(&stack, full("2026-03-01", vec![person(1, NUMBER, json!({"name": {"family": "Ek", "given": ["Åsa"]}}))]));
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        let says = json!({"name": {"family": "EK", "given": ["Åsa"]}, "contactPoints": mail("asa@x.example")});
        let load = run(&stack, of("ad", full("2026-03-02", vec![person(1, NUMBER, says)])));
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, codes(&shown[0])), (RowOutcome::Change, vec![problem::HIGHER_PRECEDENCE]));
        assert_eq!((shown[0].problems[0].pointer.as_deref(), shown[0].problems[0].other.as_deref()), (Some("/name/family"), Some("hr")));
        let data = stack.data(id, "2026-03-03").unwrap();
        assert_eq!((&data["name"]["family"], &data["contactPoints"][0]["value"]), (&json!("Ek"), &json!("asa@x.example")));
        // It said so; it is not told every night.
        let says = json!({"name": {"family": "EK", "given": ["Åsa"]}, "contactPoints": mail("asa@x.example")});
        assert_eq!(run(&stack, of("ad", full("2026-03-03", vec![person(1, NUMBER, says)]))).rows, 0);
        // Nothing but what another decides: a conflict.
        let says = json!({"name": {"family": "Eek", "given": ["Åsa"]}, "contactPoints": mail("asa@x.example")});
        let load = run(&stack, of("ad", full("2026-03-04", vec![person(1, NUMBER, says)])));
        assert_eq!(outcomes(&stack, &load), [RowOutcome::Conflict]);
        assert_eq!(stack.data(id, "2026-03-05").unwrap()["name"]["family"], "Ek");
        // The other way round the higher word overwrites.
        run(&stack, full("2026-03-06", vec![person(1, NUMBER, json!({"name": {"family": "Alm", "given": ["Åsa"]}}))]));
        assert_eq!(stack.data(id, "2026-03-07").unwrap()["name"]["family"], "Alm");
    }

    fn a_correction_stands_until_the_source_says_something_new(stack: Stack) {
        source(&stack, "hr", |_| {});
        let says = |name: &str| { let mut said = unit(1, "u1", name); said.data["costCentre"] = json!("100"); vec![said] };
        run(&stack, full("2026-03-01", says("Skolan")));
        let id = record(&stack, "hr", "u1");
        stack.write(amend(grunddata_model::Domain::Organisation, id, json!({"name": {"sv": "Nya skolan"}, "purpose": {"sv": "NS"}}), "2026-03-02", None)).unwrap();
        assert_eq!(run(&stack, full("2026-03-03", says("Skolan"))).rows, 0);
        assert_eq!(stack.data(id, "2026-03-04").unwrap()["name"]["sv"], "Nya skolan");
        // Something else of the row is new: the correction stands all the same.
        let mut said = says("Skolan");
        said[0].data["costCentre"] = json!("200");
        run(&stack, full("2026-03-04", said));
        let data = stack.data(id, "2026-03-05").unwrap();
        assert_eq!((&data["name"]["sv"], &data["costCentre"]), (&json!("Nya skolan"), &json!("200")));
        let mut said = says("Storskolan");
        said[0].data["costCentre"] = json!("200");
        run(&stack, full("2026-03-06", said));
        let data = stack.data(id, "2026-03-07").unwrap();
        assert_eq!((&data["name"]["sv"], &data["purpose"]["sv"]), (&json!("Storskolan"), &json!("NS")));
    }

    fn silence_changes_nothing_unless_it_withdraws(stack: Stack) {
        source(&stack, "hr", |settings| { settings.withdraws.insert("/costCentre".to_owned()); });
        let mut said = unit(1, "u1", "Ett");
        said.data["costCentre"] = json!("100");
        said.data["purpose"] = json!({"sv": "E"});
        run(&stack, full("2026-03-01", vec![said]));
        let id = record(&stack, "hr", "u1");
        run(&stack, full("2026-03-02", vec![unit(1, "u1", "Ett")]));
        let data = stack.data(id, "2026-03-03").unwrap();
        assert_eq!((data.get("costCentre"), &data["purpose"]["sv"]), (None, &json!("E")));
    }

    fn identifiers_come_and_go_one_by_one(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "ad", |_| {});
        let with = |list: serde_json::Value| said("hr", 1, Person, "p1", json!({"name": {"full": "Åsa Ek"}, "identifiers": list}));
        run(&stack, full("2026-03-01", vec![with(json!([{"scheme": "se-personal-identity-number", "value": "19900101-2385"}, {"scheme": "source:x", "value": "7"}]))]));
        let id = record(&stack, "hr", "p1");
        let theirs = person(1, NUMBER, json!({"contactPoints": mail("a@b.example")}));
        run(&stack, of("ad", full("2026-03-02", vec![theirs])));
        // HR gives up both numbers; the directory still lists one of them.
        run(&stack, full("2026-03-03", vec![with(json!([]))]));
        let data = stack.data(id, "2026-03-04").unwrap();
        let held: Vec<&str> = data["identifiers"].as_array().unwrap().iter().map(|item| item["scheme"].as_str().unwrap()).collect();
        assert_eq!(held, ["se-personal-identity-number", "source:hr"]);
    }

    fn a_source_that_says_what_is_there_is_only_noted(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "ad", |_| {});
        let says = || vec![person(1, NUMBER, json!({"name": {"full": "Åsa Ek"}}))];
        run(&stack, full("2026-03-01", says()));
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        let load = run(&stack, of("ad", full("2026-03-02", says())));
        assert_eq!((outcomes(&stack, &load), version(&stack, id)), (vec![RowOutcome::Confirm], 1));
        assert_eq!(load.counts.applied, 1);
        assert_eq!(run(&stack, of("ad", full("2026-03-03", says()))).rows, 0);
    }

    fn it_is_told_why_a_value_is_there(stack: Stack) {
        source(&stack, "hr", |_| {});
        source(&stack, "ad", |settings| settings.precedence.default = -1);
        let first = run(&stack, full("2026-03-01", vec![person(1, NUMBER, json!({"name": {"family": "Ek", "given": ["Åsa"]}}))]));
        let id = found(&stack, "se-personal-identity-number", NUMBER).unwrap();
        let says = json!({"name": {"family": "EK"}, "contactPoints": mail("asa@x.example")});
        let second = run(&stack, of("ad", full("2026-03-02", vec![person(1, NUMBER, says)])));
        stack.write(amend(Person, id, json!({"name": {"given": ["Åsa", "Maria"]}}), "2026-03-03", None)).unwrap();
        let third = run(&stack, full("2026-03-04", vec![person(1, NUMBER, json!({"name": {"family": "Alm", "given": ["Åsa"]}}))]));
        let context = stack.as_actor("a", grunddata_registry::Role::Steward);
        let told = stack.registry.provenance(&context, None, id, &At::on(crate::stack::day("2026-03-05"))).unwrap();
        let of = |pointer: &str| told.properties.iter().find(|told| told.pointer == pointer).unwrap();
        let family = of("/name/family");
        assert_eq!(family.value, Some(json!("Alm")));
        let introduced = family.introduced.clone().unwrap();
        assert_eq!((introduced.load, introduced.source.as_deref()), (Some(third.id), Some("hr")));
        let mut said: Vec<_> = family.asserted.iter().map(|said| (said.source.as_str(), said.agrees, said.load)).collect();
        said.sort_unstable();
        assert_eq!(said, [("ad", false, second.id), ("hr", true, third.id)]);
        let given = of("/name/given");
        let introduced = given.introduced.clone().unwrap();
        assert_eq!((introduced.load, introduced.actor.as_deref()), (None, Some("test")), "a steward's hand");
        assert_eq!((given.asserted[0].agrees, given.asserted[0].load), (false, first.id));
        assert_eq!(of("/contactPoints").introduced.clone().unwrap().load, Some(second.id));
        assert_eq!(of("/identifiers/0").introduced.clone().unwrap().load, Some(first.id));
        // A reader of public things alone sees no person at all.
        let outsider = stack.outsider(grunddata_registry::Role::OpenDataReader);
        assert!(stack.registry.provenance(&outsider, None, id, &At::now(&outsider)).is_err());
    }

    fn two_records_with_the_identifiers_of_one_row_are_a_conflict(stack: Stack) {
        source(&stack, "hr", |_| {});
        let one = said("hr", 1, Person, "p1", json!({"name": {"full": "A"}}));
        run(&stack, full("2026-03-01", vec![one, person(2, NUMBER, json!({"name": {"full": "B"}}))]));
        // The key is of the first, the number of the second.
        let both = said("hr", 1, Person, "p1", json!({"name": {"full": "A"}, "identifiers": [{"scheme": "se-personal-identity-number", "value": NUMBER}]}));
        let load = plan(&stack, full("2026-03-02", vec![both, person(2, NUMBER, json!({"name": {"full": "B"}}))]));
        let shown = rows(&stack, &load);
        assert_eq!((shown[0].outcome, codes(&shown[0])), (RowOutcome::Conflict, vec!["identifier-in-use"]));
        assert_eq!(shown[0].problems[0].other, found(&stack, "se-personal-identity-number", NUMBER).map(|id| id.to_string()));
    }
}
