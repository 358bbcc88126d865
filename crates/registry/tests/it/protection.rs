//! Persons under protection, and whoever would lead to them: hidden in every read and write from those without the grant.

use grunddata_model::Domain::{Organisation, Person, Role};
use grunddata_model::RecordId;
use grunddata_registry::{
    Actor, At, Code, Context, Direction, Form, LinksRequest, Note, Origin, Place, Query, Refusal,
    SearchPage, Written,
};
use grunddata_testing::on_both;
use serde_json::{Value, json};

use crate::stack::*;

fn protected(name: &str) -> Value {
    json!({"name": {"full": name}, "protection": {"level": "protected-registration"}})
}

fn level(level: &str) -> Value {
    json!({"protection": {"level": level}})
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
        let steward = stack.as_actor("a", grunddata_registry::Role::Steward);
        stack.write_as(&steward, replace(Person, corrected, person("Tre"), "2026-01-01")).unwrap();
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        for id in [ended, retracted] {
            is_hidden(&stack, &reader, Person, id);
        }
        assert!(stack.get_as(&reader, corrected, &At::now(&reader)).is_ok());
        assert_eq!(stack.registry.version(&reader, None, corrected, 1).unwrap().items.len(), 0);
        let writer = stack.stranger(grunddata_registry::Role::Editor);
        assert_eq!(stack.write_as(&writer, revive(Person, retracted, person("Två"), "2026-01-01")).unwrap_err().code, Code::NotFound);
    }

    fn only_a_state_that_says_otherwise_takes_a_protection_back(stack: Stack) {
        let from_march = || {
            let id = stack.id(create(Person, person("Ronja Ask"), "2020-01-01"));
            stack.write(amend(Person, id, level("protected-registration"), "2026-03-01", None)).unwrap();
            id
        };
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2020-01-01"));
        let (ended, gap, retracted, whole) = (from_march(), from_march(), from_march(), from_march());
        let held = stack.id(create(Role, role(ended, unit), "2020-01-01"));
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        let hidden = |id| stack.get_as(&reader, id, &At::on(day("2026-02-01"))).is_err();
        stack.write(end(Role, held, "2026-02-20", None)).unwrap();
        stack.write(end(Person, ended, "2026-02-20", None)).unwrap();
        stack.write(end(Person, gap, "2026-02-25", Some("2026-05-01"))).unwrap();
        stack.write(retract(Person, retracted, Some(("2026-03-01", "2030-01-01")))).unwrap();
        stack.write(retract(Person, retracted, Some(("2030-01-01", "open")))).unwrap();
        stack.write(retract(Person, whole, None)).unwrap();
        for id in [ended, gap, retracted, whole, held] {
            assert!(hidden(id), "{id}");
        }
        // What is written elsewhere, and what is computed anew, does not lose it.
        for id in [ended, gap, retracted] {
            stack.write(amend(Person, id, json!({"formerNames": [{"family": "Ek"}]}), "2025-01-01", Some("2025-02-01"))).unwrap();
            assert!(hidden(id), "{id}");
            let mark = stack.registry.put_mark(&stack.system(), grunddata_registry::MarkKind::Restriction, id, "art. 18").unwrap();
            stack.registry.lift_mark(&stack.system(), &owner("a"), grunddata_registry::MarkKind::Restriction, mark.id).unwrap();
            assert!(hidden(id), "{id}");
        }
        // Said of some of the days, it stays for the others; said of all, it is taken back, and from the role as well.
        let steward = stack.as_actor("a", grunddata_registry::Role::Steward);
        let mut part = revive(Person, ended, person("Ronja Ask"), "2026-02-20");
        if let grunddata_registry::Operation::Revive(revive) = &mut part.operation {
            revive.valid_to = to("2026-06-01");
        }
        stack.write_as(&steward, part).unwrap();
        assert!(hidden(ended) && hidden(held));
        stack.write_as(&steward, revive(Person, ended, person("Ronja Ask"), "2026-06-01")).unwrap();
        assert!(!hidden(ended) && !hidden(held));
        stack.write_as(&steward, revive(Person, whole, person("Ronja Ask"), "2020-01-01")).unwrap();
        assert!(!hidden(whole));
    }

    fn a_copy_raises_a_protection_and_lowers_none(stack: Stack) {
        let id = stack.id(created(create(Person, person("Ronja Ask"), "2020-01-01"), |create| {
            create.envelope.origin = Origin::Copy { of: "Folkbokföringen".to_owned(), copied: None, received_at: None };
        }));
        let steward = stack.as_actor("a", grunddata_registry::Role::Steward);
        let feeder = stack.registry.context(Actor { feeds_copies: true, ..steward.actor.clone() }, "feed");
        let feed = |data: Value, from: &str, until: &str| stack.write_as(&feeder, replaced(replace(Person, id, data, from), |replace| {
            replace.overwrite_planned = true;
            replace.valid_to = to(until);
        }));
        let lowered = |outcome: Result<Written, Refusal>| {
            let refusal = outcome.unwrap_err();
            assert_eq!(refusal.code, Code::ProtectionLowered, "{refusal:?}");
        };
        feed(protected("Ronja Ask"), "2024-01-01", "2025-01-01").unwrap();
        feed(protected("Ronja Ask"), "2026-01-01", "open").unwrap();
        let marked = json!({"name": {"full": "Ronja Ask"}, "protection": {"level": "confidentiality-marking"}});
        // On no day of the timeline, whatever the others say.
        lowered(feed(person("Ronja Ask"), "2026-01-01", "open"));
        lowered(feed(person("Ronja Ask"), "2026-05-01", "2026-05-02"));
        lowered(feed(person("Ronja Ask"), "2024-06-01", "2024-06-02"));
        lowered(feed(marked, "2020-01-01", "open"));
        lowered(stack.write_as(&feeder, amend(Person, id, json!({"protection": null}), "2026-02-01", None)));
        lowered(stack.write_as(&feeder, revert(Person, id, 1)));
        // To keep it, to raise it and to end it is no lowering; to bring back without it what was ended is.
        feed(protected("Ronja Ek"), "2026-01-01", "open").unwrap();
        feed(protected("Ronja Ask"), "2022-01-01", "2023-01-01").unwrap();
        stack.write_as(&feeder, end(Person, id, "2026-02-01", None)).unwrap();
        lowered(stack.write_as(&feeder, revive(Person, id, person("Ronja Ask"), "2026-02-01")));
        lowered(stack.write_as(&feeder, revive(Person, id, person("Ronja Ask"), "2027-01-01")));
        stack.write_as(&feeder, revive(Person, id, protected("Ronja Ask"), "2026-02-01")).unwrap();
        // The owner's stewards decide of it, and of nothing else.
        let refused = |patch: Value| stack.write_as(&steward, amend(Person, id, patch, "2026-02-01", None)).unwrap_err().code;
        assert_eq!(refused(json!({"name": {"full": "Ronja"}})), Code::ReadOnlyCopy);
        assert_eq!(refused(json!({"name": {"full": "Ronja"}, "protection": null})), Code::ReadOnlyCopy);
        assert_eq!(stack.write_as(&steward, replace(Person, id, person("Ronja Ask"), "2026-02-01")).unwrap_err().code, Code::ReadOnlyCopy);
        stack.write_as(&steward, amend(Person, id, json!({"protection": null}), "2026-02-01", None)).unwrap();
        stack.write_as(&steward, amend(Person, id, level("local-protection"), "2026-05-01", None)).unwrap();
        lowered(feed(person("Ronja Ask"), "2026-05-01", "open"));
        // Nor does a feeder take it back from a record that is no copy.
        let own = stack.id(create(Person, protected("Birk"), "2020-01-01"));
        lowered(stack.write_as(&feeder, replace(Person, own, person("Birk"), "2020-01-01")));
        stack.write_as(&steward, replace(Person, own, person("Birk"), "2020-01-01")).unwrap();
    }

    fn what_was_held_under_a_protection_stays_hidden_with_it(stack: Stack) {
        let unit = stack.id(create(Organisation, organisation("Enheten", "unit"), "2019-01-01"));
        let id = stack.id(create(Person, person("Ronja Ask"), "2019-01-01"));
        let held = |data: Value, from: &str, until: &str| created(create(Role, data, from), |create| create.valid_to = to(until));
        let before = stack.id(held(role(id, unit), "2020-01-01", "2024-01-01"));
        let going_on = stack.id(create(Role, role(id, unit), "2020-01-01"));
        let ended_later = stack.id(create(Role, role(id, unit), "2020-01-01"));
        stack.write(amend(Person, id, json!({"protection": {"level": "protected-registration"}, "identifiers": [{"scheme": "se-personal-identity-number", "value": "199205042394"}]}), "2020-01-01", Some("2025-01-01"))).unwrap();
        let after = stack.id(held(role(id, unit), "2021-01-01", "2024-06-01"));
        stack.write(end(Role, ended_later, "2024-09-01", None)).unwrap();
        let amended = stack.id(held(role(id, unit), "2023-01-01", "2025-01-01"));
        stack.write(amend(Role, amended, json!({"title": {"sv": "Rektor"}}), "2023-06-01", None)).unwrap();
        let now = stack.id(create(Role, role(id, unit), "2025-06-01"));
        // Of the whole owner: the person is a placeholder then, and open now.
        let reader = stack.as_actor("a", grunddata_registry::Role::Reader);
        let at = |day_: &str| At::on(day(day_));
        assert_eq!(stack.get_as(&reader, id, &at("2022-01-01")).unwrap().form, Form::Placeholder);
        assert_eq!(stack.get_as(&reader, id, &at("2026-03-01")).unwrap().form, Form::Full);
        for (held, on) in [(before, "2022-01-01"), (after, "2022-01-01"), (ended_later, "2022-01-01"), (amended, "2023-03-01"), (amended, "2023-09-01")] {
            let seen = stack.get_as(&reader, held, &at(on)).unwrap();
            assert_eq!((seen.form, seen.data.as_str()), (Form::Placeholder, "{}"), "{held}");
        }
        // Nor is it written by who does not see it.
        let editor = stack.as_actor("a", grunddata_registry::Role::Editor);
        for held in [before, after, ended_later, amended] {
            assert_eq!(stack.write_as(&editor, amend(Role, held, json!({"position": "x"}), "2023-01-01", None)).unwrap_err().code, Code::Forbidden);
        }
        // The very state that goes on without the protection is shown, and so is what came after.
        for held in [going_on, now] {
            assert_eq!(stack.get_as(&reader, held, &at("2026-03-01")).unwrap().form, Form::Full);
        }
        let mut query = stack.registry.query(&reader, Role, [("kind", "employment")], Place::Body).unwrap();
        query.at = at("2022-01-01");
        let found: Vec<_> = stack.registry.search(&reader, &query).unwrap().items.iter().map(|record| record.id).collect();
        assert_eq!(found, [going_on]);
        // A number that was held in those years alone leads to nobody.
        let lookup = |context: &Context, scheme: &str, value: &str| {
            let pair = (scheme.to_owned(), value.to_owned());
            stack.registry.lookup(context, &At::now(context), &[pair]).unwrap().items[0].len()
        };
        assert_eq!(lookup(&reader, "se-personal-identity-number", "199205042394"), 0);
        assert_eq!(lookup(&stack.as_actor("a", grunddata_registry::Role::Steward), "se-personal-identity-number", "199205042394"), 1);
        // Who says that it never was takes it back from the roles too.
        let steward = stack.as_actor("a", grunddata_registry::Role::Steward);
        stack.write_as(&steward, amend(Person, id, json!({"protection": null}), "2020-01-01", Some("2025-01-01"))).unwrap();
        for held in [before, after, ended_later] {
            assert_eq!(stack.get_as(&reader, held, &at("2022-01-01")).unwrap().form, Form::Full, "{held}");
        }
    }

    fn a_history_does_not_tell_of_which_days_what_is_hidden_was(stack: Stack) {
        let id = stack.id(create(Person, person("Ronja Ask"), "2019-01-01"));
        stack.write(amend(Person, id, level("protected-registration"), "2020-01-01", Some("2025-01-01"))).unwrap();
        stack.write(amend(Person, id, json!({"name": {"full": "Ronja Ek"}}), "2021-01-01", Some("2022-01-01"))).unwrap();
        stack.write(amend(Person, id, json!({"name": {"full": "Ronja Al"}}), "2026-01-01", None)).unwrap();
        let told = |context: &Context| -> Vec<bool> {
            let history = stack.registry.history(context, None, id, &At::now(context), None, 10).unwrap();
            history.items.iter().map(|item| item.touched.is_some()).collect()
        };
        assert_eq!(told(&stack.as_actor("a", grunddata_registry::Role::Reader)), [true, false, false, false]);
        assert_eq!(told(&stack.as_actor("a", grunddata_registry::Role::Steward)), [true, true, true, true]);
    }

    fn hidden_words_take_no_place_among_those_that_may_be_meant(stack: Stack) {
        // More words than are looked at at once, all nearer in the alphabet than the one that is seen.
        for number in 0..60_usize {
            let mut word = "lindkvist".to_owned();
            let place = 1 + number / 20;
            word.replace_range(place..=place, &char::from(b'a' + u8::try_from(number % 20).unwrap()).to_string());
            if word != "lindkvist" {
                stack.id(create(Person, protected(&word), "2026-01-01"));
            }
        }
        let seen = stack.id(create(Person, person("Zindkvist"), "2026-01-01"));
        let reader = stack.outsider(grunddata_registry::Role::Reader);
        let page = search(&stack, &reader, Person, Some("lindkvist"));
        assert_eq!(page.items.iter().map(|record| record.id).collect::<Vec<_>>(), [seen]);
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
