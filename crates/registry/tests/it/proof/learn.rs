//! What was said in every version of every record, so that the rules can be asked about it.

use std::collections::BTreeMap;

use grunddata_model::RecordId;
use grunddata_registry::{At, Registry};
use serde_json::Value;

use super::rules::{Believed, LEVELS};
use super::world::Built;
use crate::stack::*;

fn level_of(data: &Value) -> usize {
    let level = data["protection"]["level"].as_str();
    LEVELS
        .iter()
        .position(|known| Some(*known) == level)
        .map_or(0, |level| level + 1)
}

fn identified(data: &Value, by_id: &BTreeMap<RecordId, usize>) -> Vec<usize> {
    let of = |value: &Value| {
        value["id"]
            .as_str()
            .and_then(|id| by_id.get(&id.parse().ok()?))
            .copied()
    };
    let list = |name: &str, inner: &str| {
        let items = data[name].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .filter_map(|item| of(&item[inner]))
            .collect::<Vec<_>>()
    };
    let mut all: Vec<usize> = of(&data["person"]).into_iter().collect();
    all.extend(list("relationships", "person"));
    all.extend(list("holders", "holder"));
    all
}

/// What was said last of each day.
fn said_last(newest_first: &[Believed]) -> Vec<Believed> {
    let open = "9999-99-99";
    let end = |to: &Option<String>| to.clone().unwrap_or(open.to_owned());
    let mut days: Vec<String> = newest_first
        .iter()
        .flat_map(|(from, to, ..)| [from.clone(), end(to)])
        .collect();
    days.sort();
    days.dedup();
    let mut said = Vec::new();
    for pair in days.windows(2) {
        let (from, to) = (&pair[0], &pair[1]);
        let newest = newest_first
            .iter()
            .find(|state| state.0 <= *from && *to <= end(&state.1));
        if let Some((_, _, level, identified)) = newest {
            let to = (to != open).then(|| to.clone());
            said.push((from.clone(), to, *level, identified.clone()));
        }
    }
    said
}

/// Reads everything that is believed, so that the rules can be asked about it.
pub(super) fn learn(stack: &Stack, built: &mut Built) {
    let system = stack.system();
    let registry: &Registry = &stack.registry;
    let mut stood: BTreeMap<usize, Vec<(Believed, bool)>> = BTreeMap::new();
    for (record, id) in built.ids.clone().into_iter().enumerate() {
        let mut versions: Vec<u32> = Vec::new();
        let mut before = None;
        loop {
            let page = registry.history(&system, None, id, &At::now(&system), before, 100);
            let page = page.unwrap_or_else(|refusal| panic!("{refusal:?}"));
            versions.extend(page.items.iter().map(|item| item.version));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        built.versions[record] = versions[0];
        let mut newest_first: Vec<Believed> = Vec::new();
        for version in &versions {
            let version = *version;
            let view = registry.version(&system, None, id, version).unwrap();
            let mut states = Vec::new();
            for item in &view.items {
                let data: Value = serde_json::from_str(&item.data).unwrap();
                let from = item
                    .period
                    .valid_from()
                    .map_or("0001-01-01".to_owned(), |day| day.to_string());
                let level = level_of(&data);
                let identified = identified(&data, &built.by_id);
                built.world.records[record].ever_protected |= level > 0 || !identified.is_empty();
                let to = item.period.valid_to().map(|day| day.to_string());
                let state = (from, to, level, identified);
                for mark in built.world.marks.in_text(&item.data) {
                    if built.world.marks.0[mark].record == record {
                        let stood = stood.entry(mark).or_default();
                        stood.push((state.clone(), version != versions[0]));
                    }
                }
                states.push(state);
            }
            if version == versions[0] {
                built.world.records[record].believed.clone_from(&states);
            }
            newest_first.extend(states);
        }
        // What is retracted, or has been ended, was not said to be without protection.
        built.world.records[record].states = said_last(&newest_first);
    }
    for mark in 0..built.world.marks.0.len() {
        let record = built.world.marks.0[mark].record;
        // A text that stood in several states is as open as the most open of them.
        let levels = stood.get(&mark).into_iter().flatten();
        let levels = levels.map(|(state, old)| built.world.level_of(record, state, *old));
        built.world.marks.0[mark].level = levels.min().unwrap_or_default();
    }
}
