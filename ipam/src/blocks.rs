//! Blocks as ranges of addresses, walked in order and around.
//!
//! Pure. An address is a number inside its family, so a /64 costs as
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

/// All addresses of a family in these blocks (none overlapping another), starting after `last` and going around
/// once; from the first block where `last` is `None` or lies in no block. The nets in `avoid` are stepped over
/// whole. The walk is lazy: a huge block costs nothing.
pub fn walk(
    nets: &[IpNet],
    family: Family,
    last: Option<IpAddr>,
    avoid: &[IpNet],
) -> impl Iterator<Item = IpAddr> + use<> {
    let nets: Vec<IpNet> = nets
        .iter()
        .copied()
        .filter(|net| Family::of(net.addr()) == family)
        .collect();
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
    for net in avoid.iter().filter(|net| Family::of(net.addr()) == family) {
        spans = without(&spans, bounds(*net));
    }
    spans
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .map(move |n| address(family, n))
}

/// The spans without those numbers, in the same order.
fn without(spans: &[(u128, u128)], (first, last): (u128, u128)) -> Vec<(u128, u128)> {
    let mut rest = Vec::with_capacity(spans.len() + 1);
    for &(from, to) in spans {
        if to < first || from > last {
            rest.push((from, to));
            continue;
        }
        if from < first {
            rest.push((from, first - 1));
        }
        if to > last {
            rest.push((last + 1, to));
        }
    }
    rest
}

/// How many addresses a block has; 2^128 saturates.
pub fn size(net: IpNet) -> u128 {
    let (first, last) = bounds(net);
    (last - first).saturating_add(1)
}

/// The last address of a network, where it means all hosts: in IPv4 (RFC 1122 section 3.2.1.3), but for point-to-point networks
/// (RFC 3021).
pub fn broadcast(net: IpNet) -> Option<IpAddr> {
    (net.addr().is_ipv4() && net.prefix_len() < 31).then(|| net.broadcast())
}

/// Whether two blocks have an address in common.
pub fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
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

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|n| n.parse().unwrap()).collect()
    }

    fn walked(blocks: &[&str], family: Family, last: Option<&str>, avoid: &[&str]) -> Vec<String> {
        let last = last.map(|l| l.parse().unwrap());
        walk(&nets(blocks), family, last, &nets(avoid))
            .take(9)
            .map(|a| a.to_string())
            .collect()
    }

    const TWO: &[&str] = &["10.0.0.0/30", "10.0.9.0/31"];

    #[test]
    fn every_address_of_a_block_is_walked_once() {
        let all = [
            "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.9.0", "10.0.9.1",
        ];
        assert_eq!(walked(TWO, Family::V4, None, &[]), all);
        assert!(walked(TWO, Family::V6, None, &[]).is_empty());
    }

    #[test]
    fn the_walk_starts_after_the_last_address_and_ends_with_it() {
        let around = [
            "10.0.0.2", "10.0.0.3", "10.0.9.0", "10.0.9.1", "10.0.0.0", "10.0.0.1",
        ];
        assert_eq!(walked(TWO, Family::V4, Some("10.0.0.1"), &[]), around);
        let end = [
            "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.9.0", "10.0.9.1",
        ];
        assert_eq!(walked(TWO, Family::V4, Some("10.0.9.1"), &[]), end);
        assert_eq!(walked(TWO, Family::V4, Some("192.0.2.1"), &[])[0], "10.0.0.0");
        let one = ["10.1.1.1/32"];
        assert_eq!(walked(&one, Family::V4, Some("10.1.1.1"), &[]), ["10.1.1.1"]);
    }

    #[test]
    fn what_is_to_be_avoided_is_stepped_over_whole() {
        let left = ["10.0.0.3", "10.0.9.0", "10.0.9.1", "10.0.0.0"];
        let avoid = ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.2/31"];
        assert_eq!(walked(TWO, Family::V4, Some("10.0.0.2"), &avoid[..2]), left);
        assert_eq!(walked(TWO, Family::V4, Some("10.0.0.2"), &avoid), left[1..]);
        assert!(walked(TWO, Family::V4, None, &["10.0.0.0/8"]).is_empty());
        let most = ["2001:db8::/65", "10.0.0.0/8"];
        assert_eq!(
            walked(&["2001:db8::/64"], Family::V6, None, &most)[0],
            "2001:db8:0:0:8000::"
        );
    }

    #[test]
    fn the_ends_of_the_address_space_are_no_special_case() {
        let all = [
            "255.255.255.254/31",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127",
        ];
        assert_eq!(
            walked(&all, Family::V4, None, &["0.0.0.0/1"]),
            ["255.255.255.254", "255.255.255.255"]
        );
        assert_eq!(walked(&all, Family::V4, None, &["255.255.255.255/32"]).len(), 1);
        assert_eq!(
            walked(&["::/0"], Family::V6, None, &["::/128"])[..2],
            ["::1", "::2"]
        );
        assert!(walked(&["::/0"], Family::V6, None, &["::/0"]).is_empty());
        assert_eq!(size("::/0".parse().unwrap()), u128::MAX, "2^128 saturates");
        assert_eq!(size("10.0.0.0/26".parse().unwrap()), 64);
    }
}
