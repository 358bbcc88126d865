//! Patches to the data of a state: JSON Merge Patch (RFC 7396, own) and JSON Patch (RFC 6902).
//!
//! In a merge patch `null` removes and absent leaves alone. A patch is applied to **every** state inside a period, so
//! array positions in a JSON Patch are only safe where the states agree on the array; otherwise a `test` must come
//! first ([`Patch::guard_positions`]).

use json_patch::PatchOperation;
use json_patch::jsonptr::Pointer;
use serde_json::Value;

use crate::{Code, Fault, Refusal};

/// The most operations that a JSON Patch may hold.
const MAX_OPERATIONS: usize = 1_000;
/// The most bytes that a patched document may take, each value counted as eight beside its text: `copy` can double a
/// document each time.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A patch that has been read.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// RFC 7396.
    Merge(Value),
    /// RFC 6902.
    Json(Vec<PatchOperation>),
}

impl Patch {
    /// A merge patch. `data` is always an object, so the patch must be one.
    ///
    /// # Errors
    /// [`Code::PatchMalformed`].
    pub fn merge(patch: Value) -> Result<Self, Refusal> {
        if patch.is_object() {
            Ok(Self::Merge(patch))
        } else {
            Err(Refusal::new(
                Code::PatchMalformed,
                "A merge patch to data is a JSON object: write the properties to change, and null for those to remove.",
            ))
        }
    }

