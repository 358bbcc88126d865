//! One record at a coordinate: the hot path, and what is said when there is nothing to show.

use std::sync::Arc;

use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId};
use grunddata_store::{
    Absent, Coordinate, Known, Lookup, Reader, RecordRow, RecordStatus, StoreError, Targets,
    Visibility,
};
use serde_json::json;

use super::pin::{as_of, settled};
use super::show::{SeenRow, Shape, as_then, note_names, record};
use super::sight;
use super::splice::Fields;
use super::view::{Found, Got};
use crate::access::Rights;
use crate::registry::refuse_store;
use crate::{At, Code, Context, KnownAt, Refusal, Registry, fact};

/// What the actor may see, kept with the rest of its rights.
pub(crate) struct ReadRights(Arc<Rights>);

impl std::ops::Deref for ReadRights {
    type Target = Visibility;

    fn deref(&self) -> &Visibility {
        &self.0.reads
    }
}

impl Registry {
    /// The state of a record at the coordinate. With `domain`, a record of another domain is not found.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::NotValidThen`] (with the periods in which there is something), [`Code::NotKnownThen`],
    /// [`Code::Retracted`], [`Code::Erased`].
    pub fn get(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
        fields: Option<&Fields>,
    ) -> Result<Got, Refusal> {
        let visibility = self.visibility(context)?;
        let shape = Shape {
            registry: self,
            context,
            fields,
            geometry: true,
        };
        self.inner
            .store
            .read(|reader| {
                let pinned = match at.known {
                    KnownAt::Latest => None,
                    _ => Some(self.pin_all(reader, context, at, &visibility)?),
                };
                let known = pinned.as_ref().map(|coordinate| &coordinate.known);
                match reader.find(id, at.valid_at, known, &visibility)? {
                    Lookup::Unknown => Ok(Err(Refusal::not_found(id))),
                    Lookup::Found { row, .. }
                        if domain.is_some_and(|domain| domain != row.domain) =>
                    {
                        self.told_of(context, &row.owner, id, row.domain);
                        Ok(Err(other_domain(id, row.domain)))
                    }
                    Lookup::Found { row, sight, pin } => {
                        let seen = SeenRow::of(&self.inner.model, *row, sight)?;
                        let (coordinate, targets) =
                            self.names(reader, context, at, pinned, pin, &seen, &visibility)?;
                        note_names(&context.disclosed, &targets);
                        // Without a pinned coordinate it is what is recorded now.
                        let former = match (&at.known, &coordinate.known) {
                            (KnownAt::Latest, _) => None,
                            (_, known) => reader.former_heads(&[id], known)?.remove(&id),
                        };
                        let record = record(reader, seen, &targets, shape)?;
                        let record = as_then(record, former.as_ref());
                        Ok(Ok(Got::Found(Box::new(Found {
                            record,
                            as_of: as_of(&coordinate, &visibility),
                        }))))
                    }
                    Lookup::Absent(absent) => {
                        let told =
                            nothing(reader, context, domain, id, at, known, &absent, &visibility)?;
                        let unknown = Refusal::not_found(id);
                        if !matches!(&told, Err(refusal) if *refusal == unknown) {
                            self.told_of(context, &absent.owner, id, absent.domain);
                        }
                        Ok(told)
                    }
                }
            })
            .map_err(refuse_store)?
    }

    /// Notes that the reader was told that there is such a record, or was.
    fn told_of(&self, context: &Context, owner: &OwnerKey, id: RecordId, domain: Domain) {
        let class = self.inner.model.domain(domain).class();
        context.disclosed.note(owner, id, class.bit());
    }

    /// Whether the reader may know of a record, at whatever coordinate.
    pub(crate) fn exists_for(&self, context: &Context, id: RecordId) -> Result<bool, Refusal> {
        // Nothing of what is found here is shown.
        match self.get(&context.quiet(), None, id, &At::now(context), None) {
            Ok(_) => Ok(true),
            Err(refusal) => match refusal.code {
                Code::NotFound => Ok(false),
                Code::NotValidThen | Code::NotKnownThen | Code::Retracted | Code::Erased => {
                    Ok(true)
                }
                _ => Err(refusal),
            },
        }
    }

