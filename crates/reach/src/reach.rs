//! To whom requests may go: said by whoever runs the program.

use std::net::IpAddr;

use url::{Host, Url};

use crate::address::{self, AddressError};
use crate::network::{Network, is_public};

/// Which hosts may be sent to. Nothing is allowed that is not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Names of hosts: `hooks.example.se`, `*.example.se` for every name below it, `*` for every name. An address stands
    /// here as it is.
    pub hosts: Vec<String>,
    /// Ports beside 443 (and 80 where `http` is allowed).
    pub ports: Vec<u16>,
    /// Networks that are not public and may be reached all the same.
    pub networks: Vec<Network>,
    /// Whether `http://` is allowed.
    pub http: bool,
}

/// Why an address is not sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetFault {
    /// It cannot be read, or holds what must not stand there.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Not `https`.
    #[error("it must begin with https://")]
    NotHttps,
    /// Its host is not allowed.
    #[error(
        "its host is not among those that this registry may send to; whoever runs it can add the host to its settings"
    )]
    Host,
    /// Its port is not allowed.
    #[error(
        "its port is not among those that this registry may send to; whoever runs it can add the port to its settings"
    )]
    Port,
    /// It is an address of a network that is not public.
    #[error(
        "it is an address of this machine or of a network that is not public; whoever runs the registry can allow the network in its settings"
    )]
    Network,
}

/// An address that may be sent to, as far as its text tells. Where it leads is looked at when it is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: String,
    port: u16,
}

impl Target {
    /// The host, as it is resolved and as certificates name it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// What the request line says.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// What the header `Host` says.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

impl Reach {
    /// Reads an address that will be sent to.
    ///
    /// # Errors
    /// [`TargetFault`] says what it must be like.
    pub fn target(&self, text: &str) -> Result<Target, TargetFault> {
        let url = address::plain(text)?;
        let usual = match url.scheme() {
            "https" => 443,
            "http" if self.http => 80,
            "http" => return Err(TargetFault::NotHttps),
            _ => return Err(TargetFault::NotHttps),
        };
        let host = url.host().ok_or(AddressError::Malformed)?;
        let port = url.port().unwrap_or(usual);
        if port != usual && !self.ports.contains(&port) {
            return Err(TargetFault::Port);
        }
        let (name, literal) = match &host {
            Host::Domain(name) => ((*name).trim_end_matches('.').to_owned(), None),
            Host::Ipv4(address) => (address.to_string(), Some(IpAddr::V4(*address))),
            Host::Ipv6(address) => (address.to_string(), Some(IpAddr::V6(*address))),
        };
        if let Some(address) = literal
            && !self.admits(address)
        {
            return Err(TargetFault::Network);
        }
        let listed = self.hosts.iter().any(|listed| {
            let listed = listed.trim();
            match listed.strip_prefix('*') {
                Some("") => literal.is_none(),
                Some(below) => literal.is_none() && ends_with(&name, below),
                None => listed.trim_matches(['[', ']']).eq_ignore_ascii_case(&name),
            }
        });
        if !listed {
            return Err(TargetFault::Host);
        }
        Ok(Target {
            host: name,
            port,
            url,
        })
    }

    /// Whether an address that a name was resolved to may be connected to.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address)
            || self
                .networks
                .iter()
                .any(|network| network.contains(address))
    }
}

/// Whether a name ends so and has something before it; `below` begins with a dot.
fn ends_with(name: &str, below: &str) -> bool {
    let (name, below) = (name.to_ascii_lowercase(), below.to_ascii_lowercase());
    below.starts_with('.') && name.len() > below.len() && name.ends_with(&below)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn reach() -> Reach {
        Reach {
            hosts: vec![
                "hooks.example.se".to_owned(),
                "*.skola.example.se".to_owned(),
                "10.1.2.3".to_owned(),
                "127.0.0.1".to_owned(),
                "8.8.8.8".to_owned(),
            ],
            ports: vec![8443],
            networks: vec!["10.1.0.0/16".parse().unwrap()],
            http: false,
        }
    }

    #[test]
    fn only_what_is_listed_is_sent_to() {
        for good in [
            "https://hooks.example.se/a?b=c",
            "https://HOOKS.example.se:8443/",
            "https://a.skola.example.se",
            "https://b.a.skola.example.se",
            "https://10.1.2.3/x",
            "https://8.8.8.8/x",
        ] {
            assert!(reach().target(good).is_ok(), "{good}");
        }
        for (bad, fault) in [
            ("http://hooks.example.se", TargetFault::NotHttps),
            ("ftp://hooks.example.se", TargetFault::NotHttps),
            ("https://hooks.example.se:22/", TargetFault::Port),
            ("https://skola.example.se", TargetFault::Host),
            ("https://evilskola.example.se", TargetFault::Host),
            ("https://hooks.example.se.evil.example", TargetFault::Host),
            ("https://other.example.se", TargetFault::Host),
            ("https://8.8.4.4", TargetFault::Host),
            ("https://127.0.0.1", TargetFault::Network),
            ("https://0x7f000001/", TargetFault::Network),
            ("https://169.254.169.254/latest", TargetFault::Network),
            ("https://[::1]/", TargetFault::Network),
            ("https://[::ffff:169.254.169.254]/", TargetFault::Network),
            (
                "https://u:p@hooks.example.se/",
                TargetFault::Address(AddressError::Decorated),
            ),
            (
                "https://hooks.example.se/#a",
                TargetFault::Address(AddressError::Decorated),
            ),
            (
                "hooks.example.se",
                TargetFault::Address(AddressError::Malformed),
            ),
            ("", TargetFault::Address(AddressError::Malformed)),
        ] {
            assert_eq!(reach().target(bad), Err(fault), "{bad}");
        }
        let open = Reach {
            hosts: vec!["*".to_owned()],
            http: true,
            ..Reach::default()
        };
        assert!(open.target("http://anything.example").is_ok());
        assert_eq!(open.target("http://8.8.8.8"), Err(TargetFault::Host));
        assert_eq!(
            Reach::default().target("https://a.example"),
            Err(TargetFault::Host)
        );
    }

    #[test]
    fn a_target_says_what_the_request_says() {
        let target = reach()
            .target("https://hooks.example.se:8443/a/b?c=d")
            .unwrap();
        assert_eq!(
            (target.host(), target.port(), target.is_secure()),
            ("hooks.example.se", 8443, true)
        );
        assert_eq!(target.path_and_query(), "/a/b?c=d");
        assert_eq!(target.authority(), "hooks.example.se:8443");
    }
}
