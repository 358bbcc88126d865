//! Registries that an owner of this one is pushed to.

use std::path::PathBuf;

use grunddata_model::OwnerKey;
use grunddata_registry::{Context, PushSettings, Registry};
use serde_json::json;

use super::absolute;
use crate::arguments::NewPeer;
use crate::console::{self, Act};
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// Whether something is pushed by that name.
pub(super) fn is(registry: &Registry, context: &Context, name: &str) -> Result<bool, Failure> {
    Ok(registry.push(context, name)?.is_some())
}

pub(super) fn add(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    asked: NewPeer,
) -> Result<(), Failure> {
    let owner = OwnerKey::new(&asked.owner)
        .map_err(|error| Failure::new(Kind::Usage, format!("--owner: {error}")))?;
    let file = |path: Option<PathBuf>| {
        let path = path.as_deref().map(absolute).transpose()?;
        Ok::<_, Failure>(path.unwrap_or_default())
    };
    let given = PushSettings {
        url: asked.url.trim_end_matches('/').to_owned(),
        owner: owner.clone(),
        peer: asked.as_.unwrap_or_default(),
        token_file: file(asked.token_file)?,
        reader_token_file: file(asked.reader_token_file)?,
    };
    let told = json!({"push": asked.name, "url": given.url});
    let act = Act::about("peer-add-push", &owner, told);
    let put = console::act(settings, context, act, || {
        registry.put_push(context, &asked.name, &given)
    })?;
    line(format!(
        "{} is pushed to {} as {}, where the peer {} waits for it, in version {} of its settings.",
        put.settings.owner, put.settings.url, put.name, put.settings.peer, put.version
    ));
    line("A server that runs on this database begins by itself.");
    Ok(())
}

pub(super) fn list(registry: &Registry, context: &Context) -> Result<(), Failure> {
    for push in registry.pushes(context)? {
        let (told, _) = push.told(registry.now());
        line(format!("{}  {told}", push.name));
    }
    Ok(())
}

pub(super) fn show(registry: &Registry, context: &Context, name: &str) -> Result<(), Failure> {
    let found = registry.push(context, name)?;
    let text = serde_json::to_string_pretty(&found)
        .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    line(text);
    Ok(())
}

pub(super) fn follow(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    name: &str,
    follow: bool,
) -> Result<(), Failure> {
    let operation = if follow {
        "peer-resume-push"
    } else {
        "peer-pause-push"
    };
    let act = about(registry, context, operation, name)?;
    console::act(settings, context, act, || {
        registry.follow_push(context, name, follow)
    })?;
    line(if follow {
        format!("{name} is pushed to again by the server that runs on this database.")
    } else {
        format!("{name} is paused: nothing is pushed to it until it is resumed.")
    });
    Ok(())
}

pub(super) fn remove(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    name: &str,
) -> Result<(), Failure> {
    let act = about(registry, context, "peer-remove-push", name)?;
    console::act(settings, context, act, || {
        registry.remove_push(context, name)
    })?;
    line(format!(
        "Nothing is pushed to {name} any more. What it has copied stays with it."
    ));
    Ok(())
}

fn about(
    registry: &Registry,
    context: &Context,
    operation: &'static str,
    name: &str,
) -> Result<Act, Failure> {
    let owner = registry
        .push(context, name)?
        .map(|push| push.settings.owner);
    Ok(Act {
        owners: owner.into_iter().collect(),
        ..Act::new(
            grunddata_access_log::Kind::Administration,
            operation,
            json!({"push": name}),
        )
    })
}
