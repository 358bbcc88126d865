//! The two states of data that has passed the model: [`Validated`], whose references may still name identifiers or
//! records to be, and [`Resolved`], the only thing that the store accepts. Neither can be made outside this crate.

use std::fmt;
use std::sync::{Arc, OnceLock};

use chrono::NaiveDate;
use grunddata_model::{Domain, RecordId, SchemeCode};
use serde_json::{Value, json};

use crate::annotation::PrivacyClass;
use crate::canonical::{canonical_json, hex, sha256};
use crate::model::InformationModel;
use crate::plan::Relation;

/// What a reference names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A record by its id.
    Id(RecordId),
    /// A record by one of its identifiers.
    Identifier {
        /// The scheme.
        scheme: SchemeCode,
        /// The value, normalised.
        value: String,
    },
    /// A record that the same transaction creates: the NAME of `temp:NAME`.
    Temporary(String),
}

/// The value of an identifier may be somebody's number and is never printed.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Id(id) => write!(f, "Id({id})"),
            Target::Identifier { scheme, .. } => write!(f, "Identifier({scheme}, …)"),
            Target::Temporary(name) => write!(f, "Temporary({name})"),
        }
    }
}

/// One reference in the data of a record.
#[derive(Debug, Clone)]
pub struct ReferenceUse {
    /// JSON Pointer to the reference.
    pub pointer: String,
    /// The name of the relation, with the code of its kind where it has one: `relationship.custodian`.
    pub relation: Arc<str>,
    /// The relation: where it may lead and what happens when the target is cut.
    pub kind: Arc<Relation>,
    /// What it names.
    pub target: Target,
    /// The privacy class of the reference.
    pub class: PrivacyClass,
}

/// A reference that is kept although it leads nowhere yet. In the data it stands by the identifier, as it was given.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PendingUse {
    /// JSON Pointer to the reference.
    pub pointer: String,
    /// The name of the relation, with the code of its kind.
    pub relation: Arc<str>,
    /// The scheme of the identifier that names the target.
    pub scheme: SchemeCode,
    /// Its value, normalised.
    pub value: String,
    /// The bit of its privacy class: that of the reference, or that of the scheme where it is stricter.
    pub class: u8,
}

/// The value may be somebody's number and is never printed.
impl fmt::Debug for PendingUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingUse")
            .field("pointer", &self.pointer)
            .field("relation", &self.relation)
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// What is made of a reference when it is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It leads to this record.
    Record(RecordId),
    /// It leads nowhere yet, and is kept by its identifier.
    Pending,
    /// It leads nowhere.
    Nothing,
}

/// A link that the data declares. Distinct within a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkUse {
    /// The name of the relation, with the code of its kind.
    pub relation: Arc<str>,
    /// The record that it leads to.
    pub target: RecordId,
    /// The bit of its privacy class: the most open one where the data says it several times.
    pub class: u8,
}

/// An identifier that the data carries. Distinct within a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentifierUse {
    /// The scheme.
    pub scheme: SchemeCode,
    /// The value, normalised.
    pub value: String,
    /// Its own first day; `None` = that of the state.
    pub valid_from: Option<NaiveDate>,
    /// The day after its own last day; `None` = that of the state.
    pub valid_to: Option<NaiveDate>,
    /// The code of its status; `None` = active.
    pub status: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// The bit of its privacy class.
    pub class: u8,
}

/// The value may be somebody's number and is never printed.
impl fmt::Debug for IdentifierUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentifierUse")
            .field("scheme", &self.scheme)
            .field("valid_from", &self.valid_from)
            .field("valid_to", &self.valid_to)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// How an index entry is compared. The numbers are stored and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum IndexMode {
    /// The value as it is.
    Exact = 1,
    /// The folded value.
    Folded = 2,
    /// One folded word.
    Word = 3,
    /// An ISO date.
    Date = 4,
    /// A number as text that sorts as the number.
    Number = 5,
}

