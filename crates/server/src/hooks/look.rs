//! Looks at the log in the name of a subscription's reader, with the rights that it has now.

use std::collections::BTreeSet;
use std::sync::Arc;

use grunddata_access_log::{Channel, Entry, Kind};
use grunddata_registry::{
    Code, Context, Feed, FeedEntry, LogPlace, Refusal, Registry, Reread, Resumed, SentRow,
    Subscription,
};
use uuid::Uuid;

use super::Shared;
use crate::app::App;

/// What a look has found.
pub(super) enum Look {
    /// The next entries.
    Step(Box<Step>),
    /// The reader is shown something else than before.
    AccessChanged(LogPlace),
    /// There is nothing to be had in this name any more, and why.
    Over(String),
    /// The subscription was changed meanwhile: whoever tends it as it was ends.
    Changed,
    /// Not just now.
    Later,
    /// It cannot be read, and why.
    Failing(String),
}

/// The next entries.
pub(super) struct Step {
    /// What is to be read anew before the entries are looked at.
    pub(super) reread: Vec<Reread>,
    /// With that, what the target has been told of what comes further on.
    pub(super) told_ahead: BTreeSet<u64>,
    pub(super) entries: Vec<FeedEntry>,
    /// Where the log was looked through to.
    pub(super) place: LogPlace,
    /// Whether that was all that there is.
    pub(super) caught_up: bool,
    /// In whose name it was read, with what is to be logged.
    context: Context,
}

impl Shared {
    /// The next part of the log.
    pub(super) async fn look(
        &self,
        subscription: &Arc<Subscription>,
        place: LogPlace,
        told_ahead: BTreeSet<u64>,
        limit: usize,
    ) -> Look {
        self.in_pool(subscription, move |app, subscription, context| {
            let registry = app.vault.vitals();
            let filter = subscription.settings.filter()?;
            match registry.resume_feed(&context, &subscription.owner, &place, filter)? {
                Resumed::AccessChanged(place) => Ok(Look::AccessChanged(place)),
                Resumed::Feed(feed) => step(registry, feed.having_told(told_ahead), limit, context),
            }
        })
        .await
    }

    /// A delivery that was kept, or nothing when it is kept no longer.
    pub(super) async fn kept(
        &self,
        subscription: &Arc<Subscription>,
        number: u64,
    ) -> Option<SentRow> {
        let (app, subscription) = (Arc::clone(&self.app), Arc::clone(subscription));
        let found = self
            .app
            .hook_readers
            .run_anyway(move || Ok(app.vault.vitals().sent_delivery(&subscription, number)));
        found.await.ok()?.ok()
    }

    /// What a delivery carried, as far as the reader is shown it now, from a place on.
    pub(super) async fn look_again(
        &self,
        subscription: &Arc<Subscription>,
        from: LogPlace,
        to: u64,
        limit: usize,
    ) -> Look {
        self.in_pool(subscription, move |app, subscription, context| {
            let registry = app.vault.vitals();
            let filter = subscription.settings.filter()?;
            let feed = registry.feed_between(&context, &subscription.owner, &from, to, filter)?;
            step(registry, feed, limit, context)
        })
        .await
    }

    async fn in_pool(
        &self,
        subscription: &Arc<Subscription>,
        work: impl FnOnce(&App, &Subscription, Context) -> Result<Look, Refusal> + Send + 'static,
    ) -> Look {
        let (app, subscription) = (Arc::clone(&self.app), Arc::clone(subscription));
        let looked = self.app.hook_readers.run_anyway(move || {
            let reader = &subscription.reader;
            let registry = app.vault.vitals();
            // Whoever has paused it, or has restored the log, may have done so in another process: nothing is sent after that.
            let (owner, id) = (&subscription.owner, subscription.id);
            let read = registry
                .store()
                .read(|reader| reader.subscription_version(owner, id));
            match read {
                Ok(version) if version == Some(subscription.version) => {}
                Ok(_) => return Ok(Look::Changed),
                Err(_) => return Ok(Look::Later),
            }
            let found = app.vault.reader(reader).and_then(|actor| match actor {
                None => Ok(Look::Over(
                    "The token whose access it has was revoked or has ended.".to_owned(),
                )),
                Some(actor) => {
                    let context = registry.reading_as(reader, actor, Uuid::now_v7().to_string());
                    work(&app, &subscription, context)
                }
            });
            Ok(found.unwrap_or_else(|refusal| refused(&subscription, &refusal)))
        });
        looked.await.unwrap_or(Look::Later)
    }

    /// Logs what a step shows of personal data, and returns when that is durable. Whether it could be.
    pub(super) async fn log(&self, subscription: &Subscription, step: &Step) -> bool {
        let shown = step.context.disclosed.take();
        if shown.records.is_empty() {
            return true;
        }
        let context = &step.context;
        let mut entry = Entry::new(
            context.now,
            Kind::Export,
            context.actor.name.clone(),
            Channel::Schedule,
            "deliverSubscription",
        );
        entry.client = Some(context.actor.client.clone());
        entry.unit.clone_from(&context.actor.unit);
        entry.purpose.clone_from(&context.purpose);
        entry.request_id = Some(context.request_id.clone());
        entry.records = shown.records;
        entry.records.sort_unstable();
        entry.records.dedup();
        entry.count = Some(entry.records.len() as u64);
        entry.owners = shown.owners.into_iter().collect();
        entry.classes = shown.classes;
        entry.query = Some(format!("/subscriptions/{}", subscription.id));
        let logged = match self.app.access_log.append(entry) {
            Ok(waits) => waits.await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = &logged {
            tracing::error!(%error, "the access log cannot be written: subscriptions wait until it can");
        }
        logged.is_ok()
    }
}

/// What a refusal means for a subscription.
fn refused(subscription: &Subscription, refusal: &Refusal) -> Look {
    let over = match refusal.code {
        Code::Forbidden | Code::Unauthenticated => {
            "Its reader is shown nothing of the owner any more."
        }
        Code::UnknownOwner => "The owner is not in this registry any more.",
        Code::InvalidCursor => {
            "The log is shorter than it was, after a restore from a backup. Replay from 0, and resume."
        }
        // What the reader is shown changes just now: the next look tells.
        Code::Busy | Code::AccessChanged => return Look::Later,
        code => {
            tracing::debug!(subscription = %subscription.id, code = code.as_str(), why = refusal.detail, "the log cannot be read for a subscription");
            let why = format!("The log cannot be read ({}).", code.as_str());
            return Look::Failing(why);
        }
    };
    Look::Over(over.to_owned())
}

/// One look at the log.
fn step(
    registry: &Registry,
    mut feed: Feed,
    limit: usize,
    context: Context,
) -> Result<Look, Refusal> {
    let step = registry.feed_step(&context, &mut feed, limit)?;
    Ok(Look::Step(Box::new(Step {
        reread: step.reread,
        told_ahead: feed.told_ahead().clone(),
        entries: step.entries,
        place: feed.kept(),
        caught_up: step.caught_up,
        context,
    })))
}
