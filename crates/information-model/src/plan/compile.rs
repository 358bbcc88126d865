//! From schema and annotations to the plan. Everything that an annotation names must exist; a package that names what
//! is not there is refused when it is loaded, never when a record is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use grunddata_model::Domain;
use serde_json::{Map, Value};

use super::schemas::{Located, SchemaSet};
use super::{DomainModel, IndexedProperty, Node, Property, Relation, Role, ValueKind};
use crate::annotation::{Annotations, PrivacyClass, SearchMode};
use crate::code_list::CodeList;
use crate::withhold::class_at;

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
            strictest: class,
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
    let plan = DomainModel {
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
    };
    // Whoever may know of a record is shown what it is called.
    for pointer in plan.display.iter().flatten() {
        if class_at(&plan, pointer) > plan.class {
            return Err(fault(
                &root,
                format!(
                    "x-display: what stands at {pointer:?} is of a stricter privacy class than the domain"
                ),
            ));
        }
    }
    Ok(plan)
}

pub(super) fn fault(at: &Located<'_>, problem: String) -> Fault {
    let file = at.id.rsplit('/').next().unwrap_or(at.id);
    Fault {
        at: format!("{file}#{}", at.pointer),
        problem,
    }
}

/// The schemas of the members of one object, by name. Several when the object is composed of several schemas.
pub(super) type Members<'a> = BTreeMap<&'a str, Vec<Located<'a>>>;

/// A schema with everything it refers to and is composed of, merged.
#[derive(Default)]
pub(super) struct Merged<'a> {
    pub(super) annotations: Annotations,
    /// Where the references led: `(document, pointer)`.
    pub(super) followed: Vec<(&'a str, String)>,
    pub(super) types: Vec<String>,
    pub(super) formats: Vec<&'a str>,
    pub(super) required: Vec<&'a str>,
    pub(super) members: Members<'a>,
    pub(super) additional: Vec<Located<'a>>,
    pub(super) items: Vec<Located<'a>>,
}

impl Merged<'_> {
    /// Whether the schema is the shared definition of that name.
    pub(super) fn is(&self, definition: &str) -> bool {
        self.followed.iter().any(|(id, pointer)| {
            id.ends_with("/common.schema.json")
                && pointer.strip_prefix("/$defs/") == Some(definition)
        })
    }

    /// What a plain value is: where the schema leaves several kinds open, it is a text.
    fn value(&self) -> ValueKind {
        let mut types = self.types.iter().filter(|name| *name != "null");
        match (types.next().map(String::as_str), types.next()) {
            (Some("integer"), None) => ValueKind::Integer,
            (Some("number"), None) => ValueKind::Number,
            (Some("boolean"), None) => ValueKind::Boolean,
            (Some("string"), None) if self.formats == ["date"] => ValueKind::Date,
            _ => ValueKind::Text,
        }
    }
}

/// Where a schema is met.
pub(super) struct Place<'a> {
    pub(super) name: String,
    pub(super) class: PrivacyClass,
    /// The strictest class that a value may have here by the code of a sibling (`x-privacy-by`).
    pub(super) strictest: PrivacyClass,
    pub(super) repeated: bool,
    pub(super) required: bool,
    pub(super) siblings: Option<&'a Members<'a>>,
    /// The `x-index` of the list whose item this is.
    pub(super) index: Option<Vec<SearchMode>>,
    /// Whether it is a property, with a name of its own.
    pub(super) named: bool,
}

pub(super) struct Compiler<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) properties: Vec<Property>,
    pub(super) indexed: BTreeMap<Arc<str>, IndexedProperty>,
    pub(super) relations: BTreeMap<Arc<str>, Arc<Relation>>,
    /// The references that are being followed, against going round for ever.
    pub(super) references: Vec<(String, String)>,
}

impl<'a> Compiler<'a> {
    pub(super) fn merge(
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
        if let Some(Value::String(format)) = at.schema.get("format")
            && !merged.formats.contains(&format.as_str())
        {
            merged.formats.push(format);
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
        let strictest = annotations.privacy.unwrap_or(place.strictest);
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
        let by_code = privacy_by.iter().flat_map(|by| by.classes.values());
        let strictest_member = by_code.copied().fold(strictest, PrivacyClass::max);
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
                    strictest: strictest_member,
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
            strictest,
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
                Some(self.indexed(at, &annotations, place, strictest, modes)?)
            }
            _ => None,
        };
        Ok(Node {
            role,
            value: merged.value(),
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
}

impl Node {
    fn plain() -> Self {
        Self {
            role: Role::Plain,
            value: ValueKind::Text,
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
