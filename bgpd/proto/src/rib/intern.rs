//! One copy of each distinct attribute set, however many routes have it: a full table of a million prefixes has some
//! ten thousand of them. A [`Body`] adds the next hop, so that a route is one pointer to what it says.
//!
//! What no route holds any more is swept when the table has doubled since the last sweep, so that the work is constant
//! per insertion and the table is never much larger than what is in use.

use crate::wire::{NextHop, PathAttributes};
use std::collections::HashSet;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

/// What a route says of its prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Body {
    /// NEXT_HOP; `None` for what is originated here.
    pub next_hop: Option<NextHop>,
    pub attributes: Arc<PathAttributes>,
}

impl Body {
    /// The address to resolve.
    pub fn next_hop_address(&self) -> Option<IpAddr> {
        self.next_hop.map(NextHop::address)
    }
}

/// Tables with fewer entries are not worth a sweep.
const SMALL: usize = 64;

/// The tables of shared values.
#[derive(Clone, Debug, Default)]
pub(super) struct Interner {
    attributes: Shared<PathAttributes>,
    bodies: Shared<Body>,
}

impl Interner {
    /// The shared copy of a body.
    pub fn body(&mut self, next_hop: Option<NextHop>, attributes: PathAttributes) -> Arc<Body> {
        let attributes = self.attributes.get(attributes);
        self.bodies.get(Body { next_hop, attributes })
    }

    /// Drops what nobody holds any more.
    pub fn sweep(&mut self) {
        // Bodies hold attributes.
        self.bodies.sweep();
        self.attributes.sweep();
    }

    /// Number of distinct attribute sets and of bodies in the tables.
    #[cfg(test)]
    pub fn len(&self) -> (usize, usize) {
        (self.attributes.table.len(), self.bodies.table.len())
    }
}

/// One table. Its hasher is the standard library's, keyed at random: peers choose what is hashed.
#[derive(Clone, Debug)]
struct Shared<T> {
    table: HashSet<Arc<T>>,
    sweep_at: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            table: HashSet::new(),
            sweep_at: SMALL,
        }
    }
}

impl<T: Hash + Eq> Shared<T> {
    fn get(&mut self, value: T) -> Arc<T> {
        if let Some(shared) = self.table.get(&value) {
            return Arc::clone(shared);
        }
        if self.table.len() >= self.sweep_at {
            self.sweep();
        }
        let shared = Arc::new(value);
        self.table.insert(Arc::clone(&shared));
        shared
    }

    fn sweep(&mut self) {
        self.table.retain(|shared| Arc::strong_count(shared) > 1);
        self.sweep_at = (self.table.len() * 2).max(SMALL);
        if self.table.capacity() > self.sweep_at * 2 {
            self.table.shrink_to(self.sweep_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn med(med: u32) -> PathAttributes {
        PathAttributes {
            med: Some(med),
            ..PathAttributes::default()
        }
    }

    #[test]
    fn equal_values_are_one() {
        let mut interner = Interner::default();
        let hop = Some(NextHop::from(IpAddr::from([192, 0, 2, 1])));
        let (a, b, c) = (
            interner.body(hop, med(1)),
            interner.body(hop, med(1)),
            interner.body(None, med(1)),
        );
        assert!(Arc::ptr_eq(&a, &b));
        assert!(!Arc::ptr_eq(&a, &c));
        assert!(Arc::ptr_eq(&a.attributes, &c.attributes));
        assert_eq!(interner.len(), (1, 2));
    }

    #[test]
    fn tables_shrink_when_unused() {
        let mut interner = Interner::default();
        let held: Vec<_> = (0..1000).map(|n| interner.body(None, med(n))).collect();
        assert_eq!(interner.len(), (1000, 1000));
        drop(held);
        interner.sweep();
        assert_eq!(interner.len(), (0, 0));
    }

    #[test]
    fn passing_values_do_not_pile_up() {
        let mut interner = Interner::default();
        for n in 0..100_000 {
            interner.body(None, med(n));
            assert!(interner.len().1 <= SMALL + 1, "{n}: {:?}", interner.len());
        }
    }
}
