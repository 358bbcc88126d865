//! Which addresses belong to the public network (IANA special-purpose address registries, RFC 6890).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network in the form of RFC 4632: `10.1.0.0/16`, `fd00:1::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a network cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no network: write an address, or one with the length of its prefix, such as 10.1.0.0/16"
)]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError(text.chars().take(60).collect());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(prefix) => prefix
                .trim()
                .parse()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(wrong)?,
        };
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// Whether the address lies in the network. IPv4 addresses in IPv6 form are the IPv4 addresses that they name.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => same_head(
                u128::from(u32::from(network)),
                u128::from(u32::from(address)),
                32 - u32::from(self.prefix.min(32)),
            ),
            (IpAddr::V6(network), IpAddr::V6(address)) => same_head(
                u128::from(network),
                u128::from(address),
                128 - u32::from(self.prefix.min(128)),
            ),
            _ => false,
        }
    }
}

/// Whether two numbers are the same but for the last bits.
fn same_head(one: u128, other: u128, last: u32) -> bool {
    one.checked_shr(last).unwrap_or(0) == other.checked_shr(last).unwrap_or(0)
}

/// Whether an address is one of the public network: not this machine, not a private, local, shared, reserved or multicast
/// one, and not one of those in the clothes of IPv6.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (b & 0xc0) == 64)
        || (a == 169 && b == 254)
        || (a == 172 && (b & 0xf0) == 16)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 192 && b == 168)
        || (a == 198 && (b & 0xfe) == 18)
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        // Multicast, reserved and broadcast.
        || a >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let bits = u128::from(address);
    let v4 = |shift: u32| {
        let low = u32::try_from((bits >> shift) & 0xffff_ffff).unwrap_or_default();
        is_public_v4(Ipv4Addr::from(low))
    };
    // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to an IPv4 address.
    if bits >> 32 == 0x0064_ff9b_u128 << 64 {
        return v4(0);
    }
    if a == 0x2002 {
        return v4(80);
    }
    // Only 2000::/3 is given out. Of it, 2001::/23 is for protocols (Teredo among them), and the last two are for texts.
    (a & 0xe000) == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in [
            "8.8.8.8",
            "193.10.5.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "223.255.255.255",
            "2001:6b0::1",
            "2a00:1450:400f::200e",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for closed in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(closed.parse().unwrap()), "{closed}");
        }
    }

    #[test]
    fn networks_contain_what_begins_as_they_do() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        let has = |text: &str, address: &str| network(text).contains(address.parse().unwrap());
        assert!(has("10.1.0.0/16", "10.1.255.1") && !has("10.1.0.0/16", "10.2.0.1"));
        assert!(has("10.1.0.0/16", "::ffff:10.1.0.1") && !has("0.0.0.0/0", "::1"));
        assert!(has("127.0.0.1", "127.0.0.1") && !has("127.0.0.1", "127.0.0.2"));
        assert!(has("fd00:1::/32", "fd00:1:ffff::1") && !has("fd00:1::/32", "fd00:2::1"));
        assert!(has("::/0", "fe80::1") && has("0.0.0.0/0", "10.0.0.1"));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "a/8", "10.0.0.0/"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        assert_eq!(network("10.1.0.0/16").to_string(), "10.1.0.0/16");
    }
}
