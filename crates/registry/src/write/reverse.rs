//! Undoing a transaction: every record that it changed goes back to the version before, as one new transaction. What has
//! been built upon since is a conflict, and all conflicts are listed.

use grunddata_model::{OwnerKey, RecordId, TransactionId};
use grunddata_store::{Needs, Visibility};
use serde_json::{Value, json};

use super::apply::Failure;
use super::outcome::TransactionWritten;
use super::pipeline::{PreparedBatch, check_idempotency, key_hash};
use super::request::{Command, Idempotency, IfMatch, Note, Operation, Retract, Revert, Subject};
use crate::registry::{refuse_store, refuse_write};
use crate::{Code, Context, Refusal, Registry, fact};

impl Registry {
    /// Undoes a transaction of an owner.
    ///
    /// # Errors
    /// [`Code::UnknownTransaction`]; [`Code::RevertConflict`] with the records that have changed since.
    pub async fn reverse(
        &self,
        context: &Context,
        owner: Option<OwnerKey>,
        transaction: TransactionId,
        note: Note,
        idempotency: Option<Idempotency>,
    ) -> Result<TransactionWritten, Refusal> {
        let batch = self.prepare_reversal(context, owner, transaction, note, idempotency)?;
        self.submit_batch(batch).await
    }

    /// The first half of [`reverse`](Self::reverse): reads what the transaction changed and prepares the way back. It
    /// takes long for a large transaction and blocks; it may run on any thread.
    ///
    /// # Errors
    /// As [`reverse`](Self::reverse).
    pub fn prepare_reversal(
        &self,
        context: &Context,
        owner: Option<OwnerKey>,
        transaction: TransactionId,
        note: Note,
        idempotency: Option<Idempotency>,
    ) -> Result<PreparedBatch, Refusal> {
        let owner = match owner.or_else(|| context.actor.only_owner().cloned()) {
            Some(owner) => owner,
            None => {
                return Err(Refusal::new(
                    Code::OwnerRequired,
                    "You write for several owners: say in owner whose transaction this is.",
                ));
            }
        };
        if !context.actor.may_change(&owner) {
            return Err(Refusal::forbidden_owner(&owner, "write"));
        }
        let repeated = self.is_repeated(context, &owner, idempotency.as_ref())?;
        let commands = self.reversal(context, &owner, transaction, &note, repeated)?;
        // The versions that were seen must still be the latest inside the combiner: If-Match says so.
        let job = self.job(context, Some(owner), commands, idempotency, true)?;
        Ok(PreparedBatch { job })
    }

    /// Whether a request with this key was carried out before: it answers with the kept outcome, although what it undid
    /// can no longer be undone.
    fn is_repeated(
        &self,
        context: &Context,
        owner: &OwnerKey,
        idempotency: Option<&Idempotency>,
    ) -> Result<bool, Refusal> {
        let Some(given) = idempotency else {
            return Ok(false);
        };
        check_idempotency(given)?;
        let key = key_hash(context, owner, given);
        let needs = Needs {
            idempotency: Some(key),
            ..Needs::default()
        };
        self.inner
            .store
            .write_blocking(owner, needs, move |tx| -> Result<bool, Failure> {
                Ok(tx.idempotent(&key)?.is_some())
            })
            .map_err(refuse_write)
    }

    fn reversal(
        &self,
        context: &Context,
        owner: &OwnerKey,
        transaction: TransactionId,
        note: &Note,
        repeated: bool,
    ) -> Result<Vec<Command>, Refusal> {
        let visibility = self.visibility(context)?;
        let (changes, present, hidden) = self
            .inner
            .store
            .read(|reader| {
                let everything = Visibility::everything();
                let changes = reader.transaction(owner, transaction, &visibility)?;
                let all = reader.transaction(owner, transaction, &everything)?.len();
                let mut present: Vec<(RecordId, u32)> = Vec::with_capacity(changes.len());
                for change in &changes {
                    let latest = reader.history(
                        change.record,
                        &grunddata_store::Known::latest(),
                        &everything,
                        None,
                        1,
                    )?;
                    present.extend(latest.first().map(|latest| (change.record, latest.version)));
                }
                let hidden = all > changes.len();
                Ok((changes, present, hidden))
            })
            .map_err(refuse_store)?;
        if changes.is_empty() {
            return Err(Refusal::new(
                Code::UnknownTransaction,
                format!("{owner} has no transaction {transaction}."),
            ));
        }
        if hidden {
            return Err(Refusal::new(
                Code::Forbidden,
                "The transaction changed records that you may not write to: ask an administrator of the owner to undo it.",
            ));
        }
        let mut conflicts: Vec<Value> = Vec::new();
        let mut commands = Vec::with_capacity(changes.len());
        for change in &changes {
            let version = present
                .iter()
                .find(|(id, _)| *id == change.record)
                .map_or(change.version, |(_, version)| *version);
            if version != change.version {
                conflicts.push(json!({
                    "id": change.record.to_string(),
                    "domain": change.domain.as_str(),
                    "changed": change.version,
                    fact::VERSION: version,
                }));
            }
            let subject = Subject::Id(change.record);
            let operation = match change.version.checked_sub(1) {
                None | Some(0) => Operation::Retract(Retract {
                    subject,
                    valid_from: None,
                    valid_to: None,
                }),
                Some(before) => Operation::Revert(Revert {
                    subject,
                    version: before,
                }),
            };
            commands.push(
                Command::new(change.domain, operation)
                    .if_match(IfMatch::Version(version))
                    .note(note.clone()),
            );
        }
        if !conflicts.is_empty() && !repeated {
            return Err(Refusal::new(
                Code::RevertConflict,
                format!(
                    "{} of the {} records have changed since: undo those changes first, or revert the records one by one.",
                    conflicts.len(),
                    changes.len()
                ),
            )
            .fact("conflicts", conflicts));
        }
        Ok(commands)
    }
}
