//! How a source stands: when it was last heard of, whether it has been silent for too long, how its collecting goes.

use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{LoadStatus, WatchRow};
use serde::Serialize;
use uuid::Uuid;

use super::Source;
use super::read::status_text;
use crate::registry::refuse_store;
use crate::{Context, Refusal, Registry};

/// An hour in microseconds.
const HOUR: i64 = 60 * 60 * 1_000_000;

/// How a source stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceState {
    /// The last load of it that was applied.
    pub last_load: Option<Uuid>,
    /// When it was last heard of: a load was applied, or what was collected was as the last that was.
    pub last_heard: Option<Instant>,
    /// Since when it has been silent for longer than its schedule allows.
    pub silent_since: Option<Instant>,
    /// The load of it that is still to be planned, decided on or applied.
    pub open_load: Option<OpenLoad>,
    /// How its collecting goes; none where its files are sent.
    pub collect: Option<CollectState>,
}

/// A load that something is still to come of.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenLoad {
    /// The load.
    pub id: Uuid,
    /// How far it is.
    #[serde(serialize_with = "status_text")]
    pub status: LoadStatus,
}

/// How the collecting of a source's files goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectState {
    /// When it was last tried.
    pub tried_at: Option<Instant>,
    /// When it is tried next; none for a folder, which is looked at all the time.
    pub next_at: Option<Instant>,
    /// How often in a row it has failed.
    pub failures: u32,
    /// Why the last time, and what to do.
    pub failure: Option<String>,
}

impl Registry {
    /// How a source stands.
    ///
    /// # Errors
    /// As [`source`](Self::source).
    pub fn source_state(&self, context: &Context, source: &Source) -> Result<SourceState, Refusal> {
        super::source::may_read(context, &source.owner)?;
        let watches = self
            .inner
            .store
            .read(|reader| reader.watches(Some(&source.owner)))
            .map_err(refuse_store)?;
        let watch = watches.iter().find(|watch| watch.source == source.key);
        self.state_of(source, watch, context.now)
    }

    /// The sources of every owner as they are now, each with how it stands. For the registry's own work and for whoever
    /// looks after the whole of it; `known` are versions that have been read before.
    ///
    /// # Errors
    /// The store's.
    pub fn every_source(
        &self,
        known: &mut Vec<Source>,
    ) -> Result<Vec<(Source, SourceState)>, Refusal> {
        let store = &self.inner.store;
        let (versions, watches) = store
            .read(|reader| Ok((reader.source_versions()?, reader.watches(None)?)))
            .map_err(refuse_store)?;
        let mut present = Vec::with_capacity(versions.len());
        for (owner, key, version) in versions {
            let place = known.iter().position(|source| {
                source.version == version && source.key == key && source.owner == owner
            });
            let source = match place {
                Some(place) => known.swap_remove(place),
                None => self.source_of(&owner, &key)?,
            };
            present.push(source);
        }
        known.clone_from(&present);
        let now = self.now();
        present
            .into_iter()
            .map(|source| {
                let watch = watches
                    .iter()
                    .find(|watch| watch.source == source.key && watch.owner == source.owner);
                let state = self.state_of(&source, watch, now)?;
                Ok((source, state))
            })
            .collect()
    }

    fn state_of(
        &self,
        source: &Source,
        watch: Option<&WatchRow>,
        now: Instant,
    ) -> Result<SourceState, Refusal> {
        let (owner, key): (&OwnerKey, &str) = (&source.owner, &source.key);
        let (last, open, first) = self
            .inner
            .store
            .read(|reader| {
                let last = reader.last_applied(owner, key)?;
                let open = reader
                    .loads(owner, Some(key), None, 1)?
                    .into_iter()
                    .find(|load| load.status.is_open());
                let first = reader.source_version(owner, key, 1)?;
                Ok((last, open, first))
            })
            .map_err(refuse_store)?;
        let same = watch.and_then(|watch| watch.same_at);
        let last_heard = last.as_ref().map(|load| load.changed_at).max(same);
        let begun = first.map_or(source.created_at, |first| first.created_at);
        let allowed = source
            .settings
            .schedule
            .as_ref()
            .and_then(super::Schedule::silent_after_hours)
            .filter(|_| !source.settings.retired);
        let silent_since = allowed
            .map(|hours| {
                let from = last_heard.unwrap_or(begun).micros();
                Instant::from_micros(from.saturating_add(i64::from(hours).saturating_mul(HOUR)))
            })
            .filter(|since| *since <= now);
        let collect = source
            .settings
            .collect
            .as_ref()
            .filter(|_| !source.settings.retired)
            .map(|collect| {
                let tried_at = watch.and_then(|watch| watch.tried_at);
                let failures = watch.map_or(0, |watch| watch.failures);
                CollectState {
                    next_at: collect.next(owner, key, source.created_at, tried_at, failures),
                    tried_at,
                    failures,
                    failure: watch.and_then(|watch| watch.failure.clone()),
                }
            });
        Ok(SourceState {
            last_load: last.map(|load| load.id),
            last_heard,
            silent_since,
            open_load: open.map(|load| OpenLoad {
                id: load.id,
                status: load.status,
            }),
            collect,
        })
    }

    /// Takes the collecting of a source for a process. Whether it could: not while another one holds it.
    ///
    /// # Errors
    /// The store's.
    pub fn take_collecting(
        &self,
        source: &Source,
        holder: Uuid,
        until: Instant,
    ) -> Result<bool, Refusal> {
        self.inner
            .store
            .take_watch(&source.owner, &source.key, holder, self.now(), until)
            .map_err(refuse_store)
    }

    /// Gives the collecting of a source back, and says what came of it: `tried` that it was looked for something, `same` that
    /// what came was as the last that was accepted, `failure` why nothing came.
    ///
    /// # Errors
    /// The store's.
    pub fn leave_collecting(
        &self,
        source: &Source,
        holder: Uuid,
        tried: bool,
        same: bool,
        failure: Option<String>,
    ) -> Result<(), Refusal> {
        let now = self.now();
        let store = &self.inner.store;
        let before = store
            .read(|reader| reader.watches(Some(&source.owner)))
            .map_err(refuse_store)?
            .into_iter()
            .find(|watch| watch.source == source.key);
        let mut watch = before.unwrap_or_else(|| WatchRow {
            owner: source.owner.clone(),
            source: source.key.clone(),
            tried_at: None,
            same_at: None,
            failures: 0,
            failure: None,
        });
        if tried || failure.is_some() {
            watch.tried_at = Some(now);
            watch.failures = match &failure {
                None => 0,
                Some(_) => watch.failures.saturating_add(1),
            };
            watch.failure = failure;
        }
        if same {
            watch.same_at = Some(now);
        }
        store.leave_watch(&watch, holder).map_err(refuse_store)
    }
}
