//! What a reader may see of stored bodies, and which properties that leaves out.

use std::collections::BTreeSet;

use grunddata_model::{Domain, RecordId};
use serde_json::Value;

use crate::annotation::PrivacyClass;
use crate::canonical::canonical_json;
use crate::error::ModelError;
use crate::model::InformationModel;
use crate::plan::DomainModel;

impl InformationModel {
    /// A stored body with nothing but what has one of the allowed classes (a mask). Canonical again.
    ///
    /// # Errors
    /// [`ModelError::UnknownVersion`] when a package that the body was validated against is not loaded, and
    /// [`ModelError::StoredBody`] when the body is no JSON.
    pub fn withhold_from(
        &self,
        domain: Domain,
        model: &str,
        body: &str,
        allowed: u8,
    ) -> Result<String, ModelError> {
        let mut value = parsed(body)?;
        self.withhold(domain, model, &mut value, allowed)?;
        Ok(canonical_json(&value))
    }

    /// A body without the references to these records. An item of a list goes with the reference that it holds: of a
    /// guardian the kind of the relationship alone tells something. Canonical again.
    ///
    /// # Errors
    /// As [`withhold_from`](Self::withhold_from).
    pub fn without_references(
        &self,
        domain: Domain,
        model: &str,
        body: &str,
        hidden: &BTreeSet<RecordId>,
    ) -> Result<String, ModelError> {
        let mut value = parsed(body)?;
        self.remove_references(domain, model, &mut value, hidden)?;
        Ok(canonical_json(&value))
    }

    /// The properties of a domain that a reader of these classes is not shown, whether a record has them or not: their
    /// mere presence would tell something. Parts of a property that is named are not named again.
    #[must_use]
    pub fn withheld_properties(&self, domain: Domain, allowed: u8) -> Vec<&str> {
        let facts = self.domain(domain);
        let mut named: Vec<&str> = Vec::new();
        for property in facts.properties() {
            let name = &*property.name;
            let hidden = property.class.bit() & allowed == 0
                || name == "identifiers"
                    && self.schemes().any(|scheme| {
                        scheme.domains().contains(&domain) && scheme.class().bit() & allowed == 0
                    });
            let inside = |outer: &&str| {
                name.strip_prefix(*outer)
                    .is_some_and(|rest| rest.starts_with('.'))
            };
            if hidden && !named.iter().any(inside) {
                named.push(name);
            }
        }
        named
    }

    /// The classes whose readers may know that a record of the domain is there: those that hold the class which the
    /// domain gives to properties that say nothing of their own.
    #[must_use]
    pub fn is_open_to(&self, domain: Domain, allowed: u8) -> bool {
        self.domain(domain).class().bit() & allowed != 0
    }
}

fn parsed(body: &str) -> Result<Value, ModelError> {
    serde_json::from_str(body).map_err(|error| ModelError::StoredBody(error.to_string()))
}

/// The class of what a pointer leads to.
pub(crate) fn class_at(plan: &DomainModel, pointer: &str) -> PrivacyClass {
    let mut node = Some(&plan.root);
    let mut class = plan.class;
    for token in crate::path::tokens(pointer) {
        node = node.and_then(|node| match &node.items {
            Some(items) if token.bytes().all(|byte| byte.is_ascii_digit()) => Some(&**items),
            _ => node.member(&token),
        });
        class = node.and_then(|node| node.class).unwrap_or(class);
    }
    class
}
