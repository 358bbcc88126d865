//! What whoever pulls says.

use std::fmt;
use std::time::Duration;

/// A bearer token. Shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token, without white space around: files end with a line feed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// From where and how.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The address: of the file, or of the API with its version, as `https://skola.example.se/ss12000/v2.0`.
    pub address: String,
    /// What the server is shown.
    pub token: Option<Token>,
    /// Certificates in PEM of authorities of the server's own, in place of the usual ones.
    pub certificate_authorities: Option<String>,
    /// An HTTP proxy.
    pub proxy: Option<String>,
    /// The limits.
    pub limits: Limits,
}

/// How large the parts of an answer may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of everything together.
    pub bytes: u64,
    /// Bytes of one page.
    pub page_bytes: u64,
    /// Objects that are asked for at a time.
    pub page: u32,
    /// Pages of everything together.
    pub pages: u64,
    /// The time for one request.
    pub request: Duration,
    /// The time for everything together.
    pub whole: Duration,
    /// How often a server that says that it is busy is asked again for the same.
    pub tries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 4 << 30,
            page_bytes: 64 << 20,
            page: 500,
            pages: 100_000,
            request: Duration::from_secs(60),
            whole: Duration::from_secs(2 * 60 * 60),
            tries: 5,
        }
    }
}
