//! Tests of all that the generators give, taken together.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use chrono::NaiveDate;
use grunddata_information_model::InformationModel;
use grunddata_model::{Domain, Instant, Period};
use serde_json::Value;
use uuid::Uuid;

use crate::operation::day;
use crate::{NORRBERGA, OPERATIONS, OWNERS, SCB, SeedAction, SeedTransaction, Seeds};

/// The day on which the counts are taken.
const TODAY: NaiveDate = day(2026, 11, 21);

/// All transactions, made once for all tests of this process.
static ALL: LazyLock<Vec<SeedTransaction>> =
    LazyLock::new(|| Seeds::load().unwrap().transactions().unwrap().collect());

/// What a record has come to in the end.
struct Outcome {
    owner: &'static str,
    domain: Domain,
    from: NaiveDate,
    to: NaiveDate,
    data: Value,
}

/// Plays the transactions; gives each record with its whole period and the data of its creation.
fn outcomes() -> HashMap<Uuid, Outcome> {
    let mut records = HashMap::new();
    for transaction in ALL.iter() {
        for operation in &transaction.operations {
            match &operation.action {
                SeedAction::Create {
                    data,
                    valid_from,
                    valid_to,
                    ..
                } => {
                    let outcome = Outcome {
                        owner: transaction.owner,
                        domain: operation.domain,
                        from: valid_from.start(),
                        to: valid_to.end(),
                        data: data.clone(),
                    };
                    assert!(outcome.from < outcome.to, "{data}");
                    assert!(
                        records.insert(operation.id, outcome).is_none(),
                        "made twice: {data}"
                    );
                }
                SeedAction::Amend {
                    valid_from, patch, ..
                } => {
                    let record = &records[&operation.id];
                    let from = valid_from.unwrap_or(record.from);
                    assert!(
                        record.from <= from && from < record.to,
                        "outside {}: {patch}",
                        record.data
                    );
                }
                SeedAction::End { valid_from } => {
                    let record = records.get_mut(&operation.id).unwrap();
                    assert!(record.from < *valid_from && *valid_from < record.to);
                    record.to = *valid_from;
                }
            }
        }
    }
    records
}

fn count(records: &HashMap<Uuid, Outcome>, wanted: impl Fn(&Outcome) -> bool) -> usize {
    records.values().filter(|record| wanted(record)).count()
}

#[test]
fn transactions_come_in_the_order_of_recording_and_within_the_batch_size() {
    let mut last: HashMap<&str, Instant> = HashMap::new();
    for transaction in ALL.iter() {
        let before = last.insert(transaction.owner, transaction.recorded_at);
        assert!(
            before.is_none_or(|before| before < transaction.recorded_at),
            "{}",
            transaction.reason
        );
        assert!(!transaction.operations.is_empty());
        assert!(
            transaction.operations.len() <= 2_100,
            "{}",
            transaction.operations.len()
        );
    }
    // By this a later start tells without making anything whether all is there.
    assert_eq!(
        last,
        OWNERS
            .iter()
            .map(|owner| (owner.key, owner.last_recorded()))
            .collect()
    );
    assert!(
        last.values()
            .all(|instant| instant.date_time().date_naive() < TODAY)
    );
}

#[test]
fn the_same_seeds_come_every_time() {
    let again: Vec<SeedTransaction> = Seeds::load().unwrap().transactions().unwrap().collect();
    assert_eq!(format!("{:?}", again.last()), format!("{:?}", ALL.last()));
    assert_eq!(again.len(), ALL.len());
}

#[test]
fn the_counts_are_what_the_documentation_says() {
    let records = outcomes();
    let kind = |domain: Domain, kind: &'static str| {
        count(&records, move |record| {
            record.domain == domain && record.data["kind"] == kind && record.owner == SCB
        })
    };
    assert_eq!(kind(Domain::Geography, "county"), 21);
    assert_eq!(kind(Domain::Geography, "municipality"), 290);
    assert_eq!(kind(Domain::Geography, "regional-statistical-area"), 3_363);
    assert_eq!(
        kind(Domain::Geography, "demographic-statistical-area"),
        5_984
    );
    assert_eq!(kind(Domain::Organisation, "municipality"), 290);
    assert_eq!(kind(Domain::Organisation, "region"), 20);
    assert_eq!(kind(Domain::Organisation, "state-agency"), 427);

    let own = |domain: Domain| {
        count(&records, move |record| {
            record.domain == domain && record.owner == NORRBERGA
        })
    };
    assert_eq!(own(Domain::Person), 12_000);
    assert_eq!(own(Domain::Service), 180);

    let on = |date: NaiveDate, wanted: &dyn Fn(&Outcome) -> bool| {
        count(&records, |record| {
            record.owner == NORRBERGA && record.from <= date && date < record.to && wanted(record)
        })
    };
    let role = |record: &Outcome| record.domain == Domain::Role;
    let pupil = |record: &Outcome| role(record) && record.data["kind"] == "pupil";
    assert_eq!(
        on(TODAY, &|record| record.domain == Domain::Organisation),
        140
    );
    assert_eq!(
        on(day(2027, 2, 1), &|record| record.domain
            == Domain::Organisation),
        141
    );
    assert_eq!(on(TODAY, &pupil), 1_600);
    assert_eq!(on(TODAY, &|record| role(record) && !pupil(record)), 1_700);
    assert_eq!(
        on(TODAY, &|record| role(record)
            && record.data["kind"] == "employment"
            && record.data["primary"] == true),
        1_300
    );
    assert_eq!(
        on(TODAY, &|record| role(record)
            && record.data["kind"] == "elected-office"),
        130
    );
    assert_eq!(
        on(TODAY, &|record| role(record)
            && record.data["kind"] == "placement"),
        195
    );

    let protected = count(&records, |record| record.data.get("protection").is_some());
    assert_eq!(protected, 9);
    let mut totals: BTreeMap<Domain, usize> = BTreeMap::new();
    for record in records.values() {
        *totals.entry(record.domain).or_default() += 1;
    }
    assert_eq!(
        totals.into_iter().collect::<Vec<_>>(),
        [
            (Domain::Person, 12_000),
            (Domain::Role, 4_061),
            (Domain::Organisation, 879),
            (Domain::Geography, 11_327),
            (Domain::Service, 180),
        ]
    );
    assert_eq!(
        ALL.iter()
            .map(|transaction| transaction.operations.len())
            .sum::<usize>(),
        OPERATIONS
    );
}

