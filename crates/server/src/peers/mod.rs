//! Following other registries: their owners are copied here as they change.
//!
//! One thread looks who is to be followed (and which hand-overs are to go on, `handing`) and takes what nobody holds ([ADR 0017](../../../docs/adr)); each peer has a
//! thread of its own from there on. Settings of the installation say which hosts may be asked.

mod asked;
mod entries;
mod follow;
mod keys;
mod line;
mod look;
mod models;
mod push;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as Stopwatch};

use crossbeam_channel::{Receiver, Sender, bounded};
use grunddata_log_proof::head::PublicKey;
use grunddata_model::Instant;
use grunddata_registry::{PeerSettings, Refusal, Registry};
use grunddata_store::{PeerRow, PeerStatus};
use parking_lot::Mutex;

use crate::app::App;
use crate::handing::Carriers;
use crate::loads::collect::Worker;
use push::Pushes;

pub use follow::Reached;
pub(crate) use keys::{Trusted, current as current_keys};
pub(crate) use line::{Asked, Line, Lines};
pub use look::{Looked, look};

/// Whom peers may be, and how they are followed. Said by whoever runs the program.
#[derive(Debug, Clone)]
pub struct Peering {
    /// How often it is looked who is to be followed.
    pub poll: Duration,
    /// How long an answer of a peer waits for the next change.
    pub wait: Duration,
    /// After how long a peer that fails is tried again at first.
    pub backoff: Duration,
    /// Hosts that may be asked.
    pub hosts: Vec<String>,
    /// Whether `http://` to this machine itself is allowed.
    pub http_loopback: bool,
    /// The directory in which tokens lie that are named over the API.
    pub tokens: Option<PathBuf>,
    /// Certificates (PEM) of authorities, in place of the usual ones.
    pub certificate_authorities: Option<PathBuf>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
    /// Whether packages of the information model that are missing here come from peers.
    pub models: bool,
    /// Where this registry asks itself for what it pushes. Absent: where it listens, or its public address where it listens with
    /// a certificate.
    pub own_address: Option<String>,
}

impl Default for Peering {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            wait: Duration::from_secs(20),
            backoff: Duration::from_secs(1),
            hosts: Vec::new(),
            http_loopback: false,
            tokens: None,
            certificate_authorities: None,
            proxy: None,
            models: false,
            own_address: None,
        }
    }
}

impl Peering {
    /// Where a token lies: whoever is at the console names any file, and whoever is elsewhere one of the directory.
    fn token_path(&self, name: &str) -> Result<PathBuf, String> {
        let path = PathBuf::from(name);
        if path.is_absolute() {
            return Ok(path);
        }
        if !is_plain(name) {
            return Err("the token file is not a plain name".to_owned());
        }
        match &self.tokens {
            Some(directory) => Ok(directory.join(name)),
            None => Err(format!(
                "the token {name:?} cannot be found: whoever runs the registry says in which directory tokens lie (peers.tokens)"
            )),
        }
    }
}

/// Whether it names a file and no way to one.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// Fetches what there is from a peer, once. `told` hears how far it is.
///
/// # Errors
/// Says why in words: that it is followed by another process included.
pub fn sync(
    registry: &Registry,
    peering: &Peering,
    worker: &Worker,
    name: &str,
    told: &mut dyn FnMut(&PeerRow),
) -> Result<PeerRow, String> {
    let store = registry.store();
    let known = store.find_peer(name).map_err(|error| error.to_string())?;
    if known.is_some_and(|row| is_pushed(&row)) {
        return Err("the peer brings its changes itself, to the server that runs here: there is nothing to fetch".to_owned());
    }
    let taken = store
        .take_peer(name, worker.id(), registry.now(), worker.until(registry))
        .map_err(|error| error.to_string())?;
    if !taken {
        return Err("another process follows the peer just now: what it has is as new as can be (see check)".to_owned());
    }
    let follower = follow::Follower {
        registry: registry.clone(),
        peering: peering.clone(),
        worker: worker.clone(),
        name: name.to_owned(),
        stop: Arc::default(),
        heard: None,
        line: None,
    };
    let mut again = 0;
    let reached = loop {
        let mut done = false;
        let reached = follower.follow(true, &mut |row| {
            done |= row.heard_at.is_some();
            told(row);
        });
        again += 1;
        // Where everything has to be fetched anew it begins again.
        if done || reached != Reached::CaughtUp || again > 3 {
            break reached;
        }
    };
    if let Reached::Failed(why) = &reached {
        drop(store.note_peer(
            name,
            worker.id(),
            Some(worker.until(registry)),
            None,
            Some((1, why)),
        ));
    }
    let row = store
        .read(|reader| reader.peer(name))
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "the peer is gone".to_owned())?;
    follower.leave();
    match reached {
        Reached::CaughtUp => Ok(row),
        Reached::Stopped => Err("the peer is paused, or was taken by another process".to_owned()),
        Reached::Failed(why) => Err(why),
    }
}

