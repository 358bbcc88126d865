//! Writing what came: whole transactions of the origin, with the instants and positions that they have there, and in the
//! same database transaction the place where the feed goes on.

use std::collections::BTreeSet;
use std::sync::Arc;

use diesel::sql_types::Text;
use grunddata_log_proof::head::{Head, PublicKey};
use grunddata_model::{Instant, OwnerKey, Period, RecordId, Timeline, TransactionId};
use uuid::Uuid;

use super::beside::{dangle, insert_geometries, note_batch, refer};
use super::check::{CheckedChange, CopyError};
use super::{PeerRow, PeerStatus, peer, wipe, written_keys};
use crate::combiner::{Counter, advance, lock_owner, outgrown};
use crate::connection::{Connection, Purpose};
use crate::error::StoreError;
use crate::sql::{Bind, LIST, Sql};
use crate::store::Store;
use crate::tree::{Frontier, Given};
use crate::visibility::LEVELS;
use crate::write::{
    AcceptedJob, Batch, ChangeKind, KnownRows, Operation, Protection, RecordStatus, StagedWrite,
    WriteTx, flush, protections, raise_heads, referrers,
};

/// What came together.
#[derive(Debug)]
pub struct Parcel {
    /// Whole transactions, in the order of the origin's log.
    pub changes: Vec<CheckedChange>,
    /// Records that are not shown any more, after the changes.
    pub withdrawn: Vec<RecordId>,
    /// Records of which the origin says that they came under a stronger protection further on in its log. Until the change
    /// comes they are protected as strongly as can be, with what identifies them.
    pub raised: Vec<RecordId>,
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
    /// The epoch of the origin's log, where the whole of it is shown.
    pub epoch: Option<u64>,
    /// The keys of the origin's log that are trusted from now on, where others are than before.
    pub log_keys: Option<Vec<PublicKey>>,
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
        if let Some(keys) = &parcel.log_keys {
            row.log_keys.clone_from(keys);
        }
        // Of two copies that refer to each other one must see what the other has written.
        if let Connection::Postgres(_) = connection {
            connection.batch("SELECT pg_advisory_xact_lock(7318349394477056)")?;
        }
        // Before the changes: one that comes with them says how it is protected from then on.
        let owner = self.owner.as_str();
        let strongest = Protection {
            until: Period::OPEN,
            level: u8::try_from(LEVELS).unwrap_or(u8::MAX),
        };
        let mut raised = Vec::new();
        for chunk in parcel.raised.chunks(LIST) {
            let known = protections(&mut connection, chunk, false)?.into_iter();
            let own = known.filter(|(_, of, _)| of == owner);
            raised.extend(own.map(|(id, of, _)| (of, id, strongest)));
        }
        raise_heads(&mut connection, self.store.model(), raised)?;
        let fresh = self.missing(
            &row,
            &parcel.changes,
            u64::try_from(position).unwrap_or_default(),
        )?;
        let given: Given = fresh
            .iter()
            .filter_map(|checked| {
                let position = i64::try_from(checked.change.position?).ok()?;
                let change = &checked.change;
                Some((position, (change.leaf?, change.opening.clone())))
            })
            .collect();
        if row.whole && row.unproven_from.is_none() {
            // What was not told cannot be made here.
            let own = fresh.iter().find(|checked| checked.change.leaf.is_none());
            row.unproven_from = own.and_then(|checked| checked.change.position);
            if row.unproven_from.is_some() && position > 0 && !row.log_keys.is_empty() {
                return Err(CopyError::Wrong(
                    "an entry comes without its leaf, and those before it had theirs".to_owned(),
                ));
            }
        }
        let ids = fresh.iter().map(|checked| checked.change.record).collect();
        let (mut connection, mut jobs) =
            self.staged(connection, ids, |batch| self.stage_all(batch, fresh))?;
        let before = position;
        let mut after = position;
        let mut last_instant = last;
        let mut words = Vec::new();
        if let Some(last) = jobs.iter().rfind(|job| job.entries() > 0) {
            let instant = last.instant;
            insert_geometries(&mut connection, &self.owner, &parcel.changes)?;
            // Before the rows: what protects whom has to be known when they are written.
            refer(&mut connection, &self.owner, &jobs)?;
            (after, words) = flush(
                &mut connection,
                &self.known,
                self.store.model(),
                &self.owner,
                &jobs,
                (position, &mut tree, &given),
            )
            .map_err(not_its_leaf)?;
            match &parcel.head {
                Some(head) if row.whole && row.unproven_from.is_none() => {
                    self.agrees(&row, head, &tree)?;
                }
                _ => {}
            }
            dangle(&mut connection, &self.name, &jobs)?;
            last_instant = instant;
        }
        if row.whole {
            row.origin_epoch = parcel.epoch.or(row.origin_epoch);
        }
        let gone = self.identified(&mut connection, &parcel.withdrawn)?;
        if !gone.is_empty() {
            // Behind what came, and before what will: the clock here has no say in it.
            let now = last_instant.next();
            let taken;
            (connection, taken) = self.staged(connection, gone.clone(), |batch| {
                let mut tx = WriteTx::new(batch, now);
                let transaction = TransactionId::from(Uuid::now_v7());
                for id in gone {
                    withdraw(&mut tx, id, transaction)?;
                }
                tx.accept();
                Ok(())
            })?;
            if taken.iter().any(|job| job.entries() > 0) {
                let more;
                (after, more) = flush(
                    &mut connection,
                    &self.known,
                    self.store.model(),
                    &self.owner,
                    &taken,
                    (after, &mut tree, &Given::new()),
                )?;
                words.extend(more);
                last_instant = now;
            }
            jobs.extend(taken);
        }
        if after > before {
            let instant = last_instant;
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
        self.note(&mut connection, parcel, after, complete_at, &row)?;
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
        let now = (self.store.engine().options.clock)();
        wipe::wipe(&mut connection, &self.owner, now)?;
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

    /// What is staged on these records, as jobs.
    fn staged(
        &self,
        connection: Connection,
        ids: Vec<RecordId>,
        stage: impl FnOnce(&mut Batch) -> Result<(), CopyError>,
    ) -> Result<(Connection, Vec<AcceptedJob>), CopyError> {
        let mut batch = Batch::new(connection, self.store.model().clone(), self.owner.clone());
        batch.load_records(&ids)?;
        stage(&mut batch)?;
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

    /// The changes, one job for each transaction of the origin.
    fn stage_all(&self, batch: &mut Batch, changes: Vec<&CheckedChange>) -> Result<(), CopyError> {
        let mut rest = changes.as_slice();
        while let Some(first) = rest.first() {
            let transaction = first.change.transaction;
            let length = rest
                .iter()
                .position(|checked| checked.change.transaction != transaction)
                .unwrap_or(rest.len());
            let (now, later) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = later;
            let mut tx = WriteTx::new(batch, first.change.recorded_at);
            for checked in now {
                self.stage(&mut tx, checked)?;
            }
            tx.accept();
        }
        Ok(())
    }

    /// The records with all of this copy that are identified by one of them: they are hidden together, and no entry tells of it.
    fn identified(
        &self,
        connection: &mut Connection,
        withdrawn: &[RecordId],
    ) -> Result<Vec<RecordId>, CopyError> {
        let mut gone: BTreeSet<RecordId> = withdrawn.iter().copied().collect();
        let mut next: Vec<RecordId> = gone.iter().copied().collect();
        while let Some(id) = next.pop() {
            let owner = self.owner.as_str();
            for referrer in referrers(connection, self.store.model(), owner, id)? {
                if referrer.owner == owner && gone.insert(referrer.id) {
                    next.push(referrer.id);
                }
            }
        }
        Ok(gone.into_iter().collect())
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
    fn agrees(&self, row: &PeerRow, head: &Head, tree: &Frontier) -> Result<(), CopyError> {
        if head.size != tree.size() || head.root == tree.root() {
            return Ok(());
        }
        let owner = self.owner.clone();
        if row.origin_epoch.is_none_or(|epoch| epoch == head.epoch) {
            return Err(CopyError::Rewritten {
                owner,
                size: head.size,
            });
        }
        Err(CopyError::Gap(format!(
            "the log of {owner} goes on as another one, after a restore from a backup"
        )))
    }

    fn note(
        &self,
        connection: &mut Connection,
        parcel: &Parcel,
        position: i64,
        complete_at: Option<Instant>,
        row: &PeerRow,
    ) -> Result<(), CopyError> {
        let mut sql = Sql::<()>::new("UPDATE peer SET place = ");
        sql.text(parcel.place.as_str())
            .push(", position = ")
            .big(position)
            .push(", whole = ")
            .small(i16::from(row.whole))
            .push(", log_keys = ")
            .bind(Bind::OptText(written_keys(&row.log_keys).map(Into::into)))
            .push(", unproven_from = ")
            .bind(Bind::OptBig(number(row.unproven_from)))
            .push(", origin_epoch = ")
            .bind(Bind::OptBig(number(row.origin_epoch)))
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

fn number(number: Option<u64>) -> Option<i64> {
    number.and_then(|number| i64::try_from(number).ok())
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
