//! What an auditor asks, and what comes back.

use grunddata_model::{Instant, OwnerKey, RecordId};
use memchr::memmem::Finder;
use serde::Serialize;

use crate::entry::{NAME_LIMIT, PURPOSE_LIMIT, Term};
use crate::error::AccessLogError;
use crate::finding::Finding;
use crate::{Entry, Kind, SeriesId, mask};

/// Entries of one page at most.
pub const PAGE_LIMIT: usize = 1_000;
/// Entries of a page when nothing is said.
pub const PAGE_DEFAULT: usize = 100;
/// Entries that one call looks at before it answers with what it has and a cursor.
pub const EXAMINED_DEFAULT: u64 = 1_000_000;

/// Which of the entries come first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The newest.
    #[default]
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

/// Who audits one owner and not the whole log: of entries that are about other owners as well it is told no more than that
/// there is one. Neither what is found nor what is not says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auditor {
    /// The owner. Only entries that are about it are found.
    pub owner: OwnerKey,
    /// Whether the record that is asked for is the owner's: others are found in no entry.
    pub owns_record: bool,
}

/// A question to the log; all conditions hold together. By default: everything, newest first.
///
/// Record, actor, on-behalf-of, request id and the rare kinds (all but reads and writes) are looked up in the index of each segment; the
/// other conditions are compared entry by entry, in segments whose footer does not rule them out.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Not before this instant.
    pub from: Option<Instant>,
    /// Before this instant.
    pub to: Option<Instant>,
    /// By this actor.
    pub actor: Option<String>,
    /// On behalf of this one.
    pub on_behalf_of: Option<String>,
    /// About this record.
    pub record: Option<RecordId>,
    /// About this owner.
    pub owner: Option<OwnerKey>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// By this operation.
    pub operation: Option<String>,
    /// With exactly this purpose.
    pub purpose: Option<String>,
    /// Of this request.
    pub request_id: Option<String>,
    /// That ended so: `ok`, `refused`, or refused with this code.
    pub outcome: Option<String>,
    /// With this in the entry as it is written, whatever the case of its letters.
    pub text: Option<String>,
    /// Who asks, where it is not somebody who may see everything. Entries that are about other owners as well come without
    /// owners, records, query, count and detail.
    pub auditor: Option<Auditor>,
    /// The order.
    pub order: Order,
    /// The most entries; [`PAGE_DEFAULT`] when 0, [`PAGE_LIMIT`] at most.
    pub limit: usize,
    /// The most entries to look at in this call; [`EXAMINED_DEFAULT`] when 0. A page may hold fewer entries than its limit
    /// for that, or none, and still have a `next`.
    pub examine: u64,
    /// The `next` of the page before, asked with the same conditions.
    pub after: Option<String>,
}

/// A part of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Logged>,
    /// Asks for what follows; `None` when there is nothing more.
    pub next: Option<String>,
    /// Whether all that this page is about could be read: if not, entries may be missing, see `unreadable`.
    pub complete: bool,
    /// What could not be read.
    pub unreadable: Vec<Finding>,
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// The series.
    pub series: SeriesId,
    /// The number in the series.
    pub sequence: u64,
    /// The entry.
    pub entry: Entry,
}

/// The conditions, made ready.
pub(crate) struct Conditions {
    query: Query,
    /// Looked up in the index.
    pub(crate) terms: Vec<u64>,
    /// Compared with the labels of a segment.
    pub(crate) labels: Vec<u64>,
    /// Bytes that an entry has to hold: cheaper than parsing each.
    needles: Vec<Finder<'static>>,
    text: Option<String>,
}

