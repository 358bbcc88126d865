//! An answer that comes bit by bit: lines of a log, or events.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use bytes::{Bytes, BytesMut};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::load::Request;
use crate::registry;

/// An answer in chunks (RFC 9112, section 7.1).
pub(crate) struct Stream {
    stream: TcpStream,
    buffer: BytesMut,
    /// What is left of the chunk.
    left: usize,
    /// Whether a chunk has ended before.
    begun: bool,
}

impl Stream {
    /// Asks, and reads the head of the answer.
    pub(crate) async fn open(address: SocketAddr, request: &Request) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request).await?;
        let mut opened = Self {
            stream,
            buffer: BytesMut::with_capacity(64 * 1024),
            left: 0,
            begun: false,
        };
        let head = opened.until(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        ensure!(
            head.starts_with("http/1.1 200") && head.contains("transfer-encoding: chunked"),
            "no stream: {head}"
        );
        Ok(opened)
    }

    /// The next bytes of its body; `None` = it has ended.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        if self.left == 0 {
            if self.begun {
                self.until(b"\r\n").await?;
            }
            let head = self.until(b"\r\n").await?;
            let size = std::str::from_utf8(&head)?.trim();
            self.left = usize::from_str_radix(size, 16).context("unexpected chunk")?;
            self.begun = true;
            if self.left == 0 {
                return Ok(None);
            }
        }
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        let taken = self.buffer.split_to(self.left.min(self.buffer.len()));
        self.left -= taken.len();
        Ok(Some(taken.freeze()))
    }

    /// Everything before the mark; the mark is passed.
    async fn until(&mut self, mark: &[u8]) -> Result<BytesMut> {
        loop {
            let place = self
                .buffer
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(place) = place {
                let found = self.buffer.split_to(place);
                drop(self.buffer.split_to(mark.len()));
                return Ok(found);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<()> {
        self.buffer.reserve(64 * 1024);
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "an answer was cut off");
        Ok(())
    }
}

/// What stands before the instant at which an entry was recorded.
const RECORDED: &[u8] = b"\"recordedAt\":\"";

/// How old each of the entries in these bytes is, in microseconds, counted from the instant of its transaction. That is taken
/// before the commit begins: the commit is included.
pub(crate) fn ages(mut bytes: &[u8], ages: &mut Histogram<u64>) -> Result<()> {
    let now = registry::now().micros();
    while let Some(place) = bytes
        .windows(RECORDED.len())
        .position(|window| window == RECORDED)
    {
        bytes = bytes.get(place + RECORDED.len()..).unwrap_or_default();
        let end = bytes.iter().position(|byte| *byte == b'"');
        let text = std::str::from_utf8(bytes.get(..end.unwrap_or_default()).unwrap_or_default())?;
        let recorded = chrono::DateTime::parse_from_rfc3339(text)?.timestamp_micros();
        ages.record(u64::try_from(now - recorded).unwrap_or_default().max(1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_an_age() {
        let mut found = Histogram::<u64>::new(3).unwrap();
        let text =
            br#"[{"recordedAt":"2026-01-01T00:00:00Z"},{"recordedAt":"2026-01-02T00:00:00.5Z"}]"#;
        ages(text, &mut found).unwrap();
        assert_eq!(found.len(), 2);
        assert!(ages(br#"{"recordedAt":"now"}"#, &mut found).is_err());
    }
}