    /// What the actor may see.
    pub(crate) fn visibility(&self, context: &Context) -> Result<ReadRights, Refusal> {
        self.rights(context).map(ReadRights)
    }

    /// What the actor may see and write.
    pub(crate) fn rights(&self, context: &Context) -> Result<Arc<Rights>, Refusal> {
        self.inner
            .visibilities
            .of(
                &self.inner.store,
                &self.inner.model,
                &context.actor.grants,
                context.now,
            )
            .map_err(refuse_store)
    }

    /// The names of the targets, and the coordinate of the whole answer. As a rule all targets are the owner's own, and
    /// its pin is all that the answer depends on; only otherwise are all owners pinned.
    #[expect(clippy::too_many_arguments, reason = "the parts of one read")]
    fn names(
        &self,
        reader: &mut Reader<'_>,
        context: &Context,
        at: &At,
        pinned: Option<Coordinate>,
        pin: (OwnerKey, Instant),
        seen: &SeenRow,
        visibility: &Visibility,
    ) -> Result<(Coordinate, Targets), StoreError> {
        // What is withheld decides nothing: neither what is looked up nor how the coordinate is told.
        let ids = seen.references();
        let coordinate = match pinned {
            Some(coordinate) => coordinate,
            None => {
                let targets = if ids.is_empty() {
                    Some(Targets::default())
                } else {
                    reader.own_targets(&ids, (&pin.0, pin.1), at.valid_at, visibility)?
                };
                if let Some(targets) = targets {
                    let known = Known {
                        pins: vec![pin],
                        others: Some(settled(context)),
                    };
                    let coordinate = Coordinate {
                        valid_at: at.valid_at,
                        known,
                    };
                    return Ok((coordinate, targets));
                }
                let mut coordinate = self.pin_all(reader, context, at, visibility)?;
                // The owner may have written since its state was read: the answer stands where that was read.
                coordinate.known.pins.retain(|(owner, _)| *owner != pin.0);
                coordinate.known.pins.push(pin);
                coordinate.known.pins.sort();
                coordinate
            }
        };
        let targets = if ids.is_empty() {
            Targets::default()
        } else {
            reader.targets(&ids, &coordinate, visibility)?
        };
        Ok((coordinate, targets))
    }
}

/// The record exists in another domain, and the reader may see it there.
pub(crate) fn other_domain(id: RecordId, domain: Domain) -> Refusal {
    Refusal::new(
        Code::NotFound,
        format!(
            "The record {id} is not in this collection: look in {}.",
            domain.collection()
        ),
    )
    .fact("reason", "other-domain")
    .fact("domain", domain.as_str())
}

