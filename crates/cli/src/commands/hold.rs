//! `grunddata hold`

use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::RecordId;
use grunddata_registry::MarkKind;
use serde_json::json;
use uuid::Uuid;

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
    let (add, lift) = match kind {
        MarkKind::Hold => ("hold-add", "hold-lift"),
        MarkKind::Restriction => ("restriction-add", "restriction-lift"),
    };
    match hold {
        Hold::Add { id, reason } => {
            let record: RecordId = parse(&id, "the id of a record")?;
            let mut act = Act::new(LogKind::Administration, add, json!({}));
            act.records = vec![record];
            let mark = console::act(settings, &context, act, || {
                registry.put_mark(&context, kind, record, &reason)
            })?;
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
            let (owner, mark): (_, Uuid) =
                (key(&owner)?, parse(&id, "the id that the list shows")?);
            let act = Act::about(lift, &owner, json!({"mark": mark}));
            let record = console::act(settings, &context, act, || {
                registry.lift_mark(&context, &owner, kind, mark)
            })?;
            line(format!("Lifted from {record}."));
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
