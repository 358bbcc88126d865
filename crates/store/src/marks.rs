//! What stands in the way of something being done to a record: a legal hold keeps it from being erased, a restriction of
//! processing hides it from all whose grants do not reach everything.
//!
//! A mark is put and lifted under the owner's lock, like a write, so that neither an erasure nor a change of protection
//! can pass it unseen. It is no change of the record: no version, no row in the log.

use diesel::sql_types::{Nullable, SmallInt, Text};
use grunddata_model::{Instant, OwnerKey, Period, RecordId};
use uuid::Uuid;

use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, LIST, Sql};
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::store::Store;
use crate::write::{Protection, RecordStatus, day_of, lower, raise_from};

/// What a mark is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkKind {
    /// A legal hold: the record must not be erased.
    Hold,
    /// A restriction of processing: the record is hidden from all but stewards.
    Restriction,
}

impl MarkKind {
    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::Hold => 1,
            Self::Restriction => 2,
        }
    }

    pub(crate) fn from_code(code: i16) -> Option<Self> {
        [Self::Hold, Self::Restriction]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// A mark on a record. It is kept when it is lifted; its reason goes when the record is erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkRow {
    /// Whose record.
    pub owner: OwnerKey,
    /// The id of the mark.
    pub id: Uuid,
    /// The record.
    pub record: RecordId,
    /// What it is for.
    pub kind: MarkKind,
    /// Why.
    pub reason: String,
    /// When it was put.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// When it was lifted.
    pub lifted_at: Option<Instant>,
    /// By whom.
    pub lifted_by: Option<String>,
}

/// What a restricted record is protected as: a level that no policy names, so that only grants that reach what is protected
/// show it, whatever an owner shows of protected persons.
pub(crate) const RESTRICTED: Protection = Protection {
    until: Period::OPEN,
    level: 4,
};

type Types = (
    SqlId,
    SqlId,
    SmallInt,
    Text,
    SqlMoment,
    Text,
    Nullable<SqlMoment>,
    Nullable<Text>,
);
type Parts = (
    Id,
    Id,
    i16,
    String,
    Moment,
    String,
    Option<Moment>,
    Option<String>,
);

impl Reader<'_> {
    /// The marks on an owner's records, the latest first; with `record`, on that one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn marks(
        &mut self,
        owner: &OwnerKey,
        record: Option<RecordId>,
    ) -> Result<Vec<MarkRow>, StoreError> {
        let mut sql = Sql::<Types>::new(
            "SELECT m.id, m.record_id, m.kind, m.reason, m.created_at, m.created_by, m.lifted_at, m.lifted_by \
             FROM record_mark m WHERE m.owner = ",
        );
        sql.text(owner.as_str());
        if let Some(record) = record {
            sql.push(" AND m.record_id = ").id(record);
        }
        sql.push(" ORDER BY m.created_at DESC, m.id");
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(
                |(id, record, kind, reason, created, created_by, lifted, lifted_by)| {
                    Ok(MarkRow {
                        owner: owner.clone(),
                        id: id.0,
                        record: record.record(),
                        kind: MarkKind::from_code(kind)
                            .ok_or_else(|| StoreError::disagrees("the kind of a mark"))?,
                        reason,
                        created_at: created.0,
                        created_by,
                        lifted_at: lifted.map(|moment| moment.0),
                        lifted_by,
                    })
                },
            )
            .collect()
    }
}

/// Which of the records have a mark of the kind that has not been lifted.
pub(crate) fn marked(
    connection: &mut Connection,
    owner: &str,
    kind: MarkKind,
    ids: &[RecordId],
) -> Result<Vec<RecordId>, StoreError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(LIST) {
        let mut sql =
            Sql::<(SqlId,)>::new("SELECT DISTINCT m.record_id FROM record_mark m WHERE m.owner = ");
        sql.text(owner)
            .push(" AND m.record_id IN ")
            .ids(chunk.iter().copied());
        sql.push(" AND m.kind = ")
            .small(kind.code())
            .push(" AND m.lifted_at IS NULL");
        let rows: Vec<(Id,)> = connection.load(&sql)?;
        found.extend(rows.into_iter().map(|(id,)| id.record()));
    }
    Ok(found)
}

