//! The one place where what a peer sends is checked before anything of it is stored, outside every lock.
//!
//! What holds here: every body can be read with a release of the information model that is known here, periods do not
//! overlap, geometries are what their hashes say, and a whole copy's timeline has the hash that the origin's log has. That
//! an entry is what its leaf commits to, and that the tree over the leaves is the one that the origin has signed, is checked
//! where a whole copy is written (`apply`), before anything of it is committed.

use std::sync::Arc;

use grunddata_information_model::Resolved;
use grunddata_log_proof::entry::Opening;
use grunddata_log_proof::merkle::Hash;
use grunddata_model::{
    Domain, Instant, OwnerKey, Period, RecordId, State, Timeline, TransactionId,
};
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::lossless::hexadecimal;
use crate::store::Store;
use crate::write::{ChangeKind, Operation, RecordStatus, timeline_hash};

/// One change as the origin tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedChange {
    /// Where the feed goes on after it.
    pub place: String,
    /// Its position in the origin's log; of a whole copy alone.
    pub position: Option<u64>,
    /// The record.
    pub record: RecordId,
    /// Its domain.
    pub domain: Domain,
    /// The version that it made.
    pub version: u32,
    /// When the origin recorded it.
    pub recorded_at: Instant,
    /// The transaction that it belongs to.
    pub transaction: TransactionId,
    /// Which operation it was.
    pub operation: Operation,
    /// Change or correction.
    pub change_kind: ChangeKind,
    /// The version that it corrects.
    pub corrects: Option<u32>,
    /// Who wrote, as far as it is told.
    pub actor: Arc<str>,
    /// Why.
    pub reason: Option<Arc<str>>,
    /// From which source.
    pub source: Option<Arc<str>>,
    /// The part of valid time that it was about.
    pub touched: Period,
    /// The controller of now.
    pub controller: Option<RecordId>,
    /// Where the record comes from: JSON, as the registry wrote it.
    pub origin: Arc<str>,
    /// The record that it was merged into.
    pub forward_to: Option<RecordId>,
    /// Whether the record is erased by now: its states are nowhere any more.
    pub erased: bool,
    /// The states that were believed after it.
    pub states: Vec<CopiedState>,
    /// The geometries that its states name, by SHA-256 in hexadecimal.
    pub geometries: Vec<(String, String)>,
    /// The hash of the timeline in the origin's log, where all of the timeline is told.
    pub hash: Option<[u8; 32]>,
    /// Its leaf in the tree of the origin's log, where everything is told.
    pub leaf: Option<Hash>,
    /// What opens the leaf; not where the entry leads to what is not shown to who copies.
    pub opening: Option<Opening>,
}

/// A state as the origin tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedState {
    /// When it holds.
    pub period: Period,
    /// The release of the information model, as it is stored.
    pub model: String,
    /// The body, as it is stored.
    pub body: Arc<str>,
}

/// A change that was checked.
#[derive(Debug, Clone)]
pub struct CheckedChange {
    pub(super) change: CopiedChange,
    pub(super) after: Timeline<Resolved>,
    pub(super) status: RecordStatus,
}

impl CheckedChange {
    /// The change.
    #[must_use]
    pub fn change(&self) -> &CopiedChange {
        &self.change
    }
}

/// Why what a peer sends is not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CopyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process follows, or nobody is to follow any more.
    #[error("the peer is followed by another process, or not followed any more")]
    NotHeld,
    /// A release of the information model that is not known here.
    #[error(
        "a record needs the model {0}, which this registry does not have: install the package and start again"
    )]
    Model(String),
    /// A version or position is missing: everything has to be fetched anew.
    #[error("{0}")]
    Gap(String),
    /// What was copied before is not what the origin's log has now, and the origin does not say that it was restored.
    #[error(
        "the log of {owner} was rewritten: its signed head of {size} entries is not the one that follows from what was copied. Nothing more is stored; ask whoever runs the origin"
    )]
    Rewritten {
        /// Whose log.
        owner: OwnerKey,
        /// How many entries the head covers.
        size: u64,
    },
    /// A package of the information model that the peer has cannot be used here.
    #[error("the model {model} of the peer cannot be used here: {why}")]
    Package {
        /// What a record needs.
        model: String,
        /// Why it cannot be used.
        why: String,
    },
    /// The log is not signed with a key that is trusted.
    #[error(
        "{0}. Nothing more is stored; when you know from whoever runs the peer that it is right, say so: grunddata peer trust"
    )]
    Key(String),
    /// The origin's log ends before what was copied of it, and the origin does not say that it was restored.
    #[error(
        "the log of {owner} is shorter than what was copied of it, {position} entries, and does not say that it was restored from a backup. Nothing is forgotten; ask whoever runs the origin"
    )]
    Shorter {
        /// Whose log.
        owner: OwnerKey,
        /// How many entries are here.
        position: u64,
    },
    /// What was sent contradicts itself, or what came before.
    #[error("the peer sends what cannot be so: {0}. Nothing of it was stored")]
    Wrong(String),
}

impl Store {
    /// Checks a change by itself.
    ///
    /// # Errors
    /// [`CopyError::Model`], [`CopyError::Wrong`].
    pub fn check_copied(&self, change: CopiedChange) -> Result<CheckedChange, CopyError> {
        let id = change.record;
        let wrong = |problem: &str| {
            CopyError::Wrong(format!("version {} of {id}: {problem}", change.version))
        };
        let mut states = Vec::with_capacity(change.states.len());
        for state in &change.states {
            let known = self
                .model()
                .reload(change.domain, &state.model, Arc::clone(&state.body));
            let value = known.map_err(|error| match error {
                grunddata_information_model::ModelError::UnknownVersion(name) => {
                    CopyError::Model(name)
                }
                other => wrong(&other.to_string()),
            })?;
            // Here, and not while the owner is locked.
            let _extracted = value.entries();
            states.push(State::new(state.period, value));
        }
        let after = Timeline::new(states).map_err(|error| wrong(&error.to_string()))?;
        if let Some(said) = change.hash
            && timeline_hash(&after) != said
        {
            return Err(wrong(
                "its states do not have the hash that the log of the origin has",
            ));
        }
        for (hash, body) in &change.geometries {
            if hexadecimal(&Sha256::digest(body.as_bytes())) != *hash {
                return Err(wrong("a geometry has another hash"));
            }
        }
        let status = match change.operation {
            _ if change.erased => RecordStatus::Erased,
            Operation::Erase => RecordStatus::Erased,
            Operation::Merge if change.forward_to.is_some() => RecordStatus::Merged,
            Operation::Transfer => RecordStatus::Transferred,
            _ if after.is_empty() => RecordStatus::Retracted,
            _ => RecordStatus::Current,
        };
        if status == RecordStatus::Erased && !after.is_empty() {
            return Err(wrong("it is erased and has states"));
        }
        Ok(CheckedChange {
            change,
            after,
            status,
        })
    }
}
