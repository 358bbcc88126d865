//! Retention, holds, restrictions and erasure; and the register extract.

use grunddata_model::Domain::{Organisation, Person, Role as RoleDomain};
use grunddata_model::RecordId;
use grunddata_registry::{
    At, Code, Context, ControllerScope, Decision, ExtractController, ExtractOptions, ExtractReader,
    Grant, Keeping, MarkKind, NewDelivery, NewOwner, NewRetentionRule, Note, OwnerScope, Place,
    ProtectionPolicy, Role,
};
use grunddata_testing::on_both;
use serde_json::json;

use crate::stack::*;

fn decision(reference: &str) -> Decision {
    Decision {
        text: "Uppgifterna gallras enligt dokumenthanteringsplanen.".to_owned(),
        reference: reference.to_owned(),
    }
}

fn rule(
    domain: Option<grunddata_model::Domain>,
    kind: Option<&str>,
    keeping: Keeping,
) -> NewRetentionRule {
    NewRetentionRule {
        owner: owner("a"),
        controller: None,
        domain,
        kind: kind.map(str::to_owned),
        keeping,
        decision: decision("KS 2024/17 § 3"),
        valid_from: Some(day("2024-01-01")),
        valid_to: None,
    }
}

fn erase_after(years: u32) -> Keeping {
    Keeping::Erase { years }
}

/// A person with an employment, both ended on a day.
struct Former {
    person: RecordId,
    role: RecordId,
}

impl Stack {
    fn former(&self, name: &str, organisation: RecordId, ended: &str) -> Former {
        let person_id = self.id(create(Person, person(name), "2001-01-01"));
        let role = self.id(create(
            RoleDomain,
            role(person_id, organisation),
            "2001-01-01",
        ));
        self.write(end(RoleDomain, role, ended, None)).unwrap();
        self.write(end(Person, person_id, ended, None)).unwrap();
        Former {
            person: person_id,
            role,
        }
    }

    fn administrator(&self) -> Context {
        self.as_actor("a", Role::Administrator)
    }

    fn code(&self, id: RecordId) -> Option<Code> {
        let system = self.system();
        self.get_as(&system, id, &At::on(day("2005-01-01")))
            .err()
            .map(|refusal| refusal.code)
    }
}

