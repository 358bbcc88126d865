//! Uniqueness within the owner, as the scheme says; upserts.

use grunddata_model::Domain::{Geography, Organisation, Person, Role};
use grunddata_registry::{Code, Command, Outcome};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

fn area(name: &str, code: &str) -> Value {
    json!({"name": {"sv": name}, "kind": "municipality", "identifiers": [{"scheme": "se-municipality-code", "value": code}]})
}

fn numbered(name: &str, numbers: &[&str]) -> Value {
    let identifiers: Vec<Value> = numbers
        .iter()
        .map(|number| json!({"scheme": "se-personal-identity-number", "value": number}))
        .collect();
    json!({"name": {"full": name}, "identifiers": identifiers})
}

fn upsert(domain: grunddata_model::Domain, data: Value, scheme: &str, valid_from: &str) -> Command {
    created(create(domain, data, valid_from), |create| {
        create.matching = Some(scheme.parse().unwrap())
    })
}

on_both! {
    using stack;

    fn unique_at_date_means_on_no_common_day(stack: Stack) {
        let first = stack.id(created(create(Geography, area("A", "1917"), "2000-01-01"), |create| create.valid_to = to("2007-01-01")));
        let refusal = stack.refused(create(Geography, area("B", "1917"), "2006-12-31"));
        assert_eq!(refusal.code, Code::IdentifierInUse);
        assert_eq!(refusal.errors[0].pointer, "/identifiers/0");
        assert_eq!(refusal.facts["other"], first.to_string());
        stack.id(create(Geography, area("B", "1917"), "2007-01-01"));
        // The identifier's own period counts as well.
        let dated = json!({"name": {"sv": "C"}, "kind": "municipality", "identifiers": [{"scheme": "se-municipality-code", "value": "1917", "validTo": "2000-01-01"}]});
        stack.id(create(Geography, dated, "1990-01-01"));
        // Another owner has its own.
        stack.id(created(create(Geography, area("D", "1917"), "2000-01-01"), |create| create.envelope.owner = Some(owner("b"))));
    }

    fn unique_always_means_for_ever(stack: Stack) {
        let first = stack.id(create(Person, numbered("A", &["198112189876"]), "1981-12-18"));
        stack.write(replace(Person, first, numbered("A", &[]), "2026-01-01").clone()).unwrap();
        let refusal = stack.refused(create(Person, numbered("B", &["19811218-9876"]), "2026-02-01"));
        assert_eq!(refusal.code, Code::IdentifierInUse);
        stack.write(retract(Person, first, None)).unwrap();
        stack.id(create(Person, numbered("B", &["198112189876"]), "2026-02-01"));
    }

    fn a_clash_with_a_hidden_record_says_nothing_of_it(stack: Stack) {
        let mut hidden = numbered("Skyddad", &["198112189876"]);
        hidden["protection"] = json!({"level": "protected-registration"});
        let hidden = stack.id(create(Person, hidden, "1981-12-18"));
        let writer = stack.as_actor("a", grunddata_registry::Role::Editor);
        let refusal = stack.write_as(&writer, create(Person, numbered("B", &["198112189876"]), "2026-02-01")).unwrap_err();
        assert_eq!(refusal.code, Code::IdentifierInUse);
        let text = format!("{refusal:?}");
        assert!(!text.contains(&hidden.to_string()) && !text.contains("1981"), "{text}");
    }

    fn a_hidden_record_is_not_there_for_its_writers_either(stack: Stack) {
        let mut data = numbered("Skyddad", &["198112189876"]);
        data["protection"] = json!({"level": "protected-registration"});
        let hidden = stack.id(create(Person, data, "1981-12-18"));
        let writer = stack.stranger(grunddata_registry::Role::Editor);
        let code = |command| stack.write_as(&writer, command).unwrap_err().code;
        assert_eq!(code(amend(Person, hidden, json!({"sex": "female"}), "2026-01-01", None)), Code::NotFound);
        assert_eq!(code(end(Person, hidden, "2026-01-01", None)), Code::NotFound);
        // What could have meant to create is told that the id is taken; what names a version could not.
        assert_eq!(code(replace(Person, hidden, person("B"), "2026-01-01")), Code::PreconditionFailed);
        let plain = grunddata_registry::Command { if_match: None, ..replace(Person, hidden, person("B"), "2026-01-01") };
        assert_eq!(code(plain), Code::Forbidden);
        assert_eq!(code(created(create(Person, person("B"), "2026-01-01"), |create| create.id = Some(hidden))), Code::Forbidden);
        // Who may not create there either is told that alone, whether the number is in use or not.
        for number in ["198112189876", "199001019802"] {
            assert_eq!(code(upsert(Person, numbered("B", &[number]), "se-personal-identity-number", "2026-01-01")), Code::Forbidden);
        }
        // The owner's own writers know that there is somebody, and are told that much.
        let near = stack.as_actor("a", grunddata_registry::Role::Editor);
        assert_eq!(stack.write_as(&near, end(Person, hidden, "2026-01-01", None)).unwrap_err().code, Code::Forbidden);
        let admin = stack.as_actor("a", grunddata_registry::Role::Administrator);
        stack.write_as(&admin, amend(Person, hidden, json!({"sex": "female"}), "2026-01-01", None)).unwrap();
    }

    fn what_names_several_records_is_ambiguous(stack: Stack) {
        let apartment = |name: &str| json!({"name": {"sv": name}, "kind": "apartment", "identifiers": [{"scheme": "se-apartment-number", "value": "1001"}]});
        stack.id(create(Geography, apartment("Ett"), "2026-01-01"));
        stack.id(create(Geography, apartment("Två"), "2026-01-01"));
        assert_eq!(stack.refused(upsert(Geography, apartment("Tre"), "se-apartment-number", "2026-01-01")).code, Code::InvalidParameter);
        let room = json!({"name": {"sv": "Rum"}, "kind": "room", "within": [{"identifier": {"scheme": "se-apartment-number", "value": "1001"}}]});
        let refusal = stack.refused(create(Geography, room, "2026-01-01"));
        assert_eq!((refusal.code, refusal.errors[0].pointer.as_str()), (Code::ReferenceAmbiguous, "/within/0"));
    }

    fn unique_per_issuer(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("A", "unit"), "2020-01-01"));
        let numbered = |issuer: &str| json!({"kind": "employment", "organisation": {"id": unit.to_string()}, "identifiers": [{"scheme": "employee-number", "value": "17", "issuer": issuer}]});
        stack.id(create(Role, numbered("x"), "2026-01-01"));
        stack.id(create(Role, numbered("y"), "2026-01-01"));
        assert_eq!(stack.refused(create(Role, numbered("x"), "2026-02-01")).code, Code::IdentifierInUse);
    }

    fn two_records_swap_identifiers_in_one_transaction(stack: Stack) {
        let one = stack.id(create(Geography, area("A", "0180"), "2020-01-01"));
        let two = stack.id(create(Geography, area("B", "1480"), "2020-01-01"));
        assert_eq!(stack.refused(replace(Geography, one, area("A", "1480"), "2026-01-01")).code, Code::IdentifierInUse);
        let written = stack.transact(vec![
            replace(Geography, one, area("A", "1480"), "2026-01-01"),
            replace(Geography, two, area("B", "0180"), "2026-01-01"),
        ]).unwrap();
        assert_eq!(written.items.len(), 2);
        let context = stack.system();
        let found = stack.registry.by_identifier(&context, &grunddata_registry::At::on(day("2026-02-01")), "se-municipality-code:0180").unwrap();
        assert_eq!(found.items[0][0].record.id, two);
        let found = stack.registry.by_identifier(&context, &grunddata_registry::At::on(day("2025-02-01")), "se-municipality-code:0180").unwrap();
        assert_eq!(found.items[0][0].record.id, one);
    }

    fn an_upsert_heeds_the_version_that_was_seen(stack: Stack) {
        let asked = |name: &str, version| upsert(Geography, area(name, "0180"), "se-municipality-code", "2026-01-01").if_match(grunddata_registry::IfMatch::Version(version));
        assert_eq!(stack.refused(asked("A", 1)).code, Code::PreconditionFailed);
        stack.write(upsert(Geography, area("A", "0180"), "se-municipality-code", "2020-01-01")).unwrap();
        assert_eq!(stack.refused(asked("B", 2)).code, Code::PreconditionFailed);
        assert_eq!(stack.write(asked("B", 1)).unwrap().version, 2);
    }

    fn numbers_for_ever_lead_to_records_that_have_ended(stack: Stack) {
        let id = stack.id(create(Person, numbered("A", &["198112189876"]), "1981-12-18"));
        stack.write(replace(Person, id, numbered("A", &[]), "2026-01-01")).unwrap();
        stack.write(end(Person, id, "2026-02-01", None)).unwrap();
        let context = stack.system();
        let pair = [("se-personal-identity-number".to_owned(), "198112189876".to_owned())];
        let lookup = |on: &str| stack.registry.lookup(&context, &grunddata_registry::At::on(day(on)), &pair).unwrap();
        for (on, superseded) in [("2025-01-01", false), ("2026-01-15", true), ("2026-03-01", true)] {
            let found = lookup(on);
            assert_eq!((found.items[0].len(), found.items[0][0].record.id, found.items[0][0].superseded), (1, id, superseded), "{on}");
        }
        let query = stack.registry.query(&context, Person, [("identifier", "se-personal-identity-number:198112189876"), ("validAt", "2026-01-15")], grunddata_registry::Place::Body).unwrap();
        assert_eq!(stack.registry.search(&context, &query).unwrap().items.len(), 1);
    }

    fn an_upsert_creates_once_and_replaces_then(stack: Stack) {
        let first = stack.write(upsert(Geography, area("A", "0180"), "se-municipality-code", "2020-01-01")).unwrap();
        assert_eq!(first.outcome, Outcome::Created);
        let again = stack.write(upsert(Geography, area("A", "0180"), "se-municipality-code", "2021-01-01")).unwrap();
        assert_eq!((again.id, again.outcome), (first.id, Outcome::Unchanged));
        let changed = stack.write(upsert(Geography, area("B", "0180"), "se-municipality-code", "2026-01-01")).unwrap();
        assert_eq!((changed.id, changed.outcome, changed.version), (first.id, Outcome::Updated, 2));
        let none = upsert(Geography, json!({"name": {"sv": "A"}, "kind": "municipality"}), "se-municipality-code", "2020-01-01");
        assert_eq!(stack.refused(none).code, Code::NoMatchIdentifier);
        let unknown = upsert(Geography, area("A", "0180"), "se-municipality-cod", "2020-01-01");
        let refusal = stack.refused(unknown);
        assert_eq!((refusal.code, &refusal.facts["nearest"]), (Code::UnknownIdentifierScheme, &json!("se-municipality-code")));
    }

    fn concurrent_upserts_make_one_record(stack: Stack) {
        let context = stack.system();
        let written = stack.block_on(async {
            let send = || stack.registry.write(&context, upsert(Geography, area("A", "0180"), "se-municipality-code", "2020-01-01"), None);
            let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
            [a, b, c, d].map(Result::unwrap)
        });
        assert!(written.iter().all(|one| one.id == written[0].id));
        assert_eq!(written.iter().filter(|one| one.outcome == Outcome::Created).count(), 1);
    }

    fn lookups_find_old_numbers_for_ever_and_dated_ones_on_their_day(stack: Stack) {
        let id = stack.id(create(Person, numbered("A", &["198112189876"]), "1981-12-18"));
        stack.write(replace(Person, id, numbered("A", &["189001019802"]), "2020-01-01")).unwrap();
        let context = stack.system();
        let at = grunddata_registry::At::now(&context);
        let pair = |scheme: &str, value: &str| (scheme.to_owned(), value.to_owned());
        let asked = [
            pair("se-personal-identity-number", "19811218-9876"),
            pair("se-personal-identity-number", "189001019802"),
            pair("se-municipality-code", "0180"),
        ];
        let answer = stack.registry.lookup(&context, &at, &asked).unwrap();
        let shown: Vec<Vec<(grunddata_model::RecordId, bool)>> = answer.items.iter().map(|hits| hits.iter().map(|hit| (hit.record.id, hit.superseded)).collect()).collect();
        assert_eq!(shown, [vec![(id, true)], vec![(id, false)], vec![]]);
        let refusal = stack.registry.by_identifier(&context, &at, "se-personal-identity-number:198112189876").unwrap_err();
        assert_eq!(refusal.code, Code::PersonalIdentifierInAddress);
        let wrong = [pair("se-personal-identity-number", "198112189877"), pair("nonsense", "1")];
        let refusal = stack.registry.lookup(&context, &at, &wrong).unwrap_err();
        assert_eq!(refusal.errors.len(), 2);
        assert!(!format!("{refusal:?}").contains("198112189877"));
        assert_eq!(stack.registry.lookup(&context, &at, &[]).unwrap_err().code, Code::TooManyItems);
    }
}
