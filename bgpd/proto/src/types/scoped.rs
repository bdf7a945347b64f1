//! Addresses that say which link they are on (RFC 4007): without it `fe80::1` on one link and on another are the same text
//! for two routers.

use super::InterfaceName;
use std::fmt;
use std::net::{AddrParseError, IpAddr};
use std::str::FromStr;

/// Where a route leads: an address, and for a link-local one its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopedAddr {
    /// The address.
    pub ip: IpAddr,
    /// The interface that a link-local address is behind, where it is known.
    pub zone: Option<InterfaceName>,
}

impl ScopedAddr {
    /// An address on a link.
    pub fn on(ip: impl Into<IpAddr>, zone: InterfaceName) -> Self {
        let (ip, zone) = (ip.into(), Some(zone));
        Self { ip, zone }
    }

    /// Whether it means something on one link only.
    pub fn is_link_local(&self) -> bool {
        matches!(self.ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
    }
}

impl<A: Into<IpAddr>> From<A> for ScopedAddr {
    fn from(address: A) -> Self {
        Self {
            ip: address.into(),
            zone: None,
        }
    }
}

/// `fe80::1%eth0`, as RFC 4007 §11 has it.
impl fmt::Display for ScopedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            None => self.ip.fmt(f),
            Some(zone) => f.pad(&format!("{}%{zone}", self.ip)),
        }
    }
}

impl FromStr for ScopedAddr {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        if let Some((address, zone)) = text.split_once('%')
            && let Ok(zone) = zone.parse()
        {
            return Ok(Self::on(address.parse::<IpAddr>()?, zone));
        }
        text.parse::<IpAddr>().map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_part_of_the_address() {
        let parse = |text: &str| text.parse::<ScopedAddr>().unwrap();
        for text in ["192.0.2.1", "2001:db8::1", "fe80::1", "fe80::1%eth0"] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_ne!(parse("fe80::1%eth0"), parse("fe80::1%eth1"));
        assert!(parse("fe80::1%eth0").is_link_local());
        assert!(!parse("2001:db8::1").is_link_local());
        for bad in ["", "%eth0", "fe80::1%", "fe80::1%a/b", "x%eth0"] {
            assert!(bad.parse::<ScopedAddr>().is_err(), "{bad}");
        }
    }
}
