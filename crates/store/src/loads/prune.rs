//! Removing what old loads hold of persons: the rows of their plans and what was found on the way. The loads themselves,
//! with their counts and batches, stay: provenance leads to them.

use diesel::sql_types::Text;
use grunddata_model::{Instant, OwnerKey};
use uuid::Uuid;

use super::head::{Parts, SELECTED, Types, row};
use super::{LoadRow, Reached};
use crate::connection::Purpose;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{Bind, Sql};
use crate::sql_types::Id;
use crate::store::Store;
use crate::write::owner_key;

/// A place before every row.
const BEGINNING: Reached = Reached {
    turn: i32::MIN,
    number: 0,
};

impl Reader<'_> {
    /// Loads of any owner that were last changed before an instant and whose rows are still there: those that nothing more
    /// comes of, or those that still wait for a decision and of which nothing is applied. A load that is being taken back is
    /// not among them.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn loads_to_prune(
        &mut self,
        before: Instant,
        waiting: bool,
        limit: i64,
    ) -> Result<Vec<LoadRow>, StoreError> {
        let mut owners = Sql::<(Text,)>::new(
            "SELECT DISTINCT t.owner FROM load t WHERE t.pruned = 0 AND t.changed_at < ",
        );
        owners.moment(before);
        let owners: Vec<(String,)> = self.connection.load(&owners)?;
        let mut found = Vec::new();
        for (owner,) in owners {
            let owner = owner_key(&owner)?;
            let mut sql = Sql::<Types>::new(SELECTED);
            sql.text(owner.as_str())
                .push(" AND t.pruned = 0 AND t.changed_at < ")
                .moment(before)
                .push(if waiting {
                    " AND t.status IN (2, 3, 4) AND NOT EXISTS (SELECT 1 FROM load_task w WHERE w.owner = t.owner AND w.load_id = t.id)"
                } else {
                    " AND t.status >= 10 AND NOT EXISTS (SELECT 1 FROM load r WHERE r.owner = t.owner AND r.reverses = t.id AND r.status < 10)"
                })
                .push(" ORDER BY t.id")
                .limit(limit);
            let rows: Vec<Parts> = self.connection.load(&sql)?;
            for parts in rows {
                found.push(row(&owner, parts)?);
            }
        }
        Ok(found)
    }
}

impl Store {
    /// Removes the rows of a load and its findings, and writes its new content: what is left to be known of it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn prune_load(
        &self,
        owner: &OwnerKey,
        load: Uuid,
        content: &str,
    ) -> Result<(), StoreError> {
        self.clear_plan(owner, load, BEGINNING)?;
        let mut connection = self.connect_for(Purpose::Write)?;
        connection.begin()?;
        let mut sql = Sql::<()>::new("UPDATE load_batch SET findings = NULL WHERE owner = ");
        sql.text(owner.as_str())
            .push(" AND load_id = ")
            .bind(Bind::Id(Id(load)))
            .push(" AND findings IS NOT NULL");
        connection.execute(&sql)?;
        let mut sql = Sql::<()>::new("UPDATE load SET pruned = 1, content = ");
        sql.text(content)
            .push(" WHERE owner = ")
            .text(owner.as_str())
            .push(" AND id = ")
            .bind(Bind::Id(Id(load)));
        connection.execute(&sql)?;
        connection.commit()
    }
}
