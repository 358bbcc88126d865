//! Checking data against the compiled JSON Schema: fast when it is valid, every error when it is not.

use std::collections::BTreeSet;

use grunddata_model::Domain;
use serde_json::{Value, json};

use crate::MAX_DEPTH;
use crate::canonical::MAX_SAFE_INTEGER;
use crate::error::{ValidationError, code};
use crate::explain::explain;
use crate::path::Path;
use crate::plan::{Node, Role};
use crate::release::{Compiled, Release};
use crate::walk::geometry_hash;

/// The most errors that are told of one record: whoever sees that many needs no more to begin with. One more is kept, so
/// that a reader knows that there are more.
const MOST_TOLD: usize = 101;
/// The most errors that are collected before those that say nothing new are removed.
pub(crate) const MOST_COLLECTED: usize = 1_000;

/// The errors of the schema, that of the domain and those of the extension packages. `Err` when the data is such that
/// nothing more should be read of it.
pub(crate) fn check_schema(
    release: &Release,
    domain: Domain,
    data: &Value,
) -> Result<Vec<ValidationError>, Vec<ValidationError>> {
    let mut errors = Vec::new();
    guard(data, &Path::Root, 1, &mut errors);
    if errors.iter().any(|error| error.code == code::TOO_DEEP) {
        return Err(tidy(errors));
    }
    let core = release.core(domain);
    check(core, data, "", &mut errors);
    if let Some(Value::Object(packages)) = data.get("extensions") {
        for (name, data) in packages {
            if let Some((_, extension)) = release.extension(name, None, domain) {
                let prefix = format!("/extensions/{}", crate::path::escape(name));
                check(extension, data, &prefix, &mut errors);
            }
        }
    }
    Ok(errors)
}

fn check(compiled: &Compiled, data: &Value, prefix: &str, errors: &mut Vec<ValidationError>) {
    if compiled.validator.is_valid(data) {
        return;
    }
    // A geometry that an amendment leaves as it is comes back in its stored form, which the schema does not know. The
    // check is made with a geometry that is known to be valid in its place.
    let mut stand_in = None;
    if holds_stored_geometry(&compiled.plan.root, data) {
        let copy = stand_in.insert(data.clone());
        replace_stored_geometries(&compiled.plan.root, copy);
        if compiled.validator.is_valid(copy) {
            return;
        }
    }
    let data = stand_in.as_ref().unwrap_or(data);
    for error in compiled.validator.iter_errors(data) {
        if errors.len() >= MOST_COLLECTED {
            break;
        }
        explain(&error, &compiled.plan.root, prefix, errors);
    }
}

fn holds_stored_geometry(node: &Node, value: &Value) -> bool {
    match (&node.role, value) {
        (Role::Geometry, value) => geometry_hash(value).is_some(),
        (Role::Plain, Value::Object(members)) => members.iter().any(|(name, value)| {
            node.member(name)
                .is_some_and(|node| holds_stored_geometry(node, value))
        }),
        (Role::Plain, Value::Array(items)) => node
            .items
            .as_ref()
            .is_some_and(|node| items.iter().any(|item| holds_stored_geometry(node, item))),
        _ => false,
    }
}

fn replace_stored_geometries(node: &Node, value: &mut Value) {
    match (&node.role, value) {
        (Role::Geometry, value) if geometry_hash(value).is_some() => {
            *value = json!({"type": "Point", "coordinates": [0, 0]});
        }
        (Role::Plain, Value::Object(members)) => {
            for (name, value) in members.iter_mut() {
                if let Some(node) = node.member(name) {
                    replace_stored_geometries(node, value);
                }
            }
        }
        (Role::Plain, Value::Array(items)) => {
            if let Some(node) = &node.items {
                for item in items {
                    replace_stored_geometries(node, item);
                }
            }
        }
        _ => {}
    }
}

