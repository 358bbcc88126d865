//! The walk over the data beside the plan. It checks what JSON Schema cannot say, brings identifiers and references to
//! the form that is stored, and takes out what is indexed, in one go.

mod references;

use std::borrow::Cow;
use std::sync::Arc;

use chrono::NaiveDate;
use grunddata_model::Domain;
use serde_json::{Map, Value};

use crate::MAX_ENTRY_CHARS;
use crate::annotation::{PrivacyClass, SearchMode};
use crate::canonical::{canonical_json, hex, sha256};
use crate::error::{ValidationError, code};
use crate::fold::{fold, number_key, words_of_folded};
use crate::path::Path;
use crate::plan::{CodePlan, DomainModel, IndexPlan, Node, Role};
use crate::record::{CodeUse, Entry, Extract, Geometry, IndexMode, ReferenceUse};
use crate::release::Release;
use crate::scheme::SCHEME_LIST;
use crate::validate::MOST_COLLECTED;

pub(crate) use references::{pending_use, reference_class, reference_malformed, relation_name};

/// What stands in a stored body in place of a geometry, before its SHA-256.
pub(crate) const GEOMETRY_PREFIX: &str = "geometry:sha256-";

/// The hash of a geometry in its stored form.
pub(crate) fn geometry_hash(value: &Value) -> Option<&str> {
    value
        .as_str()?
        .strip_prefix(GEOMETRY_PREFIX)
        .filter(|hash| {
            hash.len() == 64
                && hash
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
}

/// One walk.
pub(crate) struct Walk<'m> {
    release: &'m Release,
    domain: Domain,
    /// The extension packages of a stored body, `NAME/VERSION` each. `None` = the newest, and everything is checked.
    stored: Option<Vec<&'m str>>,
    pub(crate) extract: Extract,
    pub(crate) errors: Vec<ValidationError>,
    pub(crate) references: Vec<ReferenceUse>,
    pub(crate) geometries: Vec<Geometry>,
    /// The extension packages whose data was met, `NAME/VERSION`.
    pub(crate) extensions: Vec<Arc<str>>,
}

impl<'m> Walk<'m> {
    /// A walk that checks and normalises.
    pub(crate) fn checking(release: &'m Release, domain: Domain) -> Self {
        Self {
            release,
            domain,
            stored: None,
            extract: Extract::default(),
            errors: Vec::new(),
            references: Vec::new(),
            geometries: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// A walk over a stored body, which only takes out.
    pub(crate) fn stored(release: &'m Release, domain: Domain, extensions: Vec<&'m str>) -> Self {
        Self {
            stored: Some(extensions),
            ..Self::checking(release, domain)
        }
    }

    /// Walks the whole data of a record.
    pub(crate) fn run(&mut self, value: &mut Value) {
        let release = self.release;
        let plan = release.plan(self.domain);
        self.visit(&plan.root, value, &Path::Root, plan.class, None);
        self.extract.kind = value.get("kind").and_then(Value::as_str).map(str::to_owned);
        self.extract.display = display(plan, value);
    }

    fn checks(&self) -> bool {
        self.stored.is_none()
    }

    fn leaf(&mut self, class: PrivacyClass) {
        self.extract.classes |= class.bit();
    }

    fn visit(
        &mut self,
        node: &'m Node,
        value: &mut Value,
        path: &Path<'_>,
        inherited: PrivacyClass,
        by: Option<&str>,
    ) {
        // The data is refused already: no more is needed of it.
        if self.errors.len() >= MOST_COLLECTED {
            return;
        }
        let class = node.class.unwrap_or(inherited);
        match &node.role {
            Role::Reference(plan) => self.reference(plan, value, path, class, by),
            Role::Geometry => self.geometry(value, class),
            Role::LangString => self.lang_string(node, value, class),
            Role::Extensions => self.extensions(node, value, path, class),
            Role::Identifier | Role::IdentifierKey => {
                let class = self.identifier(node, value, path, class);
                self.members(node, value, path, class);
            }
            Role::Plain => match value {
                Value::Object(_) => self.members(node, value, path, class),
                Value::Array(items) => {
                    if items.is_empty() {
                        self.leaf(class);
                    }
                    for (index, item) in items.iter_mut().enumerate() {
                        match &node.items {
                            Some(plan) => {
                                self.visit(plan, item, &Path::Item(path, index), class, by)
                            }
                            None => self.leaf(class),
                        }
                    }
                }
                scalar => self.scalar(node, scalar, path, class),
            },
        }
    }

    fn members(&mut self, node: &'m Node, value: &mut Value, path: &Path<'_>, class: PrivacyClass) {
        let Value::Object(members) = value else {
            return;
        };
        if members.is_empty() {
            self.leaf(class);
        }
        if self.checks()
            && let Some(from) = backwards(members)
        {
            self.errors.push(ValidationError::new(
                Path::Member(path, VALID_TO).pointer(),
                code::INVALID_PERIOD,
                format!("The period begins on {from} and must end after that: validTo is the first day on which it holds no more. Leave it out when there is no end."),
                format!("Perioden börjar {from} och måste sluta efter det: validTo är första dagen då den inte längre gäller. Utelämna den när det inte finns något slut."),
            ));
        }
        let (class, by) = node.said_by_members(members, class);
        for (name, member) in members.iter_mut() {
            match node.member(name) {
                Some(plan) => self.visit(
                    plan,
                    member,
                    &Path::Member(path, name),
                    class,
                    by.as_deref(),
                ),
                None => self.leaf(class),
            }
        }
    }

    fn scalar(&mut self, node: &Node, value: &Value, path: &Path<'_>, class: PrivacyClass) {
        self.leaf(class);
        if let Some(codes) = &node.codes
            && let Value::String(text) = value
        {
            self.code(codes, text, path);
            if node.protection {
                let rank = protection_rank(codes, text);
                self.extract.protection = self.extract.protection.max(rank);
            }
        }
        if let Some(index) = &node.index {
            self.index(index, value);
        }
    }

    fn code(&mut self, plan: &CodePlan, text: &str, path: &Path<'_>) {
        // The scheme of an identifier is checked with its value.
        if plan.list.name().as_ref() == SCHEME_LIST || (!self.checks() && !plan.dated) {
            return;
        }
        match plan.list.get(text) {
            Some(code) if code.is_dated() => self.extract.dated_codes.push(CodeUse {
                pointer: path.pointer(),
                list: Arc::clone(plan.list.name()),
                code: text.to_owned(),
            }),
            Some(_) => {}
            None if plan.open || !self.checks() || text.is_empty() => {}
            None => {
                let name = plan.list.name();
                self.errors.push(
                    ValidationError::new(
                        path.pointer(),
                        code::UNKNOWN_CODE,
                        format!("The code list \"{name}\" has no such code."),
                        format!("Kodlistan \"{name}\" har ingen sådan kod."),
                    )
                    .with_suggestion(plan.list.nearest(text)),
                );
            }
        }
    }

    fn entry(&mut self, plan: &IndexPlan, mode: IndexMode, mut value: String) {
        if value.is_empty() {
            return;
        }
        if let Some((end, _)) = value.char_indices().nth(MAX_ENTRY_CHARS) {
            value.truncate(end);
        }
        self.extract.entries.push(Entry {
            property: Arc::clone(&plan.property),
            mode,
            value,
        });
    }

    fn index(&mut self, plan: &IndexPlan, value: &Value) {
        let text = match value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Number(_) | Value::Bool(_) => Cow::Owned(canonical_json(value)),
            Value::Null | Value::Array(_) | Value::Object(_) => return,
        };
        let mut folded: Option<String> = None;
        for mode in &plan.modes {
            match mode {
                SearchMode::Exact => self.entry(plan, IndexMode::Exact, text.clone().into_owned()),
                SearchMode::Prefix => {
                    let folded = folded.get_or_insert_with(|| fold(&text)).clone();
                    self.entry(plan, IndexMode::Folded, folded);
                }
                SearchMode::Text => {
                    let folded = folded.get_or_insert_with(|| fold(&text));
                    for word in words_of_folded(folded) {
                        self.entry(plan, IndexMode::Word, word.to_owned());
                    }
                }
                SearchMode::Date => {
                    let padded = match text.len() {
                        4 => format!("{text}-01-01"),
                        7 => format!("{text}-01"),
                        _ => text.clone().into_owned(),
                    };
                    self.entry(plan, IndexMode::Date, padded);
                }
                SearchMode::Number => {
                    if let Some(key) = number_key(&text) {
                        self.entry(plan, IndexMode::Number, key);
                    }
                }
            }
        }
    }

    fn lang_string(&mut self, node: &Node, value: &Value, class: PrivacyClass) {
        self.leaf(class);
        if let (Some(index), Value::Object(texts)) = (&node.index, value) {
            for text in texts.values() {
                self.index(index, text);
            }
        }
    }

    fn geometry(&mut self, value: &mut Value, class: PrivacyClass) {
        self.leaf(class);
        if let Some(hash) = geometry_hash(value) {
            self.extract.geometry_uses.push(hash.to_owned());
        } else if value.is_object() {
            let body = canonical_json(value);
            let hash = hex(&sha256(&body));
            *value = Value::String(format!("{GEOMETRY_PREFIX}{hash}"));
            self.extract.geometry_uses.push(hash.clone());
            if !self.geometries.iter().any(|(known, _)| *known == hash) {
                self.geometries.push((hash, Arc::from(body)));
            }
        }
    }

    fn extensions(&mut self, node: &Node, value: &mut Value, path: &Path<'_>, class: PrivacyClass) {
        let Value::Object(packages) = value else {
            return;
        };
        let release = self.release;
        for (name, data) in packages.iter_mut() {
            let pin = self.stored.as_ref().and_then(|pins| pinned(pins, name));
            let at = Path::Member(path, name);
            match release.extension(name, pin, self.domain) {
                Some((version, extension)) => {
                    self.extensions.push(Arc::clone(version));
                    let plan = &extension.plan;
                    self.visit(&plan.root, data, &at, plan.class, None);
                }
                None => {
                    self.leaf(node.class.unwrap_or(class));
                    if self.checks() {
                        self.errors.push(
                            ValidationError::new(
                                at.pointer(),
                                code::UNKNOWN_EXTENSION,
                                "No loaded package of this name extends the domain; load the package or remove the property.",
                                "Inget inläst paket med det namnet utökar domänen; läs in paketet eller ta bort egenskapen.",
                            )
                            .with_property(name)
                            .with_suggestion(release.nearest_extension(name, self.domain)),
                        );
                    }
                }
            }
        }
    }
}

const VALID_FROM: &str = "validFrom";
const VALID_TO: &str = "validTo";

/// The first day of a period inside the data that ends on it or before. What is no date is told of by itself.
fn backwards(members: &Map<String, Value>) -> Option<NaiveDate> {
    let day = |name: &str| members.get(name)?.as_str()?.parse::<NaiveDate>().ok();
    let (from, to) = (day(VALID_FROM)?, day(VALID_TO)?);
    (to <= from).then_some(from)
}

/// The version of a package among the `NAME/VERSION` that a stored body names.
pub(crate) fn pinned<'a>(extensions: &[&'a str], name: &str) -> Option<&'a str> {
    extensions
        .iter()
        .filter_map(|extension| extension.split_once('/'))
        .find_map(|(package, version)| (package == name).then_some(version))
}

fn protection_rank(plan: &CodePlan, text: &str) -> u8 {
    let ranked = plan
        .list
        .get(text)
        .and_then(|code| code.further.get("rank")?.parse().ok())
        .or_else(|| u8::try_from(plan.list.position(text)?).ok());
    // A level that nobody can rank is not taken for none.
    ranked.unwrap_or(u8::MAX)
}

/// The first entry of `x-display` of which every part holds text. A code is shown by its Swedish label.
fn display(plan: &DomainModel, value: &Value) -> Option<String> {
    let mut parts = plan.display.iter().filter_map(|pointers| {
        let mut name = String::new();
        for pointer in pointers {
            let text = value
                .pointer(pointer)?
                .as_str()
                .filter(|text| !text.trim().is_empty())?;
            let text = plan
                .root
                .at(pointer)
                .and_then(|node| node.codes.as_ref()?.list.get(text))
                .map_or(text, |code| &code.label.sv);
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(text);
        }
        Some(name)
    });
    parts.next()
}
