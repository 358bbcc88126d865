//! A thread that commits: takes an owner's waiting jobs and makes one database transaction of them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant as Stopwatch};

use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
use grunddata_model::{Instant, OwnerKey};

use crate::combiner::job::{BatchFailure, Job};
use crate::connection::{Connection, Purpose};
use crate::dialect;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::options::COMMITS_WITHIN;
use crate::sql::Sql;
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::transfers::records_in_transfer;
use crate::tree::{Frontier, Given};
use crate::write::{AcceptedJob, Batch, Needs, WriteTx, flush};

/// How often a batch is tried before its jobs are told that the database is busy.
const ATTEMPTS: u32 = 6;
/// From this many staged writes on, the jobs that have not run yet wait for the next batch: memory stays bounded.
const FULL_BATCH: usize = 20_000;

/// A committing thread with its connection.
pub(crate) struct Worker {
    engine: Arc<Engine>,
    connection: Option<Connection>,
}

/// What became of the jobs of a batch.
enum Outcome {
    /// The first so many jobs are decided and what they staged is on disk.
    Decided(usize),
    Failed(BatchFailure),
}

impl Worker {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            connection: None,
        }
    }

    /// Serves until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        while let Some((owner, jobs)) = self.engine.queue.take(self.engine.options.batch) {
            let left = self.serve(&owner, jobs);
            self.engine.queue.release(&owner, left);
        }
    }

    /// Runs a batch and answers its jobs; what is left waits for the next one.
    fn serve(&mut self, owner: &OwnerKey, mut jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let watch = Stopwatch::now();
        let size = jobs.len();
        match self.commit(owner, &mut jobs) {
            Outcome::Decided(count) => {
                let left = jobs.split_off(count.min(jobs.len()));
                self.engine.metrics.batch(jobs.len(), watch.elapsed());
                for job in jobs {
                    job.answer(None);
                }
                left
            }
            // One bad job must not take the others with it: each by itself.
            Outcome::Failed(BatchFailure::Store(error)) if size > 1 && !error.is_transient() => {
                tracing::warn!(%owner, %error, jobs = size, "a batch failed; its jobs are run one by one");
                for job in jobs {
                    let mut alone = vec![job];
                    let failure = match self.commit(owner, &mut alone) {
                        Outcome::Decided(_) => None,
                        Outcome::Failed(failure) => Some(failure),
                    };
                    self.engine.metrics.batch(1, watch.elapsed());
                    for job in alone {
                        job.answer(failure.clone());
                    }
                }
                Vec::new()
            }
            Outcome::Failed(failure) => {
                if let BatchFailure::Store(error) = &failure {
                    tracing::error!(%owner, %error, jobs = size, "a batch could not be committed");
                }
                for job in jobs {
                    job.answer(Some(failure.clone()));
                }
                Vec::new()
            }
        }
    }

    /// Tries a batch until it is committed or has failed for good.
    fn commit(&mut self, owner: &OwnerKey, jobs: &mut [Box<dyn Job>]) -> Outcome {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failure = match self.attempt(owner, jobs) {
                Ok(outcome) => return outcome,
                Err(failure) => failure,
            };
            // Whatever happened to the connection, a new one is sound.
            self.connection = None;
            // It may have been the machine: once more, and then each job by itself.
            let was_late = matches!(failure, StoreError::Timeout(limit) if limit == COMMITS_WITHIN);
            let again = failure.is_transient() || is_race(&failure) || was_late && attempt == 1;
            if !again || attempt >= ATTEMPTS {
                let failure = match failure {
                    StoreError::Busy => BatchFailure::Busy,
                    other => BatchFailure::Store(other),
                };
                return Outcome::Failed(failure);
            }
            self.engine.metrics.retry();
            tracing::debug!(%owner, %failure, attempt, "a batch is repeated");
            std::thread::sleep(Duration::from_millis(5 << attempt));
        }
    }

    fn attempt(
        &mut self,
        owner: &OwnerKey,
        jobs: &mut [Box<dyn Job>],
    ) -> Result<Outcome, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(&self.engine.target, &self.engine.options, Purpose::Write)?,
        };
        connection.begin()?;
        let locked = match lock_home(&mut connection, owner) {
            Ok(Some(locked)) => Ok(locked),
            Ok(None) => Err(StoreError::UnknownOwner(owner.clone())),
            Err(error @ StoreError::Copied { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        let Counter {
            position,
            last,
            mut tree,
            in_transfer,
        } = match locked {
            Ok(locked) => locked,
            Err(error) => {
                connection.rollback()?;
                self.connection = Some(connection);
                return Ok(Outcome::Failed(BatchFailure::Store(error)));
            }
        };
        let begun = (self.engine.options.stopwatch)();
        let clock = (self.engine.options.clock)();
        if let Some(expected) = self.engine.jumped(clock) {
            connection.rollback()?;
            self.connection = Some(connection);
            return Ok(Outcome::Failed(BatchFailure::ClockJump {
                expected,
                now: clock,
            }));
        }
        let frozen = if in_transfer {
            records_in_transfer(&mut connection, owner)?
        } else {
            HashMap::new()
        };
        let mut batch = Batch::new(connection, self.engine.model.clone(), owner.clone());
        batch.in_transfer = frozen;
        let decided = run_jobs(&mut batch, jobs, clock, last)?;
        let Batch {
            mut connection,
            accepted,
            ..
        } = batch;
        let accepted: Vec<AcceptedJob> =
            accepted.into_iter().filter(|job| !job.is_empty()).collect();
        let Some(instant) = accepted.last().map(|job| job.instant) else {
            connection.rollback()?;
            self.connection = Some(connection);
            return Ok(Outcome::Decided(decided));
        };
        let before = position;
        let (position, words) = flush(
            &mut connection,
            &self.engine.known,
            &self.engine.model,
            owner,
            &accepted,
            (position, &mut tree, &Given::new()),
        )?;
        advance(&mut connection, owner, position, instant, &tree)?;
        let took = (self.engine.options.stopwatch)().saturating_sub(begun);
        if took > COMMITS_WITHIN {
            tracing::warn!(%owner, ?took, "a batch took too long for its instant");
            return Err(StoreError::Timeout(COMMITS_WITHIN));
        }
        if let Err(error) = connection.commit() {
            // The commit may have arrived although its answer did not.
            if !matches!(error, StoreError::Unavailable(_))
                || !self.was_committed(owner, &accepted)?
            {
                return Err(error);
            }
        } else if outgrown(before, position)
            && let Err(error) = connection.analyse()
        {
            // What is committed stays so: the batch must not be repeated for this. The next one opens a new connection.
            tracing::warn!(%owner, %error, "statistics of the tables could not be made; autovacuum makes them in time");
        } else {
            self.connection = Some(connection);
        }
        self.engine.known.vocabulary.learn(owner.as_str(), words);
        let position = u64::try_from(position).unwrap_or_default();
        self.engine.metrics.position(owner, position);
        self.engine.metrics.tree(tree.spent);
        self.engine.followed.tell(owner, position);
        Ok(Outcome::Decided(decided))
    }

    /// Whether a batch whose commit was not answered is on disk: its transactions are there or they are not.
    fn was_committed(
        &mut self,
        owner: &OwnerKey,
        accepted: &[AcceptedJob],
    ) -> Result<bool, StoreError> {
        let Some(write) = accepted
            .iter()
            .flat_map(|job| &job.writes)
            .map(|(write, _)| write)
            .next()
        else {
            return Ok(false);
        };
        let mut connection =
            Connection::open(&self.engine.target, &self.engine.options, Purpose::Write)?;
        let mut sql =
            Sql::<(SqlId,)>::new("SELECT t.id FROM accepted_transaction t WHERE t.owner = ");
        sql.text(owner.as_str())
            .push(" AND t.id = ")
            .id(write.transaction);
        let found: Option<(Id,)> = connection.first(&sql)?;
        Ok(found.is_some())
    }
}

/// Whether an owner's log has just become four times as long, from its 256th entry on. A table that grows fast is planned
/// for as if it were empty until autovacuum comes by, and a batch that joins it with a list of keys would read it as a
/// whole.
pub(crate) fn outgrown(before: i64, after: i64) -> bool {
    let steps = |position: i64| position.max(1).ilog2() / 2;
    after >= 256 && steps(after) > steps(before)
}

/// Two processes took the same id at once: when the batch is repeated, the second one sees the first.
fn is_race(error: &StoreError) -> bool {
    matches!(error, StoreError::Duplicate(_))
}

/// Runs jobs in order; how many were run.
fn run_jobs(
    batch: &mut Batch,
    jobs: &mut [Box<dyn Job>],
    clock: Instant,
    mut last: Instant,
) -> Result<usize, StoreError> {
    let mut needs = Needs::default();
    let mut keys = Vec::new();
    for job in jobs.iter() {
        let wanted = job.needs();
        needs.records.extend_from_slice(&wanted.records);
        needs.identifiers.extend_from_slice(&wanted.identifiers);
        needs.inbound.extend_from_slice(&wanted.inbound);
        keys.extend(wanted.idempotency);
    }
    batch.load_records(&needs.records)?;
    batch.load_claims(&needs.identifiers)?;
    batch.load_inbound(&needs.inbound)?;
    batch.load_outcomes(&keys, crate::write::remembered_since(clock))?;
    let mut decided = 0;
    let mut staged = 0;
    for job in jobs {
        let instant = clock.max(last.next());
        let mut tx = WriteTx::new(batch, instant);
        let accepted = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)));
        match accepted {
            Ok(true) => {
                staged += tx.staged().count();
                tx.accept();
                last = instant;
            }
            Ok(false) => {}
            Err(_) => return Err(StoreError::Database("a job panicked".into())),
        }
        if let Some(failure) = batch.failure.take() {
            return Err(failure);
        }
        decided += 1;
        if staged >= FULL_BATCH {
            break;
        }
    }
    Ok(decided)
}

