//! The errors that records would give, without storing anything.

use grunddata_information_model::Target;
use grunddata_model::{Domain, Period, SchemeCode, ValidFrom};

use super::prepare::validate;
use super::request::Content;
use crate::read::{class_of, note_searched};
use crate::registry::refuse_store;
use crate::{At, Code, Context, Fault, Refusal, Registry};

/// A record to be validated.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationDraft {
    /// Its domain.
    pub domain: Domain,
    /// Its data.
    pub content: Content,
    /// The first day on which it would hold; today when absent. Codes and references are checked on it.
    pub valid_from: Option<ValidFrom>,
}

impl Registry {
    /// The errors that each draft would give: those of the model, codes that do not hold on the first day, and references
    /// that lead to nothing which the actor may see. What depends on other drafts (temporary ids, uniqueness) is tested
    /// when they are written.
    ///
    /// # Errors
    /// [`Code::TooManyItems`], and the store's.
    pub fn validate(
        &self,
        context: &Context,
        drafts: Vec<ValidationDraft>,
    ) -> Result<Vec<Vec<Fault>>, Refusal> {
        let most = self.inner.limits.validations;
        if drafts.is_empty() || drafts.len() > most {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "1 to {most} records are validated at a time; these are {}. Split the list.",
                    drafts.len()
                ),
            ));
        }
        let mut asked: Vec<(SchemeCode, String)> = Vec::new();
        let outcomes = drafts
            .into_iter()
            .map(|draft| self.validate_one(context, draft, &mut asked))
            .collect::<Result<_, _>>()?;
        // What came of each says who is in the register, and who is not: the same as a look-up does.
        if !asked.is_empty() && self.note_schemes(context, &asked) {
            let visibility = self.visibility(context)?;
            self.inner
                .store
                .read(|reader| note_searched(reader, context, &visibility))
                .map_err(refuse_store)?;
        }
        Ok(outcomes)
    }

    fn validate_one(
        &self,
        context: &Context,
        draft: ValidationDraft,
        asked: &mut Vec<(SchemeCode, String)>,
    ) -> Result<Vec<Fault>, Refusal> {
        let validated = match validate(&self.inner.model, draft.domain, draft.content) {
            Ok(validated) => validated,
            Err(refusal) if refusal.errors.is_empty() => {
                return Ok(vec![Fault::new(
                    "",
                    refusal.code,
                    refusal.detail,
                    "Modellen är inte känd.",
                )]);
            }
            Err(refusal) => return Ok(refusal.errors),
        };
        let from = draft.valid_from.map_or(context.today, ValidFrom::start);
        let day = if from == Period::BEGINNING {
            context.today
        } else {
            from
        };
        let mut faults: Vec<Fault> = self
            .inner
            .model
            .check_codes(validated.dated_codes(), day)
            .into_iter()
            .map(Fault::from)
            .collect();
        let visibility = self.visibility(context)?;
        for reference in validated.references() {
            let known = match &reference.target {
                Target::Temporary(_) => true,
                Target::Id(id) => self.exists_for(context, *id)?,
                Target::Identifier { scheme, value } => {
                    let pair = [(scheme.clone(), value.clone())];
                    asked.extend(pair.iter().cloned());
                    let class = class_of(&self.inner.model, scheme);
                    self.inner
                        .store
                        .read(|reader| {
                            let coordinate =
                                self.pin_all(reader, context, &At::on(day), &visibility)?;
                            let rows = reader.identifiers(&pair, true, &coordinate, &visibility)?;
                            for found in &rows {
                                context
                                    .disclosed
                                    .note(&found.row.owner, found.row.id, class);
                            }
                            Ok(!rows.is_empty())
                        })
                        .map_err(refuse_store)?
                }
            };
            if !known {
                faults.push(Fault::new(
                    reference.pointer.clone(),
                    Code::ReferenceNotFound,
                    "The reference leads to nothing that is there on this day.",
                    "Hänvisningen leder inte till något som finns den dagen.",
                ));
            }
        }
        Ok(faults)
    }
}
