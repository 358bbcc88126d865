//! What is done at the console stands in the access log like everything else.

use grunddata_access_log::{
    AccessLog, AccessLogError, Channel, Entry, Kind, Outcome, Settings as LogSettings,
};
use grunddata_model::{OwnerKey, RecordId};
use grunddata_registry::{Actor, Context, Refusal, Registry};
use serde_json::Value;
use uuid::Uuid;

use crate::failure::{Failure, Kind as FailureKind};
use crate::settings::Settings;

/// The context of a command: the console may do everything, and says who it is.
pub(crate) fn context(registry: &Registry) -> Context {
    registry.context(Actor::system("console"), Uuid::now_v7().to_string())
}

/// An act, or the reading of personal data, that is to be logged.
pub(crate) struct Act {
    pub(crate) kind: Kind,
    pub(crate) operation: &'static str,
    /// Whom it is about, as far as the arguments say so.
    pub(crate) owners: Vec<OwnerKey>,
    /// The records that the arguments name.
    pub(crate) records: Vec<RecordId>,
    pub(crate) detail: Value,
}

impl Act {
    pub(crate) fn new(kind: Kind, operation: &'static str, detail: Value) -> Self {
        Self {
            kind,
            operation,
            owners: Vec::new(),
            records: Vec::new(),
            detail,
        }
    }

    /// An act of the administration about one owner.
    pub(crate) fn about(operation: &'static str, owner: &OwnerKey, detail: Value) -> Self {
        Self {
            owners: vec![owner.clone()],
            ..Self::new(Kind::Administration, operation, detail)
        }
    }

    fn entry(&self, context: &Context) -> Entry {
        let mut entry = Entry::new(
            context.now,
            self.kind.clone(),
            context.actor.name.clone(),
            Channel::Cli,
            self.operation,
        );
        entry.request_id = Some(context.request_id.clone());
        entry.owners = self.owners.clone();
        entry.records = self.records.clone();
        entry.detail = Some(self.detail.clone());
        entry
    }
}

/// Logs what is about to be done, does it, and logs what came of it: it is not done when it cannot be logged, and what was
/// broken off is seen.
pub(crate) fn act<T>(
    settings: &Settings,
    context: &Context,
    act: Act,
    work: impl FnOnce() -> Result<T, Refusal>,
) -> Result<T, Failure> {
    let log = open(settings, context)?;
    let mut begun = act.entry(context);
    set(&mut begun.detail, "begun", Value::Bool(true));
    append(&log, begun)?;
    let done = work();
    let mut entry = act.entry(context);
    if let Err(refusal) = &done {
        entry.outcome = Outcome::Refused(refusal.code.as_str().to_owned());
    }
    append(&log, told(entry, context))?;
    log.shutdown();
    Ok(done?)
}

/// Logs the reading of personal data, and returns when the entry is durable. What was read is shown only then.
pub(crate) fn log(settings: &Settings, context: &Context, act: &Act) -> Result<(), Failure> {
    let log = open(settings, context)?;
    append(&log, told(act.entry(context), context))?;
    log.shutdown();
    Ok(())
}

/// A reading that goes on: the log stays open for as long as pieces are shown.
pub(crate) struct Reading(AccessLog);

impl Reading {
    pub(crate) fn open(settings: &Settings, context: &Context) -> Result<Self, Failure> {
        open(settings, context).map(Self)
    }

    /// Logs what was noted since it was last asked, and returns when that is durable. What showed nothing personal is not
    /// logged, as everywhere.
    pub(crate) fn shown(&self, context: &Context, operation: &'static str) -> Result<(), Failure> {
        let shown = context.disclosed.take();
        if shown.records.is_empty() && shown.searched.is_empty() {
            return Ok(());
        }
        let act = Act::new(
            Kind::Export,
            operation,
            Value::Object(serde_json::Map::new()),
        );
        let mut entry = act.entry(context);
        entry.detail = None;
        entry.query = shown.query;
        entry.owners = if shown.records.is_empty() {
            shown.searched.into_iter().collect()
        } else {
            shown.owners.into_iter().collect()
        };
        entry.owners.truncate(grunddata_access_log::OWNERS_LIMIT);
        entry.records = shown.records;
        entry.records.sort_unstable();
        entry.records.dedup();
        entry.count = Some(entry.records.len() as u64);
        entry.classes = shown.classes;
        append(&self.0, entry)
    }

    /// Logs an act in between, and returns when the entry is durable.
    pub(crate) fn log(&self, context: &Context, act: &Act) -> Result<(), Failure> {
        append(&self.0, told(act.entry(context), context))
    }

    pub(crate) fn close(self) {
        self.0.shutdown();
    }
}

/// The entry with what was noted while it was done.
fn told(mut entry: Entry, context: &Context) -> Entry {
    let shown = context.disclosed.take();
    entry.owners.extend(shown.owners);
    entry.owners.extend(shown.acted);
    entry.owners.sort_unstable();
    entry.owners.dedup();
    entry.owners.truncate(grunddata_access_log::OWNERS_LIMIT);
    entry.records.extend(shown.records);
    entry.records.sort_unstable();
    entry.records.dedup();
    entry.count = Some(entry.records.len() as u64);
    entry.classes = shown.classes;
    if let Some(Value::Object(members)) = shown.detail {
        for (name, value) in members {
            set(&mut entry.detail, &name, value);
        }
    }
    entry
}

fn set(detail: &mut Option<Value>, name: &str, value: Value) {
    if let Some(Value::Object(members)) = detail {
        members.insert(name.to_owned(), value);
    }
}

fn open(settings: &Settings, context: &Context) -> Result<AccessLog, Failure> {
    AccessLog::open(LogSettings::new(settings.access_log()), context.now).map_err(failed)
}

fn append(log: &AccessLog, mut entry: Entry) -> Result<(), Failure> {
    entry.records.truncate(grunddata_access_log::RECORDS_LIMIT);
    log.append(entry)
        .map_err(failed)?
        .wait()
        .map_err(failed)
        .map(drop)
}

fn failed(error: AccessLogError) -> Failure {
    Failure::new(FailureKind::Failed, format!("the access log cannot be written: {error}"))
        .cure("Nothing is administered, and no personal data are shown, that cannot be logged: make the directory writable for this user, or choose another with access_log in the settings.")
}
