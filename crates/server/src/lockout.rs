//! Who guesses tokens is locked out for a while: after so many failed authentications from one address within a time,
//! tokens that were not found good here before are refused from it, without anybody being asked about them.
//!
//! Tokens that were found good go on being checked: behind one address there may be many who have done nothing. Requests
//! without a token are not touched.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use actix_web::http::header;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use crate::config::FailureLimit;
use crate::problem::Problem;
use crate::rate::{self, Client};

/// The most addresses remembered.
const REMEMBERED: usize = 100_000;

/// The failures of one server's callers.
#[derive(Debug)]
pub(crate) struct Lockout {
    limit: FailureLimit,
    lockouts: Counter<u64, AtomicU64>,
    seen: Mutex<HashMap<u64, Failures>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// When they are forgotten, and a lock ends.
    until: Instant,
}

impl Lockout {
    /// With the counter of the times that an address was locked out.
    pub(crate) fn new(limit: FailureLimit, lockouts: Counter<u64, AtomicU64>) -> Self {
        Self {
            limit,
            lockouts,
            seen: Mutex::default(),
        }
    }

    /// # Errors
    /// `locked-out` while the address is locked.
    pub(crate) fn check(&self, client: &Client, now: Instant) -> Result<(), Problem> {
        let Some(failures) = self.seen.lock().get(&client.key()).copied() else {
            return Ok(());
        };
        let left = failures.until.saturating_duration_since(now);
        if failures.count < self.limit.failures || left.is_zero() {
            return Ok(());
        }
        let mut problem = Problem::new(
            "locked-out",
            format!(
                "{} tokens from this address have been refused within {} seconds. Wait the seconds in Retry-After, and send a token that holds.",
                self.limit.failures,
                self.limit.within.as_secs()
            ),
        );
        problem
            .headers
            .retain(|(name, _)| *name != header::RETRY_AFTER);
        Err(problem.header(header::RETRY_AFTER, &rate::seconds(left).max(1).to_string()))
    }

    /// Notes a failure; whether it is the one that locks the address, which is counted and logged.
    pub(crate) fn failed(&self, client: &Client, now: Instant) -> bool {
        let mut seen = self.seen.lock();
        let key = client.key();
        if seen.len() >= REMEMBERED && !seen.contains_key(&key) {
            seen.retain(|_, failures| failures.until > now);
            if seen.len() >= REMEMBERED {
                // Whoever has so many addresses must not make those forgotten that are locked.
                seen.retain(|_, failures| failures.count >= self.limit.failures);
            }
            if seen.len() >= REMEMBERED {
                seen.clear();
            }
        }
        let failures = seen.entry(key).or_insert(Failures {
            count: 0,
            until: now + self.limit.within,
        });
        if failures.until <= now {
            *failures = Failures {
                count: 0,
                until: now + self.limit.within,
            };
        }
        failures.count = failures.count.saturating_add(1);
        let locks = failures.count == self.limit.failures;
        if locks {
            failures.until = now + self.limit.within;
        }
        drop(seen);
        if locks {
            self.lockouts.inc();
            tracing::warn!(
                address = client.name(),
                failures = self.limit.failures,
                seconds = self.limit.within.as_secs(),
                "an address is locked out: too many tokens from it were refused"
            );
        }
        locks
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lockout() -> Lockout {
        let limit = FailureLimit {
            failures: 3,
            within: Duration::from_secs(600),
        };
        Lockout::new(limit, Counter::default())
    }

    #[test]
    fn the_last_failure_locks_and_the_lock_ends() {
        let (lockout, start) = (lockout(), Instant::now());
        let (one, other) = (Client::named("192.0.2.1"), Client::named("192.0.2.2"));
        let minute = Duration::from_secs(60);
        assert!(!lockout.failed(&one, start));
        assert!(!lockout.failed(&one, start + minute));
        lockout.check(&one, start + minute).expect("two of three");
        assert!(lockout.failed(&one, start + 2 * minute));
        assert_eq!(lockout.lockouts.get(), 1);
        let refused = lockout
            .check(&one, start + 3 * minute)
            .expect_err("locked out");
        assert_eq!(refused.kind.code, "locked-out");
        let wait: Vec<_> = refused
            .headers
            .iter()
            .filter(|(name, _)| *name == header::RETRY_AFTER)
            .map(|(_, value)| value.to_str().expect("text").to_owned())
            .collect();
        assert_eq!(wait, ["540"], "counted from the last failure");
        lockout.check(&other, start + 3 * minute).expect("another");
        let end = start + 2 * minute + lockout.limit.within;
        lockout.check(&one, end).expect("over");
        assert!(!lockout.failed(&one, end), "and counted from the beginning");
    }

    #[test]
    fn failures_long_ago_do_not_count() {
        let (lockout, start) = (lockout(), Instant::now());
        let client = Client::named("192.0.2.1");
        for number in 0..10 {
            assert!(!lockout.failed(&client, start + lockout.limit.within * number));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_locked_stay() {
        let (lockout, now) = (lockout(), Instant::now());
        let locked = Client::named("192.0.2.1");
        for _ in 0..3 {
            lockout.failed(&locked, now);
        }
        for number in 0..=REMEMBERED {
            lockout.failed(&Client::named(&format!("guess {number}")), now);
        }
        assert!(lockout.seen.lock().len() <= REMEMBERED);
        lockout.check(&locked, now).expect_err("still locked");
    }
}
