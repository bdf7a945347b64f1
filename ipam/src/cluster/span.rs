//! Prefixes as numbers: the arithmetic under the choice of blocks. A /48 costs as little as a /30.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::blocks::Family;

/// The family of a prefix.
pub(super) fn family(net: &IpNet) -> Family {
    Family::of(net.addr())
}

/// Bits of an address.
pub(super) fn bits(family: Family) -> u8 {
    match family {
        Family::V4 => 32,
        Family::V6 => 128,
    }
}

/// An address as a number inside its family.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => u128::from(a.to_bits()),
        IpAddr::V6(a) => a.to_bits(),
    }
}

/// The address of such a number; what is too large for IPv4 becomes its last address.
pub(super) fn address(family: Family, number: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        Family::V6 => Ipv6Addr::from_bits(number).into(),
    }
}

/// First and last address of a prefix as numbers.
pub(super) fn bounds(net: IpNet) -> (u128, u128) {
    (number(net.network()), number(net.broadcast()))
}

/// Addresses of a prefix; 2^128 saturates.
pub fn size(net: IpNet) -> u128 {
    let (first, last) = bounds(net);
    (last - first).saturating_add(1)
}

/// The prefix of this length around an address; `None` where the family has no such length.
pub(super) fn around(address: IpAddr, len: u8) -> Option<IpNet> {
    Some(IpNet::new(address, len).ok()?.trunc())
}

/// The equal parts of a prefix, numbered: nothing of it is ever listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    family: Family,
    first: u128,
    /// Bits of a slot's own addresses.
    shift: u32,
    len: u8,
    /// How many there are; at most 2^127.
    pub count: u128,
}

impl Slots {
    /// The parts of length `len`; `None` where the prefix is smaller than that.
    pub fn of(net: IpNet, len: u8) -> Option<Slots> {
        let family = family(&net);
        let split = u32::from(len.checked_sub(net.prefix_len())?);
        let shift = u32::from(bits(family).checked_sub(len)?);
        Some(Slots {
            family,
            first: number(net.network()),
            shift,
            len,
            count: 1 << split.min(127),
        })
    }

    /// The part of this number.
    pub fn at(&self, index: u128) -> Option<IpNet> {
        if index >= self.count {
            return None;
        }
        // A shift by all 128 bits happens only for the single slot of ::/0.
        let offset = index.checked_shl(self.shift).unwrap_or(0);
        around(address(self.family, self.first + offset), self.len)
    }

    /// The number of the first part after an address; `None` behind the end.
    pub fn after(&self, last: u128) -> Option<u128> {
        let inside = last.checked_sub(self.first)?;
        let next = inside.checked_shr(self.shift).unwrap_or(0) + 1;
        (next < self.count).then_some(next)
    }
}

/// FNV-1a of 64 bits with a final mix: the same on every node and in every version.
pub(super) fn hash(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    // The last bytes would move only the low bits of FNV's result (finalizer of splitmix64).
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn slots_are_numbered_from_the_start_of_the_prefix() {
        let slots = Slots::of(net("10.0.0.0/24"), 26).unwrap();
        assert_eq!(slots.count, 4);
        assert_eq!(slots.at(3), Some(net("10.0.0.192/26")));
        assert_eq!(slots.at(4), None);
        assert_eq!(slots.after(number("10.0.0.70".parse().unwrap())), Some(2));
        assert_eq!(slots.after(number("10.0.0.255".parse().unwrap())), None);
        assert_eq!(Slots::of(net("10.0.0.0/24"), 23), None);
    }

    #[test]
    fn the_ends_of_the_address_space_are_no_special_case() {
        let all = Slots::of(net("::/0"), 0).unwrap();
        assert_eq!((all.count, all.at(0)), (1, Some(net("::/0"))));
        assert_eq!(all.after(u128::MAX), None);
        let single = Slots::of(net("::/0"), 128).unwrap();
        assert_eq!(single.at(7), Some(net("::7/128")));
        let last = Slots::of(net("255.255.255.0/24"), 32).unwrap();
        assert_eq!(last.at(255), Some(net("255.255.255.255/32")));
        assert_eq!(last.after(u128::from(u32::MAX)), None);
        assert_eq!(size(net("::/0")), u128::MAX);
    }
}
