//! Following one peer: one thread fetches and checks, another stores, so that the next page is on its way while one is
//! written. Where it goes on stands in the database, in the same transaction as what it was read for.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Stopwatch};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use grunddata_model::{Instant, RecordId};
use grunddata_pull::{FeedQuery, Peer as Remote, PeerError, RawPage};
use grunddata_registry::{PeerSettings, Registry};
use grunddata_store::{CheckedChange, CopyError, CopyWriter, Parcel, PeerRow};
use parking_lot::Mutex;
use uuid::Uuid;

use super::entries::{self, Came};
use super::keys::{self, Trusted};
use super::line::Line;
use super::{Peering, models};
use crate::loads::collect::Worker;

/// How often it is looked whether to stop.
pub(super) const TICK: Duration = Duration::from_millis(500);
/// How often a place that moves with nothing to store is stored all the same.
const PLACES: Duration = Duration::from_secs(300);
/// The longest time between two attempts.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The most changes of one transaction that are kept in memory until its end comes.
const MOST_HELD: usize = 1_000_000;

/// What is followed, and until when.
pub(super) struct Follower {
    pub(super) registry: Registry,
    pub(super) peering: Peering,
    pub(super) worker: Worker,
    pub(super) name: String,
    /// Set when the peer is to be followed no more by this thread.
    pub(super) stop: Arc<AtomicBool>,
    /// Where it is said when the peer had nothing new. Who reads it renews the lease too; without it that is done here.
    pub(super) heard: Option<Arc<Mutex<Option<Instant>>>>,
    /// Over which it is asked, where it cannot be connected to.
    pub(super) line: Option<Arc<Line>>,
}

/// How long to wait before it is tried again: longer each time, and never as long as others.
pub(super) fn pause_after(backoff: Duration, failures: u32) -> Duration {
    let doubled = backoff.saturating_mul(1 << failures.saturating_sub(1).min(10));
    let random = Uuid::now_v7()
        .as_bytes()
        .last()
        .copied()
        .unwrap_or_default();
    let jitter = 0.5 + f64::from(random) / 256.0;
    doubled.min(LONGEST_PAUSE).mul_f64(jitter)
}

/// How following ended, or what it has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// Everything that there was is here.
    CaughtUp,
    /// It was stopped, or another process follows.
    Stopped,
    /// It failed.
    Failed(String),
}

/// What the fetching thread says.
enum Fetched {
    Page(Box<Came>, Option<CopyError>),
    Failed(PeerError),
}

