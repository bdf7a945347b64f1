//! One prefix: where its paths are, which of them are selected, and who still has something to say of it.

/// A length that no prefix has: the node is free.
const BURIED: u8 = u8::MAX;
/// Bit of `selected`: the path behind the selected ones stands by.
const BACKUP: u8 = 0x80;

/// A prefix. Sixteen octets for IPv4, twenty-eight for IPv6.
#[derive(Clone, Copy, Debug)]
pub struct Node<A> {
    pub address: A,
    /// Where its paths are.
    pub at: u32,
    /// Whoever keeps the number: it is not given to another prefix before all are done with it.
    pub holds: u32,
    pub count: u16,
    selected: u8,
    pub length: u8,
}

impl<A> Node<A> {
    /// The most paths that can be selected.
    pub const MOST_SELECTED: usize = BACKUP as usize - 1;

    pub fn new(address: A, length: u8) -> Self {
        Self {
            address,
            at: 0,
            holds: 0,
            count: 0,
            selected: 0,
            length,
        }
    }

    /// How many paths are selected; they stand first, the best one in front.
    pub fn selected(&self) -> usize {
        usize::from(self.selected & !BACKUP)
    }

    /// Whether the path behind the selected ones stands by.
    pub fn has_backup(&self) -> bool {
        self.selected & BACKUP != 0
    }

    pub fn select(&mut self, selected: usize, backup: bool) {
        // At most as many as the decision is allowed.
        self.selected = selected.min(Self::MOST_SELECTED) as u8 | if backup { BACKUP } else { 0 };
    }

    pub fn is_live(&self) -> bool {
        self.length != BURIED
    }

    pub fn bury(&mut self) {
        self.length = BURIED;
    }
}
