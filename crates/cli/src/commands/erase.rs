//! `grunddata erase`

use std::process::ExitCode;

use grunddata_model::RecordId;
use grunddata_registry::Decision;

use super::retention::{logged, parse, report};
use crate::arguments::Erase;
use crate::console;
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
    let disposal = registry.erase(&context, &ids, decision)?;
    logged(settings, &context, "erase", &disposal)?;
    report(&disposal);
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
