//! The prefixes of one family: nodes by number, found by a keyed hash of address and length.

use super::node::Node;
use crate::rib::store::{Index, Seed, Slab};
use std::net::{Ipv4Addr, Ipv6Addr};

/// An address as octets or a number, of one family.
pub trait Address: Copy + Eq + std::fmt::Debug {
    /// Of the longest prefix.
    const BITS: u8;
    /// The keyed hash of a prefix. Four neighbours have nearly the same, so that they are found in one line of the index: what
    /// is announced together is mostly side by side. More than four never come together but by chance.
    fn hash(self, length: u8, seed: &Seed) -> u32;
    /// With all bits behind the length cleared.
    fn masked(self, length: u8) -> Self;
}

impl Address for u32 {
    const BITS: u8 = 32;

    fn hash(self, length: u8, seed: &Seed) -> u32 {
        let network = u64::from(self) >> (32 - length.min(32));
        tell_apart(seed.word(network >> 2 | u64::from(length) << 32), network as u32)
    }

    fn masked(self, length: u8) -> Self {
        self & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
    }
}

impl Address for [u8; 16] {
    const BITS: u8 = 128;

    fn hash(self, length: u8, seed: &Seed) -> u32 {
        let shift = 128 - u32::from(length.min(128));
        let network = u128::from_be_bytes(self).checked_shr(shift).unwrap_or(0);
        let mut octets = [length; 17];
        octets[..16].copy_from_slice(&(network >> 2).to_be_bytes());
        tell_apart(seed.bytes(&octets), network as u32)
    }

    fn masked(self, length: u8) -> Self {
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        (u128::from_be_bytes(self) & mask).to_be_bytes()
    }
}

/// Neighbours differ in the low octet of their hash, which the index keeps.
fn tell_apart(hash: u32, network: u32) -> u32 {
    hash ^ ((network & 3) * 0x55)
}

/// Nodes of one family.
#[derive(Clone, Debug)]
pub struct Half<A> {
    nodes: Slab<Node<A>>,
    index: Index,
    seed: Seed,
    /// How many prefixes there are of each length: which are worth asking for when an address is looked up.
    lengths: Vec<u32>,
}

impl<A: Address> Default for Half<A> {
    fn default() -> Self {
        Self {
            nodes: Slab::default(),
            index: Index::default(),
            seed: Seed::default(),
            lengths: vec![0; usize::from(A::BITS) + 1],
        }
    }
}

impl<A: Address> Half<A> {
    /// The number of a prefix that is there.
    pub fn find(&self, address: A, length: u8) -> Option<u32> {
        self.find_hashed(address, length, address.hash(length, &self.seed))
    }

    /// What a prefix is found by.
    #[inline]
    pub fn hash(&self, address: A, length: u8) -> u32 {
        address.hash(length, &self.seed)
    }

    /// Has the places fetched where prefixes are looked for.
    #[inline]
    pub fn warm(&self, hashes: impl Iterator<Item = u32>) {
        self.index.warm(hashes);
    }

    /// The number of a prefix with its hash, which is there from now on.
    pub fn find_or_add(&mut self, address: A, length: u8, hash: u32) -> u32 {
        if let Some(number) = self.find_hashed(address, length, hash) {
            return number;
        }
        if self.index.is_full() {
            let live = self.nodes.iter().filter(|(_, node)| node.is_live());
            let hashed = live.map(|(n, node)| (n, node.address.hash(node.length, &self.seed)));
            self.index.rebuild(hashed);
        }
        let number = self.nodes.insert(Node::new(address, length));
        self.index.insert(number, hash);
        self.lengths[usize::from(length)] += 1;
        number
    }

    /// Forgets a prefix; its number is given out again.
    pub fn remove(&mut self, number: u32) {
        let Node { address, length, .. } = *self.nodes.get(number);
        self.index.remove(number, address.hash(length, &self.seed));
        self.nodes.get_mut(number).bury();
        self.lengths[usize::from(length)] -= 1;
        self.nodes.remove(number);
    }

    pub fn node(&self, number: u32) -> &Node<A> {
        self.nodes.get(number)
    }

    pub fn node_mut(&mut self, number: u32) -> &mut Node<A> {
        self.nodes.get_mut(number)
    }

    /// One more than the highest number.
    pub fn end(&self) -> u32 {
        self.nodes.end()
    }

    /// How many prefixes there are.
    #[cfg(any(test, feature = "check"))]
    pub fn live(&self) -> usize {
        self.nodes.live()
    }

    /// The numbers of all prefixes that cover an address, the longest first.
    pub fn cover(&self, address: A) -> impl Iterator<Item = u32> {
        let used = (0..=A::BITS)
            .rev()
            .filter(|length| self.lengths[usize::from(*length)] > 0);
        used.filter_map(move |length| self.find(address.masked(length), length))
    }

    fn find_hashed(&self, address: A, length: u8, hash: u32) -> Option<u32> {
        self.index.find(hash, |number| {
            let node = self.nodes.get(number);
            node.address == address && node.length == length
        })
    }
}

/// The octets of an IPv6 address; a number would be aligned to sixteen.
pub fn octets(address: Ipv6Addr) -> [u8; 16] {
    address.octets()
}

/// The number of an IPv4 address.
pub fn bits(address: Ipv4Addr) -> u32 {
    address.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_neighbours_hash_alike_and_no_more() {
        let seed = Seed::default();
        let v4 = |n: u32| (0x0a00_0000 + (n << 8)).hash(24, &seed);
        let v6 = |n: u128| ((0xfd00 << 112) + (n << 64)).to_be_bytes().hash(64, &seed);
        for all in [[0, 1, 2, 3, 4].map(v4), [0, 1, 2, 3, 4].map(v6)] {
            let [first, others @ .., fifth] = all;
            assert!(
                others
                    .iter()
                    .all(|hash| hash >> 8 == first >> 8 && *hash != first),
                "{all:?}"
            );
            assert_ne!(
                fifth >> 8,
                first >> 8,
                "but by chance, of one in sixteen millions"
            );
        }
        assert_ne!(0u32.hash(0, &seed), 0u32.hash(1, &seed));
        assert_ne!([0u8; 16].hash(0, &seed), [0u8; 16].hash(1, &seed));
    }
}
