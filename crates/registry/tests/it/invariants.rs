//! Random writes to a small municipality, after which a naive check of every day finds every invariant of links kept:
//! whatever is referred to holds, nobody stands above themselves, and what was refused has left nothing. The seed is
//! fixed.

use std::collections::BTreeMap;

use grunddata_model::Domain::{Organisation, Person, Role, Service};
use grunddata_model::{Domain, Period, RecordId};
use grunddata_registry::{At, Code, Command};
use grunddata_testing::on_both;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::stack::*;

const DAYS: u64 = 20;
const ORGANISATIONS: usize = 5;
const PERSONS: usize = 3;
const ROLES: usize = 6;
const SERVICES: usize = 2;

#[derive(Debug, Clone)]
enum Act {
    End,
    Gap(u64),
    Retract,
    RetractPart(u64),
    Point(usize, usize),
    Kind(bool),
    Revive(usize, usize),
    Revert(u32),
}

#[derive(Debug, Clone)]
struct Step {
    record: usize,
    day: u64,
    act: Act,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![
        4 => Just(Act::End),
        2 => (1..5_u64).prop_map(Act::Gap),
        1 => Just(Act::Retract),
        1 => (1..5_u64).prop_map(Act::RetractPart),
        5 => (0..20_usize, 0..20_usize).prop_map(|(a, b)| Act::Point(a, b)),
        1 => any::<bool>().prop_map(Act::Kind),
        3 => (0..20_usize, 0..20_usize).prop_map(|(a, b)| Act::Revive(a, b)),
        1 => (1..4_u32).prop_map(Act::Revert),
    ];
    let step = (0..ORGANISATIONS + PERSONS + ROLES + SERVICES, 0..DAYS, act);
    vec(
        step.prop_map(|(record, day, act)| Step { record, day, act }),
        5..40,
    )
}

struct World {
    records: Vec<(Domain, RecordId)>,
}

impl World {
    fn of(&self, domain: Domain, index: usize) -> RecordId {
        let all: Vec<RecordId> = self
            .records
            .iter()
            .filter(|(of, _)| *of == domain)
            .map(|(_, id)| *id)
            .collect();
        all[index % all.len()]
    }

    fn data(&self, domain: Domain, one: usize, two: usize) -> Value {
        match domain {
            // Sometimes without anybody above.
            Organisation if one.is_multiple_of(3) => organisation("Enheten", "unit"),
            Organisation => unit("Enheten", self.of(Organisation, two)),
            Person => person(&format!("Person {one}")),
            Role => {
                let mut data = role(self.of(Person, one), self.of(Organisation, two));
                if one % 4 == 1 {
                    data["basedOn"] = json!({"id": self.of(Role, two).to_string()});
                }
                if two % 4 == 1 {
                    data["reportsTo"] = json!({"id": self.of(Role, one).to_string()});
                }
                data
            }
            _ => json!({
                "name": {"sv": "Tjänsten"},
                "kind": "public-service",
                "competentAuthority": {"id": self.of(Organisation, one).to_string()},
                "deliveredBy": [{"id": self.of(Organisation, two).to_string()}],
                "responsibleRole": {"id": self.of(Role, one).to_string()},
            }),
        }
    }

    fn command(&self, step: &Step) -> Command {
        let (domain, id) = self.records[step.record % self.records.len()];
        let from = date(step.day);
        match &step.act {
            Act::End => end(domain, id, &from, None),
            Act::Gap(days) => end(domain, id, &from, Some(&date(step.day + days))),
            Act::Retract => retract(domain, id, None),
            Act::RetractPart(days) => retract(domain, id, Some((&from, &date(step.day + days)))),
            Act::Point(one, two) => replaced(
                replace(domain, id, self.data(domain, *one, *two), &from),
                |replace| replace.overwrite_planned = true,
            ),
            Act::Kind(committee) if domain == Organisation => {
                let kind = if *committee { "committee" } else { "unit" };
                amend(domain, id, json!({"kind": kind}), &from, None)
            }
            Act::Kind(_) => end(domain, id, &from, None),
            Act::Revive(one, two) => revive(domain, id, self.data(domain, *one, *two), &from),
            Act::Revert(version) => revert(domain, id, *version),
        }
    }
}

