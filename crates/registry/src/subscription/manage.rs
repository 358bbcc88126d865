//! Subscriptions made, changed, paused, begun again, and removed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{Standing, SubscriptionChange, SubscriptionRow, SubscriptionState as State};
use serde_json::json;
use uuid::Uuid;

use super::reader::looks_after;
use super::{Subscription, SubscriptionReader, SubscriptionSettings};
use crate::registry::refuse_store;
use crate::{
    Action, Code, Context, FeedFilter, IfMatch, MOST_OVERLAP_DAYS, OVERLAP_DAYS, Refusal, Registry,
    fact,
};

/// The most subscriptions of one reader, and of one owner.
const MOST_OF_READER: usize = 1_000;
const MOST_OF_OWNER: usize = 5_000;
const MICROS_A_DAY: i64 = 86_400_000_000;
/// What every secret begins with (Standard Webhooks).
const PREFIX: &str = "whsec_";

/// A subscription to be made.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// Whose log.
    pub owner: OwnerKey,
    /// What is said of it.
    pub settings: SubscriptionSettings,
    /// Where it begins: as `after` of the feed; `None` = with what is recorded from now on.
    pub after: Option<String>,
    /// Whose access it has.
    pub reader: SubscriptionReader,
}

/// What somebody does with a subscription.
#[derive(Debug, Clone)]
pub enum SubscriptionEdit {
    /// Says something else of it. A new target is asked anew.
    Settings(Box<SubscriptionSettings>),
    /// Sends nothing for a while.
    Pause,
    /// Sends again, at once; also what was stopped, and what waits after failures.
    Resume,
    /// Sends again what comes after that place, as `after` of the feed.
    Replay(String),
    /// Sends that delivery again.
    SendAgain(u64),
}

/// How a secret is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretRotation {
    /// For how many days the old one signs as well.
    pub overlap_days: u32,
}

impl Default for SecretRotation {
    fn default() -> Self {
        Self {
            overlap_days: OVERLAP_DAYS,
        }
    }
}

fn fresh_secret() -> Result<Vec<u8>, Refusal> {
    let mut random = vec![0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bits");
        Refusal::internal()
    })?;
    Ok(random)
}

