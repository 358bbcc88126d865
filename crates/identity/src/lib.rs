//! Who asks, said by somebody else: access tokens of OpenID Connect and OAuth 2.0 issuers as JWT (RFC 9068), checked by
//! the rules of RFC 8725, become an [`Identity`].
//!
//! [`Issuers`] holds what an administrator has configured ([`IdentityConfig`]) and the keys that the issuers publish.
//! [`Issuers::verify_cached`] answers at once, or says that a key must be fetched first, so that a worker never waits
//! for somebody else's server; [`Issuers::verify`] waits. A [`Refresher`] renews the keys before they grow old.
//!
//! What a caller **may do** is not decided here: the registry gives the identity its grants. Nor is a token that was found
//! good remembered here: the server has one memory for all kinds of token, which also forgets when grants change. It must
//! not remember one beyond [`Identity::expires_at`].
//!
//! Architecture invariants:
//! - A token and its claims are never logged, and never part of an error.
//! - Nothing in a token says where its key is to be found: `jku`, `x5u`, `jwk` and `x5c` are not read.
//! - `none` and the HMAC algorithms cannot be configured: they have no name in [`Algorithm`].
//! - The clock is a parameter; nothing here reads it.
//! - Without keys that are new enough everything is refused.

mod algorithm;
mod check;
mod client;
mod config;
mod identity;
mod issuers;
mod key;
mod key_memory;
#[cfg(feature = "provider")]
pub mod provider;
mod refresher;
mod refused;
mod token;

pub use algorithm::Algorithm;
pub use config::{ClaimNames, ConfigError, Discovery, GrantRule, IdentityConfig, IssuerConfig};
pub use identity::Identity;
pub use issuers::{Checked, Fetch, Issuers};
pub use refresher::{Clock, Refresher};
pub use refused::Refused;
pub use token::LONGEST_TOKEN;
