//! Records that came under protection while somebody followed the log: what a reader was shown before and is not shown any
//! more. Whoever follows only since later, or could not see the record before, is told nothing.

use std::collections::{BTreeMap, BTreeSet};

use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
use grunddata_model::{Domain, Instant, RecordId};

use crate::error::StoreError;
use crate::read::Reader;
use crate::read::feed::{ChangeScan, position};
use crate::sql::{LIST, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::{Form, Forms, Reach, Seen, Visibility, VisibilityRule};
use crate::write::{day_of, domain, reload};

/// A change with which a record went out of a reader's sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WithdrawnRow {
    /// Its position in the log.
    pub position: u64,
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
}

/// Whether something was under protection for the reader before, and when it came under it first after that.
#[derive(Default)]
struct Protected {
    before: bool,
    first: Option<Instant>,
}

impl Reader<'_> {
    /// The changes of a part of a log with which records came under a protection that hides them, or all but a part of
    /// them, from the reader, who has followed the log since `since`, has looked at it up to where the part begins, and may
    /// have been shown them. Of the filter, the operation is not asked for.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn withdrawn_changes(
        &mut self,
        scan: &ChangeScan<'_>,
        since: Instant,
        visibility: &Visibility,
    ) -> Result<Vec<WithdrawnRow>, StoreError> {
        let candidates = self.no_longer_seen(scan, since, visibility)?;
        let ids: BTreeSet<RecordId> = candidates.iter().map(|(row, _)| row.record).collect();
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let mut first = BTreeMap::new();
        for chunk in ids.chunks(LIST) {
            let known = self.known_before(scan, chunk)?;
            for (id, protected) in self.protected(scan, chunk, since, visibility)? {
                if known.contains(&id) && !protected.before {
                    first.extend(protected.first.map(|instant| (id, instant)));
                }
            }
        }
        Ok(candidates
            .into_iter()
            .filter(|(row, recorded)| first.get(&row.record) == Some(recorded))
            .map(|(row, _)| row)
            .collect())
    }

    /// The changes since then of records that the reader would be shown if they were not under protection.
    fn no_longer_seen(
        &mut self,
        scan: &ChangeScan<'_>,
        since: Instant,
        visibility: &Visibility,
    ) -> Result<Vec<(WithdrawnRow, Instant)>, StoreError> {
        let rules = visibility.rules.iter().map(|rule| VisibilityRule {
            forms: Forms::FULL,
            ..rule.clone()
        });
        let unprotected = Visibility {
            rules: rules.collect(),
        };
        let today = self.today();
        let mut sql = Sql::<(BigInt, SqlId, SmallInt, SqlMoment)>::new(
            "SELECT c.position, c.record_id, c.domain, c.recorded_at FROM change c \
             JOIN record r ON r.owner = c.owner AND r.id = c.record_id WHERE c.owner = ",
        );
        sql.text(scan.owner.as_str());
        sql.push(" AND c.position > ").big(position(scan.after));
        sql.push(" AND c.position <= ").big(position(scan.until));
        sql.push(" AND c.recorded_at > ").moment(since);
        sql.push(" AND r.protection > 0 AND ");
        unprotected.push_record(&mut sql, "r", today, Reach::Match);
        // What is neither true nor false is not seen either.
        sql.push(" AND CASE WHEN ");
        visibility.push_record(&mut sql, "r", today, Reach::Match);
        sql.push(" THEN 1 ELSE 0 END = 0");
        let filter = scan.filter;
        if !filter.domains.is_empty() {
            sql.push(" AND c.domain IN ")
                .smalls(filter.domains.iter().map(|domain| domain.code()));
        }
        if let Some(record) = filter.record {
            sql.push(" AND c.record_id = ").id(record);
        }
        if let Some(controller) = filter.controller {
            sql.push(" AND r.controller = ").id(controller);
        }
        sql.push(" ORDER BY c.position");
        let rows: Vec<(i64, Id, i16, Moment)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(position, id, code, recorded)| {
                let row = WithdrawnRow {
                    position: u64::try_from(position).unwrap_or_default(),
                    record: id.record(),
                    domain: domain(code)?,
                };
                Ok((row, recorded.0))
            })
            .collect()
    }

    /// Those of which something stands in the log before the part.
    fn known_before(
        &mut self,
        scan: &ChangeScan<'_>,
        ids: &[RecordId],
    ) -> Result<BTreeSet<RecordId>, StoreError> {
        let mut sql =
            Sql::<(SqlId,)>::new("SELECT DISTINCT c.record_id FROM change c WHERE c.owner = ");
        sql.text(scan.owner.as_str())
            .push(" AND c.record_id IN ")
            .ids(ids.iter().copied());
        sql.push(" AND c.position <= ").big(position(scan.after));
        let rows: Vec<(Id,)> = self.connection.load(&sql)?;
        Ok(rows.into_iter().map(|(id,)| id.record()).collect())
    }

    fn protected(
        &mut self,
        scan: &ChangeScan<'_>,
        ids: &[RecordId],
        since: Instant,
        visibility: &Visibility,
    ) -> Result<BTreeMap<RecordId, Protected>, StoreError> {
        type RowTypes = (
            (SqlId, SmallInt, Nullable<SqlId>, Text, Text),
            (SqlDay, SqlMoment, SqlMoment),
        );
        type RowParts = ((Id, i16, Option<Id>, String, String), (Day, Moment, Moment));
        let mut sql = Sql::<RowTypes>::new(
            "SELECT r.id, r.domain, r.controller, s.model, s.body, s.valid_to, s.recorded_at, s.superseded_at FROM record r \
             JOIN state s ON s.owner = r.owner AND s.record_id = r.id WHERE s.protection > 0 AND r.owner = ",
        );
        sql.text(scan.owner.as_str())
            .push(" AND r.id IN ")
            .ids(ids.iter().copied());
        let mut found: BTreeMap<RecordId, Protected> = BTreeMap::new();
        for parts in self.connection.load::<_, RowParts>(&sql)? {
            let ((id, code, controller, name, body), (valid_to, recorded, superseded)) = parts;
            // What it said itself: the row of an earlier belief has the level of later ones as well.
            let level = reload(&self.engine.model, domain(code)?, &name, body)?.protection();
            let seen = Seen {
                owner: scan.owner.as_str(),
                controller: controller.map(Id::record),
                domain: domain(code)?,
                level,
            };
            let sight = visibility.sight(&seen);
            if level == 0 || sight.is_some_and(|sight| sight.form == Form::Full) {
                continue;
            }
            let protected = found.entry(id.record()).or_default();
            if recorded.0 > since {
                if protected.first.is_none_or(|first| recorded.0 < first) {
                    protected.first = Some(recorded.0);
                }
            } else if superseded.0 > since && valid_to.0 > day_of(since) {
                // Protected on that day, or planned to be.
                protected.before = true;
            }
        }
        Ok(found)
    }
}
