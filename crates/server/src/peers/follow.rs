//! Following one peer: one thread fetches and checks, another stores, so that the next page is on its way while one is
//! written. Where it goes on stands in the database, in the same transaction as what it was read for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant as Stopwatch};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use grunddata_log_proof::head::{Head, HeadError, PublicKey};
use grunddata_pull::{Access, FeedQuery, Peer as Remote, PeerError, PullError, Settings, Token};
use grunddata_registry::{PeerSettings, Registry};
use grunddata_store::{CheckedChange, CopyError, CopyWriter, Parcel, PeerRow};
use uuid::Uuid;

use super::Peering;
use super::entries::{self, Came};
use crate::loads::collect::Worker;

/// How often it is looked whether to stop.
const TICK: Duration = Duration::from_millis(100);
/// The longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
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
                Reached::CaughtUp => {}
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

    /// Waits before it is tried again: longer each time, and never as long as others.
    fn pause(&self, failures: u32) {
        let doubled = self
            .peering
            .backoff
            .saturating_mul(1 << failures.saturating_sub(1).min(10));
        let random = Uuid::now_v7()
            .as_bytes()
            .last()
            .copied()
            .unwrap_or_default();
        let jitter = 0.5 + f64::from(random) / 256.0;
        let pause = doubled.min(LONGEST_PAUSE).mul_f64(jitter);
        let (begun, mut renewed) = (Stopwatch::now(), Stopwatch::now());
        while begun.elapsed() < pause && !self.stopped() {
            thread::sleep(TICK.min(pause));
            if renewed.elapsed() > self.worker.beat() {
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
                if let CopyError::Model(model) = &error {
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
        let remote = match self.peering.remote(&settings) {
            Ok(remote) => remote,
            Err(why) => return Ok(Reached::Failed(why)),
        };
        let whole = settings.is_whole();
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
                    if renewed.elapsed() > follower.worker.beat() {
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

    /// Stores the transactions that have come whole.
    fn store(&mut self, came: Came) -> Result<(), CopyError> {
        let follower = self.follower;
        self.held.extend(came.changes);
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
            _ => came.place,
        };
        let quiet = changes.is_empty() && came.withdrawn.is_empty();
        if quiet && (place == self.row.place || place.is_empty()) && !came.caught_up {
            return Ok(());
        }
        let parcel = Parcel {
            changes,
            withdrawn: came.withdrawn,
            place,
            received_at: follower.registry.now(),
            caught_up: came.caught_up,
            whole: came.whole && self.whole,
            head: came.head,
            held_until: follower.worker.until(&follower.registry),
        };
        self.row = self.writer.apply(&parcel)?;
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
}

impl Fetching {
    fn run(self, mut place: String) {
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
        };
        let mut keys = Vec::new();
        loop {
            query.after.clone_from(&place);
            let page = match self.remote.page(&query) {
                Ok(page) => page,
                Err(error) => {
                    drop(self.sender.send(Fetched::Failed(error)));
                    return;
                }
            };
            let store = self.registry.store();
            let (mut came, error) =
                entries::read(store, &self.settings.url, self.registry.now(), page);
            if let Some(size) = came
                .ends_at()
                .filter(|_| came.whole && self.settings.is_whole())
            {
                match self.head(&mut keys, size) {
                    Ok(head) => came.head = head,
                    Err(failed) => {
                        drop(self.sender.send(failed));
                        return;
                    }
                }
            }
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
    /// The head of the log at that size, when it is signed with a key of the peer's. `None` = this peer signs none: it is of
    /// an older version, or does not show its heads.
    fn head(&self, keys: &mut Vec<PublicKey>, size: u64) -> Result<Option<Head>, Fetched> {
        let head = match self.remote.head(self.settings.owner.as_str(), size) {
            Ok(head) => head,
            Err(PeerError::Refused {
                status: 403 | 404, ..
            }) => return Ok(None),
            Err(error) => return Err(Fetched::Failed(error)),
        };
        let mut verified = Head::verified(&head.note, keys);
        if matches!(verified, Err(HeadError::UnknownKey)) {
            // It may have been changed since.
            let found = self.remote.keys().map_err(Fetched::Failed)?;
            let found = found.iter().map(|key| PublicKey::decoded(&key.public_key));
            *keys = found.filter_map(Result::ok).collect();
            verified = Head::verified(&head.note, keys);
        }
        let wrong = |what: String| Fetched::Page(Box::default(), Some(CopyError::Wrong(what)));
        let (head, _) = verified.map_err(|error| wrong(format!("the head of the log: {error}")))?;
        if head.owner != self.settings.owner.as_str() || head.size != size {
            return Err(wrong(
                "the head is of another log or of another size".to_owned(),
            ));
        }
        Ok(Some(head))
    }
}

impl Peering {
    /// The registry at the other end.
    pub(crate) fn remote(&self, settings: &PeerSettings) -> Result<Remote, String> {
        let token = match &settings.token_file {
            None => None,
            Some(name) => {
                let path = self.token_path(name)?;
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    format!("the token file {} cannot be read: {error}", path.display())
                })?;
                Some(Token::new(&text))
            }
        };
        let authorities = self
            .certificate_authorities
            .as_ref()
            .map(std::fs::read_to_string)
            .transpose()
            .map_err(|error| format!("the certificates of authorities cannot be read: {error}"))?;
        let asked = Settings {
            address: settings.url.clone(),
            token,
            certificate_authorities: authorities,
            proxy: self.proxy.clone(),
            ..Settings::default()
        };
        let access = Access {
            hosts: self.hosts.clone(),
            allow_http_loopback: self.http_loopback,
        };
        Remote::new(&asked, &access, self.wait).map_err(|error| match error {
            PullError::Address { why } => {
                format!("the address of the peer is not used: {why} (peers.hosts)")
            }
            other => other.to_string(),
        })
    }
}
