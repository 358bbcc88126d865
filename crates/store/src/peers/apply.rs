//! Writing what came: whole transactions of the origin, with the instants and positions that they have there, and in the
//! same database transaction the place where the feed goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::sql_types::{BigInt, Text};
use grunddata_log_proof::head::Head;
use grunddata_model::{Instant, OwnerKey, Period, RecordId, Timeline, TransactionId};
use uuid::Uuid;

use super::check::{CheckedChange, CopyError};
use super::{PeerRow, PeerStatus, peer, wipe};
use crate::combiner::{Counter, advance, lock_owner, outgrown};
use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::Moment;
use crate::store::Store;
use crate::tree::{Frontier, Given};
use crate::write::{
    AcceptedJob, Batch, ChangeKind, KnownRows, Operation, RecordStatus, StagedWrite, WriteTx,
    flush, insert_missing,
};

/// What came together.
#[derive(Debug)]
pub struct Parcel {
    /// Whole transactions, in the order of the origin's log.
    pub changes: Vec<CheckedChange>,
    /// Records that are not shown any more, after the changes.
    pub withdrawn: Vec<RecordId>,
    /// Where the feed goes on after it.
    pub place: String,
    /// When it came.
    pub received_at: Instant,
    /// Whether the origin said that there was nothing more.
    pub caught_up: bool,
    /// Whether everything of the owner is asked for and shown.
    pub whole: bool,
    /// The head of the origin's log, its signature checked: it is compared where the changes end with the same entry.
    pub head: Option<Head>,
    /// Until when the peer is held from now on.
    pub held_until: Instant,
}

/// Writes the copy of one owner, as long as the peer is held.
pub struct CopyWriter {
    store: Store,
    name: String,
    owner: OwnerKey,
    holder: Uuid,
    /// Rows that are known to be there. Its own: what others know of is not what is wiped here.
    known: KnownRows,
}

impl std::fmt::Debug for CopyWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CopyWriter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl CopyWriter {
    /// For a process that has [taken](Store::take_peer) the peer.
    #[must_use]
    pub fn new(store: &Store, peer: &PeerRow, holder: Uuid) -> Self {
        Self {
            store: store.clone(),
            name: peer.name.clone(),
            owner: peer.owner.clone(),
            holder,
            known: KnownRows::new(),
        }
    }

    /// Stores what came, and how far the copy is from then on. What is there already is passed over.
    ///
    /// # Errors
    /// [`CopyError`]; nothing is stored then.
    pub fn apply(&mut self, parcel: &Parcel) -> Result<PeerRow, CopyError> {
        let store = self.store.clone();
        let (turn, idle) = store.engine().copying.turn();
        let mut connection = match idle {
            Some(connection) => connection,
            None => store.connect_for(Purpose::Write)?,
        };
        connection.begin()?;
        let Some(counter) = lock_owner(&mut connection, &self.owner)? else {
            return Err(StoreError::UnknownOwner(self.owner.clone()).into());
        };
        let Counter {
            position,
            last,
            mut tree,
            ..
        } = counter;
        let mut row = self.held(&mut connection)?;
        if row.place == "0" {
            row.whole = parcel.whole;
        }
        let fresh = self.missing(
            &row,
            &parcel.changes,
            u64::try_from(position).unwrap_or_default(),
        )?;
        let given: Given = fresh
            .iter()
            .filter_map(|checked| {
                let position = i64::try_from(checked.change.position?).ok()?;
                Some((position, checked.change.leaf.clone()?))
            })
            .collect();
        let (mut connection, jobs) = self.staged(connection, fresh, parcel, last)?;
        let before = position;
        let mut after = position;
        let mut words = Vec::new();
        if let Some(last) = jobs.iter().rfind(|job| job.entries() > 0) {
            let instant = last.instant;
            insert_geometries(&mut connection, &self.owner, &parcel.changes)?;
            (after, words) = flush(
                &mut connection,
                &self.known,
                self.store.model(),
                &self.owner,
                &jobs,
                (position, &mut tree, &given),
            )
            .map_err(not_its_leaf)?;
            if let Some(head) = parcel.head.as_ref().filter(|_| row.whole) {
                self.agrees(&mut connection, head, &tree)?;
            }
            refer(&mut connection, &self.owner, &jobs)?;
            advance(&mut connection, &self.owner, after, instant, &tree)?;
            note_batch(
                &mut connection,
                &self.owner,
                after,
                instant,
                parcel.received_at,
            )?;
        }
        let complete_at = jobs.iter().map(|job| job.instant).max();
        self.note(&mut connection, parcel, after, (complete_at, row.whole))?;
        let row = peer(&mut connection, &self.name)?.ok_or(CopyError::NotHeld)?;
        connection.commit()?;
        self.known.vocabulary.learn(self.owner.as_str(), words);
        if outgrown(before, after) && connection.analyse().is_err() {
            tracing::warn!(owner = %self.owner, "statistics of the tables could not be made; autovacuum makes them in time");
        }
        turn.leave(connection);
        let engine = store.engine();
        let reached = u64::try_from(after).unwrap_or_default();
        engine.metrics.position(&self.owner, reached);
        engine.followed.tell(&self.owner, reached);
        Ok(row)
    }

