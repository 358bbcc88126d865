//! Entries of a peer's feed as changes to be copied.

use std::collections::HashSet;
use std::sync::Arc;

use grunddata_log_proof::entry::Opening;
use grunddata_log_proof::head::{Head, PublicKey};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{Instant, Period, RecordId, TransactionId, parse_date};
use grunddata_pull::{FeedItem, FeedItemContent, RawPage};
use grunddata_registry::Origin;
use grunddata_store::{
    ChangeKind, CheckedChange, CopiedChange, CopiedState, CopyError, Operation, Store,
};
use serde_json::Value;
use serde_json::value::RawValue;

/// What came with a page, checked.
#[derive(Debug, Default)]
pub(super) struct Came {
    pub(super) changes: Vec<CheckedChange>,
    pub(super) withdrawn: Vec<RecordId>,
    /// Records that came under a stronger protection further on.
    pub(super) raised: Vec<RecordId>,
    pub(super) place: String,
    pub(super) caught_up: bool,
    /// Whether the transaction of the last change is known to be whole.
    pub(super) ended: bool,
    /// Whether the reader is shown the whole owner.
    pub(super) whole: bool,
    /// The head of the origin's log at the last of its transactions that is whole, signed.
    pub(super) head: Option<Head>,
    /// The epoch of the origin's log.
    pub(super) epoch: Option<u64>,
    /// The keys that are trusted from now on, where others are than before.
    pub(super) log_keys: Option<Vec<PublicKey>>,
}

impl Came {
    /// The position of the last change whose transaction is whole, as far as the page and the last change before it tell.
    /// `None` = positions are not told, or no transaction has ended.
    pub(super) fn ends_at(&self, open: Option<Last>) -> Option<u64> {
        let Some(last) = self.last() else {
            return open.filter(|_| self.ended)?.position;
        };
        if self.ended {
            return last.position;
        }
        let other = |checked: &&CheckedChange| checked.change().transaction != last.transaction;
        match self.changes.iter().rev().find(other) {
            Some(end) => end.change().position,
            None => open?.other_than(last.transaction)?.position,
        }
    }

    /// The last change.
    pub(super) fn last(&self) -> Option<Last> {
        let change = self.changes.last()?.change();
        Some(Last {
            transaction: change.transaction,
            position: change.position,
        })
    }
}

/// The last change of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    transaction: TransactionId,
    position: Option<u64>,
}

impl Last {
    fn other_than(self, transaction: TransactionId) -> Option<Self> {
        (self.transaction != transaction).then_some(self)
    }
}

/// Reads and checks a page; of a release of the information model that is not admitted yet nothing is used. What comes before an entry that cannot be used is not lost: it is given back with the error.
pub(super) fn read(
    store: &Store,
    admitted: &HashSet<String>,
    of: &str,
    received_at: Instant,
    page: &RawPage,
) -> (Came, Option<CopyError>) {
    let mut came = Came {
        whole: page.meta.after.is_u64(),
        epoch: page.meta.epoch,
        raised: page
            .meta
            .re_read
            .iter()
            .filter_map(|one| one.record.parse().ok())
            .collect(),
        ..Came::default()
    };
    for item in &page.items {
        match entry(store, admitted, of, received_at, item) {
            Ok(Read::Change(change)) => {
                came.place.clone_from(&change.change().place);
                came.changes.push(*change);
            }
            Ok(Read::Withdrawn(id, place)) => {
                came.place = place;
                came.withdrawn.push(id);
            }
            Err(error) => {
                // A transaction is copied as one or not at all: the last is whole when this belongs to another.
                let next = transaction_of(item);
                let last_of = came.changes.last();
                came.ended = last_of.is_some_and(|last| Some(last.change().transaction) != next);
                return (came, Some(error));
            }
        }
    }
    came.place = match &page.meta.after {
        Value::String(cursor) => cursor.clone(),
        other => other.to_string(),
    };
    came.caught_up = page.meta.caught_up;
    came.ended = came.caught_up;
    (came, None)
}

/// The transaction of an entry that perhaps cannot be used.
fn transaction_of(text: &RawValue) -> Option<TransactionId> {
    let item: FeedItem = serde_json::from_str(text.get()).ok()?;
    item.change?.transaction.parse().ok()
}

enum Read {
    Change(Box<CheckedChange>),
    /// And where the feed goes on after it.
    Withdrawn(RecordId, String),
}

fn wrong(what: &str) -> CopyError {
    CopyError::Wrong(what.to_owned())
}

