//! Registries whose owners are copied here: who is followed, how far each copy is, and what that means for reads.

mod copies;
mod push;
mod settings;

use grunddata_log_proof::head::PublicKey;
use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{NewPeer, PeerRow, PeerStatus, StoreError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::registry::refuse_store;
use crate::{Action, Code, Context, IfMatch, Refusal, Registry, fact};

pub use copies::{Copied, Copies};
pub use push::{Push, PushSettings};
pub use settings::PeerSettings;

/// A peer: from where which owner is copied, and how far the copy is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// By which it is known here.
    pub name: String,
    /// The version of its settings, from 1.
    pub version: u32,
    /// From where, what, and with what.
    pub settings: PeerSettings,
    /// When it was added.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// How it stands.
    pub state: PeerState,
}

/// How a peer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerState {
    /// `following`, `paused` or `left`.
    pub status: &'static str,
    /// Whether everything of the owner is copied, so that coordinates are answered as at the origin.
    pub whole: bool,
    /// The position of the last change that came; of a whole copy it is the origin's own.
    pub position: u64,
    /// When the origin recorded it: the copy is complete up to there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complete_to: Option<Instant>,
    /// When it came here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Instant>,
    /// When the origin last said that there was nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Instant>,
    /// How often everything was fetched anew.
    pub restarts: u32,
    /// How often in a row it has failed.
    pub failures: u32,
    /// Why, the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The release of the information model that is missing here: nothing comes until it is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_model: Option<String>,
    /// The keys of its log that are trusted, by their names.
    pub trusts: Vec<String>,
    /// From which position on the copy cannot be compared with the origin's signed heads, as the token is not told all that its
    /// log commits to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven_from: Option<u64>,
}

impl TryFrom<PeerRow> for Peer {
    type Error = Refusal;

    fn try_from(row: PeerRow) -> Result<Self, Refusal> {
        let settings = serde_json::from_str(&row.settings).map_err(|error| {
            tracing::error!(peer = row.name, %error, "the settings of a peer cannot be read");
            Refusal::internal()
        })?;
        Ok(Self {
            name: row.name,
            version: row.version,
            settings,
            created_at: row.created_at,
            created_by: row.created_by,
            state: PeerState {
                status: row.status.as_str(),
                whole: row.whole,
                position: row.position,
                complete_to: row.complete_at,
                received_at: row.received_at,
                heard_at: row.heard_at,
                restarts: row.restarts,
                failures: row.failures,
                failure: row.failure,
                needs_model: row.needs_model,
                trusts: row.log_keys.iter().map(PublicKey::id).collect(),
                unproven_from: row.unproven_from,
            },
        })
    }
}

fn unknown(name: &str) -> Refusal {
    let shown: String = name.chars().take(60).collect();
    Refusal::new(
        Code::UnknownPeer,
        format!("There is no peer {shown:?}. GET /peers lists them."),
    )
}

fn moved(name: &str, version: u32) -> Refusal {
    Refusal::new(
        Code::PreconditionFailed,
        format!("The peer {name} has the version {version} by now: read it again."),
    )
    .fact(fact::VERSION, version)
}

/// Copies are the whole registry's concern.
fn must_administer(context: &Context) -> Result<(), Refusal> {
    if context.actor.may_for_everything(Action::Administer) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::Forbidden,
        "Peers are for administrators of the whole registry: those whose grant covers every owner, controller, domain and class.",
    ))
}

impl Registry {
    /// Adds a peer with the owner that it copies, or changes its settings.
    ///
    /// # Errors
    /// [`Code::Forbidden`]; [`Code::InvalidSettings`] with everything that is wrong; [`Code::OwnerAtHome`] when the owner
    /// belongs here, [`Code::OwnerCopied`] when it is copied from elsewhere already; [`Code::PreconditionRequired`] and
    /// [`Code::PreconditionFailed`] as for a record.
    pub fn put_peer(
        &self,
        context: &Context,
        name: &str,
        mut settings: PeerSettings,
        if_match: Option<IfMatch>,
    ) -> Result<Peer, Refusal> {
        context.disclosed.acted(
            [settings.owner.clone()],
            json!({"peer": name, "url": settings.url}),
        );
        must_administer(context)?;
        settings::check_name(name)?;
        if self.push(context, name)?.is_some() {
            return Err(Refusal::new(
                Code::InvalidSettings,
                format!(
                    "By the name {name} an owner of this registry is pushed to another one: give the peer another name."
                ),
            ));
        }
        if let Some(id) = &settings.pushed_by {
            // However often its secret is changed, it is the same client.
            settings.pushed_by = Some(self.reader_of_token(context, id)?.client);
        }
        let known = self.find_peer(name)?;
        let version = known.as_ref().map_or(0, |known| known.version);
        match if_match {
            None if version > 0 => {
                return Err(Refusal::new(
                    Code::PreconditionRequired,
                    format!("The peer {name} is there: send If-Match with \"{version}\" after reading it, or *."),
                )
                .fact(fact::VERSION, version));
            }
            Some(IfMatch::Version(seen)) if seen != version => return Err(moved(name, version)),
            _ => {}
        }
        if let Some(known) = &known
            && known.owner != settings.owner
        {
            return Err(Refusal::new(
                Code::InvalidSettings,
                format!(
                    "The peer {name} copies {}: add another peer for {}.",
                    known.owner, settings.owner
                ),
            ));
        }
        let before = known.map(Peer::try_from).transpose()?;
        let anew = before
            .as_ref()
            .is_some_and(|before| before.settings.choice() != settings.choice());
        // Another registry has other keys.
        let keys_stay = before.is_some_and(|before| {
            before.settings.url == settings.url && before.settings.keys == settings.keys
        });
        let new = NewPeer {
            name: name.to_owned(),
            owner: settings.owner.clone(),
            title: settings
                .title
                .clone()
                .unwrap_or_else(|| settings.owner.to_string()),
            settings: serde_json::to_string(&settings).map_err(|_| Refusal::internal())?,
            url: settings.url.clone(),
            whole: settings.is_whole(),
            anew,
            log_keys: (!keys_stay).then(|| settings.pinned()),
            actor: context.actor.name.clone(),
            now: context.now,
        };
        let put = match self.inner.store.put_peer(&new, version) {
            Err(StoreError::OwnerExists(owner)) => {
                return Err(Refusal::new(
                    Code::OwnerAtHome,
                    format!("{owner} is an owner of this registry: what belongs here is not copied from elsewhere."),
                )
                .fact("owner", owner.as_str()));
            }
            other => other.map_err(refuse_store)?,
        };
        self.inner.visibilities.forget();
        self.refresh_copies()?;
        match put {
            Some(row) => row.try_into(),
            None => {
                let other = self
                    .peer_rows()?
                    .into_iter()
                    .find(|row| row.owner == settings.owner && row.name != name);
                Err(other.map_or_else(
                    || moved(name, version),
                    |other| {
                        Refusal::new(
                            Code::OwnerCopied,
                            format!("{} is copied from the peer {} already, and an owner is copied from one place alone.", other.owner, other.name),
                        )
                        .fact("peer", other.name)
                    },
                ))
            }
        }
    }

