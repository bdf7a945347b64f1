//! Which sessions are watched with BFD, and how: `bfd` of the resources, and what is best where they say nothing.
//!
//! Between nodes both ends take the multihop encapsulation without asking the kernel for the way: so they agree. Towards
//! an address it is single hop where the node's own network has it, as routers expect it of their neighbours; and
//! either follows the peer to the other encapsulation. A peer without BFD loses nothing by it.
//!
//! A node with very many peers would spend its time with it: beyond [`CROWD`] sessions, other nodes are not watched
//! where nothing was said, while routers are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgpd_proto::speaker::{BfdConfig, BfdHops, PeerConfig};
use bgpd_proto::types::PeerId;
use config::intent::{Bfd, BfdMode, Intent, Node};
use ipnet::IpNet;

/// With up to so many sessions all of them are watched.
pub const CROWD: usize = 64;

/// The session between two nodes. `own` is what its resource says, if it has one.
pub fn to_node(intent: &Intent, own: Bfd) -> Option<BfdConfig> {
    config(own.or(intent.bgp.bfd), BfdHops::Multi)
}

/// A session of `node` with an address.
pub fn to_address(intent: &Intent, node: &Node, address: IpAddr, own: Bfd) -> Option<BfdConfig> {
    let nets = [
        node.bgp.ipv4_address.map(IpNet::V4),
        node.bgp.ipv6_address.map(IpNet::V6),
    ];
    let on_link = nets.into_iter().flatten().any(|net| net.contains(&address));
    let guess = if on_link && intent.node_by_address(address).is_none() {
        BfdHops::Single
    } else {
        BfdHops::Multi
    };
    config(own.or(intent.bgp.bfd), guess)
}

/// A session with the neighbour on an interface.
pub fn on_link(intent: &Intent, own: Bfd) -> Option<BfdConfig> {
    config(own.or(intent.bgp.bfd), BfdHops::Single)
}

/// Leaves other nodes unwatched where there are too many sessions, unless the resources name an encapsulation.
pub fn thin_out(intent: &Intent, peers: &mut BTreeMap<PeerId, PeerConfig>) {
    if peers.len() <= CROWD {
        return;
    }
    for (id, peer) in peers {
        let node = id.address().and_then(|address| intent.node_by_address(address));
        if node.is_some() && peer.bfd.is_some_and(|bfd| bfd.follow) {
            peer.bfd = None;
        }
    }
}

fn config(wanted: Bfd, guess: BfdHops) -> Option<BfdConfig> {
    let (hops, follow) = match wanted.mode.unwrap_or(BfdMode::Auto) {
        BfdMode::Off => return None,
        BfdMode::Auto => (guess, true),
        BfdMode::SingleHop => (BfdHops::Single, false),
        BfdMode::MultiHop => (BfdHops::Multi, false),
    };
    let default = BfdConfig::new(hops);
    Some(BfdConfig {
        hops,
        follow,
        transmit_interval: wanted.transmit_interval.unwrap_or(default.transmit_interval),
        receive_interval: wanted.receive_interval.unwrap_or(default.receive_interval),
        detect_multiplier: wanted.detect_multiplier.unwrap_or(default.detect_multiplier),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{intent, plan};
    use std::time::Duration;

    /// A mesh of node `n0` with `others` nodes, and one router.
    fn mesh(others: usize, more: &str) -> String {
        let node = |n: usize| {
            format!(
                "---\napiVersion: roadbed.dev/v1\nkind: Node\nmetadata: {{ name: n{n} }}\n\
                 spec: {{ bgp: {{ ipv4Address: 192.0.2.{}/24 }} }}\n",
                n + 10
            )
        };
        let router = "---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: { name: tor }\n\
                      spec: { peerIP: 192.0.2.1, asNumber: 65001 }\n";
        (0..=others)
            .map(node)
            .chain([router.to_owned(), more.to_owned()])
            .collect()
    }

    fn bfd(text: &str, peer: &str) -> Option<BfdConfig> {
        let plan = plan(text, "n0");
        plan.speaker.peers[&PeerId::Address(peer.parse().unwrap())].bfd
    }

    #[test]
    fn everybody_is_watched_in_a_small_cluster() {
        let text = mesh(1, "");
        let node = bfd(&text, "192.0.2.11").unwrap();
        let defaults = BfdConfig {
            follow: true,
            ..BfdConfig::new(BfdHops::Multi)
        };
        assert_eq!(node, defaults);
        assert_eq!(node.transmit_interval, Duration::from_millis(300));
        assert_eq!(
            bfd(&text, "192.0.2.1").unwrap().hops,
            BfdHops::Single,
            "the router is on-link"
        );
    }

    #[test]
    fn beyond_sixty_four_sessions_only_routers_are() {
        let at_the_limit = mesh(CROWD - 1, "");
        assert_eq!(plan(&at_the_limit, "n0").speaker.peers.len(), CROWD);
        assert!(bfd(&at_the_limit, "192.0.2.11").is_some());
        let beyond = mesh(CROWD, "");
        assert_eq!(bfd(&beyond, "192.0.2.11"), None);
        assert!(bfd(&beyond, "192.0.2.1").is_some());
        // What is named is kept.
        let named = mesh(
            CROWD,
            "---\napiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
             spec: { bfd: { mode: MultiHop } }\n",
        );
        assert!(bfd(&named, "192.0.2.11").is_some_and(|bfd| !bfd.follow));
    }

    #[test]
    fn the_narrower_resource_wins_field_by_field() {
        let text = mesh(
            1,
            "---\napiVersion: roadbed.dev/v1\nkind: BGPConfiguration\nmetadata: { name: default }\n\
             spec: { bfd: { mode: Off, transmitInterval: 100ms, detectMultiplier: 5 } }\n\
             ---\napiVersion: roadbed.dev/v1\nkind: BGPPeer\nmetadata: { name: far }\n\
             spec: { peerIP: 198.51.100.1, asNumber: 65002, bfd: { mode: Auto, transmitInterval: 1s } }\n",
        );
        assert_eq!(bfd(&text, "192.0.2.11"), None);
        let far = bfd(&text, "198.51.100.1").unwrap();
        assert_eq!((far.hops, far.detect_multiplier), (BfdHops::Multi, 5));
        assert_eq!(far.transmit_interval, Duration::from_secs(1));
    }

    #[test]
    fn a_node_at_an_address_is_a_node() {
        let intent = intent(&mesh(1, ""));
        let node = intent.nodes.values().next().unwrap();
        let to = |address: &str| to_address(&intent, node, address.parse().unwrap(), Bfd::default());
        assert_eq!(to("192.0.2.11").unwrap().hops, BfdHops::Multi);
        assert_eq!(to("192.0.2.99").unwrap().hops, BfdHops::Single);
        assert_eq!(to("2001:db8::1").unwrap().hops, BfdHops::Multi);
    }
}
