//! To whom the program may go.

use grunddata_reach::address::{self, AddressError};
use url::Url;

use crate::PullError;

/// Which hosts may be asked. Said by whoever runs the program, never by whoever describes a source: an address that an owner
/// writes must not become a way into the machine's own network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Names or addresses of hosts, without scheme and port. None is allowed that is not listed.
    pub hosts: Vec<String>,
    /// Whether `http://` and unlisted `127.0.0.1`, `[::1]` and `localhost` are allowed: for tests and for a proxy beside
    /// the program.
    pub allow_http_loopback: bool,
}

impl Access {
    /// The host of one address alone, or this machine.
    #[must_use]
    pub fn to(address: &str) -> Self {
        let host = Url::parse(address).ok();
        let host = host.and_then(|url| url.host().map(|host| host.to_string()));
        Self {
            hosts: host.into_iter().collect(),
            allow_http_loopback: true,
        }
    }

    /// Reads an address that will be asked.
    ///
    /// # Errors
    /// [`PullError::Address`] says what it must be like.
    pub fn checked(&self, text: &str) -> Result<Url, PullError> {
        let refused = |why: &'static str| PullError::Address { why };
        let url = address::plain(text).map_err(|error| match error {
            AddressError::Decorated => refused("it must hold no user, password or fragment"),
            AddressError::Malformed | AddressError::NotHttps => {
                refused("it is not an absolute address")
            }
        })?;
        let host = url
            .host()
            .ok_or_else(|| refused("it is not an absolute address"))?;
        if self.allow_http_loopback && address::is_loopback(&host) {
            return match url.scheme() {
                "http" | "https" => Ok(url),
                _ => Err(refused("it must begin with https://")),
            };
        }
        if url.scheme() != "https" {
            return Err(refused("it must begin with https://"));
        }
        let name = host.to_string();
        if self
            .hosts
            .iter()
            .any(|allowed| allowed.trim().eq_ignore_ascii_case(&name))
        {
            Ok(url)
        } else {
            Err(refused(
                "its host is not among those that this program may ask; whoever runs it can add the host",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Access;

    #[test]
    fn only_listed_hosts_and_only_https() {
        let access = Access {
            hosts: vec!["skola.example.se".into(), "192.0.2.7".into()],
            allow_http_loopback: false,
        };
        for good in [
            "https://skola.example.se/ss12000/v2.0",
            "https://SKOLA.example.se:8443",
            "https://192.0.2.7/",
        ] {
            assert!(access.checked(good).is_ok(), "{good}");
        }
        let local = Access {
            allow_http_loopback: true,
            ..access.clone()
        };
        for loopback in ["http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost"] {
            assert!(access.checked(loopback).is_err(), "{loopback}");
            assert!(local.checked(loopback).is_ok(), "{loopback}");
        }
        for bad in [
            "http://skola.example.se",
            "https://other.example.se",
            "https://skola.example.se.evil.example",
            "https://evil.example/?skola.example.se",
            "https://user@skola.example.se",
            "https://skola.example.se/#x",
            "https://169.254.169.254/latest/meta-data",
            "https://0x7f000001/",
            "https://127.0.0.1/",
            "file:///etc/passwd",
            "ftp://127.0.0.1",
            "skola.example.se",
            "",
        ] {
            assert!(access.checked(bad).is_err(), "{bad}");
        }
        assert!(local.checked("file://localhost/etc/passwd").is_err());
        // The number is another way to write 127.0.0.1, and is read as that.
        assert!(local.checked("http://0x7f000001/").is_ok());
    }
}
