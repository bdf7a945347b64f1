//! Which ranges of a set overlap, and which hold another one.

use std::collections::BTreeMap;

use ipnet::IpNet;

/// A range, and which entry of which resource has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned {
    pub net: IpNet,
    pub owner: usize,
    pub index: usize,
}

/// Ranges to look others up in.
pub(super) struct Ranges<T> {
    ranges: BTreeMap<IpNet, T>,
}

impl<T: Copy> Ranges<T> {
    /// Of two equal ranges the first is kept.
    pub(super) fn new(ranges: impl Iterator<Item = (IpNet, T)>) -> Self {
        let mut map = BTreeMap::new();
        for (net, value) in ranges {
            map.entry(net.trunc()).or_insert(value);
        }
        Self { ranges: map }
    }

    /// The narrowest range that holds this one.
    pub(super) fn around(&self, net: IpNet) -> Option<T> {
        (0..=net.prefix_len()).rev().find_map(|length| {
            let wider = IpNet::new(net.network(), length).ok()?.trunc();
            self.ranges.get(&wider).copied()
        })
    }

    /// A range that lies inside this one.
    pub(super) fn inside(&self, net: IpNet) -> Option<T> {
        let first = self.ranges.range(net.trunc()..).next();
        first
            .filter(|(range, _)| net.contains(*range))
            .map(|(_, value)| *value)
    }
}

/// All pairs of ranges of which one lies inside the other; the one that was read first comes first.
///
/// Prefixes either nest or are apart: sorted, those around a prefix are a stack. No pair is looked at in vain.
pub(super) fn overlaps(mut ranges: Vec<Owned>) -> Vec<(Owned, Owned)> {
    ranges.sort_by_key(|range| {
        (
            range.net.network(),
            range.net.prefix_len(),
            range.owner,
            range.index,
        )
    });
    let mut around: Vec<Owned> = Vec::new();
    let mut pairs = Vec::new();
    for range in ranges {
        while around.last().is_some_and(|last| !last.net.contains(&range.net)) {
            around.pop();
        }
        // One mistake a range is enough: the nearest one around it.
        if let Some(outer) = around.last() {
            let in_order = (outer.owner, outer.index) < (range.owner, range.index);
            pairs.push(if in_order {
                (*outer, range)
            } else {
                (range, *outer)
            });
        }
        around.push(range);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against looking at every pair: a range is named exactly if it overlaps another one.
        #[test]
        fn names_whatever_overlaps(ranges in prop::collection::vec((0u8..=255, 20u8..=32), 0..12)) {
            let net = |(octet, length): &(u8, u8)| {
                let address = std::net::Ipv4Addr::new(10, 0, *octet & 0x1f, octet.rotate_left(3));
                IpNet::new(address.into(), *length).expect("valid length").trunc()
            };
            let owned: Vec<Owned> =
                ranges.iter().enumerate().map(|(owner, range)| Owned { net: net(range), owner, index: 0 }).collect();
            let pairs = overlaps(owned.clone());
            let all = Ranges::new(owned.iter().map(|range| (range.net, range.net)));
            for (octet, length) in [(0, 20), (8, 24), (31, 32)] {
                let one = net(&(octet, length));
                let around = owned.iter().filter(|o| o.net.contains(&one)).map(|o| o.net);
                prop_assert_eq!(all.around(one), around.max_by_key(IpNet::prefix_len));
                prop_assert_eq!(all.inside(one).is_some(), owned.iter().any(|o| one.contains(&o.net)));
            }
            for (a, b) in &pairs {
                prop_assert!(a.owner < b.owner);
                prop_assert!(a.net.contains(&b.net) || b.net.contains(&a.net));
            }
            for range in &owned {
                let clash = |o: &Owned| o.owner != range.owner && (o.net.contains(&range.net) || range.net.contains(&o.net));
                let named = pairs.iter().any(|(a, b)| a.owner == range.owner || b.owner == range.owner);
                prop_assert_eq!(owned.iter().any(clash), named, "{:?} in {:?}", range, owned);
            }
        }
    }
}
