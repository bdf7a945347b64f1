//! The BGP sessions of a node: the mesh, and what `BGPPeer` resources add. A `BGPPeer` to an address that
//! the mesh would use as well takes the mesh session's place.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgpd_proto::speaker::PeerConfig;
use bgpd_proto::types::{Asn, PeerId};
use config::intent::{BgpPeer, Intent, Node, PeerRemote, SourceAddress};

/// Every session of `node`.
pub fn of(intent: &Intent, node: &Node) -> BTreeMap<PeerId, PeerConfig> {
    let mut peers = BTreeMap::new();
    if intent.bgp.node_to_node_mesh {
        let others = intent.nodes.values().filter(|n| n.name != node.name);
        peers.extend(
            others.filter_map(|other| session_with(intent, node, other, format!("mesh/{}", other.name))),
        );
    }
    for peer in &intent.peers {
        peers.extend(explicit(intent, node, peer));
    }
    peers
}

/// The session between two nodes: over IPv4 where both have it, else over IPv6.
fn session_with(intent: &Intent, node: &Node, other: &Node, name: String) -> Option<(PeerId, PeerConfig)> {
    let own: Vec<IpAddr> = node.bgp.addresses().collect();
    let remote = other
        .bgp
        .addresses()
        .find(|a| own.iter().any(|o| o.is_ipv4() == a.is_ipv4()))?;
    let mut config = base(node, remote, name, Asn(intent.as_number_of(other).0));
    config.remote_port = intent.bgp.listen_port;
    Some((PeerId(remote), config))
}

fn explicit(intent: &Intent, node: &Node, peer: &BgpPeer) -> Vec<(PeerId, PeerConfig)> {
    let name = format!("BGPPeer/{}", peer.name);
    let mut sessions: Vec<(PeerId, PeerConfig)> = match &peer.remote {
        // The same resource may select the node at its own far end: there is no session with oneself.
        PeerRemote::Address {
            address,
            port,
            as_number,
        } if peer.selects(node) && node.bgp.addresses().all(|own| own != *address) => {
            let mut config = base(node, *address, name, Asn(as_number.0));
            let of_a_node = intent.node_by_address(*address).is_some();
            config.remote_port = port.unwrap_or(if of_a_node { intent.bgp.listen_port } else { 179 });
            vec![(PeerId(*address), config)]
        }
        PeerRemote::Address { .. } => Vec::new(),
        PeerRemote::Nodes(_) => (peer.remote_nodes(node, intent))
            .filter_map(|other| session_with(intent, node, other, name.clone()))
            .collect(),
    };
    for (_, config) in &mut sessions {
        config.passive = peer.passive;
        config.transit = peer.transit;
        if peer.source_address == SourceAddress::None {
            config.local_address = None;
        }
    }
    sessions
}

/// A session as all of them are. Every one is multihop, as with Calico: the peer of a node may sit behind
/// another switch, or speak from a loopback address.
fn base(node: &Node, remote: IpAddr, name: String, remote_asn: Asn) -> PeerConfig {
    let mut config = PeerConfig::new(name, remote_asn);
    config.local_address = node.bgp.addresses().find(|own| own.is_ipv4() == remote.is_ipv4());
    config.next_hop_v4 = node.bgp.ipv4_address.map(|net| net.addr());
    config.next_hop_v6 = node.bgp.ipv6_address.map(|net| net.addr());
    config.multihop = true;
    config
}
