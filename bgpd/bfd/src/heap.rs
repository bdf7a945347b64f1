//! Deadlines of numbered slots: setting one and finding the earliest cost the logarithm of their number, and neither
//! allocates. A complete binary tree of minima over an array.

use std::time::Instant;

type Deadline = Option<Instant>;

#[derive(Debug)]
pub struct Deadlines {
    /// Node `i` has the earlier of `2i` and `2i + 1`; the leaves begin at `leaves`.
    nodes: Vec<Deadline>,
    leaves: usize,
}

impl Deadlines {
    pub fn new() -> Self {
        Self::with_leaves(1)
    }

    fn with_leaves(leaves: usize) -> Self {
        Self {
            nodes: vec![None; 2 * leaves],
            leaves,
        }
    }

    /// Makes room for slots below `slots`. The only call that allocates.
    pub fn reserve(&mut self, slots: usize) {
        if slots <= self.leaves {
            return;
        }
        let mut grown = Self::with_leaves(slots.next_power_of_two());
        for (slot, at) in self.nodes[self.leaves..].iter().enumerate() {
            grown.set(slot, *at);
        }
        *self = grown;
    }

    /// The deadline of a slot for which there is room.
    pub fn set(&mut self, slot: usize, at: Deadline) {
        let mut node = self.leaves + slot;
        if self.nodes[node] == at {
            return;
        }
        self.nodes[node] = at;
        while node > 1 {
            node /= 2;
            let earlier = earlier(self.nodes[2 * node], self.nodes[2 * node + 1]);
            if self.nodes[node] == earlier {
                return;
            }
            self.nodes[node] = earlier;
        }
    }

    /// The earliest of all.
    pub fn first(&self) -> Deadline {
        self.nodes[1]
    }

    /// A slot whose deadline has come, the earliest first.
    pub fn due(&self, now: Instant) -> Option<usize> {
        let first = self.first().filter(|at| *at <= now)?;
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            if self.nodes[node] != Some(first) {
                node += 1;
            }
        }
        Some(node - self.leaves)
    }
}

fn earlier(a: Deadline, b: Deadline) -> Deadline {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