fn written(secret: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

fn moved(version: u32) -> Refusal {
    Refusal::new(
        Code::PreconditionFailed,
        format!(
            "The subscription is in version {version} now: read it again before you change it."
        ),
    )
    .fact(fact::VERSION, version)
}

fn state(detail: impl Into<String>) -> Refusal {
    Refusal::new(Code::SubscriptionState, detail)
}

impl Registry {
    /// Makes a subscription, and shows its secret once. It is to be verified before anything of the log is sent.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] for a reader without a token, [`Code::UnknownOwner`], [`Code::Forbidden`] for one who is shown
    /// nothing of the owner, [`Code::InvalidCursor`], [`Code::TooManyItems`].
    pub fn create_subscription(
        &self,
        context: &Context,
        new: NewSubscription,
    ) -> Result<(Subscription, String), Refusal> {
        let told = json!({"subscription": new.settings.name, "target": new.settings.target, "reader": new.reader.name});
        context.disclosed.acted([new.owner.clone()], told);
        if new.reader.client.is_empty() {
            return Err(Refusal::new(
                Code::Unauthenticated,
                "A subscription has somebody's access: send a token.",
            ));
        }
        let reading = self.reading_context(context, &new.reader)?;
        let after = new.after.as_deref().or(Some("now"));
        let feed = self
            .feed(&reading, &new.owner, after, new.settings.filter()?)
            .map_err(|refusal| match refusal.code {
                Code::Forbidden => Refusal::new(
                    Code::Forbidden,
                    format!("A subscription sees what is granted to its reader itself, and that shows nothing of {}. What is granted to groups does not count: nobody tells here when somebody leaves one.", new.owner),
                ),
                _ => refusal,
            })?;
        let present = self
            .inner
            .store
            .read(|reader| reader.subscriptions(Some(&new.owner)))
            .map_err(refuse_store)?;
        let of_reader = present.iter().filter(|row| {
            serde_json::from_str::<SubscriptionReader>(&row.reader)
                .is_ok_and(|reader| reader.client == new.reader.client)
        });
        if present.len() >= MOST_OF_OWNER || of_reader.count() >= MOST_OF_READER {
            return Err(Refusal::new(
                Code::TooManyItems,
                format!(
                    "There are too many subscriptions already: at most {MOST_OF_READER} of one reader and {MOST_OF_OWNER} of one owner. Remove some first."
                ),
            ));
        }
        let row = SubscriptionRow {
            owner: new.owner,
            id: Uuid::now_v7(),
            version: 1,
            content: serde_json::to_string(&new.settings).map_err(|_| Refusal::internal())?,
            reader: serde_json::to_string(&new.reader).map_err(|_| Refusal::internal())?,
            secret: fresh_secret()?,
            former_secret: None,
            former_until: None,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            changed_at: context.now,
            standing: Standing {
                state: State::Pending,
                reason: None,
                verified_at: None,
                rate: None,
                place: feed.kept(),
                failures: 0,
                failing_since: None,
                failure: None,
                next_at: None,
                succeeded_at: None,
                again: None,
            },
            holder: Uuid::nil(),
            held_until: Instant::from_micros(0),
            deliveries: 0,
        };
        self.inner
            .store
            .put_subscription(&row)
            .map_err(refuse_store)?;
        context.disclosed.acted([], json!({"made": row.id}));
        let secret = written(&row.secret);
        Ok((row.try_into()?, secret))
    }

    /// The subscriptions that the actor may look after: its own, and those of the owners that it administers as a whole.
    ///
    /// # Errors
    /// [`Code::UnknownOwner`]; [`Refusal`] of the store.
    pub fn subscriptions(
        &self,
        context: &Context,
        owner: Option<&OwnerKey>,
    ) -> Result<Vec<Subscription>, Refusal> {
        let rows = self
            .inner
            .store
            .read(|reader| reader.subscriptions(owner))
            .map_err(refuse_store)?;
        let mut found = Vec::new();
        for row in rows {
            let subscription = Subscription::try_from(row)?;
            if looks_after(context, &subscription.owner, &subscription.reader) {
                found.push(subscription);
            }
        }
        Ok(found)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is none that the actor may look after.
    pub fn subscription(&self, context: &Context, id: Uuid) -> Result<Subscription, Refusal> {
        let row = self
            .inner
            .store
            .read(|reader| reader.subscription(id))
            .map_err(refuse_store)?;
        let found = row.map(Subscription::try_from).transpose()?;
        found
            .filter(|found| looks_after(context, &found.owner, &found.reader))
            .ok_or_else(|| {
                Refusal::new(
                    Code::NotFound,
                    "There is no such subscription that you look after. GET /subscriptions lists those that you do.",
                )
            })
    }

    /// Does something with a subscription.
    ///
    /// # Errors
    /// [`Code::NotFound`]; [`Code::PreconditionRequired`] where settings are changed blindly, [`Code::PreconditionFailed`];
    /// [`Code::SubscriptionState`] where it cannot be done; [`Code::Forbidden`] for who is shown less than it sends; those of the
    /// feed for a place.
    pub fn edit_subscription(
        &self,
        context: &Context,
        id: Uuid,
        if_match: Option<IfMatch>,
        edit: SubscriptionEdit,
    ) -> Result<Subscription, Refusal> {
        let found = self.subscription(context, id)?;
        self.note_edit(context, &found, &edit);
        check_version(
            &found,
            if_match,
            matches!(edit, SubscriptionEdit::Settings(_)),
        )?;
        if !matches!(edit, SubscriptionEdit::Pause) {
            self.may_direct(context, &found.owner, &found.reader)?;
        }
        let mut changed = found.clone();
        let standing = &mut changed.standing;
        let mut moves = false;
        match edit {
            SubscriptionEdit::Settings(settings) => {
                if settings.target != found.settings.target {
                    // Nothing goes there before it has agreed.
                    standing.verified_at = None;
                    fresh(standing);
                    if matches!(standing.state, State::Active | State::Stopped) {
                        (standing.state, standing.reason) = (State::Pending, None);
                    }
                }
                // With other choices the same places mean other entries.
                standing.again = None;
                changed.settings = *settings;
            }
            SubscriptionEdit::Pause => match standing.state {
                State::Active | State::Pending => standing.state = State::Paused,
                State::Paused => return Ok(found),
                State::Stopped => {
                    return Err(state(
                        "The subscription is stopped, and sends nothing. Resume it when it is to begin again.",
                    ));
                }
            },
            SubscriptionEdit::Resume => {
                if standing.state == State::Stopped {
                    // Why it was stopped may be that the target does not want it.
                    standing.verified_at = None;
                }
                fresh(standing);
                standing.reason = None;
                standing.state = match standing.verified_at {
                    Some(_) => State::Active,
                    None => State::Pending,
                };
            }
            SubscriptionEdit::Replay(after) => {
                let reading = self.reading_context(context, &found.reader)?;
                let filter = FeedFilter::default();
                let feed = self.feed(&reading, &found.owner, Some(&after), filter)?;
                standing.place = feed.kept();
                fresh(standing);
                moves = true;
            }
            SubscriptionEdit::SendAgain(number) => {
                if standing.state != State::Active {
                    return Err(state(
                        "Only an active subscription sends again what it has sent. Resume it first.",
                    ));
                }
                if let Some(waiting) = standing.again {
                    return Err(state(format!(
                        "Delivery {waiting} waits to be sent again already. Wait until that is done."
                    )));
                }
                self.sent_delivery(&found, number)?;
                standing.again = Some(number);
                standing.next_at = None;
            }
        }
        self.change(context, &found, changed, moves)
    }

    /// Gives a subscription a new secret, shown once. The old one signs as well for a while.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::InvalidParameter`] for too long an overlap, [`Code::PreconditionFailed`].
    pub fn rotate_subscription_secret(
        &self,
        context: &Context,
        id: Uuid,
        if_match: Option<IfMatch>,
        rotation: SecretRotation,
    ) -> Result<(Subscription, String), Refusal> {
        let found = self.subscription(context, id)?;
        let told = json!({"subscription": id, "name": found.settings.name, "overlapDays": rotation.overlap_days});
        context.disclosed.acted([found.owner.clone()], told);
        check_version(&found, if_match, false)?;
        self.may_direct(context, &found.owner, &found.reader)?;
        if rotation.overlap_days > MOST_OVERLAP_DAYS {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!("The old secret can be good for at most {MOST_OVERLAP_DAYS} days more: give 0 to {MOST_OVERLAP_DAYS}."),
            )
            .fact(fact::PARAMETER, "overlapDays"));
        }
        let mut changed = found.clone();
        let until = context.now.micros() + i64::from(rotation.overlap_days) * MICROS_A_DAY;
        changed.former = (rotation.overlap_days > 0)
            .then(|| (found.secret.clone(), Instant::from_micros(until)));
        changed.secret = fresh_secret()?;
        let secret = written(&changed.secret);
        let changed = self.change(context, &found, changed, false)?;
        Ok((changed, secret))
    }

    /// Removes a subscription with what is kept of its deliveries.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::PreconditionFailed`].
    pub fn remove_subscription(
        &self,
        context: &Context,
        id: Uuid,
        if_match: Option<IfMatch>,
    ) -> Result<(), Refusal> {
        let found = self.subscription(context, id)?;
        let told = json!({"subscription": id, "name": found.settings.name, "target": found.settings.target});
        context.disclosed.acted([found.owner.clone()], told);
        check_version(&found, if_match, false)?;
        let removed = self
            .inner
            .store
            .remove_subscription(&found.owner, id, found.version)
            .map_err(refuse_store)?;
        if removed {
            Ok(())
        } else {
            Err(moved(found.version.saturating_add(1)))
        }
    }

    fn note_edit(&self, context: &Context, found: &Subscription, edit: &SubscriptionEdit) {
        let (what, detail) = match edit {
            SubscriptionEdit::Settings(settings) => ("settings", json!(settings.target)),
            SubscriptionEdit::Pause => ("pause", json!(true)),
            SubscriptionEdit::Resume => ("resume", json!(true)),
            // A cursor says nothing to who reads the log.
            SubscriptionEdit::Replay(after) => {
                ("replay", json!(after.chars().take(24).collect::<String>()))
            }
            SubscriptionEdit::SendAgain(number) => ("sendAgain", json!(number)),
        };
        let mut told = json!({"subscription": found.id, "name": found.settings.name});
        if let Some(members) = told.as_object_mut() {
            members.insert(what.to_owned(), detail);
        }
        context.disclosed.acted([found.owner.clone()], told);
    }

    fn change(
        &self,
        context: &Context,
        found: &Subscription,
        mut changed: Subscription,
        moves: bool,
    ) -> Result<Subscription, Refusal> {
        let (former_secret, former_until) = changed.former.clone().unzip();
        let change = SubscriptionChange {
            content: serde_json::to_string(&changed.settings).map_err(|_| Refusal::internal())?,
            secret: changed.secret.clone(),
            former_secret,
            former_until,
            changed_at: context.now,
            standing: changed.standing.clone(),
            moves,
        };
        let done = self
            .inner
            .store
            .change_subscription(&found.owner, found.id, found.version, &change)
            .map_err(refuse_store)?;
        if !done {
            return Err(moved(found.version.saturating_add(1)));
        }
        changed.version = found.version.saturating_add(1);
        changed.changed_at = context.now;
        Ok(changed)
    }

    /// In whose name a subscription's places are read: its reader's, or where it is the actor's own, the actor's.
    pub(super) fn reading_context(
        &self,
        context: &Context,
        reader: &SubscriptionReader,
    ) -> Result<Context, Refusal> {
        let actor = self.present_reader(reader)?.ok_or_else(|| {
            state("The token whose access the subscription has is no longer good. Make a new subscription with one that is.")
        })?;
        Ok(self.reading_as(reader, actor, context.request_id.clone()))
    }

    /// Whether the actor may be told positions of the owner's log.
    pub(super) fn may_know_positions(&self, context: &Context, owner: &OwnerKey) -> bool {
        context.actor.may_for_whole(Action::Read, owner)
    }
}

/// Begins anew after failures.
fn fresh(standing: &mut Standing) {
    standing.failures = 0;
    standing.failing_since = None;
    standing.failure = None;
    standing.next_at = None;
}

fn check_version(
    found: &Subscription,
    if_match: Option<IfMatch>,
    needed: bool,
) -> Result<(), Refusal> {
    match if_match {
        None if needed => Err(Refusal::new(
            Code::PreconditionRequired,
            format!(
                "Send If-Match with \"{}\" after reading the subscription, or *.",
                found.version
            ),
        )
        .fact(fact::VERSION, found.version)),
        Some(IfMatch::Version(seen)) if seen != found.version => Err(moved(found.version)),
        _ => Ok(()),
    }
}
