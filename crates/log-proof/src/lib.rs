//! What proves the history of a log (`docs/log.md`): the leaf of an entry, the tree over the leaves, and its signed heads.
//!
//! - [`entry`]: an entry to its leaf. A leaf commits to every part of an entry with a salt of its own, so that who is shown
//!   some parts can verify these, and so that an erasure leaves the leaf as it is and nothing that can be guessed.
//! - [`merkle`]: leaves to a root, proofs of inclusion and of consistency, as RFC 9162 says.
//! - [`head`]: a root as it is signed (a C2SP checkpoint with an Ed25519 signature), and how the signature is checked.
//!
//! Architecture invariant: no I/O, no clock, no database; depends on none of our crates, so that whoever verifies needs
//! nothing else.

pub mod entry;
pub mod head;
mod hexadecimal;
pub mod merkle;
