//! From a command to something that can be applied: bounds made into periods, data validated. Everything here happens
//! outside the combiner, so that it can run on many threads and never holds an owner's log.

use std::sync::Arc;

use grunddata_information_model::{InformationModel, Uniqueness, Validated};
use grunddata_model::{
    Domain, ModelVersion, Period, PeriodError, RecordId, SchemeCode, ValidFrom, ValidTo,
};

use super::request::{
    ChangeKind, Command, Content, Create, Envelope, From, IfMatch, Note, OnUncovered, OnUnresolved,
    Operation, Subject,
};
use crate::patch::Patch;
use crate::{Code, Context, Fault, Refusal};

/// The longest reason, in characters.
const MAX_REASON: usize = 1_000;
/// The longest name of a source or temporary id, in characters.
const MAX_NAME: usize = 200;

/// A command that has been read, checked against the model, and is ready to be applied.
pub(crate) struct Prepared {
    pub(crate) domain: Domain,
    pub(crate) target: Target,
    pub(crate) action: PreparedAction,
    pub(crate) envelope: Envelope,
    pub(crate) origin: Option<Arc<str>>,
    pub(crate) if_match: Option<IfMatch>,
    pub(crate) note: PreparedNote,
    pub(crate) on_uncovered: OnUncovered,
    pub(crate) on_unresolved: OnUnresolved,
}

/// The texts of a note, shared by every change of the command.
#[derive(Clone)]
pub(crate) struct PreparedNote {
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) source: Option<Arc<str>>,
    pub(crate) change_kind: ChangeKind,
    pub(crate) corrects: Option<u32>,
}

/// The record that a prepared command is about.
pub(crate) enum Target {
    /// A new record under an id that was minted for it.
    Fresh(RecordId),
    /// An existing record, or the client's own id for a new one.
    Id(RecordId),
    /// A record of the same transaction.
    Temporary(String),
    /// The record that has the identifier of this scheme in the data, or a new one under the minted id.
    Matching(SchemeCode, RecordId),
}

/// What is to be done to the timeline.
pub(crate) enum PreparedAction {
    Create {
        value: Validated,
        period: Period,
        valid_to: Option<ValidTo>,
    },
    Replace {
        value: Validated,
        from: Bound,
        to: Option<ValidTo>,
        overwrite_planned: bool,
    },
    Amend {
        patch: Patch,
        from: Bound,
        to: Option<ValidTo>,
    },
    End {
        from: Bound,
        to: Option<ValidTo>,
    },
    Revive {
        value: Validated,
        period: Period,
    },
    Retract {
        bounds: Option<(Bound, Option<ValidTo>)>,
    },
    Revert {
        version: u32,
    },
    /// References that were pending become references to the records that have come: the registry's own write.
    Settle,
}

/// The first day of a write, with the default filled in.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    At(chrono::NaiveDate),
    /// The record's own first day.
    Start,
}