    /// Forgets everything that was copied, so that it is fetched anew from the beginning.
    ///
    /// # Errors
    /// [`CopyError::NotHeld`], [`CopyError::Store`].
    pub fn restart(&mut self) -> Result<(), CopyError> {
        // It takes as long as it takes.
        let mut connection = self.store.connect_for(Purpose::Maintain)?;
        connection.begin()?;
        lock_owner(&mut connection, &self.owner)?;
        self.held(&mut connection)?;
        wipe::wipe(&mut connection, &self.owner)?;
        connection.commit()?;
        self.known = KnownRows::new();
        Ok(())
    }

    /// The peer, when it is this process that follows it. Its row is held until the end of the transaction.
    fn held(&self, connection: &mut Connection) -> Result<PeerRow, CopyError> {
        let mut sql = Sql::<(Text,)>::new("SELECT p.name FROM peer p WHERE p.name = ");
        sql.text(self.name.as_str())
            .push(crate::dialect::for_update(connection));
        let _locked: Option<(String,)> = connection.first(&sql)?;
        peer(connection, &self.name)?
            .filter(|row| row.holder == self.holder && row.status == PeerStatus::Following)
            .ok_or(CopyError::NotHeld)
    }

    /// What is not there yet, of a whole copy in the origin's own positions.
    fn missing<'p>(
        &self,
        row: &PeerRow,
        changes: &'p [CheckedChange],
        reached: u64,
    ) -> Result<Vec<&'p CheckedChange>, CopyError> {
        if !row.whole {
            return Ok(changes.iter().collect());
        }
        let mut next = reached + 1;
        let mut fresh = Vec::with_capacity(changes.len());
        for checked in changes {
            match checked.change.position {
                Some(position) if position < next => {}
                Some(position) if position == next => {
                    next += 1;
                    fresh.push(checked);
                }
                Some(position) => {
                    return Err(CopyError::Gap(format!(
                        "the log of {} goes on at position {position}, and here it ends at {}",
                        self.owner,
                        next - 1
                    )));
                }
                None => {
                    return Err(CopyError::Gap(
                        "the token is not shown the whole owner any more".to_owned(),
                    ));
                }
            }
        }
        Ok(fresh)
    }

    /// The changes as jobs, one for each transaction of the origin.
    fn staged(
        &self,
        connection: Connection,
        changes: Vec<&CheckedChange>,
        parcel: &Parcel,
        last: Instant,
    ) -> Result<(Connection, Vec<AcceptedJob>), CopyError> {
        let mut batch = Batch::new(connection, self.store.model().clone(), self.owner.clone());
        let ids: Vec<RecordId> = changes
            .iter()
            .map(|checked| checked.change.record)
            .chain(parcel.withdrawn.iter().copied())
            .collect();
        batch.load_records(&ids)?;
        let mut rest = changes.as_slice();
        while let Some(first) = rest.first() {
            let transaction = first.change.transaction;
            let length = rest
                .iter()
                .position(|checked| checked.change.transaction != transaction)
                .unwrap_or(rest.len());
            let (now, later) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = later;
            let mut tx = WriteTx::new(&mut batch, first.change.recorded_at);
            for checked in now {
                self.stage(&mut tx, checked)?;
            }
            tx.accept();
        }
        if !parcel.withdrawn.is_empty() {
            // Behind what came, and before what will: the clock here has no say in it.
            let reached = batch.accepted.last().map_or(last, |job| job.instant);
            let now = reached.next();
            let mut tx = WriteTx::new(&mut batch, now);
            let transaction = TransactionId::from(Uuid::now_v7());
            for id in parcel.withdrawn.iter().collect::<BTreeSet<_>>() {
                withdraw(&mut tx, *id, transaction)?;
            }
            tx.accept();
        }
        let Batch {
            connection,
            accepted,
            failure,
            ..
        } = batch;
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        Ok((connection, accepted))
    }

    fn stage(&self, tx: &mut WriteTx<'_>, checked: &CheckedChange) -> Result<(), CopyError> {
        let change = &checked.change;
        let image = tx.record(change.record)?;
        if let Some(image) = &image
            && image.owner != self.owner
        {
            return Err(CopyError::Wrong(format!(
                "the record {} belongs to {} here",
                change.record, image.owner
            )));
        }
        let version = image.as_ref().map_or(0, |image| image.version);
        let gone = image
            .as_ref()
            .is_some_and(|image| image.status == RecordStatus::Erased);
        if gone && checked.status != RecordStatus::Erased {
            return Err(CopyError::Gap(format!(
                "the record {} was withdrawn, and is shown again",
                change.record
            )));
        }
        if change.operation == Operation::Effective {
            return match image {
                Some(image) if change.version == version => {
                    let (transaction, actor) = (change.transaction, &change.actor);
                    tx.tell_copied(transaction, actor, change.touched.from(), image);
                    Ok(())
                }
                _ if change.position.is_none() || change.erased => Ok(()),
                _ => Err(CopyError::Gap(format!(
                    "something of version {} of the record {} became effective, and here it is at {version}",
                    change.version, change.record
                ))),
            };
        }
        if change.version <= version {
            return Ok(());
        }
        if change.version != version + 1 {
            if change.erased && image.is_none() {
                // Of what never was here nothing is kept.
                return Ok(());
            }
            return Err(CopyError::Gap(format!(
                "version {} of the record {} comes after version {version}",
                change.version, change.record
            )));
        }
        let staged = tx.stage(StagedWrite {
            id: change.record,
            domain: change.domain,
            fresh: false,
            controller: change.controller,
            origin: Some(Arc::clone(&change.origin)),
            transaction: change.transaction,
            operation: change.operation,
            change_kind: change.change_kind,
            corrects: change.corrects,
            actor: Arc::clone(&change.actor),
            reason: change.reason.clone(),
            source: change.source.clone(),
            touched: change.touched,
            before: image
                .map(|image| image.timeline.clone())
                .unwrap_or_default(),
            after: checked.after.clone(),
            status: checked.status,
            forward_to: change.forward_to,
        });
        match staged {
            Ok(_) => Ok(()),
            Err(StoreError::Staged { problem, .. }) => Err(CopyError::Wrong(problem)),
            Err(error) => Err(error.into()),
        }
    }

    /// Compares the tree that follows from what was copied with the one that the origin has signed. Another epoch is one
    /// that the origin has declared: what was copied of the branch that is gone is fetched anew.
    fn agrees(
        &self,
        connection: &mut Connection,
        head: &Head,
        tree: &Frontier,
    ) -> Result<(), CopyError> {
        let mut sql = Sql::<(BigInt,)>::new("SELECT o.epoch FROM owner o WHERE o.key = ");
        sql.text(self.owner.as_str());
        let epoch: Option<(i64,)> = connection.first(&sql)?;
        let said = i64::try_from(head.epoch).unwrap_or(i64::MAX);
        let is_known = epoch == Some((said,));
        if head.size == tree.size() && head.root != tree.root() {
            let owner = self.owner.clone();
            return Err(if is_known {
                CopyError::Rewritten {
                    owner,
                    size: head.size,
                }
            } else {
                CopyError::Gap(format!(
                    "the log of {owner} goes on as another one, after a restore from a backup"
                ))
            });
        }
        if is_known {
            return Ok(());
        }
        let mut sql = Sql::<()>::new("UPDATE owner SET epoch = ");
        sql.big(said)
            .push(" WHERE key = ")
            .text(self.owner.as_str());
        connection.execute(&sql)?;
        Ok(())
    }

    fn note(
        &self,
        connection: &mut Connection,
        parcel: &Parcel,
        position: i64,
        (complete_at, whole): (Option<Instant>, bool),
    ) -> Result<(), CopyError> {
        let mut sql = Sql::<()>::new("UPDATE peer SET place = ");
        sql.text(parcel.place.as_str())
            .push(", position = ")
            .big(position)
            .push(", whole = ")
            .small(i16::from(whole))
            .push(", failures = 0, failure = NULL, needs_model = NULL, held_until = ")
            .moment(parcel.held_until);
        if let Some(complete_at) = complete_at {
            sql.push(", complete_at = ")
                .moment(complete_at)
                .push(", received_at = ")
                .moment(parcel.received_at);
        }
        if parcel.caught_up {
            sql.push(", heard_at = ").moment(parcel.received_at);
        }
        sql.push(" WHERE name = ")
            .text(self.name.as_str())
            .push(" AND holder = ")
            .bind(Bind::Id(crate::sql_types::Id(self.holder)));
        if connection.execute(&sql)? == 1 {
            Ok(())
        } else {
            Err(CopyError::NotHeld)
        }
    }
}

