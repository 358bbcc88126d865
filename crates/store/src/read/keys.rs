//! The entries of a log by what can be chosen of them.

use diesel::sql_types::{BigInt, SmallInt};
use grunddata_model::{Domain, OwnerKey, RecordId};

use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::Sql;
use crate::sql_types::{Id, SqlId};
use crate::write::{Operation, domain};

/// What can be chosen of an entry. Nobody is shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeKey {
    /// Its position.
    pub position: u64,
    /// The domain of its record.
    pub domain: Domain,
    /// Its operation.
    pub kind: &'static str,
    /// Its record.
    pub record: RecordId,
}

impl Reader<'_> {
    /// The entries after a position, in order; at most so many.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub fn change_keys(
        &mut self,
        owner: &OwnerKey,
        after: u64,
        limit: usize,
    ) -> Result<Vec<ChangeKey>, StoreError> {
        let mut sql = Sql::<(BigInt, SmallInt, SmallInt, SqlId)>::new(
            "SELECT c.position, c.domain, c.operation, c.record_id FROM change c WHERE c.owner = ",
        );
        sql.text(owner.as_str())
            .push(" AND c.position > ")
            .big(i64::try_from(after).unwrap_or(i64::MAX))
            .push(" ORDER BY c.position")
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows: Vec<(i64, i16, i16, Id)> = self.connection.load(&sql)?;
        rows.into_iter()
            .map(|(position, code, operation, record)| {
                let kind = Operation::from_code(operation)
                    .ok_or_else(|| StoreError::disagrees("the operation of a change"))?;
                Ok(ChangeKey {
                    position: u64::try_from(position).unwrap_or_default(),
                    domain: domain(code)?,
                    kind: kind.as_str(),
                    record: record.record(),
                })
            })
            .collect()
    }
}
