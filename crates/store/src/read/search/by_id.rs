//! Pages in the order of ids: first the ids of a stretch, by the links or entries alone, then the rows of those. Otherwise
//! the row of every hit would be read and sorted, though a page shows a hundred of them.

use grunddata_model::RecordId;

use super::statement::{Driver, Statement};
use super::{HitTypes, Hits, SearchCursor};
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{LIST, Sql};
use crate::sql_types::{Id, SqlId};

/// How many stretches more than the page needs are looked through, where the reader sees few of the hits, before all that
/// is left is read in one statement.
const SPARSE: usize = 4;

impl<'q> Statement<'q> {
    /// Whether rows come in the order of their ids, from something that can be read in that order.
    fn is_by_id(&self) -> bool {
        matches!(self.driver(), Driver::Link(_) | Driver::Condition(_))
            && self.search.sort.is_empty()
            && self.search.offset == 0
    }

    /// The next ids that the driver yields. One may come several times in a row.
    fn push_candidates(&self, sql: &mut Sql<'q, (SqlId,)>) {
        self.push_subtrees(sql);
        let id = match self.driver() {
            Driver::Link(place) => {
                sql.push("SELECT l.source_id");
                self.push_links(sql, place);
                "l.source_id"
            }
            Driver::Condition(place) => {
                if let Some(condition) = self.search.conditions.get(place) {
                    sql.push("SELECT e.record_id");
                    self.push_entries(sql, condition);
                }
                "e.record_id"
            }
            Driver::Identifier | Driver::Text | Driver::Domain => return,
        };
        if let Some(after) = &self.after {
            sql.push(" AND ").push(id).push(" > ").id(after.id);
        }
        sql.push(" ORDER BY ").push(id).limit(LIST as i64);
        self.bound_variety(sql);
    }
}

impl Reader<'_> {
    /// The rows of a page, at most `limit`.
    pub(crate) fn page_by_id(
        &mut self,
        statement: &mut Statement<'_>,
        limit: usize,
    ) -> Result<Hits, StoreError> {
        let mut hits = Hits::new();
        if statement.is_by_id() {
            for _ in 0..limit.div_ceil(LIST) + SPARSE {
                let mut sql = Sql::<(SqlId,)>::new("");
                statement.push_candidates(&mut sql);
                let mut ids: Vec<RecordId> = self
                    .connection
                    .load::<_, (Id,)>(&sql)?
                    .into_iter()
                    .map(|(id,)| id.record())
                    .collect();
                let all = ids.len() < LIST;
                ids.dedup();
                if let Some(last) = ids.last().copied() {
                    statement.chosen = Some(ids);
                    hits.extend(self.hits(statement, limit - hits.len())?);
                    statement.chosen = None;
                    statement.after = Some(SearchCursor {
                        values: Vec::new(),
                        id: last,
                    });
                }
                if all || hits.len() >= limit {
                    return Ok(hits);
                }
            }
        }
        hits.extend(self.hits(statement, limit - hits.len())?);
        Ok(hits)
    }

    fn hits(&mut self, statement: &Statement<'_>, limit: usize) -> Result<Hits, StoreError> {
        let mut sql = Sql::<HitTypes>::new("");
        statement.push_page(&mut sql, limit);
        self.connection.load(&sql)
    }
}
