//! `grunddata erase`

use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::RecordId;
use grunddata_registry::Decision;
use serde_json::json;

use super::retention::{parse, report};
use crate::arguments::Erase;
use crate::console::{self, Act};
use crate::database;
use crate::failure::Failure;
use crate::settings::Settings;

/// Erases records by a decision of their own.
pub(crate) fn run(settings: &Settings, erase: Erase) -> Result<ExitCode, Failure> {
    let ids = erase
        .ids
        .iter()
        .map(|id| parse::<RecordId>(id, "the id of a record"))
        .collect::<Result<Vec<_>, _>>()?;
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let decision = Decision {
        text: erase.decision,
        reference: erase.reference,
    };
    let mut act = Act::new(LogKind::Erasure, "erase", json!({"decision": decision}));
    act.records = ids.clone();
    let disposal = console::act(settings, &context, act, || {
        registry.erase(&context, &ids, decision)
    })?;
    report(&disposal);
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
