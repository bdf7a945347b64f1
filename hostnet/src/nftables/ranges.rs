//! Addresses as ranges, as the kernel's interval sets keep them. Pure.
//!
//! Whatever overlaps or touches is one range: two descriptions of the same addresses are equal, and a thousand nodes in a row are
//! one element.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Of an address.
    pub fn of(address: &IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The last address.
    fn last(self) -> u128 {
        match self {
            Family::V4 => u32::MAX.into(),
            Family::V6 => u128::MAX,
        }
    }

    /// An address as the network has it; bits beyond the family's are cut off.
    pub(super) fn bytes(self, number: u128) -> Vec<u8> {
        let bytes = number.to_be_bytes();
        match self {
            Family::V4 => bytes.get(12..).unwrap_or_default().to_vec(),
            Family::V6 => bytes.to_vec(),
        }
    }

    /// The number that [`Family::bytes`] wrote.
    pub(super) fn number(self, bytes: &[u8]) -> Option<u128> {
        Some(match self {
            Family::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_bits().into(),
            Family::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_bits(),
        })
    }
}

/// An address of either family as a number.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Addresses of one family. Ranges do not overlap and do not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    family: Family,
    /// First and last address of each.
    ranges: BTreeSet<(u128, u128)>,
}

/// One end of a range as the kernel has it: a range's first address, or the first address behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Element {
    pub(super) key: u128,
    /// Ends sort before beginnings.
    pub(super) begins: bool,
}

impl Ranges {
    /// The addresses of these networks, as far as they are of this family.
    pub fn new(family: Family, networks: &[IpNet]) -> Ranges {
        let of_family = networks
            .iter()
            .filter(|network| Family::of(&network.addr()) == family);
        let ranges = of_family.map(|network| (number(network.network()), number(network.broadcast())));
        Ranges::merged(family, ranges.collect())
    }

    fn merged(family: Family, mut ranges: Vec<(u128, u128)>) -> Ranges {
        ranges.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Ranges {
            family,
            ranges: merged.into_iter().collect(),
        }
    }

    /// Whether an address is one of these.
    pub fn contain(&self, address: IpAddr) -> bool {
        let number = number(address);
        let mut up_to = self.ranges.range(..=(number, u128::MAX));
        Family::of(&address) == self.family && up_to.next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// No addresses.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Those ranges that the other one has not in this form.
    pub(super) fn beyond(&self, other: &Ranges) -> Ranges {
        Ranges {
            family: self.family,
            ranges: self.ranges.difference(&other.ranges).copied().collect(),
        }
    }

    /// The elements of an interval set. The end of a range up to the last address of all has none.
    pub(super) fn elements(&self) -> impl Iterator<Item = Element> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| {
            let begin = Element {
                key: first,
                begins: true,
            };
            let end = (last < self.family.last()).then(|| Element {
                key: last.saturating_add(1),
                begins: false,
            });
            [Some(begin), end].into_iter().flatten()
        })
    }

    /// The ranges of an interval set with these elements. `nft` writes an end at the first address of all, which ends nothing.
    pub(super) fn from_elements(family: Family, mut elements: Vec<Element>) -> Ranges {
        elements.sort_unstable();
        let mut ranges = Vec::new();
        let mut open = None;
        for element in elements {
            if let Some(first) = open.take().filter(|first| *first < element.key) {
                ranges.push((first, element.key - 1));
            }
            open = element.begins.then_some(element.key);
        }
        ranges.extend(open.map(|first| (first, family.last())));
        // Two that touch stay two: that is not what is written here.
        Ranges {
            family,
            ranges: ranges.into_iter().collect(),
        }
    }
}
