//! `GET /v1/ipam`, `POST /v1/ipam/check` and `POST /v1/ipam/release`: blocks, addresses, what is wrong with them.
//!
//! Words that may grow (`kind` of a finding, `state` of a block) are text, so that an older client shows what it
//! does not know. Counts of addresses saturate: an IPv6 pool has more than fit.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Blocks and addresses of the whole cluster as the datastore has them, and of this node as its ledger has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamShow {
    /// Pools by name.
    pub pools: Vec<IpamPool>,
    /// Every block that is owned, by address.
    pub blocks: Vec<IpamBlock>,
    /// Nodes by name; also those that own blocks and are no more.
    pub nodes: Vec<IpamNode>,
    /// This node.
    pub local: IpamLocal,
    /// What could not be looked at, and why; then counts may be too low.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamPool {
    /// Its name.
    pub name: String,
    /// Its range.
    pub cidr: IpNet,
    /// Prefix length of its blocks.
    pub block_size: u8,
    /// No new addresses from it.
    pub disabled: bool,
    /// `automatic` or `manual`.
    pub assignment: String,
    /// Blocks that it has in all (saturating).
    pub blocks_total: u64,
    /// Of these, owned by nodes.
    pub blocks_owned: u64,
    /// Addresses that it has in all (saturating).
    pub size: u64,
    /// Addresses in its owned blocks (saturating).
    pub size_owned: u64,
    /// Addresses in use; absent where the mirror of the nodes' ledgers could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// Addresses that are reserved (saturating).
    #[serde(default)]
    pub reserved: u64,
}

/// One block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamBlock {
    /// The block.
    pub cidr: IpNet,
    /// Its pool; absent where it lies in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The node that owns it.
    pub owner: String,
    /// `given` (`Node.spec.podCIDRs`) or `claimed`.
    pub origin: String,
    /// `open`: pods get addresses from it; `leaving`: it is about to be given back; `orphaned`: its owner is gone.
    pub state: String,
    /// Addresses in use; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// Addresses in all (saturating).
    pub size: u64,
    /// The aggregate that it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<IpNet>,
    /// The label value (the rack) that the aggregate belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate_of: Option<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamNode {
    /// Its name.
    pub node: String,
    /// Blocks that it owns.
    pub blocks: u64,
    /// Addresses in its blocks (saturating).
    pub size: u64,
    /// Addresses in use; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// It has a Node resource.
    pub known: bool,
    /// Its agent shows that it lives; absent where the datastore cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<bool>,
}

/// The ledger of this node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamLocal {
    /// The node's name.
    pub node: String,
    /// Its own pod addresses, one for each family.
    pub addresses: Vec<IpAddr>,
    /// Its blocks, as its ledger has them.
    pub blocks: Vec<IpamBlock>,
    /// Addresses that pods have.
    pub leases: u64,
    /// Released addresses that rest before they are given out again.
    pub cooling: u64,
    /// Addresses of ours that other nodes have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lent: Vec<IpamLoan>,
    /// Addresses of other nodes that we have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borrowed: Vec<IpamLoan>,
    /// Addresses kept for workloads that are elsewhere or gone for a moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<IpamLoan>,
    /// Pods that wait for an address, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// Changes of the ledger that the mirror in the datastore does not have yet.
    #[serde(default)]
    pub mirror_behind: u64,
}

/// An address that is not where its block is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamLoan {
    /// The address.
    pub address: IpAddr,
    /// The other node; absent for a kept address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The workload that it is for, `namespace.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
}

/// Body of `POST /v1/ipam/check`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamCheckRequest {
    /// Repair what is safe to repair.
    #[serde(default)]
    pub fix: bool,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamCheck {
    /// What is wrong, the worst first; empty when all is well.
    pub findings: Vec<IpamFinding>,
    /// Everything could be looked at; if not, `missing` says what could not.
    pub complete: bool,
    /// What could not be looked at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamFinding {
    /// What kind of thing: `leak` (an address without a pod), `doubleUse`, `twoOwners`, `deadNode`, `outsidePools`,
    /// `wrongSize`, `mirror` (ledger and mirror differ), `kernel` (ledger and kernel differ), `loan`, `aggregate`,
    /// `malformed`; there may be more.
    pub kind: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What it is about: an address, a block, a node.
    pub subject: String,
    /// What is wrong, with the values that show it.
    pub message: String,
    /// What would repair it; absent where a person has to decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// It was repaired now.
    #[serde(default)]
    pub fixed: bool,
}

/// Body of `POST /v1/ipam/release`: exactly one of the two is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamRelease {
    /// An address in this node's ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// A block of this node, or of a node that is no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<IpNet>,
    /// Also where a pod's interface still has the address.
    #[serde(default)]
    pub force: bool,
}

/// What was released.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamReleased {
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Blocks.
    pub blocks: Vec<IpNet>,
    /// What happened, or happens next, in a sentence.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_json_are_the_contract() {
        let check = IpamCheck {
            findings: vec![IpamFinding {
                kind: "leak".to_owned(),
                severity: "warning".to_owned(),
                subject: "10.244.1.7".to_owned(),
                message: "no pod has it".to_owned(),
                fix: Some("release it".to_owned()),
                fixed: false,
            }],
            complete: true,
            missing: Vec::new(),
        };
        assert_eq!(
            serde_json::to_value(&check).expect("serializes"),
            serde_json::json!({
                "findings": [{
                    "kind": "leak", "severity": "warning", "subject": "10.244.1.7", "message": "no pod has it",
                    "fix": "release it", "fixed": false,
                }],
                "complete": true,
            })
        );
        let show = r#"{
            "pools": [{"name": "pods", "cidr": "10.244.0.0/16", "blockSize": 26, "disabled": false, "assignment": "automatic",
                       "blocksTotal": 1024, "blocksOwned": 1, "size": 65536, "sizeOwned": 64, "used": 3}],
            "blocks": [{"cidr": "10.244.1.0/26", "pool": "pods", "owner": "node-a", "origin": "claimed", "state": "open",
                        "used": 3, "size": 64, "aggregate": "10.244.0.0/22", "aggregateOf": "r1"}],
            "nodes": [{"node": "node-a", "blocks": 1, "size": 64, "used": 3, "known": true, "alive": true}],
            "local": {"node": "node-a", "addresses": ["10.244.1.0"], "blocks": [], "leases": 2, "cooling": 0},
            "added": "by a newer agent"
        }"#;
        let show: IpamShow = serde_json::from_str(show).expect("reads");
        assert_eq!((show.pools[0].reserved, show.nodes[0].alive), (0, Some(true)));
        assert_eq!(show.blocks[0].aggregate_of.as_deref(), Some("r1"));
    }
}
