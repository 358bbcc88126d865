//! What is withheld from somebody shows in nothing: not in how an answer is made, not in what a write answers.

use grunddata_information_model::PrivacyClass;
use grunddata_model::Domain::{Organisation, Person, Role, Service};
use grunddata_model::{Instant, RecordId};
use grunddata_registry::{
    Action, At, Code, Command, Context, Form, Got, Grant, Origin, Outcome, OwnerScope, Place,
    Refusal, Role as Granted, Written,
};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

/// Two persons, of whom the second alone has a legal guardian, which is of the class `protected`; and the guardian.
fn pair(stack: &Stack) -> ([RecordId; 2], RecordId) {
    let guardian = stack.id(create(Person, person("God Man"), "2020-01-01"));
    let custodian = stack.id(create(Person, person("Mor"), "2020-01-01"));
    let data = |guarded: bool| {
        let mut relationships =
            vec![json!({"kind": "custodian", "person": {"id": custodian.to_string()}})];
        if guarded {
            relationships.insert(
                0,
                json!({"kind": "legal-guardian", "person": {"id": guardian.to_string()}}),
            );
        }
        json!({"name": {"full": "Barn"}, "relationships": relationships})
    };
    let plain = stack.id(create(Person, data(false), "2020-01-01"));
    let guarded = stack.id(create(Person, data(true), "2020-01-01"));
    ([plain, guarded], guardian)
}

/// What was answered, without what tells the one record from the other.
fn said(id: RecordId, answer: Result<Written, Refusal>) -> String {
    format!("{answer:?}").replace(&id.to_string(), "ID")
}

