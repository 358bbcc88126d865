//! Searching: by the index where there is one, segment by segment, all series merged by time.
//!
//! The instant of an entry is its caller's, and entries that are appended at the same time may stand in either order. The
//! order of an answer is that of the series, and between series by instant: exact up to such neighbours, and every entry
//! comes exactly once, also over several pages while more is written.

mod query;
mod readers;
mod segment;
mod series;

use std::collections::BTreeMap;

use crate::archive::Archive;
use crate::error::AccessLogError;
use crate::finding::Finding;
use crate::series::SeriesId;

use query::Conditions;
pub use query::{Auditor, EXAMINED_DEFAULT, Logged, Order, PAGE_DEFAULT, PAGE_LIMIT, Page, Query};
pub use readers::{Reader, Readers};
use series::SeriesSearch;

/// All series, merged.
struct Search<'a> {
    archive: &'a Archive,
    conditions: Conditions,
    series: Vec<SeriesSearch>,
    unreadable: Vec<Finding>,
    budget: u64,
}

/// What comes next.
enum Next {
    Found(Box<Logged>),
    /// The budget is used up.
    Paused,
    End,
}

impl<'a> Search<'a> {
    fn new(archive: &'a Archive, query: Query) -> Result<Self, AccessLogError> {
        let positions = query.after.as_deref().map(parse_cursor).transpose()?;
        let budget = if query.examine == 0 {
            EXAMINED_DEFAULT
        } else {
            query.examine
        };
        let conditions = Conditions::new(query)?;
        let newest_first = conditions.newest_first();
        if positions
            .as_ref()
            .is_some_and(|(direction, _)| *direction != newest_first)
        {
            return Err(AccessLogError::Cursor);
        }
        let positions = positions.map(|(_, positions)| positions);
        let mut unreadable = Vec::new();
        let mut series = Vec::new();
        for chain in archive.chains()? {
            unreadable.extend(chain.findings.iter().cloned());
            if let Some(path) = &chain.unbegun
                && path.exists()
                && let Err(AccessLogError::Damaged(finding)) =
                    archive.walk_live(chain.series, path, None)
            {
                unreadable.push((*finding).clone());
            }
            let bound = match (&positions, newest_first) {
                (Some(positions), _) => match positions.get(&chain.series) {
                    Some(position) => *position,
                    // Begun after the first page: newer than all of it.
                    None if newest_first => continue,
                    None => 0,
                },
                (None, true) => u64::MAX,
                (None, false) => 0,
            };
            series.push(SeriesSearch::new(chain, bound, newest_first));
        }
        Ok(Self {
            archive,
            conditions,
            series,
            unreadable,
            budget,
        })
    }

    fn next(&mut self) -> Result<Next, AccessLogError> {
        let mut best: Option<(i64, usize)> = None;
        for (place, series) in self.series.iter_mut().enumerate() {
            let more = series.look(
                self.archive,
                &self.conditions,
                &mut self.budget,
                &mut self.unreadable,
            )?;
            let Some(entry) = series.peek() else {
                if more {
                    return Ok(Next::Paused);
                }
                continue;
            };
            let micros = entry.at.micros();
            let rank = if self.conditions.newest_first() {
                -micros
            } else {
                micros
            };
            if best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, place));
            }
        }
        let taken = best
            .and_then(|(_, place)| self.series.get_mut(place))
            .and_then(|series| {
                series
                    .take()
                    .map(|(sequence, entry)| (series.series, sequence, entry))
            });
        Ok(taken.map_or(Next::End, |(series, sequence, entry)| {
            Next::Found(Box::new(Logged {
                series,
                sequence,
                entry,
            }))
        }))
    }

    /// Where to go on: the direction, and the position in each series.
    fn cursor(&self) -> String {
        let mut cursor = if self.conditions.newest_first() {
            "n"
        } else {
            "o"
        }
        .to_owned();
        for series in &self.series {
            cursor.push_str(&format!(
                ".{}-{:x}",
                series.series.0.simple(),
                series.position()
            ));
        }
        cursor
    }
}

fn parse_cursor(cursor: &str) -> Result<(bool, BTreeMap<SeriesId, u64>), AccessLogError> {
    let mut parts = cursor.split('.');
    let newest_first = match parts.next() {
        Some("n") => true,
        Some("o") => false,
        _ => return Err(AccessLogError::Cursor),
    };
    let positions = parts
        .map(|part| {
            let (series, position) = part.split_once('-')?;
            Some((
                series.parse().ok()?,
                u64::from_str_radix(position, 16).ok()?,
            ))
        })
        .collect::<Option<_>>()
        .ok_or(AccessLogError::Cursor)?;
    Ok((newest_first, positions))
}

impl Archive {
    /// The entries that the question is about, one page at a time, in memory that does not grow with the log. Reading the
    /// log is itself to be logged: that is the caller's to do.
    ///
    /// # Errors
    /// [`AccessLogError::Cursor`] for a cursor of another search, [`AccessLogError::Limit`] when a text is too long, and
    /// when files cannot be read. Damage is no error: see [`Page::unreadable`].
    pub fn search(&self, query: &Query) -> Result<Page, AccessLogError> {
        let limit = match query.limit {
            0 => PAGE_DEFAULT,
            limit => limit.min(PAGE_LIMIT),
        };
        // Not even looked for: how long it takes and how far a page reaches would tell as well.
        let others = |auditor: &Auditor| query.record.is_some() && !auditor.owns_record;
        if query.auditor.as_ref().is_some_and(others) {
            return Ok(Page {
                entries: Vec::new(),
                next: None,
                complete: true,
                unreadable: Vec::new(),
            });
        }
        let mut search = Search::new(self, query.clone())?;
        let mut entries = Vec::new();
        let more = loop {
            if entries.len() == limit {
                break true;
            }
            match search.next()? {
                Next::Found(logged) => entries.push(*logged),
                Next::Paused => break true,
                Next::End => break false,
            }
        };
        Ok(Page {
            entries,
            next: more.then(|| search.cursor()),
            complete: search.unreadable.is_empty(),
            unreadable: search.unreadable,
        })
    }
}
