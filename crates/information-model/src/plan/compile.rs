//! From schema and annotations to the plan. Everything that an annotation names must exist; a package that names what
//! is not there is refused when it is loaded, never when a record is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grunddata_model::Domain;
use serde_json::{Map, Value};

use super::schemas::{Located, SchemaSet};
use super::{
    CodePlan, DomainModel, IndexPlan, IndexedProperty, Node, PrivacyBy, Property, ReferencePlan,
    Relation, RelationBy, Role,
};
use crate::annotation::{Annotations, PrivacyClass, SearchMode};
use crate::code_list::{Code, CodeList};
use crate::text::Text;

/// What a plan is compiled from.
pub(crate) struct Input<'a> {
    pub(crate) schemas: &'a SchemaSet,
    pub(crate) code_lists: &'a BTreeMap<String, Arc<CodeList>>,
    pub(crate) domain: Domain,
    /// `$id` of the schema.
    pub(crate) id: &'a str,
    /// The search name that everything stands under: empty, or `extensions.NAME`.
    pub(crate) prefix: &'a str,
    /// The class where the schema says none.
    pub(crate) class: PrivacyClass,
}

/// A fault: where, and what.
pub(crate) struct Fault {
    pub(crate) at: String,
    pub(crate) problem: String,
}

/// Compiles the schema of one domain.
pub(crate) fn compile(input: &Input<'_>) -> Result<DomainModel, Fault> {
    let root = input.schemas.root(input.id).ok_or_else(|| Fault {
        at: input.id.to_owned(),
        problem: "the schema is not loaded".to_owned(),
    })?;
    let mut compiler = Compiler {
        input,
        properties: Vec::new(),
        indexed: BTreeMap::new(),
        relations: BTreeMap::new(),
        references: Vec::new(),
    };
    let annotations = Annotations::read(root.schema).map_err(|problem| fault(&root, problem))?;
    let class = annotations.privacy.unwrap_or(input.class);
    let node = compiler.node(
        std::slice::from_ref(&root),
        &Place {
            name: input.prefix.to_owned(),
            class,
            repeated: false,
            required: true,
            siblings: None,
            index: None,
            named: false,
        },
    )?;
    let display: Vec<Vec<String>> = annotations
        .display
        .unwrap_or_default()
        .iter()
        .map(|entry| entry.split(' ').map(str::to_owned).collect())
        .collect();
    for pointer in display.iter().flatten() {
        if node.at(pointer).is_none() {
            return Err(fault(
                &root,
                format!("x-display: nothing stands at {pointer:?}"),
            ));
        }
    }
    let (Some(label), Some(definition)) = (annotations.label, annotations.definition) else {
        return Err(fault(
            &root,
            "x-label and x-definition are missing".to_owned(),
        ));
    };
    Ok(DomainModel {
        domain: input.domain,
        label,
        definition,
        term: annotations.term,
        class,
        properties: compiler.properties,
        indexed: compiler.indexed,
        relations: compiler.relations,
        display,
        root: node,
    })
}

fn fault(at: &Located<'_>, problem: String) -> Fault {
    let file = at.id.rsplit('/').next().unwrap_or(at.id);
    Fault {
        at: format!("{file}#{}", at.pointer),
        problem,
    }
}

/// The schemas of the members of one object, by name. Several when the object is composed of several schemas.
type Members<'a> = BTreeMap<&'a str, Vec<Located<'a>>>;

/// A schema with everything it refers to and is composed of, merged.
#[derive(Default)]
struct Merged<'a> {
    annotations: Annotations,
    /// Where the references led: `(document, pointer)`.
    followed: Vec<(&'a str, String)>,
    types: Vec<String>,
    required: Vec<&'a str>,
    members: Members<'a>,
    additional: Vec<Located<'a>>,
    items: Vec<Located<'a>>,
}

impl Merged<'_> {
    /// Whether the schema is the shared definition of that name.
    fn is(&self, definition: &str) -> bool {
        self.followed.iter().any(|(id, pointer)| {
            id.ends_with("/common.schema.json")
                && pointer.strip_prefix("/$defs/") == Some(definition)
        })
    }
}

