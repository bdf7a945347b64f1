//! The one table: from prefix to all paths that anybody has for it, the selected ones in front. Each Adj-RIB-In and the
//! Loc-RIB are views of it.
//!
//! ```text
//!  prefix ─ keyed hash ─► index (5 octets a slot) ─► node (16 or 28) ─► block of paths (16 each)      `half`, `node`, `paths`
//! ```
//!
//! A prefix is known to the rest of the RIB by its number, a [`PrefixId`]. Invariant: a number is given to another prefix only
//! when the prefix has no path any more and nobody holds the number: what a peer was told is withdrawn before.

mod half;
mod node;
mod paths;

pub(super) use paths::{Flags, Path, Paths};

use super::slot::Slot;
use crate::types::Family;
use half::{Half, bits, octets};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use node::Node;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Number of a prefix: even for IPv4, odd for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PrefixId(pub u32);

impl PrefixId {
    pub fn new(family: Family, number: u32) -> Self {
        PrefixId(number << 1 | u32::from(family == Family::Ipv6Unicast))
    }

    pub fn family(self) -> Family {
        match self.0 & 1 {
            0 => Family::Ipv4Unicast,
            _ => Family::Ipv6Unicast,
        }
    }

    /// Its place among those of its family.
    pub fn number(self) -> u32 {
        self.0 >> 1
    }
}

/// The paths of a prefix, seen together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    paths: &'a [Path],
    selected: usize,
    backup: bool,
}

impl<'a> Entry<'a> {
    /// Best path first, then its companions; empty where nothing is usable.
    pub fn selected(&self) -> &'a [Path] {
        &self.paths[..self.selected]
    }

    /// The best path.
    pub fn best(&self) -> Option<&'a Path> {
        self.selected().first()
    }

    /// The path that stands by.
    pub fn backup(&self) -> Option<&'a Path> {
        self.paths.get(self.selected).filter(|_| self.backup)
    }

    /// All of them, the selected ones first.
    pub fn paths(&self) -> &'a [Path] {
        self.paths
    }

    /// Place of one session's path.
    pub fn position(&self, slot: Slot, path_id: u32) -> Option<usize> {
        self.paths
            .iter()
            .position(|path| path.slot == slot && path.path_id == path_id)
    }
}

/// All prefixes with all their paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    v4: Half<u32>,
    v6: Half<[u8; 16]>,
    paths: Paths,
    /// Paths in all blocks.
    count: usize,
    /// Prefixes with a path that is selected.
    usable: usize,
}

/// Calls for the node of a number, of whichever family.
macro_rules! node {
    ($table:expr, $id:expr, $get:ident, |$node:ident| $body:expr) => {
        match $id.family() {
            Family::Ipv4Unicast => {
                let $node = $table.v4.$get($id.number());
                $body
            }
            Family::Ipv6Unicast => {
                let $node = $table.v6.$get($id.number());
                $body
            }
        }
    };
}

impl Table {
    /// Octets of a prefix, for each family.
    #[cfg(test)]
    pub const NODE_SIZES: [usize; 2] = [size_of::<Node<u32>>(), size_of::<Node<[u8; 16]>>()];

    /// The most paths that can be selected for a prefix.
    pub const MOST_SELECTED: usize = Node::<u32>::MOST_SELECTED;

    /// The number of a prefix that is there; host bits must be zero.
    pub fn find(&self, prefix: &IpNet) -> Option<PrefixId> {
        let number = match prefix {
            IpNet::V4(net) => self.v4.find(bits(net.addr()), net.prefix_len()),
            IpNet::V6(net) => self.v6.find(octets(net.addr()), net.prefix_len()),
        };
        Some(PrefixId::new(Family::of(prefix), number?))
    }

    /// What a prefix is found by.
    #[inline]
    pub fn hash(&self, prefix: &IpNet) -> u32 {
        match prefix {
            IpNet::V4(net) => self.v4.hash(bits(net.addr()), net.prefix_len()),
            IpNet::V6(net) => self.v6.hash(octets(net.addr()), net.prefix_len()),
        }
    }

    /// Has the places fetched where prefixes of a family are looked for: see [`crate::rib::store::Index::warm`].
    #[inline]
    pub fn warm(&self, family: Family, hashes: impl Iterator<Item = u32>) {
        match family {
            Family::Ipv4Unicast => self.v4.warm(hashes),
            Family::Ipv6Unicast => self.v6.warm(hashes),
        }
    }

    /// The number of a prefix with its [`Table::hash`], which is there from now on; host bits must be zero.
    pub fn find_or_add(&mut self, prefix: &IpNet, hash: u32) -> PrefixId {
        let number = match prefix {
            IpNet::V4(net) => self.v4.find_or_add(bits(net.addr()), net.prefix_len(), hash),
            IpNet::V6(net) => self.v6.find_or_add(octets(net.addr()), net.prefix_len(), hash),
        };
        PrefixId::new(Family::of(prefix), number)
    }

    /// The prefix of a number.
    pub fn prefix(&self, id: PrefixId) -> IpNet {
        let number = id.number();
        match id.family() {
            Family::Ipv4Unicast => {
                let node = self.v4.node(number);
                let net = Ipv4Net::new(Ipv4Addr::from_bits(node.address), node.length);
                net.unwrap_or_default().into()
            }
            Family::Ipv6Unicast => {
                let node = self.v6.node(number);
                let net = Ipv6Net::new(Ipv6Addr::from(node.address), node.length);
                net.unwrap_or_default().into()
            }
        }
    }

