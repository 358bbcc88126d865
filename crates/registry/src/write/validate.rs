//! The errors that records would give, without storing anything.

use grunddata_information_model::{Target, Validated};
use grunddata_model::{Domain, OwnerKey, Period, RecordId, SchemeCode, ValidFrom, ValidTo};
use grunddata_store::{Rehearsal, StoreError};

use super::apply::{Failure, Job};
use super::prepare::{period, validate};
use super::request::{
    Command, Content, Create, Envelope, From as FirstDay, IfMatch, Operation, Replace, Subject,
};
use crate::read::{class_of, note_searched};
use crate::registry::refuse_store;
use crate::{At, Code, Context, Fault, Refusal, Registry};

/// A record to be validated.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationDraft {
    /// Its domain.
    pub domain: Domain,
    /// Its own id: of a record that is there, what it would be replaced by.
    pub id: Option<RecordId>,
    /// Owner, controller, origin.
    pub envelope: Envelope,
    /// Its data.
    pub content: Content,
    /// The first day on which it would hold; today when absent.
    pub valid_from: Option<ValidFrom>,
    /// Exclusive end; open when absent.
    pub valid_to: Option<ValidTo>,
}

impl ValidationDraft {
    /// A new record, for the only owner that the actor writes for, until further notice.
    #[must_use]
    pub fn new(domain: Domain, content: Content, valid_from: Option<ValidFrom>) -> Self {
        Self {
            domain,
            id: None,
            envelope: Envelope::default(),
            content,
            valid_from,
            valid_to: None,
        }
    }

    /// The write that it would be; `there` when the record of its id is there.
    fn command(self, there: bool) -> Command {
        let operation = match self.id {
            Some(id) => Operation::Replace(Replace {
                subject: Subject::Id(id),
                envelope: self.envelope,
                content: self.content,
                valid_from: self.valid_from.map(FirstDay::At),
                valid_to: self.valid_to,
                overwrite_planned: false,
            }),
            None => Operation::Create(Create {
                id: None,
                temporary_id: None,
                envelope: self.envelope,
                content: self.content,
                valid_from: self.valid_from,
                valid_to: self.valid_to,
                matching: None,
            }),
        };
        let mut command = Command::new(self.domain, operation);
        command.if_match = there.then_some(IfMatch::Any);
        command
    }
}

/// What is found about a draft.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationOutcome {
    /// Its errors. Pointers lead from the whole draft: `/data/…`, `/owner`, `/validTo`.
    pub faults: Vec<Fault>,
    /// Whether it was tried as the write that it would be. Otherwise only the model, the codes on its first day and the
    /// presence of what it refers to were looked at.
    pub rehearsed: bool,
}

/// What was found while drafts were looked at.
#[derive(Default)]
struct Looking {
    /// The identifiers that were asked for.
    asked: Vec<(SchemeCode, String)>,
    /// The owner in which drafts are tried: one connection, whatever the number of owners.
    rehearsal: Option<(OwnerKey, Rehearsal)>,
}

/// Why a try is over. Nothing of it stays for the next one.
enum Tried {
    WentWell,
    Failed(Failure),
}

