//! From a hash to a number: open addressing in lines of twelve, each of which is one line of the cache. An octet of the hash
//! stands beside each number, so that nearly every look at the thing itself is at the right one.
//!
//! A line counts how many numbers were to be put into it or came by and found it full: where none did, a search ends, and what is
//! taken out leaves no gap that others would have to close. At most four of five places are in use; each takes five octets
//! and a third.

const FREE: u8 = 0;
/// Places of a line.
const ROOM: usize = 12;
const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Sixty-four octets, where the cache has its lines.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line {
    tags: [u8; ROOM],
    numbers: [u32; ROOM],
    /// Numbers that are further on because this line was full.
    passed: u32,
}

impl Line {
    const EMPTY: Line = Line {
        tags: [FREE; ROOM],
        numbers: [0; ROOM],
        passed: 0,
    };

    /// Places that may have this tag: all that have it, and rarely others. The first one that is named has it.
    fn places(&self, tag: u8) -> impl Iterator<Item = usize> + use<> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.tags;
        let low = marks(u64::from_le_bytes([a, b, c, d, e, f, g, h]), tag);
        let high = marks(u64::from(u32::from_le_bytes([i, j, k, l])), tag) & 0x8080_8080;
        // Two bits of each octet: the place, and the one eight further on.
        let mut left = low >> 7 | high >> 6;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(bit / 8 + bit % 8 * 8)
        })
    }
}

/// The top bit of each octet that is equal to the tag, and sometimes of octets above such a one.
fn marks(octets: u64, tag: u8) -> u64 {
    let differ = octets ^ (ONES * u64::from(tag));
    differ.wrapping_sub(ONES) & !differ & TOPS
}

/// Numbers by hash. What they mean, and whether two are equal, is for the caller to say.
#[derive(Clone, Debug, Default)]
pub struct Index {
    lines: Vec<Line>,
    len: usize,
}

impl Index {
    /// How many numbers are in it.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The number with this hash for which `is_it` holds.
    #[inline]
    pub fn find(&self, hash: u32, is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let (line, place) = self.position(hash, is_it)?;
        Some(self.lines[line].numbers[place])
    }

    /// Whether the next insertion needs [`Index::rebuild`] first.
    pub fn is_full(&self) -> bool {
        (self.len + 1) * 5 > self.lines.len() * ROOM * 4
    }

    /// Puts all numbers, with their hashes, into twice as many places as there are numbers.
    pub fn rebuild(&mut self, all: impl Iterator<Item = (u32, u32)>) {
        let lines = (self.len * 2).div_ceil(ROOM).max(1);
        self.lines = Vec::new();
        self.lines.resize(lines, Line::EMPTY);
        self.len = 0;
        // Line after line would wait for memory.
        let mut all = all.fuse();
        let mut some = [(0, 0); 32];
        loop {
            let mut count = 0;
            for (place, one) in some.iter_mut().zip(all.by_ref()) {
                *place = one;
                count += 1;
            }
            if count == 0 {
                return;
            }
            let some = &some[..count];
            self.warm(some.iter().map(|(_, hash)| *hash));
            some.iter().for_each(|(number, hash)| self.insert(*number, *hash));
        }
    }

    /// Has the lines of hashes fetched: whoever is going to ask for several asks for the lines first, and waits once. The hashes
    /// are to be there already: a processor looks only so many steps ahead, and few steps here are many lines at a time.
    #[inline]
    pub fn warm(&self, hashes: impl Iterator<Item = u32>) {
        let lines = hashes.filter_map(|hash| self.lines.get(self.home(hash)));
        std::hint::black_box(lines.fold(0, |all, line| all | line.passed));
    }

    /// Adds a number that is not in it; there must be room.
    pub fn insert(&mut self, number: u32, hash: u32) {
        let mut at = self.home(hash);
        loop {
            let line = &mut self.lines[at];
            if let Some(place) = line.places(FREE).next() {
                line.tags[place] = tag(hash);
                line.numbers[place] = number;
                self.len += 1;
                return;
            }
            line.passed += 1;
            at = self.after(at);
        }
    }

    /// Takes a number out.
    pub fn remove(&mut self, number: u32, hash: u32) {
        let Some((line, place)) = self.position(hash, |other| other == number) else {
            return;
        };
        self.lines[line].tags[place] = FREE;
        let mut at = self.home(hash);
        while at != line {
            self.lines[at].passed -= 1;
            at = self.after(at);
        }
        self.len -= 1;
        if self.len == 0 {
            *self = Self::default();
        }
    }

    #[inline]
    fn position(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<(usize, usize)> {
        if self.len == 0 {
            return None;
        }
        let (wanted, mut at) = (tag(hash), self.home(hash));
        // Every line may have been full at some time.
        for _ in 0..self.lines.len() {
            let line = &self.lines[at];
            for place in line.places(wanted) {
                if line.tags[place] == wanted && is_it(line.numbers[place]) {
                    return Some((at, place));
                }
            }
            if line.passed == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.lines.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.lines.len() { 0 } else { at + 1 }
    }
}

/// The low octet: the place is made of the high ones.
fn tag(hash: u32) -> u8 {
    (hash as u8).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Many collide.
    fn hash(number: u32) -> u32 {
        ((number % 7) << 29) | (number % 3)
    }

    proptest! {
        #[test]
        fn it_is_a_set(operations in prop::collection::vec((any::<bool>(), 0..60u32), 0..300)) {
            let (mut index, mut model) = (Index::default(), BTreeMap::new());
            for (insert, number) in operations {
                match insert {
                    true if model.insert(number, ()).is_none() => {
                        if index.is_full() {
                            let all = model.keys().filter(|n| **n != number);
                            index.rebuild(all.map(|n| (*n, hash(*n))));
                        }
                        index.insert(number, hash(number));
                    }
                    false => {
                        model.remove(&number);
                        index.remove(number, hash(number));
                    }
                    true => {}
                }
                prop_assert_eq!(index.len(), model.len());
                for number in 0..60 {
                    let found = index.find(hash(number), |n| n == number);
                    prop_assert_eq!(found.is_some(), model.contains_key(&number));
                }
            }
        }
    }

    #[test]
    fn a_line_is_a_line_of_the_cache() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    }

    #[test]
    fn every_place_and_every_tag_is_found() {
        for tag in 1..=u8::MAX {
            for place in 0..ROOM {
                let mut line = Line::EMPTY;
                line.tags = [tag.wrapping_add(1).max(1); ROOM];
                line.tags[place] = tag;
                assert_eq!(line.places(tag).next(), Some(place), "{tag} {place}");
            }
        }
    }
}