/// A leaf that does not fit is the peer's fault, and not one of the database.
fn not_its_leaf(error: StoreError) -> CopyError {
    match error {
        StoreError::Disagrees { what } => CopyError::Wrong(what),
        other => other.into(),
    }
}

/// What is not shown any more goes as if it were erased, here alone.
fn withdraw(
    tx: &mut WriteTx<'_>,
    id: RecordId,
    transaction: TransactionId,
) -> Result<(), CopyError> {
    let owner = tx.owner().clone();
    let Some(image) = tx.record(id)?.filter(|image| image.owner == owner) else {
        return Ok(());
    };
    if image.status == RecordStatus::Erased {
        return Ok(());
    }
    tx.stage(StagedWrite {
        id,
        domain: image.domain,
        fresh: false,
        controller: image.controller,
        origin: image.origin.clone(),
        transaction,
        operation: Operation::Erase,
        change_kind: ChangeKind::Change,
        corrects: None,
        actor: "withdrawn".into(),
        reason: None,
        source: None,
        touched: Period::ALWAYS,
        before: image.timeline.clone(),
        after: Timeline::empty(),
        status: RecordStatus::Erased,
        forward_to: None,
    })?;
    Ok(())
}

fn insert_geometries(
    connection: &mut Connection,
    owner: &OwnerKey,
    changes: &[CheckedChange],
) -> Result<(), StoreError> {
    let mut all: Vec<(&str, &str)> = changes
        .iter()
        .flat_map(|checked| &checked.change.geometries)
        .map(|(hash, body)| (hash.as_str(), body.as_str()))
        .collect();
    all.sort_unstable();
    all.dedup();
    let rows = all.into_iter().map(|(hash, body)| {
        vec![
            Bind::Text(owner.as_str().into()),
            Bind::Text(hash.into()),
            Bind::Text(body.into()),
        ]
    });
    insert_missing(connection, "geometry (owner, hash, body)", rows.collect())
}

