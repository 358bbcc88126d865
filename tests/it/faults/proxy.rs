//! What stands between a client and a server, and makes trouble when it is told to: connections that are cut, that crawl,
//! and that swallow everything without a word.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

/// How often a quiet connection looks whether something is asked of it.
const LOOK: Duration = Duration::from_millis(10);

/// How what comes is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it comes.
    Open,
    /// A few bytes at a time, with a pause after each.
    Slow,
    /// Not at all, and without a word: as when a cable is pulled.
    HalfOpen,
}

/// A proxy on loopback. It ends with the test.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    /// Where connections lead, one after the other.
    targets: Mutex<Vec<SocketAddr>>,
    way: Mutex<Way>,
    /// Connections of an earlier one are cut.
    generation: AtomicU64,
    next: AtomicU64,
    ended: AtomicBool,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            targets: Mutex::new(Vec::new()),
            way: Mutex::new(Way::Open),
            generation: AtomicU64::new(0),
            next: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.connect(client));
            }
        });
        Self { shared, address }
    }

    /// Where clients come to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where connections that come from now on lead; nowhere when there is no target.
    pub(crate) fn lead_to(&self, targets: impl IntoIterator<Item = SocketAddr>) {
        *self.shared.targets.lock() = targets.into_iter().collect();
    }

    pub(crate) fn go(&self, way: Way) {
        *self.shared.way.lock() = way;
    }

    /// Cuts every connection that there is.
    pub(crate) fn cut(&self) {
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes whoever waits for clients.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn connect(self: Arc<Self>, client: TcpStream) {
        let target = {
            let targets = self.targets.lock();
            let turn = self.next.fetch_add(1, Ordering::SeqCst);
            let place = turn.checked_rem(targets.len() as u64);
            place.and_then(|place| targets.get(usize::try_from(place).ok()?).copied())
        };
        let Some(server) = target.and_then(|target| TcpStream::connect(target).ok()) else {
            drop(client.shutdown(Shutdown::Both));
            return;
        };
        let generation = self.generation.load(Ordering::SeqCst);
        let back = Arc::clone(&self);
        let (from, to) = (server.try_clone(), client.try_clone());
        if let (Ok(from), Ok(to)) = (from, to) {
            thread::spawn(move || back.pass(from, to, generation));
        }
        self.pass(client, server, generation);
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, generation: u64) {
        drop(from.set_read_timeout(Some(LOOK)));
        let mut buffer = [0; 16 * 1024];
        while self.generation.load(Ordering::SeqCst) == generation {
            let way = *self.way.lock();
            let most = if way == Way::Slow { 64 } else { buffer.len() };
            match from.read(&mut buffer[..most]) {
                Ok(0) => break,
                Ok(_) if way == Way::HalfOpen => {}
                Ok(read) => {
                    if way == Way::Slow {
                        thread::sleep(LOOK / 2);
                    }
                    if to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }
}
