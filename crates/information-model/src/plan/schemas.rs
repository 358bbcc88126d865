//! The schemas of all loaded packages by their `$id`, and references between them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::package::Package;

/// Schemas by `$id`. Nothing outside is ever fetched.
#[derive(Debug, Clone, Default)]
pub(crate) struct SchemaSet {
    by_id: BTreeMap<String, Arc<Value>>,
}

/// A schema that a `$ref` led to, and the document that its own references start from.
#[derive(Clone)]
pub(crate) struct Located<'a> {
    pub(crate) id: &'a str,
    pub(crate) pointer: String,
    pub(crate) schema: &'a Map<String, Value>,
}

impl SchemaSet {
    pub(crate) fn add(&mut self, package: &Package) {
        for schema in package.schemas().values() {
            if let Some(id) = schema.get("$id").and_then(Value::as_str) {
                self.by_id.insert(id.to_owned(), Arc::clone(schema));
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        self.by_id.iter().map(|(id, schema)| (id.as_str(), schema))
    }

    /// The root of the document with that `$id`.
    pub(crate) fn root(&self, id: &str) -> Option<Located<'_>> {
        let (id, schema) = self.by_id.get_key_value(id)?;
        Some(Located {
            id,
            pointer: String::new(),
            schema: schema.as_object()?,
        })
    }

    /// Follows a `$ref` from the document `base`: `#/…`, `file#/…` beside it, or an absolute `$id`.
    pub(crate) fn follow<'a>(&'a self, base: &str, reference: &str) -> Result<Located<'a>, String> {
        let (document, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let id = if document.is_empty() {
            base.to_owned()
        } else if document.contains("://") {
            document.to_owned()
        } else {
            // RFC 3986 section 5.2, as far as the schemas of packages need it: a file beside this one, or up and down again.
            let mut segments: Vec<&str> = base.split('/').collect();
            segments.pop();
            for segment in document.split('/') {
                match segment {
                    "." => {}
                    ".." => {
                        segments.pop();
                    }
                    segment => segments.push(segment),
                }
            }
            segments.join("/")
        };
        let (id, root) = self.by_id.get_key_value(&id).ok_or_else(|| {
            format!("$ref {reference:?}: no loaded package has the schema {id:?}")
        })?;
        let schema = root
            .pointer(pointer)
            .and_then(Value::as_object)
            .ok_or_else(|| format!("$ref {reference:?}: there is no schema at {pointer:?}"))?;
        Ok(Located {
            id,
            pointer: pointer.to_owned(),
            schema,
        })
    }
}
