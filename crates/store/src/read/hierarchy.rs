//! Up and down a hierarchy at a coordinate.

use std::collections::HashSet;
use std::sync::Arc;

use diesel::sql_types::{Integer, SmallInt, Text};
use grunddata_model::{Domain, OwnerKey, RecordId};

use crate::coordinate::Coordinate;
use crate::dialect::ordered_join;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::changes::limit_of;
use crate::sql::Sql;
use crate::sql_types::{Id, SqlId};
use crate::visibility::{Reach, Visibility};
use crate::write::{domain, owner_key};

/// A record above or below another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HierarchyRow {
    /// The record.
    pub id: RecordId,
    /// Who answers for it.
    pub owner: OwnerKey,
    /// Its domain.
    pub domain: Domain,
    /// How many steps it is away, at least 1.
    pub depth: u32,
    /// The record by which it was reached (one step nearer).
    pub via: RecordId,
    /// The relation of that step.
    pub relation: Arc<str>,
}

/// The deepest that is followed, whatever is asked: hierarchies never hold a cycle at any day, and none is so deep.
const DEEPEST: u32 = 64;

type Types = (SqlId, Text, SmallInt, Integer, SqlId, Text);
type Parts = (Id, String, i16, i32, Id, String);

fn rows(parts: Vec<Parts>) -> Result<Vec<HierarchyRow>, StoreError> {
    let mut seen = HashSet::new();
    let mut rows = Vec::with_capacity(parts.len());
    for (id, owner, domain_code, depth, via, relation) in parts {
        // By several ways at once: the shortest one counts.
        if seen.insert(id) {
            rows.push(HierarchyRow {
                id: id.record(),
                owner: owner_key(&owner)?,
                domain: domain(domain_code)?,
                depth: u32::try_from(depth).unwrap_or_default(),
                via: via.record(),
                relation: Arc::from(relation),
            });
        }
    }
    Ok(rows)
}

impl<'q> Reader<'_> {
    /// The records above a record along the relations (`parent`, `within`), the nearest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn ancestors(
        &mut self,
        id: RecordId,
        relations: &'q [Arc<str>],
        coordinate: &'q Coordinate,
        visibility: &'q Visibility,
        max_depth: u32,
    ) -> Result<Vec<HierarchyRow>, StoreError> {
        let (today, join) = (self.today(), ordered_join(self.connection));
        let mut sql = Sql::<Types>::new("WITH RECURSIVE ");
        push_start(&mut sql, "up", id, coordinate, visibility, today);
        sql.push(
            " UNION SELECT l.target_id, dt.owner, dt.domain, up.depth + 1, l.source_id, l.relation FROM up",
        )
        .push(join)
        .push("link l ON l.owner = up.owner AND l.source_id = up.id AND l.relation IN ");
        sql.texts(relations.iter().map(|relation| &**relation));
        sql.push(join)
            .push("directory_id dt ON dt.id = l.target_id");
        // The link is a property of its source, which is the record that was reached before: that rule must show it which
        // shows the source. Where all rules show the same classes any of them does.
        let mixed = visibility.shows_various_classes();
        if mixed {
            sql.push(join)
                .push("record rs ON rs.owner = up.owner AND rs.id = up.id")
                .push(join)
                .push("state ss ON ss.owner = up.owner AND ss.record_id = up.id");
        }
        let derived: &[&str] = if mixed { &[] } else { &["l"] };
        push_step(
            &mut sql, "up", "dt.owner", "dt.id", derived, coordinate, visibility, today, join,
            max_depth,
        );
        if mixed {
            let (known, day) = (&coordinate.known, coordinate.valid_at);
            sql.push(" AND ").holds("ss", "up.owner", known, day);
            sql.push(" AND ");
            visibility.push_by(&mut sql, "ss", "rs", &["l"], today, Reach::Follow);
        }
        sql.push(") SELECT up.id, up.owner, up.domain, up.depth, up.via, up.relation FROM up WHERE up.depth > 0 ORDER BY up.depth, up.id");
        rows(self.connection.load(&sql)?)
    }

    /// The records below a record along the relations, the nearest first and then by id; at most `limit` of those that
    /// come after the place of `after` (a depth and an id).
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    #[expect(
        clippy::too_many_arguments,
        reason = "a page of a subtree has that many degrees of freedom"
    )]
    pub fn subtree(
        &mut self,
        id: RecordId,
        relations: &'q [Arc<str>],
        coordinate: &'q Coordinate,
        visibility: &'q Visibility,
        max_depth: u32,
        limit: usize,
        after: Option<(u32, RecordId)>,
    ) -> Result<Vec<HierarchyRow>, StoreError> {
        let (today, join) = (self.today(), ordered_join(self.connection));
        let mut sql = Sql::<Types>::new("WITH RECURSIVE ");
        push_subtree(
            &mut sql, "down", id, relations, coordinate, visibility, today, join, max_depth,
        );
        // By several ways at once: the shortest one counts, so that each stands on one page.
        sql.push(
            " SELECT n.id, n.owner, n.domain, n.depth, n.via, n.relation FROM (SELECT down.id, down.owner, down.domain, \
             down.depth, down.via, down.relation, ROW_NUMBER() OVER (PARTITION BY down.id ORDER BY down.depth, down.via, \
             down.relation) AS way FROM down WHERE down.depth > 0) AS n WHERE n.way = 1",
        );
        if let Some((depth, last)) = after {
            let depth = i32::try_from(depth).unwrap_or(i32::MAX);
            sql.push(" AND (n.depth > ")
                .int(depth)
                .push(" OR (n.depth = ")
                .int(depth);
            sql.push(" AND n.id > ").id(last).push("))");
        }
        sql.push(" ORDER BY n.depth, n.id").limit(limit_of(limit));
        rows(self.connection.load(&sql)?)
    }
}

