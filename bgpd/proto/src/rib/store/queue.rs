//! Numbers in the order in which they came, each of them once however often it came: what is to be looked at again.

use std::collections::VecDeque;

/// Lists that grew beyond this are given back once they are empty.
const SMALL: usize = 1024;

/// A queue without repeats: one bit for each number, and four octets while it waits. Even and odd numbers are two series,
/// each of which may be dense without the other.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    waiting: VecDeque<u32>,
    bits: [Vec<u64>; 2],
}

impl Queue {
    /// Appends a number; false where it waits already.
    pub fn push(&mut self, number: u32) -> bool {
        let (series, word, bit) = place(number);
        let bits = &mut self.bits[series];
        if bits.len() <= word {
            bits.resize(word + 1, 0);
        }
        let fresh = bits[word] & bit == 0;
        if fresh {
            bits[word] |= bit;
            self.waiting.push_back(number);
        }
        fresh
    }

    /// Takes the one that has waited longest.
    pub fn pop(&mut self) -> Option<u32> {
        let Some(number) = self.waiting.pop_front() else {
            if self.waiting.capacity() > SMALL {
                *self = Self::default();
            }
            return None;
        };
        let (series, word, bit) = place(number);
        self.bits[series][word] &= !bit;
        Some(number)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All that wait, in their order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.waiting.iter().copied()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

fn place(number: u32) -> (usize, usize, u64) {
    let at = number >> 1;
    ((number & 1) as usize, at as usize / 64, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_and_each_once() {
        let mut queue = Queue::default();
        assert!(queue.push(70) && queue.push(3) && !queue.push(70));
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(70), Some(3), None));
        assert!(queue.push(70), "it may come again");
        assert_eq!(queue.len(), 1);
    }
}
