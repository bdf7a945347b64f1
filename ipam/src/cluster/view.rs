//! The cluster as one value: pools, nodes and every record of ownership, with the versions that transactions
//! compare, indexed so that a decision costs little at a thousand nodes and ten thousand blocks.
//!
//! The resources, the intent and the records arrive each at their own time. A pool whose resource in the datastore
//! does not say what the intent says is *unsettled*: nothing is claimed from it until they agree.
//! [`ClusterView::refresh`] reads again only what was written since.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::fields::ResourceKind;
use config::intent::{AggregateRule, Intent, IpPool, IpamConfiguration};
use config::load::Source;
use config::{Labels, NodeName};
use datastore::{Incarnation, Item, Key, Revision, SpaceView, Version};
use ipnet::IpNet;

use super::index::{Index, Intervals};
use super::records::{AggregateRecord, BlockRecord, LoanRecord, PresenceRecord, RecordError, StickyRecord};
use super::span;
use super::trouble::Trouble;

/// A record with its writing; a record that cannot be read counts as taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// What it says.
    pub record: Result<T, RecordError>,
    /// This writing of it.
    pub version: Version,
}

impl<T> Stored<T> {
    /// The record, where it can be read.
    pub fn read(&self) -> Option<&T> {
        self.record.as_ref().ok()
    }
}

/// A pool with what claiming from it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The pool as the operator wants it.
    pub intent: IpPool,
    /// The writing of its resource that says so; `None` while the two differ.
    pub version: Option<Version>,
}

impl Pool {
    /// Whether pods get its addresses without naming the pool.
    pub fn is_automatic(&self) -> bool {
        self.intent.is_automatic() && self.intent.namespace_selector.to_string() == "all()"
    }

    /// The rule for aggregates, where it splits the pool.
    pub fn aggregate(&self) -> Option<&AggregateRule> {
        let pool = &self.intent;
        let splits = |rule: &&AggregateRule| {
            rule.prefix_len > pool.cidr.prefix_len() && rule.prefix_len <= pool.block_size
        };
        pool.aggregate.as_ref().filter(splits)
    }
}

/// A node as the intent has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Labels, for selectors and aggregates.
    pub labels: Labels,
    /// Pod subnets that it was given.
    pub pod_cidrs: Vec<IpNet>,
}

/// Everything about ownership in the cluster, at one moment of each space.
#[derive(Debug, Clone, Default)]
pub struct ClusterView {
    pub(super) pools: BTreeMap<String, Pool>,
    pub(super) nodes: BTreeMap<NodeName, NodeFacts>,
    /// Every `Node` resource that is there, read or not.
    pub(super) incarnations: BTreeMap<NodeName, Incarnation>,
    pub(super) ipam: IpamConfiguration,
    pub(super) reserved: Intervals,
    /// Given pod subnets of every node.
    pub(super) given: Index<NodeName>,
    pub(super) blocks: Index<Stored<BlockRecord>>,
    pub(super) owned: BTreeMap<NodeName, BTreeSet<IpNet>>,
    pub(super) aggregates: Index<Stored<AggregateRecord>>,
    pub(super) loans: BTreeMap<IpAddr, Stored<LoanRecord>>,
    pub(super) sticky: BTreeMap<String, Stored<StickyRecord>>,
    pub(super) presence: BTreeMap<NodeName, Stored<PresenceRecord>>,
    pub(super) revision: Option<Revision>,
    /// Records that cannot be read.
    unread: BTreeMap<Key, RecordError>,
    /// What was read already, so that it is not read again.
    seen: BTreeMap<Key, Version>,
    /// Pools as their resources say, by the writing that was read.
    read_pools: BTreeMap<String, (Version, Option<IpPool>)>,
}

impl ClusterView {
    /// A view of all three, with what could not be read.
    pub fn new(resources: &SpaceView, intent: &Intent, ownership: &SpaceView) -> (ClusterView, Vec<Trouble>) {
        let mut view = ClusterView::default();
        let troubles = view.refresh(resources, intent, ownership);
        (view, troubles)
    }

    /// Moves on to later states of the three; the same as a new view of them, for less work.
    pub fn refresh(&mut self, resources: &SpaceView, intent: &Intent, ownership: &SpaceView) -> Vec<Trouble> {
        self.refresh_resources(resources, intent);
        self.refresh_ownership(ownership);
        self.troubles()
    }

