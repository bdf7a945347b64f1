//! One copy of each distinct attribute set, however many routes have it: a full table of a million prefixes has some
//! hundred thousand of them. A set is its canonical octets (`wire::canonical`) with the next hop, a head with what the
//! decision compares, and a count of who holds it.
//!
//! ```text
//!  canonical octets ─► intern ─► AttrId ─┬─ head: rank, MED, first AS, next hop, count
//!                                        └─ octets (`blobs`), decoded on demand
//! ```
//!
//! Invariant: the count of a set is the number of routes, sent prefixes and sessions' latest sets that name it; at zero it is gone.
//! The tests of the RIB count again.

mod blobs;
mod facts;
mod hops;

pub(super) use facts::LEARNED;
pub(super) use hops::{HopId, Hops};

use super::store::{Index, Seed, Slab};
use crate::wire::canonical::{self, Canonical};
use crate::wire::{NextHop, PathAttributes};
use blobs::Blobs;
use facts::Facts;

/// Number of an attribute set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AttrId(pub u32);

/// What is asked of a set while routes are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// See [`Facts::rank`].
    pub rank: u64,
    /// See [`Facts::med`].
    pub med: u32,
    /// See [`Facts::first_as`].
    pub first_as: u32,
    /// See [`Facts::reflected`].
    pub reflected: bool,
    pub hop: HopId,
    count: u32,
    hash: u32,
    at: u32,
    length: u32,
}

/// All sets.
#[derive(Clone, Debug, Default)]
pub(super) struct Attrs {
    heads: Slab<Head>,
    index: Index,
    blobs: Blobs,
    seed: Seed,
    /// Next hops, and what is known of them.
    pub hops: Hops,
}

impl Attrs {
    /// Octets of a set beside what it says.
    #[cfg(test)]
    pub const HEAD_SIZE: usize = size_of::<Head>();

    /// The set of these canonical octets, held once for the caller.
    pub fn intern(&mut self, next_hop: Option<NextHop>, octets: &[u8]) -> AttrId {
        let hash = self.seed.bytes(octets) ^ next_hop.map_or(0, |hop| self.hash_of(hop));
        let known = match next_hop.map(|hop| self.hops.find(hop)) {
            // A next hop that no set has.
            Some(None) => None,
            Some(Some(hop)) => self.find(hash, hop, octets),
            None => self.find(hash, HopId::NONE, octets),
        };
        let id = known.unwrap_or_else(|| {
            let hop = next_hop.map_or(HopId::NONE, |hop| self.hops.hold(hop));
            self.add(hash, hop, octets)
        });
        self.hold(id);
        id
    }

    /// One more holds it.
    pub fn hold(&mut self, id: AttrId) {
        self.heads.get_mut(id.0).count += 1;
    }

    /// One less holds it.
    pub fn release(&mut self, id: AttrId) {
        let head = self.heads.get_mut(id.0);
        head.count -= 1;
        if head.count == 0 {
            self.remove(id);
        }
    }

    /// What is compared of it.
    pub fn head(&self, id: AttrId) -> &Head {
        self.heads.get(id.0)
    }

    /// Its next hop; `None` for what is originated here.
    pub fn next_hop(&self, id: AttrId) -> Option<NextHop> {
        self.hops.get(self.head(id).hop)
    }

    /// What it says.
    pub fn attributes(&self, id: AttrId) -> PathAttributes {
        canonical::read(self.octets(id))
    }

    /// What it says, as canonical octets.
    pub fn octets(&self, id: AttrId) -> &[u8] {
        let head = self.head(id);
        self.blobs.get(head.at, head.length as usize)
    }

