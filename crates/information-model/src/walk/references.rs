//! Identifiers and references: brought to the form that is stored, and checked.

use std::sync::Arc;

use grunddata_model::{Domain, RecordId, SchemeCode};
use serde_json::{Map, Value, json};

use super::Walk;
use crate::annotation::PrivacyClass;
use crate::error::{ValidationError, code};
use crate::path::Path;
use crate::plan::{Node, ReferencePlan, Role};
use crate::record::{CodeUse, IdentifierUse, LinkUse, PendingUse, ReferenceUse, Target};
use crate::release::Release;
use crate::scheme::SCHEME_LIST;

impl<'m> Walk<'m> {
    /// Normalises and checks an identifier; answers the class of what it says: that of its scheme where it is stricter.
    pub(super) fn identifier(
        &mut self,
        node: &Node,
        value: &mut Value,
        path: &Path<'_>,
        class: PrivacyClass,
    ) -> PrivacyClass {
        let Value::Object(members) = value else {
            return class;
        };
        let Some(scheme) = self.scheme_and_value(members, path, &[self.domain]) else {
            return class;
        };
        if matches!(node.role, Role::Identifier)
            && let Some(value) = members.get("value").and_then(Value::as_str)
        {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            let day = |name: &str| text(name).and_then(|day| day.parse().ok());
            self.extract.identifiers.push(IdentifierUse {
                scheme: scheme.0,
                value: value.to_owned(),
                valid_from: day("validFrom"),
                valid_to: day("validTo"),
                status: text("status").map(str::to_owned),
                issuer: text("issuer").map(str::to_owned),
                class: class.max(scheme.1).bit(),
            });
        }
        class.max(scheme.1)
    }

