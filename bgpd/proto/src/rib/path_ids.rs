//! The path identifiers that others are told (RFC 7911 §3): they are ours to choose, and have to tell apart all paths of a prefix
//! that one peer is told.
//!
//! The upper 16 bits are the session that a path came from, the lower ones which of its paths. A path without an identifier of its own,
//! as most are, has zero there. Identifiers that came are a peer's choice; each has a number for as long as somebody is told a path
//! with it.

use super::peers::Peers;
use super::slot::Slot;
use std::collections::HashMap;

/// The identifier of what is originated here: no session has zero in the upper bits.
const LOCAL: u32 = 1;

/// Numbers of the path identifiers of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    by_id: HashMap<u32, u16>,
    /// By number, less one: the identifier, and how many are told a path with it.
    used: Vec<(u32, u32)>,
    free: Vec<u16>,
}

impl Numbers {
    fn of(&mut self, path_id: u32) -> Option<u16> {
        if path_id == 0 {
            return Some(0);
        }
        if let Some(number) = self.by_id.get(&path_id) {
            return Some(*number);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                self.used.push((path_id, 0));
                u16::try_from(self.used.len()).ok().or_else(|| {
                    self.used.pop();
                    None
                })?
            }
        };
        self.used[usize::from(number) - 1] = (path_id, 0);
        self.by_id.insert(path_id, number);
        Some(number)
    }

    fn hold(&mut self, number: u16) {
        if let Some((_, count)) = self.place(number) {
            *count += 1;
        }
    }

    fn release(&mut self, number: u16) {
        let Some((path_id, count)) = self.place(number) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            let path_id = *path_id;
            self.by_id.remove(&path_id);
            self.free.push(number);
        }
    }

    fn place(&mut self, number: u16) -> Option<&mut (u32, u32)> {
        self.used.get_mut(usize::from(number).checked_sub(1)?)
    }

    /// How many identifiers have a number.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl Peers {
    /// The identifier that a path is told with. `None` for a path of a session with more identifiers in use than 16 bits can count.
    /// Whoever is told it holds it.
    pub fn path_number(&mut self, slot: Slot, path_id: u32) -> Option<u32> {
        if slot == Slot::LOCAL {
            return Some(LOCAL);
        }
        let low = self.get_mut(slot)?.numbers.of(path_id)?;
        Some((u32::from(slot.0) + 1) << 16 | u32::from(low))
    }

    /// One more is told this path of the session.
    pub fn hold_number(&mut self, slot: Slot, number: u32) {
        if let Some(peer) = self.get_mut(slot) {
            peer.numbers.hold(low(number));
        }
    }

    /// One less is.
    pub fn release_number(&mut self, slot: Slot, number: u32) {
        if let Some(peer) = self.get_mut(slot) {
            peer.numbers.release(low(number));
        }
    }
}

fn low(number: u32) -> u16 {
    // The lower half.
    number as u16
}
