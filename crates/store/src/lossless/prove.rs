//! Whether the logs in a file are what their leaves and signed heads say: without a database, in memory of some 40 bytes
//! for each change.

use std::io::BufRead;
use std::sync::mpsc::sync_channel;

use grunddata_information_model::InformationModel;
use grunddata_log_proof::entry::leaf;
use grunddata_log_proof::head::{Head, HeadError, PublicKey};
use grunddata_log_proof::merkle::{CompactRange, Hash, empty_root};
use grunddata_model::OwnerKey;

use super::LosslessError;
use super::lines::Line;
use super::parse::{CheckedRecord, Decoded, Decoder, Ended};
use crate::error::StoreError;
use crate::tree::{Facts, contents_of};

/// The most that is said of one log: who has more has one problem.
const FINDINGS: usize = 100;

/// What was found of one owner's log in a lossless file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenLog {
    /// Whose log.
    pub owner: OwnerKey,
    /// How many entries it has.
    pub size: u64,
    /// The root over their leaves.
    pub root: Hash,
    /// The key that the head was signed with; `None` = the file has no head that holds.
    pub signed_by: Option<PublicKey>,
    /// What does not hold, in words; empty = everything does.
    pub problems: Vec<String>,
}

/// One owner while the file is read.
struct Reading {
    owner: OwnerKey,
    position: u64,
    /// The last of its epochs, where the file lists any.
    epoch: Option<u64>,
    head: Option<String>,
    leaves: Vec<(u64, Hash)>,
    problems: Vec<String>,
}

impl Reading {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < FINDINGS {
            self.problems.push(problem);
        }
    }

    /// Computes the leaves of a record's changes from what the file says, and compares them.
    fn take(&mut self, record: &CheckedRecord) -> Result<(), StoreError> {
        for change in &record.changes {
            let place = usize::try_from(change.version - 1).unwrap_or(usize::MAX);
            let Some(timeline) = record.versions.get(place) else {
                continue;
            };
            let position = u64::try_from(change.position).unwrap_or_default();
            let (Some(said), Some(opening)) = (change.leaf, &change.opening) else {
                self.problem(format!(
                    "position {position} (record {}, version {}) has no leaf",
                    record.id, change.version
                ));
                continue;
            };
            let facts = Facts {
                record: record.id,
                domain: record.domain.as_str(),
                operation: change.operation.as_str(),
                version: u32::try_from(change.version).unwrap_or_default(),
                recorded_at: change.instant,
                transaction: change.transaction,
                change_kind: change.kind.as_str(),
                corrects: change
                    .corrects
                    .and_then(|version| u32::try_from(version).ok()),
                actor: &change.actor,
                reason: change.reason.as_deref(),
                source: change.source.as_deref(),
                touched: change.touched,
            };
            let states = timeline.states().iter();
            let contents = contents_of(&facts, states.map(|state| (state.period, &state.value)))?;
            if leaf(
                self.owner.as_str(),
                position,
                &opening.commitments(&contents),
            ) != said
            {
                self.problem(format!(
                    "position {position} (record {}, version {}) is not what its leaf commits to",
                    record.id, change.version
                ));
            } else if !opening.is_silent_where_bare(&contents) {
                self.problem(format!(
                    "position {position} (record {}, version {}) says something of which its leaf keeps the commitment alone",
                    record.id, change.version
                ));
            }
            self.leaves.push((position, said));
        }
        Ok(())
    }

    fn finish(mut self, keys: &[PublicKey]) -> ProvenLog {
        self.leaves.sort_unstable_by_key(|(position, _)| *position);
        let mut tree = CompactRange::new(0);
        let mut missing = None;
        for (at, (position, leaf)) in (1..).zip(&self.leaves) {
            if *position != at && missing.is_none() {
                missing = Some(at);
            }
            tree.push(*leaf);
        }
        if let Some(at) = missing {
            self.problem(format!("position {at} is missing"));
        }
        let size = tree.end();
        if size != self.position {
            let said = self.position;
            self.problem(format!(
                "the owner is at position {said}, its log has {size}"
            ));
        }
        let root = tree.root().unwrap_or_else(empty_root);
        let mut signed_by = None;
        match self.head.as_deref().map(|note| Head::verified(note, keys)) {
            None => self.problem("the file has no signed head".to_owned()),
            Some(Err(HeadError::UnknownKey)) => {
                self.problem(
                    "the head is signed with a key that is not among those given".to_owned(),
                );
            }
            Some(Err(error)) => self.problem(format!("the head does not hold: {error}")),
            Some(Ok((head, key))) => {
                if self.epoch.is_some_and(|epoch| epoch != head.epoch) {
                    self.problem(format!(
                        "the head is of epoch {}, and the file says {}",
                        head.epoch,
                        self.epoch.unwrap_or_default()
                    ));
                } else if head.owner != self.owner.as_str()
                    || head.size != size
                    || head.root != root
                {
                    self.problem(format!(
                        "the head is signed over {} entries of {} with the root {}, and the file has {size} with the root {root}",
                        head.size, head.owner, head.root
                    ));
                } else {
                    signed_by = Some(key);
                }
            }
        }
        ProvenLog {
            owner: self.owner,
            size,
            root,
            signed_by,
            problems: self.problems,
        }
    }
}

/// Verifies the logs of a lossless file: every leaf against what the file says, the root over them against the signed
/// head, and the head against `trusted` keys. Without any, against the keys in the file itself: then the signature says
/// only that the file is in itself as it was written.
///
/// # Errors
/// [`LosslessError`] when the file cannot be read or is not whole.
pub fn verify_lossless_logs(
    model: &InformationModel,
    input: &mut (dyn BufRead + Send),
    trusted: &[PublicKey],
) -> Result<Vec<ProvenLog>, LosslessError> {
    let (sender, receiver) = sync_channel(2);
    let mut keys = trusted.to_vec();
    let mut logs: Vec<Reading> = Vec::new();
    std::thread::scope(|scope| {
        let decoding = scope.spawn(move || Decoder::new(input, model, sender).run());
        let mut taken = Ok(());
        for decoded in receiver {
            match decoded {
                Decoded::Owner(owner) => logs.push(Reading {
                    position: u64::try_from(owner.position).unwrap_or_default(),
                    epoch: owner
                        .epochs
                        .iter()
                        .filter_map(|epoch| u64::try_from(epoch.epoch).ok())
                        .max(),
                    owner: owner.key,
                    head: owner.log_head,
                    leaves: Vec::new(),
                    problems: Vec::new(),
                }),
                Decoded::Register(line) => {
                    if let Line::LogKey(key) = *line
                        && trusted.is_empty()
                        && let Ok(key) = PublicKey::decoded(&key.public_key)
                    {
                        keys.push(key);
                    }
                }
                Decoded::Geometry { .. } => {}
                Decoded::Records(records) => {
                    if let Some(log) = logs.last_mut() {
                        taken = records.iter().try_for_each(|record| log.take(record));
                    }
                }
            }
            if taken.is_err() {
                break;
            }
        }
        match decoding.join() {
            Ok(Ok(Ended::Whole(..))) => Ok(taken?),
            Ok(Ok(Ended::Unheard)) => Err(taken.err().map_or_else(
                || StoreError::Unavailable("the reading was broken off".into()).into(),
                LosslessError::from,
            )),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StoreError::Database("the reading panicked".into()).into()),
        }
    })?;
    Ok(logs.into_iter().map(|log| log.finish(&keys)).collect())
}
