//! References by identifier that are kept until a record gets the identifier.

use std::sync::atomic::AtomicBool;

use grunddata_information_model::PrivacyClass;
use grunddata_model::Domain::{Organisation, Person, Role};
use grunddata_model::RecordId;
use grunddata_registry::{
    At, Code, Command, Context, Decision, Grant, MarkKind, NewOwner, Note, OnUnresolved,
    OwnerScope, Role as Granted, Written,
};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::lossless::{out, read_into};
use crate::stack::*;

const NUMBER: &str = "199001012385";
const OTHER: &str = "198112189876";

fn number(value: &str) -> Value {
    json!({"scheme": "se-personal-identity-number", "value": value})
}

fn numbered(name: &str, value: &str) -> Value {
    json!({"name": {"full": name}, "identifiers": [number(value)]})
}

fn coded(name: &str, code: &str) -> Value {
    json!({"name": {"sv": name}, "kind": "unit", "identifiers": [{"scheme": "source:hr", "value": code}]})
}

/// An employment of somebody who is known by a number.
fn employed(organisation: RecordId, value: &str) -> Value {
    json!({"kind": "employment", "person": {"identifier": number(value)}, "organisation": {"id": organisation.to_string()}})
}

fn waiting(mut command: Command) -> Command {
    command.on_unresolved = OnUnresolved::Pending;
    command
}

fn school(stack: &Stack) -> RecordId {
    stack.id(create(
        Organisation,
        organisation("Skolan", "unit"),
        "2020-01-01",
    ))
}

fn listed(stack: &Stack, context: &Context) -> Vec<(RecordId, String)> {
    let page = stack
        .registry
        .pending_references(context, &owner("a"), None, 100)
        .unwrap();
    page.items
        .into_iter()
        .map(|item| (item.id, format!("{} {}", item.pointer, item.period)))
        .collect()
}

fn versions(stack: &Stack, id: RecordId) -> Vec<(u32, Option<String>, Option<String>)> {
    let context = stack.system();
    let page = stack
        .registry
        .history(&context, None, id, &At::now(&context), None, 10)
        .unwrap();
    page.items
        .into_iter()
        .map(|item| (item.version, item.actor, item.reason))
        .collect()
}

