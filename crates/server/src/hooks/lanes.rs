//! Who may be at a target just now. Targets that fail or are slow have places of their own, so that however many of them hang,
//! the others go on; and one host has no more than some, however many subscriptions lead to it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a look takes that brings states along: they may be large.
const WITH_STATES: u32 = 8;

/// The places.
#[derive(Debug)]
pub(super) struct Lanes {
    swift: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    most: (u32, u32),
    of_host: usize,
    hosts: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A place that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _host: OwnedSemaphorePermit,
    _lane: OwnedSemaphorePermit,
}

impl Lanes {
    pub(super) fn new(swift: u32, slow: u32, of_host: usize) -> Self {
        let (swift, slow) = (swift.max(1), slow.max(1));
        Self {
            swift: Arc::new(Semaphore::new(swift as usize)),
            slow: Arc::new(Semaphore::new(slow as usize)),
            most: (swift, slow),
            of_host: of_host.max(1),
            hosts: Mutex::default(),
        }
    }

    /// Waits for a place. `None` = there are no more.
    pub(super) async fn place(&self, host: &str, slow: bool, states: bool) -> Option<Place> {
        // Who fails at a host does not stand in the way of who does not.
        let name = if slow {
            format!("{host} slow")
        } else {
            host.to_owned()
        };
        let host = self.host(&name).acquire_owned().await.ok()?;
        let (lane, most) = if slow {
            (&self.slow, self.most.1)
        } else {
            (&self.swift, self.most.0)
        };
        let weight = if states { WITH_STATES.min(most) } else { 1 };
        let lane = Arc::clone(lane).acquire_many_owned(weight).await.ok()?;
        Some(Place {
            _host: host,
            _lane: lane,
        })
    }

    fn host(&self, host: &str) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock();
        if let Some(known) = hosts.get(host).and_then(Weak::upgrade) {
            return known;
        }
        // A permit holds on to its semaphore: what is gone is used by nobody.
        hosts.retain(|_, known| known.strong_count() > 0);
        let fresh = Arc::new(Semaphore::new(self.of_host));
        hosts.insert(host.to_owned(), Arc::downgrade(&fresh));
        fresh
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[actix_web::test]
    async fn slow_ones_do_not_stand_in_the_way() {
        let lanes = Lanes::new(4, 2, 2);
        let soon = Duration::from_millis(20);
        let _one = lanes.place("a", true, false).await;
        let _two = lanes.place("b", true, false).await;
        assert!(
            tokio::time::timeout(soon, lanes.place("c", true, false))
                .await
                .is_err()
        );
        let three = lanes.place("a", false, false).await;
        let _four = lanes.place("a", false, false).await;
        assert!(
            tokio::time::timeout(soon, lanes.place("a", false, false))
                .await
                .is_err()
        );
        let _five = lanes.place("b", false, false).await;
        drop(three);
        assert!(
            tokio::time::timeout(soon, lanes.place("a", false, false))
                .await
                .is_ok()
        );
        // States take all that there is, not more.
        let lanes = Lanes::new(4, 2, 2);
        let all = lanes.place("a", false, true).await;
        assert!(all.is_some());
        assert!(
            tokio::time::timeout(soon, lanes.place("b", false, false))
                .await
                .is_err()
        );
    }
}
