//! The plan of a domain: its schema and annotations compiled to one tree, which a walk follows beside the data. The
//! walk meets each property once; nothing looks a property up by a pointer.

mod annotate;
mod compile;
mod schemas;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use grunddata_model::Domain;
use serde_json::{Map, Value};

use crate::annotation::{OnTargetEnd, PrivacyClass, SearchMode, TargetRule};
use crate::code_list::CodeList;
use crate::path::tokens;
use crate::text::{Text, nearest};

pub(crate) use compile::{Input, compile};
pub(crate) use schemas::SchemaSet;

/// A relation: a kind of reference from the records of one domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The domain whose records hold the reference.
    pub domain: Domain,
    /// The name, unique within the domain. With [`by`](Self::by) this is the base: `relationship`.
    pub name: Arc<str>,
    /// The name as seen from the target.
    pub inverse: Arc<str>,
    /// What to show.
    pub label: Text,
    /// What to show at the target.
    pub inverse_label: Text,
    /// Where it may lead.
    pub targets: Vec<TargetRule>,
    /// What happens to the referrer when the target is cut.
    pub on_target_end: OnTargetEnd,
    /// Whether the relation forms a hierarchy, which must have no cycle (with `by`: per code).
    pub hierarchical: bool,
    /// Whether a record is hidden together with the person that the reference leads to.
    pub identifying: bool,
    /// The code list whose codes are appended to the name: `relationship.custodian`.
    pub by: Option<Arc<str>>,
    /// The search name of the property that holds the reference (the first, where several do).
    pub property: Arc<str>,
    /// The privacy class of that property.
    pub class: PrivacyClass,
}

impl Relation {
    /// Whether the relation may lead to a record of that domain and kind.
    #[must_use]
    pub fn allows(&self, domain: Domain, kind: Option<&str>) -> bool {
        self.targets.iter().any(|target| {
            target.domain == domain
                && target.kinds.as_ref().is_none_or(|kinds| {
                    kind.is_some_and(|kind| kinds.iter().any(|allowed| &**allowed == kind))
                })
        })
    }
}

/// A property that can be searched by.
#[derive(Debug, Clone)]
pub struct IndexedProperty {
    /// The search name: the path with dots, without list markers.
    pub name: Arc<str>,
    /// How it can be searched.
    pub modes: Vec<SearchMode>,
    /// The strictest privacy class that a value of it may have: nobody may search by what they may not see.
    pub class: PrivacyClass,
    /// Whether records can be sorted by it (`exact` or `prefix`).
    pub sortable: bool,
    /// Whether one record can hold several values.
    pub repeated: bool,
    /// The code list of the values.
    pub codelist: Option<Arc<str>>,
    /// What to show.
    pub label: Text,
}

/// What the model says about one property, for documentation and forms.
#[derive(Debug, Clone)]
pub struct Property {
    /// The path with dots, without list markers.
    pub name: Arc<str>,
    /// The IRI.
    pub term: Option<String>,
    /// What to show.
    pub label: Text,
    /// What it means.
    pub definition: Text,
    /// The privacy class.
    pub class: PrivacyClass,
    /// The JSON types that a value may have, in the order of the schema.
    pub types: Vec<String>,
    /// Whether one record can hold several values.
    pub repeated: bool,
    /// Whether the object that holds it must have it.
    pub required: bool,
    /// The code list of the values.
    pub codelist: Option<Arc<str>>,
    /// Whether codes that the list does not hold are allowed.
    pub code_open: bool,
    /// The name of the relation that a reference stands for.
    pub relation: Option<Arc<str>>,
    /// How it can be searched.
    pub modes: Vec<SearchMode>,
}

/// What is known about one domain: the facts that search, links, documentation and pages need.
#[derive(Debug)]
pub struct DomainModel {
    pub(crate) domain: Domain,
    pub(crate) label: Text,
    pub(crate) definition: Text,
    pub(crate) term: Option<String>,
    pub(crate) class: PrivacyClass,
    pub(crate) properties: Vec<Property>,
    pub(crate) indexed: BTreeMap<Arc<str>, IndexedProperty>,
    pub(crate) relations: BTreeMap<Arc<str>, Arc<Relation>>,
    pub(crate) display: Vec<Vec<String>>,
    pub(crate) root: Node,
}

impl DomainModel {
    /// The domain.
    #[must_use]
    pub fn domain(&self) -> Domain {
        self.domain
    }

    /// What to show for the domain.
    #[must_use]
    pub fn label(&self) -> &Text {
        &self.label
    }

    /// What the domain is.
    #[must_use]
    pub fn definition(&self) -> &Text {
        &self.definition
    }

    /// The IRI of the class.
    #[must_use]
    pub fn term(&self) -> Option<&str> {
        self.term.as_deref()
    }

    /// The privacy class of a property that says nothing of its own.
    #[must_use]
    pub fn class(&self) -> PrivacyClass {
        self.class
    }

    /// Every property, in the order of the schema's names, parents before their parts.
    #[must_use]
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// The property of that search name, if it is indexed.
    #[must_use]
    pub fn indexed(&self, name: &str) -> Option<&IndexedProperty> {
        self.indexed.get(name)
    }

    /// Every indexed property, by search name.
    pub fn indexed_properties(&self) -> impl Iterator<Item = &IndexedProperty> {
        self.indexed.values()
    }

