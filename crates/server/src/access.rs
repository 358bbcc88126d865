//! The permission in the handler's type: a handler reaches the registry through [`Authorised`] alone, and an
//! [`Authorised`] comes from `Vault::admit` alone.
//!
//! Architecture invariant: no other module of this crate holds a `Registry`.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use grunddata_identity::{Checked, Fetch, Identity, Issuers, Refused};
use grunddata_information_model::InformationModel;
use grunddata_registry::{
    Action, Actor, Context, GrantSubject, Refusal, Registry, SubjectKind, SubscriptionReader,
};
use parking_lot::RwLock;
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::lockout::Lockout;
use crate::problem::Problem;
use crate::rate::Client;

/// How long a token that was found good is believed without asking the store. A revocation on this server takes effect
/// at once; one on another server within this time.
const TOKEN_MEMORY: Duration = Duration::from_secs(5);
/// The same of somebody in whose name a subscription is read.
const READER_MEMORY: Duration = Duration::from_millis(500);
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
    /// A token that may apply loads for at least one owner.
    Load,
    /// A token that administers at least one owner.
    Admin,
    /// A token that may search the access log of at least one owner.
    Audit,
}

impl Access {
    /// `public`, `read`, `write`, `load`, `admin` or `audit`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Write => "write",
            Self::Load => "load",
            Self::Admin => "admin",
            Self::Audit => "audit",
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
/// May apply loads.
#[derive(Debug)]
pub enum Feed {}
/// May administer.
#[derive(Debug)]
pub enum Admin {}
/// May search the access log.
#[derive(Debug)]
pub enum Audit {}

impl sealed::Sealed for Read {}
impl sealed::Sealed for Write {}
impl sealed::Sealed for Feed {}
impl sealed::Sealed for Admin {}
impl sealed::Sealed for Audit {}

impl Permission for Read {
    const ACCESS: Access = Access::Read;
}
impl Permission for Write {
    const ACCESS: Access = Access::Write;
}
impl Permission for Feed {
    const ACCESS: Access = Access::Load;
}
impl Permission for Admin {
    const ACCESS: Access = Access::Admin;
}
impl Permission for Audit {
    const ACCESS: Access = Access::Audit;
}

/// A caller who may do `P`, and with that the way to the registry. Which owners the permission covers is decided by the
/// registry, record by record.
pub struct Authorised<P: Permission> {
    registry: Registry,
    context: Context,
    known: Arc<Known>,
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
            known: Arc::clone(&self.known),
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

    /// The caller as one in whose name something is read when it does not ask.
    #[must_use]
    pub fn as_reader(&self) -> SubscriptionReader {
        SubscriptionReader::of(&self.context, &self.known.subjects)
    }
}

/// Somebody whose token was found good.
#[derive(Debug)]
struct Known {
    actor: Actor,
    on_behalf_of: Option<String>,
    purpose: Option<String>,
    /// The names by which grants are given to it, where its token is another issuer's.
    subjects: Vec<GrantSubject>,
}

impl Known {
    fn plain(actor: Actor) -> Self {
        Self {
            actor,
            on_behalf_of: None,
            purpose: None,
            subjects: Vec::new(),
        }
    }
}

/// By the hash of a token: until when it is believed, and whose it is.
type Remembered = HashMap<[u8; 32], (Instant, Arc<Known>)>;

/// Whether a caller may come in.
pub(crate) enum Admission<P: Permission> {
    /// Come in.
    Admitted(Box<Authorised<P>>),
    /// The keys of the token's issuer must be fetched first, which takes time: then ask again.
    NeedsFetch(Fetch),
}

enum Caller {
    Known(Arc<Known>),
    NeedsFetch(Fetch),
}

enum Found {
    Known(Known, Duration),
    NeedsFetch(Fetch),
}

/// Keeps the registry, and gives it out to those who may.
pub(crate) struct Vault {
    registry: Registry,
    issuers: Arc<Issuers>,
    tokens: RwLock<Remembered>,
    /// By client: those in whose name subscriptions are read, and until when that is believed.
    readers: RwLock<HashMap<SubscriptionReader, (Instant, Option<Actor>)>>,
    lockout: Option<Lockout>,
    anonymous: Arc<Known>,
    /// Whether any owner has declared its data open, and until when that is believed.
    open: RwLock<Option<(Instant, bool)>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    pub(crate) fn new(registry: Registry, issuers: Arc<Issuers>, lockout: Option<Lockout>) -> Self {
        Self {
            registry,
            issuers,
            tokens: RwLock::default(),
            readers: RwLock::default(),
            lockout,
            anonymous: Arc::new(Known::plain(Actor::anonymous())),
            open: RwLock::default(),
        }
    }

