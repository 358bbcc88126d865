//! Who has seen records.

use std::collections::{BTreeMap, HashSet};

use grunddata_model::{Instant, RecordId};
use serde::Serialize;

use super::{Next, Order, Query, Search};
use crate::archive::Archive;
use crate::error::AccessLogError;
use crate::finding::Finding;

/// One who has seen one of the records, for the register extract. Whether the name is told is decided elsewhere; the unit and the
/// time always are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reader {
    /// The unit that the actor acted for.
    pub unit: Option<String>,
    /// Who.
    pub actor: String,
    /// On whose behalf.
    pub on_behalf_of: Option<String>,
    /// When for the first time.
    pub first: Instant,
    /// When for the last time.
    pub last: Instant,
    /// How many times.
    pub count: u64,
}

/// All who have seen one of the records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readers {
    /// By unit, then by name.
    pub readers: Vec<Reader>,
    /// Whether all of the log could be read: if not, readers may be missing.
    pub complete: bool,
    /// What could not be read.
    pub unreadable: Vec<Finding>,
}

impl Archive {
    /// Who was shown one of the records, from the one instant to before the other. What showed several of them counts once.
    /// Counts and administrative acts are left out; a refused request is there when its refusal told something of the record.
    ///
    /// # Errors
    /// When files cannot be read. Damage is no error: see [`Readers::complete`].
    pub fn readers_of(
        &self,
        records: &[RecordId],
        from: Option<Instant>,
        to: Option<Instant>,
    ) -> Result<Readers, AccessLogError> {
        let mut readers = BTreeMap::new();
        let mut counted = HashSet::new();
        let mut unreadable: Vec<Finding> = Vec::new();
        for record in records {
            let query = Query {
                record: Some(*record),
                from,
                to,
                order: Order::OldestFirst,
                examine: u64::MAX,
                ..Query::default()
            };
            let mut search = Search::new(self, query)?;
            while let Next::Found(logged) = search.next()? {
                let several = records.len() > 1;
                let entry = logged.entry;
                if !entry.kind.shows_records()
                    || several && !counted.insert((logged.series, logged.sequence))
                {
                    continue;
                }
                let key = (entry.unit, entry.actor, entry.on_behalf_of);
                let (first, last, count) =
                    readers.entry(key).or_insert((entry.at, entry.at, 0_u64));
                *first = entry.at.min(*first);
                *last = entry.at.max(*last);
                *count += 1;
            }
            for finding in search.unreadable {
                if !unreadable.contains(&finding) {
                    unreadable.push(finding);
                }
            }
        }
        Ok(Readers {
            readers: readers
                .into_iter()
                .map(
                    |((unit, actor, on_behalf_of), (first, last, count))| Reader {
                        unit,
                        actor,
                        on_behalf_of,
                        first,
                        last,
                        count,
                    },
                )
                .collect(),
            complete: unreadable.is_empty(),
            unreadable,
        })
    }
}
