//! How often one client may ask: a token bucket per client, off unless configured.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use parking_lot::Mutex;

use crate::config::{Config, RateLimit};
use crate::links;
use crate::problem::Problem;

/// Buckets are forgotten when there are more: a full one says the same as none.
const REMEMBERED: usize = 100_000;

/// The buckets of one server.
#[derive(Debug)]
pub(crate) struct Rate {
    limit: RateLimit,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// What is left for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    left: u32,
    /// Until the next request is allowed; zero when it is now.
    wait: Duration,
}

impl Rate {
    pub(crate) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            buckets: Mutex::default(),
        }
    }

    /// Takes one request out of the bucket of the address that it comes from: before anything of it is believed.
    pub(crate) fn take(&self, request: &HttpRequest, config: &Config) -> Allowance {
        self.take_at(Client::of(request, config).key(), Instant::now())
    }

    /// The request turned out to be that of a known token: its address gets it back, and the token's own bucket pays. So
    /// many clients behind one address do not hold each other up, and who guesses tokens pays for every guess.
    pub(crate) fn charge_token(
        &self,
        request: &HttpRequest,
        config: &Config,
        token: &str,
    ) -> Allowance {
        let now = Instant::now();
        if let Some(bucket) = self
            .buckets
            .lock()
            .get_mut(&Client::of(request, config).key())
        {
            bucket.left += 1.0;
        }
        self.take_at(
            xxhash_rust::xxh3::xxh3_64_with_seed(token.as_bytes(), TOKEN),
            now,
        )
    }

    fn take_at(&self, client: u64, now: Instant) -> Allowance {
        let (rate, burst) = (
            f64::from(self.limit.per_second.max(1)),
            f64::from(self.limit.burst.max(1)),
        );
        let mut buckets = self.buckets.lock();
        if buckets.len() >= REMEMBERED {
            buckets.retain(|_, bucket| {
                bucket.left + now.duration_since(bucket.at).as_secs_f64() * rate < burst
            });
        }
        let bucket = buckets.entry(client).or_insert(Bucket {
            left: burst,
            at: now,
        });
        bucket.left = (bucket.left + now.duration_since(bucket.at).as_secs_f64() * rate).min(burst);
        bucket.at = now;
        if bucket.left >= 1.0 {
            bucket.left -= 1.0;
            Allowance {
                left: whole(bucket.left),
                wait: Duration::ZERO,
            }
        } else {
            Allowance {
                left: 0,
                wait: Duration::from_secs_f64((1.0 - bucket.left) / rate),
            }
        }
    }

    /// The headers that tell a client how it stands (draft-ietf-httpapi-ratelimit-headers).
    pub(crate) fn headers(&self, allowance: Allowance) -> [(HeaderName, Option<HeaderValue>); 2] {
        let policy = format!("\"client\";q={};w=1", self.limit.per_second);
        let state = format!(
            "\"client\";r={};t={}",
            allowance.left,
            seconds(allowance.wait)
        );
        [
            (
                HeaderName::from_static("ratelimit-policy"),
                HeaderValue::from_str(&policy).ok(),
            ),
            (
                HeaderName::from_static("ratelimit"),
                HeaderValue::from_str(&state).ok(),
            ),
        ]
    }
}

impl Allowance {
    /// # Errors
    /// `too-many-requests` when the bucket is empty.
    pub(crate) fn check(self) -> Result<(), Problem> {
        if self.wait.is_zero() {
            return Ok(());
        }
        let mut problem = Problem::new(
            "too-many-requests",
            "This client asks more often than it may. Wait the seconds in Retry-After, then go on at a lower rate.",
        );
        problem
            .headers
            .retain(|(name, _)| *name != header::RETRY_AFTER);
        Err(problem.header(header::RETRY_AFTER, &seconds(self.wait).max(1).to_string()))
    }
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the burst, which is a u32"
)]
fn whole(left: f64) -> u32 {
    left as u32
}

