//! Whole records, look-ups and counts against the gets of the same reader.

use std::collections::BTreeSet;

use grunddata_model::{Domain, RecordId};
use grunddata_registry::{At, Code, Form};

use super::probes::{ABSENT, Prover, Reader, anything};
use super::rules::Controllers;
use crate::stack::*;

impl Prover<'_> {
    /// Timelines, histories, versions and differences against gets on each of their days.
    pub(super) fn whole_records(&mut self, reader: &Reader) {
        let registry = &self.stack.registry;
        let system = self.stack.system();
        let absent: RecordId = ABSENT.parse().unwrap();
        for record in 0..self.built.ids.len() {
            let id = self.built.ids[record];
            let at = self.coordinate(record % 2);
            let context = &reader.context;
            let got = self.get(reader, record, &at);
            let none = matches!(&got, Err(refusal) if refusal.code == Code::NotFound);
            let timeline = registry.timeline(context, None, id, &at);
            self.scan(reader, "timeline", Some(record), &anything(&timeline));
            let history = registry.history(context, None, id, &at, None, 100);
            self.scan(reader, "history", Some(record), &anything(&history));
            let last = self.built.versions[record];
            let version = 1 + u32::try_from(self.dice.below(last as usize)).unwrap();
            let one = registry.version(context, None, id, version);
            self.scan(reader, "version", Some(record), &anything(&one));
            let other = 1 + u32::try_from(self.dice.below(last as usize)).unwrap();
            let diff = registry.diff(context, None, id, version, other);
            self.scan(reader, "diff", Some(record), &anything(&diff));
            for (what, answer) in [
                ("version", anything(&one)),
                ("diff", anything(&diff)),
                ("timeline", anything(&timeline)),
                ("history", anything(&history)),
            ] {
                if answer.contains("Internal") {
                    self.violation(format!(
                        "internal error in {what}: {} of {id}: {answer}",
                        reader.name
                    ));
                }
            }
            if none {
                self.like_absent(
                    "timeline",
                    reader,
                    id,
                    &timeline,
                    &registry.timeline(context, None, absent, &at),
                );
                self.like_absent(
                    "history",
                    reader,
                    id,
                    &history,
                    &registry.history(context, None, absent, &at, None, 100),
                );
            }
            let now = At::now(&system);
            if matches!(self.get(reader, record, &now), Err(refusal) if refusal.code == Code::NotFound)
            {
                self.like_absent(
                    "version",
                    reader,
                    id,
                    &one,
                    &registry.version(context, None, absent, version),
                );
                self.like_absent(
                    "diff",
                    reader,
                    id,
                    &diff,
                    &registry.diff(context, None, absent, version, other),
                );
            }
            let Ok(timeline) = timeline else {
                continue;
            };
            let whole = registry.timeline(&system, None, id, &at).unwrap();
            let shown: BTreeSet<_> = timeline.items.iter().map(|item| item.period).collect();
            for item in &whole.items {
                let there = At {
                    valid_at: item.period.from().max(day("1900-01-01")),
                    known: at.known.clone(),
                };
                let got = self.get(reader, record, &there);
                if got.is_ok() != shown.contains(&item.period) {
                    self.violation(format!(
                        "timeline is not the gets: {} of {id} in {} at {at:?}: {got:?}",
                        reader.name, item.period
                    ));
                }
            }
            if let Ok(history) = history {
                let states = registry
                    .history(&system, None, id, &at, None, 100)
                    .unwrap()
                    .items
                    .len();
                if history.items.len() != states {
                    self.violation(format!("history has holes: {} of {id}", reader.name));
                }
                let whole_owner = reader.rights.iter().any(|right| {
                    right.controllers == Controllers::All
                        && right.domains.is_empty()
                        && right.ceiling == 3
                        && right
                            .owner
                            .as_ref()
                            .is_none_or(|owner| *owner == self.built.world.records[record].owner)
                });
                if !whole_owner && history.items.iter().any(|item| item.position.is_some()) {
                    self.violation(format!("positions are told: {} of {id}", reader.name));
                }
            }
        }
    }

    pub(super) fn lookups(&mut self, reader: &Reader) {
        let at = self.coordinate(0);
        let given = self.built.identifiers.clone();
        for (scheme, value, record) in given.into_iter().step_by(3) {
            let id = self.built.ids[record];
            let answer = self.stack.registry.lookup(
                &reader.context,
                &at,
                &[(scheme.clone(), value.clone())],
            );
            self.scan(reader, "lookup", None, &anything(&answer));
            let Ok(answer) = answer else {
                continue;
            };
            let hits: Vec<_> = answer.items.iter().flatten().collect();
            for hit in &hits {
                let got = self.get(reader, record, &at);
                if hit.record.id != id || got.as_ref().map(|got| got.form).ok() != Some(Form::Full)
                {
                    self.violation(format!(
                        "lookup finds what is not seen whole: {} {scheme}: {hit:?}",
                        reader.name
                    ));
                }
            }
            if !hits.is_empty() {
                let mark = self
                    .built
                    .world
                    .marks
                    .in_text(&value)
                    .into_iter()
                    .next()
                    .unwrap();
                if let Some(why) = reader.forbidden.get(&mark) {
                    self.violation(format!(
                        "lookup tells what is not shown: {} {scheme}: {why}",
                        reader.name
                    ));
                }
            }
        }
    }

    pub(super) fn counts(&mut self, reader: &Reader) {
        {
            let at = self.coordinate(1);
            let counts = self.stack.registry.counts(&reader.context, &at);
            self.scan(reader, "counts", None, &anything(&counts));
            let counts = counts.unwrap();
            for of in Domain::ALL {
                let mut seen = 0;
                for record in 0..self.built.ids.len() {
                    if self.built.world.records[record].domain == of.as_str()
                        && self.get(reader, record, &at).is_ok()
                    {
                        seen += 1;
                    }
                }
                if counts.get(&of).copied().unwrap_or_default() != seen {
                    self.violation(format!(
                        "counts differ: {} {of} at {at:?}: {:?} and {seen}",
                        reader.name,
                        counts.get(&of)
                    ));
                }
            }
        }
    }
}
