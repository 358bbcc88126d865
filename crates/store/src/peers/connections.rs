//! The connections with which copies are written: a few for all peers together, however many are followed.

use parking_lot::{Condvar, Mutex};

use crate::connection::Connection;

/// The most at once.
const MOST: usize = 4;

/// The connections of one store.
#[derive(Default)]
pub(crate) struct CopyConnections {
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Default)]
struct State {
    busy: usize,
    idle: Vec<Connection>,
}

/// The turn of one writer.
pub(super) struct Turn<'a> {
    connections: &'a CopyConnections,
}

impl CopyConnections {
    /// Waits for a turn; and a connection, where one lies idle.
    pub(super) fn turn(&self) -> (Turn<'_>, Option<Connection>) {
        let mut state = self.state.lock();
        while state.busy >= MOST {
            self.free.wait(&mut state);
        }
        state.busy += 1;
        (Turn { connections: self }, state.idle.pop())
    }
}

impl Turn<'_> {
    /// Leaves a connection that is in order for the next one. One that is not left was in the midst of something: it takes
    /// that back when it is dropped.
    pub(super) fn leave(&self, connection: Connection) {
        self.connections.state.lock().idle.push(connection);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.connections.state.lock().busy -= 1;
        self.connections.free.notify_one();
    }
}
