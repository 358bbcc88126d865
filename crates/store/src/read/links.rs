//! Links in both directions. A link holds at a coordinate only where its source's state and its target's are both valid,
//! known and visible there.

use std::sync::Arc;

use diesel::sql_types::{BigInt, SmallInt, Text};
use grunddata_model::{Domain, OwnerKey, Period, RecordId};

use crate::connection::Connection;
use crate::coordinate::Coordinate;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::changes::limit_of;
use crate::sql::{Bind, LIST, NO_ID, Sql};
use crate::sql_types::{Day, Id, SqlDay, SqlId};
use crate::visibility::Visibility;
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
}

impl<'q> Search<'q> {
    /// The links of a node, whose id (and for links to it, one owner of possible sources) stand in the given expressions.
    fn push<T>(&self, sql: &mut Sql<'q, T>, node: impl Fn(&mut Sql<'q, T>), columns: &str) {
        let (known, day) = (&self.coordinate.known, self.coordinate.valid_at);
        sql.push("SELECT ").push(columns);
        match self.direction {
            Direction::Out => {
                sql.push(" FROM directory_id ds JOIN link l ON l.owner = ds.owner AND l.source_id = ds.id");
            }
            Direction::In => {
                sql.push(
                    " FROM directory_id dt JOIN owner_reference f ON f.target = dt.owner \
                     JOIN link l ON l.owner = f.source AND l.target_id = dt.id",
                );
            }
        }
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
        let end = match self.direction {
            Direction::Out => {
                sql.push(" JOIN directory_id dt ON dt.id = l.target_id");
                "ds.id"
            }
            Direction::In => "dt.id",
        };
        sql.push(
            " JOIN record rs ON rs.owner = l.owner AND rs.id = l.source_id \
             JOIN state ss ON ss.owner = l.owner AND ss.record_id = l.source_id \
             JOIN record rt ON rt.owner = dt.owner AND rt.id = dt.id \
             JOIN state st ON st.owner = dt.owner AND st.record_id = dt.id WHERE ",
        );
        sql.push(end).push(" = ");
        node(sql);
        sql.push(" AND ").holds("l", "l.owner", known, day);
        sql.push(" AND ").holds("ss", "l.owner", known, day);
        sql.push(" AND ").holds("st", "dt.owner", known, day);
        sql.push(" AND ");
        self.visibility.push(sql, "ss", "rs", self.today);
        sql.push(" AND ");
        self.visibility.push(sql, "st", "rt", self.today);
    }

    fn other(&self) -> &'static str {
        match self.direction {
            Direction::Out => "l.target_id",
            Direction::In => "l.source_id",
        }
    }
}

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
        };
        let mut found = Vec::new();
        // On PostgreSQL one statement for many records spares round trips; on SQLite there are none to spare.
        let together = matches!(self.connection, Connection::Postgres(_)) && ids.len() > 1;
        if together {
            for chunk in ids.chunks(LIST) {
                let mut sql = Sql::<Types>::new(
                    "SELECT k.owner, k.source_id, k.source_domain, k.relation, k.target_id, k.target_domain, k.valid_from, \
                     k.valid_to FROM ",
                );
                let nodes = (0_i64..)
                    .zip(chunk)
                    .map(|(place, id)| vec![Bind::Id((*id).into()), Bind::Big(place)]);
                let padding = vec![Bind::Id(NO_ID), Bind::Big(-1)];
                let size = chunk.len().next_power_of_two();
                sql.rows("n", nodes.chain(std::iter::repeat(padding)).take(size))
                    .push(" CROSS JOIN LATERAL (");
                search.push(
                    &mut sql,
                    |sql| {
                        sql.push("n.column1");
                    },
                    COLUMNS,
                );
                sql.push(" ORDER BY l.owner, l.relation, ")
                    .push(search.other());
                sql.push(" LIMIT ").big(limit_of(limit_per_record));
                sql.push(") AS k ORDER BY n.column2, k.owner, k.relation, k.");
                sql.push(search.other().trim_start_matches("l."));
                for parts in self.connection.load::<_, Parts>(&sql)? {
                    found.push(link_row(parts)?);
                }
            }
            return Ok(found);
        }
        for id in ids {
            let mut sql = Sql::<Types>::new("");
            search.push(
                &mut sql,
                |sql| {
                    sql.id(*id);
                },
                COLUMNS,
            );
            if let Some(after) = after {
                let other = search.other();
                sql.push(" AND (l.owner > ")
                    .text(after.owner.as_str())
                    .push(" OR (l.owner = ")
                    .text(after.owner.as_str());
                sql.push(" AND (l.relation > ")
                    .text(&*after.relation)
                    .push(" OR (l.relation = ")
                    .text(&*after.relation);
                sql.push(" AND ")
                    .push(other)
                    .push(" > ")
                    .id(after.other)
                    .push("))))");
            }
            sql.push(" ORDER BY l.owner, l.relation, ")
                .push(search.other());
            sql.push(" LIMIT ").big(limit_of(limit_per_record));
            for parts in self.connection.load::<_, Parts>(&sql)? {
                found.push(link_row(parts)?);
            }
        }
        Ok(found)
    }

    /// How many links of a record hold at the coordinate, per relation.
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
        };
        let mut sql = Sql::<(Text, BigInt)>::new("");
        search.push(
            &mut sql,
            |sql| {
                sql.id(id);
            },
            "l.relation, COUNT(*)",
        );
        sql.push(" GROUP BY l.relation ORDER BY l.relation");
        let rows: Vec<(String, i64)> = self.connection.load(&sql)?;
        Ok(rows
            .into_iter()
            .map(|(relation, count)| {
                (
                    Arc::from(relation),
                    u64::try_from(count).unwrap_or_default(),
                )
            })
            .collect())
    }
}
