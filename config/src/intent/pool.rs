//! `IPPool`: a range of pod addresses, whom it serves and how it is carried between nodes.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::selector::Selector;
use crate::vocabulary::Labels;

/// When traffic to pods on another node is put into a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum EncapMode {
    /// Never.
    #[default]
    Never,
    /// To every node.
    Always,
    /// To nodes that are not on a common layer 2 segment.
    CrossSubnet,
    /// To nodes to which the fabric is not proven to carry pod addresses. (ours)
    Auto,
}

/// What addresses of a pool may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AllowedUses {
    /// Pods.
    pub workload: bool,
    /// The node's own pod address, on its tunnel device.
    pub tunnel: bool,
    /// Services. Read; no part gives services addresses yet.
    #[serde(default)]
    pub load_balancer: bool,
}

impl Default for AllowedUses {
    fn default() -> Self {
        Self {
            workload: true,
            tunnel: true,
            load_balancer: false,
        }
    }
}

/// Which pods get addresses of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Assignment {
    /// Every pod that the selectors allow.
    #[default]
    Automatic,
    /// Only pods that name the pool or one of its addresses.
    Manual,
}

/// That blocks of nodes with the same label value come from one range, so that a router can announce the range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AggregateRule {
    /// The label of the nodes whose value the range belongs to, such as `rack`.
    pub node_label: String,
    /// Prefix length of the ranges: between the pool's and its blocks'.
    pub prefix_len: u8,
}

/// A range of pod addresses and how it is carried between nodes (`IPPool`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpPool {
    /// Name of the resource.
    pub name: String,
    /// The range; host bits are zero.
    pub cidr: IpNet,
    /// Prefix length of the blocks that nodes claim. Default 26 (IPv4) or 122 (IPv6).
    pub block_size: u8,
    /// VXLAN between nodes. At most one of the two modes is not `Never`.
    pub vxlan_mode: EncapMode,
    /// IPIP between nodes, IPv4 only.
    pub ipip_mode: EncapMode,
    /// No new addresses from this pool; existing ones keep working.
    pub disabled: bool,
    /// Nodes that may take addresses from this pool. Default all.
    pub node_selector: Selector,
    /// Namespaces whose pods may get addresses from this pool. Default all.
    #[serde(default)]
    pub namespace_selector: Selector,
    /// What its addresses may be used for.
    pub allowed_uses: AllowedUses,
    /// Which pods get its addresses.
    #[serde(default)]
    pub assignment: Assignment,
    /// Whether blocks are grouped by a label of the nodes. (ours)
    #[serde(default)]
    pub aggregate: Option<AggregateRule>,
    /// Blocks and addresses of this pool are not announced to any peer.
    #[serde(default)]
    pub disable_bgp_export: bool,
    /// Packets of its pods that leave all pools have the node's address as source.
    #[serde(default)]
    pub nat_outgoing: bool,
}

impl IpPool {
    /// A pool of this range that serves every node and namespace, with the defaults in all else.
    pub fn new(name: impl Into<String>, cidr: IpNet) -> Self {
        Self {
            name: name.into(),
            cidr,
            block_size: Self::default_block_size(cidr),
            vxlan_mode: EncapMode::Never,
            ipip_mode: EncapMode::Never,
            disabled: false,
            node_selector: Selector::all(),
            namespace_selector: Selector::all(),
            allowed_uses: AllowedUses::default(),
            assignment: Assignment::Automatic,
            aggregate: None,
            disable_bgp_export: false,
            nat_outgoing: false,
        }
    }

    /// Prefix length of blocks where `blockSize` is not written.
    pub fn default_block_size(cidr: IpNet) -> u8 {
        match cidr {
            IpNet::V4(_) => 26,
            IpNet::V6(_) => 122,
        }
    }

    /// Whether this pool may give pods of a node with these labels new addresses.
    pub fn serves(&self, labels: &Labels) -> bool {
        !self.disabled && self.allowed_uses.workload && self.node_selector.matches(labels)
    }

    /// Whether pods of a namespace may get addresses of this pool. The selector sees the labels of the namespace,
    /// and its name as `projectcalico.org/name` and `kubernetes.io/metadata.name`, whatever the labels say.
    pub fn serves_namespace(&self, namespace: &str, labels: &Labels) -> bool {
        let mut labels = labels.clone();
        for key in ["projectcalico.org/name", "kubernetes.io/metadata.name"] {
            labels.insert(key.to_owned(), namespace.to_owned());
        }
        self.namespace_selector.matches(&labels)
    }

    /// Whether pods get its addresses without asking for them.
    pub fn is_automatic(&self) -> bool {
        self.assignment == Assignment::Automatic
    }

    /// The aggregate that a block or address of this pool lies in, where the pool has aggregates.
    pub fn aggregate_of(&self, net: &IpNet) -> Option<IpNet> {
        let rule = self.aggregate.as_ref()?;
        if !self.cidr.contains(net) || net.prefix_len() < rule.prefix_len {
            return None;
        }
        Some(IpNet::new(net.addr(), rule.prefix_len).ok()?.trunc())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn namespaces_are_selected_by_labels_and_by_name() {
        let mut pool = IpPool::new("pods", net("10.244.0.0/16"));
        let labels: Labels = [("tier".to_owned(), "web".to_owned())].into();
        assert!(pool.serves_namespace("default", &Labels::new()));
        for (selector, served) in [
            ("tier == 'web'", true),
            ("tier == 'db'", false),
            ("projectcalico.org/name == 'shop'", true),
            ("kubernetes.io/metadata.name in {'shop'}", true),
            ("kubernetes.io/metadata.name == 'other'", false),
        ] {
            pool.namespace_selector = selector.parse().expect("a selector");
            assert_eq!(pool.serves_namespace("shop", &labels), served, "{selector}");
        }
        // A label of the namespace cannot pretend to be its name.
        let liar: Labels = [("kubernetes.io/metadata.name".to_owned(), "other".to_owned())].into();
        assert!(!pool.serves_namespace("shop", &liar));
    }

    #[test]
    fn aggregates_hold_blocks_and_addresses_of_the_pool() {
        let mut pool = IpPool::new("pods", net("10.244.0.0/16"));
        assert_eq!(pool.aggregate_of(&net("10.244.5.64/26")), None);
        pool.aggregate = Some(AggregateRule {
            node_label: "rack".to_owned(),
            prefix_len: 22,
        });
        assert_eq!(
            pool.aggregate_of(&net("10.244.5.64/26")),
            Some(net("10.244.4.0/22"))
        );
        assert_eq!(
            pool.aggregate_of(&net("10.244.5.7/32")),
            Some(net("10.244.4.0/22"))
        );
        assert_eq!(pool.aggregate_of(&net("10.245.0.0/26")), None);
        assert_eq!(pool.aggregate_of(&net("10.244.0.0/20")), None);
    }
}
