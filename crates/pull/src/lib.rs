//! Fetches what other systems have: a file over HTTP, or everything from an SS 12000:2020 server, as a file that a load
//! then reads like any other; and the feed of another registry.
//!
//! Architecture invariants:
//! - It goes to no host but those that whoever runs the program has listed ([`Access`]); what an owner writes into a source
//!   chooses among them. No redirect is followed.
//! - Everything has bounds: bytes, pages, answers, time.
//! - A token is never in an address, a log or an error.
//! - What was not fetched whole is not a file: the result is an error.
//! - No clock of the calendar; the time that has passed is counted.

mod access;
mod client;
mod error;
mod file;
mod line;
mod peer;
#[cfg(feature = "server")]
pub mod server;
mod settings;
mod ss12000;
mod transfer;

pub use access::Access;
pub use error::PullError;
pub use file::{Fetched, File, Validators, file};
pub use line::{Ask, Line, Question, RawAnswer};
pub use peer::{
    FeedItem, FeedItemChange, FeedItemContent, FeedItemCopy, FeedItemGeometry, FeedItemState,
    FeedMeta, FeedQuery, Peer, PeerError, PeerHead, PeerInfo, PeerKey, PeerModel, PeerOwner,
    PeerPackage, RawPage,
};
pub use settings::{Limits, Settings, Token};
pub use ss12000::{Endpoint, Ss12000, Wanted, ss12000};
