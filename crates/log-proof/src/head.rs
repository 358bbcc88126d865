//! The head of a log, as it is signed: a checkpoint (C2SP `tlog-checkpoint`) as a signed note (C2SP `signed-note`) with
//! Ed25519 signatures.
//!
//! ```text
//! grunddata/se-2480
//! 4711
//! qLaKQ7oNNCVzxhyJL7xbFOAkJh1f0kFqKYq7DTbfKZU=
//! epoch 1
//! at 2026-11-22T10:15:30.123456Z
//!
//! — grunddata/se-2480 lKzB2…==
//! ```
//!
//! The lines are: the origin, how many entries the log has, the root over their leaves in base64, the epoch of the log, and
//! when the last of the entries was recorded.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

use crate::merkle::Hash;

/// What origins begin with.
const ORIGIN: &str = "grunddata/";
/// The algorithm byte of Ed25519 in signed notes.
const ALGORITHM: u8 = 1;
/// The longest note that is read: a head with some dozen signatures.
const LONGEST: usize = 64 * 1024;

/// Why a note is no head that can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is not of the form.
    #[error("it is no signed head of a log: {0}")]
    Form(&'static str),
    /// None of its signatures was made with one of the keys.
    #[error("none of its signatures was made with a key that is known")]
    UnknownKey,
    /// A signature with a known key does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// The bytes are no key.
    #[error("this is no key")]
    Key,
}

/// The head of an owner's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The key of the owner.
    pub owner: String,
    /// The epoch of the log, from 1.
    pub epoch: u64,
    /// How many entries it covers.
    pub size: u64,
    /// The root over their leaves.
    pub root: Hash,
    /// When the last of them was recorded: RFC 3339, UTC.
    pub at: String,
}

impl Head {
    /// The first line, and the name under which it is signed.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{ORIGIN}{}", self.owner)
    }

    /// What is signed: the lines up to the empty one.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\nepoch {}\nat {}\n",
            self.origin(),
            self.size,
            STANDARD.encode(self.root.0),
            self.epoch,
            self.at
        )
    }

    /// The head as a signed note.
    #[must_use]
    pub fn signed(&self, key: &SigningKey) -> String {
        let text = self.text();
        let name = self.origin();
        let mut signature = key.public().hash_for(&name).to_vec();
        signature.extend_from_slice(key.0.sign(text.as_bytes()).as_ref());
        format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(signature))
    }

    /// The head that a note says, without a look at who signed it.
    ///
    /// # Errors
    /// [`HeadError::Form`].
    pub fn unverified(note: &str) -> Result<Self, HeadError> {
        parsed(split(note)?.0)
    }

    /// The head that a note says, signed with one of the keys; and the key.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn verified(note: &str, keys: &[PublicKey]) -> Result<(Self, PublicKey), HeadError> {
        let (text, signatures) = split(note)?;
        let head = parsed(text)?;
        let name = head.origin();
        for line in signatures.lines() {
            let mut words = line
                .strip_prefix("\u{2014} ")
                .ok_or(HeadError::Form("a signature line begins otherwise"))?
                .split(' ');
            let (Some(signer), Some(encoded), None) = (words.next(), words.next(), words.next())
            else {
                return Err(HeadError::Form("a signature line has not two words"));
            };
            // Others may sign as well (witnesses): they are not asked for.
            if signer != name {
                continue;
            }
            let bytes = STANDARD
                .decode(encoded)
                .map_err(|_| HeadError::Form("a signature is no base64"))?;
            let (hash, signature) = bytes
                .split_at_checked(4)
                .ok_or(HeadError::Form("a signature is too short"))?;
            let Some(key) = keys.iter().find(|key| key.hash_for(&name) == hash) else {
                continue;
            };
            return UnparsedPublicKey::new(&ED25519, key.0)
                .verify(text.as_bytes(), signature)
                .map(|()| (head, *key))
                .map_err(|_| HeadError::Signature);
        }
        Err(HeadError::UnknownKey)
    }
}

fn split(note: &str) -> Result<(&str, &str), HeadError> {
    if note.len() > LONGEST {
        return Err(HeadError::Form("it is too long"));
    }
    let at = note
        .rfind("\n\n")
        .ok_or(HeadError::Form("the empty line is missing"))?;
    let (text, rest) = note.split_at(at + 1);
    let signatures = rest.get(1..).unwrap_or_default();
    if signatures.is_empty() || !signatures.ends_with('\n') {
        return Err(HeadError::Form("the signatures are missing"));
    }
    Ok((text, signatures))
}