/// What no schema says: the depth, control characters, and numbers that other readers would round.
fn guard(value: &Value, path: &Path<'_>, depth: usize, errors: &mut Vec<ValidationError>) {
    if errors.len() >= MOST_COLLECTED {
        return;
    }
    match value {
        Value::String(text) => {
            if holds_control_character(text) {
                errors.push(control_character(path.pointer()));
            }
        }
        Value::Number(number) => {
            let whole = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs));
            if whole.is_some_and(|whole| whole > MAX_SAFE_INTEGER) {
                errors.push(ValidationError::new(
                    path.pointer(),
                    code::OUT_OF_RANGE,
                    "The number is too large to be kept exactly; the largest is 9007199254740991.",
                    "Talet är för stort för att bevaras exakt; det största är 9007199254740991.",
                ));
            }
        }
        Value::Array(_) | Value::Object(_) if depth > MAX_DEPTH => {
            errors.push(ValidationError::new(
                path.pointer(),
                code::TOO_DEEP,
                format!("The data is nested deeper than {MAX_DEPTH} levels; make it flatter."),
                format!("Uppgifterna är nästlade djupare än {MAX_DEPTH} nivåer; gör dem plattare."),
            ));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                guard(item, &Path::Item(path, index), depth + 1, errors);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                let at = Path::Member(path, name);
                if holds_control_character(name) && errors.len() < MOST_COLLECTED {
                    errors.push(control_character(at.pointer()));
                }
                guard(member, &at, depth + 1, errors);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Tab and line feed are allowed. The bytes are looked at first: the characters U+0080 to U+009F begin with 0xC2.
fn holds_control_character(text: &str) -> bool {
    // Without a way out of the loop the compiler looks at many bytes at once.
    text.bytes().fold(false, |found, byte| {
        found | (byte < 0x20) | (byte == 0x7f) | (byte == 0xc2)
    }) && text
        .chars()
        .any(|char| char.is_control() && char != '\t' && char != '\n')
}

fn control_character(pointer: String) -> ValidationError {
    ValidationError::new(
        pointer,
        code::CONTROL_CHARACTER,
        "The text holds a control character; only tab and line feed are allowed. Remove it.",
        "Texten innehåller ett styrtecken; bara tabb och radbrytning är tillåtna. Ta bort det.",
    )
}

/// How telling an error of one value is. Of several about one and the same value only the most telling is kept:
/// whoever is told that a code is empty need not hear that it is also too short and unknown.
fn weight(code: &str) -> Option<u8> {
    Some(match code {
        code::CONTROL_CHARACTER => 0,
        code::WRONG_TYPE => 1,
        code::EMPTY_STRING => 2,
        code::REFERENCE_MALFORMED => 3,
        code::UNKNOWN_EXTENSION => 4,
        code::UNKNOWN_IDENTIFIER_SCHEME | code::SCHEME_NOT_FOR_DOMAIN => 5,
        code::UNKNOWN_CODE => 6,
        code::INVALID_DATE => 7,
        code::CHECK_DIGIT => 8,
        code::INVALID_FORMAT => 9,
        code::OUT_OF_RANGE => 10,
        code::TOO_LONG => 11,
        code::TOO_SHORT => 12,
        code::PATTERN_MISMATCH => 13,
        code::NOT_ALLOWED => 14,
        // Errors of objects and lists, which can stand together.
        _ => return None,
    })
}

/// Sorts the errors and removes what says nothing new.
pub(crate) fn tidy(mut errors: Vec<ValidationError>) -> Vec<ValidationError> {
    errors.truncate(2 * MOST_COLLECTED);
    errors.sort();
    errors.dedup_by(|a, b| a.pointer == b.pointer && a.code == b.code && a.property == b.property);
    let mut kept: Vec<ValidationError> = Vec::with_capacity(errors.len());
    for error in errors {
        match (
            kept.iter_mut()
                .find(|known| known.pointer == error.pointer && weight(known.code).is_some()),
            weight(error.code),
        ) {
            (Some(known), Some(heavier)) => {
                if weight(known.code).is_none_or(|known| heavier < known) {
                    *known = error;
                }
            }
            _ => kept.push(error),
        }
    }
    // A reference that is none, or a value of the wrong type, explains everything inside and beside it.
    let hopeless: BTreeSet<String> = kept
        .iter()
        .filter(|error| {
            matches!(
                error.code,
                code::REFERENCE_MALFORMED | code::UNKNOWN_EXTENSION
            )
        })
        .map(|error| error.pointer.clone())
        .collect();
    kept.retain(|error| {
        let inside = hopeless.iter().any(|pointer| {
            error
                .pointer
                .strip_prefix(pointer.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
        });
        let beside = hopeless.contains(&error.pointer) && weight(error.code).is_none();
        !(inside || beside)
    });
    kept.truncate(MOST_TOLD);
    kept
}
