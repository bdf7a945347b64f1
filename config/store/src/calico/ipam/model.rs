//! What is found out about blocks, as values.

use ipnet::IpNet;
use serde::Serialize;

use super::super::snapshot::Use;

/// A pool, as far as blocks are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Its range.
    pub cidr: IpNet,
    /// Prefix length of its blocks.
    pub block_size: u8,
    /// Whether the pool carries over.
    pub carries_over: bool,
}

/// Addresses by what they are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    /// Of pods.
    pub pods: usize,
    /// Of tunnel devices.
    pub tunnels: usize,
    /// Of services.
    pub services: usize,
    /// Of anything else.
    pub other: usize,
}

impl Addresses {
    /// Counts one more.
    pub(super) fn add(&mut self, purpose: Use) {
        match purpose {
            Use::Pod => self.pods += 1,
            Use::Tunnel => self.tunnels += 1,
            Use::Service => self.services += 1,
            Use::Other => self.other += 1,
        }
    }
}

/// How a pool is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolUse {
    /// Name of the pool; empty for the blocks that are in none.
    pub pool: String,
    /// Its range.
    pub cidr: Option<IpNet>,
    /// Prefix length of its blocks.
    pub block_size: Option<u8>,
    /// Whether the pool carries over.
    pub carries_over: bool,
    /// Its blocks.
    pub blocks: usize,
    /// Blocks that a takeover could keep.
    pub fitting: usize,
    /// Addresses given out.
    pub addresses: Addresses,
}

/// What a node has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeUse {
    /// Name of the node.
    pub node: String,
    /// Whether there is a Node of this name.
    pub exists: bool,
    /// Its blocks.
    pub blocks: usize,
    /// Records that it has a block.
    pub affinities: usize,
    /// Addresses given out from its blocks.
    pub addresses: Addresses,
    /// Addresses that it uses from blocks of others, or of nobody.
    pub borrowed: usize,
}

/// What a takeover would keep.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Takeover {
    /// Blocks that would stay with their nodes.
    pub blocks: usize,
    /// Blocks that would not: each is among the troubles.
    pub blocks_left: usize,
    /// Pods that would keep their address inside their node's own block.
    pub pods: usize,
    /// Pods that would keep it as an address lent by the owner of the block.
    pub pods_borrowed: usize,
    /// Pods that would have to be started anew.
    pub pods_left: usize,
    /// Tunnel addresses, which are given back: the node's own address is the first one of its first block.
    pub tunnels_returned: usize,
    /// Nodes whose first block of a family has a pod on its first address, which Roadbed keeps for the node.
    pub first_address_taken: Vec<String>,
}

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// A word for programs, such as `pendingAffinity`.
    pub what: &'static str,
    /// The block.
    pub block: IpNet,
    /// The node, where there is one.
    pub node: Option<String>,
    /// What is so.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// Whether the block could not be kept because of this.
    pub stops: bool,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamReport {
    /// Blocks.
    pub blocks: usize,
    /// Records of who has which block.
    pub affinities: usize,
    /// Owners of addresses.
    pub handles: usize,
    /// Addresses given out.
    pub addresses: Addresses,
    /// By pool, the last one without a name for blocks that are in none.
    pub pools: Vec<PoolUse>,
    /// By node.
    pub nodes: Vec<NodeUse>,
    /// What a takeover would keep.
    pub takeover: Takeover,
    /// What is not as it should be.
    pub troubles: Vec<Trouble>,
}