    /// Admits a caller.
    ///
    /// # Errors
    /// `unauthenticated`, `forbidden`, `locked-out`.
    pub(crate) fn admit<P: Permission>(
        &self,
        request: &HttpRequest,
        config: &Config,
        request_id: uuid::Uuid,
    ) -> Result<Admission<P>, Problem> {
        let headers = request.headers();
        let known = match self.caller(request, config)? {
            Caller::Known(known) => known,
            Caller::NeedsFetch(fetch) => return Ok(Admission::NeedsFetch(fetch)),
        };
        let mut context = Context::new(
            known.actor.clone(),
            self.registry.now(),
            request_id.to_string(),
        );
        context.on_behalf_of.clone_from(&known.on_behalf_of);
        context.purpose = purpose(headers)?.or_else(|| known.purpose.clone());
        let actor = &mut context.actor;
        actor.grants = actor
            .grants
            .counting(context.today, context.purpose.as_deref());
        let allowed = match P::ACCESS {
            Access::Public => true,
            Access::Read => !actor.is_anonymous() || self.has_open_data()?,
            Access::Write => actor.may_change_somewhere(),
            Access::Load => actor.may_somewhere(Action::Load),
            Access::Admin => actor.may_somewhere(Action::Administer),
            Access::Audit => actor.may_somewhere(Action::Audit),
        };
        if !allowed {
            return Err(if actor.is_anonymous() {
                unauthenticated()
            } else {
                too_small(P::ACCESS)
            });
        }
        Ok(Admission::Admitted(Box::new(Authorised {
            registry: self.registry.clone(),
            context,
            known,
            permission: PhantomData,
        })))
    }

    /// Fetches the keys that a token needs. It may take seconds.
    pub(crate) fn fetch(&self, fetch: &Fetch) {
        self.issuers.fetch(fetch, self.registry.now());
    }

