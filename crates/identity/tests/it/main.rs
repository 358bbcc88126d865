//! Tokens of a real provider on loopback, whole way.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "functions of the tests"
)]

mod keys;
mod outage;
mod refusals;
mod tls;
mod whole_way;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use grunddata_identity::provider::Provider;
use grunddata_identity::{IdentityConfig, IssuerConfig, Issuers};
use grunddata_model::Instant;

const START: i64 = 1_800_000_000;
const AUDIENCE: &str = "https://grunddata.example.se";

/// A provider, what accepts its tokens, and a clock that goes when it is told to.
struct Scene {
    seconds: Arc<AtomicI64>,
    provider: Provider,
    issuers: Arc<Issuers>,
}

fn instant(seconds: i64) -> Instant {
    Instant::from_micros(seconds * 1_000_000)
}

fn issuers(settings: Vec<IssuerConfig>) -> Arc<Issuers> {
    let config = IdentityConfig {
        issuers: settings,
        allow_http_loopback: true,
        proxy: None,
    };
    Arc::new(Issuers::new(&config).unwrap())
}

fn provider(seconds: &Arc<AtomicI64>) -> Provider {
    let seconds = Arc::clone(seconds);
    Provider::start(Arc::new(move || instant(seconds.load(Ordering::SeqCst)))).unwrap()
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut IssuerConfig)) -> Self {
        let seconds = Arc::new(AtomicI64::new(START));
        let provider = provider(&seconds);
        let mut settings = provider.settings("kommun", AUDIENCE);
        // What is to be answered may take as long as a busy machine takes.
        settings.timeout_seconds = 30;
        change(&mut settings);
        Self {
            issuers: issuers(vec![settings]),
            provider,
            seconds,
        }
    }

    fn now(&self) -> Instant {
        instant(self.seconds.load(Ordering::SeqCst))
    }

    fn pass(&self, seconds: i64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn token(&self) -> String {
        self.provider.token(&self.provider.claims("anna", AUDIENCE))
    }

    /// The name, or the code of the refusal.
    fn verify(&self, token: &str) -> String {
        self.issuers.verify(token, self.now()).map_or_else(
            |refused| refused.code().to_owned(),
            |identity| identity.name,
        )
    }
}
