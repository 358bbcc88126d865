//! Search at a coordinate: conditions on indexed properties, links, identifiers and text; sorted; paged by place or by a
//! stable cursor.
//!
//! The most telling condition drives the statement (it yields the records), the others are checked on what it yields.

mod by_id;
mod statement;

use std::sync::Arc;

use diesel::sql_types::{BigInt, Nullable, Text};
use grunddata_information_model::IndexMode;
use grunddata_model::{Domain, OwnerKey, RecordId, SchemeCode};

use crate::coordinate::Coordinate;
use crate::error::StoreError;
use crate::owner::OwnerSet;
use crate::read::Reader;
use crate::read::changes::limit_of;
use crate::read::records::{RecordRow, RowParts, record_row};
use crate::sql::Sql;
use crate::visibility::Visibility;

use statement::Statement;

/// A search in one domain. All conditions must hold.
#[derive(Debug, Clone)]
pub struct StoreSearch {
    /// The domain.
    pub domain: Domain,
    /// Whose records.
    pub owners: OwnerSet,
    /// Only records of this controller.
    pub controller: Option<RecordId>,
    /// Only records that hold this identifier at the coordinate, normalised.
    pub identifier: Option<(SchemeCode, String)>,
    /// Whether the identifier counts that a record holds on another day too: of schemes whose numbers are never given to
    /// anyone else.
    pub identifier_ever: bool,
    /// The privacy classes of all that is chosen and sorted by, a bit mask: a rule that does not show all of them does not
    /// count for this search.
    pub classes: u8,
    /// Conditions on indexed properties.
    pub conditions: Vec<Condition>,
    /// Conditions on links.
    pub links: Vec<LinkCondition>,
    /// Folded words; empty = no text search. A record is found by any of them and ranked by how many it has.
    pub text: Vec<String>,
    /// The search names of the properties whose words count: only those that the reader may see.
    pub text_properties: Vec<Arc<str>>,
    /// At most three. Without any: by rank where there is text, and then by id.
    pub sort: Vec<SortKey>,
    /// Where the page begins: after this place. Belongs to the same search, sort and coordinate.
    pub after: Option<SearchCursor>,
    /// How many hits are skipped (pages by number).
    pub offset: usize,
    /// The most rows.
    pub limit: usize,
    /// Whether hits are counted.
    pub count: Count,
}

/// A condition on an indexed property: some value of it matches.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The search name.
    pub property: Arc<str>,
    /// Which kind of entry.
    pub mode: IndexMode,
    /// What it must be.
    pub matching: Matching,
}

/// What a value must be, in the form of the entries (folded where the mode is).
#[derive(Debug, Clone)]
pub enum Matching {
    /// This.
    Equals(String),
    /// This at its beginning.
    Prefix(String),
    /// One of these.
    OneOf(Vec<String>),
    /// Not less than the first and less than the second.
    Range {
        /// The least.
        from: Option<String>,
        /// The first that is too much.
        to: Option<String>,
    },
}

/// The record refers to one of the targets (valid and visible at the coordinate), or to something below them.
#[derive(Debug, Clone)]
pub struct LinkCondition {
    /// By any of these relations; empty = any.
    pub relations: Vec<Arc<str>>,
    /// The targets; with `below` exactly one.
    pub targets: Vec<RecordId>,
    /// Relations of a hierarchy: everything below the target counts as well.
    pub below: Vec<Arc<str>>,
}

/// What rows are sorted by.
#[derive(Debug, Clone)]
pub struct SortKey {
    /// What.
    pub by: SortBy,
    /// The greatest first. What has no value comes last either way.
    pub descending: bool,
}

/// What rows can be sorted by.
#[derive(Debug, Clone)]
pub enum SortBy {
    /// A property (its least value, or its greatest when descending).
    Property {
        /// The search name.
        property: Arc<str>,
        /// `Exact`, `Folded`, `Date` or `Number`.
        mode: IndexMode,
    },
    /// The display name.
    Display,
    /// The first day of the state.
    ValidFrom,
    /// When the state was recorded.
    RecordedAt,
}

/// The place of a row in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchCursor {
    /// The rank and the sort values, as text.
    pub values: Vec<String>,
    /// The id.
    pub id: RecordId,
}

/// How hits are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Not at all.
    None,
    /// Up to [`ESTIMATE`] exactly, beyond that "at least".
    Estimate,
    /// Exactly, at the cost of reading every hit.
    Exact,
}