    /// All peers, by name.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn peers(&self, context: &Context) -> Result<Vec<Peer>, Refusal> {
        must_administer(context)?;
        self.peer_rows()?.into_iter().map(Peer::try_from).collect()
    }

    /// One peer.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownPeer`].
    pub fn peer(&self, context: &Context, name: &str) -> Result<Peer, Refusal> {
        must_administer(context)?;
        self.find_peer(name)?
            .ok_or_else(|| unknown(name))?
            .try_into()
    }

    /// Follows a peer again, or pauses it.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownPeer`], [`Code::PreconditionFailed`].
    pub fn follow_peer(
        &self,
        context: &Context,
        name: &str,
        if_match: Option<IfMatch>,
        follow: bool,
    ) -> Result<Peer, Refusal> {
        self.found_peer(
            context,
            name,
            if_match,
            json!({"peer": name, "follow": follow}),
        )?;
        let status = if follow {
            PeerStatus::Following
        } else {
            PeerStatus::Paused
        };
        self.inner
            .store
            .set_peer_status(name, status)
            .map_err(refuse_store)?;
        self.peer(context, name)
    }

    /// Trusts other keys of a peer's log from now on, in place of those that were trusted.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownPeer`], [`Code::PreconditionFailed`].
    pub fn trust_peer(
        &self,
        context: &Context,
        name: &str,
        if_match: Option<IfMatch>,
        keys: &[PublicKey],
    ) -> Result<Peer, Refusal> {
        let names: Vec<String> = keys.iter().map(PublicKey::id).collect();
        self.found_peer(
            context,
            name,
            if_match,
            json!({"peer": name, "trusts": names}),
        )?;
        self.inner
            .store
            .trust_peer(name, keys)
            .map_err(refuse_store)?;
        self.peer(context, name)
    }

    /// Leaves a peer: with its owner and everything that was copied, or so that both stay as they are, read-only.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownPeer`], [`Code::PreconditionFailed`].
    pub fn remove_peer(
        &self,
        context: &Context,
        name: &str,
        if_match: Option<IfMatch>,
        records: bool,
    ) -> Result<(), Refusal> {
        self.found_peer(
            context,
            name,
            if_match,
            json!({"peer": name, "removed": true, "records": records}),
        )?;
        if records {
            self.inner.store.remove_peer(name).map_err(refuse_store)?;
            self.inner.visibilities.forget();
        } else {
            self.inner
                .store
                .set_peer_status(name, PeerStatus::Left)
                .map_err(refuse_store)?;
        }
        self.refresh_copies().map(drop)
    }

    fn found_peer(
        &self,
        context: &Context,
        name: &str,
        if_match: Option<IfMatch>,
        told: Value,
    ) -> Result<PeerRow, Refusal> {
        let owner: Option<OwnerKey> = self.find_peer(name)?.map(|row| row.owner);
        context.disclosed.acted(owner, told);
        must_administer(context)?;
        let row = self.find_peer(name)?.ok_or_else(|| unknown(name))?;
        match if_match {
            Some(IfMatch::Version(seen)) if seen != row.version => Err(moved(name, row.version)),
            _ => Ok(row),
        }
    }

    /// The peer that waits for whoever calls to push to it.
    ///
    /// # Errors
    /// [`Code::UnknownPeer`]: also when it waits for somebody else.
    pub fn pushed_peer(&self, context: &Context, name: &str) -> Result<PeerRow, Refusal> {
        let client = context.actor.client.as_str();
        self.find_peer(name)?
            .filter(|row| {
                let settings = serde_json::from_str::<PeerSettings>(&row.settings);
                settings.is_ok_and(|settings| settings.pushed_by.as_deref() == Some(client))
            })
            .ok_or_else(|| {
                Refusal::new(
                    Code::UnknownPeer,
                    "No peer by this name waits to be pushed to with this token: whoever runs the registry adds one with --pushed-by.",
                )
            })
    }

    fn find_peer(&self, name: &str) -> Result<Option<PeerRow>, Refusal> {
        self.inner
            .store
            .read(|reader| reader.peer(name))
            .map_err(refuse_store)
    }

    fn peer_rows(&self) -> Result<Vec<PeerRow>, Refusal> {
        self.inner
            .store
            .read(|reader| reader.peers())
            .map_err(refuse_store)
    }
}