impl From<StoreError> for Tried {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Registry {
    /// The errors that each draft would give, by itself. Where the actor may write for its owner, it is tried as the write
    /// that it would be: a new record, or with an id what `PUT` does. Nothing of it is stored, and drafts do not see each
    /// other. Others are looked at with the eyes of a reader: the model, codes that do not hold on the first day, and
    /// references that lead to nothing which the actor may see. So are drafts that refer to other records of their list by
    /// temporary ids.
    ///
    /// # Errors
    /// [`Code::TooManyItems`], and the store's.
    pub fn validate(
        &self,
        context: &Context,
        drafts: Vec<ValidationDraft>,
    ) -> Result<Vec<ValidationOutcome>, Refusal> {
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
        let mut looking = Looking::default();
        let outcomes = drafts
            .into_iter()
            .map(|draft| self.validate_one(context, draft, &mut looking))
            .collect::<Result<_, _>>()?;
        // What came of each says who is in the register, and who is not: the same as a look-up does.
        if !looking.asked.is_empty() && self.note_schemes(context, &looking.asked) {
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
        mut draft: ValidationDraft,
        looking: &mut Looking,
    ) -> Result<ValidationOutcome, Refusal> {
        let mut faults = Vec::new();
        let from = draft.valid_from.map_or(context.today, ValidFrom::start);
        if let Err(refusal) = period(from, draft.valid_to) {
            faults.push(of_draft(&refusal));
            draft.valid_to = None;
        }
        let owner_is_said = draft.envelope.owner.is_some() || draft.id.is_some();
        let there = match draft.id {
            Some(id) => self.exists_for(context, id)?,
            None => false,
        };
        let command = draft.command(there);
        let owner = self
            .owner_of_job(context, None, std::slice::from_ref(&command), false)
            .and_then(|owner| self.known_owner(owner));
        match owner {
            Ok(owner) => match self.job(context, Some(owner.clone()), vec![command], None, false) {
                Ok(job) => {
                    let rehearsed = self.look_as_writer(
                        context,
                        &owner,
                        &job,
                        first_day(context, from),
                        looking,
                        &mut faults,
                    )?;
                    Ok(ValidationOutcome { faults, rehearsed })
                }
                Err(refusal) if refusal.is_of_no_record() => Err(refusal),
                Err(refusal) => {
                    faults.extend(of_refusal(refusal));
                    Ok(ValidationOutcome {
                        faults,
                        rehearsed: true,
                    })
                }
            },
            Err(refusal) => {
                if owner_is_said && !context.actor.is_anonymous() {
                    faults.push(of_draft(&refusal));
                }
                let content = match command.operation {
                    Operation::Create(create) => create.content,
                    Operation::Replace(replace) => replace.content,
                    _ => return Err(Refusal::internal()),
                };
                match validate(&self.inner.model, command.domain, content) {
                    Ok(validated) => {
                        let day = first_day(context, from);
                        faults.extend(self.code_faults(&validated, day));
                        faults.extend(self.dangling(context, &validated, day, looking)?);
                    }
                    Err(refusal) => faults.extend(of_refusal(refusal)),
                }
                Ok(ValidationOutcome {
                    faults,
                    rehearsed: false,
                })
            }
        }
    }

    /// The owner, if there is one of this name.
    fn known_owner(&self, owner: OwnerKey) -> Result<OwnerKey, Refusal> {
        let epoch = self
            .inner
            .store
            .read(|reader| reader.log_epoch(&owner))
            .map_err(refuse_store)?;
        match epoch {
            Some(_) => Ok(owner),
            None => Err(refuse_store(StoreError::UnknownOwner(owner))),
        }
    }

    /// Tries the write, and forgets it. Says whether it could be tried.
    fn look_as_writer(
        &self,
        context: &Context,
        owner: &OwnerKey,
        job: &Job,
        day: chrono::NaiveDate,
        looking: &mut Looking,
        faults: &mut Vec<Fault>,
    ) -> Result<bool, Refusal> {
        let Some(value) = job.commands.first().and_then(|command| command.value()) else {
            return Err(Refusal::internal());
        };
        let codes = self.code_faults(value, day);
        let waits = |target: &Target| matches!(target, Target::Temporary(_));
        if value.references().iter().any(|one| waits(&one.target)) {
            faults.extend(codes);
            faults.extend(self.dangling(context, value, day, looking)?);
            return Ok(false);
        }
        for reference in value.references() {
            if let Target::Identifier { scheme, value } = &reference.target {
                looking.asked.push((scheme.clone(), value.clone()));
            }
        }
        // That a number is free is told too.
        for identifier in value.identifiers() {
            let pair = (identifier.scheme.clone(), identifier.value.clone());
            looking.asked.push(pair);
        }
        let mut rehearsal = match looking.rehearsal.take() {
            Some((known, rehearsal)) if known == *owner => rehearsal,
            _ => self.inner.store.rehearse(owner).map_err(refuse_store)?,
        };
        let tried = rehearsal.run(&job.needs(), |tx| match job.run(tx) {
            Ok(_) => Err::<(), Tried>(Tried::WentWell),
            Err(failure) => Err(Tried::Failed(failure)),
        });
        looking.rehearsal = Some((owner.clone(), rehearsal));
        match tried {
            Ok(()) | Err(Tried::WentWell) => {}
            Err(Tried::Failed(Failure::Store(error))) => return Err(refuse_store(error)),
            Err(Tried::Failed(Failure::Refused(refusal))) if refusal.is_of_no_record() => {
                return Err(*refusal);
            }
            Err(Tried::Failed(Failure::Refused(refusal))) => faults.extend(of_refusal(*refusal)),
        }
        // A write that is refused for what it refers to has not come to its codes.
        for fault in codes {
            let told =
                |known: &Fault| (&known.pointer, &known.code) == (&fault.pointer, &fault.code);
            if !faults.iter().any(told) {
                faults.push(fault);
            }
        }
        Ok(true)
    }

    fn code_faults(&self, validated: &Validated, day: chrono::NaiveDate) -> Vec<Fault> {
        let errors = self
            .inner
            .model
            .check_codes(validated.dated_codes(), day)
            .into_iter();
        errors
            .map(|error| Fault::from(error).below("/data"))
            .collect()
    }

    /// The references that lead to nothing which the actor may see.
    fn dangling(
        &self,
        context: &Context,
        validated: &Validated,
        day: chrono::NaiveDate,
        looking: &mut Looking,
    ) -> Result<Vec<Fault>, Refusal> {
        let mut faults = Vec::new();
        let visibility = self.visibility(context)?;
        for reference in validated.references() {
            let known = match &reference.target {
                Target::Temporary(_) => true,
                Target::Id(id) => self.exists_for(context, *id)?,
                Target::Identifier { scheme, value } => {
                    let pair = [(scheme.clone(), value.clone())];
                    looking.asked.extend(pair.iter().cloned());
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
                    format!("/data{}", reference.pointer),
                    Code::ReferenceNotFound,
                    "The reference leads to nothing that is there on this day.",
                    "Hänvisningen leder inte till något som finns den dagen.",
                ));
            }
        }
        Ok(faults)
    }
}

/// The day on which codes are looked at.
fn first_day(context: &Context, from: chrono::NaiveDate) -> chrono::NaiveDate {
    if from == Period::BEGINNING {
        context.today
    } else {
        from
    }
}

/// The errors of a refusal, at their places in the draft.
fn of_refusal(refusal: Refusal) -> Vec<Fault> {
    if refusal.errors.is_empty() {
        return vec![of_draft(&refusal)];
    }
    let errors = refusal.errors.into_iter();
    errors.map(|fault| fault.below("/data")).collect()
}

/// A refusal that names no place in the data: the place in the draft that it is about.
fn of_draft(refusal: &Refusal) -> Fault {
    let (pointer, message_sv) = match refusal.code {
        Code::InvalidPeriod => (
            "/validTo",
            "Perioden är ingen: validTo är dagen efter den sista.",
        ),
        Code::UnknownModel => ("/model", "Modellen är inte känd."),
        Code::UnknownOwner => ("/owner", "Informationsägaren finns inte här."),
        Code::Forbidden => ("/owner", "Du får inte skriva för informationsägaren."),
        _ => ("", "Posten kan inte skrivas så."),
    };
    let mut fault = Fault::new(pointer, refusal.code, refusal.detail.clone(), message_sv);
    fault.more = refusal.facts.clone();
    fault
}