#[test]
fn a_reference_leads_to_a_record_that_is_there_for_all_of_the_state() {
    // `(from, to)` of each record as far as it is known when the reference is written.
    let mut known: HashMap<Uuid, (NaiveDate, NaiveDate)> = HashMap::new();
    for transaction in ALL.iter() {
        for operation in &transaction.operations {
            let (value, from, to) = match &operation.action {
                SeedAction::Create {
                    data,
                    valid_from,
                    valid_to,
                    controller,
                    ..
                } => {
                    known.insert(operation.id, (valid_from.start(), valid_to.end()));
                    assert!(controller.is_none_or(|controller| known.contains_key(&controller)));
                    (data, valid_from.start(), valid_to.end())
                }
                SeedAction::Amend {
                    patch,
                    valid_from,
                    valid_to,
                    ..
                } => {
                    let (start, end) = known[&operation.id];
                    (patch, valid_from.unwrap_or(start), valid_to.end().min(end))
                }
                SeedAction::End { valid_from } => {
                    known.get_mut(&operation.id).unwrap().1 = *valid_from;
                    continue;
                }
            };
            let mut targets = Vec::new();
            references(value, "", &mut targets);
            for (property, target) in targets {
                let Some((start, end)) = known.get(&target) else {
                    panic!("{property} leads nowhere: {value}");
                };
                if property != "succeeds" {
                    assert!(
                        *start <= from && to <= *end,
                        "{property} {start}..{end} does not cover {from}..{to}: {value}"
                    );
                }
            }
        }
    }
}

fn references(value: &Value, property: &str, found: &mut Vec<(String, Uuid)>) {
    match value {
        Value::Object(members) => {
            if let Some(Ok(id)) = members.get("id").and_then(Value::as_str).map(str::parse)
                && members.len() == 1
            {
                found.push((property.to_owned(), id));
            }
            for (name, member) in members {
                let within = if property == "succeeds" {
                    property
                } else {
                    name
                };
                references(member, within, found);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| references(item, property, found)),
        _ => {}
    }
}

#[test]
fn every_state_is_valid_in_the_information_model() {
    let model = InformationModel::embedded().unwrap();
    // The data of the last state that was written, by record: what the next patch is applied to.
    let mut present: HashMap<Uuid, Value> = HashMap::new();
    // Each kind of error once, with one record that has it.
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for operation in ALL.iter().flat_map(|transaction| &transaction.operations) {
        let (data, on) = match &operation.action {
            SeedAction::Create {
                data, valid_from, ..
            } => (data.clone(), valid_from.start()),
            SeedAction::Amend {
                patch, valid_from, ..
            } => {
                let mut data = present[&operation.id].clone();
                merge(&mut data, patch);
                (data, valid_from.unwrap_or(Period::BEGINNING))
            }
            SeedAction::End { .. } => continue,
        };
        present.insert(operation.id, data.clone());
        let shown = data.to_string();
        let errors = match model.validate(operation.domain, None, data) {
            Ok(validated) => model.check_codes(validated.dated_codes(), on),
            Err(errors) => errors,
        };
        for error in errors {
            let fault = format!("{} {}: {}", operation.domain, error.pointer, error.message);
            faults
                .entry(fault)
                .or_insert_with(|| shown.chars().take(200).collect());
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        faults.iter().take(20).collect::<Vec<_>>()
    );
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    for (name, value) in members {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}

#[test]
fn the_records_to_show_are_there_with_what_they_are_shown_for() {
    let shown = Seeds::showcase();
    let amended = |id: Uuid, property: &str| {
        ALL.iter().flat_map(|transaction| &transaction.operations).any(|operation| {
            matches!(&operation.action, SeedAction::Amend { patch, .. } if operation.id == id && patch.get(property).is_some())
        })
    };
    assert!(amended(shown.heby, "identifiers"));
    assert!(amended(shown.moved_unit, "parent"));
    assert!(amended(shown.renamed_person, "formerNames"));
    let records = outcomes();
    assert_eq!(records[&shown.split_administration].to, day(2027, 1, 1));
    assert_eq!(records[&shown.committee].data["kind"], "committee");
}
