//! The feed: an owner's log from a position on, as far as the reader is shown it (`docs/feed.md`, `docs/adr/0015`).
//!
//! Who is shown the whole of an owner gets the positions of the log. All others get sealed cursors: what is hidden from
//! them leaves holes in the positions, and those would tell of it.

mod cursor;
mod epoch;
mod proof;
mod resume;
mod step;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use grunddata_log_proof::entry::{EntryProof, Opening};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{Domain, Instant, OwnerKey, Period, RecordId, TransactionId};
use grunddata_store::{ChangeFilter, LogPlace, LogWatch, Operation};

use crate::registry::refuse_store;
use crate::{ChangeKind, Code, Context, Refusal, Registry, TimelineItem, fact, nearest};

use cursor::{FeedKey, Place};
use epoch::Epochs;

pub use proof::{LogEpoch, LogKey, LogProof, SignedHead};
pub use resume::{Resumed, is_of_whole};

/// The words of what changes do; they choose in a feed.
pub const FEED_KINDS: [&str; 13] = [
    "create",
    "replace",
    "amend",
    "end",
    "revive",
    "retract",
    "revert",
    "follow",
    "merge",
    "erase",
    "effective",
    "transferred",
    "received",
];

/// Which entries of a log are asked for; what is empty or absent does not choose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedFilter {
    choice: ChangeFilter,
    states: bool,
    proofs: bool,
    epoch: Option<u64>,
    copy: bool,
}

impl FeedFilter {
    /// Only of records of these domains.
    #[must_use]
    pub fn of_domains(mut self, domains: Vec<Domain>) -> Self {
        self.choice.domains = domains;
        self
    }

    /// Only of this record.
    #[must_use]
    pub fn of_record(mut self, record: Option<RecordId>) -> Self {
        self.choice.record = record;
        self
    }

    /// Only of records for which this organisation is responsible now.
    #[must_use]
    pub fn of_controller(mut self, controller: Option<RecordId>) -> Self {
        self.choice.controller = controller;
        self
    }

    /// Only of these kinds, as they are written ([`FEED_KINDS`]).
    ///
    /// # Errors
    /// [`Code::InvalidParameter`] with the nearest known kind.
    pub fn of_kinds<'a>(
        mut self,
        kinds: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Refusal> {
        for kind in kinds {
            let operation = Operation::from_name(kind).ok_or_else(|| {
                let shown: String = kind.chars().take(40).collect();
                let near = nearest(kind, FEED_KINDS)
                    .map(|near| format!(" Did you mean {near}?"))
                    .unwrap_or_default();
                Refusal::new(
                    Code::InvalidParameter,
                    format!(
                        "No change is of the kind \"{shown}\": they are {}.{near}",
                        FEED_KINDS.join(", ")
                    ),
                )
                .fact(fact::PARAMETER, "kind")
            })?;
            self.choice.operations.push(operation);
        }
        Ok(self)
    }

    /// With the states that were believed at each change, and with who wrote it and why.
    #[must_use]
    pub fn with_states(mut self, states: bool) -> Self {
        self.states = states;
        self
    }

    /// With what is needed to compute the leaf of each entry (`docs/log.md`). Only for readers of the whole owner.
    #[must_use]
    pub fn with_proofs(mut self, proofs: bool) -> Self {
        self.proofs = proofs;
        self
    }

    /// In which epoch of the log the position was given after which to begin; `None` = it is not said.
    #[must_use]
    pub fn of_epoch(mut self, epoch: Option<u64>) -> Self {
        self.epoch = epoch;
        self
    }

    /// With everything of which a copy is made: the states as they are stored, and what belongs to them.
    #[must_use]
    pub fn for_copies(mut self, copy: bool) -> Self {
        self.copy = copy;
        self.states |= copy;
        self
    }
}

/// One entry of a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedEntry {
    /// Where the feed goes on after it: its position for readers of the whole owner, a sealed cursor for others.
    pub after: FeedPosition,
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// What happened.
    pub content: FeedContent,
    /// The same as `after`, as it is kept and never shown.
    place: LogPlace,
    /// What tells a withdrawal from others.
    mark: Option<[u8; 16]>,
}

/// A place in a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedPosition {
    /// The position in the owner's log, from 1; 0 = before everything.
    Position(u64),
    /// A sealed cursor.
    Cursor(String),
}

impl std::fmt::Display for FeedPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Position(position) => position.fmt(f),
            Self::Cursor(cursor) => f.write_str(cursor),
        }
    }
}

/// What an entry tells.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedContent {
    /// A write was accepted.
    Change(Box<FeedChange>),
    /// The record came under protection and is not shown any more: what is held of it is to be removed, with what is
    /// identified by it. Nothing else is told.
    Withdrawn,
}

