//! What the registry does by itself stands in the access log.

use grunddata_access_log::{Channel, Entry, Kind, Outcome};
use grunddata_model::OwnerKey;
use grunddata_registry::{Code, Context, Refusal};
use serde_json::Value;

use crate::app::App;
use crate::reply;

/// The detail with one more member.
pub(super) fn with(detail: &Value, name: &str, value: Value) -> Value {
    let mut detail = detail.clone();
    reply::set(&mut detail, name, value);
    detail
}

/// Writes what the registry does by itself into the access log, and returns when it is durable.
pub(crate) fn log(
    app: &App,
    context: &Context,
    operation: &'static str,
    owners: &[OwnerKey],
    detail: Value,
    refusal: Option<&Refusal>,
) -> Result<(), Refusal> {
    let mut entry = Entry::new(
        context.now,
        Kind::Administration,
        context.actor.name.clone(),
        Channel::Schedule,
        operation,
    );
    entry.request_id = Some(context.request_id.clone());
    entry.owners = owners.to_vec();
    entry.detail = Some(detail);
    if let Some(refusal) = refusal {
        entry.outcome = Outcome::Refused(refusal.code.as_str().to_owned());
    }
    let written = app
        .access_log
        .append(entry)
        .and_then(|entry| entry.wait())
        .map(drop);
    written.map_err(|error| {
        tracing::error!(%error, "the access log cannot be written: nothing is done without it");
        Refusal::new(
            Code::Internal,
            "What would be done cannot be logged just now, and without that it is not done.",
        )
    })
}
