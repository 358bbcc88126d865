//! Changes to stored data that the plan alone can make: withholding what a reader may not see, and removing references to
//! a target that has ended or that is hidden from the reader.

use std::collections::BTreeSet;
use std::sync::Arc;

use grunddata_model::{Domain, RecordId};
use serde_json::Value;

use crate::annotation::PrivacyClass;
use crate::error::ModelError;
use crate::model::InformationModel;
use crate::path::Path;
use crate::plan::{Node, Role};
use crate::release::Release;
use crate::walk::{reference_class, relation_name};

impl InformationModel {
    /// Removes from stored data every property whose privacy class is not in the mask, and answers the names of what was
    /// removed: the outermost properties that went as a whole, distinct and sorted.
    ///
    /// # Errors
    /// [`ModelError::UnknownVersion`] when a package of `model` is not loaded; the data is then left as it is, and must
    /// not be shown.
    pub fn withhold(
        &self,
        domain: Domain,
        model: &str,
        data: &mut Value,
        allowed: u8,
    ) -> Result<Vec<String>, ModelError> {
        let mut names = self.edit(domain, model, data, false, &mut |leaf, _| {
            leaf.class.bit() & allowed == 0
        })?;
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Removes every reference of that relation to that target (`onTargetEnd: unset`). A reference that is an item of a
    /// list, or that its enclosing item requires, goes with the whole item. Answers whether anything was removed.
    ///
    /// # Errors
    /// [`ModelError::UnknownVersion`] when a package of `model` is not loaded.
    pub fn unset(
        &self,
        domain: Domain,
        model: &str,
        data: &mut Value,
        relation: &str,
        target: RecordId,
    ) -> Result<bool, ModelError> {
        let removed = self.edit(domain, model, data, true, &mut |leaf, value| {
            leaf.relation.as_deref() == Some(relation) && target_of(value) == Some(target)
        })?;
        Ok(!removed.is_empty())
    }

    /// Removes every reference to one of the targets, as [`unset`](Self::unset) does.
    ///
    /// # Errors
    /// [`ModelError::UnknownVersion`] when a package of `model` is not loaded; the data must then not be shown.
    pub(crate) fn remove_references(
        &self,
        domain: Domain,
        model: &str,
        data: &mut Value,
        targets: &BTreeSet<RecordId>,
    ) -> Result<(), ModelError> {
        self.edit(domain, model, data, true, &mut |leaf, value| {
            leaf.relation.is_some() && target_of(value).is_some_and(|id| targets.contains(&id))
        })?;
        Ok(())
    }

    /// Calls `remove` for every leaf; removes those for which it says so, and the containers that are empty for it.
    fn edit(
        &self,
        domain: Domain,
        model: &str,
        data: &mut Value,
        with_item: bool,
        remove: &mut dyn FnMut(&Leaf, &mut Value) -> bool,
    ) -> Result<Vec<String>, ModelError> {
        let (release, extensions) = self.stored_release(model)?;
        let mut edit = Edit {
            release,
            domain,
            extensions,
            with_item,
            remove,
            removed: Vec::new(),
        };
        let plan = release.plan(domain);
        edit.visit(&plan.root, data, &Path::Root, plan.class, None, false);
        Ok(edit.removed)
    }
}

fn target_of(value: &Value) -> Option<RecordId> {
    value.get("id")?.as_str()?.parse().ok()
}

/// A value that is kept or removed as a whole.
struct Leaf {
    class: PrivacyClass,
    relation: Option<Arc<str>>,
}

struct Edit<'a> {
    release: &'a Release,
    domain: Domain,
    extensions: Vec<&'a str>,
    /// Whether an item goes with a member that it requires.
    with_item: bool,
    remove: &'a mut dyn FnMut(&Leaf, &mut Value) -> bool,
    removed: Vec<String>,
}

impl Edit<'_> {
    /// Answers whether the value is to be removed from what holds it.
    fn visit(
        &mut self,
        node: &Node,
        value: &mut Value,
        path: &Path<'_>,
        inherited: PrivacyClass,
        by: Option<&str>,
        item: bool,
    ) -> bool {
        let class = node.class.unwrap_or(inherited);
        let mut leaf = Leaf {
            class,
            relation: None,
        };
        match &node.role {
            Role::Reference(plan) => {
                leaf.relation = Some(relation_name(plan, by));
                leaf.class = reference_class(self.release, value, class);
            }
            Role::Geometry | Role::LangString => {}
            Role::Extensions => return self.members(node, value, path, class, item),
            Role::Identifier | Role::IdentifierKey => {
                let scheme = value.get("scheme").and_then(Value::as_str);
                let of_scheme = scheme.and_then(|scheme| self.release.schemes().get(scheme));
                let class = of_scheme.map_or(class, |scheme| class.max(scheme.class()));
                return self.members(node, value, path, class, item);
            }
            Role::Plain => match value {
                Value::Object(members) if !members.is_empty() => {
                    return self.members(node, value, path, class, item);
                }
                Value::Array(items) if !items.is_empty() => {
                    return self.items(node, value, path, class, by);
                }
                _ => {}
            },
        }
        (self.remove)(&leaf, value)
    }

    fn items(
        &mut self,
        node: &Node,
        value: &mut Value,
        path: &Path<'_>,
        class: PrivacyClass,
        by: Option<&str>,
    ) -> bool {
        let Value::Array(items) = value else {
            return false;
        };
        let mark = self.removed.len();
        let before = items.len();
        let mut index = 0;
        items.retain_mut(|item| {
            let at = Path::Item(path, index);
            index += 1;
            let gone = match &node.items {
                Some(plan) => self.visit(plan, item, &at, class, by, true),
                None => (self.remove)(
                    &Leaf {
                        class,
                        relation: None,
                    },
                    item,
                ),
            };
            if gone {
                self.removed.push(at.name());
            }
            !gone
        });
        let emptied = items.is_empty() && before > 0;
        if emptied {
            self.removed.truncate(mark);
        }
        emptied
    }

    fn members(
        &mut self,
        node: &Node,
        value: &mut Value,
        path: &Path<'_>,
        class: PrivacyClass,
        item: bool,
    ) -> bool {
        let Value::Object(members) = value else {
            return false;
        };
        let (class, by) = node.said_by_members(members, class);
        let release = self.release;
        let mark = self.removed.len();
        let before = members.len();
        let mut item_goes = false;
        members.retain(|name, member| {
            let at = Path::Member(path, name);
            let extension = matches!(node.role, Role::Extensions)
                .then(|| {
                    release.extension(
                        name,
                        crate::walk::pinned(&self.extensions, name),
                        self.domain,
                    )
                })
                .flatten();
            let (plan, class) = match extension {
                Some((_, compiled)) => (Some(&compiled.plan.root), compiled.plan.class),
                None => (node.member(name), class),
            };
            let gone = match plan {
                Some(plan) => {
                    let gone = self.visit(plan, member, &at, class, by.as_deref(), false);
                    item_goes |= gone && self.with_item && item && plan.required;
                    gone
                }
                None => (self.remove)(
                    &Leaf {
                        class,
                        relation: None,
                    },
                    member,
                ),
            };
            if gone {
                self.removed.push(at.name());
            }
            !gone
        });
        let emptied = (members.is_empty() && before > 0) || item_goes;
        // What holds it names it as a whole; nothing holds the root.
        if emptied && !matches!(path, Path::Root) {
            self.removed.truncate(mark);
        }
        emptied
    }
}
