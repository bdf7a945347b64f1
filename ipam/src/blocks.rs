//! The node's blocks as ranges of addresses, walked in order and around.
//!
//! Pure. Blocks come from the node's pod subnets; an address is a number inside its family, so a /64 costs as
//! little as a /30. Every address of a block can be given: a pod's address is a host route, and neither the
//! all-zeros nor the all-ones address of a block means anything to it (no subnet is configured anywhere).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families, in the order in which addresses are given and listed.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// The blocks of a node, in the order of its pod subnets, none inside another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    nets: Vec<IpNet>,
}

impl Blocks {
    /// Blocks in this order. Host bits are cut off; a block inside another one is left out.
    pub fn new(nets: impl IntoIterator<Item = IpNet>) -> Self {
        let all: Vec<IpNet> = nets.into_iter().map(|net| net.trunc()).collect();
        let mut kept: Vec<IpNet> = Vec::with_capacity(all.len());
        for net in &all {
            let inside_other = all.iter().any(|other| other != net && other.contains(net));
            if !inside_other && !kept.contains(net) {
                kept.push(*net);
            }
        }
        Blocks { nets: kept }
    }

    /// True where the node has no block at all.
    pub fn is_empty(&self) -> bool {
        self.nets.is_empty()
    }

    /// All blocks.
    pub fn nets(&self) -> &[IpNet] {
        &self.nets
    }

    /// The blocks of one family.
    pub fn of(&self, family: Family) -> impl Iterator<Item = IpNet> + '_ {
        self.nets
            .iter()
            .copied()
            .filter(move |net| Family::of(net.addr()) == family)
    }

    /// True where a block contains the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.nets.iter().any(|net| net.contains(&address))
    }

    /// How many addresses the blocks of a family have.
    pub fn capacity(&self, family: Family) -> u128 {
        self.of(family).fold(0, |sum: u128, net| {
            let (first, last) = bounds(net);
            sum.saturating_add((last - first).saturating_add(1))
        })
    }

    /// The first address of the first block of a family.
    pub fn first(&self, family: Family) -> Option<IpAddr> {
        self.of(family).next().map(|net| net.network())
    }

    /// All addresses of a family, starting after `last` and going around once; from the first block where
    /// `last` is `None` or lies in no block. The walk is lazy.
    pub fn walk(&self, family: Family, last: Option<IpAddr>) -> impl Iterator<Item = IpAddr> + '_ {
        let nets: Vec<IpNet> = self.of(family).collect();
        let at = last.and_then(|a| {
            nets.iter()
                .position(|net| net.contains(&a))
                .map(|i| (i, number(a)))
        });
        let mut spans: Vec<(u128, u128)> = Vec::with_capacity(nets.len() + 1);
        let start = at.map_or(0, |(i, _)| i);
        for step in 0..nets.len() {
            spans.push(bounds(nets[(start + step) % nets.len()]));
        }
        if let Some((_, last)) = at {
            let (first, end) = spans[0];
            spans.push((first, last));
            if last == end {
                spans.remove(0);
            } else {
                spans[0].0 = last + 1;
            }
        }
        spans
            .into_iter()
            .flat_map(|(first, last)| first..=last)
            .map(move |n| address(family, n))
    }

    /// The blocks as operators read them.
    pub fn listed(&self) -> String {
        match self.nets.as_slice() {
            [] => "it has none".into(),
            nets => nets.iter().map(IpNet::to_string).collect::<Vec<_>>().join(", "),
        }
    }
}

fn bounds(net: IpNet) -> (u128, u128) {
    (number(net.network()), number(net.broadcast()))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    }
}

fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        Family::V6 => Ipv6Addr::from_bits(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(nets: &[&str]) -> Blocks {
        Blocks::new(nets.iter().map(|n| n.parse().unwrap()))
    }

    fn walked(blocks: &Blocks, family: Family, last: Option<&str>, n: usize) -> Vec<String> {
        let last = last.map(|l| l.parse().unwrap());
        blocks.walk(family, last).take(n).map(|a| a.to_string()).collect()
    }

    #[test]
    fn every_address_of_a_block_is_walked_once() {
        let b = blocks(&["10.0.0.0/30", "10.0.9.0/31"]);
        let all = [
            "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.9.0", "10.0.9.1",
        ];
        assert_eq!(walked(&b, Family::V4, None, 99), all);
        assert_eq!(b.capacity(Family::V4), 6);
        assert_eq!(b.first(Family::V6), None);
    }

    #[test]
    fn the_walk_starts_after_the_last_address_and_ends_with_it() {
        let b = blocks(&["10.0.0.0/30", "10.0.9.0/31"]);
        let around = [
            "10.0.0.2", "10.0.0.3", "10.0.9.0", "10.0.9.1", "10.0.0.0", "10.0.0.1",
        ];
        assert_eq!(walked(&b, Family::V4, Some("10.0.0.1"), 99), around);
        let end = [
            "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.9.0", "10.0.9.1",
        ];
        assert_eq!(walked(&b, Family::V4, Some("10.0.9.1"), 99), end);
        assert_eq!(walked(&b, Family::V4, Some("192.0.2.1"), 1), ["10.0.0.0"]);
        assert_eq!(
            walked(&blocks(&["10.1.1.1/32"]), Family::V4, Some("10.1.1.1"), 9),
            ["10.1.1.1"]
        );
    }

    #[test]
    fn the_ends_of_the_address_space_are_no_special_case() {
        let b = blocks(&[
            "255.255.255.254/31",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
            "::/0",
        ]);
        assert_eq!(
            walked(&b, Family::V4, None, 9),
            ["255.255.255.254", "255.255.255.255"]
        );
        assert_eq!(b.nets().len(), 2, "a block inside another one is left out");
        assert_eq!(b.capacity(Family::V6), u128::MAX, "2^128 saturates");
        assert_eq!(walked(&b, Family::V6, None, 2), ["::", "::1"]);
    }

    #[test]
    fn order_is_kept_and_doubles_are_not() {
        let b = blocks(&["10.2.0.0/24", "10.1.0.0/24", "10.2.0.5/24", "10.1.0.128/25"]);
        assert_eq!(b.listed(), "10.2.0.0/24, 10.1.0.0/24");
    }
}
