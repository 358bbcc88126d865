//! `[peers]`: which registries may be followed, and with what.

use std::path::PathBuf;

use grunddata_server::config as server;
use serde::Deserialize;

/// `[peers]`
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Peers {
    /// Hosts that may be asked, without scheme and port.
    hosts: Vec<String>,
    /// Whether `http://` to this machine itself is allowed.
    http_loopback: bool,
    /// Directory in which the tokens lie that are named over the API.
    tokens: Option<PathBuf>,
    /// Certificates (PEM) of authorities, in place of the usual ones.
    certificate_authorities: Option<PathBuf>,
    /// An HTTP proxy.
    proxy: Option<String>,
    /// Whether packages of the information model that are missing here come from peers.
    models: bool,
}

impl Peers {
    /// The same for the server.
    pub(super) fn server(&self) -> server::Peering {
        server::Peering {
            hosts: self.hosts.clone(),
            http_loopback: self.http_loopback,
            tokens: self.tokens.clone(),
            certificate_authorities: self.certificate_authorities.clone(),
            proxy: self.proxy.clone(),
            models: self.models,
            ..server::Peering::default()
        }
    }
}