/// Up to how many hits an estimate counts.
pub const ESTIMATE: u64 = 10_000;

/// A page of a search.
#[derive(Debug, Clone)]
pub struct Page {
    /// The rows.
    pub rows: Vec<RecordRow>,
    /// Where the next page begins; `None` = this is the last one.
    pub next: Option<SearchCursor>,
    /// How many hits there are, when counted.
    pub total: Option<u64>,
    /// Whether the total is exact (an estimate beyond its limit is not).
    pub total_exact: bool,
}

type HitTypes = (
    crate::read::records::RowTypes,
    BigInt,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
);
type HitParts = (
    RowParts,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// What a page is made of: rows with rank and sort values.
type Hits = Vec<HitParts>;

/// The most sort keys.
const SORT_KEYS: usize = 3;
/// The most rows of a page.
const ROWS: usize = 10_000;

impl Reader<'_> {
    /// A page of a search.
    ///
    /// # Errors
    /// [`StoreError::Limit`] with more than three sort keys or 10,000 rows; [`StoreError`] of the database.
    pub fn search(
        &mut self,
        search: &StoreSearch,
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Page, StoreError> {
        limit("sort keys", search.sort.len(), SORT_KEYS)?;
        limit("rows of a page", search.limit, ROWS)?;
        let visibility = &visibility.showing(search.classes);
        let owners = self.searched_owners(search, coordinate, visibility)?;
        let owners: Vec<&str> = owners.iter().map(OwnerKey::as_str).collect();
        if owners.is_empty() {
            return Ok(Page {
                rows: Vec::new(),
                next: None,
                total: (search.count != Count::None).then_some(0),
                total_exact: true,
            });
        }
        let terms = self.terms(search, &owners, coordinate, visibility)?;
        let mut statement = Statement {
            search,
            coordinate,
            visibility,
            owners,
            terms,
            today: self.today(),
            join: crate::dialect::ordered_join(self.connection),
            in_time: crate::dialect::in_time(self.connection),
            chosen: None,
            after: search.after.clone(),
        };
        let mut hits = self.page_by_id(&mut statement, search.limit.saturating_add(1))?;
        statement.after.clone_from(&search.after);
        let more = hits.len() > search.limit;
        hits.truncate(search.limit);
        let mut next = None;
        let mut rows = Vec::with_capacity(hits.len());
        for (row, rank, first, second, third) in hits {
            let row = record_row(row)?;
            next = Some(statement.cursor(&row, rank, [first, second, third]));
            rows.push(row);
        }
        let total = match search.count {
            Count::None => None,
            Count::Exact => Some(self.count(&statement, None)?),
            Count::Estimate => Some(self.count(&statement, Some(ESTIMATE))?),
        };
        Ok(Page {
            rows,
            next: next.filter(|_| more),
            total_exact: !(search.count == Count::Estimate
                && total.is_some_and(|total| total >= ESTIMATE)),
            total,
        })
    }

    fn count(&mut self, statement: &Statement<'_>, most: Option<u64>) -> Result<u64, StoreError> {
        let mut sql = Sql::<(BigInt,)>::new("");
        statement.push_count(
            &mut sql,
            most.map(|most| limit_of(usize::try_from(most).unwrap_or(usize::MAX))),
        );
        let found: Option<(i64,)> = self.connection.first(&sql)?;
        Ok(found
            .and_then(|(count,)| u64::try_from(count).ok())
            .unwrap_or_default())
    }

    /// The owners whose records can be among the hits: every key leads with the owner.
    fn searched_owners(
        &mut self,
        search: &StoreSearch,
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Vec<OwnerKey>, StoreError> {
        let mut owners: Vec<OwnerKey> = match &search.owners {
            OwnerSet::Some(owners) => owners.iter().cloned().collect(),
            OwnerSet::All
                if !coordinate.known.pins.is_empty() && coordinate.known.others.is_some() =>
            {
                coordinate
                    .known
                    .pins
                    .iter()
                    .map(|(owner, _)| owner.clone())
                    .collect()
            }
            OwnerSet::All => self.owners()?.into_iter().map(|owner| owner.key).collect(),
        };
        owners.retain(|owner| {
            visibility
                .rules
                .iter()
                .any(|rule| rule.owners.contains(owner))
        });
        Ok(owners)
    }
}

pub(crate) fn limit(what: &'static str, given: usize, limit: usize) -> Result<(), StoreError> {
    if given > limit {
        return Err(StoreError::Limit { what, given, limit });
    }
    Ok(())
}
