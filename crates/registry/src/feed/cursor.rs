//! Sealed places in a log: encrypted and authenticated (RFC 8439), each with a random nonce, so that two of them do not tell
//! whether something hidden lies between. The owner's key is part of what is authenticated.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grunddata_model::{Instant, OwnerKey};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

use crate::Refusal;

/// The form of what is sealed.
const FORM: u8 = 3;
/// Form, position, epoch, since when, begun when, and rights.
const LENGTH: usize = 1 + 8 + 8 + 8 + 8 + 16;
/// In the place of when it was begun: it was not. No instant is as early.
const NOT_BEGUN: i64 = i64::MIN;

/// What a cursor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Everything up to here has been looked at.
    pub(super) position: u64,
    /// The epoch of the log in which that was.
    pub(super) epoch: u64,
    /// Since when its reader has followed.
    pub(super) since: Instant,
    /// How far the log had come when its reader began to read on; `None` = it has been told everything.
    pub(super) begun: Option<Instant>,
    /// What its reader was shown.
    pub(super) rights: [u8; 16],
}

/// The key of one owner's feed.
pub(crate) struct FeedKey {
    owner: OwnerKey,
    key: LessSafeKey,
    marks: hmac::Key,
}

impl std::fmt::Debug for FeedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeedKey").finish_non_exhaustive()
    }
}

/// Random bytes.
///
/// # Errors
/// `internal` when the operating system gives none.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn failed(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a cursor cannot be sealed");
    Refusal::internal()
}

impl FeedKey {
    pub(super) fn new(owner: OwnerKey, secret: &[u8; 32]) -> Result<Self, Refusal> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, secret).map_err(|error| failed(&error))?;
        Ok(Self {
            owner,
            key: LessSafeKey::new(key),
            marks: hmac::Key::new(hmac::HMAC_SHA256, secret),
        })
    }

    /// The same for the same position, and nothing that tells the position.
    pub(super) fn mark(&self, position: u64) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.marks);
        context.update(b"mark ");
        context.update(self.owner.as_str().as_bytes());
        context.update(&position.to_be_bytes());
        let mut mark = [0; 16];
        for (to, from) in mark.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        mark
    }

    pub(super) fn seal(&self, place: &Place) -> Result<String, Refusal> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = Vec::with_capacity(LENGTH);
        sealed.push(FORM);
        sealed.extend(place.position.to_be_bytes());
        sealed.extend(place.epoch.to_be_bytes());
        sealed.extend(place.since.micros().to_be_bytes());
        let begun = place.begun.map_or(NOT_BEGUN, Instant::micros);
        sealed.extend(begun.to_be_bytes());
        sealed.extend(place.rights);
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.owner.as_str()),
                &mut sealed,
            )
            .map_err(|error| failed(&error))?;
        let mut whole = nonce.to_vec();
        whole.append(&mut sealed);
        Ok(URL_SAFE_NO_PAD.encode(whole))
    }

    /// `None` = it was not sealed with this key, or not as it is.
    pub(super) fn open(&self, text: &str) -> Option<Place> {
        let whole = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(self.owner.as_str());
        let plain = self.key.open_in_place(nonce, aad, &mut sealed).ok()?;
        let (form, rest) = plain.split_first()?;
        let (position, rest) = rest.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (since, rest) = rest.split_first_chunk()?;
        let (begun, rest) = rest.split_first_chunk()?;
        let begun = i64::from_be_bytes(*begun);
        (*form == FORM).then_some(Place {
            position: u64::from_be_bytes(*position),
            epoch: u64::from_be_bytes(*epoch),
            since: Instant::from_micros(i64::from_be_bytes(*since)),
            begun: (begun != NOT_BEGUN).then(|| Instant::from_micros(begun)),
            rights: rest.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(owner: &str, secret: u8) -> FeedKey {
        FeedKey::new(OwnerKey::new(owner).unwrap(), &[secret; 32]).unwrap()
    }

    #[test]
    fn a_cursor_opens_with_its_key_and_owner_alone() {
        let place = Place {
            position: 17,
            epoch: 1,
            since: Instant::from_micros(1_700_000_000_000_000),
            begun: Some(Instant::from_micros(1_700_000_000_000_001)),
            rights: [7; 16],
        };
        let sealed = key("a", 1).seal(&place).unwrap();
        assert_eq!(key("a", 1).open(&sealed), Some(place));
        assert_eq!(key("a", 2).open(&sealed), None);
        assert_eq!(key("b", 1).open(&sealed), None);
        for at in 0..sealed.len() {
            let mut other = sealed.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key("a", 1).open(std::str::from_utf8(&other).unwrap()), None);
        }
        for bad in ["", "0", "AAAA", "å", &sealed[1..]] {
            assert_eq!(key("a", 1).open(bad), None, "{bad}");
        }
    }

    #[test]
    fn two_cursors_of_one_place_have_nothing_in_common_but_their_length() {
        let place = Place {
            position: 17,
            epoch: 1,
            since: Instant::from_micros(0),
            begun: None,
            rights: [7; 16],
        };
        let other = Place {
            position: u64::MAX,
            begun: Some(Instant::from_micros(0)),
            ..place
        };
        let key = key("a", 1);
        let (one, two) = (key.seal(&place).unwrap(), key.seal(&place).unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), key.seal(&other).unwrap().len());
        assert_eq!(key.open(&one), Some(place));
    }
}