    fn caller(&self, request: &HttpRequest, config: &Config) -> Result<Caller, Problem> {
        let Some(value) = request.headers().get(header::AUTHORIZATION) else {
            return Ok(Caller::Known(Arc::clone(&self.anonymous)));
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
        let remembered = self.tokens.read().get(&key).cloned();
        if let Some((until, known)) = &remembered
            && *until > now
        {
            return Ok(Caller::Known(Arc::clone(known)));
        }
        let guarded = self
            .lockout
            .as_ref()
            .map(|lockout| (lockout, Client::of(request, config)));
        if let Some((lockout, client)) = &guarded
            && remembered.is_none()
        {
            lockout.check(client, now)?;
        }
        match self.identify(token) {
            Ok(Found::Known(known, believed)) => {
                let known = Arc::new(known);
                let mut tokens = self.tokens.write();
                if tokens.len() >= TOKENS_REMEMBERED {
                    tokens.clear();
                }
                tokens.insert(key, (now + believed, Arc::clone(&known)));
                Ok(Caller::Known(known))
            }
            Ok(Found::NeedsFetch(fetch)) => Ok(Caller::NeedsFetch(fetch)),
            Err(problem) => {
                if problem.kind.status == 401 {
                    self.tokens.write().remove(&key);
                    if let Some((lockout, client)) = &guarded {
                        lockout.failed(client, now);
                    }
                }
                Err(problem)
            }
        }
    }

    /// Whose token it is, and how long that may be believed.
    fn identify(&self, token: &str) -> Result<Found, Problem> {
        if !self.issuers.is_empty() && self.issuers.looks_like_jwt(token) {
            let at = self.registry.now();
            return match self.issuers.verify_cached(token, at).map_err(unbelieved)? {
                Checked::NeedsFetch(fetch) => Ok(Found::NeedsFetch(fetch)),
                Checked::Known(identity) => {
                    let left = identity.expires_at.micros().saturating_sub(at.micros());
                    let left = Duration::from_micros(u64::try_from(left).unwrap_or_default());
                    Ok(Found::Known(self.known(*identity)?, left.min(TOKEN_MEMORY)))
                }
            };
        }
        let actor = self
            .registry
            .authenticate(token)
            .map_err(crate::reply::refused)?
            .ok_or_else(|| {
                Problem::new(
                    "unauthenticated",
                    "The token is unknown, revoked or has expired. Ask an administrator for a new one.",
                )
                .header(header::WWW_AUTHENTICATE, "Bearer realm=\"grunddata\", error=\"invalid_token\"")
            })?;
        Ok(Found::Known(Known::plain(actor), TOKEN_MEMORY))
    }

    /// What the registry grants to whom an issuer tells of: to the account, the groups and named grants that the token
    /// carries, and the program.
    fn known(&self, identity: Identity) -> Result<Known, Problem> {
        let of = |kind: SubjectKind, name: &str| GrantSubject {
            kind,
            name: format!("{}#{name}", identity.issuer),
        };
        let mut subjects = vec![of(SubjectKind::User, &identity.subject)];
        let groups = identity.groups.iter();
        subjects.extend(groups.map(|group| of(SubjectKind::Group, group)));
        // Kept apart from the groups: what a group is called is for the issuer to say, what a rule gives for the settings.
        let rules = identity.grants.iter();
        subjects.extend(rules.map(|rule| of(SubjectKind::Rule, rule)));
        subjects.extend(
            identity
                .client
                .iter()
                .map(|client| of(SubjectKind::Client, client)),
        );
        let grants = self
            .registry
            .grants_of(&subjects)
            .map_err(crate::reply::refused)?;
        Ok(Known {
            actor: Actor {
                client: identity.key(),
                name: identity.acting.unwrap_or(identity.name),
                grants,
                feeds_copies: false,
                unit: identity.unit,
                // The token of an issuer ends within the hour; what its account holds does not.
                expires_at: None,
            },
            on_behalf_of: identity.on_behalf_of,
            purpose: identity.purpose,
            subjects,
        })
    }

    /// Whether somebody without a token can read anything.
    fn has_open_data(&self) -> Result<bool, Problem> {
        let now = Instant::now();
        if let Some((until, open)) = *self.open.read()
            && until > now
        {
            return Ok(open);
        }
        let context = Context::new(self.anonymous.actor.clone(), self.registry.now(), "");
        let open = self
            .registry
            .owners(&context)
            .map_err(crate::reply::refused)?
            .iter()
            .any(|owner| owner.open_data);
        *self.open.write() = Some((now + TOKEN_MEMORY, open));
        Ok(open)
    }

    /// Believes nothing that is remembered of tokens and owners any longer: after one of them has changed.
    pub(crate) fn forget(&self) {
        let now = Instant::now();
        for (until, _) in self.tokens.write().values_mut() {
            *until = now;
        }
        *self.open.write() = None;
        self.readers.write().clear();
    }

    /// What somebody may do now in whose name a subscription is read; `None` = it is let in no more. Reads the store, but not
    /// for each of many deliveries that come together.
    ///
    /// # Errors
    /// [`Refusal`] of the store.
    pub(crate) fn reader(&self, reader: &SubscriptionReader) -> Result<Option<Actor>, Refusal> {
        let now = Instant::now();
        let kept = self.readers.read().get(reader).cloned();
        if let Some((until, actor)) = kept
            && until > now
        {
            return Ok(actor);
        }
        let actor = self.registry.present_reader(reader)?;
        let mut readers = self.readers.write();
        if readers.len() >= TOKENS_REMEMBERED {
            readers.clear();
        }
        // One account has other rights through another program: the whole reader tells them apart.
        readers.insert(reader.clone(), (now + READER_MEMORY, actor.clone()));
        Ok(actor)
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

/// A token of another issuer that is not believed.
fn unbelieved(refused: Refused) -> Problem {
    if refused.is_temporary() {
        return Problem::new("issuer-unreachable", refused.to_string())
            .fact("reason", refused.code());
    }
    Problem::new("unauthenticated", refused.to_string())
        .fact("reason", refused.code())
        .header(
            header::WWW_AUTHENTICATE,
            "Bearer realm=\"grunddata\", error=\"invalid_token\"",
        )
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
