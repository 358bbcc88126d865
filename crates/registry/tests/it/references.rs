//! What a record refers to, and what happens when that goes away.

use grunddata_model::Domain::{Geography, Organisation, Person, Role, Service};
use grunddata_model::RecordId;
use grunddata_registry::{Code, OnUncovered};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

fn service(authority: RecordId, responsible: Option<RecordId>) -> Value {
    let mut data = json!({
        "name": {"sv": "Bygglov"},
        "kind": "public-service",
        "competentAuthority": {"id": authority.to_string()},
    });
    if let Some(id) = responsible {
        data["responsibleRole"] = json!({"id": id.to_string()});
    }
    data
}

on_both! {
    using stack;

    fn targets_must_exist_and_be_of_the_right_kind(stack: Stack) {
        let nobody: RecordId = "01990c3e-0000-7000-8000-0000000000ff".parse().unwrap();
        let organisation = stack.id(create(Organisation, organisation("A", "unit"), "2020-01-01"));
        let refusal = stack.refused(create(Role, role(nobody, organisation), "2026-01-01"));
        assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::ReferenceNotFound, "/person"));
        let refusal = stack.refused(create(Role, role(organisation, organisation), "2026-01-01"));
        assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::ReferenceWrongTarget, "/person"));
        let area = stack.id(create(Geography, json!({"name": {"sv": "Ort"}, "kind": "locality"}), "2020-01-01"));
        let workplace = json!({"kind": "employment", "organisation": {"id": organisation.to_string()}, "workplace": {"id": area.to_string()}});
        assert_eq!(stack.refused(create(Role, workplace, "2026-01-01")).code, Code::ReferenceWrongTarget);
        // All errors at once.
        let both = json!({"kind": "employment", "organisation": {"id": nobody.to_string()}, "workplace": {"id": area.to_string()}});
        let refusal = stack.refused(create(Role, both, "2026-01-01"));
        let pointers: Vec<&str> = refusal.errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers.len(), 2);
        assert!(pointers.contains(&"/organisation") && pointers.contains(&"/workplace"));
    }

    fn targets_must_hold_all_the_while(stack: Stack) {
        let target = stack.id(created(create(Organisation, organisation("A", "unit"), "2026-01-01"), |create| create.valid_to = to("2027-01-01")));
        let refusal = stack.refused(create(Organisation, unit("B", target), "2026-02-01"));
        assert_eq!(refusal.code, Code::ReferenceNotCovered);
        assert_eq!(refusal.facts["uncovered"], json!([{"validFrom": "2027-01-01", "validTo": null}]));
        stack.id(created(create(Organisation, unit("B", target), "2026-02-01"), |create| create.valid_to = to("2027-01-01")));
        let refusal = stack.refused(created(create(Organisation, unit("B", target), "2025-02-01"), |create| create.valid_to = to("2027-01-01")));
        assert_eq!(refusal.facts["uncovered"], json!([{"validFrom": "2025-02-01", "validTo": "2026-01-01"}]));
        let mut clipped = create(Organisation, unit("C", target), "2025-02-01");
        clipped.on_uncovered = OnUncovered::Clip;
        let written = stack.write(clipped).unwrap();
        assert_eq!(written.findings.len(), 1);
        assert!(stack.data(written.id, "2025-06-01").unwrap().get("parent").is_none());
        assert_eq!(stack.data(written.id, "2026-06-01").unwrap()["parent"]["id"], target.to_string());
        assert!(stack.data(written.id, "2027-06-01").unwrap().get("parent").is_none());
        let mut required = create(Service, service(target, None), "2025-02-01");
        required.on_uncovered = OnUncovered::Clip;
        assert_eq!(stack.refused(required).code, Code::ReferenceNotCovered);
    }

    fn restrict_refuses_and_lists_the_referrers(stack: Stack) {
        let parent = stack.id(create(Organisation, organisation("A", "department"), "2020-01-01"));
        let child = stack.id(create(Organisation, unit("B", parent), "2021-01-01"));
        let refusal = stack.refused(end(Organisation, parent, "2026-06-01", None));
        assert_eq!(refusal.code, Code::StillReferenced);
        assert_eq!(refusal.facts["referrerCount"], 1);
        assert_eq!(refusal.facts["referrers"][0]["id"], child.to_string());
        assert_eq!(refusal.facts["referrers"][0]["relation"], "parent");
        assert_eq!(refusal.facts["referrers"][0]["periods"], json!([{"validFrom": "2026-06-01", "validTo": null}]));
        assert_eq!(stack.refused(retract(Organisation, parent, None)).code, Code::StillReferenced);
        let gap = end(Organisation, parent, "2020-02-01", Some("2020-03-01"));
        stack.write(gap).unwrap();
        stack.write(end(Organisation, child, "2026-06-01", None)).unwrap();
        stack.write(end(Organisation, parent, "2026-06-01", None)).unwrap();
    }

    fn cascade_ends_referrers_the_same_day_and_theirs(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("A", "unit"), "2020-01-01"));
        let person = stack.id(create(Person, person("Ronja Ask"), "2020-01-01"));
        let employment = stack.id(create(Role, role(person, unit), "2021-01-01"));
        let mut placement = role(person, unit);
        placement["kind"] = json!("placement");
        placement["basedOn"] = json!({"id": employment.to_string()});
        let placement = stack.id(create(Role, placement, "2022-01-01"));
        let planned = stack.id(create(Role, role(person, unit), "2027-01-01"));
        let responsible = stack.id(create(Service, service(unit, Some(employment)), "2021-01-01"));
        let before = stack.now();
        let written = stack.write(end(Person, person, "2026-06-01", None)).unwrap();
        assert_eq!(written.version, 2);
        assert_eq!(stack.states(employment), ["2021-01-01 → 2026-06-01 -"]);
        assert_eq!(stack.states(placement), ["2022-01-01 → 2026-06-01 -"]);
        // What never came to be is no longer believed, but was.
        assert_eq!(stack.data(planned, "2027-02-01"), Err(Code::Retracted));
        assert!(stack.data_known(planned, "2027-02-01", before).is_ok());
        assert_eq!(stack.data(responsible, "2026-05-31").unwrap()["responsibleRole"]["id"], employment.to_string());
        assert!(stack.data(responsible, "2026-06-01").unwrap().get("responsibleRole").is_none());
        // One transaction, one instant.
        let context = stack.system();
        let at = grunddata_registry::At::now(&context);
        let of = |id| stack.registry.history(&context, None, id, &at, None, 1).unwrap().items.remove(0);
        assert_eq!(of(person).transaction, of(responsible).transaction);
        assert_eq!(of(person).recorded_at, of(placement).recorded_at);
        assert_eq!(of(placement).operation, "follow");
    }

    fn keep_needs_only_to_have_existed(stack: Stack) {
        let old = stack.id(created(create(Organisation, organisation("A", "unit"), "2010-01-01"), |create| create.valid_to = to("2020-01-01")));
        let new = stack.id(create(Organisation, json!({"name": {"sv": "B"}, "kind": "unit", "succeeds": [{"organisation": {"id": old.to_string()}, "kind": "rename"}]}), "2020-01-01"));
        stack.write(end(Organisation, old, "2015-01-01", None)).unwrap();
        let refusal = stack.refused(retract(Organisation, old, None));
        assert_eq!(refusal.code, Code::StillReferenced);
        stack.write(retract(Organisation, new, None)).unwrap();
        stack.write(retract(Organisation, old, None)).unwrap();
    }

    fn a_target_that_changes_its_kind_is_checked_like_one_that_ends(stack: Stack) {
        let place = |kind: &str| json!({"name": {"sv": "Huset"}, "kind": kind});
        let building = stack.id(create(Geography, place("building"), "2020-01-01"));
        let unit = stack.id(create(Organisation, json!({"name": {"sv": "A"}, "kind": "unit", "sites": [{"id": building.to_string()}]}), "2020-01-01"));
        stack.write(replace(Geography, building, place("site"), "2026-03-01")).unwrap();
        assert!(stack.data(unit, "2026-04-01").unwrap().get("sites").is_some());
        stack.write(replace(Geography, building, place("tract"), "2026-06-01")).unwrap();
        assert!(stack.data(unit, "2026-05-31").unwrap().get("sites").is_some());
        assert!(stack.data(unit, "2026-06-01").unwrap().get("sites").is_none());
    }

    fn only_referrers_of_the_same_owner_follow(stack: Stack) {
        let target = stack.id(create(Organisation, organisation("A", "unit"), "2020-01-01"));
        let theirs = created(create(Organisation, unit("B", target), "2021-01-01"), |create| create.envelope.owner = Some(owner("b")));
        let foreign = stack.id(theirs);
        stack.write(end(Organisation, target, "2026-06-01", None)).unwrap();
        assert_eq!(stack.states(foreign), ["2021-01-01 → open B"]);
        // What its own write does not touch is not asked again.
        stack.write(amend(Organisation, foreign, json!({"costCentre": "1"}), "2026-01-01", None)).unwrap();
        let late = created(create(Organisation, unit("C", target), "2026-07-01"), |create| create.envelope.owner = Some(owner("b")));
        assert_eq!(stack.refused(late).code, Code::ReferenceNotCovered);
    }

    fn hierarchies_hold_no_circle_at_any_date(stack: Stack) {
        let top = stack.id(create(Organisation, organisation("Top", "department"), "2020-01-01"));
        let middle = stack.id(create(Organisation, unit("Middle", top), "2020-01-01"));
        let bottom = stack.id(create(Organisation, unit("Bottom", middle), "2020-01-01"));
        for target in [bottom, middle, top] {
            let refusal = stack.refused(replace(Organisation, top, unit("Top", target), "2026-01-01"));
            assert_eq!(refusal.code, Code::HierarchyCycle);
        }
        // A reorganisation planned for next year, whose circle would only close then.
        stack.write(replace(Organisation, middle, organisation("Middle", "unit"), "2027-01-01")).unwrap();
        let until = |day: &str| replaced(replace(Organisation, top, unit("Top", middle), day), |replace| replace.valid_to = to("open"));
        let refusal = stack.refused(until("2026-06-01"));
        assert_eq!(refusal.code, Code::HierarchyCycle);
        assert_eq!(refusal.facts["period"], json!({"validFrom": "2026-06-01", "validTo": "2027-01-01"}));
        stack.write(until("2027-01-01")).unwrap();
        let refusal = stack.refused(replaced(replace(Organisation, middle, unit("Middle", bottom), "2027-06-01"), |replace| replace.valid_to = to("open")));
        assert_eq!(refusal.code, Code::HierarchyCycle);
    }

    fn hierarchies_by_kind_are_acyclic_per_kind(stack: Stack) {
        let a = stack.id(create(Organisation, organisation("A", "committee"), "2020-01-01"));
        let to = |kind: &str, id: RecordId| json!({"name": {"sv": "B"}, "kind": "committee", "affiliations": [{"kind": kind, "organisation": {"id": id.to_string()}}]});
        let b = stack.id(create(Organisation, to("answers-to", a), "2020-01-01"));
        stack.write(replace(Organisation, a, to("budget", b), "2026-01-01")).unwrap();
        let refusal = stack.refused(replace(Organisation, a, to("answers-to", b), "2026-01-01"));
        assert_eq!(refusal.code, Code::HierarchyCycle);
    }

    fn references_by_identifier_are_resolved_when_written(stack: Stack) {
        let numbered = |name: &str, number: &str| json!({"name": {"sv": name}, "kind": "municipality", "identifiers": [{"scheme": "se-organisation-number", "value": number}]});
        let municipality = stack.id(create(Organisation, numbered("A", "212000-2627"), "2020-01-01"));
        let child = |number: &str| json!({"name": {"sv": "B"}, "kind": "unit", "parent": {"identifier": {"scheme": "se-organisation-number", "value": number}}});
        let id = stack.id(create(Organisation, child("2120002627"), "2021-01-01"));
        assert_eq!(stack.data(id, "2026-01-01").unwrap()["parent"], json!({"id": municipality.to_string(), "display": "A"}));
        let refusal = stack.refused(create(Organisation, child("2120001355"), "2021-01-01"));
        assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::ReferenceNotFound, "/parent"));
    }
}
