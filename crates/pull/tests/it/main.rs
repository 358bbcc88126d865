//! Pulling, from a real server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod files;
mod ss12000;
