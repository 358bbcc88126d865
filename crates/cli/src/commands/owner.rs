//! `grunddata owner`

use std::process::ExitCode;

use grunddata_model::OwnerKey;
use grunddata_registry::NewOwner;
use serde_json::json;

use crate::arguments::Owner;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::{grouped, line};
use crate::settings::Settings;

/// Adds or lists owners.
pub(crate) fn run(settings: &Settings, owner: Owner) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let context = console::context(&registry);
    match owner {
        Owner::Add {
            key,
            name,
            open_data,
        } => {
            let key = OwnerKey::new(&key).map_err(|error| Failure::new(Kind::Usage, error))?;
            let act = Act::about(
                "owner-add",
                &key,
                json!({"name": name, "openData": open_data}),
            );
            let new = NewOwner {
                key,
                name,
                organisation: None,
                open_data,
                protection: None,
            };
            let owner = console::act(settings, &context, act, || {
                registry.put_owner(&context, new)
            })?;
            line(format!("{} ({}) is an owner.", owner.key, owner.name));
        }
        Owner::List => {
            let owners = registry.owners(&context)?;
            if owners.is_empty() {
                line("There is no owner yet: add one with `grunddata owner add KEY --name NAME`.");
            }
            for owner in owners {
                let open = if owner.open_data {
                    "open data"
                } else {
                    "closed"
                };
                let changes = grouped(owner.position.unwrap_or_default());
                line(format!(
                    "{:<20} {:>12} changes  {open:<9}  {}",
                    owner.key.as_str(),
                    changes,
                    owner.name
                ));
            }
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
