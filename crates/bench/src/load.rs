//! A small HTTP/1.1 load generator: keep-alive connections in a closed loop (saturation) or at a fixed arrival
//! rate (latency). It runs in the benchmark's process, so its processor time never counts against a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One request, ready to be written to a connection.
pub(crate) type Request = Arc<[u8]>;

/// Gives the n-th request.
pub(crate) type Requests = Arc<dyn Fn(u64) -> Request + Send + Sync>;

/// What a run measured.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// Latencies in microseconds. At a fixed rate they count from the moment at which the request was due, so a
    /// stalled server is charged for the queue that it causes.
    pub(crate) latency: Histogram<u64>,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

/// A GET of `path`, with a bearer token where one is given.
pub(crate) fn get(path: &str, token: Option<&str>) -> Request {
    let authorization = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n{authorization}\r\n")
        .into_bytes()
        .into()
}

/// A POST of JSON.
pub(crate) fn post(path: &str, token: &str, body: &str) -> Request {
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Prefer: return=minimal\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
    .into()
}

/// Every connection asks again as soon as it is answered, for `duration`.
pub(crate) async fn saturate(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    requests: Requests,
) -> Result<Measured> {
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let until = started + duration;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (next, requests) = (Arc::clone(&next), Arc::clone(&requests));
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut latency = Histogram::<u64>::new(3)?;
            while Instant::now() < until {
                let request = requests(next.fetch_add(1, Ordering::Relaxed));
                let sent = Instant::now();
                connection.exchange(&request).await?;
                latency.record(micros(sent.elapsed()))?;
            }
            anyhow::Ok(latency)
        }));
    }
    collect(tasks, started).await
}

/// Requests become due at a fixed rate, spread over the connections, for `duration`.
pub(crate) async fn at_rate(
    address: SocketAddr,
    connections: usize,
    per_second: f64,
    duration: Duration,
    requests: Requests,
) -> Result<Measured> {
    let total = (per_second * duration.as_secs_f64()) as u64;
    let next = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (next, requests) = (Arc::clone(&next), Arc::clone(&requests));
        tasks.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut latency = Histogram::<u64>::new(3)?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return anyhow::Ok(latency);
                }
                let due = started + Duration::from_secs_f64(number as f64 / per_second);
                let now = Instant::now();
                if due > now {
                    tokio::time::sleep(due - now).await;
                }
                // Tokio's timer wakes on whole milliseconds; a request counts from its wake-up unless it was late
                // because this connection was still waiting for an answer.
                let counted_from = Instant::now().min(due + Duration::from_millis(1)).max(due);
                connection.exchange(&requests(number)).await?;
                latency.record(micros(counted_from.elapsed()))?;
            }
        }));
    }
    collect(tasks, started).await
}

async fn collect(
    tasks: Vec<tokio::task::JoinHandle<Result<Histogram<u64>>>>,
    started: Instant,
) -> Result<Measured> {
    let mut latency = Histogram::<u64>::new(3)?;
    for task in tasks {
        latency.add(task.await??)?;
    }
    Ok(Measured {
        requests: latency.len(),
        elapsed: started.elapsed(),
        latency,
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("nothing listens on {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends one request and reads the whole answer; anything but 2xx ends the benchmark.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>> {
        let (status, body) = self.answer(request).await?;
        if !(200..300).contains(&status) {
            bail!(
                "the server answered {status}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        Ok(body)
    }

    /// Sends one request and reads the whole answer: status and body.
    pub(crate) async fn answer(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some(head_end) = find(&self.buffer, b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(self.buffer.get(..head_end).unwrap_or_default())?;
            let length = head
                .split("\r\n")
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
            if self.buffer.len() < head_end + 4 + length {
                continue;
            }
            let status = head.split(' ').nth(1).unwrap_or_default().parse()?;
            return Ok((status, self.buffer.split_off(head_end + 4)));
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
