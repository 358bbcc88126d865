//! A receiver of webhooks on loopback: agrees to everything, and then accepts, fails or hangs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Told of each body that is accepted.
pub(crate) type Heard = Arc<dyn Fn(&[u8]) + Send + Sync>;

const ACCEPTS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;

/// A receiver; its port is closed when it goes out of scope.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    manner: Arc<AtomicU8>,
    task: JoinHandle<()>,
}

impl Drop for Target {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Target {
    /// Accepts everything from now on.
    pub(crate) async fn start(heard: Heard) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let manner = Arc::new(AtomicU8::new(ACCEPTS));
        let kept = Arc::clone(&manner);
        let task = tokio::spawn(async move {
            // With the task the connections end, too.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, manner) = (Arc::clone(&heard), Arc::clone(&kept));
                connections.spawn(async move {
                    // A client that goes away is no fault.
                    let _ = serve(stream, &heard, &manner).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self {
            address,
            manner,
            task,
        })
    }

    /// Answers 500 to every event.
    pub(crate) fn fail(&self) {
        self.manner.store(FAILS, Ordering::SeqCst);
    }

    /// Answers to no event.
    pub(crate) fn hang(&self) {
        self.manner.store(HANGS, Ordering::SeqCst);
    }
}

async fn serve(mut stream: TcpStream, heard: &Heard, manner: &AtomicU8) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let end = loop {
            let end = buffer.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).into_owned();
        let length: usize = head
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map_or(Ok(0), |(_, value)| value.trim().parse())?;
        while buffer.len() < end + length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let options = head.starts_with("OPTIONS");
        let answer: &[u8] = match manner.load(Ordering::SeqCst) {
            _ if options => {
                b"HTTP/1.1 200 OK\r\nWebHook-Allowed-Origin: *\r\nContent-Length: 0\r\n\r\n"
            }
            ACCEPTS => {
                heard(buffer.get(end..end + length).unwrap_or_default());
                b"HTTP/1.1 204 No Content\r\n\r\n"
            }
            FAILS => b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
            _ => {
                std::future::pending::<()>().await;
                b""
            }
        };
        buffer.drain(..end + length);
        stream.write_all(answer).await?;
    }
}
