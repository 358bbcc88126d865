//! `grunddata hold`

use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::{OwnerKey, RecordId};
use grunddata_registry::MarkKind;
use serde_json::json;

use super::retention::{key, parse};
use crate::arguments::Hold;
use crate::console::{self, Act};
use crate::database;
use crate::failure::Failure;
use crate::output::line;
use crate::settings::Settings;

/// Puts, lists or lifts legal holds or restrictions of processing.
pub(crate) fn run(settings: &Settings, kind: MarkKind, hold: Hold) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let log = |operation: &'static str, owner: OwnerKey, mark| {
        let act = Act {
            kind: LogKind::Administration,
            operation,
            owners: vec![owner],
            detail: Some(json!({"mark": mark})),
        };
        console::log(settings, &context, act)
    };
    let (add, lift) = match kind {
        MarkKind::Hold => ("hold-add", "hold-lift"),
        MarkKind::Restriction => ("restriction-add", "restriction-lift"),
    };
    match hold {
        Hold::Add { id, reason } => {
            let record: RecordId = parse(&id, "the id of a record")?;
            let mark = registry.put_mark(&context, kind, record, &reason)?;
            log(add, mark.owner.clone(), mark.id)?;
            line(format!("{}  {record}", mark.id));
        }
        Hold::List { owner } => {
            for mark in registry.marks(&context, &key(&owner)?, kind)? {
                let state = match mark.lifted_at {
                    Some(at) => format!("lifted {at}"),
                    None => "in force".to_owned(),
                };
                line(format!(
                    "{}  {}  {}  {state}  {}",
                    mark.id, mark.record, mark.created_at, mark.reason
                ));
            }
        }
        Hold::Lift { owner, id } => {
            let (owner, mark) = (key(&owner)?, parse(&id, "the id that the list shows")?);
            let record = registry.lift_mark(&context, &owner, kind, mark)?;
            log(lift, owner, mark)?;
            line(format!("Lifted from {record}."));
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
