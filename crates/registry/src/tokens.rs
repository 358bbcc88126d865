//! Bearer tokens: 256 random bits, of which only the SHA-256 is kept. A token is compared by its hash alone, which tells
//! nobody who measures time anything about it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grunddata_model::Instant;
use grunddata_store::TokenRow;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::access::stockholm_day;
use crate::registry::refuse_store;
use crate::write::check_name;
use crate::{Action, Actor, Code, Context, Grant, OwnerScope, Refusal, Registry, Role, fact};

/// What every token begins with, so that one that leaks into a repository is recognised.
const PREFIX: &str = "gd_";
/// How often the last use is noted, in microseconds.
const NOTED_EVERY: i64 = 3_600_000_000;

/// How many days the old secret of a rotated token is good, unless something else is said.
pub const OVERLAP_DAYS: u32 = 7;
/// The most days for which it can be.
pub const MOST_OVERLAP_DAYS: u32 = 90;

const MICROS_A_DAY: i64 = 86_400_000_000;

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The name by which its changes are signed.
    pub name: String,
    /// Its rights.
    pub grants: Vec<Grant>,
    /// Whether it feeds copies of other registers.
    pub feeds_copies: bool,
    /// The unit whose work it does: the access log says so.
    pub unit: Option<String>,
    /// From when on it is refused.
    pub expires_at: Option<Instant>,
}

/// A client of this registry that asks for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AskingClient {
    /// The name of its token.
    pub(crate) name: String,
    /// What tells it from others, however often the secret is changed.
    pub(crate) line: String,
}

/// How a token is given a new secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// For how many days the old secret is still good.
    pub overlap_days: u32,
    /// From when on the new secret is refused. `None` = as long from now on as the old one was made for.
    pub expires_at: Option<Instant>,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            overlap_days: OVERLAP_DAYS,
            expires_at: None,
        }
    }
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
    /// The unit whose work it does.
    pub unit: Option<String>,
    /// What tells its user from others, however often the secret is changed: the id of the first of its line.
    pub client: String,
    /// The id of the token whose secret it replaces.
    pub replaces: Option<String>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// The id of the first of its line; `None` = itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

impl Registry {
    /// Makes a token. The actor gives only what it has itself, and only as an administrator. A token that is made with one
    /// that ends does so no later, whatever was asked for: the answer says when.
    ///
    /// # Errors
    /// [`Code::Forbidden`], [`Code::InvalidText`], [`Code::InvalidParameter`] for a token without rights or one that has
    /// expired already.
    pub fn mint_token(&self, context: &Context, new: NewToken) -> Result<MintedToken, Refusal> {
        let told = json!({"name": new.name, "grants": new.grants, "feedsCopies": new.feeds_copies, "unit": new.unit, "expiresAt": new.expires_at});
        self.note_rights(context, &new.grants, told)?;
        check_name("name", &new.name)?;
        if let Some(unit) = &new.unit {
            check_name("unit", unit)?;
        }
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
        let rights = StoredRights {
            grants: new.grants,
            feeds_copies: new.feeds_copies,
            unit: new.unit,
            client: None,
            replaces: None,
        };
        if !makes(&context.actor, &rights.grants, rights.feeds_copies) {
            return Err(no_maker());
        }
        let expires_at = ended_with(context, new.expires_at);
        self.put_secret(context, new.name, &rights, expires_at)
    }

    /// Makes the first token of a registry: of an administrator of everything. `None` when a token was made before, by
    /// another process at the same moment included.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who does not administer everything, [`Code::InvalidText`].
    pub fn mint_first_token(
        &self,
        context: &Context,
        name: &str,
    ) -> Result<Option<MintedToken>, Refusal> {
        check_name("name", name)?;
        let rights = StoredRights {
            grants: vec![Grant::of(OwnerScope::All, Role::Administrator)],
            feeds_copies: false,
            unit: None,
            client: None,
            replaces: None,
        };
        if !makes(&context.actor, &rights.grants, rights.feeds_copies) {
            return Err(no_maker());
        }
        let expires_at = ended_with(context, None);
        let (secret, row) = new_secret(context, name.to_owned(), &rights, expires_at)?;
        let is_first = self
            .inner
            .store
            .put_first_token(&row)
            .map_err(refuse_store)?;
        if !is_first {
            return Ok(None);
        }
        let token = token_of(row)?;
        context.disclosed.acted([], json!({"made": token.id}));
        Ok(Some(MintedToken { secret, token }))
    }

