//! Peers that cannot be connected to and connect themselves: what is asked of them lies here until they fetch it, and what
//! they answer is handed to who has asked. How they are followed is what it always is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use crossbeam_channel::{Sender, bounded};
use grunddata_pull::{Ask, PullError, RawAnswer};
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

/// How much longer than it may wait an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How much longer than its answer may wait a peer may be silent until another process may follow it.
const SILENCE: Duration = Duration::from_secs(60);

/// A question that is to be fetched.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) id: Uuid,
    /// The path with the query.
    pub(crate) address: Arc<str>,
    /// The most bytes of its answer.
    pub(crate) limit: u64,
    answer: Sender<RawAnswer>,
}

/// What goes to and fro between this process and one peer. There is one question at a time.
#[derive(Debug)]
pub(crate) struct Line {
    question: watch::Sender<Option<Asked>>,
    /// When the peer was last here.
    seen: Mutex<Stopwatch>,
    /// Held by whoever brings an answer: one is read at a time.
    bringing: tokio::sync::Mutex<()>,
    patience: Duration,
}

impl Line {
    fn new(wait: Duration) -> Self {
        Self {
            question: watch::Sender::new(None),
            seen: Mutex::new(Stopwatch::now()),
            bringing: tokio::sync::Mutex::default(),
            patience: wait + PATIENCE,
        }
    }

    /// The question, as soon as there is one.
    pub(crate) fn questions(&self) -> watch::Receiver<Option<Asked>> {
        self.question.subscribe()
    }

    /// How many wait for questions.
    pub(crate) fn waiting(&self) -> usize {
        self.question.receiver_count()
    }

    /// The question by that id, when nobody has answered it.
    pub(crate) fn open(&self, id: Uuid) -> Option<Asked> {
        let question = self.question.borrow();
        question.as_ref().filter(|asked| asked.id == id).cloned()
    }

    /// A turn to bring an answer.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.bringing.lock().await
    }

    /// Hands an answer to who has asked. One that nobody waits for any more is dropped: it will be asked for again.
    pub(crate) fn answer(&self, asked: &Asked, answer: RawAnswer) {
        self.withdraw(asked.id);
        drop(asked.answer.try_send(answer));
    }

    /// The peer is here.
    pub(crate) fn note(&self) {
        *self.seen.lock() = Stopwatch::now();
    }

    /// Whether the peer was here lately: not longer ago than it may take to fetch an answer.
    pub(crate) fn is_live(&self) -> bool {
        self.seen.lock().elapsed() < self.patience.saturating_sub(PATIENCE) + SILENCE
    }

    fn withdraw(&self, id: Uuid) {
        self.question.send_if_modified(|question| {
            let its = question.as_ref().is_some_and(|asked| asked.id == id);
            if its {
                *question = None;
            }
            its
        });
    }
}

impl Ask for Line {
    fn ask(&self, address: &str, limit: u64) -> Result<RawAnswer, PullError> {
        let (sender, receiver) = bounded(1);
        let asked = Asked {
            id: Uuid::now_v7(),
            address: Arc::from(address),
            limit,
            answer: sender,
        };
        let id = asked.id;
        self.question.send_replace(Some(asked));
        let answer = receiver.recv_timeout(self.patience);
        self.withdraw(id);
        answer.map_err(|_| PullError::Connection {
            place: "the peer".to_owned(),
            cause: "it has not brought it".to_owned(),
        })
    }
}

/// The lines of this process, by the names of peers.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: Mutex<HashMap<String, Arc<Line>>>,
}

impl Lines {
    /// The line of a peer that is here.
    pub(crate) fn of(&self, name: &str, wait: Duration) -> Arc<Line> {
        let mut lines = self.lines.lock();
        let line = lines
            .entry(name.to_owned())
            .or_insert_with(|| Arc::new(Line::new(wait)));
        line.note();
        Arc::clone(line)
    }

    /// The line of a peer that was here lately.
    pub(super) fn live(&self, name: &str) -> Option<Arc<Line>> {
        let line = self.lines.lock().get(name).cloned();
        line.filter(|line| line.is_live())
    }

    /// Forgets the lines of peers that were not here lately.
    pub(super) fn prune(&self) {
        self.lines.lock().retain(|_, line| line.is_live());
    }
}
