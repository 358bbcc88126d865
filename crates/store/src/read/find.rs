//! One record at a coordinate: the hot path.

use chrono::NaiveDate;
use diesel::sql_types::{Integer, Nullable, SmallInt};
use grunddata_model::{Domain, Instant, OwnerKey, RecordId};

use crate::coordinate::Known;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::records::{
    HEAD, HeadParts, HeadTypes, RecordRow, STATE, StateParts, StateTypes, push_version, record_row,
};
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::Visibility;
use crate::write::{RecordStatus, domain, owner_key};

/// What a look-up by id found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing that this reader may know of.
    Unknown,
    /// The state at the coordinate.
    Found {
        /// The state.
        row: Box<RecordRow>,
        /// The owner and the instant up to which its changes were known to this read.
        pin: (OwnerKey, Instant),
    },
    /// The record is there, but not at the coordinate, or not in this form.
    Absent(Absent),
}

/// A record of which there is nothing to show at the coordinate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Who answers for it.
    pub owner: OwnerKey,
    /// The domain.
    pub domain: Domain,
    /// What it is as a whole, as now.
    pub status: RecordStatus,
    /// The record's version at the coordinate; 0 = not recorded yet.
    pub version: u32,
    /// The record that it was merged into.
    pub forward_to: Option<RecordId>,
    /// The owner and the instant up to which its changes were known to this read.
    pub pin: (OwnerKey, Instant),
}

type FoundTypes = (
    SqlMoment,
    Nullable<SqlId>,
    SqlDay,
    HeadTypes,
    Nullable<Integer>,
    Nullable<StateTypes>,
    SmallInt,
);
type FoundParts = (
    Moment,
    Option<Id>,
    Day,
    HeadParts,
    Option<i32>,
    Option<StateParts>,
    i16,
);

/// The statement up to its conditions. The last column says whether the state was found: a joined row of nulls.
fn select<'a>(known: Option<&Known>) -> Sql<'a, FoundTypes> {
    let mut sql =
        Sql::<FoundTypes>::new("SELECT o.last_instant, d.forward_to, r.protected_until, ");
    sql.push(HEAD).push(", ");
    push_version(&mut sql, known.unwrap_or(&Known::latest()));
    sql.push(", ").push(STATE);
    sql.push(
        ", r.status FROM directory_id d JOIN owner o ON o.key = d.owner \
         JOIN record r ON r.owner = d.owner AND r.id = d.id \
         LEFT JOIN state s ON s.owner = d.owner AND s.record_id = d.id",
    );
    sql
}

impl Reader<'_> {
    /// The state of a record on a day. Without `known` everything recorded so far counts, in one statement that also
    /// says up to which instant that is; with it, the cost does not grow with the number of versions either: the state
    /// and the version are found by a seek.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn find(
        &mut self,
        id: RecordId,
        valid_at: NaiveDate,
        known: Option<&Known>,
        visibility: &Visibility,
    ) -> Result<Lookup, StoreError> {
        let mut sql = select(known);
        match known {
            None => {
                sql.push(" AND s.superseded_at = ").forever();
                sql.push(" AND s.valid_from = (SELECT MAX(x.valid_from) FROM state x WHERE x.owner = d.owner AND x.record_id = d.id");
                sql.push(" AND x.superseded_at = ")
                    .forever()
                    .push(" AND x.valid_from <= ")
                    .day(valid_at);
                sql.push(") AND s.valid_to > ").day(valid_at);
            }
            Some(known) => {
                // What was believed then and at that day was superseded before anything that replaced it.
                sql.push(" AND s.superseded_at = (SELECT MIN(x.superseded_at) FROM state x WHERE x.owner = d.owner AND x.record_id = d.id AND ");
                sql.holds("x", "d.owner", known, valid_at).push(") AND ");
                sql.holds("s", "d.owner", known, valid_at);
            }
        }
        sql.push(" WHERE d.id = ").id(id);
        let Some(found) = self.connection.first::<_, FoundParts>(&sql)? else {
            return Ok(Lookup::Unknown);
        };
        let (last, forward_to, protected_until, head, version, state, status) = found;
        let today = self.today();
        if let Some(state) = state {
            let (classes, protection) = (state.9, state.10);
            if !visibility.allows(&head.1, classes, protection, protected_until.0, today) {
                return Ok(Lookup::Unknown);
            }
            let row = record_row((head, version, state))?;
            let instant = known.map_or(last.0, |known| known.of(&row.owner).unwrap_or(last.0));
            let pin = (row.owner.clone(), instant);
            // A retracted record is seen at the coordinates where it was still believed; what is merged or erased is not.
            if matches!(row.status, RecordStatus::Current | RecordStatus::Retracted) {
                return Ok(Lookup::Found {
                    row: Box::new(row),
                    pin,
                });
            }
            return Ok(Lookup::Absent(Absent {
                owner: row.owner,
                domain: row.domain,
                status: row.status,
                version: row.version,
                forward_to: forward_to.map(Id::record),
                pin,
            }));
        }
        if !visibility.allows_record(&head.1, protected_until.0, today) {
            return Ok(Lookup::Unknown);
        }
        let owner = owner_key(&head.1)?;
        let instant = known.map_or(last.0, |known| known.of(&owner).unwrap_or(last.0));
        Ok(Lookup::Absent(Absent {
            domain: domain(head.2)?,
            status: RecordStatus::from_code(status)
                .ok_or_else(|| StoreError::disagrees("the status of a record"))?,
            version: version
                .and_then(|version| u32::try_from(version).ok())
                .unwrap_or_default(),
            forward_to: forward_to.map(Id::record),
            pin: (owner.clone(), instant),
            owner,
        }))
    }
}