/// A write.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedChange {
    /// Which operation, as it is written ([`FEED_KINDS`]).
    pub kind: &'static str,
    /// The version that it made; of `effective`, which makes none, the one that the record had come to.
    pub version: u32,
    /// When it was recorded.
    pub recorded_at: Instant,
    /// The transaction that it belongs to.
    pub transaction: TransactionId,
    /// Change or correction.
    pub change_kind: ChangeKind,
    /// The version that it corrects.
    pub corrects: Option<u32>,
    /// The part of valid time that it was about; not of one that was about what is hidden from the reader.
    pub touched: Option<Period>,
    /// The states that were believed then, where they are asked for.
    pub states: Option<FeedStates>,
    /// What a copy needs beside the states, which are then as they are stored.
    pub copy: Option<FeedCopy>,
}

/// What a copy needs to know of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCopy {
    /// The record's controller of now.
    pub controller: Option<RecordId>,
    /// Where the record comes from, where that is not the owner: JSON.
    pub origin: Option<String>,
    /// The record that it is merged into by now.
    pub forward_to: Option<RecordId>,
    /// Whether it is erased by now.
    pub erased: bool,
    /// The hash of the timeline in the log, for readers who are shown all of it.
    pub hash: Option<[u8; 32]>,
    /// The geometries that the states name: SHA-256 in hexadecimal and JSON.
    pub geometries: Vec<(String, String)>,
    /// Its leaf in the tree of the log, for readers who are shown and told all of it.
    pub leaf: Option<Hash>,
    /// What opens the leaf; not of an entry that leads to what the reader is not shown.
    pub opening: Option<Opening>,
}

/// What comes with a change where states are asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedStates {
    /// Every state by valid time, as believed at the change and as far as the reader is shown it. Empty after a retraction
    /// and after an erasure.
    pub states: Vec<TimelineItem>,
    /// Who wrote; like the next two only for those who read the owner's records as a whole.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// From which source.
    pub source: Option<String>,
    /// What is needed to compute the leaf, where it is asked for.
    pub proof: Option<Box<EntryProof>>,
}

/// A record that came under a stronger protection further on in the log than the reader has come. Whoever keeps something
/// of it reads it anew at once, and is shown what it may keep; the change itself comes where it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reread {
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// What tells this raise from others.
    mark: [u8; 16],
}

/// What was found by one look at the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeedStep {
    /// What is to be read anew before any of the entries is looked at.
    pub reread: Vec<Reread>,
    /// In order.
    pub entries: Vec<FeedEntry>,
    /// Whether that was all that there is so far (or up to where the feed ends).
    pub caught_up: bool,
}

/// Somebody who reads an owner's log on and on.
#[derive(Debug, Clone)]
pub struct Feed {
    owner: OwnerKey,
    filter: FeedFilter,
    /// Everything up to here has been looked at.
    position: u64,
    /// Since when the reader has followed: since it began, or since it was last told everything that there was.
    since: Instant,
    /// How far the log had come when the reader began to read on after that; `None` = it has been told everything.
    begun: Option<Instant>,
    /// What the reader was shown of the owner when it began.
    rights: [u8; 16],
    /// The epoch of the log.
    epoch: u64,
    /// The positions beyond that of changes by which a protection was raised, of which the reader was told already.
    raised: BTreeSet<u64>,
    /// Whether it tells of what is to be read anew further on.
    looks_ahead: bool,
    /// For readers who are not shown the whole owner.
    key: Option<Arc<FeedKey>>,
    /// Whether it ends where the log ends when it is looked at first.
    ends: bool,
    /// Where that is, and when the log came there.
    until: Option<(u64, Instant)>,
}

/// The keys of the owners' feeds, each read once.
#[derive(Default)]
pub(crate) struct FeedKeys(RwLock<HashMap<OwnerKey, Arc<FeedKey>>>);

impl Feed {
    /// Whose log.
    #[must_use]
    pub fn owner(&self) -> &OwnerKey {
        &self.owner
    }

    /// Where the feed goes on.
    ///
    /// # Errors
    /// [`Code::Internal`] when no cursor can be sealed.
    pub fn after(&self) -> Result<FeedPosition, Refusal> {
        self.at(self.position)
    }

    /// The epoch of the log.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How far the log has been looked through. For waiting, never to be shown.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.position
    }

    /// Ends the feed where the log ends when it is looked at first: what is recorded later is not in it.
    #[must_use]
    pub fn to_the_end(mut self) -> Self {
        self.ends = true;
        self
    }

    fn at(&self, position: u64) -> Result<FeedPosition, Refusal> {
        match &self.key {
            None => Ok(FeedPosition::Position(position)),
            Some(key) => {
                let place = Place {
                    position,
                    epoch: self.epoch,
                    since: self.since,
                    begun: self.begun,
                    rights: self.rights,
                };
                key.seal(&place).map(FeedPosition::Cursor)
            }
        }
    }
}

