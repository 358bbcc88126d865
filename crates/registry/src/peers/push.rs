//! Registries that an owner of this one is pushed to: they copy it, and cannot ask for it themselves.

use grunddata_model::{Instant, OwnerKey};
use grunddata_store::{NewPush, PeerStatus, PushRow};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::settings::{check_name, is_address};
use super::{must_administer, settings};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Code, Context, Fault, Refusal, Registry};

/// Where to, what and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushSettings {
    /// The address of the other registry, without what comes below it: `https://nation.example.se`.
    pub url: String,
    /// The owner of this registry that it copies.
    pub owner: OwnerKey,
    /// The name of the peer that waits there for this registry.
    pub peer: String,
    /// The file in which the token lies that the other registry is shown.
    pub token_file: String,
    /// The file in which a token of this registry lies: what it is shown is what is pushed.
    pub reader_token_file: String,
}

impl PushSettings {
    /// That they can be used.
    ///
    /// # Errors
    /// [`Code::InvalidSettings`] with everything that is wrong.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut faults = Vec::new();
        let mut wrong = |name: &str, en: &str, sv: &str| {
            let pointer = format!("/settings/{name}");
            let (en, sv) = (en.to_owned(), sv.to_owned());
            faults.push(Fault::new(pointer, Code::InvalidSettings, en, sv));
        };
        if !is_address(&self.url) {
            wrong(
                "url",
                "url is the address of the registry, such as https://grunddata.example.se, without what comes below it.",
                "url är registrets adress, till exempel https://grunddata.example.se, utan det som ligger under.",
            );
        }
        if settings::check_name(&self.peer).is_err() {
            wrong(
                "peer",
                "peer is the name of the peer that waits at the other registry: small letters, digits and hyphens.",
                "peer är namnet på den part som väntar i det andra registret: små bokstäver, siffror och bindestreck.",
            );
        }
        for (name, text) in [
            ("tokenFile", &self.token_file),
            ("readerTokenFile", &self.reader_token_file),
        ] {
            if text.is_empty() || check_text(name, text, 500).is_err() {
                wrong(
                    name,
                    "The file of a token is named with at most 500 characters.",
                    "Filen med en nyckel anges med högst 500 tecken.",
                );
            }
        }
        if faults.is_empty() {
            return Ok(());
        }
        let mut refusal = Refusal::new(
            Code::InvalidSettings,
            "The settings of the push cannot be used: see errors.",
        );
        refusal.errors = faults;
        Err(refusal)
    }
}

/// A registry that an owner of this one is pushed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// By which it is known here.
    pub name: String,
    /// The version of its settings, from 1.
    pub version: u32,
    /// Where to, what and with what.
    pub settings: PushSettings,
    /// When it was added.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// `following` or `paused`.
    pub status: &'static str,
    /// When the other registry last answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Instant>,
    /// How often in a row it has failed.
    pub failures: u32,
    /// Why, the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Push {
    /// How it goes, in words, and whether it goes well.
    #[must_use]
    pub fn told(&self, now: Instant) -> (String, bool) {
        let (owner, url) = (&self.settings.owner, &self.settings.url);
        if self.status != PeerStatus::Following.as_str() {
            let why = self.failure.as_deref();
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            return (
                format!("{owner} is not pushed to {url}: it is paused until it is resumed{why}."),
                self.failure.is_none(),
            );
        }
        let heard = self.heard_at.map_or_else(
            || "it has never answered".to_owned(),
            |at| {
                let ago = now.micros().saturating_sub(at.micros()) / 1_000_000;
                format!("it last answered {} seconds ago", ago.max(0))
            },
        );
        match &self.failure {
            None => (
                format!("{owner} is pushed to {url}: {heard}."),
                self.heard_at.is_some(),
            ),
            Some(why) => (
                format!(
                    "{owner} cannot be pushed to {url}: {heard}. The last {} attempts failed: {why}.",
                    self.failures
                ),
                false,
            ),
        }
    }
}

impl TryFrom<PushRow> for Push {
    type Error = Refusal;

