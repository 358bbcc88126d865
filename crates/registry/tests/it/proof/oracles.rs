//! Writes that could tell what is hidden: whoever may not see something learns no more of it by writing than by reading.

use grunddata_information_model::PrivacyClass;
use grunddata_model::Domain::{self, Organisation, Person, Role, Service};
use grunddata_model::RecordId;
use grunddata_registry::{
    At, Code, Command, Context, ControllerScope, Envelope, Grant, Idempotency, IfMatch, Note,
    OwnerScope, Place, Refusal, Role as Granted, Transaction, ValidationDraft,
};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

const ABSENT: &str = "01990c3e-0000-7000-8000-0000000000ff";

fn in_owner_a() -> Envelope {
    Envelope {
        owner: Some(owner("a")),
        ..Envelope::default()
    }
}

fn absent() -> RecordId {
    ABSENT.parse().unwrap()
}

fn grant(role: Granted) -> Grant {
    Grant::of(OwnerScope::Owner(owner("a")), role)
}

/// Writes for owner `a` and sees nothing of the class personal.
fn clerk(stack: &Stack) -> Context {
    stack.with_grants(
        "clerk",
        vec![Grant {
            ceiling: PrivacyClass::Internal,
            ..grant(Granted::Editor)
        }],
    )
}

/// Writes for owner `a`, for whom persons under protection are placeholders.
fn near(stack: &Stack) -> Context {
    stack.as_actor("a", Granted::Editor)
}

fn protected(name: &str) -> Value {
    json!({"name": {"full": name}, "protection": {"level": "protected-registration"}})
}

fn numbered(name: &str, scheme: &str, value: &str) -> Value {
    json!({"name": {"full": name}, "identifiers": [{"scheme": scheme, "value": value}]})
}

fn upsert(data: Value, domain: Domain, scheme: &str) -> Command {
    created(create(domain, data, "2026-02-01"), |create| {
        create.matching = Some(scheme.parse().unwrap())
    })
}

/// The refusals are the same, but for the id that was asked about.
#[track_caller]
fn alike(one: &Refusal, id: RecordId, other: &Refusal) {
    let said = |refusal: &Refusal, id: &str| format!("{refusal:?}").replace(id, "ID");
    assert_eq!(said(one, &id.to_string()), said(other, ABSENT));
}

/// A role with a rate that the clerk does not see.
fn role_with_rate(stack: &Stack) -> (RecordId, RecordId, RecordId) {
    let unit = stack.id(create(
        Organisation,
        organisation("Enheten", "unit"),
        "2026-01-01",
    ));
    let person = stack.id(create(Person, person("Birk"), "2026-01-01"));
    let mut data = role(person, unit);
    data["employmentRate"] = json!("75");
    data["position"] = json!("Lärare");
    data["identifiers"] = json!([{"scheme": "source:hr", "value": "17"}]);
    (stack.id(create(Role, data, "2026-01-01")), person, unit)
}

