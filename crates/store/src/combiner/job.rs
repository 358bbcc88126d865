//! One waiting write.

use crate::error::{StoreError, WriteError};
use crate::write::{Needs, WriteTx};
use grunddata_model::Instant;

/// Why a whole batch was not committed.
#[derive(Debug, Clone)]
pub(crate) enum BatchFailure {
    Store(StoreError),
    ClockJump { expected: Instant, now: Instant },
    Busy,
}

/// A write that waits, with its types hidden.
pub(crate) trait Job: Send {
    /// What it will ask for.
    fn needs(&self) -> &Needs;
    /// Runs it; whether it accepts. It may run again when the batch is repeated.
    fn run(&mut self, tx: &mut WriteTx<'_>) -> bool;
    /// Answers, once: with what it made of its last run, or with the failure of the batch.
    fn answer(self: Box<Self>, failure: Option<BatchFailure>);
}

/// A job with its types.
pub(crate) struct TypedJob<T, E, F, R> {
    pub(crate) needs: Needs,
    pub(crate) work: F,
    pub(crate) result: Option<Result<T, E>>,
    pub(crate) reply: R,
}

impl<T, E, F, R> Job for TypedJob<T, E, F, R>
where
    T: Send,
    E: Send,
    F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send,
    R: FnOnce(Result<T, WriteError<E>>, F) + Send,
{
    fn needs(&self) -> &Needs {
        &self.needs
    }

    fn run(&mut self, tx: &mut WriteTx<'_>) -> bool {
        let result = (self.work)(tx);
        let accepted = result.is_ok();
        self.result = Some(result);
        accepted
    }

    fn answer(self: Box<Self>, failure: Option<BatchFailure>) {
        let answer = match (failure, self.result) {
            (Some(BatchFailure::Store(error)), _) => Err(WriteError::Store(error)),
            (Some(BatchFailure::ClockJump { expected, now }), _) => {
                Err(WriteError::ClockJump { expected, now })
            }
            (Some(BatchFailure::Busy), _) => Err(WriteError::Busy),
            (None, Some(Ok(value))) => Ok(value),
            (None, Some(Err(refusal))) => Err(WriteError::Refused(refusal)),
            (None, None) => Err(WriteError::Store(StoreError::Database(
                "the job was never run".into(),
            ))),
        };
        // What the work holds goes back to who asked: taking it apart is not for the thread that commits.
        (self.reply)(answer, self.work);
    }
}
