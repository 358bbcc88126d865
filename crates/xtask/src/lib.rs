//! What the structure of the source must be, and what no log may hold: shared by `cargo xtask check` and the tests.
//!
//! Architecture invariant: nothing here is shipped; only tests may depend on it.

pub mod numbers;
pub mod structure;
