//! What a receiver has to have in the end, and what it has: one number for each prefix, and one over all of them.
//!
//! The number of a prefix is a hash of its attributes in a form that leaves out what speakers may choose: the order of the attributes
//! and of communities, repeats of communities, a MULTI_EXIT_DISC of 0, and which of its addresses the router names as next hop. The digest is the sum of a
//! mixture of prefix and number over all prefixes, so that it does not depend on the order in which they come, and a change costs one
//! subtraction and one addition.

use std::collections::HashSet;
use std::sync::Arc;

use crate::rng::mix;
use crate::route::{Attributes, Prefix};
use crate::scene;

/// How many differing routes are kept to be shown.
const SAMPLES: usize = 64;

/// Which next hops count as the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hops {
    /// The router's addresses.
    Router,
    /// All: a router may name its peer where both peers are on one link.
    Any,
}

/// The number of a set of attributes; never 0. Sorts its lists.
pub fn number(attributes: &mut Attributes, hops: Hops) -> u64 {
    attributes.communities.sort_unstable();
    attributes.communities.dedup();
    attributes.large.sort_unstable();
    attributes.large.dedup();
    let hop = attributes.next_hop;
    let hop = if hops == Hops::Any || scene::is_router(hop) {
        0
    } else {
        hop
    };
    let mut sum = Sum(0);
    sum.list(1, &[u32::from(attributes.origin)]);
    sum.list(2, &attributes.path);
    sum.list(3, &[hop]);
    // None is as good as 0 (RFC 4271, section 9.1.2.2, c); FRR writes it for what it originates.
    sum.list(4, attributes.med.filter(|med| *med != 0).as_slice());
    sum.list(5, attributes.local_pref.as_slice());
    sum.list(6, &[u32::from(attributes.atomic)]);
    if let Some((asn, address)) = attributes.aggregator {
        sum.list(7, &[asn, address]);
    }
    sum.list(8, &attributes.communities);
    sum.list(9, attributes.originator.as_slice());
    sum.list(10, &attributes.cluster_list);
    for large in &attributes.large {
        sum.list(32, large);
    }
    for byte in &attributes.other {
        sum.word(256 + u64::from(*byte));
    }
    sum.0 | 1
}

struct Sum(u64);

impl Sum {
    fn word(&mut self, word: u64) {
        self.0 = mix(self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word);
    }

    /// An attribute that is not there adds nothing, one that is there adds its type and length as well.
    fn list(&mut self, kind: u64, words: &[u32]) {
        if words.is_empty() {
            return;
        }
        self.word(kind << 32 | words.len() as u64);
        for word in words {
            self.word(u64::from(*word));
        }
    }
}

/// Where each prefix has its place; open addressing, as this is asked a million times in a second.
#[derive(Debug)]
pub struct Index {
    keys: Vec<u64>,
    places: Vec<u32>,
    count: usize,
}

impl Index {
    /// Of these prefixes, in their order.
    pub fn new(prefixes: &[Prefix]) -> Index {
        let size = (prefixes.len().max(4) * 2).next_power_of_two();
        let mut index = Index {
            keys: vec![0; size],
            places: vec![0; size],
            count: prefixes.len(),
        };
        for (place, prefix) in (0..).zip(prefixes) {
            let slot = index.slot(prefix.key());
            index.keys[slot] = prefix.key();
            index.places[slot] = place;
        }
        index
    }

    /// Where the key is, or would be.
    fn slot(&self, key: u64) -> usize {
        let mask = self.keys.len() - 1;
        let mut slot = mix(key) as usize & mask;
        while self.keys[slot] != 0 && self.keys[slot] != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// The place of a prefix.
    pub fn place(&self, key: u64) -> Option<usize> {
        let slot = self.slot(key);
        (self.keys[slot] == key).then(|| self.places[slot] as usize)
    }
}

/// What a receiver has to have.
#[derive(Debug, Clone)]
pub struct Expected {
    index: Arc<Index>,
    numbers: Vec<u64>,
    count: usize,
    digest: u128,
    hops: Hops,
}

impl Expected {
    /// Nothing yet.
    pub fn new(index: Arc<Index>, hops: Hops) -> Expected {
        Expected {
            numbers: vec![0; index.count],
            index,
            count: 0,
            digest: 0,
            hops,
        }
    }