    /// The scheme of `{scheme, value}`, whose value is normalised in place and checked.
    fn scheme_and_value(
        &mut self,
        members: &mut Map<String, Value>,
        path: &Path<'_>,
        domains: &[Domain],
    ) -> Option<(SchemeCode, PrivacyClass)> {
        let given = members.get("scheme")?.as_str()?;
        let schemes = self.release.schemes();
        let Some(scheme) = schemes.get(given) else {
            if self.checks() && !given.is_empty() {
                self.errors.push(
                    ValidationError::new(
                        Path::Member(path, "scheme").pointer(),
                        code::UNKNOWN_IDENTIFIER_SCHEME,
                        "There is no such identifier scheme; write one of the code list \"identifier-scheme\", or source:NAME for the key of a source system.",
                        "Identitetsbegreppet finns inte; skriv ett ur kodlistan \"identifier-scheme\", eller source:NAMN för ett källsystems nyckel.",
                    )
                    .with_suggestion(schemes.nearest(given, domains.first().copied())),
                );
            }
            return None;
        };
        let scheme_code = match scheme.code().as_str() {
            known if known == given => scheme.code().clone(),
            _ => SchemeCode::new(given).ok()?,
        };
        let class = scheme.class();
        if !self.checks() {
            return Some((scheme_code, class));
        }
        if !domains
            .iter()
            .any(|domain| scheme.domains().contains(domain))
        {
            let allowed = scheme
                .domains()
                .iter()
                .map(|domain| domain.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            self.errors.push(ValidationError::new(
                Path::Member(path, "scheme").pointer(),
                code::SCHEME_NOT_FOR_DOMAIN,
                format!("This identifier scheme is not for this domain, but for: {allowed}."),
                format!(
                    "Identitetsbegreppet är inte till för den här domänen, utan för: {allowed}."
                ),
            ));
            return None;
        }
        if scheme.is_dated() {
            self.extract.dated_codes.push(CodeUse {
                pointer: Path::Member(path, "scheme").pointer(),
                list: Arc::from(SCHEME_LIST),
                code: scheme.code().as_str().to_owned(),
            });
        }
        if let Some(Value::String(value)) = members.get_mut("value")
            && !value.is_empty()
        {
            let normal = scheme.normalise(value);
            if let Err(problem) = scheme.check(&normal) {
                let label = scheme.label();
                self.errors.push(ValidationError::new(
                    Path::Member(path, "value").pointer(),
                    problem.code(),
                    format!("{}: {}.", label.en, problem.message),
                    format!("{}: {}.", label.sv, problem.message_sv),
                ));
            }
            *value = normal;
        }
        Some((scheme_code, class))
    }

    pub(super) fn reference(
        &mut self,
        plan: &'m ReferencePlan,
        value: &mut Value,
        path: &Path<'_>,
        class: PrivacyClass,
        by: Option<&str>,
    ) {
        self.leaf(class);
        let relation = relation_name(plan, by);
        let Value::Object(members) = value else {
            return;
        };
        let id = members.get("id").and_then(Value::as_str);
        if !self.checks() {
            if let Some(pending) = pending_of(self.release, members, class) {
                self.leaf(pending.2);
                self.extract.pending.push(PendingUse {
                    pointer: path.pointer(),
                    relation,
                    scheme: pending.0,
                    value: pending.1,
                    class: pending.2.bit(),
                });
                return;
            }
            // What waited for a record that is erased keeps its scheme, and the class that it had.
            let scheme = members
                .get("identifier")
                .and_then(|named| named.get("scheme"));
            let scheme = scheme.and_then(Value::as_str);
            if scheme.is_some() {
                self.leaf(class_of_reference(self.release, scheme, class));
            }
            if let Some(target) = id.and_then(|id| id.parse::<RecordId>().ok()) {
                let class = class.bit();
                self.extract.links.push(LinkUse {
                    relation,
                    target,
                    class,
                });
            }
            return;
        }
        if members.contains_key("id") == members.contains_key("identifier") {
            self.errors.push(reference_malformed(path.pointer()));
            return;
        }
        let (target, canonical) = if let Some(id) = id {
            let target = match (id.strip_prefix("temp:"), id.parse::<RecordId>()) {
                (Some(name), _) => Target::Temporary(name.to_owned()),
                (None, Ok(id)) => Target::Id(id),
                // The schema has said so.
                (None, Err(_)) => return,
            };
            // As a rule the reference stands in its canonical form already.
            let canonical = match &target {
                Target::Id(_)
                    if members.len() == 1 && !id.bytes().any(|byte| byte.is_ascii_uppercase()) =>
                {
                    None
                }
                Target::Id(id) => Some(json!({"id": id.to_string()})),
                _ => Some(json!({"id": id})),
            };
            (target, canonical)
        } else {
            let at = Path::Member(path, "identifier");
            let domains: Vec<Domain> = plan
                .relation
                .targets
                .iter()
                .map(|target| target.domain)
                .collect();
            let Some(Value::Object(key)) = members.get_mut("identifier") else {
                return;
            };
            let Some((scheme, _)) = self.scheme_and_value(key, &at, &domains) else {
                return;
            };
            let Some(value) = key.get("value").and_then(Value::as_str) else {
                return;
            };
            let canonical =
                Some(json!({"identifier": {"scheme": scheme.as_str(), "value": value}}));
            (
                Target::Identifier {
                    scheme,
                    value: value.to_owned(),
                },
                canonical,
            )
        };
        if let Some(canonical) = canonical {
            *value = canonical;
        }
        self.references.push(ReferenceUse {
            pointer: path.pointer(),
            relation,
            kind: Arc::clone(&plan.relation),
            target,
            class,
        });
    }
}

/// The identifier by which a reference is kept that leads nowhere yet, and the class of what it says: an identifier may be
/// more sensitive than that there is a reference.
fn pending_of(
    release: &Release,
    members: &Map<String, Value>,
    class: PrivacyClass,
) -> Option<(SchemeCode, String, PrivacyClass)> {
    let identifier = members.get("identifier")?;
    let scheme = identifier.get("scheme")?.as_str()?;
    let value = identifier.get("value")?.as_str()?.to_owned();
    let class = class_of_reference(release, Some(scheme), class);
    Some((SchemeCode::new(scheme).ok()?, value, class))
}

/// The class of a reference that stands by an identifier of this scheme.
fn class_of_reference(
    release: &Release,
    scheme: Option<&str>,
    class: PrivacyClass,
) -> PrivacyClass {
    let scheme = scheme.and_then(|scheme| release.schemes().get(scheme));
    scheme.map_or(class, |scheme| class.max(scheme.class()))
}

/// The class of a reference as it stands in stored data.
pub(crate) fn reference_class(
    release: &Release,
    reference: &Value,
    class: PrivacyClass,
) -> PrivacyClass {
    let scheme = reference.pointer("/identifier/scheme");
    class_of_reference(release, scheme.and_then(Value::as_str), class)
}

/// A reference that is kept by its identifier.
pub(crate) fn pending_use(release: &Release, reference: &ReferenceUse) -> Option<PendingUse> {
    let Target::Identifier { scheme, value } = &reference.target else {
        return None;
    };
    let class = class_of_reference(release, Some(scheme.as_str()), reference.class);
    Some(PendingUse {
        pointer: reference.pointer.clone(),
        relation: Arc::clone(&reference.relation),
        scheme: scheme.clone(),
        value: value.clone(),
        class: class.bit(),
    })
}

/// The name of a relation, with the code of its kind where it has one.
pub(crate) fn relation_name(plan: &ReferencePlan, by: Option<&str>) -> Arc<str> {
    match (&plan.by, by) {
        (Some(names), Some(code)) => names.names.get(code).cloned().unwrap_or_else(|| {
            // A code that an open list does not hold.
            Arc::from(format!("{}.{code}", plan.relation.name))
        }),
        _ => Arc::clone(&plan.relation.name),
    }
}

/// The error of a reference that is none.
pub(crate) fn reference_malformed(pointer: String) -> ValidationError {
    ValidationError::new(
        pointer,
        code::REFERENCE_MALFORMED,
        "A reference names its target either by \"id\" (a UUID) or by \"identifier\" ({\"scheme\", \"value\"}), and never both.",
        "En hänvisning pekar ut sitt mål antingen med \"id\" (en UUID) eller med \"identifier\" ({\"scheme\", \"value\"}), aldrig båda.",
    )
}
