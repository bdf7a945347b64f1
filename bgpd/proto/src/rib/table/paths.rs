//! Paths, in blocks: those of one prefix stand side by side, in the order of the decision.
//!
//! A block has room for its size class; a prefix with one path has a block of one, which is what nearly all have. Freed blocks
//! are chained, each through its first path.

use crate::rib::attrs::AttrId;
use crate::rib::policy::import::Verdict;
use crate::rib::slot::Slot;

/// One route of an Adj-RIB-In, or one that is originated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// What it says, after the import policy.
    pub attr: AttrId,
    /// Path identifier as received (RFC 7911); zero on sessions without.
    pub path_id: u32,
    /// When it came, in units of [`crate::rib::hub::TICKS`] to the second since the RIB was made.
    pub learned: u32,
    /// Whose it is.
    pub slot: Slot,
    /// What the import policy says of it.
    pub verdict: Verdict,
    pub flags: Flags,
}

const LONG_LIVED: u8 = 0x80;
const CHANGED: u8 = 0x40;

/// Which round of a session said a path last: see [`crate::rib::peers::Peer::round`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Said in this round of restarts.
    pub fn of(round: u8) -> Self {
        Flags(round)
    }

    /// The round.
    pub fn round(self) -> u8 {
        self.0 & !(LONG_LIVED | CHANGED)
    }

    /// Its peer is away for longer than a restart takes (RFC 9494).
    pub fn is_long_lived(self) -> bool {
        self.0 & LONG_LIVED != 0
    }

    /// What came says something else: see `Rib::as_received`.
    pub fn is_changed(self) -> bool {
        self.0 & CHANGED != 0
    }

    /// The same for a path that import policy has changed, or has not.
    pub fn changed(self, changed: bool) -> Self {
        Flags(self.0 & !CHANGED | if changed { CHANGED } else { 0 })
    }

    /// The same for a path of such a peer.
    pub fn long_lived(self) -> Self {
        Flags(self.0 | LONG_LIVED)
    }
}

/// Paths of a page.
const PAGE: usize = 1 << 16;
const NOWHERE: u32 = u32::MAX;
/// Room of the small classes; above, powers of two.
const SMALL: [usize; 12] = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32];
const CLASSES: usize = SMALL.len() + 11;

/// All blocks.
#[derive(Clone, Debug)]
pub struct Paths {
    pages: Vec<Vec<Path>>,
    free: [u32; CLASSES],
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            free: [NOWHERE; CLASSES],
        }
    }
}

impl Paths {
    /// The most that one prefix can have.
    pub const MOST: usize = PAGE - 1;

    /// The paths of a block.
    pub fn get(&self, at: u32, count: usize) -> &[Path] {
        if count == 0 {
            return &[];
        }
        let (page, start) = split(at);
        &self.pages[page][start..start + count]
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, at: u32, count: usize) -> &mut [Path] {
        if count == 0 {
            return &mut [];
        }
        let (page, start) = split(at);
        &mut self.pages[page][start..start + count]
    }

    /// Appends a path to a block of `count`; the answer is where the block is now.
    pub fn push(&mut self, at: u32, count: usize, path: Path) -> u32 {
        let (old, new) = (class(count), class(count + 1));
        let at = if count > 0 && old == new {
            at
        } else {
            let place = self.take(new, path);
            if count > 0 {
                self.copy(at, place, count);
                self.give_back(at, old);
            }
            place
        };
        let (page, start) = split(at);
        self.pages[page][start + count] = path;
        at
    }

    /// Takes the last of `count` paths out of a block; the answer is where the block is now.
    pub fn pop(&mut self, at: u32, count: usize) -> u32 {
        let (old, new) = (class(count), class(count - 1));
        if count == 1 {
            self.give_back(at, old);
            return NOWHERE;
        }
        if old == new {
            return at;
        }
        let (page, start) = split(at);
        let place = self.take(new, self.pages[page][start]);
        self.copy(at, place, count - 1);
        self.give_back(at, old);
        place
    }

    /// Gives everything back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn copy(&mut self, from: u32, to: u32, count: usize) {
        let ((from_page, from), (to_page, to)) = (split(from), split(to));
        if from_page == to_page {
            self.pages[from_page].copy_within(from..from + count, to);
            return;
        }
        for n in 0..count {
            self.pages[to_page][to + n] = self.pages[from_page][from + n];
        }
    }

    fn take(&mut self, class: usize, filling: Path) -> u32 {
        let free = self.free[class];
        if free != NOWHERE {
            let (page, start) = split(free);
            self.free[class] = self.pages[page][start].learned;
            return free;
        }
        let room = room(class);
        if self.pages.last().is_none_or(|page| page.len() + room > PAGE) {
            // The first page of a small speaker stays small.
            let capacity = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(capacity));
        }
        let number = self.pages.len() - 1;
        let page = &mut self.pages[number];
        let at = number * PAGE + page.len();
        page.resize(page.len() + room, filling);
        // Four thousand million paths do not fit into any machine that this runs on.
        at as u32
    }

    fn give_back(&mut self, at: u32, class: usize) {
        let (page, start) = split(at);
        self.pages[page][start].learned = std::mem::replace(&mut self.free[class], at);
    }
}

fn split(at: u32) -> (usize, usize) {
    (at as usize / PAGE, at as usize % PAGE)
}

/// The class of blocks for so many paths.
fn class(count: usize) -> usize {
    match SMALL.iter().position(|room| *room >= count) {
        Some(class) => class,
        None => SMALL.len() + (count.next_power_of_two() / 64).ilog2() as usize,
    }
}

fn room(class: usize) -> usize {
    match SMALL.get(class) {
        Some(room) => *room,
        None => 64 << (class - SMALL.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(n: u32) -> Path {
        Path {
            attr: AttrId(n),
            path_id: 0,
            learned: 0,
            slot: Slot::LOCAL,
            verdict: Verdict::ACCEPTED,
            flags: Flags::default(),
        }
    }

    #[test]
    fn blocks_grow_and_shrink_and_leave_no_other_block_changed() {
        let mut paths = Paths::default();
        let mut blocks = [(NOWHERE, 0usize); 3];
        for n in 0..300u32 {
            for (block, (at, count)) in blocks.iter_mut().enumerate() {
                *at = paths.push(*at, *count, path(n * 10 + block as u32));
                *count += 1;
            }
        }
        for n in (0..300usize).rev() {
            for (block, (at, count)) in blocks.iter_mut().enumerate() {
                let all = paths.get(*at, *count);
                assert!((0..*count).all(|n| all[n].attr == AttrId((n * 10 + block) as u32)));
                *at = paths.pop(*at, *count);
                *count = n;
            }
        }
        let used: usize = paths.pages.iter().map(Vec::len).sum();
        let at = paths.push(NOWHERE, 0, path(1));
        assert_eq!(paths.get(at, 1), [path(1)]);
        assert_eq!(
            used,
            paths.pages.iter().map(Vec::len).sum(),
            "a freed block is taken"
        );
    }

    #[test]
    fn every_count_has_a_class_with_room() {
        for count in 1..=Paths::MOST {
            let class = class(count);
            assert!(
                class < CLASSES && room(class) >= count && room(class) <= PAGE,
                "{count}"
            );
        }
    }
}