impl Follower {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.worker.stopping().load(Ordering::SeqCst)
    }

    fn row(&self) -> Result<PeerRow, String> {
        self.registry
            .store()
            .find_peer(&self.name)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| "the peer is gone".to_owned())
    }

    /// Follows until it is stopped, whatever happens; the peer is held already.
    pub(super) fn run(&self) {
        let mut failures = 0_u32;
        while !self.stopped() {
            let begun = Stopwatch::now();
            match self.follow(false, &mut |_| {}) {
                Reached::Failed(why) => {
                    // What went well for a while begins anew.
                    failures = if begun.elapsed() > LONGEST_PAUSE {
                        1
                    } else {
                        failures + 1
                    };
                    tracing::warn!(
                        peer = self.name,
                        failures,
                        why,
                        "a peer cannot be followed; it is tried again"
                    );
                    let until = Some(self.worker.until(&self.registry));
                    let store = self.registry.store();
                    let kept = store.note_peer(
                        &self.name,
                        self.worker.id(),
                        until,
                        None,
                        Some((failures, &why)),
                    );
                    if matches!(kept, Ok(false)) {
                        return;
                    }
                    self.pause(failures);
                }
                Reached::Stopped => break,
                // It begins anew. What has to do so again and again waits longer each time.
                Reached::CaughtUp if begun.elapsed() > LONGEST_PAUSE => failures = 0,
                Reached::CaughtUp => {
                    failures += 1;
                    self.pause(failures);
                }
            }
        }
        self.leave();
    }

    /// Gives the peer back.
    pub(super) fn leave(&self) {
        let Ok(row) = self.row() else { return };
        if row.holder != self.worker.id() {
            return;
        }
        let failure = row.failure.as_deref().map(|why| (row.failures, why));
        let store = self.registry.store();
        if let Err(error) = store.note_peer(&self.name, self.worker.id(), None, None, failure) {
            tracing::warn!(peer = self.name, %error, "a peer cannot be given back: another process takes it when the lease has run out");
        }
    }

    /// Waits before it is tried again.
    fn pause(&self, failures: u32) {
        let pause = pause_after(self.peering.backoff, failures);
        let (begun, mut renewed) = (Stopwatch::now(), Stopwatch::now());
        while begun.elapsed() < pause && !self.stopped() {
            thread::sleep(TICK.min(pause));
            if self.heard.is_none() && renewed.elapsed() > self.worker.beat() {
                renewed = Stopwatch::now();
                let Ok(row) = self.row() else { return };
                let failure = row.failure.as_deref().map(|why| (row.failures, why));
                let until = Some(self.worker.until(&self.registry));
                let store = self.registry.store();
                drop(store.note_peer(&self.name, self.worker.id(), until, None, failure));
            }
        }
    }

    /// Follows from where it stands until it fails or is stopped, or with `once` until everything is here. `told` hears of
    /// every part that was stored.
    pub(super) fn follow(&self, once: bool, told: &mut dyn FnMut(&PeerRow)) -> Reached {
        match self.followed(once, told) {
            Ok(reached) => reached,
            Err(CopyError::NotHeld) => Reached::Stopped,
            Err(error) => {
                if let CopyError::Model(model) | CopyError::Package { model, .. } = &error {
                    let store = self.registry.store();
                    drop(store.note_peer_model(&self.name, Some(model)));
                }
                Reached::Failed(error.to_string())
            }
        }
    }

    fn followed(&self, once: bool, told: &mut dyn FnMut(&PeerRow)) -> Result<Reached, CopyError> {
        let row = self.row().map_err(CopyError::Wrong)?;
        let settings: PeerSettings = serde_json::from_str(&row.settings)
            .map_err(|_| CopyError::Wrong("the settings cannot be read".to_owned()))?;
        let remote = match &self.line {
            Some(line) => Ok(Remote::over(Arc::<Line>::clone(line))),
            None => self.peering.remote(&settings),
        };
        let remote = match remote {
            Ok(remote) => remote,
            Err(why) => return Ok(Reached::Failed(why)),
        };
        let whole = settings.is_whole();
        let epoch = match row.place.as_str() {
            "0" => None,
            _ => row.origin_epoch.filter(|_| row.whole),
        };
        let (sender, receiver) = bounded(1);
        let fetching = Fetching {
            registry: self.registry.clone(),
            remote,
            settings,
            sender,
            wait: if once {
                Duration::ZERO
            } else {
                self.peering.wait
            },
            once,
            trusted: Trusted::new(row.log_keys.clone()),
            epoch,
            models: self.peering.models,
            poll: self.peering.poll,
            admitted: HashSet::new(),
        };
        let place = row.place.clone();
        let spawned = thread::Builder::new()
            .name("peer-fetch".to_owned())
            .spawn(move || fetching.run(place));
        if let Err(error) = spawned {
            return Ok(Reached::Failed(error.to_string()));
        }
        let mut copying = Copying {
            follower: self,
            writer: CopyWriter::new(self.registry.store(), &row, self.worker.id()),
            held: Vec::new(),
            withdrawn: Vec::new(),
            stored: None,
            row,
            whole,
        };
        copying.run(&receiver, once, told)
    }
}

/// The storing half.
struct Copying<'a> {
    follower: &'a Follower,
    writer: CopyWriter,
    /// Changes of a transaction whose end has not come yet.
    held: Vec<CheckedChange>,
    /// Records that are not shown any more, behind those changes.
    withdrawn: Vec<RecordId>,
    /// When something was stored last.
    stored: Option<Stopwatch>,
    row: PeerRow,
    /// Whether the settings ask for everything.
    whole: bool,
}

