//! Takes up hand-overs that somebody has accepted here and whose process has ended, or that could not be carried out before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use grunddata_registry::{LeftTransfer, Refusal};
use serde_json::json;
use uuid::Uuid;

use super::carry::Carrying;
use crate::app::App;
use crate::runner::log;

/// How many are carried out at the same time: the registry of a giver may take its time to answer.
const AT_ONCE: usize = 4;

/// How many this process is at.
#[derive(Debug, Default)]
pub(crate) struct Carriers(Arc<AtomicUsize>);

/// One of them, for as long as it is carried out.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Carriers {
    /// Takes up what nobody is at, each on a thread of its own.
    pub(crate) fn look(&self, app: &Arc<App>) -> Result<(), Refusal> {
        let free = AT_ONCE.saturating_sub(self.0.load(Ordering::SeqCst));
        let Ok(limit @ 1..) = u32::try_from(free) else {
            return Ok(());
        };
        for left in app.vault.vitals().left_transfers(limit)? {
            self.0.fetch_add(1, Ordering::SeqCst);
            let place = Place(Arc::clone(&self.0));
            let app = Arc::clone(app);
            let begun = thread::Builder::new()
                .name("hand-over".to_owned())
                .spawn(move || {
                    let _place = place;
                    let id = left.id();
                    if let Err(refusal) = carry(&app, &left) {
                        tracing::warn!(transfer = %id, code = refusal.code.as_str(), why = refusal.detail, "a hand-over cannot be carried out just now; it is tried again");
                    }
                });
            if let Err(error) = begun {
                tracing::error!(%error, "hand-overs that are left are not taken up");
            }
        }
        Ok(())
    }
}

fn carry(app: &App, left: &LeftTransfer) -> Result<(), Refusal> {
    let (registry, worker) = (app.vault.vitals(), &app.worker);
    let until = worker.until(registry);
    let Some(actor) = registry.take_up_transfer(left, worker.id(), until)? else {
        return Ok(());
    };
    let context = registry.context(actor, Uuid::now_v7().to_string());
    let owners = [left.owner().clone()];
    let detail = json!({"transfer": left.id(), "attempt": left.attempts() + 1});
    // Before anything comes: without the access log nothing is received.
    let logged = log(
        app,
        &context,
        "transfer-accept",
        &owners,
        detail.clone(),
        None,
    );
    if let Err(refusal) = logged {
        let again = worker.until(registry);
        registry.leave_carrying(left.owner(), left.id(), worker.id(), again, &refusal)?;
        return Err(refusal);
    }
    let carrying = Carrying {
        registry,
        peering: &app.config.peers,
        worker,
        context: &context,
        id: left.id(),
        controller: left.controller(),
        first: false,
    };
    match carrying.run(left.attempts() + 1) {
        Ok(_) => {
            tracing::info!(transfer = %left.id(), "a hand-over that was left is done");
            Ok(())
        }
        Err(refusal) => {
            log(
                app,
                &context,
                "transfer-accept",
                &owners,
                detail,
                Some(&refusal),
            )?;
            Err(refusal)
        }
    }
}