    /// The relation of that name; `relationship.custodian` leads to `relationship`.
    #[must_use]
    pub fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations
            .get(name)
            .or_else(|| {
                let (base, _) = name.split_once('.')?;
                self.relations
                    .get(base)
                    .filter(|relation| relation.by.is_some())
            })
            .map(|relation| &**relation)
    }

    /// Every relation from the records of the domain.
    pub fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.relations.values().map(|relation| &**relation)
    }

    /// The pointers of the display name, in the order in which they are tried; an entry may be several, joined with a space.
    #[must_use]
    pub fn display(&self) -> &[Vec<String>] {
        &self.display
    }

    /// The search name that is most likely meant by an unknown one.
    #[must_use]
    pub fn nearest(&self, unknown: &str) -> Option<&str> {
        nearest(unknown, self.indexed.keys().map(|name| &**name))
    }

    /// The relation that is most likely meant by an unknown one.
    #[must_use]
    pub fn nearest_relation(&self, unknown: &str) -> Option<&str> {
        nearest(unknown, self.relations.keys().map(|name| &**name))
    }
}

/// How an indexed property is written to the index.
#[derive(Debug)]
pub(crate) struct IndexPlan {
    pub(crate) property: Arc<str>,
    pub(crate) modes: Vec<SearchMode>,
}

/// The code list of a property.
#[derive(Debug)]
pub(crate) struct CodePlan {
    pub(crate) list: Arc<CodeList>,
    pub(crate) open: bool,
    /// Whether any code of the list has a first or last day.
    pub(crate) dated: bool,
}

/// The relation of a reference, with the names that the sibling's codes give.
#[derive(Debug)]
pub(crate) struct ReferencePlan {
    pub(crate) relation: Arc<Relation>,
    pub(crate) by: Option<RelationBy>,
}

#[derive(Debug)]
pub(crate) struct RelationBy {
    pub(crate) sibling: String,
    pub(crate) names: HashMap<Arc<str>, Arc<str>>,
}

/// Privacy class of a list item by the code of one of its properties.
#[derive(Debug)]
pub(crate) struct PrivacyBy {
    pub(crate) sibling: String,
    pub(crate) classes: HashMap<Arc<str>, PrivacyClass>,
}

/// What the value at a node is, beyond its JSON type.
#[derive(Debug)]
pub(crate) enum Role {
    Plain,
    Reference(ReferencePlan),
    Identifier,
    IdentifierKey,
    LangString,
    Geometry,
    Extensions,
}

/// What a plain value is by its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueKind {
    /// A text, or one of several kinds.
    Text,
    Integer,
    Number,
    Boolean,
    /// `YYYY-MM-DD`
    Date,
}

/// One place in the tree.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) role: Role,
    pub(crate) value: ValueKind,
    /// The class that the schema gives here; `None` = that of the parent.
    pub(crate) class: Option<PrivacyClass>,
    pub(crate) privacy_by: Option<PrivacyBy>,
    /// The property whose code the relations of the members are named after.
    pub(crate) relation_by: Option<String>,
    pub(crate) index: Option<IndexPlan>,
    pub(crate) codes: Option<CodePlan>,
    pub(crate) protection: bool,
    /// Whether the object that holds it must have it.
    pub(crate) required: bool,
    /// By name, sorted.
    pub(crate) members: Vec<(Box<str>, Node)>,
    /// What stands under names that are not in `members`.
    pub(crate) additional: Option<Box<Node>>,
    pub(crate) items: Option<Box<Node>>,
}

impl Node {
    /// The node of a member.
    pub(crate) fn member(&self, name: &str) -> Option<&Node> {
        match self
            .members
            .binary_search_by(|(known, _)| (**known).cmp(name))
        {
            Ok(at) => self.members.get(at).map(|(_, node)| node),
            Err(_) => self.additional.as_deref(),
        }
    }

    /// The node that a JSON Pointer into the data leads to.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Node> {
        tokens(pointer).try_fold(self, |node, token| match &node.items {
            Some(items) if token.bytes().all(|byte| byte.is_ascii_digit()) => Some(&**items),
            _ => node.member(&token),
        })
    }

    /// The property whose code names the relation of this reference, or of the references in this list.
    pub(crate) fn named_by(&self) -> Option<&str> {
        match (&self.role, &self.items) {
            (Role::Reference(plan), _) => plan.by.as_ref().map(|by| by.sibling.as_str()),
            (_, Some(items)) => items.named_by(),
            _ => None,
        }
    }

    /// What the members of an object say about it by a code beside them: the class of the others, where the schema has
    /// it depend on one, and the code that their relations are named after.
    pub(crate) fn said_by_members(
        &self,
        members: &Map<String, Value>,
        class: PrivacyClass,
    ) -> (PrivacyClass, Option<String>) {
        let code_of = |sibling: &str| members.get(sibling).and_then(Value::as_str);
        let class_by = self
            .privacy_by
            .as_ref()
            .and_then(|by| by.classes.get(code_of(&by.sibling)?).copied());
        let relation_by = self.relation_by.as_deref().and_then(code_of);
        (class_by.unwrap_or(class), relation_by.map(str::to_owned))
    }

    pub(crate) fn member_names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| &**name)
    }
}