fn entry(
    store: &Store,
    admitted: &HashSet<String>,
    of: &str,
    received_at: Instant,
    text: &RawValue,
) -> Result<Read, CopyError> {
    let item: FeedItem = serde_json::from_str(text.get())
        .map_err(|_| wrong("an entry is not as the feed has them"))?;
    let record: RecordId = item
        .record
        .parse()
        .map_err(|_| wrong("the id of a record"))?;
    if item.kind == "withdrawn" {
        let place = match (item.position, item.cursor) {
            (Some(position), _) => position.to_string(),
            (None, Some(cursor)) => cursor,
            (None, None) => return Err(wrong("an entry without a place")),
        };
        return Ok(Read::Withdrawn(record, place));
    }
    let content: FeedItemContent =
        serde_json::from_str(text.get()).map_err(|_| wrong("an entry has no states for copies"))?;
    let (Some(change), Some(copy)) = (item.change, content.copy) else {
        return Err(wrong(
            "an entry has nothing for copies: the peer is of an older version",
        ));
    };
    let new = content
        .states
        .iter()
        .find(|state| !admitted.contains(&state.model));
    if let Some(state) = new {
        return Err(CopyError::Model(state.model.clone()));
    }
    let states = content
        .states
        .into_iter()
        .map(|state| {
            Ok(CopiedState {
                period: period(&state.valid_from, state.valid_to.as_deref())?,
                model: state.model,
                body: Arc::from(state.data.get()),
            })
        })
        .collect::<Result<Vec<_>, CopyError>>()?;
    let id = |text: Option<String>| {
        text.map(|text| text.parse::<RecordId>())
            .transpose()
            .map_err(|_| wrong("the id of a record"))
    };
    let touched = match &change.valid_from {
        Some(from) => period(from, change.valid_to.as_deref())?,
        None => Period::ALWAYS,
    };
    let copied = CopiedChange {
        place: match (item.position, item.cursor) {
            (Some(position), _) => position.to_string(),
            (None, Some(cursor)) => cursor,
            (None, None) => return Err(wrong("an entry without a place")),
        },
        position: item.position,
        record,
        domain: item.domain.parse().map_err(|_| wrong("a domain"))?,
        version: change.version,
        recorded_at: change
            .recorded_at
            .parse()
            .map_err(|_| wrong("an instant"))?,
        transaction: change
            .transaction
            .parse()
            .map_err(|_| wrong("the id of a transaction"))?,
        operation: Operation::from_name(&item.kind).ok_or_else(|| wrong("the kind of a change"))?,
        change_kind: ChangeKind::from_name(&change.change_kind)
            .ok_or_else(|| wrong("whether it is a correction"))?,
        corrects: change.corrects,
        actor: change.actor.as_deref().unwrap_or("-").into(),
        reason: change.reason.as_deref().map(Into::into),
        source: change.source.as_deref().map(Into::into),
        touched,
        controller: id(copy.controller)?,
        origin: origin(copy.origin, of, received_at)?,
        forward_to: id(copy.forward_to)?,
        erased: copy.erased,
        states,
        geometries: copy
            .geometries
            .into_iter()
            .map(|geometry| (geometry.hash, geometry.body))
            .collect(),
        hash: copy.hash.as_deref().map(digest).transpose()?,
        leaf: copy.leaf.as_deref().map(digest).transpose()?.map(Hash),
        opening: copy.opening.as_deref().map(opening).transpose()?,
    };
    store
        .check_copied(copied)
        .map(|checked| Read::Change(Box::new(checked)))
}

fn period(from: &str, to: Option<&str>) -> Result<Period, CopyError> {
    let date = |text: &str| parse_date(text).map_err(|_| wrong("a date"));
    let from = match from {
        "unknown" => Period::BEGINNING,
        from => date(from)?,
    };
    let period = match to {
        None => Period::new(from, Period::ALWAYS.to()),
        Some(to) => Period::new(from, date(to)?),
    };
    period.map_err(|_| wrong("a period"))
}

/// Where a record comes from, as it is kept here: what the origin copies itself comes from where that says.
fn origin(given: Option<Value>, of: &str, received_at: Instant) -> Result<Arc<str>, CopyError> {
    let before: Option<Origin> = given
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| wrong("the origin of a record"))?;
    let (of, copied) = match before {
        Some(Origin::Copy { of, copied, .. }) => (of, copied),
        // What went to another registry is to be found there.
        Some(Origin::Transferred(transferred)) => {
            (transferred.registry.unwrap_or_else(|| of.to_owned()), None)
        }
        Some(Origin::Own | Origin::Received(_)) | None => (of.to_owned(), None),
    };
    let kept = Origin::Copy {
        of,
        copied,
        received_at: Some(received_at),
    };
    serde_json::to_string(&kept)
        .map(Arc::from)
        .map_err(|_| wrong("the origin of a record"))
}

fn digest(text: &str) -> Result<[u8; 32], CopyError> {
    bytes(text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| wrong("a hash"))
}

fn opening(text: &str) -> Result<Opening, CopyError> {
    bytes(text)
        .and_then(|bytes| Opening::from_bytes(&bytes))
        .ok_or_else(|| wrong("what opens a leaf"))
}

/// Hexadecimal digits as bytes.
fn bytes(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