impl Registry {
    /// Begins to read an owner's log after a place: `None` and `0` = everything, `now` = nothing that is there already, a
    /// position, or a cursor. Blocks shortly.
    ///
    /// # Errors
    /// [`Code::UnknownOwner`], [`Code::Forbidden`] or [`Code::Unauthenticated`] for who is shown nothing of the owner, [`Code::InvalidCursor`],
    /// [`Code::AccessChanged`], [`Code::LogForked`].
    pub fn feed(
        &self,
        context: &Context,
        owner: &OwnerKey,
        after: Option<&str>,
        filter: FeedFilter,
    ) -> Result<Feed, Refusal> {
        let visibility = self.visibility(context)?;
        let head = self
            .inner
            .store
            .read(|reader| {
                let epochs = Epochs {
                    now: reader.log_epoch(owner)?.unwrap_or_default(),
                    after_first: reader.log_epochs(owner)?,
                };
                Ok(reader.log_head(owner)?.map(|head| (head, epochs)))
            })
            .map_err(refuse_store)?;
        let Some(((head, last), epochs)) = head else {
            return Err(refuse_store(grunddata_store::StoreError::UnknownOwner(
                owner.clone(),
            )));
        };
        if !visibility.sees_of(owner) {
            let code = if context.actor.is_anonymous() {
                Code::Unauthenticated
            } else {
                Code::Forbidden
            };
            return Err(Refusal::new(
                code,
                format!("Your grants show nothing of {owner}, and so nothing of its log."),
            ));
        }
        let whole = visibility.sees_all_of(owner);
        if filter.proofs && !whole {
            return Err(proof::not_whole(context, owner));
        }
        let epoch = filter.epoch;
        let key = if whole {
            None
        } else {
            Some(self.feed_key(owner)?)
        };
        let mut feed = Feed {
            owner: owner.clone(),
            filter,
            position: 0,
            since: last,
            begun: None,
            rights: visibility.fingerprint(owner),
            epoch: epochs.now,
            raised: BTreeSet::new(),
            looks_ahead: true,
            key,
            ends: false,
            until: None,
        };
        match (after, whole) {
            (None | Some("0"), _) => {}
            (Some("now"), _) => feed.position = head,
            (Some(text), true) => match text.parse::<u64>() {
                Ok(position) => {
                    epochs
                        .holds(epoch.unwrap_or(epochs.now), position)
                        .map_err(|fork| epochs.forked(owner, fork))?;
                    feed.position = position;
                }
                // It was given when less was shown.
                Err(_) if self.feed_key(owner)?.open(text).is_some() => {
                    return Err(access_changed());
                }
                Err(_) => return Err(invalid(owner)),
            },
            (Some(text), false) => {
                let place = feed.key.as_ref().and_then(|key| key.open(text));
                let Some(place) = place else {
                    // A position was given when the whole was shown.
                    return Err(match text.parse::<u64>() {
                        Ok(_) => access_changed(),
                        Err(_) => invalid(owner),
                    });
                };
                if place.rights != feed.rights {
                    return Err(access_changed());
                }
                if epochs.holds(place.epoch, place.position).is_err() {
                    return Err(epochs.forked_cursor(owner));
                }
                (feed.position, feed.since) = (place.position, place.since);
                feed.begun = place.begun;
            }
        }
        if feed.filter.copy && self.copies()?.get(owner).is_some_and(|copy| !copy.whole) {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!("What this registry has of {owner} is itself a copy of a part: copy it from where it belongs."),
            )
            .fact(fact::PARAMETER, "content"));
        }
        if feed.position > head {
            if let Some(fork) = epochs.fork() {
                return Err(if whole {
                    epochs.forked(owner, fork)
                } else {
                    epochs.forked_cursor(owner)
                });
            }
            return Err(Refusal::new(
                Code::InvalidCursor,
                format!("The log of {owner} does not go that far: it may have been restored from a backup. Begin again with after=0."),
            )
            .fact(fact::PARAMETER, "after"));
        }
        Ok(feed)
    }

    /// Tells when the log of the feed's owner has gone on.
    ///
    /// # Errors
    /// [`Code::Busy`].
    pub fn watch_feed(&self, feed: &Feed) -> Result<LogWatch, Refusal> {
        self.inner.store.follow(&feed.owner).map_err(refuse_store)
    }

    fn feed_key(&self, owner: &OwnerKey) -> Result<Arc<FeedKey>, Refusal> {
        let keys = &self.inner.feed_keys.0;
        let kept = keys.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = kept.get(owner) {
            return Ok(Arc::clone(key));
        }
        drop(kept);
        let fresh = cursor::random()?;
        let secret = self.inner.store.feed_key(owner, &fresh);
        let key = Arc::new(FeedKey::new(owner.clone(), &secret.map_err(refuse_store)?)?);
        let mut kept = keys.write().unwrap_or_else(PoisonError::into_inner);
        kept.insert(owner.clone(), Arc::clone(&key));
        Ok(key)
    }
}

fn invalid(owner: &OwnerKey) -> Refusal {
    Refusal::new(
        Code::InvalidCursor,
        format!("after is no place in the log of {owner} that was given to you: take it from the last answer as it is, or begin again with after=0."),
    )
    .fact(fact::PARAMETER, "after")
}

fn access_changed() -> Refusal {
    Refusal::new(
        Code::AccessChanged,
        "What your grants show of the owner has changed since. Begin again with after=0, and remove what does not come any more.",
    )
}
