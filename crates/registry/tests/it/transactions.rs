//! Lists of operations that succeed or fail as one.

use grunddata_model::Domain::{Organisation, Person, Role};
use grunddata_registry::{
    Amend, Code, Command, IfMatch, Note, Operation, Outcome, Patch, Subject, Transaction,
};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;

fn named(command: Command, name: &str) -> Command {
    created(command, |create| {
        create.temporary_id = Some(name.to_owned())
    })
}

on_both! {
    using stack;

    fn operations_refer_to_each_other_by_temporary_ids_in_any_order(stack: Stack) {
        let role = json!({"kind": "employment", "person": {"id": "temp:ronja"}, "organisation": {"id": "temp:unit"}});
        let written = stack.transact(vec![
            create(Role, role, "2026-01-01"),
            named(create(Organisation, organisation("A", "unit"), "2026-01-01"), "unit"),
            named(create(Person, person("Ronja Ask"), "2026-01-01"), "ronja"),
            Command::new(Organisation, Operation::Amend(Amend {
                subject: Subject::Temporary("unit".to_owned()),
                patch: Patch::merge(json!({"costCentre": "1"})).unwrap(),
                valid_from: Some(grunddata_registry::From::At("2026-01-01".parse().unwrap())),
                valid_to: None,
            })),
        ]).unwrap();
        let [role, unit, ronja, amended] = written.items.as_slice() else { panic!() };
        assert_eq!((amended.id, amended.version), (unit.id, 1));
        let data = stack.data(role.id, "2026-02-01").unwrap();
        assert_eq!(data["person"], json!({"id": ronja.id.to_string(), "display": "Ronja Ask"}));
        assert_eq!(data["organisation"]["id"], unit.id.to_string());
        assert_eq!(stack.data(unit.id, "2026-02-01").unwrap()["costCentre"], "1");
    }

    fn references_by_identifier_find_what_the_same_transaction_creates(stack: Stack) {
        let parent = json!({"name": {"sv": "A"}, "kind": "department", "identifiers": [{"scheme": "source:hr", "value": "17"}]});
        let child = json!({"name": {"sv": "B"}, "kind": "unit", "parent": {"identifier": {"scheme": "source:hr", "value": "17"}}});
        let written = stack.transact(vec![create(Organisation, child, "2026-01-01"), create(Organisation, parent, "2026-01-01")]).unwrap();
        let data = stack.data(written.items[0].id, "2026-02-01").unwrap();
        assert_eq!(data["parent"]["id"], written.items[1].id.to_string());
    }

    fn one_bad_operation_refuses_all_and_all_errors_are_named(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let refusal = stack.transact(vec![
            create(Organisation, organisation("B", "unit"), "2026-01-01"),
            create(Organisation, organisation("C", "nonsense"), "2026-01-01"),
            create(Organisation, json!({"kind": "unit"}), "2026-01-01"),
        ]).unwrap_err();
        let pointers: Vec<&str> = refusal.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/operations/1/data/kind", "/operations/2/data"]);
        let refusal = stack.transact(vec![
            create(Organisation, organisation("B", "unit"), "2026-01-01"),
            end(Organisation, id, "2026-01-01", None),
            replace(Organisation, id, organisation("B", "unit"), "2026-02-01").if_match(IfMatch::Version(9)),
            create(Role, json!({"kind": "employment", "organisation": {"id": "temp:nobody"}}), "2026-01-01"),
        ]).unwrap_err();
        let found: Vec<(&str, &str)> = refusal.errors.iter().map(|error| (error.pointer.as_str(), &*error.code)).collect();
        assert!(found.contains(&("/operations/1", "never-valid")), "{found:?}");
        assert!(found.contains(&("/operations/3/data/organisation", "unknown-temporary-id")), "{found:?}");
        assert_eq!(stack.states(id), ["2026-01-01 → open A"]);
        let counts = stack.registry.counts(&stack.system(), &grunddata_registry::At::now(&stack.system())).unwrap();
        assert_eq!(counts.values().sum::<u64>(), 1);
    }

    fn a_record_gets_one_version_and_one_instant(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let written = stack.transact(vec![
            replace(Organisation, id, organisation("B", "unit"), "2026-02-01").if_match(IfMatch::Version(1)),
            amend(Organisation, id, json!({"costCentre": "1"}), "2026-02-01", None).if_match(IfMatch::Version(1)),
            end(Organisation, id, "2027-01-01", None),
        ]).unwrap();
        assert!(written.items.iter().all(|item| item.version == 2 && item.outcome == Outcome::Updated));
        assert_eq!(stack.states(id), ["2026-01-01 → 2026-02-01 A", "2026-02-01 → 2027-01-01 B"]);
    }

    fn a_reorganisation_is_planned_as_one(stack: Stack) {
        let old = stack.id(create(Organisation, organisation("Gamla", "department"), "2020-01-01"));
        let unit_one = stack.id(create(Organisation, unit("Ett", old), "2020-01-01"));
        let unit_two = stack.id(create(Organisation, unit("Två", old), "2020-01-01"));
        let moved = |name: &str| json!({"name": {"sv": name}, "kind": "unit", "parent": {"id": "temp:new"}});
        let day = "2027-01-01";
        let written = stack.transact(vec![
            replace(Organisation, unit_one, moved("Ett"), day),
            replace(Organisation, unit_two, moved("Två"), day),
            named(create(Organisation, json!({"name": {"sv": "Nya"}, "kind": "department", "succeeds": [{"organisation": {"id": old.to_string()}, "kind": "rename"}]}), day), "new"),
            end(Organisation, old, day, None),
        ]).unwrap();
        let new = written.items[2].id;
        assert_eq!(stack.data(unit_one, "2026-12-31").unwrap()["parent"]["id"], old.to_string());
        assert_eq!(stack.data(unit_one, "2027-01-01").unwrap()["parent"]["id"], new.to_string());
        assert_eq!(stack.data(old, "2027-01-01"), Err(Code::NotValidThen));
        // No coordinate shows half of it.
        let reversal = stack.block_on(stack.registry.reverse(&stack.system(), Some(owner("a")), written.transaction.unwrap(), Note::default(), None)).unwrap();
        assert_eq!(reversal.items.len(), 4);
        assert_eq!(stack.data(unit_two, "2027-01-01").unwrap()["parent"]["id"], old.to_string());
        assert_eq!(stack.data(new, "2027-01-01"), Err(Code::Retracted));
    }

    fn a_repeated_reversal_answers_as_the_first(stack: Stack) {
        let written = stack.transact(vec![create(Organisation, organisation("A", "unit"), "2026-01-01")]).unwrap();
        let idempotency = grunddata_registry::Idempotency { key: "k".to_owned(), scope: "POST reversals".to_owned(), fingerprint: [7; 32] };
        let reverse = || stack.block_on(stack.registry.reverse(&stack.system(), Some(owner("a")), written.transaction.unwrap(), Note::default(), Some(idempotency.clone())));
        let first = reverse().unwrap();
        let again = reverse().unwrap();
        assert_eq!((again.transaction, again.items[0].version, again.items[0].replayed), (first.transaction, 2, true));
    }

    fn what_comes_back_to_what_it_was_makes_no_version(stack: Stack) {
        let id = stack.id(create(Organisation, organisation("A", "unit"), "2026-01-01"));
        let written = stack.transact(vec![
            replace(Organisation, id, organisation("B", "unit"), "2026-01-01"),
            replace(Organisation, id, organisation("A", "unit"), "2026-01-01"),
        ]).unwrap();
        assert_eq!((written.transaction, written.recorded_at), (None, None));
        assert!(written.items.iter().all(|item| item.version == 1 && item.outcome == Outcome::Unchanged));
        assert_eq!(stack.write(end(Organisation, id, "2026-06-01", None)).unwrap().version, 2);
    }

    fn what_was_built_upon_is_a_conflict_of_the_reversal(stack: Stack) {
        let written = stack.transact(vec![
            create(Organisation, organisation("A", "unit"), "2026-01-01"),
            create(Organisation, organisation("B", "unit"), "2026-01-01"),
        ]).unwrap();
        stack.write(amend(Organisation, written.items[1].id, json!({"costCentre": "1"}), "2026-02-01", None)).unwrap();
        let reverse = |id| stack.block_on(stack.registry.reverse(&stack.system(), Some(owner("a")), id, Note::default(), None));
        let refusal = reverse(written.transaction.unwrap()).unwrap_err();
        assert_eq!(refusal.code, Code::RevertConflict);
        assert_eq!(refusal.facts["conflicts"][0]["id"], written.items[1].id.to_string());
        assert_eq!(refusal.facts["conflicts"].as_array().unwrap().len(), 1);
        let unknown = reverse("01990c3e-0000-7000-8000-0000000000ff".parse().unwrap()).unwrap_err();
        assert_eq!(unknown.code, Code::UnknownTransaction);
    }

    fn a_transaction_is_for_one_owner(stack: Stack) {
        let theirs = created(create(Organisation, organisation("B", "unit"), "2026-01-01"), |create| create.envelope.owner = Some(owner("b")));
        let transaction = Transaction { owner: None, commands: vec![create(Organisation, organisation("A", "unit"), "2026-01-01"), theirs] };
        let refusal = stack.block_on(stack.registry.transact(&stack.system(), transaction, None)).unwrap_err();
        assert_eq!(refusal.code, Code::SeveralOwners);
        let empty = stack.block_on(stack.registry.transact(&stack.system(), Transaction::default(), None)).unwrap_err();
        assert_eq!(empty.code, Code::TooManyItems);
        let twice = stack.transact(vec![
            named(create(Organisation, organisation("A", "unit"), "2026-01-01"), "x"),
            named(create(Organisation, organisation("B", "unit"), "2026-01-01"), "x"),
        ]).unwrap_err();
        assert_eq!(twice.code, Code::DuplicateInTransaction);
    }

    fn a_load_is_one_list(stack: Stack) {
        let context = stack.system();
        let mut commands = vec![create(Organisation, json!({"name": {"sv": "Top"}, "kind": "department", "identifiers": [{"scheme": "source:hr", "value": "top"}]}), "2020-01-01")];
        for number in 0..700 {
            commands.push(create(Organisation, json!({
                "name": {"sv": format!("Enhet {number}")},
                "kind": "unit",
                "identifiers": [{"scheme": "source:hr", "value": number.to_string()}],
                "parent": {"identifier": {"scheme": "source:hr", "value": "top"}},
            }), "2020-01-01"));
        }
        let first = stack.registry.load_batch(&context, &owner("a"), commands.clone()).unwrap();
        assert_eq!(first.items.len(), 701);
        let again: Vec<Command> = commands.into_iter().map(|command| created(command, |create| create.matching = Some("source:hr".parse().unwrap()))).collect();
        let second = stack.registry.load_batch(&context, &owner("a"), again).unwrap();
        assert!(second.items.iter().all(|item| item.outcome == Outcome::Unchanged));
        assert_eq!(second.transaction, None);
    }
}
