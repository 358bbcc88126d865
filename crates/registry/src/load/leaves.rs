//! Data by their leaves: what a three-way merge compares. Objects are merged member by member; lists, references and plain
//! values are compared as a whole. Identifiers are merged one by one.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The list that is merged item by item.
pub(super) const IDENTIFIERS: &str = "/identifiers";

/// A token of a JSON Pointer (RFC 6901, section 3).
fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// Whether a value is a reference: its members belong together.
fn is_reference(object: &Map<String, Value>) -> bool {
    let reference = |name: &str| matches!(name, "id" | "identifier" | "display");
    (object.contains_key("id") || object.contains_key("identifier"))
        && object.keys().all(|name| reference(name))
}

/// Every leaf of an object by its pointer. An empty object is a leaf of its own.
pub(super) fn leaves(data: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    gather(data, String::new(), &mut found);
    found
}

fn gather<'a>(value: &'a Value, pointer: String, found: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(members) if !members.is_empty() && !is_reference(members) => {
            for (name, member) in members {
                gather(member, format!("{pointer}/{}", escaped(name)), found);
            }
        }
        _ if pointer.is_empty() => {}
        leaf => {
            found.insert(pointer, leaf);
        }
    }
}

/// A leaf that differs between two values: what it is in the new one, `None` = it is not there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) pointer: String,
    pub(super) value: Option<Value>,
}

/// What is new in the second, identifiers left out.
pub(super) fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let (before, after) = (leaves(old), leaves(new));
    let mut changes: Vec<Change> = after
        .iter()
        .filter(|(pointer, value)| before.get(*pointer) != Some(value))
        .map(|(pointer, value)| Change {
            pointer: pointer.clone(),
            value: Some((*value).clone()),
        })
        .collect();
    changes.extend(
        before
            .keys()
            .filter(|pointer| !after.contains_key(*pointer))
            .map(|pointer| Change {
                pointer: pointer.clone(),
                value: None,
            }),
    );
    changes.retain(|change| change.pointer != IDENTIFIERS);
    changes
}

/// Sets a member of a merge patch (RFC 7396): null removes.
pub(super) fn set(patch: &mut Value, pointer: &str, value: Value) {
    let mut place = patch;
    for token in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else {
            return;
        };
        place = members.entry(unescaped(token)).or_insert(Value::Null);
    }
    *place = value;
}

/// Removes what a pointer leads to, and the objects that are empty then.
pub(super) fn remove(data: &mut Value, pointer: &str) -> bool {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return false;
    };
    let removed = match data.pointer_mut(parent) {
        Some(Value::Object(members)) => members.remove(&unescaped(last)).is_some(),
        Some(Value::Array(items)) => match last.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    };
    let is_empty = match data.pointer(parent) {
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        _ => false,
    };
    if removed && is_empty && !parent.is_empty() {
        remove(data, parent);
    }
    removed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_taken_apart_and_lists_are_not() {
        let data = json!({"name": {"sv": "A", "en": "B"}, "list": [{"a": 1}], "parent": {"id": "x"}, "empty": {}, "a/b": 1});
        let found: Vec<String> = leaves(&data).into_keys().collect();
        assert_eq!(
            found,
            [
                "/a~1b", "/empty", "/list", "/name/en", "/name/sv", "/parent"
            ]
        );
    }

    #[test]
    fn what_differs_is_told_by_leaf() {
        let old = json!({"name": {"sv": "A", "en": "B"}, "kind": "unit", "identifiers": [1]});
        let new = json!({"name": {"sv": "C", "en": "B"}, "size": 1, "identifiers": [2]});
        let changes = changes(&old, &new);
        let told: Vec<(&str, Option<&Value>)> = changes
            .iter()
            .map(|change| (change.pointer.as_str(), change.value.as_ref()))
            .collect();
        assert_eq!(
            told,
            [
                ("/name/sv", Some(&json!("C"))),
                ("/size", Some(&json!(1))),
                ("/kind", None)
            ]
        );
    }

    #[test]
    fn patches_are_put_together_and_apart() {
        let mut patch = json!({});
        set(&mut patch, "/name/sv", json!("A"));
        set(&mut patch, "/name/en", Value::Null);
        set(&mut patch, "/a~1b", json!(1));
        assert_eq!(patch, json!({"name": {"sv": "A", "en": null}, "a/b": 1}));
        let mut data = json!({"name": {"sv": "A"}, "list": [1, 2]});
        assert!(remove(&mut data, "/name/sv") && remove(&mut data, "/list/0"));
        assert!(!remove(&mut data, "/other"));
        assert_eq!(data, json!({"list": [2]}));
    }
}
