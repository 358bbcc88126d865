//! What is shown of a record, by grant: classes of properties, controllers, and the forms of persons under protection.

use std::collections::BTreeSet;

use grunddata_information_model::PrivacyClass;
use grunddata_model::Domain::{self, Organisation, Person};
use grunddata_model::RecordId;
use grunddata_registry::{
    At, Code, Context, ControllerScope, Direction, Form, Grant, LinksRequest, NewOwner, OwnerScope,
    ProtectionPolicy, Query, Role,
};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

fn grant(role: Role) -> Grant {
    Grant::of(OwnerScope::Owner(owner("a")), role)
}

fn of_controller(role: Role, controller: ControllerScope) -> Grant {
    Grant {
        controller,
        ..grant(role)
    }
}

fn data(record: &grunddata_registry::Record) -> Value {
    serde_json::from_str(&record.data).unwrap()
}

fn list(
    stack: &Stack,
    context: &Context,
    domain: Domain,
    parameters: &[(&str, &str)],
) -> Result<Vec<RecordId>, Code> {
    let parameters = parameters.iter().copied().chain([("count", "exact")]);
    let query: Query = stack
        .registry
        .query(context, domain, parameters, grunddata_registry::Place::Body)
        .map_err(|refusal| refusal.code)?;
    let page = stack
        .registry
        .search(context, &query)
        .map_err(|refusal| refusal.code)?;
    assert_eq!(page.total.unwrap().records, page.items.len() as u64);
    Ok(page.items.iter().map(|record| record.id).collect())
}

/// A school and a care committee, with a pupil of the school under protection.
struct Municipality {
    school: RecordId,
    care: RecordId,
    class: RecordId,
    pupil: RecordId,
    held: RecordId,
}

fn municipality(stack: &Stack) -> Municipality {
    let school = stack.id(create(
        Organisation,
        organisation("Skolnämnden", "committee"),
        "2026-01-01",
    ));
    let care = stack.id(create(
        Organisation,
        organisation("Socialnämnden", "committee"),
        "2026-01-01",
    ));
    let class = stack.id(created(
        create(
            Organisation,
            organisation("Klass 4A", "student-group"),
            "2026-01-01",
        ),
        |create| {
            create.envelope.controller = Some(school);
        },
    ));
    let pupil = stack.id(create(
        Person,
        json!({
            "name": {"given": ["Ronja"], "family": "Hemlig"}, "birthDate": "2015-03-01",
            "protection": {"level": "confidentiality-marking"},
            "addresses": [{"kind": "registered", "thoroughfare": "Gömda gatan"}]
        }),
        "2026-01-01",
    ));
    let held = stack.id(created(
        create(Domain::Role, role(pupil, class), "2026-01-01"),
        |create| {
            create.envelope.controller = Some(school);
        },
    ));
    Municipality {
        school,
        care,
        class,
        pupil,
        held,
    }
}

