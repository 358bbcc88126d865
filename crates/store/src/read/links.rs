//! Links in both directions. A link holds at a coordinate only where its source's state and its target's are both valid,
//! known and visible there.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::sql_types::{BigInt, SmallInt, Text};
use grunddata_model::{Domain, OwnerKey, Period, RecordId};

use crate::connection::Connection;
use crate::coordinate::Coordinate;
use crate::dialect::ordered_join;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::changes::limit_of;
use crate::sql::{Bind, LIST, NO_ID, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::visibility::{Reach, Visibility};
use crate::write::{domain, owner_key, period};

/// Which way links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the record to what it refers to.
    Out,
    /// From the record to what refers to it.
    In,
}

/// A link that holds at the coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Whose link it is: the source's owner.
    pub owner: OwnerKey,
    /// The record that refers.
    pub source: RecordId,
    /// Its domain.
    pub source_domain: Domain,
    /// The relation.
    pub relation: Arc<str>,
    /// The record that is referred to.
    pub target: RecordId,
    /// Its domain.
    pub target_domain: Domain,
    /// When the source says so.
    pub period: Period,
}

/// Where the next page of a record's links begins: after this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkCursor {
    /// The owner of the link.
    pub owner: OwnerKey,
    /// Its relation.
    pub relation: Arc<str>,
    /// The record at its other end.
    pub other: RecordId,
}

impl LinkRow {
    /// The cursor after this link, as seen from one of its ends.
    #[must_use]
    pub fn cursor(&self, direction: Direction) -> LinkCursor {
        LinkCursor {
            owner: self.owner.clone(),
            relation: Arc::clone(&self.relation),
            other: match direction {
                Direction::Out => self.target,
                Direction::In => self.source,
            },
        }
    }
}

type Types = (Text, SqlId, SmallInt, Text, SqlId, SmallInt, SqlDay, SqlDay);
type Parts = (String, Id, i16, String, Id, i16, Day, Day);

fn link_row(parts: Parts) -> Result<LinkRow, StoreError> {
    let (owner, source, source_domain, relation, target, target_domain, from, to) = parts;
    Ok(LinkRow {
        owner: owner_key(&owner)?,
        source: source.record(),
        source_domain: domain(source_domain)?,
        relation: Arc::from(relation),
        target: target.record(),
        target_domain: domain(target_domain)?,
        period: period(from, to)?,
    })
}

/// What a read of links is about, whatever the nodes.
struct Search<'q> {
    direction: Direction,
    relations: &'q [Arc<str>],
    coordinate: &'q Coordinate,
    visibility: &'q Visibility,
    today: chrono::NaiveDate,
    join: &'static str,
}

