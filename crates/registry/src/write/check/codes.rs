//! Codes that hold from or until a date: checked on the first day of the unbroken stretch on which the record has
//! them, and only when a write introduces them there. A code that expires later is a quality finding, no error.

use std::sync::Arc;

use grunddata_information_model::{CodeUse, Resolved};
use grunddata_model::{Period, Timeline};

use crate::write::apply::Run;
use crate::{Code, Fault};

type Key = (Arc<str>, String);

fn codes(value: &Resolved) -> Vec<Key> {
    value
        .dated_codes()
        .iter()
        .map(|code| (Arc::clone(&code.list), code.code.clone()))
        .collect()
}

pub(super) fn check(run: &mut Run<'_, '_, '_>) {
    let mut faults = Vec::new();
    for id in &run.order {
        let Some(touched) = run.touched.get(id) else {
            continue;
        };
        let has_codes = touched
            .after
            .states()
            .iter()
            .any(|state| !state.value.dated_codes().is_empty());
        if !has_codes {
            continue;
        }
        let before = touched.before.coalesce(codes);
        for (key, stretches) in touched.after.coalesce(codes) {
            let known = before.get(&key).map(Vec::as_slice).unwrap_or_default();
            for stretch in stretches {
                let first = stretch.from();
                if known.iter().any(|period| period.contains(first)) {
                    continue;
                }
                let uses = uses_on(&touched.after, first, &key);
                for error in run
                    .job
                    .context
                    .model
                    .check_codes(&uses, day_to_check(run, &stretch))
                {
                    faults.push((touched.command, Fault::from(error)));
                }
            }
        }
    }
    for (command, fault) in faults {
        run.fault(command, Code::CodeNotValidAtDate, fault);
    }
}

/// Where the code stands in the state that begins the stretch.
fn uses_on(timeline: &Timeline<Resolved>, first: chrono::NaiveDate, key: &Key) -> Vec<CodeUse> {
    let state = timeline.at(first);
    state
        .map(|state| state.value.dated_codes())
        .unwrap_or_default()
        .iter()
        .filter(|code| code.list == key.0 && code.code == key.1)
        .take(1)
        .cloned()
        .collect()
}

/// The first day; of an unknown beginning today, or the last day where the stretch is over already.
fn day_to_check(run: &Run<'_, '_, '_>, stretch: &Period) -> chrono::NaiveDate {
    match stretch.valid_from() {
        Some(first) => first,
        None => stretch.last_day().map_or(run.job.context.today, |last| {
            last.min(run.job.context.today)
        }),
    }
}