/// What stands with an owner's counter.
pub(crate) struct Counter {
    pub(crate) position: i64,
    pub(crate) last: Instant,
    /// The tree over the log.
    pub(crate) tree: Frontier,
    /// Whether something of the owner is being handed over.
    pub(crate) in_transfer: bool,
}

/// The same as [`lock_owner`], for whoever may write to owners whose home this is.
///
/// # Errors
/// [`StoreError::Copied`] for an owner that is copied from elsewhere.
pub(crate) fn lock_home(
    connection: &mut Connection,
    owner: &OwnerKey,
) -> Result<Option<Counter>, StoreError> {
    // With the lock in one statement: an owner that is there gets no row in peer while it is.
    let locked = lock_with(
        connection,
        owner,
        ", (SELECT p.url FROM peer p WHERE p.owner = o.key)",
    )?;
    match locked {
        Some((_, Some(of))) => Err(StoreError::Copied {
            owner: owner.clone(),
            of: of.into(),
        }),
        Some((counter, None)) => Ok(Some(Counter {
            in_transfer: is_in_transfer(connection, owner)?,
            ..counter
        })),
        None => Ok(None),
    }
}

/// Takes the owner's counter row until the end of the transaction.
/// Whether something of the owner is being handed over. Asked when its row is locked: what was accepted just before is seen.
fn is_in_transfer(connection: &mut Connection, owner: &OwnerKey) -> Result<bool, StoreError> {
    let mut sql = Sql::<(Integer,)>::new("SELECT 1 FROM transfer_record t WHERE t.owner = ");
    sql.text(owner.as_str()).push(" LIMIT 1");
    let found: Option<(i32,)> = connection.first(&sql)?;
    Ok(found.is_some())
}