/// `name(id, owner, domain, depth, via, relation) AS (` the start and everything below it `)`.
#[expect(clippy::too_many_arguments, reason = "the parts of one statement")]
pub(crate) fn push_subtree<'q, T>(
    sql: &mut Sql<'q, T>,
    name: &str,
    id: RecordId,
    relations: &'q [Arc<str>],
    coordinate: &'q Coordinate,
    visibility: &'q Visibility,
    today: chrono::NaiveDate,
    join: &'static str,
    max_depth: u32,
) {
    push_start(sql, name, id, coordinate, visibility, today);
    sql.push(" UNION SELECT l.source_id, l.owner, l.source_domain, ")
        .push(name)
        .push(".depth + 1, l.target_id, l.relation FROM ");
    sql.push(name)
        .push(join)
        .push("owner_reference f ON f.target = ")
        .push(name)
        .push(".owner");
    sql.push(join)
        .push("link l ON l.owner = f.source AND l.target_id = ")
        .push(name)
        .push(".id AND l.relation IN ");
    sql.texts(relations.iter().map(|relation| &**relation));
    push_step(
        sql,
        name,
        "l.owner",
        "l.source_id",
        &["l"],
        coordinate,
        visibility,
        today,
        join,
        max_depth,
    );
    sql.push(")");
}

fn push_start<'q, T>(
    sql: &mut Sql<'q, T>,
    name: &str,
    id: RecordId,
    coordinate: &'q Coordinate,
    visibility: &'q Visibility,
    today: chrono::NaiveDate,
) {
    sql.push(name)
        .push("(id, owner, domain, depth, via, relation) AS (SELECT d.id, d.owner, d.domain, ");
    // No relation leads to the start. Taken from a column, because PostgreSQL wants one collation in all of a recursive
    // query, and a bare '' has the database's own.
    sql.int(0).push(
        ", d.id, substr(d.owner, 1, 0) FROM directory_id d JOIN record r ON r.owner = d.owner AND r.id = d.id \
         JOIN state s ON s.owner = d.owner AND s.record_id = d.id WHERE d.id = ",
    );
    sql.id(id)
        .push(" AND ")
        .holds("s", "d.owner", &coordinate.known, coordinate.valid_at);
    sql.push(" AND ");
    visibility.push(sql, "s", "r", today, Reach::Follow);
}

/// The end of a recursive step: the link holds, and the record that it leads to is there and visible, by a rule that shows
/// what else was `derived` from it.
#[expect(clippy::too_many_arguments, reason = "the parts of one statement")]
fn push_step<'q, T>(
    sql: &mut Sql<'q, T>,
    name: &str,
    owner: &str,
    id: &str,
    derived: &[&str],
    coordinate: &'q Coordinate,
    visibility: &'q Visibility,
    today: chrono::NaiveDate,
    join: &'static str,
    max_depth: u32,
) {
    sql.push(join)
        .push("record r ON r.owner = ")
        .push(owner)
        .push(" AND r.id = ")
        .push(id);
    sql.push(join)
        .push("state s ON s.owner = ")
        .push(owner)
        .push(" AND s.record_id = ")
        .push(id);
    sql.push(" WHERE ")
        .push(name)
        .push(".depth < ")
        .int(i32::try_from(max_depth.min(DEEPEST)).unwrap_or(1));
    sql.push(" AND ")
        .holds("l", "l.owner", &coordinate.known, coordinate.valid_at);
    sql.push(" AND ")
        .holds("s", owner, &coordinate.known, coordinate.valid_at);
    sql.push(" AND ");
    visibility.push_by(sql, "s", "r", derived, today, Reach::Follow);
}
