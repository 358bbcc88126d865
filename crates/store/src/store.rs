//! The store's handle.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Stopwatch};

use diesel::sql_types::Integer;
use grunddata_information_model::InformationModel;
use grunddata_model::OwnerKey;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::combiner::{Job, Queue, Refused, TypedJob, Worker, lock_home};
use crate::connection::{Connection, Purpose};
use crate::engine::Engine;
use crate::error::{StoreError, WriteError};
use crate::follow::{Followed, LogWatch, follow};
use crate::metrics::{Metrics, StoreMetrics};
use crate::migrations;
use crate::options::{StoreOptions, Target};
use crate::peers::CopyConnections;
use crate::read::Reader;
use crate::sql::Sql;
use crate::verify::{Finding, Progress, Verifier};
use crate::write::{KnownRows, Needs, WriteTx};

/// The registry's database. Cheap to clone; when the last clone is dropped, what waits is still committed by the threads
/// that remain, and they end.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Arc<Engine>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// What reader connections on other threads hold on to, to know whether the store is still there.
    alive: Arc<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.engine.queue.close();
        self.engine.followed.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

struct Pinned {
    alive: Weak<()>,
    connection: Connection,
    engine: Weak<Engine>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.metrics.readers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

thread_local! {
    /// The reader connections of this thread, one per store.
    static READERS: RefCell<HashMap<u64, Pinned>> = RefCell::new(HashMap::new());
}

static INSTANCES: AtomicU64 = AtomicU64::new(1);

impl Store {
    /// Opens the database and starts the committing threads. It does not migrate.
    ///
    /// # Errors
    /// [`StoreError::Url`]; [`StoreError::Unavailable`] when no connection can be opened.
    pub fn open(options: StoreOptions, model: InformationModel) -> Result<Self, StoreError> {
        let target = Target::parse(&options.url)?;
        // The first connection fails here rather than in a thread, and gives a new SQLite file its page size.
        drop(Connection::open(&target, &options, Purpose::Write)?);
        let writers = match target {
            Target::Sqlite(_) => 1,
            Target::Postgres(_) => options.writers.max(1),
        };
        let opened = ((options.clock)(), (options.stopwatch)());
        let engine = Arc::new(Engine {
            instance: INSTANCES.fetch_add(1, Ordering::Relaxed),
            target,
            model,
            queue: Queue::new(options.queue),
            options,
            known: KnownRows::new(),
            metrics: Metrics::default(),
            followed: Arc::new(Followed::default()),
            copying: CopyConnections::default(),
            aside: Mutex::default(),
            opened,
        });
        let mut threads = Vec::with_capacity(writers);
        for number in 1..=writers {
            let worker = Worker::new(Arc::clone(&engine));
            let thread = std::thread::Builder::new()
                .name(format!("writer-{number}"))
                .spawn(move || worker.run())
                .map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
            threads.push(thread);
        }
        let shared = Shared {
            engine,
            threads: Mutex::new(threads),
            alive: Arc::new(()),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Brings the database to this version's tables; the names of the migrations that were run. The trees of logs grow over
    /// the changes that have no leaves yet ([`grow_trees`](Self::grow_trees)), also where an earlier call was broken off.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let done = migrations::run(&mut self.connect()?)?;
        self.load_packages()?;
        self.grow_trees(&|| true)?;
        Ok(done)
    }

    /// The names of the migrations that the database lacks.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        migrations::pending(&mut self.connect()?)
    }

    /// Whether there is no owner yet.
    ///
    /// # Errors
    /// [`StoreError`] of the database; [`StoreError::NotMigrated`] before the first migration.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let pending = self.pending_migrations()?;
        if !pending.is_empty() {
            return Err(StoreError::NotMigrated(pending));
        }
        self.read(|reader| {
            let sql = Sql::<(Integer,)>::new("SELECT 1 FROM owner LIMIT 1");
            let found: Option<(i32,)> = reader.connection.first(&sql)?;
            Ok(found.is_none())
        })
    }

    /// Reads on the connection that belongs to the calling thread (opened at the first read). Blocks the thread for as
    /// long as the statements take: point reads may run on a thread that serves requests, longer ones not.
    ///
    /// # Errors
    /// What the function gives, and [`StoreError::Unavailable`] when no connection can be opened.
    pub fn read<T>(
        &self,
        run: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let engine = &self.shared.engine;
        let pinned = READERS.with(|readers| readers.borrow_mut().remove(&engine.instance));
        let mut pinned = match pinned {
            Some(pinned) => pinned,
            None => {
                READERS.with(|readers| {
                    readers
                        .borrow_mut()
                        .retain(|_, pinned| pinned.alive.strong_count() > 0)
                });
                let connection = Connection::open(&engine.target, &engine.options, Purpose::Read)?;
                engine.metrics.readers.fetch_add(1, Ordering::Relaxed);
                Pinned {
                    alive: Arc::downgrade(&self.shared.alive),
                    connection,
                    engine: Arc::downgrade(engine),
                }
            }
        };
        let result = run(&mut Reader::new(engine, &mut pinned.connection));
        // A lost connection is dropped, the next read opens another.
        if !matches!(result, Err(StoreError::Unavailable(_))) {
            READERS.with(|readers| readers.borrow_mut().insert(engine.instance, pinned));
        }
        result.map_err(|error| match error {
            StoreError::Timeout(_) => StoreError::Timeout(engine.options.statement_timeout),
            other => other,
        })
    }

    /// Reads on a connection of its own that no time limit ends: for what walks along all rows of an owner.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_at_length<T>(
        &self,
        run: impl FnOnce(&mut Reader<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connect()?;
        run(&mut Reader::new(self.engine(), &mut connection))
    }

