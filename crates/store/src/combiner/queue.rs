//! Jobs that wait, per owner. An owner is served by one thread at a time.

use std::collections::{HashMap, VecDeque};

use grunddata_model::OwnerKey;
use parking_lot::{Condvar, Mutex};

use crate::combiner::job::Job;

/// The queues of all owners.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    limit: usize,
}

#[derive(Default)]
struct State {
    owners: HashMap<OwnerKey, Waiting>,
    /// Owners that have jobs and are not being served, in the order in which they came.
    ready: VecDeque<OwnerKey>,
    waiting: usize,
    closed: bool,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    served: bool,
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State::default()),
            wake: Condvar::new(),
            limit: limit.max(1),
        }
    }

    /// Adds a job, or gives it back.
    pub(crate) fn push(
        &self,
        owner: &OwnerKey,
        job: Box<dyn Job>,
    ) -> Result<(), (Refused, Box<dyn Job>)> {
        let mut state = self.state.lock();
        if state.closed {
            return Err((Refused::Closed, job));
        }
        let State {
            owners,
            ready,
            waiting,
            ..
        } = &mut *state;
        let queue = owners.entry(owner.clone()).or_default();
        if queue.jobs.len() >= self.limit {
            return Err((Refused::Full, job));
        }
        if queue.jobs.is_empty() && !queue.served {
            ready.push_back(owner.clone());
            self.wake.notify_one();
        }
        queue.jobs.push_back(job);
        *waiting += 1;
        Ok(())
    }

    /// Waits for an owner with jobs that nobody serves and takes up to `most` of them. `None` when the queue is closed and
    /// empty. The caller must [`release`](Self::release) the owner.
    pub(crate) fn take(&self, most: usize) -> Option<(OwnerKey, Vec<Box<dyn Job>>)> {
        let mut state = self.state.lock();
        loop {
            if let Some(owner) = state.ready.pop_front() {
                let Some(queue) = state.owners.get_mut(&owner) else {
                    continue;
                };
                queue.served = true;
                let count = queue.jobs.len().min(most.max(1));
                let jobs: Vec<_> = queue.jobs.drain(..count).collect();
                state.waiting -= jobs.len();
                return Some((owner, jobs));
            }
            if state.closed {
                return None;
            }
            self.wake.wait(&mut state);
        }
    }

    /// Ends the serving of an owner. Jobs that were not run go back to the front.
    pub(crate) fn release(&self, owner: &OwnerKey, left: Vec<Box<dyn Job>>) {
        let mut state = self.state.lock();
        let State {
            owners,
            ready,
            waiting,
            ..
        } = &mut *state;
        let Some(queue) = owners.get_mut(owner) else {
            return;
        };
        queue.served = false;
        *waiting += left.len();
        for job in left.into_iter().rev() {
            queue.jobs.push_front(job);
        }
        if queue.jobs.is_empty() {
            owners.remove(owner);
        } else {
            ready.push_back(owner.clone());
            self.wake.notify_one();
        }
    }

    /// How many jobs wait.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().waiting
    }

    /// Takes no more jobs; what waits is still served.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_all();
    }
}
