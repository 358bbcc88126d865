//! An entry of the feed against its proof: what it says is what its leaf commits to.

use serde_json::{Map, Value, json};

use super::wire::{EntryError, EntryProof};
use super::{CLASSES, COUNT, PARTS};
use crate::merkle::Hash;

/// What stands in committed data in place of a geometry, before the SHA-256 of its RFC 8785 form.
const GEOMETRY: &str = "geometry:sha256-";

/// Checks an entry of the feed as it came (with `content=states` and `proof=true`) and gives its position and its leaf.
/// Everything that the entry says is compared with what the leaf commits to; parts that are bare are not looked at.
///
/// `geometry` gives the SHA-256, in hexadecimal, of the RFC 8785 form of a geometry: entries show the geometry itself, and
/// leaves commit to its hash.
///
/// # Errors
/// [`EntryError`].
pub fn verify_entry(
    owner: &str,
    entry: &Value,
    geometry: &dyn Fn(&Value) -> String,
) -> Result<(u64, Hash), EntryError> {
    let position = entry
        .get("position")
        .and_then(Value::as_u64)
        .ok_or_else(|| EntryError::Form("the entry has no position".to_owned()))?;
    let proof = entry
        .get("proof")
        .ok_or_else(|| EntryError::Form("the entry has no proof".to_owned()))?;
    let proof = EntryProof::deserialized(proof)?;
    let leaf = proof.check(owner, position)?;
    let mut contents: [Option<Value>; COUNT] = Default::default();
    for (part, place) in contents.iter_mut().enumerate() {
        if let Some(text) = proof.content(part) {
            *place = Some(serde_json::from_str(text).map_err(|_| {
                EntryError::Form(format!(
                    "the part {} is no JSON",
                    PARTS.get(part).copied().unwrap_or_default()
                ))
            })?);
        }
    }
    let of = |name: &str| entry.get(name).cloned().unwrap_or(Value::Null);
    let [said, actor, reason, source, period, timeline, classes @ ..] = contents;
    let shown = json!([
        of("record"),
        of("domain"),
        of("kind"),
        of("version"),
        of("recordedAt"),
        of("transaction"),
        of("changeKind"),
        of("corrects"),
    ]);
    same("entry", said.as_ref(), &shown)?;
    same("actor", actor.as_ref(), &of("actor"))?;
    same("reason", reason.as_ref(), &of("reason"))?;
    same("source", source.as_ref(), &of("source"))?;
    same(
        "period",
        period.as_ref(),
        &json!([of("validFrom"), of("validTo")]),
    )?;
    let Some(states) = entry.get("states").and_then(Value::as_array) else {
        return Err(EntryError::Form("the entry has no states".to_owned()));
    };
    let frames: Vec<Value> = states
        .iter()
        .map(|state| {
            json!([
                state.get("validFrom"),
                state.get("validTo"),
                state.get("model")
            ])
        })
        .collect();
    same("timeline", timeline.as_ref(), &Value::Array(frames))?;
    if classes.iter().any(Option::is_none) {
        return Ok((position, leaf));
    }
    for (number, state) in states.iter().enumerate() {
        let data = state.get("data").cloned().unwrap_or(Value::Null);
        let rebuilt = rebuilt(&classes, number)?;
        if !agrees(&rebuilt, &data, geometry) {
            return Err(EntryError::Content(format!("state {number}")));
        }
    }
    Ok((position, leaf))
}

fn same(name: &str, said: Option<&Value>, shown: &Value) -> Result<(), EntryError> {
    match said {
        Some(said) if said != shown => Err(EntryError::Content(name.to_owned())),
        _ => Ok(()),
    }
}

/// The data of a state from what the parts of the four classes say of it: each a list of pairs, a JSON Pointer (RFC 6901)
/// and the value there.
fn rebuilt(classes: &[Option<Value>], number: usize) -> Result<Value, EntryError> {
    let mut pairs: Vec<(&str, &Value)> = Vec::new();
    for (class, name) in classes.iter().zip(PARTS.iter().skip(CLASSES)) {
        let wrong = || EntryError::Form(format!("the part {name} has no such state {number}"));
        let of_state = class
            .as_ref()
            .and_then(|class| class.get(number))
            .and_then(Value::as_array)
            .ok_or_else(wrong)?;
        for pair in of_state {
            let pointer = pair.get(0).and_then(Value::as_str).ok_or_else(wrong)?;
            pairs.push((pointer, pair.get(1).ok_or_else(wrong)?));
        }
    }
    let mut tree = Node::default();
    for (pointer, value) in pairs {
        let tokens = pointer.split('/').skip(1);
        let node = tokens.fold(&mut tree, |node, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            node.below.entry(token).or_default()
        });
        node.value = Some(value);
    }
    Ok(tree.value())
}

/// What stands below a pointer.
#[derive(Default)]
struct Node<'a> {
    value: Option<&'a Value>,
    below: std::collections::BTreeMap<String, Node<'a>>,
}

impl Node<'_> {
    /// A list where every name is a number from 0 without a hole, else an object: which of the two it is shows in what the
    /// entry says ([`agrees`]).
    fn value(&self) -> Value {
        if let Some(value) = self.value {
            return value.clone();
        }
        let mut object = Map::new();
        for (name, node) in &self.below {
            object.insert(name.clone(), node.value());
        }
        Value::Object(object)
    }
}

/// Whether committed data says what is shown. A list that is committed to in pieces is an object by the numbers of its items.
fn agrees(said: &Value, shown: &Value, geometry: &dyn Fn(&Value) -> String) -> bool {
    match (said, shown) {
        (Value::String(text), Value::Object(_)) => text
            .strip_prefix(GEOMETRY)
            .is_some_and(|hash| hash == geometry(shown)),
        (Value::Object(said), Value::Object(shown)) => {
            said.len() == shown.len()
                && said.iter().all(|(name, said)| {
                    shown
                        .get(name)
                        .is_some_and(|shown| agrees(said, shown, geometry))
                })
        }
        (Value::Array(said), Value::Array(shown)) => {
            said.len() == shown.len()
                && said
                    .iter()
                    .zip(shown)
                    .all(|(said, shown)| agrees(said, shown, geometry))
        }
        (Value::Object(said), Value::Array(shown)) => {
            said.len() == shown.len()
                && shown.iter().enumerate().all(|(index, shown)| {
                    said.get(&index.to_string())
                        .is_some_and(|said| agrees(said, shown, geometry))
                })
        }
        _ => said == shown,
    }
}

impl EntryProof {
    fn deserialized(value: &Value) -> Result<Self, EntryError> {
        serde::Deserialize::deserialize(value)
            .map_err(|error: serde_json::Error| EntryError::Form(error.to_string()))
    }
}
