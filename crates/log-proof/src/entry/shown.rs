//! An entry of the feed against its proof: what it says is what its leaf commits to.

use serde_json::{Map, Value, json};

use super::wire::{EntryError, EntryProof};
use super::{CLASSES, COUNT, PARTS};
use crate::merkle::Hash;

/// What stands in committed data in place of a geometry, before the SHA-256 of its RFC 8785 form.
const GEOMETRY: &str = "geometry:sha256-";

/// An entry that agrees with its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEntry {
    /// Its position in the log.
    pub position: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// The privacy classes of which it shows data and does not prove that this is all: their parts are bare, because
    /// something of them is withheld.
    pub unproven: Vec<&'static str>,
}

/// Checks an entry of the feed as it came (with `content=states` and `proof=true`). Everything that the entry says is
/// compared with what the leaf commits to. Of a part that is bare it must say nothing; of the privacy classes it may, and
/// then they are [`unproven`](VerifiedEntry::unproven).
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
) -> Result<VerifiedEntry, EntryError> {
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
    for (name, said) in [("actor", &actor), ("reason", &reason), ("source", &source)] {
        said_or_silent(name, said.as_ref(), &of(name), &[Value::Null])?;
    }
    said_or_silent(
        "period",
        period.as_ref(),
        &json!([of("validFrom"), of("validTo")]),
        &[json!(["unknown", null]), json!([null, null])],
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
    said_or_silent(
        "timeline",
        timeline.as_ref(),
        &Value::Array(frames),
        &[json!([])],
    )?;
    let bare: Vec<&'static str> = classes
        .iter()
        .zip(PARTS.iter().skip(CLASSES))
        .filter(|(class, _)| class.is_none() && !states.is_empty())
        .map(|(_, name)| *name)
        .collect();
    for (number, state) in states.iter().enumerate() {
        let data = state.get("data").cloned().unwrap_or(Value::Null);
        let rebuilt = rebuilt(&classes, number)?;
        if !agrees(&rebuilt, &data, bare.is_empty(), geometry) {
            return Err(EntryError::Content(format!("state {number}")));
        }
    }
    Ok(VerifiedEntry {
        position,
        leaf,
        unproven: bare,
    })
}

/// What is shown of a part that is opened is what it says, and nothing is shown of one that is bare.
fn said_or_silent(
    name: &str,
    said: Option<&Value>,
    shown: &Value,
    silent: &[Value],
) -> Result<(), EntryError> {
    match said {
        None if !silent.contains(shown) => Err(EntryError::Content(name.to_owned())),
        _ => same(name, said, shown),
    }
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
        let Some(class) = class else { continue };
        let wrong = || EntryError::Form(format!("the part {name} has no such state {number}"));
        let of_state = class
            .get(number)
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

/// Whether committed data says what is shown, `whole` or part of it. A list that is committed to in pieces is an object by the
/// numbers of its items.
fn agrees(said: &Value, shown: &Value, whole: bool, geometry: &dyn Fn(&Value) -> String) -> bool {
    match (said, shown) {
        (Value::String(text), Value::Object(_)) => text
            .strip_prefix(GEOMETRY)
            .is_some_and(|hash| hash == geometry(shown)),
        (Value::Object(said), Value::Object(shown)) => {
            (!whole || said.len() == shown.len())
                && said.iter().all(|(name, said)| {
                    shown
                        .get(name)
                        .is_some_and(|shown| agrees(said, shown, whole, geometry))
                })
        }
        (Value::Array(said), Value::Array(shown)) => {
            said.len() == shown.len()
                && said
                    .iter()
                    .zip(shown)
                    .all(|(said, shown)| agrees(said, shown, whole, geometry))
        }
        (Value::Object(said), Value::Array(shown)) => {
            (!whole || said.len() == shown.len())
                && shown.iter().enumerate().all(|(index, shown)| {
                    said.get(&index.to_string())
                        .map_or(!whole, |said| agrees(said, shown, whole, geometry))
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
