//! A proof of an entry as it travels with the entry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{COUNT, Kept, Opening, PARTS, Secret, commitment, leaf};
use crate::merkle::Hash;

/// Why an entry is not what its leaf commits to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The proof is not of the form that `docs/log.md` says.
    #[error("the proof of the entry is not as it should be: {0}")]
    Form(String),
    /// The parts lead to another leaf.
    #[error("the parts of the entry lead to another leaf than the proof says")]
    Leaf,
    /// The entry says something else than what the leaf commits to.
    #[error("the entry says something else of {0} than what its leaf commits to")]
    Content(String),
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartProof {
    /// The text that the leaf commits to, byte for byte; absent = it is withheld, or it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its salt, where the proof has no secret.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::hexadecimal"
    )]
    pub salt: Option<[u8; 32]>,
    /// The commitment, where there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
}

/// What is needed to compute the leaf of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryProof {
    /// The leaf.
    pub leaf: Hash,
    /// What all salts follow from; absent = each part has its own.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::hexadecimal"
    )]
    pub secret: Option<[u8; 32]>,
    /// The parts by their names.
    pub parts: BTreeMap<String, PartProof>,
}

impl EntryProof {
    /// The proof of an entry whose leaf is `leaf`, with all that is kept of it.
    #[must_use]
    pub fn new(leaf: Hash, opening: &Opening, contents: [String; COUNT]) -> Self {
        let secret = match opening {
            Opening::Whole(secret) => Some(secret.0),
            Opening::Parts(_) => None,
        };
        let parts = contents
            .into_iter()
            .enumerate()
            .zip(PARTS)
            .map(|((part, content), name)| {
                let proof = match (opening.part(part), secret) {
                    (Kept::Salt(_), Some(_)) => PartProof {
                        content: Some(content),
                        ..PartProof::default()
                    },
                    (Kept::Salt(salt), None) => PartProof {
                        content: Some(content),
                        salt: Some(salt),
                        hash: None,
                    },
                    (Kept::Bare(hash), _) => PartProof {
                        hash: Some(hash),
                        ..PartProof::default()
                    },
                };
                (name.to_owned(), proof)
            })
            .collect();
        Self {
            leaf,
            secret,
            parts,
        }
    }

    /// The text of a part, where it is shown.
    #[must_use]
    pub fn content(&self, part: usize) -> Option<&str> {
        self.parts.get(*PARTS.get(part)?)?.content.as_deref()
    }

    /// What a follower keeps to prove the entry itself.
    ///
    /// # Errors
    /// [`EntryError::Form`].
    pub fn opening(&self) -> Result<Opening, EntryError> {
        if let Some(secret) = self.secret {
            return Ok(Opening::Whole(Secret(secret)));
        }
        let mut kept = [Kept::Bare(Hash([0; 32])); COUNT];
        for (kept, name) in kept.iter_mut().zip(PARTS) {
            let part = self.part(name)?;
            *kept = match (part.salt, part.hash, &part.content) {
                (Some(salt), None, Some(_)) => Kept::Salt(salt),
                (None, Some(hash), None) => Kept::Bare(hash),
                _ => return Err(form(name)),
            };
        }
        Ok(Opening::Parts(Box::new(kept)))
    }

    fn part(&self, name: &str) -> Result<&PartProof, EntryError> {
        self.parts
            .get(name)
            .ok_or_else(|| EntryError::Form(format!("the part {name} is missing")))
    }

    /// Computes the leaf from the parts and compares it with [`leaf`](Self::leaf). That the leaf is in the tree is shown
    /// by the root over all leaves, or by a proof of inclusion.
    ///
    /// # Errors
    /// [`EntryError::Form`], [`EntryError::Leaf`].
    pub fn check(&self, owner: &str, position: u64) -> Result<Hash, EntryError> {
        if self.parts.len() != COUNT {
            return Err(EntryError::Form(format!("it has not {COUNT} parts")));
        }
        let mut commitments = [Hash([0; 32]); COUNT];
        for (number, (place, name)) in commitments.iter_mut().zip(PARTS).enumerate() {
            let part = self.part(name)?;
            let salt = self
                .secret
                .map(|secret| Secret(secret).salt(number))
                .or(part.salt);
            *place = match (&part.content, salt, part.hash) {
                (Some(content), Some(salt), None) => commitment(&salt, content),
                (None, _, Some(hash)) if part.salt.is_none() => hash,
                _ => return Err(form(name)),
            };
        }
        if leaf(owner, position, &commitments) == self.leaf {
            Ok(self.leaf)
        } else {
            Err(EntryError::Leaf)
        }
    }
}

fn form(name: &str) -> EntryError {
    EntryError::Form(format!(
        "the part {name} has neither a text with a salt nor a hash alone"
    ))
}
