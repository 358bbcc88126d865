//! For tests: a small OpenID provider on loopback. It describes itself, publishes keys, gives tokens for client
//! credentials, and misbehaves in every way that it is told to.
//!
//! ```
//! use std::sync::Arc;
//! use grunddata_identity::provider::Provider;
//! use grunddata_identity::{IdentityConfig, Issuers};
//! use grunddata_model::Instant;
//!
//! let now: Instant = "2026-11-21T12:00:00Z".parse().unwrap();
//! let provider = Provider::start(Arc::new(move || now)).unwrap();
//! let issuers = Issuers::new(&IdentityConfig {
//!     issuers: vec![provider.settings("kommun", "grunddata")],
//!     allow_http_loopback: true,
//!     ..IdentityConfig::default()
//! })
//! .unwrap();
//! let token = provider.token(&provider.claims("anna", "grunddata"));
//! assert_eq!(issuers.verify(&token, now).unwrap().name, "kommun:anna");
//! ```
//!
//! Keys are made anew at every start; none is kept anywhere.

#![expect(
    clippy::expect_used,
    reason = "for tests: a provider that does not work must fail the test at once"
)]

mod exchange;
mod signing;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

pub use signing::SigningKey;

use crate::{Clock, IssuerConfig};

/// The path of the issuer: not empty, since that is where the two kinds of discovery differ.
const BASE: &str = "/realms/test";
/// How long a token is good for, in seconds.
const LIFETIME: i64 = 300;

/// How the provider answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Healthy,
    /// Hangs up without an answer.
    Down,
    /// With this status and no body.
    Status(u16),
    /// With a page in HTML and status 200.
    Garbage,
    /// As it should, but only after this time.
    Slow(Duration),
    /// With so many bytes of JSON that mean nothing, before the right answer.
    Huge(usize),
    /// With a redirect to this address.
    Redirect(String),
}

/// A provider that is running. It ends when this is dropped.
#[derive(Debug)]
pub struct Provider {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    issuer: String,
    clock: Clock,
    state: Mutex<State>,
    ended: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// The last one signs.
    keys: Vec<Arc<SigningKey>>,
    other_keys: Vec<Value>,
    made: usize,
    behaviour: Behaviour,
    cache_control: Option<String>,
    metadata: Map<String, Value>,
    clients: BTreeMap<String, (String, Value)>,
    requests: BTreeMap<&'static str, usize>,
}

impl Provider {
    /// Starts a provider on a free port of 127.0.0.1, with one Ed25519 key. The clock gives tokens their times.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub fn start(clock: Clock) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            issuer: format!("http://{address}{BASE}"),
            clock,
            state: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let provider = Self {
            shared: Arc::clone(&shared),
            address,
        };
        provider.rotate();
        thread::Builder::new()
            .name("oidc-provider".to_owned())
            .spawn(move || {
                for stream in listener.incoming() {
                    if shared.ended.load(Ordering::SeqCst) {
                        break;
                    }
                    if let Ok(stream) = stream {
                        let shared = Arc::clone(&shared);
                        // Whoever hangs up in the middle has a reason.
                        thread::spawn(move || drop(exchange::serve(&shared, stream)));
                    }
                }
            })?;
        Ok(provider)
    }

    /// Its identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Where its keys are.
    #[must_use]
    pub fn jwks_uri(&self) -> String {
        format!("{}/keys", self.shared.issuer)
    }

    /// Where it gives tokens.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        format!("{}/token", self.shared.issuer)
    }

    /// Settings that accept its tokens, with the defaults. `allow_http_loopback` must be set beside them.
    #[must_use]
    pub fn settings(&self, name: &str, audience: &str) -> IssuerConfig {
        IssuerConfig::new(name, self.issuer(), audience)
    }

    /// The claims of a token for somebody, good for five minutes.
    #[must_use]
    pub fn claims(&self, subject: &str, audience: &str) -> Value {
        self.shared.claims(subject, audience)
    }

    /// An access token with these claims, signed with the present key.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.shared.token(claims)
    }

    /// The present key.
    #[must_use]
    pub fn key(&self) -> Arc<SigningKey> {
        self.shared.key()
    }

    /// Makes a new Ed25519 key, publishes it beside the others and signs with it from now on. Returns the old key's id;
    /// at the start that of the new one.
    pub fn rotate(&self) -> String {
        let id = {
            let mut state = self.shared.state.lock();
            state.made += 1;
            format!("key-{}", state.made)
        };
        let old = self
            .shared
            .state
            .lock()
            .keys
            .last()
            .map(|key| key.id().to_owned());
        self.add_key(SigningKey::ed25519(&id));
        old.unwrap_or(id)
    }

    /// Publishes a key beside the others and signs with it from now on.
    pub fn add_key(&self, key: SigningKey) {
        self.shared.state.lock().keys.push(Arc::new(key));
    }

    /// Publishes a key of whatever form, with which nothing is signed.
    pub fn publish(&self, key: Value) {
        self.shared.state.lock().other_keys.push(key);
    }

    /// Stops publishing a key. Nothing hinders it from signing if it is the present one.
    pub fn withdraw(&self, id: &str) {
        let mut state = self.shared.state.lock();
        let withdrawn = |key: &Value| key.get("kid").and_then(Value::as_str) == Some(id);
        state.other_keys.retain(|key| !withdrawn(key));
        state.keys.retain(|key| key.id() != id);
    }

    /// How it answers from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.shared.state.lock().behaviour = behaviour;
    }

    /// The `Cache-Control` of the keys.
    pub fn cache_control(&self, value: &str) {
        self.shared.state.lock().cache_control = Some(value.to_owned());
    }

    /// Says something else in the discovery documents.
    pub fn describe(&self, name: &str, value: Value) {
        self.shared
            .state
            .lock()
            .metadata
            .insert(name.to_owned(), value);
    }

    /// Lets a program fetch tokens with its credentials. The claims are added to those that every token has.
    pub fn add_client(&self, id: &str, secret: &str, audience: &str, claims: &Value) {
        let mut all = self.claims(id, audience);
        if let (Some(all), Some(claims)) = (all.as_object_mut(), claims.as_object()) {
            all.insert("client_id".to_owned(), json!(id));
            all.extend(claims.clone());
        }
        self.shared
            .state
            .lock()
            .clients
            .insert(id.to_owned(), (secret.to_owned(), all));
    }

    /// How often it has been asked: for `discovery`, `keys` or `token`.
    #[must_use]
    pub fn requests(&self, what: &str) -> usize {
        self.shared
            .state
            .lock()
            .requests
            .get(what)
            .copied()
            .unwrap_or_default()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; one that is gone needs no waking.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn now(&self) -> i64 {
        (self.clock)().micros().div_euclid(1_000_000)
    }

    fn claims(&self, subject: &str, audience: &str) -> Value {
        let now = self.now();
        json!({
            "iss": self.issuer, "sub": subject, "aud": audience,
            "iat": now, "exp": now + LIFETIME,
        })
    }

    fn key(&self) -> Arc<SigningKey> {
        Arc::clone(self.state.lock().keys.last().expect("a key to sign with"))
    }

    fn token(&self, claims: &Value) -> String {
        let key = self.key();
        key.sign(
            &json!({"alg": key.algorithm(), "typ": "at+jwt", "kid": key.id()}),
            claims,
        )
    }

    fn broken() -> io::Error {
        io::Error::from(ErrorKind::InvalidData)
    }
}