/// Tokens and addresses do not share buckets.
const TOKEN: u64 = 1;
const ADDRESS: u64 = 2;

/// The address that a request comes from: the peer's, or what a trusted proxy says that its own peer is. Of IPv6 the
/// network of 64 bits, in which whoever has one address has all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client(String);

impl Client {
    pub(crate) fn of(request: &HttpRequest, config: &Config) -> Self {
        let forwarded = links::last_forwarded(request, config).and_then(|element| {
            let (_, value) = element
                .split(';')
                .filter_map(|pair| pair.split_once('='))
                .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
            Some(without_port(value.trim().trim_matches('"')))
        });
        match forwarded {
            Some(node) => Self::named(node),
            None => request
                .peer_addr()
                .map_or_else(|| Self::named(""), |peer| Self::at(peer.ip())),
        }
    }

    /// By an address, or by what else a proxy says instead of one (RFC 7239, section 6).
    pub(crate) fn named(node: &str) -> Self {
        match node.parse() {
            Ok(address) => Self::at(address),
            Err(_) => Self(node.chars().take(100).collect()),
        }
    }

    fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_string()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
            }
        }
    }

    /// As it is written in a log.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// As it is remembered.
    pub(crate) fn key(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64_with_seed(self.0.as_bytes(), ADDRESS)
    }
}

/// `192.0.2.1:4711` and `[2001:db8::1]:4711` without the port, which is another for each connection.
fn without_port(node: &str) -> &str {
    match node.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => node.split(':').next().unwrap_or(node),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn who_guesses_tokens_pays_with_the_address() {
        let rate = Rate::new(RateLimit {
            per_second: 1,
            burst: 2,
        });
        let config = Config {
            trust_forwarded: true,
            ..Config::default()
        };
        let from = |address: &str, token: &str| {
            TestRequest::default()
                .insert_header(("Forwarded", format!("for=203.0.113.9, for=\"{address}\"")))
                .insert_header(("Authorization", format!("Bearer {token}")))
                .to_http_request()
        };
        // Another token and another port each time: still the same address.
        rate.take(&from("192.0.2.1:1", "a"), &config)
            .check()
            .expect("first");
        rate.take(&from("192.0.2.1:2", "b"), &config)
            .check()
            .expect("second");
        assert!(
            rate.take(&from("192.0.2.1:3", "c"), &config)
                .check()
                .is_err()
        );
        rate.take(&from("[2001:db8::1]:3", "c"), &config)
            .check()
            .expect("another address");
        // All addresses of an IPv6 network are one client's.
        rate.take(&from("[2001:db8::2]:3", "d"), &config)
            .check()
            .expect("second of the network");
        assert!(
            rate.take(&from("[2001:db8::3]:3", "e"), &config)
                .check()
                .is_err()
        );
        // A known token pays itself: its address is as it was.
        let known = from("192.0.2.2", "good");
        for _ in 0..2 {
            rate.take(&known, &config).check().expect("address");
            rate.charge_token(&known, &config, "id")
                .check()
                .expect("token");
        }
        rate.take(&known, &config).check().expect("address");
        assert!(rate.charge_token(&known, &config, "id").check().is_err());
        assert_eq!(rate.take(&known, &config).left, 1);
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let rate = Rate::new(RateLimit {
            per_second: 10,
            burst: 2,
        });
        let now = Instant::now();
        assert_eq!(rate.take_at(1, now).left, 1);
        assert_eq!(rate.take_at(1, now).left, 0);
        let refused = rate.take_at(1, now);
        assert_eq!(
            refused.check().expect_err("empty").kind.code,
            "too-many-requests"
        );
        rate.take_at(2, now)
            .check()
            .expect("another client has its own bucket");
        rate.take_at(1, now + Duration::from_millis(100))
            .check()
            .expect("a tenth of a second gives one request");
        assert!(
            rate.take_at(1, now + Duration::from_millis(100))
                .check()
                .is_err()
        );
    }
}
