//! The matching entries of one series, one after the other, in either direction.

use std::collections::VecDeque;

use super::query::Conditions;
use super::segment::SegmentSearch;
use crate::Entry;
use crate::archive::Archive;
use crate::error::AccessLogError;
use crate::finding::Finding;
use crate::series::{Chain, Link, SeriesId};

pub(crate) struct SeriesSearch {
    pub(crate) series: SeriesId,
    /// The segments that are still to be looked at, the next one last.
    links: Vec<Link>,
    segment: Option<(SegmentSearch, Link)>,
    ahead: VecDeque<(u64, Entry)>,
    /// How far the segments were looked at: from this number on (newest first), or before it.
    reached: u64,
    /// Where the cursor began; nothing beyond it is wanted.
    bound: u64,
    newest_first: bool,
    /// Whether it has come on since the search began: each series does at least once, so that every page leads on.
    stepped: bool,
}

impl SeriesSearch {
    /// From the bound on, downwards (before it) or upwards (from it).
    pub(crate) fn new(chain: Chain, bound: u64, newest_first: bool) -> Self {
        let mut links = chain.links;
        if newest_first {
            links.retain(|link| link.first < bound);
        } else {
            links.retain(|link| link.next.as_ref().is_none_or(|(_, first)| *first > bound));
            links.reverse();
        }
        Self {
            series: chain.series,
            links,
            segment: None,
            ahead: VecDeque::new(),
            reached: bound,
            bound,
            newest_first,
            stepped: false,
        }
    }

    /// The next matching entry, without taking it.
    pub(crate) fn peek(&self) -> Option<&Entry> {
        self.ahead.front().map(|(_, entry)| entry)
    }

    pub(crate) fn take(&mut self) -> Option<(u64, Entry)> {
        self.ahead.pop_front()
    }

    /// The number where the next page goes on.
    pub(crate) fn position(&self) -> u64 {
        match self.ahead.front() {
            Some((sequence, _)) if self.newest_first => sequence + 1,
            Some((sequence, _)) => *sequence,
            None => self.reached,
        }
    }

    /// Looks on until there is an entry or `budget` is used up; false when there is nothing more at all. What cannot be
    /// read is noted, and the search goes on after it.
    pub(crate) fn look(
        &mut self,
        archive: &Archive,
        conditions: &Conditions,
        budget: &mut u64,
        unreadable: &mut Vec<Finding>,
    ) -> Result<bool, AccessLogError> {
        while self.ahead.is_empty() {
            if *budget == 0 && self.stepped {
                return Ok(self.segment.is_some() || !self.links.is_empty());
            }
            self.stepped = true;
            match self.step(archive, conditions, budget) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(AccessLogError::Damaged(finding)) => {
                    unreadable.push((*finding).clone());
                    self.segment = None;
                }
                Err(other) => return Err(other),
            }
        }
        Ok(true)
    }

    fn step(
        &mut self,
        archive: &Archive,
        conditions: &Conditions,
        budget: &mut u64,
    ) -> Result<bool, AccessLogError> {
        if self.segment.is_none() && !self.open_next(archive, conditions, budget)? {
            return Ok(false);
        }
        let Some((segment, link)) = &mut self.segment else {
            return Ok(true);
        };
        match segment.next(conditions)? {
            Some(block) => {
                *budget = budget.saturating_sub(block.examined);
                self.ahead.extend(block.found);
                self.reached = block.reached.unwrap_or(self.reached);
            }
            None => {
                let link = link.clone();
                self.segment = None;
                self.pass(&link);
            }
        }
        Ok(true)
    }

    /// Goes to the next segment; false when there is none.
    fn open_next(
        &mut self,
        archive: &Archive,
        conditions: &Conditions,
        budget: &mut u64,
    ) -> Result<bool, AccessLogError> {
        let Some(link) = self.links.pop() else {
            return Ok(false);
        };
        // A segment that holds nothing costs a few reads: as much as some entries.
        *budget = budget.saturating_sub(4);
        let wanted = if self.newest_first {
            (0, self.bound)
        } else {
            (self.bound, u64::MAX)
        };
        match SegmentSearch::open(archive, self.series, &link, wanted, conditions) {
            Ok(Some(segment)) => self.segment = Some((segment, link)),
            // Removed by another process since the search began.
            Err(AccessLogError::Io { .. }) if !link.path.exists() => self.pass(&link),
            Ok(None) => self.pass(&link),
            Err(other) => {
                self.pass(&link);
                return Err(other);
            }
        }
        Ok(true)
    }

    /// All of the segment was looked at.
    fn pass(&mut self, link: &Link) {
        if self.newest_first {
            self.reached = self.reached.min(link.first);
        } else if let Some((_, first)) = &link.next {
            self.reached = self.reached.max(*first);
        }
    }
}