fn parsed(text: &str) -> Result<Head, HeadError> {
    let mut lines = text.lines();
    let mut next = || lines.next().ok_or(HeadError::Form("a line is missing"));
    let owner = next()?
        .strip_prefix(ORIGIN)
        .filter(|owner| !owner.is_empty())
        .ok_or(HeadError::Form("the origin is none of grunddata"))?
        .to_owned();
    let size = number(next()?).ok_or(HeadError::Form("the size is no number"))?;
    let root = STANDARD
        .decode(next()?)
        .ok()
        .and_then(|root| root.try_into().ok())
        .map(Hash)
        .ok_or(HeadError::Form("the root is no hash"))?;
    let epoch = next()?
        .strip_prefix("epoch ")
        .and_then(number)
        .ok_or(HeadError::Form("the epoch is missing"))?;
    let at = next()?
        .strip_prefix("at ")
        .ok_or(HeadError::Form("the instant is missing"))?
        .to_owned();
    Ok(Head {
        owner,
        epoch,
        size,
        root,
        at,
    })
}

/// A number as it is written: no sign, no zero before it.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A key that heads are signed with.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// The key that follows from 32 random bytes (the seed of RFC 8032).
    ///
    /// # Errors
    /// [`HeadError::Key`].
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, HeadError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(Self)
            .map_err(|_| HeadError::Key)
    }

    /// What its signatures are checked with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(bytes)
    }
}

/// What a key signs of the one that is put in its place.
fn succession(next: &PublicKey) -> String {
    format!("grunddata-log-key/1\n{}\n", next.encoded())
}

impl SigningKey {
    /// Says, signed, that heads are signed with another key from now on.
    #[must_use]
    pub fn endorse(&self, next: &PublicKey) -> Vec<u8> {
        self.0.sign(succession(next).as_bytes()).as_ref().to_vec()
    }
}

/// A key that signatures are checked with: the 32 bytes of RFC 8032.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// How the key is named: the first 8 bytes of its SHA-256 in hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = Hash(Sha256::digest(self.0).into()).to_string();
        id.truncate(16);
        id
    }

    /// In base64.
    #[must_use]
    pub fn encoded(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// From base64.
    ///
    /// # Errors
    /// [`HeadError::Key`].
    pub fn decoded(text: &str) -> Result<Self, HeadError> {
        STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(HeadError::Key)
    }

    /// Whether this key has signed that the other one takes its place.
    #[must_use]
    pub fn has_endorsed(&self, next: &PublicKey, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(succession(next).as_bytes(), signature)
            .is_ok()
    }

    /// What stands before the signature in a note, by the name of the signer.
    fn hash_for(&self, name: &str) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(name.as_bytes());
        hasher.update([b'\n', ALGORITHM]);
        hasher.update(self.0);
        let [one, two, three, four, ..] = <[u8; 32]>::from(hasher.finalize());
        [one, two, three, four]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            owner: "se-2480".to_owned(),
            epoch: 1,
            size: 4711,
            root: Hash([7; 32]),
            at: "2026-11-22T10:15:30.123456Z".to_owned(),
        }
    }

    #[test]
    fn a_head_is_read_as_it_was_signed() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let other = SigningKey::from_seed(&[2; 32]).unwrap();
        let note = head().signed(&key);
        let (read, by) = Head::verified(&note, &[other.public(), key.public()]).unwrap();
        assert_eq!((read, by), (head(), key.public()));
        assert_eq!(
            Head::verified(&note, &[other.public()]),
            Err(HeadError::UnknownKey)
        );
        // A witness before it changes nothing.
        let witnessed = note.replace("\n\n", "\n\n\u{2014} witness AAAAAAAA\n");
        assert!(Head::verified(&witnessed, &[key.public()]).is_ok());
    }

    #[test]
    fn a_head_of_which_anything_was_changed_is_refused() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let note = head().signed(&key);
        for (from, to) in [
            ("4711", "4712"),
            ("epoch 1", "epoch 2"),
            ("at 2026", "at 2027"),
            ("BwcH", "BwcI"),
        ] {
            let changed = note.replacen(from, to, 1);
            assert_ne!(changed, note);
            assert_eq!(
                Head::verified(&changed, &[key.public()]),
                Err(HeadError::Signature),
                "{from}"
            );
        }
        // The owner is part of the name, and so of which key it is.
        let changed = note.replace("se-2480", "se-2481");
        assert_eq!(
            Head::verified(&changed, &[key.public()]),
            Err(HeadError::UnknownKey)
        );
        for bad in ["", "\n\n", "a\n\nb\n", &note[..note.len() - 1]] {
            assert!(matches!(
                Head::verified(bad, &[key.public()]),
                Err(HeadError::Form(_))
            ));
        }
    }

    /// RFC 8032, section 7.1, test 1.
    #[test]
    fn keys_are_those_of_the_standard() {
        let seed = *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
        let public = SigningKey::from_seed(&seed).unwrap().public();
        assert_eq!(
            Hash(public.0).to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(PublicKey::decoded(&public.encoded()).unwrap(), public);
    }
}
