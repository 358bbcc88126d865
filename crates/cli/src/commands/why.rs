//! `grunddata why`

use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use grunddata_model::RecordId;
use grunddata_registry::{At, PropertyProvenance};
use serde_json::{Value, json};

use crate::arguments::Why;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// Tells where the values of a record come from.
pub(crate) fn run(settings: &Settings, why: Why) -> Result<ExitCode, Failure> {
    let id: RecordId = why.record.parse().map_err(|_| {
        Failure::new(
            Kind::Usage,
            format!("\"{}\" is no id of a record", why.record),
        )
        .cure("An id is a UUID, as it stands in the address of the record.")
    })?;
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    let found = registry.provenance(&context, None, id, &At::now(&context))?;
    let mut act = Act::new(LogKind::History, "why", json!({"property": why.property}));
    act.records = vec![id];
    act.owners = vec![found.owner.clone()];
    console::log(settings, &context, &act)?;
    let within = |pointer: &str| {
        why.property.as_ref().is_none_or(|wanted| {
            let rest = pointer.strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    line(format!(
        "{} {} of {}, version {}",
        found.domain, found.id, found.owner, found.version
    ));
    let mut some = false;
    for property in found.properties.iter().filter(|one| within(&one.pointer)) {
        some = true;
        told(property);
    }
    registry.store().shutdown();
    if !some {
        line("There is nothing at that property today.");
    }
    Ok(ExitCode::SUCCESS)
}

fn told(property: &PropertyProvenance) {
    line(format!(
        "{} = {}",
        property.pointer,
        property
            .value
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), shown)
    ));
    if let Some(introduced) = &property.introduced {
        let from = match (&introduced.source, introduced.load) {
            (Some(source), Some(load)) => format!(", from {source} in the load {load}"),
            (Some(source), None) => format!(", from {source}"),
            _ => String::new(),
        };
        let actor = introduced
            .actor
            .as_ref()
            .map_or_else(String::new, |actor| format!(" by {actor}"));
        line(format!(
            "    version {}, {}{actor}{from}",
            introduced.version, introduced.recorded_at
        ));
    }
    for said in &property.asserted {
        line(format!(
            "    {} says {} (load {}){}",
            said.source,
            shown(&said.value),
            said.load,
            if said.agrees { "" } else { ": something else" }
        ));
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