impl Copying<'_> {
    fn run(
        &mut self,
        receiver: &Receiver<Fetched>,
        once: bool,
        told: &mut dyn FnMut(&PeerRow),
    ) -> Result<Reached, CopyError> {
        let follower = self.follower;
        let mut renewed = Stopwatch::now();
        loop {
            if follower.stopped() {
                return Ok(Reached::Stopped);
            }
            match receiver.recv_timeout(TICK) {
                Ok(Fetched::Page(came, error)) => {
                    let caught_up = came.caught_up;
                    match self.store(*came) {
                        Err(CopyError::Gap(why)) => return self.anew(&why),
                        other => other?,
                    }
                    if let Some(error) = error {
                        return Err(error);
                    }
                    renewed = Stopwatch::now();
                    told(&self.row);
                    if once && caught_up {
                        return Ok(Reached::CaughtUp);
                    }
                }
                // A log that says nothing of a restore, and ends before where it was: nothing is forgotten for it.
                Ok(Fetched::Failed(PeerError::Refused { code, .. }))
                    if self.row.whole && code == "invalid-cursor" =>
                {
                    return Err(CopyError::Shorter {
                        owner: self.row.owner.clone(),
                        position: self.row.position,
                    });
                }
                Ok(Fetched::Failed(PeerError::Refused { code, detail, .. }))
                    if ["access-changed", "invalid-cursor", "log-forked"]
                        .contains(&code.as_str()) =>
                {
                    return self.anew(&detail);
                }
                Ok(Fetched::Failed(error)) => {
                    if let PeerError::Refused {
                        retry_after: Some(after),
                        ..
                    } = &error
                    {
                        thread::sleep((*after).min(Duration::from_secs(5)));
                    }
                    return Ok(Reached::Failed(error.to_string()));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if follower.heard.is_none() && renewed.elapsed() > follower.worker.beat() {
                        renewed = Stopwatch::now();
                        let until = Some(follower.worker.until(&follower.registry));
                        let store = follower.registry.store();
                        if !store.note_peer(
                            &follower.name,
                            follower.worker.id(),
                            until,
                            None,
                            None,
                        )? {
                            return Err(CopyError::NotHeld);
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Reached::Failed(
                        "the thread that fetches has ended".to_owned(),
                    ));
                }
            }
        }
    }

    /// Whether a page without anything new says nothing that has to be stored by itself: the copy was complete already, and the
    /// place is the same, or one of a sealed kind that is another each time it is told.
    fn is_settled(&self, place: &str) -> bool {
        let lately = self.stored.is_some_and(|at| at.elapsed() < PLACES);
        self.row.heard_at.is_some()
            && self.row.failure.is_none()
            && self.row.needs_model.is_none()
            && (place == self.row.place || (!self.row.whole && lately))
    }

    /// Stores the transactions that have come whole.
    fn store(&mut self, came: Came) -> Result<(), CopyError> {
        let follower = self.follower;
        // What is shown again is not taken away for what was told before.
        let shown: HashSet<RecordId> = came.changes.iter().map(|new| new.change().record).collect();
        self.withdrawn.retain(|record| !shown.contains(record));
        self.held.extend(came.changes);
        self.withdrawn.extend(came.withdrawn);
        let last = self.held.last().map(|last| last.change().transaction);
        let whole = if came.ended {
            self.held.len()
        } else {
            let ended = |checked: &CheckedChange| Some(checked.change().transaction) != last;
            self.held.iter().rposition(ended).map_or(0, |at| at + 1)
        };
        if self.held.len() - whole > MOST_HELD {
            return Err(CopyError::Wrong("a transaction without an end".to_owned()));
        }
        let rest = self.held.split_off(whole);
        let changes = std::mem::replace(&mut self.held, rest);
        let place = match changes.last() {
            // Of the transaction that is cut nothing is stored, and it is fetched again after a restart.
            Some(last) if !self.held.is_empty() => last.change().place.clone(),
            None if !self.held.is_empty() => self.row.place.clone(),
            _ if came.place.is_empty() => self.row.place.clone(),
            _ => came.place,
        };
        // What is withdrawn goes after the changes that were told before it.
        let withdrawn = if self.held.is_empty() {
            std::mem::take(&mut self.withdrawn)
        } else {
            Vec::new()
        };
        let quiet = changes.is_empty()
            && withdrawn.is_empty()
            && came.raised.is_empty()
            && came.log_keys.is_none();
        if quiet && (place == self.row.place || place.is_empty()) && !came.caught_up {
            return Ok(());
        }
        let now = follower.registry.now();
        if let Some(heard) = follower
            .heard
            .as_ref()
            .filter(|_| quiet && came.caught_up && self.is_settled(&place))
        {
            *heard.lock() = Some(now);
            self.row.heard_at = Some(now);
            follower.registry.note_copied(&self.row);
            return Ok(());
        }
        let parcel = Parcel {
            changes,
            withdrawn,
            raised: came.raised,
            place,
            received_at: now,
            caught_up: came.caught_up,
            whole: came.whole && self.whole,
            head: came.head,
            epoch: came.epoch,
            log_keys: came.log_keys,
            held_until: follower.worker.until(&follower.registry),
        };
        self.row = self.writer.apply(&parcel)?;
        self.stored = Some(Stopwatch::now());
        follower.registry.note_copied(&self.row);
        Ok(())
    }

    /// Forgets what was copied: it is fetched from the beginning.
    fn anew(&mut self, why: &str) -> Result<Reached, CopyError> {
        let name = &self.follower.name;
        if self.row.place == "0" {
            return Ok(Reached::Failed(why.to_owned()));
        }
        tracing::warn!(
            peer = name,
            why,
            "what was copied is forgotten and fetched anew"
        );
        self.writer.restart()?;
        if let Ok(row) = self.follower.row() {
            self.follower.registry.note_copied(&row);
        }
        Ok(Reached::CaughtUp)
    }
}

