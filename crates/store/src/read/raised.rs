//! Records that came under a stronger protection further on in a log than a reader has come: what it is told before all else.

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, SmallInt};
use grunddata_model::{Domain, RecordId};

use crate::error::StoreError;
use crate::read::Reader;
use crate::read::changes::limit_of;
use crate::read::feed::{ChangeScan, position};
use crate::read::withdrawn::Followed;
use crate::sql::Sql;
use crate::sql_types::{Id, SqlId};
use crate::visibility::{Reach, Visibility};
use crate::write::domain;

/// A change with which a record came under a stronger or a longer protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RaisedRow {
    /// Its position in the log.
    pub position: u64,
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
}

impl Reader<'_> {
    /// The records of which the reader has passed an entry, and that came under a stronger protection in this part of the
    /// log, each with the first such change, in order: those that the reader is shown whole and, when it is said how it has
    /// `followed`, those that went out of its sight with that. Of the filter, the operation is not asked for.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn raised_ahead(
        &mut self,
        scan: &ChangeScan<'_>,
        followed: Option<Followed>,
        visibility: &Visibility,
    ) -> Result<Vec<RaisedRow>, StoreError> {
        let today = self.today();
        let mut sql = Sql::<(BigInt, SqlId, SmallInt)>::new(
            "SELECT p.position, p.record_id, r.domain FROM raised_protection p \
             JOIN record r ON r.owner = p.owner AND r.id = p.record_id WHERE p.owner = ",
        );
        sql.text(scan.owner.as_str());
        sql.push(" AND p.position > ").big(position(scan.after));
        sql.push(" AND p.position <= ").big(position(scan.until));
        sql.push(
            " AND EXISTS (SELECT 1 FROM change c WHERE c.owner = p.owner AND c.record_id = p.record_id AND c.position <= ",
        )
        .big(position(scan.after))
        .push(")");
        let filter = scan.filter;
        if !filter.domains.is_empty() {
            sql.push(" AND r.domain IN ")
                .smalls(filter.domains.iter().map(|domain| domain.code()));
        }
        if let Some(record) = filter.record {
            sql.push(" AND p.record_id = ").id(record);
        }
        if let Some(controller) = filter.controller {
            sql.push(" AND r.controller = ").id(controller);
        }
        sql.push(" AND ");
        visibility.push_record(&mut sql, "r", today, Reach::Match);
        sql.push(" ORDER BY p.position").limit(limit_of(scan.limit));
        let mut found: BTreeMap<RecordId, RaisedRow> = BTreeMap::new();
        for (at, id, code) in self.connection.load::<_, (i64, Id, i16)>(&sql)? {
            let row = RaisedRow {
                position: u64::try_from(at).unwrap_or_default(),
                record: id.record(),
                domain: domain(code)?,
            };
            found.entry(row.record).or_insert(row);
        }
        if let Some(followed) = followed {
            for row in self.withdrawn_by_protection(scan, followed, visibility)? {
                found.entry(row.record).or_insert(RaisedRow {
                    position: row.position,
                    record: row.record,
                    domain: row.domain,
                });
            }
        }
        let mut found: Vec<RaisedRow> = found.into_values().collect();
        found.sort_unstable_by_key(|row| row.position);
        found.truncate(scan.limit);
        Ok(found)
    }
}
