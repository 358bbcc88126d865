//! Settles what writes have left of the references that waited for them; and looks for references that are pending and lead
//! somewhere by now: what they wait for may have come with another owner, with a copy, or by a process that ended before it
//! was done.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant as Stopwatch};

use parking_lot::Mutex;

use crate::app::App;

/// How long it waits between two looks at least.
const PAUSE: Duration = Duration::from_secs(60);
/// How many times as long it waits as a look took: what waits in vain is looked at again each time.
const SHARE: u32 = 20;

/// When this process looks again, and whether it is at it.
#[derive(Debug, Default)]
pub(super) struct References(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: Option<Stopwatch>,
    busy: bool,
}

impl References {
    /// Begins to look, on a thread of its own, if it is time.
    pub(super) fn look(references: &Arc<Self>, app: &Arc<App>) {
        let mut state = references.0.lock();
        if state.busy {
            return;
        }
        let is_due = state.next.is_none_or(|next| Stopwatch::now() >= next);
        // What a write has left is known to lead somewhere.
        if !is_due && !app.vault.vitals().has_left_references() {
            return;
        }
        let (shared, app) = (Arc::clone(references), Arc::clone(app));
        let begun = thread::Builder::new()
            .name("references".to_owned())
            .spawn(move || {
                let watch = Stopwatch::now();
                let (registry, stop) = (app.vault.vitals(), app.worker.stopping());
                let left = registry.settle_left(stop);
                let looked = match is_due {
                    true => registry.settle_references(stop),
                    false => Ok(0),
                };
                match left.and_then(|left| Ok(left + looked?)) {
                    Ok(0) => {}
                    Ok(records) => {
                        tracing::info!(records, "references that were pending lead to records now");
                    }
                    Err(refusal) => tracing::warn!(
                        code = refusal.code.as_str(),
                        why = refusal.detail,
                        "references that are pending could not be looked through; it is tried again"
                    ),
                }
                let mut state = shared.0.lock();
                state.busy = false;
                if is_due {
                    state.next = Some(Stopwatch::now() + PAUSE.max(watch.elapsed() * SHARE));
                }
            });
        match begun {
            Ok(_) => state.busy = true,
            Err(error) => tracing::error!(%error, "references that are pending are not looked for"),
        }
    }
}