/// One entry of the search index. Distinct within a record; compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The search name of the property.
    pub property: Arc<str>,
    /// How the value is compared.
    pub mode: IndexMode,
    /// The value, at most [`MAX_ENTRY_CHARS`](crate::MAX_ENTRY_CHARS) characters.
    pub value: String,
}

/// A use of a code whose list says from or until when it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeUse {
    /// JSON Pointer to the code.
    pub pointer: String,
    /// The code list.
    pub list: Arc<str>,
    /// The code.
    pub code: String,
}

/// What the walk takes out of the data.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extract {
    pub(crate) display: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) links: Vec<LinkUse>,
    pub(crate) pending: Vec<PendingUse>,
    pub(crate) identifiers: Vec<IdentifierUse>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) dated_codes: Vec<CodeUse>,
    pub(crate) geometry_uses: Vec<String>,
    pub(crate) protection: u8,
    pub(crate) classes: u8,
}

impl Extract {
    /// Sorts and removes what stands twice, so that two states can be compared entry by entry. What stands twice with
    /// different classes has the more open one: whoever sees that knows it from there.
    pub(crate) fn finish(&mut self) {
        self.links.sort_unstable();
        self.links
            .dedup_by(|next, kept| (&next.relation, next.target) == (&kept.relation, kept.target));
        self.pending.sort_unstable();
        self.pending.dedup();
        self.identifiers.sort_unstable();
        self.identifiers.dedup();
        self.entries.sort_unstable();
        self.entries.dedup();
        self.geometry_uses.sort_unstable();
        self.geometry_uses.dedup();
    }
}

/// A geometry that was taken out of the data: its SHA-256 in hexadecimal, and its canonical JSON.
pub type Geometry = (String, Arc<str>);

/// Data that the model accepts. Its references are still as they were given.
#[derive(Clone)]
pub struct Validated {
    pub(crate) references: Vec<ReferenceUse>,
    pub(crate) form: Form,
}

#[derive(Clone)]
pub(crate) enum Form {
    /// Every reference is an id already.
    Ready(Resolved),
    Open(Box<Open>),
}

#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) information_model: InformationModel,
    pub(crate) domain: Domain,
    pub(crate) model: Arc<str>,
    pub(crate) value: Value,
    pub(crate) extract: Extract,
    pub(crate) geometries: Vec<Geometry>,
}

impl fmt::Debug for Validated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validated")
            .field("domain", &self.domain())
            .field("model", &self.model())
            .field("references", &self.references)
            .finish_non_exhaustive()
    }
}

impl Validated {
    /// The domain.
    #[must_use]
    pub fn domain(&self) -> Domain {
        match &self.form {
            Form::Ready(resolved) => resolved.domain(),
            Form::Open(open) => open.domain,
        }
    }

    /// The model that accepted it, with the extension packages whose data it holds.
    #[must_use]
    pub fn model(&self) -> &str {
        match &self.form {
            Form::Ready(resolved) => resolved.model(),
            Form::Open(open) => &open.model,
        }
    }

    /// Every reference, in the order of the data.
    #[must_use]
    pub fn references(&self) -> &[ReferenceUse] {
        &self.references
    }

    /// The identifiers that the data carries.
    #[must_use]
    pub fn identifiers(&self) -> &[IdentifierUse] {
        match &self.form {
            Form::Ready(resolved) => resolved.identifiers(),
            Form::Open(open) => &open.extract.identifiers,
        }
    }

    /// The codes whose list says from or until when they hold.
    #[must_use]
    pub fn dated_codes(&self) -> &[CodeUse] {
        match &self.form {
            Form::Ready(resolved) => resolved.dated_codes(),
            Form::Open(open) => &open.extract.dated_codes,
        }
    }

    /// Whether every reference names an id, so that there is nothing to look up.
    #[must_use]
    pub fn is_resolved(&self) -> bool {
        matches!(self.form, Form::Ready(_))
    }

