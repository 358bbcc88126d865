//! One subscription: verified, and then sent what comes in the log, entry by entry in its order. What fails holds back what
//! comes after it, and is tried again for as long as the subscription lives.

mod ahead;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use grunddata_model::Instant;
use grunddata_reach::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use grunddata_reach::{Method, Session, Target};
use grunddata_registry::{
    ContentMode, LogPlace, LogWatch, SentKind, SentRow, Settlement, Standing, Subscription,
    SubscriptionState as State,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio::time::Instant as Moment;
use uuid::Uuid;

use super::Shared;
use super::event::{Event, Message};
use super::look::{Look, Step};
use super::news::Recent;
use super::sent::{Sent, row};
use super::settler::Settle;

/// How often at most one subscription looks at a log that is written to all the time.
const LOOKS: Duration = Duration::from_millis(20);
/// Entries of one look; fewer where their states come along.
const ENTRIES: usize = 100;
const WITH_STATES: usize = 20;
/// How long one subscription goes on before others have their turn.
const TURN: Duration = Duration::from_secs(2);
/// A target that takes longer than this is slow.
const SLOW: Duration = Duration::from_secs(2);
/// How long a connection is kept while there is nothing to send.
const KEPT: Duration = Duration::from_secs(15);
/// After so many positions without an entry it is noted how far the log was looked through.
const UNNOTED: u64 = 5_000;
/// When it is looked again after the log could not be read.
const PAUSE: Duration = Duration::from_millis(500);

/// A subscription and how it goes.
pub(super) struct Tending {
    shared: Arc<Shared>,
    subscription: Arc<Subscription>,
    standing: Standing,
    /// Set when it was changed or taken over meanwhile.
    lost: Arc<AtomicBool>,
    session: Option<Session>,
    /// What has come in the log of late.
    recent: Arc<Recent>,
    /// Whether the target took long the last time.
    slow: bool,
    noted: u64,
    /// What the target was told to read anew, further on in the log than it has come.
    told_ahead: BTreeSet<u64>,
    looked: Option<Moment>,
    /// Not before then, as the target has asked for.
    pace: Option<Moment>,
}

impl Tending {
    pub(super) fn new(shared: Arc<Shared>, subscription: Subscription) -> Self {
        Self {
            recent: shared.news.of(&subscription.owner),
            shared,
            standing: subscription.standing.clone(),
            noted: subscription.standing.place.position,
            subscription: Arc::new(subscription),
            lost: Arc::default(),
            session: None,
            slow: false,
            told_ahead: BTreeSet::new(),
            looked: None,
            pace: None,
        }
    }

    pub(super) async fn run(mut self) {
        let owner = self.subscription.owner.clone();
        let mut watch = match self.shared.registry().store().follow(&owner) {
            Ok(watch) => watch,
            Err(error) => {
                tracing::warn!(%error, "a log cannot be followed");
                return;
            }
        };
        while !self.is_over() {
            if !self.wait_for_turn().await {
                continue;
            }
            match (self.standing.state, self.standing.again) {
                (State::Pending, _) => self.verify().await,
                (State::Active, Some(number)) => self.send_again(number).await,
                (State::Active, None) => self.go_on(&mut watch).await,
                (State::Paused | State::Stopped, _) => return,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.lost.load(Ordering::SeqCst) || self.shared.is_closing()
    }

    fn now(&self) -> Instant {
        self.shared.registry().now()
    }

    /// Whether it may go on now. Otherwise it has waited for a while.
    async fn wait_for_turn(&mut self) -> bool {
        if let Some(pace) = self.pace.filter(|pace| *pace > Moment::now()) {
            tokio::time::sleep_until(pace.min(Moment::now() + self.shared.sending().poll)).await;
            return false;
        }
        let Some(next) = self.standing.next_at else {
            return true;
        };
        let left = next.micros().saturating_sub(self.now().micros());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
        // Nothing waits for longer than the longest pause: then the clock was put back.
        if left.is_zero() || left > self.shared.sending().last_retry {
            return true;
        }
        // The registry's clock decides: it is asked again and again.
        let poll = self.shared.sending().poll.min(Duration::from_secs(1));
        tokio::time::sleep(left.min(poll)).await;
        false
    }

    /// The next entries, or waiting for them.
    async fn go_on(&mut self, watch: &mut LogWatch) {
        let settings = &self.subscription.settings;
        let limit = match (settings.states, settings.mode) {
            (true, _) => WITH_STATES,
            (false, ContentMode::Batch) => self.shared.sending().batch_events.max(1),
            (false, _) => ENTRIES,
        };
        let Some(place) = self.place().await else {
            return;
        };
        self.looked = Some(Moment::now());
        let shared = Arc::clone(&self.shared);
        let from = self.standing.place;
        let told = self.told_ahead.clone();
        let found = shared.look(&self.subscription, from, told, limit).await;
        if let Look::Step(step) = &found
            && !step.reread.is_empty()
        {
            if !shared.log(&self.subscription, step).await {
                drop(place);
                tokio::time::sleep(PAUSE).await;
                return;
            }
            if !self.send_ahead(step).await {
                return;
            }
        }
        match found {
            Look::Later => {
                drop(place);
                tokio::time::sleep(PAUSE).await;
            }
            Look::Failing(failure) => {
                self.failed(self.now(), failure, None);
                self.settle(Vec::new()).await;
            }
            Look::Over(reason) => self.stop(reason, Vec::new()).await,
            Look::Changed => self.lost.store(true, Ordering::SeqCst),
            Look::AccessChanged(moved) => self.tell_of_access(moved).await,
            Look::Step(step) if step.entries.is_empty() => {
                self.standing.place = step.place;
                drop(place);
                if step.caught_up {
                    self.idle(watch).await;
                }
            }
            Look::Step(step) => {
                if !shared.log(&self.subscription, &step).await {
                    drop(place);
                    tokio::time::sleep(PAUSE).await;
                } else if self.send_entries(&step, None).await && self.is_at_end_of(&step) {
                    // What comes after the last of them was looked at as well.
                    self.standing.place = step.place;
                }
            }
        }
    }

    fn is_at_end_of(&self, step: &Step) -> bool {
        let last = step.entries.last().map(|entry| entry.kept().position);
        last == Some(self.standing.place.position)
    }

    /// A place at the target among others.
    async fn place(&self) -> Option<super::lanes::Place> {
        let host = self.target().map(|target| target.authority());
        let slow = self.slow || self.standing.failures > 0 || self.standing.state == State::Pending;
        let states = self.subscription.settings.states;
        let host = host.unwrap_or_default();
        self.shared.lanes.place(&host, slow, states).await
    }

    fn target(&self) -> Result<Target, String> {
        let target = &self.subscription.settings.target;
        let found = self.shared.client.reach().target(target);
        found.map_err(|fault| format!("Not sent: {fault}."))
    }

    /// Sends what was found, request by request, and notes each. Whether all of it was accepted, or as much as there was time for.
    async fn send_entries(&mut self, step: &Step, again_of: Option<u64>) -> bool {
        let began = Moment::now();
        let shared = Arc::clone(&self.shared);
        let subscription = Arc::clone(&self.subscription);
        let sending = shared.sending();
        let batch = subscription.settings.mode == ContentMode::Batch;
        let mut entries = step.entries.iter().peekable();
        let mut from = match again_of {
            None => self.standing.place,
            Some(_) => step.place,
        };
        while entries.peek().is_some() {
            let (mut events, mut bytes, mut last) = (Vec::new(), 0, None);
            while let Some(entry) = entries.peek() {
                let full = if batch {
                    events.len() >= sending.batch_events || bytes >= sending.batch_bytes
                } else {
                    !events.is_empty()
                };
                if full && !events.is_empty() {
                    break;
                }
                let event = Event::of_entry(&shared.origin, &subscription.owner, entry);
                bytes += event.len();
                if batch && !events.is_empty() && bytes > sending.batch_bytes {
                    break;
                }
                events.push(event);
                last = Some(entry.kept());
                entries.next();
            }
            let Some(to) = last else { return true };
            let message = Message::of(subscription.settings.mode, &events);
            let sent = self.send(&message).await;
            let count = u32::try_from(events.len()).unwrap_or(u32::MAX);
            let row = SentRow {
                again_of,
                to: to.position,
                entries: count,
                ..row(SentKind::Entries, from, &sent)
            };
            let accepted = sent.failure.is_none();
            if accepted {
                let events = &shared.app.hooks.events;
                events.fetch_add(u64::from(count), Ordering::Relaxed);
                if again_of.is_none() {
                    self.standing.place = to;
                }
            }
            self.note(&sent, row, again_of.is_some()).await;
            if !accepted || self.is_over() || self.standing.state != State::Active {
                return false;
            }
            from = to;
            let pace = self.pace.filter(|pace| *pace > Moment::now());
            if again_of.is_none() && (pace.is_some() || began.elapsed() > TURN) {
                return true;
            }
            if let Some(pace) = pace {
                tokio::time::sleep_until(pace).await;
            }
        }
        true
    }

    /// Sends a delivery again: the same part of the log, as its reader is shown it now.
    async fn send_again(&mut self, number: u64) {
        let shared = Arc::clone(&self.shared);
        let Some(kept) = shared.kept(&self.subscription, number).await else {
            self.standing.again = None;
            self.settle(Vec::new()).await;
            return;
        };
        let Some(_place) = self.place().await else {
            return;
        };
        let mut from = kept.from;
        loop {
            let looked = shared
                .look_again(&self.subscription, from, kept.to, ENTRIES)
                .await;
            match looked {
                Look::Later | Look::Failing(_) => {
                    tokio::time::sleep(PAUSE).await;
                    return;
                }
                Look::Over(reason) => return self.stop(reason, Vec::new()).await,
                Look::Changed => return self.lost.store(true, Ordering::SeqCst),
                Look::AccessChanged(_) => break,
                Look::Step(mut step) => {
                    let reached = step.place;
                    let caught_up = step.caught_up;
                    if !shared.log(&self.subscription, &step).await {
                        tokio::time::sleep(PAUSE).await;
                        return;
                    }
                    // Each begins after the one before it.
                    step.place = from;
                    if !self.send_entries(&step, Some(number)).await || caught_up {
                        break;
                    }
                    from = reached;
                }
            }
            if self.is_over() {
                return;
            }
        }
        if self.standing.state == State::Active {
            self.standing.again = None;
            self.settle(Vec::new()).await;
        }
    }

    /// Tells the target that what it is sent has changed: what it holds may be more, or less, than it would be sent now.
    async fn tell_of_access(&mut self, moved: LogPlace) {
        let mut hash = Sha256::new();
        hash.update(self.subscription.id.as_bytes());
        hash.update(moved.rights);
        hash.update(moved.position.to_be_bytes());
        let id: String = hash
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if self
            .tell(SentKind::AccessChanged, "access.changed", id)
            .await
        {
            self.standing.place = moved;
            self.settle(Vec::new()).await;
        }
    }

    /// Asks the target whether it wants events (CloudEvents webhooks, section 4), and whether it takes a signed one.
    async fn verify(&mut self) {
        let Some(_place) = self.place().await else {
            return;
        };
        let host = self.target().map(|target| target.host().to_owned());
        let asked = !host.is_ok_and(|host| {
            let without = &self.shared.sending().without_handshake;
            without.iter().any(|one| one.eq_ignore_ascii_case(&host))
        });
        if asked {
            let sent = self.ask().await;
            if sent.failure.is_some() {
                let row = row(SentKind::Test, self.standing.place, &sent);
                return self.note(&sent, row, false).await;
            }
        }
        let id = Uuid::now_v7().to_string();
        if self.tell(SentKind::Test, "subscription.test", id).await {
            self.standing.state = State::Active;
            self.standing.verified_at = Some(self.now());
            self.settle(Vec::new()).await;
        }
    }

    /// Sends an event about the subscription itself. Whether it was accepted.
    async fn tell(&mut self, kind: SentKind, word: &str, id: String) -> bool {
        let (shared, subscription) = (Arc::clone(&self.shared), Arc::clone(&self.subscription));
        let (origin, owner) = (&shared.origin, &subscription.owner);
        let event = Event::of_subscription(origin, owner, subscription.id, word, id, self.now());
        let message = Message::of(subscription.settings.mode, &[event]);
        let sent = self.send(&message).await;
        let row = row(kind, self.standing.place, &sent);
        let accepted = sent.failure.is_none();
        self.note(&sent, row, false).await;
        accepted
    }

    /// Waits for news, and gives a sign of life where there were none for long.
    async fn idle(&mut self, watch: &mut LogWatch) {
        let began = Moment::now();
        let mut closing = self.shared.app.closing.subscribe();
        while !self.is_over() {
            let position = self.standing.place.position;
            if position.saturating_sub(self.noted) >= UNNOTED {
                self.settle(Vec::new()).await;
            }
            let alive = self.subscription.alive_at(self.standing.succeeded_at);
            if alive.is_some_and(|at| at <= self.now()) {
                let Some(_place) = self.place().await else {
                    return;
                };
                let id = Uuid::now_v7().to_string();
                self.tell(SentKind::Alive, "subscription.alive", id).await;
                return;
            }
            if began.elapsed() > KEPT {
                self.session = None;
            }
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return,
                () = watch.beyond(position) => {
                    if let Some(looked) = self.looked {
                        tokio::time::sleep_until(looked + LOOKS).await;
                    }
                    // What others are told of is passed over without a look of its own.
                    let passed = self.recent.passed(&self.shared, &self.subscription, &self.standing.place, watch.reached());
                    let Some(passed) = passed.await else { return };
                    self.standing.place.position = passed;
                    self.looked = Some(Moment::now());
                }
                () = tokio::time::sleep(self.shared.sending().poll) => {}
            }
        }
    }

    async fn stop(&mut self, reason: String, sent: Vec<SentRow>) {
        tracing::warn!(subscription = %self.subscription.id, owner = %self.subscription.owner, reason, "a subscription is stopped");
        self.standing.state = State::Stopped;
        self.standing.reason = Some(reason);
        self.standing.next_at = None;
        self.standing.again = None;
        // The task ends with this: before it stands in the database, another would begin where this one has ended.
        let (done, written) = oneshot::channel();
        self.hand_over(sent, Some(done)).await;
        drop(written.await);
    }

    /// Asks with OPTIONS.
    async fn ask(&mut self) -> Sent {
        let mut headers = HeaderMap::new();
        let host = self.shared.origin.host().to_owned();
        if let Ok(value) = HeaderValue::from_str(&host) {
            headers.insert("webhook-request-origin", value);
        }
        headers.insert("webhook-request-rate", HeaderValue::from_static("*"));
        let (mut sent, answered) = self
            .request(Method::OPTIONS, headers, actix_web::web::Bytes::new())
            .await;
        if sent.failure.is_some() {
            return sent;
        }
        let said = |name: &str| {
            let value = answered.get(name)?.to_str().ok()?;
            Some(value.trim().to_owned())
        };
        let allowed = said("webhook-allowed-origin").is_some_and(|origins| {
            let mut origins = origins.split(',').map(str::trim);
            origins.any(|one| one == "*" || one.eq_ignore_ascii_case(&host))
        });
        if allowed {
            let rate = said("webhook-allowed-rate").and_then(|rate| rate.parse().ok());
            self.standing.rate = rate.filter(|rate| *rate > 0);
        } else {
            sent.failure = Some(format!(
                "The target did not agree to be sent to: it must answer OPTIONS with WebHook-Allowed-Origin: {host}."
            ));
        }
        sent
    }

    /// Posts a signed message.
    async fn send(&mut self, message: &Message) -> Sent {
        let now = self.now();
        let headers = message.signed(self.subscription.secrets(now), now);
        let (sent, _) = self
            .request(Method::POST, headers, message.body.clone())
            .await;
        if let Some(rate) = self.standing.rate {
            self.pace = Some(Moment::now() + Duration::from_secs(60) / rate);
        }
        sent
    }

    async fn request(
        &mut self,
        method: Method,
        headers: HeaderMap,
        body: actix_web::web::Bytes,
    ) -> (Sent, HeaderMap) {
        let at = self.now();
        let began = Moment::now();
        let mut sent = Sent {
            status: None,
            failure: None,
            retry_after: None,
            millis: 0,
            at,
        };
        let target = match self.target() {
            Ok(target) => target,
            Err(failure) => {
                sent.failure = Some(failure);
                return (sent, HeaderMap::new());
            }
        };
        let client = self.shared.client.clone();
        let answer = client
            .send(&mut self.session, &target, method, headers, body)
            .await;
        let took = began.elapsed();
        self.slow = took > SLOW;
        sent.millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let headers = match answer {
            Err(error) => {
                sent.failure = Some(format!("Not delivered: {error}."));
                HeaderMap::new()
            }
            Ok(answer) => {
                sent.status = Some(answer.status);
                if !(200..300).contains(&answer.status) {
                    sent.failure = Some(format!("The target answered {}.", answer.status));
                    let after = answer.headers.get(RETRY_AFTER);
                    let after = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
                    sent.retry_after = after.map(Duration::from_secs);
                }
                answer.headers
            }
        };
        let hooks = &self.shared.app.hooks;
        let counter = if sent.failure.is_none() {
            &hooks.accepted
        } else {
            &hooks.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
        (sent, headers)
    }

    /// Notes what came of a request, and what follows from it. What somebody has asked to be sent again holds up nothing.
    async fn note(&mut self, sent: &Sent, row: SentRow, again: bool) {
        match &sent.failure {
            None => {
                self.standing.succeeded_at = Some(sent.at);
                self.standing.failures = 0;
                self.standing.failing_since = None;
                self.standing.failure = None;
                self.standing.next_at = None;
            }
            Some(_) if sent.status == Some(410) => {
                let reason = "The target answered 410 Gone: it wants nothing more.";
                return self.stop(reason.to_owned(), vec![row]).await;
            }
            Some(_) if again => {}
            Some(failure) => self.failed(sent.at, failure.clone(), sent.retry_after),
        }
        self.settle(vec![row]).await;
    }

    /// It has failed once more, and is tried again later.
    fn failed(&mut self, at: Instant, failure: String, after: Option<Duration>) {
        self.session = None;
        self.standing.failures = self.standing.failures.saturating_add(1);
        self.standing.failing_since.get_or_insert(at);
        if self.standing.failures == 1 {
            tracing::info!(subscription = %self.subscription.id, failure, "a delivery failed and is tried again");
        }
        self.standing.failure = Some(failure);
        let sending = self.shared.sending();
        let (dice, _) = Uuid::new_v4().as_u64_pair();
        let pause = sending.pause(self.standing.failures, dice);
        let asked = after.unwrap_or_default().min(sending.last_retry);
        let pause = i64::try_from(pause.max(asked).as_micros()).unwrap_or(i64::MAX);
        let next = self.now().micros().saturating_add(pause);
        self.standing.next_at = Some(Instant::from_micros(next));
    }

    /// Has written how it stands. It is not waited for, but for room.
    async fn settle(&mut self, sent: Vec<SentRow>) {
        self.hand_over(sent, None).await;
    }

    async fn hand_over(&mut self, sent: Vec<SentRow>, done: Option<oneshot::Sender<()>>) {
        self.noted = self.standing.place.position;
        let settle = Settle {
            settlement: Settlement {
                owner: self.subscription.owner.clone(),
                id: self.subscription.id,
                version: self.subscription.version,
                standing: self.standing.clone(),
                sent,
            },
            lost: Arc::clone(&self.lost),
            done,
        };
        if self.shared.settle.send(settle).await.is_err() {
            self.lost.store(true, Ordering::SeqCst);
        }
    }
}
