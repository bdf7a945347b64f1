//! From the intent for the whole cluster, and who owns which block, to the plan for one node. Pure: the same
//! inputs make the same plan, and `Plan` is all that the rest of the agent reads of the resources.

mod bfd;
mod filters;
mod model;
mod ownership;
mod passwords;
mod peers;
mod policy;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use bgpd_proto::rib::{ImportRules, NodeOnly};
use bgpd_proto::speaker::SpeakerConfig;
use bgpd_proto::types::{Asn, RouterId};
use config::intent::{EncapMode, Intent, IpPool, Node};
use config::vocabulary::NodeName;
use tunnel::{Mode, PoolModes};

pub use model::{OwnBlock, OwnNode, Plan, Pool, RemoteNode, Vxlan};
pub use ownership::Ownership;
pub use passwords::Passwords;

/// Why there is no plan for this node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The resources have no such node.
    #[error(
        "there is no Node `{0}` in the resources; add one, or set nodeName in the agent's file to the name of one"
    )]
    NoNode(NodeName),
    /// The node has no address.
    #[error("Node `{0}` has no BGP address; set spec.bgp.ipv4Address or spec.bgp.ipv6Address")]
    NoAddress(NodeName),
}

/// The plan for the node of that name.
pub fn compile(
    intent: &Intent,
    name: &NodeName,
    owned: &Ownership,
    passwords: &Passwords,
) -> Result<Plan, PlanError> {
    let node = intent
        .nodes
        .get(name)
        .ok_or_else(|| PlanError::NoNode(name.clone()))?;
    if node.bgp.addresses().next().is_none() {
        return Err(PlanError::NoAddress(name.clone()));
    }
    let others = intent
        .nodes
        .values()
        .filter(|n| n.name != *name && n.bgp.addresses().next().is_some());
    let speaker = speaker(intent, node, owned, passwords);
    let templates = || speaker.ranges.iter().map(|range| &range.template);
    let sessions = || speaker.peers.values().chain(templates());
    let asks_for_interfaces = sessions()
        .any(|peer| peer.import.filters.looks_at_interfaces() || peer.export.filters.looks_at_interfaces());
    let priorities = filters::priorities(sessions().map(|peer| &peer.import.filters));
    Ok(Plan {
        node: own_node(node),
        listen_port: intent.bgp.listen_port,
        install_routes: intent.bgp.install_routes,
        passwords: passwords::wanted(intent),
        speaker,
        asks_for_interfaces,
        priorities,
        originated: (owned.blocks.iter())
            .filter(|block| {
                intent
                    .pool_of(&block.cidr)
                    .is_none_or(|pool| !pool.disable_bgp_export)
            })
            .map(|block| {
                (
                    block.cidr,
                    policy::originated(&intent.bgp.prefix_advertisements, &block.cidr),
                )
            })
            .collect(),
        advertisements: intent.bgp.prefix_advertisements.clone(),
        blocks: owned.blocks.clone(),
        pools: pools(intent),
        remotes: others.map(|other| remote_node(other, owned)).collect(),
        service_ranges: intent.bgp.services.ranges().map(ipnet::IpNet::trunc).collect(),
        route_metric_v4: intent.bgp.ipv4_route_priority,
        route_metric_v6: intent.bgp.ipv6_route_priority,
        vxlan: Vxlan {
            vni: intent.bgp.vxlan_vni,
            port: intent.bgp.vxlan_port,
        },
    })
}

fn own_node(node: &Node) -> OwnNode {
    let remote = remote_node(node, &Ownership::default());
    OwnNode {
        name: remote.name,
        v4: remote.v4,
        v6: remote.v6,
        vtep_mac: remote.vtep_mac,
        vtep_mac6: remote.vtep_mac6,
    }
}

