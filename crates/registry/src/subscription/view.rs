//! What is shown of deliveries: from where to where in the log they went, as far as whoever looks may know places in it.

use grunddata_model::Instant;
use grunddata_store::{LogPlace, SentKind, SentRow};

use super::Subscription;
use crate::registry::refuse_store;
use crate::{Code, Context, FeedPosition, Refusal, Registry};

/// A delivery as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentDelivery {
    /// Counted from 1 for each subscription.
    pub number: u64,
    /// What was sent.
    pub kind: SentKind,
    /// When.
    pub sent_at: Instant,
    /// The delivery that it repeats.
    pub again_of: Option<u64>,
    /// The place after which its entries begin, as a reader of the feed may be told it.
    pub from: Option<FeedPosition>,
    /// The place of the last of them.
    pub to: Option<FeedPosition>,
    /// How many there were.
    pub entries: u32,
    /// The status that was answered.
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    pub millis: u32,
    /// Why it was not accepted.
    pub failure: Option<String>,
}

/// What somebody may know of places in a log.
enum Sight {
    Positions,
    /// Sealed cursors of this reader.
    Cursors(Box<Context>),
    None,
}

/// For how long deliveries are shown, in microseconds. Older ones are removed now and then.
const KEPT: i64 = 30 * 24 * 60 * 60 * 1_000_000;

impl Registry {
    /// The deliveries of a subscription, the latest first, those before a number.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn sent_deliveries(
        &self,
        context: &Context,
        subscription: &Subscription,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<SentDelivery>, Refusal> {
        let rows = self
            .inner
            .store
            .read(|reader| {
                reader.sent(
                    &subscription.owner,
                    subscription.id,
                    before,
                    i64::from(limit),
                )
            })
            .map_err(refuse_store)?;
        let sight = self.sight_of_places(context, subscription);
        let place = |place: &LogPlace| self.place_for(&sight, subscription, place);
        let old = context.now.micros().saturating_sub(KEPT);
        let recent = rows.into_iter().filter(|row| row.sent_at.micros() >= old);
        let shown = recent.map(|row| SentDelivery {
            from: place(&row.from),
            to: place(&LogPlace {
                position: row.to,
                ..row.from
            }),
            number: row.number,
            kind: row.kind,
            sent_at: row.sent_at,
            again_of: row.again_of,
            entries: row.entries,
            status: row.status,
            millis: row.millis,
            failure: row.failure,
        });
        Ok(shown.collect())
    }

    /// How far a subscription has come, as far as whoever looks may know places in the log.
    #[must_use]
    pub fn subscription_place(
        &self,
        context: &Context,
        subscription: &Subscription,
    ) -> Option<FeedPosition> {
        let sight = self.sight_of_places(context, subscription);
        self.place_for(&sight, subscription, &subscription.standing.place)
    }

    fn sight_of_places(&self, context: &Context, subscription: &Subscription) -> Sight {
        if self.may_know_positions(context, &subscription.owner) {
            Sight::Positions
        } else if context.actor.client == subscription.reader.client {
            let reading = self.reading_context(context, &subscription.reader);
            reading.map_or(Sight::None, |reading| Sight::Cursors(Box::new(reading)))
        } else {
            Sight::None
        }
    }

    fn place_for(
        &self,
        sight: &Sight,
        subscription: &Subscription,
        place: &LogPlace,
    ) -> Option<FeedPosition> {
        match sight {
            Sight::Positions => Some(FeedPosition::Position(place.position)),
            Sight::Cursors(reading) => self.shown_place(reading, &subscription.owner, place).ok(),
            Sight::None => None,
        }
    }

    /// One delivery of entries, from where to where it went.
    ///
    /// # Errors
    /// [`Code::NotFound`] when it is not kept, [`Code::SubscriptionState`] when there were no entries in it.
    pub fn sent_delivery(
        &self,
        subscription: &Subscription,
        number: u64,
    ) -> Result<SentRow, Refusal> {
        let rows = self
            .inner
            .store
            .read(|reader| {
                let before = Some(number.saturating_add(1));
                reader.sent(&subscription.owner, subscription.id, before, 1)
            })
            .map_err(refuse_store)?;
        let found = rows.into_iter().find(|row| row.number == number);
        let found = found.ok_or_else(|| {
            Refusal::new(
                Code::NotFound,
                "There is no such delivery: the last 1,000 are kept, for 30 days. Replay from a place instead.",
            )
        })?;
        if found.kind != SentKind::Entries {
            return Err(Refusal::new(
                Code::SubscriptionState,
                "There were no entries of the log in that delivery: there is nothing to send again.",
            ));
        }
        Ok(found)
    }
}
