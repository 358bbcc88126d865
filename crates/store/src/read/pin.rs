//! Fixing the recorded time of a read.

use grunddata_model::{Instant, OwnerKey};

use crate::coordinate::Known;
use crate::dialect;
use crate::error::StoreError;
use crate::owner::OwnerSet;
use crate::read::Reader;
use crate::sql::Sql;
use crate::sql_types::{Moment, SqlMoment};
use crate::write::owner_key;

impl Reader<'_> {
    /// Fixes the recorded time of the owners: that of their last change or, with `at`, that instant.
    ///
    /// Once an answer at an instant is given, nothing may later be recorded at or before it. An owner whose last change
    /// lies before `at` is therefore fenced: its counter row is moved up to `at`, after waiting for the batch that is
    /// just being committed. The caller refuses an `at` in the future; as many owners as are fenced are written to.
    ///
    /// # Errors
    /// [`StoreError::UnknownOwner`], and those of the database.
    pub fn pin(&mut self, owners: &OwnerSet, at: Option<Instant>) -> Result<Known, StoreError> {
        let mut sql = Sql::<(diesel::sql_types::Text, SqlMoment)>::new(
            "SELECT o.key, o.last_instant FROM owner o",
        );
        if let OwnerSet::Some(keys) = owners {
            sql.push(" WHERE o.key IN ")
                .texts(keys.iter().map(OwnerKey::as_str));
        }
        sql.push(" ORDER BY o.key");
        let rows: Vec<(String, Moment)> = self.connection.load(&sql)?;
        if let Some(at) = at
            && rows.iter().any(|(_, last)| last.0 < at)
        {
            self.fence(owners, at)?;
        }
        let mut pins = Vec::with_capacity(rows.len());
        for (key, last) in rows {
            pins.push((owner_key(&key)?, at.unwrap_or(last.0)));
        }
        if let OwnerSet::Some(keys) = owners
            && let Some(missing) = keys
                .iter()
                .find(|key| !pins.iter().any(|(pinned, _)| pinned == *key))
        {
            return Err(StoreError::UnknownOwner(missing.clone()));
        }
        Ok(Known { pins, others: at })
    }

    /// Moves the counters of the owners up to the instant. The rows are locked in one order, so that two fences at once
    /// wait for each other instead of for ever.
    fn fence(&mut self, owners: &OwnerSet, at: Instant) -> Result<(), StoreError> {
        let mut fence = Sql::<()>::new("UPDATE owner SET last_instant = ");
        fence
            .moment(at)
            .push(" WHERE key IN (SELECT o.key FROM owner o WHERE o.last_instant < ")
            .moment(at);
        // What is copied is recorded elsewhere: it comes with the instants that it has there.
        fence.push(" AND NOT EXISTS (SELECT 1 FROM peer p WHERE p.owner = o.key)");
        if let OwnerSet::Some(keys) = owners {
            fence
                .push(" AND o.key IN ")
                .texts(keys.iter().map(OwnerKey::as_str));
        }
        fence
            .push(" ORDER BY o.key")
            .push(dialect::for_update(self.connection))
            .push(") AND last_instant < ")
            .moment(at);
        self.connection.execute(&fence)?;
        Ok(())
    }
}