/// Where a schema is met.
struct Place<'a> {
    name: String,
    class: PrivacyClass,
    repeated: bool,
    required: bool,
    siblings: Option<&'a Members<'a>>,
    /// The `x-index` of the list whose item this is.
    index: Option<Vec<SearchMode>>,
    /// Whether it is a property, with a name of its own.
    named: bool,
}

struct Compiler<'a> {
    input: &'a Input<'a>,
    properties: Vec<Property>,
    indexed: BTreeMap<Arc<str>, IndexedProperty>,
    relations: BTreeMap<Arc<str>, Arc<Relation>>,
    /// The references that are being followed, against going round for ever.
    references: Vec<(String, String)>,
}

impl<'a> Compiler<'a> {
    fn merge(
        &mut self,
        at: &Located<'a>,
        optional: bool,
        merged: &mut Merged<'a>,
    ) -> Result<(), Fault> {
        let annotations = Annotations::read(at.schema).map_err(|problem| fault(at, problem))?;
        merged.annotations = std::mem::take(&mut merged.annotations).or(annotations);
        match at.schema.get("type") {
            Some(Value::String(name)) if !merged.types.contains(name) => {
                merged.types.push(name.clone())
            }
            Some(Value::Array(names)) => merged
                .types
                .extend(names.iter().filter_map(Value::as_str).map(str::to_owned)),
            _ => {}
        }
        if !optional && let Some(Value::Array(names)) = at.schema.get("required") {
            merged
                .required
                .extend(names.iter().filter_map(Value::as_str));
        }
        if let Some(Value::Object(members)) = at.schema.get("properties") {
            for (name, schema) in members {
                if let Some(inner) = inside(at, &["properties", name], schema) {
                    merged.members.entry(name).or_default().push(inner);
                }
            }
        }
        merged.additional.extend(inner(at, "additionalProperties"));
        if let Some(Value::Object(patterns)) = at.schema.get("patternProperties") {
            for (pattern, schema) in patterns {
                merged
                    .additional
                    .extend(inside(at, &["patternProperties", pattern], schema));
            }
        }
        merged.items.extend(inner(at, "items"));
        if let Some(Value::String(reference)) = at.schema.get("$ref") {
            let target = self
                .input
                .schemas
                .follow(at.id, reference)
                .map_err(|problem| fault(at, problem))?;
            let key = (target.id.to_owned(), target.pointer.clone());
            if self.references.contains(&key) {
                return Err(fault(
                    at,
                    format!(
                        "$ref {reference:?} leads back to itself; a model must not be recursive"
                    ),
                ));
            }
            self.references.push(key);
            merged.followed.push((target.id, target.pointer.clone()));
            let outcome = self.merge(&target, optional, merged);
            self.references.pop();
            outcome?;
        }
        for (keyword, optional) in [("allOf", optional), ("anyOf", true), ("oneOf", true)] {
            for (index, schema) in at
                .schema
                .get(keyword)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .enumerate()
            {
                if let Some(part) = inside(at, &[keyword, &index.to_string()], schema) {
                    self.merge(&part, optional, merged)?;
                }
            }
        }
        for keyword in ["then", "else"] {
            if let Some(part) = inner(at, keyword) {
                self.merge(&part, true, merged)?;
            }
        }
        Ok(())
    }