    /// What is there for a number that is in use.
    pub fn entry(&self, id: PrefixId) -> Entry<'_> {
        node!(self, id, node, |node| Entry {
            paths: self.paths.get(node.at, usize::from(node.count)),
            selected: node.selected(),
            backup: node.has_backup(),
        })
    }

    /// What is there for a prefix, if it has any path.
    pub fn get(&self, prefix: &IpNet) -> Option<(PrefixId, Entry<'_>)> {
        let id = self.find(prefix)?;
        let entry = self.entry(id);
        (!entry.paths().is_empty()).then_some((id, entry))
    }

    /// The paths, to be changed; which are selected is for [`Table::select`].
    pub fn paths_mut(&mut self, id: PrefixId) -> &mut [Path] {
        let (at, count) = node!(self, id, node, |node| (node.at, node.count));
        self.paths.get_mut(at, usize::from(count))
    }

    /// Appends a path; false where there are too many.
    pub fn push(&mut self, id: PrefixId, path: Path) -> bool {
        node!(self, id, node_mut, |node| {
            if usize::from(node.count) == Paths::MOST {
                return false;
            }
            node.at = self.paths.push(node.at, usize::from(node.count), path);
            node.count += 1;
        });
        self.count += 1;
        true
    }

    /// Takes the path at a place out. The others keep their order, and those selected stay so; whether another one stood by is
    /// for [`Table::select`] to say again.
    pub fn remove(&mut self, id: PrefixId, position: usize) -> Path {
        let paths = self.paths_mut(id);
        let path = paths[position];
        paths.copy_within(position + 1.., position);
        node!(self, id, node_mut, |node| {
            let (selected, backup) = (node.selected(), node.has_backup());
            self.usable -= usize::from(selected == 1 && position == 0);
            node.select(
                selected - usize::from(position < selected),
                backup && position != selected,
            );
            node.at = self.paths.pop(node.at, usize::from(node.count));
            node.count -= 1;
        });
        self.count -= 1;
        if self.count == 0 {
            self.paths.clear();
        }
        path
    }

    /// Says how many of the first paths are selected, and whether the next one stands by.
    pub fn select(&mut self, id: PrefixId, selected: usize, backup: bool) {
        node!(self, id, node_mut, |node| {
            self.usable -= usize::from(node.selected() > 0);
            self.usable += usize::from(selected > 0);
            node.select(selected, backup);
        });
    }

    /// How many prefixes have a path that is selected.
    pub fn usable(&self) -> usize {
        self.usable
    }

    /// Somebody keeps the number.
    pub fn hold(&mut self, id: PrefixId) {
        node!(self, id, node_mut, |node| node.holds += 1);
    }

    /// How often the number is held.
    #[cfg(test)]
    pub fn holds(&self, id: PrefixId) -> u32 {
        node!(self, id, node, |node| node.holds)
    }

    /// Somebody is done with the number; it is free for another prefix where nobody else keeps it and no path is left.
    pub fn release(&mut self, id: PrefixId) {
        let unused = node!(self, id, node_mut, |node| {
            node.holds -= 1;
            node.holds == 0 && node.count == 0
        });
        if unused {
            self.remove_unused(id);
        }
    }

    /// Forgets the prefix if it has no path and nobody keeps its number.
    pub fn remove_unused(&mut self, id: PrefixId) {
        if node!(self, id, node, |node| node.count > 0 || node.holds > 0) {
            return;
        }
        match id.family() {
            Family::Ipv4Unicast => self.v4.remove(id.number()),
            Family::Ipv6Unicast => self.v6.remove(id.number()),
        }
    }

    /// Whether the number is in use: any prefix has it.
    pub fn is_live(&self, id: PrefixId) -> bool {
        node!(self, id, node, |node| node.is_live())
    }

    /// One more than the highest place of a family.
    pub fn end(&self, family: Family) -> u32 {
        match family {
            Family::Ipv4Unicast => self.v4.end(),
            Family::Ipv6Unicast => self.v6.end(),
        }
    }

    /// All numbers in use, IPv4 first, in no order.
    pub fn ids(&self) -> impl Iterator<Item = PrefixId> {
        let of = |family| (0..self.end(family)).map(move |number| PrefixId::new(family, number));
        let all = Family::ALL.into_iter().flat_map(of);
        all.filter(|id| self.is_live(*id))
    }

    /// All numbers for which something holds, in the order of their prefixes, IPv4 first.
    pub fn sorted(&self, wanted: impl Fn(Entry<'_>) -> bool) -> Vec<(IpNet, PrefixId)> {
        let mut all: Vec<_> = self
            .ids()
            .filter(|id| wanted(self.entry(*id)))
            .map(|id| (self.prefix(id), id))
            .collect();
        all.sort_unstable_by_key(|(prefix, _)| *prefix);
        all
    }

    /// The numbers of all prefixes that cover an address, the longest first.
    pub fn cover(&self, address: IpAddr) -> Vec<PrefixId> {
        let family = match address {
            IpAddr::V4(_) => Family::Ipv4Unicast,
            IpAddr::V6(_) => Family::Ipv6Unicast,
        };
        let id = |number| PrefixId::new(family, number);
        match address {
            IpAddr::V4(v4) => self.v4.cover(bits(v4)).map(id).collect(),
            IpAddr::V6(v6) => self.v6.cover(octets(v6)).map(id).collect(),
        }
    }

    /// How many prefixes have a number.
    #[cfg(any(test, feature = "check"))]
    pub fn len(&self) -> usize {
        self.v4.live() + self.v6.live()
    }
}
