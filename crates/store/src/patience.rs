//! How long a statement may take on SQLite, which has no such setting. The statements that may walk along many rows ask a
//! function of this process, row by row, whether they may still go on; it fails when they have taken too long.

use std::cell::Cell;
use std::time::{Duration, Instant};

use diesel::SqliteConnection;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{Bool, SmallInt};
use diesel::sqlite::Sqlite;

use crate::error::{StoreError, from_diesel};

/// The clock is asked once for so many rows.
const ROWS: u32 = 64;
/// The function.
const NAME: &str = "grunddata_in_time";

thread_local! {
    /// When the statement began that this thread runs: a connection belongs to one thread at a time.
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What the function answers: true, or no answer at all.
#[derive(Debug)]
struct InTime(bool);

impl ToSql<Bool, Sqlite> for InTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        if !self.0 {
            // The words of PostgreSQL: what they mean is read in one place.
            return Err("canceling statement due to statement timeout".into());
        }
        out.set_value(1_i32);
        Ok(IsNull::No)
    }
}

/// A statement begins.
pub(crate) fn begin() {
    BEGUN.set(Some(Instant::now()));
}

/// Gives the connection the function.
pub(crate) fn register(
    connection: &mut SqliteConnection,
    timeout: Duration,
) -> Result<(), StoreError> {
    let mut asked: u32 = 0;
    connection
        .register_sql_function::<SmallInt, Bool, _, _, _>(NAME, false, move |_: i16| {
            asked = asked.wrapping_add(1);
            let late = asked.is_multiple_of(ROWS)
                && BEGUN.get().is_some_and(|begun| begun.elapsed() > timeout);
            InTime(!late)
        })
        .map_err(from_diesel)
}
