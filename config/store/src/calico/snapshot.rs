//! What was read from Calico's datastore, as values: nothing here knows whether etcd or Kubernetes had it.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::Value;

/// A resource in the form of `projectcalico.org/v3`.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Kind, such as `IPPool`.
    pub kind: String,
    /// Name; `namespace/name` where the kind has namespaces.
    pub name: String,
    /// The document: `apiVersion`, `kind`, `metadata`, `spec`.
    pub value: Value,
}

impl Document {
    /// `kind/name`, unique in a datastore.
    pub fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

/// Something that is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unreadable {
    /// Its key in etcd, or kind and name in Kubernetes.
    pub key: String,
    /// Why not.
    pub why: String,
}

/// Resources of a kind that is only counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counted {
    /// How many there are.
    pub count: usize,
    /// The first names.
    pub names: Vec<String>,
}

impl Counted {
    const NAMES: usize = 5;

    /// Counts one more.
    pub fn add(&mut self, name: &str) {
        self.count += 1;
        if self.names.len() < Self::NAMES {
            self.names.push(name.to_owned());
        }
    }
}

/// Whom a block belongs to (`affinity`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Affinity {
    /// A node (`host:NAME`).
    Host(String),
    /// Something that is no node, such as `virtual:load-balancer`.
    Virtual(String),
}

impl Affinity {
    /// From the text in a block.
    pub fn parse(text: &str) -> Affinity {
        match text.split_once(':') {
            Some(("host", name)) => Affinity::Host(name.to_owned()),
            Some((_, name)) => Affinity::Virtual(name.to_owned()),
            None => Affinity::Host(text.to_owned()),
        }
    }
}

/// What an address in a block is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// A pod, or another workload.
    Pod,
    /// The address of a node's tunnel device.
    Tunnel,
    /// A service of type LoadBalancer.
    Service,
    /// Anything else: reserved by Calico itself, or assigned by hand.
    Other,
}

/// One address given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// Its place in the block, from 0.
    pub ordinal: usize,
    /// What for.
    pub purpose: Use,
    /// The node that uses it, where Calico noted it.
    pub node: Option<String>,
    /// The pod, `namespace/name`, where Calico noted it.
    pub pod: Option<String>,
}

/// A block of addresses (`IPAMBlock`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The range.
    pub cidr: IpNet,
    /// Whose it is; none for a block that everybody may use.
    pub affinity: Option<Affinity>,
    /// The addresses that are given out, in order.
    pub allocations: Vec<Allocation>,
    /// What does not add up inside it.
    pub damage: Vec<String>,
}

/// How far Calico came with giving a block to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Done.
    Confirmed,
    /// Begun.
    Pending,
    /// Being taken back.
    PendingDeletion,
}

/// The record that a node has a block (`BlockAffinity`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffinityRecord {
    /// The block.
    pub cidr: IpNet,
    /// The node, or what stands in its place.
    pub owner: Affinity,
    /// How far it came.
    pub state: State,
}

/// Everything that was read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// Where from, without any secret.
    pub location: String,
    /// The resources that Roadbed has as well.
    pub documents: Vec<Document>,
    /// Settings of Calico's own data plane (`FelixConfiguration`).
    pub felix: Vec<Document>,
    /// Resources of all other kinds, by kind.
    pub counted: BTreeMap<String, Counted>,
    /// Blocks.
    pub blocks: Vec<Block>,
    /// Records of who has which block.
    pub affinities: Vec<AffinityRecord>,
    /// How many handles (owners of addresses) there are.
    pub handles: usize,
    /// The `podCIDRs` of nodes, as Kubernetes has them.
    pub pod_cidrs: BTreeMap<String, Vec<String>>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
}

impl Snapshot {
    /// Whether nothing of Calico's was found at all.
    pub fn is_empty(&self) -> bool {
        let resources = self
            .documents
            .iter()
            .filter(|document| document.kind != "Node")
            .count();
        resources + self.felix.len() + self.counted.len() + self.blocks.len() + self.unreadable.len() == 0
            && self.affinities.is_empty()
            && self.handles == 0
    }

    /// Notes something that cannot be read.
    pub fn cannot_read(&mut self, key: impl Into<String>, why: impl Into<String>) {
        self.unreadable.push(Unreadable {
            key: key.into(),
            why: why.into(),
        });
    }
}
