//! Jobs that are tried in memory, one after the other, and of which nothing is ever stored.

use grunddata_model::{OwnerKey, RecordId};

use crate::connection::Purpose;
use crate::error::StoreError;
use crate::store::Store;
use crate::write::{Batch, Needs, WriteTx};

/// What jobs would do to an owner's records as they are now, each upon what those before it would have done. It takes no
/// lock: what is written meanwhile by others may or may not be seen. Memory grows with what the jobs stage.
pub struct Rehearsal {
    store: Store,
    batch: Batch,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").finish_non_exhaustive()
    }
}

impl Store {
    /// Begins a rehearsal on a connection of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    pub fn rehearse(&self, owner: &OwnerKey) -> Result<Rehearsal, StoreError> {
        let connection = self.connect_for(Purpose::Read)?;
        Ok(Rehearsal {
            store: self.clone(),
            batch: Batch::new(connection, self.model().clone(), owner.clone()),
        })
    }
}

impl Rehearsal {
    /// Whether one of the jobs has changed the record.
    #[must_use]
    pub fn has(&self, record: RecordId) -> bool {
        self.batch.layer.records.contains_key(&record)
    }

    /// Tries a job. What it stages is there for the next one, unless it refuses. Blocks the thread.
    ///
    /// # Errors
    /// The job's own, and those of the database.
    pub fn run<T, E: From<StoreError>>(
        &mut self,
        needs: &Needs,
        run: impl FnOnce(&mut WriteTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let now = (self.store.engine().options.clock)();
        let mut tx = WriteTx::new(&mut self.batch, now);
        tx.prefetch(needs)?;
        let done = run(&mut tx);
        if done.is_ok() {
            tx.accept();
        }
        match self.batch.failure.take() {
            Some(failure) => Err(failure.into()),
            None => done,
        }
    }
}
