//! The records of a hand-over from another registry, page by page, each checked against the head of the giver's log that its
//! registry has signed.

use grunddata_log_proof::head::PublicKey;
use grunddata_pull::{Peer as Remote, PeerKey};
use grunddata_registry::{MOST_TRANSFERRED, Refusal, Registry, Transfer, TransferPage};
use uuid::Uuid;

use super::{not_answered, not_asked};
use crate::peers::{Trusted, current_keys};

/// The keys that a registry signs with by its own word, in base64.
pub(super) fn current(published: &[PeerKey]) -> Vec<String> {
    let keys = current_keys(published);
    keys.iter().map(PublicKey::encoded).collect()
}

/// Whose signature is believed: that of the keys which are trusted of a peer at this address, else of those that were seen
/// when the offer was fetched.
fn trusted(registry: &Registry, shown: &Transfer) -> Result<Trusted, Refusal> {
    let url = shown.content.registry.as_deref().unwrap_or_default();
    let peers = registry.store().read(|reader| reader.peers());
    let peers = peers.map_err(|error| {
        tracing::warn!(%error, "the peers cannot be read");
        Refusal::internal()
    })?;
    let mut keys: Vec<PublicKey> = Vec::new();
    for peer in peers.into_iter().filter(|peer| peer.url == url) {
        keys.extend(peer.log_keys);
    }
    if keys.is_empty() {
        let seen = shown.content.log_keys.iter();
        keys.extend(seen.filter_map(|key| PublicKey::decoded(key).ok()));
    }
    keys.dedup();
    if keys.is_empty() {
        return Err(not_asked(
            "it published no key of its log when the offer was fetched: refuse this one, and fetch another offer".to_owned(),
        ));
    }
    Ok(Trusted::new(keys))
}

/// All records of a hand-over, as the giver's log has them.
pub(super) fn fetched(
    registry: &Registry,
    remote: &Remote,
    shown: &Transfer,
    id: Uuid,
) -> Result<TransferPage, Refusal> {
    let mut trusted = trusted(registry, shown)?;
    let mut all = TransferPage::default();
    let mut after = 0;
    loop {
        let from = after.to_string();
        let page: TransferPage = remote
            .get(
                &format!("/transfers/{id}/records"),
                &[("after", from.as_str())],
            )
            .map_err(not_answered)?;
        let note = page.head.as_deref();
        let note = note.ok_or_else(|| not_asked("what it hands over is not proven".to_owned()))?;
        let head = trusted
            .verified(remote, note)
            .map_err(|failed| not_asked(failed.to_string()))?;
        registry.check_handed(&shown.giver, &head, &page)?;
        all.records.extend(page.records);
        all.geometries.extend(page.geometries);
        all.head = page.head;
        match page.next {
            // A page that does not go on would never end.
            Some(next) if next > after && all.records.len() <= MOST_TRANSFERRED => after = next,
            Some(_) => return Err(not_asked("its pages do not end".to_owned())),
            None => break,
        }
    }
    all.geometries.sort();
    all.geometries.dedup();
    Ok(all)
}
