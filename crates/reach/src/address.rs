//! Addresses that settings name: `https`, or plain `http` on this machine where the settings allow it.

use url::{Host, Url};

/// Why an address is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read.
    #[error("it is not an absolute address")]
    Malformed,
    /// It would be asked without encryption.
    #[error(
        "it must begin with https:// (http:// is for 127.0.0.1, [::1] and localhost, and only with allow_http_loopback)"
    )]
    NotHttps,
    /// It holds what must not stand in an address, or has no meaning there.
    #[error("it must hold no user, password or fragment")]
    Decorated,
}

/// Reads an absolute address with a host, and without user, password and fragment. Its scheme is not looked at.
///
/// # Errors
/// [`AddressError::Malformed`], [`AddressError::Decorated`].
pub fn plain(text: &str) -> Result<Url, AddressError> {
    let url = Url::parse(text).map_err(|_| AddressError::Malformed)?;
    if !url.has_host() {
        return Err(AddressError::Malformed);
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(AddressError::Decorated);
    }
    Ok(url)
}

/// Reads an address that will be asked.
///
/// # Errors
/// [`AddressError`].
pub fn checked(text: &str, allow_http_loopback: bool) -> Result<Url, AddressError> {
    let url = plain(text)?;
    let host = url.host().ok_or(AddressError::Malformed)?;
    let safe = match url.scheme() {
        "https" => true,
        "http" => allow_http_loopback && is_loopback(&host),
        _ => false,
    };
    if !safe {
        return Err(AddressError::NotHttps);
    }
    Ok(url)
}

/// Whether the host is this machine, by its address or as `localhost`.
#[must_use]
pub fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressError, checked};

    #[test]
    fn only_https_or_allowed_loopback() {
        for good in [
            "https://idp.example.se",
            "https://idp.example.se:8443/a?b=c",
        ] {
            assert!(checked(good, false).is_ok(), "{good}");
        }
        for local in [
            "http://127.0.0.1:1/x",
            "http://[::1]:1",
            "http://localhost:8080",
        ] {
            assert_eq!(
                checked(local, false),
                Err(AddressError::NotHttps),
                "{local}"
            );
            assert!(checked(local, true).is_ok(), "{local}");
        }
        for bad in [
            "http://idp.example.se",
            "http://localhost.example.se",
            "http://10.0.0.1",
            "file:///etc/passwd",
            "ftp://127.0.0.1",
            "idp.example.se",
            "",
            "https://u:p@idp.example.se",
            "https://idp.example.se/#x",
        ] {
            assert!(checked(bad, true).is_err(), "{bad}");
        }
    }
}
