//! Sources: every version of their settings.

use diesel::sql_types::{Integer, Nullable, Text};
use grunddata_model::OwnerKey;

use super::SourceRow;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::{Moment, SqlMoment};
use crate::store::Store;

type Types = (Text, Integer, Text, SqlMoment, Text, Nullable<Text>);
type Parts = (String, i32, String, Moment, String, Option<String>);

const COLUMNS: &str = "SELECT t.key, t.version, t.settings, t.created_at, t.created_by, t.reason FROM source t WHERE t.owner = ";

fn row(owner: &OwnerKey, parts: Parts) -> SourceRow {
    let (key, version, settings, created, created_by, reason) = parts;
    SourceRow {
        owner: owner.clone(),
        key,
        version: u32::try_from(version).unwrap_or_default(),
        settings,
        created_at: created.0,
        created_by,
        reason,
    }
}

impl Reader<'_> {
    /// A source as it is now.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn source(&mut self, owner: &OwnerKey, key: &str) -> Result<Option<SourceRow>, StoreError> {
        Ok(self.source_history(owner, key, 1)?.into_iter().next())
    }

    /// A version of a source.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn source_version(
        &mut self,
        owner: &OwnerKey,
        key: &str,
        version: u32,
    ) -> Result<Option<SourceRow>, StoreError> {
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.text(owner.as_str())
            .push(" AND t.key = ")
            .text(key)
            .push(" AND t.version = ")
            .int(i32::try_from(version).unwrap_or(i32::MAX));
        let found: Option<Parts> = self.connection.first(&sql)?;
        Ok(found.map(|parts| row(owner, parts)))
    }

    /// The versions of a source, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn source_history(
        &mut self,
        owner: &OwnerKey,
        key: &str,
        limit: i64,
    ) -> Result<Vec<SourceRow>, StoreError> {
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.text(owner.as_str())
            .push(" AND t.key = ")
            .text(key)
            .push(" ORDER BY t.version DESC")
            .limit(limit);
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        Ok(rows.into_iter().map(|parts| row(owner, parts)).collect())
    }

    /// The sources of an owner as they are now, by key.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn sources(&mut self, owner: &OwnerKey) -> Result<Vec<SourceRow>, StoreError> {
        let mut sql = Sql::<Types>::new(COLUMNS);
        sql.text(owner.as_str()).push(
            " AND t.version = (SELECT MAX(x.version) FROM source x WHERE x.owner = t.owner AND x.key = t.key) ORDER BY t.key",
        );
        let rows: Vec<Parts> = self.connection.load(&sql)?;
        Ok(rows.into_iter().map(|parts| row(owner, parts)).collect())
    }
}

impl Store {
    /// Puts the next version of a source, when the present one is the one that was seen (0 = there is none yet). Gives the
    /// present version when it is another; nothing is stored then.
    ///
    /// # Errors
    /// [`StoreError::UnknownOwner`]; [`StoreError`] of the database.
    pub fn put_source(&self, source: &SourceRow) -> Result<Result<(), u32>, StoreError> {
        self.under_lock(&source.owner, |_, connection| {
            let owner = source.owner.as_str();
            let mut sql =
                Sql::<(Integer,)>::new("SELECT t.version FROM source t WHERE t.owner = ");
            sql.text(owner)
                .push(" AND t.key = ")
                .text(source.key.as_str())
                .push(" ORDER BY t.version DESC")
                .limit(1);
            let present: Option<(i32,)> = connection.first(&sql)?;
            let present = present.map_or(0, |(version,)| u32::try_from(version).unwrap_or_default());
            if present.saturating_add(1) != source.version {
                return Ok(Err(present));
            }
            let mut sql = Sql::<()>::new(
                "INSERT INTO source (owner, key, version, settings, created_at, created_by, reason) VALUES (",
            );
            sql.text(owner)
                .push(", ")
                .text(source.key.as_str())
                .push(", ")
                .int(i32::try_from(source.version).unwrap_or(i32::MAX))
                .push(", ")
                .text(source.settings.as_str())
                .push(", ")
                .moment(source.created_at)
                .push(", ")
                .text(source.created_by.as_str())
                .push(", ")
                .bind(Bind::OptText(source.reason.as_deref().map(Into::into)))
                .push(")");
            connection.execute(&sql)?;
            Ok(Ok(()))
        })
    }
}