on_both! {
    using stack;

    fn a_plan_erases_what_is_due_and_nothing_else(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2000-01-01"));
        let old = stack.former("Gamla Gerda", school, "2010-01-01");
        let held = stack.former("Hållna Hanna", school, "2010-01-01");
        let young = stack.former("Unge Ulf", school, "2025-01-01");
        let admin = stack.administrator();
        stack.registry.put_retention_rule(&admin, rule(Some(Person), None, erase_after(10))).unwrap();
        stack.registry.put_retention_rule(&admin, rule(Some(RoleDomain), None, erase_after(10))).unwrap();
        let kept = Keeping::Preserve { archive: Some("Stadsarkivet".to_owned()) };
        stack.registry.put_retention_rule(&admin, rule(Some(Organisation), None, kept)).unwrap();
        let steward = stack.as_actor("a", Role::Steward);
        let hold = stack.registry.put_mark(&steward, MarkKind::Hold, held.role, "Tvist i tingsrätten").unwrap();
        let plan = stack.registry.retention_plan(&steward, &owner("a")).unwrap();
        let ids = |list: &[grunddata_registry::Due]| list.iter().map(|due| due.id).collect::<Vec<_>>();
        assert_eq!(ids(&plan.erased), [old.person, old.role]);
        assert_eq!(ids(&plan.held), [held.role]);
        // What stays refers to it.
        assert_eq!(ids(&plan.referenced), [held.person]);
        assert_eq!(plan.referenced[0].referrers, [held.role]);
        assert_eq!(plan.erased[0].since, day("2020-01-01"));
        assert!(plan.preserved.is_empty(), "the school has not ended");
        // A plan changes nothing, and only an administrator carries it out.
        assert_eq!(stack.code(old.person), None);
        let refusal = stack.registry.run_retention(&steward, &owner("a"), &plan.token).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        let disposal = stack.registry.run_retention(&admin, &owner("a"), &plan.token).unwrap();
        assert!(disposal.finished_at.is_some());
        assert_eq!((disposal.content.planned, disposal.content.records.len(), disposal.content.left.len()), (2, 2, 0));
        assert_eq!(disposal.content.counts[&Person], 1);
        for id in [old.person, old.role] {
            assert_eq!(stack.code(id), Some(Code::Erased));
        }
        assert_eq!(stack.code(held.person), None);
        assert_eq!(stack.code(young.person), None);
        assert_eq!(stack.registry.disposals(&steward, &owner("a")).unwrap(), [disposal]);
        // The plan has been carried out: the same token names no plan any more.
        let refusal = stack.registry.run_retention(&admin, &owner("a"), &plan.token).unwrap_err();
        assert_eq!(refusal.code, Code::PlanChanged);
        // When the hold is lifted, the rest is due.
        assert_eq!(stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Hold, hold.id).unwrap(), held.role);
        let plan = stack.registry.retention_plan(&steward, &owner("a")).unwrap();
        assert_eq!(ids(&plan.erased), [held.person, held.role]);
    }

    fn the_rule_that_says_most_counts(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2000-01-01"));
        let one = stack.former("Enar", school, "2010-01-01");
        let admin = stack.administrator();
        let put = |rule| stack.registry.put_retention_rule(&admin, rule).unwrap();
        put(rule(None, None, erase_after(1)));
        let general = put(rule(Some(RoleDomain), None, erase_after(2)));
        let special = put(rule(Some(RoleDomain), Some("employment"), Keeping::Preserve { archive: None }));
        let plan = stack.registry.retention_plan(&admin, &owner("a")).unwrap();
        assert_eq!((plan.erased.len(), plan.referenced.len()), (0, 1));
        assert_eq!((plan.preserved[0].rule, plan.preserved[0].records), (special.id, 1));
        // A rule that has ended does not count.
        stack.registry.end_retention_rule(&admin, &owner("a"), special.id, Some(day("2026-02-01"))).unwrap();
        let plan = stack.registry.retention_plan(&admin, &owner("a")).unwrap();
        assert_eq!(plan.erased.iter().find(|due| due.id == one.role).unwrap().rule, general.id);
        let refusal = stack.registry.end_retention_rule(&admin, &owner("a"), special.id, None).unwrap_err();
        assert_eq!(refusal.code, Code::NotFound);
        assert_eq!(stack.registry.retention_rules(&admin, &owner("a")).unwrap().len(), 3);
    }

    fn what_is_preserved_goes_once_the_archive_has_it(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2000-01-01"));
        let old = stack.former("Gamla Gerda", school, "2010-01-01");
        let (admin, steward) = (stack.administrator(), stack.as_actor("a", Role::Steward));
        let kept = stack.registry.put_retention_rule(&admin, rule(None, None, Keeping::Preserve { archive: Some("Stadsarkivet".to_owned()) })).unwrap();
        let nowhere = stack.registry.put_retention_rule(&admin, rule(Some(Organisation), None, Keeping::Preserve { archive: None })).unwrap();
        let erasing = stack.registry.put_retention_rule(&admin, rule(Some(Organisation), Some("unit"), erase_after(500))).unwrap();
        let delivery = |of: &grunddata_registry::RetentionRule, delivered: &str| NewDelivery {
            owner: owner("a"), rule: of.id, archive: None, reference: "SA 2026/4".to_owned(), delivered: day(delivered),
        };
        let code = |context: &Context, new| stack.registry.put_delivery(context, new).unwrap_err().code;
        assert_eq!(code(&steward, delivery(&kept, "2026-02-01")), Code::Forbidden);
        assert_eq!(code(&admin, delivery(&erasing, "2026-02-01")), Code::InvalidParameter);
        assert_eq!(code(&admin, delivery(&nowhere, "2026-02-01")), Code::InvalidParameter);
        assert_eq!(code(&admin, delivery(&kept, "2026-03-02")), Code::InvalidParameter);
        assert_eq!(code(&admin, NewDelivery { rule: uuid::Uuid::nil(), ..delivery(&kept, "2026-02-01") }), Code::NotFound);
        assert_eq!(code(&admin, NewDelivery { reference: String::new(), ..delivery(&kept, "2026-02-01") }), Code::InvalidText);
        let plan = || stack.registry.retention_plan(&stack.as_actor("a", Role::Steward), &owner("a")).unwrap();
        assert_eq!((plan().erased.len(), plan().preserved[0].records), (0, 2));
        // A delivery of before the last change is not of what is here.
        stack.registry.put_delivery(&admin, delivery(&kept, "2026-03-01")).unwrap();
        assert_eq!((plan().erased.len(), plan().preserved[0].records), (0, 2));
        stack.pass(2 * 86_400);
        let admin = stack.administrator();
        let made = stack.registry.put_delivery(&admin, delivery(&kept, "2026-03-03")).unwrap();
        assert_eq!(made.archive, "Stadsarkivet");
        assert_eq!(stack.registry.deliveries(&steward, &owner("a")).unwrap().last(), Some(&made));
        let late = stack.former("Sena Siv", school, "2010-01-01");
        let now = plan();
        assert_eq!(now.erased.iter().map(|due| (due.id, due.since)).collect::<Vec<_>>(), [(old.person, day("2026-03-03")), (old.role, day("2026-03-03"))]);
        assert_eq!(now.preserved[0].records, 2, "what came later is not in the archive");
        let disposal = stack.registry.run_retention(&admin, &owner("a"), &now.token).unwrap();
        assert_eq!((disposal.content.records.len(), disposal.content.decisions[0].reference.as_str()), (2, "KS 2024/17 § 3"));
        assert_eq!((stack.code(old.person), stack.code(late.person)), (Some(Code::Erased), None));
    }

    fn single_records_are_erased_by_a_decision(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2000-01-01"));
        let person_id = stack.id(create(Person, person("Felaktig Fia"), "2001-01-01"));
        let role_id = stack.id(create(RoleDomain, role(person_id, school), "2001-01-01"));
        let (admin, steward) = (stack.administrator(), stack.as_actor("a", Role::Steward));
        let code = |context: &Context, ids: &[RecordId]| {
            stack.registry.erase(context, ids, decision("KS 2026/1")).unwrap_err().code
        };
        assert_eq!(code(&steward, &[person_id, role_id]), Code::Forbidden);
        assert_eq!(code(&stack.as_actor("b", Role::Administrator), &[person_id]), Code::NotFound);
        let refusal = stack.registry.erase(&admin, &[person_id], decision("KS 2026/1")).unwrap_err();
        assert_eq!(refusal.code, Code::StillReferenced);
        assert_eq!(refusal.facts["referrers"], json!([role_id.to_string()]));
        let hold = stack.registry.put_mark(&steward, MarkKind::Hold, person_id, "Begäran om utdrag").unwrap();
        assert_eq!(code(&admin, &[person_id, role_id]), Code::LegalHold);
        assert_eq!(stack.code(person_id), None);
        stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Hold, hold.id).unwrap();
        let disposal = stack.registry.erase(&admin, &[person_id, role_id], decision("KS 2026/1")).unwrap();
        assert_eq!(disposal.content.records.len(), 2);
        assert_eq!(code(&admin, &[person_id]), Code::Erased);
        let marks = stack.registry.marks(&steward, &owner("a"), MarkKind::Hold).unwrap();
        assert_eq!(marks[0].reason, "", "why there was a hold goes with the rest");
        // Nothing is written to it, and its id is not used again.
        let refusal = stack.refused(amend(Person, person_id, json!({"note": "x"}), "2026-01-01", None));
        assert!(matches!(refusal.code, Code::Erased | Code::InvalidData), "{refusal}");
        let refusal = stack.refused(replace(Person, person_id, person("Igen"), "2026-01-01"));
        assert_eq!(refusal.code, Code::Erased);
        let refusal = stack.registry.put_mark(&steward, MarkKind::Hold, person_id, "för sent").unwrap_err();
        assert_eq!(refusal.code, Code::Erased);
    }

    fn a_restricted_record_is_hidden_from_all_but_stewards(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2000-01-01"));
        let person_id = stack.id(create(Person, person("Rut"), "2001-01-01"));
        let role_id = stack.id(create(RoleDomain, role(person_id, school), "2001-01-01"));
        let (reader, editor) = (stack.as_actor("a", Role::Reader), stack.as_actor("a", Role::Editor));
        let steward = stack.as_actor("a", Role::Steward);
        let sees = |context: &Context, id| stack.get_as(context, id, &At::now(context)).map_err(|refusal| refusal.code).is_ok();
        assert!(sees(&reader, person_id) && sees(&reader, role_id));
        let refusal = stack.registry.put_mark(&editor, MarkKind::Restriction, person_id, "art. 18").unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        let mark = stack.registry.put_mark(&steward, MarkKind::Restriction, person_id, "art. 18").unwrap();
        for context in [&reader, &editor] {
            assert!(!sees(context, person_id) && !sees(context, role_id));
        }
        assert!(sees(&steward, person_id) && sees(&steward, role_id));
        // A later write does not lift it, nor does one that takes back a protection.
        let marked = json!({"name": {"full": "Rut"}, "protection": {"level": "confidentiality-marking"}});
        stack.write(replace(Person, person_id, marked, "2026-02-01")).unwrap();
        let unmarked = replace(Person, person_id, person("Rut"), "2001-01-01");
        stack.write_as(&steward, replaced(unmarked, |replace| replace.overwrite_planned = true)).unwrap();
        assert!(!sees(&reader, person_id));
        assert_eq!(stack.write_as(&editor, amend(Person, person_id, json!({"name": {"full": "R"}}), "2026-02-01", None)).unwrap_err().code, Code::NotFound);
        stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Restriction, mark.id).unwrap();
        assert!(sees(&reader, person_id) && sees(&reader, role_id));
    }

    fn a_restriction_hides_where_protection_does_not(stack: Stack) {
        let open = json!({"sameController": "full", "sameOwner": "full", "outside": "full"});
        let policy = json!({"local-protection": open, "confidentiality-marking": open, "protected-registration": open});
        let decided = NewOwner {
            key: owner("a"),
            name: "Owner a".to_owned(),
            organisation: None,
            open_data: true,
            protection: Some(ProtectionPolicy::read(stack.registry.model(), &policy).unwrap()),
        };
        stack.registry.put_owner(&stack.system(), decided).unwrap();
        let data = json!({"name": {"full": "Skyddad"}, "protection": {"level": "protected-registration"}});
        let person_id = stack.id(create(Person, data, "2001-01-01"));
        let (reader, outsider) = (stack.as_actor("a", Role::Reader), stack.outsider(Role::Reader));
        let steward = stack.as_actor("a", Role::Steward);
        let sees = |context: &Context| stack.get_as(context, person_id, &At::now(context)).is_ok();
        assert!(sees(&reader) && sees(&outsider));
        let mark = stack.registry.put_mark(&steward, MarkKind::Restriction, person_id, "art. 18").unwrap();
        assert!(!sees(&reader) && !sees(&outsider) && sees(&steward));
        let query = stack.registry.query(&reader, Person, [("count", "exact")], Place::Body).unwrap();
        assert_eq!(stack.registry.search(&reader, &query).unwrap().total.unwrap().records, 0);
        stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Restriction, mark.id).unwrap();
        assert!(sees(&reader));
    }

    fn what_is_restricted_is_not_erased(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2000-01-01"));
        let former = stack.former("Rut", school, "2010-01-01");
        let (admin, steward) = (stack.administrator(), stack.as_actor("a", Role::Steward));
        stack.registry.put_retention_rule(&admin, rule(None, None, erase_after(1))).unwrap();
        let plan = stack.registry.retention_plan(&admin, &owner("a")).unwrap();
        assert_eq!(plan.erased.len(), 2);
        let mark = stack.registry.put_mark(&steward, MarkKind::Restriction, former.role, "art. 18").unwrap();
        let refusal = stack.registry.erase(&admin, &[former.person, former.role], decision("KS 1")).unwrap_err();
        assert_eq!((refusal.code, &refusal.facts["held"]), (Code::LegalHold, &json!([former.role.to_string()])));
        assert_eq!(stack.registry.run_retention(&admin, &owner("a"), &plan.token).unwrap_err().code, Code::PlanChanged);
        assert_eq!(stack.code(former.role), None);
        stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Restriction, mark.id).unwrap();
        assert_eq!(stack.registry.run_retention(&admin, &owner("a"), &plan.token).unwrap().content.records.len(), 2);
    }

    fn lifting_a_restriction_leaves_a_protection(stack: Stack) {
        let data = json!({"name": {"full": "Skyddad"}, "protection": {"level": "protected-registration"}});
        let person_id = stack.id(create(Person, data, "2001-01-01"));
        let retracted = stack.id(create(Person, json!({"name": {"full": "Fel"}, "protection": {"level": "protected-registration"}}), "2001-01-01"));
        stack.write(retract(Person, retracted, None)).unwrap();
        let steward = stack.as_actor("a", Role::Steward);
        let outsider = stack.outsider(Role::Reader);
        for id in [person_id, retracted] {
            let mark = stack.registry.put_mark(&steward, MarkKind::Restriction, id, "art. 18").unwrap();
            stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Restriction, mark.id).unwrap();
            assert_eq!(stack.get_as(&outsider, id, &At::now(&outsider)).unwrap_err().code, Code::NotFound);
        }
    }

    fn an_extract_tells_everything_in_both_times(stack: Stack) {
        let board = stack.id(create(Organisation, organisation("Socialnämnden", "unit"), "2000-01-01"));
        let numbered = json!({"name": {"full": "Åsa Ek"}, "identifiers": [{"scheme": "se-personal-identity-number", "value": "199205042394"}]});
        let mut first = create(Person, numbered, "2001-01-01");
        first.note = Note { reason: Some("Flyttade in".to_owned()), source: Some("hr".to_owned()), ..Note::default() };
        let person_id = stack.id(first);
        stack.write(replace(Person, person_id, person("Åsa Ekdal"), "2001-01-01")).unwrap();
        let of_board = created(create(RoleDomain, role(person_id, board), "2010-01-01"), |create| create.envelope.controller = Some(board));
        let role_id = stack.id(of_board);
        stack.write(retract(RoleDomain, role_id, None)).unwrap();
        let other = stack.id(create(Person, person("Någon Annan"), "2001-01-01"));
        let steward = stack.as_actor("a", Role::Steward);
        let instant = stack.now();
        let reader = |unit: Option<&str>, actor: &str| ExtractReader {
            unit: unit.map(str::to_owned), actor: Some(actor.to_owned()), on_behalf_of: None, first: instant, last: instant, count: 2,
        };
        let readers = vec![reader(Some("Skolan"), "anna"), reader(Some("Skolan"), "bo"), reader(None, "cilla")];
        let options = ExtractOptions::default();
        let extract = stack.registry.extract_person(&steward, person_id, options).unwrap().with_readers(readers.clone(), true, false);
        assert_eq!(extract.records(), [person_id, role_id]);
        assert_eq!(extract.display.as_deref(), Some("Åsa Ekdal"));
        assert_eq!(extract.sources, ["hr"]);
        let names: Vec<&str> = extract.controllers.iter().map(|controller| controller.name.as_str()).collect();
        assert_eq!(names, ["Owner a", "Socialnämnden"]);
        let own = &extract.controllers[0].records[0];
        assert_eq!((own.states.len(), own.versions.len()), (2, 2));
        assert!(own.states[0].superseded_at.is_some() && own.states[1].superseded_at.is_none());
        assert_eq!(own.identifiers.len(), 1);
        assert!(!own.identifiers[0].believed);
        assert_eq!(own.versions[0].reason.as_deref(), Some("Flyttade in"));
        assert_eq!(own.referrers[0].record, role_id);
        let role = &extract.controllers[1].records[0];
        assert_eq!((role.id, role.states.len(), role.versions.len()), (role_id, 1, 2));
        assert!(role.links.iter().any(|link| link.record == board && link.display.as_deref() == Some("Socialnämnden")));
        let told = extract.readers.unwrap();
        assert_eq!(told.iter().map(|reader| (reader.unit.as_deref(), reader.count)).collect::<Vec<_>>(), [(None, 2), (Some("Skolan"), 4)]);
        assert!(told.iter().all(|reader| reader.actor.is_none()));
        assert!(own.versions.iter().all(|version| version.actor.is_none()));
        let by_name = stack.registry.extract_person(&steward, person_id, ExtractOptions { by_name: true, ..options }).unwrap().with_readers(readers, true, true);
        assert_eq!(by_name.readers.unwrap().len(), 3);
        assert_eq!(by_name.controllers[0].records[0].versions[0].actor.as_deref(), Some("test"));
        let text = serde_json::to_string(&by_name.controllers).unwrap();
        assert!(!text.contains(&other.to_string()) && text.contains("199205042394"));
        // It is for stewards, about persons, and noted as read.
        assert!(steward.disclosed.take().records.contains(&role_id));
        let code = |context: &Context, id| stack.registry.extract_person(context, id, ExtractOptions::default()).unwrap_err().code;
        assert_eq!(code(&stack.as_actor("a", Role::Reader), person_id), Code::Forbidden);
        assert_eq!(code(&stack.as_actor("b", Role::Steward), person_id), Code::NotFound);
        assert_eq!(code(&steward, board), Code::InvalidParameter);
        stack.registry.erase(&stack.administrator(), &[person_id, role_id], decision("KS 1")).unwrap();
        assert_eq!(code(&steward, person_id), Code::Erased);
    }

    fn a_committee_looks_after_its_own_records(stack: Stack) {
        let committee = |name: &str| stack.id(create(Organisation, organisation(name, "committee"), "2000-01-01"));
        let (school, care) = (committee("Skolnämnden"), committee("Socialnämnden"));
        let person_id = stack.id(create(Person, person("Åsa Ek"), "2001-01-01"));
        let of = |board: RecordId| stack.id(created(create(RoleDomain, role(person_id, board), "2010-01-01"), |create| create.envelope.controller = Some(board)));
        let (pupil, client) = (of(school), of(care));
        let of_school = |role: Role| Grant { controller: ControllerScope::Subtree(school), ..Grant::of(OwnerScope::Owner(owner("a")), role) };
        let shared = Grant { controller: ControllerScope::Own, ..Grant::of(OwnerScope::Owner(owner("a")), Role::Reader) };
        let steward = stack.with_grants("skolan", vec![of_school(Role::Steward), shared.clone()]);
        let extract = |context: &Context, controller: Option<ExtractController>| {
            stack.registry.extract_person(context, person_id, ExtractOptions { by_name: false, controller })
        };
        let all = extract(&stack.as_actor("a", Role::Steward), None).unwrap();
        assert_eq!(all.records().len(), 3);
        // What the committee keeps, and not what it may read of the shared records or what others keep.
        drop(steward.disclosed.take());
        let own = extract(&steward, None).unwrap();
        assert_eq!((own.records(), own.controllers[0].name.as_str(), own.display.as_deref()), (vec![pupil], "Skolnämnden", Some("Åsa Ek")));
        let text = serde_json::to_string(&own).unwrap();
        for hidden in [care.to_string(), client.to_string(), "Socialnämnden".to_owned()] {
            assert!(!text.contains(&hidden), "{text}");
        }
        let noted = steward.disclosed.take().records;
        assert!(noted.contains(&pupil) && !noted.contains(&client), "{noted:?}");
        assert!(own.controllers[0].records[0].links.iter().any(|link| link.record == person_id));
        // By controller, for who has all and for who has some.
        let of = |id| Some(ExtractController::Organisation(id));
        let whole = stack.as_actor("a", Role::Steward);
        assert_eq!(extract(&whole, of(care)).unwrap().records(), [client]);
        assert_eq!(extract(&whole, Some(ExtractController::Own)).unwrap().records(), [person_id]);
        assert_eq!(extract(&steward, of(school)).unwrap().records(), [pupil]);
        assert!(extract(&steward, of(care)).unwrap().records().is_empty());
        // Whoever reads and does not look after gets none.
        let reader = stack.with_grants("lärare", vec![of_school(Role::Editor), shared.clone()]);
        assert_eq!(extract(&reader, None).unwrap_err().code, Code::Forbidden);

        // Holds and restrictions.
        let put = |context: &Context, id| stack.registry.put_mark(context, MarkKind::Hold, id, "Tvist").map_err(|refusal| refusal.code);
        let of_care = put(&whole, client).unwrap();
        assert_eq!(put(&steward, person_id).unwrap_err(), Code::Forbidden);
        assert_eq!(put(&steward, client).unwrap_err(), Code::NotFound);
        let of_pupil = put(&steward, pupil).unwrap();
        let listed = stack.registry.marks(&steward, &owner("a"), MarkKind::Hold).unwrap();
        assert_eq!(listed.iter().map(|mark| mark.id).collect::<Vec<_>>(), [of_pupil.id]);
        assert_eq!(stack.registry.marks(&whole, &owner("a"), MarkKind::Hold).unwrap().len(), 2);
        let lift = |id| stack.registry.lift_mark(&steward, &owner("a"), MarkKind::Hold, id).map_err(|refusal| refusal.code);
        assert_eq!(lift(of_care.id).unwrap_err(), Code::NotFound);
        assert_eq!(lift(of_pupil.id).unwrap(), pupil);

        // Rules: by who administers the committee.
        let admin = stack.with_grants("skolchefen", vec![of_school(Role::Administrator), shared]);
        let put = |context: &Context, controller| stack.registry.put_retention_rule(context, NewRetentionRule { controller, ..rule(Some(RoleDomain), None, erase_after(10)) }).map_err(|refusal| refusal.code);
        for (context, controller) in [(&admin, None), (&admin, Some(care)), (&steward, Some(school))] {
            assert_eq!(put(context, controller).unwrap_err(), Code::Forbidden);
        }
        let general = put(&stack.administrator(), None).unwrap();
        let special = put(&admin, Some(school)).unwrap();
        let rules = stack.registry.retention_rules(&steward, &owner("a")).unwrap();
        assert_eq!(rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), [special.id]);
        let end = |id| stack.registry.end_retention_rule(&admin, &owner("a"), id, None).map_err(|refusal| refusal.code);
        assert_eq!(end(general.id).unwrap_err(), Code::NotFound);
        end(special.id).unwrap();
        // What reaches all is for who has all.
        assert_eq!(stack.registry.retention_plan(&admin, &owner("a")).unwrap_err().code, Code::Forbidden);
        let refusal = stack.registry.erase(&admin, &[pupil], decision("KS 1")).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
    }

    fn what_was_erased_is_erased_again_in_a_restored_copy(stack: Stack) {
        let school = stack.id(create(Organisation, organisation("Skolan", "unit"), "2000-01-01"));
        let gone = stack.former("Gallrade Gerda", school, "2010-01-01");
        let other = stack.former("Raderade Rut", school, "2010-01-01");
        let held = stack.former("Hållna Hanna", school, "2010-01-01");
        let kept = stack.former("Bevarade Bo", school, "2010-01-01");
        let steward = stack.as_actor("a", Role::Steward);
        let hold = stack.registry.put_mark(&steward, MarkKind::Hold, held.role, "Tvist").unwrap();
        let (now, copy) = stack.with_copy();
        // After the copy was made: two are erased, the hold is lifted and that one is erased too, and a new one comes and goes.
        let (admin, system) = (now.administrator(), now.system());
        now.pass(86_400);
        now.registry.erase(&admin, &[gone.person, gone.role], decision("KS 2026/1")).unwrap();
        now.registry.erase(&admin, &[other.person, other.role], decision("KS 2026/2")).unwrap();
        now.registry.lift_mark(&steward, &owner("a"), MarkKind::Hold, hold.id).unwrap();
        now.registry.erase(&admin, &[held.person, held.role], decision("KS 2026/3")).unwrap();
        let late = now.id(create(Person, person("Sena Siv"), "2001-01-01"));
        now.registry.erase(&admin, &[late], decision("KS 2026/4")).unwrap();
        assert_eq!(now.registry.erasures(&admin).unwrap_err().code, Code::Forbidden);
        let list = now.registry.erasures(&system).unwrap();
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(list.erasures.len(), 7);
        assert_eq!((list.erasures[0].decision.reference.as_str(), list.erasures[6].decision.reference.as_str()), ("KS 2026/1", "KS 2026/4"));
        assert!(!text.contains("Gerda") && !text.contains("Rut") && text.contains(&gone.person.to_string()));
        // Here all of it is erased already.
        let again = now.registry.erase_again(&system, &list).unwrap();
        assert_eq!((again.already, again.absent, again.disposals.len()), (7, 0, 0));
        // The copy has brought it back.
        let system = copy.system();
        assert_eq!((copy.code(gone.person), copy.code(other.role)), (None, None));
        assert_eq!(copy.registry.erase_again(&copy.administrator(), &list).unwrap_err().code, Code::Forbidden);
        let mut foreign = list.clone();
        foreign.erasures[0].owner = owner("b");
        assert_eq!(copy.registry.erase_again(&system, &foreign).unwrap_err().code, Code::InvalidParameter);
        foreign.format = "another".to_owned();
        assert_eq!(copy.registry.erase_again(&system, &foreign).unwrap_err().code, Code::InvalidParameter);
        assert_eq!(copy.code(gone.person), None, "a list that is wrong erases nothing");
        let again = copy.registry.erase_again(&system, &list).unwrap();
        let disposal = &again.disposals[0];
        assert_eq!((again.already, again.absent, again.disposals.len()), (0, 1, 1));
        assert_eq!((disposal.content.planned, disposal.content.records.len()), (6, 4));
        assert!(disposal.finished_at.is_some() && copy.registry.disposals(&steward, &owner("a")).unwrap().contains(disposal));
        let of_gone = disposal.content.records.iter().find(|record| record.id == gone.person).unwrap();
        assert_eq!(disposal.content.decisions[of_gone.decision].reference, "KS 2026/1");
        // What the hold keeps here is named, and with it the person that it refers to.
        assert_eq!((again.held.as_slice(), again.referenced.as_slice()), ([held.role].as_slice(), [(held.person, held.role)].as_slice()));
        for id in [gone.person, gone.role, other.person, other.role] {
            assert_eq!(copy.code(id), Some(Code::Erased));
        }
        assert_eq!((copy.code(held.person), copy.code(kept.person)), (None, None));
        // Once the hold is lifted the rest goes, and then there is nothing more to do.
        copy.registry.lift_mark(&steward, &owner("a"), MarkKind::Hold, hold.id).unwrap();
        let again = copy.registry.erase_again(&system, &list).unwrap();
        assert_eq!((again.already, again.disposals[0].content.records.len(), again.held.len()), (4, 2, 0));
        let again = copy.registry.erase_again(&system, &list).unwrap();
        assert_eq!((again.already, again.absent, again.disposals.len()), (6, 1, 0));
        assert_eq!(copy.registry.erasures(&system).unwrap().erasures.len(), 6);
        // Nobody is found by the names, on any day, and they are not in the file.
        for (name, found) in [("Gallrade", 0), ("Raderade", 0), ("Hållna", 0), ("Bevarade", 1)] {
            let query = copy.registry.query(&system, Person, [("q", name), ("validAt", "2005-01-01")].into_iter(), Place::Body).unwrap();
            assert_eq!(copy.registry.search(&system, &query).unwrap().items.len(), found, "{name}");
        }
        let findings = copy.registry.store().verify(&mut |_| {}).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
        let bytes = copy.bytes();
        let stands = |name: &str| bytes.windows(name.len()).any(|window| window == name.as_bytes());
        if !bytes.is_empty() {
            assert!(stands("Bevarade Bo") && !stands("Gerda") && !stands("Raderade") && !stands("Hanna"));
        }
    }

    fn rules_are_put_by_administrators_with_a_decision(stack: Stack) {
        let steward = stack.as_actor("a", Role::Steward);
        let code = |context: &Context, rule| stack.registry.put_retention_rule(context, rule).unwrap_err().code;
        assert_eq!(code(&steward, rule(None, None, erase_after(1))), Code::Forbidden);
        let admin = stack.administrator();
        let undecided = NewRetentionRule { decision: Decision { text: " ".to_owned(), reference: "x".to_owned() }, ..rule(None, None, erase_after(1)) };
        assert_eq!(code(&admin, undecided), Code::InvalidText);
        assert_eq!(code(&admin, rule(None, None, erase_after(501))), Code::InvalidParameter);
        let backwards = NewRetentionRule { valid_to: Some(day("2023-01-01")), ..rule(None, None, erase_after(1)) };
        assert_eq!(code(&admin, backwards), Code::InvalidPeriod);
        let nobody = NewRetentionRule { owner: owner("nobody"), ..rule(None, None, erase_after(1)) };
        assert_eq!(code(&stack.system(), nobody), Code::UnknownOwner);
        assert_eq!(stack.registry.retention_plan(&stack.as_actor("a", Role::Reader), &owner("a")).unwrap_err().code, Code::Forbidden);
    }
}