impl Conditions {
    pub(crate) fn new(mut query: Query) -> Result<Self, AccessLogError> {
        // The texts of the entries were masked: what is asked for is, too, so that it is found.
        let day = query
            .to
            .or(query.from)
            .unwrap_or(Instant::FOREVER)
            .date_time()
            .date_naive();
        for (what, text, limit) in [
            ("actor", &mut query.actor, NAME_LIMIT),
            ("onBehalfOf", &mut query.on_behalf_of, NAME_LIMIT),
            ("operation", &mut query.operation, NAME_LIMIT),
            ("purpose", &mut query.purpose, PURPOSE_LIMIT),
            ("requestId", &mut query.request_id, NAME_LIMIT),
            ("outcome", &mut query.outcome, NAME_LIMIT),
            ("text", &mut query.text, NAME_LIMIT),
        ] {
            let Some(text) = text else { continue };
            let given = text.len();
            if given > limit {
                return Err(AccessLogError::Limit { what, given, limit });
            }
            *text = mask::text(text, day).into_owned();
        }
        let terms = [
            query.record.map(|record| Term::Record(record).hash()),
            query.actor.as_deref().map(|name| Term::Actor(name).hash()),
            query
                .on_behalf_of
                .as_deref()
                .map(|name| Term::OnBehalfOf(name).hash()),
            query
                .request_id
                .as_deref()
                .map(|id| Term::Request(id).hash()),
            query
                .kind
                .as_ref()
                .filter(|kind| kind.is_rare())
                .map(|kind| Term::Kind(kind).hash()),
        ];
        let labels = [
            query.kind.as_ref().map(|kind| Term::Kind(kind).hash()),
            query
                .operation
                .as_deref()
                .map(|name| Term::Operation(name).hash()),
            query
                .purpose
                .as_deref()
                .map(|text| Term::Purpose(text).hash()),
            query.owner.as_ref().map(|owner| Term::Owner(owner).hash()),
        ];
        let needles = [
            query.record.map(|record| record.to_string()),
            query.actor.as_deref().and_then(json),
            query.request_id.as_deref().and_then(json),
        ];
        Ok(Self {
            terms: terms.into_iter().flatten().collect(),
            labels: labels.into_iter().flatten().collect(),
            needles: needles
                .into_iter()
                .flatten()
                .map(|needle| Finder::new(needle.as_bytes()).into_owned())
                .collect(),
            text: query.text.as_ref().map(|text| text.to_lowercase()),
            query,
        })
    }

    pub(crate) fn newest_first(&self) -> bool {
        self.query.order == Order::NewestFirst
    }

    /// Whether an entry between these instants (in microseconds) can fit.
    pub(crate) fn touches(&self, earliest: i64, latest: i64) -> bool {
        self.query.from.is_none_or(|from| latest >= from.micros())
            && self.query.to.is_none_or(|to| earliest < to.micros())
    }

    /// The entry, if it is one and fits; `None` otherwise. Bytes that are no entry are an error.
    pub(crate) fn matching(&self, payload: &[u8]) -> Result<Option<Entry>, serde_json::Error> {
        if self
            .needles
            .iter()
            .any(|needle| needle.find(payload).is_none())
        {
            return Ok(None);
        }
        let holds = |written: &str| {
            self.text
                .as_ref()
                .is_none_or(|text| written.to_lowercase().contains(text))
        };
        let Some(auditor) = &self.query.auditor else {
            if self.text.is_some() && !holds(&String::from_utf8_lossy(payload)) {
                return Ok(None);
            }
            let entry: Entry = serde_json::from_slice(payload)?;
            return Ok(self.fits(&entry).then_some(entry));
        };
        let entry: Entry = serde_json::from_slice(payload)?;
        if !entry.owners.contains(&auditor.owner) || !self.fits(&entry) {
            return Ok(None);
        }
        // Compared is what is shown: else a hit would tell what is not.
        let shown = entry.shown_to(&auditor.owner);
        let fits = self.text.is_none() || holds(&serde_json::to_string(&shown)?);
        Ok(fits.then_some(shown))
    }

    fn fits(&self, entry: &Entry) -> bool {
        fn same<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none() || wanted == found
        }
        let query = &self.query;
        self.touches(entry.at.micros(), entry.at.micros())
            && same(query.actor.as_ref(), Some(&entry.actor))
            && same(query.on_behalf_of.as_ref(), entry.on_behalf_of.as_ref())
            && query
                .record
                .is_none_or(|record| entry.records.contains(&record))
            && query
                .owner
                .as_ref()
                .is_none_or(|owner| entry.owners.contains(owner))
            && same(query.kind.as_ref(), Some(&entry.kind))
            && same(query.operation.as_ref(), Some(&entry.operation))
            && same(query.purpose.as_ref(), entry.purpose.as_ref())
            && same(query.request_id.as_ref(), entry.request_id.as_ref())
            && query
                .outcome
                .as_deref()
                .is_none_or(|wanted| entry.outcome.is(wanted))
    }
}

/// The text as it stands in an entry.
fn json(text: &str) -> Option<String> {
    serde_json::to_string(text).ok()
}