fn remote_node(node: &Node, owned: &Ownership) -> RemoteNode {
    let name = node.name.as_str();
    let given = node.pod_cidrs.iter().map(ipnet::IpNet::trunc);
    let claimed = owned.claimed.get(&node.name).into_iter().flatten().copied();
    RemoteNode {
        name: node.name.clone(),
        v4: node.bgp.ipv4_address.map(|net| net.addr()),
        v6: node.bgp.ipv6_address.map(|net| net.addr()),
        vtep_mac: node
            .vxlan_mac
            .map_or_else(|| tunnel::vtep_mac(name, tunnel::Family::Ipv4), |mac| mac.0),
        vtep_mac6: node
            .vxlan_mac_v6
            .map_or_else(|| tunnel::vtep_mac(name, tunnel::Family::Ipv6), |mac| mac.0),
        blocks: given.chain(claimed).collect(),
    }
}

fn speaker(intent: &Intent, node: &Node, owned: &Ownership, passwords: &Passwords) -> SpeakerConfig {
    let asn = Asn(intent.as_number_of(node).0);
    let mut config = SpeakerConfig::new(asn, RouterId(node.router_id().0));
    config.feed_deferral = intent.bgp.feed_deferral;
    config.cluster_id = node.bgp.cluster_id;
    config.multipath = usize::from(intent.bgp.multipath.max_paths);
    config.multipath_relax = intent.bgp.multipath.relax;
    (config.peers, config.ranges) = peers::of(intent, node, passwords);
    config.import = import_rules(intent, node, owned);
    config
}

/// What is refused whoever sends it: our own blocks but for what of them is on loan, and in pools of mode `Always` every path whose next
/// hop is no node, because nothing would encapsulate it.
fn import_rules(intent: &Intent, node: &Node, owned: &Ownership) -> ImportRules {
    let nodes: Arc<BTreeSet<IpAddr>> =
        Arc::new(intent.nodes.values().flat_map(|n| n.bgp.addresses()).collect());
    let always = |p: &&IpPool| p.vxlan_mode == EncapMode::Always || p.ipip_mode == EncapMode::Always;
    ImportRules {
        own_prefixes: owned.blocks.iter().map(|block| block.cidr).collect(),
        on_loan: owned
            .lent
            .iter()
            .map(|address| ipnet::IpNet::from(*address))
            .collect(),
        node_only: (intent.pools.iter().filter(always))
            .map(|pool| NodeOnly {
                within: pool.cidr,
                next_hops: nodes.clone(),
            })
            .collect(),
        own_addresses: own_addresses(node, owned),
    }
}

/// Addresses of this node that routes of others never lead to: those that it speaks from, and its own pod addresses, the
/// first ones of its first blocks.
fn own_addresses(node: &Node, owned: &Ownership) -> BTreeSet<IpAddr> {
    let first = |v4: bool| {
        let mut blocks = owned.blocks.iter().map(|block| block.cidr.network());
        blocks.find(|address| address.is_ipv4() == v4)
    };
    let pods = [first(true), first(false)];
    node.bgp.addresses().chain(pods.into_iter().flatten()).collect()
}

fn pools(intent: &Intent) -> Vec<Pool> {
    let mode = |mode: EncapMode| match mode {
        EncapMode::Never => Mode::Never,
        EncapMode::Always => Mode::Always,
        EncapMode::CrossSubnet => Mode::CrossSubnet,
        EncapMode::Auto => Mode::Auto,
    };
    let pool = |p: &IpPool| Pool {
        name: p.name.clone(),
        cidr: p.cidr,
        modes: PoolModes {
            vxlan: mode(p.vxlan_mode),
            ipip: mode(p.ipip_mode),
        },
        exported: !p.disable_bgp_export,
        nat_outgoing: p.nat_outgoing,
    };
    let mut pools: Vec<Pool> = intent.pools.iter().map(pool).collect();
    pools.sort_by_key(|p| std::cmp::Reverse(p.cidr.prefix_len()));
    pools
}
