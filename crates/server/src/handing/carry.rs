//! Carrying a hand-over out, step by step. What was begun is noted in the database before anything is held, so that it goes on
//! whoever is ended when (ADR 0024).

use std::time::Duration;

use grunddata_model::{Instant, OwnerKey, RecordId};
use grunddata_registry::{Code, Context, Refusal, Registry, Transfer};
use serde_json::json;
use uuid::Uuid;

use super::proven::fetched;
use super::{NOT_REACHED, remote, told};
use crate::loads::collect::Worker;
use crate::peers::Peering;

/// The longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Accepts a hand-over and carries it out, wherever the giver is. One that was broken off goes on from where it was; what
/// cannot be ended now goes on by itself where a server runs.
///
/// # Errors
/// [`Code::OtherRegistry`] when the giver's registry cannot be asked, or what it hands over is not what its log has; those of
/// the registry.
pub fn accept(
    registry: &Registry,
    peering: &Peering,
    worker: &Worker,
    context: &Context,
    id: Uuid,
    controller: Option<RecordId>,
) -> Result<Transfer, Refusal> {
    let until = worker.until(registry);
    let begun = registry.begin_carrying(context, id, controller, worker.id(), until)?;
    let Some(attempts) = begun else {
        // Done already, or not to be carried out from here: the registry says which.
        let shown = registry.transfer(context, id)?;
        if shown.state_of("receiver") == Some("done") {
            return Ok(shown);
        }
        return registry.accept_transfer(context, id, controller);
    };
    let carrying = Carrying {
        registry,
        peering,
        worker,
        context,
        id,
        controller,
        first: true,
    };
    carrying.run(attempts)
}

/// A hand-over that is carried out.
pub(super) struct Carrying<'a> {
    pub(super) registry: &'a Registry,
    pub(super) peering: &'a Peering,
    pub(super) worker: &'a Worker,
    pub(super) context: &'a Context,
    pub(super) id: Uuid,
    pub(super) controller: Option<RecordId>,
    /// Whether somebody waits for the answer who has just accepted: what was not begun is theirs to ask for again.
    pub(super) first: bool,
}

impl Carrying<'_> {
    /// Carries it out from where it is, and notes what came of it.
    pub(super) fn run(&self, attempts: u32) -> Result<Transfer, Refusal> {
        let mut sent = !self.first;
        let outcome = self.steps(&mut sent);
        let receiver = match &outcome {
            Ok(done) => done.receiver.clone(),
            Err(_) => self.registry.transfer(self.context, self.id)?.receiver,
        };
        let noted = match &outcome {
            Ok(_) => self.registry.end_carrying(&receiver, self.id),
            Err(why) => self.left(&receiver, sent, attempts, why),
        };
        if let Err(refusal) = noted {
            tracing::warn!(transfer = %self.id, code = refusal.code.as_str(), "how far a hand-over is cannot be noted: it is taken up again");
        }
        // As it stands now that it is noted.
        outcome.and_then(|_| self.registry.transfer(self.context, self.id))
    }

    fn left(
        &self,
        receiver: &OwnerKey,
        sent: bool,
        attempts: u32,
        why: &Refusal,
    ) -> Result<(), Refusal> {
        if self.is_off(sent, why)? {
            return self.registry.end_carrying(receiver, self.id);
        }
        let again = after(self.registry.now(), self.peering.backoff, attempts);
        self.registry
            .leave_carrying(receiver, self.id, self.worker.id(), again, why)
    }

    /// Whether nothing of it was begun, or it has ended: then it does not go on by itself.
    fn is_off(&self, sent: bool, why: &Refusal) -> Result<bool, Refusal> {
        let shown = self.registry.transfer(self.context, self.id)?;
        let ended = |side| matches!(shown.state_of(side), Some("refused" | "withdrawn" | "done"));
        Ok(
            match (shown.state_of("giver"), shown.state_of("receiver")) {
                (Some("offered" | "refused" | "withdrawn"), None) => true,
                (Some(_), None) => false,
                (_, Some("offered")) => {
                    // Whether the giver holds it is for the giver to say, and where it cannot be asked it may.
                    let given: Result<Transfer, Refusal> = remote(self.peering, &shown)
                        .and_then(|remote| super::asked(&remote, self.id));
                    match given {
                        // Nobody waits for the answer who could ask again: where the giver could not be reached a moment
                        // ago, and does not hold it, it is still to be asked.
                        Ok(given) if given.state_of("giver") == Some("offered") => {
                            self.first || !is_passing(why)
                        }
                        Ok(given) => given.state_of("giver") != Some("accepted"),
                        Err(_) => !sent,
                    }
                }
                (Some(_), Some(_)) => ended("receiver") && ended("giver"),
                (None, _) => ended("receiver"),
            },
        )
    }

    /// Goes from step to step. `sent` is set when the giver elsewhere is asked to hold the records.
    fn steps(&self, sent: &mut bool) -> Result<Transfer, Refusal> {
        let (registry, context, id) = (self.registry, self.context, self.id);
        let shown = registry.transfer(context, id)?;
        if shown.state_of("giver").is_some() {
            while registry.advance_transfer(context, id, self.controller)? {
                self.go_on()?;
            }
            return registry.transfer(context, id);
        }
        let remote = remote(self.peering, &shown)?;
        loop {
            self.go_on()?;
            let shown = registry.transfer(context, id)?;
            match shown.state_of("receiver") {
                Some("offered") => {
                    // What cannot be received is told before anything is held.
                    let page = fetched(registry, &remote, &shown, id)?;
                    registry.try_transfer(context, id, page)?;
                    *sent = true;
                    let held: Transfer = told(&remote, id, "hold", &json!({}))?;
                    registry.note_held(context, id, held.content.items, self.controller)?;
                }
                Some("accepted") => {
                    let page = fetched(registry, &remote, &shown, id)?;
                    registry.receive_transfer(context, id, page)?;
                }
                Some("received") => {
                    let _: Transfer = told(&remote, id, "confirm", &json!({}))?;
                    registry.finish_transfer(context, id)?;
                }
                Some("done") => return Ok(shown),
                state => {
                    return Err(Refusal::new(
                        Code::TransferState,
                        format!(
                            "The hand-over is {}: ask the giver for another one.",
                            state.unwrap_or_default()
                        ),
                    ));
                }
            }
        }
    }

    /// Between two steps: whether the program stops.
    fn go_on(&self) -> Result<(), Refusal> {
        let stopping = self.worker.stopping();
        if stopping.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(Refusal::new(
                Code::Busy,
                "The server stops. What was done stays, and goes on when it runs again.",
            ));
        }
        Ok(())
    }
}

/// Whether it may go another time: the giver was not reached, or the program stops.
fn is_passing(why: &Refusal) -> bool {
    let reason = why.facts.get("reason");
    why.code == Code::Busy || reason.and_then(|reason| reason.as_str()) == Some(NOT_REACHED)
}

/// When it is tried again: later each time, and never at the same moment as others.
fn after(now: Instant, backoff: Duration, attempts: u32) -> Instant {
    let doubled = backoff.saturating_mul(1 << attempts.saturating_sub(1).min(10));
    let random = Uuid::now_v7().as_bytes().last().copied();
    let jitter = 0.5 + f64::from(random.unwrap_or_default()) / 256.0;
    let pause = doubled.min(LONGEST_PAUSE).mul_f64(jitter);
    let pause = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
    Instant::from_micros(now.micros().saturating_add(pause))
}
