//! Neighbours that are known by their links: the same link-local address on two links is two next hops, and nobody else is
//! told of either.

use super::{address, announce, local, net, peer, session};
use crate::rib::{NextHopState, PeerSession, Rib};
use crate::types::{Asn, PeerId, ScopedAddr};
use crate::wire::{AsPath, PathAttributes};
use std::time::Instant;

/// Two sessions with the AS of peer 0, on a link each, and peer 2 inside.
fn rib() -> (Rib, [PeerId; 2]) {
    let mut rib = Rib::new(local());
    let links = ["eth1", "eth2"].map(|name| PeerId::Interface(name.parse().unwrap()));
    for link in links {
        let mut session: PeerSession = super::with_transit(session(0), true);
        session.remote_address = address("fe80::1");
        session.next_hop_v6 = Some("fe80::9".parse().unwrap());
        session.features.extended_next_hop = true;
        rib.peer_up(link, session);
    }
    rib.peer_up(peer(2), super::with_transit(session(2), true));
    (rib, links)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests need some origin of time")]
fn one_address_on_two_links_is_two_next_hops() {
    let (mut rib, links) = rib();
    let prefix = net("203.0.113.0/24");
    let attributes = PathAttributes {
        as_path: AsPath::sequence([Asn(65001)]),
        ..PathAttributes::default()
    };
    for link in links {
        let routes = announce(&[prefix], address("fe80::1"), attributes.clone());
        rib.update(link, routes, Instant::now());
    }
    let hops = ["fe80::1%eth1", "fe80::1%eth2"].map(|text| text.parse::<ScopedAddr>().unwrap());
    assert_eq!(rib.tracked_next_hops(), hops.into());
    let near = NextHopState::Reachable { metric: 0 };
    let used = |rib: &Rib| -> Vec<ScopedAddr> {
        let route = rib.get(&prefix).into_iter();
        route
            .flat_map(|route| route.paths)
            .filter_map(|path| path.next_hop)
            .collect()
    };
    rib.set_next_hops(hops.map(|hop| (hop, near)).into());
    assert_eq!(used(&rib), hops, "equal paths");
    // The peer inside is told of us: what is said on a link means nothing to it.
    rib.next_updates(peer(2), &mut Vec::new(), 1 << 20);
    let told = rib.advertised(peer(2));
    assert_eq!(told[0].next_hop, address("192.0.2.1"));
    let away = NextHopState::Unreachable;
    rib.set_next_hops([(hops[0], away), (hops[1], near)].into());
    assert_eq!(used(&rib), hops[1..]);
    rib.check().unwrap();
}
