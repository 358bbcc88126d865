//! Persons under protection, and whoever would lead to them: hidden in every read and write from those without the grant.

use grunddata_model::Domain::{Organisation, Person, Role};
use grunddata_model::RecordId;
use grunddata_registry::{
    At, Code, Context, Direction, LinksRequest, Note, Place, Query, SearchPage,
};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

fn protected(name: &str) -> Value {
    json!({"name": {"full": name}, "protection": {"level": "protected-registration"}})
}

fn search(
    stack: &Stack,
    context: &Context,
    domain: grunddata_model::Domain,
    q: Option<&str>,
) -> SearchPage {
    let parameters = q.map(|q| ("q", q)).into_iter().chain([("count", "exact")]);
    let query: Query = stack
        .registry
        .query(context, domain, parameters, Place::Body)
        .unwrap();
    stack.registry.search(context, &query).unwrap()
}

/// That the reader finds no trace of the record, as one who finds none at all.
fn is_hidden(stack: &Stack, reader: &Context, domain: grunddata_model::Domain, id: RecordId) {
    let at = At::now(reader);
    assert_eq!(
        stack.get_as(reader, id, &at).unwrap_err().code,
        Code::NotFound
    );
    assert_eq!(
        stack
            .registry
            .history(reader, None, id, &at, None, 10)
            .unwrap_err()
            .code,
        Code::NotFound
    );
    assert_eq!(
        stack
            .registry
            .timeline(reader, None, id, &at)
            .unwrap_err()
            .code,
        Code::NotFound
    );
    assert_eq!(
        stack
            .registry
            .version(reader, None, id, 1)
            .unwrap_err()
            .code,
        Code::NotFound
    );
    let page = search(stack, reader, domain, None);
    assert!(page.items.iter().all(|record| record.id != id));
    assert_eq!(page.total.unwrap().records, page.items.len() as u64);
    let counts = stack.registry.counts(reader, &at).unwrap();
    assert_eq!(
        counts.get(&domain).copied().unwrap_or_default(),
        page.items.len() as u64
    );
}

