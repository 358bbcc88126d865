//! Pushing: an owner of this registry is brought to one that copies it and cannot ask by itself. It is that one which asks, over
//! connections that are opened here: what it wants is fetched from this registry with a token of its own, as if it had asked
//! itself, and brought to it. So nothing has to be kept here of how far it is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as Stopwatch};

use grunddata_pull::{
    Access, Line, Peer as Remote, PeerError, PullError, Question, RawAnswer, Settings,
};
use grunddata_registry::{PushSettings, Registry};
use grunddata_store::{PeerStatus, PushRow, StoreError};

use super::Peering;
use super::follow::{LONGEST_PAUSE, TICK, pause_after};
use crate::loads::collect::Worker;

/// How often it is noted that the other registry answers.
const NOTED: Duration = Duration::from_secs(20);
/// How often in a row an answer is brought again to one that is busy.
const AGAIN: u32 = 30;
/// The longest such pause.
const BUSY: Duration = Duration::from_secs(5);
/// The most registries that one process pushes to.
const MOST: usize = 64;

/// The pushes that this process sends.
#[derive(Default)]
pub(super) struct Pushes {
    at: HashMap<String, At>,
}

struct At {
    version: u32,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Pushes {
    /// Takes what nobody sends, and stops what is not to be sent here any more.
    pub(super) fn look(
        &mut self,
        registry: &Registry,
        peering: &Peering,
        worker: &Worker,
    ) -> Result<(), StoreError> {
        let rows = registry.store().read(|reader| reader.pushes())?;
        for (name, at) in &self.at {
            let sent = rows.iter().any(|row| {
                row.name == *name
                    && row.version == at.version
                    && row.status == PeerStatus::Following
                    && row.holder == worker.id()
            });
            if !sent {
                at.stop.store(true, Ordering::SeqCst);
            }
        }
        self.at
            .retain(|_, at| !at.thread.is_finished() && !at.stop.load(Ordering::SeqCst));
        let (now, until) = (registry.now(), worker.until(registry));
        for row in rows {
            let wanted = row.status == PeerStatus::Following && !self.at.contains_key(&row.name);
            if wanted
                && self.at.len() < MOST
                && row.is_free(now, until)
                && registry
                    .store()
                    .take_push(&row.name, worker.id(), now, until)?
            {
                self.start(registry, peering, worker, row)?;
            }
        }
        Ok(())
    }

    fn start(
        &mut self,
        registry: &Registry,
        peering: &Peering,
        worker: &Worker,
        row: PushRow,
    ) -> Result<(), StoreError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (name, version) = (row.name.clone(), row.version);
        let sender = Sending {
            registry: registry.clone(),
            peering: peering.clone(),
            worker: worker.clone(),
            row,
            stop: Arc::clone(&stop),
            noted: None,
            failures: 0,
        };
        let thread = thread::Builder::new()
            .name("push".to_owned())
            .spawn(move || sender.run())
            .map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
        self.at.insert(
            name,
            At {
                version,
                stop,
                thread,
            },
        );
        Ok(())
    }

    /// Renews what is held.
    pub(super) fn renew(&self, registry: &Registry, worker: &Worker) -> Result<(), StoreError> {
        let held: Vec<&str> = self.at.keys().map(String::as_str).collect();
        if held.is_empty() {
            return Ok(());
        }
        registry
            .store()
            .renew_pushes(worker.id(), worker.until(registry), &held)
    }

    /// Gives everything back. A thread that waits for the other registry ends when it has answered.
    pub(super) fn end(&mut self, registry: &Registry, worker: &Worker) {
        for (name, at) in self.at.drain() {
            at.stop.store(true, Ordering::SeqCst);
            let store = registry.store();
            let found = store.find_push(&name).ok().flatten();
            let failure = found
                .as_ref()
                .and_then(|row| Some((row.failures, row.failure.as_deref()?)));
            if let Err(error) = store.note_push(&name, worker.id(), None, None, failure) {
                tracing::warn!(push = name, %error, "a push cannot be given back: another process takes it when the lease has run out");
            }
        }
    }
}

/// Why sending was broken off.
enum Broken {
    /// In words.
    Why(String),
    /// It was stopped, or another process sends.
    Stopped,
}

impl From<PeerError> for Broken {
    fn from(error: PeerError) -> Self {
        Self::Why(error.to_string())
    }
}

impl From<PullError> for Broken {
    fn from(error: PullError) -> Self {
        Self::Why(error.to_string())
    }
}

