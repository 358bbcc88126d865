//! The issuers, their keys, and the one way from a token to an identity.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use grunddata_model::Instant;
use parking_lot::{Mutex, RwLock};

use crate::client::Client;
use crate::config::{ConfigError, IdentityConfig, IssuerConfig};
use crate::key_memory::KeyMemory;
use crate::token::{self, Unverified};
use crate::{Algorithm, Identity, Refused, check};

/// The most callers that wait for one issuer's answer; further ones are told to come back.
const MOST_WAITING: usize = 8;

/// The issuers whose tokens are accepted, with their keys.
#[derive(Debug)]
pub struct Issuers {
    issuers: Vec<Issuer>,
}

#[derive(Debug)]
struct Issuer {
    config: IssuerConfig,
    identifier: Arc<str>,
    client: Client,
    memory: RwLock<KeyMemory>,
    /// Held while the issuer is asked.
    asking: Mutex<()>,
    waiting: AtomicUsize,
}

/// What is known of a token without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The token holds, and this is who asks.
    Known(Box<Identity>),
    /// The issuer must be asked first: give this to [`Issuers::fetch`] on a thread that may wait, then check again.
    NeedsFetch(Fetch),
}

/// An errand to an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    issuer: usize,
    /// How often it had been asked when the need arose.
    attempts: u64,
}

impl Issuers {
    /// The issuers of the settings. Asks nobody.
    ///
    /// # Errors
    /// When the settings are incomplete, unsafe or contradict each other.
    pub fn new(config: &IdentityConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let issuers = config
            .issuers
            .iter()
            .map(|issuer| {
                Ok(Issuer {
                    client: Client::new(issuer, config)?,
                    identifier: Arc::from(issuer.issuer.as_str()),
                    config: issuer.clone(),
                    memory: RwLock::default(),
                    asking: Mutex::new(()),
                    waiting: AtomicUsize::new(0),
                })
            })
            .collect::<Result<_, ConfigError>>()?;
        Ok(Self { issuers })
    }

    /// Whether no issuer is configured: then every token is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Whether a bearer token has the outer form of a JWT, and is therefore not one of the registry's own.
    #[must_use]
    pub fn looks_like_jwt(&self, token: &str) -> bool {
        token::looks_like_jwt(token)
    }

    /// Checks a token with the keys that are there. Never waits.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn verify_cached(&self, token: &str, now: Instant) -> Result<Checked, Refused> {
        let unverified = Unverified::read(token)?;
        let identifier = unverified.issuer().ok_or(Refused::UnknownIssuer)?;
        let (index, issuer) = self
            .issuers
            .iter()
            .enumerate()
            .find(|(_, issuer)| &*issuer.identifier == identifier)
            .ok_or(Refused::UnknownIssuer)?;
        let algorithm = unverified
            .algorithm()
            .and_then(Algorithm::named)
            .filter(|algorithm| issuer.config.algorithms.contains(algorithm))
            .ok_or(Refused::WrongAlgorithm)?;
        check::media_type(unverified.media_type(), issuer.config.strict_type)?;
        let verified = {
            let keys = issuer.usable(now);
            keys.map(|keys| {
                let (signed, signature) = (unverified.signed, &unverified.signature);
                keys.verify(unverified.key_id(), algorithm, signed, signature)
            })
        };
        match verified {
            Some(Ok(())) => {}
            None => return issuer.ask(index, now, false).map(Checked::NeedsFetch),
            Some(Err(Refused::UnknownKey)) => {
                return issuer.ask(index, now, true).map(Checked::NeedsFetch);
            }
            Some(Err(refused)) => return Err(refused),
        }
        let claims = unverified.claims();
        let expires_at = check::claims(claims, &issuer.config, now)?;
        Identity::from_claims(claims, &issuer.config, &issuer.identifier, expires_at)
            .map(|identity| Checked::Known(Box::new(identity)))
    }

    /// Asks an issuer for its keys. Waits for its answer, or for that of another caller who is asking already. Whether it
    /// helped is seen by checking the token again.
    pub fn fetch(&self, fetch: &Fetch, now: Instant) {
        let Some(issuer) = self.issuers.get(fetch.issuer) else {
            return;
        };
        issuer.waiting.fetch_add(1, Ordering::Relaxed);
        issuer.renew(now, |memory| memory.attempts() == fetch.attempts, true);
        issuer.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    /// Checks a token, and asks its issuer for keys where that is needed. May wait for it, up to twice the issuer's
    /// timeout.
    ///
    /// # Errors
    /// Why the token is refused.
    pub fn verify(&self, token: &str, now: Instant) -> Result<Identity, Refused> {
        for _ in 0..2 {
            match self.verify_cached(token, now)? {
                Checked::Known(identity) => return Ok(*identity),
                Checked::NeedsFetch(fetch) => self.fetch(&fetch, now),
            }
        }
        Err(Refused::IssuerUnreachable)
    }

    /// Renews the keys that are due, of issuers that have been needed at least once. Waits for their answers.
    pub fn renew(&self, now: Instant) {
        for issuer in &self.issuers {
            if issuer.memory.read().is_due(now) {
                issuer.renew(now, |memory| memory.is_due(now), false);
            }
        }
    }
}

impl Issuer {
    fn usable(&self, now: Instant) -> Option<Arc<crate::key::KeySet>> {
        self.memory
            .read()
            .usable(now, self.config.outage_seconds)
            .cloned()
    }

    /// Whether the issuer is to be asked for a key that is not there; otherwise why the token is refused.
    fn ask(&self, index: usize, now: Instant, has_keys: bool) -> Result<Fetch, Refused> {
        let memory = self.memory.read();
        let asks = memory.may_ask(now, has_keys);
        if asks && self.waiting.load(Ordering::Relaxed) < MOST_WAITING {
            return Ok(Fetch {
                issuer: index,
                attempts: memory.attempts(),
            });
        }
        if asks || !has_keys || memory.is_failing() {
            return Err(Refused::IssuerUnreachable);
        }
        Err(Refused::UnknownKey)
    }

    /// Asks the issuer, one caller at a time, if that is still needed when its turn comes.
    fn renew(&self, now: Instant, needed: impl Fn(&KeyMemory) -> bool, for_a_token: bool) {
        let _turn = self.asking.lock();
        if !needed(&self.memory.read()) {
            return;
        }
        let answer = self.client.keys();
        let mut memory = self.memory.write();
        if for_a_token {
            memory.asked(now);
        }
        match answer {
            Ok((set, max_age)) => {
                tracing::info!(issuer = %self.config.name, keys = set.len(), "fetched an issuer's keys");
                memory.succeeded(set, max_age, now);
            }
            Err(error) => {
                tracing::warn!(issuer = %self.config.name, %error, "cannot fetch an issuer's keys");
                memory.failed(now);
            }
        }
    }
}