/// Notes which copied owners refer to records that have come only now: a copy may come before what it refers to.
fn refer(
    connection: &mut Connection,
    owner: &OwnerKey,
    jobs: &[AcceptedJob],
) -> Result<(), StoreError> {
    let new: Vec<RecordId> = jobs
        .iter()
        .flat_map(|job| &job.writes)
        .filter(|(_, version)| *version == 1)
        .map(|(write, _)| write.id)
        .collect();
    for ids in new.chunks(LIST) {
        let mut sql = Sql::<(Text,)>::new("SELECT p.owner FROM peer p WHERE p.owner <> ");
        sql.text(owner.as_str())
            .push(" AND NOT EXISTS (SELECT 1 FROM owner_reference f WHERE f.target = ")
            .text(owner.as_str())
            .push(" AND f.source = p.owner) AND EXISTS (SELECT 1 FROM link l WHERE l.owner = p.owner AND l.target_id IN ")
            .ids(ids.iter().copied())
            .push(")");
        let sources: Vec<(String,)> = connection.load(&sql)?;
        let rows = sources
            .into_iter()
            .map(|(source,)| vec![Bind::Text(owner.as_str().into()), Bind::Text(source.into())])
            .collect();
        insert_missing(connection, "owner_reference (target, source)", rows)?;
    }
    Ok(())
}

fn note_batch(
    connection: &mut Connection,
    owner: &OwnerKey,
    position: i64,
    complete_at: Instant,
    received_at: Instant,
) -> Result<(), StoreError> {
    let mut sql = Sql::<()>::new(
        "INSERT INTO copy_batch (owner, position, complete_at, received_at) VALUES ",
    );
    sql.values([vec![
        Bind::Text(owner.as_str().into()),
        Bind::Big(position),
        Bind::Moment(Moment(complete_at)),
        Bind::Moment(Moment(received_at)),
    ]]);
    connection.execute(&sql).map(drop)
}