    /// Gives a token a new secret: a new token of the same name and rights, with which its user stays the same client.
    /// The old one is good for the overlap, or until it would have ended anyway.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the actor administers no such token, [`Code::Forbidden`] for who holds less than it,
    /// [`Code::InvalidParameter`] for one that is no longer good or has been replaced, for too long an overlap, and for an
    /// end in the past.
    pub fn rotate_token(
        &self,
        context: &Context,
        id: &str,
        rotation: Rotation,
    ) -> Result<MintedToken, Refusal> {
        let wrong = |detail: String| Err(Refusal::new(Code::InvalidParameter, detail));
        if rotation.overlap_days > MOST_OVERLAP_DAYS {
            return wrong(format!(
                "The old secret can be good for at most {MOST_OVERLAP_DAYS} days more: give 0 to {MOST_OVERLAP_DAYS}."
            ));
        }
        if rotation.expires_at.is_some_and(|at| at <= context.now) {
            return wrong("expiresAt lies in the past: give a later instant.".to_owned());
        }
        let administered = self.administered(context)?;
        let (hash, old) = administered
            .iter()
            .find(|(_, token)| token.id == id)
            .ok_or_else(|| unknown(id))?;
        let told = json!({"token": id, "name": old.name, "overlapDays": rotation.overlap_days, "expiresAt": rotation.expires_at});
        self.note_rights(context, &old.grants, told)?;
        if !makes(&context.actor, &old.grants, old.feeds_copies) {
            return Err(no_maker());
        }
        if old.revoked_at.is_some() || old.expires_at.is_some_and(|at| at <= context.now) {
            return wrong(format!(
                "The token {id} is no longer good. Make a new one instead."
            ));
        }
        let next = administered
            .iter()
            .find(|(_, token)| token.replaces.as_deref() == Some(id) && token.revoked_at.is_none());
        if let Some((_, next)) = next {
            return wrong(format!(
                "The token {id} has been replaced by {}: rotate that one, or revoke it first.",
                next.id
            ));
        }
        let expires_at = rotation.expires_at.or_else(|| {
            let lifetime = old.expires_at?.micros() - old.created_at.micros();
            Some(Instant::from_micros(context.now.micros() + lifetime))
        });
        let expires_at = ended_with(context, expires_at);
        let rights = StoredRights {
            grants: old.grants.clone(),
            feeds_copies: old.feeds_copies,
            unit: old.unit.clone(),
            client: Some(old.client.clone()),
            replaces: Some(old.id.clone()),
        };
        // In this order: if it ends between the two, nobody knows the new secret and the old one is as good as before.
        let minted = self.put_secret(context, old.name.clone(), &rights, expires_at)?;
        let overlap = i64::from(rotation.overlap_days) * MICROS_A_DAY;
        let until = Instant::from_micros(context.now.micros() + overlap);
        self.inner
            .store
            .end_token(hash, until)
            .map_err(refuse_store)?;
        Ok(minted)
    }

    /// A new secret, of which the hash is stored.
    fn put_secret(
        &self,
        context: &Context,
        name: String,
        rights: &StoredRights,
        expires_at: Option<Instant>,
    ) -> Result<MintedToken, Refusal> {
        let (secret, row) = new_secret(context, name, rights, expires_at)?;
        self.inner.store.put_token(&row).map_err(refuse_store)?;
        let token = token_of(row)?;
        context.disclosed.acted([], json!({"made": token.id}));
        Ok(MintedToken { secret, token })
    }

    /// The tokens that the actor administers, newest first.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for who administers nothing.
    pub fn tokens(&self, context: &Context) -> Result<Vec<Token>, Refusal> {
        let administered = self.administered(context)?;
        Ok(administered.into_iter().map(|(_, token)| token).collect())
    }

