//! Bearer tokens: 256 random bits, of which only the SHA-256 is kept. A token is compared by its hash alone, which tells
//! nobody who measures time anything about it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grunddata_model::Instant;
use grunddata_store::TokenRow;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::access::stockholm_day;
use crate::registry::refuse_store;
use crate::write::check_name;
use crate::{Action, Actor, Code, Context, Grant, Refusal, Registry};

/// What every token begins with, so that one that leaks into a repository is recognised.
const PREFIX: &str = "gd_";
/// How often the last use is noted, in microseconds.
const NOTED_EVERY: i64 = 3_600_000_000;

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The name by which its changes are signed.
    pub name: String,
    /// Its rights.
    pub grants: Vec<Grant>,
    /// Whether it feeds copies of other registers.
    pub feeds_copies: bool,
    /// From when on it is refused.
    pub expires_at: Option<Instant>,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The id by which it is named and revoked: the beginning of its hash.
    pub id: String,
    /// The name.
    pub name: String,
    /// Its rights.
    pub grants: Vec<Grant>,
    /// Whether it feeds copies.
    pub feeds_copies: bool,
    /// When it was made.
    pub created_at: Instant,
    /// From when on it is refused.
    pub expires_at: Option<Instant>,
    /// When it was revoked.
    pub revoked_at: Option<Instant>,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Instant>,
}

/// A new token with its secret, which is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct MintedToken {
    /// What the client sends. Kept nowhere.
    pub secret: String,
    /// The token.
    pub token: Token,
}

impl std::fmt::Debug for MintedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MintedToken")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// The rights as they are stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredRights {
    grants: Vec<Grant>,
    #[serde(default)]
    feeds_copies: bool,
}

impl Registry {
    /// Makes a token. The actor gives only what it has itself, and only as an administrator. A token that is made with one
    /// that ends does so no later, whatever was asked for: the answer says when.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::InvalidText`], [`Code::InvalidParameter`] for a token without rights or one that has
    /// expired already.
    pub fn mint_token(&self, context: &Context, new: NewToken) -> Result<MintedToken, Refusal> {
        check_name("name", &new.name)?;
        if new.grants.is_empty() {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "A token needs at least one grant.",
            ));
        }
        if new.expires_at.is_some_and(|at| at <= context.now) {
            return Err(Refusal::new(
                Code::InvalidParameter,
                "expiresAt lies in the past.",
            ));
        }
        let everywhere = context.actor.may_for_everything(Action::Administer);
        let allowed = new
            .grants
            .iter()
            .all(|grant| hands_on(&context.actor, grant));
        if !allowed || (new.feeds_copies && !everywhere) {
            return Err(Refusal::new(
                Code::Forbidden,
                "Tokens are made by administrators, each for the owners that they administer and with no more than they hold; one that feeds copies by an administrator of the whole registry.",
            ));
        }
        let expires_at = [new.expires_at, context.actor.expires_at];
        let expires_at = expires_at.into_iter().flatten().min();
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::error!(%error, "the operating system gives no random bits");
            Refusal::internal()
        })?;
        let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let rights = StoredRights {
            grants: new.grants.clone(),
            feeds_copies: new.feeds_copies,
        };
        let row = TokenRow {
            hash: hash(&secret),
            name: new.name,
            grants: serde_json::to_string(&rights).map_err(|_| Refusal::internal())?,
            created_at: context.now,
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        self.inner.store.put_token(&row).map_err(refuse_store)?;
        Ok(MintedToken {
            secret,
            token: token(row)?,
        })
    }

    /// The tokens that the actor administers, newest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who administers nothing.
    pub fn tokens(&self, context: &Context) -> Result<Vec<Token>, Refusal> {
        if !context.actor.may_somewhere(Action::Administer) {
            return Err(Refusal::new(
                Code::Forbidden,
                "Tokens are listed for administrators.",
            ));
        }
        let mut tokens = Vec::new();
        for row in self.inner.store.tokens().map_err(refuse_store)? {
            let token = token(row)?;
            if administers_all(&context.actor, &token.grants) {
                tokens.push(token);
            }
        }
        Ok(tokens)
    }

    /// Revokes a token by its id.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the actor administers no such token.
    pub fn revoke_token(&self, context: &Context, id: &str) -> Result<(), Refusal> {
        self.tokens(context)?;
        for row in self.inner.store.tokens().map_err(refuse_store)? {
            let hash = row.hash;
            let token = token(row)?;
            if token.id == id && administers_all(&context.actor, &token.grants) {
                self.inner.store.revoke_token(&hash).map_err(refuse_store)?;
                return Ok(());
            }
        }
        Err(Refusal::new(
            Code::NotFound,
            format!("There is no token {id} that you administer."),
        ))
    }

    /// Who a secret belongs to; `None` when it belongs to nobody, has expired or was revoked.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub fn authenticate(&self, secret: &str) -> Result<Option<Actor>, Refusal> {
        if !secret.starts_with(PREFIX) {
            return Ok(None);
        }
        let now = self.now();
        let hash = hash(secret);
        let Some(row) = self.inner.store.find_token(&hash).map_err(refuse_store)? else {
            return Ok(None);
        };
        let used = row.last_used_at;
        let token = token(row)?;
        if token.revoked_at.is_some() || token.expires_at.is_some_and(|at| at <= now) {
            return Ok(None);
        }
        if used.is_none_or(|used| now.micros().saturating_sub(used.micros()) > NOTED_EVERY)
            && let Err(error) = self.inner.store.touch_token(&hash)
        {
            // Not worth refusing anybody.
            tracing::warn!(%error, token = %token.id, "the use of a token could not be noted");
        }
        Ok(Some(Actor {
            name: token.name,
            client: token.id,
            grants: token.grants.into(),
            feeds_copies: token.feeds_copies,
            expires_at: token.expires_at,
        }))
    }
}

/// Whether the actor administers where the grant counts, and holds all of it itself.
pub(crate) fn hands_on(actor: &Actor, grant: &Grant) -> bool {
    actor
        .grants
        .list()
        .iter()
        .any(|held| held.allows(Action::Administer) && held.includes(grant))
}

/// Whether the grant would count when the actor itself is not let in any more.
pub(crate) fn outlives(actor: &Actor, grant: &Grant) -> bool {
    actor.expires_at.is_some_and(|at| {
        let last = stockholm_day(at);
        grant.valid_to.is_none_or(|to| to > last)
    })
}

/// Whether the actor administers everything that the grant covers while it counts: who may see it and take it back. Under
/// which conditions the actor holds that makes no difference to this, as long as they are fulfilled.
pub(crate) fn administers(actor: &Actor, grant: &Grant) -> bool {
    actor
        .grants
        .list()
        .iter()
        .any(|held| held.allows(Action::Administer) && held.covers(grant))
}

fn administers_all(actor: &Actor, grants: &[Grant]) -> bool {
    grants.iter().all(|grant| administers(actor, grant))
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn token(row: TokenRow) -> Result<Token, Refusal> {
    let rights: StoredRights = serde_json::from_str(&row.grants).map_err(|error| {
        tracing::error!(%error, "the stored rights of a token cannot be read");
        Refusal::internal()
    })?;
    let id = row.hash.iter().take(8).fold(String::new(), |mut id, byte| {
        use std::fmt::Write as _;
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
        id
    });
    Ok(Token {
        id,
        name: row.name,
        grants: rights.grants,
        feeds_copies: rights.feeds_copies,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
    })
}