on_both! {
    using stack;

    fn a_school_has_its_pupil_and_the_outside_world_has_nobody(stack: Stack) {
        let made = municipality(&stack);
        let teacher = stack.with_grants("teacher", vec![
            of_controller(Role::Editor, ControllerScope::Own),
            of_controller(Role::Editor, ControllerScope::Organisation(made.school)),
        ]);
        let at = At::now(&teacher);
        let pupil = stack.get_as(&teacher, made.pupil, &at).unwrap();
        assert_eq!(pupil.form, Form::NameOnly);
        assert_eq!(data(&pupil), json!({"name": {"given": ["Ronja"], "family": "Hemlig"}}));
        assert_eq!(pupil.display.as_deref(), Some("Ronja Hemlig"));
        let inward = LinksRequest { direction: Direction::In, ..LinksRequest::default() };
        let links = stack.registry.links(&teacher, None, made.class, &at, &inward).unwrap();
        assert_eq!(links.items.iter().map(|link| link.source).collect::<Vec<_>>(), [made.held]);
        // Shown, and found by nothing that it holds.
        assert_eq!(list(&stack, &teacher, Person, &[]).unwrap(), [made.pupil]);
        for condition in [("q", "Ronja"), ("name.family", "Hemlig"), ("birthDate", "2015-03-01"), ("sort", "name.family")] {
            assert!(list(&stack, &teacher, Person, &[condition]).unwrap().is_empty(), "{condition:?}");
        }
        assert_eq!(stack.registry.history(&teacher, None, made.pupil, &at, None, 5).unwrap_err().code, Code::Forbidden);
        assert_eq!(stack.write_as(&teacher, amend(Person, made.pupil, json!({"sex": "female"}), "2026-01-02", None)).unwrap_err().code, Code::Forbidden);
        // It can be placed in another class.
        let other = stack.id(created(create(Organisation, organisation("Klass 5A", "student-group"), "2026-01-01"), |create| {
            create.envelope.controller = Some(made.school);
        }));
        stack.write_as(&teacher, created(create(Domain::Role, role(made.pupil, other), "2026-01-02"), |create| {
            create.envelope.controller = Some(made.school);
        })).unwrap();
        // Others of the owner know that there is somebody; the care committee sees nothing of the school's.
        let near = stack.as_actor("a", Role::Reader);
        let seen = stack.get_as(&near, made.pupil, &at).unwrap();
        assert_eq!((seen.form, seen.data.as_str(), seen.display), (Form::Placeholder, "{}", None));
        assert!(stack.registry.links(&near, None, made.class, &at, &inward).unwrap().items.is_empty());
        let carer = stack.with_grants("carer", vec![of_controller(Role::Editor, ControllerScope::Organisation(made.care))]);
        let outsider = stack.outsider(Role::Reader);
        for nobody in [&carer, &outsider, &stack.anonymous()] {
            for id in [made.pupil, made.held] {
                let hidden = stack.get_as(nobody, id, &at).unwrap_err();
                let unknown: RecordId = "01990c3e-0000-7000-8000-0000000000ff".parse().unwrap();
                let absent = stack.get_as(nobody, unknown, &at).unwrap_err();
                assert_eq!(format!("{hidden:?}").replace(&id.to_string(), "ID"), format!("{absent:?}").replace(&unknown.to_string(), "ID"));
            }
            assert!(list(&stack, nobody, Person, &[]).unwrap().is_empty());
        }
        let steward = stack.as_actor("a", Role::Steward);
        assert_eq!(data(&stack.get_as(&steward, made.pupil, &at).unwrap())["protection"]["level"], "confidentiality-marking");
    }

    fn an_owner_decides_what_is_shown(stack: Stack) {
        let made = municipality(&stack);
        let policy = json!({"confidentiality-marking": {"sameOwner": "hidden", "sameController": "full"}});
        let policy = ProtectionPolicy::read(stack.registry.model(), &policy).unwrap();
        stack.registry.put_owner(&stack.system(), NewOwner {
            key: owner("a"), name: "A".to_owned(), organisation: None, open_data: true, protection: Some(policy),
        }).unwrap();
        let near = stack.as_actor("a", Role::Reader);
        assert_eq!(stack.get_as(&near, made.pupil, &At::now(&near)).unwrap_err().code, Code::NotFound);
        let teacher = stack.with_grants("teacher", vec![of_controller(Role::Reader, ControllerScope::Own)]);
        let pupil = stack.get_as(&teacher, made.pupil, &At::now(&teacher)).unwrap();
        assert_eq!((pupil.form, data(&pupil)["birthDate"].as_str()), (Form::Full, Some("2015-03-01")));
        // The level itself is of a class that the reader does not have.
        assert_eq!(data(&pupil).get("protection"), None);
        let owners = stack.registry.owners(&stack.system()).unwrap();
        let shown = owners.iter().find(|known| known.key == owner("a")).unwrap();
        assert_eq!(shown.protection, Some(policy));
        assert!(stack.registry.owners(&near).unwrap().iter().all(|known| known.protection.is_none()));
    }

    fn a_committee_writes_its_own_records(stack: Stack) {
        let made = municipality(&stack);
        let carer = stack.with_grants("carer", vec![of_controller(Role::Editor, ControllerScope::Subtree(made.care))]);
        let mine = |controller| move |create: &mut grunddata_registry::Create| create.envelope.controller = controller;
        // Below the committee.
        let mut below = organisation("Hemtjänsten", "unit");
        below["parent"] = json!({"id": made.care.to_string()});
        let unit = stack.id(created(create(Organisation, below, "2026-01-01"), mine(Some(made.care))));
        let carer_now = stack.with_grants("carer-now", vec![of_controller(Role::Editor, ControllerScope::Subtree(made.care))]);
        stack.write_as(&carer_now, created(create(Organisation, organisation("Lag 1", "unit"), "2026-01-01"), mine(Some(made.care)))).unwrap();
        for controller in [None, Some(made.school)] {
            let refusal = stack.write_as(&carer, created(create(Organisation, organisation("Lag 2", "unit"), "2026-01-01"), mine(controller))).unwrap_err();
            assert!(matches!(refusal.code, Code::Forbidden | Code::ReferenceNotFound), "{refusal:?}");
        }
        // Open data: seen, and not theirs.
        assert_eq!(stack.write_as(&carer, end(Organisation, made.class, "2026-06-01", None)).unwrap_err().code, Code::Forbidden);
        stack.write_as(&carer, end(Organisation, unit, "2026-06-01", None)).unwrap();
        // Who may write may not end, unless that is granted too.
        let writer = stack.with_grants("writer", vec![Grant {
            actions: BTreeSet::from([grunddata_registry::Action::Read, grunddata_registry::Action::Write]),
            ..grant(Role::Editor)
        }]);
        assert_eq!(stack.write_as(&writer, end(Organisation, made.class, "2026-06-01", None)).unwrap_err().code, Code::Forbidden);
    }

    fn an_editor_draws_no_records_into_a_subtree(stack: Stack) {
        let made = municipality(&stack);
        // The team answers for nothing itself; the office below it does.
        let team = stack.id(create(Organisation, organisation("Laget", "unit"), "2026-01-01"));
        let mut below = organisation("Kontoret", "unit");
        below["parent"] = json!({"id": team.to_string()});
        let office = stack.id(create(Organisation, below, "2026-01-01"));
        let case = created(create(Person, person("Disa"), "2026-01-01"), |create| create.envelope.controller = Some(office));
        stack.id(case);
        let plain = stack.id(create(Organisation, organisation("Fristående", "unit"), "2026-01-01"));
        let under = |parent: RecordId| json!({"parent": {"id": parent.to_string()}});
        let editor = stack.with_grants("editor", vec![grant(Role::Editor)]);
        for moved in [made.school, team, office] {
            let refusal = stack.write_as(&editor, amend(Organisation, moved, under(made.care), "2026-02-01", None)).unwrap_err();
            assert_eq!(refusal.code, Code::Forbidden, "{refusal:?}");
            assert_eq!(refusal.errors[0].pointer, "/parent");
        }
        // What answers for nothing is moved freely; a parent that stays longer, or is taken away, draws nothing in.
        stack.write_as(&editor, amend(Organisation, plain, under(made.care), "2026-02-01", None)).unwrap();
        stack.write_as(&editor, amend(Organisation, office, json!({"parent": null}), "2026-03-01", None)).unwrap();
        let refusal = stack.write_as(&editor, amend(Organisation, office, under(team), "2026-04-01", None)).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        stack.write_as(&stack.as_actor("a", Role::Administrator), amend(Organisation, office, under(team), "2026-03-01", None)).unwrap();
        stack.write_as(&stack.as_actor("a", Role::Administrator), amend(Organisation, made.school, under(made.care), "2026-02-01", None)).unwrap();
    }

    fn properties_beyond_the_class_are_neither_seen_nor_searched_nor_written(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let person = stack.id(create(Person, person("Birk"), "2026-01-01"));
        let mut held = role(person, unit);
        held["employmentRate"] = json!("75");
        held["title"] = json!({"sv": "Lärare"});
        let held = stack.id(create(Domain::Role, held, "2026-01-01"));
        let clerk = stack.with_grants("clerk", vec![Grant { ceiling: PrivacyClass::Internal, ..grant(Role::Editor) }]);
        let at = At::now(&clerk);
        let seen = stack.get_as(&clerk, held, &at).unwrap();
        assert_eq!(data(&seen).get("employmentRate"), None);
        assert_eq!(data(&seen).get("person"), None);
        assert_eq!(data(&seen)["title"]["sv"], "Lärare");
        assert!(seen.withheld.iter().any(|name| name == "employmentRate") && seen.withheld.iter().any(|name| name == "person"));
        let whole = stack.get_as(&stack.system(), held, &at).unwrap();
        assert!(whole.withheld.is_empty());
        assert_ne!(whole.hash, seen.hash, "another representation");
        // The link is a property too.
        let links = stack.registry.links(&clerk, None, held, &at, &LinksRequest { direction: Direction::Out, ..LinksRequest::default() }).unwrap();
        assert_eq!(links.items.iter().map(|link| link.target).collect::<Vec<_>>(), [unit]);
        assert_eq!(stack.get_as(&clerk, person, &at).unwrap_err().code, Code::NotFound);
        assert_eq!(list(&stack, &clerk, Domain::Role, &[("employmentForm", "permanent")]), Err(Code::Forbidden));
        assert_eq!(list(&stack, &clerk, Domain::Role, &[("kind", "employment")]).unwrap(), [held]);
        // Other properties are amended and replaced; what the clerk does not see stays as it is.
        stack.write_as(&clerk, amend(Domain::Role, held, json!({"title": {"sv": "Rektor"}}), "2026-02-01", None)).unwrap();
        let refusal = stack.write_as(&clerk, amend(Domain::Role, held, json!({"employmentRate": "100"}), "2026-02-01", None)).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        let mut other = role(person, unit);
        other.as_object_mut().unwrap().remove("person");
        other["title"] = json!({"sv": "Rektor"});
        stack.write_as(&clerk, replace(Domain::Role, held, other, "2026-02-15")).unwrap();
        let after = data(&stack.get_as(&stack.system(), held, &At::on("2026-03-01".parse().unwrap())).unwrap());
        assert_eq!((after["employmentRate"].as_str(), after["title"]["sv"].as_str()), (Some("75"), Some("Rektor")));
        assert_eq!(after["person"]["id"], json!(person));
        // What differs between versions in properties that are withheld is not told either.
        stack.write(amend(Domain::Role, held, json!({"employmentRate": "50"}), "2026-02-01", None)).unwrap();
        let told = format!("{:?}", stack.registry.diff(&clerk, None, held, 1, 3).unwrap());
        assert!(told.contains("Rektor") && !told.contains("employmentRate"), "{told}");
    }

    fn who_leads_to_a_hidden_person_is_shown_without_that(stack: Stack) {
        let made = municipality(&stack);
        // A place that is not identified by its holder, and a service whose responsible role is the pupil's.
        let near = stack.outsider(Role::Reader);
        let service = stack.id(create(Domain::Service, json!({
            "name": {"sv": "Skolskjuts"}, "kind": "internal-service", "status": "active",
            "competentAuthority": {"id": made.school.to_string()},
            "responsibleRole": {"id": made.held.to_string()}
        }), "2026-01-01"));
        let at = At::now(&near);
        let shown = stack.get_as(&near, service, &at).unwrap();
        assert!(!shown.data.contains(&made.held.to_string()), "{}", shown.data);
        assert!(data(&shown).get("competentAuthority").is_some());
        let whole = stack.get_as(&stack.system(), service, &at).unwrap();
        assert!(whole.data.contains(&made.held.to_string()));
    }
}