on_both! {
    using stack;

    fn a_patch_reads_nothing_that_its_writer_does_not_see(stack: Stack) {
        let (held, ..) = role_with_rate(&stack);
        let clerk = clerk(&stack);
        let before = stack.data(held, "2026-03-01").unwrap();
        let patched = |patch: Value| stack.write_as(&clerk, amend(Role, held, patch, "2026-02-01", None));
        let test = |value: &str| json!([
            {"op": "test", "path": "/employmentRate", "value": value},
            {"op": "replace", "path": "/position", "value": "Rektor"},
        ]);
        let (right, wrong) = (patched(test("75")).unwrap_err(), patched(test("50")).unwrap_err());
        assert_eq!(format!("{right:?}"), format!("{wrong:?}"));
        for op in ["copy", "move"] {
            let refusal = patched(json!([{"op": op, "from": "/employmentRate", "path": "/position"}])).unwrap_err();
            assert!(!format!("{refusal:?}").contains("75"), "{refusal:?}");
        }
        let (right, wrong) = (patched(json!({"employmentRate": "75"})), patched(json!({"employmentRate": "50"})));
        assert_eq!(format!("{:?}", right.unwrap_err()), format!("{:?}", wrong.unwrap_err()));
        assert_eq!(stack.data(held, "2026-03-01").unwrap(), before);
        // Whoever sees it may do all that.
        let editor = near(&stack);
        stack.write_as(&editor, amend(Role, held, test("75"), "2026-02-01", None)).unwrap();
        patched(json!([{"op": "replace", "path": "/position", "value": "Vikarie"}])).unwrap();
    }

    fn a_replacement_is_no_guess_at_what_is_withheld(stack: Stack) {
        let (held, person, unit) = role_with_rate(&stack);
        let clerk = clerk(&stack);
        let answer = |rate: &str| {
            let mut data = role(person, unit);
            data["position"] = json!("Lärare");
            data["employmentRate"] = json!(rate);
            data["identifiers"] = json!([{"scheme": "source:hr", "value": "17"}]);
            format!("{:?}", stack.write_as(&clerk, replace(Role, held, data, "2026-01-01")).map_err(|refusal| (refusal.code, refusal.detail)))
        };
        assert_eq!(answer("75"), answer("50"));
        assert!(answer("75").contains("Forbidden"), "{}", answer("75"));
    }

    fn an_identifier_that_is_withheld_is_neither_searched_nor_referred_to(stack: Stack) {
        let (held, _, unit) = role_with_rate(&stack);
        let clerk = clerk(&stack);
        let shown = stack.get_as(&clerk, held, &At::now(&clerk)).unwrap();
        assert!(!shown.data.contains("identifiers"), "{}", shown.data);
        let search = |value: &str| {
            let parameters = [("identifier", value), ("count", "exact")];
            let query = stack.registry.query(&clerk, Role, parameters, Place::Body).unwrap();
            stack.registry.search(&clerk, &query).map(|page| (page.items.len(), page.total)).map_err(|refusal| refusal.code)
        };
        assert_eq!(search("source:hr:17"), search("source:hr:18"));
        let service = |value: &str| {
            let data = json!({
                "name": {"sv": "Tjänst"}, "kind": "internal-service", "status": "active",
                "competentAuthority": {"id": unit.to_string()},
                "responsibleRole": {"identifier": {"scheme": "source:hr", "value": value}},
            });
            stack.write_as(&clerk, create(Service, data, "2026-02-01")).map_err(|refusal| (refusal.code, refusal.errors)).map(|_| ())
        };
        assert_eq!(format!("{:?}", service("17")), format!("{:?}", service("18")));
        let upserted = |value: &str| {
            let data = json!({"kind": "employment", "organisation": {"id": unit.to_string()}, "identifiers": [{"scheme": "source:hr", "value": value}]});
            let command = upsert(data, Role, "source:hr").if_match(IfMatch::Version(9));
            let plain = upsert(json!({"kind": "assignment", "organisation": {"id": unit.to_string()}, "identifiers": [{"scheme": "source:hr", "value": value}]}), Role, "source:hr");
            format!("{:?} {:?}", stack.write_as(&clerk, command), stack.write_as(&clerk, plain))
        };
        assert_eq!(upserted("17"), upserted("18"));
    }

    fn an_identifier_of_a_placeholder_is_in_use_and_nothing_more(stack: Stack) {
        let near = near(&stack);
        let with_number = |scheme: &str, value: &str| {
            let mut data = protected("Ronja Gömd");
            data["identifiers"] = json!([{"scheme": scheme, "value": value}]);
            stack.id(create(Person, data, "2026-01-01"))
        };
        let one = with_number("source:hr", "1");
        let seen = stack.get_as(&near, one, &At::now(&near)).unwrap();
        assert_eq!(seen.data, "{}", "a placeholder");
        let (scheme, value) = ("source:hr", "1");
        for who in [&near, &stack.stranger(Granted::Editor)] {
            let data = numbered("Någon", scheme, value);
            let Err(refusal) = stack.write_as(who, upsert(data, Person, scheme)) else {
                panic!("{scheme} is in use");
            };
            let said = format!("{refusal:?}");
            if who.actor.name != "stranger" {
                assert_eq!(refusal.code, Code::IdentifierInUse, "{said}");
            }
            assert!(!said.contains(&one.to_string()) && !said.contains("2 records"), "{said}");
        }
        let clash = stack.write_as(&near, create(Person, numbered("Någon", "source:hr", "1"), "2026-02-01")).unwrap_err();
        assert_eq!(clash.code, Code::IdentifierInUse);
        assert!(!format!("{clash:?}").contains(&one.to_string()), "{clash:?}");
    }

    fn every_write_to_a_hidden_id_is_answered_like_one_to_none(stack: Stack) {
        let hidden = stack.id(create(Person, protected("Birk"), "2026-01-01"));
        for who in [stack.stranger(Granted::Editor), stack.outsider(Granted::Editor), stack.as_actor("b", Granted::Editor)] {
            let commands = |id: RecordId| [
                amend(Person, id, json!({"sex": "female"}), "2026-02-01", None),
                amend(Person, id, json!([{"op": "test", "path": "/sex", "value": "male"}]), "2026-02-01", None),
                end(Person, id, "2026-06-01", None),
                retract(Person, id, None),
                retract(Person, id, Some(("2026-01-01", "2026-02-01"))),
                revert(Person, id, 1),
                revive(Person, id, person("Birk"), "2026-06-01"),
                replace(Person, id, person("Birk"), "2026-02-01"),
                replace(Person, id, person("Birk"), "2026-02-01").if_match(IfMatch::Version(1)),
                amend(Organisation, id, json!({"kind": "unit"}), "2026-02-01", None),
            ];
            for (of_hidden, of_none) in commands(hidden).into_iter().zip(commands(absent())) {
                let about = format!("{of_hidden:?}");
                let one = stack.write_as(&who, of_hidden).unwrap_err();
                let other = stack.write_as(&who, of_none).expect_err(&about);
                alike(&one, hidden, &other);
            }
        }
        // Under one's own UUID something is made where there is nothing; where there is, nothing is said of by what.
        let writer = stack.stranger(Granted::Editor);
        let seen = stack.id(created(create(Organisation, organisation("B", "unit"), "2026-01-01"), |create| create.envelope.owner = Some(owner("b"))));
        let plain = |id: RecordId| replaced(Command { if_match: None, ..replace(Person, id, person("Min"), "2026-02-01") }, |replace| replace.envelope.owner = Some(owner("a")));
        let taken = stack.write_as(&writer, plain(hidden)).unwrap_err();
        let foreign = stack.write_as(&writer, plain(seen)).unwrap_err();
        let said = |refusal: &Refusal, id: RecordId| format!("{refusal:?}").replace(&id.to_string(), "ID");
        assert_eq!(said(&taken, hidden), said(&foreign, seen));
    }

    fn a_reference_to_a_hidden_id_leads_nowhere_like_one_to_none(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let hidden = stack.id(create(Person, protected("Birk"), "2026-01-01"));
        let held = stack.id(create(Role, role(hidden, unit), "2026-01-01"));
        let outside = stack.outsider(Granted::Editor);
        let mine = stack.id(create(Person, person("Synlig"), "2026-01-01"));
        let in_a = |command: Command| created(command, |create| create.envelope.owner = Some(owner("a")));
        for (target, write) in [
            (hidden, Box::new(move |id: RecordId| in_a(create(Role, role(id, unit), "2026-02-01"))) as Box<dyn Fn(RecordId) -> Command>),
            (hidden, Box::new(move |id| amend(Person, mine, json!({"relationships": [{"kind": "custodian", "person": {"id": id.to_string()}}]}), "2026-02-01", None))),
            (held, Box::new(move |id| {
                let data = json!({"name": {"sv": "T"}, "kind": "internal-service", "status": "active", "competentAuthority": {"id": unit.to_string()}, "responsibleRole": {"id": id.to_string()}});
                in_a(create(Service, data, "2026-02-01"))
            })),
        ] {
            let one = stack.write_as(&outside, write(target)).unwrap_err();
            let other = stack.write_as(&outside, write(absent())).unwrap_err();
            alike(&one, target, &other);
            let transaction = |id| Transaction { owner: Some(owner("a")), commands: vec![write(id)] };
            let one = stack.block_on(stack.registry.transact(&outside, transaction(target), None)).unwrap_err();
            let other = stack.block_on(stack.registry.transact(&outside, transaction(absent()), None)).unwrap_err();
            alike(&one, target, &other);
        }
        let drafts = |id: RecordId| vec![ValidationDraft { envelope: in_owner_a(), ..ValidationDraft::new(Role, content(role(id, unit)), None) }];
        let faults = |id| format!("{:?}", stack.registry.validate(&outside, drafts(id)).unwrap()).replace(&id.to_string(), "ID");
        assert_eq!(faults(hidden), faults(absent()));
        let by_number = |value: &str| {
            let mut data = role(mine, unit);
            data["person"] = json!({"identifier": {"scheme": "source:hr", "value": value}});
            let written = format!("{:?}", stack.write_as(&outside, in_a(create(Role, data.clone(), "2026-02-01"))).unwrap_err());
            let drafts = vec![ValidationDraft { envelope: in_owner_a(), ..ValidationDraft::new(Role, content(data), None) }];
            (written, format!("{:?}", stack.registry.validate(&outside, drafts).unwrap()))
        };
        let mut numbered = protected("Två");
        numbered["identifiers"] = json!([{"scheme": "source:hr", "value": "77"}]);
        stack.id(create(Person, numbered, "2026-01-01"));
        assert_eq!(by_number("77"), by_number("78"));
    }

    fn hidden_referrers_are_neither_named_nor_counted(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "committee"), "2026-01-01"));
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let hidden = stack.id(create(Person, protected("Birk"), "2026-01-01"));
        let held = stack.id(create(Role, role(hidden, unit), "2026-01-01"));
        let seen = stack.id(create(Person, person("Synlig"), "2026-01-01"));
        let of_school = stack.id(created(create(Role, role(seen, unit), "2026-01-01"), |create| create.envelope.controller = Some(school)));
        let own = stack.with_grants("own", vec![Grant { controller: ControllerScope::Own, ..grant(Granted::Editor) }]);
        let near = near(&stack);
        for (who, unseen) in [(&own, vec![of_school]), (&near, vec![held])] {
            for command in [end(Organisation, unit, "2026-06-01", None), retract(Organisation, unit, None)] {
                let refusal = stack.write_as(who, command).unwrap_err();
                let said = format!("{refusal:?}");
                assert_eq!(refusal.code, Code::StillReferenced, "{said}");
                assert!(unseen.iter().all(|id| !said.contains(&id.to_string())) && !said.contains("2 records"), "{said}");
            }
        }
        // What follows without being seen is not named either.
        let followed = stack.block_on(stack.registry.transact(&own, Transaction { owner: Some(owner("a")), commands: vec![end(Person, seen, "2026-06-01", None)] }, None)).unwrap();
        assert!(followed.also.is_empty(), "{followed:?}");
    }

    fn a_circle_through_hidden_records_names_none_of_them(stack: Stack) {
        let of = |name: &str, controller: Option<RecordId>, parent: Option<RecordId>| {
            let mut data = organisation(name, "unit");
            if let Some(parent) = parent {
                data["parent"] = json!({"id": parent.to_string()});
            }
            stack.id(created(create(Organisation, data, "2026-01-01"), |create| {
                create.envelope.owner = Some(owner("b"));
                create.envelope.controller = controller;
            }))
        };
        let care = of("Vården", None, None);
        let top = of("A", None, None);
        let hidden = of("B", Some(care), Some(top));
        let low = of("C", None, Some(hidden));
        let own = stack.with_grants("own", vec![Grant { controller: ControllerScope::Own, ..Grant::of(OwnerScope::Owner(owner("b")), Granted::Editor) }]);
        assert_eq!(stack.get_as(&own, hidden, &At::now(&own)).unwrap_err().code, Code::NotFound);
        let refusal = stack.write_as(&own, amend(Organisation, top, json!({"parent": {"id": low.to_string()}}), "2026-02-01", None)).unwrap_err();
        assert_eq!(refusal.code, Code::HierarchyCycle);
        assert!(!format!("{refusal:?}").contains(&hidden.to_string()), "{refusal:?}");
    }

    fn a_difference_names_no_hidden_target(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let hidden = stack.id(create(Person, protected("Birk"), "2026-01-01"));
        let held = stack.id(create(Role, role(hidden, unit), "2026-01-01"));
        let data = |role: Option<RecordId>| {
            let mut data = json!({"name": {"sv": "T"}, "kind": "internal-service", "status": "active", "competentAuthority": {"id": unit.to_string()}});
            if let Some(role) = role {
                data["responsibleRole"] = json!({"id": role.to_string()});
            }
            data
        };
        let service = stack.id(create(Service, data(None), "2026-01-01"));
        stack.write(replace(Service, service, data(Some(held)), "2026-02-01")).unwrap();
        let outside = stack.outsider(Granted::Reader);
        let at = At::now(&outside);
        assert_eq!(stack.get_as(&outside, held, &at).unwrap_err().code, Code::NotFound);
        for told in [
            format!("{:?}", stack.registry.diff(&outside, None, service, 1, 2)),
            format!("{:?}", stack.registry.timeline(&outside, None, service, &at)),
            format!("{:?}", stack.registry.version(&outside, None, service, 2)),
            format!("{:?}", stack.get_as(&outside, service, &at)),
        ] {
            assert!(!told.contains(&held.to_string()), "{told}");
        }
    }

    fn a_coordinate_names_no_owner_that_is_hidden(stack: Stack) {
        let mine = stack.id(created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| create.envelope.owner = Some(owner("a"))));
        let reader = stack.as_actor("a", Granted::Reader);
        let told = |stack: &Stack| {
            let query = stack.registry.query(&reader, Organisation, [], Place::Body).unwrap();
            let page = stack.registry.search(&reader, &query).unwrap();
            let got = stack.registry.get(&reader, None, mine, &At::now(&reader), None).unwrap();
            format!("{:?} {got:?}", page.as_of)
        };
        let before = told(&stack);
        // Something happens elsewhere, at the same instant as far as the reader's clock goes.
        stack.write_as(&stack.system(), created(create(Organisation, organisation("B", "unit"), "2026-01-01"), |create| create.envelope.owner = Some(owner("b")))).unwrap();
        assert_eq!(told(&stack), before);
    }

    fn a_transaction_of_hidden_records_is_unknown(stack: Stack) {
        let hidden = stack.transact(vec![create(Person, protected("Ett"), "2026-01-01"), create(Person, protected("Två"), "2026-01-01")]).unwrap();
        let unknown: grunddata_model::TransactionId = ABSENT.parse().unwrap();
        let writer = stack.stranger(Granted::Editor);
        let reverse = |transaction| stack.block_on(stack.registry.reverse(&writer, Some(owner("a")), transaction, Note::default(), None)).unwrap_err();
        let id = hidden.transaction.unwrap();
        let said = format!("{:?}", reverse(id)).replace(&id.to_string(), "ID");
        assert_eq!(said, format!("{:?}", reverse(unknown)).replace(ABSENT, "ID"));
    }

    fn another_client_s_key_replays_nothing(stack: Stack) {
        let key = || Some(Idempotency { key: "k".to_owned(), scope: "POST persons".to_owned(), fingerprint: [1; 32] });
        let command = || create(Person, protected("Ett"), "2026-01-01");
        let steward = stack.as_actor("a", Granted::Steward);
        let first = stack.block_on(stack.registry.write(&steward, command(), key())).unwrap();
        let again = stack.block_on(stack.registry.write(&steward, command(), key())).unwrap();
        assert!(again.replayed && again.id == first.id);
        let other = stack.with_grants("other", vec![grant(Granted::Steward)]);
        let own = stack.block_on(stack.registry.write(&other, command(), key())).unwrap();
        assert!(!own.replayed && own.id != first.id);
        // With another request, too, the key of another says nothing.
        let stranger = stack.stranger(Granted::Editor);
        let refusal = stack.block_on(stack.registry.write(&stranger, create(Person, person("X"), "2026-01-01"), Some(Idempotency { fingerprint: [2; 32], ..key().unwrap() }))).unwrap_err();
        assert_ne!(refusal.code, Code::IdempotencyKeyReused, "{refusal:?}");
    }

    fn no_coordinate_lowers_the_level(stack: Stack) {
        // Protected for some years that are over; what was said of those years before is as secret as what is said now.
        let id = stack.id(create(Person, person("Ronja Förut"), "2020-01-01"));
        let before = stack.now();
        stack.write(amend(Person, id, json!({"protection": {"level": "protected-registration"}}), "2020-01-01", Some("2025-01-01"))).unwrap();
        let reader = stack.outsider(Granted::Reader);
        let at = |known| At { valid_at: day("2021-01-01"), known };
        assert_eq!(stack.get_as(&reader, id, &at(grunddata_registry::KnownAt::Latest)).unwrap_err().code, Code::NotFound);
        let earlier = stack.get_as(&reader, id, &at(grunddata_registry::KnownAt::Instant(before)));
        assert_eq!(earlier.map_err(|refusal| refusal.code).unwrap_err(), Code::NotFound);
    }
}
