//! The BGP sessions of a node: the mesh, and what `BGPPeer` resources add. A `BGPPeer` to an address that
//! the mesh would use as well takes the mesh session's place.
//!
//! A route reflector is in no mesh, as with Calico: who is its client says so with a `BGPPeer`. Its iBGP peers are its
//! clients, but for the reflectors of its own cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgpd_proto::speaker::{ListenRange, PeerConfig};
use bgpd_proto::types::{Asn, PeerId, PeerKind, RemoteAs};
use config::intent::{self, Bfd, BgpPeer, Intent, Node, PeerRemote, Side, SourceAddress};
use ipnet::IpNet;

use super::Passwords;
use super::bfd;
use super::policy::Policies;
use super::session::{self, Rules};

/// Every session of `node`: those that are known, and those whose peers come by themselves.
pub fn of(
    intent: &Intent,
    node: &Node,
    passwords: &Passwords,
) -> (BTreeMap<PeerId, PeerConfig>, Vec<ListenRange>) {
    let mut peers = BTreeMap::new();
    let mut ranges = Vec::new();
    let meshed = |node: &Node| node.bgp.cluster_id.is_none();
    if intent.bgp.node_to_node_mesh && meshed(node) {
        let others = intent.nodes.values().filter(|n| n.name != node.name && meshed(n));
        let rules = Rules {
            own: &intent.bgp.session,
            all: &intent.bgp.session,
            passwords,
        };
        let sessions =
            others.filter_map(|other| session_with(intent, node, other, format!("mesh/{}", other.name)));
        peers.extend(sessions.map(|(id, config)| (id, session::with(config, &rules))));
    }
    for peer in &intent.peers {
        let rules = Rules {
            own: &peer.session,
            all: &intent.bgp.session,
            passwords,
        };
        for (far, config) in explicit(intent, node, peer) {
            let config = session::with(config, &rules);
            match far {
                Far::Known(id) => drop(peers.insert(id, config)),
                Far::Within(prefix, limit) => ranges.push(ListenRange {
                    prefix,
                    template: config,
                    limit,
                }),
            }
        }
    }
    bfd::thin_out(intent, &mut peers);
    (peers, ranges)
}

/// Whom a session is with.
enum Far {
    /// One peer.
    Known(PeerId),
    /// So many in a network at most.
    Within(IpNet, usize),
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
    config.bfd = bfd::to_node(intent, Bfd::default());
    Some((PeerId::Address(remote), config))
}

fn explicit(intent: &Intent, node: &Node, peer: &BgpPeer) -> Vec<(Far, PeerConfig)> {
    let name = format!("BGPPeer/{}", peer.name);
    let mut sessions: Vec<(Far, PeerConfig)> = match &peer.remote {
        // The same resource may select the node at its own far end: there is no session with oneself.
        PeerRemote::Address {
            address,
            port,
            as_number,
        } if peer.selects(node) && node.bgp.addresses().all(|own| own != *address) => {
            let mut config = base(node, *address, name, remote_as(*as_number));
            let of_a_node = intent.node_by_address(*address).is_some();
            config.remote_port = port.unwrap_or(if of_a_node { intent.bgp.listen_port } else { 179 });
            config.bfd = bfd::to_address(intent, node, *address, peer.bfd);
            vec![(Far::Known(PeerId::Address(*address)), config)]
        }
        PeerRemote::Range {
            prefix,
            limit,
            as_number,
        } if peer.selects(node) => {
            let mut config = base(node, prefix.network(), name, remote_as(*as_number));
            config.bfd = bfd::to_address(intent, node, prefix.network(), peer.bfd);
            vec![(Far::Within(*prefix, *limit as usize), config)]
        }
        PeerRemote::Interface {
            name: interface,
            address,
            port,
            as_number,
        } if peer.selects(node) => {
            let mut config = unnumbered(node, name, remote_as(*as_number));
            config.remote_port = port.unwrap_or(179);
            config.neighbour = *address;
            config.bfd = bfd::on_link(intent, peer.bfd);
            // Checked as it was read.
            let id = interface.parse().map(PeerId::Interface);
            id.map(|id| (Far::Known(id), config)).into_iter().collect()
        }
        PeerRemote::Address { .. } | PeerRemote::Range { .. } | PeerRemote::Interface { .. } => Vec::new(),
        PeerRemote::Nodes(_) => (peer.remote_nodes(node, intent))
            .filter_map(|other| session_with(intent, node, other, name.clone()))
            .map(|(id, config)| {
                let bfd = bfd::to_node(intent, peer.bfd);
                (Far::Known(id), PeerConfig { bfd, ..config })
            })
            .collect(),
    };
    let own_as = Asn(intent.as_number_of(node).0);
    let mut policies = Policies::of(intent, peer);
    for (far, config) in &mut sessions {
        config.passive = peer.passive;
        config.local_asn = peer.policy.local_as.map(|asn| Asn(asn.0));
        let kind = config.kind(own_as);
        config.import = policies.import();
        config.export = policies.export(kind, is_client(intent, node, far, kind));
        match peer.source_address {
            SourceAddress::UseNodeIp => {}
            SourceAddress::None => config.local_address = None,
            // The other family's sessions have the node's address.
            SourceAddress::Address(source) => {
                let own = &mut config.local_address;
                *own = own.map(|own| {
                    if own.is_ipv4() == source.is_ipv4() {
                        source
                    } else {
                        own
                    }
                });
            }
        }
    }
    sessions
}

/// Whether this node reflects for a peer: an iBGP peer that is no reflector of the same cluster.
fn is_client(intent: &Intent, node: &Node, far: &Far, kind: PeerKind) -> bool {
    let address = match far {
        Far::Known(id) => id.address(),
        Far::Within(..) => None,
    };
    let far = address.and_then(|address| intent.node_by_address(address));
    let theirs = far.and_then(|far| far.bgp.cluster_id);
    kind == PeerKind::Internal && node.bgp.cluster_id.is_some_and(|ours| theirs != Some(ours))
}

/// A session as all of them are. Every one is multihop, as with Calico: the peer of a node may sit behind
/// another switch, or speak from a loopback address.
fn base(node: &Node, remote: IpAddr, name: String, asn: impl Into<RemoteAs>) -> PeerConfig {
    let mut config = PeerConfig::new(name, asn);
    config.local_address = node.bgp.addresses().find(|own| own.is_ipv4() == remote.is_ipv4());
    config.next_hop_v4 = node.bgp.ipv4_address.map(|net| net.addr());
    config.next_hop_v6 = node.bgp.ipv6_address.map(|net| net.addr());
    config.multihop = u8::MAX;
    config
}

/// A session with the neighbour on an interface, whose addresses are those of the link: from there it starts, and there its
/// routes lead. IPv4 routes too, where the peer takes that (RFC 8950).
fn unnumbered(node: &Node, name: String, remote: RemoteAs) -> PeerConfig {
    let mut config = PeerConfig::new(name, remote);
    config.next_hop_v4 = node.bgp.ipv4_address.map(|net| net.addr());
    config.offer.extended_next_hop = true;
    config
}

fn remote_as(asn: intent::RemoteAs) -> RemoteAs {
    match asn {
        intent::RemoteAs::Is(asn) => RemoteAs::Is(Asn(asn.0)),
        intent::RemoteAs::Any(Side::External) => RemoteAs::External,
        intent::RemoteAs::Any(Side::Internal) => RemoteAs::Internal,
    }
}

#[cfg(test)]
mod tests;