    /// A JSON Patch: an array of operations.
    ///
    /// # Errors
    /// [`Code::PatchMalformed`] with the place of the first operation that cannot be read.
    pub fn json(operations: Value) -> Result<Self, Refusal> {
        let Value::Array(operations) = operations else {
            return Err(Refusal::new(
                Code::PatchMalformed,
                "A JSON Patch is an array of operations such as [{\"op\": \"replace\", \"path\": \"/kind\", \"value\": \"unit\"}].",
            ));
        };
        if operations.len() > MAX_OPERATIONS {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "A JSON Patch holds at most {MAX_OPERATIONS} operations; this one has {}.",
                    operations.len()
                ),
            ));
        }
        let mut read = Vec::with_capacity(operations.len());
        let mut faults = Vec::new();
        for (index, operation) in operations.into_iter().enumerate() {
            match serde_json::from_value::<PatchOperation>(operation) {
                Ok(operation) => read.push(operation),
                Err(error) => faults.push((
                    Code::PatchMalformed,
                    Fault::new(
                        format!("/{index}"),
                        Code::PatchMalformed,
                        format!(
                            "Operation {index} of the JSON Patch cannot be read ({error}): write op (add, remove, replace, move, copy or test), path, and value or from."
                        ),
                        format!("Operation {index} i JSON Patch kan inte läsas ({error})."),
                    ),
                )),
            }
        }
        match Refusal::of_faults(faults) {
            Some(refusal) => Err(refusal),
            None => Ok(Self::Json(read)),
        }
    }

    /// The data with the patch applied.
    ///
    /// # Errors
    /// What did not apply: a `test` that failed or a path that leads nowhere, as a fault with the operation's pointer.
    pub fn apply(&self, data: &Value) -> Result<Value, Fault> {
        let mut patched = data.clone();
        match self {
            Patch::Merge(patch) => merge(&mut patched, patch),
            Patch::Json(operations) => {
                for (index, operation) in operations.iter().enumerate() {
                    json_patch::patch(&mut patched, std::slice::from_ref(operation))
                        .map_err(|error| failed(index, operation, &error.kind.to_string()))?;
                    if matches!(operation, PatchOperation::Copy(_))
                        && !holds_at_most(&patched, &mut MAX_BYTES.clone())
                    {
                        return Err(failed(
                            index,
                            operation,
                            "the copies make the document too large",
                        ));
                    }
                }
            }
        }
        Ok(patched)
    }

    /// Refuses array positions over states that differ in that array, unless a `test` on the array, or on something
    /// within or around it, comes first.
    ///
    /// # Errors
    /// One fault for each such operation.
    pub fn guard_positions(&self, states: &[Value]) -> Result<(), Vec<Fault>> {
        let Patch::Json(operations) = self else {
            return Ok(());
        };
        if states.len() < 2 {
            return Ok(());
        }
        let mut tests: Vec<&Pointer> = Vec::new();
        let mut faults = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            if let PatchOperation::Test(test) = operation {
                tests.push(&test.path);
                continue;
            }
            let from = match operation {
                PatchOperation::Move(operation) => Some(operation.from.as_ref()),
                PatchOperation::Copy(operation) => Some(operation.from.as_ref()),
                _ => None,
            };
            for path in std::iter::once(operation.path()).chain(from) {
                let unsafe_array = arrays_by_position(path).into_iter().find(|array| {
                    let is_array = states
                        .iter()
                        .any(|state| matches!(state.pointer(array), Some(Value::Array(_))));
                    let first = states.first().and_then(|state| state.pointer(array));
                    let differs = states.iter().any(|state| state.pointer(array) != first);
                    let tested = tests
                        .iter()
                        .any(|test| within(test.as_str(), array) || within(array, test.as_str()));
                    is_array && differs && !tested
                });
                if let Some(array) = unsafe_array {
                    faults.push(Fault::new(
                        format!("/{index}"),
                        Code::PatchNeedsTest,
                        format!(
                            "Operation {index} names a position in {array}, but the states in the period differ there: put a test operation on {array} first, or amend one state at a time."
                        ),
                        format!(
                            "Operation {index} anger en plats i {array}, men tillstånden i perioden skiljer sig där: lägg ett test på {array} först, eller ändra ett tillstånd i taget."
                        ),
                    ));
                }
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// RFC 7396, section 2: null removes, an object merges, anything else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(object) = target {
        // A reference names its target in one way: whoever gives it another takes the one that was there.
        for (one, other) in [("id", "identifier"), ("identifier", "id")] {
            let given = |name: &str| members.get(name).is_some_and(|value| !value.is_null());
            let is_reference = || {
                let mut names = object.keys();
                names.all(|name| matches!(name.as_str(), "id" | "identifier" | "display"))
            };
            if given(one) && !given(other) && object.contains_key(other) && is_reference() {
                object.remove(other);
            }
        }
        for (name, value) in members {
            if value.is_null() {
                object.remove(name);
            } else {
                merge(object.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

fn failed(index: usize, operation: &PatchOperation, why: &str) -> Fault {
    let path = operation.path();
    Fault::new(
        format!("/{index}"),
        Code::PatchFailed,
        format!(
            "Operation {index} of the JSON Patch does not apply at {path:?}: {why}. Read the state again and make the patch anew."
        ),
        format!(
            "Operation {index} i JSON Patch går inte att tillämpa på {path:?}. Läs tillståndet igen och gör om ändringen."
        ),
    )
}

/// The pointers of what the path addresses by number: `/a/0/b/1` gives `/a` and `/a/0/b`.
fn arrays_by_position(path: &Pointer) -> Vec<&str> {
    let text = path.as_str();
    let mut arrays = Vec::new();
    let mut start = 0;
    while let Some(slash) = text
        .get(start..)
        .and_then(|rest| rest.find('/'))
        .map(|at| at + start)
    {
        let token_end = text
            .get(slash + 1..)
            .and_then(|rest| rest.find('/'))
            .map_or(text.len(), |at| at + slash + 1);
        let token = text.get(slash + 1..token_end).unwrap_or_default();
        if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit()) {
            arrays.extend(text.get(..slash));
        }
        start = token_end;
    }
    arrays
}

/// Whether a pointer is the other or lies below it.
fn within(pointer: &str, other: &str) -> bool {
    pointer
        .strip_prefix(other)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn holds_at_most(value: &Value, budget: &mut usize) -> bool {
    let names = match value {
        Value::String(text) => text.len(),
        Value::Object(members) => members.keys().map(String::len).sum(),
        _ => 0,
    };
    let Some(left) = budget.checked_sub(names.saturating_add(8)) else {
        return false;
    };
    *budget = left;
    match value {
        Value::Array(items) => items.iter().all(|item| holds_at_most(item, budget)),
        Value::Object(members) => members.values().all(|member| holds_at_most(member, budget)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merge_follows_the_examples_of_rfc_7396() {
        // RFC 7396, appendix A.
        for (original, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1]}),
                json!({"a": [1]}),
            ),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!([1, 2]),
                json!({"a": "b", "c": null}),
                json!({"a": "b"}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
        ] {
            let mut value = original.clone();
            merge(&mut value, &patch);
            assert_eq!(value, result, "{original} with {patch}");
        }
    }

    #[test]
    fn copies_are_bounded_by_bytes() {
        let copies: Vec<Value> = (0..5)
            .map(|number| json!({"op": "copy", "from": "/a", "path": format!("/b{number}")}))
            .collect();
        let patch = Patch::json(Value::Array(copies)).unwrap();
        let fault = patch
            .apply(&json!({"a": "x".repeat(2 * 1024 * 1024)}))
            .unwrap_err();
        assert_eq!(fault.pointer, "/2");
        assert!(patch.apply(&json!({"a": "x"})).is_ok());
    }

    #[test]
    fn a_merge_patch_is_an_object() {
        assert_eq!(
            Patch::merge(json!([])).unwrap_err().code,
            Code::PatchMalformed
        );
        assert!(Patch::merge(json!({"a": null})).is_ok());
    }

    #[test]
    fn unreadable_operations_are_all_named() {
        let refusal = Patch::json(json!([
            {"op": "add", "path": "/a", "value": 1},
            {"op": "increase", "path": "/a"},
            {"op": "add", "path": "a", "value": 1},
        ]))
        .unwrap_err();
        let places: Vec<&str> = refusal
            .errors
            .iter()
            .map(|fault| fault.pointer.as_str())
            .collect();
        assert_eq!(places, ["/1", "/2"]);
        assert!(Patch::json(json!({"op": "add"})).is_err());
    }

    #[test]
    fn what_does_not_apply_says_where() {
        let patch = Patch::json(json!([
            {"op": "add", "path": "/b", "value": 1},
            {"op": "test", "path": "/a", "value": 2},
        ]))
        .unwrap();
        assert_eq!(
            patch.apply(&json!({"a": 2})).unwrap(),
            json!({"a": 2, "b": 1})
        );
        let fault = patch.apply(&json!({"a": 3})).unwrap_err();
        assert_eq!(
            (fault.pointer.as_str(), &*fault.code),
            ("/1", "patch-failed")
        );
    }

    #[test]
    fn copies_cannot_blow_up_a_document() {
        let doubling: Vec<Value> = (0..64)
            .map(|n| json!({"op": "copy", "from": "", "path": format!("/x{n}")}))
            .collect();
        let patch = Patch::json(Value::Array(doubling)).unwrap();
        assert!(
            patch
                .apply(&json!({"a": [1, 2, 3]}))
                .unwrap_err()
                .message
                .contains("too large")
        );
    }

    #[test]
    fn positions_over_differing_arrays_need_a_test() {
        let states = [
            json!({"a": [{"b": [1]}], "c": [1]}),
            json!({"a": [{"b": [2]}], "c": [1]}),
        ];
        let guard = |operations| Patch::json(operations).unwrap().guard_positions(&states);
        let replace = |path: &str| json!({"op": "replace", "path": path, "value": 9});
        assert!(guard(json!([replace("/a/0/b/0")])).is_err());
        assert!(guard(json!([replace("/a/0")])).is_err());
        assert!(guard(json!([replace("/c/0")])).is_ok());
        assert!(guard(json!([replace("/a")])).is_ok());
        assert!(guard(json!([{"op": "add", "path": "/a/-", "value": 1}])).is_ok());
        assert!(
            guard(json!([{"op": "test", "path": "/a/0/b", "value": [1]}, replace("/a/0/b/0")]))
                .is_ok()
        );
        assert!(
            guard(json!([replace("/a/0/b/0"), {"op": "test", "path": "/a", "value": []}])).is_err()
        );
        assert!(guard(json!([{"op": "move", "from": "/a/0", "path": "/d"}])).is_err());
        let one = &states[..1];
        let patch = Patch::json(json!([replace("/a/0/b/0")])).unwrap();
        assert!(patch.guard_positions(one).is_ok());
    }
}
