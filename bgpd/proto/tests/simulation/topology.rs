//! Who speaks with whom: graphs of speakers, their numbers, names and addresses.
//!
//! A node is at 10.x.y.1 and fd00::n, and originates /26 blocks out of 10.128.0.0/9 and /64s: room for a thousand nodes with
//! a hundred prefixes each.

use crate::chance::Chance;
use crate::network::NodeId;
use bgpd_proto::speaker::PeerConfig;
use bgpd_proto::types::{Asn, PeerId, RouterId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// Prefixes that a node may originate.
pub const PREFIXES: usize = 100;

/// What kind of graph it is: that decides what is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One AS, everyone with everyone.
    Internal,
    /// An AS each, everyone with everyone; nobody passes anything on.
    External,
    /// eBGP along the edges, and everyone passes everything on.
    Transit,
    /// One AS; the first nodes reflect for all others.
    Reflected,
}

/// A graph of speakers.
#[derive(Clone, Debug)]
pub struct Topology {
    /// What kind it is.
    pub kind: Kind,
    /// The AS of each node.
    pub asns: Vec<Asn>,
    /// The identifier of each node.
    pub router_ids: Vec<RouterId>,
    /// Sessions, the lower number first.
    pub edges: Vec<(NodeId, NodeId)>,
    /// How many of the first nodes reflect.
    pub reflectors: usize,
}

impl Topology {
    /// One AS, everyone with everyone.
    pub fn internal(count: usize, chance: &mut Chance) -> Self {
        Self::new(Kind::Internal, vec![Asn(64512); count], pairs(count), chance)
    }

    /// An AS each, everyone with everyone.
    pub fn external(count: usize, chance: &mut Chance) -> Self {
        Self::new(Kind::External, own_asns(count), pairs(count), chance)
    }

    /// Spines of one AS, leaves of an AS each, and nodes of an AS each below every leaf.
    pub fn clos(spines: usize, leaves: usize, below: usize, chance: &mut Chance) -> Self {
        let count = spines + leaves + leaves * below;
        let mut asns = own_asns(count);
        asns[..spines].fill(Asn(65000));
        let mut edges = Vec::new();
        for leaf in spines..spines + leaves {
            edges.extend((0..spines).map(|spine| (spine, leaf)));
            let first = spines + leaves + (leaf - spines) * below;
            edges.extend((first..first + below).map(|node| (leaf, node)));
        }
        Self::new(Kind::Transit, asns, edges, chance)
    }

    /// One AS: the first nodes have sessions with all, the others with these alone, as their clients.
    pub fn reflected(reflectors: usize, clients: usize, chance: &mut Chance) -> Self {
        let count = reflectors + clients;
        let edges = pairs(count)
            .into_iter()
            .filter(|(a, _)| *a < reflectors)
            .collect();
        let mut topology = Self::new(Kind::Reflected, vec![Asn(64512); count], edges, chance);
        topology.reflectors = reflectors;
        topology
    }

    /// A connected graph with some edges more than it needs.
    pub fn random(count: usize, more: usize, chance: &mut Chance) -> Self {
        let mut edges: Vec<(NodeId, NodeId)> = (1..count).map(|n| (chance.between(0, n - 1), n)).collect();
        for _ in 0..more {
            let (a, b) = (chance.between(0, count - 1), chance.between(0, count - 1));
            let edge = (a.min(b), a.max(b));
            if a != b && !edges.contains(&edge) {
                edges.push(edge);
            }
        }
        Self::new(Kind::Transit, own_asns(count), edges, chance)
    }

    fn new(kind: Kind, asns: Vec<Asn>, edges: Vec<(NodeId, NodeId)>, chance: &mut Chance) -> Self {
        let count = asns.len();
        let mut numbers: Vec<u32> = (1..=count as u32).collect();
        for i in (1..count).rev() {
            numbers.swap(i, chance.between(0, i));
        }
        let router_ids = numbers
            .into_iter()
            .map(|n| RouterId(Ipv4Addr::from(0x0101_0000 + n)))
            .collect();
        Self {
            kind,
            asns,
            router_ids,
            edges,
            reflectors: 0,
        }
    }

    /// How many nodes there are.
    pub fn count(&self) -> usize {
        self.asns.len()
    }

    /// Sessions as each end sees them: (node, peer).
    pub fn ends(&self) -> impl Iterator<Item = (NodeId, NodeId)> {
        self.edges.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)])
    }

    /// The peers of each node.
    pub fn neighbours(&self) -> BTreeMap<NodeId, Vec<NodeId>> {
        let mut all: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (node, peer) in self.ends() {
            all.entry(node).or_default().push(peer);
        }
        all
    }

    /// How `node` is configured for `other` where nothing was changed.
    pub fn template(&self, node: NodeId, other: NodeId) -> PeerConfig {
        let mut peer = PeerConfig::new(format!("node-{other}"), self.asns[other]);
        peer.next_hop_v4 = Some(address4(node));
        peer.next_hop_v6 = Some(address6(node));
        peer.set_transit(self.kind == Kind::Transit);
        Arc::make_mut(&mut peer.export).client = node < self.reflectors && other >= self.reflectors;
        peer
    }
}

fn own_asns(count: usize) -> Vec<Asn> {
    (0..count as u32).map(|node| Asn(4_200_000_000 + node)).collect()
}

fn pairs(count: usize) -> Vec<(NodeId, NodeId)> {
    (0..count)
        .flat_map(|a| (a + 1..count).map(move |b| (a, b)))
        .collect()
}

/// The IPv4 address of a node.
pub fn address4(node: NodeId) -> Ipv4Addr {
    Ipv4Addr::new(10, (node >> 8) as u8, node as u8, 1)
}

/// The IPv6 address of a node.
pub fn address6(node: NodeId) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, node as u16 + 1)
}

/// The address that peers connect to.
pub fn address(node: NodeId) -> IpAddr {
    address4(node).into()
}

/// What others call the node.
pub fn id(node: NodeId) -> PeerId {
    PeerId::Address(address(node))
}

/// The node with that address, of whichever family.
pub fn node_at(address: IpAddr) -> NodeId {
    match address {
        IpAddr::V4(v4) => {
            let [_, high, low, _] = v4.octets();
            usize::from(high) << 8 | usize::from(low)
        }
        IpAddr::V6(v6) => usize::from(v6.segments()[7]) - 1,
    }
}

/// The node that others call so.
pub fn node_of(peer: &PeerId) -> NodeId {
    peer.address().map_or(NodeId::MAX, node_at)
}

/// One of the prefixes that a node may originate, IPv4 and IPv6 by turns.
pub fn prefix(node: NodeId, number: usize) -> IpNet {
    assert!(number < PREFIXES);
    if number.is_multiple_of(2) {
        let block = (node * PREFIXES + number) as u32;
        let address = Ipv4Addr::from(0x0a80_0000 + block * 64);
        IpNet::V4(Ipv4Net::new(address, 26).expect("26 is a length"))
    } else {
        let address = Ipv6Addr::new(0xfd00, node as u16 + 1, number as u16, 0, 0, 0, 0, 0);
        IpNet::V6(Ipv6Net::new(address, 64).expect("64 is a length"))
    }
}
