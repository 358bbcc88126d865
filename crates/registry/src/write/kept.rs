//! What a writer does not see stays as it is, in silence: whatever else of the record is replaced or amended, and whether
//! there is anything to keep or not.

use serde_json::{Map, Value};

/// What the writer makes of the data, with all that it was not shown of it. `seen` is what it was shown of `old`, and
/// `new` what it says in its place.
pub(crate) fn kept(old: &Value, seen: &Value, new: Value) -> Value {
    member(old, Some(seen), Some(new)).unwrap_or_else(|| Value::Object(Map::new()))
}

/// A value with what was withheld of it; `None` where there is nothing.
fn member(old: &Value, seen: Option<&Value>, new: Option<Value>) -> Option<Value> {
    let Some(seen) = seen else {
        return match (old, new) {
            // A reference is one value: another one takes its place.
            (old, Some(new)) if is_waiting(old) && is_reference(&new) => Some(new),
            (Value::Object(old), Some(Value::Object(new))) => members(old, &Map::new(), new),
            (Value::Array(old), Some(Value::Array(new))) => Some(items(old, &[], new)),
            _ => Some(old.clone()),
        };
    };
    // Said again as it was seen: nothing is to change, not even the order in a list.
    if new.as_ref() == Some(seen) {
        return Some(old.clone());
    }
    if seen == old {
        return new;
    }
    match (old, seen, new) {
        (Value::Object(old), Value::Object(seen), None) => members(old, seen, Map::new()),
        (Value::Object(old), Value::Object(seen), Some(Value::Object(new))) => {
            members(old, seen, new)
        }
        (Value::Array(old), Value::Array(seen), None) => Some(items(old, seen, Vec::new())),
        (Value::Array(old), Value::Array(seen), Some(Value::Array(new))) => {
            Some(items(old, seen, new))
        }
        // Another type than the model has there: it says so itself.
        (_, _, new) => new,
    }
}

/// Whether it is a reference that is kept by its identifier.
fn is_waiting(value: &Value) -> bool {
    let members = value.as_object().filter(|members| members.len() == 1);
    members.is_some_and(|members| {
        let identifier = members.get("identifier").and_then(Value::as_object);
        identifier.is_some_and(|identifier| identifier.contains_key("scheme"))
    })
}

/// Whether it is a reference as it is stored.
fn is_reference(value: &Value) -> bool {
    let only_id = |value: &Value| {
        let members = value.as_object().filter(|members| members.len() == 1);
        members.is_some_and(|members| members.get("id").is_some_and(Value::is_string))
    };
    only_id(value) || is_waiting(value)
}

fn members(
    old: &Map<String, Value>,
    seen: &Map<String, Value>,
    mut new: Map<String, Value>,
) -> Option<Value> {
    for (name, old) in old {
        if let Some(value) = member(old, seen.get(name), new.remove(name)) {
            new.insert(name.clone(), value);
        }
    }
    Some(Value::Object(new))
}

/// What was withheld follows what the writer says. An item of which the writer was shown a part is kept whole, whatever
/// became of that part: without it the rest would say something else.
fn items(old: &[Value], seen: &[Value], mut new: Vec<Value>) -> Value {
    let mut seen = seen.iter().peekable();
    for item in old {
        match seen.next_if(|shown| is_part(shown, item)) {
            Some(shown) if shown == item => {}
            Some(shown) => match new.iter_mut().find(|said| *said == shown) {
                Some(said) => said.clone_from(item),
                None => new.push(item.clone()),
            },
            None => new.push(item.clone()),
        }
    }
    Value::Array(new)
}

/// Whether the one is what can be left of the other when something is withheld.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(name, part)| whole.get(name).is_some_and(|whole| is_part(part, whole))),
        (Value::Array(part), Value::Array(whole)) => {
            let mut whole = whole.iter();
            part.iter()
                .all(|part| whole.any(|whole| is_part(part, whole)))
        }
        (part, whole) => part == whole,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn old() -> Value {
        json!({
            "name": "A", "secret": {"level": 1},
            "list": [{"kind": "w", "a": 1}, {"kind": "x"}, {"kind": "y", "b": 2, "hidden": 3}],
            "hidden": [1, 2],
        })
    }

    fn seen() -> Value {
        json!({"name": "A", "list": [{"kind": "x"}, {"kind": "y", "b": 2}]})
    }

    #[test]
    fn what_is_said_again_changes_nothing() {
        assert_eq!(kept(&old(), &seen(), seen()), old());
    }

    #[test]
    fn what_is_not_seen_stays() {
        let new = json!({"name": "B", "list": [{"kind": "z"}, {"kind": "y", "b": 2}]});
        assert_eq!(
            kept(&old(), &seen(), new),
            json!({
                "name": "B", "secret": {"level": 1},
                "list": [{"kind": "z"}, {"kind": "y", "b": 2, "hidden": 3}, {"kind": "w", "a": 1}],
                "hidden": [1, 2],
            })
        );
        assert_eq!(
            kept(&old(), &seen(), json!({"other": 1})),
            json!({
                "other": 1, "secret": {"level": 1},
                "list": [{"kind": "w", "a": 1}, {"kind": "y", "b": 2, "hidden": 3}],
                "hidden": [1, 2],
            })
        );
    }

    #[test]
    fn what_is_said_stands_beside_what_is_not_seen() {
        let old = json!({"list": [1], "object": {"a": 1}});
        let new = json!({"list": [2], "object": {"b": 2}});
        let both = json!({"list": [2, 1], "object": {"a": 1, "b": 2}});
        assert_eq!(kept(&old, &json!({}), new), both);
    }

    #[test]
    fn a_reference_that_is_not_seen_gives_way_to_another_and_to_nothing_else() {
        let number = json!({"scheme": "se-personal-identity-number", "value": "199001012385"});
        let old = json!({"kind": "x", "person": {"identifier": number}});
        let seen = json!({"kind": "x"});
        let other = json!({"kind": "x", "person": {"id": "0190"}});
        assert_eq!(kept(&old, &seen, other.clone()), other);
        let other =
            json!({"kind": "x", "person": {"identifier": {"scheme": "se-hsa-id", "value": "1"}}});
        assert_eq!(kept(&old, &seen, other.clone()), other);
        assert_eq!(kept(&old, &seen, json!({"kind": "x"})), old);
    }

    #[test]
    fn where_all_is_seen_all_is_replaced() {
        let new = json!({"name": "B"});
        assert_eq!(kept(&seen(), &seen(), new.clone()), new);
    }
}
