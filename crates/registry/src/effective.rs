//! What time itself does: entries of the log, on the day, for what begins or ends as planned (`docs/feed.md`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey, RecordId, TransactionId};
use grunddata_store::{Effective, Needs, Store, Told, TurnRow};

use crate::access::stockholm_day;
use crate::read::settled_at;
use crate::registry::{refuse_store, refuse_write};
use crate::write::Failure;
use crate::{Code, Refusal, Registry};

/// How many turns are read at a time: each reading walks along all states of the owner.
const PAGE: i64 = 20_000;
/// How many entries are written in one transaction, so that other writes are not held up.
const BATCH: usize = 250;
/// What stands as the actor of the entries.
const ACTOR: &str = "calendar";

/// What was told of what time itself did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToldEffective {
    /// How many entries were written.
    pub entries: usize,
    /// Whether everything is told up to the day ([`Registry::effective_day`]); else somebody else was at it, or it was
    /// stopped.
    pub complete: bool,
}

impl Registry {
    /// The day up to which it can be told what began and ended: that of now, and shortly after midnight still the one
    /// before. Until then something may be on its way that was recorded before the day began.
    #[must_use]
    pub fn effective_day(&self) -> NaiveDate {
        stockholm_day(settled_at(self.now()))
    }

    /// Tells in every owner's log what has begun or ended as planned, up to today: each once, also when nobody ran for some
    /// days, and whichever of several processes comes first. Planned is what was believed when the day began. Blocks the
    /// thread; stops between two transactions when it is asked to.
    ///
    /// # Errors
    /// The first [`Refusal`] of the database; what was told stays told, and the other owners are told of all the same.
    pub fn tell_effective(&self, stop: &AtomicBool) -> Result<ToldEffective, Refusal> {
        let store = &self.inner.store;
        let mut told = ToldEffective {
            complete: true,
            ..ToldEffective::default()
        };
        let mut failed = None;
        let copies = self.copies()?;
        for owner in store.owners().map_err(refuse_store)? {
            // What is copied is told by its origin.
            if copies.contains_key(&owner.key) {
                continue;
            }
            match self.tell_effective_of(&owner.key, owner.told, stop) {
                Ok(of_owner) => {
                    told.entries += of_owner.entries;
                    told.complete &= of_owner.complete;
                }
                // It has become a copy just now.
                Err(refusal) if refusal.code == Code::ReadOnlyCopy => {}
                Err(refusal) => failed = failed.or(Some(refusal)),
            }
        }
        failed.map_or(Ok(told), Err)
    }

    fn tell_effective_of(
        &self,
        owner: &OwnerKey,
        mut told: Told,
        stop: &AtomicBool,
    ) -> Result<ToldEffective, Refusal> {
        let mut count = ToldEffective::default();
        loop {
            let today = self.effective_day();
            let done = Told {
                day: today,
                record: None,
            };
            count.complete = told.day >= today && told.record.is_none();
            if count.complete || stop.load(Ordering::SeqCst) {
                return Ok(count);
            }
            let (turns, is_last) = page(&self.inner.store, owner, told, today)?;
            let mut batches = turns.chunks(BATCH).peekable();
            if batches.peek().is_none() && is_last {
                count.complete = self.tell(owner, &[], told, done)?.is_some();
                return Ok(count);
            }
            while let Some(batch) = batches.next() {
                let to = match batch.last() {
                    Some((day, record, _)) if !is_last || batches.peek().is_some() => Told {
                        day: *day,
                        record: Some(*record),
                    },
                    _ => done,
                };
                if stop.load(Ordering::SeqCst) {
                    return Ok(count);
                }
                match self.tell(owner, batch, told, to)? {
                    Some(entries) => count.entries += entries,
                    // Another process is at it.
                    None => return Ok(count),
                }
                told = to;
            }
        }
    }

    /// Writes the entries of one transaction; `None` = somebody else has.
    fn tell(
        &self,
        owner: &OwnerKey,
        turns: &[Turn],
        from: Told,
        to: Told,
    ) -> Result<Option<usize>, Refusal> {
        let planned = turns.iter().filter(|(.., planned)| *planned);
        let entries: Vec<(NaiveDate, RecordId)> =
            planned.map(|(day, record, _)| (*day, *record)).collect();
        let needs = Needs {
            records: entries.iter().map(|(_, record)| *record).collect(),
            ..Needs::default()
        };
        let effective = Effective {
            transaction: TransactionId::mint(self.now()),
            actor: Arc::from(ACTOR),
            entries,
            from,
            to,
        };
        self.inner
            .store
            .write_blocking(owner, needs, move |tx| -> Result<_, Failure> {
                Ok(tx.tell(&effective)?)
            })
            .map_err(refuse_write)
    }
}

/// On this day something of the record began or ended, and whether that was planned.
type Turn = (NaiveDate, RecordId, bool);

/// The next turns, each day and record once; and whether that is all.
fn page(
    store: &Store,
    owner: &OwnerKey,
    told: Told,
    today: NaiveDate,
) -> Result<(Vec<Turn>, bool), Refusal> {
    let mut limit = PAGE;
    loop {
        let rows = store
            .read_at_length(|reader| reader.turns(owner, told, today, limit))
            .map_err(refuse_store)?;
        let is_last = i64::try_from(rows.len()).is_ok_and(|found| found < limit);
        let mut turns: Vec<Turn> = Vec::with_capacity(rows.len());
        for row in rows {
            match turns.last_mut() {
                Some((day, record, planned)) if (*day, *record) == (row.day, row.record) => {
                    *planned |= was_planned(&row);
                }
                _ => turns.push((row.day, row.record, was_planned(&row))),
            }
        }
        if is_last {
            return Ok((turns, true));
        }
        // Of the last one there may be more rows.
        turns.pop();
        if !turns.is_empty() {
            return Ok((turns, false));
        }
        limit = limit.saturating_mul(2);
    }
}

/// Whether the state was believed when the day began on which it begins or ends.
fn was_planned(turn: &TurnRow) -> bool {
    let still =
        turn.superseded_at == Instant::FOREVER || stockholm_day(turn.superseded_at) >= turn.day;
    still && stockholm_day(turn.recorded_at) < turn.day
}
