//! Hand-overs from another registry: the receiver asks the giver, step by step, and can ask for each step again. Only
//! outbound requests are made, to hosts that whoever runs the program has listed, with the token that the giver has given.

mod carriers;
mod carry;
mod proven;

use grunddata_model::OwnerKey;
use grunddata_pull::{Peer as Remote, PeerError};
use grunddata_registry::{
    Code, Context, HandOff, HandOffPayload, PeerSettings, Refusal, Registry, RemoteOffer, Transfer,
};
use serde_json::json;
use uuid::Uuid;

pub(crate) use carriers::Carriers;
pub use carry::accept;

use crate::peers::Peering;

/// Notes what another registry offers.
///
/// # Errors
/// [`Code::OtherRegistry`] when that registry cannot be asked, or does not offer it; those of the registry.
pub fn note_offer(
    registry: &Registry,
    peering: &Peering,
    context: &Context,
    id: Uuid,
    settings: &PeerSettings,
) -> Result<Transfer, Refusal> {
    // Who may not do it has nobody asked.
    registry.transfers(context, &settings.owner)?;
    let remote = peering.remote(settings).map_err(not_asked)?;
    let offer = asked(&remote, id)?;
    if offer.id != id {
        return Err(not_asked("it tells of another hand-over".to_owned()));
    }
    let keys = remote.keys().map_err(not_answered)?;
    let remote = RemoteOffer {
        registry: settings.url.clone(),
        token_file: settings.token_file.clone(),
        log_keys: proven::current(&keys),
        offer,
    };
    registry.note_transfer(context, &settings.owner, remote)
}

/// Refuses a hand-over, here and, where it is elsewhere, at the giver.
///
/// # Errors
/// As [`accept`]. What is refused here and could not be told to the giver is told when it is asked for again.
pub fn refuse(
    registry: &Registry,
    peering: &Peering,
    context: &Context,
    id: Uuid,
    reason: &str,
) -> Result<Transfer, Refusal> {
    let shown = registry.refuse_transfer(context, id, reason)?;
    if shown.state_of("giver").is_none() {
        let remote = remote(peering, &shown)?;
        let _: Transfer = told(&remote, id, "refuse", &json!({"reason": reason}))?;
    }
    Ok(shown)
}

fn remote(peering: &Peering, transfer: &Transfer) -> Result<Remote, Refusal> {
    let url = transfer.content.registry.clone().unwrap_or_default();
    let given = json!({"url": url, "owner": transfer.giver});
    let mut settings = PeerSettings::read(&given)?;
    settings.token_file.clone_from(&transfer.content.token_file);
    peering.remote(&settings).map_err(not_asked)
}

/// A hand-over as the giver's registry tells of it.
fn asked(remote: &Remote, id: Uuid) -> Result<Transfer, Refusal> {
    remote
        .get(&format!("/transfers/{id}"), &[])
        .map_err(not_answered)
}

fn told<T: serde::de::DeserializeOwned>(
    remote: &Remote,
    id: Uuid,
    what: &str,
    body: &serde_json::Value,
) -> Result<T, Refusal> {
    remote
        .post(&format!("/transfers/{id}/{what}"), body)
        .map_err(not_answered)
}

/// What a refusal says when the other registry was not reached: it may be another time.
const NOT_REACHED: &str = "not-reached";

fn not_answered(error: PeerError) -> Refusal {
    let passing = match &error {
        PeerError::Pull(_) => true,
        PeerError::Refused { status, .. } => *status == 429 || *status >= 500,
    };
    let refusal = not_asked(error.to_string());
    if passing {
        refusal.fact("reason", NOT_REACHED)
    } else {
        refusal
    }
}

fn not_asked(why: String) -> Refusal {
    Refusal::new(
        Code::OtherRegistry,
        format!(
            "The registry of the giver: {why}. What was done stays. What was begun goes on by itself; else ask again."
        ),
    )
}

/// The owner of an offer that is to be noted, with where it is.
///
/// # Errors
/// [`Code::InvalidSettings`].
pub fn place(
    registry: &str,
    owner: &OwnerKey,
    token_file: Option<String>,
) -> Result<PeerSettings, Refusal> {
    let mut settings = PeerSettings::read(&json!({"url": registry, "owner": owner}))?;
    settings.token_file = token_file;
    Ok(settings)
}

/// Takes a hand-off about a person, of this registry or, with `place`, of another one: the receiver's own record is durable
/// before the giver is told.
///
/// # Errors
/// [`Code::OtherRegistry`] when the giver's registry cannot be asked: ask again; those of the registry.
pub fn take(
    registry: &Registry,
    peering: &Peering,
    context: &Context,
    id: Uuid,
    place: Option<&PeerSettings>,
) -> Result<HandOff, Refusal> {
    let Some(place) = place else {
        return registry.take_hand_off(context, id);
    };
    // Who may not do it has nobody asked.
    let known = registry.hand_offs(context, &place.owner)?;
    let remote = peering.remote(place).map_err(not_asked)?;
    if !known.iter().any(|one| one.id == id) {
        let payload: HandOffPayload = remote
            .get(&format!("/hand-offs/{id}/content"), &[])
            .map_err(not_answered)?;
        if payload.hand_off.id != id || payload.hand_off.receiver != place.owner {
            return Err(not_asked(
                "it tells of another hand-off, or for another owner".to_owned(),
            ));
        }
        registry.begin_record(context, payload, Some(&place.url))?;
    }
    let _: HandOff = remote
        .post(&format!("/hand-offs/{id}/taken"), &json!({}))
        .map_err(not_answered)?;
    registry.hand_off(context, id)
}