fn date(day: u64) -> String {
    (day_zero() + chrono::Days::new(day)).to_string()
}

fn day_zero() -> chrono::NaiveDate {
    day("2026-01-01")
}

fn settle(stack: &Stack) -> World {
    let mut world = World {
        records: Vec::new(),
    };
    let start = date(0);
    for _ in 0..ORGANISATIONS {
        world.records.push((
            Organisation,
            stack.id(create(
                Organisation,
                organisation("Enheten", "unit"),
                &start,
            )),
        ));
    }
    for number in 0..PERSONS {
        world.records.push((
            Person,
            stack.id(create(Person, person(&format!("Person {number}")), &start)),
        ));
    }
    for number in 0..ROLES {
        let data = role(world.of(Person, number), world.of(Organisation, number));
        world
            .records
            .push((Role, stack.id(create(Role, data, &start))));
    }
    for number in 0..SERVICES {
        let data = world.data(Service, number, number + 1);
        world
            .records
            .push((Service, stack.id(create(Service, data, &start))));
    }
    world
}

type States = BTreeMap<RecordId, Vec<(Period, Value)>>;

fn states(stack: &Stack, world: &World) -> States {
    let context = stack.system();
    let read = |id| {
        let view = stack
            .registry
            .timeline(&context, None, id, &At::now(&context))
            .unwrap();
        view.items
            .iter()
            .map(|item| (item.period, serde_json::from_str(&item.data).unwrap()))
            .collect()
    };
    world
        .records
        .iter()
        .map(|(_, id)| (*id, read(*id)))
        .collect()
}

/// Every reference in the data with the name of the property that holds it.
fn targets(data: &Value) -> Vec<(String, RecordId)> {
    let mut found = Vec::new();
    for (name, value) in data.as_object().unwrap() {
        let one = |value: &Value| {
            value["id"]
                .as_str()
                .map(|id| (name.clone(), id.parse().unwrap()))
        };
        match value {
            Value::Array(items) => found.extend(items.iter().filter_map(one)),
            Value::Object(_) => found.extend(one(value)),
            _ => {}
        }
    }
    found
}

fn check(states: &States) {
    for day in 0..DAYS + 6 {
        let date = day_zero() + chrono::Days::new(day);
        let at = |id: &RecordId| {
            states[id]
                .iter()
                .find(|(period, _)| period.contains(date))
                .map(|(_, data)| data)
        };
        for id in states.keys() {
            let Some(data) = at(id) else { continue };
            for (property, target) in targets(data) {
                assert!(
                    at(&target).is_some(),
                    "{id} refers by {property} to {target}, which does not hold on {date}"
                );
            }
            for hierarchy in ["parent", "basedOn", "reportsTo"] {
                let (mut above, mut steps) = (Some(*id), 0);
                while let Some(node) = above {
                    let next = at(&node)
                        .and_then(|data| data[hierarchy]["id"].as_str())
                        .map(|id| id.parse().unwrap());
                    above = next;
                    steps += 1;
                    assert!(
                        steps < 30,
                        "{id} stands above itself by {hierarchy} on {date}"
                    );
                }
            }
        }
    }
}

on_both! {
    using stack;

    fn random_writes_keep_every_reference_whole(stack: Stack) {
        let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[23; 32]);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let codes = std::cell::RefCell::new(BTreeMap::<Option<Code>, usize>::new());
        runner
            .run(&steps(), |steps| {
                let world = settle(&stack);
                for step in &steps {
                    let code = match stack.write(world.command(step)) {
                        Ok(_) => None,
                        Err(refusal) => Some(refusal.code),
                    };
                    assert_ne!(code, Some(Code::Internal), "{step:?}");
                    *codes.borrow_mut().entry(code).or_default() += 1;
                }
                check(&states(&stack, &world));
                Ok(())
            })
            .unwrap();
        // The dice really rolled all of these.
        for code in [None, Some(Code::StillReferenced), Some(Code::ReferenceNotCovered), Some(Code::HierarchyCycle)] {
            assert!(codes.borrow().contains_key(&code), "{code:?} never happened: {:?}", codes.borrow());
        }
    }
}