    /// What tells the client from others by whose token another registry asks: a token that the actor administers and that is
    /// good, by its name or its id. The name is for people: anybody may give it to another token.
    ///
    /// # Errors
    /// [`Code::InvalidParameter`] when there is none, or several of that name.
    pub(crate) fn asking_client(
        &self,
        context: &Context,
        named: &str,
    ) -> Result<AskingClient, Refusal> {
        let mut lines: BTreeMap<String, (String, String)> = BTreeMap::new();
        for token in self.tokens(context)? {
            let good =
                token.revoked_at.is_none() && token.expires_at.is_none_or(|at| at > context.now);
            if good && (token.name == named || token.id == named) {
                lines.insert(token.client, (token.name, token.id));
            }
        }
        let wrong = |detail: String| {
            Err(Refusal::new(Code::InvalidParameter, detail).fact(fact::PARAMETER, "client"))
        };
        if lines.len() > 1 {
            let ids: Vec<&str> = lines.values().map(|(_, id)| id.as_str()).collect();
            return wrong(format!(
                "Several tokens have the name {named}: say which by its id ({}).",
                ids.join(", ")
            ));
        }
        match lines.pop_first() {
            Some((line, (name, _))) => Ok(AskingClient { name, line }),
            None => wrong(format!(
                "There is no token {named} that you administer and that is good: make one for that registry first."
            )),
        }
    }

    fn administered(&self, context: &Context) -> Result<Vec<([u8; 32], Token)>, Refusal> {
        if !context.actor.may_somewhere(Action::Administer) {
            return Err(Refusal::new(
                Code::Forbidden,
                "Tokens are listed for administrators.",
            ));
        }
        let mut tokens = Vec::new();
        for row in self.inner.store.tokens().map_err(refuse_store)? {
            let hash = row.hash;
            let token = token_of(row)?;
            if administers_all(&context.actor, &token.grants) {
                tokens.push((hash, token));
            }
        }
        Ok(tokens)
    }

    /// Revokes a token by its id.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the actor administers no such token.
    pub fn revoke_token(&self, context: &Context, id: &str) -> Result<(), Refusal> {
        let administered = self.administered(context)?;
        let (hash, token) = administered
            .iter()
            .find(|(_, token)| token.id == id)
            .ok_or_else(|| unknown(id))?;
        let told = json!({"token": id, "name": token.name});
        self.note_rights(context, &token.grants, told)?;
        self.inner.store.revoke_token(hash).map_err(refuse_store)?;
        Ok(())
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
        let token = token_of(row)?;
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
            client: token.client,
            grants: token.grants.into(),
            feeds_copies: token.feeds_copies,
            unit: token.unit,
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

/// Whether the actor may make a token with these rights.
fn makes(actor: &Actor, grants: &[Grant], feeds_copies: bool) -> bool {
    grants.iter().all(|grant| hands_on(actor, grant))
        && (!feeds_copies || actor.may_for_everything(Action::Administer))
}

/// What somebody makes ends with its maker at the latest.
fn ended_with(context: &Context, expires_at: Option<Instant>) -> Option<Instant> {
    let ends = [expires_at, context.actor.expires_at];
    ends.into_iter().flatten().min()
}

fn no_maker() -> Refusal {
    Refusal::new(
        Code::Forbidden,
        "Tokens are made by administrators, each for the owners that they administer and with no more than they hold; one that feeds copies by an administrator of the whole registry.",
    )
}

fn unknown(id: &str) -> Refusal {
    Refusal::new(
        Code::NotFound,
        format!(
            "There is no token {id} that you administer. The list of tokens shows those that you do."
        ),
    )
}

/// A new secret, and what is kept of it.
fn new_secret(
    context: &Context,
    name: String,
    rights: &StoredRights,
    expires_at: Option<Instant>,
) -> Result<(String, TokenRow), Refusal> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bits");
        Refusal::internal()
    })?;
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let row = TokenRow {
        hash: hash(&secret),
        name,
        grants: serde_json::to_string(rights).map_err(|_| Refusal::internal())?,
        created_at: context.now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    Ok((secret, row))
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

pub(crate) fn token_of(row: TokenRow) -> Result<Token, Refusal> {
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
        client: rights.client.unwrap_or_else(|| id.clone()),
        id,
        name: row.name,
        grants: rights.grants,
        feeds_copies: rights.feeds_copies,
        unit: rights.unit,
        replaces: rights.replaces,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        last_used_at: row.last_used_at,
    })
}
