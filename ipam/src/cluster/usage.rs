//! How full pools, blocks and nodes are: the figures for `ipam show`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::NodeName;
use config::api::ipam::{IpamBlock, IpamLoan, IpamLocal, IpamNode, IpamPool, IpamShow};
use ipnet::IpNet;

use super::records::BlockRecord;
use super::span::{Slots, size};
use super::view::{ClusterView, Pool};
use crate::local::{BlockState, LocalView, Origin};

/// Everything about the cluster's blocks. `addresses` are those of the mirror, with the node that has each; without
/// them nobody knows how many are in use. What only the ledger counts (`cooling`, `mirrorBehind`) is left at 0.
pub fn show(
    view: &ClusterView,
    node: &NodeName,
    local: &LocalView,
    addresses: Option<&BTreeMap<IpAddr, NodeName>>,
) -> IpamShow {
    let count = Count { view, addresses };
    let mut missing = Vec::new();
    if addresses.is_none() {
        missing.push(
            "the mirror of the nodes' ledgers could not be read: addresses in use are not known".to_owned(),
        );
    }
    IpamShow {
        pools: view.pools().map(|pool| count.pool(pool)).collect(),
        blocks: count.blocks(),
        nodes: count.nodes(),
        local: this_node(view, node, local),
        missing,
    }
}

struct Count<'a> {
    view: &'a ClusterView,
    addresses: Option<&'a BTreeMap<IpAddr, NodeName>>,
}

impl Count<'_> {
    fn used(&self, net: IpNet) -> Option<u64> {
        let inside = self.addresses?.range(net.network()..=net.broadcast());
        Some(whole(inside.count() as u128))
    }

    fn pool(&self, pool: &Pool) -> IpamPool {
        let cidr = pool.intent.cidr;
        let owned = || self.view.blocks.inside(cidr).map(|(net, _)| *net);
        let given = || self.view.given.inside(cidr).map(|(net, _)| *net);
        let all = owned()
            .chain(given())
            .fold(0u128, |sum, net| sum.saturating_add(size(net)));
        IpamPool {
            name: pool.intent.name.clone(),
            cidr,
            block_size: pool.intent.block_size,
            disabled: pool.intent.disabled,
            assignment: if pool.intent.is_automatic() {
                "automatic"
            } else {
                "manual"
            }
            .to_owned(),
            blocks_total: whole(Slots::of(cidr, pool.intent.block_size).map_or(0, |slots| slots.count)),
            blocks_owned: whole(owned().chain(given()).count() as u128),
            size: whole(size(cidr)),
            size_owned: whole(all),
            used: self.used(cidr),
            reserved: whole(self.view.reserved.inside(cidr)),
        }
    }

    fn blocks(&self) -> Vec<IpamBlock> {
        let claimed = self.view.owners().map(|(net, record)| {
            let there = self.view.is_there(&record.node);
            let state = if there { "open" } else { "orphaned" };
            let (aggregate, aggregate_of) = self.aggregate(net);
            IpamBlock {
                aggregate,
                aggregate_of,
                ..self.block(net, record.node.as_str(), "claimed", state, Some(record))
            }
        });
        let given = self
            .view
            .given
            .iter()
            .map(|(net, node)| self.block(*net, node.as_str(), "given", "open", None));
        let mut blocks: Vec<IpamBlock> = claimed.chain(given).collect();
        blocks.sort_by_key(|block| block.cidr);
        blocks
    }

    fn block(
        &self,
        net: IpNet,
        owner: &str,
        origin: &str,
        state: &str,
        record: Option<&BlockRecord>,
    ) -> IpamBlock {
        let pool = self.view.pool_of(&net).map(|pool| pool.intent.name.clone());
        IpamBlock {
            cidr: net,
            pool: pool.or_else(|| record.map(|record| record.pool.clone())),
            owner: owner.to_owned(),
            origin: origin.to_owned(),
            state: state.to_owned(),
            used: self.used(net),
            size: whole(size(net)),
            aggregate: None,
            aggregate_of: None,
        }
    }

    fn aggregate(&self, net: IpNet) -> (Option<IpNet>, Option<String>) {
        let around = self.view.aggregates.around(net);
        let mut labelled = around.filter_map(|(range, stored)| Some((*range, stored.read()?.value.clone()?)));
        labelled
            .next()
            .map_or((None, None), |(range, value)| (Some(range), Some(value)))
    }

    fn nodes(&self) -> Vec<IpamNode> {
        let known = self.view.incarnations.keys();
        let mut names: Vec<&NodeName> = known.chain(self.view.owned.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let mut used: BTreeMap<&NodeName, u64> = BTreeMap::new();
        for node in self.addresses.into_iter().flat_map(BTreeMap::values) {
            *used.entry(node).or_default() += 1;
        }
        let node = |name: &NodeName| {
            let given = self
                .view
                .node(name)
                .map_or(&[][..], |facts| facts.pod_cidrs.as_slice());
            let claimed = self.view.blocks_of(name).map(|(net, ..)| net);
            let blocks: Vec<IpNet> = given.iter().copied().chain(claimed).collect();
            IpamNode {
                node: name.to_string(),
                blocks: blocks.len() as u64,
                size: whole(
                    blocks
                        .iter()
                        .fold(0u128, |sum, net| sum.saturating_add(size(*net))),
                ),
                used: self.addresses.map(|_| used.get(name).copied().unwrap_or(0)),
                known: self.view.incarnation(name).is_some(),
                alive: (!self.view.presence.is_empty()).then(|| self.view.presence.contains_key(name)),
            }
        };
        names.into_iter().map(node).collect()
    }
}

