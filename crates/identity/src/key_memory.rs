//! What is remembered of one issuer's keys, and when it may be asked again. Pure: time comes in.

use std::sync::Arc;
use std::time::Duration;

use grunddata_model::Instant;

use crate::key::KeySet;

const SECOND: i64 = 1_000_000;
/// How long a set is fresh at least and at most, and when the issuer says nothing.
const FRESH: (i64, i64, i64) = (300 * SECOND, 86_400 * SECOND, 3_600 * SECOND);
/// How long to wait before asking again because of a key that is not known.
const UNKNOWN_PAUSE: i64 = 60 * SECOND;
/// How long to wait before asking again while there is no key at all.
const EMPTY_PAUSE: i64 = 5 * SECOND;
/// How long to wait before a failed renewal is tried again.
const RENEWAL_PAUSE: i64 = 60 * SECOND;
/// Requests do not come in the order of their clocks; beyond this a clock has been set back.
const SET_BACK: i64 = 60 * SECOND;

/// One issuer's keys and how they came.
#[derive(Debug, Default)]
pub(crate) struct KeyMemory {
    set: Option<Arc<KeySet>>,
    fetched: i64,
    fresh_until: i64,
    /// When a token last made us ask.
    asked: Option<i64>,
    /// When the set is to be renewed; `None` before the first need.
    renewal: Option<i64>,
    attempts: u64,
    failing: bool,
}

impl KeyMemory {
    /// The keys, unless they should have been renewed longer ago than an outage may last.
    pub(crate) fn usable(&self, now: Instant, outage_seconds: u32) -> Option<&Arc<KeySet>> {
        let end = self
            .fresh_until
            .saturating_add(i64::from(outage_seconds) * SECOND);
        self.set.as_ref().filter(|_| now.micros() < end)
    }

    /// Whether a token whose key is not there may make us ask the issuer now.
    pub(crate) fn may_ask(&self, now: Instant, has_keys: bool) -> bool {
        let pause = if has_keys { UNKNOWN_PAUSE } else { EMPTY_PAUSE };
        self.asked.is_none_or(|asked| {
            let passed = now.micros().saturating_sub(asked);
            passed >= pause || passed < -SET_BACK
        })
    }

    /// Whether it is time to renew.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let now = now.micros();
        self.renewal
            .is_some_and(|renewal| now >= renewal || now.saturating_add(SET_BACK) < self.fetched)
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing
    }

    /// How often the issuer has been asked: tells whether somebody else has asked meanwhile.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Notes that a token made us ask.
    pub(crate) fn asked(&mut self, now: Instant) {
        self.asked = Some(now.micros());
    }

    /// Notes an answer. `max_age` is what the issuer said of it.
    pub(crate) fn succeeded(&mut self, set: KeySet, max_age: Option<Duration>, now: Instant) {
        let (least, most, usual) = FRESH;
        let told = max_age.map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        let fresh = told.unwrap_or(usual).clamp(least, most);
        self.set = Some(Arc::new(set));
        self.fetched = now.micros();
        self.fresh_until = now.micros().saturating_add(fresh);
        self.renewal = Some(self.fresh_until);
        self.attempts += 1;
        self.failing = false;
    }

    /// Notes that there was none.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.fetched = self.fetched.min(now.micros());
        self.renewal = Some(now.micros().saturating_add(RENEWAL_PAUSE));
        self.attempts += 1;
        self.failing = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_micros((1_800_000_000 + seconds) * SECOND)
    }

    fn fetched(max_age: Option<u64>) -> KeyMemory {
        let mut memory = KeyMemory::default();
        memory.succeeded(KeySet::default(), max_age.map(Duration::from_secs), at(0));
        memory
    }

    #[test]
    fn how_long_a_set_is_fresh_has_bounds() {
        for (told, fresh) in [
            (None, 3_600),
            (Some(0), 300),
            (Some(299), 300),
            (Some(1_000), 1_000),
            (Some(86_401), 86_400),
            (Some(u64::MAX), 86_400),
        ] {
            let memory = fetched(told);
            assert!(
                !memory.is_due(at(fresh - 1)) && memory.is_due(at(fresh)),
                "{told:?}"
            );
            assert!(memory.usable(at(fresh + 9), 10).is_some(), "{told:?}");
            assert!(memory.usable(at(fresh + 10), 10).is_none(), "{told:?}");
        }
    }

    #[test]
    fn asking_has_pauses() {
        let mut memory = KeyMemory::default();
        assert!(memory.may_ask(at(0), true) && !memory.is_due(at(0)));
        memory.asked(at(0));
        assert!(!memory.may_ask(at(4), false) && memory.may_ask(at(5), false));
        assert!(!memory.may_ask(at(59), true) && memory.may_ask(at(60), true));
        memory.failed(at(0));
        assert!(memory.is_failing() && !memory.is_due(at(59)) && memory.is_due(at(60)));
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nothing_out() {
        let mut memory = fetched(Some(86_400));
        memory.asked(at(0));
        assert!(
            !memory.may_ask(at(-1), true),
            "requests overtake each other"
        );
        assert!(memory.may_ask(at(-61), true) && memory.is_due(at(-61)));
        memory.failed(at(-61));
        assert!(!memory.is_due(at(-60)) && memory.is_due(at(-1)));
    }
}
