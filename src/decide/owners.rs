//! Whose the addresses of the pools are, remembered from round to round: which of them have left or moved, so that tracked flows
//! do not stay where nobody is any more.
//!
//! What counts is the owner and not the way to it. Another encapsulation, gateway or set of paths leads to the same pod: its flows
//! go on. A route that is withdrawn and comes back with the same owner has not moved either. Where the owner cannot be known (a
//! switch that hides from where a prefix came), nothing is said to have moved.
//!
//! Before all peers have sent their tables nothing but this node's own pods is compared: routes only come in then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgpd_proto::types::Asn;
use config::vocabulary::NodeName;
use ipnet::IpNet;

use super::{Decided, Extent, PodLink, RouteDecision};
use crate::plan::Plan;

/// Withdrawn prefixes whose last owner is remembered: enough for the death of a large rack.
const REMEMBERED: usize = 1 << 16;

/// Who has a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// A pod of this node, by its link.
    Pod(Arc<str>),
    /// Another node, known by its next hop.
    Node(NodeName),
    /// Whoever is in this AS, where the next hop is no node.
    As(Asn),
}

impl Owner {
    /// Surely not the same. A node and an AS may be.
    fn differs(&self, other: &Owner) -> bool {
        let apart = matches!(
            (self, other),
            (Owner::Node(_), Owner::As(_)) | (Owner::As(_), Owner::Node(_))
        );
        self != other && !apart
    }

    fn of(decision: &RouteDecision) -> Option<Owner> {
        let origin = || decision.best.as_ref()?.attributes.as_path.asns().last();
        let node = decision.node.clone().map(Owner::Node);
        node.or_else(|| origin().map(Owner::As))
    }
}

/// The last owner of a prefix.
#[derive(Debug)]
struct Last {
    owner: Owner,
    /// It still has it.
    present: bool,
}

/// What is known of all addresses.
#[derive(Debug, Default)]
pub struct Owners {
    known: Option<BTreeMap<IpNet, Last>>,
    pods: Arc<Vec<PodLink>>,
}

/// What has changed hands, of the addresses of all pools.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Addresses of pods of this node that are no more.
    pub gone: BTreeSet<IpNet>,
    /// What somebody else has now.
    pub moved: BTreeSet<IpNet>,
}

impl Owners {
    /// Follows a round in which the `changed` learned routes were decided anew. `settled`: all peers have sent their tables.
    pub fn follow(
        &mut self,
        plan: &Plan,
        pods: &Arc<Vec<PodLink>>,
        learned: &Decided,
        changed: &Extent,
        settled: bool,
    ) -> Moves {
        let first = self.known.is_none();
        let known = self.known.get_or_insert_default();
        let in_pools = |prefix: &IpNet| plan.pool_of(prefix).is_some();
        // Nobody else's block holds what ours does.
        let is_ours = |address: &IpNet| plan.blocks.iter().any(|block| block.cidr.contains(address));
        let around = |known: &BTreeMap<_, _>, address: &IpNet| match is_ours(address) {
            true => None,
            false => around(known, address),
        };
        let mut moves = Moves::default();
        let here = addresses(pods);
        let were_here = addresses(&std::mem::replace(&mut self.pods, pods.clone()));
        for (address, link) in &here {
            if were_here.get(address) != Some(link) && in_pools(address) {
                let from = around(known, address);
                let moved = take(known, *address, Some(Owner::Pod(link.clone())), from);
                moves.moved.extend(moved.then_some(*address));
            }
        }
        let left = were_here
            .into_keys()
            .filter(|address| !here.contains_key(address));
        moves.gone = left.filter(in_pools).collect();
        let mut look: BTreeSet<IpNet> = match changed {
            Extent::Only(prefixes) if !first => prefixes.clone(),
            _ => (known.keys().chain(learned.keys()))
                .filter(|prefix| in_pools(prefix))
                .copied()
                .collect(),
        };
        look.extend(&moves.gone);
        look.retain(|prefix| in_pools(prefix) && !here.contains_key(prefix));
        for prefix in look {
            let owner = learned.get(&prefix).and_then(Owner::of);
            let from = around(known, &prefix);
            let moved = take(known, prefix, owner, from);
            moves.moved.extend((moved && settled).then_some(prefix));
        }
        if known.values().filter(|last| !last.present).count() > REMEMBERED {
            known.retain(|_, last| last.present);
        }
        match first {
            true => Moves::default(),
            false => moves,
        }
    }
}

/// The addresses of pods with their links.
fn addresses(pods: &[PodLink]) -> BTreeMap<IpNet, Arc<str>> {
    let of_pod = |pod: &PodLink| {
        let link = pod.interface.clone();
        let addresses = pod.addresses.clone().into_iter();
        addresses.map(move |address| (IpNet::from(address), link.clone()))
    };
    pods.iter().flat_map(of_pod).collect()
}

/// The node in whose block a single address lies: where it is looked for while nobody announces it alone.
fn around(known: &BTreeMap<IpNet, Last>, address: &IpNet) -> Option<Owner> {
    if address.prefix_len() != address.max_prefix_len() {
        return None;
    }
    let lengths = (1..address.prefix_len()).rev();
    let nets = lengths.filter_map(|length| IpNet::new(address.addr(), length).ok());
    let mut found = nets.filter_map(|net| known.get(&net.trunc()).filter(|last| last.present));
    let owner = found.next().map(|last| last.owner.clone());
    owner.filter(|owner| matches!(owner, Owner::Node(_)))
}

/// Notes the owner of a prefix, and says whether it is surely another one than before; `from`: who had it if nobody had it alone.
fn take(known: &mut BTreeMap<IpNet, Last>, prefix: IpNet, owner: Option<Owner>, from: Option<Owner>) -> bool {
    let last = known.get_mut(&prefix);
    let Some(owner) = owner else {
        // Withdrawn: whoever has the block has it now.
        return last.is_some_and(|last| {
            let had = std::mem::replace(&mut last.present, false);
            had && from.is_some_and(|from| from.differs(&last.owner))
        });
    };
    let before = last.map(|last| last.owner.clone()).or(from);
    known.insert(
        prefix,
        Last {
            owner: owner.clone(),
            present: true,
        },
    );
    before.is_some_and(|before| before.differs(&owner))
}

#[cfg(test)]
mod tests;