/// Whether a peer brings its changes itself.
fn is_pushed(row: &PeerRow) -> bool {
    // Most do not, and are asked for this often.
    row.settings.contains("\"pushedBy\"")
        && serde_json::from_str::<PeerSettings>(&row.settings)
            .is_ok_and(|settings| settings.pushed_by.is_some())
}

/// The keys that a peer says it signs its log with now.
///
/// # Errors
/// Says in words why they cannot be had.
pub fn published_keys(peering: &Peering, row: &PeerRow) -> Result<Vec<PublicKey>, String> {
    let settings: PeerSettings = serde_json::from_str(&row.settings)
        .map_err(|_| "the settings of the peer cannot be read".to_owned())?;
    let published = peering.remote(&settings)?.keys();
    let keys = keys::current(&published.map_err(|error| error.to_string())?);
    if keys.is_empty() {
        return Err("the peer publishes no key that it signs with".to_owned());
    }
    Ok(keys)
}

/// The thread that looks who is to be followed.
#[derive(Debug)]
pub(crate) struct Followers {
    wake: Sender<()>,
    thread: JoinHandle<()>,
}

impl Followers {
    pub(crate) fn start(app: &Arc<App>) -> std::io::Result<Self> {
        let (wake, woken) = bounded(1);
        let mut round = Round {
            app: Arc::clone(app),
            at: HashMap::new(),
            pushes: Pushes::default(),
            renewed: None,
            carriers: Carriers::default(),
        };
        let thread = thread::Builder::new()
            .name("peers".to_owned())
            .spawn(move || round.run(&woken))?;
        Ok(Self { wake, thread })
    }

    pub(crate) fn end(self) {
        let Self { wake, thread } = self;
        drop(wake);
        if thread.join().is_err() {
            tracing::error!("the thread that follows peers panicked");
        }
    }
}

/// A peer that this process follows.
struct At {
    version: u32,
    heard: Arc<Mutex<Option<Instant>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    /// Over which it is asked, where it cannot be connected to.
    line: Option<Arc<Line>>,
}

struct Round {
    app: Arc<App>,
    at: HashMap<String, At>,
    /// To whom this process pushes.
    pushes: Pushes,
    /// When the leases were renewed.
    renewed: Option<Stopwatch>,
    carriers: Carriers,
}

impl Round {
    fn run(&mut self, woken: &Receiver<()>) {
        let poll = self.app.config.peers.poll.max(Duration::from_millis(10));
        while !self.app.worker.stopping().load(Ordering::SeqCst) {
            if let Err(refusal) = self.once() {
                tracing::warn!(
                    code = refusal.code.as_str(),
                    why = refusal.detail,
                    "whom to follow cannot be found out"
                );
            }
            match woken.recv_timeout(poll) {
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {}
                _ => break,
            }
        }
        let (vitals, worker) = (self.app.vault.vitals().clone(), self.app.worker.clone());
        self.pushes.end(&vitals, &worker);
        for (_, at) in self.at.drain() {
            at.stop.store(true, Ordering::SeqCst);
            if at.thread.join().is_err() {
                tracing::error!("the thread that follows a peer panicked");
            }
        }
    }

