//! What began or ended in an owner's records on days that have come.

use chrono::NaiveDate;
use grunddata_model::{Instant, OwnerKey, RecordId};

use crate::error::StoreError;
use crate::owner::Told;
use crate::read::Reader;
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};

/// A state that began or ended on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnRow {
    /// The day.
    pub day: NaiveDate,
    /// The record.
    pub record: RecordId,
    /// From when the state was believed.
    pub recorded_at: Instant,
    /// And until when.
    pub superseded_at: Instant,
}

impl Reader<'_> {
    /// Every state of the owner, believed now or at another time, that begins or ends after what has been told, up to a
    /// day, which is the last: by day and record, at most so many. Walks along all states of the owner.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn turns(
        &mut self,
        owner: &OwnerKey,
        told: Told,
        until: NaiveDate,
        limit: i64,
    ) -> Result<Vec<TurnRow>, StoreError> {
        let mut sql = Sql::<(SqlDay, SqlId, SqlMoment, SqlMoment)>::new(
            "SELECT x.day, x.record_id, x.recorded_at, x.superseded_at FROM (",
        );
        for (number, edge) in ["valid_from", "valid_to"].into_iter().enumerate() {
            sql.push(if number == 0 { "SELECT s." } else { " UNION ALL SELECT s." })
                .push(edge)
                .push(" AS day, s.record_id, s.recorded_at, s.superseded_at FROM state s WHERE s.owner = ")
                .text(owner.as_str())
                .push(" AND s.")
                .push(edge)
                .push(" <= ")
                .day(until)
                .push(" AND (s.")
                .push(edge)
                .push(" > ")
                .day(told.day);
            if let Some(record) = told.record {
                sql.push(" OR s.")
                    .push(edge)
                    .push(" = ")
                    .day(told.day)
                    .push(" AND s.record_id > ")
                    .id(record);
            }
            sql.push(")");
        }
        sql.push(") x ORDER BY x.day, x.record_id").limit(limit);
        let rows: Vec<(Day, Id, Moment, Moment)> = self.connection.load(&sql)?;
        Ok(rows
            .into_iter()
            .map(|(day, record, recorded, superseded)| TurnRow {
                day: day.0,
                record: record.record(),
                recorded_at: recorded.0,
                superseded_at: superseded.0,
            })
            .collect())
    }
}