    /// Replaces every reference by the id that `find` answers. It is asked once for each reference, ids included, so
    /// that it can follow a merged record; answering the same id changes nothing.
    ///
    /// # Errors
    /// The references for which `find` answered `None`.
    pub fn resolve(
        &self,
        find: &mut dyn FnMut(&ReferenceUse) -> Option<RecordId>,
    ) -> Result<Resolved, Vec<ReferenceUse>> {
        self.resolve_or_keep(&mut |reference| find(reference).map_or(Found::Nothing, Found::Record))
    }

    /// The same, where references by identifier may be kept as they are: they lead to no record, and are no links.
    ///
    /// # Errors
    /// The references for which `find` answered [`Found::Nothing`], and those that it would keep and that are not by identifier.
    pub fn resolve_or_keep(
        &self,
        find: &mut dyn FnMut(&ReferenceUse) -> Found,
    ) -> Result<Resolved, Vec<ReferenceUse>> {
        let mut found: Vec<Option<RecordId>> = Vec::with_capacity(self.references.len());
        let mut missing = Vec::new();
        for reference in &self.references {
            match (find(reference), &reference.target) {
                (Found::Record(id), _) => found.push(Some(id)),
                (Found::Pending, Target::Identifier { .. }) => found.push(None),
                _ => missing.push(reference.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        let open = match &self.form {
            Form::Ready(resolved) => {
                let unchanged =
                    self.references.iter().zip(&found).all(|(reference, id)| {
                        id.is_some_and(|id| reference.target == Target::Id(id))
                    });
                if unchanged {
                    return Ok(resolved.clone());
                }
                &Open {
                    information_model: resolved.0.information_model.clone(),
                    domain: resolved.domain(),
                    model: Arc::clone(&resolved.0.model),
                    value: resolved.value(),
                    extract: resolved.extract().clone(),
                    geometries: resolved.0.geometries.clone(),
                }
            }
            Form::Open(open) => open,
        };
        let mut value = open.value.clone();
        let mut extract = open.extract.clone();
        extract.links.clear();
        for (reference, id) in self.references.iter().zip(&found) {
            let Some(id) = id else {
                let pending = open.information_model.pending_use(&open.model, reference);
                extract.classes |= pending.as_ref().map_or(0, |pending| pending.class);
                extract.pending.extend(pending);
                continue;
            };
            if let Some(place) = value.pointer_mut(&reference.pointer) {
                *place = json!({"id": id.to_string()});
            }
            extract.links.push(LinkUse {
                relation: Arc::clone(&reference.relation),
                target: *id,
                class: reference.class.bit(),
            });
        }
        extract.finish();
        Ok(Resolved::new(
            open.information_model.clone(),
            open.domain,
            Arc::clone(&open.model),
            canonical_json(&value),
            extract,
            open.geometries.clone(),
        ))
    }
}

/// Data as it is stored: validated, its references ids, in canonical form. Cheap to clone.
#[derive(Clone)]
pub struct Resolved(Arc<Stored>);

struct Stored {
    information_model: InformationModel,
    domain: Domain,
    model: Arc<str>,
    body: Arc<str>,
    hash: OnceLock<[u8; 32]>,
    extract: OnceLock<Extract>,
    geometries: Vec<Geometry>,
}

impl Resolved {
    pub(crate) fn new(
        information_model: InformationModel,
        domain: Domain,
        model: Arc<str>,
        body: String,
        extract: Extract,
        geometries: Vec<Geometry>,
    ) -> Self {
        let hash = sha256(&body);
        Self(Arc::new(Stored {
            information_model,
            domain,
            model,
            body: Arc::from(body),
            hash: OnceLock::from(hash),
            extract: OnceLock::from(extract),
            geometries,
        }))
    }

    /// A body that was stored. What it holds is extracted when somebody asks.
    pub(crate) fn stored(
        information_model: InformationModel,
        domain: Domain,
        model: Arc<str>,
        body: Arc<str>,
    ) -> Self {
        Self(Arc::new(Stored {
            information_model,
            domain,
            model,
            body,
            hash: OnceLock::new(),
            extract: OnceLock::new(),
            geometries: Vec::new(),
        }))
    }

    pub(crate) fn information_model(&self) -> &InformationModel {
        &self.0.information_model
    }

    fn extract(&self) -> &Extract {
        self.0.extract.get_or_init(|| {
            self.0
                .information_model
                .extract_stored(self.0.domain, &self.0.model, self.value())
        })
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> Domain {
        self.0.domain
    }

    /// The model that the data was validated against: `grunddata/1.0.0`, with the extension packages whose data it
    /// holds: `grunddata/1.0.0+se-skola/0.1.0`.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.0.model
    }

    /// The canonical JSON that is stored, served and hashed. A geometry stands as the string `geometry:sha256-HEX`.
    #[must_use]
    pub fn body(&self) -> &Arc<str> {
        &self.0.body
    }

    /// SHA-256 of the body.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        self.0.hash.get_or_init(|| sha256(&self.0.body))
    }

    /// The display name.
    #[must_use]
    pub fn display(&self) -> Option<&str> {
        self.extract().display.as_deref()
    }

    /// The code of the property `kind`, where the domain has one.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.extract().kind.as_deref()
    }

    /// The links, distinct and sorted.
    #[must_use]
    pub fn links(&self) -> &[LinkUse] {
        &self.extract().links
    }

    /// The references that lead nowhere yet, sorted by place.
    #[must_use]
    pub fn pending(&self) -> &[PendingUse] {
        &self.extract().pending
    }

    /// The same data with references that were pending as ids, those for which `find` knows the record.
    #[must_use]
    pub fn settled(&self, find: &mut dyn FnMut(&PendingUse) -> Option<RecordId>) -> Self {
        let mut value: Option<Value> = None;
        for pending in self.pending() {
            let Some(id) = find(pending) else {
                continue;
            };
            let value = value.get_or_insert_with(|| self.value());
            if let Some(place) = value.pointer_mut(&pending.pointer) {
                *place = json!({"id": id.to_string()});
            }
        }
        match value {
            None => self.clone(),
            Some(value) => Self::stored(
                self.0.information_model.clone(),
                self.0.domain,
                Arc::clone(&self.0.model),
                Arc::from(canonical_json(&value)),
            ),
        }
    }

    /// The identifiers, distinct and sorted.
    #[must_use]
    pub fn identifiers(&self) -> &[IdentifierUse] {
        &self.extract().identifiers
    }

    /// The index entries, distinct and sorted.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.extract().entries
    }

