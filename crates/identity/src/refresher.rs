//! Renews keys in the background, so that no request waits for it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use grunddata_model::Instant;

use crate::Issuers;

/// Tells the time. The programs read the clock; this crate is given it.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// A thread that renews the keys of all issuers before they grow old. It ends when this is dropped; a request to an issuer
/// that is under way is not waited for.
#[derive(Debug)]
pub struct Refresher {
    /// Never sent on: that it is gone tells the thread to end.
    _alive: Sender<()>,
}

impl Refresher {
    /// Starts the thread, which looks every so often whether keys are due. Fifteen seconds are a good measure.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(issuers: Arc<Issuers>, clock: Clock, every: Duration) -> io::Result<Self> {
        let (alive, ended) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("identity-keys".to_owned())
            .spawn(move || {
                while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    issuers.renew(clock());
                }
            })?;
        Ok(Self { _alive: alive })
    }
}
