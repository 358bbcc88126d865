//! Waiting for the next change of an owner, at no cost for whoever writes: the committing thread notes the position that it
//! has reached, and one thread looks for what other processes on the same database have committed, as long as anybody waits.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use grunddata_model::OwnerKey;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::connection::{Connection, Purpose};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::sql::{LIST, Sql};

/// How often it is looked for what other processes have committed: half of it is what a reader waits for them on average.
const PERIOD: Duration = Duration::from_millis(40);
/// The same while the database cannot be reached.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who waits for which owner.
#[derive(Default)]
pub(crate) struct Followed {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    owners: HashMap<OwnerKey, watch::Sender<u64>>,
    begun: bool,
    closed: bool,
}

/// Tells how far an owner's log has come.
#[derive(Debug, Clone)]
pub struct LogWatch {
    position: watch::Receiver<u64>,
}

impl LogWatch {
    /// How far the log is known to have come; 0 until anything is known.
    #[must_use]
    pub fn reached(&self) -> u64 {
        *self.position.borrow()
    }

    /// Waits until the log is known to have come further than this. For ever when the store has been shut down.
    pub async fn beyond(&mut self, position: u64) {
        if self
            .position
            .wait_for(|reached| *reached > position)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}

impl Followed {
    /// Somebody waits for the owner.
    pub(crate) fn watch(&self, owner: &OwnerKey) -> LogWatch {
        let mut state = self.state.lock();
        let sender = state
            .owners
            .entry(owner.clone())
            .or_insert_with(|| watch::Sender::new(0));
        let position = sender.subscribe();
        self.wake.notify_one();
        LogWatch { position }
    }

    /// Whether the thread is still to be started: the first who asks starts it.
    pub(crate) fn begins(&self) -> bool {
        let mut state = self.state.lock();
        !std::mem::replace(&mut state.begun, true)
    }

    /// The owner's log has come to this position.
    pub(crate) fn tell(&self, owner: &OwnerKey, position: u64) {
        if let Some(sender) = self.state.lock().owners.get(owner) {
            sender.send_if_modified(|reached| {
                let further = position > *reached;
                *reached = position.max(*reached);
                further
            });
        }
    }

    /// Nobody is told anything any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.owners.clear();
        self.wake.notify_all();
    }

    /// The owners that somebody waits for; blocks until there are any. `None` when it is closed.
    fn waited_for(&self) -> Option<Vec<OwnerKey>> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            state.owners.retain(|_, sender| sender.receiver_count() > 0);
            if !state.owners.is_empty() {
                return Some(state.owners.keys().cloned().collect());
            }
            self.wake.wait(&mut state);
        }
    }

    /// Rests, but not when it is closed meanwhile.
    fn rest(&self, period: Duration) {
        let mut state = self.state.lock();
        if !state.closed {
            self.wake.wait_for(&mut state, period);
        }
    }
}

/// Looks for what others have committed until the store is closed.
pub(crate) fn follow(engine: &Weak<Engine>, followed: &Arc<Followed>) {
    let mut connection = None;
    while let Some(owners) = followed.waited_for() {
        let Some(engine) = engine.upgrade() else {
            return;
        };
        let period = match positions(&engine, &mut connection, &owners) {
            Ok(positions) => {
                for (owner, position) in positions {
                    followed.tell(&owner, position);
                }
                PERIOD
            }
            Err(error) => {
                tracing::debug!(%error, "the positions of logs cannot be read just now");
                connection = None;
                PATIENCE
            }
        };
        drop(engine);
        followed.rest(period);
    }
}

fn positions(
    engine: &Engine,
    connection: &mut Option<Connection>,
    owners: &[OwnerKey],
) -> Result<Vec<(OwnerKey, u64)>, StoreError> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(
            &engine.target,
            &engine.options,
            Purpose::Read,
        )?),
    };
    let mut found = Vec::with_capacity(owners.len());
    for chunk in owners.chunks(LIST) {
        let mut sql =
            Sql::<(Text, BigInt)>::new("SELECT o.key, o.position FROM owner o WHERE o.key IN ");
        sql.texts(chunk.iter().map(OwnerKey::as_str));
        let rows: Vec<(String, i64)> = connection.load(&sql)?;
        for owner in chunk {
            let row = rows.iter().find(|(key, _)| key == owner.as_str());
            if let Some((_, position)) = row {
                found.push((owner.clone(), u64::try_from(*position).unwrap_or_default()));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn ready(future: impl Future<Output = ()>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(future).poll(&mut context) == Poll::Ready(())
    }

    #[test]
    fn only_who_waits_for_the_owner_is_told_and_only_of_more() {
        let followed = Followed::default();
        let owner = |key| OwnerKey::new(key).unwrap();
        followed.tell(&owner("a"), 7);
        let mut watch = followed.watch(&owner("a"));
        assert!(!ready(watch.beyond(0)));
        followed.tell(&owner("b"), 9);
        followed.tell(&owner("a"), 8);
        assert!(ready(watch.beyond(7)) && !ready(watch.beyond(8)));
        // What another thread saw earlier takes nothing back.
        followed.tell(&owner("a"), 7);
        assert!(ready(watch.beyond(7)));
        assert_eq!(followed.waited_for(), Some(vec![owner("a")]));
        followed.close();
        assert_eq!(followed.waited_for(), None);
        assert!(!ready(watch.beyond(8)));
    }
}
