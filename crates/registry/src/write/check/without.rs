//! A state without one of its references.

use grunddata_information_model::{InformationModel, Resolved, Target};
use grunddata_model::RecordId;
use serde_json::Value;

/// The state without its references of that relation to that record: first the references alone are taken out; where
/// the model does not allow what is left (the reference is required there), the list items that hold them. `None`
/// when neither gives a valid state.
pub(super) fn without(
    model: &InformationModel,
    state: &Resolved,
    relation: &str,
    target: RecordId,
) -> Option<Resolved> {
    let value = state.value();
    let validated = model.validate(state.domain(), None, value.clone()).ok()?;
    let pointers: Vec<&str> = validated
        .references()
        .iter()
        .filter(|reference| {
            &*reference.relation == relation && reference.target == Target::Id(target)
        })
        .map(|reference| reference.pointer.as_str())
        .collect();
    if pointers.is_empty() {
        return Some(state.clone());
    }
    let mut items: Vec<&str> = pointers
        .iter()
        .filter_map(|pointer| enclosing_item(pointer))
        .collect();
    items.dedup();
    [pointers, items]
        .into_iter()
        .filter(|places| !places.is_empty())
        .find_map(|places| {
            let mut cut = value.clone();
            // From the back, so that positions in lists stay right.
            for place in places.iter().rev() {
                remove(&mut cut, place);
            }
            let validated = model.validate(state.domain(), None, cut).ok()?;
            validated
                .resolve(&mut |reference| match reference.target {
                    Target::Id(id) => Some(id),
                    _ => None,
                })
                .ok()
        })
}

/// The pointer of the nearest list item that holds the pointer, itself excepted.
fn enclosing_item(pointer: &str) -> Option<&str> {
    let mut end = pointer.rfind('/')?;
    loop {
        let shorter = pointer.get(..end)?;
        let slash = shorter.rfind('/')?;
        let token = shorter.get(slash + 1..)?;
        if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(shorter);
        }
        end = slash;
    }
}

/// Removes what the pointer leads to, and the list that becomes empty thereby.
fn remove(value: &mut Value, pointer: &str) {
    let Some((parent, token)) = pointer.rsplit_once('/') else {
        return;
    };
    let emptied = match value.pointer_mut(parent) {
        Some(Value::Object(members)) => {
            members.remove(&token.replace("~1", "/").replace("~0", "~"));
            false
        }
        Some(Value::Array(items)) => match token.parse::<usize>() {
            Ok(index) if index < items.len() => {
                items.remove(index);
                items.is_empty()
            }
            _ => false,
        },
        _ => false,
    };
    if emptied {
        remove(value, parent);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn removing_cleans_up_empty_lists() {
        let mut value = json!({"a": [{"b": 1}, {"b": 2}], "c": [1], "d~e": 1});
        remove(&mut value, "/a/1");
        remove(&mut value, "/c/0");
        remove(&mut value, "/d~0e");
        assert_eq!(value, json!({"a": [{"b": 1}]}));
        remove(&mut value, "/a/0/b");
        assert_eq!(value, json!({"a": [{}]}));
    }

    #[test]
    fn the_enclosing_item_is_the_nearest_one() {
        assert_eq!(enclosing_item("/a/0/b/c"), Some("/a/0"));
        assert_eq!(enclosing_item("/a/0/b/1"), Some("/a/0"));
        assert_eq!(enclosing_item("/a/0"), None);
        assert_eq!(enclosing_item("/a"), None);
    }
}
