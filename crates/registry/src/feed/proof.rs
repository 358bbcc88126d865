//! Heads of logs and proofs (`docs/log.md`). Only for those who are shown the whole of an owner: a head says how many
//! entries there are, and a proof is of a position.

use grunddata_log_proof::head::{Head, PublicKey};
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{Instant, OwnerKey};

use grunddata_store::LogKeyRow;

use crate::registry::refuse_store;
use crate::{Code, Context, Refusal, Registry, fact};

/// The head of an owner's log, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What it says.
    pub head: Head,
    /// The name of the key that it is signed with.
    pub key: String,
    /// The signed note (C2SP checkpoint).
    pub note: String,
    /// The epochs of the log after the first, in order.
    pub epochs: Vec<LogEpoch>,
}

/// Where a log began to be another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEpoch {
    /// The epoch.
    pub epoch: u64,
    /// Up to here it is as in the epoch before.
    pub fork_position: u64,
    /// When it began.
    pub begun_at: Instant,
}

/// A proof that an entry is in a log, or that a log continues an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// The leaf of the entry; `None` in a proof of consistency.
    pub leaf: Option<Hash>,
    /// The hashes, in the order of RFC 9162.
    pub path: Vec<Hash>,
    /// The head that it leads to.
    pub head: SignedHead,
}

/// A key that heads are or were signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKey {
    /// Its name.
    pub id: String,
    /// What signatures are checked with.
    pub public: PublicKey,
    /// Since when heads are signed with it.
    pub created_at: Instant,
    /// Since when they are not any more.
    pub retired_at: Option<Instant>,
    /// The name of the key whose place it took, and what that has signed of it.
    pub endorsed: Option<(String, Vec<u8>)>,
}

impl Registry {
    /// The signed head of the owner's log as it is now, or as it was when it had `size` entries. Blocks for a few statements.
    ///
    /// # Errors
    /// [`Code::UnknownOwner`]; [`Code::Forbidden`] or [`Code::Unauthenticated`] for who is not shown the whole of the owner;
    /// [`Code::InvalidParameter`] when the log has not so many entries.
    pub fn log_head(
        &self,
        context: &Context,
        owner: &OwnerKey,
        size: Option<u64>,
    ) -> Result<SignedHead, Refusal> {
        self.admit_to_proofs(context, owner)?;
        self.signed(owner, size, "size")
    }

    /// The proof that the entry at a position is in the log of `size` entries, or of as many as it has now.
    ///
    /// # Errors
    /// As [`log_head`](Self::log_head); [`Code::NotFound`] when there is no such position.
    pub fn inclusion_proof(
        &self,
        context: &Context,
        owner: &OwnerKey,
        position: u64,
        size: Option<u64>,
    ) -> Result<LogProof, Refusal> {
        self.admit_to_proofs(context, owner)?;
        let head = self.signed(owner, size, "size")?;
        let proof = self
            .inner
            .store
            .read(|reader| reader.inclusion_proof(owner, position, head.head.size))
            .map_err(refuse_store)?;
        let Some(proof) = proof else {
            return Err(Refusal::new(
                Code::NotFound,
                format!(
                    "The log of {owner} has the positions 1 to {} at this size, and not {position}.",
                    head.head.size
                ),
            ));
        };
        Ok(LogProof {
            leaf: proof.leaf,
            path: proof.path,
            head,
        })
    }

    /// The proof that the log of `to` entries, or of as many as it has now, continues that of `from` entries.
    ///
    /// # Errors
    /// As [`log_head`](Self::log_head).
    pub fn consistency_proof(
        &self,
        context: &Context,
        owner: &OwnerKey,
        from: u64,
        to: Option<u64>,
    ) -> Result<LogProof, Refusal> {
        self.admit_to_proofs(context, owner)?;
        let head = self.signed(owner, to, "to")?;
        let proof = self
            .inner
            .store
            .read(|reader| reader.consistency_proof(owner, from, head.head.size))
            .map_err(refuse_store)?;
        let Some(proof) = proof else {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!(
                    "from is the size of an earlier head: a number from 1 to {}, where the later one ends.",
                    head.head.size
                ),
            )
            .fact(fact::PARAMETER, "from"));
        };
        Ok(LogProof {
            leaf: None,
            path: proof.path,
            head,
        })
    }

    /// The keys that heads of this installation are and were signed with, the oldest first. Where there is none yet, one is
    /// made.
    ///
    /// # Errors
    /// [`Code::Busy`], [`Code::Internal`].
    pub fn log_keys(&self) -> Result<Vec<LogKey>, Refusal> {
        let store = &self.inner.store;
        let mut keys = store.log_keys().map_err(refuse_store)?;
        if keys.iter().all(|key| key.retired_at.is_some()) {
            store.log_signing_key().map_err(refuse_store)?;
            keys = store.log_keys().map_err(refuse_store)?;
        }
        Ok(keys.into_iter().map(log_key).collect())
    }

    /// Signs heads with a new key from now on; the new one. For administrators at the console.
    ///
    /// # Errors
    /// [`Code::Busy`], [`Code::Internal`].
    pub fn rotate_log_key(&self) -> Result<LogKey, Refusal> {
        let made = self.inner.store.rotate_log_key().map_err(refuse_store)?;
        Ok(log_key(made))
    }

    fn admit_to_proofs(&self, context: &Context, owner: &OwnerKey) -> Result<(), Refusal> {
        let known = self
            .inner
            .store
            .read(|reader| reader.log_epoch(owner))
            .map_err(refuse_store)?;
        if known.is_none() {
            return Err(refuse_store(grunddata_store::StoreError::UnknownOwner(
                owner.clone(),
            )));
        }
        if self.visibility(context)?.sees_all_of(owner) {
            return Ok(());
        }
        Err(not_whole(context, owner))
    }

    pub(crate) fn signed(
        &self,
        owner: &OwnerKey,
        size: Option<u64>,
        parameter: &str,
    ) -> Result<SignedHead, Refusal> {
        let store = &self.inner.store;
        let (found, epochs) = store
            .read(|reader| Ok((reader.tree_head(owner, size)?, reader.log_epochs(owner)?)))
            .map_err(refuse_store)?;
        let Some(found) = found else {
            return Err(Refusal::new(
                Code::InvalidParameter,
                format!(
                    "The log of {owner} has not {} entries.",
                    size.unwrap_or_default()
                ),
            )
            .fact(fact::PARAMETER, parameter));
        };
        let head = Head {
            owner: owner.to_string(),
            epoch: found.epoch,
            size: found.size,
            root: found.root,
            at: found.at.to_string(),
        };
        let key = store.log_signing_key().map_err(refuse_store)?;
        Ok(SignedHead {
            note: head.signed(&key),
            key: key.public().id(),
            head,
            epochs: epochs
                .into_iter()
                .map(|row| LogEpoch {
                    epoch: row.epoch,
                    fork_position: row.fork_position,
                    begun_at: row.begun_at,
                })
                .collect(),
        })
    }
}

fn log_key(row: LogKeyRow) -> LogKey {
    LogKey {
        id: row.id,
        public: row.public,
        created_at: row.created_at,
        retired_at: row.retired_at,
        endorsed: row.endorsed,
    }
}

pub(super) fn not_whole(context: &Context, owner: &OwnerKey) -> Refusal {
    let code = if context.actor.is_anonymous() {
        Code::Unauthenticated
    } else {
        Code::Forbidden
    };
    Refusal::new(
        code,
        format!(
            "Heads and proofs of the log of {owner} are for those who are shown the whole of it: they tell how much there is."
        ),
    )
}
