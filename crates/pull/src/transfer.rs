//! Another registry of the same kind: what it hands over, and what it is told of that. Of what is in it nothing is known here.

use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::PullError;
use crate::line::raw;
use crate::peer::{API, LONGEST_PAGE, Peer, PeerError, read_answer};

impl Peer {
    /// What stands at an address below that of the registry.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn get<T: DeserializeOwned>(
        &self,
        below: &str,
        pairs: &[(&str, &str)],
    ) -> Result<T, PeerError> {
        self.asked(below, pairs)
    }

    /// Asks for something to be done, and says what came of it.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn post<T: DeserializeOwned>(&self, below: &str, body: &Value) -> Result<T, PeerError> {
        let address = format!("{}{API}{below}", self.base);
        let url = Url::parse(&address).map_err(|_| PullError::Address {
            why: "it is not an absolute address",
        })?;
        let client = self.way.connection()?;
        let body = body.to_string();
        let response = client.send(&url, "application/json", body.as_bytes(), "the peer")?;
        read_answer(raw(response, LONGEST_PAGE)?)
    }
}
