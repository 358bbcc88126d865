//! What a target is told before the next entries: that records came under a stronger protection further on in the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use grunddata_registry::{ContentMode, SentKind, SentRow, SubscriptionState as State};

use super::{Tending, row};
use crate::hooks::event::{Event, Message};
use crate::hooks::look::Step;

impl Tending {
    /// Sends what is to be read anew, and remembers that it was told. Whether all of it was accepted.
    pub(super) async fn send_ahead(&mut self, step: &Step) -> bool {
        let shared = Arc::clone(&self.shared);
        let subscription = Arc::clone(&self.subscription);
        let at_once = match subscription.settings.mode {
            ContentMode::Batch => shared.sending().batch_events.max(1),
            _ => 1,
        };
        let at = self.standing.place;
        for some in step.reread.chunks(at_once) {
            let events: Vec<Event> = some
                .iter()
                .map(|reread| Event::of_reread(&shared.origin, &subscription.owner, reread))
                .collect();
            let message = Message::of(subscription.settings.mode, &events);
            let sent = self.send(&message).await;
            let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
            let told = SentRow {
                to: at.position,
                entries: count,
                ..row(SentKind::Entries, at, &sent)
            };
            let accepted = sent.failure.is_none();
            if accepted {
                let events = &shared.app.hooks.events;
                events.fetch_add(u64::from(count), Ordering::Relaxed);
            }
            self.note(&sent, told, false).await;
            if !accepted || self.is_over() || self.standing.state != State::Active {
                return false;
            }
        }
        self.told_ahead.clone_from(&step.told_ahead);
        true
    }
}