on_both! {
    using stack;

    fn who_identifies_a_protected_person_is_hidden_with_them(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let before = stack.id(create(Person, person("Ronja Ask"), "2026-01-01"));
        let child = stack.id(create(Person, json!({"name": {"full": "Barn"}, "relationships": [{"kind": "custodian", "person": {"id": before.to_string()}}]}), "2026-01-01"));
        let held = stack.id(create(Role, role(before, unit), "2026-01-01"));
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        assert!(stack.get_as(&reader, held, &At::now(&reader)).is_ok());
        // They come under protection after their role was written, and another has the protection first.
        stack.write(replace(Person, before, protected("Ronja Ask"), "2026-02-01")).unwrap();
        let later = stack.id(create(Person, protected("Birk"), "2026-01-01"));
        let role_of_later = stack.id(create(Role, role(later, unit), "2026-01-01"));
        for (domain, id) in [(Person, before), (Person, child), (Role, held), (Person, later), (Role, role_of_later)] {
            is_hidden(&stack, &reader, domain, id);
        }
        let request = LinksRequest { direction: Direction::In, ..LinksRequest::default() };
        let links = stack.registry.links(&reader, None, unit, &At::now(&reader), &request).unwrap();
        assert!(links.items.is_empty() && links.counts.is_empty());
        let admin = stack.as_actor("a", grunddata_registry::Role::Administrator);
        assert!(stack.get_as(&admin, held, &At::now(&admin)).is_ok());
        // A writer is answered as for an id that is not there.
        let writer = stack.stranger(grunddata_registry::Role::Editor);
        let unknown: RecordId = "01990c3e-0000-7000-8000-0000000000ff".parse().unwrap();
        for id in [held, unknown] {
            assert_eq!(stack.write_as(&writer, end(Role, id, "2026-06-01", None)).unwrap_err().code, Code::NotFound);
            assert_eq!(stack.write_as(&writer, revert(Role, id, 1)).unwrap_err().code, Code::NotFound);
        }
        let outside = stack.outsider(grunddata_registry::Role::Editor);
        let placed = created(create(Role, role(later, unit), "2026-01-01"), |create| create.envelope.owner = Some(owner("a")));
        let refusal = stack.write_as(&outside, placed).unwrap_err();
        assert_eq!(refusal.errors[0].code, Code::ReferenceNotFound.as_str());
    }

    fn the_referrers_that_are_told_are_those_that_are_seen(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2026-01-01"));
        let hidden = stack.id(create(Person, protected("Birk"), "2026-01-01"));
        let held = stack.id(create(Role, role(hidden, unit), "2026-01-01"));
        let writer = stack.stranger(grunddata_registry::Role::Editor);
        let written = stack.write_as(&writer, end(Organisation, unit, "2026-06-01", None));
        let text = format!("{written:?}");
        assert!(!text.contains(&held.to_string()) && !text.contains("1 record"), "{text}");
    }

    fn protection_does_not_go_with_the_end_or_the_retraction(stack: Stack) {
        let ended = stack.id(create(Person, protected("Ett"), "2026-01-01"));
        let retracted = stack.id(create(Person, protected("Två"), "2026-01-01"));
        let corrected = stack.id(create(Person, protected("Tre"), "2026-01-01"));
        stack.write(end(Person, ended, "2026-02-01", None)).unwrap();
        stack.write(retract(Person, retracted, None)).unwrap();
        // Somebody who sees it says that it is not so.
        stack.write(replace(Person, corrected, person("Tre"), "2026-01-01")).unwrap();
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        for id in [ended, retracted] {
            is_hidden(&stack, &reader, Person, id);
        }
        assert!(stack.get_as(&reader, corrected, &At::now(&reader)).is_ok());
        assert_eq!(stack.registry.version(&reader, None, corrected, 1).unwrap().items.len(), 0);
        let writer = stack.stranger(grunddata_registry::Role::Editor);
        assert_eq!(stack.write_as(&writer, revive(Person, retracted, person("Två"), "2026-01-01")).unwrap_err().code, Code::NotFound);
    }

    fn what_was_under_protection_was_not_retracted(stack: Stack) {
        let data = |from: &str, to_: &str| created(create(Person, protected("Ett"), from), |create| create.valid_to = to(to_));
        let id = stack.id(data("2020-01-01", "2021-01-01"));
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        // It has run out; the days that it covered stay hidden, and nothing is said of them.
        assert_eq!(stack.get_as(&reader, id, &At::now(&reader)).unwrap_err().code, Code::NotFound);
    }

    fn words_of_hidden_records_are_not_known(stack: Stack) {
        stack.id(create(Person, protected("Ronja Lindqvist"), "2026-01-01"));
        let seen = stack.id(create(Person, person("Birk Lindkvist"), "2026-01-01"));
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        // To a reader of the hidden one there is no typing error; to this one there is.
        let page = search(&stack, &reader, Person, Some("lindqvist"));
        assert_eq!(page.items.iter().map(|record| record.id).collect::<Vec<_>>(), [seen]);
    }

    fn a_transaction_with_hidden_records_is_not_undone(stack: Stack) {
        let written = stack.transact(vec![
            create(Person, protected("Ett"), "2026-01-01"),
            create(Person, person("Två"), "2026-01-01"),
        ]).unwrap();
        let writer = stack.as_actor("a", grunddata_registry::Role::Editor);
        let reversal = stack.registry.reverse(&writer, Some(owner("a")), written.transaction.unwrap(), Note::default(), None);
        let refusal = stack.block_on(reversal).unwrap_err();
        assert_eq!(refusal.code, Code::Forbidden);
        assert!(!format!("{refusal:?}").contains(&written.items[0].id.to_string()));
    }
}
