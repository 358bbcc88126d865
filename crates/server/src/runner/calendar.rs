//! Tells in the logs what begins and ends as planned, when a new day has begun.

use std::sync::Arc;
use std::thread;

use chrono::NaiveDate;
use parking_lot::Mutex;

use crate::app::App;

/// Up to which day this process has told it, and whether it is at it.
#[derive(Debug, Default)]
pub(super) struct Calendar(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<NaiveDate>,
    busy: bool,
}

impl Calendar {
    /// Begins to tell of the present day, on a thread of its own, unless that is done: it may take a while in a large
    /// registry, and nothing else waits for it. What fails is tried again at the next round.
    pub(super) fn turn(calendar: &Arc<Self>, app: &Arc<App>) {
        let today = app.vault.vitals().effective_day();
        let mut state = calendar.0.lock();
        if state.busy || state.told == Some(today) {
            return;
        }
        let (shared, app) = (Arc::clone(calendar), Arc::clone(app));
        let begun = thread::Builder::new()
            .name("calendar".to_owned())
            .spawn(move || {
                let stop = app.worker.stopping();
                let told = app.vault.vitals().tell_effective(stop);
                let mut state = shared.0.lock();
                state.busy = false;
                match told {
                    Ok(done) => {
                        // Where another process is at it, the next round looks whether it came to the end.
                        if done.complete {
                            state.told = Some(today);
                        }
                        let entries = done.entries;
                        if entries > 0 {
                            tracing::info!(%today, entries, "the logs tell what began and ended as planned");
                        }
                    }
                    Err(refusal) => tracing::warn!(
                        code = refusal.code.as_str(),
                        why = refusal.detail,
                        "what began and ended as planned could not be told; it is tried again"
                    ),
                }
            });
        match begun {
            Ok(_) => state.busy = true,
            Err(error) => tracing::error!(%error, "what begins and ends as planned is not told"),
        }
    }
}
