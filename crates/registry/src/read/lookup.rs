//! Records by identifier, across domains and owners.

use std::collections::BTreeMap;

use grunddata_information_model::{InformationModel, PrivacyClass, Uniqueness};
use grunddata_model::SchemeCode;
use grunddata_store::{IdentifierRow, Reader, StoreError, Visibility};

use super::pin::as_of;
use super::search::HIDDEN;
use super::show::{Shape, show};
use super::view::{IdentifierHit, LookupAnswer};
use crate::query::{Place, identifier, normalise};
use crate::registry::refuse_store;
use crate::{At, Code, Context, Fault, Refusal, Registry};

/// Whether a number of the scheme leads to its record for ever.
pub(super) fn is_for_ever(model: &InformationModel, scheme: &SchemeCode) -> bool {
    model
        .scheme(scheme.as_str())
        .is_some_and(|scheme| scheme.uniqueness() == Uniqueness::Always)
}

/// Notes for the access log that the personal data of all owners that show the reader any were searched.
pub(crate) fn note_searched(
    reader: &mut Reader<'_>,
    context: &Context,
    visibility: &Visibility,
) -> Result<(), StoreError> {
    let persons = visibility.showing(PrivacyClass::Personal.bit());
    let owners = reader.owners()?.into_iter().map(|owner| owner.key);
    let seen = owners.filter(|owner| persons.sees_of(owner));
    context.disclosed.searched(seen);
    Ok(())
}

/// The bit of the class of a scheme's numbers; of a scheme that is not known that of the highest.
pub(crate) fn class_of(model: &InformationModel, scheme: &SchemeCode) -> u8 {
    model
        .scheme(scheme.as_str())
        .map_or(PrivacyClass::Protected, |scheme| scheme.class())
        .bit()
}

impl Registry {
    /// The records with an identifier written as `SCHEME:VALUE`, of a scheme that may stand in an address.
    ///
    /// # Errors
    /// [`Code::InvalidParameter`], [`Code::UnknownIdentifierScheme`], [`Code::PersonalIdentifierInAddress`].
    pub fn by_identifier(
        &self,
        context: &Context,
        at: &At,
        text: &str,
    ) -> Result<LookupAnswer, Refusal> {
        let pair = identifier(&self.inner.model, text, Place::Address)?;
        self.find_identifiers(context, at, &[pair])
    }

    /// The records with each of the identifiers (scheme and value as given), of any scheme, in the order asked.
    ///
    /// # Errors
    /// [`Code::TooManyItems`]; [`Code::UnknownIdentifierScheme`] or [`Code::InvalidParameter`] with all that are wrong.
    pub fn lookup(
        &self,
        context: &Context,
        at: &At,
        identifiers: &[(String, String)],
    ) -> Result<LookupAnswer, Refusal> {
        let most = self.inner.limits.lookup;
        if identifiers.is_empty() || identifiers.len() > most {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "A lookup takes 1 to {most} identifiers; this one has {}.",
                    identifiers.len()
                ),
            ));
        }
        let mut pairs = Vec::with_capacity(identifiers.len());
        let mut faults = Vec::new();
        for (index, (scheme, value)) in identifiers.iter().enumerate() {
            match normalise(&self.inner.model, scheme, value) {
                Ok(pair) => pairs.push(pair),
                Err(refusal) => faults.push((
                    refusal.code,
                    Fault::new(
                        format!("/identifiers/{index}"),
                        refusal.code,
                        refusal.detail,
                        "Identiteten är inte skriven som den ska.",
                    ),
                )),
            }
        }
        match Refusal::of_faults(faults) {
            Some(refusal) => Err(refusal),
            None => self.find_identifiers(context, at, &pairs),
        }
    }

    /// Notes for the access log what is looked up: how many of which scheme, and those that are not personal. Whether any
    /// is personal.
    pub(crate) fn note_schemes(&self, context: &Context, pairs: &[(SchemeCode, String)]) -> bool {
        let mut parts: Vec<String> = Vec::new();
        let mut hidden: BTreeMap<&SchemeCode, usize> = BTreeMap::new();
        for (scheme, value) in pairs {
            let known = self.inner.model.scheme(scheme.as_str());
            if known.is_some_and(|known| known.class() < PrivacyClass::Personal) {
                parts.push(format!("{scheme}:{value}"));
            } else {
                *hidden.entry(scheme).or_default() += 1;
            }
        }
        let personal = !hidden.is_empty();
        let hidden = hidden
            .into_iter()
            .map(|(scheme, count)| format!("{scheme}:{HIDDEN} ({count})"));
        let parts: Vec<String> = hidden.chain(parts).collect();
        context
            .disclosed
            .asked(format!("identifier={}", parts.join(",")));
        personal
    }

    fn find_identifiers(
        &self,
        context: &Context,
        at: &At,
        pairs: &[(SchemeCode, String)],
    ) -> Result<LookupAnswer, Refusal> {
        let visibility = self.visibility(context)?;
        let personal = self.note_schemes(context, pairs);
        // Numbers that are never given to anyone else resolve for ever.
        let (always, dated): (Vec<_>, Vec<_>) = pairs
            .iter()
            .cloned()
            .partition(|(scheme, _)| is_for_ever(&self.inner.model, scheme));
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                if personal {
                    note_searched(reader, context, &visibility)?;
                }
                let mut found: Vec<IdentifierRow> = Vec::new();
                if !dated.is_empty() {
                    found.extend(reader.identifiers(&dated, false, &coordinate, &visibility)?);
                }
                if !always.is_empty() {
                    found.extend(reader.identifiers(&always, true, &coordinate, &visibility)?);
                }
                let mut items: Vec<Vec<IdentifierHit>> = Vec::with_capacity(pairs.len());
                let shape = Shape::plain(self, context);
                let rows = found.iter().map(|hit| hit.row.clone()).collect();
                let records = show(reader, rows, &coordinate, &visibility, shape)?;
                if records.len() != found.len() {
                    return Err(StoreError::Disagrees {
                        what: "as many records as rows".to_owned(),
                    });
                }
                for (scheme, value) in pairs {
                    let hits = found
                        .iter()
                        .zip(&records)
                        .filter(|(hit, _)| hit.scheme == *scheme && hit.value == *value);
                    items.push(
                        hits.map(|(hit, record)| IdentifierHit {
                            scheme: hit.scheme.clone(),
                            value: hit.value.clone(),
                            superseded: !hit.current,
                            record: record.clone(),
                        })
                        .collect(),
                    );
                }
                Ok(LookupAnswer {
                    items,
                    as_of: as_of(&coordinate, &visibility),
                })
            })
            .map_err(refuse_store)
    }
}
