//! The whole of a record: its states as known, its versions, what differs between two of them.

use std::borrow::Cow;

use grunddata_information_model::Resolved;
use grunddata_model::{Domain, OwnerKey, RecordId, State, Timeline};
use grunddata_store::{
    ChangeEntry, Coordinate, Form, Known, Lookup, Reader, RecordRow, StoreError, Visibility,
};

use super::diff::diff;
use super::pin::as_of;
use super::show::{SeenRow, Shape, change_kind, show, targets, without_hidden};
use super::sight;
use super::view::{DiffPeriod, HistoryItem, HistoryPage, TimelineItem, TimelineView};
use crate::registry::refuse_store;
use crate::{At, Code, Context, Refusal, Registry, fact};

impl Registry {
    /// Every state of a record by valid time, as known at the coordinate.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::NotKnownThen`], [`Code::Erased`].
    pub fn timeline(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
    ) -> Result<TimelineView, Refusal> {
        self.must_see_whole(context, domain, id, at)?;
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                let states = reader.timeline(id, &coordinate.known, &visibility)?;
                let Some(head) = head(reader, id, &coordinate, &visibility)? else {
                    return Ok(Err(Refusal::not_found(id)));
                };
                view(
                    Shape::plain(self, context),
                    reader,
                    id,
                    head,
                    states,
                    &coordinate,
                    &visibility,
                )
                .map(Ok)
            })
            .map_err(refuse_store)?
    }

    /// Every version of a record with its change, newest first.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::NotKnownThen`], [`Code::LimitOutOfRange`].
    pub fn history(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
        before: Option<u32>,
        limit: u32,
    ) -> Result<HistoryPage, Refusal> {
        self.check_limit(limit)?;
        let seen = self.must_see_whole(context, domain, id, at)?;
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, at, &visibility)?;
                let whole = |owner: &OwnerKey| visibility.sees_all_of(owner);
                let mut changes = reader.history(
                    id,
                    &coordinate.known,
                    &visibility,
                    before,
                    limit as usize + 1,
                )?;
                let more = changes.len() > limit as usize;
                changes.truncate(limit as usize);
                let hidden = reader.hidden_instants(id, &visibility)?;
                if let Some(change) = changes.first() {
                    // How often and when a person's record changed is personal, whatever holds on the day.
                    let class = self.inner.model.domain(change.domain).class().bit();
                    context
                        .disclosed
                        .note(&change.owner, id, seen.classes | class);
                }
                Ok(HistoryPage {
                    next: changes.last().map(|change| change.version).filter(|_| more),
                    items: changes
                        .into_iter()
                        .map(|change| {
                            let told = !hidden.contains(&change.recorded_at);
                            history_item(context, whole(&change.owner), told, change)
                        })
                        .collect(),
                    as_of: as_of(&coordinate, &visibility),
                })
            })
            .map_err(refuse_store)
    }

    /// The timeline as of one version.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::UnknownVersion`], [`Code::Erased`].
    pub fn version(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        version: u32,
    ) -> Result<TimelineView, Refusal> {
        let latest = self
            .must_see_whole(context, domain, id, &At::now(context))?
            .version;
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let Some((change, states)) = reader.version(id, version, &visibility)? else {
                    return Ok(Err(crate::write::unknown_version(id, version, latest)));
                };
                let coordinate = Coordinate {
                    valid_at: context.today,
                    known: Known {
                        pins: vec![(change.owner.clone(), change.recorded_at)],
                        others: Some(change.recorded_at),
                    },
                };
                let head = (change.domain, change.owner, change.version);
                view(
                    Shape::plain(self, context),
                    reader,
                    id,
                    head,
                    states,
                    &coordinate,
                    &visibility,
                )
                .map(Ok)
            })
            .map_err(refuse_store)?
    }

    /// What differs between two versions, as periods with JSON Patch operations.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::UnknownVersion`], [`Code::Erased`].
    pub fn diff(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        from: u32,
        to: u32,
    ) -> Result<Vec<DiffPeriod>, Refusal> {
        let latest = self
            .must_see_whole(context, domain, id, &At::now(context))?
            .version;
        let visibility = self.visibility(context)?;
        let versions = self
            .inner
            .store
            .read(|reader| {
                let coordinate = self.pin_all(reader, context, &At::now(context), &visibility)?;
                let mut version = |number| {
                    let Some((_, rows)) = reader.version(id, number, &visibility)? else {
                        return Ok(None);
                    };
                    self.visible_rows(context, reader, rows, &coordinate, &visibility)
                        .map(Some)
                };
                Ok((version(from)?, version(to)?))
            })
            .map_err(refuse_store)?;
        match versions {
            (Some(from), Some(to)) => Ok(diff(&self.reload(from)?, &self.reload(to)?)),
            (None, _) => Err(crate::write::unknown_version(id, from, latest)),
            (_, None) => Err(crate::write::unknown_version(id, to, latest)),
        }
    }

    /// The rows with their bodies as the reader may see them.
    fn visible_rows(
        &self,
        context: &Context,
        reader: &mut Reader<'_>,
        rows: Vec<RecordRow>,
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let today = reader.today();
        let model = &self.inner.model;
        let mut seen = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(sight) = visibility.sight(&row.seen(today)) {
                seen.push(SeenRow::of(model, row, sight)?);
            }
        }
        let hidden = targets(reader, &seen, coordinate, visibility)?.hidden;
        let mut shown = Vec::with_capacity(seen.len());
        for seen in seen {
            let classes = seen.row.classes & sight::classes(seen.row.domain, seen.sight);
            let body = Cow::Borrowed(seen.body());
            let body = without_hidden(model, &seen.row, body, &hidden)?.into_owned();
            let row = RecordRow { body, ..seen.row };
            context.disclosed.note(&row.owner, row.id, classes);
            shown.push(row);
        }
        Ok(shown)
    }

    /// Rows as values of the model.
    fn reload(&self, rows: Vec<RecordRow>) -> Result<Timeline<Resolved>, Refusal> {
        let internal = |what: String| {
            tracing::error!(%what, "a stored timeline cannot be read");
            Refusal::internal()
        };
        let mut states = Vec::with_capacity(rows.len());
        for row in rows {
            let value = self
                .inner
                .model
                .reload(row.domain, &row.model, row.body.into())
                .map_err(|error| internal(error.to_string()))?;
            states.push(State::new(row.period, value));
        }
        Timeline::new(states).map_err(|error| internal(error.to_string()))
    }

    /// That the reader may know of the record: the refusal of a get where it may not, except that nothing need hold on
    /// the day. Nothing is noted for the access log: what is shown is up to the caller.
    fn must_exist(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
    ) -> Result<Existing, Refusal> {
        let quiet = context.quiet();
        match self.get(&quiet, domain, id, at, None) {
            Ok(crate::Got::Found(found)) => Ok(Existing {
                version: found.record.version,
                form: found.record.form,
                classes: quiet.disclosed.take().classes,
            }),
            Ok(crate::Got::Moved { into, .. }) => {
                Err(crate::transfers::transferred(id, Some(into)))
            }
            Ok(crate::Got::Merged { into, .. }) => Err(Refusal::new(
                Code::Merged,
                format!("The record was merged into {into}: read that one."),
            )
            .fact(fact::FORWARD_TO, into.to_string())),
            Err(refusal) if matches!(refusal.code, Code::NotValidThen | Code::Retracted) => {
                let version = refusal
                    .facts
                    .get(fact::VERSION)
                    .and_then(serde_json::Value::as_u64)
                    .and_then(|version| u32::try_from(version).ok());
                Ok(Existing {
                    version: version.unwrap_or_default(),
                    form: Form::Full,
                    classes: 0,
                })
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The same where the record is not only to be shown but to be told about: how it changed says what was in it.
    pub(crate) fn must_see_whole(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
    ) -> Result<Existing, Refusal> {
        match self.must_exist(context, domain, id, at)? {
            existing if existing.form == Form::Full => Ok(existing),
            _ => Err(under_protection(id)),
        }
    }

    pub(crate) fn check_limit(&self, limit: u32) -> Result<(), Refusal> {
        let most = self.inner.limits.page;
        if (1..=most).contains(&limit) {
            return Ok(());
        }
        Err(Refusal::new(
            Code::LimitOutOfRange,
            format!("limit is a number from 1 to {most}; {limit} is not."),
        )
        .fact(fact::PARAMETER, "limit")
        .fact("most", most))
    }
}

/// A record that the reader may know of.
pub(crate) struct Existing {
    version: u32,
    /// In which form it is shown.
    form: Form,
    /// The personal classes of what is shown of it on the day, a bit mask.
    classes: u8,
}

/// The reader may know of the record, and no more than its form.
fn under_protection(id: RecordId) -> Refusal {
    Refusal::new(
        Code::Forbidden,
        format!(
            "The record {id} is under protection: your grants show no more of it than a plain read does."
        ),
    )
}

type Head = (Domain, OwnerKey, u32);

/// Domain, owner and version of a record of which perhaps nothing holds on the day.
fn head(
    reader: &mut Reader<'_>,
    id: RecordId,
    coordinate: &Coordinate,
    visibility: &Visibility,
) -> Result<Option<Head>, StoreError> {
    let found = reader.find(id, coordinate.valid_at, Some(&coordinate.known), visibility)?;
    Ok(match found {
        Lookup::Found { row, .. } => Some((row.domain, row.owner, row.version)),
        Lookup::Absent(absent) => Some((absent.domain, absent.owner, absent.version)),
        Lookup::Unknown => None,
    })
}

fn view(
    shape: Shape<'_>,
    reader: &mut Reader<'_>,
    id: RecordId,
    (domain, owner, version): Head,
    states: Vec<RecordRow>,
    coordinate: &Coordinate,
    visibility: &Visibility,
) -> Result<TimelineView, StoreError> {
    let items = show(reader, states, coordinate, visibility, shape)?
        .into_iter()
        .map(|record| TimelineItem {
            period: record.period,
            data: record.data,
            model: record.model,
        })
        .collect();
    Ok(TimelineView {
        id,
        domain,
        owner,
        version,
        items,
        as_of: as_of(coordinate, visibility),
    })
}

/// A change as it is told: with its position to readers of the whole owner, with its period where all that it wrote and
/// replaced is seen.
fn history_item(context: &Context, whole: bool, told: bool, change: ChangeEntry) -> HistoryItem {
    let reads_owner = context.actor.reads_changes_of(&change.owner);
    HistoryItem {
        version: change.version,
        recorded_at: change.recorded_at,
        operation: change.operation.as_str().to_owned(),
        change_kind: change_kind(change.change_kind),
        corrects: change.corrects,
        // Who works for an owner, and why it wrote, is for its own readers.
        actor: reads_owner.then_some(change.actor),
        reason: change.reason.filter(|_| reads_owner),
        source: change.source.filter(|_| reads_owner),
        transaction: change.transaction,
        position: whole.then_some(change.position),
        touched: told.then_some(change.touched),
    }
}