on_both! {
    using stack;

    fn no_answer_to_a_write_tells_of_what_is_withheld(stack: Stack) {
        let (both, guardian) = pair(&stack);
        let editor = stack.as_actor("a", Granted::Editor);
        let seen = |id| -> Value { serde_json::from_str(&stack.get_as(&editor, id, &At::now(&editor)).unwrap().data).unwrap() };
        let bare = |mut data: Value| {
            for reference in data["relationships"].as_array_mut().into_iter().flatten() {
                reference["person"].as_object_mut().unwrap().remove("display");
            }
            data
        };
        let alike = |step: &str, write: &dyn Fn(RecordId) -> Command| -> String {
            stack.pass(1);
            let [one, other] = both.map(|id| said(id, stack.write_as(&editor, write(id))));
            assert_eq!(one, other, "{step}");
            assert_eq!(bare(seen(both[0])), bare(seen(both[1])), "{step}");
            for on in ["2021-01-01", "2026-03-01", "2027-01-01"] {
                let Ok(data) = stack.data(both[1], on) else { continue };
                assert!(data["relationships"].to_string().contains(&guardian.to_string()), "{step}, {on}: {data}");
                assert!(stack.data(both[0], on).is_ok_and(|data| !data.to_string().contains("legal-guardian")), "{step}");
            }
            one
        };
        let again = bare(seen(both[0]));
        assert!(alike("as it was read", &|id| replace(Person, id, again.clone(), "2020-01-01")).contains("Unchanged"));
        assert!(alike("replaced", &|id| replace(Person, id, person("Barn Ett"), "2024-01-01")).contains("Updated"));
        assert!(alike("again", &|id| replace(Person, id, person("Barn Ett"), "2024-01-01")).contains("Unchanged"));
        alike("before a planned state", &|id| replace(Person, id, person("Barn Ett"), "2022-01-01"));
        alike("planned", &|id| amend(Person, id, json!({"name": {"full": "Barn Två"}}), "2026-06-01", None));
        assert!(alike("planned is in the way", &|id| replace(Person, id, person("Barn Ett"), "2026-01-01")).contains("PlannedStates"));
        let custodian = again["relationships"][0].clone();
        alike("a list", &|id| amend(Person, id, json!({"relationships": [custodian, {"kind": "other", "person": custodian["person"]}]}), "2024-01-01", None));
        alike("a list is removed", &|id| amend(Person, id, json!({"relationships": null}), "2025-01-01", Some("2026-01-01")));
        alike("a position", &|id| amend(Person, id, json!([{"op": "test", "path": "/relationships/0/kind", "value": "custodian"}, {"op": "remove", "path": "/relationships/0"}]), "2024-01-01", Some("2024-06-01")));
        alike("a wrong position", &|id| amend(Person, id, json!([{"op": "test", "path": "/relationships/0/kind", "value": "legal-guardian"}]), "2024-01-01", None));
        alike("what may not be named", &|id| amend(Person, id, json!({"protection": null}), "2024-01-01", None));
        let guess = json!({"name": {"full": "Barn"}, "relationships": [{"kind": "legal-guardian", "person": {"id": guardian.to_string()}}]});
        assert!(alike("what may not be set", &|id| replace(Person, id, guess.clone(), "2024-01-01")).contains("Forbidden"));
        alike("reverted", &|id| revert(Person, id, 1));
        alike("ended", &|id| end(Person, id, "2027-06-01", None));
        alike("revived", &|id| revive(Person, id, person("Barn"), "2030-01-01"));
    }

    fn what_a_writer_cannot_read_it_does_not_probe(stack: Stack) {
        let (both, guardian) = pair(&stack);
        let scope = || OwnerScope::Owner(owner("a"));
        let writes = Grant { actions: [Action::Write].into(), ceiling: PrivacyClass::Protected, ..Grant::of(scope(), Granted::Editor) };
        let writer = stack.with_grants("writer", vec![Grant::of(scope(), Granted::Reader), writes]);
        let guess = json!({"kind": "legal-guardian", "person": {"id": guardian.to_string()}});
        for write in [
            |id, _: &Value| amend(Person, id, json!([{"op": "test", "path": "/relationships/0/kind", "value": "legal-guardian"}]), "2020-01-01", None),
            |id, guess: &Value| amend(Person, id, json!({"relationships": [guess]}), "2020-01-01", None),
            |id, guess: &Value| replace(Person, id, json!({"name": {"full": "Barn"}, "relationships": [guess]}), "2020-01-01"),
        ] {
            let [one, other] = both.map(|id| said(id, stack.write_as(&writer, write(id, &guess))));
            assert_eq!(one, other);
            assert!(one.starts_with("Err"), "{one}");
        }
    }

    fn a_withheld_reference_decides_nothing(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2020-01-01"));
        let holder = stack.id(create(Person, person("Ronja Ask"), "2020-01-01"));
        let held = stack.id(create(Role, role(holder, unit), "2020-01-01"));
        let service = |with: bool| {
            let mut data = json!({"name": {"sv": "T"}, "kind": "internal-service", "status": "active", "competentAuthority": {"id": unit.to_string()}});
            if with {
                data["responsibleRole"] = json!({"id": held.to_string()});
            }
            stack.id(create(Service, data, "2020-01-01"))
        };
        let (with, without) = (service(true), service(false));
        let anonymous = stack.anonymous();
        let as_of = |id| match stack.registry.get(&anonymous, None, id, &At::now(&anonymous), None).unwrap() {
            Got::Found(found) => found.as_of,
            Got::Merged { .. } | Got::Moved { .. } => panic!("merged"),
        };
        assert_eq!(as_of(with), as_of(without));
        // Nobody is logged as shown who is not.
        let (both, guardian) = pair(&stack);
        let reader = || stack.as_actor("a", Granted::Reader);
        let got = reader();
        stack.get_as(&got, both[1], &At::now(&got)).unwrap();
        let listed = reader();
        let query = stack.registry.query(&listed, Role, [], Place::Body).unwrap();
        assert_eq!(stack.registry.search(&listed, &query).unwrap().items.len(), 1);
        for context in [got, listed] {
            let records = context.disclosed.take().records;
            assert!(!records.is_empty() && !records.contains(&guardian), "{records:?}");
        }
    }

    fn of_a_placeholder_it_is_told_that_it_is_there(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "committee"), "2020-01-01"));
        let secret = || json!({"name": {"full": "Ronja"}, "protection": {"level": "protected-registration"}});
        let one = stack.id(created(create(Person, secret(), "2021-02-03"), |create| {
            create.envelope.controller = Some(school);
            create.envelope.origin = Origin::Copy { of: "Folkbokföringen".to_owned(), copied: None, received_at: None };
        }));
        let other = stack.id(create(Person, secret(), "2024-05-06"));
        stack.write(amend(Person, other, json!({"name": {"full": "Birk"}}), "2025-01-01", None)).unwrap();
        let reader = stack.as_actor("a", Granted::Reader);
        let seen = [one, other].map(|id| stack.get_as(&reader, id, &At::now(&reader)).unwrap());
        for record in &seen {
            assert_eq!(record.form, Form::Placeholder);
            assert_eq!((record.controller, &record.origin, record.version), (None, &Origin::Own, 0));
            assert_eq!((record.period, record.recorded_at), (grunddata_model::Period::ALWAYS, Instant::from_micros(0)));
        }
        assert_eq!(format!("{:?}", seen[0]).replace(&one.to_string(), "ID"), format!("{:?}", seen[1]).replace(&other.to_string(), "ID"));
    }

    fn what_may_be_done_is_offered_by_record(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "committee"), "2020-01-01"));
        let of = |controller: Option<RecordId>| stack.id(created(create(Person, person("Ronja"), "2020-01-01"), |create| create.envelope.controller = controller));
        let (own, of_school) = (of(None), of(Some(school)));
        let copy = stack.id(created(create(Person, person("Birk"), "2020-01-01"), |create| create.envelope.origin = Origin::Copy { of: "x".to_owned(), copied: None, received_at: None }));
        let scope = || OwnerScope::Owner(owner("a"));
        let of_own = Grant { controller: grunddata_registry::ControllerScope::Own, ..Grant::of(scope(), Granted::Editor) };
        let writer = stack.with_grants("writer", vec![Grant::of(scope(), Granted::Reader), of_own]);
        let ender = stack.with_grants("ender", vec![Grant { actions: [Action::Read, Action::End].into(), ..Grant::of(scope(), Granted::Reader) }]);
        let offers = |context: &Context, id| {
            let offers = stack.get_as(context, id, &At::now(context)).unwrap().offers;
            (offers.write, offers.end)
        };
        assert_eq!(offers(&writer, own), (true, true));
        assert_eq!(offers(&writer, of_school), (false, false));
        assert_eq!(offers(&writer, copy), (false, false));
        assert_eq!(offers(&ender, of_school), (false, true));
        assert_eq!(offers(&stack.as_actor("a", Granted::Reader), own), (false, false));
        assert_eq!(stack.write_as(&writer, end(Person, of_school, "2026-06-01", None)).unwrap_err().code, Code::Forbidden);
        assert_eq!(stack.write_as(&writer, end(Person, own, "2026-06-01", None)).unwrap().outcome, Outcome::Updated);
    }
}
