//! From the references of a body to ids: temporary ids of the transaction, and identifiers by the directory.

use grunddata_information_model::{Found, ReferenceUse, Resolved, Target, Uniqueness, Validated};
use grunddata_model::{Domain, OwnerKey, Period, RecordId, SchemeCode};
use grunddata_store::{Claim, Form, RecordImage, Seen, Sight, StoreError};

use super::apply::{JobContext, Run};
use super::operate::Stop;
use crate::read::class_of;
use crate::{Code, Fault, Refusal};

impl Run<'_, '_, '_> {
    /// The body with every reference as an id. `period` is when the references are to hold.
    pub(crate) fn resolve(&mut self, value: &Validated, period: Period) -> Result<Resolved, Stop> {
        let mut faults: Vec<(Code, Fault)> = Vec::new();
        let mut failed: Option<StoreError> = None;
        let resolved =
            value.resolve_or_keep(&mut |reference| match self.target_of(reference, period) {
                Ok(Ok(id)) => Found::Record(id),
                Ok(Err(fault)) if self.unresolved.keeps(reference, fault.0) => {
                    self.note_pending(reference);
                    Found::Pending
                }
                Ok(Err(fault)) => {
                    faults.push(*fault);
                    Found::Nothing
                }
                Err(error) => {
                    failed = Some(error);
                    Found::Nothing
                }
            });
        if let Some(error) = failed {
            return Err(Stop::Store(error));
        }
        match (resolved, Refusal::of_faults(faults)) {
            (Ok(resolved), _) => Ok(resolved),
            (Err(_), Some(refusal)) => Err(Stop::Unresolved(refusal)),
            (Err(unresolved), None) => Err(Stop::Unresolved(Refusal::invalid_data(
                unresolved
                    .iter()
                    .map(|reference| not_found(reference).1)
                    .collect(),
            ))),
        }
    }

    fn target_of(
        &mut self,
        reference: &ReferenceUse,
        period: Period,
    ) -> Result<Result<RecordId, Box<(Code, Fault)>>, StoreError> {
        match &reference.target {
            // Whether it exists is checked with the other demands on targets.
            Target::Id(id) => Ok(Ok(*id)),
            Target::Temporary(name) => Ok(match self.job.temporary.get(name) {
                Some(id) => Ok(*id),
                None => Err(Box::new((
                    Code::UnknownTemporaryId,
                    Fault::new(
                        reference.pointer.clone(),
                        Code::UnknownTemporaryId,
                        format!(
                            "No operation of this transaction has the tempId {name:?}: temporary ids hold within one transaction."
                        ),
                        format!(
                            "Ingen operation i denna transaktion har tempId {name:?}: tillfälliga id gäller inom en transaktion."
                        ),
                    ),
                ))),
            }),
            Target::Identifier { scheme, value } => {
                let claims = self.tx.claims_anywhere(scheme, value)?;
                let always = self
                    .job
                    .context
                    .model
                    .scheme(scheme.as_str())
                    .is_some_and(|scheme| scheme.uniqueness() == Uniqueness::Always);
                let key = (scheme, value.as_str());
                let candidates = self.candidates(claims, key, period, always)?;
                let context = &self.job.context;
                let class = class_of(&context.model, scheme);
                // Whether the reference leads anywhere says who is in the register, also when nothing is written.
                context.disclosed.asked_for(&context.owner, class);
                for (id, owner) in &candidates {
                    context.disclosed.note(owner, *id, class);
                }
                Ok(match candidates.as_slice() {
                    [(only, _)] => Ok(*only),
                    [] => Err(Box::new(not_found(reference))),
                    several => Err(Box::new((
                        Code::ReferenceAmbiguous,
                        Fault::new(
                            reference.pointer.clone(),
                            Code::ReferenceAmbiguous,
                            format!(
                                "The identifier names {} records: refer to one of them by its id.",
                                several.len()
                            ),
                            format!(
                                "Identiteten pekar ut {} poster: hänvisa till en av dem med dess id.",
                                several.len()
                            ),
                        ),
                    ))),
                })
            }
        }
    }

    /// The records that the claims can mean: those that hold the identifier on the first day, else at some time in the
    /// period, else (for schemes unique for ever) ever; the owner's own before others'. Whose they are comes
    /// along.
    pub(super) fn candidates(
        &mut self,
        claims: Vec<Claim>,
        (scheme, value): (&SchemeCode, &str),
        period: Period,
        always: bool,
    ) -> Result<Vec<(RecordId, OwnerKey)>, StoreError> {
        let mut seen = Vec::with_capacity(claims.len());
        for claim in claims {
            if self.sees_identifier(claim.record, scheme, value)? {
                seen.push(claim);
            }
        }
        let owner = &self.job.context.owner;
        let pick = |holds: &dyn Fn(&Claim) -> bool| {
            let mut own: Vec<(RecordId, OwnerKey)> = Vec::new();
            let mut others: Vec<(RecordId, OwnerKey)> = Vec::new();
            for claim in seen.iter().filter(|claim| holds(claim)) {
                let list = if claim.owner == *owner {
                    &mut own
                } else {
                    &mut others
                };
                if !list.iter().any(|(id, _)| *id == claim.record) {
                    list.push((claim.record, claim.owner.clone()));
                }
            }
            if own.is_empty() { others } else { own }
        };
        let mut found = pick(&|claim| claim.period.contains(period.from()));
        if found.is_empty() {
            found = pick(&|claim| claim.period.overlaps(&period));
        }
        if found.is_empty() && always {
            found = pick(&|_| true);
        }
        Ok(found)
    }

    /// Whether the writer may know of a record.
    pub(crate) fn sees(&mut self, id: RecordId) -> Result<bool, StoreError> {
        let image = self.tx.record(id)?;
        Ok(image.is_some_and(|image| self.job.context.allows(&image)))
    }
}

