//! Who a peer is: an address, or whoever answers on an interface; and which AS it may be in.

use super::{Asn, PeerKind};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Longest name of a Linux network interface, in bytes (`IFNAMSIZ` without its final zero).
const MAX_NAME: usize = 15;

/// The name of a network interface, as the kernel allows it: 1 to 15 bytes, no slash, no white space, no colon.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName {
    bytes: [u8; MAX_NAME],
    length: u8,
}

/// The text cannot be the name of an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name of an interface: 1 to 15 bytes without `/`, `:` and white space")]
pub struct NotAnInterface(String);

impl InterfaceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        // Made from a `&str` as a whole, so it is UTF-8.
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl FromStr for InterfaceName {
    type Err = NotAnInterface;

    fn from_str(text: &str) -> Result<Self, NotAnInterface> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':');
        if text.is_empty() || text.len() > MAX_NAME || text.contains(odd) || matches!(text, "." | "..") {
            return Err(NotAnInterface(text.to_owned()));
        }
        let mut bytes = [0; MAX_NAME];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        // At most 15, as checked.
        let length = text.len() as u8;
        Ok(Self { bytes, length })
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What a peer is known by, whatever its session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerId {
    /// By its address.
    Address(IpAddr),
    /// By the interface that it is alone on with us ("unnumbered"): its link-local address is found, and may change.
    Interface(InterfaceName),
}

impl PeerId {
    /// The configured address; `None` for a peer that is known by its interface.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            PeerId::Address(address) => Some(*address),
            PeerId::Interface(_) => None,
        }
    }

    /// The interface of a peer that is known by it.
    pub fn interface(&self) -> Option<InterfaceName> {
        match self {
            PeerId::Address(_) => None,
            PeerId::Interface(name) => Some(*name),
        }
    }
}

impl FromStr for PeerId {
    type Err = NotAnInterface;

    /// An address, or else the name of an interface.
    fn from_str(text: &str) -> Result<Self, NotAnInterface> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(PeerId::Address(address.to_canonical())),
            Err(_) => text.parse().map(PeerId::Interface),
        }
    }
}

impl From<IpAddr> for PeerId {
    fn from(address: IpAddr) -> Self {
        PeerId::Address(address)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerId::Address(address) => address.fmt(f),
            PeerId::Interface(name) => name.fmt(f),
        }
    }
}

/// The AS that a peer's OPEN may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemoteAs {
    /// This one.
    Is(Asn),
    /// Any but ours: where the peer is known by its interface or its address range.
    External,
    /// Ours.
    Internal,
}

impl RemoteAs {
    /// iBGP or eBGP, for a speaker that calls itself `local` on the session.
    pub fn kind(self, local: Asn) -> PeerKind {
        match self {
            RemoteAs::Is(asn) if asn != local => PeerKind::External,
            RemoteAs::Is(_) | RemoteAs::Internal => PeerKind::Internal,
            RemoteAs::External => PeerKind::External,
        }
    }

    /// Whether a peer may be in `remote`. AS 0 is nobody's (RFC 7607).
    pub fn admits(self, remote: Asn, local: Asn) -> bool {
        remote != Asn(0)
            && match self {
                RemoteAs::Is(asn) => asn == remote,
                RemoteAs::External => remote != local,
                RemoteAs::Internal => remote == local,
            }
    }

    /// The number, where only one will do.
    pub fn asn(self, local: Asn) -> Option<Asn> {
        match self {
            RemoteAs::Is(asn) => Some(asn),
            RemoteAs::Internal => Some(local),
            RemoteAs::External => None,
        }
    }
}

impl From<Asn> for RemoteAs {
    fn from(asn: Asn) -> Self {
        RemoteAs::Is(asn)
    }
}

impl fmt::Display for RemoteAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteAs::Is(asn) => asn.fmt(f),
            RemoteAs::External => f.write_str("external"),
            RemoteAs::Internal => f.write_str("internal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_are_what_the_kernel_takes() {
        for good in ["eth0", "swp1.100", "a23456789012345", "b\u{e9}"] {
            assert_eq!(good.parse::<InterfaceName>().unwrap().to_string(), good);
        }
        for bad in ["", "a234567890123456", "a b", "a/b", "a:b", ".", "..", "a\n"] {
            let error = bad.parse::<InterfaceName>().unwrap_err().to_string();
            assert!(error.contains("15 bytes"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_peer_is_inside_or_outside_by_the_number_that_we_use_towards_it() {
        let (ours, other) = (Asn(64512), Asn(65001));
        let rows = [
            (RemoteAs::Is(ours), PeerKind::Internal, true, false),
            (RemoteAs::Is(other), PeerKind::External, false, true),
            (RemoteAs::Internal, PeerKind::Internal, true, false),
            (RemoteAs::External, PeerKind::External, false, true),
        ];
        for (remote, kind, takes_ours, takes_other) in rows {
            assert_eq!(remote.kind(ours), kind, "{remote}");
            assert_eq!(remote.admits(ours, ours), takes_ours, "{remote}");
            assert_eq!(remote.admits(other, ours), takes_other, "{remote}");
            assert!(!remote.admits(Asn(0), ours));
        }
        assert!(!RemoteAs::Is(Asn(0)).admits(Asn(0), ours));
    }
}
