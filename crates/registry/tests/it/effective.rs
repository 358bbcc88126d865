//! What begins and ends as planned is told on the day, once, whoever runs and whenever.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use chrono::NaiveDate;
use grunddata_model::Domain::{Organisation, Person};
use grunddata_model::RecordId;
use grunddata_registry::{
    At, Code, Context, FeedChange, FeedContent, FeedFilter, Note, Role, ToldEffective,
    stockholm_day,
};
use grunddata_testing::on_both;
use serde_json::json;

use crate::lossless::{out, read_into};
use crate::stack::*;

const DAY: i64 = 24 * 60 * 60;

fn today(stack: &Stack) -> NaiveDate {
    stockholm_day(stack.now())
}

/// Tells what is due; how many entries.
fn tell(stack: &Stack) -> usize {
    stack
        .registry
        .tell_effective(&AtomicBool::new(false))
        .unwrap()
        .entries
}

fn changes(stack: &Stack, filter: FeedFilter) -> Vec<(RecordId, FeedChange)> {
    changes_for(stack, &stack.system(), filter)
}

fn changes_for(
    stack: &Stack,
    context: &Context,
    filter: FeedFilter,
) -> Vec<(RecordId, FeedChange)> {
    let registry = &stack.registry;
    let mut feed = registry.feed(context, &owner("a"), None, filter).unwrap();
    let step = registry.feed_step(context, &mut feed, 1_000).unwrap();
    let entries = step.entries.into_iter().map(|entry| match entry.content {
        FeedContent::Change(change) => (entry.record, *change),
        FeedContent::Withdrawn => panic!("nothing is withdrawn"),
    });
    entries.collect()
}

/// What the log says began or ended: days and records.
fn told(stack: &Stack) -> Vec<(NaiveDate, RecordId)> {
    let filter = FeedFilter::default().of_kinds(["effective"]).unwrap();
    let changes = changes(stack, filter);
    changes
        .iter()
        .map(|(record, change)| (change.touched.unwrap().from(), *record))
        .collect()
}

