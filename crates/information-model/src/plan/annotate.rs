//! What the annotations of one place mean: its role, its code list, its index entries, and what is known about it.
//! Everything that they name must exist.

use std::collections::HashMap;
use std::sync::Arc;

use super::compile::{Compiler, Fault, Members, Merged, Place, fault};
use super::schemas::Located;
use super::{
    CodePlan, IndexPlan, IndexedProperty, PrivacyBy, Property, ReferencePlan, Relation, RelationBy,
    Role,
};
use crate::annotation::{Annotations, PrivacyClass, SearchMode};
use crate::code_list::{Code, CodeList};
use crate::text::Text;

impl<'a> Compiler<'a> {
    pub(super) fn role(
        &mut self,
        at: &Located<'a>,
        merged: &Merged<'a>,
        place: &Place<'_>,
        class: PrivacyClass,
    ) -> Result<Role, Fault> {
        if merged.annotations.geometry == Some(true) {
            return Ok(Role::Geometry);
        }
        match (&merged.annotations.reference, merged.is("Reference")) {
            (Some(reference), true) => {
                let mut relation = Relation {
                    domain: self.input.domain,
                    name: Arc::from(reference.relation.as_str()),
                    inverse: Arc::from(reference.inverse.as_str()),
                    label: reference.label.clone(),
                    inverse_label: reference.inverse_label.clone(),
                    targets: reference.targets.clone(),
                    on_target_end: reference.on_target_end,
                    hierarchical: reference.hierarchical,
                    identifying: reference.identifying,
                    by: None,
                    property: Arc::from(place.name.as_str()),
                    class,
                };
                if relation.targets.is_empty()
                    || !is_kebab(&relation.name)
                    || !is_kebab(&relation.inverse)
                {
                    return Err(fault(
                        at,
                        "x-reference: relation and inverse are lower-case words with hyphens, and targets is not empty".to_owned(),
                    ));
                }
                let mut by = None;
                if let Some(sibling) = &merged.annotations.relation_by {
                    let list = self.sibling_list(at, "x-relation-by", sibling, place.siblings)?;
                    let names = list
                        .codes()
                        .iter()
                        .map(|code| {
                            (
                                Arc::clone(&code.code),
                                Arc::from(format!("{}.{}", relation.name, code.code)),
                            )
                        })
                        .collect();
                    relation.by = Some(Arc::clone(list.name()));
                    by = Some(RelationBy {
                        sibling: sibling.clone(),
                        names,
                    });
                }
                let relation = self.relation(at, relation)?;
                Ok(Role::Reference(ReferencePlan { relation, by }))
            }
            (None, true) => Err(fault(
                at,
                "a Reference needs x-reference beside its $ref".to_owned(),
            )),
            (Some(_), false) => Err(fault(
                at,
                "x-reference stands beside a $ref to the shared Reference".to_owned(),
            )),
            (None, false) if merged.annotations.relation_by.is_some() => Err(fault(
                at,
                "x-relation-by stands beside x-reference".to_owned(),
            )),
            (None, false) if merged.is("Identifier") => Ok(Role::Identifier),
            (None, false) if merged.is("IdentifierKey") => Ok(Role::IdentifierKey),
            (None, false) if merged.is("LangString") => Ok(Role::LangString),
            (None, false) if merged.is("Extensions") => Ok(Role::Extensions),
            (None, false) => Ok(Role::Plain),
        }
    }

    /// One relation may stand in several places (an address has its geography wherever it stands), always the same.
    fn relation(&mut self, at: &Located<'_>, relation: Relation) -> Result<Arc<Relation>, Fault> {
        let Some(known) = self.relations.get(&relation.name) else {
            let relation = Arc::new(relation);
            self.relations
                .insert(Arc::clone(&relation.name), Arc::clone(&relation));
            return Ok(relation);
        };
        let same = Relation {
            property: Arc::clone(&known.property),
            class: known.class,
            ..relation.clone()
        };
        if **known != same {
            return Err(fault(
                at,
                format!(
                    "the relation {:?} is already declared otherwise in this domain",
                    relation.name
                ),
            ));
        }
        Ok(Arc::clone(known))
    }

    pub(super) fn codes(
        &self,
        at: &Located<'_>,
        annotations: &Annotations,
    ) -> Result<Option<CodePlan>, Fault> {
        let Some(name) = &annotations.codelist else {
            return match annotations.code_open {
                Some(_) => Err(fault(at, "x-code-open stands beside x-codelist".to_owned())),
                None => Ok(None),
            };
        };
        let list = self.list(at, "x-codelist", name)?;
        let dated = list.codes().iter().any(Code::is_dated);
        Ok(Some(CodePlan {
            list,
            open: annotations.code_open.unwrap_or(false),
            dated,
        }))
    }

