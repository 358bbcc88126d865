//! Heads of logs and the keys that they were signed with: out of the snapshot into lines, and whether what a file holds is
//! what they say.

use diesel::sql_types::BigInt;
use grunddata_log_proof::head::{Head, PublicKey};
use grunddata_model::OwnerKey;

use super::export::Stopped;
use super::lines::{EpochLine, LogKeyLine};
use super::snapshot::Snapshot;
use crate::connection::Connection;
use crate::error::StoreError;
use crate::read::Reader;
use crate::sql::Sql;
use crate::tree::{frontier, grow_all, keys};
use grunddata_information_model::InformationModel;

impl Snapshot<'_> {
    pub(super) fn log_keys(&mut self) -> Result<(), Stopped> {
        for key in keys(self.connection)? {
            let line = LogKeyLine {
                public_key: key.public.encoded(),
                created_at: key.created_at,
                retired_at: key.retired_at,
            };
            self.lines.put("logKey", &line)?;
        }
        Ok(())
    }

    /// The epochs of a log, and its head, signed now. A log whose tree has not grown over all of it has no head.
    pub(super) fn log_head(
        &mut self,
        owner: &OwnerKey,
    ) -> Result<(Vec<EpochLine>, Option<String>), StoreError> {
        let mut reader = Reader::new(self.engine, self.connection);
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let epochs = reader.log_epochs(owner)?.into_iter().map(|row| EpochLine {
            epoch: number(row.epoch),
            fork_position: number(row.fork_position),
            begun_at: row.begun_at,
        });
        let epochs = epochs.collect();
        let position = reader.log_head(owner)?.map_or(0, |(position, _)| position);
        let head = reader.tree_head(owner, None)?;
        let note = head.filter(|head| head.size == position).map(|head| {
            Head {
                owner: owner.to_string(),
                epoch: head.epoch,
                size: head.size,
                root: head.root,
                at: head.at.to_string(),
            }
            .signed(&self.key)
        });
        Ok((epochs, note))
    }
}

/// Grows the trees of what was imported, and compares them with the heads that the file has.
pub(super) fn compare(
    connection: &mut Connection,
    model: &InformationModel,
    heads: &[(OwnerKey, String)],
) -> Result<(), StoreError> {
    grow_all(connection, model)?;
    let known: Vec<PublicKey> = keys(connection)?
        .into_iter()
        .map(|key| key.public)
        .collect();
    for (owner, note) in heads {
        let wrong = |problem: String| {
            StoreError::disagrees(format!("the head of the log of {owner}: {problem}"))
        };
        let (head, _) = Head::verified(note, &known).map_err(|error| wrong(error.to_string()))?;
        let tree = frontier(connection, owner)?;
        let mut sql = Sql::<(BigInt,)>::new("SELECT o.epoch FROM owner o WHERE o.key = ");
        sql.text(owner.as_str());
        let epoch = connection.first::<_, (i64,)>(&sql)?.map(|(epoch,)| epoch);
        if epoch.and_then(|epoch| u64::try_from(epoch).ok()) != Some(head.epoch) {
            return Err(wrong(format!(
                "it is of epoch {}, and the file says {}",
                head.epoch,
                epoch.unwrap_or_default()
            )));
        }
        if head.owner != owner.as_str() || head.size != tree.size() || head.root != tree.root() {
            return Err(wrong(format!(
                "it says {} entries with the root {}, and there are {} with the root {}",
                head.size,
                head.root,
                tree.size(),
                tree.root()
            )));
        }
    }
    Ok(())
}
