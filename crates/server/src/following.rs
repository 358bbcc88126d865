//! Somebody who reads an owner's log on and on: page by page, or in one answer that does not end. Each look at the log asks
//! anew who reads and what they are shown, so that a token that was revoked, and a grant that was taken back, end it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use grunddata_registry::{Context, Feed, FeedPosition, FeedStep, LogWatch};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::access::{Authorised, Read};
use crate::app::App;
use crate::operations::readmit;
use crate::problem::Problem;
use crate::rate::Client;
use crate::reply::refused;

/// After which time a look is tried again while all readers are busy.
const PAUSE: Duration = Duration::from_millis(100);
/// How often at most one follower looks at a log that is written to all the time. What is committed meanwhile comes
/// together, so that many followers of a busy log cost little.
const LOOKS: Duration = Duration::from_millis(20);

/// The places for those who wait for changes: each holds a connection.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    of_client: usize,
    taken: Mutex<HashMap<u64, usize>>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    places: Arc<Places>,
    client: u64,
}

impl Places {
    pub(crate) fn new(most: usize, of_client: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            of_client,
            taken: Mutex::default(),
        })
    }

    /// How many are taken.
    pub(crate) fn count(&self) -> usize {
        self.taken.lock().values().sum()
    }

    /// Takes a place.
    ///
    /// # Errors
    /// `too-many-streams`.
    fn take(self: &Arc<Self>, client: u64) -> Result<Taken, Problem> {
        let mut taken = self.taken.lock();
        let all: usize = taken.values().sum();
        let own = taken.get(&client).copied().unwrap_or_default();
        if own >= self.of_client {
            return Err(Problem::new(
                "too-many-streams",
                format!("This client waits for changes {own} times already. End one of them, or follow several things in one stream."),
            )
            .fact("limit", self.of_client));
        }
        if all >= self.most {
            return Err(Problem::new(
                "too-many-streams",
                "As many as can be wait for changes already. Try again after the seconds in Retry-After, or ask without wait.",
            )
            .fact("limit", self.most));
        }
        taken.insert(client, own + 1);
        Ok(Taken {
            places: Arc::clone(self),
            client,
        })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        match taken.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.client)),
        }
    }
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// The log has gone on: perhaps there is something for this reader.
    Further,
    /// The time is over.
    Late,
    /// The server stops.
    Closing,
}

/// A feed that is read by one request.
pub(crate) struct Following {
    app: Arc<App>,
    http: HttpRequest,
    /// As the request began; what is shown is noted here for the access log.
    context: Context,
    feed: Feed,
    watch: Option<LogWatch>,
    closing: watch::Receiver<bool>,
    place: Option<Taken>,
    looked: Option<Instant>,
}

impl Following {
    pub(crate) fn new(
        app: &Arc<App>,
        http: &HttpRequest,
        caller: &Authorised<Read>,
        feed: Feed,
    ) -> Self {
        Self {
            app: Arc::clone(app),
            http: http.clone(),
            context: caller.context().clone(),
            feed,
            watch: None,
            closing: app.closing.subscribe(),
            place: None,
            looked: None,
        }
    }

    /// Takes a place among those who wait, and hears of news from now on.
    ///
    /// # Errors
    /// `too-many-streams`, `busy`.
    pub(crate) fn wait_for_news(&mut self, caller: &Authorised<Read>) -> Result<(), Problem> {
        let actor = &self.context.actor;
        let client = if actor.is_anonymous() {
            Client::of(&self.http, &self.app.config)
        } else {
            Client::named(&actor.client)
        };
        self.place = Some(self.app.places.take(client.key())?);
        let watch = caller.registry().watch_feed(&self.feed).map_err(refused)?;
        self.watch = Some(watch);
        Ok(())
    }

    /// Looks at the next part of the log, with the rights that the caller has now.
    ///
    /// # Errors
    /// Those of the registry, and those of a caller who is not let in any more.
    pub(crate) async fn step(&mut self, limit: usize) -> Result<FeedStep, Problem> {
        let turn = Arc::clone(&self.app.looks).acquire_owned().await;
        let turn = turn.map_err(|_| Problem::internal("nobody looks at logs any more"))?;
        let caller = readmit::<Read>(&self.app, &self.http).await?;
        let mut context = caller.context().clone();
        context.request_id.clone_from(&self.context.request_id);
        context.disclosed = self.context.disclosed.clone();
        self.context.now = context.now;
        self.looked = Some(Instant::now());
        let mut feed = self.feed.clone();
        let (feed, step) = self
            .app
            .pool
            .run(move || {
                // Until the look is over, even when the client has gone.
                let _turn = turn;
                let step = caller
                    .registry()
                    .feed_step(&context, &mut feed, limit)
                    .map_err(refused)?;
                Ok((feed, step))
            })
            .await?;
        self.feed = feed;
        Ok(step)
    }

    /// The same for an answer that has begun to go out, which is worth some patience.
    ///
    /// # Errors
    /// Those of [`step`](Self::step) but `busy`, and that when the server stops.
    pub(crate) async fn patient_step(&mut self, limit: usize) -> Result<FeedStep, Problem> {
        loop {
            match self.step(limit).await {
                Err(problem) if problem.kind.code == "busy" && !self.is_closing() => {
                    actix_rt::time::sleep(PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// Waits until the log has gone on, or until then. At once when nobody said that it waits.
    pub(crate) async fn news(&mut self, until: Option<Instant>) -> News {
        let reached = self.feed.reached();
        let late = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let Some(watch) = &mut self.watch else {
            return News::Late;
        };
        let news = tokio::select! {
            biased;
            _ = self.closing.wait_for(|closing| *closing) => News::Closing,
            () = watch.beyond(reached) => News::Further,
            () = late => News::Late,
        };
        if news == News::Further
            && let Some(looked) = self.looked
        {
            tokio::time::sleep_until(looked + LOOKS).await;
        }
        news
    }

    /// Whether the server stops.
    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Where the feed goes on.
    ///
    /// # Errors
    /// `internal`.
    pub(crate) fn after(&self) -> Result<FeedPosition, Problem> {
        self.feed.after().map_err(refused)
    }

    /// The feed.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// When it was looked last.
    pub(crate) fn now(&self) -> grunddata_model::Instant {
        self.context.now
    }

    /// What all workers share.
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_given_back() {
        let places = Places::new(3, 2);
        let code = |client| places.take(client).map_err(|problem| problem.kind.code);
        let (one, two) = (code(1).expect("one"), code(1).expect("two"));
        assert_eq!(code(1).expect_err("own limit"), "too-many-streams");
        let three = code(2).expect("three");
        assert_eq!(code(3).expect_err("limit of all"), "too-many-streams");
        drop(two);
        assert_eq!(places.count(), 2);
        drop(code(3).expect("free again"));
        drop((one, three));
        assert_eq!(places.count(), 0);
    }
}