impl<'q> Search<'q> {
    /// The links of a node, whose id and (the owner of the links) stand in the given expressions. The link comes first and
    /// in the order of its index, so that a limit is reached without reading all the links of a hub.
    fn push<T>(
        &self,
        sql: &mut Sql<'q, T>,
        columns: &str,
        owner: impl Fn(&mut Sql<'q, T>),
        node: impl Fn(&mut Sql<'q, T>),
    ) {
        let (known, day) = (&self.coordinate.known, self.coordinate.valid_at);
        sql.push("SELECT ").push(columns).push(" FROM link l");
        for (table, alias, on) in [
            ("directory_id", "dt", "dt.id = l.target_id"),
            ("record", "rs", "rs.owner = l.owner AND rs.id = l.source_id"),
            (
                "state",
                "ss",
                "ss.owner = l.owner AND ss.record_id = l.source_id",
            ),
            ("record", "rt", "rt.owner = dt.owner AND rt.id = dt.id"),
            (
                "state",
                "st",
                "st.owner = dt.owner AND st.record_id = dt.id",
            ),
        ] {
            sql.push(self.join)
                .push(table)
                .push(" ")
                .push(alias)
                .push(" ON ")
                .push(on);
        }
        sql.push(" WHERE l.owner = ");
        owner(sql);
        sql.push(match self.direction {
            Direction::Out => " AND l.source_id = ",
            Direction::In => " AND l.target_id = ",
        });
        node(sql);
        match self.relations {
            [] => {}
            [only] => {
                sql.push(" AND l.relation = ").text(&**only);
            }
            several => {
                sql.push(" AND l.relation IN ")
                    .texts(several.iter().map(|relation| &**relation));
            }
        }
        sql.push(" AND ").holds("l", "l.owner", known, day);
        sql.push(" AND ").holds("ss", "l.owner", known, day);
        sql.push(" AND ").holds("st", "dt.owner", known, day);
        sql.push(" AND ");
        // The link is a property of its source: that rule must show it which shows the source.
        self.visibility
            .push_by(sql, "ss", "rs", &["l"], self.today, Reach::Follow);
        sql.push(" AND ");
        self.visibility
            .push(sql, "st", "rt", self.today, Reach::Follow);
    }

    /// The end of a page's statement.
    fn push_page<T>(&self, sql: &mut Sql<'q, T>, limit: usize, after: Option<&'q LinkCursor>) {
        let other = self.other();
        if let Some(after) = after {
            let (owner, relation) = (after.owner.as_str(), &*after.relation);
            sql.push(" AND (l.owner > ")
                .text(owner)
                .push(" OR (l.owner = ")
                .text(owner);
            sql.push(" AND (l.relation > ")
                .text(relation)
                .push(" OR (l.relation = ")
                .text(relation);
            sql.push(" AND ")
                .push(other)
                .push(" > ")
                .id(after.other)
                .push("))))");
        }
        sql.push(" ORDER BY l.relation, ")
            .push(other)
            .limit(limit_of(limit));
    }

    fn other(&self) -> &'static str {
        match self.direction {
            Direction::Out => "l.target_id",
            Direction::In => "l.source_id",
        }
    }
}

/// The most links that are counted.
const COUNTED: u64 = 10_000;

const COLUMNS: &str = "l.owner, l.source_id, l.source_domain, l.relation, l.target_id, dt.domain AS target_domain, l.valid_from, l.valid_to";

impl Reader<'_> {
    /// The links of records at the coordinate, at most so many of each record; no relations = all. Sorted by record (in
    /// the order asked), owner of the link, relation and the record at the other end.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    #[expect(
        clippy::too_many_arguments,
        reason = "a read of links has that many degrees of freedom"
    )]
    pub fn links(
        &mut self,
        ids: &[RecordId],
        direction: Direction,
        relations: &[Arc<str>],
        coordinate: &Coordinate,
        visibility: &Visibility,
        limit_per_record: usize,
        after: Option<&LinkCursor>,
    ) -> Result<Vec<LinkRow>, StoreError> {
        let search = Search {
            direction,
            relations,
            coordinate,
            visibility,
            today: self.today(),
            join: ordered_join(self.connection),
        };
        let mut found = Vec::new();
        if matches!(self.connection, Connection::Postgres(_)) {
            for chunk in ids.chunks(LIST) {
                self.links_together(&search, chunk, limit_per_record, after, &mut found)?;
            }
            return Ok(found);
        }
        // Inside the process a statement costs no round trip.
        for id in ids {
            let mut left = limit_per_record;
            for owner in self.link_owners(*id, direction)? {
                if left == 0 || after.is_some_and(|after| owner.as_str() < after.owner.as_str()) {
                    continue;
                }
                let mut sql = Sql::<Types>::new("");
                search.push(
                    &mut sql,
                    COLUMNS,
                    |sql| {
                        sql.text(owner.clone());
                    },
                    |sql| {
                        sql.id(*id);
                    },
                );
                search.push_page(&mut sql, left, after);
                let rows: Vec<Parts> = self.connection.load(&sql)?;
                left = left.saturating_sub(rows.len());
                for parts in rows {
                    found.push(link_row(parts)?);
                }
            }
        }
        Ok(found)
    }

    /// The links of many records in one statement: for each record and each owner a page from the index.
    fn links_together(
        &mut self,
        search: &Search<'_>,
        ids: &[RecordId],
        limit: usize,
        after: Option<&LinkCursor>,
        found: &mut Vec<LinkRow>,
    ) -> Result<(), StoreError> {
        let mut sql = Sql::<(Types, BigInt)>::new(
            "SELECT k.owner, k.source_id, k.source_domain, k.relation, k.target_id, k.target_domain, k.valid_from, \
             k.valid_to, n.column2 FROM ",
        );
        let nodes = (0_i64..)
            .zip(ids)
            .map(|(place, id)| vec![Bind::Id((*id).into()), Bind::Big(place)]);
        let padding = vec![Bind::Id(NO_ID), Bind::Big(-1)];
        let size = ids.len().next_power_of_two();
        sql.rows("n", nodes.chain(std::iter::repeat(padding)).take(size));
        sql.push(" JOIN directory_id dn ON dn.id = n.column1");
        let owner = match search.direction {
            Direction::Out => "dn.owner",
            Direction::In => {
                sql.push(" JOIN owner_reference f ON f.target = dn.owner");
                "f.source"
            }
        };
        sql.push(" CROSS JOIN LATERAL (");
        search.push(
            &mut sql,
            COLUMNS,
            |sql| {
                sql.push(owner);
            },
            |sql| {
                sql.push("dn.id");
            },
        );
        search.push_page(&mut sql, limit, after);
        sql.push(") AS k ORDER BY n.column2, k.owner, k.relation, k.");
        sql.push(search.other().trim_start_matches("l."));
        let rows: Vec<(Parts, i64)> = self.connection.load(&sql)?;
        let (mut record, mut count) = (-1, 0);
        for (parts, place) in rows {
            if place != record {
                (record, count) = (place, 0);
            }
            count += 1;
            if count <= limit {
                found.push(link_row(parts)?);
            }
        }
        Ok(())
    }

    /// The owners among whose links are those of the record: its own, or those that have links to records of its owner.
    fn link_owners(
        &mut self,
        id: RecordId,
        direction: Direction,
    ) -> Result<Vec<String>, StoreError> {
        let mut sql = Sql::<(Text,)>::new(match direction {
            Direction::Out => "SELECT d.owner FROM directory_id d WHERE d.id = ",
            Direction::In => {
                "SELECT f.source FROM directory_id d JOIN owner_reference f ON f.target = d.owner WHERE d.id = "
            }
        });
        sql.id(id).push(match direction {
            Direction::Out => "",
            Direction::In => " ORDER BY f.source",
        });
        let rows: Vec<(String,)> = self.connection.load(&sql)?;
        Ok(rows.into_iter().map(|(owner,)| owner).collect())
    }

    /// How many links of a record hold at the coordinate, per relation. No more than 10,000 are counted in all.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn link_counts(
        &mut self,
        id: RecordId,
        direction: Direction,
        coordinate: &Coordinate,
        visibility: &Visibility,
    ) -> Result<Vec<(Arc<str>, u64)>, StoreError> {
        let search = Search {
            direction,
            relations: &[],
            coordinate,
            visibility,
            today: self.today(),
            join: ordered_join(self.connection),
        };
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for owner in self.link_owners(id, direction)? {
            let counted: u64 = counts.values().sum();
            if counted >= COUNTED {
                break;
            }
            let mut sql = Sql::<(Text, BigInt)>::new("SELECT k.relation, COUNT(*) FROM (");
            search.push(
                &mut sql,
                "l.relation",
                |sql| {
                    sql.text(owner.clone());
                },
                |sql| {
                    sql.id(id);
                },
            );
            sql.limit(i64::try_from(COUNTED - counted).unwrap_or(i64::MAX))
                .push(") AS k GROUP BY k.relation");
            let rows: Vec<(String, i64)> = self.connection.load(&sql)?;
            for (relation, count) in rows {
                *counts.entry(relation).or_default() += u64::try_from(count).unwrap_or_default();
            }
        }
        Ok(counts
            .into_iter()
            .map(|(relation, count)| (Arc::from(relation), count))
            .collect())
    }
}
