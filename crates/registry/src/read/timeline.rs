//! The whole of a record: its states as known, its versions, what differs between two of them.

use grunddata_information_model::Resolved;
use grunddata_model::{Domain, OwnerKey, RecordId, State, Timeline};
use grunddata_store::{
    ChangeEntry, Coordinate, Known, Lookup, Reader, RecordRow, StoreError, Visibility,
};

use super::diff::diff;
use super::pin::as_of;
use super::show::{Shape, change_kind, show};
use super::view::{DiffPeriod, HistoryItem, HistoryPage, TimelineItem, TimelineView};
use crate::registry::refuse_store;
use crate::{Action, At, Code, Context, Refusal, Registry, fact};

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
        self.must_exist(context, domain, id, at)?;
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let coordinate = Self::pin_all(reader, context, at)?;
                let states = reader.timeline(id, &coordinate.known, &visibility)?;
                let Some(head) = head(reader, id, &coordinate, &visibility)? else {
                    return Ok(Err(Refusal::not_found(id)));
                };
                view(reader, id, head, states, &coordinate, &visibility).map(Ok)
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
        self.must_exist(context, domain, id, at)?;
        let visibility = self.visibility(context)?;
        self.inner
            .store
            .read(|reader| {
                let coordinate = Self::pin_all(reader, context, at)?;
                let mut changes = reader.history(
                    id,
                    &coordinate.known,
                    &visibility,
                    before,
                    limit as usize + 1,
                )?;
                let more = changes.len() > limit as usize;
                changes.truncate(limit as usize);
                Ok(HistoryPage {
                    next: changes.last().map(|change| change.version).filter(|_| more),
                    items: changes
                        .into_iter()
                        .map(|change| history_item(context, change))
                        .collect(),
                    as_of: as_of(&coordinate),
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
        let latest = self.must_exist(context, domain, id, &At::now(context))?;
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
                view(reader, id, head, states, &coordinate, &visibility).map(Ok)
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
        let latest = self.must_exist(context, domain, id, &At::now(context))?;
        let visibility = self.visibility(context)?;
        let versions = self
            .inner
            .store
            .read(|reader| {
                let from = reader.version(id, from, &visibility)?;
                let to = reader.version(id, to, &visibility)?;
                Ok((from, to))
            })
            .map_err(refuse_store)?;
        match versions {
            (Some((_, from)), Some((_, to))) => Ok(diff(&self.reload(from)?, &self.reload(to)?)),
            (None, _) => Err(crate::write::unknown_version(id, from, latest)),
            (_, None) => Err(crate::write::unknown_version(id, to, latest)),
        }
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
    /// the day. The record's version.
    pub(crate) fn must_exist(
        &self,
        context: &Context,
        domain: Option<Domain>,
        id: RecordId,
        at: &At,
    ) -> Result<u32, Refusal> {
        match self.get(context, domain, id, at, None) {
            Ok(crate::Got::Found(found)) => Ok(found.record.version),
            Ok(crate::Got::Merged { into, .. }) => Err(Refusal::new(
                Code::Merged,
                format!("The record was merged into {into}: read that one."),
            )
            .fact(fact::FORWARD_TO, into.to_string())),
            Err(refusal) if matches!(refusal.code, Code::NotValidThen | Code::Retracted) => {
                Ok(refusal
                    .facts
                    .get(fact::VERSION)
                    .and_then(serde_json::Value::as_u64)
                    .and_then(|version| u32::try_from(version).ok())
                    .unwrap_or_default())
            }
            Err(refusal) => Err(refusal),
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
    reader: &mut Reader<'_>,
    id: RecordId,
    (domain, owner, version): Head,
    states: Vec<RecordRow>,
    coordinate: &Coordinate,
    visibility: &Visibility,
) -> Result<TimelineView, StoreError> {
    let shape = Shape {
        fields: None,
        geometry: false,
    };
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
        as_of: as_of(coordinate),
    })
}

fn history_item(context: &Context, change: ChangeEntry) -> HistoryItem {
    let reads_owner = context.actor.may(Action::Read, &change.owner);
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
        position: reads_owner.then_some(change.position),
        touched: Some(change.touched),
    }
}