/// The fetching half. It ends when nobody listens.
struct Fetching {
    registry: Registry,
    remote: Remote,
    settings: PeerSettings,
    sender: Sender<Fetched>,
    wait: Duration,
    once: bool,
    /// The keys of the peer's log that are trusted.
    trusted: Trusted,
    /// In which epoch of the log the place is at which it begins, where that is a position.
    epoch: Option<u64>,
    /// Whether packages of the information model are fetched, and how often others look whether there are new ones.
    models: bool,
    poll: Duration,
    /// The releases of the information model that mean the same at the peer as here.
    admitted: HashSet<String>,
}

impl Fetching {
    fn run(mut self, mut place: String) {
        let domains: Vec<&str> = self
            .settings
            .domains
            .iter()
            .map(|domain| domain.as_str())
            .collect();
        let mut query = FeedQuery {
            owner: self.settings.owner.to_string(),
            after: String::new(),
            wait: Duration::ZERO,
            domains: (!domains.is_empty()).then(|| domains.join(",")),
            controller: self.settings.controller.map(|id| id.to_string()),
            epoch: self.epoch,
        };
        let mut open = None;
        loop {
            query.after.clone_from(&place);
            let page = match self.remote.page(&query) {
                Ok(page) => page,
                Err(error) => {
                    drop(self.sender.send(Fetched::Failed(error)));
                    return;
                }
            };
            let (mut came, error) = self.read(&page);
            if came.whole {
                query.epoch = came.epoch;
            }
            let ends = came.ends_at(open);
            if let Some(size) = ends.filter(|_| came.whole && self.settings.is_whole()) {
                let owner = self.settings.owner.as_str();
                match self.trusted.head(&self.remote, owner, size) {
                    Ok(head) => came.head = head,
                    Err(keys::Failed::Asking(error)) => {
                        drop(self.sender.send(Fetched::Failed(error)));
                        return;
                    }
                    Err(keys::Failed::Wrong(error)) => {
                        drop(self.sender.send(Fetched::Page(Box::default(), Some(error))));
                        return;
                    }
                }
                if std::mem::take(&mut self.trusted.changed) {
                    came.log_keys = Some(self.trusted.keys().to_vec());
                }
            }
            open = came.last().or(open).filter(|_| !came.ended);
            let (caught_up, failed) = (came.caught_up, error.is_some());
            place.clone_from(&came.place);
            // Only who has everything waits for more: what is cut at the end of a page goes on at once.
            query.wait = if caught_up { self.wait } else { Duration::ZERO };
            let sent = self.sender.send(Fetched::Page(Box::new(came), error));
            if sent.is_err() || failed || self.once && caught_up {
                return;
            }
        }
    }
}

impl Fetching {
    /// Reads a page. Each release of the information model that it names is looked at before anything that needs it is used.
    fn read(&mut self, page: &RawPage) -> (Came, Option<CopyError>) {
        loop {
            let url = self.settings.url.as_str();
            let (store, now) = (self.registry.store(), self.registry.now());
            let (came, error) = entries::read(store, &self.admitted, url, now, page);
            let Some(CopyError::Model(model)) = &error else {
                return (came, error);
            };
            if self.admitted.contains(model) {
                return (came, error);
            }
            match models::admit(&self.registry, &self.remote, url, model, self.models) {
                // Other processes look as often as they look for peers: they read the package before what needs it.
                Ok(true) => thread::sleep(self.poll.saturating_mul(3)),
                Ok(false) => {}
                Err(error) => return (came, Some(error)),
            }
            self.admitted.insert(model.clone());
        }
    }
}