    /// The same, to be asked.
    pub fn canonical(&self, id: AttrId) -> Canonical<'_> {
        Canonical(self.octets(id))
    }

    /// How many sets there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.heads.live()
    }

    /// Every set with its count.
    #[cfg(any(test, feature = "check"))]
    pub fn counts(&self) -> impl Iterator<Item = (AttrId, u32)> {
        let all = self.heads.iter().map(|(n, head)| (AttrId(n), head.count));
        all.filter(|(_, count)| *count > 0)
    }

    fn find(&self, hash: u32, hop: HopId, octets: &[u8]) -> Option<AttrId> {
        let same = |number| {
            let head = self.heads.get(number);
            let length = head.length as usize;
            head.hash == hash
                && head.hop == hop
                && length == octets.len()
                && self.blobs.get(head.at, length) == octets
        };
        self.index.find(hash, same).map(AttrId)
    }

    fn add(&mut self, hash: u32, hop: HopId, octets: &[u8]) -> AttrId {
        let facts = Facts::of(Canonical(octets));
        let head = Head {
            rank: facts.rank,
            med: facts.med,
            first_as: facts.first_as,
            reflected: facts.reflected,
            hop,
            count: 0,
            hash,
            at: self.blobs.put(octets),
            length: octets.len().min(Blobs::LONGEST) as u32,
        };
        if self.index.is_full() {
            let live = self.heads.iter().filter(|(_, head)| head.count > 0);
            self.index.rebuild(live.map(|(n, head)| (n, head.hash)));
        }
        let number = self.heads.insert(head);
        self.index.insert(number, hash);
        AttrId(number)
    }

    fn remove(&mut self, id: AttrId) {
        let head = *self.heads.get(id.0);
        self.index.remove(id.0, head.hash);
        self.blobs.free(head.at, head.length as usize);
        self.hops.release(head.hop);
        self.heads.remove(id.0);
        if self.heads.live() == 0 {
            self.blobs.clear();
        }
    }

    fn hash_of(&self, next_hop: NextHop) -> u32 {
        let bits = |address: std::net::Ipv6Addr| address.to_bits();
        let folded = |both: u128| both as u64 ^ ((both >> 64) as u64).rotate_left(17);
        let word = match next_hop {
            NextHop::V4(address) => u64::from(address.to_bits()),
            NextHop::V6 { global, link_local } => {
                folded(bits(global) ^ link_local.map_or(0, bits).rotate_left(1))
            }
            NextHop::Link { address, zone } => {
                folded(bits(address)) ^ u64::from(self.seed.bytes(zone.as_str().as_bytes()))
            }
        };
        self.seed.word(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    fn med(med: u32) -> PathAttributes {
        PathAttributes {
            med: Some(med),
            ..PathAttributes::default()
        }
    }

    fn octets(n: u32) -> Vec<u8> {
        let mut octets = Vec::new();
        canonical::write(&med(n), &mut octets);
        octets
    }

    #[test]
    fn equal_sets_are_one_and_go_with_the_last_holder() {
        let mut attrs = Attrs::default();
        let hop = Some(NextHop::from(IpAddr::from([192, 0, 2, 1])));
        let (a, b, c) = (
            attrs.intern(hop, &octets(1)),
            attrs.intern(hop, &octets(1)),
            attrs.intern(None, &octets(1)),
        );
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!((attrs.len(), attrs.hops.len()), (2, 1));
        assert_eq!((attrs.attributes(a), attrs.next_hop(a)), (med(1), hop));
        attrs.release(a);
        assert_eq!(attrs.head(b).med, 1);
        attrs.release(b);
        attrs.release(c);
        assert_eq!((attrs.len(), attrs.hops.len()), (0, 0));
    }

    #[test]
    fn a_thousand_sets_are_told_apart() {
        let mut attrs = Attrs::default();
        let hop = |n: u32| Some(NextHop::from(IpAddr::from(std::net::Ipv4Addr::from_bits(n))));
        let ids: Vec<AttrId> = (0..1000)
            .map(|n| attrs.intern(hop(n % 3), &octets(n / 2)))
            .collect();
        for (n, id) in (0..1000).zip(&ids) {
            assert_eq!(
                (attrs.attributes(*id), attrs.next_hop(*id)),
                (med(n / 2), hop(n % 3))
            );
            assert_eq!(attrs.intern(hop(n % 3), &octets(n / 2)), *id);
        }
    }
}