    /// These prefixes with these attributes.
    pub fn add(&mut self, attributes: &Attributes, prefixes: &[Prefix]) {
        let number = number(&mut attributes.clone(), self.hops);
        for prefix in prefixes {
            let Some(place) = self.index.place(prefix.key()) else {
                continue;
            };
            if self.numbers[place] == 0 {
                self.numbers[place] = number;
                self.count += 1;
                self.digest = self.digest.wrapping_add(term(prefix.key(), number));
            }
        }
    }

    /// How many prefixes.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.count
    }
}

fn term(key: u64, number: u64) -> u128 {
    let (high, low) = (
        mix(key ^ number),
        mix(key.wrapping_mul(3) ^ number.rotate_left(32)),
    );
    u128::from(high) << 64 | u128::from(low)
}

/// What a receiver has.
#[derive(Debug)]
pub struct Seen {
    expected: Arc<Expected>,
    numbers: Vec<u64>,
    present: usize,
    digest: u128,
    /// Prefixes that are in no feed.
    foreign: HashSet<u64>,
    samples: Vec<(u64, u64, String)>,
}

impl Seen {
    /// Nothing yet.
    pub fn new(expected: Arc<Expected>) -> Seen {
        Seen {
            numbers: vec![0; expected.numbers.len()],
            present: 0,
            digest: 0,
            foreign: HashSet::new(),
            samples: Vec::new(),
            expected,
        }
    }

    /// The number under which these attributes are noted.
    pub fn number(&self, attributes: &mut Attributes) -> u64 {
        number(attributes, self.expected.hops)
    }

    /// A prefix has these attributes now.
    pub fn announced(&mut self, prefix: Prefix, number: u64, attributes: &Attributes) {
        let key = prefix.key();
        let Some(place) = self.expected.index.place(key) else {
            self.foreign.insert(key);
            return;
        };
        self.put(place, key, number);
        if number != self.expected.numbers[place] && self.samples.len() < SAMPLES {
            self.samples.push((key, number, format!("{attributes:?}")));
        }
    }

    /// A prefix is no longer there.
    pub fn withdrawn(&mut self, prefix: Prefix) {
        let key = prefix.key();
        match self.expected.index.place(key) {
            Some(place) => self.put(place, key, 0),
            None => _ = self.foreign.remove(&key),
        }
    }

    fn put(&mut self, place: usize, key: u64, number: u64) {
        let old = std::mem::replace(&mut self.numbers[place], number);
        if old != 0 {
            self.digest = self.digest.wrapping_sub(term(key, old));
            self.present -= 1;
        }
        if number != 0 {
            self.digest = self.digest.wrapping_add(term(key, number));
            self.present += 1;
        }
    }

    /// Whether it is all there, and nothing else.
    pub fn complete(&self) -> bool {
        self.present == self.expected.count && self.digest == self.expected.digest && self.foreign.is_empty()
    }

    /// What is not as it should be, with some examples.
    pub fn differences(&self) -> String {
        let expected = &self.expected;
        let mut text = format!("{} of {} prefixes", self.present, expected.count);
        let pairs = || self.numbers.iter().zip(&expected.numbers);
        let other = pairs()
            .filter(|(own, due)| **own != 0 && **due != 0 && own != due)
            .count();
        let missing = pairs().filter(|(own, due)| **own == 0 && **due != 0).count();
        let undue = pairs().filter(|(own, due)| **own != 0 && **due == 0).count() + self.foreign.len();
        text += &format!("; {missing} missing, {undue} too many, {other} with other attributes");
        let still = self.samples.iter().filter(|(key, number, _)| {
            let place = expected.index.place(*key);
            place.is_some_and(|place| self.numbers[place] == *number)
        });
        for (key, _, attributes) in still.take(5) {
            text += &format!("\n  {} has {attributes}", Prefix::of_key(*key));
        }
        for key in self.foreign.iter().take(5) {
            text += &format!("\n  {} is in no feed", Prefix::of_key(*key));
        }
        text
    }
}

#[cfg(test)]
mod tests;
