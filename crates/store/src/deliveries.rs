//! What was handed over to archives: one row for each delivery, which names the rule that preserves.

use chrono::NaiveDate;
use diesel::sql_types::Text;
use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::store::Store;

/// A delivery to an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Whose records.
    pub owner: OwnerKey,
    /// The id.
    pub id: Uuid,
    /// The rule by which they are preserved.
    pub rule: Uuid,
    /// The archive.
    pub archive: String,
    /// Where the archive's receipt is to be found.
    pub reference: String,
    /// The day of the delivery.
    pub delivered: NaiveDate,
    /// When it was noted.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
}

type Types = (SqlId, SqlId, Text, Text, SqlDay, SqlMoment, Text);
type Parts = (Id, Id, String, String, Day, Moment, String);

impl Reader<'_> {
    /// The deliveries of an owner's records, in the order in which they were noted.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn deliveries(&mut self, owner: &OwnerKey) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut sql = Sql::<Types>::new(
            "SELECT t.id, t.rule, t.archive, t.reference, t.delivered, t.created_at, t.created_by \
             FROM archive_delivery t WHERE t.owner = ",
        );
        sql.text(owner.as_str())
            .push(" ORDER BY t.created_at, t.id");
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        Ok(rows
            .into_iter()
            .map(
                |(id, rule, archive, reference, delivered, created, created_by)| DeliveryRow {
                    owner: owner.clone(),
                    id: id.0,
                    rule: rule.0,
                    archive,
                    reference,
                    delivered: delivered.0,
                    created_at: created.0,
                    created_by,
                },
            )
            .collect())
    }
}

impl Store {
    /// Notes a delivery.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn put_delivery(&self, delivery: &DeliveryRow) -> Result<(), StoreError> {
        self.read(|reader| {
            let mut sql = Sql::<()>::new(
                "INSERT INTO archive_delivery (owner, id, rule, archive, reference, delivered, created_at, created_by) VALUES (",
            );
            sql.text(delivery.owner.as_str())
                .push(", ")
                .bind(Bind::Id(Id(delivery.id)))
                .push(", ")
                .bind(Bind::Id(Id(delivery.rule)))
                .push(", ")
                .text(delivery.archive.as_str())
                .push(", ")
                .text(delivery.reference.as_str())
                .push(", ")
                .day(delivery.delivered)
                .push(", ")
                .moment(delivery.created_at)
                .push(", ")
                .text(delivery.created_by.as_str())
                .push(")");
            reader.connection.execute(&sql).map(drop)
        })
    }
}
