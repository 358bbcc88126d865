//! An entry of a log to its leaf.
//!
//! An entry has ten [parts](PARTS), each a text (JSON). Each has a salt that follows from the entry's [`Secret`], and a
//! commitment, `SHA-256(0x03 || salt || text)`. The leaf is the hash (RFC 9162) of the format, the owner, the position and
//! the ten commitments. Who has the secret can open all parts; who has a salt opens that part alone.

mod shown;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::merkle::{Hash, leaf_hash};

pub use shown::{VerifiedEntry, verify_entry};
pub use wire::{EntryError, EntryProof, PartProof};

/// The format of a leaf, its first line.
pub const FORMAT: &str = "grunddata-log/1";

/// How many parts an entry has.
pub const COUNT: usize = 10;

/// The names of the parts, in the order in which the leaf has them.
pub const PARTS: [&str; COUNT] = [
    "entry",
    "actor",
    "reason",
    "source",
    "period",
    "timeline",
    "public",
    "internal",
    "personal",
    "protected",
];

/// The texts of the parts where nothing is said; `None` = something always is.
const NOTHING: [Option<&str>; COUNT] = [
    None,
    None,
    Some("null"),
    Some("null"),
    Some("[\"unknown\",null]"),
    Some("[]"),
    Some("[]"),
    Some("[]"),
    Some("[]"),
    Some("[]"),
];

/// The part that says which change it is: what an erasure leaves.
pub const ENTRY: usize = 0;
/// The part that says who wrote: what an erasure leaves.
pub const ACTOR: usize = 1;
/// The part that says why.
pub const REASON: usize = 2;
/// The part that says from which source.
pub const SOURCE: usize = 3;
/// The part that says when each state holds, and in which release of the model it is.
pub const TIMELINE: usize = 5;
/// The first of the four parts of the privacy classes.
pub const CLASSES: usize = 6;

/// How a reference begins whose identifier was erased with the record that it waited for: what is left of it holds a number in
/// the identifier's place. The part of the class that it stands in keeps its commitment alone, and what else it says of the
/// states is unproven by this entry.
pub const ERASED: &str = "{\"identifier\":{\"erased\":";

/// What the salts of an entry follow from: 32 random bytes. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The salt of a part: `SHA-256(0x02 || secret || part)`, the part as one byte.
    #[must_use]
    pub fn salt(&self, part: usize) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update([2]);
        hasher.update(self.0);
        hasher.update([u8::try_from(part).unwrap_or(u8::MAX)]);
        hasher.finalize().into()
    }
}

/// The commitment to a part: `SHA-256(0x03 || salt || text)`.
#[must_use]
pub fn commitment(salt: &[u8; 32], content: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([3]);
    hasher.update(salt);
    hasher.update(content.as_bytes());
    Hash(hasher.finalize().into())
}

/// The leaf of the entry at a position (from 1) of an owner's log.
#[must_use]
pub fn leaf(owner: &str, position: u64, commitments: &[Hash; COUNT]) -> Hash {
    let mut bytes = format!("{FORMAT}\n{owner}\n{position}\n").into_bytes();
    bytes.reserve(COUNT * 32);
    for commitment in commitments {
        bytes.extend_from_slice(&commitment.0);
    }
    leaf_hash(&bytes)
}

/// What is kept to open a part of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Its salt: with the text it gives the commitment.
    Salt([u8; 32]),
    /// The commitment alone: the text and its salt are gone.
    Bare(Hash),
}

/// What is kept to open an entry.
#[derive(Clone, PartialEq, Eq)]
pub enum Opening {
    /// All of it.
    Whole(Secret),
    /// Part by part: something of it was removed.
    Parts(Box<[Kept; COUNT]>),
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole(…)",
            Self::Parts(_) => "Parts(…)",
        })
    }
}

impl Opening {
    /// What is kept of a part.
    #[must_use]
    pub fn part(&self, part: usize) -> Kept {
        match self {
            Self::Whole(secret) => Kept::Salt(secret.salt(part)),
            Self::Parts(parts) => parts
                .get(part)
                .copied()
                .unwrap_or(Kept::Bare(Hash([0; 32]))),
        }
    }

    /// The commitments to these texts. What is bare is so whatever the text is.
    #[must_use]
    pub fn commitments(&self, contents: &[String; COUNT]) -> [Hash; COUNT] {
        let mut all = [Hash([0; 32]); COUNT];
        for (part, (commitment_of, content)) in all.iter_mut().zip(contents).enumerate() {
            *commitment_of = match self.part(part) {
                Kept::Salt(salt) => commitment(&salt, content),
                Kept::Bare(hash) => hash,
            };
        }
        all
    }

    /// Whether nothing is said of what cannot be opened. What is erased leaves its commitments and nothing beside them: a text
    /// that stands there all the same is committed to by nothing. Which change it is, and who wrote, stays for ever. Only of a
    /// class something may be said where a reference in it [was erased](ERASED).
    #[must_use]
    pub fn is_silent_where_bare(&self, contents: &[String; COUNT]) -> bool {
        let mut parts = contents.iter().zip(NOTHING).enumerate();
        parts.all(|(part, (content, nothing))| {
            matches!(self.part(part), Kept::Salt(_))
                || Some(content.as_str()) == nothing
                || part >= CLASSES && content.contains(ERASED)
        })
    }

    /// The same without what could open the parts for which `goes` says so: their commitments stay, their salts go.
    #[must_use]
    pub fn without(&self, commitments: &[Hash; COUNT], goes: impl Fn(usize) -> bool) -> Self {
        let mut parts = [Kept::Bare(Hash([0; 32])); COUNT];
        for (part, (kept, hash)) in parts.iter_mut().zip(commitments).enumerate() {
            *kept = if goes(part) {
                Kept::Bare(*hash)
            } else {
                self.part(part)
            };
        }
        Self::Parts(Box::new(parts))
    }

    /// As bytes to be stored: the 32 of the secret, or ten times a byte (1 = salt, 0 = commitment) and its 32.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Whole(secret) => secret.0.to_vec(),
            Self::Parts(parts) => {
                let mut bytes = Vec::with_capacity(COUNT * 33);
                for part in parts.iter() {
                    match part {
                        Kept::Salt(salt) => {
                            bytes.push(1);
                            bytes.extend_from_slice(salt);
                        }
                        Kept::Bare(hash) => {
                            bytes.push(0);
                            bytes.extend_from_slice(&hash.0);
                        }
                    }
                }
                bytes
            }
        }
    }

    /// From what [`to_bytes`](Self::to_bytes) gave; `None` when it is something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(secret) = <[u8; 32]>::try_from(bytes) {
            return Some(Self::Whole(Secret(secret)));
        }
        let (each, rest) = bytes.as_chunks::<33>();
        if each.len() != COUNT || !rest.is_empty() {
            return None;
        }
        let mut parts = [Kept::Bare(Hash([0; 32])); COUNT];
        for (part, [kind, value @ ..]) in parts.iter_mut().zip(each) {
            *part = match kind {
                1 => Kept::Salt(*value),
                0 => Kept::Bare(Hash(*value)),
                _ => return None,
            };
        }
        Some(Self::Parts(Box::new(parts)))
    }
}
