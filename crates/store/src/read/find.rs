//! One record at a coordinate: the hot path.

use std::sync::LazyLock;

use chrono::NaiveDate;
use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{Integer, Nullable};
use diesel::sqlite::Sqlite;
use grunddata_model::{Domain, Instant, OwnerKey, RecordId};

use crate::coordinate::Known;
use crate::error::StoreError;
use crate::read::Reader;
use crate::read::records::{
    HEAD, HeadParts, HeadTypes, RecordRow, STATE, StateParts, StateTypes, push_version, record_row,
};
use crate::sql::Sql;
use crate::sql_types::{Day, Id, Moment, SqlDay, SqlId, SqlMoment};
use crate::visibility::{Seen, Sight, Visibility};
use crate::write::{RecordStatus, domain, of_columns, owner_key};

/// What a look-up by id found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing that this reader may know of.
    Unknown,
    /// The state at the coordinate.
    Found {
        /// The state.
        row: Box<RecordRow>,
        /// What of it may be shown.
        sight: Sight,
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
    HeadTypes,
    Nullable<Integer>,
    Nullable<StateTypes>,
);
type FoundParts = (
    Moment,
    Option<Id>,
    HeadParts,
    Option<i32>,
    Option<StateParts>,
);
/// As [`FoundTypes`], with the state in one of two places.
type ThenTypes = (FoundTypes, Nullable<StateTypes>);
type ThenParts = (FoundParts, Option<StateParts>);

const FROM: &str = " FROM directory_id d JOIN owner o ON o.key = d.owner \
     JOIN record r ON r.owner = d.owner AND r.id = d.id \
     LEFT JOIN state s ON s.owner = d.owner AND s.record_id = d.id AND s.superseded_at = ";
/// The columns of the state that was superseded since, of the alias `w`.
static SUPERSEDED: LazyLock<String> = LazyLock::new(|| STATE.replace("s.", "w."));
const BEGIN: &str = "SELECT o.last_instant, d.forward_to, ";

/// The statement for everything recorded so far. It is told by its type: no text is put together to find it among the
/// prepared ones.
struct Now {
    id: Id,
    day: Day,
}

/// What "still believed" compares with.
static FOREVER: Moment = Moment(Instant::FOREVER);

impl QueryId for Now {
    type QueryId = Now;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Now {
    type SqlType = FoundTypes;
}

impl<C> RunQueryDsl<C> for &Now {}

macro_rules! now {
    ($database:ty) => {
        impl QueryFragment<$database> for Now {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $database>) -> QueryResult<()> {
                for part in [BEGIN, HEAD, ", r.version, ", STATE, FROM] {
                    out.push_sql(part);
                }
                out.push_bind_param::<SqlMoment, _>(&FOREVER)?;
                // A seek to the one state that can hold the day, however many there are.
                out.push_sql(
                    " AND s.valid_from = (SELECT MAX(x.valid_from) FROM state x \
                     WHERE x.owner = d.owner AND x.record_id = d.id AND x.superseded_at = ",
                );
                out.push_bind_param::<SqlMoment, _>(&FOREVER)?;
                out.push_sql(" AND x.valid_from <= ");
                out.push_bind_param::<SqlDay, _>(&self.day)?;
                out.push_sql(") AND s.valid_to > ");
                out.push_bind_param::<SqlDay, _>(&self.day)?;
                out.push_sql(" WHERE d.id = ");
                out.push_bind_param::<SqlId, _>(&self.id)
            }
        }
    };
}

now!(Sqlite);
now!(Pg);

/// The statement for what was known at an instant. What was believed then is either believed still (`s`: one seek, as in
/// [`Now`]) or was superseded since (`w`), and then before anything that replaced it. Only for the second is there
/// anything to walk: the states that were superseded between the instant and that moment.
fn then<'a>(id: RecordId, valid_at: NaiveDate, known: &Known) -> Sql<'a, ThenTypes> {
    const OF_RECORD: &str = ".owner = d.owner AND x.record_id = d.id AND x.superseded_at ";
    let mut sql = Sql::<ThenTypes>::new(BEGIN);
    sql.push(HEAD).push(", ");
    push_version(&mut sql, known);
    sql.push(", ").push(STATE).push(", ");
    sql.push(&SUPERSEDED).push(FROM);
    sql.moment(Instant::FOREVER)
        .push(" AND s.valid_from = (SELECT MAX(x.valid_from) FROM state x WHERE x")
        .push(OF_RECORD)
        .push("= ")
        .moment(Instant::FOREVER)
        .push(" AND x.valid_from <= ")
        .day(valid_at)
        .push(") AND s.valid_to > ")
        .day(valid_at)
        .push(" AND s.recorded_at <= ")
        .known("d.owner", known);
    sql.push(
        " LEFT JOIN state w ON w.owner = d.owner AND w.record_id = d.id AND w.superseded_at = \
         CASE WHEN s.owner IS NULL THEN (SELECT MIN(x.superseded_at) FROM state x WHERE x",
    )
    .push(OF_RECORD)
    .push("< ")
    .moment(Instant::FOREVER)
    .push(" AND ");
    sql.holds("x", "d.owner", known, valid_at)
        .push(") END AND ");
    sql.holds("w", "d.owner", known, valid_at);
    sql.push(" WHERE d.id = ").id(id);
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
        let found: Vec<FoundParts> = match known {
            None => {
                let (id, day) = (Id::from(id), Day(valid_at));
                self.connection.load_fixed(&Now { id, day })?
            }
            Some(known) => self
                .connection
                .load::<_, ThenParts>(&then(id, valid_at, known))?
                .into_iter()
                .map(|(mut found, superseded)| {
                    found.4 = found.4.or(superseded);
                    found
                })
                .collect(),
        };
        let Some(found) = found.into_iter().next() else {
            return Ok(Lookup::Unknown);
        };
        let (last, forward_to, head, version, state) = found;
        let today = self.today();
        if let Some(state) = state {
            let row = record_row((head, version, state))?;
            let Some(sight) = visibility.sight(&row.seen(today)) else {
                return Ok(Lookup::Unknown);
            };
            let instant = known.map_or(last.0, |known| known.of(&row.owner).unwrap_or(last.0));
            let pin = (row.owner.clone(), instant);
            // A retracted record is seen at the coordinates where it was still believed, and so is one that was handed over;
            // what is merged or erased is not.
            if matches!(
                row.status,
                RecordStatus::Current | RecordStatus::Retracted | RecordStatus::Transferred
            ) {
                return Ok(Lookup::Found {
                    row: Box::new(row),
                    sight,
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
        let (_, owner, code, controller, _, status, until, level) = head;
        let domain = domain(code)?;
        let seen = Seen {
            owner: &owner,
            controller: controller.map(Id::record),
            domain,
            level: of_columns(until, level).on(today),
        };
        // Without a state there is nothing to be shown in part.
        if visibility.hides(&seen) {
            return Ok(Lookup::Unknown);
        }
        let owner = owner_key(&owner)?;
        let instant = known.map_or(last.0, |known| known.of(&owner).unwrap_or(last.0));
        Ok(Lookup::Absent(Absent {
            domain,
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