on_both! {
    using stack;

    fn what_was_planned_is_told_on_its_day_and_nothing_else(stack: Stack) {
        let today = today(&stack);
        let on = |days: i64| (today + chrono::Days::new(u64::try_from(days).unwrap())).to_string();
        let closes = stack.id(create(Organisation, organisation("Stängs", "unit"), "2020-01-01"));
        stack.write(end(Organisation, closes, &on(2), None)).unwrap();
        let renamed = stack.id(create(Organisation, organisation("Heter", "unit"), "2020-01-01"));
        stack.write(replace(Organisation, renamed, organisation("Ska heta", "unit"), &on(1))).unwrap();
        let opens = stack.id(create(Organisation, organisation("Öppnar", "unit"), &on(1)));
        // After the fact: today, and long ago.
        let now = stack.id(create(Organisation, organisation("Nu", "unit"), &on(0)));
        assert_eq!(tell(&stack), 0);

        stack.pass(DAY);
        let tomorrow = today.succ_opt().unwrap();
        let later = stack.id(create(Organisation, organisation("Samma dag", "unit"), &on(1)));
        assert_eq!((tell(&stack), tell(&stack)), (2, 0));
        assert_eq!(told(&stack), [(tomorrow, renamed), (tomorrow, opens)]);

        stack.pass(DAY);
        assert_eq!((tell(&stack), tell(&stack)), (1, 0));
        assert_eq!(told(&stack).last(), Some(&(tomorrow.succ_opt().unwrap(), closes)));

        // It makes no version, and no history.
        let context = stack.system();
        let history = stack.registry.history(&context, None, renamed, &At::now(&context), None, 10).unwrap();
        assert_eq!(history.items.len(), 2);
        let filter = FeedFilter::default().of_record(Some(renamed)).with_states(true);
        let entries = changes(&stack, filter);
        let of: Vec<_> = entries.iter().map(|(_, change)| (change.kind, change.version)).collect();
        assert_eq!(of, [("create", 1), ("replace", 2), ("effective", 2)]);
        let states = entries.last().unwrap().1.states.as_ref().unwrap();
        assert_eq!((states.states.len(), states.actor.as_deref()), (2, Some("calendar")));
        assert!(changes(&stack, FeedFilter::default()).iter().any(|(record, _)| *record == later || *record == now));

        // It is no transaction that could be undone, and the record can be written on.
        let transaction = entries.last().unwrap().1.transaction;
        let undone = stack.registry.prepare_reversal(&context, Some(owner("a")), transaction, Note::default(), None);
        assert_eq!(undone.err().map(|refusal| refusal.code), Some(Code::UnknownTransaction));
        stack.write(amend(Organisation, renamed, json!({"name": {"sv": "Heter igen"}}), &on(2), None)).unwrap();
    }

    fn nothing_is_lost_over_days_without_a_server_and_nothing_told_twice(stack: Stack) {
        let today = today(&stack);
        let on = |days: u64| (today + chrono::Days::new(days)).to_string();
        let mut planned = Vec::new();
        for number in 0..700_u64 {
            let days = 1 + number % 3;
            let name = format!("Enhet {number}");
            let id = stack.id(create(Organisation, organisation(&name, "unit"), &on(days)));
            planned.push((today + chrono::Days::new(days), id));
        }
        planned.sort_unstable();
        stack.pass(10 * DAY);
        // Retracted after its day: it was believed when the day began, and nothing is told of a record that is no more.
        let (_, gone) = planned.remove(5);
        stack.write(retract(Organisation, gone, None)).unwrap();
        // One that is changed only now was planned all the same.
        stack.write(amend(Organisation, planned[0].1, json!({"name": {"sv": "Nytt namn"}}), &on(1), None)).unwrap();
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(|| tell(&stack));
            (tell(&stack), other.join().unwrap())
        });
        assert_eq!(one + other + tell(&stack), planned.len());
        assert_eq!(told(&stack), planned);
        // A stop is heard, and what is left is told by the next.
        stack.pass(DAY);
        assert_eq!(stack.registry.tell_effective(&AtomicBool::new(true)).unwrap(), ToldEffective::default());
        assert_eq!(tell(&stack), 0);
    }

    fn several_days_of_one_record_are_several_events(stack: Stack) {
        let today = today(&stack);
        let on = |days: u64| (today + chrono::Days::new(days)).to_string();
        let id = stack.id(create(Organisation, organisation("Ett", "unit"), "2020-01-01"));
        stack.write(replace(Organisation, id, organisation("Två", "unit"), &on(1))).unwrap();
        stack.write(replace(Organisation, id, organisation("Tre", "unit"), &on(2))).unwrap();
        stack.pass(5 * DAY);
        assert_eq!(tell(&stack), 2);
        let context = stack.system();
        let mut feed = stack.registry.feed(&context, &owner("a"), None, FeedFilter::default()).unwrap();
        let entries = stack.registry.feed_step(&context, &mut feed, 100).unwrap().entries;
        let ids: BTreeSet<String> = entries.iter().map(|entry| entry.id(&owner("a"))).collect();
        assert_eq!((entries.len(), ids.len()), (5, 5));
        let copy = stack.other();
        read_into(&copy, &out(&stack)).unwrap();
        assert_eq!(told(&copy), told(&stack));
    }

    fn the_end_of_a_protection_is_told_to_those_alone_who_see_what_was_protected(stack: Stack) {
        let today = today(&stack);
        let tomorrow = today.succ_opt().unwrap().to_string();
        let mut data = person("Ronja Ask");
        data["protection"] = json!({"level": "protected-registration"});
        let hidden = stack.id(create(Person, data, "2020-01-01"));
        stack.pass(1);
        stack.write_as(&stack.as_actor("a", Role::Steward), replace(Person, hidden, person("Ronja Ask"), &tomorrow)).unwrap();
        let open = stack.id(create(Person, person("Öppen Ek"), "2020-01-01"));
        stack.write(replace(Person, open, person("Öppen Ekman"), &tomorrow)).unwrap();
        stack.pass(2 * DAY);
        assert_eq!(tell(&stack), 2);
        let whom = |context: &Context| {
            let filter = FeedFilter::default().of_kinds(["effective"]).unwrap();
            changes_for(&stack, context, filter).iter().map(|(record, _)| *record).collect::<Vec<_>>()
        };
        let reader = stack.as_actor("a", Role::Reader);
        let at = At::now(&reader);
        assert!(stack.registry.get(&reader, None, hidden, &at, None).is_ok());
        assert_eq!(whom(&reader), [open]);
        let mut both = vec![hidden, open];
        both.sort_unstable();
        assert_eq!(whom(&stack.system()), both);
    }

    fn a_lossless_copy_goes_on_where_the_log_was(stack: Stack) {
        let on = |days: u64| (today(&stack) + chrono::Days::new(days)).to_string();
        let first = stack.id(create(Organisation, organisation("Först", "unit"), &on(1)));
        let second = stack.id(create(Organisation, organisation("Sedan", "unit"), &on(2)));
        let today = today(&stack);
        stack.pass(DAY);
        assert_eq!(tell(&stack), 1);
        let copy = stack.other();
        read_into(&copy, &out(&stack)).unwrap();
        assert_eq!((told(&copy), tell(&copy)), (told(&stack), 0));
        stack.pass(DAY);
        assert_eq!((tell(&stack), tell(&copy)), (1, 1));
        let days: Vec<NaiveDate> = (1..3).map(|days| today + chrono::Days::new(days)).collect();
        assert_eq!(told(&stack), [(days[0], first), (days[1], second)]);
        assert_eq!(told(&copy), told(&stack));
    }
}