    /// Runs a job in the owner's next batch and answers when the batch is on disk. The job may run more than once (when
    /// the batch is repeated), runs on another thread, and must not block on anything but the transaction. A job that
    /// returns an error leaves nothing behind.
    ///
    /// # Errors
    /// [`WriteError::Refused`] with the job's own error, and the store's.
    pub async fn write<T, E>(
        &self,
        owner: &OwnerKey,
        needs: Needs,
        run: impl FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(owner, needs, run, move |answer, run| {
            drop(sender.send((answer, run)));
        });
        receiver.await.map_or(
            Err(WriteError::Store(StoreError::ShuttingDown)),
            |(answer, _run)| answer,
        )
    }

    /// The same as [`write`](Self::write) for a thread that may wait: loads, seeds and benchmarks.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_blocking<T, E>(
        &self,
        owner: &OwnerKey,
        needs: Needs,
        run: impl FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, WriteError<E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_meanwhile(owner, needs, run, || ()).0
    }

    /// The same, with something to do while it waits; and how long the write took, its turn in the queue included.
    ///
    /// # Errors
    /// As [`write`](Self::write), in the answer.
    pub fn write_meanwhile<T, E>(
        &self,
        owner: &OwnerKey,
        needs: Needs,
        run: impl FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
        meanwhile: impl FnOnce(),
    ) -> (Result<T, WriteError<E>>, Duration)
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = mpsc::sync_channel(1);
        let watch = Stopwatch::now();
        self.enqueue(owner, needs, run, move |answer, run| {
            drop(sender.send((answer, run, watch.elapsed())));
        });
        meanwhile();
        match receiver.recv() {
            Ok((answer, _run, took)) => (answer, took),
            Err(_) => (
                Err(WriteError::Store(StoreError::ShuttingDown)),
                watch.elapsed(),
            ),
        }
    }

    fn enqueue<T, E, F>(
        &self,
        owner: &OwnerKey,
        needs: Needs,
        work: F,
        reply: impl FnOnce(Result<T, WriteError<E>>, F) + Send + 'static,
    ) where
        T: Send + 'static,
        E: Send + 'static,
        F: FnMut(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static,
    {
        use crate::combiner::BatchFailure;
        let job: Box<dyn Job> = Box::new(TypedJob {
            needs,
            work,
            result: None,
            reply,
        });
        if let Err((refused, job)) = self.shared.engine.queue.push(owner, job) {
            job.answer(Some(match refused {
                Refused::Full => BatchFailure::Busy,
                Refused::Closed => BatchFailure::Store(StoreError::ShuttingDown),
            }));
        }
    }

    /// Tells of the changes of an owner as they are committed, by this process and by others on the same database. A thread
    /// of its own looks for those of others as long as somebody follows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the thread cannot be started.
    pub fn follow(&self, owner: &OwnerKey) -> Result<LogWatch, StoreError> {
        let engine = &self.shared.engine;
        let watch = engine.followed.watch(owner);
        if engine.followed.begins() {
            let (weak, followed) = (Arc::downgrade(engine), Arc::clone(&engine.followed));
            let thread = std::thread::Builder::new()
                .name("followed".to_owned())
                .spawn(move || follow(&weak, &followed))
                .map_err(|error| StoreError::Unavailable(error.to_string().into()))?;
            self.shared.threads.lock().push(thread);
        }
        Ok(watch)
    }

    /// Checks everything that is stored against what must hold, and says what does not. Reads in bounded memory; meant
    /// for a registry that is not written to meanwhile (on a busy one, records that change while they are checked may be
    /// reported).
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn verify(&self, progress: &mut dyn FnMut(Progress)) -> Result<Vec<Finding>, StoreError> {
        Verifier::new(&self.shared.engine.model, &mut self.connect()?).run(progress)
    }

    /// Checks the logs of all owners alone: their positions and instants, every leaf, and the trees over them.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn verify_logs(&self) -> Result<Vec<Finding>, StoreError> {
        Verifier::new(&self.shared.engine.model, &mut self.connect()?).run_logs()
    }

    /// Figures for monitoring.
    #[must_use]
    pub fn metrics(&self) -> StoreMetrics {
        let engine = &self.shared.engine;
        engine.metrics.snapshot(engine.queue.len())
    }

    /// Takes no more writes, waits until everything that was taken is committed, and ends the threads.
    pub fn shutdown(&self) {
        self.shared.engine.queue.close();
        self.shared.engine.followed.close();
        for thread in self.shared.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a writing thread had panicked");
            }
        }
    }

    /// The information model that stored bodies are read with.
    #[must_use]
    pub fn model(&self) -> &InformationModel {
        &self.shared.engine.model
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn connect(&self) -> Result<Connection, StoreError> {
        self.connect_for(Purpose::Maintain)
    }

    pub(crate) fn connect_for(&self, purpose: Purpose) -> Result<Connection, StoreError> {
        let engine = &self.shared.engine;
        Connection::open(&engine.target, &engine.options, purpose)
    }

    /// Runs something in a transaction that holds the owner's counter row.
    pub(crate) fn under_lock<T>(
        &self,
        owner: &OwnerKey,
        run: impl FnOnce(&Self, &mut Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connect_for(Purpose::Write)?;
        connection.begin()?;
        // Without a commit the connection takes its work back when it is dropped.
        if lock_home(&mut connection, owner)?.is_none() {
            return Err(StoreError::UnknownOwner(owner.clone()));
        }
        let done = run(self, &mut connection)?;
        connection.commit()?;
        Ok(done)
    }
}