    fn list(&self, at: &Located<'_>, keyword: &str, name: &str) -> Result<Arc<CodeList>, Fault> {
        self.input.code_lists.get(name).cloned().ok_or_else(|| {
            fault(
                at,
                format!("{keyword}: no package has the code list {name:?}"),
            )
        })
    }

    fn sibling_list(
        &mut self,
        at: &Located<'a>,
        keyword: &str,
        sibling: &str,
        members: Option<&Members<'_>>,
    ) -> Result<Arc<CodeList>, Fault> {
        let missing = || {
            fault(
                at,
                format!("{keyword}: {sibling:?} is no sibling with x-codelist"),
            )
        };
        let name = members
            .and_then(|members| members.get(sibling))
            .into_iter()
            .flatten()
            .find_map(|schema| Annotations::read(schema.schema).ok()?.codelist)
            .ok_or_else(missing)?;
        self.list(at, keyword, &name)
    }

    pub(super) fn privacy_by(
        &mut self,
        at: &Located<'a>,
        sibling: &str,
        members: &Members<'_>,
    ) -> Result<PrivacyBy, Fault> {
        let list = self.sibling_list(at, "x-privacy-by", sibling, Some(members))?;
        let mut classes = HashMap::new();
        for code in list.codes() {
            match code.further.get("privacy").map(String::as_str) {
                None => {
                    return Err(fault(
                        at,
                        format!(
                            "x-privacy-by: the code list {:?} has no column privacy",
                            list.name()
                        ),
                    ));
                }
                Some("") => {}
                Some(name) => {
                    let class = PrivacyClass::from_name(name).ok_or_else(|| {
                        fault(at, format!("x-privacy-by: {name:?} is no privacy class"))
                    })?;
                    classes.insert(Arc::clone(&code.code), class);
                }
            }
        }
        Ok(PrivacyBy {
            sibling: sibling.to_owned(),
            classes,
        })
    }

    pub(super) fn indexed(
        &mut self,
        at: &Located<'_>,
        annotations: &Annotations,
        place: &Place<'_>,
        class: PrivacyClass,
        modes: Vec<SearchMode>,
    ) -> Result<IndexPlan, Fault> {
        if modes.is_empty() {
            return Err(fault(at, "x-index is an empty list".to_owned()));
        }
        let name: Arc<str> = Arc::from(place.name.as_str());
        let label = self
            .properties
            .iter()
            .rev()
            .find(|property| *property.name == *name)
            .map(|property| property.label.clone())
            .or_else(|| annotations.label.clone())
            .unwrap_or_default();
        self.indexed.insert(
            Arc::clone(&name),
            IndexedProperty {
                name: Arc::clone(&name),
                sortable: modes.contains(&SearchMode::Exact) || modes.contains(&SearchMode::Prefix),
                modes: modes.clone(),
                class,
                repeated: place.repeated,
                codelist: annotations.codelist.as_deref().map(Arc::from),
                label,
            },
        );
        Ok(IndexPlan {
            property: name,
            modes,
        })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "everything that is known about one property, at one place"
    )]
    pub(super) fn describe(
        &mut self,
        at: &Located<'a>,
        annotations: &Annotations,
        merged: &Merged<'a>,
        place: &Place<'_>,
        class: PrivacyClass,
        role: &Role,
        modes: Option<&[SearchMode]>,
    ) -> Result<(), Fault> {
        let text = |text: &Option<Text>, keyword: &str| match text {
            Some(text) if !text.sv.is_empty() && !text.en.is_empty() => Ok(text.clone()),
            _ => Err(fault(
                at,
                format!("{keyword} in Swedish and English is missing"),
            )),
        };
        // What stands on the items of a list is said of the list.
        let mut of_items = Merged::default();
        for items in &merged.items {
            self.merge(items, false, &mut of_items)?;
        }
        let codelist = annotations
            .codelist
            .as_ref()
            .or(of_items.annotations.codelist.as_ref());
        let relation = match role {
            Role::Reference(plan) => Some(Arc::clone(&plan.relation.name)),
            _ => of_items
                .annotations
                .reference
                .as_ref()
                .map(|reference| Arc::from(reference.relation.as_str())),
        };
        self.properties.push(Property {
            name: Arc::from(place.name.as_str()),
            term: annotations.term.clone(),
            label: text(&annotations.label, "x-label")?,
            definition: text(&annotations.definition, "x-definition")?,
            class,
            types: merged.types.clone(),
            repeated: place.repeated || !merged.items.is_empty(),
            required: place.required,
            codelist: codelist.map(|name| Arc::from(name.as_str())),
            code_open: annotations
                .code_open
                .or(of_items.annotations.code_open)
                .unwrap_or(false),
            relation,
            modes: modes.map(<[SearchMode]>::to_vec).unwrap_or_default(),
        });
        Ok(())
    }
}

fn is_kebab(name: &str) -> bool {
    !name.is_empty()
        && name.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}
