//! The number of a session: what routes and sent prefixes say whose they are by.

/// Place of a session in the RIB's list; good as long as anything refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot(pub u16);

impl Slot {
    /// What is originated here.
    pub const LOCAL: Slot = Slot(u16::MAX);
    /// Nobody's.
    pub const NONE: Slot = Slot(u16::MAX - 1);
    /// How many sessions there can be.
    pub const COUNT: usize = u16::MAX as usize - 1;
}
