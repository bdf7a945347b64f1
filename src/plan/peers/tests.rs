use std::time::Duration;

use bgpd_proto::speaker::{BfdHops, Graceful};
use bgpd_proto::types::{Family, PeerId, RemoteAs};

use crate::plan::Plan;
use crate::plan::tests::plan;

fn with(peer: &str) -> Plan {
    let text = format!(
        "apiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: a }}\n\
         spec: {{ bgp: {{ ipv4Address: 192.0.2.11/24, ipv6Address: '2001:db8::11/64' }}, podCIDRs: [10.244.1.0/24] }}\n\
         ---\napiVersion: roadbed.dev/v1\nkind: IPPool\nmetadata: {{ name: pods }}\nspec: {{ cidr: 10.244.0.0/16 }}\n\
         ---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: {{ name: tor }}\nspec: {{ {peer} }}\n"
    );
    plan(&text, "a")
}

#[test]
fn a_range_is_a_template_for_whoever_connects() {
    let plan = with("peerIPRange: 198.51.100.0/24, maxPeers: 7, asNumber: external, transit: true");
    assert!(plan.speaker.peers.is_empty());
    let [range] = &plan.speaker.ranges[..] else {
        panic!("{:?}", plan.speaker.ranges);
    };
    assert_eq!(
        (range.prefix.to_string().as_str(), range.limit),
        ("198.51.100.0/24", 7)
    );
    let template = &range.template;
    assert_eq!(template.remote_as, RemoteAs::External);
    assert_eq!(template.name, "BGPPeer/tor");
    assert!(template.import.transit && template.multihop == 255);
    assert_eq!(template.next_hop_v4, Some("192.0.2.11".parse().unwrap()));
}

#[test]
fn a_peer_on_an_interface_has_the_addresses_of_its_link() {
    let plan = with("interface: eth1, asNumber: 65001");
    let link = PeerId::Interface("eth1".parse().unwrap());
    let peer = &plan.speaker.peers[&link];
    assert_eq!(
        (peer.local_address, peer.next_hop_v6, peer.neighbour),
        (None, None, None)
    );
    assert_eq!((peer.remote_port, peer.multihop), (179, 1));
    assert!(peer.offer.extended_next_hop);
    assert_eq!(peer.bfd.unwrap().hops, BfdHops::Single);

    let plan = with(
        "interface: eth1, peerIP: 'fe80::1', peerPort: 1179, asNumber: internal, extendedNextHop: false, \
         addressFamilies: [IPv6]",
    );
    let peer = &plan.speaker.peers[&link];
    assert_eq!(peer.neighbour, Some("fe80::1".parse().unwrap()));
    assert_eq!((peer.remote_port, peer.remote_as), (1179, RemoteAs::Internal));
    assert!(!peer.offer.extended_next_hop);
    assert_eq!(peer.families, [Family::Ipv6Unicast]);
}

#[test]
fn an_address_has_what_its_resource_says_of_the_session() {
    let plan = with(
        "peerIP: 203.0.113.1, asNumber: external, sourceAddress: 192.0.2.99, ebgpMultihop: 3, extendedNextHop: true, \
         minHoldTime: 9s, maxStaleTime: 5m, restartOnNotification: true",
    );
    let peer = plan.speaker.peers.values().next().unwrap();
    assert_eq!(peer.local_address, Some("192.0.2.99".parse().unwrap()));
    assert_eq!((peer.multihop, peer.remote_as), (3, RemoteAs::External));
    assert_eq!(peer.transport(plan.speaker.asn).ttl, 3);
    assert!(peer.offer.extended_next_hop);
    let seconds = Duration::from_secs;
    assert_eq!(
        (peer.min_hold_time, peer.restart_limit),
        (seconds(9), seconds(300))
    );
    let both = Some(Graceful {
        time: 120,
        notification: true,
    });
    assert_eq!(peer.offer.graceful, both);
    let plan = with("peerIP: '2001:db8:9::1', asNumber: 65001, sourceAddress: 192.0.2.99, restartMode: None");
    let peer = plan.speaker.peers.values().next().unwrap();
    assert_eq!(
        peer.local_address,
        Some("2001:db8::11".parse().unwrap()),
        "the other family"
    );
    assert_eq!(peer.offer.graceful, None);
}