/// The ledger of this node.
fn this_node(view: &ClusterView, node: &NodeName, local: &LocalView) -> IpamLocal {
    let blocks = local.blocks.iter().map(|block| IpamBlock {
        cidr: block.block.cidr,
        pool: block.block.pool.clone(),
        owner: node.to_string(),
        origin: match block.block.origin {
            Origin::Given => "given",
            Origin::Claimed => "claimed",
        }
        .to_owned(),
        state: match block.block.state {
            BlockState::Open => "open",
            BlockState::Leaving => "leaving",
        }
        .to_owned(),
        used: Some(whole(block.used)),
        size: whole(block.size),
        aggregate: None,
        aggregate_of: None,
    });
    let loan = |address: &IpAddr, node: Option<&NodeName>, workload: Option<&String>| IpamLoan {
        address: *address,
        node: node.map(ToString::to_string),
        workload: workload.cloned(),
    };
    let lender = |address: &IpAddr| {
        view.loans
            .get(address)
            .and_then(|s| s.read())
            .map(|loan| &loan.lender)
    };
    let borrowed = local.borrowed.iter().map(|(address, borrowed)| {
        loan(
            address,
            lender(address).or(Some(&borrowed.lender)),
            borrowed.workload.as_ref(),
        )
    });
    let waiting = local
        .wants
        .iter()
        .map(|want| match (&want.address, &want.workload) {
            (Some(address), _) => format!("{address}"),
            (None, Some(workload)) => format!("the {} address of {workload}", want.family),
            (None, None) if want.pools.is_empty() => format!("an {} address", want.family),
            (None, None) => format!("an {} address of {}", want.family, want.pools.join(", ")),
        });
    IpamLocal {
        node: node.to_string(),
        addresses: local.node.values().copied().collect(),
        blocks: blocks.collect(),
        leases: local
            .leases
            .iter()
            .map(|lease| lease.addresses.len() as u64)
            .sum(),
        cooling: 0,
        lent: (local.lent.iter())
            .map(|(a, lent)| loan(a, Some(&lent.borrower), lent.workload.as_ref()))
            .collect(),
        borrowed: borrowed.collect(),
        kept: local
            .kept
            .iter()
            .map(|(a, workload)| loan(a, None, Some(workload)))
            .collect(),
        waiting: waiting.collect(),
        mirror_behind: 0,
    }
}

/// The mirror's addresses as [`show`] counts them; what cannot be read is left out.
pub fn in_use(mirror: &datastore::SpaceView) -> BTreeMap<IpAddr, NodeName> {
    let read = mirror
        .items
        .values()
        .filter_map(|item| super::records::AddressRecord::parse(&item.value).ok());
    read.map(|record| (record.address, record.node)).collect()
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
