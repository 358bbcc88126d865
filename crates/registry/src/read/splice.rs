//! Stored bodies as they are shown: display names beside references, geometry in or out, only the fields asked for.
//!
//! Works on the bytes of the canonical JSON, which holds no white space, so that a body need not be parsed to be shown.
//! In canonical JSON an unescaped quotation mark begins or ends a string: the sequences looked for cannot occur inside
//! one.

use std::collections::{BTreeMap, HashMap};

use grunddata_model::RecordId;

/// How a reference stands in a canonical body, up to its id.
const REFERENCE: &str = "{\"id\":\"";
/// The length of a UUID with hyphens.
const UUID_LENGTH: usize = 36;
/// How a geometry stands in a canonical body, up to its hash.
pub(crate) const GEOMETRY: &str = "\"geometry:sha256-";
/// The length of a SHA-256 in hexadecimal.
const HASH_LENGTH: usize = 64;

/// The ids of all references, in the order of the body, each once.
pub(crate) fn references(body: &str) -> Vec<RecordId> {
    let mut ids = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find(REFERENCE) {
        rest = rest.get(at + REFERENCE.len()..).unwrap_or_default();
        if let Some(id) = reference_at(rest)
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids
}

/// The id, when a whole reference follows: nothing but an id.
fn reference_at(after: &str) -> Option<RecordId> {
    let id = after.get(..UUID_LENGTH)?;
    after.get(UUID_LENGTH..)?.starts_with("\"}").then_some(())?;
    id.parse().ok()
}

/// The body with the display names of those targets that have one for this reader.
pub(crate) fn with_displays(body: &str, displays: &HashMap<RecordId, String>) -> String {
    if displays.is_empty() {
        return body.to_owned();
    }
    let mut shown = String::with_capacity(body.len() + 64 * displays.len());
    let mut rest = body;
    while let Some(at) = rest.find(REFERENCE) {
        let end = at + REFERENCE.len();
        let after = rest.get(end..).unwrap_or_default();
        shown.push_str(rest.get(..end).unwrap_or_default());
        rest = after;
        let Some(display) = reference_at(after).and_then(|id| displays.get(&id)) else {
            continue;
        };
        shown.push_str(after.get(..UUID_LENGTH).unwrap_or_default());
        shown.push_str("\",\"display\":");
        shown.push_str(&serde_json::Value::String(display.clone()).to_string());
        shown.push('}');
        rest = after.get(UUID_LENGTH + 2..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

/// The hashes of all geometries in the body.
pub(crate) fn geometries(body: &str) -> Vec<&str> {
    let mut hashes = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find(GEOMETRY) {
        rest = rest.get(at + GEOMETRY.len()..).unwrap_or_default();
        hashes.extend(hash_at(rest));
    }
    hashes
}

fn hash_at(after: &str) -> Option<&str> {
    let hash = after.get(..HASH_LENGTH)?;
    let is_hash = hash
        .bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    (is_hash && after.get(HASH_LENGTH..)?.starts_with('"')).then_some(hash)
}

/// The body with its geometries as GeoJSON. One that is not given stays as it is.
pub(crate) fn with_geometries(body: &str, bodies: &BTreeMap<String, String>) -> String {
    let mut shown =
        String::with_capacity(body.len() + bodies.values().map(String::len).sum::<usize>());
    let mut rest = body;
    while let Some(at) = rest.find(GEOMETRY) {
        let end = at + GEOMETRY.len();
        let after = rest.get(end..).unwrap_or_default();
        match hash_at(after).and_then(|hash| bodies.get(hash)) {
            Some(geometry) => {
                shown.push_str(rest.get(..at).unwrap_or_default());
                shown.push_str(geometry);
                rest = after.get(HASH_LENGTH + 1..).unwrap_or_default();
            }
            None => {
                shown.push_str(rest.get(..end).unwrap_or_default());
                rest = after;
            }
        }
    }
    shown.push_str(rest);
    shown
}

/// The body without the members that hold a geometry.
pub(crate) fn without_geometries(body: &str) -> String {
    let mut shown = body.to_owned();
    let mut from = 0;
    while let Some(at) = shown
        .get(from..)
        .and_then(|rest| rest.find(GEOMETRY))
        .map(|at| at + from)
    {
        let after = at + GEOMETRY.len();
        let member = shown
            .get(after..)
            .and_then(hash_at)
            .and_then(|_| member_start(&shown, at));
        let Some(start) = member else {
            from = after;
            continue;
        };
        let mut end = after + HASH_LENGTH + 1;
        let mut start = start;
        // The comma before or after goes with it.
        if shown.as_bytes().get(end) == Some(&b',') {
            end += 1;
        } else if start > 0 && shown.as_bytes().get(start - 1) == Some(&b',') {
            start -= 1;
        }
        shown.replace_range(start..end, "");
        from = start;
    }
    shown
}

/// Where the member whose value begins at `value` begins: at the quotation mark of its name.
fn member_start(body: &str, value: usize) -> Option<usize> {
    let name = body.get(..value)?.strip_suffix("\":")?;
    name.rfind('"')
}

/// A choice of properties by their paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// Below each name: `None` = the whole of it.
    members: BTreeMap<String, Option<Fields>>,
}

impl Fields {
    /// The properties at these paths, such as `name.family`.
    #[must_use]
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut fields = Self::default();
        for path in paths {
            fields.add(path);
        }
        fields
    }

    fn add(&mut self, path: &str) {
        match path.split_once('.') {
            None => {
                self.members.insert(path.to_owned(), None);
            }
            Some((name, rest)) => {
                let below = self
                    .members
                    .entry(name.to_owned())
                    .or_insert_with(|| Some(Self::default()));
                // A whole property holds its parts already.
                if let Some(below) = below {
                    below.add(rest);
                }
            }
        }
    }

    /// The data with nothing but the chosen properties; lists keep their items.
    pub(crate) fn of_body(&self, body: &str) -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(body).ok()?;
        Some(self.choose(value).to_string())
    }

    fn choose(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::Object(members) => Value::Object(
                members
                    .into_iter()
                    .filter_map(|(name, member)| match self.members.get(&name) {
                        None => None,
                        Some(None) => Some((name, member)),
                        Some(Some(below)) => Some((name, below.choose(member))),
                    })
                    .collect(),
            ),
            Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| self.choose(item)).collect())
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "01990c3e-0000-7000-8000-00000000000a";
    const B: &str = "01990c3e-0000-7000-8000-00000000000b";
    const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn displays(pairs: &[(&str, &str)]) -> HashMap<RecordId, String> {
        pairs
            .iter()
            .map(|(id, name)| (id.parse().unwrap(), (*name).to_owned()))
            .collect()
    }

    #[test]
    fn references_get_the_names_of_visible_targets() {
        let body = format!(
            r#"{{"list":[{{"id":"{A}"}},{{"id":"{B}"}}],"own":{{"id":"{A}","kind":"x"}},"text":"{{\"id\":\"{A}\"}}"}}"#
        );
        assert_eq!(references(&body), [A.parse().unwrap(), B.parse().unwrap()]);
        let shown = with_displays(&body, &displays(&[(A, "Umeå \"U\"")]));
        let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(
            value["list"][0],
            serde_json::json!({"id": A, "display": "Umeå \"U\""})
        );
        assert_eq!(value["list"][1], serde_json::json!({"id": B}));
        assert_eq!(value["own"], serde_json::json!({"id": A, "kind": "x"}));
        assert_eq!(value["text"], format!(r#"{{"id":"{A}"}}"#));
        assert_eq!(with_displays(&body, &HashMap::new()), body);
    }

    #[test]
    fn geometry_is_put_in_or_left_out() {
        let body = format!(
            r#"{{"area":"geometry:sha256-{HASH}","b":1,"c":{{"g":"geometry:sha256-{HASH}"}}}}"#
        );
        assert_eq!(geometries(&body), [HASH, HASH]);
        let bodies = BTreeMap::from([(HASH.to_owned(), r#"{"type":"Point"}"#.to_owned())]);
        assert_eq!(
            with_geometries(&body, &bodies),
            r#"{"area":{"type":"Point"},"b":1,"c":{"g":{"type":"Point"}}}"#
        );
        assert_eq!(with_geometries(&body, &BTreeMap::new()), body);
        assert_eq!(without_geometries(&body), r#"{"b":1,"c":{}}"#);
        assert_eq!(
            without_geometries(&format!(r#"{{"a":1,"z":"geometry:sha256-{HASH}"}}"#)),
            r#"{"a":1}"#
        );
        assert_eq!(
            without_geometries(r#"{"a":"geometry:sha256-no"}"#),
            r#"{"a":"geometry:sha256-no"}"#
        );
        assert_eq!(
            without_geometries(&format!(r#"["geometry:sha256-{HASH}"]"#)),
            format!(r#"["geometry:sha256-{HASH}"]"#)
        );
    }

    #[test]
    fn fields_choose_paths_through_lists() {
        let fields = Fields::of(["name.family", "addresses.locality", "kind", "kind.x"]);
        let body = r#"{"addresses":[{"locality":"Umeå","x":1}],"kind":{"y":1},"name":{"family":"A","given":["B"]},"other":1}"#;
        assert_eq!(
            fields.of_body(body).unwrap(),
            r#"{"addresses":[{"locality":"Umeå"}],"kind":{"y":1},"name":{"family":"A"}}"#
        );
    }
}
