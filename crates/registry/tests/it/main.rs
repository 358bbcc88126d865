//! The use cases through the whole stack below them, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod concurrency;
mod coordinates;
mod effective;
mod forms;
mod hand_offs;
mod histories;
mod identifiers;
mod invariants;
mod law;
mod loads;
mod lossless;
mod operations;
mod pending;
mod preconditions;
mod proof;
mod protection;
mod references;
mod searching;
mod stack;
mod transactions;
mod transfers;
mod transfers_kept;
mod traversal;
mod withheld;
