//! What each Loc-RIB ought to hold, from the graph alone: breadth first, without a word of BGP.

use crate::network::NodeId;
use crate::topology::{Kind, Topology};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The right route of a node to a prefix that another one originates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Peers that teach a best route; all of them are used where their paths are alike.
    pub from: BTreeSet<NodeId>,
    /// Length of the AS_PATH.
    pub hops: usize,
}

/// The right routes of all nodes, by node that originates.
pub struct Solution {
    topology: Topology,
    /// By owner and node.
    to: BTreeMap<NodeId, Vec<Expected>>,
}

impl Solution {
    /// Solves for a graph all of whose nodes and edges work.
    pub fn of(topology: &Topology) -> Self {
        let neighbours = topology.neighbours();
        let solve = |owner| (owner, solve(topology, &neighbours, owner));
        Self {
            topology: topology.clone(),
            to: (0..topology.count()).map(solve).collect(),
        }
    }

    /// What `node` ought to have for what `owner` originates.
    pub fn route(&self, node: NodeId, owner: NodeId) -> &Expected {
        &self.to[&owner][node]
    }

    /// Whether `node` can have a route to `owner` at all: eBGP takes none that has been in its own AS.
    pub fn reaches(topology: &Topology, node: NodeId, owner: NodeId) -> bool {
        let outside = topology.kind == Kind::Transit;
        node == owner || !outside || topology.asns[node] != topology.asns[owner]
    }

    /// Which node ought to have originated a prefix, where anybody has.
    pub fn owners(originated: &[BTreeSet<IpNet>]) -> BTreeMap<IpNet, NodeId> {
        let of = |(node, prefixes): (NodeId, &BTreeSet<IpNet>)| -> Vec<(IpNet, NodeId)> {
            prefixes.iter().map(|prefix| (*prefix, node)).collect()
        };
        originated.iter().enumerate().flat_map(of).collect()
    }

    /// The AS_PATH of a walk from `node`, which is not in it, to the end.
    pub fn as_path(&self, walk: &[NodeId]) -> Vec<bgpd_proto::types::Asn> {
        match self.topology.kind {
            Kind::Internal | Kind::Reflected => Vec::new(),
            Kind::External | Kind::Transit => walk.iter().map(|node| self.topology.asns[*node]).collect(),
        }
    }
}

fn solve(topology: &Topology, neighbours: &BTreeMap<NodeId, Vec<NodeId>>, owner: NodeId) -> Vec<Expected> {
    let all = 0..topology.count();
    match topology.kind {
        Kind::Internal | Kind::External => all.map(|_| direct(topology, owner)).collect(),
        Kind::Reflected => all.map(|node| reflected(topology, node, owner)).collect(),
        Kind::Transit => {
            let distance = distances(topology.count(), neighbours, owner);
            let route = |node: NodeId| Expected {
                from: neighbours[&node]
                    .iter()
                    .copied()
                    .filter(|n| distance[*n] + 1 == distance[node])
                    .collect(),
                hops: distance[node],
            };
            all.map(route).collect()
        }
    }
}

fn direct(topology: &Topology, owner: NodeId) -> Expected {
    Expected {
        from: [owner].into(),
        hops: usize::from(topology.kind == Kind::External),
    }
}

/// A client hears from each reflector but that it knows only one way to the same next hop; a reflector hears from the owner.
fn reflected(topology: &Topology, node: NodeId, owner: NodeId) -> Expected {
    let reflectors = 0..topology.reflectors;
    let from: BTreeSet<NodeId> = if reflectors.contains(&node) || reflectors.contains(&owner) {
        [owner].into()
    } else {
        reflectors.collect()
    };
    Expected { from, hops: 0 }
}

fn distances(count: usize, neighbours: &BTreeMap<NodeId, Vec<NodeId>>, owner: NodeId) -> Vec<usize> {
    let mut distance = vec![usize::MAX; count];
    distance[owner] = 0;
    let mut queue = VecDeque::from([owner]);
    while let Some(node) = queue.pop_front() {
        for next in &neighbours[&node] {
            if distance[*next] == usize::MAX {
                distance[*next] = distance[node] + 1;
                queue.push_back(*next);
            }
        }
    }
    distance
}