struct Sending {
    registry: Registry,
    peering: Peering,
    worker: Worker,
    row: PushRow,
    stop: Arc<AtomicBool>,
    /// When it was last noted that the other registry answers.
    noted: Option<Stopwatch>,
    failures: u32,
}

impl Sending {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst) || self.worker.stopping().load(Ordering::SeqCst)
    }

    fn run(mut self) {
        while !self.stopped() {
            let begun = Stopwatch::now();
            let why = match self.send() {
                Ok(()) | Err(Broken::Stopped) => return,
                Err(Broken::Why(why)) => why,
            };
            // What went well for a while begins anew.
            self.failures = if begun.elapsed() > LONGEST_PAUSE {
                1
            } else {
                self.failures + 1
            };
            self.noted = None;
            let failures = self.failures;
            tracing::warn!(
                push = self.row.name,
                failures,
                why,
                "an owner cannot be pushed; it is tried again"
            );
            if !self.note(false, Some((failures, &why))) {
                return;
            }
            let pause = pause_after(self.peering.backoff, failures);
            let begun = Stopwatch::now();
            while begun.elapsed() < pause && !self.stopped() {
                thread::sleep(TICK.min(pause));
            }
        }
    }

    /// Says how it goes. Whether it is this process that sends.
    fn note(&self, heard: bool, failure: Option<(u32, &str)>) -> bool {
        let until = Some(self.worker.until(&self.registry));
        let heard = heard.then(|| self.registry.now());
        let store = self.registry.store();
        // A database that cannot be asked just now changes nothing.
        store
            .note_push(&self.row.name, self.worker.id(), until, heard, failure)
            .unwrap_or(true)
    }

    /// Fetches questions and brings answers until it is stopped.
    fn send(&mut self) -> Result<(), Broken> {
        let settings: PushSettings = serde_json::from_str(&self.row.settings)
            .map_err(|_| Broken::Why("the settings cannot be read".to_owned()))?;
        let line = self.peering.line(&settings).map_err(Broken::Why)?;
        let own = self.peering.own(&settings).map_err(Broken::Why)?;
        let mut answer: Option<(Question, RawAnswer)> = None;
        let mut again = 0;
        while !self.stopped() {
            let brought = answer.as_ref().map(|(question, answer)| (question, answer));
            let question = match line.exchange(&settings.peer, self.peering.wait, brought) {
                Ok(question) => question,
                // Another process there has it, or it is taken up just now: the same answer is brought again.
                Err(PeerError::Refused {
                    status: 503,
                    retry_after,
                    ..
                }) if again < AGAIN => {
                    again += 1;
                    thread::sleep(retry_after.unwrap_or(TICK).clamp(TICK, BUSY));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            (answer, again) = (None, 0);
            if self.stopped() {
                break;
            }
            if self.noted.is_none_or(|at| at.elapsed() > NOTED) {
                self.noted = Some(Stopwatch::now());
                self.failures = 0;
                if !self.note(true, None) {
                    return Err(Broken::Stopped);
                }
            }
            if let Some(question) = question {
                if !question.is_of(settings.owner.as_str()) {
                    return Err(Broken::Why(
                        "the other registry asks for something else than the owner that is pushed to it".to_owned(),
                    ));
                }
                let fetched = own.raw(&question.address)?;
                answer = Some((question, fetched));
            }
        }
        Ok(())
    }
}

impl Peering {
    /// The registry that is pushed to.
    fn line(&self, settings: &PushSettings) -> Result<Line, String> {
        let asked = Settings {
            address: settings.url.clone(),
            token: Some(self.token(&settings.token_file)?),
            certificate_authorities: self.authorities()?,
            proxy: self.proxy.clone(),
            ..Settings::default()
        };
        Line::new(&asked, &self.access(), self.wait).map_err(not_used)
    }

    /// This registry, asked as whoever holds the token that is pushed with.
    fn own(&self, settings: &PushSettings) -> Result<Remote, String> {
        let Some(address) = &self.own_address else {
            return Err(
                "this registry does not know its own address: set public_address".to_owned(),
            );
        };
        let asked = Settings {
            address: address.clone(),
            token: Some(self.token(&settings.reader_token_file)?),
            certificate_authorities: self.authorities()?,
            ..Settings::default()
        };
        // Itself and nobody else.
        Remote::new(&asked, &Access::to(address), self.wait)
            .map_err(|error| format!("this registry at {address}: {error}"))
    }
}

fn not_used(error: PullError) -> String {
    match error {
        PullError::Address { why } => {
            format!("the address that is pushed to is not used: {why} (peers.hosts)")
        }
        other => other.to_string(),
    }
}
