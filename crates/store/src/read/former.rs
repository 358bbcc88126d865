//! Who was responsible for records, and where they came from, at earlier coordinates. Access never asks this: who may see a
//! record is decided by who is responsible for it now.

use std::collections::HashMap;

use diesel::sql_types::{Nullable, Text};
use grunddata_model::RecordId;

use crate::coordinate::Known;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::{LIST, Sql};
use crate::sql_types::{Id, SqlId};

/// What the head of a record said at a coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerHead {
    /// The controller.
    pub controller: Option<RecordId>,
    /// Where it came from (JSON); `None` = it was the owner's own.
    pub origin: Option<String>,
}

impl Reader<'_> {
    /// What the heads of the records said at the pinned instants, of those of which it was something else than now.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn former_heads(
        &mut self,
        ids: &[RecordId],
        known: &Known,
    ) -> Result<HashMap<RecordId, FormerHead>, StoreError> {
        let mut found = HashMap::new();
        if known.is_latest() {
            return Ok(found);
        }
        for chunk in ids.chunks(LIST) {
            let mut sql = Sql::<(SqlId, Nullable<SqlId>, Nullable<Text>)>::new(
                "SELECT f.record_id, f.controller, f.origin FROM directory_id d \
                 JOIN former_head f ON f.owner = d.owner AND f.record_id = d.id AND f.superseded_at = ",
            );
            push_next(&mut sql, ("d.owner", "d.id"), known);
            sql.push(" WHERE d.id IN ").ids(chunk.iter().copied());
            let rows: Vec<(Id, Option<Id>, Option<String>)> = self.connection.load(&sql)?;
            found.extend(rows.into_iter().map(|(id, controller, origin)| {
                let controller = controller.map(Id::record);
                (id.record(), FormerHead { controller, origin })
            }));
        }
        Ok(found)
    }
}

/// When what the head said at the coordinate became something else; no value where it says so still.
fn push_next<T>(sql: &mut Sql<'_, T>, (owner, record): (&str, &str), known: &Known) {
    sql.push("(SELECT MIN(x.superseded_at) FROM former_head x WHERE x.owner = ")
        .push(owner)
        .push(" AND x.record_id = ")
        .push(record)
        .push(" AND x.superseded_at > ")
        .known(owner, known)
        .push(")");
}

/// That the record of the alias `r` had this controller at the coordinate.
pub(crate) fn push_controller<T>(sql: &mut Sql<'_, T>, controller: RecordId, known: &Known) {
    if known.is_latest() {
        sql.push("r.controller = ").id(controller);
        return;
    }
    sql.push("(CASE WHEN EXISTS (SELECT 1 FROM former_head y WHERE y.owner = r.owner AND y.record_id = r.id AND y.superseded_at > ")
        .known("r.owner", known)
        .push(") THEN (SELECT y.controller FROM former_head y WHERE y.owner = r.owner AND y.record_id = r.id AND y.superseded_at = ");
    push_next(sql, ("r.owner", "r.id"), known);
    sql.push(") ELSE r.controller END) = ").id(controller);
}
