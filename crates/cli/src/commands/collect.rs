//! `grunddata source collect` and `grunddata source check`

use std::time::Duration;

use grunddata_model::OwnerKey;
use grunddata_registry::{Code, Context, LoadStatus, Refusal, Registry, Source, SourceState};
use grunddata_server::loads::collect::{
    self, Came, Collector, Extent, Heart, Outcome, Stillness, Worker,
};
use serde_json::json;

use super::load::{is_clean, told as load_told};
use crate::console::{self, Act};
use crate::failure::{Failure, Kind};
use crate::output::line;
use crate::settings::Settings;

/// How often it is tried to take a source that another process is at, and after which time.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Collects what there is of a source now; whether nobody has to look at it.
pub(super) fn collect(
    settings: &Settings,
    registry: &Registry,
    context: &Context,
    source: &Source,
    dry_run: bool,
) -> Result<bool, Failure> {
    let directory = settings.uploads();
    collect::make_directory(&directory).map_err(|error| Failure::write(&directory, &error))?;
    let server = settings.server();
    let worker = Worker::new(server.lease);
    let _heart = Heart::start(registry, &worker)
        .map_err(|error| Failure::new(Kind::Failed, format!("there is no thread: {error}")))?;
    let stillness = Stillness::by_age(registry.now());
    let collector = Collector {
        registry,
        collecting: &server.collect,
        directory: &directory,
        worker: &worker,
        stillness: &stillness,
        extent: if dry_run {
            Extent::Plan
        } else {
            Extent::Settings
        },
    };
    let act = Act::about(
        "source-collect",
        &source.owner,
        json!({"source": source.key}),
    );
    let outcomes = console::act(settings, context, act, || {
        let ours = collect::context(registry, &source.owner);
        let once = || {
            collect::held(registry, source, &worker, || {
                let outcomes = collector.collect(&ours, source, true, &mut |_| Ok(()));
                // A look does not put off the next time.
                let came = if dry_run {
                    Came::default()
                } else {
                    Came::of(&outcomes, true)
                };
                (outcomes, came)
            })
        };
        // A server that only looks is done in a moment.
        let mut held = once()?;
        for _ in 0..TRIES {
            if held.is_some() {
                break;
            }
            std::thread::sleep(PAUSE);
            held = once()?;
        }
        held.unwrap_or_else(|| Err("Another process collects the source just now.".to_owned()))
            .map_err(|why| Refusal::new(Code::LoadState, why))
    })?;
    if outcomes.is_empty() {
        line("There is nothing to collect.");
    }
    let mut good = true;
    for outcome in &outcomes {
        good &= show(outcome);
    }
    Ok(good)
}

/// What came of one file; whether nobody has to look at it.
fn show(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Load(load) => {
            load_told::plan(load);
            match load.status {
                LoadStatus::Applied => load_told::applied(load),
                _ => load_told::next(load),
            }
            let done = matches!(load.status, LoadStatus::Applied | LoadStatus::Planned);
            done && is_clean(load) && load.counts.set_aside == 0
        }
        Outcome::Same { file } => {
            line(format!("{file} is as the last one that was applied."));
            true
        }
        Outcome::Waits(load) => {
            line(format!(
                "The load {} of {} is {}: nothing more is collected until it is applied or cancelled.",
                load.id,
                load.source,
                load.status.as_str()
            ));
            load_told::next(load);
            false
        }
        Outcome::Unfinished { file } => {
            line(format!(
                "{file} is not whole yet, or its marker is missing."
            ));
            true
        }
        Outcome::Stopped => false,
    }
}

/// Tells which sources are silent or cannot be collected; whether there is none.
pub(super) fn check(registry: &Registry, owner: Option<&OwnerKey>) -> Result<bool, Failure> {
    let mut good = true;
    for (source, state) in registry.every_source(&mut Vec::new())? {
        let said = told(&state);
        if owner.is_some_and(|owner| *owner != source.owner) || said.is_empty() {
            continue;
        }
        good = false;
        line(format!("{}  {}{said}", source.owner, source.key));
    }
    if good {
        line("Every source has been heard of in time.");
    }
    Ok(good)
}

/// That a source is silent or cannot be collected; nothing when all is well.
pub(super) fn told(state: &SourceState) -> String {
    let mut text = String::new();
    if let Some(since) = state.silent_since {
        text.push_str(&format!("  silent since {since}"));
    }
    let collect = state.collect.as_ref();
    if let Some(why) = collect.and_then(|collect| collect.failure.as_deref()) {
        text.push_str(&format!("  cannot be collected: {why}"));
    }
    text
}
