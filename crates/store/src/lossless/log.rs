//! The log of an imported owner: its positions without a hole, and the transactions that follow from it.

use diesel::sql_types::BigInt;
use grunddata_model::{Instant, OwnerKey};

use crate::connection::Connection;
use crate::error::StoreError;
use crate::sql::Sql;
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::write::{Insert as _, TransactionRow};

/// How many changes are read at a time.
const PAGE: i64 = 5_000;

/// Walks along the log and writes which positions each transaction took.
pub(super) fn transactions(
    connection: &mut Connection,
    owner: &OwnerKey,
    (position, last): (i64, Instant),
) -> Result<(), StoreError> {
    let mut at = 0;
    let mut open: Option<TransactionRow<'_>> = None;
    loop {
        let mut sql = Sql::<(BigInt, SqlMoment, SqlId)>::new(
            "SELECT c.position, c.recorded_at, c.transaction_id FROM change c WHERE c.owner = ",
        );
        sql.text(owner.as_str()).push(" AND c.position > ").big(at);
        sql.push(" ORDER BY c.position").limit(PAGE);
        let page: Vec<(i64, Moment, Id)> = connection.load(&sql)?;
        if page.is_empty() {
            break;
        }
        let mut rows = Vec::new();
        for (found, instant, id) in page {
            if found != at + 1 {
                return Err(hole(owner, at, found));
            }
            at = found;
            match &mut open {
                Some(same) if same.id == id && same.recorded_at == instant => {
                    same.last_position = found;
                }
                before => {
                    if before
                        .as_ref()
                        .is_some_and(|before| before.recorded_at >= instant)
                    {
                        return Err(StoreError::disagrees(format!(
                            "position {found} of {owner} is not recorded later than the one before it"
                        )));
                    }
                    rows.extend(before.replace(TransactionRow {
                        owner: owner.as_str(),
                        id,
                        first_position: found,
                        last_position: found,
                        recorded_at: instant,
                    }));
                }
            }
        }
        rows.sort_unstable_by_key(|row| row.id);
        TransactionRow::insert(connection, &rows)?;
    }
    if at != position {
        return Err(hole(owner, at, position));
    }
    if open.as_ref().is_some_and(|row| row.recorded_at.0 > last) {
        return Err(StoreError::disagrees(format!(
            "the log of {owner} goes beyond its last instant {last}"
        )));
    }
    let rest: Vec<TransactionRow<'_>> = open.into_iter().collect();
    TransactionRow::insert(connection, &rest)
}

fn hole(owner: &OwnerKey, at: i64, found: i64) -> StoreError {
    StoreError::disagrees(format!(
        "the log of {owner} has position {at}, and then {found}"
    ))
}
