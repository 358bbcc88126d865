//! Waiting until an entry is durable.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Condvar, Mutex};

use crate::SeriesId;
use crate::error::AccessLogError;

/// Where an acknowledged entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The series.
    pub series: SeriesId,
    /// The number in the series, from 0.
    pub sequence: u64,
}

/// The promise that an entry will be durable. Wait for it before anything of what the entry is about is shown: as a
/// future, on any runtime, or with [`wait`](Self::wait).
#[must_use = "nothing may be shown before the entry is durable: wait for the receipt"]
pub struct Receipt {
    batch: Arc<Batch>,
    /// Which entry of the batch.
    number: u64,
    /// Where the waker of this receipt is, once it has one.
    waker: Option<usize>,
}

/// Entries that become durable together.
#[derive(Default)]
pub(crate) struct Batch {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// Where the first entry stands.
    outcome: Option<Result<Position, AccessLogError>>,
    wakers: Vec<Waker>,
}

impl Batch {
    pub(crate) fn receipt(self: &Arc<Self>, number: u64) -> Receipt {
        Receipt {
            batch: Arc::clone(self),
            number,
            waker: None,
        }
    }

    /// Answers all that wait. Only the first outcome counts.
    pub(crate) fn complete(&self, outcome: Result<Position, AccessLogError>) {
        let mut state = self.state.lock();
        if state.outcome.is_some() {
            return;
        }
        state.outcome = Some(outcome);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.done.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Receipt {
    /// Blocks until the entry is durable.
    ///
    /// # Errors
    /// When it could not be made durable, or the log was shut down before: then it is not logged.
    pub fn wait(self) -> Result<Position, AccessLogError> {
        let mut state = self.batch.state.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return self.position(outcome);
            }
            self.batch.done.wait(&mut state);
        }
    }

    fn position(
        &self,
        outcome: &Result<Position, AccessLogError>,
    ) -> Result<Position, AccessLogError> {
        outcome.clone().map(|first| Position {
            sequence: first.sequence + self.number,
            ..first
        })
    }
}

impl Future for Receipt {
    type Output = Result<Position, AccessLogError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let batch = Arc::clone(&self.batch);
        let mut state = batch.state.lock();
        if let Some(outcome) = &state.outcome {
            return Poll::Ready(self.position(outcome));
        }
        match self.waker.and_then(|place| state.wakers.get_mut(place)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                self.waker = Some(state.wakers.len());
                state.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
