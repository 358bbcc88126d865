//! The SQL types that the two databases spell differently, and the Rust values that travel as them.
//!
//! | value | PostgreSQL | SQLite |
//! |---|---|---|
//! | [`Id`] | `uuid` | 16-byte blob |
//! | [`Moment`] | `timestamptz` | microseconds since 1970 |
//! | [`Day`] | `date` | days counted from 0001-01-01 = 1 |

use std::io::Write as _;

use chrono::{Datelike as _, Days, NaiveDate};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::SqlType;
use diesel::sqlite::{Sqlite, SqliteValue};
use grunddata_model::{Instant, RecordId, TransactionId};
use uuid::Uuid;

/// A UUID.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct SqlId;

/// An instant.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct SqlMoment;

/// A civil date.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1082, array_oid = 1182))]
#[diesel(sqlite_type(name = "Integer"))]
pub struct SqlDay;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = SqlId)]
pub(crate) struct Id(pub(crate) Uuid);

impl From<RecordId> for Id {
    fn from(id: RecordId) -> Self {
        Self(id.uuid())
    }
}

impl From<TransactionId> for Id {
    fn from(id: TransactionId) -> Self {
        Self(id.uuid())
    }
}

impl Id {
    pub(crate) fn record(self) -> RecordId {
        RecordId(self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = SqlMoment)]
pub(crate) struct Moment(pub(crate) Instant);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, AsExpression, FromSqlRow)]
#[diesel(sql_type = SqlDay)]
pub(crate) struct Day(pub(crate) NaiveDate);

/// What stands in `change.effective_on` of a write.
pub(crate) const NOT_EFFECTIVE: Day = Day(grunddata_model::Period::BEGINNING);

/// Microseconds between 1970 and 2000, where PostgreSQL begins to count.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// 2000-01-01 counted from 0001-01-01 = 1.
const POSTGRES_EPOCH_DAY: i32 = 730_120;

fn day_of(days: i32) -> deserialize::Result<Day> {
    u64::try_from(days - 1)
        .ok()
        .and_then(|days| grunddata_model::Period::BEGINNING.checked_add_days(Days::new(days)))
        .map(Day)
        .ok_or_else(|| format!("the stored date {days} is out of range").into())
}

impl ToSql<SqlId, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().as_slice());
        Ok(IsNull::No)
    }
}

impl ToSql<SqlId, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<SqlId, Sqlite> for Id {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.read_blob())?))
    }
}

impl FromSql<SqlId, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Uuid::from_slice(value.as_bytes())?))
    }
}

impl ToSql<SqlMoment, Sqlite> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.micros());
        Ok(IsNull::No)
    }
}

impl ToSql<SqlMoment, Pg> for Moment {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&(self.0.micros() - POSTGRES_EPOCH_MICROS).to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<SqlMoment, Sqlite> for Moment {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Instant::from_micros(value.read_long())))
    }
}

impl FromSql<SqlMoment, Pg> for Moment {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = i64::from_be_bytes(value.as_bytes().try_into()?);
        Ok(Self(Instant::from_micros(
            micros.saturating_add(POSTGRES_EPOCH_MICROS),
        )))
    }
}

impl ToSql<SqlDay, Sqlite> for Day {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.num_days_from_ce());
        Ok(IsNull::No)
    }
}

impl ToSql<SqlDay, Pg> for Day {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&(self.0.num_days_from_ce() - POSTGRES_EPOCH_DAY).to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<SqlDay, Sqlite> for Day {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        day_of(value.read_integer())
    }
}

impl FromSql<SqlDay, Pg> for Day {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let days = i32::from_be_bytes(value.as_bytes().try_into()?);
        day_of(days.saturating_add(POSTGRES_EPOCH_DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epochs_of_postgresql_are_right() {
        let day = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
        assert_eq!(day.num_days_from_ce(), POSTGRES_EPOCH_DAY);
        let instant: Instant = "2000-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(instant.micros(), POSTGRES_EPOCH_MICROS);
        assert_eq!(day_of(POSTGRES_EPOCH_DAY).unwrap().0, day);
        assert_eq!(day_of(1).unwrap().0, grunddata_model::Period::BEGINNING);
        assert!(day_of(0).is_err());
    }
}