/// There is nothing at the coordinate: says what there is, to those who may know of the record at all.
#[expect(clippy::too_many_arguments, reason = "the parts of one read")]
fn nothing(
    reader: &mut Reader<'_>,
    context: &Context,
    domain: Option<Domain>,
    id: RecordId,
    at: &At,
    known: Option<&Known>,
    absent: &Absent,
    visibility: &Visibility,
) -> Result<Result<Got, Refusal>, StoreError> {
    let latest = Known::latest();
    let states = reader.timeline(id, known.unwrap_or(&latest), visibility)?;
    if absent.status == RecordStatus::Transferred && states.is_empty() && absent.version > 0 {
        return moved(
            reader,
            id,
            domain,
            absent,
            visibility,
            reads_owner_of(context, absent),
        );
    }
    // Who may see no state of it, and is no reader of the whole owner, is told nothing.
    let reads_owner = reads_owner_of(context, absent);
    if states.is_empty() && !reads_owner {
        return Ok(Err(Refusal::not_found(id)));
    }
    if domain.is_some_and(|domain| domain != absent.domain) {
        return Ok(Err(other_domain(id, absent.domain)));
    }
    let refusal = match absent.status {
        RecordStatus::Merged => {
            let Some(into) = absent.forward_to else {
                return Err(StoreError::Disagrees {
                    what: format!("the record {id} is merged into nothing"),
                });
            };
            let survivor = reader.find(into, context.today, None, visibility)?;
            let domain = match survivor {
                Lookup::Found { row, .. } => Some(row.domain),
                Lookup::Absent(absent) => Some(absent.domain),
                Lookup::Unknown => None,
            };
            return Ok(Ok(Got::Merged { into, domain }));
        }
        RecordStatus::Erased => Refusal::new(Code::Erased, format!("The content of the record {id} was erased.")),
        _ if absent.version == 0 => Refusal::new(
            Code::NotKnownThen,
            format!("The record {id} was not recorded yet at that knownAt. Leave knownAt out, or give a later one."),
        ),
        // There are states, and none that this reader may see: nothing is told.
        _ if states.is_empty()
            && !reader
                .timeline(id, known.unwrap_or(&latest), &Visibility::everything())?
                .is_empty() =>
        {
            return Ok(Err(Refusal::not_found(id)));
        }
        _ if states.is_empty() => Refusal::new(
            Code::Retracted,
            format!(
                "The record {id} was retracted: it had been recorded in error. Read it at an earlier knownAt to see what was believed; its history says when."
            ),
        )
        .fact(fact::VERSION, absent.version),
        RecordStatus::Current | RecordStatus::Retracted | RecordStatus::Transferred => {
            // When there was something is told: of a person that is personal.
            let today = reader.today();
            for state in &states {
                if let Some(sight) = visibility.sight(&state.seen(today)) {
                    let classes = state.classes & sight::classes(state.domain, sight);
                    context.disclosed.note(&state.owner, id, classes);
                }
            }
            let periods = stretches(&states);
            let shown: Vec<String> = periods.iter().map(ToString::to_string).collect();
            Refusal::new(
                Code::NotValidThen,
                format!(
                    "The record {id} does not hold on {}; it holds in {}. Give one of those days as validAt.",
                    at.valid_at,
                    shown.join(", ")
                ),
            )
            .fact(fact::VALID_PERIODS, json!(periods))
            .fact(fact::VERSION, absent.version)
        }
    };
    Ok(Err(refusal.fact("domain", absent.domain.as_str())))
}

fn reads_owner_of(context: &Context, absent: &Absent) -> bool {
    context.actor.reads_changes_of(&absent.owner)
}

/// The record was handed over: those who were shown something of it before are told where it went.
fn moved(
    reader: &mut Reader<'_>,
    id: RecordId,
    domain: Option<Domain>,
    absent: &Absent,
    visibility: &Visibility,
    reads_owner: bool,
) -> Result<Result<Got, Refusal>, StoreError> {
    let before = reader.before_last(&absent.owner, id)?;
    let states = match before {
        Some(instant) => {
            let known = Known::pinned(absent.owner.clone(), instant);
            reader.timeline(id, &known, visibility)?
        }
        None => Vec::new(),
    };
    if states.is_empty() && !reads_owner {
        return Ok(Err(Refusal::not_found(id)));
    }
    if domain.is_some_and(|domain| domain != absent.domain) {
        return Ok(Err(other_domain(id, absent.domain)));
    }
    let Some(into) = absent.forward_to else {
        return Err(StoreError::Disagrees {
            what: format!("the record {id} was handed over to nothing"),
        });
    };
    // Where the record is known here, it answers here.
    let is_here = reader.record_owner(into)?.is_some();
    let origin = reader.origin_of(&absent.owner, id)?;
    let registry = match super::show::origin(origin.as_deref()) {
        crate::Origin::Transferred(transferred) => transferred.registry,
        crate::Origin::Copy { of, .. } => Some(of),
        _ => None,
    };
    Ok(Ok(Got::Moved {
        into,
        domain: absent.domain,
        registry: registry.filter(|_| !is_here),
    }))
}

/// The unbroken stretches of the states.
fn stretches(states: &[RecordRow]) -> Vec<Period> {
    let mut stretches: Vec<Period> = Vec::new();
    for state in states {
        match stretches.last_mut() {
            Some(last) if last.to() == state.period.from() => {
                if let Ok(joined) = Period::new(last.from(), state.period.to()) {
                    *last = joined;
                }
            }
            _ => stretches.push(state.period),
        }
    }
    stretches
}
