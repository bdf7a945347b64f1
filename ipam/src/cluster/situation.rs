//! Where a node stands when it decides: the two views side by side, and the questions that every part asks of them.

use std::net::IpAddr;
use std::time::SystemTime;

use config::NodeName;
use config::fields::ResourceKind;
use datastore::{Compare, Incarnation, Key};
use ipnet::IpNet;

use super::settings::Settings;
use super::span;
use super::view::{ClusterView, NodeFacts, Pool};
use crate::blocks::Family;
use crate::lease::Lease;
use crate::local::{BlockState, BlockUse, LocalView, Origin};

/// Everything that a decision looks at.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    pub view: &'a ClusterView,
    pub local: &'a LocalView,
    pub settings: &'a Settings,
    pub now: SystemTime,
}

impl<'a> Situation<'a> {
    /// The node that decides.
    pub fn me(&self) -> &'a NodeName {
        &self.settings.node
    }

    /// This life of its resource.
    pub fn incarnation(&self) -> Option<&'a Incarnation> {
        self.view.incarnation(self.me())
    }

    /// Its labels and given subnets; `None` where the intent does not have it.
    pub fn facts(&self) -> Option<&'a NodeFacts> {
        self.view.node(self.me())
    }

    /// The condition that this life of the node still lasts.
    pub fn alive(&self) -> Option<Compare> {
        let key = Key::resource(ResourceKind::Node, self.me().as_str());
        Some(Compare::Incarnation(key, self.incarnation()?.clone()))
    }

    /// Whether a pool gives pods of this node addresses.
    pub fn serves(&self, pool: &Pool) -> bool {
        self.facts()
            .is_some_and(|facts| pool.intent.serves(&facts.labels))
    }

    /// The pool that a block of the ledger belongs to, as it is now.
    pub fn pool_of(&self, block: &BlockUse) -> Option<&'a Pool> {
        let named = (block.block.pool.as_ref()).and_then(|name| self.view.pools.get(name));
        let holds = |pool: &&Pool| pool.intent.cidr.contains(&block.block.cidr);
        named
            .filter(holds)
            .or_else(|| self.view.pool_of(&block.block.cidr))
    }

    /// The claimed blocks in the ledger.
    pub fn claimed(&self) -> impl Iterator<Item = &'a BlockUse> + use<'a> {
        self.local
            .blocks
            .iter()
            .filter(|b| b.block.origin == Origin::Claimed)
    }

    /// A block in the ledger.
    pub fn taken(&self, cidr: &IpNet) -> Option<&'a BlockUse> {
        self.local.blocks.iter().find(|b| b.block.cidr == *cidr)
    }

    /// The block of the ledger that holds an address.
    pub fn own_block_of(&self, address: IpAddr) -> Option<&'a BlockUse> {
        self.local.blocks.iter().find(|b| b.block.cidr.contains(&address))
    }

    /// Whether the node was given pod subnets of a family: then it claims none by itself.
    pub fn is_given(&self, family: Family) -> bool {
        let of_family = |net: &IpNet| span::family(net) == family;
        self.facts()
            .is_some_and(|facts| facts.pod_cidrs.iter().any(of_family))
    }

    /// Whether the record of a block names this node.
    pub fn owns(&self, cidr: &IpNet) -> bool {
        self.view
            .owner(cidr)
            .is_some_and(|record| record.node == *self.me())
    }

    /// The node whose block holds an address.
    pub fn owner_of(&self, address: IpAddr) -> Option<&'a NodeName> {
        let (_, stored) = self.view.block_of(address)?;
        stored.read().map(|record| &record.node)
    }

    /// Blocks from which pods may get new addresses now.
    pub fn open(&self, family: Family) -> impl Iterator<Item = (&'a BlockUse, &'a Pool)> + use<'a> {
        let here = *self;
        let blocks = self
            .local
            .blocks
            .iter()
            .filter(move |b| b.block.state == BlockState::Open && span::family(&b.block.cidr) == family);
        blocks.filter_map(move |b| {
            here.pool_of(b)
                .filter(|pool| here.serves(pool))
                .map(|pool| (b, pool))
        })
    }

    /// The lease that has an address.
    pub fn lease(&self, address: IpAddr) -> Option<&'a Lease> {
        self.local
            .leases
            .iter()
            .find(|lease| lease.addresses.contains(&address))
    }
}
