//! `grunddata erasures`

use std::path::Path;
use std::process::ExitCode;

use grunddata_access_log::Kind as LogKind;
use serde_json::json;

use super::retention::report;
use crate::arguments::Erasures;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{grouped, line, write_private};
use crate::settings::Settings;

/// Writes the list of erasures, or carries it out again after a restore.
pub(crate) fn run(settings: &Settings, erasures: Erasures) -> Result<ExitCode, Failure> {
    let mut code = ExitCode::SUCCESS;
    match erasures {
        Erasures::Export { file } => {
            let registry = database::open(settings)?;
            let context = console::context(&registry);
            let list = registry.erasures(&context)?;
            let text = serde_json::to_string_pretty(&list)
                .map_err(|error| Failure::new(Kind::Failed, error))?;
            let count = list.erasures.len() as u64;
            let detail = json!({"erasures": count});
            let act = Act::new(LogKind::Administration, "erasures-export", detail);
            console::log(settings, &context, &act)?;
            write_private(&file, &format!("{text}\n"))?;
            line(format!(
                "{} erasures written to {}.",
                grouped(count),
                file.display()
            ));
            registry.store().shutdown();
        }
        Erasures::Apply { file } => {
            let list = read(&file)?;
            let registry = database::open(settings)?;
            let context = console::context(&registry);
            let detail = json!({"madeAt": list.made_at, "erasures": list.erasures.len()});
            let mut act = Act::new(LogKind::Erasure, "erasures-apply", detail);
            act.owners = list
                .erasures
                .iter()
                .map(|erasure| erasure.owner.clone())
                .collect();
            act.owners.sort_unstable();
            act.owners.dedup();
            let again = console::act(settings, &context, act, || {
                registry.erase_again(&context, &list)
            })?;
            for disposal in &again.disposals {
                line(format!("{}:", disposal.owner));
                report(disposal);
            }
            for id in &again.held {
                line(format!(
                    "held         {id}: lift the hold, and apply the list again"
                ));
            }
            for (id, by) in &again.referenced {
                line(format!(
                    "referenced   {id} by {by}: erase or correct that one, and apply the list again"
                ));
            }
            line(format!(
                "{} were erased already, {} are not in this database.",
                grouped(again.already),
                grouped(again.absent)
            ));
            if again.copied > 0 {
                line(format!(
                    "{} belong to copies: they are erased when the log of their origin has come again.",
                    grouped(again.copied)
                ));
            }
            let left = !(again.held.is_empty() && again.referenced.is_empty());
            code = ExitCode::from(u8::from(left));
            registry.store().shutdown();
        }
    }
    Ok(code)
}

fn read(file: &Path) -> Result<grunddata_registry::Erasures, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("cannot read {}: {error}", file.display()),
        )
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("{} is no list of erasures: {error}", file.display()),
        )
        .cure("Give a file that `grunddata erasures export` has written.")
    })
}
