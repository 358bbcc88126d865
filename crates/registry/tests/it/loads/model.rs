//! Random loads of two sources and a steward's hand against a naive model of the merge rules, property by property.

use std::collections::BTreeMap;

use grunddata_model::Domain::Organisation;
use grunddata_registry::{Assertion, AssertionKey, StaleRows};
use grunddata_testing::{Engine, on_both};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::feed::{found, full, of, run, source};
use crate::stack::{Stack, amend, stack};

const KEYS: usize = 3;
const PROPERTIES: [&str; 3] = ["costCentre", "activityCode", "purpose"];
const SOURCES: [&str; 2] = ["hr", "ad"];

/// What a file says of a key: values of some properties.
type Row = BTreeMap<usize, u8>;

#[derive(Debug, Clone)]
enum Step {
    /// A full load of a source: what it says of each key.
    Load(usize, BTreeMap<usize, Row>),
    /// A steward writes a property of a key.
    Hand(usize, usize, u8),
}

/// What is expected of one key.
#[derive(Debug, Clone, Default)]
struct Known {
    there: bool,
    holds: bool,
    values: BTreeMap<usize, u8>,
    /// What each source said last, and whether it still does.
    said: [Option<(Row, bool)>; 2],
}

/// `hr` decides `costCentre`; of the others the last word counts.
fn outranked(source: usize, property: usize, other: &Option<(Row, bool)>) -> bool {
    source == 1
        && property == 0
        && other
            .as_ref()
            .is_some_and(|(row, present)| *present && row.contains_key(&property))
}

impl Known {
    fn load(&mut self, source: usize, row: Option<&Row>) {
        let other = self.said[1 - source].clone();
        let last = self.said[source].clone();
        let Some(row) = row else {
            if let Some((said, true)) = last {
                self.said[source] = Some((said, false));
                if !other.is_some_and(|(_, present)| present) {
                    self.holds = false;
                }
            }
            return;
        };
        if last
            .as_ref()
            .is_some_and(|(said, present)| *present && said == row)
        {
            return;
        }
        if !self.there {
            self.there = true;
            self.holds = true;
            self.values = row.clone();
            self.said[source] = Some((row.clone(), true));
            return;
        }
        let base = last.map(|(said, _)| said).unwrap_or_default();
        self.holds = true;
        for (property, value) in row {
            let is_new = base.get(property) != Some(value);
            if is_new && !outranked(source, *property, &other) {
                self.values.insert(*property, *value);
            }
        }
        self.said[source] = Some((row.clone(), true));
    }
}

fn text(property: usize, value: u8) -> Value {
    match property {
        2 => json!({"sv": format!("Ändamål {value}")}),
        _ => json!(value.to_string()),
    }
}

fn says(key: usize, row: &Row) -> Assertion {
    let mut data = json!({
        "name": {"sv": format!("Enhet {key}")},
        "kind": "unit",
        "identifiers": [{"scheme": "gln", "value": gln(key)}],
    });
    for (property, value) in row {
        data[PROPERTIES[*property]] = text(*property, *value);
    }
    Assertion {
        file_row: key as u64 + 1,
        record: "unit".to_owned(),
        domain: Organisation,
        key: AssertionKey::Identifier {
            scheme: "gln".to_owned(),
            value: gln(key).to_owned(),
        },
        removed: false,
        data,
        valid_from: None,
        valid_to: None,
        references: Vec::new(),
    }
}

fn gln(key: usize) -> &'static str {
    ["7300009000005", "7300009000012", "7300009000029"][key]
}

fn rows() -> impl Strategy<Value = BTreeMap<usize, Row>> {
    let row = prop::collection::btree_map(0..PROPERTIES.len(), 0..3_u8, 0..=PROPERTIES.len());
    prop::collection::btree_map(0..KEYS, row, 0..=KEYS)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2_usize, rows()).prop_map(|(source, rows)| Step::Load(source, rows)),
        1 => (0..KEYS, 0..PROPERTIES.len(), 3..6_u8).prop_map(|(key, property, value)| Step::Hand(key, property, value)),
    ];
    prop::collection::vec(step, 1..10)
}

fn play(stack: &Stack, steps: &[Step]) {
    source(stack, "hr", |settings| {
        settings
            .precedence
            .properties
            .insert("/costCentre".to_owned(), 10);
        settings.guards.floor = 1_000;
        settings.stale_rows = StaleRows::SetAside;
    });
    source(stack, "ad", |settings| settings.guards.floor = 1_000);
    let mut known: Vec<Known> = vec![Known::default(); KEYS];
    for (number, step) in steps.iter().enumerate() {
        let date = format!("2026-03-{:02}", number + 2);
        match step {
            Step::Load(source, rows) => {
                let file = rows.iter().map(|(key, row)| says(*key, row)).collect();
                let load = run(stack, of(SOURCES[*source], full(&date, file)));
                assert_eq!(
                    (load.counts.rejected, load.counts.set_aside),
                    (0, 0),
                    "{steps:#?}"
                );
                for (key, known) in known.iter_mut().enumerate() {
                    known.load(*source, rows.get(&key));
                }
            }
            Step::Hand(key, property, value) => {
                let known = &mut known[*key];
                if !known.holds {
                    continue;
                }
                let id = found(stack, "gln", gln(*key)).unwrap();
                let mut patch = json!({});
                patch[PROPERTIES[*property]] = text(*property, *value);
                stack
                    .write(amend(Organisation, id, patch, &date, None))
                    .unwrap();
                known.values.insert(*property, *value);
            }
        }
        for (key, known) in known.iter().enumerate() {
            let Some(id) = found(stack, "gln", gln(key)) else {
                assert!(
                    !known.there || !known.holds,
                    "{key} after {number} of {steps:#?}"
                );
                continue;
            };
            let data = stack.data(id, "2026-06-01");
            assert_eq!(
                data.is_ok(),
                known.holds,
                "{key} after {number} of {steps:#?}"
            );
            let Ok(data) = data else {
                continue;
            };
            for (property, name) in PROPERTIES.iter().enumerate() {
                let expected = known
                    .values
                    .get(&property)
                    .map(|value| text(property, *value));
                assert_eq!(
                    data.get(name),
                    expected.as_ref(),
                    "{name} of {key} after {number} of {steps:#?}"
                );
            }
        }
    }
}

fn engine(engine: Engine) -> Engine {
    engine
}

on_both! {
    using engine;

    fn two_sources_and_a_hand_are_merged_as_the_model_says(engine: Engine) {
        let cases = if engine == Engine::Sqlite { 24 } else { 8 };
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        runner
            .run(&steps(), |steps| {
                play(&stack(engine), &steps);
                Ok(())
            })
            .unwrap();
    }
}