    /// The codes whose list says from or until when they hold.
    #[must_use]
    pub fn dated_codes(&self) -> &[CodeUse] {
        &self.extract().dated_codes
    }

    /// The protection level: 0 is none, higher is stronger (the `rank` of the code list).
    #[must_use]
    pub fn protection(&self) -> u8 {
        self.extract().protection
    }

    /// The privacy classes of the properties that are present: public 1, internal 2, personal 4, protected 8.
    #[must_use]
    pub fn classes(&self) -> u8 {
        self.extract().classes
    }

    /// The geometries that came with the data and are stored beside it. Empty after a reload.
    #[must_use]
    pub fn geometries(&self) -> &[Geometry] {
        &self.0.geometries
    }

    /// The hashes (hexadecimal) of all geometries that the body refers to, whether they came with the data or were
    /// named by their stored form, which an amendment of another property leaves as it is. The ones that did not come
    /// with the data must be stored already.
    #[must_use]
    pub fn geometry_uses(&self) -> &[String] {
        &self.extract().geometry_uses
    }

    /// The data, parsed.
    #[must_use]
    pub fn value(&self) -> Value {
        // The body was written by this crate, or checked by `reload`.
        serde_json::from_str(&self.0.body).unwrap_or(Value::Null)
    }
}

impl PartialEq for Resolved {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.domain == other.0.domain
                && self.0.model == other.0.model
                && self.hash() == other.hash())
    }
}

impl Eq for Resolved {}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Resolved({}, {}, {})",
            self.0.domain,
            self.0.model,
            hex(self.hash())
        )
    }
}
