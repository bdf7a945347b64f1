//! What the ledger holds, in memory, and the changes that it knows.
//!
//! Pure. An [`Op`] is one change; the same list of them is carried out here and on disk. The book checks
//! nothing: the facade decides, with all rules in view, and only then writes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::blocks::{self, Family};
use crate::lease::{Lease, Owner, millis};
use crate::local::{BlockState, Borrowed, Lent, OwnBlock};

/// Whose turn goes around: requests that name no pool share one for each family, and each pool that is asked
/// for by name has its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub family: Family,
    pub pool: Option<String>,
}

/// An address that rests after its release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cooling {
    /// When it may be given again.
    #[serde(with = "millis")]
    pub until: SystemTime,
    /// Who had it: may have it back at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
}

/// What holds an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder<'a> {
    Pod(&'a Owner),
    Node,
    Lent(&'a Lent),
    Kept(&'a str),
}

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Pod(owner) => write!(f, "{owner}"),
            Holder::Node => f.write_str("the node itself"),
            Holder::Lent(lent) => write!(f, "node {}", lent.borrower),
            Holder::Kept(workload) => write!(f, "workload {workload}"),
        }
    }
}

/// The ledger in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Book {
    pub leases: BTreeMap<Owner, Lease>,
    /// The leases by address.
    pub taken: BTreeMap<IpAddr, Owner>,
    /// In the order of their taking, none overlapping another.
    pub blocks: Vec<OwnBlock>,
    pub node: BTreeMap<Family, IpAddr>,
    pub turns: BTreeMap<Turn, IpAddr>,
    pub cooling: BTreeMap<IpAddr, Cooling>,
    pub lent: BTreeMap<IpAddr, Lent>,
    pub borrowed: BTreeMap<IpAddr, Borrowed>,
    pub kept: BTreeMap<IpAddr, String>,
    pub fresh: bool,
}

/// One change. Those about an address replace what was said of it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    PutLease(Lease),
    RemoveLease(Owner),
    /// All blocks, in order.
    Blocks(Vec<OwnBlock>),
    Node(Family, Option<IpAddr>),
    Turn(Turn, IpAddr),
    Cool(IpAddr, Cooling),
    Uncool(IpAddr),
    Lend(IpAddr, Lent),
    Unlend(IpAddr),
    Borrow(IpAddr, Borrowed),
    Unborrow(IpAddr),
    Keep(IpAddr, String),
    Unkeep(IpAddr),
    Fresh(bool),
}

impl Book {
    /// Carries a change out.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::PutLease(lease) => {
                self.remove_lease(&lease.owner);
                for &address in &lease.addresses {
                    self.taken.insert(address, lease.owner.clone());
                }
                self.leases.insert(lease.owner.clone(), lease.clone());
            }
            Op::RemoveLease(owner) => self.remove_lease(owner),
            Op::Blocks(blocks) => self.blocks.clone_from(blocks),
            Op::Node(family, Some(address)) => {
                self.node.insert(*family, *address);
            }
            Op::Node(family, None) => {
                self.node.remove(family);
            }
            Op::Turn(turn, address) => {
                self.turns.insert(turn.clone(), *address);
            }
            Op::Cool(address, cooling) => {
                self.cooling.insert(*address, cooling.clone());
            }
            Op::Uncool(address) => {
                self.cooling.remove(address);
            }
            Op::Lend(address, lent) => {
                self.lent.insert(*address, lent.clone());
            }
            Op::Unlend(address) => {
                self.lent.remove(address);
            }
            Op::Borrow(address, borrowed) => {
                self.borrowed.insert(*address, borrowed.clone());
            }
            Op::Unborrow(address) => {
                self.borrowed.remove(address);
            }
            Op::Keep(address, workload) => {
                self.kept.insert(*address, workload.clone());
            }
            Op::Unkeep(address) => {
                self.kept.remove(address);
            }
            Op::Fresh(fresh) => self.fresh = *fresh,
        }
    }

    fn remove_lease(&mut self, owner: &Owner) {
        if let Some(lease) = self.leases.remove(owner) {
            for address in &lease.addresses {
                self.taken.remove(address);
            }
        }
    }

    /// What holds an address, or is to keep it from others.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<Holder<'_>> {
        if let Some(owner) = self.taken.get(&address) {
            return Some(Holder::Pod(owner));
        }
        if self.node.get(&Family::of(address)) == Some(&address) {
            return Some(Holder::Node);
        }
        if let Some(lent) = self.lent.get(&address) {
            return Some(Holder::Lent(lent));
        }
        self.kept.get(&address).map(|workload| Holder::Kept(workload))
    }

    /// The block of ours that contains an address.
    pub(crate) fn block_of(&self, address: IpAddr) -> Option<&OwnBlock> {
        self.blocks.iter().find(|block| block.cidr.contains(&address))
    }

    /// The block with this very prefix.
    pub(crate) fn block(&self, cidr: &IpNet) -> Option<&OwnBlock> {
        self.blocks.iter().find(|block| block.cidr == *cidr)
    }

    /// The address is in a block of ours or on loan to us.
    pub(crate) fn may_use(&self, address: IpAddr) -> bool {
        self.borrowed.contains_key(&address) || self.block_of(address).is_some()
    }

    /// All addresses that something holds, in the bounds of a block. An address may come twice.
    pub(crate) fn held_in(&self, block: IpNet) -> impl Iterator<Item = IpAddr> + '_ {
        let range = block.network()..=block.broadcast();
        self.taken
            .range(range.clone())
            .map(|(a, _)| *a)
            .chain(self.lent.range(range.clone()).map(|(a, _)| *a))
            .chain(self.kept.range(range).map(|(a, _)| *a))
            .chain(self.node.values().copied().filter(move |a| block.contains(a)))
    }

    /// The node's own address of a family: the one it has, as long as a block contains it; else the first
    /// address of the first block that is not being left which nothing holds and `avoid` does not name, then any
    /// that nothing holds. It is never on loan, in either direction: a borrowed address is in no block of ours.
    pub(crate) fn node_address(&self, family: Family, avoid: &[IpNet]) -> Option<IpAddr> {
        let current = self.node.get(&family).copied();
        if current.is_some_and(|own| self.block_of(own).is_some()) {
            return current;
        }
        let open = |b: &&OwnBlock| b.state == BlockState::Open && Family::of(b.cidr.addr()) == family;
        let order: Vec<IpNet> = self.blocks.iter().filter(open).map(|b| b.cidr).collect();
        [avoid, &[]]
            .into_iter()
            .find_map(|avoid| blocks::walk(&order, family, None, avoid).find(|a| self.holder(*a).is_none()))
    }
}
