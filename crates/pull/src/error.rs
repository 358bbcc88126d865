//! Why nothing was fetched.

use std::io;

/// Why nothing was fetched. Made to be shown: it holds no token, no address and nothing of what was answered.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The address is not asked.
    #[error("the address is not used: {why}")]
    Address {
        /// What it must be like.
        why: &'static str,
    },
    /// A setting cannot be used.
    #[error("{0}")]
    Settings(String),
    /// No connection, or it broke.
    #[error("{place}: there is no answer ({cause})")]
    Connection {
        /// What was asked for.
        place: String,
        /// What the connection says.
        cause: String,
    },
    /// The server does not take the token.
    #[error(
        "{place}: the server answers with status {status}: the token is missing, has expired or may not read this"
    )]
    Unauthorised {
        /// What was asked for.
        place: String,
        /// 401 or 403.
        status: u16,
    },
    /// Another answer than was asked for.
    #[error("{place}: the server answers with status {status}")]
    Status {
        /// What was asked for.
        place: String,
        /// The status.
        status: u16,
    },
    /// The server does not tell what has changed since.
    #[error(
        "{place}: the server answers with status {status} when asked for what has changed since; fetch everything instead"
    )]
    NoDelta {
        /// What was asked for.
        place: String,
        /// The status.
        status: u16,
    },
    /// The answer is not what the standard says.
    #[error("{place}: the answer {what}")]
    Answer {
        /// What was asked for.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A limit.
    #[error(
        "{place}: more than {limit} {of}, which is not allowed; raise the limit if it is right"
    )]
    Limit {
        /// What was asked for.
        place: String,
        /// The limit.
        limit: u64,
        /// Of what.
        of: &'static str,
    },
    /// What was fetched cannot be written down.
    #[error("what was fetched cannot be written: {0}")]
    Write(#[from] io::Error),
}
