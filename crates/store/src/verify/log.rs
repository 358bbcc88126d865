//! The log of an owner: positions 1, 2, 3 … without a hole, instants that rise from transaction to transaction.

use diesel::sql_types::BigInt;
use grunddata_model::{Instant, OwnerKey};

use crate::error::StoreError;
use crate::sql::Sql;
use crate::sql_types::{Id, Moment, SqlId, SqlMoment};
use crate::verify::Verifier;

/// How many changes are read at a time.
const PAGE: i64 = 5_000;

impl Verifier<'_> {
    pub(super) fn check_log(
        &mut self,
        owner: &OwnerKey,
        position: i64,
        last: Instant,
    ) -> Result<(), StoreError> {
        let mut at = 0;
        let mut before: Option<(Instant, Id)> = None;
        loop {
            let mut sql = Sql::<(BigInt, SqlMoment, SqlId)>::new(
                "SELECT c.position, c.recorded_at, c.transaction_id FROM change c WHERE c.owner = ",
            );
            sql.text(owner.as_str()).push(" AND c.position > ").big(at);
            sql.push(" ORDER BY c.position").limit(PAGE);
            let rows: Vec<(i64, Moment, Id)> = self.connection.load(&sql)?;
            if rows.is_empty() {
                break;
            }
            for (found, Moment(instant), transaction) in rows {
                if found != at + 1 {
                    self.found(
                        owner,
                        None,
                        "log-dense",
                        format!("position {found} follows on {at}"),
                    );
                }
                at = found;
                if let Some((earlier, earlier_transaction)) = before
                    && !(earlier < instant
                        || (earlier == instant && earlier_transaction == transaction))
                {
                    let detail =
                        format!("position {found} is recorded at {instant}, after {earlier}");
                    self.found(owner, None, "instants-rise", detail);
                }
                before = Some((instant, transaction));
            }
        }
        if at != position {
            self.found(
                owner,
                None,
                "log-position",
                format!("the owner is at {position}, its log at {at}"),
            );
        }
        if before.is_some_and(|(instant, _)| instant > last) {
            self.found(
                owner,
                None,
                "log-instant",
                format!("the log goes beyond the owner's last instant {last}"),
            );
        }
        Ok(())
    }
}
