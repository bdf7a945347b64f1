//! What the peers say, well-formed: who they are, and routes of few prefixes, so that they meet.

use crate::input::Input;
use bgpd_proto::types::{Asn, Family, PeerId, RouterId};
use bgpd_proto::wire::{
    AsPath, Capability, Community, EncodeContext, GracefulFamily, MAX_EXTENDED_MESSAGE, NextHop, Nlri, Open,
    Origin, PathAttributes, encode_announcements, encode_withdrawals,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Our AS.
pub const OURS: Asn = Asn(64512);

/// The ASes of the peers.
pub const PEERS: [Asn; 3] = [OURS, Asn(65001), Asn(4_200_000_002)];

/// The address of a peer; we are one below the first.
pub fn address(peer: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 10 + peer as u8)
}

/// The peer of that number.
pub fn id(peer: usize) -> PeerId {
    PeerId::Address(IpAddr::V4(address(peer)))
}

/// The number of that peer.
pub fn number(peer: PeerId) -> usize {
    (0..PEERS.len()).find(|n| id(*n) == peer).unwrap_or_default()
}

/// Next hops that come up, of both families.
pub fn next_hops() -> Vec<IpAddr> {
    let v4 = [9, 10, 11, 12, 99].map(|n| IpAddr::V4(Ipv4Addr::new(192, 0, 2, n)));
    let v6 = [9_u16, 10, 11].map(|n| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n)));
    v4.into_iter().chain(v6).collect()
}

/// Prefixes of a family from a small space: `count` of them from `first` on.
pub fn prefixes(family: Family, first: u8, count: u8) -> Vec<IpNet> {
    let of = |n: u8| match family {
        Family::Ipv4Unicast => Ipv4Net::new(Ipv4Addr::new(10, first & 1, n, 0), 24).map(IpNet::V4),
        Family::Ipv6Unicast => {
            let address = Ipv6Addr::new(0xfd00, u16::from(first & 1), u16::from(n), 0, 0, 0, 0, 0);
            Ipv6Net::new(address, 48).map(IpNet::V6)
        }
    };
    (0..count)
        .filter_map(|n| of(first.wrapping_add(n)).ok())
        .collect()
}

/// The OPEN of a peer, good but for what the bits of `choice` say.
pub fn open(peer: usize, choice: u8) -> Open {
    let bit = |n: u8| choice & (1 << n) != 0;
    let asn = PEERS[peer];
    let families: &[Family] = if bit(4) { &Family::ALL[..1] } else { &Family::ALL };
    let mut capabilities: Vec<Capability> = families.iter().map(|f| Capability::MultiProtocol(*f)).collect();
    capabilities.push(Capability::RouteRefresh);
    if !bit(3) {
        capabilities.push(Capability::FourOctetAs(asn));
    }
    if !bit(6) {
        capabilities.push(Capability::ExtendedMessage);
    }
    if !bit(0) {
        let kept = |family: &Family| GracefulFamily {
            family: *family,
            forwarding_kept: !bit(2),
        };
        capabilities.push(Capability::GracefulRestart {
            restarting: bit(1),
            notification: false,
            time: 120,
            families: families.iter().map(kept).collect(),
        });
    }
    Open {
        asn: asn.two_octet(),
        hold_time: if bit(5) { 0 } else { 90 },
        // Above ours or below: that decides collisions.
        router_id: RouterId(Ipv4Addr::new(if bit(7) { 10 } else { 200 }, 0, 0, peer as u8)),
        capabilities,
    }
}

/// An UPDATE of the peer, as the input wants it.
pub fn announcement(input: &mut Input<'_>, peer: usize, four_octet: bool) -> Vec<u8> {
    let (first, count, choice) = (input.u8(), input.u8(), input.u8());
    let bit = |n: u8| choice & (1 << n) != 0;
    let family = if bit(0) {
        Family::Ipv6Unicast
    } else {
        Family::Ipv4Unicast
    };
    let of_family = |hop: &IpAddr| hop.is_ipv6() == (family == Family::Ipv6Unicast);
    let hops: Vec<IpAddr> = next_hops().into_iter().filter(of_family).collect();
    let next_hop = NextHop::from(*input.pick(&hops));
    let inside = PEERS[peer] == OURS;
    let mut path = Vec::new();
    path.extend((!inside).then_some(PEERS[peer]));
    path.extend(bit(1).then_some(Asn(65007)));
    path.extend(bit(2).then_some(if bit(3) { OURS } else { Asn(65008) }));
    let attributes = PathAttributes {
        as_path: AsPath::sequence(path),
        origin: if bit(4) { Origin::Incomplete } else { Origin::Igp },
        med: bit(5).then_some(u32::from(first)),
        local_pref: inside.then_some(if bit(6) { 200 } else { 100 }),
        communities: if bit(7) {
            vec![Community::NO_EXPORT]
        } else {
            Vec::new()
        },
        ..PathAttributes::default()
    };
    let nlri = prefixes(family, first, count).into_iter().map(Nlri::from);
    let mut out = Vec::new();
    let context = context(four_octet);
    // These attributes are short.
    let sent = encode_announcements(&mut out, &context, &attributes, family, next_hop, nlri);
    assert!(sent.is_ok());
    out
}

/// Withdrawals of the peer, as the input wants them.
pub fn withdrawal(input: &mut Input<'_>, four_octet: bool) -> Vec<u8> {
    let (first, count, family) = (input.u8(), input.u8(), *input.pick(&Family::ALL));
    let nlri = prefixes(family, first, count).into_iter().map(Nlri::from);
    let mut out = Vec::new();
    encode_withdrawals(&mut out, &context(four_octet), family, nlri);
    out
}

fn context(four_octet: bool) -> EncodeContext {
    EncodeContext {
        four_octet,
        max_message_len: MAX_EXTENDED_MESSAGE,
        ..EncodeContext::default()
    }
}
