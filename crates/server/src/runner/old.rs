//! What is removed because it is old.

use std::fs;
use std::time::UNIX_EPOCH;

use grunddata_model::Instant;
use grunddata_registry::{Actor, Registry};
use serde_json::json;
use uuid::Uuid;

use super::logged::{log, with};
use crate::app::App;
use crate::loads::uploads;

/// A file that was collected and never loaded is removed after so long, in microseconds.
const STRAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Removes the rows of old loads, and files that nobody will load.
pub(super) fn remove(app: &App) {
    let registry = app.vault.vitals();
    sweep(app, registry);
    let Some(keep) = app.config.keep_loads else {
        return;
    };
    let context = registry.context(Actor::system("retention"), Uuid::now_v7().to_string());
    let micros = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
    let before = Instant::from_micros(context.now.micros().saturating_sub(micros));
    // A day on which nothing is removed is no event.
    let found = registry.store().read(|reader| {
        let mut old = reader.loads_to_prune(before, false, 1)?;
        old.extend(reader.loads_to_prune(before, true, 1)?);
        Ok(!old.is_empty())
    });
    match found {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            tracing::error!(%error, "it cannot be found out which loads are old");
            return;
        }
    }
    let about = json!({"before": before});
    if log(
        app,
        &context,
        "pruneLoads",
        &[],
        with(&about, "begun", json!(true)),
        None,
    )
    .is_err()
    {
        return;
    }
    let pruned = registry.prune_loads(&context, before);
    let about = match &pruned {
        Ok(pruned) => with(&about, "loads", json!(pruned.loads)),
        Err(_) => about,
    };
    drop(log(
        app,
        &context,
        "pruneLoads",
        &[],
        about,
        pruned.as_ref().err(),
    ));
    match pruned {
        Ok(pruned) if pruned.loads > 0 => {
            tracing::info!(
                loads = pruned.loads,
                given_up = pruned.given_up,
                "the rows of old loads were removed"
            );
        }
        Ok(_) => {}
        Err(refusal) => {
            tracing::error!(
                code = refusal.code.as_str(),
                why = refusal.detail,
                "the rows of old loads cannot be removed"
            );
        }
    }
}

/// Removes files that were collected and never loaded, and those of loads that are planned by now.
fn sweep(app: &App, registry: &Registry) {
    let Ok(entries) = fs::read_dir(app.uploads.directory()) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let ending = path.extension().and_then(|ending| ending.to_str());
        let written = || {
            let since = path.metadata().ok()?.modified().ok()?;
            i64::try_from(since.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
        };
        let is_old =
            || written().is_some_and(|at| registry.now().micros().saturating_sub(at) > STRAY);
        let stray = match (stem, ending) {
            (Some(_), Some("collect")) => is_old(),
            (Some(stem), Some("load")) => {
                is_old()
                    && stem
                        .parse()
                        .is_ok_and(|id| registry.is_being_planned(id) == Ok(false))
            }
            _ => false,
        };
        if stray {
            uploads::remove(&path);
        }
    }
}
