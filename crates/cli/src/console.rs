//! What is done at the console stands in the access log like everything else.

use grunddata_access_log::{AccessLog, Channel, Entry, Kind, Settings as LogSettings};
use grunddata_model::OwnerKey;
use grunddata_registry::{Actor, Context, Registry};
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
    pub(crate) owners: Vec<OwnerKey>,
    pub(crate) detail: Option<Value>,
}

/// Logs it, and returns when the entry is durable. What was read is shown only then.
pub(crate) fn log(settings: &Settings, context: &Context, act: Act) -> Result<(), Failure> {
    let shown = context.disclosed.take();
    let mut entry = Entry::new(
        context.now,
        act.kind,
        context.actor.name.clone(),
        Channel::Cli,
        act.operation,
    );
    entry.request_id = Some(context.request_id.clone());
    entry.owners = act.owners;
    entry.owners.extend(shown.owners);
    entry.owners.sort_unstable();
    entry.owners.dedup();
    entry.records = shown.records;
    entry.records.sort_unstable();
    entry.records.dedup();
    entry.count = Some(entry.records.len() as u64);
    entry.records.truncate(grunddata_access_log::RECORDS_LIMIT);
    entry.classes = shown.classes;
    entry.detail = act.detail;
    let failed = |error: grunddata_access_log::AccessLogError| {
        Failure::new(FailureKind::Failed, format!("the access log cannot be written: {error}"))
            .cure("Personal data are shown only when it can be logged: make the directory writable for this user, or choose another with access_log in the settings.")
    };
    let log =
        AccessLog::open(LogSettings::new(settings.access_log()), context.now).map_err(failed)?;
    log.append(entry).map_err(failed)?.wait().map_err(failed)?;
    log.shutdown();
    Ok(())
}
