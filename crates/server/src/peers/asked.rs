//! How registries are asked, by what whoever runs the program has set.

use grunddata_pull::{Access, Peer as Remote, PullError, Settings, Token};
use grunddata_registry::PeerSettings;

use super::Peering;

impl Peering {
    /// The registry at the other end.
    pub(crate) fn remote(&self, settings: &PeerSettings) -> Result<Remote, String> {
        if settings.pushed_by.is_some() {
            return Err(
                "the peer is not asked: it brings its changes itself, to the server that runs here"
                    .to_owned(),
            );
        }
        let token = settings
            .token_file
            .as_deref()
            .map(|name| self.token(name))
            .transpose()?;
        let asked = Settings {
            address: settings.url.clone(),
            token,
            certificate_authorities: self.authorities()?,
            proxy: self.proxy.clone(),
            ..Settings::default()
        };
        Remote::new(&asked, &self.access(), self.wait).map_err(|error| match error {
            PullError::Address { why } => {
                format!("the address of the peer is not used: {why} (peers.hosts)")
            }
            other => other.to_string(),
        })
    }

    /// Whom the program may ask.
    pub(super) fn access(&self) -> Access {
        Access {
            hosts: self.hosts.clone(),
            allow_http_loopback: self.http_loopback,
        }
    }

    /// A token, from its file.
    pub(super) fn token(&self, name: &str) -> Result<Token, String> {
        let path = self.token_path(name)?;
        let text = std::fs::read_to_string(&path).map_err(|error| {
            format!("the token file {} cannot be read: {error}", path.display())
        })?;
        Ok(Token::new(&text))
    }

    /// The certificates of authorities, where others than the usual ones are set.
    pub(super) fn authorities(&self) -> Result<Option<String>, String> {
        self.certificate_authorities
            .as_ref()
            .map(std::fs::read_to_string)
            .transpose()
            .map_err(|error| format!("the certificates of authorities cannot be read: {error}"))
    }
}
