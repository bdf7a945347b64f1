//! The feed as values: a table of prefixes that share attribute sets as those of the Internet do, from a seed.
//!
//! Sets are drawn first, each with as many prefixes as a heavy-tailed distribution says (about six on average, one for half of them,
//! 1,500 at most), and the prefixes of one set lie near each other more often than not. Lengths follow the default-free zone. No prefix
//! comes twice, and none is of private or special space, where the benchmark's own wires lie.

use std::collections::HashSet;

use crate::rng::Rng;
use crate::route::{Attributes, Prefix};

/// Per mille of the prefixes that have a length.
const LENGTHS: [(u8, u32); 13] = [
    (24, 600),
    (23, 100),
    (22, 120),
    (21, 50),
    (20, 50),
    (19, 30),
    (18, 20),
    (17, 11),
    (16, 12),
    (15, 3),
    (14, 2),
    (13, 1),
    (12, 1),
];

/// The most prefixes of one set.
const LARGEST: f64 = 1500.0;
/// The exponent of the distribution of sizes: their mean is about six.
const TAIL: f64 = 1.1;

/// First octets that are not global unicast, or not altogether; and where they are not.
fn special(address: u32) -> bool {
    let [a, b, ..] = address.to_be_bytes();
    match a {
        0 | 10 | 127 | 224.. => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => b == 0 || b == 168,
        198 => matches!(b, 18 | 19 | 51),
        203 => b == 0,
        _ => false,
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The prefixes, those of a set one after the other.
    pub prefixes: Vec<Prefix>,
    /// The sets in the order of sending, without a speaker's own AS and next hop; and where the prefixes of each end.
    pub sets: Vec<(Attributes, usize)>,
}

impl Feed {
    /// A table of so many prefixes.
    pub fn new(seed: u64, count: usize) -> Feed {
        let mut rng = Rng::new(seed, 1);
        let bases = bases(&mut rng, count);
        let mut taken = HashSet::with_capacity(count);
        let mut feed = Feed {
            prefixes: Vec::with_capacity(count),
            sets: Vec::with_capacity(count / 5),
        };
        while feed.prefixes.len() < count {
            let size = size(&mut rng).min(count - feed.prefixes.len());
            let mut base = *pick(&mut rng, &bases);
            for _ in 0..size {
                // Its holder has another range as well.
                if rng.chance(0.3) {
                    base = *pick(&mut rng, &bases);
                }
                let prefix = fresh(&mut rng, &bases, base, &mut taken);
                feed.prefixes.push(prefix);
            }
            feed.sets.push((attributes(&mut rng), feed.prefixes.len()));
        }
        feed
    }

    /// Each set with its prefixes.
    pub fn routes(&self) -> impl Iterator<Item = (&Attributes, &[Prefix])> {
        let mut begin = 0;
        self.sets.iter().map(move |(attributes, end)| {
            let prefixes = &self.prefixes[begin..*end];
            begin = *end;
            (attributes, prefixes)
        })
    }
}

fn pick<'a, T>(rng: &mut Rng, all: &'a [T]) -> &'a T {
    &all[rng.below(u32::try_from(all.len()).unwrap_or(u32::MAX)) as usize]
}

/// The /16s in which everything lies.
fn bases(rng: &mut Rng, count: usize) -> Vec<u32> {
    let wanted = (count / 60).clamp(64, 20_000);
    let (mut bases, mut taken) = (Vec::with_capacity(wanted), HashSet::new());
    while bases.len() < wanted {
        let base = rng.below(1 << 16) << 16;
        if !special(base) && taken.insert(base) {
            bases.push(base);
        }
    }
    bases
}

/// A prefix that is not taken, in this /16 if there is room, else in another.
fn fresh(rng: &mut Rng, bases: &[u32], base: u32, taken: &mut HashSet<Prefix>) -> Prefix {
    let (length, mut base) = (length(rng), base);
    for tries in 0_u8.. {
        // A length that is used up gives way to the most frequent one.
        let length = if tries < 50 { length } else { 24 };
        let prefix = Prefix::around(base | rng.below(1 << 16), length);
        if !special(prefix.address) && taken.insert(prefix) {
            return prefix;
        }
        if tries == u8::MAX {
            break;
        }
        base = *pick(rng, bases);
    }
    // All /16s of a table hold several times as many /24s as it has prefixes.
    loop {
        let prefix = Prefix::around(rng.below(223 << 24), 24);
        if !special(prefix.address) && taken.insert(prefix) {
            return prefix;
        }
    }
}

fn length(rng: &mut Rng) -> u8 {
    let mut left = rng.below(1000);
    for (length, share) in LENGTHS {
        if left < share {
            return length;
        }
        left -= share;
    }
    24
}

/// Pareto, cut off.
fn size(rng: &mut Rng) -> usize {
    let drawn = (1.0 - rng.share()).powf(-1.0 / TAIL);
    drawn.min(LARGEST) as usize
}

/// An AS number of a network, 15 % of them beyond 16 bits.
fn asn(rng: &mut Rng) -> u32 {
    if rng.chance(0.15) {
        131_072 + rng.below(280_000)
    } else {
        // Neither AS_TRANS nor private ones.
        match 1 + rng.below(64_000) {
            23_456 => 3_356,
            number => number,
        }
    }
}