impl Run<'_, '_, '_> {
    /// Whether the writer may know that the record has the identifier.
    pub(crate) fn sees_identifier(
        &mut self,
        id: RecordId,
        scheme: &SchemeCode,
        value: &str,
    ) -> Result<bool, StoreError> {
        let Some(image) = self.tx.record(id)? else {
            return Ok(false);
        };
        let sight = self.job.context.sight(&image);
        let Some(sight) = sight.filter(|sight| sight.form == Form::Full) else {
            return Ok(false);
        };
        let states = image.timeline.states().iter();
        Ok(states
            .flat_map(|state| state.value.identifiers())
            .any(|held| {
                held.scheme == *scheme && held.value == value && held.class & sight.classes != 0
            }))
    }
}

impl JobContext {
    /// What the writer sees of a record: by the strongest protection on the whole of its timeline, or that it has now.
    pub(crate) fn sight(&self, image: &RecordImage) -> Option<Sight> {
        self.rights.reads.sight(&self.seen(image))
    }

    /// Whether the writer may know of the record and see it whole as far as protection goes. Of a record without states
    /// those may know who see all of the owner's.
    pub(crate) fn allows(&self, image: &RecordImage) -> bool {
        self.sight(image)
            .is_some_and(|sight| sight.form == Form::Full)
    }

    /// Whether the writer may refer to the record: whoever sees at least its name. A school places the pupil of whom it is
    /// shown no more.
    pub(crate) fn may_refer(&self, image: &RecordImage) -> bool {
        self.sight(image)
            .is_some_and(|sight| sight.form >= Form::NameOnly)
    }

    /// Whether the writer may write the record, under the controller that it has or is to have.
    pub(crate) fn may_write(
        &self,
        controller: Option<RecordId>,
        domain: Domain,
        ends: bool,
    ) -> Option<Sight> {
        let seen = Seen {
            owner: self.owner.as_str(),
            controller,
            domain,
            level: 0,
        };
        let rules = if ends {
            &self.rights.ends
        } else {
            &self.rights.writes
        };
        rules.sight(&seen)
    }

    /// The classes that the writer reads in records of the controller and the domain.
    pub(crate) fn may_read(&self, controller: Option<RecordId>, domain: Domain) -> u8 {
        let seen = Seen {
            owner: self.owner.as_str(),
            controller,
            domain,
            level: 0,
        };
        let sight = self.rights.reads.sight(&seen);
        sight.map_or(0, |sight| sight.classes)
    }

    fn seen<'a>(&self, image: &'a RecordImage) -> Seen<'a> {
        Seen {
            owner: image.owner.as_str(),
            controller: image.controller,
            domain: image.domain,
            level: image.protection.on(self.protected_on).max(image.highest),
        }
    }

    /// Whether the writer sees what a state of a record holds, the record itself being seen.
    pub(crate) fn allows_state(&self, image: &RecordImage, state: &Resolved) -> bool {
        let seen = Seen {
            level: state.protection(),
            ..self.seen(image)
        };
        self.rights
            .reads
            .sight(&seen)
            .is_some_and(|sight| sight.form == Form::Full)
    }
}

fn not_found(reference: &ReferenceUse) -> (Code, Fault) {
    let what = match &reference.target {
        Target::Identifier { scheme, .. } => format!("no record has this {scheme} then"),
        Target::Id(id) => format!("there is no record {id}"),
        Target::Temporary(name) => format!("there is no {name}"),
    };
    (
        Code::ReferenceNotFound,
        Fault::new(
            reference.pointer.clone(),
            Code::ReferenceNotFound,
            format!(
                "The reference leads nowhere: {what}. Create the target first, or in the same transaction."
            ),
            "Hänvisningen leder ingenstans. Skapa målet först, eller i samma transaktion."
                .to_owned(),
        ),
    )
}
