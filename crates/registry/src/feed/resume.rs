//! Going on with a feed from a place that the registry itself has kept: for subscriptions, which are read in the name of
//! somebody who does not ask.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grunddata_model::OwnerKey;
use grunddata_store::LogPlace;
use sha2::{Digest as _, Sha256};

use super::{Feed, FeedContent, FeedEntry, FeedFilter, FeedPosition, Reread};
use crate::{Context, Refusal, Registry};

/// In the place of what a reader was shown: the whole of the owner.
const WHOLE: [u8; 16] = [0xff; 16];

/// Whether a place is one of a reader of the whole owner.
#[must_use]
pub fn is_of_whole(place: &LogPlace) -> bool {
    place.rights == WHOLE
}

/// What comes of going on.
#[derive(Debug)]
pub enum Resumed {
    /// It goes on.
    Feed(Box<Feed>),
    /// The reader is shown something else than when the place was kept. The same place with what is shown now.
    AccessChanged(LogPlace),
}

impl Feed {
    /// Where it goes on, to be kept.
    #[must_use]
    pub fn kept(&self) -> LogPlace {
        self.kept_at(self.position)
    }

    pub(super) fn kept_at(&self, position: u64) -> LogPlace {
        LogPlace {
            position,
            since: self.since,
            begun: self.begun,
            rights: if self.key.is_none() {
                WHOLE
            } else {
                self.rights
            },
        }
    }
}

impl FeedEntry {
    /// Where the feed goes on after it, to be kept.
    #[must_use]
    pub fn kept(&self) -> LogPlace {
        self.place
    }

    /// What tells the entry from all others of all owners: the same for every reader and at every reading.
    #[must_use]
    pub fn id(&self, owner: &OwnerKey) -> String {
        let mut hash = Sha256::new();
        hash.update(owner.as_str().as_bytes());
        hash.update([0]);
        hash.update(self.record.to_string().as_bytes());
        match (&self.content, &self.mark) {
            (FeedContent::Change(change), _) => {
                hash.update(change.version.to_be_bytes());
                hash.update(change.recorded_at.micros().to_be_bytes());
                hash.update(change.kind.as_bytes());
                // Of one record several days may be told together, all without a version of their own.
                if let Some(touched) = change.touched.filter(|_| change.kind == "effective") {
                    hash.update(touched.from().to_string().as_bytes());
                }
            }
            (_, Some(mark)) => hash.update(mark),
            (_, None) => {}
        }
        let hash = hash.finalize();
        URL_SAFE_NO_PAD.encode(hash.iter().copied().take(16).collect::<Vec<u8>>())
    }
}

impl Reread {
    /// What tells it from others: the same whenever the same raise is told of, whoever asks.
    #[must_use]
    pub fn id(&self, owner: &OwnerKey) -> String {
        let mut hash = Sha256::new();
        hash.update(owner.as_str().as_bytes());
        hash.update([1]);
        hash.update(self.record.to_string().as_bytes());
        hash.update(self.mark);
        let hash = hash.finalize();
        URL_SAFE_NO_PAD.encode(hash.iter().copied().take(16).collect::<Vec<u8>>())
    }
}

impl Feed {
    /// Takes on what its reader was told before of what is to be read anew ([`told_ahead`](Self::told_ahead)).
    #[must_use]
    pub fn having_told(mut self, raised: BTreeSet<u64>) -> Self {
        self.raised = raised;
        self
    }

    /// What the reader has been told of what is to be read anew: kept as long as somebody reads on. Never to be shown.
    #[must_use]
    pub fn told_ahead(&self) -> &BTreeSet<u64> {
        &self.raised
    }
}

impl Registry {
    /// Goes on from a place that was kept, with what the reader is shown now.
    ///
    /// # Errors
    /// [`Code::UnknownOwner`](crate::Code::UnknownOwner), [`Code::Forbidden`](crate::Code::Forbidden) for who is shown nothing
    /// of the owner any more, [`Code::InvalidCursor`](crate::Code::InvalidCursor) when the log has become shorter.
    pub fn resume_feed(
        &self,
        context: &Context,
        owner: &OwnerKey,
        place: &LogPlace,
        filter: FeedFilter,
    ) -> Result<Resumed, Refusal> {
        let mut feed = self.feed(context, owner, Some("0"), filter)?;
        let now = feed.kept().rights;
        if now != place.rights {
            let moved = LogPlace {
                rights: now,
                ..*place
            };
            return Ok(Resumed::AccessChanged(moved));
        }
        (feed.position, feed.since, feed.begun) = (place.position, place.since, place.begun);
        Ok(Resumed::Feed(Box::new(feed)))
    }

    /// The part of a log between a place and a position, with what the reader is shown now.
    ///
    /// # Errors
    /// Those of [`Registry::resume_feed`].
    pub fn feed_between(
        &self,
        context: &Context,
        owner: &OwnerKey,
        from: &LogPlace,
        to: u64,
        filter: FeedFilter,
    ) -> Result<Feed, Refusal> {
        let mut feed = self.feed(context, owner, Some("0"), filter)?;
        (feed.position, feed.since, feed.begun) = (from.position, from.since, from.begun);
        feed.ends = true;
        feed.until = Some((to, from.since));
        // What was sent is sent again, and nothing besides.
        feed.looks_ahead = false;
        Ok(feed)
    }

    /// A place as the reader is shown it: a position, or a sealed cursor with what the reader is shown now.
    ///
    /// # Errors
    /// Those of [`Registry::resume_feed`].
    pub fn shown_place(
        &self,
        context: &Context,
        owner: &OwnerKey,
        place: &LogPlace,
    ) -> Result<FeedPosition, Refusal> {
        let mut feed = self.feed(context, owner, Some("0"), FeedFilter::default())?;
        (feed.since, feed.begun) = (place.since, place.begun);
        feed.at(place.position)
    }
}
