//! What time itself does: entries of the log that make no version, and how far they have been told.

use std::sync::Arc;

use chrono::NaiveDate;
use diesel::sql_types::Nullable;
use grunddata_model::{Instant, Period, RecordId, TransactionId};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::owner::Told;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId};
use crate::tree::{Facts, Leaves};
use crate::write::derive::timeline_hash;
use crate::write::rows::ChangeRow;
use crate::write::staged::{ChangeKind, Operation, RecordImage, RecordStatus};
use crate::write::tx::WriteTx;

/// Entries for what began or ended as planned.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The transaction that the entries belong to.
    pub transaction: TransactionId,
    /// Who tells it.
    pub actor: Arc<str>,
    /// On which day something of which record began or ended; in order.
    pub entries: Vec<(NaiveDate, RecordId)>,
    /// How far it had been told when they were found.
    pub from: Told,
    /// How far it is told with them.
    pub to: Told,
}

/// What a job tells, with the records as they are.
pub(crate) struct StagedEffective {
    pub(crate) transaction: TransactionId,
    actor: Arc<str>,
    pub(crate) entries: Vec<(NaiveDate, Arc<RecordImage>)>,
    /// `None` = it is told elsewhere: this is a copy.
    to: Option<Told>,
}

impl WriteTx<'_> {
    /// Stages entries for what began or ended as planned, and how far that is told with them; how many entries, which may be
    /// none. Of records that were erased, retracted or merged meanwhile nothing is told. `None` = somebody else has told it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn tell(&mut self, effective: &Effective) -> Result<Option<usize>, StoreError> {
        let owner = self.owner().clone();
        let mut sql = Sql::<(SqlDay, Nullable<SqlId>)>::new(
            "SELECT o.told_day, o.told_record FROM owner o WHERE o.key = ",
        );
        sql.text(owner.as_str());
        let row = self.batch.connection.first::<_, (Day, Option<Id>)>(&sql);
        let told = self.noted(row)?.map(|(day, record)| Told {
            day: day.0,
            record: record.map(Id::record),
        });
        let is_staged = self.batch.accepted.iter().any(|job| job.told.is_some());
        if told != Some(effective.from) || is_staged {
            return Ok(None);
        }
        let mut entries = Vec::with_capacity(effective.entries.len());
        for (day, id) in &effective.entries {
            let image = self
                .record(*id)?
                .filter(|image| image.owner == owner && image.status == RecordStatus::Current);
            entries.extend(image.map(|image| (*day, image)));
        }
        let count = entries.len();
        self.told = Some(Box::new(StagedEffective {
            transaction: effective.transaction,
            actor: Arc::clone(&effective.actor),
            entries,
            to: Some(effective.to),
        }));
        Ok(Some(count))
    }

    /// Stages an entry that another registry has told.
    pub(crate) fn tell_copied(
        &mut self,
        transaction: TransactionId,
        actor: &Arc<str>,
        day: NaiveDate,
        image: Arc<RecordImage>,
    ) {
        let told = self.told.get_or_insert_with(|| {
            Box::new(StagedEffective {
                transaction,
                actor: Arc::clone(actor),
                entries: Vec::new(),
                to: None,
            })
        });
        told.entries.push((day, image));
    }
}

impl StagedEffective {
    /// The rows of the log, from the position after this one on, with their leaves.
    pub(crate) fn rows<'a>(
        &'a self,
        owner: &'a str,
        position: i64,
        instant: Instant,
        leaves: &mut Leaves<'_>,
    ) -> Result<Vec<ChangeRow<'a>>, StoreError> {
        let mut rows = Vec::with_capacity(self.entries.len());
        for (position, (day, image)) in (position + 1..).zip(&self.entries) {
            let touched = Period::since(*day).map_err(|error| {
                StoreError::disagrees(format!("a day of the calendar: {error}"))
            })?;
            let facts = Facts {
                record: image.id,
                domain: image.domain.as_str(),
                operation: Operation::Effective.as_str(),
                version: image.version,
                recorded_at: instant,
                transaction: self.transaction,
                change_kind: ChangeKind::Change.as_str(),
                corrects: None,
                actor: &self.actor,
                reason: None,
                source: None,
                touched,
            };
            let (leaf, opening) = leaves.make_of(&facts, &image.timeline, position)?;
            rows.push(ChangeRow {
                owner,
                position,
                record_id: image.id.into(),
                domain: image.domain.code(),
                version: i32::try_from(image.version).unwrap_or(i32::MAX),
                recorded_at: Moment(instant),
                transaction_id: self.transaction.into(),
                operation: Operation::Effective.code(),
                change_kind: ChangeKind::Change.code(),
                corrects: None,
                actor: &self.actor,
                reason: None,
                source: None,
                valid_from: Day(touched.from()),
                valid_to: Day(touched.to()),
                hash: timeline_hash(&image.timeline).to_vec(),
                effective_on: Day(*day),
                leaf: Some(leaf),
                opening,
            });
        }
        Ok(rows)
    }

    /// Notes how far it is told.
    pub(crate) fn note(&self, connection: &mut Connection, owner: &str) -> Result<(), StoreError> {
        let Some(to) = self.to else {
            return Ok(());
        };
        let mut sql = Sql::<()>::new("UPDATE owner SET told_day = ");
        sql.day(to.day)
            .push(", told_record = ")
            .bind(Bind::OptId(to.record.map(Id::from)))
            .push(" WHERE key = ")
            .text(owner);
        connection.execute(&sql).map(drop)
    }
}
