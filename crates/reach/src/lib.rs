//! Where requests may go, and a client that sends them there: for addresses that somebody else has written than who runs the
//! program.
//!
//! Architecture invariant: knows nothing of records. No address is connected to that has not been looked at after it was
//! resolved; no redirect is followed, no proxy of the environment is used, and nothing of an answer's body is handed on.

pub mod address;
mod client;
mod network;
mod reach;

pub use hyper::{Method, header};

pub use client::{Answer, Client, Patience, SendError, Session};
pub use network::{Network, NetworkError, is_public};
pub use reach::{Reach, Target, TargetFault};