    /// Moves on to a later state of the resources and of what they mean.
    pub fn refresh_resources(&mut self, resources: &SpaceView, intent: &Intent) {
        let mut written: BTreeMap<&str, &Item> = BTreeMap::new();
        self.incarnations.clear();
        for (key, item) in &resources.items {
            match key {
                Key::Resource(ResourceKind::IpPool, name) => {
                    written.insert(name, item);
                }
                Key::Resource(ResourceKind::Node, name) => {
                    if let Ok(name) = name.parse() {
                        self.incarnations.insert(name, item.incarnation.clone());
                    }
                }
                _ => {}
            }
        }
        self.read_pools
            .retain(|name, _| written.contains_key(name.as_str()));
        self.pools.clear();
        for pool in &intent.pools {
            let version = written
                .get(pool.name.as_str())
                .and_then(|item| self.settled(pool, item));
            let intent = pool.clone();
            self.pools.insert(pool.name.clone(), Pool { intent, version });
        }
        self.nodes.clear();
        self.given = Index::default();
        for (name, node) in &intent.nodes {
            let facts = NodeFacts {
                labels: node.labels.clone(),
                pod_cidrs: node.pod_cidrs.iter().map(IpNet::trunc).collect(),
            };
            for cidr in &facts.pod_cidrs {
                self.given.insert(*cidr, name.clone());
            }
            self.nodes.insert(name.clone(), facts);
        }
        self.ipam = intent.ipam.clone();
        self.reserved = Intervals::new(intent.reservations.iter().flat_map(|r| &r.cidrs));
    }

    /// The writing of a pool's resource, if it says what the intent says.
    fn settled(&mut self, pool: &IpPool, item: &Item) -> Option<Version> {
        let known = self.read_pools.get(&pool.name);
        if known.is_none_or(|(version, _)| *version != item.version) {
            let source = Source {
                name: pool.name.clone(),
                text: item.value.to_string(),
            };
            let loaded = config::load(std::slice::from_ref(&source));
            let read = loaded.intent.and_then(|intent| intent.pools.into_iter().next());
            self.read_pools
                .insert(pool.name.clone(), (item.version.clone(), read));
        }
        let (version, read) = self.read_pools.get(&pool.name)?;
        (read.as_ref() == Some(pool)).then(|| version.clone())
    }

    /// Moves on to a later state of the records. Reads what was written since, and compares the rest by version.
    pub fn refresh_ownership(&mut self, ownership: &SpaceView) {
        let gone: Vec<Key> = (self.seen.keys())
            .filter(|key| !ownership.items.contains_key(key))
            .cloned()
            .collect();
        for key in gone {
            self.seen.remove(&key);
            self.forget(&key);
        }
        for (key, item) in &ownership.items {
            if self.seen.get(key) != Some(&item.version) {
                self.forget(key);
                self.learn(item);
                self.seen.insert(key.clone(), item.version.clone());
            }
        }
        self.revision = Some(ownership.revision.clone());
    }

    fn forget(&mut self, key: &Key) {
        self.unread.remove(key);
        match key {
            Key::Block(net) => {
                let old = self.blocks.remove(net);
                if let Some(owner) = old.as_ref().and_then(Stored::read).map(|record| &record.node)
                    && let Some(blocks) = self.owned.get_mut(owner)
                {
                    blocks.remove(net);
                    if blocks.is_empty() {
                        self.owned.remove(owner);
                    }
                }
            }
            Key::Aggregate(net) => {
                self.aggregates.remove(net);
            }
            Key::Loan(address) => {
                self.loans.remove(address);
            }
            Key::Sticky(workload) => {
                self.sticky.remove(workload);
            }
            Key::Presence(name) => {
                if let Ok(name) = name.parse() {
                    self.presence.remove(&name);
                }
            }
            Key::Resource(..) | Key::Address(_) => {}
        }
    }

    fn note<T>(&mut self, key: &Key, record: Result<T, RecordError>) -> Result<T, RecordError> {
        if let Err(error) = &record {
            self.unread.insert(key.clone(), error.clone());
        }
        record
    }

    fn learn(&mut self, item: &Item) {
        let text = item.value.as_ref();
        let version = item.version.clone();
        match &item.key {
            Key::Block(net) => {
                let record = self.note(&item.key, BlockRecord::parse(text));
                if let Ok(record) = &record {
                    self.owned.entry(record.node.clone()).or_default().insert(*net);
                }
                self.blocks.insert(*net, Stored { record, version });
            }
            Key::Aggregate(net) => {
                let record = self.note(&item.key, AggregateRecord::parse(text));
                self.aggregates.insert(*net, Stored { record, version });
            }
            Key::Loan(address) => {
                let record = self.note(&item.key, LoanRecord::parse(text));
                self.loans.insert(*address, Stored { record, version });
            }
            Key::Sticky(workload) => {
                let record = self.note(&item.key, StickyRecord::parse(text));
                self.sticky.insert(workload.clone(), Stored { record, version });
            }
            Key::Presence(name) => {
                if let Ok(name) = name.parse() {
                    let record = self.note(&item.key, PresenceRecord::parse(text));
                    self.presence.insert(name, Stored { record, version });
                }
            }
            Key::Resource(..) | Key::Address(_) => {}
        }
    }