    fn try_from(row: PushRow) -> Result<Self, Refusal> {
        let settings = serde_json::from_str(&row.settings).map_err(|error| {
            tracing::error!(push = row.name, %error, "the settings of a push cannot be read");
            Refusal::internal()
        })?;
        Ok(Self {
            name: row.name,
            version: row.version,
            settings,
            created_at: row.created_at,
            created_by: row.created_by,
            status: row.status.as_str(),
            heard_at: row.heard_at,
            failures: row.failures,
            failure: row.failure,
        })
    }
}

fn unknown(name: &str) -> Refusal {
    let shown: String = name.chars().take(60).collect();
    Refusal::new(
        Code::UnknownPeer,
        format!("Nothing is pushed to a registry by the name {shown:?}."),
    )
}

impl Registry {
    /// Adds a registry that an owner of this one is pushed to, or changes its settings.
    ///
    /// # Errors
    /// [`Code::Forbidden`]; [`Code::InvalidSettings`] with everything that is wrong, a name that a peer has included;
    /// [`Code::UnknownOwner`].
    pub fn put_push(
        &self,
        context: &Context,
        name: &str,
        settings: &PushSettings,
    ) -> Result<Push, Refusal> {
        context.disclosed.acted(
            [settings.owner.clone()],
            json!({"push": name, "url": settings.url}),
        );
        must_administer(context)?;
        check_name(name)?;
        settings.check()?;
        if self.find_peer(name)?.is_some() {
            return Err(Refusal::new(
                Code::InvalidSettings,
                format!("{name} is a peer that is copied here: give what is pushed another name."),
            ));
        }
        let owners = self.inner.store.owners().map_err(refuse_store)?;
        if !owners.iter().any(|owner| owner.key == settings.owner) {
            return Err(Refusal::new(
                Code::UnknownOwner,
                format!("There is no owner {}.", settings.owner),
            ));
        }
        let new = NewPush {
            name: name.to_owned(),
            owner: settings.owner.clone(),
            settings: serde_json::to_string(settings).map_err(|_| Refusal::internal())?,
            actor: context.actor.name.clone(),
            now: context.now,
        };
        let put = self.inner.store.put_push(&new).map_err(refuse_store)?;
        put.ok_or_else(|| unknown(name))?.try_into()
    }

    /// All registries that something is pushed to, by name.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn pushes(&self, context: &Context) -> Result<Vec<Push>, Refusal> {
        must_administer(context)?;
        let rows = self.inner.store.read(|reader| reader.pushes());
        let rows = rows.map_err(refuse_store)?.into_iter();
        rows.map(Push::try_from).collect()
    }

    /// One of them, if it is there.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn push(&self, context: &Context, name: &str) -> Result<Option<Push>, Refusal> {
        must_administer(context)?;
        let row = self.inner.store.find_push(name).map_err(refuse_store)?;
        row.map(Push::try_from).transpose()
    }

    /// Pushes again, or pauses.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownPeer`].
    pub fn follow_push(&self, context: &Context, name: &str, follow: bool) -> Result<(), Refusal> {
        self.acted_on_push(context, name, json!({"push": name, "follow": follow}))?;
        let status = if follow {
            PeerStatus::Following
        } else {
            PeerStatus::Paused
        };
        let store = &self.inner.store;
        store
            .set_push_status(name, status)
            .map_err(refuse_store)
            .map(drop)
    }

    /// Pushes no more. What the other registry has stays with it.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::UnknownPeer`].
    pub fn remove_push(&self, context: &Context, name: &str) -> Result<(), Refusal> {
        self.acted_on_push(context, name, json!({"push": name, "removed": true}))?;
        let store = &self.inner.store;
        store.remove_push(name).map_err(refuse_store).map(drop)
    }

    fn acted_on_push(
        &self,
        context: &Context,
        name: &str,
        told: serde_json::Value,
    ) -> Result<(), Refusal> {
        let known = self.inner.store.find_push(name).map_err(refuse_store)?;
        let owner = known.as_ref().map(|row| row.owner.clone());
        context.disclosed.acted(owner, told);
        must_administer(context)?;
        known.map(drop).ok_or_else(|| unknown(name))
    }
}
