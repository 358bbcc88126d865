//! What is new of a row, as a patch to a state: property by property, with who else speaks of it.

use std::collections::BTreeMap;

use grunddata_information_model::InformationModel;
use serde_json::{Map, Value};

use super::assertion::{Piece, normal};
use super::leaves::{self, Change, IDENTIFIERS, changes};
use super::merge::Merge;
use super::row::{RowProblem, problem};
use crate::patch::merge as merge_patch;

impl Merge<'_> {
    /// What is new, as a merge patch (RFC 7396) to data.
    pub(super) fn patch(&mut self, data: &Value, base: Option<&Piece>, now: &Piece) -> Value {
        let mut patch = Value::Object(Map::new());
        let nothing = Value::Object(Map::new());
        let resolved = now.resolved();
        for Change { pointer, value } in
            changes(base.map_or(&nothing, |base| &base.data), &now.data)
        {
            let present = data.pointer(&pointer);
            let wanted = match value {
                Some(_) => resolved.pointer(&pointer).cloned(),
                None if !self.settings.is_withdrawn(&pointer) || present.is_none() => continue,
                None => self.said_by_another(&pointer),
            };
            self.touched.insert(pointer.clone());
            let settled = self.skipped.contains(&pointer) || self.agreed.contains(&pointer);
            if present == wanted.as_ref() || settled {
                continue;
            }
            if self.is_outranked(&pointer) {
                continue;
            }
            leaves::set(&mut patch, &pointer, wanted.unwrap_or(Value::Null));
        }
        if !self.agreed.contains(IDENTIFIERS)
            && let Some(list) = self.identifiers(data, base, &resolved)
        {
            self.touched.insert(IDENTIFIERS.to_owned());
            leaves::set(&mut patch, IDENTIFIERS, Value::Array(list));
        }
        patch
    }

    /// Whether the property is left to a source whose word counts more; it is noted once.
    fn is_outranked(&mut self, pointer: &str) -> bool {
        let rank = self.settings.precedence.of(pointer);
        let stronger = self
            .others
            .iter()
            .find(|other| other.precedence.of(pointer) > rank && other.speaks_of(pointer));
        let Some(stronger) = stronger else {
            return false;
        };
        if self.outranked.insert(pointer.to_owned()) {
            let source = &stronger.source;
            self.problems.push(
                RowProblem::new(
                    problem::HIGHER_PRECEDENCE,
                    format!("The source {source} speaks of this property, and its word counts more: it stays as it is. If that is wrong, change the precedence of the sources."),
                    format!("Källan {source} anger denna egenskap och går före: den blir som den är. Är det fel, ändra källornas företräde."),
                )
                .at(pointer)
                .about(source.clone())
                .as_warning(),
            );
        }
        true
    }

    /// Whether some property was left to another source.
    pub(super) fn was_outranked(&self) -> bool {
        !self.outranked.is_empty()
    }

    /// What the source with the best word among the others says of a property.
    fn said_by_another(&self, pointer: &str) -> Option<Value> {
        let speaking = self.others.iter().filter_map(|other| {
            let value = other
                .data
                .iter()
                .rev()
                .find_map(|data| data.pointer(pointer));
            value.map(|value| (other.precedence.of(pointer), value))
        });
        speaking
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, value)| value.clone())
    }

    /// The list of identifiers after the change, item by item: what the source lists now is there, and what it listed
    /// before and not now is gone unless another lists it. `None` where nothing changes.
    fn identifiers(&self, data: &Value, base: Option<&Piece>, now: &Value) -> Option<Vec<Value>> {
        let list = |value: &Value| -> Option<Vec<Value>> {
            value.pointer(IDENTIFIERS)?.as_array().cloned()
        };
        let now = list(now)?;
        let before = base
            .and_then(|base| list(&base.resolved()))
            .unwrap_or_default();
        let mut present = list(data).unwrap_or_default();
        let original = present.clone();
        let before: BTreeMap<_, _> = before.iter().map(|item| (self.key(item), item)).collect();
        let wanted: BTreeMap<_, _> = now.iter().map(|item| (self.key(item), item)).collect();
        present.retain(|item| {
            let key = self.key(item);
            !before.contains_key(&key) || wanted.contains_key(&key) || self.is_listed(&key)
        });
        for item in &now {
            let key = self.key(item);
            if before.get(&key) == Some(&item) {
                continue;
            }
            match present.iter_mut().find(|known| self.key(known) == key) {
                // It is there: what the source says of it comes upon what is known of it.
                Some(known) => {
                    let value = known.get("value").cloned();
                    merge_patch(known, item);
                    if let (Some(members), Some(value)) = (known.as_object_mut(), value) {
                        members.insert("value".to_owned(), value);
                    }
                }
                None => present.push(item.clone()),
            }
        }
        (present != original).then_some(present)
    }

    fn key(&self, item: &Value) -> (String, String) {
        identifier_key(self.model, item)
    }

    fn is_listed(&self, key: &(String, String)) -> bool {
        self.others.iter().any(|other| {
            other.data.iter().any(|data| {
                let items = data.pointer(IDENTIFIERS).and_then(Value::as_array);
                items.is_some_and(|items| items.iter().any(|item| self.key(item) == *key))
            })
        })
    }
}

/// Scheme and normalised value of an item of a list of identifiers.
pub(super) fn identifier_key(model: &InformationModel, item: &Value) -> (String, String) {
    let text = |name: &str| {
        item.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let scheme = text("scheme");
    let value = normal(model, &scheme, &text("value"));
    (scheme, value)
}
