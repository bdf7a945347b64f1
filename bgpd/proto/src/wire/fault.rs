//! What is wrong with one attribute, and what RFC 7606 §2 wants done about it.

use std::fmt;

use super::codes;

/// The action, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// The attribute is dropped, the rest of the UPDATE stands.
    Discard,
    /// Every route that the UPDATE announces is taken as withdrawn.
    TreatAsWithdraw,
}

/// A fault in an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Type code of the attribute.
    pub attribute: u8,
    /// What is done about it.
    pub action: Action,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Discard => "attribute dropped",
            Action::TreatAsWithdraw => "routes taken as withdrawn",
        };
        let name = codes::name(self.attribute);
        write!(
            f,
            "{name} (attribute {}): {}; {action}",
            self.attribute, self.what
        )
    }
}