    /// Records that cannot be read.
    pub fn troubles(&self) -> Vec<Trouble> {
        let say = |(key, error): (&Key, &RecordError)| {
            let message = format!("the record is left alone and counts as taken: {error}");
            Trouble::new(key.to_string(), message)
        };
        self.unread.iter().map(say).collect()
    }

    /// The owner of a block, where its record can be read.
    pub fn owner(&self, block: &IpNet) -> Option<&BlockRecord> {
        self.blocks.get(block)?.read()
    }

    /// The owned block that holds an address, with its record.
    pub fn block_of(&self, address: IpAddr) -> Option<(IpNet, &Stored<BlockRecord>)> {
        let single = IpNet::from(address);
        self.blocks
            .around(single)
            .last()
            .map(|(net, stored)| (*net, stored))
    }

    /// All blocks of a node in the order of their addresses, with their records.
    pub fn blocks_of<'a>(
        &'a self,
        node: &NodeName,
    ) -> impl Iterator<Item = (IpNet, &'a BlockRecord, &'a Version)> {
        let blocks = self.owned.get(node).into_iter().flatten();
        blocks.filter_map(|net| {
            let stored = self.blocks.get(net)?;
            Some((*net, stored.read()?, &stored.version))
        })
    }

    /// All blocks with their owners: what other nodes need to know to route and to refuse.
    pub fn owners(&self) -> impl Iterator<Item = (IpNet, &BlockRecord)> {
        self.blocks
            .iter()
            .filter_map(|(net, stored)| Some((*net, stored.read()?)))
    }

    /// The loans.
    pub fn loans(&self) -> impl Iterator<Item = &LoanRecord> {
        self.loans.values().filter_map(Stored::read)
    }

    /// The loans of addresses inside a prefix.
    pub fn loans_in(&self, net: IpNet) -> impl Iterator<Item = &LoanRecord> {
        let loans = self.loans.range(net.network()..=net.broadcast());
        loans.filter_map(|(_, stored)| stored.read())
    }

    /// The addresses that follow a workload (`namespace.name`).
    pub fn sticky_of(&self, workload: &str) -> Option<&StickyRecord> {
        self.sticky.get(workload)?.read()
    }

    /// The pools.
    pub fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.pools.values()
    }

    /// The pool that a prefix or an address lies in.
    pub fn pool_of(&self, net: &IpNet) -> Option<&Pool> {
        self.pools.values().find(|pool| pool.intent.cidr.contains(net))
    }

    /// The life of a node's resource; `None` where there is no such resource.
    pub fn incarnation(&self, node: &NodeName) -> Option<&Incarnation> {
        self.incarnations.get(node)
    }

    /// Whether a node is known to live: it has a resource, or its agent shows that it is there.
    pub fn is_there(&self, node: &NodeName) -> bool {
        self.incarnations.contains_key(node) || self.presence.contains_key(node)
    }

    /// Labels and given subnets of a node.
    pub fn node(&self, node: &NodeName) -> Option<&NodeFacts> {
        self.nodes.get(node)
    }

    /// Another block or a given subnet that overlaps this one, with who has it.
    pub(super) fn clash(&self, block: IpNet) -> Option<(IpNet, String)> {
        let owner = |stored: &Stored<BlockRecord>| match stored.read() {
            Some(record) => format!("node {}", record.node),
            None => "a record that cannot be read".into(),
        };
        let blocks = self.blocks.around(block).chain(self.blocks.inside(block));
        let other = blocks
            .filter(|(net, _)| **net != block)
            .map(|(net, stored)| (*net, owner(stored)))
            .next();
        let given = || self.given.overlapping(block);
        other.or_else(|| given().map(|(net, node)| (*net, format!("node {node}, which was given it"))))
    }

    /// The prefix length of the blocks of a pool, as its record in the datastore has it.
    pub(super) fn layout(&self, pool: &IpPool) -> Option<&Stored<AggregateRecord>> {
        self.aggregates.get(&pool.cidr)
    }

    /// Addresses of a pool, and how many of its blocks are owned.
    pub fn pool_usage(&self, pool: &Pool) -> (u128, usize) {
        let blocks = self.blocks.inside(pool.intent.cidr).count();
        (span::size(pool.intent.cidr), blocks)
    }
}
