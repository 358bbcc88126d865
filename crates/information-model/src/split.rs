//! A stored body in pieces, one for each privacy class, so that each can be committed to, shown and erased by itself.

use grunddata_model::Domain;
use serde_json::Value;

use crate::annotation::PrivacyClass;
use crate::canonical::write_value;
use crate::error::ModelError;
use crate::model::InformationModel;
use crate::path::Path;
use crate::plan::{Node, Role};
use crate::record::Resolved;
use crate::release::Release;
use crate::walk::reference_class;

/// A text for each privacy class, the most open first.
pub type ByClass = [String; 4];

impl Resolved {
    /// Appends to each class's text what the data holds of it: a JSON list (RFC 8785) of pairs, a JSON Pointer (RFC 6901) and
    /// the value that stands there. A part of the data that is of one class as a whole is one pair. The pairs of all four
    /// together are the data. Classes are those that the annotations of the data's own model give: the same data of the same
    /// model gives the same texts.
    ///
    /// # Errors
    /// [`ModelError`] when the stored body cannot be read with its model.
    pub fn push_by_class(&self, texts: &mut ByClass) -> Result<(), ModelError> {
        let classes = self.classes();
        if !PrivacyClass::ALL.iter().any(|class| class.bit() == classes) {
            let model = self.information_model();
            return model.push_by_class(self.domain(), self.model(), &self.value(), texts);
        }
        for (class, text) in PrivacyClass::ALL.iter().zip(texts) {
            if class.bit() == classes {
                text.push_str("[[\"\",");
                text.push_str(self.body());
                text.push_str("]]");
            } else {
                text.push_str("[]");
            }
        }
        Ok(())
    }
}

impl InformationModel {
    fn push_by_class(
        &self,
        domain: Domain,
        model: &str,
        data: &Value,
        texts: &mut ByClass,
    ) -> Result<(), ModelError> {
        let (release, extensions) = self.stored_release(model)?;
        let plan = release.plan(domain);
        for text in &mut *texts {
            text.push('[');
        }
        let mut split = Split {
            release,
            domain,
            extensions,
            texts,
        };
        if let Some(class) = split.visit(&plan.root, data, &Path::Root, plan.class) {
            split.put(class, &Path::Root, data);
        }
        for text in texts {
            text.push(']');
        }
        Ok(())
    }
}

struct Split<'m, 't> {
    release: &'m Release,
    domain: Domain,
    extensions: Vec<&'m str>,
    texts: &'t mut ByClass,
}

impl<'m> Split<'m, '_> {
    /// The class of everything in the value; `None` = there are several, and its pieces are put.
    fn visit(
        &mut self,
        node: &'m Node,
        value: &Value,
        path: &Path<'_>,
        inherited: PrivacyClass,
    ) -> Option<PrivacyClass> {
        let class = node.class.unwrap_or(inherited);
        match &node.role {
            Role::Reference(_) => Some(reference_class(self.release, value, class)),
            Role::Geometry | Role::LangString => Some(class),
            Role::Extensions => self.members(node, value, path, class),
            Role::Identifier | Role::IdentifierKey => {
                let scheme = value.get("scheme").and_then(Value::as_str);
                let of_scheme = scheme.and_then(|scheme| self.release.schemes().get(scheme));
                let class = of_scheme.map_or(class, |scheme| class.max(scheme.class()));
                self.members(node, value, path, class)
            }
            Role::Plain => match value {
                Value::Object(_) => self.members(node, value, path, class),
                Value::Array(items) => {
                    let Some(plan) = &node.items else {
                        return Some(class);
                    };
                    let found: Vec<Option<PrivacyClass>> = items
                        .iter()
                        .enumerate()
                        .map(|(index, item)| {
                            self.visit(plan, item, &Path::Item(path, index), class)
                        })
                        .collect();
                    if let Some(all) = uniform(&found, class) {
                        return Some(all);
                    }
                    for (index, (item, class)) in items.iter().zip(found).enumerate() {
                        if let Some(class) = class {
                            self.put(class, &Path::Item(path, index), item);
                        }
                    }
                    None
                }
                _ => Some(class),
            },
        }
    }

    fn members(
        &mut self,
        node: &'m Node,
        value: &Value,
        path: &Path<'_>,
        class: PrivacyClass,
    ) -> Option<PrivacyClass> {
        let Value::Object(members) = value else {
            return Some(class);
        };
        let (class, _) = node.said_by_members(members, class);
        let release = self.release;
        let found: Vec<Option<PrivacyClass>> = members
            .iter()
            .map(|(name, member)| {
                let extension = matches!(node.role, Role::Extensions)
                    .then(|| {
                        let pin = crate::walk::pinned(&self.extensions, name);
                        release.extension(name, pin, self.domain)
                    })
                    .flatten();
                let at = Path::Member(path, name);
                match (extension, node.member(name)) {
                    (Some((_, compiled)), _) => {
                        self.visit(&compiled.plan.root, member, &at, compiled.plan.class)
                    }
                    (None, Some(plan)) => self.visit(plan, member, &at, class),
                    (None, None) => Some(class),
                }
            })
            .collect();
        if let Some(all) = uniform(&found, class) {
            return Some(all);
        }
        for ((name, member), class) in members.iter().zip(found) {
            if let Some(class) = class {
                self.put(class, &Path::Member(path, name), member);
            }
        }
        None
    }

    fn put(&mut self, class: PrivacyClass, path: &Path<'_>, value: &Value) {
        let at = PrivacyClass::ALL.iter().position(|known| *known == class);
        let Some(text) = at.and_then(|at| self.texts.get_mut(at)) else {
            return;
        };
        if !text.ends_with('[') {
            text.push(',');
        }
        text.push('[');
        write_value(&Value::String(path.pointer()), text);
        text.push(',');
        write_value(value, text);
        text.push(']');
    }
}

