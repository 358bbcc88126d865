//! What whoever runs the server says of subscriptions.

use std::path::PathBuf;
use std::time::Duration;

use grunddata_reach::{Client, Patience, Reach};

/// Where subscriptions may send to, and how patiently.
#[derive(Debug, Clone)]
pub struct Sending {
    /// Which hosts, ports and networks.
    pub reach: Reach,
    /// Hosts that are not asked with OPTIONS whether they want events: only the test event is sent.
    pub without_handshake: Vec<String>,
    /// Certificates (PEM) of authorities, in place of the usual ones.
    pub certificate_authorities: Option<PathBuf>,
    /// How often it is looked for subscriptions that were made, changed or left elsewhere.
    pub poll: Duration,
    /// How long a target may take to be connected to.
    pub connect: Duration,
    /// How long it may take to answer.
    pub answer: Duration,
    /// About how long it is waited after the first failure; twice as long after each further one.
    pub first_retry: Duration,
    /// The longest time between two tries.
    pub last_retry: Duration,
    /// Events of one batch.
    pub batch_events: usize,
    /// Bytes after which a batch is full.
    pub batch_bytes: usize,
    /// Targets that are sent to at the same time.
    pub at_once: u32,
    /// The same of those that fail or are slow.
    pub slow_at_once: u32,
    /// The same of one host.
    pub of_host_at_once: usize,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            reach: Reach::default(),
            without_handshake: Vec::new(),
            certificate_authorities: None,
            poll: Duration::from_secs(1),
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(15),
            first_retry: Duration::from_secs(5),
            last_retry: Duration::from_secs(60 * 60),
            batch_events: 100,
            batch_bytes: 256 * 1024,
            at_once: 256,
            slow_at_once: 64,
            of_host_at_once: 16,
        }
    }
}

impl Sending {
    /// What is wrong with an address, in English and in Swedish.
    #[must_use]
    pub fn fault(&self, target: &str) -> Option<(String, String)> {
        let fault = self.reach.target(target).err()?;
        Some((
            format!("target cannot be sent to: {fault}."),
            "Adressen i target får inte användas. Den som driver registret kan tillåta värden, porten eller nätet i inställningarna.".to_owned(),
        ))
    }

    pub(crate) fn client(&self) -> Result<Client, String> {
        let authorities = self
            .certificate_authorities
            .as_ref()
            .map(|path| {
                std::fs::read_to_string(path)
                    .map_err(|error| format!("{}: {error}", path.display()))
            })
            .transpose()?;
        let patience = Patience {
            connect: self.connect,
            answer: self.answer,
        };
        Client::new(self.reach.clone(), authorities.as_deref(), patience)
    }

    /// How long it is waited after so many failures in a row: anything up to the longest of that time (full jitter), so that
    /// many who failed together do not come back together. `dice` is random.
    pub(super) fn pause(&self, failures: u32, dice: u64) -> Duration {
        let doubled = 1_u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let longest = self
            .first_retry
            .saturating_mul(doubled)
            .min(self.last_retry);
        let longest = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(dice % longest.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_cap_and_are_spread() {
        let sending = Sending::default();
        assert_eq!(sending.pause(1, 5_000_000), Duration::from_secs(5));
        assert_eq!(sending.pause(1, 5_000_001), Duration::ZERO);
        assert!(sending.pause(4, u64::MAX) <= Duration::from_secs(40));
        assert_eq!(sending.pause(4, 40_000_000), Duration::from_secs(40));
        for failures in [11, 31, 32, 33, 64, u32::MAX] {
            assert_eq!(
                sending.pause(failures, 3_600_000_000),
                Duration::from_secs(3_600),
                "{failures}"
            );
        }
    }
}
