//! Threads for reads that may take long (search, hierarchies, wide lists), so that one of them never holds up the
//! point reads on a worker. They live as long as the server: a store connection is pinned to its thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use crate::problem::Problem;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads with a bounded queue.
#[derive(Debug, Clone)]
pub(crate) struct ReadPool {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
    busy: Arc<AtomicUsize>,
}

impl ReadPool {
    /// `name` is that of the threads.
    pub(crate) fn start(name: &str, threads: usize, queue: usize) -> std::io::Result<Self> {
        let (jobs, inbox) = bounded::<Job>(queue.max(1));
        let busy = Arc::new(AtomicUsize::new(0));
        for number in 0..threads.max(1) {
            let (inbox, busy) = (inbox.clone(), Arc::clone(&busy));
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || {
                    for job in inbox {
                        busy.fetch_add(1, Ordering::Relaxed);
                        // A panic is a mistake of ours. It costs its own request (whose answer is dropped, which is told as an
                        // internal error), never the thread: the pool would run dry.
                        if catch_unwind(AssertUnwindSafe(job)).is_err() {
                            tracing::error!("a read panicked");
                        }
                        busy.fetch_sub(1, Ordering::Relaxed);
                    }
                })?;
        }
        Ok(Self {
            jobs,
            waiting: Arc::new(AtomicUsize::new(0)),
            busy,
        })
    }

    /// Runs `work` on one of the threads. It is not begun when nobody waits for it any more.
    ///
    /// # Errors
    /// `busy` when the queue is full; else what `work` gives.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.queue(work, false).await
    }

    /// Runs `work` on one of the threads, whoever has gone meanwhile.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub(crate) async fn run_anyway<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.queue(work, true).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
        anyway: bool,
    ) -> Result<T, Problem> {
        let (answer, outcome) = oneshot::channel();
        let waiting = Arc::clone(&self.waiting);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let span = tracing::Span::current();
        let job: Job = Box::new(move || {
            waiting.fetch_sub(1, Ordering::Relaxed);
            if anyway || !answer.is_closed() {
                let outcome = span.in_scope(work);
                drop(answer.send(outcome));
            }
        });
        if let Err(error) = self.jobs.try_send(job) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(match error {
                TrySendError::Full(_) => Problem::new(
                    "busy",
                    "Too many searches are waiting just now. Try again after the seconds in Retry-After.",
                ),
                TrySendError::Disconnected(_) => Problem::internal("the read pool has stopped"),
            });
        }
        outcome
            .await
            .unwrap_or_else(|_| Err(Problem::internal("a read ended without an answer")))
    }

    /// Runs `work` on one of the threads, and waits for nothing. Whether there was room for it.
    pub(crate) fn begin(&self, work: impl FnOnce() + Send + 'static) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Arc::clone(&self.waiting);
        let job: Job = Box::new(move || {
            waiting.fetch_sub(1, Ordering::Relaxed);
            work();
        });
        let begun = self.jobs.try_send(job).is_ok();
        if !begun {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        begun
    }

    /// Reads that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Threads at work.
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_panic_costs_its_own_request_alone() {
        let pool = ReadPool::start("test", 1, 1).expect("pool");
        let failed = pool
            .run::<()>(|| panic!("on purpose"))
            .await
            .expect_err("a panic");
        assert_eq!(failed.kind.code, "internal");
        assert_eq!(pool.run(|| Ok(2)).await.expect("the thread lives"), 2);
        // The thread counts itself free after the answer is out.
        while pool.busy() != 0 {
            tokio::task::yield_now().await;
        }
    }

    #[actix_web::test]
    async fn a_full_queue_is_told_at_once() {
        let pool = ReadPool::start("test", 1, 1).expect("pool");
        let (hold, held) = bounded::<()>(0);
        let (begun, begins) = oneshot::channel();
        let first = pool.clone();
        let first = actix_web::rt::spawn(async move {
            first
                .run(move || {
                    begun.send(()).ok();
                    held.recv().ok();
                    Ok(1)
                })
                .await
        });
        begins.await.expect("begun");
        let second = pool.clone();
        let second = actix_web::rt::spawn(async move { second.run(|| Ok(2)).await });
        while pool.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let third = pool.run(|| Ok(3)).await.expect_err("full");
        assert_eq!(third.kind.code, "busy");
        hold.send(()).expect("held");
        assert_eq!(first.await.expect("joined").expect("first"), 1);
        assert_eq!(second.await.expect("joined").expect("second"), 2);
    }
}
