//! Whose signature under the head of a peer's log is believed: that of a key that was pinned or seen first, and of those that
//! have taken its place one after the other, each signed by the one before.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grunddata_log_proof::head::{Head, HeadError, PublicKey};
use grunddata_pull::{Peer as Remote, PeerError, PeerKey};
use grunddata_store::CopyError;

/// The most keys of a peer that are remembered.
const MOST: usize = 100;

/// The keys that are trusted.
#[derive(Debug, Default)]
pub(crate) struct Trusted {
    keys: Vec<PublicKey>,
    /// Whether others are than are stored.
    pub(super) changed: bool,
}

/// Why there is no head.
pub(crate) enum Failed {
    /// The peer was not reached.
    Asking(PeerError),
    /// It must not be believed.
    Wrong(CopyError),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Asking(error) => error.fmt(f),
            Self::Wrong(error) => error.fmt(f),
        }
    }
}

impl Trusted {
    pub(crate) fn new(keys: Vec<PublicKey>) -> Self {
        Self {
            keys,
            changed: false,
        }
    }

    pub(super) fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The head of the owner's log at that size, when it is signed with a key that is trusted. `None` = this peer signs
    /// none and never did: it is of an older version.
    pub(super) fn head(
        &mut self,
        remote: &Remote,
        owner: &str,
        size: u64,
    ) -> Result<Option<Head>, Failed> {
        let head = match remote.head(owner, size) {
            Ok(head) => head,
            Err(PeerError::Refused { status: 404, .. }) if self.keys.is_empty() => return Ok(None),
            Err(PeerError::Refused { status: 404, .. }) => {
                return Err(Failed::Wrong(CopyError::Key(
                    "the peer has signed its log before, and does not any more".to_owned(),
                )));
            }
            Err(error) => return Err(Failed::Asking(error)),
        };
        let head = self.verified(remote, &head.note)?;
        if head.owner != owner || head.size != size {
            return Err(Failed::Wrong(CopyError::Wrong(
                "the head is of another log or of another size".to_owned(),
            )));
        }
        Ok(Some(head))
    }

    /// The head that a note says, when it is signed with a key that is trusted.
    pub(crate) fn verified(&mut self, remote: &Remote, note: &str) -> Result<Head, Failed> {
        let wrong = |what: String| Failed::Wrong(CopyError::Wrong(what));
        let mut verified = Head::verified(note, &self.keys);
        if matches!(verified, Err(HeadError::UnknownKey)) {
            self.learn(&remote.keys().map_err(Failed::Asking)?);
            verified = Head::verified(note, &self.keys);
        }
        let (head, _) = verified.map_err(|error| match error {
            HeadError::UnknownKey => Failed::Wrong(CopyError::Key(
                "the log of the peer is signed with another key than those that are trusted, and none of them has signed that it takes their place".to_owned(),
            )),
            other => wrong(format!("the head of the log: {other}")),
        })?;
        Ok(head)
    }

    /// Takes those of the keys that a peer publishes that may be trusted: at first those that it signs with.
    fn learn(&mut self, published: &[PeerKey]) {
        if self.keys.is_empty() {
            self.keys = current(published);
            self.changed = !self.keys.is_empty();
            return;
        }
        let mut more = true;
        while more && self.keys.len() < MOST {
            more = false;
            for found in published {
                let Ok(key) = PublicKey::decoded(&found.public_key) else {
                    continue;
                };
                let signed = found
                    .endorsement
                    .as_deref()
                    .map(|text| STANDARD.decode(text));
                let Some(Ok(signed)) = signed else { continue };
                let by_one = self
                    .keys
                    .iter()
                    .any(|known| known.has_endorsed(&key, &signed));
                if by_one && !self.keys.contains(&key) {
                    self.keys.push(key);
                    (more, self.changed) = (true, true);
                }
            }
        }
    }
}

/// The keys that a peer signs with by its own word.
pub(crate) fn current(published: &[PeerKey]) -> Vec<PublicKey> {
    published
        .iter()
        .filter(|key| key.retired_at.is_none())
        .filter_map(|key| PublicKey::decoded(&key.public_key).ok())
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use grunddata_log_proof::head::SigningKey;

    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32]).unwrap()
    }

    fn published(of: &SigningKey, by: Option<&SigningKey>, retired: bool) -> PeerKey {
        PeerKey {
            public_key: of.public().encoded(),
            retired_at: retired.then(|| "2026-01-01T00:00:00Z".to_owned()),
            endorsement: by.map(|by| STANDARD.encode(by.endorse(&of.public()))),
        }
    }

    #[test]
    fn a_chain_of_signatures_is_followed_in_whatever_order_it_comes_and_nothing_else() {
        let (one, two, three, foreign) = (key(1), key(2), key(3), key(4));
        let list = [
            published(&three, Some(&two), false),
            published(&two, Some(&one), true),
            published(&one, None, true),
            // Signed by nobody that is trusted.
            published(&foreign, Some(&foreign), false),
        ];
        let mut trusted = Trusted::new(vec![one.public()]);
        trusted.learn(&list);
        assert_eq!(trusted.keys, [one.public(), two.public(), three.public()]);
        assert!(trusted.changed);
        // At first those that sign now.
        let mut first = Trusted::default();
        first.learn(&list);
        assert_eq!(first.keys, [three.public(), foreign.public()]);
        // One that is pinned and signs no more, with nobody after it.
        let mut old = Trusted::new(vec![key(9).public()]);
        old.learn(&list);
        assert_eq!((old.keys.len(), old.changed), (1, false));
    }
}
