//! Prefixes of one family side by side, asked for what overlaps a candidate: each question costs a few look-ups,
//! however many there are.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::span::{self, bounds};

/// Prefixes with what is known of each; they may nest.
#[derive(Debug, Clone)]
pub(super) struct Index<T> {
    items: BTreeMap<IpNet, T>,
    /// How many there are of each length and family: only these can lie around a candidate.
    lengths: BTreeMap<(bool, u8), usize>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Index {
            items: BTreeMap::new(),
            lengths: BTreeMap::new(),
        }
    }
}

fn length(net: &IpNet) -> (bool, u8) {
    (matches!(net, IpNet::V6(_)), net.prefix_len())
}

impl<T> Index<T> {
    pub fn insert(&mut self, net: IpNet, value: T) {
        if self.items.insert(net, value).is_none() {
            *self.lengths.entry(length(&net)).or_default() += 1;
        }
    }

    pub fn remove(&mut self, net: &IpNet) -> Option<T> {
        let removed = self.items.remove(net)?;
        if let Some(count) = self.lengths.get_mut(&length(net)) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&length(net));
            }
        }
        Some(removed)
    }

    pub fn get(&self, net: &IpNet) -> Option<&T> {
        self.items.get(net)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&IpNet, &T)> {
        self.items.iter()
    }

    /// Those that lie around a prefix, itself included; the largest first.
    pub fn around(&self, net: IpNet) -> impl Iterator<Item = (&IpNet, &T)> {
        let (v6, len) = length(&net);
        let lengths = self.lengths.range((v6, 0)..=(v6, len)).map(|(key, _)| key.1);
        lengths.filter_map(move |len| self.items.get_key_value(&span::around(net.addr(), len)?))
    }

    /// Those that lie inside a prefix, itself included.
    pub fn inside(&self, net: IpNet) -> impl Iterator<Item = (&IpNet, &T)> {
        let family = span::family(&net);
        let (first, last) = bounds(net);
        let key = |number, len| IpNet::new(span::address(family, number), len).unwrap_or(net);
        let range = key(first, 0)..=key(last, span::bits(family));
        // A larger one with the same first address sorts before `net` and is not inside.
        self.items
            .range(range)
            .filter(move |(found, _)| net.contains(*found))
    }

    /// One that overlaps a prefix.
    pub fn overlapping(&self, net: IpNet) -> Option<(&IpNet, &T)> {
        self.around(net).next().or_else(|| self.inside(net).next())
    }
}

/// Addresses as disjoint sorted intervals: reservations, which are few.
#[derive(Debug, Clone, Default)]
pub(super) struct Intervals {
    merged: [Vec<(u128, u128)>; 2],
}

impl Intervals {
    pub fn new<'a>(nets: impl Iterator<Item = &'a IpNet>) -> Intervals {
        let mut merged: [Vec<(u128, u128)>; 2] = Default::default();
        let mut sorted: Vec<IpNet> = nets.map(IpNet::trunc).collect();
        sorted.sort_unstable();
        for net in sorted {
            let (first, last) = bounds(net);
            let list = &mut merged[usize::from(matches!(net, IpNet::V6(_)))];
            match list.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => list.push((first, last)),
            }
        }
        Intervals { merged }
    }

    /// How many addresses of a prefix are in it.
    pub fn inside(&self, net: IpNet) -> u128 {
        let (first, last) = bounds(net);
        let list = &self.merged[usize::from(matches!(net, IpNet::V6(_)))];
        let parts = list.iter().filter(|(start, end)| *start <= last && *end >= first);
        parts.fold(0u128, |sum, (start, end)| {
            sum.saturating_add((end.min(&last) - start.max(&first)).saturating_add(1))
        })
    }

    /// The end of the interval that covers a prefix as a whole.
    pub fn covering(&self, net: IpNet) -> Option<u128> {
        let (first, last) = bounds(net);
        let list = &self.merged[usize::from(matches!(net, IpNet::V6(_)))];
        let at = list
            .partition_point(|(start, _)| *start <= first)
            .checked_sub(1)?;
        let (_, end) = list[at];
        (end >= last).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn reservations_that_touch_are_one() {
        let nets = [net("10.0.0.0/27"), net("10.0.0.32/27"), net("10.0.0.128/25")];
        let intervals = Intervals::new(nets.iter());
        assert!(intervals.covering(net("10.0.0.0/26")).is_some());
        assert_eq!(intervals.covering(net("10.0.0.64/26")), None);
        assert_eq!(intervals.covering(net("10.0.0.0/24")), None);
        assert_eq!(intervals.covering(net("fd00::/122")), None);
    }

    proptest! {
        /// Against looking at every pair.
        #[test]
        fn finds_what_overlaps(nets in prop::collection::vec((0u32..64, 26u8..=32), 0..12), at in 0u32..64, len in 26u8..=32) {
            let make = |at: u32, len| IpNet::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 | at).into(), len).unwrap().trunc();
            let mut index = Index::default();
            for (at, len) in &nets {
                index.insert(make(*at, *len), ());
            }
            let candidate = make(at, len);
            let expected = index.iter().any(|(net, ())| net.contains(&candidate) || candidate.contains(net));
            prop_assert_eq!(index.overlapping(candidate).is_some(), expected);
            let inside = index.iter().filter(|(net, ())| candidate.contains(*net)).count();
            prop_assert_eq!(index.inside(candidate).count(), inside);
            for (at, len) in &nets {
                index.remove(&make(*at, *len));
            }
            prop_assert!(index.lengths.is_empty() && index.overlapping(candidate).is_none());
        }
    }
}
