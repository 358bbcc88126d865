//! `grunddata model`

use std::process::ExitCode;

use grunddata_access_log::Kind as Logged;
use grunddata_model::ModelVersion;
use grunddata_registry::{Code, Refusal};
use serde_json::json;

use super::transfer::read;
use crate::arguments::Model;
use crate::console::{self, Act};
use crate::database;
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// Looks after the packages of the information model.
pub(crate) fn run(settings: &Settings, model: Model) -> Result<ExitCode, Failure> {
    let registry = database::open(settings)?;
    let store = registry.store();
    let kept = store.kept_packages()?;
    let aside = store.set_aside();
    match model {
        Model::List => {
            for package in store.model().packages() {
                let version = package.model_version();
                let from = kept.iter().find(|kept| kept.package == *version);
                let from = match from.filter(|_| package.is_foreign()) {
                    Some(kept) => format!("from {} on {}", kept.url, kept.installed_at),
                    None => "of the program or its directories".to_owned(),
                };
                line(format!("{version}  {from}"));
            }
            for kept in &kept {
                if let Some(why) = aside.get(&kept.package) {
                    line(format!(
                        "{}  from {} on {}  set aside: {why}",
                        kept.package, kept.url, kept.installed_at
                    ));
                }
            }
        }
        Model::Forget { package, force } => {
            let version: ModelVersion = read("package", &package)?;
            if !kept.iter().any(|kept| kept.package == version) {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("no package {version} from a peer is kept here"),
                )
                .cure("`grunddata model list` lists them. What a directory of the settings holds is removed there."));
            }
            // What is set aside is used by nothing.
            if !force && !aside.contains_key(&version) && store.names_package(&version)? {
                return Err(Failure::new(
                    Kind::Usage,
                    format!("records name the package {version}, and cannot be read without it"),
                )
                .cure("Install it as a directory first, or say --force."));
            }
            let context = console::context(&registry);
            let act = Act::new(
                Logged::Administration,
                "model-forget",
                json!({"package": version.to_string()}),
            );
            console::act(settings, &context, act, || {
                let forgotten = store.forget_package(&version);
                forgotten.map_err(|error| Refusal::new(Code::Busy, error.to_string()))
            })?;
            line(format!(
                "{version} is forgotten. Servers that run use it until they are started again."
            ));
        }
    }
    registry.store().shutdown();
    Ok(ExitCode::SUCCESS)
}
