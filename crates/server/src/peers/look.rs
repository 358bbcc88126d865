//! Whether a peer can be reached, and how far behind its copy is.

use grunddata_model::Instant;
use grunddata_registry::PeerSettings;
use grunddata_store::{PeerRow, PeerStatus};
use serde::Serialize;

use super::Peering;

/// How long ago a peer that connects itself may have been here, in microseconds.
const LATELY: i64 = 120_000_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// Whether it answers and shows the owner.
    pub reachable: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The version of its API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// How far its log is; where the whole owner is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// How many entries are missing here; where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_entries: Option<u64>,
    /// How many seconds ago the copy was last known to be whole; 0 = it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<i64>,
    /// All of it in words.
    pub summary: String,
}

impl Looked {
    /// Whether the copy is as it should be.
    #[must_use]
    pub fn is_good(&self, row: &PeerRow) -> bool {
        row.status == PeerStatus::Left
            || self.reachable
                && row.needs_model.is_none()
                && (row.status != PeerStatus::Following
                    || self.lag_seconds.is_some_and(|lag| lag <= 60))
    }
}

/// Asks the peer, and compares with what is here.
#[must_use]
pub fn look(peering: &Peering, row: &PeerRow, now: Instant) -> Looked {
    let mut looked = Looked {
        reachable: false,
        why: None,
        api_version: None,
        position: None,
        lag_entries: None,
        lag_seconds: None,
        summary: String::new(),
    };
    if super::is_pushed(row) {
        // It is not asked: whether it has come lately is what there is to know.
        let lately = row
            .heard_at
            .map(|at| now.micros().saturating_sub(at.micros()));
        if lately.is_none_or(|ago| ago > LATELY) {
            looked.why =
                Some("it brings its changes itself, and has not done so lately".to_owned());
        }
    } else if let Err(why) = ask(peering, row, &mut looked) {
        looked.why = Some(why);
    }
    looked.reachable = looked.why.is_none();
    if let Some(position) = looked.position.filter(|_| row.whole) {
        looked.lag_entries = Some(position.saturating_sub(row.position));
    }
    let since =
        |instant: Instant| (now.micros().saturating_sub(instant.micros()) / 1_000_000).max(0);
    looked.lag_seconds = match (looked.lag_entries, row.heard_at) {
        (Some(0), _) => Some(0),
        (_, heard) => heard.map(since),
    };
    looked.summary = summary(&looked, row);
    looked
}

fn ask(peering: &Peering, row: &PeerRow, looked: &mut Looked) -> Result<(), String> {
    let settings: PeerSettings = serde_json::from_str(&row.settings)
        .map_err(|_| "the settings of the peer cannot be read".to_owned())?;
    let remote = peering.remote(&settings)?;
    looked.api_version = remote
        .info()
        .map_err(|error| error.to_string())?
        .api_version;
    let owner = remote
        .owner(settings.owner.as_str())
        .map_err(|error| error.to_string())?;
    looked.position = owner.position;
    Ok(())
}

fn summary(looked: &Looked, row: &PeerRow) -> String {
    let mut told = vec![match (&looked.why, &looked.api_version) {
        (Some(why), _) if super::is_pushed(row) => format!("{} is not here: {why}.", row.url),
        (None, _) if super::is_pushed(row) => format!("{} brings its changes itself.", row.url),
        (Some(why), _) => format!("{} cannot be asked: {why}.", row.url),
        (None, Some(version)) => format!("{} answers (API {version}).", row.url),
        (None, None) => format!("{} answers.", row.url),
    }];
    told.push(match row.status {
        PeerStatus::Following => format!("{} is followed.", row.owner),
        PeerStatus::Paused => format!(
            "{} is paused: nothing comes until it is resumed.",
            row.owner
        ),
        PeerStatus::Left => format!("{} was left: what is here stays as it is.", row.owner),
    });
    if let Some(model) = &row.needs_model {
        told.push(format!(
            "A record needs the model {model}, which is not here: install the package and start the registry again."
        ));
    }
    if let Some(position) = row.unproven_from {
        told.push(format!(
            "From position {position} on the copy is not compared with the signed heads of the origin: the token is not shown everything that its entries lead to."
        ));
    }
    if let Some(failure) = &row.failure {
        told.push(format!(
            "The last {} attempts failed: {failure}.",
            row.failures
        ));
    }
    told.push(match (row.complete_at, looked.lag_entries, looked.lag_seconds) {
        (None, ..) => "Nothing has come yet.".to_owned(),
        (Some(at), Some(0), _) => format!("The copy has everything, up to {at}."),
        (Some(at), Some(entries), Some(seconds)) => format!(
            "The copy lacks {entries} entries: it is complete up to {at}, and {seconds} seconds ago it had everything."
        ),
        (Some(at), Some(entries), None) => {
            format!("The copy lacks {entries} entries: it is complete up to {at}, and never had everything.")
        }
        (Some(at), None, Some(seconds)) => {
            format!("The copy is complete up to {at}; {seconds} seconds ago the peer said that there is nothing more.")
        }
        (Some(at), None, None) => format!("The copy is complete up to {at}, and never had everything."),
    });
    told.join(" ")
}