fn stands(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn look(stack: &Stack) -> usize {
    stack
        .registry
        .settle_references(&AtomicBool::new(false))
        .unwrap()
}

fn codes(written: &Written) -> Vec<&str> {
    written.findings.iter().map(|fault| &*fault.code).collect()
}

on_both! {
    using stack;

    fn a_reference_waits_for_its_target_and_leads_to_it_when_it_comes(stack: Stack) {
        let school = school(&stack);
        let command = || create(Role, employed(school, NUMBER), "2026-01-01");
        let refusal = stack.refused(command());
        assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::ReferenceNotFound, "/person"));
        let written = stack.write(waiting(command())).unwrap();
        assert_eq!(codes(&written), ["reference-not-found"]);
        let role = written.id;
        assert_eq!(stack.data(role, "2026-02-01").unwrap()["person"], json!({"identifier": number(NUMBER)}));
        assert_eq!(listed(&stack, &stack.system()), [(role, "/person [2026-01-01, open)".to_owned())]);
        let person = stack.id(create(Person, numbered("Åsa Ek", NUMBER), "2026-01-01"));
        assert_eq!(stack.data(role, "2026-02-01").unwrap()["person"]["id"], person.to_string());
        assert!(listed(&stack, &stack.system()).is_empty());
        let told = versions(&stack, role);
        assert_eq!((told.len(), told[0].0, told[0].1.as_deref()), (2, 2, Some("references")));
        assert!(told[0].2.as_ref().unwrap().contains("pending"));
        // From then on it is like any other.
        let refusal = stack.refused(end(Organisation, school, "2026-06-01", None));
        assert_eq!(refusal.code, Code::StillReferenced);
        stack.write(end(Person, person, "2026-06-01", None)).unwrap();
        assert!(stack.data(role, "2026-07-01").is_err());
        assert_eq!(look(&stack), 0);
    }

    fn one_transaction_needs_no_second_one(stack: Stack) {
        let school = school(&stack);
        let written = stack.transact(vec![
            waiting(create(Role, employed(school, NUMBER), "2026-01-01")),
            create(Person, numbered("Åsa Ek", NUMBER), "2026-01-01"),
            waiting(create(Role, employed(school, OTHER), "2026-01-01")),
        ]).unwrap();
        let [found, person, waits] = [0, 1, 2].map(|index| written.items[index].id);
        assert_eq!(stack.data(found, "2026-02-01").unwrap()["person"]["id"], person.to_string());
        assert_eq!(versions(&stack, found).len(), 1);
        assert_eq!(listed(&stack, &stack.system()), [(waits, "/person [2026-01-01, open)".to_owned())]);
    }

    fn what_does_not_fit_goes_on_waiting(stack: Stack) {
        let top = stack.id(create(Organisation, coded("Topp", "top"), "2020-01-01"));
        let below = json!({"name": {"sv": "Barn"}, "kind": "unit", "parent": {"identifier": {"scheme": "source:hr", "value": "late"}}});
        let child = stack.write(waiting(create(Organisation, below.clone(), "2020-01-01"))).unwrap().id;
        let second = stack.write(waiting(create(Organisation, below, "2020-01-01"))).unwrap().id;
        // The target holds for a part of the time: for the rest it goes on waiting.
        let late = stack.id(created(create(Organisation, coded("Sen", "late"), "2024-01-01"), |create| create.valid_to = to("2026-01-01")));
        for id in [child, second] {
            assert_eq!(stack.data(id, "2025-01-01").unwrap()["parent"]["id"], late.to_string());
            for day in ["2023-12-31", "2026-01-01"] {
                assert!(stack.data(id, day).unwrap()["parent"].get("identifier").is_some(), "{day}");
            }
        }
        let places = ["/parent [2020-01-01, 2024-01-01)", "/parent [2026-01-01, open)"];
        let listed: Vec<String> = listed(&stack, &stack.system()).into_iter().map(|(_, place)| place).collect();
        assert_eq!(listed, [places, places].concat());
        // It holds for longer.
        stack.write(revive(Organisation, late, coded("Sen", "late"), "2026-01-01")).unwrap();
        assert_eq!(stack.data(child, "2026-01-01").unwrap()["parent"]["id"], late.to_string());
        // A circle is never closed: the one stays, and others go.
        let up = json!({"parent": {"identifier": {"scheme": "source:hr", "value": "loop"}}});
        stack.write(waiting(amend(Organisation, top, up.clone(), "2020-01-01", None))).unwrap();
        stack.write(waiting(amend(Organisation, second, up, "2024-01-01", Some("2026-01-01")))).unwrap();
        let mut data = coded("Slinga", "loop");
        data["parent"] = json!({"id": top.to_string()});
        let circle = stack.id(create(Organisation, data, "2020-01-01"));
        assert!(stack.data(top, "2025-01-01").unwrap()["parent"].get("identifier").is_some());
        assert_eq!(stack.data(second, "2025-01-01").unwrap()["parent"]["id"], circle.to_string());
        assert_eq!(look(&stack), 0);
    }

    fn a_target_of_the_wrong_kind_is_none(stack: Stack) {
        let data = json!({"kind": "employment", "organisation": {"identifier": {"scheme": "source:hr", "value": "x"}}});
        let role = stack.write(waiting(create(Role, data, "2026-01-01"))).unwrap().id;
        let mut wrong = person("Åsa Ek");
        wrong["identifiers"] = json!([{"scheme": "source:hr", "value": "x"}]);
        stack.id(create(Person, wrong, "2026-01-01"));
        assert_eq!(listed(&stack, &stack.system()).len(), 1);
        assert!(stack.data(role, "2026-02-01").unwrap()["organisation"].get("identifier").is_some());
    }

    fn what_waits_is_no_obstacle_to_other_changes(stack: Stack) {
        let school = school(&stack);
        let role = stack.write(waiting(create(Role, employed(school, NUMBER), "2026-01-01"))).unwrap().id;
        let written = stack.write(amend(Role, role, json!({"employmentRate": "50"}), "2026-02-01", None)).unwrap();
        assert!(written.findings.is_empty());
        assert_eq!(stack.data(role, "2026-03-01").unwrap()["person"], json!({"identifier": number(NUMBER)}));
        // It is said again, and something else that leads nowhere is said.
        stack.write(replace(Role, role, employed(school, NUMBER), "2026-03-01")).unwrap();
        let refusal = stack.refused(replace(Role, role, employed(school, OTHER), "2026-03-01"));
        assert_eq!(refusal.code, Code::ReferenceNotFound);
        // A merge patch names another target, in one way at a time.
        let person = stack.id(create(Person, numbered("Bo Ek", OTHER), "2026-01-01"));
        let patch = json!({"person": {"id": person.to_string()}});
        stack.write(amend(Role, role, patch, "2026-04-01", None)).unwrap();
        assert_eq!(stack.data(role, "2026-05-01").unwrap()["person"]["id"], person.to_string());
        let patch = json!({"person": {"identifier": number(NUMBER)}});
        stack.write(amend(Role, role, patch, "2026-05-01", None)).unwrap();
        assert_eq!(stack.data(role, "2026-06-01").unwrap()["person"], json!({"identifier": number(NUMBER)}));
        // Back to a version in which it waited: it does again.
        let person = stack.id(create(Person, numbered("Åsa Ek", NUMBER), "2026-01-01"));
        assert!(listed(&stack, &stack.system()).is_empty());
        stack.write(revert(Role, role, 1)).unwrap();
        assert_eq!(listed(&stack, &stack.system()).len(), 1);
        assert_eq!((look(&stack), look(&stack)), (1, 0));
        assert_eq!(stack.data(role, "2026-01-01").unwrap()["person"]["id"], person.to_string());
    }

    fn whoever_may_not_see_the_identifier_does_not_see_what_waits_for_it(stack: Stack) {
        let school = school(&stack);
        let role = stack.write(waiting(create(Role, employed(school, NUMBER), "2026-01-01"))).unwrap().id;
        let grant = Grant {
            ceiling: PrivacyClass::Internal,
            ..Grant::of(OwnerScope::Owner(owner("a")), Granted::Reader)
        };
        let internal = stack.with_grants("internal", vec![grant]);
        let record = stack.get_as(&internal, role, &At::on(day("2026-02-01"))).unwrap();
        assert!(!record.data.contains(NUMBER), "{}", record.data);
        assert!(record.data.contains("organisation"));
        let refusal = stack.registry.pending_references(&internal, &owner("a"), None, 10).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        let reader = stack.as_actor("a", Granted::Reader);
        assert_eq!(listed(&stack, &reader).len(), 1);
        // Somebody under protection comes: with the person the employment is hidden from those who may not see them.
        let mut protected = numbered("Åsa Ek", NUMBER);
        protected["protection"] = json!({"level": "protected-registration"});
        stack.id(create(Person, protected, "2026-01-01"));
        assert!(stack.data(role, "2026-02-01").unwrap()["person"].get("id").is_some());
        assert!(listed(&stack, &reader).is_empty());
    }

    fn other_owners_targets_count_where_they_are_open_to_all(stack: Stack) {
        let school = school(&stack);
        let far = json!({"kind": "employment", "person": {"identifier": number(NUMBER)}, "organisation": {"identifier": {"scheme": "se-organisation-number", "value": "2120002403"}}});
        let role = stack.write(waiting(create(Role, far, "2026-01-01"))).unwrap().id;
        let elsewhere = |command| created(command, |create| create.envelope.owner = Some(owner("b")));
        let mut data = organisation("Grannkommunen", "municipality");
        data["identifiers"] = json!([{"scheme": "se-organisation-number", "value": "2120002403"}]);
        let foreign = stack.id(elsewhere(create(Organisation, data, "2020-01-01")));
        stack.id(elsewhere(create(Person, numbered("Åsa Ek", NUMBER), "2020-01-01")));
        // As long as the other owner's data is not open, nobody is led there without having asked.
        assert_eq!(look(&stack), 0);
        let open = NewOwner { key: owner("b"), name: "Owner b".to_owned(), organisation: None, open_data: true, protection: None };
        stack.registry.put_owner(&stack.system(), open).unwrap();
        assert_eq!((look(&stack), look(&stack)), (1, 0));
        let data = stack.data(role, "2026-02-01").unwrap();
        assert_eq!(data["organisation"]["id"], foreign.to_string());
        assert_eq!(data["person"], json!({"identifier": number(NUMBER)}));
        assert!(stack.data(school, "2026-01-01").is_ok());
    }

    fn many_that_wait_do_not_hold_up_the_write_that_they_wait_for(stack: Stack) {
        let school = school(&stack);
        let roles = |count: usize| (0..count).map(|_| waiting(create(Role, employed(school, NUMBER), "2026-01-01"))).collect();
        stack.transact(roles(250)).unwrap();
        assert!(!stack.registry.has_left_references());
        stack.id(create(Person, numbered("Åsa Ek", NUMBER), "2026-01-01"));
        // Some at once, the rest when somebody has time for them.
        assert_eq!(listed(&stack, &stack.system()).len(), 100);
        assert!(stack.registry.has_left_references());
        assert_eq!(stack.registry.settle_left(&AtomicBool::new(false)).unwrap(), 150);
        assert!(listed(&stack, &stack.system()).is_empty() && !stack.registry.has_left_references());
        // The same on a thread that may wait.
        let others = |count: usize| (0..count).map(|_| waiting(create(Role, employed(school, OTHER), "2026-01-01"))).collect();
        stack.transact(others(120)).unwrap();
        let command = create(Person, numbered("Bo Ek", OTHER), "2026-01-01");
        stack.registry.load_batch(&stack.system(), &owner("a"), vec![command]).unwrap();
        assert_eq!(listed(&stack, &stack.system()).len(), 20);
        assert_eq!(stack.registry.settle_left(&AtomicBool::new(false)).unwrap(), 20);
        // Whoever is to stop leaves the rest to be looked for.
        assert_eq!(look(&stack), 0);
    }

    fn a_reference_whose_number_is_not_shown_gives_way_to_another(stack: Stack) {
        let school = school(&stack);
        // The organisation of a role is internal, and a mail address is personal.
        let by_mail = |value: &str| json!({"identifier": {"scheme": "email", "value": value}});
        let data = |organisation: Value| json!({"kind": "employment", "organisation": organisation, "title": {"sv": "Lärare"}});
        let role = stack.write(waiting(create(Role, data(by_mail("skolan@umea.example")), "2026-01-01"))).unwrap().id;
        let grant = Grant {
            ceiling: PrivacyClass::Internal,
            ..Grant::of(OwnerScope::Owner(owner("a")), Granted::Editor)
        };
        let internal = stack.with_grants("internal", vec![grant]);
        let organisation = |on: &str| stack.data(role, on).unwrap()["organisation"].clone();
        // Something else is written: it stays.
        stack.write_as(&internal, amend(Role, role, json!({"title": {"sv": "Rektor"}}), "2026-02-01", None)).unwrap();
        assert_eq!(organisation("2026-03-01"), by_mail("skolan@umea.example"));
        // Another identifier, which the writer may not see, may not be named.
        let other = waiting(replace(Role, role, data(by_mail("annan@umea.example")), "2026-03-01"));
        assert_eq!(stack.write_as(&internal, other).unwrap_err().code, Code::Forbidden);
        // A record takes the place of the identifier, whole.
        let found = json!({"id": school.to_string()});
        stack.write_as(&internal, replace(Role, role, data(found.clone()), "2026-03-01")).unwrap();
        assert_eq!(organisation("2026-04-01")["id"], school.to_string());
        stack.write_as(&internal, amend(Role, role, json!({"organisation": found}), "2026-02-01", None)).unwrap();
        assert_eq!(organisation("2026-02-10")["id"], school.to_string());
        assert_eq!(organisation("2026-01-10"), by_mail("skolan@umea.example"));
    }

    fn the_number_of_who_is_erased_goes_from_what_waited_for_it(stack: Stack) {
        let school = school(&stack);
        let role = |value: &str, from: &str| stack.write(waiting(create(Role, employed(school, value), from))).unwrap().id;
        // One that is settled and then corrected, one that goes on waiting for days before, and one that waits for somebody else.
        let (was, late, other) = (role(NUMBER, "2026-01-01"), role(NUMBER, "2020-01-01"), role(OTHER, "2026-01-01"));
        stack.write(end(Role, late, "2025-01-01", None)).unwrap();
        let gone = stack.id(create(Person, numbered("Åsa Ek", NUMBER), "2026-01-01"));
        let stays = stack.id(create(Person, person("Bo Ek"), "2020-01-01"));
        let patch = json!({"person": {"id": stays.to_string()}});
        stack.write(amend(Role, was, patch, "2026-01-01", None)).unwrap();
        assert_eq!(listed(&stack, &stack.system()).len(), 2);
        let before = [was, late, other].map(|id| versions(&stack, id).len());
        assert!(stands(&out(&stack), NUMBER));
        let admin = stack.as_actor("a", Granted::Administrator);
        let erase = || {
            let decision = Decision { text: "Gallras.".to_owned(), reference: "KS 2026/1".to_owned() };
            stack.registry.erase(&admin, &[gone], decision)
        };
        // A hold on what holds the number keeps it there.
        let steward = stack.as_actor("a", Granted::Steward);
        let hold = stack.registry.put_mark(&steward, MarkKind::Hold, late, "Tvist").unwrap();
        assert_eq!(erase().unwrap_err().code, Code::LegalHold);
        stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Hold, hold.id).unwrap();
        let disposal = erase().unwrap();
        assert_eq!(disposal.content.records.len(), 1, "what waited is not erased");
        // Nothing waits for it any more; whoever did has a version that says so.
        assert_eq!(listed(&stack, &stack.system()).len(), 1);
        assert_eq!([was, late, other].map(|id| versions(&stack, id).len()), [before[0], before[1] + 1, before[2]]);
        assert_eq!(stack.data(late, "2021-01-01").unwrap().get("person"), None);
        assert_eq!(stack.data(was, "2026-02-01").unwrap()["person"]["id"], stays.to_string());
        assert_eq!(stack.data(other, "2026-02-01").unwrap()["person"], json!({"identifier": number(OTHER)}));
        let then = stack.registry.version(&stack.system(), None, was, 1).unwrap();
        let then = format!("{:?}", then.items);
        assert!(!then.contains(NUMBER) && then.contains("erased"), "{then}");
        let findings = stack.registry.store().verify(&mut |_| {}).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        // It is in no export, and what is exported is proven and stands in another registry as it is here.
        let file = out(&stack);
        assert!(!stands(&file, NUMBER) && stands(&file, OTHER));
        let copy = stack.other();
        read_into(&copy, &file).unwrap();
        assert_eq!(listed(&copy, &copy.system()).len(), 1);
        // Back to a version of before: without what was erased.
        stack.write(revert(Role, was, 1)).unwrap();
        assert_eq!(stack.data(was, "2026-02-01").unwrap().get("person"), None);
        stack.write(amend(Role, was, json!({"employmentRate": "50"}), "2026-03-01", None)).unwrap();
        let bytes = stack.bytes();
        assert!(!stands(&bytes, NUMBER));
        assert!(bytes.is_empty() || stands(&bytes, OTHER));
    }

    /// A number that stood with the erased one by mistake is that of whom it belongs to, whether known already or not.
    fn what_waits_for_somebody_else_goes_on_waiting(stack: Stack) {
        let school = school(&stack);
        let wrong = stack.id(create(Person, numbered("Åsa Ek", OTHER), "2026-01-01"));
        stack.write(amend(Person, wrong, json!({"identifiers": [number(NUMBER)]}), "2026-01-01", None)).unwrap();
        let role = stack.write(waiting(create(Role, employed(school, OTHER), "2026-01-01"))).unwrap().id;
        let admin = stack.as_actor("a", Granted::Administrator);
        let erase = |id| {
            let decision = Decision { text: "Gallras.".to_owned(), reference: "KS 2026/1".to_owned() };
            stack.registry.erase(&admin, &[id], decision).unwrap()
        };
        erase(wrong);
        assert_eq!(listed(&stack, &stack.system()).len(), 1);
        let bo = stack.id(create(Person, numbered("Bo Ek", OTHER), "2026-01-01"));
        assert_eq!(stack.data(role, "2026-02-01").unwrap()["person"]["id"], bo.to_string());
        // What waited once says still for whom.
        let then = format!("{:?}", stack.registry.version(&stack.system(), None, role, 1).unwrap().items);
        assert!(then.contains(OTHER) && !then.contains("erased"), "{then}");
        assert!(stack.registry.store().verify(&mut |_| {}).unwrap().is_empty());
    }

    fn what_waits_goes_with_the_registry_into_another(stack: Stack) {
        let school = school(&stack);
        let role = stack.write(waiting(create(Role, employed(school, NUMBER), "2026-01-01"))).unwrap().id;
        let other = stack.other();
        read_into(&other, &out(&stack)).unwrap();
        assert_eq!(listed(&other, &other.system()).len(), 1);
        let person = other.id(create(Person, numbered("Åsa Ek", NUMBER), "2026-01-01"));
        assert_eq!(other.data(role, "2026-02-01").unwrap()["person"]["id"], person.to_string());
        let note = Note { reason: Some("fel".to_owned()), ..Note::default() };
        other.write(retract(Role, role, None).note(note)).unwrap();
    }
}