impl Prepared {
    /// The data, where the command brings some.
    pub(crate) fn value(&self) -> Option<&Validated> {
        match &self.action {
            PreparedAction::Create { value, .. }
            | PreparedAction::Replace { value, .. }
            | PreparedAction::Revive { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// Reads and validates one command. All errors of the command come back together.
pub(crate) fn prepare(
    model: &InformationModel,
    context: &Context,
    command: Command,
) -> Result<Prepared, Refusal> {
    let Command {
        domain,
        operation,
        if_match,
        note,
        on_uncovered,
        on_unresolved,
    } = command;
    check_correction(&note, &operation)?;
    let note = prepare_note(note)?;
    let mut envelope = Envelope::default();
    let (target, action) = match operation {
        Operation::Create(create) => {
            let (target, created_envelope, action) =
                prepare_create(model, context, domain, create)?;
            envelope = created_envelope;
            (target, action)
        }
        Operation::Replace(replace) => {
            envelope = replace.envelope;
            let value = validate(model, domain, replace.content)?;
            let action = PreparedAction::Replace {
                value,
                from: bound(context, replace.valid_from),
                to: replace.valid_to,
                overwrite_planned: replace.overwrite_planned,
            };
            (target_of(replace.subject)?, action)
        }
        Operation::Amend(amend) => {
            let action = PreparedAction::Amend {
                patch: amend.patch,
                from: bound(context, amend.valid_from),
                to: amend.valid_to,
            };
            (target_of(amend.subject)?, action)
        }
        Operation::End(end) => {
            let action = PreparedAction::End {
                from: bound(context, end.valid_from),
                to: end.valid_to,
            };
            (target_of(end.subject)?, action)
        }
        Operation::Revive(revive) => {
            let action = PreparedAction::Revive {
                period: period(revive.valid_from.start(), revive.valid_to)?,
                value: validate(model, domain, revive.content)?,
            };
            (target_of(revive.subject)?, action)
        }
        Operation::Retract(retract) => {
            let bounds = match (retract.valid_from, retract.valid_to) {
                (None, None) => None,
                (None, to) => Some((Bound::Start, to)),
                (from, to) => Some((bound(context, from), to)),
            };
            (
                target_of(retract.subject)?,
                PreparedAction::Retract { bounds },
            )
        }
        Operation::Revert(revert) => {
            let action = PreparedAction::Revert {
                version: revert.version,
            };
            (target_of(revert.subject)?, action)
        }
    };
    let origin = origin_text(&envelope)?;
    Ok(Prepared {
        domain,
        target,
        action,
        envelope,
        origin,
        if_match,
        note,
        on_uncovered,
        on_unresolved,
    })
}

fn prepare_create(
    model: &InformationModel,
    context: &Context,
    domain: Domain,
    create: Create,
) -> Result<(Target, Envelope, PreparedAction), Refusal> {
    let from = create.valid_from.map_or(context.today, ValidFrom::start);
    let period = period(from, create.valid_to)?;
    if let Some(name) = &create.temporary_id {
        check_name("tempId", name)?;
    }
    let target = match (create.matching, create.id) {
        (Some(scheme), None) => {
            match model
                .scheme(scheme.as_str())
                .map(|known| known.uniqueness())
            {
                None => return Err(unknown_scheme(model, scheme.as_str())),
                Some(Uniqueness::None) => {
                    return Err(Refusal::new(
                        Code::InvalidParameter,
                        format!("match={scheme}: several records may have the same {scheme}, so that it finds none of them. Use a scheme whose values are unique."),
                    )
                    .fact(crate::fact::PARAMETER, "match"));
                }
                Some(_) => {}
            }
            Target::Matching(scheme, RecordId::mint(context.now))
        }
        (Some(_), Some(_)) => {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "match and id exclude each other: an upsert finds the record by its identifier.",
            ));
        }
        (None, Some(id)) => Target::Id(id),
        (None, None) => Target::Fresh(RecordId::mint(context.now)),
    };
    let action = PreparedAction::Create {
        value: validate(model, domain, create.content)?,
        period,
        valid_to: create.valid_to,
    };
    Ok((target, create.envelope, action))
}

/// Checks data against the model; every error comes back.
pub(crate) fn validate(
    model: &InformationModel,
    domain: Domain,
    content: Content,
) -> Result<Validated, Refusal> {
    let Content {
        data,
        model: version,
    } = content;
    check_model(model, version.as_ref())?;
    model
        .validate(domain, version.as_ref(), data)
        .map_err(|errors| Refusal::invalid_data(errors.into_iter().map(Fault::from).collect()))
}

fn check_model(model: &InformationModel, version: Option<&ModelVersion>) -> Result<(), Refusal> {
    match version {
        Some(version) if !model.packages().any(|package| package.model_version() == version) => {
            Err(Refusal::new(
                Code::UnknownModel,
                format!(
                    "The model {version} is not loaded here. Leave model out to use the current one, {}.",
                    model.current()
                ),
            )
            .fact("current", model.current().to_string()))
        }
        _ => Ok(()),
    }
}

/// There is no such scheme.
pub(crate) fn unknown_scheme(model: &InformationModel, given: &str) -> Refusal {
    let nearest = crate::nearest(given, model.schemes().map(|scheme| scheme.code().as_str()));
    let hint = nearest.map_or(String::new(), |name| format!(" Did you mean {name}?"));
    Refusal::new(
        Code::UnknownIdentifierScheme,
        format!("There is no identifier scheme {given:?}.{hint} The code list identifier-scheme has them all."),
    )
    .fact_if(crate::fact::NEAREST, nearest)
}

/// A correction says from when, since today is hardly ever meant; and only a correction puts a version right.
fn check_correction(note: &Note, operation: &Operation) -> Result<(), Refusal> {
    let from_is_absent = match operation {
        Operation::Replace(replace) => replace.valid_from.is_none(),
        Operation::Amend(amend) => amend.valid_from.is_none(),
        Operation::End(end) => end.valid_from.is_none(),
        _ => false,
    };
    match note.change_kind {
        ChangeKind::Correction if from_is_absent => Err(Refusal::new(
            Code::InvalidPeriod,
            "A correction says from when it holds: give validFrom, or start for the record's own first day.",
        )
        .fact(crate::fact::PARAMETER, "validFrom")),
        ChangeKind::Change if note.corrects.is_some() => Err(Refusal::new(
            Code::InvalidParameter,
            "corrects names the version that a correction puts right: say changeKind correction, or leave it out.",
        )
        .fact(crate::fact::PARAMETER, "corrects")),
        _ => Ok(()),
    }
}

fn prepare_note(note: Note) -> Result<PreparedNote, Refusal> {
    if let Some(reason) = &note.reason {
        check_text("reason", reason, MAX_REASON)?;
    }
    if let Some(source) = &note.source {
        check_name("source", source)?;
    }
    Ok(PreparedNote {
        reason: note.reason.map(Arc::from),
        source: note.source.map(Arc::from),
        change_kind: note.change_kind,
        corrects: note.corrects,
    })
}

/// A short name.
pub(crate) fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    check_text(what, name, MAX_NAME)
}

/// A text of the envelope: not empty, not too long, no control characters but tab and line feed.
pub(crate) fn check_text(what: &str, text: &str, longest: usize) -> Result<(), Refusal> {
    let problem = if text.trim().is_empty() {
        Some("is empty: leave it out or write something".to_owned())
    } else if text.chars().count() > longest {
        Some(format!("is longer than {longest} characters"))
    } else if text
        .chars()
        .any(|char| char.is_control() && !matches!(char, '\n' | '\t'))
    {
        Some("holds a control character".to_owned())
    } else {
        None
    };
    match problem {
        Some(problem) => Err(
            Refusal::new(Code::InvalidText, format!("{what} {problem}."))
                .fact(crate::fact::PARAMETER, what),
        ),
        None => Ok(()),
    }
}

fn target_of(subject: Subject) -> Result<Target, Refusal> {
    match subject {
        Subject::Id(id) => Ok(Target::Id(id)),
        Subject::Temporary(name) => {
            check_name("tempId", &name)?;
            Ok(Target::Temporary(name))
        }
    }
}

fn bound(context: &Context, from: Option<From>) -> Bound {
    match from {
        None => Bound::At(context.today),
        Some(From::At(from)) => Bound::At(from.start()),
        Some(From::Start) => Bound::Start,
    }
}

/// A period with an open end when none is given.
pub(crate) fn period(from: chrono::NaiveDate, to: Option<ValidTo>) -> Result<Period, Refusal> {
    Period::new(from, to.map_or(Period::OPEN, ValidTo::end)).map_err(|error| invalid_period(&error))
}

/// The bounds are no period.
pub(crate) fn invalid_period(error: &PeriodError) -> Refusal {
    Refusal::new(
        Code::InvalidPeriod,
        format!(
            "validFrom and validTo: {error}. validTo is exclusive; leave it out for the default."
        ),
    )
}

/// The origin as it is stored: nothing for own records.
fn origin_text(envelope: &Envelope) -> Result<Option<Arc<str>>, Refusal> {
    match &envelope.origin {
        super::request::Origin::Own => Ok(None),
        super::request::Origin::Received(_) | super::request::Origin::Transferred(_) => {
            Err(Refusal::new(
                Code::InvalidParameter,
                "Where a record was handed over from or to is said by the hand-over alone: leave origin out.",
            )
            .fact(crate::fact::PARAMETER, "origin"))
        }
        copy @ super::request::Origin::Copy { of, .. } => {
            check_name("origin.of", of)?;
            let text = serde_json::to_string(copy).map_err(|_| Refusal::internal())?;
            Ok(Some(Arc::from(text)))
        }
    }
}