/// The class of all; of nothing it is that of what holds it.
fn uniform(found: &[Option<PrivacyClass>], empty: PrivacyClass) -> Option<PrivacyClass> {
    let Some(first) = found.first() else {
        return Some(empty);
    };
    let first = (*first)?;
    found
        .iter()
        .all(|class| *class == Some(first))
        .then_some(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn by_class(resolved: &Resolved) -> ByClass {
        let mut texts = ByClass::default();
        resolved.push_by_class(&mut texts).unwrap();
        texts
    }

    /// What the pairs of the lists say, put together.
    fn leaves(texts: &ByClass) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        for text in texts {
            let pairs: Vec<(String, Value)> = serde_json::from_str(text).unwrap();
            assert_eq!(
                *text,
                crate::canonical_json(&json!(pairs)),
                "the text is canonical"
            );
            for (pointer, value) in pairs {
                flatten(&pointer, &value, &mut all);
            }
        }
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    fn flatten(pointer: &str, value: &Value, out: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, member) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    flatten(&format!("{pointer}/{name}"), member, out);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    flatten(&format!("{pointer}/{index}"), item, out);
                }
            }
            leaf => out.push((pointer.to_owned(), leaf.clone())),
        }
    }

    /// Every example of every package: the pieces are the data, and each holds what a reader of that class alone is shown.
    #[test]
    fn the_pieces_are_the_data_and_each_is_of_its_class() {
        let model = InformationModel::embedded().unwrap();
        let mut mixed = 0;
        for package in model.packages() {
            for ((domain, _), example) in package.examples() {
                let Ok(validated) = model.validate(*domain, None, example.data.clone()) else {
                    continue;
                };
                let id: grunddata_model::RecordId =
                    "01990c3e-7a5b-7000-8000-000000000001".parse().unwrap();
                let resolved = validated.resolve(&mut |_| Some(id)).unwrap();
                let texts = by_class(&resolved);
                let mut whole = Vec::new();
                flatten("", &resolved.value(), &mut whole);
                whole.sort_by(|one, other| one.0.cmp(&other.0));
                assert_eq!(leaves(&texts), whole);
                mixed += usize::from(texts.iter().filter(|text| *text != "[]").count() > 1);
                for (class, text) in PrivacyClass::ALL.iter().zip(&texts) {
                    let shown = model
                        .withhold_from(
                            resolved.domain(),
                            resolved.model(),
                            resolved.body(),
                            class.bit(),
                        )
                        .unwrap();
                    let mut shown_leaves = Vec::new();
                    flatten(
                        "",
                        &serde_json::from_str(&shown).unwrap(),
                        &mut shown_leaves,
                    );
                    shown_leaves.retain(|(_, value)| *value != json!({}));
                    let mut own = leaves(&[text.clone(), "[]".into(), "[]".into(), "[]".into()]);
                    own.retain(|(_, value)| *value != json!({}));
                    assert_eq!(own.len(), shown_leaves.len(), "{class}: {text}\n{shown}");
                }
                let again = model
                    .reload(
                        resolved.domain(),
                        resolved.model(),
                        std::sync::Arc::clone(resolved.body()),
                    )
                    .unwrap();
                assert_eq!(by_class(&again), texts, "as stored");
            }
        }
        assert!(mixed > 10, "{mixed} examples of several classes");
    }
}