impl Store {
    /// Puts a mark on a record of the owner.
    ///
    /// # Errors
    /// [`StoreError::Staged`] when the owner has no such record, or it is erased; [`StoreError`] of the database.
    pub fn put_mark(&self, mark: &MarkRow) -> Result<(), StoreError> {
        self.under_lock(&mark.owner, |store, connection| {
            let owner = mark.owner.as_str();
            let mut head =
                Sql::<(SmallInt,)>::new("SELECT r.status FROM record r WHERE r.owner = ");
            head.text(owner).push(" AND r.id = ").id(mark.record);
            let status: Option<(i16,)> = connection.first(&head)?;
            if status.is_none_or(|(code,)| code == RecordStatus::Erased.code()) {
                return Err(StoreError::Staged {
                    record: mark.record,
                    problem: "the owner has no such record to mark".to_owned(),
                });
            }
            // What is handed over is what was looked at: a mark that came meanwhile would not go along.
            let held = crate::transfers::records_in_transfer(connection, &mark.owner)?;
            if held.contains_key(&mark.record) {
                return Err(StoreError::InTransfer(mark.record));
            }
            let mut sql = Sql::<()>::new(
                "INSERT INTO record_mark (owner, record_id, kind, id, reason, created_at, created_by, lifted_at, lifted_by) \
                 VALUES (",
            );
            sql.text(owner)
                .push(", ")
                .id(mark.record)
                .push(", ")
                .small(mark.kind.code())
                .push(", ")
                .bind(Bind::Id(Id(mark.id)))
                .push(", ")
                .text(mark.reason.as_str())
                .push(", ")
                .moment(mark.created_at)
                .push(", ")
                .text(mark.created_by.as_str())
                .push(", NULL, NULL)");
            connection.execute(&sql)?;
            if mark.kind == MarkKind::Restriction {
                let today = day_of(mark.created_at);
                raise_from(
                    connection,
                    store.model(),
                    owner,
                    mark.record,
                    RESTRICTED,
                    today,
                )?;
            }
            Ok(())
        })
    }

    /// Lifts a mark; the record that it was on, when there was one that still counted.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn lift_mark(
        &self,
        owner: &OwnerKey,
        kind: MarkKind,
        id: Uuid,
        by: &str,
    ) -> Result<Option<RecordId>, StoreError> {
        let now = self.read(|reader| Ok(reader.now()))?;
        self.under_lock(owner, |store, connection| {
            let mut found = Sql::<(SqlId, SmallInt)>::new(
                "SELECT m.record_id, r.status FROM record_mark m JOIN record r ON r.owner = m.owner AND r.id = m.record_id \
                 WHERE m.lifted_at IS NULL AND m.owner = ",
            );
            found
                .text(owner.as_str())
                .push(" AND m.kind = ")
                .small(kind.code())
                .push(" AND m.id = ")
                .bind(Bind::Id(Id(id)));
            let Some((record, status)) = connection.first::<_, (Id, i16)>(&found)? else {
                return Ok(None);
            };
            let mut sql = Sql::<()>::new("UPDATE record_mark SET lifted_at = ");
            sql.moment(now)
                .push(", lifted_by = ")
                .text(by)
                .push(" WHERE owner = ")
                .text(owner.as_str())
                .push(" AND record_id = ")
                .bind(Bind::Id(record));
            sql.push(" AND kind = ")
                .small(kind.code())
                .push(" AND id = ")
                .bind(Bind::Id(Id(id)));
            connection.execute(&sql)?;
            // A tombstone keeps the protection that it has: what it follows from is gone.
            if kind == MarkKind::Restriction && status != RecordStatus::Erased.code() {
                lower(
                    connection,
                    store.model(),
                    owner.as_str(),
                    &[record.record()],
                    day_of(now),
                )?;
            }
            Ok(Some(record.record()))
        })
    }
}