pub(crate) fn lock_owner(
    connection: &mut Connection,
    owner: &OwnerKey,
) -> Result<Option<Counter>, StoreError> {
    Ok(lock_with(connection, owner, ", CAST(NULL AS TEXT)")?.map(|(counter, _)| counter))
}

fn lock_with(
    connection: &mut Connection,
    owner: &OwnerKey,
    of: &str,
) -> Result<Option<(Counter, Option<String>)>, StoreError> {
    let mut sql = Sql::<(BigInt, SqlMoment, BigInt, Binary, Nullable<Text>)>::new(
        "SELECT o.position, o.last_instant, o.tree_size, o.tree_nodes",
    );
    sql.push(of)
        .push(" FROM owner o WHERE o.key = ")
        .text(owner.as_str())
        .push(dialect::for_update(connection));
    type Row = (i64, Moment, i64, Vec<u8>, Option<String>);
    let row: Option<Row> = connection.first(&sql)?;
    row.map(|(position, last, size, nodes, of)| {
        let counter = Counter {
            position,
            last: last.0,
            tree: Frontier::from_bytes(u64::try_from(size).unwrap_or_default(), &nodes)?,
            in_transfer: false,
        };
        Ok((counter, of))
    })
    .transpose()
}

pub(crate) fn advance(
    connection: &mut Connection,
    owner: &OwnerKey,
    position: i64,
    instant: Instant,
    tree: &Frontier,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new("UPDATE owner SET position = ");
    sql.big(position).push(", last_instant = ").moment(instant);
    sql.push(", tree_size = ")
        .big(i64::try_from(tree.size()).unwrap_or(i64::MAX))
        .push(", tree_nodes = ")
        .bytes(tree.to_bytes());
    sql.push(" WHERE key = ").text(owner.as_str());
    connection.execute(&sql)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_made_when_the_log_is_four_times_as_long() {
        let made: Vec<i64> = (0..100_000)
            .filter(|position| outgrown(*position, position + 1))
            .map(|position| position + 1)
            .collect();
        assert_eq!(made, [256, 1_024, 4_096, 16_384, 65_536]);
        assert!(outgrown(0, 5_000) && !outgrown(5_000, 10_000));
    }
}
