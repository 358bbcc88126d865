//! Subscriptions: an owner's log sent to an address, in the name of a reader (`docs/subscriptions.md`, `docs/adr/0019`). What
//! is sent, when and how is the server's; here is who may have which, and how each stands.

mod manage;
mod reader;
mod settings;
mod view;

use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{Standing, SubscriptionRow};
use uuid::Uuid;

pub use manage::{NewSubscription, SecretRotation, SubscriptionEdit};
pub use reader::SubscriptionReader;
pub use settings::{ContentMode, SubscriptionSettings};
pub use view::SentDelivery;

use crate::Refusal;

/// An hour in microseconds.
const HOUR: i64 = 60 * 60 * 1_000_000;

/// A subscription.
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Whose log.
    pub owner: OwnerKey,
    /// The id.
    pub id: Uuid,
    /// Counted up by every change that somebody makes.
    pub version: u32,
    /// What is said of it.
    pub settings: SubscriptionSettings,
    /// Whose access it has.
    pub reader: SubscriptionReader,
    /// When it was made.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When somebody last changed it.
    pub changed_at: Instant,
    /// How it stands.
    pub standing: Standing,
    /// The number of its last delivery.
    pub deliveries: u64,
    secret: Vec<u8>,
    former: Option<(Vec<u8>, Instant)>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("owner", &self.owner)
            .field("id", &self.id)
            .field("version", &self.version)
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    /// With what a delivery is signed at an instant, the newest first: two of them for a while after a change.
    pub fn secrets(&self, now: Instant) -> impl Iterator<Item = &[u8]> {
        let former = self.former.as_ref().filter(|(_, until)| *until > now);
        [
            Some(self.secret.as_slice()),
            former.map(|(secret, _)| secret.as_slice()),
        ]
        .into_iter()
        .flatten()
    }

    /// Until when the secret before the present one signs as well.
    #[must_use]
    pub fn former_until(&self) -> Option<Instant> {
        self.former.as_ref().map(|(_, until)| *until)
    }

    /// Since when it has been silent at an instant: when something should have been accepted at the latest.
    #[must_use]
    pub fn silent_since(&self, now: Instant) -> Option<Instant> {
        // What somebody has paused is meant to be silent; what was stopped is not.
        if self.standing.state == grunddata_store::SubscriptionState::Paused {
            return None;
        }
        let hours = i64::from(self.settings.silent_after_hours?);
        let heard = self.standing.succeeded_at.unwrap_or(self.created_at);
        let heard = heard.max(self.changed_at);
        let due = Instant::from_micros(heard.micros().saturating_add(hours.saturating_mul(HOUR)));
        (due <= now).then_some(due)
    }

    /// When a sign of life is due: after half of the time without anything that was accepted.
    #[must_use]
    pub fn alive_at(&self, succeeded_at: Option<Instant>) -> Option<Instant> {
        let hours = i64::from(self.settings.silent_after_hours?);
        let heard = succeeded_at.unwrap_or(self.created_at);
        let half = hours.saturating_mul(HOUR / 2);
        Some(Instant::from_micros(heard.micros().saturating_add(half)))
    }
}

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = Refusal;

    fn try_from(row: SubscriptionRow) -> Result<Self, Refusal> {
        let unreadable = |error: serde_json::Error| {
            tracing::error!(%error, subscription = %row.id, "a stored subscription cannot be read");
            Refusal::internal()
        };
        Ok(Self {
            settings: serde_json::from_str(&row.content).map_err(unreadable)?,
            reader: serde_json::from_str(&row.reader).map_err(unreadable)?,
            owner: row.owner,
            id: row.id,
            version: row.version,
            created_at: row.created_at,
            created_by: row.created_by,
            changed_at: row.changed_at,
            standing: row.standing,
            deliveries: row.deliveries,
            secret: row.secret,
            former: row.former_secret.zip(row.former_until),
        })
    }
}