fn attributes(rng: &mut Rng) -> Attributes {
    // With the speaker's own AS before it, 2 to 8 with a mean of about 4.3.
    let hops = 1 + (0..6).filter(|_| rng.chance(0.38)).count();
    let mut path: Vec<u32> = (0..hops).map(|_| asn(rng)).collect();
    if rng.chance(0.1) {
        let last = path.last().copied().unwrap_or_default();
        path.extend((0..=rng.below(3)).map(|_| last));
    }
    let communities = if rng.chance(0.4) { 0 } else { 1 + rng.below(12) };
    let communities = (0..communities)
        .map(|_| (1 + rng.below(64_000)) << 16 | rng.below(65_000))
        .collect();
    let large = if rng.chance(0.08) { 1 + rng.below(4) } else { 0 };
    let large = (0..large)
        .map(|_| [asn(rng), rng.below(1000), rng.below(1000)])
        .collect();
    let origin = match rng.below(100) {
        0..92 => 0,
        92 => 1,
        _ => 2,
    };
    let aggregated = rng.chance(0.05);
    Attributes {
        origin,
        path,
        med: rng.chance(0.2).then(|| 1 + rng.below(1000)),
        atomic: aggregated && rng.chance(0.5),
        aggregator: aggregated.then(|| (asn(rng), 0x0100_0000 + rng.below(0x0fff_ffff))),
        communities,
        large,
        ..Attributes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_one_table_without_duplicates_and_without_special_space() {
        let feed = Feed::new(7, 20_000);
        assert_eq!(feed, Feed::new(7, 20_000));
        assert_ne!(feed, Feed::new(8, 20_000));
        assert_eq!(feed.prefixes.len(), 20_000);
        let all: HashSet<Prefix> = feed.prefixes.iter().copied().collect();
        assert_eq!(all.len(), 20_000);
        for prefix in &feed.prefixes {
            assert_eq!(*prefix, Prefix::around(prefix.address, prefix.length));
            assert!(!special(prefix.address), "{prefix}");
        }
        assert_eq!(
            feed.routes().map(|(_, prefixes)| prefixes.len()).sum::<usize>(),
            20_000
        );
        assert!(feed.routes().all(|(_, prefixes)| !prefixes.is_empty()));
    }

    #[test]
    fn special_space_is_known() {
        for address in [
            "10.1.2.0",
            "127.0.0.0",
            "169.254.1.0",
            "198.18.0.0",
            "198.19.255.0",
            "100.64.0.0",
            "240.0.0.0",
        ] {
            let address: std::net::Ipv4Addr = address.parse().unwrap();
            assert!(special(address.into()), "{address}");
        }
        for address in [
            "1.0.0.0",
            "100.128.0.0",
            "172.32.0.0",
            "198.20.0.0",
            "223.255.255.0",
        ] {
            let address: std::net::Ipv4Addr = address.parse().unwrap();
            assert!(!special(address.into()), "{address}");
        }
    }

    #[test]
    fn sharing_and_attributes_are_as_said() {
        let feed = Feed::new(11, 120_000);
        let (prefixes, sets) = (feed.prefixes.len() as f64, feed.sets.len() as f64);
        let mean = prefixes / sets;
        assert!((4.0..8.0).contains(&mean), "{mean} prefixes a set");
        let sizes: Vec<usize> = feed.routes().map(|(_, prefixes)| prefixes.len()).collect();
        assert!(sizes.iter().max() > Some(&500) && sizes.iter().max() <= Some(&1500));
        let single = sizes.iter().filter(|size| **size == 1).count() as f64 / sets;
        assert!(
            (0.4..0.65).contains(&single),
            "{single} of the sets have one prefix"
        );
        let of = |length: u8| feed.prefixes.iter().filter(|p| p.length == length).count() as f64 / prefixes;
        assert!((0.57..0.64).contains(&of(24)), "{}", of(24));
        assert!((0.10..0.14).contains(&of(22)), "{}", of(22));
        let share = |what: &dyn Fn(&Attributes) -> bool| {
            feed.sets.iter().filter(|(set, _)| what(set)).count() as f64 / sets
        };
        // One AS more with the speaker's own.
        let hops = feed.sets.iter().map(|(set, _)| set.path.len() + 1).sum::<usize>() as f64 / sets;
        assert!((4.1..4.7).contains(&hops), "{hops} hops");
        assert!((0.38..0.42).contains(&share(&|set| set.communities.is_empty())));
        assert!((0.07..0.09).contains(&share(&|set| !set.large.is_empty())));
        assert!((0.18..0.22).contains(&share(&|set| set.med.is_some())));
        assert!((0.91..0.93).contains(&share(&|set| set.origin == 0)));
        assert!((0.04..0.06).contains(&share(&|set| set.aggregator.is_some())));
        let wide = feed
            .sets
            .iter()
            .flat_map(|(set, _)| &set.path)
            .filter(|asn| **asn > 65_535)
            .count();
        let all = feed.sets.iter().map(|(set, _)| set.path.len()).sum::<usize>();
        assert!((0.13..0.17).contains(&(wide as f64 / all as f64)));
    }
}
