//! Which of two connections between the same two speakers survives (RFC 4271 §6.8 and RFC 6286 §2.3).
//!
//! The connection that was begun by the speaker with the higher BGP identifier stays; with equal identifiers the
//! higher AS number decides. The identifier of the peer is known as soon as its OPEN arrives on either connection
//! (RFC 4271 lets us use it for a connection that is still in OpenSent too), so the loser is closed at once and both
//! ends come to the same verdict without waiting for the second OPEN.

use crate::types::{Asn, RouterId};

/// Who opened the TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We connected.
    Outgoing,
    /// The peer connected.
    Incoming,
}

/// What identifies one end for the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// BGP identifier, compared as an unsigned number.
    pub router_id: RouterId,
    /// AS number: the tie-breaker.
    pub asn: Asn,
}

/// The direction that survives between `local` and `remote`.
pub fn winner(local: Identity, remote: Identity) -> Direction {
    if local > remote {
        Direction::Outgoing
    } else {
        Direction::Incoming
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn end(id: [u8; 4], asn: u32) -> Identity {
        Identity {
            router_id: RouterId(Ipv4Addr::from(id)),
            asn: Asn(asn),
        }
    }

    #[test]
    fn higher_identifier_keeps_its_own_connection() {
        let (low, high) = (end([9, 255, 255, 255], 65000), end([10, 0, 0, 1], 1));
        assert_eq!(winner(high, low), Direction::Outgoing);
        assert_eq!(winner(low, high), Direction::Incoming);
    }

    #[test]
    fn equal_identifiers_fall_back_to_the_as_number() {
        let (low, high) = (end([10, 0, 0, 1], 64512), end([10, 0, 0, 1], 64513));
        assert_eq!(winner(high, low), Direction::Outgoing);
        assert_eq!(winner(low, high), Direction::Incoming);
    }
}
