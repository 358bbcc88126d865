//! Sources: put, read, and what they were.

use grunddata_model::{Instant, OwnerKey, SchemeCode};
use grunddata_store::SourceRow;
use serde::Serialize;
use serde_json::json;

use super::settings::SourceSettings;
use super::{must_administer, must_load};
use crate::registry::refuse_store;
use crate::write::check_text;
use crate::{Action, Code, Context, IfMatch, Refusal, Registry, fact};

/// The longest key of a source, in characters.
const LONGEST_KEY: usize = 63;
/// The most versions of a source that are listed.
const MOST_VERSIONS: i64 = 1_000;

/// A source to be put.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSource {
    /// Whom it feeds.
    pub owner: OwnerKey,
    /// Its key: small letters, digits, hyphen. Its own keys are identifiers of the scheme `source:KEY`.
    pub key: String,
    /// The settings.
    pub settings: SourceSettings,
    /// The version that was seen. Not needed for a new one.
    pub if_match: Option<IfMatch>,
    /// Why.
    pub reason: Option<String>,
}

/// A version of a source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Whom it feeds.
    pub owner: OwnerKey,
    /// Its key.
    pub key: String,
    /// The version, counted from 1.
    pub version: u32,
    /// When it was put.
    pub created_at: Instant,
    /// By whom.
    pub created_by: String,
    /// Why.
    pub reason: Option<String>,
    /// The settings.
    pub settings: SourceSettings,
}

impl TryFrom<SourceRow> for Source {
    type Error = Refusal;

    fn try_from(row: SourceRow) -> Result<Self, Refusal> {
        let settings = serde_json::from_str(&row.settings).map_err(|error| {
            tracing::error!(%error, owner = %row.owner, source = %row.key, "stored settings cannot be read");
            Refusal::internal()
        })?;
        Ok(Self {
            owner: row.owner,
            key: row.key,
            version: row.version,
            created_at: row.created_at,
            created_by: row.created_by,
            reason: row.reason,
            settings,
        })
    }
}

/// There is no such source, or the actor may not know of it.
fn unknown(owner: &OwnerKey, key: &str) -> Refusal {
    let shown: String = key.chars().take(LONGEST_KEY).collect();
    Refusal::new(
        Code::UnknownSource,
        format!("{owner} has no source {shown:?}. An administrator of the owner puts it."),
    )
}

impl Registry {
    /// Puts a source, or its next version. What is as it was makes no version.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer the whole of the owner; [`Code::InvalidSettings`],
    /// [`Code::InvalidText`]; [`Code::PreconditionRequired`] and [`Code::PreconditionFailed`] as for a record.
    pub fn put_source(&self, context: &Context, new: NewSource) -> Result<Source, Refusal> {
        context
            .disclosed
            .acted([new.owner.clone()], json!({"source": new.key}));
        must_administer(context, &new.owner)?;
        check_key(&new.key)?;
        if let Some(reason) = &new.reason {
            check_text("reason", reason, 1_000)?;
        }
        let written = serde_json::to_value(&new.settings).map_err(|_| Refusal::internal())?;
        // Whoever builds the value in code is held to the same rules.
        let settings = SourceSettings::read(written)?;
        let present = self
            .inner
            .store
            .read(|reader| reader.source(&new.owner, &new.key))
            .map_err(refuse_store)?
            .map(Source::try_from)
            .transpose()?;
        let version = present.as_ref().map_or(0, |source| source.version);
        match new.if_match {
            None if version > 0 => {
                return Err(Refusal::new(
                    Code::PreconditionRequired,
                    format!("The source {} is there: send If-Match with \"{version}\" after reading it, or *.", new.key),
                )
                .fact(fact::VERSION, version));
            }
            Some(IfMatch::Version(seen)) if seen != version => {
                return Err(moved(&new.key, version));
            }
            _ => {}
        }
        if let Some(present) = present
            && present.settings == settings
        {
            return Ok(present);
        }
        let feeds_copies = settings.copy_of.is_some();
        if feeds_copies && !context.actor.may_for_everything(Action::Administer) {
            return Err(Refusal::new(
                Code::Forbidden,
                "What is a copy of another register is for administrators of the whole registry to say: leave copyOf out, or ask one of them.",
            ));
        }
        let row = SourceRow {
            owner: new.owner,
            key: new.key,
            version: version.saturating_add(1),
            settings: serde_json::to_string(&settings).map_err(|_| Refusal::internal())?,
            created_at: context.now,
            created_by: context.actor.name.clone(),
            reason: new.reason,
        };
        match self.inner.store.put_source(&row).map_err(refuse_store)? {
            Ok(()) => row.try_into(),
            Err(version) => Err(moved(&row.key, version)),
        }
    }

    /// A source as it is now.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who neither loads for the owner nor administers it; [`Code::UnknownSource`].
    pub fn source(
        &self,
        context: &Context,
        owner: &OwnerKey,
        key: &str,
    ) -> Result<Source, Refusal> {
        may_read(context, owner)?;
        self.source_of(owner, key)
    }

    /// The sources of an owner as they are now, by key.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who neither loads for the owner nor administers it.
    pub fn sources(&self, context: &Context, owner: &OwnerKey) -> Result<Vec<Source>, Refusal> {
        may_read(context, owner)?;
        let rows = self
            .inner
            .store
            .read(|reader| reader.sources(owner))
            .map_err(refuse_store)?;
        rows.into_iter().map(Source::try_from).collect()
    }

    /// The versions of a source, the latest first.
    ///
    /// # Errors
    /// As [`source`](Self::source).
    pub fn source_history(
        &self,
        context: &Context,
        owner: &OwnerKey,
        key: &str,
    ) -> Result<Vec<Source>, Refusal> {
        may_read(context, owner)?;
        let rows = self
            .inner
            .store
            .read(|reader| reader.source_history(owner, key, MOST_VERSIONS))
            .map_err(refuse_store)?;
        if rows.is_empty() {
            return Err(unknown(owner, key));
        }
        rows.into_iter().map(Source::try_from).collect()
    }

    /// A source as it is now, for who has been let in.
    pub(super) fn source_of(&self, owner: &OwnerKey, key: &str) -> Result<Source, Refusal> {
        self.inner
            .store
            .read(|reader| reader.source(owner, key))
            .map_err(refuse_store)?
            .ok_or_else(|| unknown(owner, key))?
            .try_into()
    }
}

pub(super) fn may_read(context: &Context, owner: &OwnerKey) -> Result<(), Refusal> {
    if context.actor.may(Action::Administer, owner) {
        return Ok(());
    }
    must_load(context, owner)
}

fn moved(key: &str, version: u32) -> Refusal {
    Refusal::new(
        Code::PreconditionFailed,
        format!("The source {key} has version {version} now. Read it again, and decide on what you see there."),
    )
    .fact(fact::VERSION, version)
}

fn check_key(key: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let valid = (1..=LONGEST_KEY).contains(&key.len())
        && key.bytes().all(allowed)
        && !key.starts_with('-')
        && SchemeCode::new(&format!("source:{key}")).is_ok();
    if valid {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidText,
        format!("The key of a source is 1 to {LONGEST_KEY} small letters, digits and hyphens, the first one no hyphen, such as hr."),
    )
    .fact(fact::PARAMETER, "key"))
}
