//! The permission in the handler's type: a handler reaches the registry through [`Authorised`] alone, and an
//! [`Authorised`] comes from `Vault::admit` alone.
//!
//! Architecture invariant: no other module of this crate holds a `Registry`.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderMap};
use grunddata_information_model::InformationModel;
use grunddata_registry::{Action, Actor, Context, Registry};
use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// How long a token that was found good is believed without asking the store. A revocation on this server takes effect
/// at once; one on another server within this time.
const TOKEN_MEMORY: Duration = Duration::from_secs(5);
/// The most tokens remembered.
const TOKENS_REMEMBERED: usize = 10_000;

/// The longest purpose, in characters.
const PURPOSE: usize = 200;

/// What an operation asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: what is answered is the same for everybody.
    Public,
    /// A token, or that some owner has declared its data open.
    Read,
    /// A token that may write for at least one owner.
    Write,
    /// A token that administers at least one owner.
    Admin,
}

impl Access {
    /// `public`, `read`, `write` or `admin`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A permission as a type.
pub trait Permission: sealed::Sealed + 'static {
    /// The same as a value, for the table of operations and the documentation.
    const ACCESS: Access;
}

/// May read.
#[derive(Debug)]
pub enum Read {}
/// May write.
#[derive(Debug)]
pub enum Write {}
/// May administer.
#[derive(Debug)]
pub enum Admin {}

impl sealed::Sealed for Read {}
impl sealed::Sealed for Write {}
impl sealed::Sealed for Admin {}

impl Permission for Read {
    const ACCESS: Access = Access::Read;
}
impl Permission for Write {
    const ACCESS: Access = Access::Write;
}
impl Permission for Admin {
    const ACCESS: Access = Access::Admin;
}

/// A caller who may do `P`, and with that the way to the registry. Which owners the permission covers is decided by the
/// registry, record by record.
pub struct Authorised<P: Permission> {
    registry: Registry,
    context: Context,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> std::fmt::Debug for Authorised<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorised")
            .field("access", &P::ACCESS)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl<P: Permission> Clone for Authorised<P> {
    fn clone(&self) -> Self {
        Self {
            registry: self.registry.clone(),
            context: self.context.clone(),
            permission: PhantomData,
        }
    }
}

impl<P: Permission> Authorised<P> {
    /// The use cases.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// In whose name and when.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }
}

/// By the hash of a token: until when it is believed, and whose it is.
type Remembered = HashMap<[u8; 32], (Instant, Arc<Actor>)>;

/// Keeps the registry, and gives it out to those who may.
pub(crate) struct Vault {
    registry: Registry,
    tokens: RwLock<Remembered>,
    anonymous: Arc<Actor>,
    /// Whether any owner has declared its data open, and until when that is believed.
    open: RwLock<Option<(Instant, bool)>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    pub(crate) fn new(registry: Registry) -> Self {
        Self {
            registry,
            tokens: RwLock::default(),
            anonymous: Arc::new(Actor::anonymous()),
            open: RwLock::default(),
        }
    }

    /// Admits a caller.
    ///
    /// # Errors
    /// `unauthenticated`, `forbidden`.
    pub(crate) fn admit<P: Permission>(
        &self,
        headers: &HeaderMap,
        request_id: uuid::Uuid,
    ) -> Result<Authorised<P>, Problem> {
        let actor = self.actor(headers)?;
        let mut context = Context::new(
            Actor::clone(&actor),
            self.registry.now(),
            request_id.to_string(),
        );
        context.purpose = purpose(headers)?;
        let actor = &mut context.actor;
        actor.grants = actor
            .grants
            .counting(context.today, context.purpose.as_deref());
        let allowed = match P::ACCESS {
            Access::Public => true,
            Access::Read => !actor.is_anonymous() || self.has_open_data()?,
            Access::Write => actor.may_change_somewhere(),
            Access::Admin => actor.may_somewhere(Action::Administer),
        };
        if !allowed {
            return Err(if actor.is_anonymous() {
                unauthenticated()
            } else {
                too_small(P::ACCESS)
            });
        }
        Ok(Authorised {
            registry: self.registry.clone(),
            context,
            permission: PhantomData,
        })
    }

    fn actor(&self, headers: &HeaderMap) -> Result<Arc<Actor>, Problem> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(Arc::clone(&self.anonymous));
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| {
                Problem::new(
                    "unauthenticated",
                    "Only Authorization: Bearer TOKEN is understood. Send a token in that form.",
                )
            })?;
        let key: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = Instant::now();
        if let Some((until, actor)) = self.tokens.read().get(&key)
            && *until > now
        {
            return Ok(Arc::clone(actor));
        }
        let found = self
            .registry
            .authenticate(token)
            .map_err(crate::reply::refused)?
            .map(Arc::new);
        let mut tokens = self.tokens.write();
        match found {
            Some(actor) => {
                if tokens.len() >= TOKENS_REMEMBERED {
                    tokens.clear();
                }
                tokens.insert(key, (now + TOKEN_MEMORY, Arc::clone(&actor)));
                Ok(actor)
            }
            None => {
                tokens.remove(&key);
                Err(Problem::new(
                    "unauthenticated",
                    "The token is unknown, revoked or has expired. Ask an administrator for a new one.",
                )
                .header(header::WWW_AUTHENTICATE, "Bearer realm=\"grunddata\", error=\"invalid_token\""))
            }
        }
    }

    /// Whether somebody without a token can read anything.
    fn has_open_data(&self) -> Result<bool, Problem> {
        let now = Instant::now();
        if let Some((until, open)) = *self.open.read()
            && until > now
        {
            return Ok(open);
        }
        let context = Context::new(Actor::clone(&self.anonymous), self.registry.now(), "");
        let open = self
            .registry
            .owners(&context)
            .map_err(crate::reply::refused)?
            .iter()
            .any(|owner| owner.open_data);
        *self.open.write() = Some((now + TOKEN_MEMORY, open));
        Ok(open)
    }

    /// Forgets what is remembered of tokens and owners: after one of them has changed.
    pub(crate) fn forget(&self) {
        self.tokens.write().clear();
        *self.open.write() = None;
    }

    /// The information model: public.
    pub(crate) fn model(&self) -> &InformationModel {
        self.registry.model()
    }

    /// For the health check and the metrics, which show no record.
    pub(crate) fn vitals(&self) -> &Registry {
        &self.registry
    }
}

/// What the request is for, as its caller says.
fn purpose(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("x-purpose") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(text) if (1..=PURPOSE).contains(&text.trim().len()) => Ok(Some(text.trim().to_owned())),
        _ => Err(Problem::new(
            "invalid-parameter",
            format!(
                "X-Purpose says in 1 to {PURPOSE} visible ASCII characters what the request is for."
            ),
        )
        .fact("parameter", "X-Purpose")),
    }
}

fn unauthenticated() -> Problem {
    Problem::new(
        "unauthenticated",
        "This needs a token. Send Authorization: Bearer TOKEN; an administrator issues one with POST /tokens or with the command grunddata token.",
    )
}

fn too_small(needed: Access) -> Problem {
    Problem::new(
        "forbidden",
        format!(
            "Your token does not hold the permission {}. Ask an administrator for one that does.",
            needed.as_str()
        ),
    )
    .fact("permission", needed.as_str())
}