    fn node(&mut self, schemas: &[Located<'a>], place: &Place<'_>) -> Result<Node, Fault> {
        let Some(first) = schemas.first() else {
            return Ok(Node::plain());
        };
        let mut merged = Merged::default();
        for schema in schemas {
            self.merge(schema, false, &mut merged)?;
        }
        let followed: Vec<(String, String)> = merged
            .followed
            .iter()
            .map(|(id, pointer)| ((*id).to_owned(), pointer.clone()))
            .collect();
        for key in &followed {
            if self.references.contains(key) {
                return Err(fault(
                    first,
                    "the schema contains itself; a model must not be recursive".to_owned(),
                ));
            }
        }
        let depth = self.references.len();
        self.references.extend(followed);
        let outcome = self.merged_node(first, merged, place);
        self.references.truncate(depth);
        outcome
    }

    fn merged_node(
        &mut self,
        at: &Located<'a>,
        merged: Merged<'a>,
        place: &Place<'_>,
    ) -> Result<Node, Fault> {
        let annotations = merged.annotations.clone();
        let class = annotations.privacy.unwrap_or(place.class);
        let modes = annotations.index.clone().or_else(|| place.index.clone());
        let role = self.role(at, &merged, place, class)?;
        let codes = self.codes(at, &annotations)?;
        let protection = annotations.protection.unwrap_or(false);
        if protection && codes.is_none() {
            return Err(fault(
                at,
                "x-protection needs x-codelist: the list ranks the levels".to_owned(),
            ));
        }
        if place.named {
            self.describe(
                at,
                &annotations,
                &merged,
                place,
                class,
                &role,
                modes.as_deref(),
            )?;
        }
        let walks = matches!(role, Role::Plain | Role::Identifier | Role::IdentifierKey);
        let privacy_by = match &annotations.privacy_by {
            Some(sibling) => Some(self.privacy_by(at, sibling, &merged.members)?),
            None => None,
        };
        let mut members: Vec<(Box<str>, Node)> = Vec::new();
        if walks {
            for (name, schemas) in &merged.members {
                let inner = Place {
                    name: if place.name.is_empty() {
                        (*name).to_owned()
                    } else {
                        format!("{}.{name}", place.name)
                    },
                    class,
                    repeated: place.repeated,
                    required: merged.required.contains(name),
                    siblings: Some(&merged.members),
                    index: None,
                    named: true,
                };
                members.push((Box::from(*name), self.node(schemas, &inner)?));
            }
        }
        let mut relation_by: Option<String> = None;
        for sibling in members.iter().filter_map(|(_, member)| member.named_by()) {
            match &relation_by {
                Some(known) if known != sibling => {
                    return Err(fault(
                        at,
                        "x-relation-by: one object has one property that names its relations"
                            .to_owned(),
                    ));
                }
                _ => relation_by = Some(sibling.to_owned()),
            }
        }
        let part = |repeated: bool, index: Option<Vec<SearchMode>>| Place {
            name: place.name.clone(),
            class,
            repeated,
            required: true,
            siblings: place.siblings,
            index,
            named: false,
        };
        let additional = match merged.additional.as_slice() {
            [] => None,
            schemas if walks || matches!(role, Role::LangString) => {
                Some(Box::new(self.node(schemas, &part(true, None))?))
            }
            _ => None,
        };
        let items = match merged.items.as_slice() {
            [] => None,
            schemas if walks => Some(Box::new(self.node(schemas, &part(true, modes.clone()))?)),
            _ => None,
        };
        if modes.is_some()
            && matches!(role, Role::Plain)
            && (!members.is_empty() || additional.is_some())
        {
            return Err(fault(
                at,
                "x-index stands on a value, a LangString, or a list of these".to_owned(),
            ));
        }
        let index = match modes {
            // The items of a list carry its index.
            Some(modes) if items.is_none() => {
                Some(self.indexed(at, &annotations, place, class, modes)?)
            }
            _ => None,
        };
        Ok(Node {
            role,
            class: annotations.privacy,
            privacy_by,
            relation_by,
            index,
            codes,
            protection,
            required: place.required,
            members,
            additional,
            items,
        })
    }

    fn role(
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

    fn codes(
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

    fn privacy_by(
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

    fn indexed(
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
    fn describe(
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

impl Node {
    fn plain() -> Self {
        Self {
            role: Role::Plain,
            class: None,
            privacy_by: None,
            relation_by: None,
            index: None,
            codes: None,
            protection: false,
            required: false,
            members: Vec::new(),
            additional: None,
            items: None,
        }
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

/// The schema inside `at` at these keywords; `None` for a boolean schema.
fn inside<'a>(at: &Located<'a>, keywords: &[&str], schema: &'a Value) -> Option<Located<'a>> {
    let schema: &Map<String, Value> = schema.as_object()?;
    let mut pointer = at.pointer.clone();
    for keyword in keywords {
        pointer.push('/');
        pointer.push_str(&crate::path::escape(keyword));
    }
    Some(Located {
        id: at.id,
        pointer,
        schema,
    })
}

fn inner<'a>(at: &Located<'a>, keyword: &str) -> Option<Located<'a>> {
    inside(at, &[keyword], at.schema.get(keyword)?)
}
