//! One test binary for everything end to end.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on must fail")]

mod crate_edges;
mod demo;
mod deploy;
mod durability;
mod program;
mod readme;
