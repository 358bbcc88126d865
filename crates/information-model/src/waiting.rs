//! References that wait for a record that is erased: what is left of them.

use serde_json::{Value, json};

use crate::canonical::canonical_json;
use crate::record::{PendingUse, Resolved};

impl Resolved {
    /// The same data without the references that are pending and go, for a version that follows: an item of a list of which one
    /// is a part goes as a whole. `None` where none does.
    #[must_use]
    pub fn without_pending(&self, goes: &mut dyn FnMut(&PendingUse) -> bool) -> Option<Self> {
        let gone: Vec<&str> = self
            .pending()
            .iter()
            .filter(|pending| goes(pending))
            .map(|pending| pending.pointer.as_str())
            .collect();
        self.without(&gone)
    }

    /// The same data without what [`erased_pending`](Self::erased_pending) has left: for a version that follows.
    #[must_use]
    pub fn without_erased(&self) -> Option<Self> {
        let mut gone = Vec::new();
        find_erased(&self.value(), &mut String::new(), &mut gone);
        let gone: Vec<&str> = gone.iter().map(String::as_str).collect();
        self.without(&gone)
    }

    /// The same data as it stands in versions of before: of a reference that is pending there is left by which scheme it was,
    /// and a number in place of the value, which tells it from others of the record. `None` where nothing is to go.
    #[must_use]
    pub fn erased_pending(
        &self,
        number: &mut dyn FnMut(&PendingUse) -> Option<u64>,
    ) -> Option<Self> {
        let mut value: Option<Value> = None;
        for pending in self.pending() {
            let Some(number) = number(pending) else {
                continue;
            };
            let value = value.get_or_insert_with(|| self.value());
            if let Some(place) = value.pointer_mut(&pending.pointer) {
                *place =
                    json!({"identifier": {"erased": number, "scheme": pending.scheme.as_str()}});
            }
        }
        value.map(|value| self.with(&value))
    }

    fn without(&self, pointers: &[&str]) -> Option<Self> {
        if pointers.is_empty() {
            return None;
        }
        let mut value = self.value();
        for pointer in pointers {
            if let Some(place) = value.pointer_mut(removed_with(pointer)) {
                *place = Value::Null;
            }
        }
        prune(&mut value);
        Some(self.with(&value))
    }

    fn with(&self, value: &Value) -> Self {
        Self::stored(
            self.information_model().clone(),
            self.domain(),
            self.model().into(),
            canonical_json(value).into(),
        )
    }
}

/// The item of a list that a reference is a part of, or the reference itself.
fn removed_with(pointer: &str) -> &str {
    let mut end = 0;
    for (at, part) in pointer.match_indices('/').map(|(at, _)| {
        let rest = pointer.get(at + 1..).unwrap_or_default();
        (at, rest.split('/').next().unwrap_or_default())
    }) {
        let is_index = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if is_index {
            end = at + 1 + part.len();
        }
    }
    match end {
        0 => pointer,
        end => pointer.get(..end).unwrap_or(pointer),
    }
}

/// Removes what has been emptied: no stored data has a `null`.
fn prune(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(prune);
        }
        Value::Array(items) => {
            items.retain(|value| !value.is_null());
            items.iter_mut().for_each(prune);
        }
        _ => {}
    }
}

fn find_erased(value: &Value, at: &mut String, found: &mut Vec<String>) {
    let length = at.len();
    match value {
        Value::Object(members) => {
            let identifier = members.get("identifier");
            if identifier.is_some_and(|identifier| identifier.get("erased").is_some()) {
                found.push(at.clone());
                return;
            }
            for (name, value) in members {
                at.push('/');
                at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                find_erased(value, at, found);
                at.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                find_erased(value, at, found);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_goes_with_its_reference() {
        assert_eq!(removed_with("/person"), "/person");
        assert_eq!(
            removed_with("/relationships/12/person"),
            "/relationships/12"
        );
        assert_eq!(removed_with("/a/0/b/1/c"), "/a/0/b/1");
        let mut value = json!({"a": [null, {"b": null, "c": 1}, null], "d": null});
        prune(&mut value);
        assert_eq!(value, json!({"a": [{"c": 1}]}));
    }

    #[test]
    fn what_is_left_is_found() {
        let value = json!({"person": {"identifier": {"erased": 1, "scheme": "x"}}, "l": [{"id": 1}, {"to/x": {"identifier": {"erased": 2, "scheme": "x"}}}], "identifier": {"scheme": "x", "value": "y"}});
        let mut found = Vec::new();
        find_erased(&value, &mut String::new(), &mut found);
        found.sort();
        assert_eq!(found, ["/l/1/to~1x", "/person"]);
    }
}