    fn once(&mut self) -> Result<(), Refusal> {
        let registry = self.app.vault.vitals().clone();
        let failed = |error: grunddata_store::StoreError| {
            tracing::warn!(%error, "the peers cannot be read");
            Refusal::internal()
        };
        registry.store().load_packages().map_err(failed)?;
        registry.refresh_copies()?;
        let rows = registry
            .store()
            .read(|reader| reader.peers())
            .map_err(failed)?;
        let holder = self.app.worker.id();
        let followed = |name: &str, version: u32| {
            rows.iter().any(|row| {
                row.name == name
                    && row.version == version
                    && row.status == PeerStatus::Following
                    && row.holder == holder
            })
        };
        for (name, at) in &self.at {
            let silent = at.line.as_ref().is_some_and(|line| !line.is_live());
            if silent || !followed(name, at.version) {
                at.stop.store(true, Ordering::SeqCst);
            }
        }
        self.at.retain(|_, at| !at.thread.is_finished());
        self.app.lines.prune();
        let (peering, worker) = (&self.app.config.peers, &self.app.worker);
        self.pushes
            .look(&registry, peering, worker)
            .map_err(failed)?;
        self.renew(&registry).map_err(failed)?;
        for row in &rows {
            if row.status == PeerStatus::Following && !self.at.contains_key(&row.name) {
                // One that cannot be taken holds up no other.
                if let Err(error) = self.take(&registry, row) {
                    tracing::warn!(peer = row.name, %error, "a peer cannot be taken now");
                }
            }
        }
        *self.app.peers.write() = rows;
        self.carriers.look(&self.app)
    }

    /// Renews the leases of the peers that are followed here, and notes which of them have nothing new: one statement for all.
    fn renew(&mut self, registry: &Registry) -> Result<(), grunddata_store::StoreError> {
        let worker = &self.app.worker;
        let due = self.renewed.is_none_or(|at| at.elapsed() > worker.beat());
        if !due {
            return Ok(());
        }
        self.renewed = Some(Stopwatch::now());
        let followed = self
            .at
            .iter()
            .filter(|(_, at)| !at.stop.load(Ordering::SeqCst));
        let held: Vec<&str> = followed.map(|(name, _)| name.as_str()).collect();
        let heard = self.at.iter().filter_map(|(name, at)| {
            let said = at.heard.lock().take()?;
            Some((name.as_str(), said))
        });
        let heard: Vec<(&str, Instant)> = heard.collect();
        let until = worker.until(registry);
        registry
            .store()
            .renew_peers(worker.id(), until, &held, &heard)?;
        self.pushes.renew(registry, worker)
    }

    fn take(
        &mut self,
        registry: &Registry,
        row: &PeerRow,
    ) -> Result<(), grunddata_store::StoreError> {
        let worker = &self.app.worker;
        let line = if is_pushed(row) {
            // Whoever it comes to follows it.
            match self.app.lines.live(&row.name) {
                None => return Ok(()),
                line => line,
            }
        } else {
            None
        };
        let (now, until) = (registry.now(), worker.until(registry));
        if !row.is_free(now, until)
            || !registry
                .store()
                .take_peer(&row.name, worker.id(), now, until)?
        {
            return Ok(());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::new(Mutex::new(None));
        let follower = follow::Follower {
            registry: registry.clone(),
            peering: self.app.config.peers.clone(),
            worker: worker.clone(),
            name: row.name.clone(),
            stop: Arc::clone(&stop),
            heard: Some(Arc::clone(&heard)),
            line: line.clone(),
        };
        let thread = thread::Builder::new()
            .name("peer".to_owned())
            .spawn(move || follower.run())
            .map_err(|error| grunddata_store::StoreError::Unavailable(error.to_string().into()))?;
        let at = At {
            version: row.version,
            heard,
            stop,
            thread,
            line,
        };
        self.at.insert(row.name.clone(), at);
        Ok(())
    }
}
